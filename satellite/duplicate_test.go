package satellite_test

import (
	"fmt"
	"strings"
	"testing"

	"ssm/satellite"
	"ssm/satellite/wire"
)

// silence is what 90 days of it do.
func (w *world) silence(d *device) {
	w.Helper()
	w.must(satellite.ReturnLicenses(w.ctx, w.service, d.piid, w.service.Now()))
}

// watch runs the daily job with so much served time.
func (w *world) watch() {
	w.Helper()
	w.must(w.service.WatchDevices(w.ctx, w.service.Now(), w.clock.Now().Sub(begin)))
}

// speaks is an authorization that the device hears the answer of.
func (d *device) speaks(counts ...any) { d.Helper(); d.hears(d.ok(d.authorization(counts...))) }

// losesAReply is an authorization whose answer never comes.
func (d *device) losesAReply() { d.Helper(); d.ok(d.authorization()) }

func TestCopiesOfADeviceThatSpeakInTurnsAreFound(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "base", quantity: 5})
	_, text := w.token(satellite.NewToken{})
	a := w.device("A").register(text)
	a.speaks()
	a.speaks()
	b := a.copied("198.51.100.77")
	a.speaks()
	b.speaks() // looks like a machine that was rolled back
	if alerts := w.alertsOf(satellite.AlertDuplicateLicenses); len(alerts) != 0 {
		t.Fatalf("one roll-back raises %+v", alerts)
	}
	a.speaks()
	alerts := w.alertsOf(satellite.AlertDuplicateLicenses)
	if len(alerts) != 1 || alerts[0].PIID != a.piid || alerts[0].Key != a.piid || alerts[0].Severity != satellite.Major ||
		!strings.Contains(alerts[0].Message, a.source) || !strings.Contains(alerts[0].Message, b.source) || !alerts[0].ActionDue.Equal(w.service.Now().Add(30*day)) {
		t.Fatalf("the alerts are %+v", alerts)
	}
	// An alert, never a refusal; and it stays one alert, with a date that moves on.
	for range 3 {
		w.clock.advance(day)
		b.speaks()
		a.speaks()
		a.speaks()
	}
	if alerts = w.alertsOf(satellite.AlertDuplicateLicenses); len(alerts) != 1 || !alerts[0].ActionDue.Equal(w.service.Now().Add(30*day)) {
		t.Errorf("the alerts are %+v", alerts)
	}
	// The copy is gone: 30 days later the alert is over.
	w.pass(30*day - 1000)
	w.watch()
	if alerts = w.alertsOf(satellite.AlertDuplicateLicenses); len(alerts) != 1 {
		t.Errorf("before 30 days have passed there are %d alerts", len(alerts))
	}
	w.pass(1000)
	w.watch()
	if alerts = w.alertsOf(satellite.AlertDuplicateLicenses); len(alerts) != 0 {
		t.Errorf("after 30 days the alerts are %+v", alerts)
	}
	w.audit()
}

func TestLostRepliesAndRollBacksAreTolerated(t *testing.T) {
	t.Parallel()
	for name, story := range map[string]func(*device){
		"a lost reply":              func(d *device) { d.losesAReply(); d.speaks(); d.speaks() },
		"two lost replies in a row": func(d *device) { d.losesAReply(); d.losesAReply(); d.speaks(); d.speaks() },
		"a lost reply now and then": func(d *device) {
			d.losesAReply()
			d.speaks()
			d.losesAReply()
			d.speaks()
			d.losesAReply()
			d.speaks()
		},
		"a lost renewal":               func(d *device) { d.ok(d.renewal()); d.adopt(d.hears(d.ok(d.renewal()))); d.speaks() },
		"a message that is sent again": func(d *device) { m := d.authorization(); d.ok(m); d.hears(d.ok(m)); d.speaks() },
		"one roll-back": func(d *device) {
			old := d.copied(d.source)
			d.speaks()
			d.speaks()
			*d = *old
			d.speaks()
			d.speaks()
		},
		"a roll-back, then a lost reply": func(d *device) { old := d.copied(d.source); d.speaks(); *d = *old; d.losesAReply(); d.speaks() },
		"a device that names no reply":   func(d *device) { d.lastReply = ""; d.losesAReply(); d.losesAReply() },
		"a name that nobody ever heard":  func(d *device) { d.lastReply = "nonsense"; d.losesAReply(); d.losesAReply() },
		"a refusal in between": func(d *device) {
			d.offset = 3 * day
			d.refused(d.authorization(), "clock-skew")
			d.offset = 0
			d.speaks()
		},
		"a registration that is repeated": func(d *device) { d.hears(d.ok(d.registration(d.token, false))); d.speaks(); d.speaks() },
		"a roll-back to before a repeat": func(d *device) {
			old := d.copied(d.source)
			d.hears(d.ok(d.registration(d.token, false)))
			d.speaks()
			*d = *old
			d.speaks()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := registered(t)
			_, text := w.token(satellite.NewToken{})
			d := w.device("A")
			d.token = text
			d.adopt(d.hears(d.ok(d.registration(text, false))))
			d.speaks()
			story(d)
			d.speaks()
			if alerts := w.alertsOf(satellite.AlertDuplicateLicenses); len(alerts) != 0 {
				t.Errorf("it raises %+v", alerts)
			}
			w.audit()
		})
	}
}

