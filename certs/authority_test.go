package certs_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"ssm/certs"
)

const day = 24 * time.Hour

var noon = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

// world is one of each authority, made at noon.
type world struct {
	root, issuing, account *certs.Authority
}

func must[T any](t testing.TB) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	return must[*ecdsa.PrivateKey](t)(certs.NewKey())
}

func newWorld(t testing.TB) world {
	t.Helper()
	root := must[*certs.Authority](t)(certs.NewRoot("Licensing Root", newKey(t), noon))
	issuingKey := newKey(t)
	issuing := &certs.Authority{
		Certificate: must[*x509.Certificate](t)(root.IssueIssuingCA("Issuing CA 1", issuingKey.Public(), noon)),
		Key:         issuingKey, Issuers: root.Chain(),
	}
	accountKey := newKey(t)
	csr := must[[]byte](t)(certs.NewSubCARequest(accountKey, "asked-for", "Asked For"))
	account := &certs.Authority{
		Certificate: must[*x509.Certificate](t)(issuing.IssueSubCA(csr, "a-0001", "Example AG", noon)),
		Key:         accountKey, Issuers: issuing.Chain(),
	}
	return world{root, issuing, account}
}

func (w world) roots() []*x509.Certificate { return []*x509.Certificate{w.root.Certificate} }

func (w world) device(t testing.TB, d certs.Device, now time.Time) *x509.Certificate {
	t.Helper()
	csr := must[[]byte](t)(certs.NewDeviceRequest(newKey(t), d.PID))
	return must[*x509.Certificate](t)(w.account.IssueDevice(csr, d, now))
}

var router = certs.Device{
	PID: "RT-9000", PIID: "2f6e1a44-5a0f-4b55-8f0e-2b5d3e8f9a10",
	SoftwareTag: "regid.2015-01.com.example.RT9000,1.0_6a1b",
}

// forge signs a template without asking whether the issuer may.
func forge(t testing.TB, by *certs.Authority, template *x509.Certificate, pub crypto.PublicKey) *x509.Certificate {
	t.Helper()
	template.SerialNumber = big.NewInt(7)
	template.NotBefore, template.NotAfter = noon.Add(-time.Hour), noon.Add(30*day)
	der := must[[]byte](t)(x509.CreateCertificate(rand.Reader, template, by.Certificate, pub, by.Key))
	return must[*x509.Certificate](t)(x509.ParseCertificate(der))
}

func TestEachCertificateLivesAsLongAsTheTrustTableSays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	upstream := must[*x509.Certificate](t)(w.issuing.IssueUpstreamSigner("Upstream", newKey(t).Public(), noon))
	satellite := must[*x509.Certificate](t)(w.account.IssueSatelliteSigner("k3v9q2wd", newKey(t).Public(), noon))
	for _, c := range []struct {
		name        string
		certificate *x509.Certificate
		life        time.Duration
		ca          bool
		pathLength  int
	}{
		{"root", w.root.Certificate, certs.RootLife, true, -1},
		{"issuing CA", w.issuing.Certificate, certs.IssuingCALife, true, 1},
		{"sub CA", w.account.Certificate, certs.SubCALife, true, 0},
		{"upstream signer", upstream, certs.UpstreamSignerLife, false, -1},
		{"satellite signer", satellite, certs.SatelliteSignerLife, false, -1},
		{"device", w.device(t, router, noon), certs.DeviceLife, false, -1},
	} {
		if got := c.certificate.NotAfter; !got.Equal(noon.Add(c.life)) {
			t.Errorf("%s ends %s, want %s", c.name, got, noon.Add(c.life))
		}
		if c.certificate.NotBefore.After(noon) {
			t.Errorf("%s begins %s, after it was made", c.name, c.certificate.NotBefore)
		}
		if c.certificate.IsCA != c.ca || c.certificate.MaxPathLen != c.pathLength {
			t.Errorf("%s: CA %v with path length %d, want %v, %d", c.name, c.certificate.IsCA, c.certificate.MaxPathLen, c.ca, c.pathLength)
		}
		if !certs.IsLicensing(c.certificate) || len(c.certificate.ExtKeyUsage) != 0 {
			t.Errorf("%s has to carry the licensing usage and no TLS usage", c.name)
		}
	}
}

