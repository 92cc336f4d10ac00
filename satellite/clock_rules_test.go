package satellite

import (
	"strings"
	"testing"
	"time"
)

func TestOnlyALargeStepOfTheSystemsClockHoldsTheGuardedOne(t *testing.T) {
	t.Parallel()
	const microsecond = time.Microsecond
	believed := Clock{SystemAt: noon, Mark: noon, Served: 7 * day}
	frozen := Clock{SystemAt: noon.Add(-50 * time.Minute), Mark: noon}                                       // waits out a small step back
	held := Clock{SystemAt: noon.Add(100 * day), Mark: noon, HeldSince: noon.Add(-day), Step: 100 * day}     // after an outage
	behind := Clock{SystemAt: noon.Add(-100 * day), Mark: noon, HeldSince: noon.Add(-day), Step: -100 * day} // after the battery died
	for _, c := range []struct {
		name    string
		clock   Clock
		elapsed time.Duration
		system  time.Time
		mark    time.Time
		held    bool
		step    time.Duration
	}{
		{"time passes", believed, time.Minute, noon.Add(time.Minute), noon.Add(time.Minute), false, 0},
		{"nothing passes", believed, 0, noon, noon, false, 0},
		{"forward by a day", believed, time.Minute, noon.Add(day + time.Minute), noon.Add(day + time.Minute), false, 0},
		{"forward by more", believed, time.Minute, noon.Add(day + time.Minute + microsecond), noon.Add(time.Minute), true, day + microsecond},
		{"back by an hour", believed, time.Minute, noon.Add(-59 * time.Minute), noon, false, 0},
		{"back by more", believed, time.Minute, noon.Add(-59*time.Minute - microsecond), noon.Add(time.Minute), true, -time.Hour - microsecond},
		{"off for a day", believed, 0, noon.Add(day), noon.Add(day), false, 0},
		{"off for 100 days", believed, 0, noon.Add(100 * day), noon, true, 100 * day},
		{"running for 100 days without a look", believed, 100 * day, noon.Add(100 * day), noon.Add(100 * day), false, 0},

		{"a second small step back", frozen, 0, noon.Add(-70 * time.Minute), noon, true, -70 * time.Minute},
		{"a step back is waited out", frozen, 20 * time.Minute, noon.Add(-30 * time.Minute), noon, false, 0},
		{"and then it goes on", frozen, 55 * time.Minute, noon.Add(5 * time.Minute), noon.Add(5 * time.Minute), false, 0},

		{"held, it has its own pace", held, day, noon.Add(101 * day), noon.Add(day), true, 100 * day},
		{"held, a further step changes nothing", held, day, noon.Add(500 * day), noon.Add(day), true, 499 * day},
		{"held, and set right", held, day, noon.Add(day), noon.Add(day), false, 0},
		{"held, and set right, nearly", held, day, noon.Add(day + time.Hour), noon.Add(day + time.Hour), false, 0},
		{"held, and set back a little too far", held, day, noon.Add(day - time.Hour), noon.Add(day), false, 0},
		{"held, and set back much too far", held, day, noon.Add(day - 2*time.Hour), noon.Add(day), true, -2 * time.Hour},
		{"behind, it has its own pace", behind, day, noon.Add(-99 * day), noon.Add(day), true, -100 * day},
		{"behind, and set right", behind, day, noon.Add(day), noon.Add(day), false, 0},
	} {
		got := c.clock.after(c.elapsed, c.system)
		if !got.Mark.Equal(c.mark) || got.Held() != c.held || got.Step != c.step || !got.SystemAt.Equal(c.system) {
			t.Errorf("%s: the clock is %+v, want mark %v, held %v, step %v", c.name, got, c.mark, c.held, c.step)
		}
		if got.Served != c.clock.Served+c.elapsed {
			t.Errorf("%s: served %v, want %v and %v", c.name, got.Served, c.clock.Served, c.elapsed)
		}
		if c.held && c.clock.Held() && !got.HeldSince.Equal(c.clock.HeldSince) || c.held && !c.clock.Held() && !got.HeldSince.Equal(got.Mark) {
			t.Errorf("%s: held since %v", c.name, got.HeldSince)
		}
		if (got.Warning() != "") != c.held {
			t.Errorf("%s: the warning is %q", c.name, got.Warning())
		}
	}
}

func TestWhoVouchesForATimeMovesTheClock(t *testing.T) {
	t.Parallel()
	held := Clock{SystemAt: noon.Add(-100 * day), Mark: noon, Served: day, HeldSince: noon.Add(-day), Step: -100 * day}
	believed := Clock{SystemAt: noon.Add(-time.Minute), Mark: noon, Served: day}
	for _, c := range []struct {
		name       string
		got, want  Clock
		sayBlamed  string
		sayMeasure string
	}{
		{"confirmed back", held.confirmed(), Clock{SystemAt: held.SystemAt, Mark: held.SystemAt, Served: day}, "", ""},
		{"confirmed though believed", believed.confirmed(), believed, "", ""},
		{"forward", believed.forward(noon.Add(50 * day)), Clock{SystemAt: believed.SystemAt, Mark: noon.Add(50 * day), Served: day, HeldSince: noon.Add(50 * day), Step: -50*day - time.Minute}, "was set back", "50 days behind"},
		{"forward a little", believed.forward(noon.Add(30 * time.Minute)), Clock{SystemAt: believed.SystemAt, Mark: noon.Add(30 * time.Minute), Served: day}, "", ""},
		{"forward while held", held.forward(noon.Add(day)), Clock{SystemAt: held.SystemAt, Mark: noon.Add(day), Served: day, HeldSince: held.HeldSince, Step: -101 * day}, "was set back", "101 days behind"},
		{"never back", believed.forward(noon.Add(-1)), believed, "", ""},
	} {
		if c.got != c.want {
			t.Errorf("%s:\n got %+v\nwant %+v", c.name, c.got, c.want)
		}
		if warning := c.got.Warning(); !strings.Contains(warning, c.sayBlamed) || !strings.Contains(warning, c.sayMeasure) {
			t.Errorf("%s: %q does not say %q and %q", c.name, warning, c.sayBlamed, c.sayMeasure)
		}
	}
}

// A process that is stopped between its looks at the two clocks has seen no step.
func TestBothClocksAreReadAtOnce(t *testing.T) {
	t.Parallel()
	now, elapsed, stop := noon, time.Duration(0), time.Duration(0)
	g := newGuard(func() time.Time {
		seen := now
		now, elapsed, stop = now.Add(stop), elapsed+stop, 0
		return seen
	}, func() time.Duration { return elapsed })
	stop = 3 * time.Hour
	if c := g.look(); c.Held() || !c.Mark.Equal(noon.Add(3*time.Hour)) || c.Served != 3*time.Hour {
		t.Errorf("after a stop of 3 hours the clock is %+v", c)
	}
}

func TestWithoutAMonotonicClockTheProgressOfTheSystemsIsTakenForOne(t *testing.T) {
	t.Parallel()
	now := noon
	g := newGuard(func() time.Time { return now }, nil)
	for _, c := range []struct {
		at     time.Time
		served time.Duration
	}{{noon.Add(400 * day), 400 * day}, {noon, 400 * day}, {noon.Add(401 * day), 401 * day}} {
		now = c.at
		if got := g.look(); got.Served != c.served || got.Mark.Before(noon.Add(400*day)) {
			t.Errorf("at %v the clock is %+v, want %v served", c.at, got, c.served)
		}
	}
}
