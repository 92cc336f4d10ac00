package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"flag"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ssm/certs"
	"ssm/satellite/agent"
)

var update = flag.Bool("update", false, "write the golden files")

// certificate is the same in every run: Ed25519 signs without chance.
func certificate(t *testing.T, name string, serial int64, days int, usage ...asn1.ObjectIdentifier) []byte {
	t.Helper()
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
		NotBefore: noon, NotAfter: noon.AddDate(0, 0, days), UnknownExtKeyUsage: usage,
	}
	der, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func pem(t *testing.T, der []byte) string {
	t.Helper()
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return string(certs.EncodePEM(parsed))
}

// The secrets that a state folder may hold, and a hash of one.
const tokenHash = "hash of the token"

// states are the lives of a device, as they are when somebody looks.
func states(t *testing.T) map[string]agent.State {
	day := func(n int) time.Time { return noon.AddDate(0, 0, n) }
	identity := agent.Identity{
		UDIPID: "ROUTER-1", UDISerialNumber: "SN0001", UDIVID: "V01", Hostname: "edge-1",
		SoftwareTag: "regid.2026-01.com.example.ROUTER,1.0_3c1e9a52-0d5b-4d0e-9a53-2a6f6f3b7c11",
	}
	root := pem(t, certificate(t, "Licensing Root", 0x1001, 7300, certs.LicensingUsage))
	fresh := agent.State{Identity: identity, Registration: agent.Unregistered}
	evaluating := fresh
	evaluating.Wanted = map[string]int64{"NET-ADV": 2, "SECURITY": 1}
	evaluating.Evaluation = agent.Evaluation{Used: 3 * time.Hour, RunningSince: noon}

	registered := agent.State{
		Identity: identity, PIID: "0b8e0d6e-8f6a-4f7c-9a57-0f5b7d9f3a10", Registration: agent.Registered, RegisteredAt: noon,
		URL: "https://satellite.example:8443/SmartTransport", Roots: root, Bundle: root + pem(t, certificate(t, "Local TLS CA", 0x2002, 3650)),
		SmartAccount: "Example Corp", VirtualAccount: "Default", TokenHash: []byte(tokenHash),
		Certificate:        certificate(t, "ROUTER-1", 0x3003, 365, certs.LicensingUsage, certs.DeviceUsage),
		CertificateRenewAt: day(182), CertificateExpiresAt: day(365),
		AuthorizationState: "authorized", AuthorizedAt: noon.Add(time.Minute), LastContact: noon.Add(time.Minute),
		AuthorizationRenewAt: day(30), AuthorizationExpiresAt: day(90),
		Wanted: map[string]int64{"NET-ADV": 1, "SECURITY": 3, "VOICE": 2},
		Answers: []agent.License{
			{Tag: "NET-ADV", Name: "Network Advantage", Description: "Routing at 1 Gbps", Count: 1, Mode: "in-compliance"},
			{Tag: "SECURITY", Name: "Security", Count: 3, Mode: "overage"},
			{Tag: "VOICE", Name: "Voice", Count: 2, Mode: "reservation-in-compliance"},
		},
		Evaluation: agent.Evaluation{Used: 26*time.Hour + 61*time.Second}, SignerSerial: "4004", LastReply: strings.Repeat("ab", 32),
		Counters: agent.Counters{Registrations: 1, Authorizations: 1, Refusals: 2, Failures: 3, ClockCorrections: 1}, ClockOffset: -90_500,
	}
	short := registered
	short.AuthorizationState, short.Unanswered = agent.OutOfCompliance, true
	short.Wanted = map[string]int64{"NET-ADV": 7, "CRYPTO": 5, "NONSENSE": 1, "VOICE": 2, "GONE": 0}
	short.Answers = []agent.License{
		{Tag: "NET-ADV", Name: "Network Advantage", Count: 7, Mode: "out-of-compliance"},
		{Tag: "CRYPTO", Name: "Strong Encryption", Count: 2, Mode: "disabled", Requested: 5, Reason: "Of 10 licenses 8 are in use elsewhere, and this one is not overdrawn."},
		{Tag: "NONSENSE", Count: 1, Mode: "invalid-tag"},
	}
	pair := registered
	pair.Pair = agent.Pair{ApplicationID: "core-1", Role: agent.RoleStandby}
	failed := fresh
	failed.Failure, failed.FailureAt = "the token expired yesterday", noon
	failed.LastFailed, failed.LastFailedAt = failed.Failure, noon
	lost := fresh
	lost.Registration = agent.Registering
	return map[string]agent.State{
		"fresh": fresh, "registration_failed": failed, "registration_lost": lost,
		"evaluation": evaluating.At(noon.Add(21*time.Hour + 55*time.Second)), "evaluation_expired": evaluating.At(day(91)),
		"authorized": registered.At(day(1)), "out_of_compliance": short.At(day(1)),
		"authorization_expired": registered.At(day(91)), "registration_expired": registered.At(day(366)), "pair": pair.At(day(1)),
	}
}

func TestShowHasTheFamiliarLayout(t *testing.T) {
	t.Parallel()
	for name, state := range states(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got bytes.Buffer
			for _, v := range views {
				if got.Len() > 0 {
					got.WriteString("\n")
				}
				got.WriteString("edge-1# show license " + v.name + "\n\n")
				v.write(&got, state)
			}
			golden(t, name+".txt", got.Bytes())
		})
	}
}

func TestTechSupportShowsAllAndNoSecret(t *testing.T) {
	t.Parallel()
	for name, state := range states(t) {
		switch name {
		case "fresh", "evaluation", "out_of_compliance":
		default:
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got bytes.Buffer
			showTechSupport(&got, state)
			golden(t, "tech_support_"+name+".txt", got.Bytes())
			for _, secret := range []string{tokenHash, "aGFzaCBvZiB0aGUgdG9rZW4", "68617368206f66", "PRIVATE", "BEGIN"} {
				if strings.Contains(got.String(), secret) {
					t.Errorf("it holds %q", secret)
				}
			}
		})
	}
}

func TestTheDocumentForProgramsSaysAsMuch(t *testing.T) {
	t.Parallel()
	for name, state := range states(t) {
		switch name {
		case "fresh", "evaluation_expired", "out_of_compliance", "pair":
		default:
			continue
		}
		var got bytes.Buffer
		if err := (&program{out: &got}).printJSON(newDocument(state)); err != nil {
			t.Fatal(err)
		}
		golden(t, name+".json", got.Bytes())
		if strings.Contains(got.String(), "aGFzaCBvZiB0aGUgdG9rZW4") {
			t.Errorf("%s holds the hash of the token", name)
		}
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; after a look at it, run the test with -update. Got:\n%s", path, got)
	}
}
