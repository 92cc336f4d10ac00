package satellite_test

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ssm/satellite"
	"ssm/satellite/wire"
)

// Law 7: a backup that is older than the last synchronization is noticed,
// reported and healed; nobody registers a device again by hand.
func TestLaw7AnOldCopyPutBackIsNoticedAndHealedWithItsDevices(t *testing.T) {
	t.Parallel()
	s := newSettled(t, 20)
	_, text := s.token(satellite.NewToken{})
	before, gone, renewing := s.device("BEFORE").register(text), s.device("GONE").register(text), s.device("RENEWING").register(text)
	before.ok(before.authorization("base", 2))
	s.exchange(satellite.SyncResult{})

	s.shut()
	old := s.copied()
	s.open()
	_, err := s.service.CreateVirtualAccount(s.ctx, admin, s.account.ID, "Annex", "")
	s.must(err)
	_, export := s.token(satellite.NewToken{VirtualAccount: "Annex", ExportControlled: true})
	since := s.device("SINCE").register(export)
	since.ok(since.authorization("base", 3))
	short := s.device("SHORT").register(text)
	s.must(s.service.RemoveInstance(s.ctx, admin, gone.piid))
	s.must(s.service.RemoveInstance(s.ctx, admin, short.piid))
	s.pass(200 * day)
	answer := renewing.ok(renewing.renewal())
	renewing.adopt(answer)
	renewing.ok(renewing.authorization("base", 1))
	s.exchange(satellite.SyncResult{})

	s.clock.step(time.Hour)
	s.putBack(old)
	_, err = s.service.ConfirmClock(s.ctx, admin) // the copy is 200 days old, and the clock is right
	s.must(err)
	s.must(s.service.RenewSigners(s.ctx, s.service.Now()))
	s.exchange(satellite.SyncResult{FullRequested: true, Lineage: wire.LineageRestored})
	if events := s.eventsOf(satellite.EventSyncRestored); len(events) != 1 || !strings.Contains(events[0], "restored or copied") {
		t.Errorf("the satellite says %q", events)
	}
	since.refused(since.authorization("base", 3), "not-registered")
	s.exchange(satellite.SyncResult{Recovered: 2, Revoked: 1})
	since.ok(since.authorization("base", 3))
	renewing.ok(renewing.authorization("base", 1))
	gone.refused(gone.authorization("base", 1), "certificate-revoked")
	short.refused(short.authorization("base", 1), "not-registered")

	instance, err := s.service.FindInstance(s.ctx, admin, satellite.InstanceQuery{PIID: since.piid})
	s.must(err)
	if instance.VirtualAccount != "Annex" || instance.UDISerialNumber != "SINCE" || !instance.ExportAllowed || instance.CertificateSerial == "" {
		t.Errorf("the device came back as %+v", instance.Instance)
	}
	if events := s.eventsOf(satellite.EventDeviceRecovered); len(events) != 2 {
		t.Errorf("the events say %q", events)
	}
	if events := s.eventsOf(satellite.EventDeviceRemoved); len(events) != 1 || !strings.Contains(events[0], "removed again") {
		t.Errorf("the events say %q", events)
	}
	s.exchange(satellite.SyncResult{})
	s.equalSides()
	_, err = s.service.InstanceCertificate(s.ctx, admin, since.piid)
	refused(t, err, satellite.KindNotFound, "certificate-not-found", "next renewal")
	since.adopt(since.ok(since.renewal()))
	since.ok(since.authorization("base", 3))
	if _, err = s.service.InstanceCertificate(s.ctx, admin, since.piid); err != nil {
		t.Error(err)
	}
	s.must(s.service.RemoveInstance(s.ctx, admin, since.piid))
	list, err := s.service.RevocationList(s.ctx, admin, s.account.ID)
	s.must(err)
	crl, err := x509.ParseRevocationList(list)
	if err != nil || len(crl.RevokedCertificateEntries) != 2 {
		t.Errorf("revoked are %d (%v)", len(crl.RevokedCertificateEntries), err)
	}
	s.exchange(satellite.SyncResult{})
	s.equalSides()
	s.audit()
}

func TestACopyThatRunsTwiceIsNoticedByBothSides(t *testing.T) {
	t.Parallel()
	one := newSettled(t, 20)
	one.exchange(satellite.SyncResult{})
	one.shut()
	folder := one.copied()
	one.open()
	twin := *one.world
	other := settled{&twin, one.upstream}
	other.path = filepath.Join(folder, "satellite.db")
	other.open()
	t.Cleanup(func() { _ = other.store.Close() })

	_, text := one.token(satellite.NewToken{})
	a := one.device("A").register(text)
	_, text = other.token(satellite.NewToken{})
	b := other.device("B").register(text)
	one.exchange(satellite.SyncResult{})
	other.exchange(satellite.SyncResult{FullRequested: true, Lineage: wire.LineageRestored})
	other.quiet(satellite.AlertSatelliteDuplicated)
	other.exchange(satellite.SyncResult{Recovered: 1})
	for _, s := range []settled{one, other} {
		s.exchange(satellite.SyncResult{FullRequested: true, Lineage: wire.LineageDuplicated})
		s.alerted(satellite.AlertSatelliteDuplicated, "major", "Only one of them may run")
		result, err := s.apply(s.answered(s.request(s.account, false)).Body)
		if err != nil || result.FullRequested {
			t.Errorf("a full request was answered by %+v (%v)", result, err)
		}
	}
	list, err := one.upstream.Satellites(one.ctx)
	if err != nil || list[0].Status != "duplicated" {
		t.Errorf("the upstream says %+v (%v)", list, err)
	}
	// No device is lost by it.
	for _, s := range []settled{one, other} {
		for _, d := range []*device{a, b} {
			here := *d
			here.world = s.world
			here.nonce += 1000
			here.ok(here.authorization("base", 1))
		}
	}
}

