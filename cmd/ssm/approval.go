package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"ssm/sync/ssm"
)

func (a *app) approvalList() *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List the requests for an upgrade, those first that wait for you", Args: cobra.NoArgs,
		RunE: a.action(func(ctx context.Context, u *ssm.Upstream, _ []string) error {
			list, err := u.Approvals(ctx)
			if err != nil {
				return err
			}
			return a.print(list, func(w io.Writer) {
				fmt.Fprintln(w, "ID\tSTATUS\tACCOUNT\tSATELLITE\tNEW NAME\tNEW DOMAIN\tE-MAIL\tREQUESTED BY\tRECEIVED\tREASON")
				for _, x := range list {
					fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", x.ID, x.Status, x.Account, x.SatelliteID, x.Name, x.DomainIdentifier,
						x.Email, x.RequestedBy, stamp(x.ReceivedAt), x.Reason)
				}
			})
		})}
}

func (a *app) approvalApprove() *cobra.Command {
	return a.decision("approve ID", "Make the account a standard one, under the name and domain that were asked for",
		func(ctx context.Context, u *ssm.Upstream, id int64) (ssm.Approval, error) { return u.Approve(ctx, id) })
}

func (a *app) approvalDecline() *cobra.Command {
	var reason string
	c := a.decision("decline ID --reason TEXT", "Leave the account limited, and say why",
		func(ctx context.Context, u *ssm.Upstream, id int64) (ssm.Approval, error) {
			return u.Decline(ctx, id, reason)
		})
	c.Flags().StringVar(&reason, "reason", "", "a sentence for the administrator of the satellite")
	return need(c, "reason")
}

// decision is a command that decides one approval.
func (a *app) decision(use, short string, decide func(ctx context.Context, u *ssm.Upstream, id int64) (ssm.Approval, error)) *cobra.Command {
	var id int64
	return &cobra.Command{Use: use, Short: short, Args: cobra.ExactArgs(1),
		PreRunE: func(_ *cobra.Command, args []string) (err error) {
			if id, err = strconv.ParseInt(args[0], 10, 64); err != nil {
				return fmt.Errorf("%w: %q is no number of an approval: `ssm approval list` lists them", errUsage, args[0])
			}
			return nil
		},
		RunE: a.action(func(ctx context.Context, u *ssm.Upstream, _ []string) error {
			approval, err := decide(ctx, u, id)
			if err != nil {
				return err
			}
			return a.print(approval, func(w io.Writer) {
				fmt.Fprintf(w, "Approval %d of account %q was %s. The next response tells satellite %s.\n",
					approval.ID, approval.Account, approval.Status, approval.SatelliteID)
			})
		})}
}
