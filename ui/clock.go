package ui

import (
	"time"

	"ssm/satellite"
	"ssm/ui/kit"
)

// The system's clock is confirmed on a page of its own: whoever vouches for it
// sees both times first, and what will follow.

type clockPage struct {
	Held    bool
	Facts   kit.Facts
	Effect  string
	Confirm bool // there is something to confirm
}

// clockNotice stands above every page of whoever may confirm the clock, while
// it is not believed; nil otherwise.
func (r *request) clockNotice() *kit.Banner {
	if !r.actor.May(satellite.ActionManageClock) {
		return nil
	}
	clock, err := r.Service.Clock(r.context(), r.actor)
	if err != nil || !clock.Held() {
		return nil
	}
	notice := &kit.Banner{Kind: "bad", Title: r.t("clock.held"), Message: r.t("clock.held.note", "Off", r.words.off(clock.Step), "Since", clock.HeldSince)}
	if r.Request().URL.Path != "/clock" {
		notice.Actions = []kit.Button{{Word: r.t("clock.look"), Size: "small", URL: "/clock"}}
	}
	return notice
}

// off says how far the system's clock is from the satellite's own time.
func (w words) off(step time.Duration) string {
	key := "clock.ahead"
	if step < 0 {
		key, step = "clock.behind", -step
	}
	return w.T(key, "Span", w.span(step))
}

// span is a duration in its largest unit.
func (w words) span(d time.Duration) string {
	switch {
	case d >= 2*day:
		return w.T("span.days", "Count", int(d/day))
	case d >= 2*time.Hour:
		return w.T("span.hours", "Count", int(d/time.Hour))
	}
	return w.T("span.minutes", "Count", int(d/time.Minute))
}

func showClock(r *request) error {
	clock, err := r.Service.Clock(r.context(), r.actor)
	if err != nil {
		return err
	}
	page := clockPage{
		Held: clock.Held(), Confirm: clock.Held() && r.actor.May(satellite.ActionManageClock), Effect: r.t("clock.effect.ahead"),
		Facts: kit.Facts{
			{Term: r.t("clock.system"), Value: r.words.dateTime(clock.SystemAt)}, {Term: r.t("clock.own"), Value: r.words.dateTime(clock.Mark)},
		},
	}
	if page.Held {
		page.Facts = append(page.Facts, kit.Fact{Term: r.t("clock.step"), Value: r.words.off(clock.Step)}, kit.Fact{Term: r.t("clock.since"), Value: r.words.dateTime(clock.HeldSince)})
		if clock.Step < 0 {
			page.Effect = r.t("clock.effect.behind")
		}
	}
	return r.show("clock", r.t("clock.title"), page)
}

func confirmClock(r *request) error {
	clock, err := r.Service.ConfirmClock(r.context(), r.actor)
	if err != nil {
		return err
	}
	return r.done("/clock", r.t("clock.confirmed", "Now", clock.Mark))
}
