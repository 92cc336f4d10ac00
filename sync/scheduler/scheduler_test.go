package scheduler_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"

	"ssm/sync/scheduler"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var monday = time.Date(2026, time.March, 2, 8, 0, 0, 0, time.UTC)

// clock is a clock that stands until it is set.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}

// memory is a Store that can be told to fail.
type memory struct {
	mu                sync.Mutex
	last              map[string]time.Time
	problems          map[string]string
	failRead, failAdd error
}

func newMemory() *memory {
	return &memory{last: map[string]time.Time{}, problems: map[string]string{}}
}

func (m *memory) LastRun(_ context.Context, name string) (time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last[name], m.failRead
}

func (m *memory) SaveRun(ctx context.Context, name string, at time.Time, problem string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := errors.Join(ctx.Err(), m.failAdd); err != nil {
		return err
	}
	m.last[name], m.problems[name] = at, problem
	return nil
}

// runs collects the instants at which a job was called.
type runs struct {
	mu sync.Mutex
	at []time.Time
}

func (r *runs) job(name, spec string) scheduler.Job {
	return scheduler.Job{Name: name, Spec: spec, Run: func(_ context.Context, now time.Time) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.at = append(r.at, now)
		return nil
	}}
}

func newRunner(t *testing.T, store scheduler.Store, now func() time.Time, wake <-chan time.Time, jobs ...scheduler.Job) *scheduler.Runner {
	t.Helper()
	runner, err := scheduler.New(store, now, wake, slog.New(slog.DiscardHandler), jobs...)
	if err != nil {
		t.Fatal(err)
	}
	return runner
}

func pass(t *testing.T, runner *scheduler.Runner) {
	t.Helper()
	if err := runner.RunDue(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestASimulatedYearRunsADailyJobOncePerDay(t *testing.T) {
	t.Parallel()
	var daily runs
	time0 := clock{now: monday}
	runner := newRunner(t, newMemory(), time0.Now, nil, daily.job("daily", "30 3 * * *"))

	// The first run is at once; then the clock walks a year in steps of ten minutes.
	for at := monday; at.Before(monday.AddDate(1, 0, 0)); at = at.Add(10 * time.Minute) {
		time0.set(at)
		pass(t, runner)
	}

	if len(daily.at) != 1+365 {
		t.Fatalf("the job ran %d times, want once at the start and on 365 mornings", len(daily.at))
	}
	for i, at := range daily.at[1:] {
		want := time.Date(2026, time.March, 3+i, 3, 30, 0, 0, time.UTC)
		if !at.Equal(want) {
			t.Fatalf("run %d was at %s, want %s", i+1, at, want)
		}
	}
}

func TestMissedRunsAreCaughtUpOnce(t *testing.T) {
	t.Parallel()
	var hourly runs
	store := newMemory()
	store.last["hourly"] = monday
	time0 := clock{now: monday.Add(59 * time.Minute)}
	runner := newRunner(t, store, time0.Now, nil, hourly.job("hourly", "@every 1h"))

	pass(t, runner)
	if len(hourly.at) != 0 {
		t.Fatalf("the job ran at %s, a minute before its time", hourly.at)
	}
	time0.set(monday.Add(72 * time.Hour)) // three days off
	pass(t, runner)
	pass(t, runner)
	if len(hourly.at) != 1 {
		t.Fatalf("after three days the job ran %d times, want once", len(hourly.at))
	}
	if got := store.last["hourly"]; !got.Equal(monday.Add(72 * time.Hour)) {
		t.Fatalf("the run was recorded as of %s, want the instant of the pass", got)
	}
}

func TestAClockThatWasSetBackDoesNotSilenceAJob(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		last time.Time
		want int
	}{
		{"the clock was years ahead when it ran last", monday.AddDate(9, 0, 0), 1},
		{"another node, a second fast, has just run it", monday.Add(time.Second), 0},
		{"it ran at this very instant", monday, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var daily runs
			store := newMemory()
			store.last["daily"] = c.last
			time0 := clock{now: monday}
			runner := newRunner(t, store, time0.Now, nil, daily.job("daily", "@daily"))
			pass(t, runner)
			pass(t, runner)
			if len(daily.at) != c.want {
				t.Fatalf("the job ran %d times, want %d", len(daily.at), c.want)
			}
		})
	}
}

