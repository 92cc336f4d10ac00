package agent_test

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"ssm/certs"
	"ssm/satellite/agent"
	"ssm/satellite/wire"
)

func TestADeviceRegistersUsesLicensesAndGivesEverythingBack(t *testing.T) {
	t.Parallel()
	s, ctx := newSatellite(t), t.Context()
	o := s.options()
	device := open(t, o)
	if err := device.Register(ctx, " token\n", false); err != nil {
		t.Fatal(err)
	}
	device = s.restart(device, o.Folder)
	if got := device.State(); got.Registration != agent.Registered || got.PIID != "piid-1" || got.SmartAccount != "Example" || got.Identity.Hostname != "edge" {
		t.Fatalf("after the registration: %+v", got)
	}
	if certificate := device.Certificate(); certificate == nil || certificate.Subject.SerialNumber != "piid-1" {
		t.Fatalf("certificate: %+v", certificate)
	}
	if err := device.Request(ctx, "A", 2); err != nil {
		t.Fatal(err)
	}
	if err := device.Request(ctx, "B", 6); err != nil {
		t.Fatal(err)
	}
	got := device.State()
	want := []agent.License{{Tag: "A", Name: "License A", Count: 2, Mode: wire.ModeInCompliance}, {Tag: "B", Name: "License B", Count: 6, Mode: wire.ModeOutOfCompliance}}
	if got.AuthorizationState != agent.OutOfCompliance || !reflect.DeepEqual(got.Licenses(), want) {
		t.Fatalf("after the requests: %q %+v", got.AuthorizationState, got.Licenses())
	}
	if err := device.Request(ctx, "B", 0); err != nil {
		t.Fatal(err)
	}
	if got := device.State(); got.AuthorizationState != "authorized" || len(got.Licenses()) != 1 || len(got.Wanted) != 1 {
		t.Fatalf("after the release: %+v", got)
	}
	if err := device.Deregister(ctx); err != nil {
		t.Fatal(err)
	}
	got = s.restart(device, o.Folder).State()
	if got.Registration != agent.Unregistered || got.PIID != "" || got.Certificate != nil || len(got.Answers) != 0 || got.Identity.UDISerialNumber != "SN1" {
		t.Fatalf("after the deregistration: %+v", got)
	}
	if len(s.instances) != 0 {
		t.Fatal("the satellite still knows the device")
	}
}

func TestARegistrationRepeatedAfterALostReplyCostsNoSecondUse(t *testing.T) {
	t.Parallel()
	s := newSatellite(t)
	s.lose = 2 // the first attempt, and the retry within the same call
	o := s.options()
	device := open(t, o)
	if err := device.Register(t.Context(), "token", false); !errors.Is(err, agent.ErrConnection) {
		t.Fatalf("without an answer: %v", err)
	}
	if !bytes.Equal(s.messages[0], s.messages[1]) {
		t.Error("the retry did not send the very same bytes")
	}
	if got := device.State().Registration; got != agent.Registering {
		t.Errorf("state %q", got)
	}
	if err := device.RenewAuthorization(t.Context()); !errors.Is(err, agent.ErrNotRegistered) || !strings.Contains(err.Error(), "repeat it") {
		t.Errorf("an authorization before the repeat: %v", err)
	}
	device = s.restart(device, o.Folder)
	if err := device.Register(t.Context(), "token", false); err != nil {
		t.Fatal(err)
	}
	if got := device.State(); got.PIID != "piid-1" || s.tokenUses != 1 {
		t.Errorf("PIID %s, %d uses", got.PIID, s.tokenUses)
	}
	if err := device.Register(t.Context(), "token", false); err != nil || s.tokenUses != 1 {
		t.Errorf("the same token on a registered device: %v, %d uses", err, s.tokenUses)
	}
}

func TestOneLostReplyIsRetriedWithinTheCall(t *testing.T) {
	t.Parallel()
	s := newSatellite(t)
	device := s.registered()
	s.set(func() { s.lose = 1 })
	if err := device.Request(t.Context(), "A", 1); err != nil {
		t.Fatal(err)
	}
	if got := device.State().AuthorizationState; got != "authorized" {
		t.Fatal(got)
	}
}

