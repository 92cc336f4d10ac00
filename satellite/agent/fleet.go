package agent

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/url"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"ssm/certs"
)

// Operation is what a fleet does while it is measured.
type Operation string

// The operations of a fleet: every device registers once, or registered
// devices ask for their license in turn until the time is over.
const (
	OpRegister  Operation = "register"
	OpAuthorize Operation = "authorize"
)

// Bounds of a fleet.
const (
	maxDevices     = 10_000_000
	maxConcurrency = 10_000
)

// Fleet is many devices in one process that put load on a satellite: a closed
// loop of Concurrency kept TLS connections, which Devices devices share. Each
// run draws its own serial numbers, so that runs do not meet.
//
// The fleet spares the machine that it measures: keys, certificate requests and
// connections are made before the clock starts; of each reply nonce, status and
// signature are checked, the chain of the signer only when it is a new one.
type Fleet struct {
	URL         string
	Bundle      []byte // PEM
	Root        []byte // PEM; nil = the licensing root in Bundle
	Token       string
	Tag         string
	Count       int64
	Devices     int
	Concurrency int
	Duration    time.Duration
	Op          Operation
	// Record gets one line of JSON per registered device, written in one call
	// before the device counts as acknowledged: what stands in it holds even
	// if the satellite dies in the same moment. May be nil.
	Record io.Writer
	Now    func() time.Time // has to be monotonic: latencies are differences of it
	// Progress is told in a sentence what happens before the clock starts. May be nil.
	Progress func(string)
}

// FleetResult is what a fleet measured. A latency is the time from the first
// byte of a request to the last byte of its answer, on an open connection.
type FleetResult struct {
	Op            Operation        `json:"op"`
	Devices       int              `json:"devices"`
	Concurrency   int              `json:"concurrency"`
	Seconds       float64          `json:"seconds"`
	Operations    int64            `json:"operations"` // that succeeded
	Errors        int64            `json:"errors"`
	RatePerSecond float64          `json:"rate_per_second"`
	P50           float64          `json:"p50_ms"`
	P99           float64          `json:"p99_ms"`
	Max           float64          `json:"max_ms"`
	SetupErrors   int64            `json:"setup_errors"`            // registrations that failed before the clock
	ErrorReasons  map[string]int64 `json:"error_reasons,omitempty"` // how often: code of a refusal, or "connection", "untrusted"
	FirstError    string           `json:"first_error,omitempty"`
}

// Run prepares the devices and measures. It returns an error only where nothing
// could be measured (ErrUsage, ErrNoRoot, ErrConnection) or Record could not be
// written; failed operations are in the result.
func (f *Fleet) Run(ctx context.Context) (FleetResult, error) {
	run, err := f.prepare()
	if err != nil {
		return FleetResult{}, err
	}
	defer run.close()
	if err := run.dial(ctx); err != nil {
		return FleetResult{}, err
	}
	setup := FleetResult{}
	if f.Op == OpAuthorize {
		f.say("registering %d devices", f.Devices)
		setup = run.phase(ctx, OpRegister, 0)
		if run.recordErr == nil && setup.Operations == 0 {
			return FleetResult{}, fmt.Errorf("%w: none of %d devices could be registered, so there is nothing to measure: %s", ErrConnection, f.Devices, setup.FirstError)
		}
	}
	f.say("measuring: %s with %d connections for at most %s", f.Op, f.Concurrency, f.Duration)
	result := run.phase(ctx, f.Op, f.Duration)
	result.SetupErrors = setup.Errors
	if result.FirstError == "" {
		result.FirstError = setup.FirstError
	}
	return result, run.recordErr
}

func (f *Fleet) say(format string, args ...any) {
	if f.Progress != nil {
		f.Progress(fmt.Sprintf(format, args...))
	}
}

