package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"ssm/satellite/adminapi"
)

func newLicenseCommand() *cobra.Command {
	c := &cobra.Command{Use: "license", Short: "List, show, explain and transfer licenses"}
	c.AddCommand(newLicenseListCommand(), newLicenseShowCommand(), newLicenseExplainCommand(), newLicenseTransferCommand())
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
				column[adminapi.License]{"LENT", func(l adminapi.License) any { return l.Lent }},
				column[adminapi.License]{"BORROWED", func(l adminapi.License) any { return l.Borrowed }},
				column[adminapi.License]{"AVAILABLE", func(l adminapi.License) any { return l.Available }},
				column[adminapi.License]{"BALANCE", func(l adminapi.License) any { return l.Balance }},
				column[adminapi.License]{"STATUS", func(l adminapi.License) any { return l.Status }},
				column[adminapi.License]{"ENFORCEMENT", func(l adminapi.License) any { return enforced(l) }},
				column[adminapi.License]{"HIGHER TIER", func(l adminapi.License) any { return l.HigherTier }})
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
			wanted, err := client.virtualAccount(c.Context(), account, text(c, "virtual-account"))
			if err != nil {
				return err
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

// virtualAccount is the name of the default virtual account where none is given.
func (c *client) virtualAccount(ctx context.Context, account, name string) (string, error) {
	if name != "" {
		return name, nil
	}
	var list adminapi.List[adminapi.VirtualAccount]
	if err := c.get(ctx, resource("accounts", account, "virtual-accounts"), &list); err != nil {
		return "", err
	}
	return list.Items[0].Name, nil // it stands first
}

// enforced is what happens to a request for more than there is.
func enforced(l adminapi.License) string {
	switch {
	case l.ReportingOnly:
		return l.Enforcement + ", reporting only"
	case l.Overage:
		return l.Enforcement + ", overage allowed"
	}
	return l.Enforcement
}

func printLicense(c *cobra.Command, l adminapi.License) error {
	fields := []line{
		{"Tag", l.Tag}, {"Name", l.Name}, {"Type", l.Type}, {"Enforcement", enforced(l)}, {"Higher tier", l.HigherTier}, {"Account", l.Account}, {"Virtual account", l.VirtualAccount},
		{"Purchased", l.Purchased}, {"Transferred in", l.TransferredIn}, {"Transferred out", l.TransferredOut}, {"Quantity", l.Quantity},
		{"In use", l.InUse}, {"Reserved", l.Reserved}, {"Lent", l.Lent}, {"Borrowed", l.Borrowed}, {"Available", l.Available}, {"Balance", l.Balance}, {"Status", l.Status},
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