func TestAJobThatFailsOrPanicsFailsAloneAndWaitsForItsNextTime(t *testing.T) {
	t.Parallel()
	var healthy runs
	store := newMemory()
	time0 := clock{now: monday}
	runner := newRunner(t, store, time0.Now, nil,
		scheduler.Job{Name: "fails", Spec: "@hourly", Run: func(context.Context, time.Time) error {
			return errors.New("the disk\nis full " + strings.Repeat("é", 2000))
		}},
		scheduler.Job{Name: "panics", Spec: "@hourly", Run: func(context.Context, time.Time) error { panic("index out of range") }},
		scheduler.Job{Name: "is mute", Spec: "@hourly", Run: func(context.Context, time.Time) error { return errors.New("") }},
		healthy.job("healthy", "@hourly"),
	)

	err := runner.RunDue(t.Context())
	for _, want := range []string{`job "fails": the disk`, `job "panics": panicked: index out of range`, `job "is mute"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the pass answered %v, want it to tell %q", err, want)
		}
	}
	if len(healthy.at) != 1 || store.problems["healthy"] != "" {
		t.Errorf("beside failing jobs the healthy one ran %d times, problem %q", len(healthy.at), store.problems["healthy"])
	}
	told := store.problems["fails"]
	if !strings.HasPrefix(told, "the disk is full") || len(told) > 1000 || !utf8.ValidString(told) {
		t.Errorf("the store was told %q (%d bytes), want one valid line of at most 1000 bytes", told, len(told))
	}
	if store.problems["is mute"] == "" {
		t.Error("a job that failed without a word was recorded as if it went well")
	}
	pass(t, runner) // none is due again before the hour: no error
}

func TestWhatTheStoreCannotTellIsNotRunAndWhatItCannotKeepIsRunAgain(t *testing.T) {
	t.Parallel()
	var job runs
	store := newMemory()
	time0 := clock{now: monday}
	runner := newRunner(t, store, time0.Now, nil, job.job("job", "@daily"))

	store.failRead = errors.New("no table")
	if err := runner.RunDue(t.Context()); !errors.Is(err, store.failRead) || len(job.at) != 0 {
		t.Fatalf("without a last run: %v and %d runs, want the store's error and none", err, len(job.at))
	}
	store.failRead, store.failAdd = nil, errors.New("disk full")
	if err := runner.RunDue(t.Context()); !errors.Is(err, store.failAdd) || len(job.at) != 1 {
		t.Fatalf("without a record: %v and %d runs, want the store's error and one", err, len(job.at))
	}
	store.failAdd = nil
	pass(t, runner)
	pass(t, runner)
	if len(job.at) != 2 {
		t.Fatalf("the job ran %d times, want one more run and then its record", len(job.at))
	}
}

func TestEachWakeStartsWhatIsDueAndALongJobHoldsUpNeitherItselfNorOthers(t *testing.T) {
	t.Parallel()
	store := newMemory()
	time0 := clock{now: monday}
	wake := make(chan time.Time)
	started, release := make(chan time.Time, 10), make(chan struct{})
	quick := make(chan time.Time, 10)
	runner := newRunner(t, store, time0.Now, wake,
		scheduler.Job{Name: "long", Spec: "@every 1m", Run: func(_ context.Context, now time.Time) error {
			started <- now
			<-release
			return nil
		}},
		scheduler.Job{Name: "quick", Spec: "@every 1m", Run: func(_ context.Context, now time.Time) error {
			quick <- now
			return nil
		}},
	)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- runner.Run(ctx) }()

	wake <- monday
	<-started
	<-quick
	for minute := range 3 {
		at := monday.Add(time.Duration(minute+1) * time.Minute)
		time0.set(at)
		// A pass by hand leaves the long job alone, and the quick one, too, while the pass before is still recording it.
		for len(quick) == 0 {
			pass(t, runner)
		}
		if got := <-quick; !got.Equal(at) {
			t.Fatalf("the quick job ran as of %s, want %s", got, at)
		}
	}
	if len(started) != 0 {
		t.Fatal("the long job was started while it was running")
	}

	stop()
	select {
	case err := <-ended:
		t.Fatalf("Run returned %v while a job was running", err)
	default:
	}
	close(release)
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatalf("Run ended with %v, want the end of its context", err)
	}
	if got := store.last["long"]; !got.Equal(monday) {
		t.Fatalf("the long job, done at the very end, is recorded as of %s, want %s", got, monday)
	}
}

func TestAJobCutShortByTheEndIsCaughtUpAfterTheNextStart(t *testing.T) {
	t.Parallel()
	store := newMemory()
	time0 := clock{now: monday}
	ctx, stop := context.WithCancel(t.Context())
	cut := newRunner(t, store, time0.Now, nil, scheduler.Job{Name: "job", Spec: "@daily",
		Run: func(ctx context.Context, _ time.Time) error {
			stop()
			<-ctx.Done()
			return ctx.Err()
		}})
	if err := cut.RunDue(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("the pass answered %v, want the end of its context", err)
	}

	var again runs
	pass(t, newRunner(t, store, time0.Now, nil, again.job("job", "@daily")))
	if len(again.at) != 1 {
		t.Fatalf("after the start the job ran %d times, want once", len(again.at))
	}
}

func TestRunSaysSoWhenItsWakesAreOver(t *testing.T) {
	t.Parallel()
	wake := make(chan time.Time)
	close(wake)
	runner := newRunner(t, newMemory(), func() time.Time { return monday }, wake)
	if err := runner.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "wake") {
		t.Fatalf("Run answered %v, want that its wake channel was closed", err)
	}
}

func TestJobsThatCannotBeToldApartOrReadAreRefused(t *testing.T) {
	t.Parallel()
	work := func(context.Context, time.Time) error { return nil }
	good := scheduler.Job{Name: "sync", Spec: "@daily", Run: work}
	cases := []struct {
		name string
		job  scheduler.Job
		want string
	}{
		{"the same name", scheduler.Job{Name: "sync", Spec: "@hourly", Run: work}, "two jobs"},
		{"no name", scheduler.Job{Spec: "@hourly", Run: work}, "no name"},
		{"nothing to run", scheduler.Job{Name: "idle", Spec: "@hourly"}, "nothing to run"},
		{"no schedule", scheduler.Job{Name: "odd", Spec: "when needed", Run: work}, "odd"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := scheduler.New(newMemory(), func() time.Time { return monday }, nil, slog.New(slog.DiscardHandler), good, c.job)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("New answered %v, want a refusal with %q", err, c.want)
			}
			if c.name == "no schedule" && !errors.Is(err, scheduler.ErrSpec) {
				t.Fatalf("New answered %v, want ErrSpec", err)
			}
		})
	}
}
