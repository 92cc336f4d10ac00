package satellite

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ssm/sync/scheduler"
)

func TestOnlySchedulesOfTheKnownFormsAreTaken(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text, line string
		refused    string // part of the reason
	}{
		{"daily 02:00", "0 2 * * *", ""},
		{"daily 23:59", "59 23 * * *", ""},
		{"weekly mon 02:30", "30 2 * * mon", ""},
		{"monthly 1 02:00", "0 2 1 * *", ""},
		{"monthly 28 02:00", "0 2 28 * *", ""},
		{"cron 0 2 * * 1-5", "0 2 * * 1-5", ""},
		{"cron 17 * * * *", "17 * * * *", ""},
		{"cron @weekly", "@weekly", ""},
		{"cron @every 1h", "@every 1h", ""},
		{"off", "", ""},
		{"", "", ""},

		{"daily", "", "write"},
		{"daily 2:00", "", "no time"},
		{"daily 24:00", "", "no time"},
		{"daily 02:00 03:00", "", "write"},
		{"weekly monday 02:00", "", "no day of the week"},
		{"weekly 02:00", "", "write"},
		{"monthly 29 02:00", "", "no day from 1 to 28"},
		{"monthly 0 02:00", "", "no day from 1 to 28"},
		{"monthly 01 02:00", "", "no day from 1 to 28"},
		{"off 02:00", "", "write"},
		{"sometimes", "", "write"},
		{"0 2 * * *", "", "write"},
		{"cron", "", "write"},
		{"cron 0 2 * *", "", "5 fields"},
		{"cron 0 0 30 2 *", "", "never comes due"},
		{"cron TZ=Asia/Tokyo 0 2 * * *", "", "names a time zone"},
		{"cron CRON_TZ=UTC @daily", "", "names a time zone"},
		{"cron * * * * *", "", "1m0s after it was"},
		{"cron */30 * * * *", "", "30m0s after it was"},
		{"cron 0,59 * * * *", "", "1m0s after it was"},
		{"cron 0,30 0 1 1 *", "", "30m0s after it was"},
		{"cron @every 59m", "", "59m0s after it was"},
	} {
		t.Run(c.text, func(t *testing.T) {
			t.Parallel()
			s := SyncSchedule{Text: c.text}
			err := s.check(scheduler.Next)
			if c.refused != "" {
				if err == nil || !strings.Contains(err.Error(), c.refused) {
					t.Fatalf("it is refused with %v, want %q", err, c.refused)
				}
				return
			}
			if line, _ := s.line(); err != nil || line != c.line {
				t.Fatalf("its line is %q (%v), want %q", line, err, c.line)
			}
		})
	}
}