func TestTheSubjectOfASubCAComesFromTheUpstreamNotFromTheRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if got := w.account.Certificate.Subject.String(); got != "CN=a-0001,O=Example AG" {
		t.Errorf("subject %q", got)
	}
	csr := must[[]byte](t)(certs.NewSubCARequest(newKey(t), "a-0002", "x"))
	long := strings.Repeat("株", 70) + "\n"
	c := must[*x509.Certificate](t)(w.issuing.IssueSubCA(csr, "a-0002", long, noon))
	if got := c.Subject.Organization[0]; got != strings.Repeat("株", 64) {
		t.Errorf("organization %q is not cut to 64 characters", got)
	}
}

func TestNoCertificateOutlivesItsIssuer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	late := noon.Add(certs.SubCALife - 30*day)
	c := w.device(t, router, late)
	if !c.NotAfter.Equal(w.account.Certificate.NotAfter) {
		t.Errorf("device ends %s, its issuer %s", c.NotAfter, w.account.Certificate.NotAfter)
	}
	csr := must[[]byte](t)(certs.NewDeviceRequest(newKey(t), "RT-9000"))
	for _, at := range []time.Time{noon.Add(certs.SubCALife), noon.Add(-2 * time.Hour)} {
		if _, err := w.account.IssueDevice(csr, router, at); !errors.Is(err, certs.ErrChain) {
			t.Errorf("issued at %s, outside the life of the issuer: %v", at, err)
		}
	}
}

