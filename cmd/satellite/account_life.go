package main

import (
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"ssm/satellite/adminapi"
)

// onAccount is a command that does something to the account of --account and
// prints what it is then.
func onAccount(use, short string, do func(c *cobra.Command, client *client, path string, into *adminapi.Account) error) *cobra.Command {
	return accountFlag(&cobra.Command{
		Use:   use + " [--account NAME]",
		Short: short,
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			client := connect(c)
			name, err := client.account(c.Context(), text(c, "account"))
			if err != nil {
				return err
			}
			var account adminapi.Account
			if err := do(c, client, resource("accounts", name), &account); err != nil {
				return err
			}
			return printAccount(c, account, account)
		},
	})
}

func newAccountSetCommand() *cobra.Command {
	c := onAccount("set", "Change properties of an account", func(c *cobra.Command, client *client, path string, into *adminapi.Account) error {
		var change adminapi.AccountChange
		for flag, field := range map[string]**string{
			"name": &change.Name, "requester": &change.RequesterName, "email": &change.RequesterEmail, "headquarters": &change.Headquarters,
		} {
			if c.Flags().Changed(flag) {
				value := text(c, flag)
				*field = &value
			}
		}
		if c.Flags().Changed("searchable") {
			searchable := yes(c, "searchable")
			change.Searchable = &searchable
		}
		return client.patch(c.Context(), path, change, into)
	})
	c.Flags().String("name", "", "name of the company, 1 to 255 characters")
	c.Flags().String("requester", "", "name of the requester")
	c.Flags().String("email", "", "e-mail address of the requester")
	c.Flags().String("headquarters", "", "address of the headquarters, up to 500 characters")
	c.Flags().Bool("searchable", true, "the account may be found by the e-mail address of a member")
	return c
}

func newAccountLockCommand(locked bool) *cobra.Command {
	use, short := "unlock", "Allow that access to the account is granted again"
	if locked {
		use, short = "lock", "Forbid that more access to the account is granted"
	}
	return onAccount(use, short, func(c *cobra.Command, client *client, path string, into *adminapi.Account) error {
		return client.patch(c.Context(), path, adminapi.AccountChange{Locked: &locked}, into)
	})
}

func newAccountDeactivateCommand() *cobra.Command {
	c := onAccount("deactivate --reason REASON", "Make an account inactive: its devices go on, no more register", func(c *cobra.Command, client *client, path string, into *adminapi.Account) error {
		return client.post(c.Context(), path+"/deactivate", adminapi.Reason{Reason: text(c, "reason")}, into)
	})
	c.Flags().String("reason", "", "why; it is mailed to the requester (required)")
	require(c, "reason")
	return c
}

func newAccountActivateCommand() *cobra.Command {
	return onAccount("activate", "Make an inactive account active again", func(c *cobra.Command, client *client, path string, into *adminapi.Account) error {
		return client.post(c.Context(), path+"/activate", nil, into)
	})
}

func newAccountDeleteCommand() *cobra.Command {
	return accountFlag(&cobra.Command{
		Use:   "delete [--account NAME]",
		Short: "Delete an inactive account without devices, with everything in it",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			client := connect(c)
			name, err := client.account(c.Context(), text(c, "account"))
			if err != nil {
				return err
			}
			if err := client.call(c.Context(), http.MethodDelete, resource("accounts", name), nil, nil); err != nil {
				return err
			}
			say(c, "Account %q was deleted with everything in it. Its events stay.", name)
			return printRecord(c, struct {
				Name    string `json:"name"`
				Deleted bool   `json:"deleted"`
			}{name, true})
		},
	})
}

func newAccountNominateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "nominate NAME [--nominee EMAIL]",
		Short: "Send a new approval code for an account that was never approved",
		Args:  takes("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			var account adminapi.Account
			if err := connect(c).post(c.Context(), resource("accounts", args[0], "nominate"), adminapi.Nominee{Email: text(c, "nominee")}, &account); err != nil {
				return err
			}
			say(c, "A new code waits in the outbox: `satellite mail list`. Codes from before are not valid any more.")
			return printAccount(c, account, account)
		},
	}
	c.Flags().String("nominee", "", "e-mail address of who shall approve it (default: who was asked last)")
	return c
}

func newAccountApproveCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "approve NAME --code CODE",
		Short: "Approve a pending account with the code that was mailed",
		Args:  takes("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			var account adminapi.Account
			if err := connect(c).post(c.Context(), resource("accounts", args[0], "approve"), adminapi.Approval{Code: text(c, "code")}, &account); err != nil {
				return err
			}
			say(c, "Account %q is active.", account.Name)
			return printAccount(c, account, account)
		},
	}
	c.Flags().String("code", "", "code from the mail (required)")
	require(c, "code")
	return c
}

func newAccountDeclineCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "decline NAME --code CODE --reason REASON",
		Short: "Decline a pending account with the code that was mailed",
		Args:  takes("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			var account adminapi.Account
			in := adminapi.Decline{Code: text(c, "code"), Reason: text(c, "reason")}
			if err := connect(c).post(c.Context(), resource("accounts", args[0], "decline"), in, &account); err != nil {
				return err
			}
			say(c, "Account %q was declined.", account.Name)
			return printAccount(c, account, account)
		},
	}
	c.Flags().String("code", "", "code from the mail (required)")
	c.Flags().String("reason", "", "why; it is mailed to the requester (required)")
	require(c, "code", "reason")
	return c
}

func newAccountUpgradeCommand() *cobra.Command {
	c := accountFlag(&cobra.Command{
		Use:   "upgrade [--account NAME]",
		Short: "Ask the upstream to make a limited account a standard one",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			client := connect(c)
			name, err := client.account(c.Context(), text(c, "account"))
			if err != nil {
				return err
			}
			var upgrade adminapi.Upgrade
			in := adminapi.NewUpgrade{Name: text(c, "name"), DomainIdentifier: text(c, "domain"), Email: text(c, "email")}
			if err := client.post(c.Context(), resource("accounts", name, "upgrade"), in, &upgrade); err != nil {
				return err
			}
			say(c, "The upgrade goes with the next synchronization; account %q stays limited until the upstream has answered.", name)
			return printRecord(c, upgrade, upgradeLines(upgrade)...)
		},
	})
	c.Flags().String("name", "", "name that the account shall have (default: its own)")
	c.Flags().String("domain", "", "domain identifier that it shall have (default: the domain of the e-mail address); another one has to be approved upstream")
	c.Flags().String("email", "", "e-mail address of the requester in a domain of the company (default: the one on record)")
	return c
}

func upgradeLines(u adminapi.Upgrade) []line {
	if u.Status == "" {
		return nil
	}
	lines := []line{{"Upgrade", u.Status}, {"Upgrade to", strings.Join([]string{u.Name, u.DomainIdentifier, u.Email}, ", ")}, {"Upgrade requested", u.RequestedAt}}
	if u.Reason != "" {
		lines = append(lines, line{"Reason", u.Reason})
	}
	return lines
}
