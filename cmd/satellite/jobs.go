package main

import (
	"context"
	"errors"
	"time"

	"ssm/satellite"
	"ssm/satellite/store"
	"ssm/sync/scheduler"
)

// wakeEvery is how often the jobs are looked at.
const wakeEvery = 30 * time.Second

func (s *server) prepareJobs() (err error) {
	s.ticker = time.NewTicker(wakeEvery)
	s.jobs, err = scheduler.New(jobStore{s.store}, s.service.Now, s.ticker.C, s.log, jobs(s)...)
	return err
}

// runJobs does the periodic work until ctx ends.
func (s *server) runJobs(ctx context.Context) error {
	if err := s.jobs.RunDue(ctx); err != nil && !errors.Is(err, context.Canceled) {
		s.log.Error("the jobs that were due at the start", "error", err)
	}
	if err := s.attend(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	// So that the next start knows how long the satellite has served.
	return s.service.Tick(context.WithoutCancel(ctx))
}

func jobs(s *server) []scheduler.Job {
	return []scheduler.Job{
		{Name: "tick", Spec: "@every 1m", Run: func(ctx context.Context, _ time.Time) error { return s.service.Tick(ctx) }},
		{Name: "return-silent", Spec: "@hourly", Run: s.service.ReturnSilent},
		{Name: "watch-devices", Spec: "@daily", Run: func(ctx context.Context, now time.Time) error {
			return s.service.WatchDevices(ctx, now, s.service.Served())
		}},
		{Name: "watch-deadlines", Spec: "@daily", Run: s.service.WatchDeadlines},
		{Name: "forget-replies", Spec: "@every 10m", Run: s.service.ForgetReplies},
		{Name: "synchronize", Spec: "@every 1m", Run: func(ctx context.Context, _ time.Time) error {
			return s.service.SynchronizeDue(ctx, func(account satellite.Account, problem error) {
				s.log.WarnContext(ctx, "scheduled synchronization failed", "account", account.Name, "code", satellite.CodeOf(problem), "error", problem)
			})
		}},
		{Name: "count-lots", Spec: "@every 1m", Run: s.service.CountLots},
		{Name: "remind-of-lots", Spec: "@daily", Run: s.service.RemindOfLots},
		{Name: "watch-reservations", Spec: "@hourly", Run: s.service.WatchReservations},
		{Name: "renew-signers", Spec: "@daily", Run: s.service.RenewSigners},
		{Name: "rotate-token-key", Spec: "@daily", Run: s.service.RotateTokenKey},
		{Name: "forget-events", Spec: "@daily", Run: s.service.ForgetEvents},
		{Name: "refresh-bundle", Spec: "@hourly", Run: func(ctx context.Context, _ time.Time) error { return s.bundle.refresh(ctx) }},
		{Name: "forget-sessions", Spec: "@hourly", Run: func(ctx context.Context, now time.Time) error {
			return s.store.Update(ctx, func(tx satellite.Tx) error { return tx.DeleteSessionsBefore(now) })
		}},
	}
}

// jobStore keeps the last runs in the satellite's own store.
type jobStore struct{ store *store.Store }

func (j jobStore) LastRun(ctx context.Context, name string) (at time.Time, err error) {
	err = j.store.View(ctx, func(tx satellite.Tx) error {
		at, err = tx.LastRun(name)
		return err
	})
	return at, err
}

func (j jobStore) SaveRun(ctx context.Context, name string, at time.Time, problem string) error {
	return j.store.Update(ctx, func(tx satellite.Tx) error { return tx.SaveRun(name, at, problem) })
}
