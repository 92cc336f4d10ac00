package agent_test

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"path/filepath"
	"testing"

	"ssm/certs"
	"ssm/satellite/agent"
	"ssm/satellite/wire"
)

func base64Of(der []byte) string { return base64.StdEncoding.EncodeToString(der) }

// requestKey is the key that a certificate request asks a certificate for.
func requestKey(t *testing.T, der []byte) *ecdsa.PublicKey {
	t.Helper()
	request, err := x509.ParseCertificateRequest(der)
	if err != nil {
		t.Fatal(err)
	}
	return request.PublicKey.(*ecdsa.PublicKey)
}

// options are those of a new device in its own folder, with a good clock.
func (s *satellite) options() agent.Options {
	return agent.Options{
		Folder: filepath.Join(s.t.TempDir(), "state"), Now: s.time, URL: s.server.URL, Bundle: s.bundle(),
		Identity: agent.Identity{UDIPID: "ROUTER-1", UDISerialNumber: "SN1", Hostname: "edge"},
	}
}

func open(t *testing.T, o agent.Options) *agent.Agent {
	t.Helper()
	device, err := agent.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = device.Close() })
	return device
}

// days moves the time to so many days after the epoch.
func (s *satellite) days(n int) { s.set(func() { s.now = epoch.AddDate(0, 0, n) }) }

// newSigner is the one that follows after the first; the time is held.
func (s *satellite) newSigner() wire.Signer {
	key := must[*ecdsa.PrivateKey](s.t)(certs.NewKey())
	signer := must[*x509.Certificate](s.t)(s.ca.subCA.IssueSatelliteSigner("satellite-1", key.Public(), s.now))
	return wire.Signer{Key: key, Chain: append([][]byte{signer.Raw}, s.ca.signer.Chain[1:]...)}
}

// last is the last request that arrived.
func (s *satellite) last() *wire.Request { return s.requests[len(s.requests)-1] }

// registered is a device that has registered with the token "token".
func (s *satellite) registered() *agent.Agent {
	s.t.Helper()
	device := open(s.t, s.options())
	if err := device.Register(s.t.Context(), "token", false); err != nil {
		s.t.Fatal(err)
	}
	return device
}

// restart closes a device and opens it again from its folder alone.
func (s *satellite) restart(device *agent.Agent, folder string) *agent.Agent {
	s.t.Helper()
	if err := device.Close(); err != nil {
		s.t.Fatal(err)
	}
	return open(s.t, agent.Options{Folder: folder, Now: s.time})
}
