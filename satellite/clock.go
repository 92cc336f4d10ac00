package satellite

import (
	"context"
	"fmt"
	"sync"
	"time"

	"ssm/satellite/wire"
)

// How far the system's clock may differ from what it should show before it is
// not believed any more.
const (
	maxStepBack    = time.Hour
	maxStepForward = 24 * time.Hour
)

// Clock is a reading of the guarded clock. In a closed network nobody sets the
// system's clock right, and who sets it wrong must not take licenses from
// devices: the guarded time follows the system's clock, never goes back, and
// goes on at its own pace while a step of the system's clock is not confirmed.
type Clock struct {
	SystemAt time.Time // what the system's clock showed
	Mark     time.Time // the guarded time
	// Served is how long the satellite has been serving in its whole life. A
	// device's silence is counted in it, so that an outage silences nobody.
	Served time.Duration
	// HeldSince is the guarded time at which a step was noticed; zero: the
	// system's clock is believed. Step is how far it is ahead of the guarded time.
	HeldSince time.Time
	Step      time.Duration
}

// Held tells whether the system's clock is not believed: returns and expiries wait.
func (c Clock) Held() bool { return !c.HeldSince.IsZero() }

// after is the clock when the satellite has served on for a while, and the
// system's clock then shows something. A step of more than an hour back, or of
// more than a day forward, holds it. A step that is undone is over: nothing is
// left that somebody could confirm.
func (c Clock) after(elapsed time.Duration, system time.Time) Clock {
	expected, floor := c.SystemAt.Add(elapsed), c.Mark
	if c.Held() {
		expected = c.Mark.Add(elapsed)
		floor = expected
	}
	next := Clock{SystemAt: system, Mark: later(system, floor), Served: c.Served + elapsed}
	if believable(system.Sub(expected)) && system.Sub(floor) >= -maxStepBack {
		// Small steps are followed forward, and waited out backward.
		return next
	}
	next.Mark, next.HeldSince = later(expected, floor), c.HeldSince
	if !c.Held() {
		next.HeldSince = next.Mark
	}
	next.Step = system.Sub(next.Mark)
	return next
}

func believable(step time.Duration) bool { return step >= -maxStepBack && step <= maxStepForward }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// confirmed is the clock when somebody vouches for the system's clock: that is
// the time, in both directions. Where it is believed anyway, nothing changes.
func (c Clock) confirmed() Clock {
	if !c.Held() {
		return c
	}
	return Clock{SystemAt: c.SystemAt, Mark: c.SystemAt, Served: c.Served}
}

// forward is the clock when somebody vouches for a later time than it shows.
// The system's clock is not believed where it is behind that.
func (c Clock) forward(to time.Time) Clock {
	if !to.After(c.Mark) {
		return c
	}
	c.Mark = to
	if c.Step = c.SystemAt.Sub(to); !c.Held() && c.Step < -maxStepBack {
		c.HeldSince = to
	}
	if !c.Held() {
		c.Step = 0
	}
	return c
}

// Warning says what is wrong with the system's clock and what is held; "" where
// it is believed.
func (c Clock) Warning() string {
	if !c.Held() {
		return ""
	}
	off, cause := span(c.Step)+" ahead", "was set forward, or the satellite was off for that long"
	if c.Step < 0 {
		off, cause = span(-c.Step)+" behind", "was set back"
	}
	return fmt.Sprintf("The system's clock is %s: it %s. Since %s the satellite goes on with its own time: no licenses are returned for silence, and nothing expires by the new time, until it is confirmed.",
		off, cause, stamp(c.HeldSince))
}

// span is a duration as people say it.
func span(d time.Duration) string {
	switch {
	case d >= 2*day:
		return fmt.Sprintf("%d days", d/day)
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d hours", d/time.Hour)
	}
	return fmt.Sprintf("%d minutes", d/time.Minute)
}

// guard keeps the guarded clock between two ticks. It is safe for concurrent use.
type guard struct {
	system    func() time.Time
	monotonic func() time.Duration

	mutex sync.Mutex
	base  Clock         // as of the last tick, or the last change of held
	at    time.Duration // of the monotonic clock then
	seen  time.Duration // the highest that it showed
	last  time.Time     // the latest guarded time that was given
	// agreeing are the devices whose clocks agree with the system's while it is not believed.
	agreeing map[string]bool
}

// newGuard begins with the system's clock. Without a monotonic clock its own
// progress is taken for one.
func newGuard(system func() time.Time, monotonic func() time.Duration) *guard {
	if monotonic == nil {
		begin := system()
		monotonic = func() time.Duration { return system().Sub(begin) }
	}
	g := &guard{system: system, monotonic: monotonic, agreeing: map[string]bool{}}
	at, elapsed := g.read()
	g.set(Clock{SystemAt: at, Mark: at}, elapsed)
	return g
}

// read looks at both clocks at once. Where the process was stopped in between,
// they are looked at again: else that would seem to be a step.
func (g *guard) read() (system time.Time, monotonic time.Duration) {
	for {
		before := g.monotonic()
		system = g.system().UTC().Truncate(time.Microsecond)
		if monotonic = g.monotonic(); monotonic-before < time.Second {
			g.seen = max(g.seen, monotonic)
			return system, g.seen
		}
	}
}

func (g *guard) set(c Clock, at time.Duration) {
	g.base, g.at, g.last = c, at, c.Mark
	if !c.Held() {
		clear(g.agreeing)
	}
}

// look is the clock now. A step is noticed by whoever looks first.
func (g *guard) look() Clock {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	c, _ := g.lookLocked()
	return c
}