// Law 4 and law 7: what the restored satellite did itself is not undone.
func TestARestoredSatelliteKeepsWhatItDidItself(t *testing.T) {
	t.Parallel()
	s := newSettled(t, 20)
	s.shut()
	old := s.copied()
	s.open()
	_, text := s.token(satellite.NewToken{})
	lost := s.device("AGAIN").register(text)
	s.exchange(satellite.SyncResult{})
	s.putBack(old)
	_, text = s.token(satellite.NewToken{})
	anew := s.device("AGAIN")
	anew.register(text)
	s.exchange(satellite.SyncResult{FullRequested: true, Lineage: wire.LineageRestored})
	s.exchange(satellite.SyncResult{Recovered: 1})
	anew.ok(anew.authorization("base", 1))
	lost.refused(lost.authorization("base", 1), "not-registered")
	s.exchange(satellite.SyncResult{})
	s.equalSides()
}

// A full request says what was removed, so that nothing that was removed comes back.
func TestAFullRequestBringsNothingBackThatWasRemoved(t *testing.T) {
	t.Parallel()
	s := newSettled(t, 20)
	_, text := s.token(satellite.NewToken{})
	d := s.device("A").register(text)
	s.exchange(satellite.SyncResult{})
	s.must(s.service.RemoveInstance(s.ctx, admin, d.piid))
	result, err := s.apply(s.answered(s.request(s.account, true)).Body)
	if err != nil || result.Recovered != 0 {
		t.Errorf("%+v, %v", result, err)
	}
	s.equalSides()
}

