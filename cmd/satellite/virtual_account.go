package main

import (
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"ssm/satellite/adminapi"
)

func newVirtualAccountCommand() *cobra.Command {
	c := &cobra.Command{Use: "virtual-account", Short: "Create, list, change and delete virtual accounts"}
	c.AddCommand(newVirtualAccountCreateCommand(), newVirtualAccountListCommand(), newVirtualAccountDeleteCommand(),
		newVirtualAccountSetCommand(), newVirtualAccountDefaultCommand(), newTagCommand("virtual account", "NAME", "virtual_account"))
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
		Use:   "delete [--account NAME] --name NAME [--move-to NAME]",
		Short: "Delete a virtual account that is empty, or whose content moves to another one",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			client := connect(c)
			account, err := client.account(c.Context(), text(c, "account"))
			if err != nil {
				return err
			}
			name := text(c, "name")
			if err := client.call(c.Context(), http.MethodDelete, ask(resource("accounts", account, "virtual-accounts", name), url.Values{"move_to": {text(c, "move-to")}}), nil, nil); err != nil {
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
	c.Flags().String("move-to", "", "virtual account that takes its devices, licenses and tokens")
	require(c, "name")
	return c
}

func newVirtualAccountSetCommand() *cobra.Command {
	c := accountFlag(&cobra.Command{
		Use:   "set NAME [--name NEW] [--description TEXT] [--account NAME]",
		Short: "Rename or describe a virtual account",
		Args:  takes("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			client := connect(c)
			account, err := client.account(c.Context(), text(c, "account"))
			if err != nil {
				return err
			}
			var change adminapi.VirtualAccountChange
			for flag, field := range map[string]**string{"name": &change.Name, "description": &change.Description} {
				if c.Flags().Changed(flag) {
					value := text(c, flag)
					*field = &value
				}
			}
			var changed adminapi.VirtualAccount
			if err := client.patch(c.Context(), resource("accounts", account, "virtual-accounts", args[0]), change, &changed); err != nil {
				return err
			}
			return printRecord(c, changed, line{"Account", changed.Account}, line{"Name", changed.Name}, line{"Description", changed.Description})
		},
	})
	c.Flags().String("name", "", "new name, unique in its account; the next synchronization is a full one")
	c.Flags().String("description", "", "what it is for")
	return c
}

func newVirtualAccountDefaultCommand() *cobra.Command {
	return accountFlag(&cobra.Command{
		Use:   "default NAME [--account NAME]",
		Short: "Make a virtual account the default one: new lots arrive there",
		Args:  takes("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			client := connect(c)
			account, err := client.account(c.Context(), text(c, "account"))
			if err != nil {
				return err
			}
			var changed adminapi.VirtualAccount
			if err := client.post(c.Context(), resource("accounts", account, "virtual-accounts", args[0], "default"), nil, &changed); err != nil {
				return err
			}
			say(c, "New licenses of account %q arrive in virtual account %q; what is elsewhere stays there.", changed.Account, changed.Name)
			return printRecord(c, changed, line{"Account", changed.Account}, line{"Name", changed.Name}, line{"Default", changed.Default})
		},
	})
}
