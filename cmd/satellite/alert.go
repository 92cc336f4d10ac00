package main

import (
	"iter"
	"net/url"

	"github.com/spf13/cobra"

	"ssm/satellite/adminapi"
)

func newAlertCommand() *cobra.Command {
	c := &cobra.Command{Use: "alert", Short: "List what needs attention"}
	c.AddCommand(newAlertListCommand(), newAlertKindsCommand())
	return c
}

func newAlertListCommand() *cobra.Command {
	c := accountFlag(&cobra.Command{
		Use:   "list",
		Short: "List alerts that are open, newest first",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			parameters := url.Values{"account": {text(c, "account")}, "type": {text(c, "type")}}
			if yes(c, "closed") {
				parameters.Set("closed", "true")
			}
			return printList(c, pages[adminapi.Alert](c.Context(), connect(c), resource("alerts"), parameters),
				column[adminapi.Alert]{"SEVERITY", func(a adminapi.Alert) any { return a.Severity }},
				column[adminapi.Alert]{"ALERT", func(a adminapi.Alert) any { return a.Title }},
				column[adminapi.Alert]{"SOURCE", func(a adminapi.Alert) any { return a.Source }},
				column[adminapi.Alert]{"ACCOUNT", func(a adminapi.Alert) any { return a.Account }},
				column[adminapi.Alert]{"SINCE", func(a adminapi.Alert) any { return a.OpenedAt }},
				column[adminapi.Alert]{"ACTION DUE", func(a adminapi.Alert) any { return a.ActionDue }},
				column[adminapi.Alert]{"CLOSED", func(a adminapi.Alert) any { return a.ClosedAt }},
				column[adminapi.Alert]{"MESSAGE", func(a adminapi.Alert) any { return a.Message }})
		},
	})
	c.Flags().Lookup("account").Usage = "only of this account"
	c.Flags().String("type", "", "only of this type, as `satellite alert kinds` names it")
	c.Flags().Bool("closed", false, "also those that are closed")
	return c
}

func newAlertKindsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "kinds",
		Short: "Show the table of alerts with their severities and causes",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			var list adminapi.List[adminapi.AlertKind]
			if err := connect(c).get(c.Context(), resource("alert-kinds"), &list); err != nil {
				return err
			}
			one := iter.Seq2[[]adminapi.AlertKind, error](func(yield func([]adminapi.AlertKind, error) bool) { yield(list.Items, nil) })
			return printList(c, one,
				column[adminapi.AlertKind]{"TYPE", func(k adminapi.AlertKind) any { return k.Type }},
				column[adminapi.AlertKind]{"ALERT", func(k adminapi.AlertKind) any { return k.Title }},
				column[adminapi.AlertKind]{"SEVERITY", func(k adminapi.AlertKind) any { return k.Severity }},
				column[adminapi.AlertKind]{"COMES WITH", func(k adminapi.AlertKind) any { return k.Waits }},
				column[adminapi.AlertKind]{"CAUSE", func(k adminapi.AlertKind) any { return k.Cause }})
		},
	}
}
