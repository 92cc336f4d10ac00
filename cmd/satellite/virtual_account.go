package main

import (
	"net/http"

	"github.com/spf13/cobra"

	"ssm/satellite/adminapi"
)

func newVirtualAccountCommand() *cobra.Command {
	c := &cobra.Command{Use: "virtual-account", Short: "Create, list and delete virtual accounts"}
	c.AddCommand(newVirtualAccountCreateCommand(), newVirtualAccountListCommand(), newVirtualAccountDeleteCommand())
	return c
}

func newVirtualAccountCreateCommand() *cobra.Command {
	c := accountFlag(&cobra.Command{
		Use:   "create [--account NAME] --name NAME",
		Short: "Create a virtual account",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			client := connect(c)
			account, err := client.account(c.Context(), text(c, "account"))
			if err != nil {
				return err
			}
			var created adminapi.VirtualAccount
			in := adminapi.NewVirtualAccount{Name: text(c, "name"), Description: text(c, "description")}
			if err := client.post(c.Context(), resource("accounts", account, "virtual-accounts"), in, &created); err != nil {
				return err
			}
			say(c, "Virtual account %q was created.", created.Name)
			return printRecord(c, created,
				line{"Account", created.Account}, line{"Name", created.Name}, line{"Description", created.Description}, line{"Created", created.CreatedAt})
		},
	})
	c.Flags().String("name", "", "name, unique in its account (required)")
	c.Flags().String("description", "", "what it is for")
	require(c, "name")
	return c
}

func newVirtualAccountListCommand() *cobra.Command {
	return accountFlag(&cobra.Command{
		Use:   "list [--account NAME]",
		Short: "List the virtual accounts of an account, the default one first",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			client := connect(c)
			account, err := client.account(c.Context(), text(c, "account"))
			if err != nil {
				return err
			}
			return printList(c, pages[adminapi.VirtualAccount](c.Context(), client, resource("accounts", account, "virtual-accounts"), nil),
				column[adminapi.VirtualAccount]{"NAME", func(v adminapi.VirtualAccount) any { return v.Name }},
				column[adminapi.VirtualAccount]{"DEFAULT", func(v adminapi.VirtualAccount) any { return v.Default }},
				column[adminapi.VirtualAccount]{"CREATED", func(v adminapi.VirtualAccount) any { return v.CreatedAt }},
				column[adminapi.VirtualAccount]{"DESCRIPTION", func(v adminapi.VirtualAccount) any { return v.Description }})
		},
	})
}

func newVirtualAccountDeleteCommand() *cobra.Command {
	c := accountFlag(&cobra.Command{
		Use:   "delete [--account NAME] --name NAME",
		Short: "Delete an empty virtual account",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			client := connect(c)
			account, err := client.account(c.Context(), text(c, "account"))
			if err != nil {
				return err
			}
			name := text(c, "name")
			if err := client.call(c.Context(), http.MethodDelete, resource("accounts", account, "virtual-accounts", name), nil, nil); err != nil {
				return err
			}
			say(c, "Virtual account %q was deleted.", name)
			return printRecord(c, struct {
				Account string `json:"account"`
				Name    string `json:"name"`
				Deleted bool   `json:"deleted"`
			}{account, name, true})
		},
	})
	c.Flags().String("name", "", "name of the virtual account (required)")
	require(c, "name")
	return c
}
