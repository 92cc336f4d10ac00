package satellite_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"ssm/satellite"
)

// scheduleWorld has an account that is registered over the network, at noon.
func scheduleWorld(t *testing.T) *world {
	t.Helper()
	w := onlineWorld(t)
	_, _, err := w.settle(satellite.SyncOptions{Code: "A"})
	w.must(err)
	w.online.calls = 0
	return w
}

func (w *world) schedule(account satellite.AccountID, text string, jitter time.Duration) {
	w.Helper()
	_, err := w.service.SetSyncSchedule(w.ctx, admin, account, text, jitter)
	w.must(err)
}

func (w *world) planned() satellite.ScheduledSync {
	w.Helper()
	plan, err := w.service.ScheduledSync(w.ctx, admin, w.account.ID)
	w.must(err)
	return plan
}

// serveFor lets time pass, and looks every ten minutes at what is due.
func (w *world) serveFor(d time.Duration) {
	w.Helper()
	for range d / (10 * time.Minute) {
		w.clock.advance(10 * time.Minute)
		w.passSchedule()
	}
}

// passSchedule looks at what is due; the upstream may be away.
func (w *world) passSchedule() {
	w.Helper()
	w.must(w.service.Tick(w.ctx))
	w.must(w.service.SynchronizeDue(w.ctx, func(account satellite.Account, problem error) {
		if account.ID != w.account.ID || satellite.CodeOf(problem) != "upstream-unreachable" {
			w.Fatal(problem)
		}
	}))
}

// synchronizeDue is one pass in which no exchange fails.
func (w *world) synchronizeDue(ctx context.Context) error {
	w.Helper()
	return w.service.SynchronizeDue(ctx, func(_ satellite.Account, problem error) { w.Error(problem) })
}

// scheduledRuns are the starts of the exchanges that nobody asked for, oldest first.
func (w *world) scheduledRuns() (at []string) {
	w.Helper()
	for _, e := range slices.Backward(w.history()) {
		if e.By == "schedule" {
			at = append(at, e.StartedAt.Format("01-02 15:04"))
		}
	}
	return at
}

func TestAnAccountSynchronizesByItselfEveryNightAndOnceAfterAnOutage(t *testing.T) {
	t.Parallel()
	w := scheduleWorld(t)
	w.serveFor(48 * time.Hour)
	if runs := w.scheduledRuns(); len(runs) != 0 || w.planned().Waits != satellite.WaitsOff {
		t.Fatalf("without a schedule it ran at %v", runs)
	}
	w.schedule(0, "daily  02:00", 0)
	if p := w.planned(); p.Text != "daily 02:00" || !p.Inherited || p.Waits != "" || !p.NextAt.Equal(time.Date(2026, 3, 4, 2, 0, 0, 0, time.UTC)) || !p.Run.StartedAt.IsZero() {
		t.Errorf("it is planned as %+v", p)
	}
	w.serveFor(48 * time.Hour)
	want := []string{"03-04 02:00", "03-05 02:00"}
	if runs := w.scheduledRuns(); !slices.Equal(runs, want) {
		t.Fatalf("it ran at %v, want %v", runs, want)
	}
	if p := w.planned(); p.Run.Outcome != satellite.ExchangeApplied || p.Run.EndedAt.IsZero() || p.Run.Reason != "" || p.NextAt.Day() != 6 {
		t.Errorf("it is planned as %+v", p)
	}
	// Five days off, then one run, and the next at its time.
	w.must(w.store.Close())
	w.clock.step(5 * day)
	w.open()
	if clock, err := w.service.Clock(w.ctx, admin); err != nil || !clock.Held() {
		t.Errorf("after the outage the clock is %+v (%v)", clock, err)
	}
	w.serveFor(10 * time.Minute)
	if p := w.planned(); !p.Run.StartedAt.Equal(time.Date(2026, 3, 10, 12, 10, 0, 123456000, time.UTC)) || p.NextAt.Day() != 11 {
		t.Errorf("after the outage it is planned as %+v", p)
	}
	// What came from upstream has confirmed the clock, too.
	if clock, err := w.service.Clock(w.ctx, admin); err != nil || clock.Held() {
		t.Errorf("after the run the clock is %+v (%v)", clock, err)
	}
	w.serveFor(24 * time.Hour)
	want = append(want, "03-05 12:10", "03-11 02:00") // the first by the time that was held
	if runs := w.scheduledRuns(); !slices.Equal(runs, want) {
		t.Fatalf("it ran at %v, want %v", runs, want)
	}
	w.audit()
}

