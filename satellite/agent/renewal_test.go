package agent_test

import (
	"errors"
	"testing"
	"time"

	"ssm/satellite/agent"
	"ssm/satellite/wire"
)

// sent are the types of the requests that arrived since the last look.
func (s *satellite) sent() (kinds []wire.RequestType) {
	for _, request := range s.requests {
		kinds = append(kinds, request.Header.RequestType)
	}
	s.requests = nil
	return kinds
}

func TestWhatIsDueIsRenewedAndNothingElse(t *testing.T) {
	t.Parallel()
	s, ctx := newSatellite(t), t.Context()
	device := s.registered()
	s.set(func() { // signs, and certifies, for longer than a real one
		s.bend = func(_ *wire.ReplyHeader, d *wire.ReplyData) {
			if d.Certificate != "" {
				d.CertificateRenewAt = wire.Milliseconds(s.now.AddDate(0, 0, 70))
			}
		}
	})
	if err := device.RenewCertificate(ctx); err != nil {
		t.Fatal(err)
	}
	if err := device.Request(ctx, "A", 1); err != nil {
		t.Fatal(err)
	}
	s.sent()
	steps := []struct {
		day  int
		sent []wire.RequestType
		next int
	}{
		{0, nil, 30},
		{29, nil, 30},
		{30, []wire.RequestType{wire.Authorization}, 60},
		{31, nil, 60},
		{65, []wire.RequestType{wire.Authorization}, 70},
		{71, []wire.RequestType{wire.Renewal}, 95},
		{150, []wire.RequestType{wire.Renewal, wire.Authorization}, 180},
	}
	for _, step := range steps {
		s.days(step.day)
		next, err := device.RenewDue(ctx)
		if err != nil || !next.Equal(epoch.AddDate(0, 0, step.next)) {
			t.Errorf("day %d: next is %s, %v", step.day, next, err)
		}
		if got := s.sent(); !equal(got, step.sent) {
			t.Errorf("day %d: sent %v, want %v", step.day, got, step.sent)
		}
	}
	if got := device.State().Counters; got != (agent.Counters{Registrations: 1, Authorizations: 4, Renewals: 3}) {
		t.Errorf("%+v", got)
	}
}

func equal(a, b []wire.RequestType) bool {
	for i := range a {
		if i >= len(b) || a[i] != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}

func TestTheNextCallIsToldByTheClockOfThisMachine(t *testing.T) {
	t.Parallel()
	s := newSatellite(t)
	o := s.options()
	o.Now = func() time.Time { return s.time().AddDate(-10, 0, 0) }
	device := open(t, o)
	if err := device.Register(t.Context(), "token", false); err != nil {
		t.Fatal(err)
	}
	if err := device.Request(t.Context(), "A", 1); err != nil {
		t.Fatal(err)
	}
	if next, err := device.RenewDue(t.Context()); err != nil || next.Sub(o.Now()) != 30*day {
		t.Errorf("next in %s, %v", next.Sub(o.Now()), err)
	}
}

func TestADeviceThatFailsToRenewTriesAgainInAnHour(t *testing.T) {
	t.Parallel()
	s := newSatellite(t)
	device := s.registered()
	if err := device.Request(t.Context(), "A", 1); err != nil {
		t.Fatal(err)
	}
	s.days(40)
	s.set(func() { s.lose = 2 })
	next, err := device.RenewDue(t.Context())
	if !errors.Is(err, agent.ErrConnection) || !next.Equal(s.time().Add(time.Hour)) {
		t.Fatalf("next %s, %v", next, err)
	}
	// Whatever a satellite says, it is not asked without pause.
	s.set(func() {
		s.bend = func(_ *wire.ReplyHeader, d *wire.ReplyData) {
			d.AuthorizationRenewAt = wire.Milliseconds(s.now.AddDate(0, 0, -1))
		}
	})
	if next, err = device.RenewDue(t.Context()); err != nil || !next.Equal(s.time().Add(time.Minute)) {
		t.Fatalf("next %s, %v", next, err)
	}
}

func TestARefusedCertificateKeepsNoLicenseFromBeingRenewed(t *testing.T) {
	t.Parallel()
	s := newSatellite(t)
	device := s.registered()
	if err := device.Request(t.Context(), "A", 1); err != nil {
		t.Fatal(err)
	}
	s.set(func() {
		s.bend = func(h *wire.ReplyHeader, d *wire.ReplyData) {
			if h.RequestType == wire.Renewal {
				*d = fail("account-not-registered", "try again after the next sync")
			}
		}
	})
	// The first signer ends after 180 days, the certificate is due after 182.
	s.days(170)
	s.set(func() { s.signer = s.newSigner() })
	s.days(190)
	s.sent()
	var refused *agent.Refused
	if _, err := device.RenewDue(t.Context()); !errors.As(err, &refused) || refused.Code != "account-not-registered" {
		t.Fatal(err)
	}
	if got := s.sent(); !equal(got, []wire.RequestType{wire.Renewal, wire.Authorization}) {
		t.Errorf("sent %v", got)
	}
	if got := device.State(); got.AuthorizationState != "authorized" || !got.AuthorizedAt.Equal(s.time()) {
		t.Errorf("%q at %s", got.AuthorizationState, got.AuthorizedAt)
	}
	s.days(230) // both are due
	s.set(func() { clear(s.instances); s.bend = nil })
	if _, err := device.RenewDue(t.Context()); !errors.As(err, &refused) || refused.Code != "not-registered" {
		t.Fatal(err)
	}
	if got := s.sent(); !equal(got, []wire.RequestType{wire.Renewal}) {
		t.Errorf("once it is removed a device sent %v", got)
	}
	if next, err := device.RenewDue(t.Context()); !errors.Is(err, agent.ErrNotRegistered) || !next.IsZero() {
		t.Errorf("next %s, %v", next, err)
	}
}

func TestASilentDeviceIsAuthorizedAgainByItsPeriodicMessage(t *testing.T) {
	t.Parallel()
	s := newSatellite(t)
	device := s.registered()
	if err := device.Request(t.Context(), "A", 2); err != nil {
		t.Fatal(err)
	}
	s.days(91)
	s.set(func() { // the 90-day return
		for _, known := range s.instances {
			clear(known.counts)
		}
	})
	if got := device.State(); got.AuthorizationState != agent.AuthorizationExpired || got.Licenses()[0].Mode != wire.ModeAuthorizationExpired {
		t.Fatalf("%q %+v", got.AuthorizationState, got.Licenses())
	}
	if _, err := device.RenewDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := device.State(); got.AuthorizationState != "authorized" || got.Licenses()[0].Count != 2 {
		t.Fatalf("%q %+v", got.AuthorizationState, got.Licenses())
	}
}
