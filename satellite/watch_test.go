package satellite_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ssm/satellite"
	"ssm/satellite/wire"
)

// served notes that a device was heard when the satellite had served so long.
func (w *world) servedAt(d *device, served time.Duration) {
	w.Helper()
	w.must(w.store.Update(w.ctx, func(tx satellite.Tx) error {
		instance, err := tx.Instance(d.piid)
		if err != nil {
			return err
		}
		instance.LastServed = served
		return tx.TouchInstance(instance)
	}))
}

func TestADeviceThatIsSilentFor60DaysOfServedTimeRaisesAnAlert(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "base", quantity: 9})
	_, text := w.token(satellite.NewToken{})
	silent, idle := w.device("A").register(text), w.device("B").register(text)
	silent.told("base", "in-compliance 3", "base", 3)
	idle.told("base", "none")
	w.servedAt(silent, 10*day)
	watch := func(served time.Duration) []satellite.Alert {
		t.Helper()
		w.must(w.service.WatchDevices(w.ctx, w.service.Now(), served))
		return w.alertsOf(satellite.AlertFailedToConnect)
	}
	w.pass(100 * day)
	if alerts := watch(70 * day); len(alerts) != 0 {
		t.Errorf("after 60 days of served time, of which none is over, the alerts are %+v", alerts)
	}
	alerts := watch(70*day + time.Second)
	if len(alerts) != 1 || alerts[0].PIID != silent.piid || alerts[0].Severity != satellite.Minor || !strings.Contains(alerts[0].Message, "1 Mar 2026") {
		t.Fatalf("the alerts are %+v", alerts)
	}
	w.unchanged("a second watch", func() { watch(80 * day) })
	// The 90-day return does not end it: the device is still away.
	w.silence(silent)
	if alerts = watch(120 * day); len(alerts) != 1 {
		t.Errorf("after the return there are %d alerts", len(alerts))
	}
	silent.told("base", "in-compliance 3")
	if alerts = w.alertsOf(satellite.AlertFailedToConnect); len(alerts) != 0 {
		t.Errorf("after it has spoken the alerts are %+v", alerts)
	}
	// The next silence is counted from there.
	w.servedAt(silent, 120*day)
	if alerts = watch(180 * day); len(alerts) != 0 {
		t.Errorf("60 days later the alerts are %+v", alerts)
	}
	if alerts = watch(180*day + time.Second); len(alerts) != 1 {
		t.Errorf("after 60 days there are %d alerts", len(alerts))
	}
	w.audit()
}

func TestEachWayBackEndsTheAlertOfSilence(t *testing.T) {
	t.Parallel()
	for name, back := range map[string]func(*device){
		"authorization":  func(d *device) { d.ok(d.authorization()) },
		"renewal":        func(d *device) { d.ok(d.renewal()) },
		"deregistration": func(d *device) { d.ok(d.message(wire.Deregistration, wire.RequestData{})) },
		"removal":        func(d *device) { d.must(d.service.RemoveInstance(d.ctx, admin, d.piid)) },
		"registration": func(d *device) {
			d.key = newKey(d)
			d.ok(d.registration(d.fresh(), true))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := registered(t, lot{tag: "base", quantity: 9})
			_, text := w.token(satellite.NewToken{})
			d := w.device("A").register(text)
			d.told("base", "in-compliance 3", "base", 3)
			w.pass(61 * day)
			w.watch()
			if alerts := w.alertsOf(satellite.AlertFailedToConnect); len(alerts) != 1 {
				t.Fatalf("the alerts are %+v", alerts)
			}
			back(d)
			if alerts := w.alertsOf(satellite.AlertFailedToConnect); len(alerts) != 0 {
				t.Errorf("the alerts are still %+v", alerts)
			}
			w.audit()
		})
	}
}

