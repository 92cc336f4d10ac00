package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"ssm/satellite/agent"
)

const pemLimit = 1 << 20 // bytes of a bundle or root file

func (p *program) register() *cobra.Command {
	return &cobra.Command{
		Use: "idtoken TOKEN [force]", Short: "Register with a token; force takes the place of a device registered under this identity",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 || len(args) == 2 && args[1] != "force" {
				return errors.New(`usage: license smart register idtoken TOKEN [force]`)
			}
			return nil
		},
		RunE: p.work(func(ctx context.Context, device *agent.Agent, args []string) (string, error) {
			if err := device.Register(ctx, args[0], len(args) == 2); err != nil {
				return "", err
			}
			s := device.State()
			done := fmt.Sprintf("Registered as %s with account %q, virtual account %q.", s.PIID, s.SmartAccount, s.VirtualAccount)
			if !s.Unanswered {
				return done, nil
			}
			// What was used in evaluation is asked for without another command.
			if err := device.RenewAuthorization(ctx); err != nil {
				return "", fmt.Errorf(`the device is registered, but its licenses are not authorized yet; repeat with "license smart renew due": %w`, err)
			}
			return done + "\n" + authorized(device.State()), nil
		}),
	}
}

func (p *program) request() *cobra.Command {
	return &cobra.Command{
		Use: "request TAG COUNT", Short: "Use COUNT licenses of TAG in all; 0 gives them back",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return errors.New("usage: license smart request TAG COUNT")
			}
			if _, err := strconv.ParseInt(args[1], 10, 64); err != nil {
				return fmt.Errorf("the count %q is not a whole number", args[1])
			}
			return nil
		},
		RunE: p.work(func(ctx context.Context, device *agent.Agent, args []string) (string, error) {
			count, err := strconv.ParseInt(args[1], 10, 64)
			if err != nil {
				return "", err
			}
			if err := device.Request(ctx, args[0], count); err != nil {
				return "", err
			}
			return authorized(device.State()) + unsent(device.State()), nil
		}),
	}
}

func (p *program) renewAuthorization() *cobra.Command {
	return &cobra.Command{
		Use: "auth", Short: "Ask again for all licenses in use", Args: cobra.NoArgs,
		RunE: p.work(func(ctx context.Context, device *agent.Agent, _ []string) (string, error) {
			if err := device.RenewAuthorization(ctx); err != nil {
				return "", err
			}
			return authorized(device.State()), nil
		}),
	}
}

func (p *program) renewCertificate() *cobra.Command {
	return &cobra.Command{
		Use: "id", Short: "Get a new ID certificate for a new key", Args: cobra.NoArgs,
		RunE: p.work(func(ctx context.Context, device *agent.Agent, _ []string) (string, error) {
			if err := device.RenewCertificate(ctx); err != nil {
				return "", err
			}
			return "The ID certificate was renewed; it is valid until " + stamp(device.State().CertificateExpiresAt) + ".", nil
		}),
	}
}

func (p *program) renewDue() *cobra.Command {
	return &cobra.Command{
		Use: "due", Short: "Renew what is due now, and say when the next renewal is", Args: cobra.NoArgs,
		RunE: p.work(func(ctx context.Context, device *agent.Agent, _ []string) (string, error) {
			before := device.State()
			next, err := device.RenewDue(ctx)
			if err != nil {
				return "", err
			}
			after, done := device.State(), ""
			if after.Counters.Renewals > before.Counters.Renewals {
				done += "The ID certificate was renewed; it is valid until " + stamp(after.CertificateExpiresAt) + ".\n"
			}
			if after.Counters.Authorizations > before.Counters.Authorizations {
				done += authorized(after) + "\n"
			}
			if done == "" {
				done = "Nothing is due.\n"
			}
			return done + "The next renewal is due on " + stamp(after.Now(next)) + ".", nil
		}),
	}
}