func TestAnAuthorityCannotGiveAwayWhatItDoesNotHave(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pub := newKey(t).Public()
	csr := must[[]byte](t)(certs.NewSubCARequest(newKey(t), "a-0002", "Other"))
	leaf := w.device(t, router, noon)
	for name, issue := range map[string]func() (*x509.Certificate, error){
		"sub CA makes a sub CA":           func() (*x509.Certificate, error) { return w.account.IssueSubCA(csr, "a-0002", "Other", noon) },
		"sub CA makes an issuing CA":      func() (*x509.Certificate, error) { return w.account.IssueIssuingCA("x", pub, noon) },
		"issuing CA makes an issuing CA":  func() (*x509.Certificate, error) { return w.issuing.IssueIssuingCA("x", pub, noon) },
		"sub CA makes an upstream signer": func() (*x509.Certificate, error) { return w.account.IssueUpstreamSigner("x", pub, noon) },
		"device makes a device": func() (*x509.Certificate, error) {
			return (&certs.Authority{Certificate: leaf, Key: newKey(t)}).IssueDevice(csr, router, noon)
		},
	} {
		if _, err := issue(); !errors.Is(err, certs.ErrChain) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSerialNumbersArePositiveAndDiffer(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		serial := must[*big.Int](t)(certs.NewSerial())
		if serial.Sign() <= 0 || serial.BitLen() > 127 || seen[serial.String()] {
			t.Fatalf("serial number %s", serial)
		}
		seen[serial.String()] = true
	}
}

func TestEveryLicensingUsageStandsUnderOneArc(t *testing.T) {
	t.Parallel()
	for want, usage := range map[string]asn1.ObjectIdentifier{
		"1.3.6.1.4.1.32473.1.1": certs.LicensingUsage, "1.3.6.1.4.1.32473.1.2": certs.UpstreamUsage,
		"1.3.6.1.4.1.32473.1.3": certs.SatelliteUsage, "1.3.6.1.4.1.32473.1.4": certs.DeviceUsage,
	} {
		if usage.String() != want {
			t.Errorf("%s, want %s", usage, want)
		}
	}
}

// openssl runs the real program; a machine without it cannot run these tests.
func openssl(t *testing.T, args ...string) (output string, ok bool) {
	t.Helper()
	program, err := exec.LookPath("openssl")
	if err != nil {
		t.Fatal("these tests need the program openssl (Debian: apt-get install openssl)")
	}
	text, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
	if failed := (*exec.ExitError)(nil); err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	return string(text), err == nil
}

func TestOpenSSLAcceptsADeviceUntilItIsRevoked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	device, other := w.device(t, router, noon), w.device(t, router, noon)
	root := write("root.pem", certs.EncodePEM(w.root.Certificate))
	chain := write("chain.pem", certs.EncodePEM(w.account.Certificate, w.issuing.Certificate))
	leaf := write("device.pem", certs.EncodePEM(device))
	spared := write("spared.pem", certs.EncodePEM(other))
	signer := write("signer.pem", certs.EncodePEM(
		must[*x509.Certificate](t)(w.issuing.IssueUpstreamSigner("Upstream", newKey(t).Public(), noon))))
	crl := func(name string, number int64, revoked ...certs.Revocation) string {
		der := must[[]byte](t)(w.account.CRL(revoked, number, noon))
		path := filepath.Join(dir, name)
		if text, ok := openssl(t, "crl", "-inform", "DER", "-in", write(name+".der", der), "-out", path); !ok {
			t.Fatalf("openssl does not read the CRL: %s", text)
		}
		return path
	}
	empty := crl("empty.pem", 1)
	revoked := crl("revoked.pem", 2, certs.Revocation{Serial: device.SerialNumber, At: noon})
	verify := []string{"verify", "-x509_strict", "-attime", strconv.FormatInt(noon.Add(time.Minute).Unix(), 10), "-CAfile", root, "-untrusted", chain}
	for _, c := range []struct {
		name   string
		args   []string
		ok     bool
		saying string
	}{
		{"device", []string{leaf}, true, "OK"},
		{"upstream signer", []string{signer}, true, "OK"},
		{"device against an empty CRL", []string{"-crl_check", "-CRLfile", empty, leaf}, true, "OK"},
		{"revoked device", []string{"-crl_check", "-CRLfile", revoked, leaf}, false, "certificate revoked"},
		{"another device, same CRL", []string{"-crl_check", "-CRLfile", revoked, spared}, true, "OK"},
		{"device as a TLS client", []string{"-purpose", "sslclient", leaf}, false, "purpose"},
		{"device as a TLS server", []string{"-purpose", "sslserver", leaf}, false, "purpose"},
	} {
		text, ok := openssl(t, append(append([]string{}, verify...), c.args...)...)
		if ok != c.ok || !strings.Contains(text, c.saying) {
			t.Errorf("%s: accepted %v, openssl says:\n%s", c.name, ok, text)
		}
	}
	if text, ok := openssl(t, "verify", "-attime", strconv.FormatInt(noon.Unix(), 10), "-CAfile", root, leaf); ok {
		t.Errorf("accepted without its chain:\n%s", text)
	}
	text, _ := openssl(t, "x509", "-in", leaf, "-noout", "-fingerprint", "-sha256")
	if !strings.Contains(text, certs.Fingerprint(device)) {
		t.Errorf("openssl prints another fingerprint: %s, not %s", text, certs.Fingerprint(device))
	}
}

// subCATemplate is what a dishonest holder of a sub CA would write.
func subCATemplate(usages ...asn1.ObjectIdentifier) *x509.Certificate {
	return &x509.Certificate{
		Subject: pkix.Name{CommonName: "forged"}, BasicConstraintsValid: true, IsCA: true, MaxPathLen: -1,
		KeyUsage: x509.KeyUsageCertSign, UnknownExtKeyUsage: usages,
	}
}

func p224(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	return must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))
}
