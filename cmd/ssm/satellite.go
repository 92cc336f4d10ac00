package main

import (
	"cmp"
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"ssm/sync/ssm"
)

func (a *app) satelliteList() *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List the satellites", Args: cobra.NoArgs,
		RunE: a.action(func(ctx context.Context, u *ssm.Upstream, _ []string) error {
			satellites, err := u.Satellites(ctx)
			if err != nil {
				return err
			}
			return a.print(satellites, func(w io.Writer) {
				fmt.Fprintln(w, "SATELLITE\tITS ACCOUNT\tACCOUNT\tVIRTUAL ACCOUNT\tSTATUS\tDEVICES\tAGREEMENT\tLAST SYNC\tDEADLINE")
				for _, x := range satellites {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\n", x.SatelliteID, x.LocalAccount, x.Account, x.VirtualAccount,
						x.Status, x.Devices, cmp.Or(x.AgreementAccepted, "-"), stamp(x.LastSyncAt), stamp(x.Deadline))
				}
			})
		})}
}
