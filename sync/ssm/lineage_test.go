package ssm

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"ssm/satellite/wire"
)

// copied is the peer as a copy of its data folder holds it.
func (p *peer) copied() *peer {
	c := *p
	c.held = map[wire.RecordKind]map[string]wire.Record{}
	for kind, records := range p.held {
		c.held[kind] = maps.Clone(records)
	}
	return &c
}

// exchange is one exchange that must be kept.
func (p *peer) exchange(u *Upstream, scope wire.Scope, records ...wire.Record) response {
	p.t.Helper()
	r := p.apply(answer(p.t, u, p.request(scope, records...)).Body)
	if r.Response.FullRequested {
		p.t.Fatalf("a full request was asked for: %s", r.Response.Reason)
	}
	return r
}

func status(t *testing.T, u *Upstream) Satellite {
	t.Helper()
	list, err := u.Satellites(t.Context())
	if err != nil || len(list) == 0 {
		t.Fatalf("the satellites are %+v, %v", list, err)
	}
	return list[0]
}

func eventTypes(t *testing.T, u *Upstream) (types []EventType) {
	t.Helper()
	events, err := u.Events(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		types = append(types, e.Type)
	}
	slices.Reverse(types)
	return types
}

// Law 7, upstream: what a restored satellite lacks is told to it until it has
// it, and what was removed before is not taken for new.
func TestLaw7ARestoredSatelliteIsToldTheDevicesThatItLacks(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	p := register(t, u, c, "s1", "V")
	p.exchange(u, wire.ScopeStandard, p.device(1), p.device(2), p.device(3))
	old := p.copied()
	c.advance(day)
	renewed := p.device(3)
	p.exchange(u, wire.ScopeStandard, renewed, p.device(4), p.device(5), p.remove(wire.RecordDevice, "piid-2"))
	p.exchange(u, wire.ScopeStandard, p.remove(wire.RecordDevice, "piid-5"))

	c.advance(day)
	r := old.apply(answer(t, u, old.request(wire.ScopeStandard, old.device(6))).Body)
	if r.Response.Lineage != wire.LineageRestored || !r.Response.FullRequested || len(r.recoveries) != 0 {
		t.Fatalf("the restored satellite was answered by %+v", r.Response)
	}
	// The answer to the first full request is lost: the next one tells the same.
	answer(t, u, old.request(wire.ScopeFull, old.everything()...))
	before := old.copied()
	r = old.exchange(u, wire.ScopeFull, old.everything()...)
	if got := slices.Sorted(maps.Keys(r.recoveries)); !slices.Equal(got, []string{"piid-3", "piid-4"}) || !slices.Equal(r.revocations, []string{"piid-2"}) {
		t.Errorf("told were %v, revoked %v", got, r.revocations)
	}
	var now wire.DeviceRecord
	if err := renewed.Decode(&now); err != nil {
		t.Fatal(err)
	}
	if got := r.recoveries["piid-3"]; got.CertificateSHA256 != now.CertificateSHA256 || got.CertificateSerial != "3" || got.VirtualAccount != "Default" ||
		!got.CertificateExpires.Equal(*now.CertificateExpires) {
		t.Errorf("of the renewed device it tells %+v, want %+v", got, now)
	}
	for _, kind := range wire.StateKinds {
		if r.StateDigest[kind] != before.digests()[kind] {
			t.Errorf("after the full request the %s records of both sides differ", kind)
		}
	}
	// It adopts one, and does not want the other: neither is told again.
	r = old.exchange(u, wire.ScopeStandard, old.remove(wire.RecordDevice, "piid-2"), renewed, old.set(wire.RecordDevice, "piid-3", now))
	if len(r.recoveries) != 0 || len(r.revocations) != 0 {
		t.Errorf("told again: %v, %v", r.recoveries, r.revocations)
	}
	if s := status(t, u); s.Status != "registered" || s.RestoredAt == nil || s.DuplicatedAt != nil || s.Devices != 3 {
		t.Errorf("it is listed as %+v", s)
	}
	if got := eventTypes(t, u); !slices.Equal(got, []EventType{EventRestored}) {
		t.Errorf("the events are %v", got)
	}
}

