package agent_test

import (
	"errors"
	"testing"
	"time"

	"ssm/satellite/agent"
	"ssm/satellite/wire"
)

func TestEachMessageNamesTheLastReplyThatWasAccepted(t *testing.T) {
	t.Parallel()
	s, ctx := newSatellite(t), t.Context()
	o := s.options()
	device := open(t, o)
	named := func(when string, digest string) {
		t.Helper()
		if got := s.last().Header.LastReply; got != digest {
			t.Errorf("%s: the message names %q, want %q", when, got, digest)
		}
	}
	if err := device.Register(ctx, "expired", false); err == nil {
		t.Fatal("accepted")
	}
	if err := device.Register(ctx, "token", false); err != nil {
		t.Fatal(err)
	}
	named("after a refusal", "")
	accepted := s.digests[1]
	device = s.restart(device, o.Folder)
	if err := device.Request(ctx, "A", 1); err != nil {
		t.Fatal(err)
	}
	named("after the registration", accepted)
	accepted = s.digests[2]

	s.set(func() { s.lose = 2 })
	if err := device.RenewAuthorization(ctx); !errors.Is(err, agent.ErrConnection) {
		t.Fatal(err)
	}
	s.set(func() { s.signer = newAuthorities(t, epoch).signer })
	if err := device.RenewAuthorization(ctx); !errors.Is(err, agent.ErrUntrusted) {
		t.Fatal(err)
	}
	s.set(func() { s.signer = s.ca.signer })
	if err := device.RenewCertificate(ctx); err != nil {
		t.Fatal(err)
	}
	named("after a lost and a forged reply", accepted)
	accepted = s.digests[len(s.digests)-1]
	if err := device.Deregister(ctx); err != nil {
		t.Fatal(err)
	}
	named("after the renewal", accepted)
	accepted = s.digests[len(s.digests)-1]
	if err := device.Register(ctx, "other", false); err != nil {
		t.Fatal(err)
	}
	named("after the deregistration", accepted)
}

func TestTheOffsetOfTheClockIsToldWithTheTimeThatItMade(t *testing.T) {
	t.Parallel()
	s, ctx := newSatellite(t), t.Context()
	o := s.options()
	wrong := 48 * time.Hour
	o.Now = func() time.Time { return s.time().Add(-wrong) }
	device := open(t, o)
	check := func(when string, asked int, offset time.Duration) {
		t.Helper()
		h := s.last().Header
		if len(s.requests) != asked || h.ClockOffset != offset.Milliseconds() || !wire.Time(h.Timestamp).Equal(epoch) {
			t.Errorf("%s: %d requests, the last at %s with an offset of %d ms", when, len(s.requests), wire.Time(h.Timestamp), h.ClockOffset)
		}
	}
	if err := device.Register(ctx, "token", false); err != nil {
		t.Fatal(err)
	}
	if first := s.requests[0].Header; first.ClockOffset != 0 || !wire.Time(first.Timestamp).Equal(epoch.Add(-wrong)) {
		t.Errorf("the first message: %+v", first)
	}
	check("registration", 2, wrong)
	if err := device.Request(ctx, "A", 1); err != nil {
		t.Fatal(err)
	}
	check("authorization", 3, wrong)
	wrong = 0 // somebody has set the clock of the machine
	if err := device.RenewAuthorization(ctx); err != nil {
		t.Fatal(err)
	}
	check("a clock set right", 5, 0)
	if got := device.State().Counters.ClockCorrections; got != 2 {
		t.Errorf("%d corrections", got)
	}
}

// Nobody but the satellite sets the clock of a device, not even of one that has
// no certificate yet.
func TestAStrangerSetsNoClock(t *testing.T) {
	t.Parallel()
	cases := map[string]func(*satellite){
		"another root": func(s *satellite) { s.signer = newAuthorities(s.t, s.now).signer },
		"no signature": func(s *satellite) { s.unsigned = true },
		"a signer that is not valid at that time": func(s *satellite) {
			s.bend = func(_ *wire.ReplyHeader, d *wire.ReplyData) {
				d.SatelliteTime = wire.Milliseconds(s.now.AddDate(1, 0, 0))
			}
		},
		"an old answer": func(s *satellite) { s.bend = func(h *wire.ReplyHeader, _ *wire.ReplyData) { h.Nonce = "7" } },
	}
	for name, bend := range cases {
		for _, registered := range []bool{false, true} {
			s := newSatellite(t)
			o := s.options()
			wrong := time.Duration(0)
			o.Now = func() time.Time { return s.time().Add(wrong) }
			device := open(t, o)
			ask := func() error { return device.Register(t.Context(), "token", false) }
			if registered {
				if err := ask(); err != nil {
					t.Fatal(err)
				}
				ask = func() error { return device.RenewAuthorization(t.Context()) }
			}
			wrong = -48 * time.Hour
			s.set(func() { bend(s) })
			before := len(s.requests)
			if err := ask(); err == nil || device.State().ClockOffset != 0 || len(s.requests) != before+1 {
				t.Errorf("%s, registered %t: %v, offset %d, %d requests", name, registered, err, device.State().ClockOffset, len(s.requests)-before)
			}
		}
	}
}

func TestTheCertificateOfTheServerIsJudgedByTheClockOfTheDevice(t *testing.T) {
	t.Parallel()
	s := newSatellite(t)
	o := s.options()
	o.Now = func() time.Time { return s.time().AddDate(0, 0, 398) }
	device := open(t, o)
	err := device.Register(t.Context(), "token", false)
	if !errors.Is(err, agent.ErrConnection) || len(s.messages) != 0 {
		t.Fatalf("%v, %d messages", err, len(s.messages))
	}
}
