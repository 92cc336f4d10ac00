package satellite_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ssm/satellite"
	"ssm/satellite/wire"
)

// restart stops the satellite for a while, as a crash does, and starts it again.
func (w *world) restart(off time.Duration) {
	w.Helper()
	w.must(w.store.Close())
	w.clock.mutex.Lock()
	w.clock.elapsed = 0
	w.clock.mutex.Unlock()
	w.clock.step(off)
	w.open()
	w.must(w.service.Tick(w.ctx)) // as serve does first
}

// run lets time pass, in steps with the jobs that are due then.
func (w *world) run(d time.Duration) {
	w.Helper()
	for d > 0 {
		step := min(d, 5*day)
		w.clock.advance(step)
		w.jobs()
		d -= step
	}
}

// jobs are those that time calls for.
func (w *world) jobs() {
	w.Helper()
	w.must(w.service.Tick(w.ctx))
	now := w.service.Now()
	w.must(w.service.RenewSigners(w.ctx, now))
	w.must(w.service.ReturnSilent(w.ctx, now))
	w.must(w.service.WatchDevices(w.ctx, now, w.service.Served()))
	w.must(w.service.WatchDeadlines(w.ctx, now))
	w.must(w.service.CountLots(w.ctx, now))
	w.must(w.service.RemindOfLots(w.ctx, now))
	w.must(w.service.WatchReservations(w.ctx, now))
}

// openOfType are the open alerts of a type, as text.
func (w *world) openOfType(kind satellite.AlertType) []string {
	w.Helper()
	alerts, err := w.service.Alerts(w.ctx, admin, satellite.AlertFilter{Type: kind}, satellite.Page{})
	w.must(err)
	texts := []string{}
	for _, a := range alerts {
		texts = append(texts, fmt.Sprintf("%s: %s", a.Severity, a.Message))
	}
	return texts
}

// alerted reports whether exactly one alert of a type is open, and says the words.
func (w *world) alerted(kind satellite.AlertType, words ...string) {
	w.Helper()
	open := w.openOfType(kind)
	if len(open) != 1 {
		w.Errorf("%d alerts %s are open, want one: %v", len(open), kind, open)
		return
	}
	for _, word := range words {
		if !strings.Contains(open[0], word) {
			w.Errorf("the alert %s does not say %q: %s", kind, word, open[0])
		}
	}
}

func (w *world) quiet(kinds ...satellite.AlertType) {
	w.Helper()
	for _, kind := range kinds {
		if open := w.openOfType(kind); len(open) != 0 {
			w.Errorf("alerts are open: %v", open)
		}
	}
}

func (w *world) held() bool {
	w.Helper()
	clock, err := w.service.Clock(w.ctx, admin)
	w.must(err)
	return clock.Held()
}

// lastEvent is the message of the newest event of a type.
func (w *world) lastEvent(kind satellite.EventType) string {
	w.Helper()
	events, err := w.service.Events(w.ctx, admin, satellite.EventFilter{Type: kind}, satellite.Page{Limit: 1})
	w.must(err)
	if len(events) == 0 {
		return ""
	}
	return events[0].Message
}

