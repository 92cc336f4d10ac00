// Package certs makes and judges the X.509 certificates of the product, and
// nothing else: who may vouch for whom, for how long, and for which use.
//
//	licensing root > issuing CA > account sub CA > device, satellite signer
//	                            > upstream signer
//	local TLS CA   > server certificate
//
// The two trees never meet: everything of the first carries LicensingUsage,
// nothing of the second does. Every function takes its time from the caller.
package certs

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
	"unicode"
)

// arc is the branch of the object identifier tree under which the usages below
// stand. 32473 is the number that RFC 5612 sets aside for documentation: who
// ships the product replaces this one line with an arc of his own, before the
// first root is made. Certificates of two arcs do not know each other.
var arc = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 32473, 1}

// The extended key usages of licensing. A certificate has a usage only if all
// its issuers up to the root have it, too (see VerifyUsage): so a satellite,
// whose sub CA lacks UpstreamUsage, cannot make itself an upstream signer.
var (
	// LicensingUsage is carried by the licensing root and everything below it.
	// TLS certificates never carry it.
	LicensingUsage = usage(1)
	// UpstreamUsage is for who signs responses, policies and codes.
	UpstreamUsage = usage(2)
	// SatelliteUsage is for who signs replies to devices and sync requests.
	SatelliteUsage = usage(3)
	// DeviceUsage is for the ID certificate of a device.
	DeviceUsage = usage(4)
)

func usage(n int) asn1.ObjectIdentifier { return append(slices.Clone(arc), n) }

// Lives of certificates; a year counts 365 days. No certificate outlives its
// issuer, whatever stands here.
const (
	day                 = 24 * time.Hour
	RootLife            = 20 * 365 * day
	IssuingCALife       = 10 * 365 * day
	SubCALife           = 2 * 365 * day
	UpstreamSignerLife  = 365 * day
	SatelliteSignerLife = 180 * day
	DeviceLife          = 365 * day
	ServerLife          = 397 * day // browsers refuse server certificates that live longer than 398 days
)

// backdate is how far before its making a certificate begins (though never
// before its issuer), because the clock of who reads it may be behind. The hour
// is the allowed clock skew of a device.
const backdate = time.Hour

// textLimit is the upper bound of a common name, an organization and a serial
// number in a subject, in characters (RFC 5280, appendix A.1).
const textLimit = 64

// Authority is a certificate that vouches for others, with its key. Issuers
// leads from its direct issuer up to the root, and is empty for a root.
//
// Its methods return ErrChain, and make nothing, where the authority has no
// right to issue such a certificate: path length, usage, or its own life.
type Authority struct {
	Certificate *x509.Certificate
	Key         crypto.Signer
	Issuers     []*x509.Certificate
}

// Chain is the certificate of the authority followed by its issuers: what a
// certificate that it makes has to be sent with.
func (a *Authority) Chain() []*x509.Certificate {
	return append([]*x509.Certificate{a.Certificate}, a.Issuers...)
}

// NewSerial draws the serial number of a certificate: positive, 127 random
// bits, so that numbers need no register and do not collide.
func NewSerial() (*big.Int, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("serial number: %w", err)
	}
	if serial.Sign() == 0 {
		serial.SetInt64(1) // RFC 5280 forbids zero
	}
	return serial, nil
}

// NewRoot makes a licensing root, which vouches for itself.
func NewRoot(name string, key crypto.Signer, now time.Time) (*Authority, error) {
	template := caTemplate(-1, LicensingUsage, UpstreamUsage, SatelliteUsage, DeviceUsage)
	template.Subject.CommonName = clean(name)
	return newRoot(template, key, RootLife, now)
}

// newRoot signs the template with the key that it certifies. A path length
// counts what stands below, so it does not bind the root's own signature.
func newRoot(template *x509.Certificate, key crypto.Signer, life time.Duration, now time.Time) (*Authority, error) {
	begin := now.UTC().Truncate(time.Second)
	self := *template
	self.NotBefore, self.NotAfter = begin.Add(-backdate), begin.Add(life)
	self.MaxPathLen, self.MaxPathLenZero = -1, false
	self.PublicKey = key.Public()
	certificate, err := (&Authority{Certificate: &self, Key: key}).sign(template, key.Public(), life, now)
	if err != nil {
		return nil, err
	}
	return &Authority{Certificate: certificate, Key: key}, nil
}

// IssueIssuingCA makes the CA that the upstream uses daily, so that the root
// can be taken offline. Path length 1: account sub CAs, and nothing below them
// that issues.
func (a *Authority) IssueIssuingCA(name string, pub crypto.PublicKey, now time.Time) (*x509.Certificate, error) {
	template := caTemplate(1, LicensingUsage, UpstreamUsage, SatelliteUsage, DeviceUsage)
	template.Subject.CommonName = clean(name)
	return a.sign(template, pub, IssuingCALife, now)
}

// NewSubCARequest is the certificate request (DER) of a satellite for the sub
// CA of an account: CN is the account id, O the name cut to 64 characters.
func NewSubCARequest(key crypto.Signer, accountID, organization string) ([]byte, error) {
	return newRequest(key, subCASubject(accountID, organization))
}

