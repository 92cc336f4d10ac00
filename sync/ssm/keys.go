package ssm

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"ssm/certs"
	"ssm/satellite/wire"
)

// The names that stand in the certificates.
const (
	rootName    = "Software Licensing Root"
	issuingName = "Software Licensing Issuing CA"
	signerName  = "Software Licensing Upstream Signer"
)

// keys are the licensing root (its certificate: the key is needed only to make
// the folder), the issuing CA, and the signer of responses. Each key lies
// sealed in NAME.key, each certificate in NAME.pem.
type keys struct {
	dir     string
	file    *certs.KeyFile
	root    *x509.Certificate
	issuing *certs.Authority

	mu         sync.Mutex
	signerKey  crypto.Signer
	signerCert *x509.Certificate
}

// loadKeys reads the keys of the folder. With create it makes what is missing:
// a start that was interrupted is gone on with.
func loadKeys(dir, keyFile string, create bool, now time.Time) (*keys, error) {
	if _, err := os.Stat(keyFile); err != nil && !create {
		return nil, fmt.Errorf("key file: %w; nothing was changed: restore it from its backup, or name its place with --key-file", err)
	}
	k := &keys{dir: dir}
	var err error
	if k.file, err = certs.LoadKeyFile(keyFile); err != nil {
		return nil, err
	}
	if k.root, err = k.certificate("root", create, func(key crypto.Signer) (*x509.Certificate, error) {
		root, err := certs.NewRoot(rootName, key, now)
		if err != nil {
			return nil, err
		}
		return root.Certificate, nil
	}); err != nil {
		return nil, err
	}
	issuing, err := k.certificate("issuing", create, func(key crypto.Signer) (*x509.Certificate, error) {
		rootKey, err := certs.ReadKey(k.path("root.key"), k.file)
		if err != nil {
			return nil, err
		}
		root := &certs.Authority{Certificate: k.root, Key: rootKey}
		return root.IssueIssuingCA(issuingName, key.Public(), now)
	})
	if err != nil {
		return nil, err
	}
	k.issuing = &certs.Authority{Certificate: issuing, Issuers: []*x509.Certificate{k.root}}
	if k.issuing.Key, err = certs.ReadKey(k.path("issuing.key"), k.file); err != nil {
		return nil, err
	}
	// The signer is renewed by itself, so that it may also be made anew.
	if k.signerCert, err = k.certificate("signer", true, func(key crypto.Signer) (*x509.Certificate, error) {
		return k.issuing.IssueUpstreamSigner(signerName, key.Public(), now)
	}); err != nil {
		return nil, err
	}
	k.signerKey, err = certs.ReadKey(k.path("signer.key"), k.file)
	return k, err
}

func (k *keys) path(name string) string { return filepath.Join(k.dir, name) }

// certificate reads the certificate called name; with create it makes the
// missing one, for the key that is there or for a new one.
func (k *keys) certificate(name string, create bool, issue func(crypto.Signer) (*x509.Certificate, error)) (*x509.Certificate, error) {
	path := k.path(name + ".pem")
	text, err := os.ReadFile(path)
	if err == nil {
		list, err := certs.DecodePEM(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return list[0], nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if !create {
		return nil, fmt.Errorf("%s is missing; nothing was changed: satellites and devices trust it, so restore it from the backup", path)
	}
	key, err := k.key(name)
	if err != nil {
		return nil, err
	}
	made, err := issue(key)
	if err != nil {
		return nil, err
	}
	return made, certs.WriteFile(path, certs.EncodePEM(made), 0o644)
}

// key reads the key called name, or makes it.
func (k *keys) key(name string) (crypto.Signer, error) {
	path := k.path(name + ".key")
	key, err := certs.ReadKey(path, k.file)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	made, err := certs.NewKey()
	if err != nil {
		return nil, err
	}
	return made, certs.WriteKey(path, made, k.file)
}

// halfLife is when half of the life of a certificate is over.
func halfLife(c *x509.Certificate) time.Time {
	return c.NotBefore.Add(c.NotAfter.Sub(c.NotBefore) / 2)
}

// signer signs responses. Past half of its life its certificate is renewed,
// with the same key: two processes that do so at once do no harm. The root
// stands last in the chain, so that a satellite that does not trust it yet can
// print its fingerprint.
func (k *keys) signer(now time.Time) (wire.Signer, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !now.Before(halfLife(k.signerCert)) {
		renewed, err := k.issuing.IssueUpstreamSigner(signerName, k.signerKey.Public(), now)
		if err != nil {
			return wire.Signer{}, err
		}
		if err := certs.WriteFile(k.path("signer.pem"), certs.EncodePEM(renewed), 0o644); err != nil {
			return wire.Signer{}, err
		}
		k.signerCert = renewed
	}
	return wire.Signer{Key: k.signerKey, Chain: [][]byte{k.signerCert.Raw, k.issuing.Certificate.Raw, k.root.Raw}}, nil
}
