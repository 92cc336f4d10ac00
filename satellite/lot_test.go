package satellite_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ssm/satellite"
)

func (w *world) remind() {
	w.Helper()
	w.must(w.service.RemindOfLots(w.ctx, w.service.Now()))
}

// At each step one reminder, each an event; an alert that stays open until the
// end, and another one from then on until the upstream takes the lot away.
func TestALotIsRemindedOfUntilItEndsAndThenUntilItIsGone(t *testing.T) {
	t.Parallel()
	end := begin.Add(200 * day)
	w := registered(t, lot{tag: "base", quantity: 7}, lot{id: "term", tag: "base", quantity: 3, end: end})
	open := func(kind satellite.AlertType) (found satellite.Alert) {
		t.Helper()
		list, err := w.service.Alerts(w.ctx, admin, satellite.AlertFilter{AccountID: w.account.ID, Type: kind}, satellite.Page{})
		w.must(err)
		if len(list) > 1 {
			t.Errorf("%d alerts %s are open", len(list), kind)
		}
		for _, found = range list {
		}
		return found
	}
	steps, opened := map[int]int{}, int64(0)
	for left := 200; left > 0; left-- {
		w.pass(end.Add(-time.Duration(left) * day).Sub(w.clock.Now()))
		w.remind()
		alert := open(satellite.AlertLicensesExpiring)
		if (alert.ID != 0) != (left <= 90) {
			t.Fatalf("%d days before the end the alert is %+v", left, alert)
		}
		if left > 90 {
			continue
		}
		if opened == 0 {
			opened = alert.ID
		}
		var step int
		if _, err := fmt.Sscanf(alert.Message[strings.LastIndex(alert.Message, "of "):], "of %d days", &step); err != nil || alert.ID != opened || alert.ActionDue.Round(time.Second) != end.Round(time.Second) || alert.Severity != satellite.Minor {
			t.Fatalf("%d days before: %+v", left, alert)
		}
		steps[step] = max(steps[step], left)
	}
	if want := "map[1:1 7:7 14:14 30:30 60:60 90:90]"; fmt.Sprint(steps) != want {
		t.Errorf("the steps begin %v days before the end, want %s", steps, want)
	}
	if first, again := w.events(satellite.EventAlertOpened, "3 of License base end on"), w.events(satellite.EventAlertRenewed, "3 of License base end on"); first != 1 || again != 5 {
		t.Errorf("it was said %d times first and %d times again", first, again)
	}
	w.pass(end.Sub(w.clock.Now()))
	w.remind()
	if alert := open(satellite.AlertLicensesExpired); alert.ID == 0 || !alert.ActionDue.Equal(end.Truncate(time.Microsecond)) || alert.Severity != satellite.Major || open(satellite.AlertLicensesExpiring).ID != 0 {
		t.Errorf("at the end: %+v", alert)
	}
	w.pass(100 * day)
	w.unchanged("the job, a hundred days later", w.remind)
	w.buy(lot{tag: "base", quantity: 7}, lot{id: "term", tag: "base", quantity: 3, end: end})
	if open(satellite.AlertLicensesExpired).ID == 0 {
		t.Error("the lot is still there, and the alert is not")
	}
	w.buy(lot{tag: "base", quantity: 7})
	if open(satellite.AlertLicensesExpired).ID != 0 || w.events(satellite.EventAlertClosed, "the upstream no longer has the lot") != 1 {
		t.Error("the lot is gone, and the alert is not")
	}
	w.audit()
}

func TestASynchronizationTellsAtOnceWhatEnds(t *testing.T) {
	t.Parallel()
	w := registered(t,
		lot{id: "soon", tag: "base", quantity: 1, end: begin.Add(20 * day)}, lot{id: "past", tag: "base", quantity: 2, end: begin.Add(-day)},
		lot{id: "late", tag: "base", quantity: 4, end: begin.Add(91 * day)}, lot{id: "none", tag: "base", quantity: 0, end: begin.Add(day)})
	if text := w.alerts(satellite.AlertLicensesExpiring); !strings.Contains(text, "the reminder of 30 days before") || strings.Contains(text, "\n") {
		t.Errorf("what ends: %s", text)
	}
	if text := w.alerts(satellite.AlertLicensesExpired); !strings.Contains(text, "2 of License base ended on") || strings.Contains(text, "\n") {
		t.Errorf("what has ended: %s", text)
	}
	w.unchanged("the job after it", w.remind)
	// Both are renewed upstream; the late one is cut short.
	w.buy(lot{id: "soon", tag: "base", quantity: 1, end: begin.Add(400 * day)}, lot{id: "past", tag: "base", quantity: 2}, lot{id: "late", tag: "base", quantity: 4, end: begin.Add(day)})
	if text := w.alerts(satellite.AlertLicensesExpiring) + w.alerts(satellite.AlertLicensesExpired); !strings.Contains(text, "4 of License base end on") || strings.Contains(text, "\n") {
		t.Errorf("after the renewal: %s", text)
	}
	w.audit()
}

// Many more than go into one transaction, on several virtual accounts: one run
// finds all of them.
func TestTheJobsWorkThroughAnyNumberOfLots(t *testing.T) {
	t.Parallel()
	const many = 450
	var lots []lot
	for n := range many {
		lots = append(lots, lot{tag: fmt.Sprintf("tag-%03d", n), quantity: 2, end: begin.Add(100*day + time.Duration(n/3)*time.Minute)})
	}
	w := registered(t, lots...)
	w.place("Lab")
	for n := range 20 {
		w.must(w.move(fmt.Sprintf("tag-%03d", n), "", "Lab", 1))
	}
	d := w.in("", "A")
	d.ok(d.authorization("tag-000", 1, "tag-449", 1))
	w.pass(101 * day)
	w.must(w.service.CountLots(w.ctx, w.service.Now()))
	w.remind()
	rows, err := w.service.Licenses(w.ctx, admin, satellite.PoolFilter{AccountID: w.account.ID})
	w.must(err)
	for _, row := range rows {
		if row.Quantity() != 0 || !row.PurchasedUntil.IsZero() || row.Insufficient != (row.InUse > 0) {
			t.Errorf("%s in %s: %+v", row.License.Tag, row.VirtualAccount, row.Pool)
		}
	}
	if n := w.events(satellite.EventAlertOpened, "and are no longer counted"); n != many || len(rows) != many+20 {
		t.Errorf("%d lots of %d are said to have ended; there are %d pools", n, many, len(rows))
	}
	w.audit()
}