func TestTwoCopiesAreFoundWhateverTheyAsk(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "base", quantity: 5})
	_, text := w.token(satellite.NewToken{})
	a := w.device("A").register(text)
	a.speaks()
	b := a.copied("198.51.100.77")
	a.adopt(a.hears(a.ok(a.renewal())))
	b.hears(b.ok(b.authorization("base", 1))) // under the certificate before
	a.hears(a.ok(a.authorization("base", 2)))
	if alerts := w.alertsOf(satellite.AlertDuplicateLicenses); len(alerts) != 1 {
		t.Errorf("the alerts are %+v", alerts)
	}
	b.refused(b.authorization(), "certificate-not-accepted") // superseded by now
}

func TestTheAlertAboutCopiesEndsWithTheDeviceAndWithANewRegistration(t *testing.T) {
	t.Parallel()
	w := registered(t)
	_, text := w.token(satellite.NewToken{})
	a := w.device("A").register(text)
	a.speaks()
	b := a.copied("198.51.100.77")
	for range 2 {
		a.speaks()
		b.speaks()
	}
	if n := len(w.alertsOf(satellite.AlertDuplicateLicenses)); n != 1 {
		t.Fatalf("there are %d alerts", n)
	}
	a.key = newKey(t)
	a.adopt(a.hears(a.ok(a.registration(text, true))))
	alerts := w.alertsOf(satellite.AlertDuplicateLicenses)
	if len(alerts) != 1 || alerts[0].Key != "evicted:"+a.piid {
		t.Errorf("after the registration the alerts are %+v", alerts)
	}
	b.refused(b.authorization(), "certificate-revoked")
	a.speaks()
	a.speaks()
	if n := len(w.alertsOf(satellite.AlertDuplicateLicenses)); n != 1 {
		t.Errorf("what was before the registration is held against the device: %d alerts", n)
	}
	w.must(w.service.RemoveInstance(w.ctx, admin, a.piid))
	if alerts = w.alertsOf(""); len(alerts) != 0 {
		t.Errorf("after the removal the alerts are %+v", alerts)
	}
	events, err := w.service.Events(w.ctx, admin, satellite.EventFilter{PIID: a.piid, Type: satellite.EventAlertClosed}, satellite.Page{})
	w.must(err)
	if len(events) != 2 || !strings.Contains(events[0].Message, "the device is no more") || !strings.Contains(events[1].Message, "registered anew") {
		t.Errorf("the events are %+v", events)
	}
	w.audit()
}

func TestForceRaisesAnAlertWithBothAddresses(t *testing.T) {
	t.Parallel()
	w := registered(t)
	_, text := w.token(satellite.NewToken{})
	old := w.device("A").register(text)
	fresh := w.device("A")
	fresh.source = "198.51.100.7"
	fresh.adopt(fresh.ok(fresh.registration(text, true)))
	alerts := w.alertsOf(satellite.AlertDuplicateLicenses)
	if len(alerts) != 1 || alerts[0].Key != "evicted:"+old.piid || !strings.Contains(alerts[0].Message, old.source) || !strings.Contains(alerts[0].Message, fresh.source) {
		t.Fatalf("the alerts are %+v", alerts)
	}
	old.refused(old.authorization(), "certificate-revoked", "when the device was registered again")
	// Back and forth it stays one alert.
	old.key = newKey(t)
	old.adopt(old.ok(old.registration(text, true)))
	fresh.refused(fresh.authorization(), "certificate-revoked")
	if n := len(w.alertsOf(satellite.AlertDuplicateLicenses)); n != 1 {
		t.Errorf("there are %d alerts", n)
	}
	w.pass(30 * day)
	w.watch()
	if n := len(w.alertsOf(satellite.AlertDuplicateLicenses)); n != 0 {
		t.Errorf("after 30 days there are %d alerts", n)
	}
	// A registration that has expired takes nobody's place.
	w.pass(400 * day)
	old.key = newKey(t)
	old.adopt(old.ok(old.registration(w.fresh(), false)))
	if n := len(w.alertsOf(satellite.AlertDuplicateLicenses)); n != 0 {
		t.Errorf("after the end of the certificate there are %d alerts", n)
	}
	w.audit()
}

