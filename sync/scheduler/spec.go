package scheduler

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// ErrSpec is wrapped by every error about a line that is not a schedule.
var ErrSpec = errors.New("not a schedule")

const (
	// maxSpec is the longest line that is parsed, in bytes: five fields with a list in each fit easily.
	maxSpec = 128
	// minEvery is the shortest delay. The parser would round anything less, even a negative one, up to it in silence.
	minEvery = time.Second
)

// parser reads the five fields of a crontab (minute, hour, day of month, month, day of week) and the names with @.
var parser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

// Validate reports whether spec is a schedule: five crontab fields ("30 3 * * *"), a name (@yearly, @monthly,
// @weekly, @daily, @hourly) or a delay of at least a second ("@every 90m"). All of them are read in UTC.
//
// It returns ErrSpec, wrapped with the reason, for anything else: a line over 128 bytes, a time zone in front
// (TZ=, CRON_TZ=), and a line that never comes due, such as the thirtieth of February.
func Validate(spec string) error {
	_, err := parse(spec)
	return err
}

// Next returns the first time after the one given at which spec comes due, in UTC; zero where none comes in five years,
// as once around 2100 for the leap day. It returns ErrSpec as Validate does.
func Next(spec string, after time.Time) (time.Time, error) {
	schedule, err := parse(spec)
	if err != nil {
		return time.Time{}, err
	}
	return schedule.Next(after.UTC()), nil
}

func parse(spec string) (schedule cron.Schedule, err error) {
	if len(spec) > maxSpec {
		return nil, fmt.Errorf("%w: the line has %d bytes, %d are allowed", ErrSpec, len(spec), maxSpec)
	}
	if strings.HasPrefix(spec, "TZ=") || strings.HasPrefix(spec, "CRON_TZ=") {
		return nil, fmt.Errorf("%w: %q names a time zone; leave it out, schedules are read in UTC", ErrSpec, spec)
	}
	// The parser is no longer maintained and has panicked on odd input before.
	defer func() {
		if problem := recover(); problem != nil {
			schedule, err = nil, fmt.Errorf("%w: %q cannot be read (%v)", ErrSpec, spec, problem)
		}
	}()
	schedule, err = parser.Parse(spec)
	if err != nil {
		return nil, fmt.Errorf("%w: %q: %w; write five fields (minute hour day month weekday), @daily or @every 1h",
			ErrSpec, spec, err)
	}
	if delay, found := strings.CutPrefix(spec, "@every "); found {
		if every, err := time.ParseDuration(delay); err != nil || every < minEvery {
			return nil, fmt.Errorf("%w: %q: the delay must be at least %s", ErrSpec, spec, minEvery)
		}
		return schedule, nil
	}
	// The parser gives up after five years without a match; the five from here have a leap day, so every real day.
	if schedule.Next(time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return nil, fmt.Errorf("%w: %q never comes due; check the day and the month", ErrSpec, spec)
	}
	return schedule, nil
}

// due reports whether a job with this last run is due now: the next run after the last one has come.
// A job without a last run is due at once.
//
// A clock that was set back must not silence a job until it has caught up with the future: where the last run lies
// more than a whole turn ahead, the job is due as well. Less than that may be the clock of another node, a little
// fast, that has just done the work.
func due(schedule cron.Schedule, last, now time.Time) bool {
	if last.IsZero() {
		return true
	}
	last, now = last.UTC(), now.UTC()
	if !last.After(now) {
		next := schedule.Next(last)
		return !next.IsZero() && !next.After(now)
	}
	turn := schedule.Next(schedule.Next(now))
	return !turn.IsZero() && turn.Before(last)
}