func TestTwoCopiesThatSendInTurnsAreNoticed(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	one := register(t, u, c, "s1", "V")
	one.exchange(u, wire.ScopeStandard, one.device(1))
	other := one.copied()
	one.exchange(u, wire.ScopeStandard, one.device(2))
	// heal brings a copy back after it was asked for a full request.
	heal := func(p *peer, want wire.Lineage) {
		t.Helper()
		r := p.apply(answer(t, u, p.request(wire.ScopeStandard, p.device(int(p.sequence)+100))).Body)
		if !r.Response.FullRequested || r.Response.Lineage != want {
			t.Fatalf("the copy was answered by lineage %q, want %q: %s", r.Response.Lineage, want, r.Response.Reason)
		}
		p.exchange(u, wire.ScopeFull, p.everything()...)
	}
	heal(other, wire.LineageRestored)
	if s := status(t, u); s.Status != "registered" || s.DuplicatedAt != nil {
		t.Errorf("one that was restored is listed as %+v", s)
	}
	heal(one, wire.LineageDuplicated)
	heal(other, wire.LineageDuplicated)
	if s := status(t, u); s.Status != "duplicated" || s.DuplicatedAt == nil {
		t.Errorf("two copies are listed as %+v", s)
	}
	if got := eventTypes(t, u); !slices.Equal(got, []EventType{EventRestored, EventDuplicated, EventDuplicated}) {
		t.Errorf("the events are %v", got)
	}
	for range 4 { // one of them was shut down
		c.advance(10 * day)
		other.exchange(u, wire.ScopeStandard)
	}
	if s := status(t, u); s.Status != "registered" {
		t.Errorf("after a month it is listed as %+v", s)
	}
}

// Whatever the order in which files of one satellite arrive, it is no copy.
func TestFilesThatWereOnlyDelayedAreNoSignOfACopy(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	p := register(t, u, c, "s1", "V")
	two := p.request(wire.ScopeStandard, p.device(1))
	delayed := answer(t, u, two).Body
	three := p.request(wire.ScopeStandard, p.device(1), p.device(2)) // goes on from 1, like 2
	p.apply(delayed)
	answered := answer(t, u, three).Body
	four := p.request(wire.ScopeStandard, p.device(1), p.device(2), p.device(3)) // goes on from 2
	lost := answer(t, u, four)
	if lost.FullRequested || lost.Reason != "" {
		t.Errorf("four was answered by %q", lost.Reason)
	}
	p.apply(answered)
	late := p.request(wire.ScopeStandard)
	p.exchange(u, wire.ScopeStandard, p.device(4))
	if r := p.read(answer(t, u, late).Body); !r.Response.FullRequested || r.Response.Lineage != "" {
		t.Errorf("a late file was answered by %q: %s", r.Response.Lineage, r.Response.Reason)
	}
	if got := eventTypes(t, u); len(got) != 0 {
		t.Errorf("the events are %v", got)
	}
}

func TestAnUpstreamThatWasRestoredSaysSoAndIsHealed(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	p := register(t, u, c, "s1", "V")
	p.exchange(u, wire.ScopeStandard, p.device(1))
	p.sequence, p.base, p.baseOf = 8, 8, strings.Repeat("a", 64) // it has settled with what is lost now
	r := p.apply(answer(t, u, p.request(wire.ScopeStandard, p.device(2))).Body)
	if !r.Response.FullRequested || r.Response.Lineage != "" || !strings.Contains(r.Response.Reason, "the upstream was restored") {
		t.Fatalf("it was answered by %+v", r.Response)
	}
	r = p.exchange(u, wire.ScopeFull, p.everything()...)
	if r.StateDigest[wire.RecordDevice] != p.digests()[wire.RecordDevice] {
		t.Error("the sides are not equal")
	}
}