func (g *guard) lookLocked() (Clock, time.Duration) {
	system, at := g.read()
	c := g.base.after((at - g.at).Truncate(time.Microsecond), system)
	c.Mark = later(c.Mark, g.last)
	if c.Held() != g.base.Held() {
		g.set(c, at)
	}
	g.last = c.Mark
	return c, at
}

// restore goes on from what the store keeps; notBefore is the latest time that
// was ever recorded.
func (g *guard) restore(kept Clock, notBefore time.Time) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	kept.Mark = later(kept.Mark, notBefore)
	g.set(kept, g.seen)
	g.lookLocked()
}

// settle makes a change of the clock that is on record the one that counts.
func (g *guard) settle(change func(Clock) Clock) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	c, at := g.lookLocked()
	g.set(change(c), at)
}

// agree notes that a device's clock agrees with the system's, and returns how
// many different ones do.
func (g *guard) agree(piid string) int {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if !g.base.Held() {
		return 0
	}
	if len(g.agreeing) < witnesses {
		g.agreeing[piid] = true
	}
	return len(g.agreeing)
}

// witnesses is how many devices must agree with the system's clock to confirm it.
const witnesses = 3

// itself is the satellite, where it acts on its own account.
var itself = Actor{Name: "satellite", Source: "local"}

// Now is the guarded time: UTC, truncated to the microseconds that every
// database keeps. A use case asks once and passes it down. It goes back only
// where somebody has confirmed the system's clock.
func (s *Service) Now() time.Time { return s.guard.look().Mark }

// SystemNow is the system's clock. It is what the clocks of devices are compared
// with, and what they are told.
func (s *Service) SystemNow() time.Time { return s.guard.look().SystemAt }

// Served is how long the satellite has been serving in its whole life. After a
// crash it goes on from the last tick.
func (s *Service) Served() time.Duration { return s.guard.look().Served }

// Clock is the guarded clock now.
func (s *Service) Clock(_ context.Context, actor Actor) (Clock, error) {
	if err := actor.may(ActionRead); err != nil {
		return Clock{}, err
	}
	return s.guard.look(), nil
}

// loadClock goes on from the last tick. What was recorded after it tells how far
// the clock had come until a crash.
func (s *Service) loadClock(ctx context.Context) error {
	return s.store.View(ctx, func(tx Tx) error {
		kept, err := tx.Clock()
		if isNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		heads, err := tx.EventHeads()
		if err != nil {
			return err
		}
		var latest time.Time
		for _, head := range heads {
			latest = later(latest, head.At)
		}
		s.guard.restore(kept, latest)
		return nil
	})
}

// Tick puts the guarded clock on record, and opens or closes the alert of a step.
// It is due every minute, at the start, and at the end.
func (s *Service) Tick(ctx context.Context) error {
	return s.changeClock(ctx, itself, func(c Clock) Clock { return c }, "the system's clock is right again.", nil)
}

// ConfirmClock makes the system's clock the time, in both directions: what was
// held goes on by it. Where it is believed anyway, nothing changes.
func (s *Service) ConfirmClock(ctx context.Context, actor Actor) (Clock, error) {
	if err := actor.may(ActionManageClock); err != nil {
		return Clock{}, err
	}
	if clock := s.guard.look(); !clock.Held() {
		return clock, nil
	}
	err := s.changeClock(ctx, actor, Clock.confirmed, fmt.Sprintf("%s confirmed the system's clock.", actor.Name), nil)
	return s.guard.look(), err
}

// changeClock puts a change of the clock on record, with what else belongs into
// that transaction, and then makes it count.
func (s *Service) changeClock(ctx context.Context, actor Actor, change func(Clock) Clock, because string, also func(Tx, recorder) error) error {
	s.clockLock.Lock()
	defer s.clockLock.Unlock()
	clock := change(s.guard.look())
	err := s.update(ctx, actor, clock.Mark, func(tx Tx, record recorder) error {
		if err := saveClock(tx, record, clock, because); err != nil || also == nil {
			return err
		}
		return also(tx, record)
	})
	if err == nil {
		s.guard.settle(change)
	}
	return err
}

// saveClock writes the clock, and opens or closes the alert of a step.
func saveClock(tx Tx, record recorder, clock Clock, because string) error {
	if err := tx.SaveClock(clock); err != nil {
		return err
	}
	const key = "system clock"
	if !clock.Held() {
		return settled(tx, record, 0, AlertClockMoved, key, because, clock.Mark)
	}
	return raise(tx, record, Alert{
		Type: AlertClockMoved, Key: key, Source: "The system's clock",
		Message: clock.Warning() + " Look at the clock, then run `satellite clock confirm`; a new sync response or the clocks of three devices confirm it as well.",
	}, clock.Mark)
}

// witness lets a device confirm the system's clock by its own: an accepted
// message of a device that was known before, whose clock nobody has set by ours.
func (s *Service) witness(ctx context.Context, request *wire.Request) {
	clock := s.guard.look()
	if !clock.Held() || request.Header.RequestType == wire.Registration || request.Header.ClockOffset != 0 {
		return
	}
	skew := s.options.DeviceClockSkew
	if skew < 0 {
		skew = time.Hour
	}
	if apart := wire.Time(request.Header.Timestamp).Sub(clock.SystemAt).Abs(); apart > skew {
		return
	}
	if s.guard.agree(request.Header.ProductInstanceIdentifier) < witnesses {
		return
	}
	// Where this fails, the next message of any device tries it again.
	_ = s.changeClock(ctx, itself, Clock.confirmed, fmt.Sprintf("the clocks of %d devices agree with the system's clock.", witnesses), nil)
}
