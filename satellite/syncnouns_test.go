package satellite_test

import (
	"errors"
	"strings"
	"testing"

	"ssm/satellite"
	"ssm/satellite/wire"
	"ssm/sync/ssm"
)

// upstreamRecord is what the upstream of the tests holds under a key; it fails where there is none.
func (w *world) upstreamRecord(kind wire.RecordKind, key string, into any) {
	w.Helper()
	record, ok := w.up.state[w.external(w.account)][kind][key]
	if !ok {
		w.Fatalf("the upstream has no %s %q: %v", kind, key, w.up.state[w.external(w.account)][kind])
	}
	w.must(record.Decode(into))
}

func TestReservationsAndTheirReturnsGoUpstream(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "a", quantity: 10}, lot{tag: "term", quantity: 5, end: begin.Add(100 * day)})
	d := w.silent("S1", wire.ReservationSpecific)
	r := d.reserve("a", 3, "term", 2)
	w.sync(w.account, false)
	var held wire.ReservationRecord
	w.upstreamRecord(wire.RecordReservation, "1", &held)
	if held.UDISerialNumber != "S1" || held.VirtualAccount != "Default" || held.State != "reserved" || held.Type != "specific" || held.PIID != r.PIID ||
		len(held.Items) != 2 || held.Items[0].Tag != "a" || held.Items[0].Count != 3 || held.Items[0].End != nil || held.Items[1].End == nil {
		t.Errorf("the upstream has %+v", held)
	}
	if w.up.manifest.Request.Scope != wire.ScopeStandard {
		t.Errorf("it went up by a %s request", w.up.manifest.Request.Scope)
	}
	confirmation, back := d.codes(r.Authorization)
	_, err := w.service.ConfirmReservation(w.ctx, admin, r.ID, confirmation)
	w.must(err)
	_, err = w.service.ReturnReservation(w.ctx, admin, satellite.ReservationQuery{ID: r.ID}, back)
	w.must(err)
	w.sync(w.account, false)
	held = wire.ReservationRecord{}
	w.upstreamRecord(wire.RecordReservation, "1", &held)
	if held.State != "returned" || held.ReturnedAt == nil {
		t.Errorf("after the return the upstream has %+v", held)
	}
}

func TestTransfersBetweenVirtualAccountsGoUpstreamAndComeBack(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{id: "lot-1", tag: "a", quantity: 10})
	w.part("Annex")
	w.must(w.move("a", "", "Annex", 4))
	w.sync(w.account, false)
	var moved wire.TransferRecord
	w.upstreamRecord(wire.RecordTransfer, "lot-1\t1\t2", &moved)
	if moved.Quantity != 4 || moved.From != "Default" || moved.To != "Annex" || moved.Tag != "a" || moved.Lot != "lot-1" || !moved.MovedAt.Equal(w.service.Now()) {
		t.Errorf("the upstream has %+v", moved)
	}
	name := "Lab"
	_, err := w.service.SetVirtualAccount(w.ctx, admin, w.account.ID, "Annex", &name, nil)
	w.must(err)
	w.sync(w.account, false)
	if w.upstreamRecord(wire.RecordTransfer, "lot-1\t1\t2", &moved); moved.To != "Lab" {
		t.Errorf("after a new name the upstream has %+v", moved)
	}
	w.must(w.move("a", "Lab", "Default", 4))
	w.sync(w.account, false)
	if left := w.up.state[w.external(w.account)][wire.RecordTransfer]; len(left) != 0 {
		t.Errorf("after it came back the upstream has %v", left)
	}
	if m := w.up.manifest; m.Request.Scope != wire.ScopeStandard {
		t.Errorf("it went up by a %s request", m.Request.Scope)
	}
}

func TestThe90DayReturnAndItsEndGoUpstream(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "base", quantity: 5})
	_, text := w.token(satellite.NewToken{})
	d := w.device("A").register(text)
	d.ok(d.authorization("base", 2))
	told := func(returned bool, inUse int64) {
		t.Helper()
		w.late()
		var device wire.DeviceRecord
		w.upstreamRecord(wire.RecordDevice, d.piid, &device)
		var usage wire.UsageRecord
		w.upstreamRecord(wire.RecordUsage, "Default\tbase", &usage)
		if device.LicensesReturned != returned || usage.InUse != inUse || w.up.manifest.Request.Scope != wire.ScopeStandard {
			t.Errorf("the upstream has %+v and %+v, by a %s request", device, usage, w.up.manifest.Request.Scope)
		}
	}
	told(false, 2)
	w.run(91 * day)
	told(true, 0)
	d.ok(d.authorization())
	told(false, 2)
}

