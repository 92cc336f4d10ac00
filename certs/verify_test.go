package certs_test

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"ssm/certs"
)

func TestAChainLeadsToATrustedRootOrIsRefused(t *testing.T) {
	t.Parallel()
	w, stranger := newWorld(t), newWorld(t)
	device := w.device(t, router, noon)
	chain := w.account.Chain()
	shuffled := []*x509.Certificate{stranger.issuing.Certificate, chain[1], chain[0]}
	for _, c := range []struct {
		name           string
		leaf           *x509.Certificate
		issuers, roots []*x509.Certificate
		now            time.Time
		ok             bool
		saying         string
	}{
		{"whole chain", device, chain, w.roots(), noon, true, ""},
		{"in another order, with a stranger", device, shuffled, w.roots(), noon, true, ""},
		{"sub CA itself", chain[0], chain[1:], w.roots(), noon, true, ""},
		{"one of two roots", device, chain, append(stranger.roots(), w.roots()...), noon, true, ""},
		{"stranger's root", device, chain, stranger.roots(), noon, false, "trusted root"},
		{"root only sent along", device, chain, nil, noon, false, "trusted root"},
		{"issuing CA missing", device, chain[:1], w.roots(), noon, false, "trusted root"},
		{"a year later", device, chain, w.roots(), noon.Add(certs.DeviceLife + time.Second), false, "expired"},
		{"before it was made", device, chain, w.roots(), noon.Add(-2 * time.Hour), false, "not yet valid"},
		{"nothing", nil, chain, w.roots(), noon, false, "no certificate"},
		{"at no time", device, chain, w.roots(), time.Time{}, false, "without a time"},
		{"a flood of issuers", device, slices.Repeat(chain, 30), w.roots(), noon, false, "at most"},
	} {
		err := certs.VerifyChain(c.leaf, c.issuers, c.roots, c.now)
		if c.ok && err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if !c.ok && (!errors.Is(err, certs.ErrChain) || !strings.Contains(err.Error(), c.saying)) {
			t.Errorf("%s: %v, want a word of %q", c.name, err, c.saying)
		}
	}
}

func TestForgedChainsAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := []asn1.ObjectIdentifier{certs.LicensingUsage, certs.UpstreamUsage, certs.SatelliteUsage, certs.DeviceUsage}
	deviceKey, caKey, leafKey := newKey(t), newKey(t), newKey(t)
	csr := must[[]byte](t)(certs.NewDeviceRequest(deviceKey, "RT-9000"))
	device := must[*x509.Certificate](t)(w.account.IssueDevice(csr, router, noon))
	leaf := func(by *certs.Authority, uses []x509.ExtKeyUsage, usages ...asn1.ObjectIdentifier) *x509.Certificate {
		return forge(t, by, &x509.Certificate{KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: uses, UnknownExtKeyUsage: usages}, leafKey.Public())
	}
	ca := func(by *certs.Authority, usages ...asn1.ObjectIdentifier) *certs.Authority {
		return &certs.Authority{Certificate: forge(t, by, subCATemplate(usages...), caKey.Public()), Key: caKey, Issuers: by.Chain()}
	}
	subSub := ca(w.account, all...)
	underDevice := ca(&certs.Authority{Certificate: device, Key: deviceKey, Issuers: w.account.Chain()}, all...)
	noUsage := ca(w.root, certs.DeviceUsage)
	weak := p224(t)
	for _, c := range []struct {
		name    string
		leaf    *x509.Certificate
		issuers []*x509.Certificate
		saying  string
	}{
		{"CA below a sub CA", leaf(subSub, nil, all...), subSub.Chain(), "trusted root"},
		{"CA below a device", leaf(underDevice, nil, all...), underDevice.Chain(), "trusted root"},
		{"CA without the licensing usage", leaf(noUsage, nil, all...), noUsage.Chain(), "licensing"},
		{"leaf without the licensing usage", leaf(w.account, nil), w.account.Chain(), "licensing"},
		{"TLS server as well", leaf(w.account, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, all...), w.account.Chain(), "TLS"},
		{"TLS client as well", leaf(w.account, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, all...), w.account.Chain(), "TLS"},
		{"any use", leaf(w.account, []x509.ExtKeyUsage{x509.ExtKeyUsageAny}, all...), w.account.Chain(), "TLS"},
		{"weak key", forge(t, w.account, &x509.Certificate{UnknownExtKeyUsage: all}, weak.Public()), w.account.Chain(), "P-224"},
	} {
		err := certs.VerifyChain(c.leaf, c.issuers, w.roots(), noon)
		if !errors.Is(err, certs.ErrChain) || !strings.Contains(err.Error(), c.saying) {
			t.Errorf("%s: %v, want a word of %q", c.name, err, c.saying)
		}
	}
}

func TestEachSignerSpeaksOnlyForItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := newKey(t)
	upstream := must[*x509.Certificate](t)(w.issuing.IssueUpstreamSigner("Upstream", key.Public(), noon))
	satellite := must[*x509.Certificate](t)(w.account.IssueSatelliteSigner("k3v9q2wd", key.Public(), noon))
	forged := forge(t, w.account, &x509.Certificate{
		UnknownExtKeyUsage: []asn1.ObjectIdentifier{certs.LicensingUsage, certs.UpstreamUsage}}, key.Public())
	usages := map[string]asn1.ObjectIdentifier{
		"upstream": certs.UpstreamUsage, "satellite": certs.SatelliteUsage, "device": certs.DeviceUsage}
	for _, c := range []struct {
		name, as string
		leaf     *x509.Certificate
	}{
		{"upstream signer", "upstream", upstream},
		{"satellite signer", "satellite", satellite},
		{"device", "device", w.device(t, router, noon)},
		{"sub CA", "", w.account.Certificate},
		{"satellite that calls itself upstream", "", forged},
	} {
		for as, usage := range usages {
			err := certs.VerifyUsage(c.leaf, w.account.Chain(), w.roots(), usage, noon)
			if as == c.as && err != nil || as != c.as && !errors.Is(err, certs.ErrChain) {
				t.Errorf("%s as %s: %v", c.name, as, err)
			}
		}
	}
}

func TestANewRootCrossSignedByTheOldIsTrustedThroughTheOld(t *testing.T) {
	t.Parallel()
	old, next := newWorld(t), newWorld(t)
	cross := *next.root.Certificate
	cross.SerialNumber = nil
	bridge := forge(t, old.root, &cross, next.root.Certificate.PublicKey)
	device := next.device(t, router, noon)
	if err := certs.VerifyUsage(device, append(next.account.Chain(), bridge), old.roots(), certs.DeviceUsage, noon); err != nil {
		t.Error(err)
	}
	if err := certs.VerifyChain(device, next.account.Chain(), old.roots(), noon); !errors.Is(err, certs.ErrChain) {
		t.Errorf("without the cross-signed root: %v", err)
	}
}

func TestAFingerprintIsSHA256WithColons(t *testing.T) {
	t.Parallel()
	got := certs.Fingerprint(newWorld(t).root.Certificate)
	if len(got) != 32*3-1 || strings.Count(got, ":") != 31 || got != strings.ToUpper(got) {
		t.Errorf("fingerprint %s", got)
	}
}