func TestAnAccountsOwnScheduleCountsBeforeTheDefault(t *testing.T) {
	t.Parallel()
	w := scheduleWorld(t)
	w.schedule(0, "daily 02:00", 0)
	w.schedule(w.account.ID, "weekly tue 03:00", 0) // the world begins on a Sunday
	if p := w.planned(); p.Inherited || p.Text != "weekly tue 03:00" {
		t.Errorf("it is planned as %+v", p)
	}
	w.serveFor(72 * time.Hour)
	if runs, want := w.scheduledRuns(), []string{"03-03 03:00"}; !slices.Equal(runs, want) {
		t.Fatalf("it ran at %v, want %v", runs, want)
	}
	w.schedule(w.account.ID, "off", 0)
	w.serveFor(10 * day)
	if runs := w.scheduledRuns(); len(runs) != 1 || w.planned().Waits != satellite.WaitsOff {
		t.Errorf("being off, it ran at %v", runs)
	}
	// The default counts from now: what it would have done meanwhile is not caught up.
	w.must(w.service.UnsetSyncSchedule(w.ctx, admin, w.account.ID))
	w.unchanged("unsetting what is not set", func() { w.must(w.service.UnsetSyncSchedule(w.ctx, admin, w.account.ID)) })
	if p := w.planned(); !p.Inherited || p.Text != "daily 02:00" || p.Run.Outcome != satellite.ExchangeApplied {
		t.Errorf("it is planned as %+v", p)
	}
	w.serveFor(24 * time.Hour)
	if runs, want := w.scheduledRuns(), []string{"03-03 03:00", "03-15 02:00"}; !slices.Equal(runs, want) {
		t.Errorf("it ran at %v, want %v", runs, want)
	}
	w.must(w.service.UnsetSyncSchedule(w.ctx, admin, 0))
	if set, err := w.service.DefaultSyncSchedule(w.ctx, admin); err != nil || set.Text != satellite.ScheduleOff || w.planned().Waits != satellite.WaitsOff {
		t.Errorf("the default is %+v (%v)", set, err)
	}
	statuses, err := w.service.SyncStatuses(w.ctx, admin)
	if err != nil || statuses[0].Schedule.Run.Outcome != satellite.ExchangeApplied {
		t.Errorf("the status is %+v (%v)", statuses, err)
	}
	w.audit()
}

func TestARunThatFailsIsRepeatedLessAndLessOften(t *testing.T) {
	t.Parallel()
	w := scheduleWorld(t)
	w.schedule(w.account.ID, "daily 02:00", 0)
	away := true
	w.online.exchange = func(context.Context, int) (bool, error) {
		if away {
			return true, &satellite.UpstreamError{Failure: satellite.UpstreamUnreachable, Reason: "no route"}
		}
		return false, nil
	}
	w.serveFor(24 * time.Hour)
	want := []string{"03-02 02:00", "03-02 02:10", "03-02 02:30", "03-02 03:10", "03-02 04:30", "03-02 07:10"}
	if runs := w.scheduledRuns(); !slices.Equal(runs, want) {
		t.Fatalf("it ran at %v, want %v", runs, want)
	}
	if p := w.planned(); p.Run.Outcome != satellite.ExchangeFailed || !strings.Contains(p.Run.Reason, "no route") || p.Run.Retries != 5 || p.NextAt.Day() != 3 {
		t.Errorf("it is planned as %+v", p)
	}
	// Of the next night it is repeated anew, until it works.
	w.serveFor(14 * time.Hour)
	away = false
	w.serveFor(20 * time.Hour)
	want = append(want, "03-03 02:00", "03-03 02:10")
	if runs := w.scheduledRuns(); !slices.Equal(runs, want) {
		t.Fatalf("it ran at %v, want %v", runs, want)
	}
	// What failed and is settled by hand is not repeated.
	away = true
	w.serveFor(4 * time.Hour)
	away = false
	_, _, err := w.settle(satellite.SyncOptions{})
	w.must(err)
	w.serveFor(12 * time.Hour)
	want = append(want, "03-04 02:00")
	if runs := w.scheduledRuns(); !slices.Equal(runs, want) {
		t.Errorf("it ran at %v, want %v", runs, want)
	}
}

func TestAScheduledRunLeavesOneThatGoesOnAlone(t *testing.T) {
	t.Parallel()
	w := scheduleWorld(t)
	w.schedule(0, "cron 0 * * * *", 0)
	began, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan error)
	w.online.exchange = func(_ context.Context, n int) (bool, error) {
		if n == 1 {
			close(began)
			<-goOn
			return true, &satellite.UpstreamError{Failure: satellite.UpstreamGaveUp, Reason: "it hung"}
		}
		return false, nil
	}
	w.clock.advance(59 * time.Minute)
	go func() {
		_, err := w.service.Synchronize(w.ctx, admin, w.account.ID, satellite.SyncOptions{}, func(satellite.SyncProgress) {})
		ended <- err
	}()
	<-began
	w.clock.advance(5 * time.Minute)
	w.must(w.synchronizeDue(w.ctx))
	if p := w.planned(); !p.Running || !p.Run.StartedAt.IsZero() || p.NextAt.After(w.service.Now()) || w.online.calls != 1 {
		t.Errorf("while one goes on it is planned as %+v", p)
	}
	close(goOn)
	if err := <-ended; satellite.CodeOf(err) != "upstream-gave-up" {
		t.Error(err)
	}
	// It failed, so the run is still due.
	w.must(w.synchronizeDue(w.ctx))
	if p := w.planned(); p.Running || p.Run.Outcome != satellite.ExchangeApplied || p.NextAt.Hour() != 14 {
		t.Errorf("it is planned as %+v", p)
	}
	// The end of the program is no failed run: it is due at the next start.
	w.clock.advance(time.Hour)
	ctx, cancel := context.WithCancel(w.ctx)
	w.online.exchange = func(ctx context.Context, _ int) (bool, error) { cancel(); return true, ctx.Err() }
	if err := w.synchronizeDue(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if p := w.planned(); p.Run.Outcome != satellite.ExchangeApplied || p.NextAt.After(w.service.Now()) {
		t.Errorf("interrupted, it is planned as %+v", p)
	}
}

