package satellite_test

import (
	"strings"
	"testing"
	"time"

	"ssm/satellite"
	"ssm/sync/ssm"
)

// Law 6, both sides: what the upstream gave away during a lapse does not come
// back, and the shortage says why.
func TestLaw6AShortageAfterALapseSaysWhy(t *testing.T) {
	t.Parallel()
	s := newSettled(t, 10)
	_, text := s.token(satellite.NewToken{})
	d := s.device("A").register(text)
	d.ok(d.authorization("base", 7))
	s.exchange(satellite.SyncResult{})
	s.run(89 * day)
	d.ok(d.authorization())
	request := s.request(s.account, false) // written before the lapse
	s.run(2 * day)
	s.alerted(satellite.AlertSatelliteExpired, "major", "30 May 2026")
	if p := s.pool("base"); p.InUse != 7 || p.Purchased != 10 {
		t.Errorf("the lapse changed the own pool: %+v", p)
	}
	list, err := s.upstream.Satellites(s.ctx)
	if err != nil || list[0].Status != "lapsed" {
		t.Errorf("the upstream says %+v (%v)", list, err)
	}
	licenses, err := s.upstream.Licenses(s.ctx, "")
	s.must(err)
	_, err = s.upstream.MoveLicense(s.ctx, ssm.Move{Lot: licenses[0].Lots[0].ID, To: "Elsewhere", Quantity: 6})
	s.must(err)

	result, err := s.apply(s.answered(request).Body)
	if err != nil || result.FullRequested {
		t.Fatalf("the return did %+v (%v)", result, err)
	}
	if p := s.pool("base"); p.Purchased != 4 || p.InUse != 7 {
		t.Errorf("after the return the pool is %+v", p)
	}
	s.alerted(satellite.AlertInsufficientLicenses, "3 of Base are missing", "6 of Base were given to other virtual accounts while this satellite had lapsed")
	if events := s.eventsOf(satellite.EventSyncNotice); len(events) != 1 || !strings.Contains(events[0], "6 of Base") {
		t.Errorf("the events say %q", events)
	}
	s.quiet(satellite.AlertSatelliteExpired, satellite.AlertSyncDeadline)
	s.exchange(satellite.SyncResult{})
	s.equalSides()
}

// Law 9: after everything has expired (the signer, the sub CA, the certificates of
// the devices) one exchange by file brings the account back with nothing lost.
func TestLaw9AnAccountComesBackAfterEverythingHasExpired(t *testing.T) {
	t.Parallel()
	s := newSettled(t, 10)
	_, text := s.token(satellite.NewToken{})
	early := s.device("EARLY").register(text)
	early.ok(early.authorization("base", 2))
	s.exchange(satellite.SyncResult{})
	s.pass(700 * day)
	_, text = s.token(satellite.NewToken{})
	late := s.device("LATE").register(text)
	late.ok(late.authorization("base", 3))
	// The program was off; the sub CA has ended when it starts again.
	s.shut()
	s.clock.step(40 * day)
	s.open()
	_, err := s.service.ConfirmClock(s.ctx, admin)
	s.must(err)
	s.must(s.service.RenewSigners(s.ctx, s.service.Now()))
	s.must(s.service.WatchDeadlines(s.ctx, s.service.Now()))
	s.alerted(satellite.AlertCertificateExpiring, "register the account again")

	result, err := s.apply(s.answered(s.request(s.account, false)).Body)
	if err != nil || result.FullRequested || result.Recovered != 0 {
		t.Fatalf("the registration did %+v (%v)", result, err)
	}
	s.quiet(satellite.AlertCertificateExpiring, satellite.AlertSatelliteExpired)
	if p := s.pool("base"); p.InUse != 5 || p.Purchased != 10 {
		t.Errorf("the pool is %+v", p)
	}
	for d, count := range map[*device]int{early: 2, late: 3} { // no ID certificate outlives the sub CA that issued it
		d.refused(d.authorization("base", count), "certificate-expired")
		piid := d.piid
		d.register(text)
		if d.piid != piid {
			t.Errorf("the device has another PIID: %s, before: %s", d.piid, piid)
		}
		d.ok(d.authorization("base", count))
	}
	if p := s.pool("base"); p.InUse != 5 {
		t.Errorf("the pool is %+v", p)
	}
	s.exchange(satellite.SyncResult{})
	s.equalSides()
	s.audit()
}

// Law 9: an upstream whose clock is ahead sees the end of the certificates
// first; and a satellite that was off past the end of its signer only.
func TestLaw9ASignerThatHasEndedIsRenewedByTheRequestItself(t *testing.T) {
	t.Parallel()
	s := newSettled(t, 10)
	s.shut()
	s.clock.step(200 * day) // the signer lives for 180
	s.open()
	_, err := s.service.ConfirmClock(s.ctx, admin)
	s.must(err)
	s.exchange(satellite.SyncResult{})
	s.clock.advance(time.Hour)
	s.exchange(satellite.SyncResult{})
}
