package agent

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

const (
	requestTimeout = 30 * time.Second
	setupAttempts  = 3               // of each registration before the clock
	grace          = 2 * time.Second // for answers that are on their way when the time is over
	firstPause     = 50 * time.Millisecond
	longestPause   = time.Second
)

// phase is one operation done by all workers until its end: the time is over,
// or no device is left that could do it.
type phase struct {
	run   *fleetRun
	op    Operation
	queue chan *player  // devices that no worker has; holds them all
	left  atomic.Int64  // devices that are not done
	ended chan struct{} // closed at the end
	end   func()
	timed bool
}

// phase runs an operation; duration 0 is without limit, but with a limited
// number of attempts.
func (r *fleetRun) phase(ctx context.Context, op Operation, duration time.Duration) FleetResult {
	p := &phase{run: r, op: op, timed: duration > 0, queue: make(chan *player, len(r.players)), ended: make(chan struct{})}
	p.end = sync.OnceFunc(func() { close(p.ended) })
	for _, player := range r.players {
		if op == OpRegister || player.piid != "" {
			p.queue <- player
		}
	}
	p.left.Store(int64(len(p.queue)))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, p.end)()
	if p.timed {
		defer time.AfterFunc(duration, p.end).Stop()
		defer time.AfterFunc(duration+grace, cancel).Stop()
	}
	tallies := make([]tally, len(r.workers))
	begin := r.Now()
	var group sync.WaitGroup
	for i, w := range r.workers {
		group.Go(func() { w.work(ctx, p, &tallies[i]) })
	}
	group.Wait()
	return p.result(tallies, r.Now().Sub(begin))
}

// tally is what one worker counted.
type tally struct {
	latency histogram
	errors  int64
	reasons map[string]int64
	first   error
}

func (t *tally) count(took time.Duration, err error) {
	if err == nil {
		t.latency.add(took)
		return
	}
	if t.errors++; t.first == nil {
		t.first, t.reasons = err, map[string]int64{}
	}
	t.reasons[reasonOf(err)]++
}

func reasonOf(err error) string {
	var refused *Refused
	switch {
	case errors.As(err, &refused) && refused.Code != "":
		return printable(refused.Code)
	case errors.As(err, &refused):
		return "refused"
	case errors.Is(err, ErrUntrusted):
		return "untrusted"
	default:
		return "connection"
	}
}

func (p *phase) result(tallies []tally, took time.Duration) FleetResult {
	result := FleetResult{
		Op: p.op, Devices: len(p.run.players), Concurrency: len(p.run.workers),
		Seconds: took.Seconds(), ErrorReasons: map[string]int64{},
	}
	var all histogram
	for i := range tallies {
		all.merge(&tallies[i].latency)
		result.Errors += tallies[i].errors
		for reason, n := range tallies[i].reasons {
			result.ErrorReasons[reason] += n
		}
		if first := tallies[i].first; first != nil && result.FirstError == "" {
			result.FirstError = printable(first.Error())
		}
	}
	result.Operations = all.count
	if took > 0 {
		result.RatePerSecond = float64(all.count) / took.Seconds()
	}
	result.P50, result.P99, result.Max = milliseconds(all.quantile(0.5)), milliseconds(all.quantile(0.99)), milliseconds(all.max)
	return result
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// settle gives the device back to the queue, unless it is done.
func (p *phase) settle(d *player, err error) {
	if p.goesOn(d, err) {
		p.queue <- d
	} else if p.left.Add(-1) == 0 {
		p.end()
	}
}

func (p *phase) goesOn(d *player, err error) bool {
	var refused *Refused
	isRefused := errors.As(err, &refused)
	if p.op == OpAuthorize {
		return !isRefused || refused.Code != codeNotRegistered && refused.Code != codeCertificateRevoked
	}
	// A refused registration is refused again; a lost one is repeated under
	// the same key, which the satellite takes for the same registration.
	d.attempts++
	return err != nil && !isRefused && (p.timed || d.attempts < setupAttempts)
}

// pause waits out a satellite that cannot be reached, longer each time, so that
// it is not kept busy while it starts.
func (p *phase) pause(failures int) {
	timer := time.NewTimer(min(firstPause<<min(failures, 10), longestPause))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.ended:
	}
}
