package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"ssm/sync/ssm"
)

func (a *app) serveCommand() *cobra.Command {
	var listen, readyFile string
	c := &cobra.Command{Use: "serve", Short: "Serve satellites and the portal over HTTPS until it is told to stop", Args: cobra.NoArgs,
		RunE: a.action(func(ctx context.Context, u *ssm.Upstream, _ []string) error {
			return u.Serve(ctx, listen, slog.New(slog.NewTextHandler(a.stderr, nil)), func(r ssm.Ready) error {
				return a.announce(r, readyFile)
			})
		})}
	c.Flags().StringVar(&listen, "listen", ":8444", "address to listen on (HOST:PORT; port 0 takes a free one)")
	c.Flags().StringVar(&readyFile, "ready-file", "", "file to write when it listens (JSON)")
	return c
}

// announce says where the portal is, to people and in the ready file.
func (a *app) announce(r ssm.Ready, file string) error {
	fmt.Fprintf(a.stderr, "Serving %s, and satellites at %s (what clients must trust: %s).\n", r.PortalURL, r.URL, r.CAFile)
	if r.SetupURL != "" {
		fmt.Fprintf(a.stderr, "First start, once: %s\n", r.SetupURL)
	}
	if file == "" {
		return nil
	}
	return r.WriteFile(file)
}
