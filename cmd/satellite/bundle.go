package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"os"
	"sync"

	"ssm/certs"
	"ssm/satellite"
)

// bundle is what a device must trust: the issuer of the TLS certificate and the
// licensing roots. It is a file beside the data, written again when either changes.
type bundle struct {
	path  string
	tls   *certs.Server
	roots func(context.Context) ([]satellite.Root, error)

	mutex sync.Mutex
	text  []byte
}

func (b *bundle) refresh(ctx context.Context) error {
	roots, err := b.roots(ctx)
	if err != nil {
		return fmt.Errorf("read the licensing roots: %w", err)
	}
	certificates := b.tls.Issuer()
	for _, root := range roots {
		certificate, err := x509.ParseCertificate(root.DER)
		if err != nil {
			return fmt.Errorf("read the licensing root %s: %w", root.Fingerprint, err)
		}
		certificates = append(certificates, certificate)
	}
	text := certs.EncodePEM(certificates...)
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.text == nil {
		b.text, _ = os.ReadFile(b.path) // what is not there is written
	}
	if bytes.Equal(text, b.text) {
		return nil
	}
	if err := certs.WriteFile(b.path, text, 0o644); err != nil {
		return fmt.Errorf("write the trust bundle: %w", err)
	}
	b.text = text
	return nil
}

// read is the bundle, with what changed since it was written.
func (b *bundle) read() []byte {
	// An error leaves the last good one; the job that refreshes it reports.
	_ = b.refresh(context.Background())
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.text
}
