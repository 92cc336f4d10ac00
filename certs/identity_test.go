package certs_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"

	"ssm/certs"
)

func rsaKey(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	return must[*rsa.PrivateKey](t)(rsa.GenerateKey(rand.Reader, bits))
}

// request is a CSR that no check of ours has seen.
func request(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	return must[[]byte](t)(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key))
}

func TestADeviceCertificateNamesTheDeviceAsTheSatelliteKnowsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := router
	d.Serial, d.Life = big.NewInt(4711), 48*time.Hour
	csr := must[[]byte](t)(certs.NewDeviceRequest(newKey(t), "SOMETHING-ELSE"))
	c := must[*x509.Certificate](t)(w.account.IssueDevice(csr, d, noon))
	if c.Subject.CommonName != d.PID || c.Subject.SerialNumber != d.PIID {
		t.Errorf("subject %s", c.Subject)
	}
	if c.SerialNumber.Cmp(d.Serial) != 0 || !c.NotAfter.Equal(noon.Add(48*time.Hour)) {
		t.Errorf("serial number %s, ends %s", c.SerialNumber, c.NotAfter)
	}
	if c.KeyUsage != x509.KeyUsageDigitalSignature || len(c.DNSNames)+len(c.IPAddresses)+len(c.EmailAddresses) > 0 {
		t.Error("a device certificate is for signing, under no network name")
	}
}

func TestAnySoftwareTagComesBackFromTheURI(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, tag := range []string{
		router.SoftwareTag, "plain", "//host/path?query#part", "with blank and %41", "日本語", "\x00\xff",
		":80", strings.Repeat("x", 1024),
	} {
		d := router
		d.SoftwareTag = tag
		c := w.device(t, d, noon)
		if len(c.URIs) != 1 {
			t.Fatalf("%q: %d URIs", tag, len(c.URIs))
		}
		parsed := must[*url.URL](t)(url.Parse(c.URIs[0].String()))
		if got, err := url.PathUnescape(parsed.Opaque); got != tag || err != nil || parsed.Scheme != "swid" {
			t.Errorf("%q came back as %q (%v) in %s", tag, got, err, parsed)
		}
	}
	d := router
	d.SoftwareTag = ""
	if c := w.device(t, d, noon); len(c.URIs) != 0 {
		t.Errorf("a device without a tag has the URI %s", c.URIs[0])
	}
}

func TestTextsFromOutsideAreMadeFitForASubject(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for given, want := range map[string]string{
		"  RT-9000 \r\n":          "RT-9000",
		"RT\x00-9000":             "RT-9000",
		"RT\xff-9000":             "RT-9000",
		strings.Repeat("ü", 100):  strings.Repeat("ü", 64),
		"RT-9000 (Test & Trial)*": "RT-9000 (Test & Trial)*",
	} {
		d := router
		d.PID = given
		if got := w.device(t, d, noon).Subject.CommonName; got != want {
			t.Errorf("%q became %q", given, got)
		}
	}
}

func TestADeviceThatCannotBeNamedGetsNoCertificate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	csr := must[[]byte](t)(certs.NewDeviceRequest(newKey(t), "RT-9000"))
	for name, change := range map[string]func(*certs.Device){
		"no product id":      func(d *certs.Device) { d.PID = " \n" },
		"no instance id":     func(d *certs.Device) { d.PIID = "" },
		"long instance id":   func(d *certs.Device) { d.PIID = strings.Repeat("1", 65) },
		"broken instance id": func(d *certs.Device) { d.PIID = "1\n2" },
		"long tag":           func(d *certs.Device) { d.SoftwareTag = strings.Repeat("x", 1025) },
		"negative life":      func(d *certs.Device) { d.Life = -time.Second },
		"serial number zero": func(d *certs.Device) { d.Serial = new(big.Int) },
		"huge serial number": func(d *certs.Device) { d.Serial = new(big.Int).Lsh(big.NewInt(1), 159) },
	} {
		d := router
		change(&d)
		if _, err := w.account.IssueDevice(csr, d, noon); !errors.Is(err, certs.ErrRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRequestsWithAcceptedKeysGetACertificate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, key := range map[string]crypto.Signer{
		"P-256":    newKey(t),
		"P-384":    must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)),
		"RSA-2048": rsaKey(t, 2048),
	} {
		csr := must[[]byte](t)(certs.NewDeviceRequest(key, "RT-9000"))
		c, err := w.account.IssueDevice(csr, router, noon)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := certs.VerifyChain(c, w.account.Chain(), w.roots(), noon); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRequestsWithWeakOrForeignKeysAreRefused(t *testing.T) {
	t.Parallel()
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]crypto.Signer{"RSA-1024": rsaKey(t, 1024), "P-224": p224(t), "Ed25519": ed} {
		if _, err := certs.ParseRequest(request(t, key)); !errors.Is(err, certs.ErrKey) {
			t.Errorf("request with %s: %v", name, err)
		}
		if _, err := certs.NewDeviceRequest(key, "RT-9000"); !errors.Is(err, certs.ErrKey) {
			t.Errorf("made a request with %s: %v", name, err)
		}
	}
	// secp256k1 in place of P-256: the library does not know the curve at all.
	p256, k256 := "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x0a"
	foreign := strings.Replace(string(request(t, newKey(t))), p256, k256, 1)
	if _, err := certs.ParseRequest([]byte(foreign)); !errors.Is(err, certs.ErrKey) {
		t.Errorf("request with an unknown curve: %v", err)
	}
}

