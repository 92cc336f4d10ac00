package certs

import (
	"crypto"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	localEvery = time.Hour   // how often the age of our own certificate is looked at
	filesEvery = time.Minute // how often the operator's files are looked at
)

// Server holds the TLS certificate of a listener and keeps it fresh: each
// handshake takes the present one, and now and then the first to come looks
// for a newer. Where that fails the present one goes on being served, Err says
// why, and it is tried again after the same pause. Safe for concurrent use.
type Server struct {
	now     func() time.Time
	every   time.Duration
	refresh func(old *serving, now time.Time) (*serving, error)
	busy    sync.Mutex // held by the one who refreshes
	present atomic.Pointer[serving]
}

// serving is what is served from one refresh to the next; never changed.
type serving struct {
	certificate *tls.Certificate
	issuer      []*x509.Certificate
	version     string // of the operator's files
	looked      time.Time
	err         error
}

func newServer(now func() time.Time, every time.Duration, refresh func(*serving, time.Time) (*serving, error)) (*Server, error) {
	s := &Server{now: now, every: every, refresh: refresh}
	at := now()
	first, err := refresh(nil, at)
	if err != nil {
		return nil, err
	}
	first.looked = at
	s.present.Store(first)
	return s, nil
}

// current is what to serve now. Only one caller at a time refreshes; the others
// do not wait for it.
func (s *Server) current() *serving {
	now := s.now()
	if p := s.present.Load(); !s.due(p, now) || !s.busy.TryLock() {
		return p
	}
	defer s.busy.Unlock()
	old := s.present.Load()
	if !s.due(old, now) { // somebody was faster
		return old
	}
	next, err := s.refresh(old, now)
	if err != nil {
		next = old
	}
	fresh := *next
	fresh.looked, fresh.err = now, err
	s.present.Store(&fresh)
	return &fresh
}

// due counts a clock that was set back as due, too: it would be silent else.
func (s *Server) due(p *serving, now time.Time) bool {
	since := now.Sub(p.looked)
	return since >= s.every || since < 0
}

// GetCertificate is for tls.Config.
func (s *Server) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return s.current().certificate, nil
}

// Issuer is what a client must trust. Of the operator's own certificate it is
// the last one in his file, so the file should hold the chain up to the root.
func (s *Server) Issuer() []*x509.Certificate { return slices.Clone(s.current().issuer) }

// NotAfter is when the certificate served at present ends.
func (s *Server) NotAfter() time.Time { return s.current().certificate.Leaf.NotAfter }

// Err says why the last look for a newer certificate failed; nil where it did
// not. What was served before is served on.
func (s *Server) Err() error { return s.current().err }

// LoadServer serves a certificate of a local CA, both kept in dir (made when
// missing) and made at the first start, the keys sealed under k. The CA lives
// 10 years, can vouch for TLS servers only, and says nothing about names: it
// stays the same over restarts, new names and renewals. The server certificate
// is for names (DNS names or IP addresses) and is made anew when these change
// or when two thirds of its life are over.
//
// ErrSealed where the key file is not the one of this folder.
func LoadServer(dir string, k *KeyFile, names []string, now func() time.Time) (*Server, error) {
	wanted, err := parseNames(names)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("folder of the TLS certificates: %w", err)
	}
	l := &local{dir: dir, k: k, names: wanted}
	if l.ca, err = l.loadCA(now()); err != nil {
		return nil, err
	}
	return newServer(now, localEvery, l.refresh)
}

// local is the local CA with the server certificate that it issues.
type local struct {
	dir   string
	k     *KeyFile
	names names
	ca    *Authority
}

func (l *local) path(name string) string { return filepath.Join(l.dir, name) }

// loadCA reads the CA or makes it. A key without certificate is what a crash
// during the first start leaves: it is used. A certificate without its key is
// an error, since clients trust it and a new CA would lock them out.
func (l *local) loadCA(now time.Time) (*Authority, error) {
	key, err := ReadKey(l.path("ca.key"), l.k)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return nil, fmt.Errorf("local TLS CA: %w", err)
	}
	text, _, err := readBounded(l.path("ca.pem"), pemLimit)
	switch {
	case errors.Is(err, fs.ErrNotExist) && missing:
		if key, err = NewKey(); err != nil {
			return nil, err
		}
		if err = WriteKey(l.path("ca.key"), key, l.k); err != nil {
			return nil, err
		}
		return l.makeCA(key, now)
	case errors.Is(err, fs.ErrNotExist):
		return l.makeCA(key, now)
	case err != nil:
		return nil, fmt.Errorf("local TLS CA: %w", err)
	case missing:
		return nil, fmt.Errorf("local TLS CA: %s is there, but its key ca.key is not; nothing was changed: restore it, or remove both for a new CA, which every client has to be told then", l.path("ca.pem"))
	}
	certificates, err := DecodePEM(text)
	if err != nil {
		return nil, fmt.Errorf("local TLS CA %s: %w", l.path("ca.pem"), err)
	}
	if !sameKey(certificates[0].PublicKey, key.Public()) {
		return nil, fmt.Errorf("local TLS CA: ca.pem and ca.key in %s do not belong together; nothing was changed: restore both from one backup", l.dir)
	}
	return &Authority{Certificate: certificates[0], Key: key}, nil
}