func TestAStepOfTheSystemsClockIsNoticedAtOnceAndHeldUntilAnAdminConfirmsIt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		step time.Duration
		says string
	}{{91 * day, "91 days ahead"}, {-3 * day, "3 days behind"}, {25 * time.Hour, "25 hours ahead"}, {-61 * time.Minute, "61 minutes behind"}} {
		t.Run(c.step.String(), func(t *testing.T) {
			t.Parallel()
			w := registered(t)
			w.jobs()
			before := w.service.Now()
			w.clock.step(c.step)
			w.clock.advance(time.Second)
			if now := w.service.Now(); !now.Equal(before.Add(time.Second)) || !w.held() {
				t.Fatalf("between two ticks it is %v, before the step it was %v (held: %v)", now, before, w.held())
			}
			w.jobs()
			w.alerted(satellite.AlertClockMoved, "major: ", c.says, "no licenses are returned", "clock confirm")
			if message := w.lastEvent(satellite.EventAlertOpened); !strings.Contains(message, c.says) {
				t.Errorf("the event says %q", message)
			}
			w.clock.advance(time.Hour)
			w.unchanged("a look", func() { _ = w.service.Now() })
			if now := w.service.Now(); !now.Equal(before.Add(time.Hour + time.Second)) {
				t.Errorf("an hour later it is %v, before the step it was %v", now, before)
			}
			operator := satellite.Actor{Name: "operator", Role: satellite.RoleSystemOperator}
			w.unchanged("who may not confirm", func() {
				_, err := w.service.ConfirmClock(w.ctx, operator)
				refused(t, err, satellite.KindForbidden, "role-insufficient")
				_, err = w.service.ConfirmClock(w.ctx, satellite.Actor{})
				refused(t, err, satellite.KindUnauthenticated, "not-signed-in")
				_, err = w.service.Clock(w.ctx, satellite.Actor{})
				refused(t, err, satellite.KindUnauthenticated, "not-signed-in")
			})
			clock, err := w.service.ConfirmClock(w.ctx, admin)
			w.must(err)
			system := w.clock.Now().Truncate(time.Microsecond)
			if clock.Held() || !clock.Mark.Equal(system) || !w.service.Now().Equal(system) {
				t.Errorf("after the confirmation the clock is %+v, want %v", clock, system)
			}
			w.quiet(satellite.AlertClockMoved)
			if message := w.lastEvent(satellite.EventAlertClosed); !strings.Contains(message, "local:0 confirmed") {
				t.Errorf("the event says %q", message)
			}
			w.unchanged("a second confirmation", func() {
				_, err := w.service.ConfirmClock(w.ctx, admin)
				w.must(err)
			})
			w.restart(time.Minute)
			if w.held() || !w.service.Now().Equal(system.Add(time.Minute)) {
				t.Errorf("after a restart it is %v, want %v", w.service.Now(), system.Add(time.Minute))
			}
			w.audit()
		})
	}
}

func TestAStepThatIsUndoneNeedsNoConfirmation(t *testing.T) {
	t.Parallel()
	w := registered(t)
	w.jobs()
	before := w.service.Now()
	w.clock.step(400 * day)
	w.jobs()
	w.clock.step(-400 * day)
	w.clock.advance(time.Minute)
	w.jobs()
	if w.held() || !w.service.Now().Equal(before.Add(time.Minute)) {
		t.Errorf("it is %v, want %v", w.service.Now(), before.Add(time.Minute))
	}
	w.quiet(satellite.AlertClockMoved)
}

func TestAHoldOutlivesARestart(t *testing.T) {
	t.Parallel()
	w := registered(t)
	w.jobs()
	before := w.service.Now()
	w.clock.step(-400 * day)
	w.jobs()
	w.restart(time.Hour)
	if !w.held() || w.service.Now().Before(before) {
		t.Errorf("after a restart the clock is held: %v, at %v, before %v", w.held(), w.service.Now(), before)
	}
	w.alerted(satellite.AlertClockMoved, "behind")
}

func TestTheClockNeverFallsBehindWhatIsOnRecord(t *testing.T) {
	t.Parallel()
	w := registered(t)
	w.jobs()
	w.clock.advance(50 * time.Second)
	token, _ := w.token(satellite.NewToken{}) // after the last tick
	w.restart(-40 * time.Minute)
	if w.held() || w.service.Now().Before(token.CreatedAt) {
		t.Errorf("after a crash it is %v, and a token was created at %v", w.service.Now(), token.CreatedAt)
	}
}

