package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"ssm/sync/ssm"
)

func (a *app) eventList() *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List what happened to satellites, the newest first", Args: cobra.NoArgs,
		RunE: a.action(func(ctx context.Context, u *ssm.Upstream, _ []string) error {
			events, err := u.Events(ctx)
			if err != nil {
				return err
			}
			return a.print(events, func(w io.Writer) {
				fmt.Fprintln(w, "TIME\tSATELLITE\tITS ACCOUNT\tEVENT\tMESSAGE")
				for _, x := range events {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", stamp(x.At), x.SatelliteID, x.LocalAccount, x.Type, x.Message)
				}
			})
		})}
}

func (a *app) licenseMove() *cobra.Command {
	var move ssm.Move
	c := &cobra.Command{Use: "move --lot ID --to V [--quantity Q]", Short: "Move a lot, or a part of one, to another virtual account", Args: cobra.NoArgs,
		Long: "Move a lot, or a part of one, to another virtual account of the same smart account.\n" +
			"What a satellite uses stays with it, unless it has lapsed. `ssm license list --json` shows the lots.",
		RunE: a.action(func(ctx context.Context, u *ssm.Upstream, _ []string) error {
			lot, err := u.MoveLicense(ctx, move)
			if err != nil {
				return err
			}
			return a.print(lot, func(w io.Writer) {
				fmt.Fprintf(w, "Lot %s of %d is in %q now.\n", lot.ID, lot.Quantity, move.To)
			})
		})}
	c.Flags().StringVar(&move.Lot, "lot", "", "id of the lot")
	c.Flags().StringVar(&move.To, "to", "", "virtual account; it is made if it is missing")
	c.Flags().Int64Var(&move.Quantity, "quantity", 0, "how many (default the whole lot)")
	return need(c, "lot", "to")
}
