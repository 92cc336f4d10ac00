package storetest

import (
	"testing"
	"time"

	"ssm/satellite"
)

// An alert is open once for its account, type and key; closed, it makes room for the next.
func alertsOpenOnceAndClose(t *testing.T, s satellite.Store) {
	w := newWorld(t, s, "alpha")
	other := newWorld(t, s, "beta")
	alert := filled[satellite.Alert](1)
	alert.ID, alert.AccountID, alert.VirtualAccountID = 0, w.account.ID, w.virtual.ID
	alert.ClosedAt = time.Time{}
	open := func(a satellite.Alert) (opened bool) {
		update(t, s, func(tx satellite.Tx) (err error) {
			opened, err = tx.OpenAlert(a)
			return err
		})
		return opened
	}
	list := func(filter satellite.AlertFilter, page satellite.Page) (alerts []satellite.Alert) {
		filter.Scope.All = len(filter.Scope.Accounts)+len(filter.Scope.VirtualAccounts) == 0
		view(t, s, func(tx satellite.Tx) (err error) {
			alerts, err = tx.Alerts(filter, page)
			return err
		})
		return alerts
	}
	if !open(alert) {
		t.Error("an alert does not open")
	}
	alert.ID = 1
	equal(t, "the alert", list(satellite.AlertFilter{}, satellite.Page{Limit: 9}), []satellite.Alert{alert})

	news := alert
	news.Message, news.Source, news.ActionDue, news.OpenedAt = "news", "somebody", at(9), at(9)
	for range 2 {
		if open(news) {
			t.Error("an open alert opens again")
		}
	}
	alert.Message, alert.Source, alert.ActionDue = news.Message, news.Source, news.ActionDue
	equal(t, "the renewed alert", list(satellite.AlertFilter{}, satellite.Page{Limit: 9}), []satellite.Alert{alert})

	// What differs in account, type or key stands beside it.
	second, third, fourth := alert, alert, alert
	second.AccountID, second.VirtualAccountID = other.account.ID, other.virtual.ID
	third.Type, fourth.Key = "another", "another"
	fourth.PIID = "device"
	for _, a := range []satellite.Alert{second, third, fourth} {
		if !open(a) {
			t.Errorf("%+v does not open", a)
		}
	}
	for name, c := range map[string]struct {
		filter satellite.AlertFilter
		page   satellite.Page
		ids    []int64
	}{
		"all":                       {satellite.AlertFilter{}, satellite.Page{Limit: 9}, []int64{4, 3, 2, 1}},
		"the first two":             {satellite.AlertFilter{}, satellite.Page{Limit: 2}, []int64{4, 3}},
		"those after them":          {satellite.AlertFilter{}, satellite.Page{Limit: 2, After: 3}, []int64{2, 1}},
		"of an account":             {satellite.AlertFilter{AccountID: w.account.ID}, satellite.Page{Limit: 9}, []int64{4, 3, 1}},
		"of a type":                 {satellite.AlertFilter{Type: "another"}, satellite.Page{Limit: 9}, []int64{3}},
		"of a device":               {satellite.AlertFilter{PIID: "device"}, satellite.Page{Limit: 9}, []int64{4}},
		"seen in an account":        {satellite.AlertFilter{Scope: satellite.Scope{Accounts: []satellite.AccountID{other.account.ID}}}, satellite.Page{Limit: 9}, []int64{2}},
		"seen in a virtual account": {satellite.AlertFilter{Scope: satellite.Scope{VirtualAccounts: []satellite.VirtualAccountID{w.virtual.ID}}}, satellite.Page{Limit: 9}, []int64{4, 3, 1}},
	} {
		var ids []int64
		for _, a := range list(c.filter, c.page) {
			ids = append(ids, a.ID)
		}
		equal(t, name, ids, c.ids)
	}

	var closed, nothing satellite.Alert
	update(t, s, func(tx satellite.Tx) (err error) {
		if nothing, err = tx.CloseAlert(w.account.ID, alert.Type, "unknown", at(10)); err != nil {
			return err
		}
		closed, err = tx.CloseAlert(w.account.ID, alert.Type, alert.Key, at(10))
		return err
	})
	alert.ClosedAt = at(10)
	equal(t, "what was closed", closed, alert)
	equal(t, "what was not there", nothing, satellite.Alert{})
	if n := len(list(satellite.AlertFilter{}, satellite.Page{Limit: 9})); n != 3 {
		t.Errorf("%d are open, want 3", n)
	}
	alert.ID = 0
	if !open(alert) {
		t.Error("a closed alert does not open again")
	}
	if n := len(list(satellite.AlertFilter{Closed: true}, satellite.Page{Limit: 9})); n != 5 {
		t.Errorf("%d are known, want 5", n)
	}
}
