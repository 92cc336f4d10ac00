package agent_test

import (
	"crypto/x509"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"ssm/certs"
	"ssm/satellite/agent"
	"ssm/satellite/wire"
)

// A reply that is not the satellite's answer to this question changes nothing,
// whatever is wrong with it.
func TestAReplyThatIsNotTheAnswerIsThrownAway(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		bend func(*satellite)
		says string
	}{
		"another nonce": {func(s *satellite) { s.bend = func(h *wire.ReplyHeader, _ *wire.ReplyData) { h.Nonce = "1" } }, "nonce"},
		"another device": {func(s *satellite) {
			s.bend = func(h *wire.ReplyHeader, _ *wire.ReplyData) { h.SUDI.UDISerialNumber = "SN2" }
		}, "another device"},
		"another type": {func(s *satellite) {
			s.bend = func(h *wire.ReplyHeader, _ *wire.ReplyData) { h.RequestType = wire.Renewal }
		}, "ID_CERTIFICATE_RENEWAL"},
		"another product instance": {func(s *satellite) {
			s.bend = func(h *wire.ReplyHeader, _ *wire.ReplyData) { h.ProductInstanceIdentifier = "piid-9" }
		}, "another product instance"},
		"no product instance": {func(s *satellite) {
			s.bend = func(h *wire.ReplyHeader, _ *wire.ReplyData) { h.ProductInstanceIdentifier = "" }
		}, "another product instance"},
		"a foreign root": {func(s *satellite) { s.signer = newAuthorities(s.t, epoch).signer }, "does not lead to the licensing root"},
		"a signer without its chain": {func(s *satellite) {
			s.signer.Chain = s.signer.Chain[:1]
		}, "does not lead to the licensing root"},
		"an expired signer": {func(s *satellite) { s.now = epoch.AddDate(0, 0, 181) }, "expired"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSatellite(t)
			device := s.registered()
			if err := device.Request(t.Context(), "A", 1); err != nil {
				t.Fatal(err)
			}
			s.set(func() { c.bend(s) })
			before := device.State()
			err := device.Request(t.Context(), "A", 3)
			if !errors.Is(err, agent.ErrUntrusted) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %q in it", err, c.says)
			}
			if after := device.State(); !reflect.DeepEqual(before, after) {
				t.Errorf("changed from %+v\nto %+v", before, after)
			}
		})
	}
}

func TestADeviceCannotAnswerInPlaceOfTheSatellite(t *testing.T) {
	t.Parallel()
	s := newSatellite(t)
	device := s.registered()
	key, _ := certs.NewKey()
	request, err := certs.NewDeviceRequest(key, "ROUTER-1")
	if err != nil {
		t.Fatal(err)
	}
	rogue, err := s.ca.subCA.IssueDevice(request, certs.Device{PID: "ROUTER-1", PIID: "piid-7"}, epoch)
	if err != nil {
		t.Fatal(err)
	}
	s.set(func() { s.signer = wire.Signer{Key: key, Chain: append([][]byte{rogue.Raw}, s.ca.signer.Chain[1:]...)} })
	if err := device.RenewAuthorization(t.Context()); !errors.Is(err, agent.ErrUntrusted) {
		t.Fatal(err)
	}
}

func TestTheSatelliteOfAnotherAccountCannotAnswer(t *testing.T) {
	t.Parallel()
	s := newSatellite(t)
	device := s.registered()
	key, _ := certs.NewKey()
	issuing := &certs.Authority{Certificate: s.ca.subCA.Issuers[0], Key: s.ca.issuingKey, Issuers: s.ca.subCA.Issuers[1:]}
	request := must[[]byte](t)(certs.NewSubCARequest(key, "account-2", "Other"))
	other := &certs.Authority{Key: key, Issuers: issuing.Chain(), Certificate: must[*x509.Certificate](t)(issuing.IssueSubCA(request, "account-2", "Other", epoch))}
	signer := must[*x509.Certificate](t)(other.IssueSatelliteSigner("satellite-2", key.Public(), epoch))
	s.set(func() {
		s.signer = wire.Signer{Key: key, Chain: [][]byte{signer.Raw, other.Certificate.Raw, issuing.Certificate.Raw}}
	})
	if err := device.RenewAuthorization(t.Context()); !errors.Is(err, agent.ErrUntrusted) || !strings.Contains(err.Error(), "account-2") {
		t.Fatal(err)
	}
}

