package main

import (
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"ssm/satellite/adminapi"
)

func newLicenseExplainCommand() *cobra.Command {
	c := accountFlag(&cobra.Command{
		Use:   "explain TAG [--virtual-account NAME]",
		Short: "Show the rows that make each number of a license in a virtual account",
		Args:  takes("TAG"),
		RunE: func(c *cobra.Command, args []string) error {
			client := connect(c)
			account, err := client.account(c.Context(), text(c, "account"))
			if err != nil {
				return err
			}
			var e adminapi.LicenseExplanation
			parameters := url.Values{"account": {account}, "virtual_account": {text(c, "virtual-account")}, "tag": {args[0]}}
			if err := client.get(c.Context(), ask(resource("licenses", "explanation"), parameters), &e); err != nil {
				return err
			}
			return printExplanation(c, e)
		},
	})
	c.Flags().String("virtual-account", "", "virtual account (default: the default one)")
	return c
}

// printExplanation writes each total, and below it the parts that add up to it.
func printExplanation(c *cobra.Command, e adminapi.LicenseExplanation) error {
	if yes(c, "json") {
		return writeJSON(c.OutOrStdout(), e)
	}
	out := c.OutOrStdout()
	fmt.Fprintln(out, printable(fmt.Sprintf("%s (%s) in virtual account %s of %s, at %s", e.Name, e.Tag, e.VirtualAccount, e.Account, cell(e.At))))
	for _, sum := range e.Sums {
		fmt.Fprintf(out, "\n%-16s %10d =\n", sum.Name, sum.Total)
		for _, part := range sum.Parts {
			fmt.Fprintf(out, "%27s  %s\n", fmt.Sprintf("%+d", part.Quantity), printable(part.Text))
		}
		if len(sum.Parts) == 0 {
			fmt.Fprintf(out, "%27s  nothing\n", "+0")
		}
	}
	fmt.Fprintf(out, "\n%-16s %10d (the balance, or 0)\n%-16s %s\n", "Available", e.Available, "Status", e.Status)
	return nil
}

func newLicenseTransferCommand() *cobra.Command {
	c := accountFlag(&cobra.Command{
		Use:   "transfer TAG [--from NAME] [--to NAME] --quantity N [--type TYPE]",
		Short: "Move licenses that are available from one virtual account to another",
		Args:  takes("TAG"),
		RunE: func(c *cobra.Command, args []string) error {
			client := connect(c)
			account, err := client.account(c.Context(), text(c, "account"))
			if err != nil {
				return err
			}
			quantity, err := c.Flags().GetInt64("quantity")
			if err != nil {
				return err
			}
			moved := adminapi.NewLicenseTransfer{Tag: args[0], Quantity: quantity, Type: text(c, "type")}
			if moved.From, err = client.virtualAccount(c.Context(), account, text(c, "from")); err != nil {
				return err
			}
			if moved.To, err = client.virtualAccount(c.Context(), account, text(c, "to")); err != nil {
				return err
			}
			in := adminapi.NewLicenseTransfers{Transfers: []adminapi.NewLicenseTransfer{moved}}
			if err := client.post(c.Context(), resource("accounts", account, "license-transfers"), in, nil); err != nil {
				return err
			}
			say(c, "%d of %s were moved from %s to %s.", moved.Quantity, moved.Tag, moved.From, moved.To)
			return printRecord(c, moved, line{"Tag", moved.Tag}, line{"From", moved.From}, line{"To", moved.To}, line{"Quantity", moved.Quantity})
		},
	})
	c.Flags().String("from", "", "virtual account that gives (default: the default one)")
	c.Flags().String("to", "", "virtual account that gets (default: the default one)")
	c.Flags().Int64("quantity", 0, "how many (required)")
	c.Flags().String("type", "", "only of lots of this type: perpetual, subscription or evaluation")
	require(c, "quantity")
	return c
}
