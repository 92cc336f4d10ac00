package certs

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ErrChain says that a certificate does not lead to a trusted root, or that one
// on the way is expired, not an authority, or not meant for this use.
var ErrChain = errors.New("certificate not trusted")

// tlsUsages are what no licensing certificate may be good for.
var tlsUsages = []x509.ExtKeyUsage{x509.ExtKeyUsageAny, x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}

// VerifyChain checks that leaf leads over some of issuers (at most 64, in any
// order) to one of roots, that all of them are valid now, and that all of them,
// the root too, carry LicensingUsage and no TLS usage. It does not ask what
// leaf is for: who checks a signature wants VerifyUsage. Revocation is not
// looked up. ErrChain, with the reason.
func VerifyChain(leaf *x509.Certificate, issuers, roots []*x509.Certificate, now time.Time) error {
	return verify(leaf, issuers, roots, LicensingUsage, now)
}

// VerifyUsage is VerifyChain for a leaf that has to be a device, a satellite
// signer or an upstream signer: it is no authority, and it and all its issuers
// carry the usage asked for as well. So a device cannot sign a reply, and a
// satellite cannot sign a response to itself.
func VerifyUsage(leaf *x509.Certificate, issuers, roots []*x509.Certificate, usage asn1.ObjectIdentifier, now time.Time) error {
	if leaf != nil && leaf.IsCA {
		return fmt.Errorf("%w: %q is a certificate authority, not a signer", ErrChain, leaf.Subject.CommonName)
	}
	return verify(leaf, issuers, roots, usage, now)
}

// verify returns nil if one of the chains from leaf to a root keeps the law.
func verify(leaf *x509.Certificate, issuers, roots []*x509.Certificate, usage asn1.ObjectIdentifier, now time.Time) error {
	if leaf == nil {
		return fmt.Errorf("%w: there is no certificate", ErrChain)
	}
	if now.IsZero() { // the library would take the machine's clock
		return fmt.Errorf("%w: %q cannot be judged without a time", ErrChain, leaf.Subject.CommonName)
	}
	if len(issuers) > pemCertificates {
		return fmt.Errorf("%w: it comes with %d issuers, at most %d are looked at", ErrChain, len(issuers), pemCertificates)
	}
	options := x509.VerifyOptions{
		Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: now,
		// The library nests only the usages that it knows: ours are checked below.
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	}
	for _, c := range append([]*x509.Certificate{leaf}, issuers...) {
		// A huge key would make every check with it slow, and none of ours is.
		if err := CheckPublicKey(c.PublicKey); err != nil {
			return fmt.Errorf("%w: %q: %w", ErrChain, c.Subject.CommonName, err)
		}
		options.Intermediates.AddCert(c)
	}
	for _, c := range roots {
		options.Roots.AddCert(c)
	}
	chains, err := leaf.Verify(options)
	if err != nil {
		return fmt.Errorf("%w: %q does not lead to a trusted root: %w", ErrChain, leaf.Subject.CommonName, err)
	}
	for _, chain := range chains {
		if err = checkUsage(chain, usage); err == nil {
			return nil
		}
	}
	return err
}

// checkUsage says ErrChain unless each certificate is of licensing, and has the
// usage.
func checkUsage(chain []*x509.Certificate, usage asn1.ObjectIdentifier) error {
	for _, c := range chain {
		name := c.Subject.CommonName
		if !IsLicensing(c) {
			return fmt.Errorf("%w: %q was not made for licensing (it lacks the usage %s)", ErrChain, name, LicensingUsage)
		}
		if !carries(c, usage) {
			return fmt.Errorf("%w: %q was not made for this use (it lacks the usage %s)", ErrChain, name, usage)
		}
		if slices.ContainsFunc(c.ExtKeyUsage, func(u x509.ExtKeyUsage) bool { return slices.Contains(tlsUsages, u) }) {
			return fmt.Errorf("%w: %q is good for TLS as well, which no licensing certificate may be", ErrChain, name)
		}
	}
	return nil
}

// IsLicensing reports whether the certificate carries LicensingUsage.
func IsLicensing(c *x509.Certificate) bool { return carries(c, LicensingUsage) }

func carries(c *x509.Certificate, usage asn1.ObjectIdentifier) bool {
	return slices.ContainsFunc(c.UnknownExtKeyUsage, usage.Equal)
}

// Fingerprint is the SHA-256 of the certificate, in upper-case hexadecimal with
// colons, as browsers and OpenSSL print it.
func Fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return strings.ReplaceAll(fmt.Sprintf("% X", sum[:]), " ", ":")
}
