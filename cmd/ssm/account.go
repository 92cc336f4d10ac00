package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"ssm/sync/ssm"
)

func (a *app) accountCreate() *cobra.Command {
	var name, email string
	var limited bool
	c := &cobra.Command{Use: "create --name NAME --email EMAIL", Short: "Make a smart account", Args: cobra.NoArgs,
		RunE: a.action(func(ctx context.Context, u *ssm.Upstream, _ []string) error {
			kind := ssm.Standard
			if limited {
				kind = ssm.Limited
			}
			account, err := u.CreateAccount(ctx, name, email, kind)
			if err != nil {
				return err
			}
			return a.print(account, func(w io.Writer) {
				fmt.Fprintf(w, "The %s account %q was made; its domain identifier is %s.\n", account.Type, account.Name, account.Domain)
			})
		})}
	c.Flags().StringVar(&name, "name", "", "name of the company")
	c.Flags().StringVar(&email, "email", "", "e-mail address of the requester; its domain identifies a standard account")
	c.Flags().BoolVar(&limited, "limited", false, "for a company without a mail domain of its own")
	return need(c, "name", "email")
}

func (a *app) accountList() *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List the smart accounts", Args: cobra.NoArgs,
		RunE: a.action(func(ctx context.Context, u *ssm.Upstream, _ []string) error {
			accounts, err := u.Accounts(ctx)
			if err != nil {
				return err
			}
			return a.print(accounts, func(w io.Writer) {
				fmt.Fprintln(w, "NAME\tDOMAIN\tTYPE\tSTATUS\tVIRTUAL ACCOUNTS")
				for _, x := range accounts {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", x.Name, x.Domain, x.Type, x.Status, strings.Join(x.VirtualAccounts, ", "))
				}
			})
		})}
}

func (a *app) accountCode() *cobra.Command {
	var account, virtual string
	var days int
	c := &cobra.Command{Use: "code --account NAME", Short: "Make a one-time code, by which a satellite registers online", Args: cobra.NoArgs,
		RunE: a.action(func(ctx context.Context, u *ssm.Upstream, _ []string) error {
			code, err := u.CreateRegistrationCode(ctx, account, virtual, days)
			if err != nil {
				return err
			}
			return a.print(code, func(w io.Writer) {
				fmt.Fprintf(w, "Code\t%s\nSettles with\t%s / %s\nGood until\t%s\n", code.Code, code.Account, code.VirtualAccount, stamp(code.ExpiresAt))
				fmt.Fprintln(w, "It is shown this one time. On the satellite: `satellite sync now --code CODE`.")
			})
		})}
	c.Flags().StringVar(&account, "account", "", "smart account that the satellite settles with")
	c.Flags().StringVar(&virtual, "virtual-account", "", "virtual account that it gets, made if missing (default: Satellite)")
	c.Flags().IntVar(&days, "days", 7, "how long the code is good, 1 to 90")
	return need(c, "account")
}