func TestACountWhoseAnswerGotLostGoesOutWithTheNextRenewal(t *testing.T) {
	t.Parallel()
	s := newSatellite(t)
	device := s.registered()
	if err := device.Request(t.Context(), "A", 1); err != nil {
		t.Fatal(err)
	}
	s.set(func() { s.lose = 2 })
	if err := device.Request(t.Context(), "A", 0); !errors.Is(err, agent.ErrConnection) {
		t.Fatal(err)
	}
	if err := device.RenewAuthorization(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := device.State(); len(got.Licenses()) != 0 || len(got.Wanted) != 0 || got.LastFailed != "" {
		t.Fatalf("%+v", got)
	}
}

func TestForceTakesThePlaceOfAnIdentityThatIsRegistered(t *testing.T) {
	t.Parallel()
	s := newSatellite(t)
	s.registered()
	other := open(t, s.options())
	var refused *agent.Refused
	if err := other.Register(t.Context(), "other", false); !errors.As(err, &refused) || refused.Code != "already-registered" {
		t.Fatal(err)
	}
	if got := other.State(); got.Registration != agent.Unregistered || !strings.Contains(got.Failure, "use force") {
		t.Fatalf("%q %q", got.Registration, got.Failure)
	}
	if err := other.Register(t.Context(), "other", true); err != nil {
		t.Fatal(err)
	}
	if got := other.State(); got.PIID != "piid-2" || got.Failure != "" {
		t.Fatalf("%+v", got)
	}
}

func TestACertificateIsRenewedUnderANewKeyEvenIfTheReplyGetsLost(t *testing.T) {
	t.Parallel()
	s := newSatellite(t)
	o := s.options()
	device := open(t, o)
	if err := device.Register(t.Context(), "token", false); err != nil {
		t.Fatal(err)
	}
	old := device.Certificate()
	s.set(func() { s.lose = 2 })
	if err := device.RenewCertificate(t.Context()); !errors.Is(err, agent.ErrConnection) {
		t.Fatal(err)
	}
	device = s.restart(device, o.Folder)
	if !device.Certificate().Equal(old) {
		t.Fatal("the old certificate is not in use until the new one is there")
	}
	if err := device.RenewCertificate(t.Context()); err != nil {
		t.Fatal(err)
	}
	first, second := s.requests[1].CertificateRequest, s.requests[3].CertificateRequest
	if a, b := requestKey(t, first), requestKey(t, second); !a.Equal(b) {
		t.Error("the repeat asked for another key")
	}
	device = s.restart(device, o.Folder)
	renewed := device.Certificate()
	if renewed.Equal(old) || requestKey(t, second).Equal(old.PublicKey) || !requestKey(t, second).Equal(renewed.PublicKey) {
		t.Fatal("the certificate is not the one for the new key")
	}
	if err := device.RenewAuthorization(t.Context()); err != nil {
		t.Fatal(err)
	}
	last := s.requests[len(s.requests)-1]
	if !requestKey(t, second).Equal(last.PublicKey) || last.Header.IDCertSerialNumber != renewed.SerialNumber.Text(16) {
		t.Error("the next message was not signed under the new certificate")
	}
}

func TestADeviceThatWasRemovedSaysSoAndDeregistersAllTheSame(t *testing.T) {
	t.Parallel()
	cases := map[string]agent.RegistrationState{"not-registered": agent.Unregistered, "certificate-revoked": agent.RegistrationExpired}
	for code, state := range cases {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			s := newSatellite(t)
			device := s.registered()
			o := s.options()
			o.Identity.UDISerialNumber = "SN2"
			gone := open(t, o)
			if err := gone.Register(t.Context(), "token", false); err != nil {
				t.Fatal(err)
			}
			s.set(func() {
				s.bend = func(_ *wire.ReplyHeader, d *wire.ReplyData) { *d = fail(code, "removed by an administrator") }
			})
			var refused *agent.Refused
			if err := device.RenewAuthorization(t.Context()); !errors.As(err, &refused) || refused.Code != code {
				t.Fatal(err)
			}
			if got := device.State(); got.Registration != state || got.Failure != "removed by an administrator" {
				t.Errorf("%q because %q", got.Registration, got.Failure)
			}
			if err := device.RenewAuthorization(t.Context()); !errors.Is(err, agent.ErrNotRegistered) || !strings.Contains(err.Error(), "removed by") {
				t.Errorf("the next call: %v", err)
			}
			if err := gone.Deregister(t.Context()); err != nil || gone.State().Registration != agent.Unregistered {
				t.Errorf("deregistration: %v", err)
			}
		})
	}
}