func TestARevokedCertificateIsKnownUpstreamByTheNextOne(t *testing.T) {
	t.Parallel()
	w := registered(t)
	_, text := w.token(satellite.NewToken{})
	d := w.device("A").register(text)
	w.sync(w.account, false)
	var before, after wire.DeviceRecord
	w.upstreamRecord(wire.RecordDevice, d.piid, &before)
	w.clock.advance(day)
	d.key = newKey(t) // with the same one it were a repeat
	d.adopt(d.ok(d.registration(text, true)))
	w.sync(w.account, false)
	w.upstreamRecord(wire.RecordDevice, d.piid, &after)
	if after.CertificateSerial == before.CertificateSerial || after.CertificateSHA256 == before.CertificateSHA256 || !after.RegisteredAt.After(*before.RegisteredAt) {
		t.Errorf("before %+v, after %+v", before, after)
	}
}

// A record of a kind that comes with a later version is refused by its name by
// both sides, and the same file is taken once they know it: here, once it is gone.
func TestAKindThatIsNotKnownIsRefusedByNameAndNothingIsLost(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "base", quantity: 7})
	w.up.lots[w.external(w.account)] = []lot{{tag: "base", quantity: 9}}
	manifest := w.up.respond(t, w.up.take(t, w.request(w.account, false)))
	records := w.up.records(t, manifest.Account.ID)
	newer := w.up.write(t, manifest, append(records, wire.Record{Kind: "policy", Key: "usage", Value: []byte(`{"days":90}`)}), w.up.signer)
	w.unchanged("a newer response", func() {
		_, err := w.apply(newer)
		refused(t, err, satellite.KindInvalid, "record-kind-unknown", `"policy"`, "apply the same file again")
	})
	_, err := w.apply(w.up.write(t, manifest, records, w.up.signer))
	w.must(err)
	if p := w.pool("base"); p.Purchased != 9 {
		t.Errorf("the pool has %d", p.Purchased)
	}
}

// Every noun at once, against the reference upstream: its digests are the same.
func TestLaw3EveryNounSettlesWithTheReferenceUpstream(t *testing.T) {
	t.Parallel()
	s := newSettled(t, 50)
	s.part("Annex")
	s.must(s.move("base", "", "Annex", 6))
	d := s.silent("S1", wire.ReservationSpecific)
	r := d.reserve("base", 3)
	_, err := s.service.ImportUsage(s.ctx, admin, s.account.ID, usage(report("R", "base", 1, 1, 2)))
	s.must(err)
	_, text := s.token(satellite.NewToken{})
	one := s.device("A").register(text)
	one.ok(one.authorization("base", 4))
	s.exchange(satellite.SyncResult{})
	_, back := d.codes(r.Authorization)
	_, err = s.service.ReturnReservation(s.ctx, admin, satellite.ReservationQuery{ID: r.ID}, back)
	s.must(err)
	s.must(s.move("base", "Annex", "", 6))
	s.must(s.service.RemoveInstance(s.ctx, admin, one.piid))
	s.exchange(satellite.SyncResult{})
	result, err := s.apply(s.answered(s.request(s.account, true)).Body)
	if err != nil || result.FullRequested {
		t.Errorf("a full request was answered by %+v (%v)", result, err)
	}
	s.equalSides()
	licenses, err := s.upstream.Licenses(s.ctx, "")
	if err != nil || licenses[0].InUse != 2 || licenses[0].Reserved != 0 {
		t.Errorf("the upstream has %+v (%v)", licenses, err)
	}
}

// Law 8: two accounts, two satellites, one upstream: each has a virtual account
// of its own, and a response for one is refused by the other.
func TestLaw8TwoSatellitesNeverShareAVirtualAccountNorAResponse(t *testing.T) {
	t.Parallel()
	one := newSettled(t, 10)
	other := settled{newWorld(t), one.upstream}
	request := other.request(other.account, false)
	_, err := one.upstream.Answer(one.ctx, strings.NewReader(string(request)), int64(len(request)), ssm.AnswerOptions{})
	if !errors.Is(err, ssm.ErrRefused) || !strings.Contains(err.Error(), "two never share one") {
		t.Errorf("two satellites in one virtual account: %v", err)
	}
	response := one.answered(one.request(one.account, false)).Body
	one.must(other.trustRootOf(one))
	other.unchanged("a foreign response", func() {
		_, err := other.apply(response)
		refused(t, err, satellite.KindConflict, "response-foreign", other.service.ID(), one.service.ID())
	})
}

// trustRootOf trusts the root that another world trusts.
func (s settled) trustRootOf(other settled) error {
	roots, err := other.service.Roots(s.ctx)
	if err != nil {
		return err
	}
	_, err = s.service.TrustRoots(s.ctx, admin, pemOf(roots[0].DER))
	return err
}
