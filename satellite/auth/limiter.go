package auth

import (
	"container/list"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// The numbers of the sign-in throttle.
const (
	pairFailures    = 5  // that cost nothing, per address and e-mail
	addressFailures = 20 // likewise, per address alone: an office may share one
	longestDelay    = 15 * time.Minute
	forgetAfter     = time.Hour   // without a try
	attemptLife     = time.Minute // after which a try without outcome no longer counts
	maxTries        = 10_000      // entries of each kind; the one unused for longest goes first
	maxEmail        = 254
)

// Limiter slows down guessing at the sign-in: after 5 failures of one address
// at one e-mail, or 20 of one address, each further failure doubles a delay from
// one second up to 15 minutes. It never counts an e-mail alone, so that a
// stranger cannot lock out an administrator who comes from another address.
// IPv6 addresses count by their /64, which is one customer's.
//
// Everything is in memory and bounded; a restart forgets it. Safe for concurrent use.
type Limiter struct {
	now       func() time.Time
	mutex     sync.Mutex
	pairs     tries
	addresses tries
}

// NewLimiter returns a limiter that has seen nothing.
func NewLimiter(now func() time.Time) *Limiter {
	return &Limiter{now: now, pairs: newTries(pairFailures), addresses: newTries(addressFailures)}
}

// Allow tells whether a sign-in may be tried now, and if not, when to come back.
// An allowed try is to be followed by Failed or Succeeded: until then it counts
// as failed, so that many at once gain nothing.
func (l *Limiter) Allow(address, email string) (retryAfter time.Duration, ok bool) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	now := l.now()
	pair, whole := keysOf(address, email)
	if wait := max(l.pairs.wait(pair, now), l.addresses.wait(whole, now)); wait > 0 {
		return wait, false
	}
	l.pairs.begin(pair, now)
	l.addresses.begin(whole, now)
	return 0, true
}

// Failed tells that the try did not succeed.
func (l *Limiter) Failed(address, email string) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	now := l.now()
	pair, whole := keysOf(address, email)
	l.pairs.fail(pair, now)
	l.addresses.fail(whole, now)
}

// Succeeded forgives what this address failed at this e-mail, and nothing else:
// one good account must not pay for guessing at others.
func (l *Limiter) Succeeded(address, email string) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	now := l.now()
	pair, whole := keysOf(address, email)
	forgiven := l.pairs.forget(pair)
	l.addresses.forgive(whole, forgiven, now)
}

type triesKey struct{ address, email string }

func keysOf(address, email string) (pair, whole triesKey) {
	if ip, err := netip.ParseAddr(address); err == nil {
		ip = ip.Unmap().WithZone("")
		address = ip.String()
		if ip.Is6() {
			address = netip.PrefixFrom(ip, 64).Masked().String()
		}
	}
	email = strings.ToLower(strings.TrimSpace(email))
	if len(email) > maxEmail {
		email = email[:maxEmail]
	}
	whole = triesKey{address: strings.Clone(address)}
	return triesKey{address: whole.address, email: strings.Clone(email)}, whole
}

// attempts is what is known of one key.
type attempts struct {
	key      triesKey
	failures int
	pending  int // allowed, without an outcome yet
	touched  time.Time
	until    time.Time // no try before
}

// tries is a bounded map of attempts, most recently used first.
type tries struct {
	free    int // failures without delay
	entries map[triesKey]*list.Element
	order   *list.List
}

func newTries(free int) tries {
	return tries{free: free, entries: map[triesKey]*list.Element{}, order: list.New()}
}

// find returns what is known and still counts, nil for nothing.
func (t *tries) find(key triesKey, now time.Time) *attempts {
	element, ok := t.entries[key]
	if !ok {
		return nil
	}
	a := element.Value.(*attempts)
	quiet := now.Sub(a.touched)
	if quiet >= forgetAfter {
		t.forget(key)
		return nil
	}
	if quiet >= attemptLife {
		a.pending = 0
	}
	return a
}

// touch is find for a change: it makes room, moves to the front and notes the time.
func (t *tries) touch(key triesKey, now time.Time) *attempts {
	a := t.find(key, now)
	if a == nil {
		if len(t.entries) >= maxTries {
			t.forget(t.order.Back().Value.(*attempts).key)
		}
		a = &attempts{key: key}
		t.entries[key] = t.order.PushFront(a)
	}
	t.order.MoveToFront(t.entries[key])
	a.touched = now
	return a
}

func (t *tries) wait(key triesKey, now time.Time) time.Duration {
	a := t.find(key, now)
	switch {
	case a == nil:
		return 0
	case now.Before(a.until):
		return a.until.Sub(now)
	case a.pending > 0 && a.failures+a.pending >= t.free:
		return time.Second
	}
	return 0
}

func (t *tries) begin(key triesKey, now time.Time) { t.touch(key, now).pending++ }

func (t *tries) fail(key triesKey, now time.Time) {
	a := t.touch(key, now)
	a.pending = max(a.pending-1, 0)
	a.failures++
	if over := a.failures - t.free; over >= 0 {
		a.until = now.Add(min(time.Second<<min(over, 20), longestDelay))
	}
}

func (t *tries) forgive(key triesKey, failures int, now time.Time) {
	a := t.touch(key, now)
	a.pending = max(a.pending-1, 0)
	a.failures = max(a.failures-failures, 0)
}

func (t *tries) forget(key triesKey) (failures int) {
	element, ok := t.entries[key]
	if !ok {
		return 0
	}
	t.order.Remove(element)
	delete(t.entries, key)
	return element.Value.(*attempts).failures
}
