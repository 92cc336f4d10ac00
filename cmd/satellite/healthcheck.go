package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"ssm/satellite/adminapi"
)

// healthTimeout is how long a satellite that works may take to say so.
const healthTimeout = 5 * time.Second

func newHealthcheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "healthcheck",
		Short: "Exit with 0 if the satellite answers and reads its data, with 1 if not",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(c.Context(), healthTimeout)
			defer cancel()
			var v adminapi.Version
			if err := connect(c).get(ctx, resource("version"), &v); err != nil {
				return err
			}
			return printRecord(c, struct {
				Status string `json:"status"`
				adminapi.Version
			}{"ok", v}, line{"Status", "ok"}, line{"Satellite", v.SatelliteID}, line{"Version", v.Version})
		},
	}
}
