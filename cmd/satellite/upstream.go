package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"ssm/satellite/adminapi"
)

func newUpstreamCommand() *cobra.Command {
	c := &cobra.Command{Use: "upstream", Short: "Trust an upstream, and show which one is trusted"}
	c.AddCommand(newUpstreamTrustCommand(), newUpstreamShowCommand())
	return c
}

func newUpstreamTrustCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "trust FILE",
		Short: "Trust the licensing root in a PEM file, and print its fingerprint",
		Args:  takes("FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			var roots adminapi.List[adminapi.Root]
			if err := connect(c).upload(c.Context(), resource("roots"), args[0], &roots); err != nil {
				return err
			}
			if yes(c, "json") {
				return writeJSON(c.OutOrStdout(), roots.Items)
			}
			for _, root := range roots.Items {
				say(c, "The licensing root %q is trusted. Compare its SHA-256 fingerprint with the upstream's own:", root.Name)
				fmt.Fprintln(c.OutOrStdout(), root.Fingerprint)
			}
			return nil
		},
	}
}

func newUpstreamShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show",
		Short: "Show the licensing roots that are trusted",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			var roots adminapi.List[adminapi.Root]
			if err := connect(c).get(c.Context(), resource("roots"), &roots); err != nil {
				return err
			}
			if len(roots.Items) == 0 {
				say(c, "No upstream is trusted yet. Trust one with `satellite upstream trust FILE`, where FILE comes from `ssm root --out FILE`.")
			}
			var fields []line
			for _, root := range roots.Items {
				fields = append(fields, line{"Root", root.Name}, line{"Fingerprint", root.Fingerprint}, line{"Valid until", root.NotAfter}, line{"Trusted", root.TrustedAt})
			}
			return printRecord(c, struct {
				Roots []adminapi.Root `json:"roots"`
			}{roots.Items}, fields...)
		},
	}
}
