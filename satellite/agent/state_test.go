package agent_test

import (
	"testing"

	"ssm/satellite/agent"
	"ssm/satellite/wire"
)

func TestARefusedLicenseIsKeptWithItsReason(t *testing.T) {
	t.Parallel()
	s := newSatellite(t)
	o := s.options()
	device := open(t, o)
	if err := device.Register(t.Context(), "token", false); err != nil {
		t.Fatal(err)
	}
	if err := device.Request(t.Context(), "enforced", 7); err != nil {
		t.Fatal(err)
	}
	got := s.restart(device, o.Folder).State()
	want := agent.License{
		Tag: "enforced", Name: "License enforced", Count: 0, Mode: wire.ModeDisabled,
		Requested: 7, Reason: "5 are there, and this license is not overdrawn",
	}
	if licenses := got.Licenses(); len(licenses) != 1 || licenses[0] != want {
		t.Fatalf("%+v", licenses)
	}
	if got.Wanted["enforced"] != 7 || got.Unanswered {
		t.Errorf("wanted %v, unanswered %t", got.Wanted, got.Unanswered)
	}
}

func TestOverageAndReservationsAreFine(t *testing.T) {
	t.Parallel()
	cases := map[wire.Mode]bool{
		wire.ModeInCompliance: true, wire.ModeOverage: true, wire.ModeReservation: true,
		wire.ModeOutOfCompliance: false, wire.ModeDisabled: false, wire.ModeInvalidTag: false, wire.ModeWaiting: false,
		wire.ModeEvaluation: false, wire.ModeEvaluationExpired: false, wire.ModeAuthorizationExpired: false,
	}
	for mode, want := range cases {
		if got := (agent.License{Mode: mode}).InCompliance(); got != want {
			t.Errorf("%s: %t", mode, got)
		}
	}
}

func TestAReservationOutlivesTheAuthorization(t *testing.T) {
	t.Parallel()
	state := agent.State{
		Registration: agent.Registered, PIID: "p", CertificateExpiresAt: epoch.AddDate(1, 0, 0),
		AuthorizationState: "authorized", AuthorizationExpiresAt: epoch.AddDate(0, 0, 90),
		Answers: []agent.License{{Tag: "A", Count: 1, Mode: wire.ModeReservation}},
	}
	end := epoch.AddDate(0, 0, 90)
	if got := state.At(end); got.AuthorizationState != "authorized" || got.Answers[0].Mode != wire.ModeReservation {
		t.Errorf("all reserved: %+v", got)
	}
	state.Answers = append(state.Answers, agent.License{Tag: "B", Count: 1, Mode: wire.ModeInCompliance})
	if got := state.At(end); got.AuthorizationState != agent.AuthorizationExpired || got.Answers[0].Mode != wire.ModeReservation || got.Answers[1].Mode != wire.ModeAuthorizationExpired {
		t.Errorf("one reserved: %+v", got)
	}
	if got := state.At(end.Add(-1)); got.AuthorizationState != "authorized" {
		t.Errorf("just before the end: %+v", got)
	}
}

func TestACertificateIsDescribedWithoutASecret(t *testing.T) {
	t.Parallel()
	s := newSatellite(t)
	state := s.registered().State()
	own, ok := state.IDCertificate()
	if !ok || own.Name != "ROUTER-1" || len(own.Serial) < 2 || len(own.Fingerprint) != 95 || !own.NotAfter.Equal(state.CertificateExpiresAt) {
		t.Errorf("%+v", own)
	}
	roots, issuers := state.PinnedRoots(), state.TLSIssuers()
	if len(roots) != 1 || roots[0].Name != "Licensing Root" {
		t.Errorf("roots: %+v", roots)
	}
	if len(issuers) != len(s.tlsCA) || issuers[0].Name == roots[0].Name {
		t.Errorf("issuers: %+v", issuers)
	}
	if _, ok := (agent.State{}).IDCertificate(); ok {
		t.Error("an unregistered device has a certificate")
	}
}
