package main

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"ssm/satellite/adminapi"
)

func newLicenseCommand() *cobra.Command {
	c := &cobra.Command{Use: "license", Short: "List and show licenses"}
	c.AddCommand(newLicenseListCommand(), newLicenseShowCommand(), newTagCommand("license", "TAG", "license"))
	return c
}

func newLicenseListCommand() *cobra.Command {
	c := accountFlag(&cobra.Command{
		Use:   "list",
		Short: "List licenses, one row per virtual account and tag",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			parameters := url.Values{"account": {text(c, "account")}, "virtual_account": {text(c, "virtual-account")}, "search": {text(c, "search")}}
			return printList(c, pages[adminapi.License](c.Context(), connect(c), resource("licenses"), parameters),
				column[adminapi.License]{"TAG", func(l adminapi.License) any { return l.Tag }},
				column[adminapi.License]{"NAME", func(l adminapi.License) any { return l.Name }},
				column[adminapi.License]{"ACCOUNT", func(l adminapi.License) any { return l.Account }},
				column[adminapi.License]{"VIRTUAL ACCOUNT", func(l adminapi.License) any { return l.VirtualAccount }},
				column[adminapi.License]{"PURCHASED", func(l adminapi.License) any { return l.Purchased }},
				column[adminapi.License]{"IN USE", func(l adminapi.License) any { return l.InUse }},
				column[adminapi.License]{"RESERVED", func(l adminapi.License) any { return l.Reserved }},
				column[adminapi.License]{"AVAILABLE", func(l adminapi.License) any { return l.Available }},
				column[adminapi.License]{"BALANCE", func(l adminapi.License) any { return l.Balance }},
				column[adminapi.License]{"STATUS", func(l adminapi.License) any { return l.Status }})
		},
	})
	c.Flags().Lookup("account").Usage = "only of this account"
	c.Flags().String("virtual-account", "", "only of this virtual account")
	c.Flags().String("search", "", "beginning of name or tag")
	return c
}

func newLicenseShowCommand() *cobra.Command {
	c := accountFlag(&cobra.Command{
		Use:   "show TAG",
		Short: "Show a license of a virtual account, with what was bought and which devices use it",
		Args:  takes("TAG"),
		RunE: func(c *cobra.Command, args []string) error {
			client := connect(c)
			account, err := client.account(c.Context(), text(c, "account"))
			if err != nil {
				return err
			}
			var rows adminapi.List[adminapi.License]
			if err := client.get(c.Context(), ask(resource("licenses"), url.Values{"account": {account}, "tag": {args[0]}}), &rows); err != nil {
				return err
			}
			wanted := text(c, "virtual-account")
			if wanted == "" {
				var list adminapi.List[adminapi.VirtualAccount]
				if err := client.get(c.Context(), resource("accounts", account, "virtual-accounts"), &list); err != nil {
					return err
				}
				wanted = list.Items[0].Name // the default one stands first
			}
			license, elsewhere := chooseLicense(rows.Items, wanted)
			if license == nil {
				return message(fmt.Sprintf("Virtual account %q has no license with the tag %q. Name one that has it with --virtual-account: %s.", wanted, args[0], strings.Join(elsewhere, ", ")))
			}
			if len(elsewhere) > 0 {
				say(c, "It is also in: %s.", strings.Join(elsewhere, ", "))
			}
			return printLicense(c, *license)
		},
	})
	c.Flags().String("virtual-account", "", "virtual account (default: the default one)")
	return c
}

// chooseLicense takes the row of a virtual account, and names the others.
func chooseLicense(rows []adminapi.License, virtualAccount string) (chosen *adminapi.License, elsewhere []string) {
	for i, row := range rows {
		if strings.EqualFold(row.VirtualAccount, virtualAccount) {
			chosen = &rows[i]
			continue
		}
		elsewhere = append(elsewhere, row.VirtualAccount)
	}
	return chosen, elsewhere
}

func printLicense(c *cobra.Command, l adminapi.License) error {
	fields := []line{
		{"Tag", l.Tag}, {"Name", l.Name}, {"Type", l.Type}, {"Account", l.Account}, {"Virtual account", l.VirtualAccount},
		{"Purchased", l.Purchased}, {"Transferred in", l.TransferredIn}, {"Transferred out", l.TransferredOut}, {"Quantity", l.Quantity},
		{"In use", l.InUse}, {"Reserved", l.Reserved}, {"Available", l.Available}, {"Balance", l.Balance}, {"Status", l.Status},
	}
	for _, lot := range l.Lots {
		until := ""
		if lot.End != nil {
			until = " until " + cell(lot.End)
		}
		fields = append(fields, line{"Lot", fmt.Sprintf("%d %s from %s%s (%s)", lot.Quantity, lot.Type, cell(lot.Start), until, lot.ID)})
	}
	for _, d := range l.Devices {
		fields = append(fields, line{"Device", fmt.Sprintf("%d on %s (%s, %s)", d.Count, cell(d.Hostname), d.UDIPID, d.UDISerialNumber)})
	}
	return printRecord(c, l, fields...)
}