func TestASyncResponseOfTodayConfirmsTheClock(t *testing.T) {
	t.Parallel()
	for _, step := range []time.Duration{100 * day, -20 * day} {
		w := registered(t)
		w.run(40 * day)
		w.clock.step(step)
		w.jobs()
		old := w.up.answer(t, w.request(w.account, false), func(m *wire.Manifest) { m.CreatedAt = m.CreatedAt.Add(-24*time.Hour - time.Second) })
		_, err := w.apply(old)
		w.must(err)
		if !w.held() {
			t.Errorf("after a step of %v, a response of the day before confirms the clock", step)
		}
		w.up.renewSigner(t)
		w.sync(w.account, false)
		if w.held() || !w.service.Now().Equal(w.clock.Now().Truncate(time.Microsecond)) {
			t.Errorf("after a step of %v, a response of today does not confirm the clock", step)
		}
		w.quiet(satellite.AlertClockMoved)
		if message := w.lastEvent(satellite.EventAlertClosed); !strings.Contains(message, "sync response 3") {
			t.Errorf("the event says %q", message)
		}
		statuses, err := w.service.SyncStatuses(w.ctx, admin)
		if err != nil || !statuses[0].State.LastSyncAt.Equal(w.service.Now()) {
			t.Errorf("the last synchronization was at %v, want the confirmed time %v (%v)", statuses[0].State.LastSyncAt, w.service.Now(), err)
		}
		w.jobs()
		w.quiet(satellite.AlertClockMoved, satellite.AlertSyncOverdue, satellite.AlertSatelliteExpired)
		w.audit()
	}
}

func TestLaw10AResponseFromTomorrowIsAppliedOnlyWhereSomebodyVouchesForItsTime(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "base", quantity: 1})
	w.jobs()
	before := w.service.Now()
	// The upstream lives a year later: the clock of this system lost that.
	w.clock.step(365 * day)
	w.up.renewSigner(t)
	w.clock.step(-365 * day)
	w.up.lots[w.external(w.account)] = []lot{{tag: "base", quantity: 9}}
	request := w.request(w.account, false)
	response := func(ahead time.Duration) []byte {
		return w.up.answer(t, request, func(m *wire.Manifest) { m.CreatedAt = w.clock.Now().Add(ahead) })
	}
	tomorrow := response(365*day + time.Hour)
	w.unchanged("a response from tomorrow", func() {
		_, err := w.apply(tomorrow)
		refused(t, err, satellite.KindConflict, "response-ahead", "--accept-time", "Nothing was changed")
	})
	_, err := w.applyWith(tomorrow, satellite.SyncOptions{AcceptTime: true})
	w.must(err)
	created := w.clock.Now().Truncate(time.Millisecond).Add(365*day + time.Hour)
	if now := w.service.Now(); now.Sub(created).Abs() > time.Second || w.pool("base").Purchased != 9 {
		t.Errorf("after that it is %v, want %v; purchased are %d", now, created, w.pool("base").Purchased)
	}
	if message := w.lastEvent(satellite.EventSyncApplied); !strings.Contains(message, "Its time was accepted") {
		t.Errorf("the event says %q", message)
	}
	// The system's clock is still a year behind: that is told, and time goes on.
	w.clock.advance(time.Hour)
	w.must(w.service.Tick(w.ctx))
	w.alerted(satellite.AlertClockMoved, "365 days behind")
	if now := w.service.Now(); now.Sub(created.Add(time.Hour)).Abs() > time.Second {
		t.Errorf("an hour later it is %v, want %v", now, created.Add(time.Hour))
	}
	w.clock.step(365*day + time.Hour)
	w.must(w.service.Tick(w.ctx))
	w.quiet(satellite.AlertClockMoved)
	if !w.service.Now().After(before) {
		t.Error("the time went back")
	}
	w.audit()
}

func TestLaw10AResponseWithinADayAheadMovesNoClock(t *testing.T) {
	t.Parallel()
	w := registered(t)
	before := w.service.Now()
	_, err := w.apply(w.up.answer(t, w.request(w.account, false), func(m *wire.Manifest) { m.CreatedAt = w.clock.Now().Add(24 * time.Hour) }))
	w.must(err)
	if now := w.service.Now(); !now.Equal(before) {
		t.Errorf("it is %v, before it was %v", now, before)
	}
}

func (w *world) applyWith(response []byte, options satellite.SyncOptions) (satellite.SyncResult, error) {
	return w.service.ApplySyncResponse(w.ctx, admin, strings.NewReader(string(response)), int64(len(response)), options)
}