// IssueSubCA makes the sub CA of an account, path length 0: it vouches for
// devices and satellite signers only. From the request it takes the key and
// nothing else; the subject comes from the arguments. ErrRequest and ErrKey as
// ParseRequest.
func (a *Authority) IssueSubCA(csr []byte, accountID, organization string, now time.Time) (*x509.Certificate, error) {
	request, err := ParseRequest(csr)
	if err != nil {
		return nil, err
	}
	template := caTemplate(0, LicensingUsage, SatelliteUsage, DeviceUsage)
	template.Subject = subCASubject(accountID, organization)
	return a.sign(template, request.PublicKey, SubCALife, now)
}

func subCASubject(accountID, organization string) pkix.Name {
	subject := pkix.Name{CommonName: clean(accountID)}
	if name := clean(organization); name != "" {
		subject.Organization = []string{name}
	}
	return subject
}

// IssueUpstreamSigner makes the certificate under which the upstream signs
// responses, policies and codes. Only an issuing CA (or a root) can.
func (a *Authority) IssueUpstreamSigner(name string, pub crypto.PublicKey, now time.Time) (*x509.Certificate, error) {
	template := leafTemplate(LicensingUsage, UpstreamUsage)
	template.Subject.CommonName = clean(name)
	return a.sign(template, pub, UpstreamSignerLife, now)
}

// IssueSatelliteSigner makes the certificate under which a satellite signs
// replies to the devices of an account, and sync requests.
func (a *Authority) IssueSatelliteSigner(satelliteID string, pub crypto.PublicKey, now time.Time) (*x509.Certificate, error) {
	template := leafTemplate(LicensingUsage, SatelliteUsage)
	template.Subject.CommonName = clean(satelliteID)
	return a.sign(template, pub, SatelliteSignerLife, now)
}

// caTemplate is a certificate that may issue; pathLength -1 is no limit.
func caTemplate(pathLength int, usages ...asn1.ObjectIdentifier) *x509.Certificate {
	return &x509.Certificate{
		BasicConstraintsValid: true, IsCA: true,
		MaxPathLen: pathLength, MaxPathLenZero: pathLength == 0,
		KeyUsage:           x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		UnknownExtKeyUsage: usages,
	}
}

// leafTemplate is a certificate that may sign data, and issue nothing.
func leafTemplate(usages ...asn1.ObjectIdentifier) *x509.Certificate {
	return &x509.Certificate{
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		UnknownExtKeyUsage:    usages,
	}
}

// sign is the one place where a certificate comes into being: it fills in
// serial number and life, and keeps the laws of the authority.
func (a *Authority) sign(template *x509.Certificate, pub crypto.PublicKey, life time.Duration, now time.Time) (*x509.Certificate, error) {
	now = now.UTC().Truncate(time.Second)
	if template.Subject.CommonName == "" && template.IsCA {
		return nil, errors.New("a certificate authority needs a name; nothing was issued")
	}
	if err := CheckPublicKey(pub); err != nil {
		return nil, err
	}
	if err := a.mayIssue(template, now); err != nil {
		return nil, err
	}
	if template.SerialNumber == nil {
		serial, err := NewSerial()
		if err != nil {
			return nil, err
		}
		template.SerialNumber = serial
	}
	template.NotBefore, template.NotAfter = now.Add(-backdate), now.Add(life)
	if first := a.Certificate.NotBefore; template.NotBefore.Before(first) {
		template.NotBefore = first
	}
	if last := a.Certificate.NotAfter; template.NotAfter.After(last) {
		template.NotAfter = last
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.Certificate, pub, a.Key)
	if err != nil {
		return nil, fmt.Errorf("certificate of %q could not be made: %w", template.Subject.CommonName, err)
	}
	return x509.ParseCertificate(der)
}

// mayIssue says ErrChain where a certificate after this template would not be
// accepted by anybody who verifies its chain.
func (a *Authority) mayIssue(template *x509.Certificate, now time.Time) error {
	issuer := a.Certificate
	refuse := func(format string, args ...any) error {
		return fmt.Errorf("%w: %q %s; nothing was issued", ErrChain, issuer.Subject.CommonName, fmt.Sprintf(format, args...))
	}
	limited := issuer.MaxPathLen > 0 || issuer.MaxPathLenZero
	unlimited := template.MaxPathLen < 0
	switch {
	case !issuer.IsCA:
		return refuse("is no certificate authority")
	case template.IsCA && limited && (unlimited || template.MaxPathLen >= issuer.MaxPathLen):
		return refuse("may not issue such a certificate authority (its path length is %d)", issuer.MaxPathLen)
	case now.Before(issuer.NotBefore):
		return refuse("is valid from %s, but the clock says %s: check the clocks of both machines", stamp(issuer.NotBefore), stamp(now))
	case !now.Before(issuer.NotAfter):
		return refuse("expired on %s (the clock says %s): renew it", stamp(issuer.NotAfter), stamp(now))
	}
	for _, u := range template.UnknownExtKeyUsage {
		if !carries(issuer, u) {
			return refuse("does not carry the usage %s that it would grant", u)
		}
	}
	for _, u := range template.ExtKeyUsage {
		if !slices.Contains(issuer.ExtKeyUsage, u) {
			return refuse("does not carry the usage that it would grant")
		}
	}
	return nil
}

// clean makes a text from outside fit for a subject: valid, without control
// characters, at most 64 characters, no blank at either end.
func clean(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	text = strings.TrimSpace(text)
	if runes := []rune(text); len(runes) > textLimit {
		text = strings.TrimSpace(string(runes[:textLimit]))
	}
	return text
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
