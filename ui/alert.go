package ui

import (
	"net/url"
	"strconv"

	"ssm/satellite"
	"ssm/ui/kit"
)

// alertRow is an open alert in a table. Its message and what it is about are
// the record itself, which is in English.
type alertRow struct {
	Time, Title, Message, About, URL, Due string
	Severity                              kit.Badge
}

func (r *request) alertRows(alerts []satellite.Alert) []alertRow {
	rows := make([]alertRow, len(alerts))
	for i, a := range alerts {
		rows[i] = alertRow{
			Time: r.words.tableTime(a.OpenedAt), Title: r.t("alert." + string(a.Type)), Message: a.Message, About: a.Source,
			URL: r.alertURL(a), Severity: r.severityBadge(a.Severity),
		}
		if !a.ActionDue.IsZero() {
			rows[i].Due = r.t("alerts.due", "Date", r.words.tableDate(a.ActionDue))
		}
	}
	return rows
}

func (r *request) severityBadge(severity satellite.Severity) kit.Badge {
	badges := map[satellite.Severity]kit.Badge{
		satellite.Major: {Kind: "bad"}, satellite.Minor: {Kind: "warn", Icon: "info-circle"}, satellite.Informational: {Kind: "idle", Icon: "info-circle"},
	}
	badge := badges[severity]
	badge.Word = r.t("severity." + string(severity))
	return badge
}

// alertURL is the page where the cause of an alert stands, "" where there is none.
func (r *request) alertURL(a satellite.Alert) string {
	inAccount := func(path string) string {
		for _, account := range r.accounts {
			if account.ID == a.AccountID && account.ID != r.account.ID {
				return path + "?" + url.Values{"account": {account.Name}}.Encode()
			}
		}
		return path
	}
	switch a.Type {
	case satellite.AlertClockMoved:
		if r.actor.May(satellite.ActionRead) {
			return "/clock"
		}
		return ""
	case satellite.AlertAgreementPending, satellite.AlertAgreementUpdated:
		return inAccount("/agreement")
	case satellite.AlertSyncOverdue, satellite.AlertSyncDeadline, satellite.AlertSatelliteExpired, satellite.AlertCertificateExpiring, satellite.AlertAuthorizationPending:
		if r.whole(a.AccountID) {
			return syncURL(a.AccountID)
		}
		return ""
	case satellite.AlertInsufficientLicenses, satellite.AlertLicensesExpired, satellite.AlertLicensesExpiring:
		return inAccount("/licenses")
	}
	if a.PIID != "" {
		return "/devices/" + url.PathEscape(a.PIID)
	}
	return ""
}

// maxAlertCount is how far alerts are counted.
const maxAlertCount = 99

// openAlerts are the open alerts of the chosen account, newest first, and their
// number in words; those beyond the hundredth only count as more.
func (r *request) openAlerts() (alerts []satellite.Alert, count string, err error) {
	if r.account.ID == 0 {
		return nil, "", nil
	}
	alerts, err = r.Service.Alerts(r.context(), r.actor, satellite.AlertFilter{AccountID: r.account.ID}, satellite.Page{Limit: maxAlertCount + 1})
	switch n := len(alerts); {
	case n > maxAlertCount:
		count = strconv.Itoa(maxAlertCount) + "+"
	case n > 0:
		count = strconv.Itoa(n)
	}
	return alerts, count, err
}

type alertsPage struct {
	Scopes []kit.NavItem
	Rows   []alertRow
	Pager  kit.Pager
}

func listAlerts(r *request) error {
	at, query := r.cursor(), r.query("scope")
	filter, all := satellite.AlertFilter{AccountID: r.account.ID}, query.Get("scope") == "all" || r.account.ID == 0
	if all {
		filter = satellite.AlertFilter{}
	}
	alerts, err := r.Service.Alerts(r.context(), r.actor, filter, at.page())
	if err != nil {
		return err
	}
	page := alertsPage{Rows: r.alertRows(alerts[:min(len(alerts), pageSize)])}
	if r.account.ID != 0 {
		page.Scopes = []kit.NavItem{
			{Label: r.t("events.account"), URL: "/alerts", Active: !all}, {Label: r.t("events.all"), URL: "/alerts?scope=all", Active: all},
		}
	}
	var last int64
	if n := len(page.Rows); n > 0 {
		last = alerts[n-1].ID
	}
	page.Pager = r.pager(at, "/alerts", query, len(alerts), last, -1)
	return r.show("alerts", r.t("nav.alerts"), page)
}