// Law 3: the same request gets the same bytes, from another process too.
func TestLaw3TheSameBytesComeAfterARestart(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	p := register(t, u, c, "s1", "V")
	request := p.request(wire.ScopeStandard, p.device(1))
	first := answer(t, u, request)
	again, err := Open(t.Context(), u.dir, "", c.now)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	c.advance(time.Hour)
	if second := answer(t, again, request); !second.Repeated || !bytes.Equal(first.Body, second.Body) {
		t.Error("after a restart the same request got other bytes")
	}
}

// Law 9, upstream: a satellite that was restored from before its registration
// comes back by its old registration file, and one that was set up anew counts
// from 1 again; an old file of another key does neither.
func TestLaw9ARegistrationIsNeverLockedOutByItsNumber(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	p := newPeer(t, c, u.keys.root, "s1", "V")
	fresh := p.copied()
	first := p.request(wire.ScopeRegistration)
	p.apply(answer(t, u, first).Body)
	p.exchange(u, wire.ScopeStandard, p.device(1))

	c.advance(3 * 365 * day) // the sub CA has ended meanwhile
	r := fresh.apply(answer(t, u, fresh.request(wire.ScopeRegistration)).Body)
	if !r.Response.FullRequested || r.Response.Lineage != wire.LineageRestored || r.Response.NextSequence != 3 {
		t.Fatalf("from before its registration it was answered by %+v", r.Response)
	}
	if r = fresh.exchange(u, wire.ScopeFull); len(r.recoveries) != 1 {
		t.Errorf("recovered were %v", r.recoveries)
	}

	anew := newPeer(t, c, u.keys.root, "s1", "V")
	r = anew.exchange(u, wire.ScopeRegistration, anew.device(9))
	if r.Sequence != 1 || r.Response.NextSequence != 4 || len(r.recoveries) != 1 {
		t.Errorf("set up anew it was answered by %+v", r.Response)
	}
	for range keptAnswers {
		anew.exchange(u, wire.ScopeStandard)
	}
	before := state(t, u)
	if _, err := u.answerBytes(t.Context(), first, AnswerOptions{}); err == nil || !strings.Contains(err.Error(), "use the newest one") {
		t.Errorf("a registration file from years ago: %v", err)
	}
	if state(t, u) != before {
		t.Error("a registration file from years ago changed something")
	}
}

// Law 5, upstream: what was staged and not switched over to is not seen, and goes.
func TestLaw5WhatACrashLeftStagedIsSweptAway(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	p := register(t, u, c, "s1", "V")
	before := state(t, u)
	request := p.request(wire.ScopeFull, p.device(1), p.device(2), reportRecord(t, "{}"))
	container, err := wire.OpenContainer(bytes.NewReader(request), int64(len(request)), u.trust(c.now()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.stage(t.Context(), container, c.now()); err != nil { // and there it crashed
		t.Fatal(err)
	}
	count := func(table string) (n int64) {
		if err := u.store.reader.Table(table).Count(&n).Error; err != nil {
			t.Fatal(err)
		}
		return n
	}
	if count("records") != 2 || count("staged_reports") != 1 {
		t.Fatal("nothing was staged")
	}
	if satellites := status(t, u); satellites.Devices != 0 || !strings.HasPrefix(before, state(t, u)[:20]) {
		t.Errorf("what was staged is seen: %+v", satellites)
	}
	p.sequence--
	p.exchange(u, wire.ScopeFull, p.everything()...)
	c.advance(abandoned + time.Second)
	p.exchange(u, wire.ScopeStandard)
	if records, reports, holdings := count("records"), count("staged_reports"), count("holdings"); records != 2 || reports != 0 || holdings != 1 {
		t.Errorf("left are %d records, %d reports, %d holdings", records, reports, holdings)
	}
}