func (p *program) switchRole() *cobra.Command {
	return &cobra.Command{
		Use: "ha ROLE", Short: "Take the active or the standby role in a high-availability pair",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("usage: license smart ha active|standby")
			}
			return nil
		},
		RunE: p.work(func(ctx context.Context, device *agent.Agent, args []string) (string, error) {
			if err := device.SwitchRole(ctx, args[0]); err != nil {
				return "", err
			}
			s := device.State()
			done := fmt.Sprintf("This device is now the %s member of application %q.", s.Pair.Role, s.Pair.ApplicationID)
			if s.Registration != agent.Registered {
				return done + " Nothing was sent: it is not registered.", nil
			}
			return done + "\n" + authorized(s), nil
		}),
	}
}

func (p *program) deregister() *cobra.Command {
	return &cobra.Command{
		Use: "deregister", Short: "Give all licenses back and end the registration", Args: cobra.NoArgs,
		RunE: p.work(func(ctx context.Context, device *agent.Agent, _ []string) (string, error) {
			if err := device.Deregister(ctx); err != nil {
				return "", err
			}
			return "This device is not registered any more; its licenses were given back." + unsent(device.State()), nil
		}),
	}
}

// authorized says what the satellite answered, license by license where it is
// not plainly good.
func authorized(s agent.State) string {
	text := "License authorization: " + shout(authorizationState(s)) + "."
	for _, l := range s.Licenses() {
		text += fmt.Sprintf("\n  %s, count %d: %s", l.Tag, l.Count, licenseStatus(l))
		if l.Requested > l.Count {
			text += fmt.Sprintf(", requested %d", l.Requested)
		}
		if l.Reason != "" {
			text += " (" + l.Reason + ")"
		}
	}
	return text
}

// unsent says what it means that a device uses licenses without registration.
func unsent(s agent.State) string {
	if !s.Evaluating() {
		return ""
	}
	return fmt.Sprintf("\nNothing is in use at a satellite: this device is not registered, and counts as evaluation, of which %s remain.", period(s.Evaluation.Remaining()))
}

// work opens the device, does one operation on it, and says what was done: a
// sentence, or with --json the state after it.
func (p *program) work(do func(context.Context, *agent.Agent, []string) (string, error)) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		device, err := p.open()
		if err != nil {
			return failure{err}
		}
		defer device.Close()
		done, err := do(c.Context(), device, args)
		if err != nil {
			return failure{err}
		}
		if p.json {
			return p.printJSON(newDocument(device.State()))
		}
		fmt.Fprintln(p.out, done)
		return nil
	}
}

func (p *program) open() (*agent.Agent, error) {
	options, err := p.options()
	if err != nil {
		return nil, err
	}
	device, err := agent.Open(options)
	if err == nil && device.SerialDrawn() {
		udi := device.State().Identity
		fmt.Fprintf(p.messages, "No serial number was given: this device is now PID:%s,SN:%s, as kept in %s.\n", udi.UDIPID, udi.UDISerialNumber, p.state)
	}
	return device, err
}

func (p *program) options() (agent.Options, error) {
	bundle, err := readPEM(p.ca)
	if err != nil {
		return agent.Options{}, err
	}
	root, err := readPEM(p.root)
	if err != nil {
		return agent.Options{}, err
	}
	hostname := p.hostname
	if _, err := agent.Load(p.state); err != nil && hostname == "" {
		hostname, _ = os.Hostname() // a device without a host name is a device, too
	}
	return agent.Options{
		Folder: p.state, KeyFile: p.keyFile, Now: p.now, URL: p.url, Bundle: bundle, Root: root,
		Identity: agent.Identity{UDIPID: p.pid, UDISerialNumber: p.serial, Hostname: hostname},
		Pair:     agent.Pair{ApplicationID: p.application, Role: p.role},
	}, nil
}

// readPEM reads a file that an option names; no name is no file.
func readPEM(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, pemLimit+1))
	if err == nil && len(text) > pemLimit {
		err = fmt.Errorf("%s is longer than %d bytes; nothing was changed: give a PEM file of certificates", path, pemLimit)
	}
	return text, err
}
