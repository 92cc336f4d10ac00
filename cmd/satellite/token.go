package main

import (
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"ssm/satellite/adminapi"
)

func newTokenCommand() *cobra.Command {
	c := &cobra.Command{Use: "token", Short: "Create, list and revoke registration tokens"}
	c.AddCommand(newTokenCreateCommand(), newTokenListCommand(), newTokenRevokeCommand())
	return c
}

func newTokenCreateCommand() *cobra.Command {
	var days int
	var maxUses int64
	c := accountFlag(&cobra.Command{
		Use:   "create [--account NAME]",
		Short: "Create a registration token and print it",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			if c.Flags().Changed("days") && days == 0 {
				return message("A token lives 1 to 365 days, not 0. Nothing was created.")
			}
			var token adminapi.TokenWithText
			in := adminapi.NewToken{
				Account: text(c, "account"), VirtualAccount: text(c, "virtual-account"), Days: days, MaxUses: maxUses,
				ExportControlled: yes(c, "export-controlled"), Description: text(c, "description"),
			}
			if allowed := false; yes(c, "forbid-force") {
				in.AllowForce = &allowed
			}
			client := connect(c)
			if yes(c, "accept-agreement") {
				account, err := client.account(c.Context(), in.Account)
				if err != nil {
					return err
				}
				agreement, err := client.agreement(c.Context(), account)
				if err != nil {
					return err
				}
				in.AcceptAgreement = agreement.Version
			}
			if err := client.post(c.Context(), resource("tokens"), in, &token); err != nil {
				return err
			}
			if in.AcceptAgreement != "" {
				say(c, "Version %q of the licensing agreement is accepted.", in.AcceptAgreement)
			}
			say(c, "Token %d registers devices in virtual account %q of %q until %s, %s uses.", token.ID, token.VirtualAccount, token.Account, cell(token.ExpiresAt), cell(uses(token.MaxUses)))
			if yes(c, "json") {
				return writeJSON(c.OutOrStdout(), token)
			}
			_, err := fmt.Fprintln(c.OutOrStdout(), token.Text)
			return err
		},
	})
	c.Flags().String("virtual-account", "", "where the devices register (default: the default virtual account)")
	c.Flags().IntVar(&days, "days", 0, "days it is valid, 1 to 365 (default 365)")
	c.Flags().Int64Var(&maxUses, "max-uses", 0, "registrations it allows; 0 is any number")
	c.Flags().Bool("export-controlled", false, "allow export-controlled features")
	c.Flags().Bool("forbid-force", false, "do not let it register a device again that is registered already")
	c.Flags().String("description", "", "what it is for")
	c.Flags().Bool("accept-agreement", false, "accept the version of the licensing agreement that is in force; read it with `satellite agreement show`")
	return c
}

func newTokenListCommand() *cobra.Command {
	c := accountFlag(&cobra.Command{
		Use:   "list",
		Short: "List registration tokens, newest first",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			parameters := url.Values{"account": {text(c, "account")}, "virtual_account": {text(c, "virtual-account")}}
			return printList(c, pages[adminapi.Token](c.Context(), connect(c), resource("tokens"), parameters),
				column[adminapi.Token]{"ID", func(t adminapi.Token) any { return t.ID }},
				column[adminapi.Token]{"STATUS", func(t adminapi.Token) any { return t.Status }},
				column[adminapi.Token]{"ACCOUNT", func(t adminapi.Token) any { return t.Account }},
				column[adminapi.Token]{"VIRTUAL ACCOUNT", func(t adminapi.Token) any { return t.VirtualAccount }},
				column[adminapi.Token]{"EXPIRES", func(t adminapi.Token) any { return t.ExpiresAt }},
				column[adminapi.Token]{"USES", func(t adminapi.Token) any { return t.Uses }},
				column[adminapi.Token]{"OF", func(t adminapi.Token) any { return uses(t.MaxUses) }},
				column[adminapi.Token]{"FORCE", func(t adminapi.Token) any { return t.AllowForce }},
				column[adminapi.Token]{"CREATED BY", func(t adminapi.Token) any { return t.CreatedBy }},
				column[adminapi.Token]{"DESCRIPTION", func(t adminapi.Token) any { return t.Description }})
		},
	})
	c.Flags().Lookup("account").Usage = "only of this account"
	c.Flags().String("virtual-account", "", "only of this virtual account")
	return c
}

func newTokenRevokeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "revoke TOKEN-OR-ID",
		Short: "Revoke a registration token; devices that registered with it stay registered",
		Args:  takes("TOKEN-OR-ID"),
		RunE: func(c *cobra.Command, args []string) error {
			var token adminapi.Token
			if err := connect(c).post(c.Context(), resource("tokens", "revoke"), adminapi.TokenReference{Token: args[0]}, &token); err != nil {
				return err
			}
			say(c, "Token %d is revoked.", token.ID)
			return printRecord(c, token)
		},
	}
}
