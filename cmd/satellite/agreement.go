package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"ssm/satellite/adminapi"
)

func newAgreementCommand() *cobra.Command {
	c := &cobra.Command{Use: "agreement", Short: "Show and accept the licensing agreement"}
	c.AddCommand(newAgreementShowCommand(), newAgreementAcceptCommand())
	return c
}

func (c *client) agreement(ctx context.Context, account string) (agreement adminapi.Agreement, err error) {
	err = c.get(ctx, resource("accounts", account, "agreement"), &agreement)
	return agreement, err
}

func newAgreementShowCommand() *cobra.Command {
	return accountFlag(&cobra.Command{
		Use:   "show [--account NAME]",
		Short: "Show the licensing agreement in force, and who accepted which version",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			client := connect(c)
			account, err := client.account(c.Context(), text(c, "account"))
			if err != nil {
				return err
			}
			agreement, err := client.agreement(c.Context(), account)
			if err != nil {
				return err
			}
			fields := []line{{"Account", account}, {"Version", agreement.Version}, {"Accepted", agreement.Accepted}}
			for _, a := range agreement.History {
				fields = append(fields, line{"Version " + a.Version, fmt.Sprintf("accepted by %s, %s", a.AcceptedBy, cell(a.AcceptedAt))})
			}
			if err := printRecord(c, agreement, fields...); err != nil || yes(c, "json") || agreement.Text == "" {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "\n%s\n", printable(agreement.Text))
			return err
		},
	})
}

func newAgreementAcceptCommand() *cobra.Command {
	c := accountFlag(&cobra.Command{
		Use:   "accept [--account NAME]",
		Short: "Accept the licensing agreement in force, so that tokens can be created",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			client := connect(c)
			account, err := client.account(c.Context(), text(c, "account"))
			if err != nil {
				return err
			}
			version := text(c, "version")
			if version == "" {
				agreement, err := client.agreement(c.Context(), account)
				if err != nil {
					return err
				}
				if version = agreement.Version; version == "" {
					return message("The upstream has not named an agreement yet; it comes with the first synchronization. Nothing was accepted.")
				}
			}
			var accepted adminapi.Agreement
			if err := client.post(c.Context(), resource("accounts", account, "agreement", "accept"), adminapi.AcceptedVersion{Version: version}, &accepted); err != nil {
				return err
			}
			say(c, "Version %q of the licensing agreement is accepted for account %q.", version, account)
			return printRecord(c, accepted, line{"Account", account}, line{"Version", accepted.Version}, line{"Accepted", accepted.Accepted})
		},
	})
	c.Flags().String("version", "", "version that was read (default: the one in force)")
	return c
}
