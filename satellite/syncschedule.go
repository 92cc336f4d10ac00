package satellite

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// SyncSchedule is when an account synchronizes by itself over the network, in
// UTC; that of account 0 is the default, which counts where an account has none
// of its own. It has one of these forms:
//
//	daily 02:00
//	weekly mon 02:00
//	monthly 1 02:00     a day from 1 to 28, which every month has
//	cron 0 2 * * 1-5    never more often than hourly
//	off
type SyncSchedule struct {
	AccountID AccountID
	Text      string        // as above; "": none of its own, for the default that is off
	Jitter    time.Duration // how much later it may begin, see delay
	SetAt     time.Time     // when it was set, or unset: what lay before is not caught up
	SetBy     string
	Run       SyncRun // of the account, whichever schedule counts
}

// SyncRun is the last run that a schedule brought about.
type SyncRun struct {
	StartedAt time.Time // zero: there was none
	EndedAt   time.Time
	Outcome   ExchangeOutcome
	Reason    string // why it failed, or why everything is asked for
	Retries   int    // after the regular run; this one is the last of them
}

const (
	// ScheduleOff is the schedule of who wants none.
	ScheduleOff = "off"
	// DefaultSyncJitter is how much later a run may begin where nothing else is said.
	DefaultSyncJitter = 30 * time.Minute

	maxSyncJitter   = day
	maxScheduleText = 160 // characters
	minSyncInterval = time.Hour
	maxSyncRetries  = 5
	firstSyncRetry  = 10 * time.Minute // doubled with each: the last comes after five hours
)

// Timetable reads a line of a crontab: it returns the first time after the one
// given, in UTC, zero where none comes in years; and an error that says what is
// wrong with the line.
type Timetable func(line string, after time.Time) (time.Time, error)

// none is the timetable of a program that has none.
func (Timetable) none(string, time.Time) (time.Time, error) {
	return time.Time{}, fmt.Errorf("this program knows no schedules")
}

// line is the schedule as a line of a crontab, "" for none.
func (s SyncSchedule) line() (string, error) {
	words := strings.Fields(s.Text)
	if len(words) == 0 {
		return "", nil
	}
	switch form, rest := words[0], words[1:]; {
	case form == ScheduleOff && len(rest) == 0:
		return "", nil
	case form == "daily" && len(rest) == 1:
		return atTime(rest[0], "*", "*")
	case form == "weekly" && len(rest) == 2:
		if !slices.Contains([]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}, rest[0]) {
			return "", fmt.Errorf("%q is no day of the week: mon, tue, wed, thu, fri, sat or sun", rest[0])
		}
		return atTime(rest[1], "*", rest[0])
	case form == "monthly" && len(rest) == 2:
		if day, err := strconv.Atoi(rest[0]); err != nil || day < 1 || day > 28 || strconv.Itoa(day) != rest[0] {
			return "", fmt.Errorf("%q is no day from 1 to 28, which every month has", rest[0])
		}
		return atTime(rest[1], rest[0], "*")
	case form == "cron" && len(rest) > 0:
		return strings.Join(rest, " "), nil
	}
	return "", fmt.Errorf(`write "daily 02:00", "weekly mon 02:00", "monthly 1 02:00", "cron 0 2 * * 1-5" or "off"`)
}

// atTime is the line for a time of the day.
func atTime(text, day, weekday string) (string, error) {
	at, err := time.Parse("15:04", text)
	if err != nil || len(text) != len("15:04") {
		return "", fmt.Errorf("%q is no time from 00:00 to 23:59", text)
	}
	return fmt.Sprintf("%d %d %s * %s", at.Minute(), at.Hour(), day, weekday), nil
}

// check says what is wrong with a schedule.
func (s SyncSchedule) check(timetable Timetable) error {
	line, err := s.line()
	if err != nil || line == "" {
		return err
	}
	// Within an hour that a line names, its minutes are the same in every such
	// hour. So of three times in a row two lie in one hour, if any two do.
	last := time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)
	for i := range 3 {
		next, err := timetable(line, last)
		if err != nil {
			return err
		}
		if i > 0 && !next.IsZero() && next.Sub(last) < minSyncInterval {
			return fmt.Errorf("it would come due %s after it was, and once an hour is enough", next.Sub(last))
		}
		last = next
	}
	return nil
}

// delay is how much later than the others this account begins: up to Jitter, the
// same every time, and another for each account of each satellite, so that not
// all of them knock at the upstream's door at once.
func (s SyncSchedule) delay(externalID string) time.Duration {
	if s.Jitter <= 0 {
		return 0
	}
	digest := sha256.Sum256([]byte(externalID))
	seconds := uint64(s.Jitter/time.Second) + 1
	return time.Duration(binary.BigEndian.Uint64(digest[:8])%seconds) * time.Second
}

// syncDue is all that decides when an account is synchronized by itself.
type syncDue struct {
	line    string // of a crontab; "": never
	delay   time.Duration
	settled []time.Time // what came due before the latest of these is not caught up
	run     SyncRun
}

// next is when that is, zero for never; a time that has come means now. However
// many times have passed without a run, one run answers them all, and so does a
// synchronization by hand or by file. A run that failed is repeated after a
// while, a few times, unless the next regular one comes first; retry says that
// it is such a repetition.
func (d syncDue) next(now time.Time, timetable Timetable) (at time.Time, retry bool, err error) {
	if d.line == "" {
		return time.Time{}, false, nil
	}
	// What lies ahead comes from a clock that was wrong then, and must not keep
	// the account from synchronizing until the time is there.
	var since time.Time
	for _, t := range d.settled {
		if t.After(since) && !t.After(now) {
			since = t
		}
	}
	repeats := false
	if start := d.run.StartedAt; start.After(since) && !start.After(now) {
		since, repeats = start, d.run.Outcome == ExchangeFailed && d.run.Retries < maxSyncRetries
	}
	at, err = timetable(d.line, since.Add(-d.delay))
	if err != nil {
		return time.Time{}, false, err
	}
	if !at.IsZero() {
		at = at.Add(d.delay)
	}
	if again := d.run.EndedAt.Add(firstSyncRetry << d.run.Retries); repeats && (at.IsZero() || again.Before(at)) {
		return again, true, nil
	}
	return at, false, nil
}
