package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"ssm/satellite/agent"
)

func (p *program) fleet() *cobra.Command {
	f := &agent.Fleet{}
	var op, record string
	c := &cobra.Command{
		Use: "fleet", Short: "Play many devices, to measure a satellite", Args: cobra.NoArgs,
		Long: `Play many devices, to measure a satellite: "--op register" registers each
device once; "--op authorize" registers them first, and then lets them ask for
their license in turn until the duration is over. Keys and connections are made
before the clock starts. Each registered device is recorded as soon as it is
acknowledged. The exit status is 0 unless every operation failed.`,
		RunE: func(c *cobra.Command, _ []string) error {
			f.URL, f.Op, f.Now = p.url, agent.Operation(op), p.now
			f.Progress = func(text string) { fmt.Fprintln(p.messages, text) }
			return p.runFleet(c, f, record)
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.Token, "token", "", "registration token with enough uses")
	flags.StringVar(&f.Tag, "tag", "", "tag that the devices use")
	flags.Int64Var(&f.Count, "count", 1, "licenses of the tag per device")
	flags.IntVar(&f.Devices, "devices", 100, "number of devices")
	flags.IntVar(&f.Concurrency, "concurrency", 16, "number of connections, which the devices share")
	flags.DurationVar(&f.Duration, "duration", 10*time.Second, "how long to measure at most")
	flags.StringVar(&op, "op", string(agent.OpAuthorize), "register or authorize")
	flags.StringVar(&record, "record", "", "file to which each acknowledged device is appended, as a line of JSON")
	return c
}

func (p *program) runFleet(c *cobra.Command, f *agent.Fleet, record string) (err error) {
	if f.Bundle, err = readPEM(p.ca); err != nil {
		return failure{err}
	}
	if f.Root, err = readPEM(p.root); err != nil {
		return failure{err}
	}
	if record != "" {
		// Each line goes out in one unbuffered write.
		file, err := os.OpenFile(record, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
		if err != nil {
			return failure{err}
		}
		defer file.Close()
		f.Record = file
	}
	result, err := f.Run(c.Context())
	if err != nil {
		return failure{err}
	}
	if err := p.printFleet(result); err != nil {
		return failure{err}
	}
	if result.Operations == 0 {
		return failure{errors.New("every operation failed: " + result.FirstError)}
	}
	return nil
}

func (p *program) printFleet(r agent.FleetResult) error {
	if p.json {
		return p.printJSON(r)
	}
	fmt.Fprintf(p.out, "%s: %d devices, %d connections, %.1f s\n", r.Op, r.Devices, r.Concurrency, r.Seconds)
	fmt.Fprintf(p.out, "  %d operations, %.0f per second, %d errors\n", r.Operations, r.RatePerSecond, r.Errors)
	fmt.Fprintf(p.out, "  latency: p50 %.2f ms, p99 %.2f ms, max %.2f ms\n", r.P50, r.P99, r.Max)
	if r.Errors+r.SetupErrors > 0 {
		fmt.Fprintf(p.messages, "Errors: %v, before the clock: %d; the first: %s\n", r.ErrorReasons, r.SetupErrors, r.FirstError)
	}
	return nil
}
