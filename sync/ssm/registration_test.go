package ssm

import (
	"bytes"
	"crypto/x509"
	"errors"
	"strings"
	"testing"

	"ssm/certs"
	"ssm/satellite/wire"
)

func TestARegistrationNeedsASmartAccountAndSaysHowToMakeIt(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	p := newPeer(t, c, u.keys.root, "s1", "V")
	m := p.manifest(wire.ScopeRegistration)
	m.Account.SmartAccount = "Nobody & Sons"
	request := p.pack(m)
	before := state(t, u)
	_, err := u.answerBytes(t.Context(), request, AnswerOptions{})
	if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "ssm account create --name 'Nobody & Sons'") {
		t.Errorf("the refusal says %v", err)
	}
	if state(t, u) != before {
		t.Error("the refusal changed something")
	}
	a, err := u.answerBytes(t.Context(), request, AnswerOptions{Account: "Example GmbH", VirtualAccount: "Chosen"})
	if err != nil || a.Account != "Example GmbH" || a.VirtualAccount != "Chosen" {
		t.Errorf("with another account named: %+v, %v", a, err)
	}
	if r := p.apply(a.Body); r.Account.SmartAccount != "Example GmbH" || r.Account.VirtualAccount != "Chosen" {
		t.Errorf("the satellite is told %+v", r.Account)
	}
}

func TestLaw8TwoSatellitesNeverShareAVirtualAccount(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	register(t, u, c, "s1", "V")
	second := newPeer(t, c, u.keys.root, "s2", "v")
	before := state(t, u)
	request := second.request(wire.ScopeRegistration)
	_, err := u.answerBytes(t.Context(), request, AnswerOptions{})
	if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), `"s1"`) || !strings.Contains(err.Error(), "--virtual-account") {
		t.Errorf("the refusal says %v", err)
	}
	if state(t, u) != before {
		t.Error("the refusal changed something")
	}
	if a, err := u.answerBytes(t.Context(), request, AnswerOptions{VirtualAccount: "W"}); err != nil || a.VirtualAccount != "W" {
		t.Errorf("with another virtual account: %+v, %v", a, err)
	}
}

func TestARepeatedRegistrationGivesTheNewKeyASubCAAndEndsTheOldOne(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	p := register(t, u, c, "s1", "V")
	p.apply(answer(t, u, p.request(wire.ScopeStandard, p.device(1))).Body)
	old := *p
	c.advance(30 * day)
	p.key = newKey(t)
	a := answer(t, u, p.request(wire.ScopeRegistration, p.everything()...))
	if r := p.apply(a.Body); !a.Registered || r.Response.FullRequested {
		t.Fatalf("the registration was answered by %+v", a)
	}
	if !bytes.Equal(p.chain[0].RawSubjectPublicKeyInfo, spki(t, p)) {
		t.Error("the sub CA is not for the new key")
	}
	old.sequence = p.sequence
	if _, err := u.answerBytes(t.Context(), old.request(wire.ScopeStandard), AnswerOptions{}); !errors.Is(err, certs.ErrChain) || !strings.Contains(err.Error(), "anew") {
		t.Errorf("a request under the old key: %v", err)
	}
	if r := p.apply(answer(t, u, p.request(wire.ScopeStandard, p.device(2))).Body); r.Response.FullRequested {
		t.Error(r.Response.Reason)
	}
	if _, err := u.answerBytes(t.Context(), p.request(wire.ScopeRegistration), AnswerOptions{VirtualAccount: "W"}); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "bound") {
		t.Errorf("a bound satellite was moved: %v", err)
	}
}

func TestLaw9AnExpiredAccountComesBackByARegistrationFile(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	p := register(t, u, c, "s1", "V")
	p.apply(answer(t, u, p.request(wire.ScopeStandard, p.device(1))).Body)
	expired := p.request(wire.ScopeStandard)
	c.advance(3 * 365 * day)
	if _, err := u.answerBytes(t.Context(), expired, AnswerOptions{}); !errors.Is(err, certs.ErrChain) || !strings.Contains(err.Error(), "registration file") {
		t.Errorf("a request under an expired certificate: %v", err)
	}
	r := p.apply(answer(t, u, p.request(wire.ScopeRegistration, p.everything()...)).Body)
	if r.Response.FullRequested || r.StateDigest[wire.RecordDevice] != p.digests()[wire.RecordDevice] {
		t.Errorf("the registration was answered by %+v", r.Response)
	}
}

func spki(t *testing.T, p *peer) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(p.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestASubCAIsRenewedPastHalfOfItsLifeUnderTheSameKey(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	p := register(t, u, c, "s1", "V")
	renew := func() *x509.Certificate {
		m := p.manifest(wire.ScopeStandard)
		m.Request.CertificateRequest = p.csr()
		p.apply(answer(t, u, p.pack(m)).Body)
		return p.chain[0]
	}
	first := p.chain[0]
	c.advance(certs.SubCALife/2 - 2*day)
	if !renew().Equal(first) {
		t.Error("the sub CA was renewed before half of its life")
	}
	c.advance(4 * day)
	renewed := renew()
	if renewed.Equal(first) || !bytes.Equal(renewed.RawSubjectPublicKeyInfo, first.RawSubjectPublicKeyInfo) || !renewed.NotAfter.After(first.NotAfter) {
		t.Error("the sub CA was not renewed under the same key")
	}
	c.advance(certs.SubCALife/2 + day)
	signer := p.signer()
	p.key = newKey(t)
	m := p.manifest(wire.ScopeStandard)
	m.Request.CertificateRequest = p.csr()
	if _, err := u.answerBytes(t.Context(), packAs(t, signer, m), AnswerOptions{}); !errors.Is(err, ErrRefused) {
		t.Errorf("a renewal under another key: %v", err)
	}
}

func TestTheSignerRenewsItselfAndOldFoldersStayTrusted(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	p := register(t, u, c, "s1", "V")
	first := u.keys.signerCert
	c.advance(certs.UpstreamSignerLife + day)
	p.apply(answer(t, u, p.request(wire.ScopeStandard)).Body)
	if u.keys.signerCert.Equal(first) {
		t.Error("the signer was not renewed")
	}
	again, err := Open(t.Context(), u.dir, "", c.now)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if again.Root() != u.Root() || !again.keys.signerCert.Equal(u.keys.signerCert) {
		t.Error("the folder opens with other certificates")
	}
}
