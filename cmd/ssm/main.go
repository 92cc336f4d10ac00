// Command ssm is the reference upstream: it keeps smart accounts and licenses,
// answers the sync requests of satellites, and shows both in a small portal.
// Every command works beside a running `ssm serve` on the same data folder.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"ssm/sync/ssm"
)

// Exit codes.
const (
	done    = 0
	refused = 1 // or failed
	usage   = 2 // the command line is wrong
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole program but for the process around it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	a := &app{stdout: stdout, stderr: stderr, now: time.Now}
	root := a.root()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return done
	}
	fmt.Fprintln(stderr, "ssm:", err)
	if !a.started || errors.Is(err, errUsage) {
		return usage
	}
	return refused
}

// errUsage is a value on the command line that cannot be read.
var errUsage = errors.New("wrong usage")

// app is what all commands share.
type app struct {
	stdout, stderr io.Writer
	now            func() time.Time

	data, keyFile string
	json          bool
	started       bool // the command line was right
}

func (a *app) root() *cobra.Command {
	root := group("ssm", "The reference upstream of license satellites",
		a.setupCommand(), a.serveCommand(),
		group("account", "Smart accounts", a.accountCreate(), a.accountList(), a.accountCode()),
		group("license", "Licenses and their lots", a.licenseAdd(), a.licenseMove(), a.licenseList(), a.licenseDefine(), a.licenseDefinitions()),
		group("agreement", "The agreement that administrators of satellites accept", a.agreementPublish(), a.agreementShow()),
		group("approval", "Limited accounts that want to become standard ones", a.approvalList(), a.approvalApprove(), a.approvalDecline()),
		group("satellite", "Satellites that are bound to an account", a.satelliteList()),
		group("event", "What happened to satellites, and why", a.eventList()),
		group("sync", "The exchange with satellites by file", a.syncAnswer(), a.syncInspect()),
		a.rootCommand(), a.versionCommand())
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.DisableDefaultCmd = true
	flags := root.PersistentFlags()
	flags.StringVar(&a.data, "data", "./ssm-data", "data folder; it is made at the first use")
	flags.StringVar(&a.keyFile, "key-file", "", `file that the private keys are sealed under (default "key" in the data folder)`)
	flags.BoolVar(&a.json, "json", false, "print one JSON document on standard output")
	return root
}

// group is a command that only holds others.
func group(use, short string, children ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs}
	c.RunE = func(c *cobra.Command, _ []string) error {
		_ = c.Usage()
		return fmt.Errorf("%w: say which command is meant", errUsage)
	}
	c.AddCommand(children...)
	return c
}

// action is what a command does with the open data folder.
func (a *app) action(do func(ctx context.Context, u *ssm.Upstream, args []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		a.started = true
		u, err := ssm.Open(c.Context(), a.data, a.keyFile, a.now)
		if err != nil {
			return err
		}
		return errors.Join(do(c.Context(), u, args), u.Close())
	}
}

// print writes a result as JSON, or for people.
func (a *app) print(result any, people func(w io.Writer)) error {
	if a.json {
		encoder := json.NewEncoder(a.stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(result)
	}
	table := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	people(table)
	return table.Flush()
}

// need marks flags that cannot be left out.
func need(c *cobra.Command, names ...string) *cobra.Command {
	for _, name := range names {
		if err := c.MarkFlagRequired(name); err != nil {
			panic(err) // a flag that the command does not have
		}
	}
	return c
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }
