package satellite_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ssm/satellite"
	"ssm/satellite/wire"
)

// alarm is the story of an alert: its cause, what is open then, and what ends the cause.
type alarm struct {
	*world
	cause func()
	want  satellite.Alert // as it stands when the cause is there; the rest is the table's and the clock's
	end   func()
}

// alarms are the causes of all alerts that this program can cause.
var alarms = []struct {
	kind    satellite.AlertType
	through string
	tell    func(t *testing.T) alarm
}{
	{satellite.AlertInsufficientLicenses, "use of more than there is", func(t *testing.T) alarm {
		w := registered(t, lot{tag: "base", quantity: 5})
		d := w.in("", "A")
		return alarm{
			world: w, cause: func() { d.speaks("base", 7) }, end: func() { d.speaks("base", 5) },
			want: satellite.Alert{
				AccountID: w.account.ID, VirtualAccountID: w.home(), Severity: satellite.Major, Source: "License base in Default",
				Message: `2 of License base are missing in virtual account "Default"; the devices there that use it are out of compliance.`,
			},
		}
	}},
	{satellite.AlertLicensesExpired, "the end of a lot", func(t *testing.T) alarm {
		w := registered(t, lot{tag: "base", quantity: 5}, lot{id: "term", tag: "base", quantity: 3, end: begin.Add(20 * day)})
		w.run(20*day - time.Minute)
		return alarm{
			world: w, cause: func() { w.run(time.Minute) }, end: func() { w.buy(lot{tag: "base", quantity: 5}) },
			want: satellite.Alert{
				AccountID: w.account.ID, VirtualAccountID: w.home(), Severity: satellite.Major, Source: "License base (lot term)",
				Message: "3 of License base ended on 21 Mar 2026, 12:00 UTC and are no longer counted.", ActionDue: begin.Add(20 * day),
			},
		}
	}},
	{satellite.AlertLicensesExpiring, "90 days before the end of a lot", func(t *testing.T) alarm {
		w := registered(t, lot{id: "term", tag: "base", quantity: 3, end: begin.Add(100 * day)})
		w.run(10*day - time.Minute)
		return alarm{
			world: w, cause: func() { w.run(time.Minute) },
			end: func() { w.buy(lot{id: "term", tag: "base", quantity: 3, end: begin.Add(465 * day)}) },
			want: satellite.Alert{
				AccountID: w.account.ID, VirtualAccountID: w.home(), Severity: satellite.Minor, Source: "License base (lot term)",
				Message: "3 of License base end on 9 Jun 2026, 12:00 UTC: the reminder of 90 days before.", ActionDue: begin.Add(100 * day),
			},
		}
	}},
	{satellite.AlertDuplicateLicenses, "copies that speak in turns", func(t *testing.T) alarm {
		w := registered(t)
		d := w.in("", "A")
		d.speaks()
		clone := d.copied("198.51.100.77")
		d.speaks()
		clone.speaks()
		return alarm{
			world: w, cause: func() { d.speaks() }, end: func() { w.run(30 * day) },
			want: satellite.Alert{
				AccountID: w.account.ID, VirtualAccountID: w.home(), PIID: d.piid, Severity: satellite.Major, Source: "host-A",
				Message:   "Two copies of device host-A (R1000, A) speak in turns: one from 198.51.100.77, the other one from 192.0.2.1. Register the copy anew, or remove the device.",
				ActionDue: begin.Add(30 * day),
			},
		}
	}},
	{satellite.AlertDuplicateLicenses, "a registration over a standing one", func(t *testing.T) alarm {
		w := registered(t)
		d, other := w.in("", "A"), w.device("A")
		other.source = "198.51.100.77"
		return alarm{
			world: w, cause: func() { other.adopt(other.ok(other.registration(w.fresh(), true))) }, end: func() { w.run(30 * day) },
			want: satellite.Alert{
				AccountID: w.account.ID, VirtualAccountID: w.home(), PIID: d.piid, Severity: satellite.Major, Source: "host-A",
				Message:   "Device host-A (R1000, A) was registered from 198.51.100.77 in the place of the registration from 192.0.2.1, whose certificate was revoked.",
				ActionDue: begin.Add(30 * day),
			},
		}
	}},
	{satellite.AlertRestrictedNotAvailable, "an enforced license that is used up", func(t *testing.T) alarm {
		w := licensed(t, map[string]wire.EntitlementRecord{"vpn": {Enforcement: "enforced"}}, lot{tag: "vpn", quantity: 2})
		d := w.in("", "A")
		return alarm{
			world: w, cause: func() { d.speaks("vpn", 3) }, end: func() { d.speaks("vpn", 2) },
			want: satellite.Alert{
				AccountID: w.account.ID, VirtualAccountID: w.home(), PIID: d.piid, Severity: satellite.Major, Source: "host-A",
				Message: "Device host-A asks for 3 of License vpn and holds 0. The license is enforced, and the pool has no more.",
			},
		}
	}},
	{satellite.AlertRestrictedNotAvailable, "a token without export control", func(t *testing.T) alarm {
		w := licensed(t, map[string]wire.EntitlementRecord{"crypto": {Enforcement: "export-controlled"}}, lot{tag: "crypto", quantity: 2})
		d := w.device("A").register(w.fresh())
		return alarm{
			world: w, cause: func() { d.speaks("crypto", 1) }, end: func() { d.speaks("crypto", 0) },
			want: satellite.Alert{
				AccountID: w.account.ID, VirtualAccountID: w.home(), PIID: d.piid, Severity: satellite.Major, Source: "host-A",
				Message: "Device host-A asks for 1 of License crypto and holds 0. The license is export-controlled, and the token that registered the device does not allow that.",
			},
		}
	}},
	{satellite.AlertReservedLicenseExpired, "the end of what is reserved", func(t *testing.T) alarm {
		end := begin.Add(20 * day).Truncate(time.Second)
		w := registered(t, lot{id: "term", tag: "base", quantity: 3, end: end})
		d := w.silent("S1", wire.ReservationSpecific)
		r := d.reserve("base", 2)
		w.buy(lot{id: "term", tag: "base", quantity: 3}) // the lot itself goes on
		w.run(20*day - time.Minute)
		return alarm{
			world: w, cause: func() { w.run(time.Minute) },
			end: func() {
				_, back := d.codes(r.Authorization)
				_, err := w.service.ReturnReservation(w.ctx, admin, satellite.ReservationQuery{ID: r.ID}, back)
				w.must(err)
			},
			want: satellite.Alert{
				AccountID: w.account.ID, VirtualAccountID: w.home(), PIID: r.PIID, Severity: satellite.Major, Source: "S1",
				Message: "2 of License base that are reserved for device R1000, serial number S1 ended on 21 Mar 2026, 12:00 UTC.",
			},
		}
	}},
	{satellite.AlertReservedLicensesReturned, "a return code", func(t *testing.T) alarm {
		w := registered(t, lot{tag: "base", quantity: 3})
		d := w.silent("S1", wire.ReservationSpecific)
		r := d.reserve("base", 2)
		return alarm{
			world: w, end: func() { w.run(30 * day) },
			cause: func() {
				_, back := d.codes(r.Authorization)
				_, err := w.service.ReturnReservation(w.ctx, admin, satellite.ReservationQuery{ID: r.ID}, back)
				w.must(err)
			},
			want: satellite.Alert{
				AccountID: w.account.ID, VirtualAccountID: w.home(), PIID: r.PIID, Severity: satellite.Informational, Source: "S1",
				Message: "The device R1000, serial number S1 has returned its reservation; what was reserved is in the pool again.",
			},
		}
	}},
	{satellite.AlertFailedToConnect, "60 days of silence", func(t *testing.T) alarm {
		w := registered(t, lot{tag: "base", quantity: 3})
		w.run(day)
		d := w.in("", "A")
		d.speaks("base", 3)
		w.run(60*day - time.Minute)
		return alarm{
			world: w, cause: func() { w.run(2 * time.Minute) }, end: func() { d.speaks() },
			want: satellite.Alert{
				AccountID: w.account.ID, VirtualAccountID: w.home(), PIID: d.piid, Severity: satellite.Minor, Source: "host-A",
				Message: "Device host-A (R1000, A) has said nothing since 2 Mar 2026, 12:00 UTC and holds licenses; after 90 days they return to the pool.",
			},
		}
	}},
	{satellite.AlertFailedToRenew, "60 days before the end of an ID certificate", func(t *testing.T) alarm {
		w := registered(t)
		d := w.in("", "A")
		end := d.state().CertificateNotAfter
		w.run(end.Add(-60*day - time.Minute).Sub(w.service.Now()))
		d.speaks() // a message is no renewal
		return alarm{
			world: w, cause: func() { w.run(2 * time.Minute) }, end: func() { d.ok(d.renewal()) },
			want: satellite.Alert{
				AccountID: w.account.ID, VirtualAccountID: w.home(), PIID: d.piid, Severity: satellite.Minor, Source: "host-A",
				Message:   "The ID certificate of device host-A (R1000, A) ends on 1 Mar 2027, 12:00 UTC and was not renewed; after that the device has to be registered again.",
				ActionDue: end,
			},
		}
	}},
	{satellite.AlertAgreementPending, "an agreement that nobody has accepted", func(t *testing.T) alarm {
		w := newWorld(t)
		w.trust()
		return alarm{
			world: w, cause: func() { w.agreed("1.0", "Be good.") },
			end: func() { w.must(w.service.AcceptAgreement(w.ctx, admin, w.account.ID, "1.0")) },
			want: satellite.Alert{
				AccountID: w.account.ID, Severity: satellite.Minor, Source: "Plant",
				Message: `Version "1.0" of the licensing agreement is not accepted; no token can be created until it is.`,
			},
		}
	}},
	{satellite.AlertAgreementUpdated, "a newer agreement", func(t *testing.T) alarm {
		w := newWorld(t)
		w.trust()
		w.agreed("1.0", "Be good.")
		w.must(w.service.AcceptAgreement(w.ctx, admin, w.account.ID, "1.0"))
		return alarm{
			world: w, cause: func() { w.agreed("2.0", "Be better.") },
			end: func() { w.must(w.service.AcceptAgreement(w.ctx, admin, w.account.ID, "2.0")) },
			want: satellite.Alert{
				AccountID: w.account.ID, Severity: satellite.Minor, Source: "Plant",
				Message: `Version "2.0" of the licensing agreement is in force, version "1.0" was accepted last; no token can be created until the new one is.`,
			},
		}
	}},
	{satellite.AlertAuthorizationPending, "a request for an upgrade", func(t *testing.T) alarm {
		w, _ := small(t)
		return alarm{
			world: w, end: func() { w.standard("small.example", nil) },
			cause: func() {
				_, err := w.service.RequestUpgrade(w.ctx, admin, w.account.ID, satellite.NewUpgrade{Email: "owner@small.example"})
				w.must(err)
			},
			want: satellite.Alert{
				AccountID: w.account.ID, Severity: satellite.Informational, Source: "Small",
				Message: `The upgrade of "Small" to a standard account with the identifier small.example goes with the next synchronization; the account stays limited meanwhile.`,
			},
		}
	}},
	{satellite.AlertSyncOverdue, "31 days without a synchronization", func(t *testing.T) alarm {
		w := registered(t)
		w.run(31*day - time.Minute)
		return alarm{
			world: w, cause: func() { w.run(time.Minute) }, end: func() { w.late() },
			want: satellite.Alert{
				AccountID: w.account.ID, Severity: satellite.Minor, Source: "Plant",
				Message: "Account \"Plant\" synchronized last on 1 Mar 2026, 12:00 UTC. Synchronize it: `satellite sync request`.", ActionDue: begin.Add(90 * day),
			},
		}
	}},
	{satellite.AlertSyncDeadline, "30 days before the upstream's deadline", func(t *testing.T) alarm {
		w := registered(t)
		w.run(60*day - time.Minute)
		return alarm{
			world: w, cause: func() { w.run(time.Minute) }, end: func() { w.late() },
			want: satellite.Alert{
				AccountID: w.account.ID, Severity: satellite.Major, Source: "Plant",
				Message: "Without a synchronization until 30 May 2026, 12:00 UTC the upstream takes the licenses of the account back.", ActionDue: begin.Add(90 * day),
			},
		}
	}},
	{satellite.AlertSatelliteExpired, "the upstream's deadline", func(t *testing.T) alarm {
		w := registered(t)
		w.run(90*day - time.Minute)
		return alarm{
			world: w, cause: func() { w.run(time.Minute) }, end: func() { w.late() },
			want: satellite.Alert{
				AccountID: w.account.ID, Severity: satellite.Major, Source: "Plant",
				Message: "The upstream has heard nothing of the satellite until 30 May 2026, 12:00 UTC and takes the licenses of the account back. The pools here go on with what they last knew; the next synchronization restores what the upstream still has.",
			},
		}
	}},
	{satellite.AlertSatelliteDuplicated, "a copy that the upstream has heard of", func(t *testing.T) alarm {
		w := registered(t)
		return alarm{
			world: w,
			cause: func() {
				_, err := w.apply(w.up.answer(w.TB, w.request(w.account, false), func(m *wire.Manifest) {
					m.Response.FullRequested, m.Response.Lineage, m.Response.Reason = true, wire.LineageDuplicated, "two copies send in turns"
				}))
				w.must(err)
			},
			end: func() {
				w.sync(w.account, false)
				w.run(30 * day)
			},
			want: satellite.Alert{
				AccountID: w.account.ID, Severity: satellite.Major, Source: "Plant", ActionDue: begin.Add(30 * day),
				Message: "The upstream heard of this satellite and of a copy of it in turns, last on 1 Mar 2026, 12:00 UTC. Only one of them may run: shut the other one down, then synchronize this one.",
			},
		}
	}},
	{satellite.AlertClockMoved, "a step of the system's clock", func(t *testing.T) alarm {
		w := registered(t)
		w.run(day)
		return alarm{
			world: w, cause: func() { w.clock.step(-3 * day); w.jobs() },
			end: func() { _, err := w.service.ConfirmClock(w.ctx, admin); w.must(err) },
			want: satellite.Alert{
				Severity: satellite.Major, Source: "The system's clock",
				Message: "The system's clock is 3 days behind: it was set back. Since 2 Mar 2026, 12:00 UTC the satellite goes on with its own time: no licenses are returned for silence, and nothing expires by the new time, until it is confirmed. Look at the clock, then run `satellite clock confirm`; a new sync response or the clocks of three devices confirm it as well.",
			},
		}
	}},
	{satellite.AlertCertificateExpiring, "180 days before the end of the account's certificate", func(t *testing.T) alarm {
		w := registered(t)
		end := w.up.subCA[w.external(w.account)].NotAfter
		w.run(end.Add(-180*day - time.Minute).Sub(w.service.Now()))
		return alarm{
			world: w, cause: func() { w.run(time.Minute) }, end: func() { w.late() },
			want: satellite.Alert{
				AccountID: w.account.ID, Severity: satellite.Major, Source: "Plant",
				Message:   fmt.Sprintf("The account's certificate ends on %s, in 180 days or less. Any synchronization renews it: `satellite sync request`.", end.UTC().Format("2 Jan 2006, 15:04 UTC")),
				ActionDue: end,
			},
		}
	}},
}

