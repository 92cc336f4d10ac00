package ssm

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"ssm/satellite/wire"
)

func onlyLicense(t *testing.T, u *Upstream, virtual string) License {
	t.Helper()
	licenses, err := u.Licenses(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(licenses, func(l License) bool { return l.VirtualAccount == virtual })
	if at < 0 {
		t.Fatalf("%q has no licenses: %+v", virtual, licenses)
	}
	return licenses[at]
}

func TestLaw6ALapsedSatelliteIsTakenBackWithAnEventAndComesBackInOneRoundTrip(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	if _, err := u.AddLicense(t.Context(), Order{VirtualAccount: "V", Tag: "t", Name: "Turbo", Quantity: 10}); err != nil {
		t.Fatal(err)
	}
	p := register(t, u, c, "s1", "V")
	p.exchange(u, wire.ScopeStandard, p.device(1), p.usage("Default", "t", 7))
	lot := onlyLicense(t, u, "V").Lots[0]
	// Law 6: what a satellite uses is not taken from it.
	if _, err := u.MoveLicense(t.Context(), Move{Lot: lot.ID, To: "W", Quantity: 4}); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "3 can be moved") {
		t.Errorf("more than there is to spare: %v", err)
	}
	before := p.request(wire.ScopeStandard, p.usage("Default", "t", 8)) // written before the lapse

	c.advance(90*day - time.Second)
	if s := status(t, u); s.Status != "registered" || onlyLicense(t, u, "V").InUse != 7 {
		t.Errorf("a second before the deadline it is %+v", s)
	}
	c.advance(time.Second)
	if s := status(t, u); s.Status != "lapsed" || onlyLicense(t, u, "V").InUse != 0 {
		t.Errorf("at the deadline it is %+v", s)
	}
	moved, err := u.MoveLicense(t.Context(), Move{Lot: lot.ID, To: "W", Quantity: 6})
	if err != nil || moved.Quantity != 6 || onlyLicense(t, u, "W").Quantity != 6 {
		t.Fatalf("moved %+v, %v", moved, err)
	}
	c.advance(day)
	r := p.apply(answer(t, u, before).Body)
	if r.Response.FullRequested || len(r.lots) != 1 || r.lots[0].Quantity != 4 || !r.Response.Deadline.Equal(c.now().Add(90*day)) {
		t.Errorf("the return was answered by %+v, lots %+v", r.Response, r.lots)
	}
	if n := r.Response.Notices; len(n) != 1 || n[0].Tag != "t" || !strings.Contains(n[0].Text, "6 of Turbo were given to other virtual accounts") || !strings.Contains(n[0].Text, "30 May 2026") {
		t.Errorf("the notices are %+v", n)
	}
	if s, l := status(t, u), onlyLicense(t, u, "V"); s.Status != "registered" || l.InUse != 8 || l.Quantity != 4 {
		t.Errorf("after the return it is %+v, %+v", s, l)
	}
	if r = p.exchange(u, wire.ScopeStandard); len(r.Response.Notices) != 0 {
		t.Errorf("told again: %+v", r.Response.Notices)
	}
	if got := eventTypes(t, u); !slices.Equal(got, []EventType{EventLapsed, EventMoved, EventReturned}) {
		t.Errorf("the events are %v", got)
	}
}

func TestALapseThatNobodyLookedAtIsStillOnRecord(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	p := register(t, u, c, "s1", "V")
	c.advance(100 * day)
	p.exchange(u, wire.ScopeStandard)
	if got := eventTypes(t, u); !slices.Equal(got, []EventType{EventLapsed, EventReturned}) {
		t.Errorf("the events are %v", got)
	}
}

func TestALotMovesWholeOrInPart(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	license, err := u.AddLicense(t.Context(), Order{VirtualAccount: "V", Tag: "t", Name: "T", Quantity: 10})
	if err != nil {
		t.Fatal(err)
	}
	id := license.Lots[0].ID
	for name, move := range map[string]Move{
		"no such lot": {Lot: "x", To: "W"}, "too many": {Lot: id, To: "W", Quantity: 11}, "negative": {Lot: id, To: "W", Quantity: -1}, "to itself": {Lot: id, To: "v"}, "nowhere": {Lot: id},
	} {
		if _, err := u.MoveLicense(t.Context(), move); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if lot, err := u.MoveLicense(t.Context(), Move{Lot: id, To: "W"}); err != nil || lot.ID != id || onlyLicense(t, u, "W").Quantity != 10 {
		t.Errorf("the whole lot: %+v, %v", lot, err)
	}
}
