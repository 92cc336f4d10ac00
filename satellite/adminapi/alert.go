package adminapi

import (
	"context"
	"time"

	"ssm/satellite"
)

// Alert is a condition that is open until its cause ends.
type Alert struct {
	ID             int64      `json:"id"`
	Account        string     `json:"account" doc:"Empty where the alert is of the satellite itself."`
	VirtualAccount string     `json:"virtual_account" doc:"Empty where the alert is of the whole account."`
	PIID           string     `json:"piid" doc:"Of the device that it is about, if any."`
	Type           string     `json:"type"`
	Title          string     `json:"title"`
	Severity       string     `json:"severity" enum:"major,minor,informational"`
	Source         string     `json:"source" doc:"What it is about."`
	Message        string     `json:"message"`
	ActionDue      *time.Time `json:"action_due"`
	OpenedAt       time.Time  `json:"opened_at"`
	ClosedAt       *time.Time `json:"closed_at" doc:"Null while it is open."`
}

func alertOf(d directory) func(satellite.Alert) Alert {
	return func(a satellite.Alert) Alert {
		return Alert{
			ID: a.ID, Account: d.accounts[a.AccountID], VirtualAccount: d.virtual[a.VirtualAccountID], PIID: a.PIID,
			Type: string(a.Type), Title: satellite.KindOfAlert(a.Type).Title, Severity: string(a.Severity), Source: a.Source, Message: a.Message,
			ActionDue: instant(a.ActionDue), OpenedAt: a.OpenedAt.UTC(), ClosedAt: instant(a.ClosedAt),
		}
	}
}

type listAlertsInput struct {
	Paging
	Account string `query:"account" maxLength:"255" doc:"Only of this account."`
	Type    string `query:"type" maxLength:"64" doc:"Only of this type."`
	PIID    string `query:"piid" maxLength:"64" doc:"Only about this device."`
	Closed  bool   `query:"closed" doc:"Also those that are closed."`
}

func (a *api) listAlerts(ctx context.Context, in *listAlertsInput) (*output[List[Alert]], error) {
	page, err := in.page()
	if err != nil {
		return nil, err
	}
	account, err := a.accountFilter(ctx, in.Account)
	if err != nil {
		return nil, err
	}
	filter := satellite.AlertFilter{AccountID: account, Type: satellite.AlertType(in.Type), PIID: in.PIID, Closed: in.Closed}
	alerts, err := a.service.Alerts(ctx, actor(ctx), filter, page)
	if err != nil {
		return nil, err
	}
	ids := make([]satellite.AccountID, 0, len(alerts))
	for _, alert := range alerts {
		if alert.VirtualAccountID != 0 {
			ids = append(ids, alert.AccountID)
		}
	}
	d, err := a.directoryOf(ctx, ids...)
	return answer(paged(alerts, in.Limit, alertOf(d), func(a satellite.Alert) int64 { return a.ID }), err)
}

// AlertKind is a row of the table of alerts.
type AlertKind struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Severity string `json:"severity" enum:"major,minor,informational"`
	Cause    string `json:"cause" doc:"What opens it; it closes when that ends."`
	Waits    string `json:"waits" doc:"The capability that its cause will come with; empty where it can be open."`
}

func (a *api) listAlertKinds(ctx context.Context, _ *struct{}) (*output[List[AlertKind]], error) {
	kinds, err := a.service.AlertKinds(actor(ctx))
	return answer(whole(kinds, func(k satellite.AlertKind) AlertKind {
		return AlertKind{Type: string(k.Type), Title: k.Title, Severity: string(k.Severity), Cause: k.Cause, Waits: k.Waits}
	}), err)
}