// makeCA certifies the key. Its name is made from the key: a renewed CA has the
// name of the old one, so what the old one vouched for stays good.
func (l *local) makeCA(key crypto.Signer, now time.Time) (*Authority, error) {
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, fmt.Errorf("local TLS CA: %w", err)
	}
	sum := sha256.Sum256(public)
	template := caTemplate(0)
	template.Subject.CommonName = fmt.Sprintf("Local TLS CA %X", sum[:4])
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	ca, err := newRoot(template, key, IssuingCALife, now)
	if err != nil {
		return nil, err
	}
	return ca, WriteFile(l.path("ca.pem"), EncodePEM(ca.Certificate), 0o644)
}

// refresh keeps what is served while it fits, at the first call what the last
// run left behind; else it issues.
func (l *local) refresh(old *serving, now time.Time) (*serving, error) {
	if old == nil {
		old = l.stored()
	}
	if old != nil {
		leaf := old.certificate.Leaf
		if l.names.match(leaf) && !now.Before(leaf.NotBefore) && now.Before(renewAt(leaf)) {
			return old, nil
		}
	}
	return l.issue(now)
}

// renewAt is when two thirds of the life of a certificate are over.
func renewAt(c *x509.Certificate) time.Time {
	return c.NotAfter.Add(-c.NotAfter.Sub(c.NotBefore) / 3)
}

// stored is the server certificate of the last run, or nil: whatever is wrong
// with it, it is simply made anew.
func (l *local) stored() *serving {
	key, err := ReadKey(l.path("server.key"), l.k)
	if err != nil {
		return nil
	}
	text, _, err := readBounded(l.path("server.pem"), pemLimit)
	if err != nil {
		return nil
	}
	certificates, err := DecodePEM(text)
	if err != nil || !sameKey(certificates[0].PublicKey, key.Public()) ||
		certificates[0].CheckSignatureFrom(l.ca.Certificate) != nil {
		return nil
	}
	return l.serve(certificates[0], key)
}

// issue makes and keeps a server certificate. Before that, a CA that would cut
// its life, or was made under a clock that ran ahead, is made anew with the same
// key and name.
func (l *local) issue(now time.Time) (*serving, error) {
	if ca := l.ca.Certificate; now.Before(ca.NotBefore) || now.Add(ServerLife).After(ca.NotAfter) {
		renewed, err := l.makeCA(l.ca.Key, now)
		if err != nil {
			return nil, err
		}
		l.ca = renewed
	}
	key, err := NewKey()
	if err != nil {
		return nil, err
	}
	template := leafTemplate()
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	template.DNSNames, template.IPAddresses = l.names.dns, l.names.ips
	if len(l.names.dns) > 0 {
		template.Subject.CommonName = clean(l.names.dns[0]) // for people: clients read the names above
	}
	certificate, err := l.ca.sign(template, key.Public(), ServerLife, now)
	if err != nil {
		return nil, fmt.Errorf("TLS server certificate: %w", err)
	}
	if err := WriteKey(l.path("server.key"), key, l.k); err != nil {
		return nil, err
	}
	if err := WriteFile(l.path("server.pem"), EncodePEM(certificate), 0o644); err != nil {
		return nil, err
	}
	return l.serve(certificate, key), nil
}

func (l *local) serve(leaf *x509.Certificate, key crypto.Signer) *serving {
	return &serving{
		certificate: &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf},
		issuer:      []*x509.Certificate{l.ca.Certificate},
	}
}

func sameKey(a, b crypto.PublicKey) bool {
	key, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(b)
}

// LoadServerFiles serves the operator's own certificate (PEM, with its chain)
// and key (PEM, not encrypted). The files are read again when they change; a
// pair that does not fit, as in the middle of a change, is not taken.
//
// ErrPEM where the files hold no certificate with its key, ErrChain where one
// of them is a licensing certificate.
func LoadServerFiles(certFile, keyFile string, now func() time.Time) (*Server, error) {
	return newServer(now, filesEvery, func(old *serving, _ time.Time) (*serving, error) {
		version, err := fileVersion(certFile, keyFile)
		if err != nil || old != nil && old.version == version {
			return old, err
		}
		next, err := readFiles(certFile, keyFile)
		if err != nil {
			return nil, fmt.Errorf("TLS certificate %s with key %s: %w", certFile, keyFile, err)
		}
		next.version = version
		return next, nil
	})
}

// fileVersion changes when one of the files is replaced or written.
func fileVersion(paths ...string) (string, error) {
	var version string
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return "", fmt.Errorf("TLS certificate: %w", err)
		}
		version += fmt.Sprintf("%d bytes of %d;", info.Size(), info.ModTime().UnixNano())
	}
	return version, nil
}

func readFiles(certFile, keyFile string) (*serving, error) {
	certText, _, err := readBounded(certFile, pemLimit)
	if err != nil {
		return nil, err
	}
	keyText, _, err := readBounded(keyFile, pemLimit)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(certText, keyText)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPEM, err)
	}
	var last *x509.Certificate
	for _, der := range pair.Certificate {
		if last, err = x509.ParseCertificate(der); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrPEM, err)
		}
		if IsLicensing(last) {
			return nil, fmt.Errorf("%w: %q is a licensing certificate, which no client accepts for TLS", ErrChain, last.Subject.CommonName)
		}
	}
	return &serving{certificate: &pair, issuer: []*x509.Certificate{last}}, nil
}
