package main

import (
	"context"
	"errors"
	"time"

	"ssm/satellite"
	"ssm/satellite/store"
	"ssm/sync/scheduler"
)

// runJobs does the periodic work until ctx ends.
func runJobs(ctx context.Context, s *server) error {
	ticker := time.NewTicker(30 * time.Second)
	defer ticker.Stop()
	runner, err := scheduler.New(jobStore{s.store}, s.service.Now, ticker.C, s.log, jobs(s)...)
	if err != nil {
		return err
	}
	if err := runner.RunDue(ctx); err != nil && !errors.Is(err, context.Canceled) {
		s.log.Error("the jobs that were due at the start", "error", err)
	}
	if err := runner.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func jobs(s *server) []scheduler.Job {
	return []scheduler.Job{
		{Name: "forget-replies", Spec: "@every 10m", Run: s.service.ForgetReplies},
		{Name: "count-lots", Spec: "@every 1m", Run: s.service.CountLots},
		{Name: "remind-of-lots", Spec: "@daily", Run: s.service.RemindOfLots},
		{Name: "watch-reservations", Spec: "@hourly", Run: s.service.WatchReservations},
		{Name: "renew-signers", Spec: "@daily", Run: s.service.RenewSigners},
		{Name: "rotate-token-key", Spec: "@daily", Run: s.service.RotateTokenKey},
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
