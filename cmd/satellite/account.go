package main

import (
	"strings"

	"github.com/spf13/cobra"

	"ssm/satellite/adminapi"
)

func newAccountCommand() *cobra.Command {
	c := &cobra.Command{Use: "account", Short: "Create, show, change and end accounts"}
	c.AddCommand(newAccountCreateCommand(), newAccountRegisterCommand(), newAccountListCommand(), newAccountShowCommand(),
		newAccountSetCommand(), newAccountLockCommand(true), newAccountLockCommand(false), newAccountUpgradeCommand(),
		newAccountApproveCommand(), newAccountDeclineCommand(), newAccountNominateCommand(),
		newAccountDeactivateCommand(), newAccountActivateCommand(), newAccountDeleteCommand())
	return c
}

// accountFlag adds --account, which may be left out where there is only one.
func accountFlag(c *cobra.Command) *cobra.Command {
	c.Flags().String("account", "", "name of the account (default: the only one)")
	return c
}

func newAccountCreateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "create --name NAME --email EMAIL",
		Short: "Create an account",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			var account adminapi.Account
			in := adminapi.NewAccount{
				Name: text(c, "name"), Email: text(c, "email"), Limited: yes(c, "limited"),
				RequesterName: text(c, "requester"), Headquarters: text(c, "headquarters"), Nominee: text(c, "nominee"),
				UpstreamAccount: text(c, "upstream-account"), UpstreamVirtualAccount: text(c, "upstream-virtual-account"),
			}
			if err := connect(c).post(c.Context(), resource("accounts"), in, &account); err != nil {
				return err
			}
			if account.Status == "pending" {
				say(c, "Account %q waits for the approval of %s; the code for that waits in the outbox: `satellite mail list`.", account.Name, in.Nominee)
				return printAccount(c, account, account)
			}
			say(c, "Account %q was created. Devices can register once the upstream vouches for it: begin with `satellite sync request --account %q --out FILE`.", account.Name, account.Name)
			return printAccount(c, account, account)
		},
	}
	c.Flags().String("name", "", "name of the company, 1 to 255 characters (required)")
	c.Flags().String("email", "", "e-mail address of the requester (required)")
	c.Flags().String("requester", "", "name of the requester")
	c.Flags().String("headquarters", "", "address of the headquarters, up to 500 characters")
	c.Flags().Bool("limited", false, "a limited account, for an address at a public mail provider: at most three users and virtual accounts")
	c.Flags().String("nominee", "", "e-mail address of who has to approve the account (default: nobody has to)")
	c.Flags().String("upstream-account", "", "smart account upstream that it settles with (default: the same name)")
	c.Flags().String("upstream-virtual-account", "", "virtual account upstream that it settles with (default: Satellite)")
	require(c, "name", "email")
	return c
}

func newAccountListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the accounts",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			return printList(c, pages[adminapi.Account](c.Context(), connect(c), resource("accounts"), nil),
				column[adminapi.Account]{"NAME", func(a adminapi.Account) any { return a.Name }},
				column[adminapi.Account]{"TYPE", func(a adminapi.Account) any { return a.Type }},
				column[adminapi.Account]{"STATUS", func(a adminapi.Account) any { return a.Status }},
				column[adminapi.Account]{"REGISTERED UPSTREAM", func(a adminapi.Account) any { return a.RegisteredUpstream }},
				column[adminapi.Account]{"SETTLES WITH", func(a adminapi.Account) any { return a.UpstreamAccount + " / " + a.UpstreamVirtualAccount }})
		},
	}
}

func newAccountShowCommand() *cobra.Command {
	return accountFlag(&cobra.Command{
		Use:   "show [--account NAME]",
		Short: "Show an account with its virtual accounts",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			client := connect(c)
			name, err := client.account(c.Context(), text(c, "account"))
			if err != nil {
				return err
			}
			var account adminapi.AccountDetails
			if err := client.get(c.Context(), resource("accounts", name), &account); err != nil {
				return err
			}
			agreement := "none known"
			if account.Agreement.Version != "" {
				agreement = account.Agreement.Version + ", not accepted"
				if account.Agreement.Accepted {
					agreement = account.Agreement.Version + ", accepted"
				}
			}
			more := append([]line{{"Agreement", agreement}}, upgradeLines(account.Upgrade)...)
			for _, v := range account.VirtualAccounts {
				more = append(more, line{"Virtual account", v.Name})
			}
			return printAccount(c, account, account.Account, more...)
		},
	})
}

func printAccount(c *cobra.Command, record any, a adminapi.Account, more ...line) error {
	status := a.Status
	if a.InactiveReason != "" {
		status += ": " + a.InactiveReason
	}
	return printRecord(c, record, append([]line{
		{"Name", a.Name}, {"Type", a.Type}, {"Domain identifier", a.DomainIdentifier}, {"Status", status},
		{"Settles with", a.UpstreamAccount + " / " + a.UpstreamVirtualAccount}, {"Registered upstream", a.RegisteredUpstream},
		{"Creator", a.Creator}, {"Requester", strings.TrimSpace(a.RequesterName + " <" + a.RequesterEmail + ">")}, {"Created", a.CreatedAt}, {"Activated", a.ActivatedAt},
		{"Headquarters", strings.ReplaceAll(a.Headquarters, "\n", ", ")}, {"Search by member e-mail", a.Searchable}, {"Locked", a.Locked},
	}, more...)...)
}
