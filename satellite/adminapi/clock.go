package adminapi

import (
	"context"
	"time"

	"ssm/satellite"
)

// Clock is the guarded clock of the satellite.
type Clock struct {
	Now           time.Time  `json:"now" doc:"The guarded time, by which everything is judged but the clocks of devices."`
	System        time.Time  `json:"system" doc:"What the clock of the system shows."`
	Held          bool       `json:"held" doc:"The clock of the system made a step that nobody has confirmed: returns and expiries wait."`
	HeldSince     *time.Time `json:"held_since" doc:"The guarded time at which the step was noticed."`
	StepSeconds   int64      `json:"step_seconds" doc:"How far the clock of the system is ahead of the guarded time while that is held."`
	ServedSeconds int64      `json:"served_seconds" doc:"How long the satellite has been serving in its whole life."`
	Warning       string     `json:"warning" doc:"What is wrong with the clock of the system; empty where it is believed."`
}

func clockOf(c satellite.Clock) Clock {
	return Clock{
		Now: c.Mark, System: c.SystemAt, Held: c.Held(), HeldSince: instant(c.HeldSince),
		StepSeconds: int64(c.Step / time.Second), ServedSeconds: int64(c.Served / time.Second), Warning: c.Warning(),
	}
}

func (a *api) getClock(ctx context.Context, _ *struct{}) (*output[Clock], error) {
	clock, err := a.service.Clock(ctx, actor(ctx))
	return answer(clockOf(clock), err)
}

func (a *api) confirmClock(ctx context.Context, _ *struct{}) (*output[Clock], error) {
	clock, err := a.service.ConfirmClock(ctx, actor(ctx))
	return answer(clockOf(clock), err)
}