// fresh is the text of a new token.
func (w *world) fresh() string { w.Helper(); _, text := w.token(satellite.NewToken{}); return text }

func TestATokenMayForbidForce(t *testing.T) {
	t.Parallel()
	w := registered(t)
	_, text := w.token(satellite.NewToken{})
	token, strict := w.token(satellite.NewToken{ForbidForce: true})
	if found, err := w.service.FindToken(w.ctx, admin, fmt.Sprint(token.ID)); err != nil || found.AllowForce {
		t.Errorf("the token on record is %+v (%v)", found, err)
	}
	d := w.device("A").register(strict) // the first registration needs no force
	other := w.device("A")
	other.refused(other.registration(strict, true), "force-not-allowed", "192.0.2.1", "Deregister the device first", "a token that allows `force`", "Nothing was changed")
	if reply := other.refused(other.registration(strict, false), "already-registered", "Deregister the device first"); strings.Contains(reply.Data.Message, "Add `force`") {
		t.Errorf("the refusal advises what the token forbids: %s", reply.Data.Message)
	}
	d.hears(d.ok(d.registration(strict, true))) // a repeat takes nobody's place
	d.speaks()
	other.adopt(other.ok(other.registration(text, true)))
	w.pass(366 * day)
	_, strict = w.token(satellite.NewToken{ForbidForce: true})
	d.adopt(d.ok(d.registration(strict, true))) // nor does one behind an expired one
	w.audit()
}

func TestExportControlledLicensesFollowTheTokenAndAreReleasedByTheDevice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.trust()
	w.up.entitlements = map[string]wire.EntitlementRecord{"export": {Enforcement: "export-controlled"}, "hard": {Enforcement: "enforced"}}
	w.up.lots[w.external(w.account)] = []lot{{tag: "export", quantity: 9}, {tag: "hard", quantity: 9}}
	w.sync(w.account, false)
	_, text := w.token(satellite.NewToken{})
	_, exporting := w.token(satellite.NewToken{ExportControlled: true})
	d := w.device("A").register(text)
	d.told("export", "disabled 0", "export", 2, "hard", 1)
	d.key = newKey(t)
	d.adopt(d.ok(d.registration(exporting, true)))
	d.told("export", "in-compliance 2")

	refused(t, w.service.RemoveInstance(w.ctx, admin, d.piid), satellite.KindConflict, "export-licenses-held", "2 of License export", "Release them on the device first", "Nothing was changed")
	w.unchanged("a refused removal", func() { _ = w.service.RemoveInstance(w.ctx, admin, d.piid) })
	d.told("export", "none", "export", 0)
	d.told("export", "in-compliance 2", "export", 2)
	d.key = newKey(t)
	d.adopt(d.ok(d.registration(text, true))) // the new token does not allow more than it holds
	d.told("export", "in-compliance 2", "export", 2)
	d.told("export", "in-compliance 1", "export", 1)
	d.told("export", "in-compliance 1", "export", 2)
	refused(t, w.service.RemoveInstance(w.ctx, admin, d.piid), satellite.KindConflict, "export-licenses-held", "1 of License export")
	d.ok(d.message(wire.Deregistration, wire.RequestData{}))
	w.counted("export", 0)

	again := w.device("B").register(exporting)
	again.told("export", "in-compliance 1", "export", 1, "hard", 1)
	again.told("export", "none", "export", 0)
	w.must(w.service.RemoveInstance(w.ctx, admin, again.piid)) // enforced ones do not keep it
	w.audit()
}
