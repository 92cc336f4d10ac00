package ui

import (
	"net/url"
	"strings"

	"ssm/satellite"
	"ssm/ui/kit"
)

// eventRow is an event in a table. Its message is the record itself, which is
// in English.
type eventRow struct {
	Time, Kind, Message, Actor, Source, Device string
}

func (r *request) eventRows(events []satellite.Event) []eventRow {
	rows := make([]eventRow, len(events))
	for i, e := range events {
		rows[i] = eventRow{Time: r.words.tableTime(e.At), Kind: r.t("event." + string(e.Type)), Message: e.Message, Actor: e.Actor, Source: e.Source}
		if strings.HasPrefix(e.Actor, "device:") { // which one, the message says
			rows[i].Actor = r.t("events.device")
		}
		if e.PIID != "" {
			rows[i].Device = "/devices/" + url.PathEscape(e.PIID)
		}
	}
	return rows
}

type eventsPage struct {
	Scopes []kit.NavItem
	Rows   []eventRow
	Pager  kit.Pager
}

func listEvents(r *request) error {
	at, query := r.cursor(), r.query("scope")
	filter, all := satellite.EventFilter{AccountID: r.account.ID}, query.Get("scope") == "all" || r.account.ID == 0
	if all {
		filter = satellite.EventFilter{}
	}
	events, err := r.Service.Events(r.context(), r.actor, filter, at.page())
	if err != nil {
		return err
	}
	page := eventsPage{Rows: r.eventRows(events[:min(len(events), pageSize)])}
	if r.account.ID != 0 {
		page.Scopes = []kit.NavItem{
			{Label: r.t("events.account"), URL: "/events", Active: !all}, {Label: r.t("events.all"), URL: "/events?scope=all", Active: all},
		}
	}
	var last int64
	if n := len(page.Rows); n > 0 {
		last = events[n-1].Number
	}
	page.Pager = r.pager(at, "/events", query, len(events), last, -1)
	return r.show("events", r.t("nav.events"), page)
}