func TestACertificateForAnotherKeyIsNotTaken(t *testing.T) {
	t.Parallel()
	s := newSatellite(t)
	first := s.registered()
	foreign := first.Certificate().Raw
	s.set(func() {
		s.bend = func(_ *wire.ReplyHeader, d *wire.ReplyData) { d.Certificate = base64Of(foreign) }
	})
	before := first.State()
	if err := first.RenewCertificate(t.Context()); !errors.Is(err, agent.ErrUntrusted) || !strings.Contains(err.Error(), "another key") {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(before, first.State()) {
		t.Fatal("the state has changed")
	}
}

func TestAnUnsignedReplyIsShownAndChangesNothing(t *testing.T) {
	t.Parallel()
	s := newSatellite(t)
	s.unsigned = true
	s.bend = func(_ *wire.ReplyHeader, d *wire.ReplyData) {
		d.Message = "account Example is not registered upstream yet\x1b[2J: its administrator has to do it"
	}
	device := open(t, s.options())
	before := device.State()
	err := device.Register(t.Context(), "token", false)
	var refused *agent.Refused
	if !errors.As(err, &refused) || refused.Signed || !strings.Contains(err.Error(), "not registered upstream yet[2J: its administrator") {
		t.Fatalf("%q", err)
	}
	if after := device.State(); !reflect.DeepEqual(before, after) {
		t.Fatalf("changed from %+v\nto %+v", before, after)
	}
}

func TestADeadClockIsCorrectedOnce(t *testing.T) {
	t.Parallel()
	for name, local := range map[string]time.Time{
		"in the past, before any certificate": time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC),
		"in the future, after the signer":     epoch.AddDate(0, 0, 200),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSatellite(t)
			o := s.options()
			o.Now = func() time.Time { return local }
			device := open(t, o)
			if err := device.Register(t.Context(), "token", false); err != nil {
				t.Fatal(err)
			}
			if n := len(s.requests); n != 2 {
				t.Errorf("%d requests, want the refused one and one more", n)
			}
			if got := device.State(); !got.Now(local).Equal(epoch) || !got.RegisteredAt.Equal(epoch) {
				t.Errorf("time %s, registered at %s", got.Now(local), got.RegisteredAt)
			}
			if err := device.Request(t.Context(), "A", 1); err != nil || len(s.requests) != 3 {
				t.Errorf("the kept offset: %v, %d requests", err, len(s.requests))
			}
		})
	}
}

func TestAClockThatStaysWrongIsRetriedOnlyOnce(t *testing.T) {
	t.Parallel()
	s := newSatellite(t)
	device := s.registered()
	s.set(func() {
		s.bend = func(_ *wire.ReplyHeader, d *wire.ReplyData) {
			*d = fail("clock-skew", "the clock is off")
			d.SatelliteTime = wire.Milliseconds(epoch.Add(2 * time.Hour))
		}
	})
	var refused *agent.Refused
	if err := device.RenewAuthorization(t.Context()); !errors.As(err, &refused) || refused.Code != "clock-skew" || len(s.requests) != 3 {
		t.Fatalf("%v after %d requests", err, len(s.requests))
	}
}

func TestTheClockIsNotTurnedBackBeforeTheOwnCertificate(t *testing.T) {
	t.Parallel()
	s := newSatellite(t)
	s.set(func() { s.now = epoch.AddDate(0, 0, 30) })
	device := s.registered()
	s.set(func() {
		s.bend = func(_ *wire.ReplyHeader, d *wire.ReplyData) {
			*d = fail("clock-skew", "the clock is off")
			d.SatelliteTime = wire.Milliseconds(epoch)
		}
	})
	if err := device.RenewAuthorization(t.Context()); !errors.Is(err, agent.ErrUntrusted) || device.State().ClockOffset != 0 {
		t.Fatalf("%v, offset %d", err, device.State().ClockOffset)
	}
}
