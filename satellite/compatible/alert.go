package compatible

import (
	"context"
	"strings"

	"ssm/satellite"
)

// alert is one that is open. Clients count the severities MAJOR and MINOR.
type alert struct {
	MessageType string `json:"messageType"`
	Severity    string `json:"severity"`
	Source      string `json:"source"`
	Message     string `json:"message"`
	ActionDue   string `json:"actionDue"` // a day, "" where nothing is due
}

// listAlerts lists what is open, newest first.
func (a *api) listAlerts(ctx context.Context, c *call) (any, error) {
	w := c.in.window()
	if err := c.in.err(); err != nil {
		return nil, err
	}
	account, err := a.account(ctx, c)
	if err != nil {
		return nil, err
	}
	filter := satellite.AlertFilter{AccountID: account.ID}
	total, err := a.service.CountAlerts(ctx, c.actor, filter)
	if err != nil {
		return nil, err
	}
	after, err := a.service.AlertCursor(ctx, c.actor, filter, w.offset)
	if err != nil {
		return nil, err
	}
	read := func(ctx context.Context, page satellite.Page) ([]satellite.Alert, error) {
		return a.service.Alerts(ctx, c.actor, filter, page)
	}
	return keyset(counted{success, total}, "alerts", after, w.limit, read, func(one satellite.Alert) int64 { return one.ID }, alertOf), nil
}

func alertOf(one satellite.Alert) alert {
	return alert{
		MessageType: satellite.KindOfAlert(one.Type).Title, Severity: strings.ToUpper(string(one.Severity)),
		Source: one.Source, Message: one.Message, ActionDue: date(one.ActionDue),
	}
}
