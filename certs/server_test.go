package certs_test

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ssm/certs"
)

// clock is set by the test.
type clock struct{ at atomic.Pointer[time.Time] }

func newClock() *clock {
	c := &clock{}
	c.set(noon)
	return c
}

func (c *clock) set(t time.Time)    { c.at.Store(&t) }
func (c *clock) now() time.Time     { return *c.at.Load() }
func (c *clock) in(d time.Duration) { c.set(c.now().Add(d)) }

func leafOf(t testing.TB, s *certs.Server) *x509.Certificate {
	t.Helper()
	return must[*tls.Certificate](t)(s.GetCertificate(nil)).Leaf
}

func TestAServerIsReachedUnderEachOfItsNames(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := must[*certs.Server](t)(certs.LoadServer(t.TempDir(), keyFile(t), []string{"Satellite.example", "10.0.0.7", "::1"}, c.now))
	client := certs.ClientConfig(s.Issuer(), c.now)
	for _, name := range []string{"satellite.example", "10.0.0.7", "::1"} {
		state, err := handshake(t, certs.ServerConfig(s), client, name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if state.Version != tls.VersionTLS13 || state.CurveID != tls.X25519 {
			t.Errorf("%s: version %x, curve %s", name, state.Version, state.CurveID)
		}
	}
	if _, err := handshake(t, certs.ServerConfig(s), client, "other.example"); err == nil {
		t.Error("reached under a foreign name")
	}
	old := client.Clone()
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if _, err := handshake(t, certs.ServerConfig(s), old, "10.0.0.7"); err == nil {
		t.Error("reached with TLS 1.1")
	}
	if got, want := s.NotAfter(), noon.Add(certs.ServerLife); !got.Equal(want) {
		t.Errorf("ends %s, want %s", got, want)
	}
}

func TestTheLocalCAStaysOverRestartsAndNewNames(t *testing.T) {
	t.Parallel()
	dir, k, c := t.TempDir(), keyFile(t), newClock()
	load := func(names ...string) *certs.Server {
		t.Helper()
		return must[*certs.Server](t)(certs.LoadServer(dir, k, names, c.now))
	}
	first := load("a.example", "10.0.0.7")
	ca, leaf := first.Issuer()[0], leafOf(t, first)
	if again := load("10.0.0.7", "A.example.", "a.example"); !leafOf(t, again).Equal(leaf) {
		t.Error("the same names in another order got another certificate")
	}
	renamed := load("b.example", "10.0.0.7")
	if got := leafOf(t, renamed); got.Equal(leaf) || !slices.Equal(got.DNSNames, []string{"b.example"}) {
		t.Errorf("names %v", got.DNSNames)
	}
	if !renamed.Issuer()[0].Equal(ca) {
		t.Error("new names made a new CA")
	}
	if ca.Subject.CommonName == "" || len(ca.DNSNames) > 0 || certs.IsLicensing(ca) || certs.IsLicensing(leaf) ||
		!slices.Equal(ca.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}) || !ca.NotAfter.Equal(noon.Add(3650*day)) {
		t.Errorf("the CA is %s with usages %v, ends %s", ca.Subject, ca.ExtKeyUsage, ca.NotAfter)
	}
	if _, err := certs.LoadServer(dir, keyFile(t), []string{"b.example"}, c.now); !errors.Is(err, certs.ErrSealed) {
		t.Errorf("another key file: %v", err)
	}
}

func TestARunningServerRenewsItsCertificateAtTwoThirdsOfItsLife(t *testing.T) {
	t.Parallel()
	dir, k, c := t.TempDir(), keyFile(t), newClock()
	s := must[*certs.Server](t)(certs.LoadServer(dir, k, []string{"localhost"}, c.now))
	client := certs.ClientConfig(s.Issuer(), c.now)
	first := leafOf(t, s)
	c.in(264 * day)
	if !leafOf(t, s).Equal(first) {
		t.Error("renewed too early")
	}
	c.in(2 * day)
	second := leafOf(t, s)
	if second.Equal(first) || !s.NotAfter().Equal(c.now().Add(certs.ServerLife)) {
		t.Errorf("not renewed: ends %s", s.NotAfter())
	}
	if _, err := handshake(t, certs.ServerConfig(s), client, "localhost"); err != nil {
		t.Errorf("a client of the first day: %v", err)
	}
	if again := must[*certs.Server](t)(certs.LoadServer(dir, k, []string{"localhost"}, c.now)); !leafOf(t, again).Equal(second) {
		t.Error("the renewed certificate was not kept")
	}
}

