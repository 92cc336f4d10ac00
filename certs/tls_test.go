package certs_test

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"ssm/certs"
)

// handshake connects over loopback and returns what the client saw.
func handshake(t *testing.T, server, client *tls.Config, name string) (tls.ConnectionState, error) {
	t.Helper()
	listener := must[net.Listener](t)(tls.Listen("tcp", "127.0.0.1:0", server))
	var served sync.WaitGroup
	served.Go(func() {
		if c, err := listener.Accept(); err == nil {
			_, _ = c.Write([]byte("hello")) // also sends the session ticket
			_ = c.Close()
		}
	})
	defer served.Wait()
	defer func() { _ = listener.Close() }()
	config := client.Clone()
	config.ServerName = name
	c, err := tls.Dial("tcp", listener.Addr().String(), config)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer func() { _ = c.Close() }()
	if _, err := c.Read(make([]byte, 5)); err != nil {
		return tls.ConnectionState{}, err
	}
	return c.ConnectionState(), nil
}

// listening serves one given certificate, whatever it is.
func listening(key any, chain ...*x509.Certificate) *tls.Config {
	pair := tls.Certificate{PrivateKey: key}
	for _, c := range chain {
		pair.Certificate = append(pair.Certificate, c.Raw)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
}

func TestASecondConnectionResumesTheSession(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := must[*certs.Server](t)(certs.LoadServer(t.TempDir(), keyFile(t), []string{"localhost"}, c.now))
	server, client := certs.ServerConfig(s), certs.ClientConfig(s.Issuer(), c.now)
	for _, resumed := range []bool{false, true} {
		state, err := handshake(t, server, client, "localhost")
		if err != nil || state.DidResume != resumed {
			t.Errorf("resumed %v, want %v; %v", state.DidResume, resumed, err)
		}
	}
}

func TestNeitherTreeVouchesForTheOther(t *testing.T) {
	t.Parallel()
	w, k, c, dir := newWorld(t), keyFile(t), newClock(), t.TempDir()
	s := must[*certs.Server](t)(certs.LoadServer(dir, k, []string{"localhost"}, c.now))
	tlsCA := &certs.Authority{Certificate: s.Issuer()[0], Key: must[crypto.Signer](t)(certs.ReadKey(filepath.Join(dir, "ca.key"), k))}

	// The TLS CA asks for licensing.
	csr := must[[]byte](t)(certs.NewDeviceRequest(newKey(t), "RT-9000"))
	if _, err := tlsCA.IssueDevice(csr, router, noon); !errors.Is(err, certs.ErrChain) {
		t.Errorf("the TLS CA issued a device: %v", err)
	}
	key := newKey(t)
	device := forge(t, tlsCA, &x509.Certificate{UnknownExtKeyUsage: w.root.Certificate.UnknownExtKeyUsage}, key.Public())
	if err := certs.VerifyChain(device, nil, []*x509.Certificate{tlsCA.Certificate}, noon); !errors.Is(err, certs.ErrChain) {
		t.Errorf("a device below the TLS CA: %v", err)
	}

	// The licensing CAs pose as a TLS server, to a client that has both in its bundle.
	bundle := append(s.Issuer(), w.account.Chain()...)
	client := certs.ClientConfig(bundle, c.now)
	onlyTLS := x509.NewCertPool()
	onlyTLS.AddCert(tlsCA.Certificate)
	if !client.RootCAs.Equal(onlyTLS) {
		t.Error("the client trusts more of the bundle than the TLS CA")
	}
	server := func(by *certs.Authority, template x509.Certificate) *x509.Certificate {
		template.DNSNames = []string{"localhost"}
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		return forge(t, by, &template, key.Public())
	}
	plain := server(w.account, x509.Certificate{})
	marked := server(tlsCA, x509.Certificate{UnknownExtKeyUsage: w.root.Certificate.UnknownExtKeyUsage})
	honest := server(tlsCA, x509.Certificate{})
	mail := forge(t, tlsCA, &x509.Certificate{DNSNames: []string{"localhost"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}}, key.Public())
	for _, shown := range []struct {
		name  string
		chain []*x509.Certificate
		ok    bool
	}{
		{"an honest server", []*x509.Certificate{honest}, true},
		{"below the licensing tree", append([]*x509.Certificate{plain}, w.account.Chain()...), false},
		{"below the TLS CA, with the licensing usage", []*x509.Certificate{marked}, false},
		{"an honest server that shows a licensing CA as well", []*x509.Certificate{honest, w.root.Certificate}, false},
		{"not for servers", []*x509.Certificate{mail}, false},
	} {
		_, err := handshake(t, listening(key, shown.chain...), client, "localhost")
		if (err == nil) != shown.ok {
			t.Errorf("%s: %v", shown.name, err)
		}
	}
	_, err := handshake(t, listening(key, marked), client, "localhost")
	if !errors.Is(err, certs.ErrChain) {
		t.Errorf("refused for another reason: %v", err)
	}
	if _, err := handshake(t, listening(key, honest), certs.ClientConfig(w.roots(), c.now), "localhost"); err == nil {
		t.Error("a bundle without a TLS root trusts a server")
	}
}

func TestNamesThatNoCertificateCanHoldAreRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"my host", "https://satellite.example", "satellite.example:8443", "例え.jp", "a..b", "-a", "*", strings.Repeat("a", 64) + ".example"} {
		if _, err := certs.LoadServer(t.TempDir(), keyFile(t), []string{"localhost", name}, newClock().now); err == nil {
			t.Errorf("%q was taken", name)
		}
	}
	if _, err := certs.LoadServer(t.TempDir(), keyFile(t), nil, newClock().now); err == nil {
		t.Error("a certificate for nobody was made")
	}
}

func TestLocalNamesAreThoseUnderWhichTheMachineIsReached(t *testing.T) {
	t.Parallel()
	names := certs.LocalNames("Listen.example:8443", []string{"b.example", "B.example", "[2001:db8::7]", "10.0.0.7", ""})
	for _, want := range []string{"listen.example", "b.example", "2001:db8::7", "10.0.0.7", "localhost", "127.0.0.1", "::1"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is missing in %v", want, names)
		}
	}
	if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("not sorted, or not each once: %v", names)
	}
	for _, listen := range []string{"", ":8443", "0.0.0.0:8443", "[::]:8443"} {
		got := certs.LocalNames(listen, nil)
		if slices.Contains(got, "0.0.0.0") || slices.Contains(got, "::") || slices.Contains(got, "") {
			t.Errorf("%q gives %v", listen, got)
		}
	}
	if _, err := certs.LoadServer(t.TempDir(), keyFile(t), names, newClock().now); err != nil {
		t.Errorf("no certificate for the names of this machine: %v", err)
	}
}