func TestKeySizesAreCheckedAtBothEnds(t *testing.T) {
	t.Parallel()
	sized := func(bits uint, e int) *rsa.PublicKey {
		n := new(big.Int).Lsh(big.NewInt(1), bits-1)
		return &rsa.PublicKey{N: n.SetBit(n, 0, 1), E: e}
	}
	for name, c := range map[string]struct {
		key crypto.PublicKey
		ok  bool
	}{
		"2047":       {sized(2047, 65537), false},
		"2048":       {sized(2048, 65537), true},
		"4096":       {sized(4096, 65537), true},
		"4097":       {sized(4097, 65537), false},
		"exponent 1": {sized(2048, 1), false},
		"even":       {sized(2048, 4), false},
		"nothing":    {nil, false},
		"a word":     {"key", false},
	} {
		if err := certs.CheckPublicKey(c.key); (err == nil) != c.ok || err != nil && !errors.Is(err, certs.ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestARequestAlteredInAnyByteIsRefused(t *testing.T) {
	t.Parallel()
	csr := must[[]byte](t)(certs.NewDeviceRequest(newKey(t), "RT-9000"))
	for i := range csr {
		altered := append([]byte{}, csr...)
		altered[i] ^= 1
		if _, err := certs.ParseRequest(altered); !errors.Is(err, certs.ErrRequest) && !errors.Is(err, certs.ErrKey) {
			t.Errorf("byte %d of %d altered: %v", i, len(csr), err)
		}
		if _, err := certs.ParseRequest(csr[:i]); !errors.Is(err, certs.ErrRequest) {
			t.Errorf("cut after %d bytes: %v", i, err)
		}
	}
	for name, bad := range map[string][]byte{"longer": append(csr, 0), "huge": make([]byte, 16<<10+1)} {
		if _, err := certs.ParseRequest(bad); !errors.Is(err, certs.ErrRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseRequest(f *testing.F) {
	csr := must[[]byte](f)(certs.NewDeviceRequest(newKey(f), "RT-9000"))
	f.Add(csr)
	f.Add(request(f, p224(f)))
	f.Add(request(f, rsaKey(f, 2048)))
	f.Add(csr[:len(csr)/2])
	f.Add([]byte("-----BEGIN CERTIFICATE REQUEST-----"))
	f.Add([]byte{0x30, 0x80})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		parsed, err := certs.ParseRequest(data)
		switch {
		case err == nil:
			if err := certs.CheckPublicKey(parsed.PublicKey); err != nil {
				t.Errorf("accepted with a bad key: %v", err)
			}
		case !errors.Is(err, certs.ErrRequest) && !errors.Is(err, certs.ErrKey):
			t.Errorf("error of no kind: %v", err)
		}
	})
}

func BenchmarkIssueDevice(b *testing.B) {
	w := newWorld(b)
	csr := must[[]byte](b)(certs.NewDeviceRequest(newKey(b), "RT-9000"))
	for b.Loop() {
		if _, err := w.account.IssueDevice(csr, router, noon); err != nil {
			b.Fatal(err)
		}
	}
}
