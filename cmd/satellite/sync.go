package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ssm/satellite/adminapi"
	"ssm/sync/offline"
)

func newSyncCommand() *cobra.Command {
	c := &cobra.Command{Use: "sync", Short: "Settle with the upstream, over the network or by file"}
	c.AddCommand(newSyncNowCommand(), newSyncHistoryCommand(), newSyncRequestCommand(), newSyncApplyCommand(), newSyncInspectCommand(), newSyncStatusCommand(), newSyncScheduleCommand())
	return c
}

// writtenRequest is a sync request that was written to a file.
type writtenRequest struct {
	Account  string `json:"account"`
	Sequence int64  `json:"sequence"`
	Scope    string `json:"scope"`
	Records  int64  `json:"records"`
	Digest   string `json:"digest"`
	File     string `json:"file"`
}

func newSyncRequestCommand() *cobra.Command {
	c := accountFlag(&cobra.Command{
		Use:   "request [--account NAME] --out FILE",
		Short: "Write a sync request for the upstream",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			out := text(c, "out")
			// Before a request is made that nobody gets.
			if info, err := os.Stat(out); err == nil && info.IsDir() {
				return message(fmt.Sprintf("%s is a folder: name a file in it. No request was made.", out))
			}
			if info, err := os.Stat(filepath.Dir(out)); err != nil || !info.IsDir() {
				return message(fmt.Sprintf("There is no folder %s to write to. No request was made.", filepath.Dir(out)))
			}
			client := connect(c)
			account, err := client.account(c.Context(), text(c, "account"))
			if err != nil {
				return err
			}
			written, err := client.syncRequest(c.Context(), account, out, yes(c, "full"))
			if err != nil {
				return err
			}
			say(c, "Carry %s to the upstream, and apply its answer with `satellite sync apply FILE`.", out)
			return printRecord(c, written, line{"Account", account}, line{"Sequence", written.Sequence}, line{"Scope", written.Scope},
				line{"Records", written.Records}, line{"Digest", written.Digest}, line{"File", out})
		},
	})
	c.Flags().String("out", "", "file to write (required)")
	c.Flags().Bool("full", false, "everything, not only what changed")
	require(c, "out")
	return c
}

func (c *client) syncRequest(ctx context.Context, account, out string, full bool) (written writtenRequest, err error) {
	in, err := json.Marshal(adminapi.NewSyncRequest{Full: full})
	if err != nil {
		return written, err
	}
	response, err := c.do(ctx, http.MethodPost, resource("accounts", account, "sync-requests"),
		&body{strings.NewReader(string(in)), int64(len(in)), "application/json"})
	if err != nil {
		return written, err
	}
	defer func() { _ = response.Body.Close() }()
	facts, err := adminapi.SyncRequestFacts(response.Header)
	if err != nil {
		return written, fmt.Errorf("the satellite does not tell which request it made: %w", err)
	}
	err = offline.WriteFile(out, func(w io.Writer) error {
		_, err := io.Copy(w, response.Body)
		return err
	})
	return writtenRequest{account, facts.Sequence, facts.Scope, facts.Records, facts.Digest, out}, err
}

func newSyncApplyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "apply FILE",
		Short: "Apply the upstream's response",
		Args:  takes("FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			parameters := url.Values{}
			if yes(c, "accept-time") {
				parameters.Set("accept_time", "true")
			}
			var r adminapi.SyncResult
			if err := connect(c).upload(c.Context(), ask(resource("sync-responses"), parameters), args[0], &r); err != nil {
				return err
			}
			sayApplied(c, r)
			return printRecord(c, r, line{"Account", r.Account}, line{"Sequence", r.Sequence}, line{"Lots", r.Lots},
				line{"Acknowledgements", r.Acknowledgements}, line{"Next by", r.Deadline})
		},
	}
	c.Flags().Bool("accept-time", false, "the response's time is right, although it is more than a day ahead of the system's clock")
	return c
}

// sayApplied says what a response did.
func sayApplied(c *cobra.Command, r adminapi.SyncResult) {
	switch {
	case r.AlreadyApplied:
		say(c, "Response %d of account %q has been applied already. Nothing was changed.", r.Sequence, r.Account)
	case r.FullRequested:
		say(c, "Response %d of account %q was applied: the upstream asks for a full request next. %s", r.Sequence, r.Account, r.Reason)
	case r.Registered:
		say(c, "Account %q is registered upstream: devices can register.", r.Account)
	default:
		say(c, "Response %d of account %q was applied.", r.Sequence, r.Account)
	}
	if r.Lineage == "duplicated" {
		say(c, "A copy of this satellite synchronizes, too: shut one of them down.")
	}
	if r.Recovered+r.Revoked > 0 {
		say(c, "This satellite was restored from an older copy: %d devices came back from the upstream, %d were removed again.", r.Recovered, r.Revoked)
	}
}

func newSyncInspectCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "inspect FILE [--html FILE [--language en|ja]]",
		Short: "Tell what is in a sync file, without applying it; also as a page to print and sign",
		Args:  takes("FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			page, language := text(c, "html"), text(c, "language")
			if !slices.Contains(offline.Languages, language) {
				return message(fmt.Sprintf("A page is written in %s, not in %q. No page was written.", strings.Join(offline.Languages, " or "), language))
			}
			var summary offline.Summary
			if err := connect(c).upload(c.Context(), resource("sync-inspections"), args[0], &summary); err != nil {
				return err
			}
			summary.File = filepath.Base(args[0])
			if page != "" {
				if err := offline.WriteFile(page, func(w io.Writer) error { return summary.Page(w, language) }); err != nil {
					return err
				}
				say(c, "The page to print and sign was written to %s.", page)
			}
			if yes(c, "json") {
				return writeJSON(c.OutOrStdout(), summary)
			}
			return summary.Text(c.OutOrStdout())
		},
	}
	c.Flags().String("html", "", "file to write a page to that can be printed and signed")
	c.Flags().String("language", "en", "language of the page: en or ja")
	return c
}

func newSyncStatusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Tell where each account stands with its upstream",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			return printList(c, pages[adminapi.SyncState](c.Context(), connect(c), resource("sync"), nil),
				column[adminapi.SyncState]{"ACCOUNT", func(s adminapi.SyncState) any { return s.Account }},
				column[adminapi.SyncState]{"LAST SYNC", func(s adminapi.SyncState) any { return s.LastSyncAt }},
				column[adminapi.SyncState]{"APPLIED", func(s adminapi.SyncState) any { return s.AppliedSequence }},
				column[adminapi.SyncState]{"NEXT", func(s adminapi.SyncState) any { return s.NextSequence }},
				column[adminapi.SyncState]{"FULL REQUIRED", func(s adminapi.SyncState) any { return s.FullRequired }},
				column[adminapi.SyncState]{"NEXT BY", func(s adminapi.SyncState) any { return s.Deadline }},
				column[adminapi.SyncState]{"NEXT RUN", func(s adminapi.SyncState) any { return nextRun(s.Schedule) }},
				column[adminapi.SyncState]{"LAST RUN", func(s adminapi.SyncState) any { return lastRun(s.Schedule) }})
		},
	}
}
