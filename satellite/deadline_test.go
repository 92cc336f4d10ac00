package satellite_test

import (
	"strings"
	"testing"

	"ssm/satellite"
)

func TestALapseOfTheSynchronizationIsToldStepByStepAndEndsWithTheNextOne(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "base", quantity: 10})
	_, text := w.token(satellite.NewToken{})
	d := w.device("A").register(text)
	d.ok(d.authorization("base", 7))
	all := []satellite.AlertType{satellite.AlertSyncOverdue, satellite.AlertSyncDeadline, satellite.AlertSatelliteExpired}
	last := w.service.Now()
	until := func(days int, want ...satellite.AlertType) {
		t.Helper()
		w.run(last.AddDate(0, 0, days).Sub(w.service.Now()))
		for _, kind := range all {
			open := len(w.openOfType(kind))
			wanted := 0
			for _, name := range want {
				if name == kind {
					wanted = 1
				}
			}
			if open != wanted {
				t.Errorf("on day %d %d alerts %s are open, want %d", days, open, kind, wanted)
			}
		}
	}
	until(30)
	until(31, satellite.AlertSyncOverdue)
	w.alerted(satellite.AlertSyncOverdue, "minor", "synchronized last on 1 Mar 2026", "sync request")
	until(59, satellite.AlertSyncOverdue)
	until(60, satellite.AlertSyncOverdue, satellite.AlertSyncDeadline)
	w.alerted(satellite.AlertSyncDeadline, "major", "30 May 2026")
	alerts, err := w.service.Alerts(w.ctx, admin, satellite.AlertFilter{Type: satellite.AlertSyncDeadline}, satellite.Page{})
	if err != nil || !alerts[0].ActionDue.Equal(last.AddDate(0, 0, 90)) || alerts[0].AccountID != w.account.ID || alerts[0].Source != "Plant" {
		t.Errorf("the alert is %+v (%v)", alerts, err)
	}
	d.ok(d.authorization())
	until(89, satellite.AlertSyncOverdue, satellite.AlertSyncDeadline)
	until(90, satellite.AlertSyncOverdue, satellite.AlertSatelliteExpired)
	w.alerted(satellite.AlertSatelliteExpired, "major", "takes the licenses of the account back")
	if p := w.pool("base"); p.InUse != 7 || p.Purchased != 10 {
		t.Errorf("a lapse changed the own pool: %d of %d", p.InUse, p.Purchased)
	}
	w.up.renewSigner(t)
	w.sync(w.account, false)
	w.quiet(all...) // at once, not with the next job
	if message := w.lastEvent(satellite.EventAlertClosed); message == "" {
		t.Error("no event says that the alerts are over")
	}
	w.audit()
}

func TestAnAccountThatNeverSynchronizedIsToldSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(31*day - 1000)
	w.quiet(satellite.AlertSyncOverdue)
	w.run(1000)
	w.alerted(satellite.AlertSyncOverdue, "was created, and has never been synchronized")
	w.quiet(satellite.AlertSyncDeadline, satellite.AlertSatelliteExpired, satellite.AlertCertificateExpiring)
	w.trust()
	w.sync(w.account, false)
	w.quiet(satellite.AlertSyncOverdue)
}

func TestACertificateOfTheAccountThatEndsIsToldAgainAtEachStep(t *testing.T) {
	t.Parallel()
	w := registered(t)
	end := w.up.subCA[w.external(w.account)].NotAfter
	left := func(days int) {
		w.Helper()
		w.run(end.AddDate(0, 0, -days).Sub(w.service.Now()))
	}
	left(181)
	w.quiet(satellite.AlertCertificateExpiring)
	opened := 0
	for _, c := range []struct {
		days int
		says string
	}{{180, "180 days or less"}, {91, "180 days or less"}, {90, "90 days or less"}, {31, "90 days or less"}, {30, "30 days or less"}, {1, "30 days or less"}, {0, "Devices cannot register"}} {
		left(c.days)
		w.alerted(satellite.AlertCertificateExpiring, "major", c.says, end.Format("2 Jan 2006"))
	}
	events, err := w.service.Events(w.ctx, admin, satellite.EventFilter{Type: satellite.EventAlertOpened}, satellite.Page{Limit: 1000})
	w.must(err)
	for _, e := range events {
		if strings.Contains(e.Message, "Certificate Expiring") {
			opened++
		}
	}
	if opened != 1 {
		t.Errorf("the alert was opened %d times", opened)
	}
	w.audit()
}

func TestARenewedCertificateOfTheAccountEndsItsAlert(t *testing.T) {
	t.Parallel()
	w := registered(t)
	w.run(w.up.subCA[w.external(w.account)].NotAfter.AddDate(0, 0, -100).Sub(w.service.Now()))
	w.alerted(satellite.AlertCertificateExpiring, "180 days or less")
	w.up.renewSigner(t)
	w.sync(w.account, false)
	w.quiet(satellite.AlertCertificateExpiring)
}
