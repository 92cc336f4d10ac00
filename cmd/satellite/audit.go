package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"ssm/satellite"
	"ssm/satellite/store"
)

func newAuditCommand() *cobra.Command {
	audit := &cobra.Command{Use: "audit", Short: "Check the chain of events and the counters"}
	audit.AddCommand(&cobra.Command{
		Use:   "verify",
		Short: "Check that no event was altered or taken out, and that the counters equal a recount",
		Long: "Checks the data folder itself, with or without a running satellite: every event continues the one\n" +
			"before it, and every pool's counter equals what its devices hold. Exit status 1 where it does not.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			result, err := verifyFolder(cmd.Context(), cmd.Flag("data").Value.String())
			if err != nil {
				return err
			}
			if cmd.Flag("json").Value.String() == "true" {
				if err := writeJSON(cmd.OutOrStdout(), auditAnswer(result)); err != nil {
					return err
				}
			} else if result.Problem == "" {
				for _, b := range result.Beginnings {
					fmt.Fprintf(cmd.OutOrStdout(), "Node %s begins behind event %d, of %s: older ones were pruned.\n", b.Node, b.Number, b.At.Format(time.RFC3339))
				}
				for node, head := range result.Heads {
					fmt.Fprintf(cmd.OutOrStdout(), "Node %s: %d events, head %x.\n", node, head.Number, head.Hash)
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%d events verified; the counters equal a recount.\n", result.Events)
			}
			if result.Problem != "" {
				return errors.New(result.Problem)
			}
			return nil
		},
	})
	return audit
}

type auditHead struct {
	Node   string `json:"node"`
	Number int64  `json:"number"`
	Hash   string `json:"hash"`
}

func auditAnswer(result satellite.AuditResult) any {
	heads := []auditHead{}
	for node, head := range result.Heads {
		heads = append(heads, auditHead{Node: node, Number: head.Number, Hash: fmt.Sprintf("%x", head.Hash)})
	}
	return struct {
		OK      bool        `json:"ok"`
		Events  int64       `json:"events"`
		Heads   []auditHead `json:"heads"`
		Problem string      `json:"problem"`
	}{result.Problem == "", result.Events, heads, result.Problem}
}

// verifyFolder reads a data folder without changing it.
func verifyFolder(ctx context.Context, data string) (satellite.AuditResult, error) {
	path := filepath.Join(data, databaseFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return satellite.AuditResult{}, fmt.Errorf("there is no satellite in %s: no file %s. Name its folder with --data", data, databaseFile)
	}
	opened, err := store.Open(ctx, store.Options{Path: path, ReadOnly: true})
	if err != nil {
		return satellite.AuditResult{}, fmt.Errorf("open the database: %w", err)
	}
	defer func() { _ = opened.Close() }()
	return satellite.NewReader(satellite.Ports{Store: opened, Now: newMachine().Now, Random: rand.Reader}).VerifyEvents(ctx)
}