func TestThreeDevicesThatAgreeConfirmTheClock(t *testing.T) {
	t.Parallel()
	for _, step := range []time.Duration{100 * day, -48 * time.Hour} {
		w := registered(t, lot{tag: "base", quantity: 10})
		_, text := w.token(satellite.NewToken{})
		var devices []*device
		for i := range 3 {
			d := w.device(fmt.Sprint(i)).register(text)
			d.ok(d.authorization("base", 1))
			devices = append(devices, d)
		}
		w.run(40 * day)
		a, b, c := devices[0], devices[1], devices[2]
		w.clock.step(step)
		w.jobs()
		w.up.renewSigner(t)
		// One device is one witness, however often it speaks; a registration is
		// none, nor is a device whose clock this satellite has set, nor one that is refused.
		for range 3 {
			a.deliver(a.authorization())
		}
		w.device("new").register(text)
		c.adjusted = 5
		c.deliver(c.authorization())
		c.adjusted, c.offset = 0, -2*time.Hour
		c.refused(c.authorization(), "clock-skew")
		c.offset = 0
		w.clock.advance(time.Minute)
		w.must(w.service.Tick(w.ctx))
		b.deliver(b.authorization())
		if !w.held() {
			t.Fatal("two devices confirm the clock")
		}
		c.deliver(c.authorization())
		if w.held() || !w.service.Now().Equal(w.clock.Now().Truncate(time.Microsecond)) {
			t.Errorf("three devices do not confirm the clock after a step of %v", step)
		}
		w.quiet(satellite.AlertClockMoved)
		if message := w.lastEvent(satellite.EventAlertClosed); !strings.Contains(message, "3 devices agree") {
			t.Errorf("the event says %q", message)
		}
		// Those of the last time are no witnesses of the next one, which they may
		// confirm before any tick has noticed it.
		w.jobs()
		w.clock.advance(2 * time.Minute)
		w.clock.step(30 * day)
		a.deliver(a.authorization())
		b.deliver(b.authorization())
		if !w.held() {
			t.Error("two devices and one of the time before confirm the clock")
		}
		c.deliver(c.authorization())
		if w.held() {
			t.Error("three devices do not confirm the clock before the first tick")
		}
		w.audit()
	}
}

// Whatever happens to the clock: the guarded time goes back only where somebody
// confirms that, and nothing counts as served that was not.
func TestTheGuardedClockKeepsItsLaws(t *testing.T) {
	t.Parallel()
	// One world for all: what one check leaves behind is where the next begins.
	w := newWorld(t)
	rapid.Check(t, func(r *rapid.T) {
		w.must(w.service.Tick(w.ctx))
		last, served := w.service.Now(), w.service.Served()
		really, ticked := served, served // served: in all, and until the last tick
		mark := last                     // at the last tick
		for range rapid.IntRange(5, 20).Draw(r, "steps") {
			duration := time.Duration(rapid.Int64Range(1, int64(20*day)).Draw(r, "duration"))
			if rapid.Bool().Draw(r, "short") {
				duration %= 2 * time.Hour
			}
			switch action := rapid.SampledFrom([]string{"advance", "advance", "forward", "back", "tick", "tick", "crash", "confirm"}).Draw(r, "action"); action {
			case "advance":
				w.clock.advance(duration)
				really += duration
			case "forward":
				w.clock.step(duration)
			case "back":
				w.clock.step(-duration)
			case "tick":
				w.must(w.service.Tick(w.ctx))
				mark, ticked = w.service.Now(), really
			case "crash":
				w.restart(duration)
				if w.service.Now().Before(mark) || w.service.Served() > ticked || w.service.Served() < ticked-time.Millisecond {
					r.Fatalf("after a crash it is %v, and %v at the last tick; served %v, and %v", w.service.Now(), mark, w.service.Served(), ticked)
				}
				really, last, served = ticked, w.service.Now(), w.service.Served()
				mark = last
			case "confirm":
				held := w.held()
				before := w.service.Now()
				clock, err := w.service.ConfirmClock(w.ctx, admin)
				w.must(err)
				if clock.Held() || !held && !clock.Mark.Equal(before) {
					r.Fatalf("a confirmation of a clock that was held: %v, makes %v %+v", held, before, clock)
				}
				if held {
					last, mark, ticked = clock.Mark, clock.Mark, really
				}
			}
			now, s := w.service.Now(), w.service.Served()
			if now.Before(last) {
				r.Fatalf("the time went back from %v to %v", last, now)
			}
			if s < served || s > really {
				r.Fatalf("served %v, before %v, and really %v", s, served, really)
			}
			last, served = now, s
		}
	})
}
