package main

import (
	"github.com/spf13/cobra"

	"ssm/satellite/adminapi"
)

func newUsageCommand() *cobra.Command {
	c := &cobra.Command{Use: "usage", Short: "Import and list usage reports"}
	c.AddCommand(newUsageImportCommand(), newUsageListCommand())
	return c
}

func newUsageImportCommand() *cobra.Command {
	return accountFlag(&cobra.Command{
		Use:   "import [--account NAME] FILE",
		Short: "Import the usage file of one or many devices",
		Args:  takes("FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			client := connect(c)
			account, err := client.account(c.Context(), text(c, "account"))
			if err != nil {
				return err
			}
			var r adminapi.UsageImport
			if err := client.upload(c.Context(), resource("accounts", account, "usage-reports"), args[0], &r); err != nil {
				return err
			}
			if r.Conflicts > 0 {
				say(c, "%d reports came before with other content. Those that came first stand; `satellite event list` names them.", r.Conflicts)
			}
			return printRecord(c, r, line{"Account", r.Account}, line{"Reports", r.Reports}, line{"Counted", r.Counted},
				line{"Known before", r.Known}, line{"In conflict", r.Conflicts})
		},
	})
}

func newUsageListCommand() *cobra.Command {
	return accountFlag(&cobra.Command{
		Use:   "list [--account NAME]",
		Short: "List usage reports, newest first",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			client := connect(c)
			account, err := client.account(c.Context(), text(c, "account"))
			if err != nil {
				return err
			}
			return printList(c, pages[adminapi.UsageReport](c.Context(), client, resource("accounts", account, "usage-reports"), nil),
				column[adminapi.UsageReport]{"REPORT", func(r adminapi.UsageReport) any { return r.ReportID }},
				column[adminapi.UsageReport]{"PRODUCT", func(r adminapi.UsageReport) any { return r.UDIPID }},
				column[adminapi.UsageReport]{"SERIAL", func(r adminapi.UsageReport) any { return r.UDISerialNumber }},
				column[adminapi.UsageReport]{"TAG", func(r adminapi.UsageReport) any { return r.Tag }},
				column[adminapi.UsageReport]{"COUNT", func(r adminapi.UsageReport) any { return r.Count }},
				column[adminapi.UsageReport]{"MEASURED UNTIL", func(r adminapi.UsageReport) any { return r.MeasuredUntil }},
				column[adminapi.UsageReport]{"STATE", func(r adminapi.UsageReport) any { return r.State }},
				column[adminapi.UsageReport]{"IMPORTED", func(r adminapi.UsageReport) any { return r.ImportedAt }})
		},
	})
}