func TestARenewedLocalCAKeepsItsKeyAndNameForThirtyYears(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := must[*certs.Server](t)(certs.LoadServer(t.TempDir(), keyFile(t), []string{"localhost"}, c.now))
	before := s.Issuer()
	for c.now().Before(noon.Add(30 * 365 * day)) {
		c.in(30 * day)
		leaf := leafOf(t, s)
		if leaf.NotAfter.Before(c.now().Add(certs.ServerLife / 4)) {
			t.Fatalf("on %s the certificate ends %s", c.now(), leaf.NotAfter)
		}
		// Who fetched the bundle a month ago still gets through.
		client := certs.ClientConfig(before, c.now)
		options := x509.VerifyOptions{Roots: client.RootCAs, CurrentTime: c.now(), DNSName: "localhost"}
		if _, err := leaf.Verify(options); err != nil {
			t.Fatalf("on %s: %v", c.now(), err)
		}
		before = s.Issuer()
	}
}

func TestAClockThatRanAheadDoesNotLockTheServerOut(t *testing.T) {
	t.Parallel()
	dir, k, c := t.TempDir(), keyFile(t), newClock()
	c.set(noon.Add(50 * 365 * day))
	s := must[*certs.Server](t)(certs.LoadServer(dir, k, []string{"localhost"}, c.now))
	c.set(noon)
	if _, err := handshake(t, certs.ServerConfig(s), certs.ClientConfig(s.Issuer(), c.now), "localhost"); err != nil {
		t.Errorf("after the clock was corrected: %v", err)
	}
}

func TestWhenTheDiskFailsTheOldCertificateIsServedOn(t *testing.T) {
	t.Parallel()
	dir, c := filepath.Join(t.TempDir(), "tls"), newClock()
	s := must[*certs.Server](t)(certs.LoadServer(dir, keyFile(t), []string{"localhost"}, c.now))
	first := leafOf(t, s)
	if err := os.Rename(dir, dir+"-gone"); err != nil {
		t.Fatal(err)
	}
	c.in(300 * day)
	if !leafOf(t, s).Equal(first) || !errors.Is(s.Err(), fs.ErrNotExist) {
		t.Errorf("ends %s, error %v", s.NotAfter(), s.Err())
	}
	if err := os.Rename(dir+"-gone", dir); err != nil {
		t.Fatal(err)
	}
	c.in(time.Hour)
	if leafOf(t, s).Equal(first) || s.Err() != nil {
		t.Errorf("not made good an hour later: %v", s.Err())
	}
}

func TestAFolderWithPartsMissingIsCompletedOrRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		gone   []string
		sameCA bool
		saying string
	}{
		{[]string{"server.key"}, true, ""},
		{[]string{"server.pem", "server.key"}, true, ""},
		{[]string{"ca.pem", "server.pem", "server.key"}, false, ""}, // a first start that was cut off
		{[]string{"ca.key"}, false, "restore it"},
	} {
		dir, k, now := t.TempDir(), keyFile(t), newClock().now
		first := must[*certs.Server](t)(certs.LoadServer(dir, k, []string{"localhost"}, now))
		for _, name := range c.gone {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		s, err := certs.LoadServer(dir, k, []string{"localhost"}, now)
		if c.saying != "" {
			if err == nil || !strings.Contains(err.Error(), c.saying) {
				t.Errorf("without %v: %v", c.gone, err)
			}
			continue
		}
		if err != nil || s.Issuer()[0].Equal(first.Issuer()[0]) != c.sameCA || leafOf(t, s).CheckSignatureFrom(first.Issuer()[0]) != nil {
			t.Errorf("without %v: %v", c.gone, err)
		}
	}
}