func TestARefusedRequestLeavesTheCountsAsTheyWere(t *testing.T) {
	t.Parallel()
	s := newSatellite(t)
	device := s.registered()
	if err := device.Request(t.Context(), "A", 1); err != nil {
		t.Fatal(err)
	}
	s.set(func() {
		s.bend = func(_ *wire.ReplyHeader, d *wire.ReplyData) { *d = fail("forbidden", "no") }
	})
	if err := device.Request(t.Context(), "A", 4); err == nil {
		t.Fatal("accepted")
	}
	if got := device.State(); got.Wanted["A"] != 1 || got.Licenses()[0].Count != 1 || got.LastFailed != "no" {
		t.Fatalf("%+v", got)
	}
}

func TestABundleWithoutRootStopsARegistrationBeforeTheTokenIsSent(t *testing.T) {
	t.Parallel()
	s := newSatellite(t)
	o := s.options()
	o.Bundle = certs.EncodePEM(s.tlsCA...)
	device := open(t, o)
	if err := device.Register(t.Context(), "token", false); !errors.Is(err, agent.ErrNoRoot) || len(s.messages) != 0 {
		t.Fatalf("%v, %d messages", err, len(s.messages))
	}
	if err := device.Close(); err != nil {
		t.Fatal(err)
	}
	device = open(t, agent.Options{Folder: o.Folder, Now: s.time, Root: certs.EncodePEM(s.ca.root)})
	if err := device.Register(t.Context(), "token", false); err != nil {
		t.Fatalf("with the root as a file: %v", err)
	}
}

func TestAnExpiredTokenIsTheReasonThatIsKept(t *testing.T) {
	t.Parallel()
	s := newSatellite(t)
	device := open(t, s.options())
	err := device.Register(t.Context(), "expired", false)
	if want := "the satellite refused the registration (token-expired): the token expired yesterday: create a new one. The licenses of this device are unchanged."; err == nil || err.Error() != want {
		t.Fatalf("got  %v\nwant %s", err, want)
	}
	if got := device.State(); got.Registration != agent.Unregistered || !got.FailureAt.Equal(epoch) {
		t.Fatalf("%+v", got)
	}
}

func TestACertificateAndAnAuthorizationRunOutByThemselves(t *testing.T) {
	t.Parallel()
	s := newSatellite(t)
	device := s.registered()
	if err := device.Request(t.Context(), "A", 1); err != nil {
		t.Fatal(err)
	}
	state := device.State()
	if got := state.At(epoch.AddDate(0, 0, 90)); got.AuthorizationState != agent.AuthorizationExpired || got.Answers[0].Mode != wire.ModeAuthorizationExpired || got.Registration != agent.Registered {
		t.Errorf("after 90 days: %+v", got)
	}
	if got := state.At(epoch.AddDate(0, 0, 366)); got.Registration != agent.RegistrationExpired {
		t.Errorf("after 366 days: %+v", got)
	}
	if got := state.Answers[0].Mode; got != wire.ModeInCompliance {
		t.Errorf("looking ahead has changed the state: %s", got)
	}
}

func TestACancelledCallEndsAndLeavesTheFolderUsable(t *testing.T) {
	t.Parallel()
	s := newSatellite(t)
	device := s.registered()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := device.RenewAuthorization(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if err := device.RenewAuthorization(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestARegistrationThatNeverLeftIsNotPending(t *testing.T) {
	t.Parallel()
	s := newSatellite(t)
	device := open(t, s.options())
	s.server.Close()
	err := device.Register(t.Context(), "token", false)
	if !errors.Is(err, agent.ErrConnection) || !strings.Contains(err.Error(), "nothing was sent") {
		t.Fatal(err)
	}
	if got := device.State(); got.Registration != agent.Unregistered || got.LastFailed == "" {
		t.Fatalf("%+v", got)
	}
}
