package agent

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"ssm/certs"
	"ssm/satellite/wire"
)

// trust is whom a device believes: bundle for TLS, roots for replies. The two
// never stand in for each other.
type trust struct {
	bundle []*x509.Certificate
	roots  []*x509.Certificate
}

// readTrust reads the PEM that the operator gave. The roots are those of root,
// or else the licensing roots of bundle: self-signed and of licensing, so that
// an intermediate in the bundle is not pinned by accident.
func readTrust(bundle, root string) (trust, error) {
	var t trust
	var err error
	if bundle != "" {
		if t.bundle, err = certs.DecodePEM([]byte(bundle)); err != nil {
			return t, fmt.Errorf("%w: the CA bundle: %w", ErrUsage, err)
		}
	}
	if root == "" {
		for _, c := range t.bundle {
			if certs.IsLicensing(c) && isRoot(c) {
				t.roots = append(t.roots, c)
			}
		}
		return t, nil
	}
	if t.roots, err = certs.DecodePEM([]byte(root)); err != nil {
		return t, fmt.Errorf("%w: the licensing root: %w", ErrUsage, err)
	}
	for _, c := range t.roots {
		if !certs.IsLicensing(c) || !isRoot(c) {
			return t, fmt.Errorf("%w: %q (%s) is not a licensing root: take the one that the upstream exports",
				ErrUsage, c.Subject.CommonName, certs.Fingerprint(c))
		}
	}
	return t, nil
}

func isRoot(c *x509.Certificate) bool {
	return c.IsCA && bytes.Equal(c.RawIssuer, c.RawSubject)
}

// checkReply says ErrUntrusted unless the reply is the satellite's answer to
// the request that was sent. at is the time at which its chain has to be valid.
func (t trust) checkReply(reply *wire.Reply, sent wire.Header, at time.Time) error {
	if err := t.checkSigner(reply.Chain, at); err != nil {
		return err
	}
	h := reply.Header
	mismatch := ""
	switch {
	case h.Version != wire.MessageVersion:
		mismatch = fmt.Sprintf("speaks version %q of the protocol, this agent %q", printable(h.Version), wire.MessageVersion)
	case h.Nonce != sent.Nonce:
		mismatch = "answers another request: its nonce is not the one that was sent"
	case h.RequestType != sent.RequestType:
		mismatch = fmt.Sprintf("answers a %q, sent was a %q", printable(string(h.RequestType)), sent.RequestType)
	case h.SUDI != sent.SUDI:
		mismatch = "is for another device: its sudi is not the one of this device"
	case !samePIID(reply, sent):
		mismatch = "is for another product instance: its identifier is not the one of this device"
	}
	if mismatch != "" {
		return fmt.Errorf("%w: it %s; nothing was changed: repeat, and if it happens again look at what stands between this device and the satellite", ErrUntrusted, mismatch)
	}
	return nil
}

// checkSigner says ErrUntrusted unless the chain is that of a satellite under a
// pinned root.
func (t trust) checkSigner(chain []*x509.Certificate, at time.Time) error {
	err := certs.VerifyUsage(chain[0], chain[1:], t.roots, certs.SatelliteUsage, at)
	if err != nil {
		return fmt.Errorf("%w: its signature does not lead to the licensing root of this device: %w; nothing was changed: compare the root with that of the upstream, and check the clock (%s)",
			ErrUntrusted, err, at.Format(time.RFC3339))
	}
	return nil
}

// samePIID compares the product instance. A registration has none yet, and a
// refusal need not name one that the satellite does not know.
func samePIID(reply *wire.Reply, sent wire.Header) bool {
	got, want := reply.Header.ProductInstanceIdentifier, sent.ProductInstanceIdentifier
	switch {
	case sent.RequestType == wire.Registration:
		return got == "" || reply.Data.Status == wire.StatusFailed || got == reply.Data.ProductInstanceIdentifier
	case got == "":
		return reply.Data.Status == wire.StatusFailed
	default:
		return got == want
	}
}

// checkCertificate parses the ID certificate in a reply. ErrUntrusted unless it
// certifies this key for this product instance under a pinned root.
func (t trust) checkCertificate(der []byte, reply *wire.Reply, key crypto.Signer, piid string, at time.Time) (*x509.Certificate, error) {
	certificate, err := x509.ParseCertificate(der)
	if err == nil {
		err = certs.VerifyUsage(certificate, reply.Chain[1:], t.roots, certs.DeviceUsage, at)
	}
	if err == nil && certificate.Subject.SerialNumber != piid {
		err = errors.New("it is for another product instance")
	}
	if err == nil && !samePublicKey(certificate.PublicKey, key.Public()) {
		err = errors.New("it is for another key")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: the ID certificate in it is of no use: %w; nothing was changed: repeat, and tell the satellite's administrator if it happens again", ErrUntrusted, err)
	}
	return certificate, nil
}

func samePublicKey(a, b crypto.PublicKey) bool {
	key, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(b)
}