func TestManyHandshakesAtOnceRenewOnce(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := must[*certs.Server](t)(certs.LoadServer(t.TempDir(), keyFile(t), []string{"localhost"}, c.now))
	c.in(300 * day)
	first := leafOf(t, s)
	c.in(300 * day)
	var seen sync.Map
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() { seen.Store(leafOf(t, s).SerialNumber.String(), true) })
	}
	all.Wait()
	seen.Delete(first.SerialNumber.String()) // those who did not wait
	seen.Delete(leafOf(t, s).SerialNumber.String())
	seen.Range(func(serial, _ any) bool { t.Errorf("one more certificate was made: %s", serial); return true })
}

// operator writes the files of an operator with a CA of his own.
func operator(t *testing.T, certPath, keyPath string) (ca *x509.Certificate) {
	t.Helper()
	dir, k := t.TempDir(), keyFile(t)
	s := must[*certs.Server](t)(certs.LoadServer(dir, k, []string{"localhost"}, newClock().now))
	ca = s.Issuer()[0]
	key := must[crypto.Signer](t)(certs.ReadKey(filepath.Join(dir, "server.key"), k))
	der := must[[]byte](t)(certs.MarshalKey(key))
	write(t, keyPath, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
	write(t, certPath, certs.EncodePEM(leafOf(t, s), ca), 0o644)
	return ca
}

func TestTheOperatorsFilesAreReadAgainWhenTheyChange(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), newClock()
	certPath, keyPath := filepath.Join(dir, "tls.pem"), filepath.Join(dir, "tls.key")
	ca := operator(t, certPath, keyPath)
	s := must[*certs.Server](t)(certs.LoadServerFiles(certPath, keyPath, c.now))
	if got := s.Issuer(); len(got) != 1 || !got[0].Equal(ca) {
		t.Errorf("issuer %v", got[0].Subject)
	}
	if _, err := handshake(t, certs.ServerConfig(s), certs.ClientConfig(s.Issuer(), c.now), "localhost"); err != nil {
		t.Error(err)
	}
	oldKey := must[[]byte](t)(os.ReadFile(keyPath))
	next := operator(t, certPath, keyPath)
	newKeyText := must[[]byte](t)(os.ReadFile(keyPath))
	write(t, keyPath, oldKey, 0o600) // half of the change
	if !s.Issuer()[0].Equal(ca) {
		t.Error("the files are looked at on every call")
	}
	c.in(time.Minute)
	if !s.Issuer()[0].Equal(ca) || !errors.Is(s.Err(), certs.ErrPEM) {
		t.Errorf("took a pair that does not fit: %v", s.Err())
	}
	write(t, keyPath, newKeyText, 0o600)
	c.in(time.Minute)
	if !s.Issuer()[0].Equal(next) || s.Err() != nil {
		t.Errorf("the new pair was not taken: %v", s.Err())
	}
	if err := os.Remove(certPath); err != nil {
		t.Fatal(err)
	}
	c.in(time.Minute)
	if !s.Issuer()[0].Equal(next) || !errors.Is(s.Err(), fs.ErrNotExist) {
		t.Errorf("after the file is gone: %v", s.Err())
	}
}

func TestTheOperatorCannotServeWhatNoClientAccepts(t *testing.T) {
	t.Parallel()
	dir, w, key := t.TempDir(), newWorld(t), newKey(t)
	certPath, keyPath := filepath.Join(dir, "tls.pem"), filepath.Join(dir, "tls.key")
	load := func() error {
		_, err := certs.LoadServerFiles(certPath, keyPath, newClock().now)
		return err
	}
	if err := load(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no files: %v", err)
	}
	signer := must[*x509.Certificate](t)(w.account.IssueSatelliteSigner("k3v9q2wd", key.Public(), noon))
	write(t, certPath, certs.EncodePEM(signer), 0o644)
	write(t, keyPath, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must[[]byte](t)(certs.MarshalKey(key))}), 0o600)
	if err := load(); !errors.Is(err, certs.ErrChain) {
		t.Errorf("licensing certificate: %v", err)
	}
	write(t, certPath, []byte("hello"), 0o644)
	if err := load(); !errors.Is(err, certs.ErrPEM) {
		t.Errorf("no certificate: %v", err)
	}
	write(t, certPath, bytes.Repeat([]byte("x"), 1<<20+1), 0o644)
	if err := load(); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("huge file: %v", err)
	}
}