func TestWhenAnAccountIsSynchronizedNext(t *testing.T) {
	t.Parallel()
	at := func(day, hour, minute int) time.Time { return time.Date(2026, 3, day, hour, minute, 0, 0, time.UTC) }
	ran := func(start time.Time, outcome ExchangeOutcome, retries int) SyncRun {
		return SyncRun{StartedAt: start, EndedAt: start.Add(time.Minute), Outcome: outcome, Retries: retries}
	}
	const daily = "0 2 * * *"
	for _, c := range []struct {
		name  string
		due   syncDue
		now   time.Time
		want  time.Time
		retry bool
	}{
		{"off", syncDue{settled: []time.Time{at(1, 12, 0)}}, at(2, 12, 0), time.Time{}, false},
		{"set at noon", syncDue{line: daily, settled: []time.Time{at(1, 12, 0)}}, at(1, 12, 0), at(2, 2, 0), false},
		{"with a delay", syncDue{line: daily, delay: 20 * time.Minute, settled: []time.Time{at(1, 12, 0)}}, at(1, 12, 0), at(2, 2, 20), false},
		{"set within the delay", syncDue{line: daily, delay: 20 * time.Minute, settled: []time.Time{at(1, 2, 10)}}, at(1, 2, 10), at(1, 2, 20), false},
		{"it has run", syncDue{line: daily, delay: 20 * time.Minute, settled: []time.Time{at(1, 12, 0)}, run: ran(at(2, 2, 21), ExchangeApplied, 0)}, at(2, 2, 22), at(3, 2, 20), false},
		{"five days missed", syncDue{line: daily, settled: []time.Time{at(1, 12, 0)}, run: ran(at(2, 2, 0), ExchangeApplied, 0)}, at(7, 15, 0), at(3, 2, 0), false},
		{"caught up", syncDue{line: daily, settled: []time.Time{at(1, 12, 0)}, run: ran(at(7, 15, 0), ExchangeApplied, 0)}, at(7, 15, 2), at(8, 2, 0), false},
		{"a file was applied meanwhile", syncDue{line: daily, settled: []time.Time{at(1, 12, 0), at(7, 14, 0)}, run: ran(at(2, 2, 0), ExchangeApplied, 0)}, at(7, 15, 0), at(8, 2, 0), false},
		{"failed", syncDue{line: daily, settled: []time.Time{at(1, 12, 0)}, run: ran(at(2, 2, 0), ExchangeFailed, 0)}, at(2, 2, 5), at(2, 2, 11), true},
		{"failed four times", syncDue{line: daily, settled: []time.Time{at(1, 12, 0)}, run: ran(at(2, 4, 0), ExchangeFailed, 3)}, at(2, 4, 5), at(2, 5, 21), true},
		{"failed too often", syncDue{line: daily, settled: []time.Time{at(1, 12, 0)}, run: ran(at(2, 8, 0), ExchangeFailed, maxSyncRetries)}, at(2, 8, 5), at(3, 2, 0), false},
		{"failed, and the regular one comes first", syncDue{line: "0 * * * *", settled: []time.Time{at(1, 12, 0)}, run: ran(at(2, 2, 40), ExchangeFailed, 1)}, at(2, 2, 45), at(2, 3, 0), false},
		{"failed, then synchronized by hand", syncDue{line: daily, settled: []time.Time{at(2, 2, 3)}, run: ran(at(2, 2, 0), ExchangeFailed, 0)}, at(2, 2, 5), at(3, 2, 0), false},
		{"failed, then set anew", syncDue{line: daily, settled: []time.Time{at(2, 12, 0), at(2, 13, 0)}, run: ran(at(2, 2, 0), ExchangeFailed, 0)}, at(2, 14, 0), at(3, 2, 0), false},
		{"the clock was years ahead when it ran", syncDue{line: daily, settled: []time.Time{at(1, 12, 0), at(1, 12, 0).AddDate(9, 0, 0)}, run: ran(at(1, 12, 0).AddDate(9, 0, 0), ExchangeApplied, 0)}, at(4, 12, 0), at(2, 2, 0), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, retry, err := c.due.next(c.now, scheduler.Next)
			if err != nil || !got.Equal(c.want) || retry != c.retry {
				t.Errorf("it is due at %v, as a retry: %v (%v); want %v, %v", got, retry, err, c.want, c.retry)
			}
		})
	}
}

func TestTheDelayOfAnAccountStaysAndTheDelaysOfManySpread(t *testing.T) {
	t.Parallel()
	s := SyncSchedule{Jitter: 30 * time.Minute}
	var minutes [31]int
	for i := range 3100 {
		id := fmt.Sprintf("SATELL%02d-%d", i%97, i)
		delay := s.delay(id)
		if delay < 0 || delay > s.Jitter || s.delay(id) != delay {
			t.Fatalf("%s begins %v later, then %v", id, delay, s.delay(id))
		}
		minutes[delay/time.Minute]++
	}
	for minute, n := range minutes[:30] {
		if n < 50 || n > 170 {
			t.Errorf("in minute %d begin %d of 3100", minute, n)
		}
	}
	if d := (SyncSchedule{}).delay("SATELL01-1"); d != 0 {
		t.Errorf("without jitter it begins %v later", d)
	}
	// It stays with the next version, too, and is another one for another account or satellite.
	for id, want := range map[string]time.Duration{"SATELL01-1": 11*time.Minute + 44*time.Second, "SATELL01-2": 13*time.Minute + 34*time.Second, "SATELL02-1": 5*time.Minute + 42*time.Second} {
		if d := s.delay(id); d != want {
			t.Errorf("%s begins %v later, want %v", id, d, want)
		}
	}
}
