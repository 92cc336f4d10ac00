package compatible

import (
	"context"
	"math"
	"runtime"
	"sync"
	"time"

	"ssm/satellite"
)

// bounds are the numbers of the API.
type bounds struct {
	burst, refill float64       // requests of one client at once, and per second in the long run
	flood, pace   float64       // the same of all clients together
	running       int           // requests that run at a time, of all clients together
	wait          time.Duration // for one of those places, or for the pace
	body          int64         // bytes
	open          int64         // the same, of a call that anybody may make
	read          time.Duration // for the whole body to arrive
	rest          time.Duration // for what is left of a body that nobody reads
	write         time.Duration // for a client to take a piece of the answer
}

// defaults are generous for scripts and mean to floods. A playbook sends a few
// requests per second, a dashboard fewer; 50 a second is what a loop without a
// pause does. Two at a time are as many as answer as fast as a small machine
// can, and beside the devices, of which hundreds are worked on at a time and none
// waits here, they get the share of two. All
// clients together go at a pace that leaves the machine to the devices: who comes
// faster waits for his turn instead of being refused.
var defaults = bounds{
	burst: 100, refill: 50, flood: 200, pace: 50 * float64(runtime.GOMAXPROCS(0)), running: 2, wait: 10 * time.Second,
	body: 1 << 20, open: 16 << 10, read: 15 * time.Second, rest: 2 * time.Second, write: 30 * time.Second,
}

// rate lets each client begin so many requests per second: a bucket of tokens
// that refills. Safe for concurrent use.
type rate struct {
	now           func() time.Time
	burst, refill float64

	mutex   sync.Mutex
	buckets map[string]bucket
}

type bucket struct {
	tokens float64
	at     time.Time
}

// maxBuckets is when the full buckets are forgotten: they are as good as new ones.
const maxBuckets = 1000

func newRate(now func() time.Time, burst, refill float64) *rate {
	return &rate{now: now, burst: burst, refill: refill, buckets: map[string]bucket{}}
}

// take lets a client begin a request, or tells when it may.
func (r *rate) take(client string) (wait time.Duration, ok bool) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	now := r.now()
	if len(r.buckets) >= maxBuckets {
		for other, b := range r.buckets {
			if r.level(b, now) >= r.burst {
				delete(r.buckets, other)
			}
		}
	}
	b, known := r.buckets[client]
	level := r.burst
	if known {
		level = r.level(b, now)
	}
	if level < 1 {
		return time.Duration((1 - level) / r.refill * float64(time.Second)), false
	}
	r.buckets[client] = bucket{tokens: level - 1, at: now}
	return 0, true
}

// give takes a request back: it does not count.
func (r *rate) give(client string) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if b, known := r.buckets[client]; known {
		b.tokens = math.Min(r.burst, b.tokens+1)
		r.buckets[client] = b
	}
}

func (r *rate) level(b bucket, now time.Time) float64 {
	return math.Min(r.burst, b.tokens+now.Sub(b.at).Seconds()*r.refill)
}

// reserve lets a client begin a request after a wait, unless the wait is longer
// than it may be: then nothing is reserved.
func (r *rate) reserve(client string, longest time.Duration) (wait time.Duration, ok bool) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	now := r.now()
	level := r.burst
	if b, known := r.buckets[client]; known {
		level = r.level(b, now)
	}
	if level < 1 {
		wait = time.Duration((1 - level) / r.refill * float64(time.Second))
	}
	if wait > longest {
		return wait, false
	}
	r.buckets[client] = bucket{tokens: level - 1, at: now} // below 0 is what was reserved
	return wait, true
}

// gate lets so many requests run at a time as it has room for.
type gate chan struct{}

// run does something in a place of the gate. KindUnavailable where none became
// free within wait; 0 waits as long as the client does.
func (g gate) run(ctx context.Context, wait time.Duration, do func() error) error {
	var late <-chan time.Time
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case g <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-late:
		return errBusy()
	}
	defer func() { <-g }()
	return do()
}

func errBusy() error {
	return &satellite.Error{
		Kind: satellite.KindUnavailable, Code: "busy",
		Message: "Too many requests are being worked on. Nothing was changed.", Hint: "Wait as long as the header Retry-After says.",
	}
}