func (f *Fleet) check() error {
	reason := ""
	switch {
	case f.Devices < 1 || f.Devices > maxDevices:
		reason = fmt.Sprintf("a fleet has 1 to %d devices", maxDevices)
	case f.Concurrency < 1 || f.Concurrency > maxConcurrency:
		reason = fmt.Sprintf("the concurrency is 1 to %d", maxConcurrency)
	case f.Duration <= 0:
		reason = "the duration has to be longer than zero"
	case f.Op != OpRegister && f.Op != OpAuthorize:
		reason = fmt.Sprintf("the operation is %q or %q", OpRegister, OpAuthorize)
	case f.Token == "" || len(f.Token) > tokenLimit:
		reason = "a token is needed to register the devices"
	case f.Op == OpAuthorize && (f.Tag == "" || f.Count < 0 || f.Count > 1<<31):
		reason = "to authorize, a tag and a count of 0 to 2147483648 are needed"
	case f.Now == nil:
		reason = "a clock is needed"
	}
	if reason != "" {
		return fmt.Errorf("%w: %s; nothing was sent", ErrUsage, reason)
	}
	return nil
}

// fleetRun is a fleet at work.
type fleetRun struct {
	*Fleet
	address *url.URL
	trust   trust
	players []*player
	workers []*worker

	recording sync.Mutex
	recordErr error       // the first; it ends the run
	broken    atomic.Bool // whether there is one
}

func (f *Fleet) prepare() (*fleetRun, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	address, err := transportURL(f.URL)
	if err != nil {
		return nil, err
	}
	run := &fleetRun{Fleet: f, address: address, players: make([]*player, f.Devices)}
	if run.trust, err = readTrust(string(f.Bundle), string(f.Root)); err != nil {
		return nil, err
	}
	if len(run.trust.roots) == 0 {
		return nil, fmt.Errorf("%w: the CA bundle holds none, so no reply could be checked; nothing was sent: get the bundle again once the account is registered upstream", ErrNoRoot)
	}
	f.say("making %d keys", f.Devices)
	if err := run.makePlayers(rand.Text()[:8]); err != nil {
		return nil, err
	}
	nonce, err := newNonce()
	if err != nil {
		return nil, err
	}
	// One configuration for all, so that a lost connection resumes its session.
	config := certs.ClientConfig(run.trust.bundle, f.Now)
	for i := range f.Concurrency {
		// Each worker counts on from its own random-looking place.
		run.workers = append(run.workers, &worker{run: run, config: config, nonce: nonce>>1 + int64(i)<<40})
	}
	return run, nil
}

// makePlayers makes the keys on all processors.
func (r *fleetRun) makePlayers(prefix string) error {
	var group sync.WaitGroup
	shares := runtime.GOMAXPROCS(0)
	failures := make([]error, shares)
	for share := range shares {
		group.Go(func() {
			for i := share; i < len(r.players) && failures[share] == nil; i += shares {
				r.players[i], failures[share] = newPlayer(fmt.Sprintf("%s%07d", prefix, i))
			}
		})
	}
	group.Wait()
	return errors.Join(failures...)
}

// dial opens all connections. One that fails now is tried again when it is
// needed; only if all fail there is nothing to measure.
func (r *fleetRun) dial(ctx context.Context) error {
	var group sync.WaitGroup
	failures := make([]error, len(r.workers))
	for i, w := range r.workers {
		group.Go(func() { failures[i] = w.connect(ctx) })
	}
	group.Wait()
	for _, err := range failures {
		if err == nil {
			return nil
		}
	}
	return fmt.Errorf("%w at %s: %w; nothing was measured: check the address, and that the CA bundle is the one of this satellite", ErrConnection, r.address, failures[0])
}

func (r *fleetRun) close() {
	for _, w := range r.workers {
		w.disconnect()
	}
}

// record writes the line of an acknowledged device.
func (r *fleetRun) record(line []byte) error {
	if r.Record == nil {
		return nil
	}
	r.recording.Lock()
	defer r.recording.Unlock()
	if r.recordErr == nil {
		if _, err := r.Record.Write(line); err != nil {
			r.recordErr = fmt.Errorf("the record could not be written, so the run was ended: %w", err)
			r.broken.Store(true)
		}
	}
	return r.recordErr
}