// home is the default virtual account of the world's account.
func (w *world) home() satellite.VirtualAccountID {
	w.Helper()
	list, err := w.service.VirtualAccounts(w.ctx, admin, w.account.ID)
	w.must(err)
	return list[slices.IndexFunc(list, func(v satellite.VirtualAccount) bool { return v.Default })].ID
}

// late is a synchronization after so long a time that the upstream has another signer.
func (w *world) late() {
	w.Helper()
	w.up.renewSigner(w.TB)
	w.sync(w.account, false)
}

// standing are all open alerts.
func (w *world) standing() []satellite.Alert {
	w.Helper()
	open, err := w.service.Alerts(w.ctx, admin, satellite.AlertFilter{}, satellite.Page{Limit: 1000})
	w.must(err)
	return open
}

// alertEvents are the events of a type that tell of one alert, newest first.
func (w *world) alertEvents(kind satellite.EventType, of satellite.Alert) (found []satellite.Event) {
	w.Helper()
	events, err := w.service.Events(w.ctx, admin, satellite.EventFilter{Type: kind}, satellite.Page{Limit: 1000})
	w.must(err)
	for _, e := range events {
		if strings.HasPrefix(e.Message, fmt.Sprintf("Alert %q", satellite.KindOfAlert(of.Type).Title)) && e.PIID == of.PIID && e.AccountID == of.AccountID {
			found = append(found, e)
		}
	}
	return found
}

