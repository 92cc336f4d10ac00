package main

import (
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"ssm/satellite/adminapi"
)

func newUserCommand() *cobra.Command {
	c := &cobra.Command{Use: "user", Short: "Create, list, show, change and remove users, and give them roles"}
	c.AddCommand(newUserCreateCommand(), newUserListCommand(), newUserShowCommand(), newUserProfileCommand(), newUserPasswordCommand(), newUserRoleCommand(), newUserRemoveCommand())
	return c
}

// profileFlags are who a user is.
func profileFlags(c *cobra.Command) {
	c.Flags().String("first-name", "", "first name")
	c.Flags().String("last-name", "", "last name")
	c.Flags().String("company", "", "company")
	c.Flags().String("address", "", "postal address")
	c.Flags().String("phone", "", "phone number")
}

func printUser(c *cobra.Command, user adminapi.User) error {
	return printRecord(c, user,
		line{"E-mail", user.Email}, line{"Name", user.Name}, line{"System role", user.Role}, line{"Company", user.Company},
		line{"Address", user.Address}, line{"Phone", user.Phone}, line{"Created", user.CreatedAt})
}

func newUserCreateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "create --email EMAIL --first-name NAME --password-file FILE [--role ROLE]",
		Short: "Create a user, a System User where no other system role is named",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			password, err := readPassword(c)
			if err != nil {
				return err
			}
			in := adminapi.NewUser{Email: text(c, "email"), Password: password, Role: text(c, "role"), Profile: adminapi.Profile{
				FirstName: text(c, "first-name"), LastName: text(c, "last-name"), Company: text(c, "company"), Address: text(c, "address"), Phone: text(c, "phone"),
			}}
			var user adminapi.User
			if err := connect(c).post(c.Context(), resource("users"), in, &user); err != nil {
				return err
			}
			say(c, "%s can sign in now.", user.Email)
			return printUser(c, user)
		},
	}
	c.Flags().String("email", "", "e-mail address, to sign in with (required)")
	profileFlags(c)
	passwordFlag(c)
	c.Flags().String("role", "", "system-admin, system-operator or system-user (the default)")
	require(c, "email", "first-name", "password-file")
	return c
}

func newUserListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the users by e-mail address",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			return printList(c, pages[adminapi.User](c.Context(), connect(c), resource("users"), nil),
				column[adminapi.User]{"E-MAIL", func(u adminapi.User) any { return u.Email }},
				column[adminapi.User]{"NAME", func(u adminapi.User) any { return u.Name }},
				column[adminapi.User]{"SYSTEM ROLE", func(u adminapi.User) any { return u.Role }},
				column[adminapi.User]{"COMPANY", func(u adminapi.User) any { return u.Company }},
				column[adminapi.User]{"CREATED", func(u adminapi.User) any { return u.CreatedAt }})
		},
	}
}

func newUserShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show EMAIL",
		Short: "Show a user",
		Args:  takes("EMAIL"),
		RunE: func(c *cobra.Command, args []string) error {
			var user adminapi.User
			if err := connect(c).get(c.Context(), resource("users", args[0]), &user); err != nil {
				return err
			}
			return printUser(c, user)
		},
	}
}

func newUserProfileCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "profile EMAIL [--email EMAIL] [--first-name NAME] ...",
		Short: "Change who a user is; what is not named stays",
		Args:  takes("EMAIL"),
		RunE: func(c *cobra.Command, args []string) error {
			client := connect(c)
			var user adminapi.User
			if err := client.get(c.Context(), resource("users", args[0]), &user); err != nil {
				return err
			}
			in := adminapi.NewProfile{Email: user.Email, Profile: user.Profile}
			for flag, field := range map[string]*string{
				"email": &in.Email, "first-name": &in.FirstName, "last-name": &in.LastName, "company": &in.Company, "address": &in.Address, "phone": &in.Phone,
			} {
				if c.Flags().Changed(flag) {
					*field = text(c, flag)
				}
			}
			if err := client.post(c.Context(), resource("users", args[0], "profile"), in, &user); err != nil {
				return err
			}
			say(c, "The profile of %s was changed.", user.Email)
			return printUser(c, user)
		},
	}
	c.Flags().String("email", "", "the new e-mail address, to sign in with")
	profileFlags(c)
	return c
}

func newUserPasswordCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "password EMAIL --password-file FILE",
		Short: "Set the password of a user, and end the sessions",
		Args:  takes("EMAIL"),
		RunE: func(c *cobra.Command, args []string) error {
			password, err := readPassword(c)
			if err != nil {
				return err
			}
			if err := connect(c).post(c.Context(), resource("users", args[0], "password"), adminapi.NewPassword{Password: password}, nil); err != nil {
				return err
			}
			say(c, "%s signs in with the new password from now on.", args[0])
			return printRecord(c, struct {
				Email   string `json:"email"`
				Changed bool   `json:"changed"`
			}{args[0], true})
		},
	}
	passwordFlag(c)
	require(c, "password-file")
	return c
}

func newUserRoleCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "role EMAIL ROLE [--account NAME [--virtual-account NAME]] [--remove]",
		Short: "Set the system role of a user, or with --account give him a role there",
		Long: "Sets the system role of a user: system-admin, system-operator or system-user.\n\n" +
			"With --account it gives him a role in that account, in place of the one that he has there: account-admin, account-user\n" +
			"or account-viewer; with --virtual-account virtual-account-admin, virtual-account-user or virtual-account-viewer.\n" +
			"--remove takes that role away instead.",
		Args: takes("EMAIL", "ROLE"),
		RunE: func(c *cobra.Command, args []string) error {
			if text(c, "account") != "" {
				return changeGrant(c, args[0], "", args[1])
			}
			if yes(c, "remove") || text(c, "virtual-account") != "" {
				return wrongUsage("--remove and --virtual-account are about a role in an account: name it with --account")
			}
			var user adminapi.User
			if err := connect(c).post(c.Context(), resource("users", args[0], "role"), adminapi.NewRole{Role: args[1]}, &user); err != nil {
				return err
			}
			say(c, "%s is %s now.", user.Email, user.Role)
			return printUser(c, user)
		},
	}
	grantFlags(c)
	return c
}

func grantFlags(c *cobra.Command) {
	c.Flags().String("account", "", "account that the role is for")
	c.Flags().String("virtual-account", "", "virtual account that the role is for; without it, the whole account")
	c.Flags().Bool("remove", false, "take the role away")
}

// changeGrant gives a user or a group a role in the account of the flags, or takes it away.
func changeGrant(c *cobra.Command, user, group, role string) error {
	client, account, virtual, name := connect(c), text(c, "account"), text(c, "virtual-account"), user+group
	place := account
	if virtual != "" {
		place += " / " + virtual
	}
	if yes(c, "remove") {
		path := ask(resource("accounts", account, "grants"), url.Values{"user": {user}, "group": {group}, "virtual_account": {virtual}, "role": {role}})
		if err := client.call(c.Context(), http.MethodDelete, path, nil, nil); err != nil {
			return err
		}
		say(c, "%s no longer has the role %s in %s.", name, role, place)
		return printRecord(c, struct {
			adminapi.NewGrant
			Account string `json:"account"`
			Removed bool   `json:"removed"`
		}{adminapi.NewGrant{User: user, Group: group, VirtualAccount: virtual, Role: role}, account, true})
	}
	var grant adminapi.Grant
	in := adminapi.NewGrant{User: user, Group: group, VirtualAccount: virtual, Role: role}
	if err := client.post(c.Context(), resource("accounts", account, "grants"), in, &grant); err != nil {
		return err
	}
	say(c, "%s has the role %s in %s.", name, role, place)
	return printRecord(c, grant, line{"For", name}, line{"Role", grant.Role}, line{"Account", grant.Account}, line{"Virtual account", grant.VirtualAccount})
}

func newUserRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "remove EMAIL",
		Short: "Remove a user; the sessions end at once",
		Args:  takes("EMAIL"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := connect(c).call(c.Context(), http.MethodDelete, resource("users", args[0]), nil, nil); err != nil {
				return err
			}
			say(c, "User %s was removed.", args[0])
			return printRecord(c, struct {
				Email   string `json:"email"`
				Removed bool   `json:"removed"`
			}{args[0], true})
		},
	}
}
