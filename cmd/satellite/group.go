package main

import (
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"ssm/satellite/adminapi"
)

func newGroupCommand() *cobra.Command {
	c := &cobra.Command{Use: "group", Short: "Manage the user groups of an account, who is in them, and their roles"}
	c.AddCommand(newGroupCreateCommand(), newGroupListCommand(), newGroupShowCommand(), newGroupRemoveCommand(),
		newGroupMemberCommand("add", "Put a user into a group", "%s is in group %s."), newGroupMemberCommand("drop", "Take a user out of a group", "%s is no longer in group %s."),
		newGroupRoleCommand())
	return c
}

func newGroupCreateCommand() *cobra.Command {
	c := accountFlag(&cobra.Command{
		Use:   "create NAME [--account NAME]",
		Short: "Create a user group, in a standard account",
		Args:  takes("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			client := connect(c)
			account, err := client.account(c.Context(), text(c, "account"))
			if err != nil {
				return err
			}
			var group adminapi.Group
			in := adminapi.NewGroup{Name: args[0], Description: text(c, "description")}
			if err := client.post(c.Context(), resource("accounts", account, "groups"), in, &group); err != nil {
				return err
			}
			say(c, "Group %q was created.", group.Name)
			return printRecord(c, group, line{"Account", group.Account}, line{"Name", group.Name}, line{"Description", group.Description}, line{"Created", group.CreatedAt})
		},
	})
	c.Flags().String("description", "", "what it is for")
	return c
}

func newGroupListCommand() *cobra.Command {
	return accountFlag(&cobra.Command{
		Use:   "list [--account NAME]",
		Short: "List the user groups of an account by name",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			client := connect(c)
			account, err := client.account(c.Context(), text(c, "account"))
			if err != nil {
				return err
			}
			return printList(c, pages[adminapi.Group](c.Context(), client, resource("accounts", account, "groups"), nil),
				column[adminapi.Group]{"NAME", func(g adminapi.Group) any { return g.Name }},
				column[adminapi.Group]{"CREATED", func(g adminapi.Group) any { return g.CreatedAt }},
				column[adminapi.Group]{"DESCRIPTION", func(g adminapi.Group) any { return g.Description }})
		},
	})
}

func newGroupShowCommand() *cobra.Command {
	return accountFlag(&cobra.Command{
		Use:   "show NAME [--account NAME]",
		Short: "Show a user group with its members and roles",
		Args:  takes("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			client := connect(c)
			account, err := client.account(c.Context(), text(c, "account"))
			if err != nil {
				return err
			}
			var group adminapi.GroupDetails
			if err := client.get(c.Context(), resource("accounts", account, "groups", args[0]), &group); err != nil {
				return err
			}
			roles := make([]string, len(group.Grants))
			for i, g := range group.Grants {
				if roles[i] = g.Role; g.VirtualAccount != "" {
					roles[i] += " in " + g.VirtualAccount
				}
			}
			return printRecord(c, group, line{"Account", group.Account}, line{"Name", group.Name}, line{"Description", group.Description},
				line{"Members", strings.Join(group.Members, ", ")}, line{"Roles", strings.Join(roles, ", ")}, line{"Created", group.CreatedAt})
		},
	})
}

func newGroupRemoveCommand() *cobra.Command {
	return accountFlag(&cobra.Command{
		Use:   "remove NAME [--account NAME]",
		Short: "Remove a user group; its members lose the roles that it gave them",
		Args:  takes("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			client := connect(c)
			account, err := client.account(c.Context(), text(c, "account"))
			if err != nil {
				return err
			}
			if err := client.call(c.Context(), http.MethodDelete, resource("accounts", account, "groups", args[0]), nil, nil); err != nil {
				return err
			}
			say(c, "Group %q was removed.", args[0])
			return printRecord(c, struct {
				Account string `json:"account"`
				Name    string `json:"name"`
				Removed bool   `json:"removed"`
			}{account, args[0], true})
		},
	})
}

// newGroupMemberCommand is add or drop.
func newGroupMemberCommand(verb, short, done string) *cobra.Command {
	return accountFlag(&cobra.Command{
		Use:   verb + " NAME EMAIL [--account NAME]",
		Short: short,
		Args:  takes("NAME", "EMAIL"),
		RunE: func(c *cobra.Command, args []string) error {
			client := connect(c)
			account, err := client.account(c.Context(), text(c, "account"))
			if err != nil {
				return err
			}
			path := []string{"accounts", account, "groups", args[0], "members"}
			if verb == "add" {
				err = client.post(c.Context(), resource(path...), adminapi.NewMember{User: args[1]}, nil)
			} else {
				err = client.call(c.Context(), http.MethodDelete, resource(append(path, args[1])...), nil, nil)
			}
			if err != nil {
				return err
			}
			say(c, done, args[1], args[0])
			return printRecord(c, struct {
				Account string `json:"account"`
				Group   string `json:"group"`
				User    string `json:"user"`
				Member  bool   `json:"member"`
			}{account, args[0], args[1], verb == "add"})
		},
	})
}

func newGroupRoleCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "role NAME ROLE --account NAME [--virtual-account NAME] [--remove]",
		Short: "Give the members of a group a role in its account, or take it away",
		Args:  takes("NAME", "ROLE"),
		RunE:  func(c *cobra.Command, args []string) error { return changeGrant(c, "", args[0], args[1]) },
	}
	grantFlags(c)
	require(c, "account")
	return c
}