func TestEveryAlertOpensWithItsCauseAndClosesWithIt(t *testing.T) {
	t.Parallel()
	for _, kind := range satellite.AlertKinds {
		told := 0
		for _, story := range alarms {
			if story.kind != kind.Type {
				continue
			}
			told++
			t.Run(kind.Title+" through "+story.through, func(t *testing.T) {
				t.Parallel()
				hear(t, kind, story.tell(t))
			})
		}
		if told > 0 != (kind.Waits == "") {
			t.Errorf("%q waits for %q and has %d stories here that make its cause", kind.Title, kind.Waits, told)
		}
	}
}

// hear lives through the story of an alert.
func hear(t *testing.T, kind satellite.AlertKind, a alarm) {
	before := a.standing()
	said := len(a.alertEvents(satellite.EventAlertOpened, satellite.Alert{Type: kind.Type, AccountID: a.want.AccountID, PIID: a.want.PIID}))
	a.cause()
	opened := slices.DeleteFunc(a.standing(), func(o satellite.Alert) bool {
		return slices.ContainsFunc(before, func(b satellite.Alert) bool { return b.ID == o.ID })
	})
	if len(opened) != 1 || opened[0].Type != kind.Type {
		t.Fatalf("its cause opened %+v", opened)
	}
	got, want := opened[0], a.want
	want.ID, want.Type, want.Key, want.OpenedAt = got.ID, kind.Type, got.Key, a.service.Now().Truncate(time.Microsecond)
	want.ActionDue = want.ActionDue.Truncate(time.Microsecond)
	if got.OpenedAt, got.ActionDue = got.OpenedAt.UTC(), got.ActionDue.UTC(); got != want {
		t.Errorf("it is\n%+v, want\n%+v", got, want)
	}
	events := a.alertEvents(satellite.EventAlertOpened, got)
	if want := fmt.Sprintf("Alert %q: %s", kind.Title, got.Message); len(events) != said+1 || events[0].Message != want {
		t.Errorf("the events of its opening are %+v, want one more than %d: %s", events, said, want)
	}
	a.end()
	if slices.ContainsFunc(a.standing(), func(o satellite.Alert) bool { return o.ID == got.ID }) {
		t.Error("it is open after its cause has ended")
	}
	closed, err := a.service.Alerts(a.ctx, admin, satellite.AlertFilter{Type: kind.Type, Closed: true}, satellite.Page{})
	a.must(err)
	if i := slices.IndexFunc(closed, func(c satellite.Alert) bool { return c.ID == got.ID }); i < 0 || !closed[i].ClosedAt.Equal(a.service.Now().Truncate(time.Microsecond)) {
		t.Errorf("it is not among those that closed just now: %+v", closed)
	}
	events = a.alertEvents(satellite.EventAlertClosed, got)
	if want := fmt.Sprintf("Alert %q is over (%s): ", kind.Title, got.Source); len(events) != 1 || !strings.HasPrefix(events[0].Message, want) || strings.HasSuffix(events[0].Message, ": ") {
		t.Errorf("the events of its end are %+v, want one: %s", events, want)
	}
	a.audit()
}
