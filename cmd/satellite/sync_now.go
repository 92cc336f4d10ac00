package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"ssm/satellite/adminapi"
)

func newSyncNowCommand() *cobra.Command {
	c := accountFlag(&cobra.Command{
		Use:   "now [--account NAME]",
		Short: "Settle with the upstream over the network, now",
		Args:  takes(),
		RunE:  func(c *cobra.Command, _ []string) error { return synchronize(c, yes(c, "full")) },
	})
	c.Flags().Bool("full", false, "everything, not only what changed")
	c.Flags().String("code", "", "registration code from the operator of the upstream, for an account that is not registered there yet")
	return c
}

func newAccountRegisterCommand() *cobra.Command {
	c := accountFlag(&cobra.Command{
		Use:   "register --code CODE [--account NAME]",
		Short: "Register an account with the upstream over the network",
		Args:  takes(),
		RunE:  func(c *cobra.Command, _ []string) error { return synchronize(c, false) }, // a registration says everything
	})
	c.Flags().String("code", "", "registration code from the operator of the upstream (required)")
	require(c, "code")
	return c
}

func synchronize(c *cobra.Command, full bool) error {
	client := connect(c)
	account, err := client.account(c.Context(), text(c, "account"))
	if err != nil {
		return err
	}
	show := newProgress(c.ErrOrStderr())
	result, err := client.synchronize(c.Context(), account, adminapi.NewSynchronization{Full: full, Code: text(c, "code")}, show.step)
	show.end()
	if err != nil {
		return err
	}
	sayApplied(c, result)
	return printRecord(c, result, line{"Account", result.Account}, line{"Sequence", result.Sequence}, line{"Lots", result.Lots},
		line{"Acknowledgements", result.Acknowledgements}, line{"Next by", result.Deadline})
}

// synchronize reads the answer line by line to its last one.
func (c *client) synchronize(ctx context.Context, account string, in adminapi.NewSynchronization, step func(adminapi.SyncProgress)) (result adminapi.SyncResult, err error) {
	encoded, err := json.Marshal(in)
	if err != nil {
		return result, err
	}
	response, err := c.do(ctx, http.MethodPost, resource("accounts", account, "synchronize"),
		&body{strings.NewReader(string(encoded)), int64(len(encoded)), "application/json"})
	if err != nil {
		return result, err
	}
	defer func() { _ = response.Body.Close() }()
	lines := json.NewDecoder(response.Body)
	for {
		var l adminapi.SyncLine
		if err := lines.Decode(&l); err != nil {
			return result, c.unreachable(err)
		}
		switch {
		case l.Problem != nil:
			return result, *l.Problem
		case l.Result != nil:
			return *l.Result, nil
		case l.Progress != nil:
			step(*l.Progress)
		}
	}
}

// progress shows how far a synchronization is: as a bar on a terminal, as a line
// for each step elsewhere.
type progress struct {
	out   io.Writer
	bars  bool
	bar   *progressbar.ProgressBar
	round int
	phase string
}

func newProgress(out io.Writer) *progress {
	file, ok := out.(*os.File)
	return &progress{out: out, bars: ok && term.IsTerminal(int(file.Fd()))}
}

var phases = map[string]string{
	"preparing": "Preparing the request", "sending": "Sending", "waiting": "Waiting for the upstream", "receiving": "Receiving", "applying": "Applying",
}

func (p *progress) step(s adminapi.SyncProgress) {
	if s.Phase != p.phase || s.Round != p.round {
		p.end()
		if s.Round > max(p.round, 1) {
			fmt.Fprintln(p.out, "The upstream asks for everything.")
		}
		p.phase, p.round = s.Phase, s.Round
		p.begin(s)
	}
	if p.bar != nil && s.Total > 0 {
		_ = p.bar.Set64(s.Done)
	}
}

func (p *progress) begin(s adminapi.SyncProgress) {
	name := phases[s.Phase]
	if !p.bars {
		if s.Total > 0 {
			name += fmt.Sprintf(" %d bytes", s.Total)
		}
		fmt.Fprintln(p.out, name)
		return
	}
	size := int64(-1) // a spinner
	if s.Total > 0 {
		size = s.Total
	}
	p.bar = progressbar.NewOptions64(size, progressbar.OptionSetWriter(p.out), progressbar.OptionSetDescription(name),
		progressbar.OptionShowBytes(s.Total > 0), progressbar.OptionSetWidth(30), progressbar.OptionClearOnFinish())
	_ = p.bar.RenderBlank()
}

// end takes the bar away.
func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Clear()
		_ = p.bar.Exit()
		p.bar = nil
	}
}

func newSyncHistoryCommand() *cobra.Command {
	return accountFlag(&cobra.Command{
		Use:   "history [--account NAME]",
		Short: "List what came of the exchanges with the upstream, newest first",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			client := connect(c)
			account, err := client.account(c.Context(), text(c, "account"))
			if err != nil {
				return err
			}
			return printList(c, pages[adminapi.SyncExchange](c.Context(), client, resource("accounts", account, "sync-exchanges"), nil),
				column[adminapi.SyncExchange]{"STARTED", func(e adminapi.SyncExchange) any { return e.StartedAt }},
				column[adminapi.SyncExchange]{"BY", func(e adminapi.SyncExchange) any { return e.By }},
				column[adminapi.SyncExchange]{"CARRIER", func(e adminapi.SyncExchange) any { return e.Carrier }},
				column[adminapi.SyncExchange]{"REQUEST", func(e adminapi.SyncExchange) any { return e.Sequence }},
				column[adminapi.SyncExchange]{"SCOPE", func(e adminapi.SyncExchange) any { return e.Scope }},
				column[adminapi.SyncExchange]{"RECORDS", func(e adminapi.SyncExchange) any { return e.Records }},
				column[adminapi.SyncExchange]{"SENT", func(e adminapi.SyncExchange) any { return e.Sent }},
				column[adminapi.SyncExchange]{"RECEIVED", func(e adminapi.SyncExchange) any { return e.Received }},
				column[adminapi.SyncExchange]{"RESULT", func(e adminapi.SyncExchange) any { return e.Outcome }},
				column[adminapi.SyncExchange]{"REASON", func(e adminapi.SyncExchange) any { return e.Reason }})
		},
	})
}