// What an upstream tells that knows less than this satellite: nothing of it is adopted.
func TestARecoveryOfWhatThisSatelliteKnowsBetterChangesNothing(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "base", quantity: 5})
	_, text := w.token(satellite.NewToken{})
	gone, stays := w.device("GONE").register(text), w.device("STAYS").register(text)
	w.sync(w.account, false)
	var recoveries []wire.Record
	for _, piid := range []string{gone.piid, stays.piid} {
		var d wire.DeviceRecord
		w.upstreamRecord(wire.RecordDevice, piid, &d)
		record, err := wire.NewRecord(wire.RecordRecovery, piid, wire.RecoveryRecord{
			PIID: piid, UDIPID: d.UDIPID, UDISerialNumber: d.UDISerialNumber, SoftwareTag: d.SoftwareTag, VirtualAccount: "Default", RegisteredAt: *d.RegisteredAt,
			CertificateSerial: d.CertificateSerial, CertificateExpires: *d.CertificateExpires, CertificateSHA256: d.CertificateSHA256, PublicKeySHA256: d.PublicKeySHA256,
		})
		w.must(err)
		recoveries = append(recoveries, record)
	}
	w.must(w.service.RemoveInstance(w.ctx, admin, gone.piid))
	w.pass(200 * day)
	w.up.renewSigner(t)
	stays.adopt(stays.ok(stays.renewal()))
	stays.ok(stays.authorization("base", 1)) // the certificate before is not accepted any more
	w.sync(w.account, false)
	told := func(records ...wire.Record) error {
		manifest := w.up.respond(t, w.up.take(t, w.request(w.account, false)))
		_, err := w.apply(w.up.write(t, manifest, append(w.up.records(t, manifest.Account.ID), records...), w.up.signer))
		return err
	}
	w.must(told(recoveries...))
	if count, err := w.service.CountInstances(w.ctx, admin, satellite.InstanceFilter{}); err != nil || count != 1 {
		t.Errorf("there are %d devices (%v)", count, err)
	}
	gone.refused(gone.authorization(), "certificate-revoked")
	stays.ok(stays.authorization("base", 1))
	if now, err := w.service.FindInstance(w.ctx, admin, satellite.InstanceQuery{PIID: stays.piid}); err != nil || !now.CertificateNotAfter.After(begin.Add(500*day)) {
		t.Errorf("the device has an older certificate again, until %s (%v)", now.CertificateNotAfter, err)
	}
	for name, alter := range map[string]func(*wire.RecoveryRecord){
		"another key":      func(r *wire.RecoveryRecord) { r.PIID = "other" },
		"no serial number": func(r *wire.RecoveryRecord) { r.UDISerialNumber = "" },
		"a short hash":     func(r *wire.RecoveryRecord) { r.CertificateSHA256 = "00" },
		"no key":           func(r *wire.RecoveryRecord) { r.PublicKeySHA256 = "" },
		"a strange serial": func(r *wire.RecoveryRecord) { r.CertificateSerial = "x" },
		"no end":           func(r *wire.RecoveryRecord) { r.CertificateExpires = time.Time{} },
		"a long name":      func(r *wire.RecoveryRecord) { r.VirtualAccount = strings.Repeat("x", 2000) },
	} {
		var r wire.RecoveryRecord
		w.must(recoveries[0].Decode(&r))
		alter(&r)
		record, err := wire.NewRecord(wire.RecordRecovery, gone.piid, r)
		w.must(err)
		if err := told(record); satellite.CodeOf(err) != "sync-file-malformed" {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.must(w.store.View(w.ctx, func(tx satellite.Tx) error {
		if staged, err := tx.StagedRecords(w.account.ID, 1); err != nil || len(staged) != 0 {
			t.Errorf("left staged are %v (%v)", staged, err)
		}
		return nil
	}))
	w.audit()
}

// Law 5: a response that was cut short between its switch and its end is ended
// by the next start; before its switch nothing of it is seen.
func TestLaw5AResponseThatWasCutShortIsEndedOrDropped(t *testing.T) {
	t.Parallel()
	const devices = 450 // three chunks
	s := newSettled(t, 20)
	s.shut()
	old := s.copied()
	s.open()
	s.must(s.store.Update(s.ctx, func(tx satellite.Tx) error { return manyDevices(tx, s.account.ID, devices, s.service.Now()) }))
	s.exchange(satellite.SyncResult{})
	s.putBack(old)
	s.exchange(satellite.SyncResult{FullRequested: true, Lineage: wire.LineageRestored})
	response := s.answered(s.request(s.account, false)).Body

	s.shut()
	asked := s.copied()
	s.open()
	whole := s.wrap
	states := map[bool]int{} // what the crashes have left: the new state, or the old one
	for crash, done := 0, false; !done; crash++ {
		s.putBack(asked)
		s.shut()
		broken := &crashing{left: -1}
		s.wrap = func(store satellite.Store) satellite.Store { broken.Store = store; return broken }
		s.open()
		broken.left = crash
		_, err := s.apply(response)
		done = err == nil
		s.shut()
		s.wrap = whole
		s.open()
		count, countErr := s.service.CountInstances(s.ctx, admin, satellite.InstanceFilter{})
		s.must(countErr)
		statuses, statusErr := s.service.SyncStatuses(s.ctx, admin)
		s.must(statusErr)
		state := statuses[0].State
		applied := state.AppliedSequence == statuses[0].Requests[0].Sequence
		states[applied]++
		if count != map[bool]int64{true: devices}[applied] || state.FullRequired == applied || state.SwitchedSequence != 0 {
			t.Errorf("a crash after %d updates left %d devices; applied: %v, %+v", crash, count, applied, state)
		}
		s.must(s.store.View(s.ctx, func(tx satellite.Tx) error {
			left, err := tx.StagedRecords(s.account.ID, 1)
			if len(left) != 0 {
				t.Errorf("after a crash after %d updates something is still staged", crash)
			}
			return err
		}))
	}
	if states[false] < 4 || states[true] < 4 { // three chunks are staged before the switch, and worked off after it
		t.Errorf("the crashes left the old state %d times, the new one %d times", states[false], states[true])
	}
	s.unchanged("the response again", func() { // law 1
		if result, err := s.apply(response); err != nil || !result.AlreadyApplied {
			t.Errorf("%+v, %v", result, err)
		}
	})
	s.exchange(satellite.SyncResult{})
	s.equalSides()
}

// crashing fails every update after some, and whatever follows, as a process
// that is no more.
type crashing struct {
	satellite.Store
	left int // -1: it never crashes
}

var errCrashed = errors.New("crashed")

func (c *crashing) Update(ctx context.Context, f func(satellite.Tx) error) error {
	if c.left == 0 {
		return errCrashed
	}
	err := c.Store.Update(ctx, f)
	if c.left > 0 {
		c.left--
	}
	return err
}

// manyDevices are registered devices without a key.
func manyDevices(tx satellite.Tx, account satellite.AccountID, number int, now time.Time) error {
	virtual, err := tx.VirtualAccounts(account)
	if err != nil {
		return err
	}
	for n := range number {
		credential := sha256.Sum256(fmt.Append(nil, n))
		i := satellite.Instance{
			PIID: fmt.Sprintf("00000000-0000-4000-8000-%012d", n), AccountID: account, VirtualAccountID: virtual[0].ID,
			Identity:          satellite.Identity{UDIPID: "R1000", UDISerialNumber: fmt.Sprint("MANY", n), SoftwareTag: "regid.2026-01.example.OS,1.0_x"},
			RegistrationState: satellite.Registered, RegisteredAt: now, AuthorizationState: satellite.NoLicensesInUse, LastContactAt: now,
			Credential: credential, PublicKeyHash: credential, CertificateSerial: fmt.Sprintf("%032x", n+1), CertificateNotAfter: now.Add(365 * day),
		}
		if _, err := tx.CreateInstance(i); err != nil {
			return err
		}
	}
	return nil
}
