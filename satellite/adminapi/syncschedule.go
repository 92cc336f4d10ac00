package adminapi

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"ssm/satellite"
)

// NewSyncSchedule is when an account is to synchronize by itself.
type NewSyncSchedule struct {
	Schedule      string `json:"schedule" minLength:"1" maxLength:"160" doc:"In UTC: daily 02:00, weekly mon 02:00, monthly 1 02:00 (a day to 28), cron 0 2 * * 1-5 (never more often than hourly), or off."`
	JitterMinutes *int   `json:"jitter_minutes,omitempty" minimum:"0" maximum:"1440" doc:"How much later a run may begin: how much stays the same for the account; left out: 30."`
}

// SyncSchedule is when an account synchronizes by itself over the network. Of
// the default it tells only what was set.
type SyncSchedule struct {
	Account       string     `json:"account" doc:"Empty: the default."`
	Schedule      string     `json:"schedule"`
	TimeZone      string     `json:"time_zone" enum:"UTC"`
	JitterMinutes int        `json:"jitter_minutes"`
	Inherited     bool       `json:"inherited" doc:"The account has none of its own: this is the default."`
	SetAt         *time.Time `json:"set_at"`
	SetBy         string     `json:"set_by"`
	Waits         string     `json:"waits" enum:",off,by-file,not-registered,inactive" doc:"Why it does not run: it is off; no upstream is set, so a person carries the files; the account is not registered upstream yet; it is not active. Empty: it runs."`
	NextRunAt     *time.Time `json:"next_run_at" doc:"In the past: at once."`
	Running       bool       `json:"running" doc:"An exchange of the account goes on, whoever has begun it."`
	LastRun       *SyncRun   `json:"last_run"`
}

// TransformSchema says that there may be no last run: huma knows no null for a type with a name.
func (SyncSchedule) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	lastRun := s.Properties["last_run"]
	s.Properties["last_run"] = &huma.Schema{Description: lastRun.Description, OneOf: []*huma.Schema{{Ref: lastRun.Ref}, {Enum: []any{nil}}}}
	return s
}

// SyncRun is a run that a schedule brought about.
type SyncRun struct {
	StartedAt time.Time  `json:"started_at"`
	EndedAt   *time.Time `json:"ended_at"`
	Outcome   string     `json:"outcome" enum:"applied,full-requested,failed"`
	Reason    string     `json:"reason" doc:"Why it failed, or why the upstream asks for everything."`
	Retries   int        `json:"retries" doc:"How often it was repeated since the regular run."`
}

func syncScheduleOf(account string, s satellite.ScheduledSync) SyncSchedule {
	out := SyncSchedule{
		Account: account, Schedule: s.Text, TimeZone: "UTC", JitterMinutes: int(s.Jitter / time.Minute), Inherited: s.Inherited,
		SetAt: instant(s.SetAt), SetBy: s.SetBy, Waits: string(s.Waits), NextRunAt: instant(s.NextAt), Running: s.Running,
	}
	if r := s.Run; !r.StartedAt.IsZero() {
		out.LastRun = &SyncRun{StartedAt: r.StartedAt.UTC(), EndedAt: instant(r.EndedAt), Outcome: string(r.Outcome), Reason: r.Reason, Retries: r.Retries}
	}
	return out
}

func (a *api) getDefaultSyncSchedule(ctx context.Context, _ *struct{}) (*output[SyncSchedule], error) {
	set, err := a.service.DefaultSyncSchedule(ctx, actor(ctx))
	return answer(syncScheduleOf("", satellite.ScheduledSync{SyncSchedule: set}), err)
}

func (a *api) setDefaultSyncSchedule(ctx context.Context, in *struct{ Body NewSyncSchedule }) (*output[SyncSchedule], error) {
	set, err := a.service.SetSyncSchedule(ctx, actor(ctx), 0, in.Body.Schedule, in.Body.jitter())
	return answer(syncScheduleOf("", satellite.ScheduledSync{SyncSchedule: set}), err)
}

func (n NewSyncSchedule) jitter() time.Duration {
	if n.JitterMinutes == nil {
		return satellite.DefaultSyncJitter
	}
	return time.Duration(*n.JitterMinutes) * time.Minute
}

func (a *api) unsetDefaultSyncSchedule(ctx context.Context, _ *struct{}) (*struct{}, error) {
	return nil, a.service.UnsetSyncSchedule(ctx, actor(ctx), 0)
}

func (a *api) getSyncSchedule(ctx context.Context, in *AccountPath) (*output[SyncSchedule], error) {
	account, err := a.service.FindAccount(ctx, actor(ctx), in.Account)
	if err != nil {
		return nil, err
	}
	plan, err := a.service.ScheduledSync(ctx, actor(ctx), account.ID)
	return answer(syncScheduleOf(account.Name, plan), err)
}

type setSyncScheduleInput struct {
	AccountPath
	Body NewSyncSchedule
}

func (a *api) setSyncSchedule(ctx context.Context, in *setSyncScheduleInput) (*output[SyncSchedule], error) {
	account, err := a.service.FindAccount(ctx, actor(ctx), in.Account)
	if err != nil {
		return nil, err
	}
	if _, err := a.service.SetSyncSchedule(ctx, actor(ctx), account.ID, in.Body.Schedule, in.Body.jitter()); err != nil {
		return nil, err
	}
	return a.getSyncSchedule(ctx, &in.AccountPath)
}

func (a *api) unsetSyncSchedule(ctx context.Context, in *AccountPath) (*struct{}, error) {
	account, err := a.service.FindAccount(ctx, actor(ctx), in.Account)
	if err != nil {
		return nil, err
	}
	return nil, a.service.UnsetSyncSchedule(ctx, actor(ctx), account.ID)
}