func TestWhatCannotRunByItselfSaysWhy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.online.tb = t
	w.trust()
	w.schedule(0, "daily 02:00", 90*time.Minute)
	waits := func(want satellite.ScheduleWait) {
		t.Helper()
		if p := w.planned(); p.Waits != want || !p.NextAt.IsZero() {
			t.Errorf("it is planned as %+v, want it to wait: %s", p, want)
		}
		w.clock.advance(day)
		w.must(w.synchronizeDue(w.ctx))
		if w.online.calls != 0 {
			t.Error("it ran")
		}
	}
	waits(satellite.WaitsByFile)
	_, err := w.service.SetUpstream(w.ctx, admin, satellite.UpstreamSettings{URL: "https://upstream.example"})
	w.must(err)
	waits(satellite.WaitsUnregistered)
	w.sync(w.account, false)
	_, err = w.service.DeactivateAccount(w.ctx, admin, w.account.ID, "moved")
	w.must(err)
	waits(satellite.WaitsInactive)
	_, err = w.service.ActivateAccount(w.ctx, admin, w.account.ID)
	w.must(err)
	p := w.planned()
	// What it missed is caught up.
	if from := time.Date(2026, 3, 4, 2, 0, 0, 0, time.UTC); p.Waits != "" || p.NextAt.Before(from) || p.NextAt.After(from.Add(90*time.Minute)) {
		t.Errorf("it is planned as %+v", p)
	}
	// The delay is the same at every look, and after a restart.
	w.must(w.store.Close())
	w.open()
	if again := w.planned(); !again.NextAt.Equal(p.NextAt) {
		t.Errorf("after a restart it is planned for %v, and was for %v", again.NextAt, p.NextAt)
	}
}

func TestAScheduleThatIsNoneIsRefusedInASentence(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	set := func(actor satellite.Actor, account satellite.AccountID, text string, jitter time.Duration) error {
		_, err := w.service.SetSyncSchedule(w.ctx, actor, account, text, jitter)
		return err
	}
	owner := satellite.Actor{Name: "owner", Role: satellite.RoleSystemUser, Grants: []satellite.Grant{{Role: satellite.RoleAccountAdmin, AccountID: w.account.ID}}}
	w.unchanged("a refused schedule", func() {
		refused(t, set(admin, 0, "cron TZ=Asia/Tokyo 0 2 * * *", 0), satellite.KindInvalid, "sync-schedule-invalid", "names a time zone", "Nothing was changed", "UTC")
		refused(t, set(admin, 0, "cron */5 * * * *", 0), satellite.KindInvalid, "sync-schedule-invalid", "once an hour is enough")
		refused(t, set(admin, w.account.ID, "daily", 0), satellite.KindInvalid, "sync-schedule-invalid", `"daily 02:00"`)
		refused(t, set(admin, 0, strings.Repeat("cron ", 40), 0), satellite.KindInvalid, "sync-schedule-invalid", "160 characters")
		refused(t, set(admin, 0, " ", 0), satellite.KindInvalid, "sync-schedule-invalid", "1 to 160")
		refused(t, set(admin, 0, "daily 02:00", 25*time.Hour), satellite.KindInvalid, "sync-jitter-invalid", "1440")
		refused(t, set(admin, 0, "daily 02:00", -time.Minute), satellite.KindInvalid, "sync-jitter-invalid")
		refused(t, set(admin, 0, "daily 02:00", time.Second), satellite.KindInvalid, "sync-jitter-invalid", "whole minutes")
		refused(t, set(admin, 99, "daily 02:00", 0), satellite.KindNotFound, "account-not-found")
		refused(t, set(w.viewer(), w.account.ID, "off", 0), satellite.KindForbidden, "role-insufficient")
		refused(t, set(owner, 0, "off", 0), satellite.KindForbidden, "role-insufficient")
		refused(t, w.service.UnsetSyncSchedule(w.ctx, owner, 0), satellite.KindForbidden, "role-insufficient")
	})
	w.must(set(owner, w.account.ID, "monthly 1 02:00", 0))
	w.must(w.service.UnsetSyncSchedule(w.ctx, owner, w.account.ID))
	w.audit()
}
