package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"ssm/satellite/adminapi"
)

func newMailCommand() *cobra.Command {
	c := &cobra.Command{Use: "mail", Short: "List and show the mails that wait to be handed over"}
	c.AddCommand(newMailListCommand(), newMailShowCommand())
	return c
}

func newMailListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List mails, newest first",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			return printList(c, pages[adminapi.Mail](c.Context(), connect(c), resource("mails"), nil),
				column[adminapi.Mail]{"ID", func(m adminapi.Mail) any { return m.ID }},
				column[adminapi.Mail]{"CREATED", func(m adminapi.Mail) any { return m.CreatedAt }},
				column[adminapi.Mail]{"SENT", func(m adminapi.Mail) any { return m.SentAt }},
				column[adminapi.Mail]{"TO", func(m adminapi.Mail) any { return m.Recipient }},
				column[adminapi.Mail]{"SUBJECT", func(m adminapi.Mail) any { return m.Subject }})
		},
	}
}

func newMailShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Show a mail with its text, to hand it over",
		Args:  takes("ID"),
		RunE: func(c *cobra.Command, args []string) error {
			var mail adminapi.MailWithText
			if err := connect(c).get(c.Context(), resource("mails", args[0]), &mail); err != nil {
				return err
			}
			if err := printRecord(c, mail, line{"To", mail.Recipient}, line{"Subject", mail.Subject}, line{"Created", mail.CreatedAt}); err != nil || yes(c, "json") {
				return err
			}
			_, err := fmt.Fprintf(c.OutOrStdout(), "\n%s", printable(mail.Body))
			return err
		},
	}
}
