package scheduler_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"ssm/sync/scheduler"
)

func TestOnlySchedulesThatCanComeDueAreAccepted(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, spec string
		refused    string // part of the reason; empty where the line is a schedule
	}{
		{"a delay", "@every 90m", ""},
		{"the shortest delay", "@every 1s", ""},
		{"a name", "@daily", ""},
		{"five fields", "30 3 * * 1-5", ""},
		{"the leap day", "0 0 29 2 *", ""},
		{"fields up to the bound", strings.Repeat("1,", 59) + "1 * * * *", ""},

		{"nothing", "", "empty"},
		{"a word", "sometimes", "5 fields"},
		{"six fields", "0 30 3 * * *", "5 fields"},
		{"an unknown name", "@fortnightly", "unrecognized"},
		{"a minute that no hour has", "60 * * * *", "above maximum"},
		{"a time zone", "TZ=Asia/Tokyo 0 3 * * *", "time zone"},
		{"a time zone, cron's own way", "CRON_TZ=Asia/Tokyo @daily", "time zone"},
		{"a time zone and nothing after it", "TZ=UTC", "time zone"},
		{"a line over the bound", strings.Repeat("1,", 60) + "1 * * * *", "129 bytes, 128"},
		{"no delay", "@every 0s", "at least 1s"},
		{"a delay backwards", "@every -1h", "at least 1s"},
		{"a delay that is none", "@every day", "duration"},
		{"the thirtieth of February", "0 0 30 2 *", "never"},
		{"a field of commas", ", * * * *", "never"},
		{"a step of nothing", "*/0 * * * *", "positive"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := scheduler.Validate(c.spec)
			if c.refused == "" {
				if err != nil {
					t.Fatalf("Validate(%q) = %v, want it accepted", c.spec, err)
				}
				return
			}
			if !errors.Is(err, scheduler.ErrSpec) || !strings.Contains(err.Error(), c.refused) {
				t.Fatalf("Validate(%q) = %v, want ErrSpec with %q", c.spec, err, c.refused)
			}
		})
	}
}

func TestTheNextTimeIsReadInUTC(t *testing.T) {
	t.Parallel()
	tokyo := time.FixedZone("Tokyo", 9*3600)
	got, err := scheduler.Next("0 2 * * *", time.Date(2026, time.March, 2, 10, 0, 0, 0, tokyo))
	if want := time.Date(2026, time.March, 2, 2, 0, 0, 0, time.UTC); err != nil || got != want {
		t.Errorf("it is %v (%v), want %v", got, err, want)
	}
	if got, err := scheduler.Next("TZ=Asia/Tokyo 0 2 * * *", time.Time{}); !errors.Is(err, scheduler.ErrSpec) || !got.IsZero() {
		t.Errorf("it is %v (%v), want ErrSpec", got, err)
	}
}

func FuzzNoLineBringsTheParserDown(f *testing.F) {
	for _, spec := range []string{"@daily", "@every 1h", "TZ=", "CRON_TZ=UTC", "*/5 0-6,8 ? jan sun", "1-2-3 1/2/3 * * *", "@", "@every ", ","} {
		f.Add(spec)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		err := scheduler.Validate(spec)
		if err != nil && !errors.Is(err, scheduler.ErrSpec) {
			t.Fatalf("Validate(%q) = %v, which is not ErrSpec", spec, err)
		}
		if err == nil && (len(spec) > 128 || strings.HasPrefix(spec, "TZ=") || strings.HasPrefix(spec, "CRON_TZ=")) {
			t.Fatalf("Validate(%q) accepted what it must refuse", spec)
		}
	})
}