func TestACertificateThatIsNotRenewedInTimeRaisesAnAlert(t *testing.T) {
	t.Parallel()
	for name, back := range map[string]func(*device){
		"renewal": func(d *device) { d.ok(d.renewal()) },
		"removal": func(d *device) { d.must(d.service.RemoveInstance(d.ctx, admin, d.piid)) },
		"registration": func(d *device) {
			d.key = newKey(d)
			d.ok(d.registration(d.fresh(), true))
		},
		"registration after its end": func(d *device) {
			d.pass(100 * day)
			d.watch()
			if alerts := d.alertsOf(satellite.AlertFailedToRenew); len(alerts) != 1 || !strings.Contains(alerts[0].Message, "ended on") {
				d.Errorf("after the end of the certificate the alerts are %+v", alerts)
			}
			d.key = newKey(d)
			d.ok(d.registration(d.fresh(), false))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := registered(t)
			_, text := w.token(satellite.NewToken{})
			d := w.device("A").register(text)
			w.pass(305*day - time.Minute)
			w.watch()
			if alerts := w.alertsOf(satellite.AlertFailedToRenew); len(alerts) != 0 {
				t.Errorf("60 days and a minute before the end the alerts are %+v", alerts)
			}
			w.pass(2 * time.Minute)
			d.ok(d.authorization()) // it speaks, but does not renew
			w.watch()
			alerts := w.alertsOf(satellite.AlertFailedToRenew)
			if len(alerts) != 1 || alerts[0].PIID != d.piid || !strings.Contains(alerts[0].Message, "ends on") || !alerts[0].ActionDue.After(w.service.Now().Add(59*day)) {
				t.Fatalf("the alerts are %+v", alerts)
			}
			back(d)
			if alerts := w.alertsOf(satellite.AlertFailedToRenew); len(alerts) != 0 {
				t.Errorf("the alerts are still %+v", alerts)
			}
			w.audit()
		})
	}
}

// More devices than fit into one chunk, all due at one instant, and some alerts among them.
func TestTheWatchGoesOverAllThatIsDue(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "base", quantity: 9})
	virtual, err := w.service.VirtualAccounts(w.ctx, admin, w.account.ID)
	w.must(err)
	w.must(w.store.Update(w.ctx, func(tx satellite.Tx) error {
		for n := range 205 {
			instance, err := tx.CreateInstance(satellite.Instance{
				PIID: fmt.Sprint("piid-", n), AccountID: w.account.ID, VirtualAccountID: virtual[0].ID, Identity: satellite.Identity{UDIPID: "R1", UDISerialNumber: fmt.Sprint(n)},
				RegistrationState: satellite.Registered, AuthorizationState: satellite.Authorized, CertificateNotAfter: begin,
			})
			if err != nil {
				return err
			}
			if _, err := tx.OpenAlert(satellite.Alert{AccountID: w.account.ID, PIID: instance.PIID, Type: satellite.AlertDuplicateLicenses, Key: instance.PIID, ActionDue: begin}); err != nil {
				return err
			}
		}
		// One that only reports is not expected to speak, and has no certificate.
		_, err := tx.CreateInstance(satellite.Instance{
			PIID: "reports", AccountID: w.account.ID, VirtualAccountID: virtual[0].ID, Identity: satellite.Identity{UDIPID: "R1", UDISerialNumber: "reports"},
			RegistrationState: satellite.Unregistered, AuthorizationState: satellite.OutOfCompliance,
		})
		return err
	}))
	w.must(w.service.WatchDevices(w.ctx, w.service.Now(), 61*day))
	for kind, want := range map[satellite.AlertType]int{satellite.AlertFailedToConnect: 205, satellite.AlertFailedToRenew: 205, satellite.AlertDuplicateLicenses: 0} {
		alerts, err := w.service.Alerts(w.ctx, admin, satellite.AlertFilter{Type: kind}, satellite.Page{Limit: 1000})
		if err != nil || len(alerts) != want {
			t.Errorf("there are %d alerts of %s (%v), want %d", len(alerts), kind, err, want)
		}
	}
}
