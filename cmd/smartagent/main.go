// Command smartagent is a device on the command line: it registers with a
// satellite, asks for licenses and shows what it knows, in the words that
// network engineers type. The work is done by package agent. To measure a
// satellite, "smartagent fleet" plays many devices and "smartagent poll" many
// API clients.
//
// Exit status: 0 done (out of compliance is done, and said), 1 refused or
// failed, 2 wrong usage.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"ssm/satellite/agent"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr, time.Now)
	stop()
	os.Exit(status)
}

// failure is an error of the work; every other error is one of usage.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

func run(ctx context.Context, args []string, out, messages io.Writer, now func() time.Time) int {
	root := newRoot(&program{out: out, messages: messages, now: now})
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(messages)
	err := root.ExecuteContext(ctx)
	var failed failure
	switch {
	case err == nil:
		return 0
	case errors.As(err, &failed) && !errors.Is(err, agent.ErrUsage):
		fmt.Fprintln(messages, "smartagent:", err)
		return 1
	default:
		fmt.Fprintln(messages, "smartagent:", err)
		fmt.Fprintln(messages, `Run "smartagent --help" for the commands.`)
		return 2
	}
}

// program is what the commands share.
type program struct {
	out, messages io.Writer
	now           func() time.Time

	state, keyFile, url, ca, root string
	pid, serial, hostname         string
	application, role             string // of a high-availability pair
	json                          bool
}

func newRoot(p *program) *cobra.Command {
	root := group("smartagent", "A device that uses licenses of a satellite",
		group("license", "Register, use licenses, renew, deregister",
			group("smart", "Register, use licenses, renew, deregister",
				group("register", "Register this device", p.register()),
				p.request(),
				group("renew", "Renew authorization or ID certificate", p.renewAuthorization(), p.renewCertificate(), p.renewDue()),
				p.switchRole(),
				p.deregister(),
				p.reservation())),
		group("show", "Show what this device knows", p.showLicense()),
		p.fleet(), p.poll(), p.showVersion())
	root.Version = version()
	root.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.DisableDefaultCmd = true
	flags := root.PersistentFlags()
	flags.StringVar(&p.state, "state", "smartagent-state", "state folder of the device; made if missing")
	flags.StringVar(&p.keyFile, "key-file", "", "file that encrypts the private keys (default: in the state folder)")
	flags.StringVar(&p.url, "url", "", "device URL of the satellite, kept in the state folder")
	flags.StringVar(&p.ca, "ca", "", "CA bundle of the satellite (PEM file), kept in the state folder")
	flags.StringVar(&p.root, "root", "", "licensing root (PEM file), where the CA bundle shall not decide; kept")
	flags.StringVar(&p.pid, "pid", "", "product id of the device; set at the first call")
	flags.StringVar(&p.serial, "serial", "", "serial number of the device; set at the first call, drawn if left out")
	flags.StringVar(&p.hostname, "hostname", "", "host name of the device (default at the first call: of this machine)")
	flags.StringVar(&p.application, "application", "", "application id that the members of a high-availability pair share, which count once; kept")
	flags.StringVar(&p.role, "ha-role", "", "role in the pair, active or standby; kept")
	flags.BoolVar(&p.json, "json", false, "one JSON document on standard output")
	p.timeTravel(flags)
	return root
}

// version is that of the agent, and says of a build for tests that it is one.
func version() string { return agent.Version + build }

func (p *program) showVersion() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version of the program", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if p.json {
				return p.printJSON(map[string]string{"version": version()})
			}
			_, err := fmt.Fprintln(p.out, "smartagent", version())
			return err
		},
	}
}

// group is a command that only has others below it.
func group(name, short string, below ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: name, Short: short, Args: cobra.ArbitraryArgs}
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return fmt.Errorf("unknown command %q for %q", args[0], c.CommandPath())
		}
		names := ""
		for _, sub := range below {
			names += " " + sub.Name()
		}
		return fmt.Errorf("%q needs one of:%s", c.CommandPath(), names)
	}
	c.AddCommand(below...)
	return c
}
