// Package issuer lets the domain use package certs: it opens sealed keys and
// turns certificates into bytes and back. It holds no rule.
package issuer

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"time"

	"ssm/certs"
	"ssm/satellite"
	"ssm/satellite/wire"
)

// Issuer implements satellite.Issuer. It is safe for concurrent use.
type Issuer struct {
	keys *certs.KeyFile
	// opened keeps authorities, so that a registration does not open and parse
	// the same keys again; by the digest of what they were made from.
	opened sync.Map
}

var _ satellite.Issuer = (*Issuer)(nil)

// New makes an issuer whose keys are sealed under the key file.
func New(keys *certs.KeyFile) *Issuer { return &Issuer{keys: keys} }

const purposeAccountKey = "account-key"

// NewKey implements satellite.Issuer.
func (i *Issuer) NewKey() ([]byte, error) {
	key, err := certs.NewKey()
	if err != nil {
		return nil, err
	}
	return i.seal(key)
}

func (i *Issuer) seal(key crypto.Signer) ([]byte, error) {
	der, err := certs.MarshalKey(key)
	if err != nil {
		return nil, err
	}
	return i.keys.Seal(purposeAccountKey, der)
}

// Key implements satellite.Issuer.
func (i *Issuer) Key(sealed []byte) (crypto.Signer, error) {
	der, err := i.keys.Open(purposeAccountKey, sealed)
	if err != nil {
		return nil, err
	}
	return certs.ParseKey(der)
}

// AuthorityRequest implements satellite.Issuer.
func (i *Issuer) AuthorityRequest(key []byte, accountID, organization string) ([]byte, error) {
	opened, err := i.Key(key)
	if err != nil {
		return nil, err
	}
	return certs.NewSubCARequest(opened, accountID, organization)
}

// CheckAuthority implements satellite.Issuer.
func (i *Issuer) CheckAuthority(key []byte, chain [][]byte, roots []satellite.Root, now time.Time) (notBefore, notAfter time.Time, err error) {
	certificates, err := parseAll(chain)
	if err != nil {
		return notBefore, notAfter, err
	}
	trusted, err := parseRoots(roots)
	if err != nil {
		return notBefore, notAfter, err
	}
	subCA := certificates[0]
	if err := certs.VerifyChain(subCA, certificates[1:], trusted, now); err != nil {
		return notBefore, notAfter, err
	}
	opened, err := i.Key(key)
	if err != nil {
		return notBefore, notAfter, err
	}
	if public, ok := opened.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(subCA.PublicKey) || !subCA.IsCA {
		return notBefore, notAfter, errors.New("the certificate is not for the key of this account")
	}
	return subCA.NotBefore, subCA.NotAfter, nil
}

// IssueSigner implements satellite.Issuer.
func (i *Issuer) IssueSigner(a satellite.Authority, satelliteID string, now time.Time) (sealedKey, certificate []byte, notAfter time.Time, err error) {
	authority, err := i.authority(a)
	if err != nil {
		return nil, nil, notAfter, err
	}
	key, err := certs.NewKey()
	if err != nil {
		return nil, nil, notAfter, err
	}
	issued, err := authority.IssueSatelliteSigner(satelliteID, key.Public(), now)
	if err != nil {
		return nil, nil, notAfter, err
	}
	sealedKey, err = i.seal(key)
	return sealedKey, issued.Raw, issued.NotAfter, err
}

// Signer implements satellite.Issuer.
func (i *Issuer) Signer(a satellite.Authority) (wire.Signer, error) {
	if len(a.SignerCertificate) == 0 {
		return wire.Signer{}, fmt.Errorf("account %d has no signer", a.AccountID)
	}
	key, err := i.Key(a.SignerKey)
	return wire.Signer{Key: key, Chain: append([][]byte{a.SignerCertificate}, a.Chain...)}, err
}

// IssueDevice implements satellite.Issuer.
func (i *Issuer) IssueDevice(a satellite.Authority, request []byte, device satellite.DeviceCertificate, now time.Time) (satellite.Certificate, error) {
	authority, err := i.authority(a)
	if err != nil {
		return satellite.Certificate{}, err
	}
	issued, err := authority.IssueDevice(request, certs.Device{
		PID: device.PID, PIID: device.PIID, SoftwareTag: device.SoftwareTag, Serial: device.Serial, Life: device.Life,
	}, now)
	if errors.Is(err, certs.ErrRequest) || errors.Is(err, certs.ErrKey) {
		return satellite.Certificate{}, fmt.Errorf("%w: %w", satellite.ErrCertificateRequest, err)
	}
	if err != nil {
		return satellite.Certificate{}, err
	}
	return satellite.Certificate{
		Fingerprint: sha256.Sum256(issued.Raw), Serial: issued.SerialNumber.Text(16), DER: issued.Raw,
		NotBefore: issued.NotBefore.UTC(), NotAfter: issued.NotAfter.UTC(),
	}, nil
}

// CRL implements satellite.Issuer.
func (i *Issuer) CRL(a satellite.Authority, revoked []satellite.Certificate, number int64, now time.Time) ([]byte, error) {
	authority, err := i.authority(a)
	if err != nil {
		return nil, err
	}
	list := make([]certs.Revocation, len(revoked))
	for n, certificate := range revoked {
		// Of a device that came back from the upstream the number is all that is known.
		serial, ok := new(big.Int).SetString(certificate.Serial, 16)
		if !ok {
			return nil, fmt.Errorf("the serial number %q of a revoked certificate is not hexadecimal", certificate.Serial)
		}
		list[n] = certs.Revocation{Serial: serial, At: certificate.RevokedAt}
	}
	return authority.CRL(list, number, now)
}

// CheckChain wants the chain to end at a root, so that a root that is not
// trusted can be named.
func (i *Issuer) CheckChain(chain [][]byte, roots []satellite.Root, now time.Time) (*satellite.Root, error) {
	certificates, err := parseAll(chain)
	if err != nil {
		return nil, err
	}
	trusted, err := parseRoots(roots)
	if err != nil {
		return nil, err
	}
	err = certs.VerifyUsage(certificates[0], certificates[1:], trusted, certs.UpstreamUsage, now)
	last := certificates[len(certificates)-1]
	if err == nil || !certs.IsLicensing(last) || !last.IsCA || last.CheckSignatureFrom(last) != nil {
		return nil, err
	}
	for _, root := range trusted {
		if root.Equal(last) {
			return nil, err
		}
	}
	unknown := rootOf(last)
	return &unknown, err
}

// ParseRoots implements satellite.Issuer.
func (i *Issuer) ParseRoots(pem []byte) ([]satellite.Root, error) {
	certificates, err := certs.DecodePEM(pem)
	if err != nil {
		return nil, err
	}
	var roots []satellite.Root
	for _, c := range certificates {
		// A bundle may hold the TLS issuer, too; only licensing roots are taken.
		if certs.IsLicensing(c) && c.IsCA && c.CheckSignatureFrom(c) == nil {
			roots = append(roots, rootOf(c))
		}
	}
	if len(roots) == 0 {
		return nil, errors.New("none of its certificates is a licensing root")
	}
	return roots, nil
}

func rootOf(c *x509.Certificate) satellite.Root {
	return satellite.Root{Fingerprint: certs.Fingerprint(c), Name: c.Subject.CommonName, DER: c.Raw, NotAfter: c.NotAfter.UTC()}
}

// authority opens an account's sub CA.
func (i *Issuer) authority(a satellite.Authority) (*certs.Authority, error) {
	if len(a.Chain) == 0 {
		return nil, fmt.Errorf("account %d has no sub CA", a.AccountID)
	}
	name := sha256.New()
	name.Write(a.Key)
	for _, der := range append(a.Chain, a.Root) {
		name.Write(der)
	}
	digest := [sha256.Size]byte(name.Sum(nil))
	if known, ok := i.opened.Load(digest); ok {
		return known.(*certs.Authority), nil
	}
	key, err := i.Key(a.Key)
	if err != nil {
		return nil, err
	}
	chain, err := parseAll(append(append([][]byte{}, a.Chain...), a.Root))
	if err != nil {
		return nil, err
	}
	authority := &certs.Authority{Certificate: chain[0], Key: key, Issuers: chain[1:]}
	i.opened.Store(digest, authority)
	return authority, nil
}

func parseAll(chain [][]byte) ([]*x509.Certificate, error) {
	if len(chain) == 0 {
		return nil, errors.New("there is no certificate")
	}
	certificates := make([]*x509.Certificate, len(chain))
	for n, der := range chain {
		var err error
		if certificates[n], err = x509.ParseCertificate(der); err != nil {
			return nil, err
		}
	}
	return certificates, nil
}

func parseRoots(roots []satellite.Root) ([]*x509.Certificate, error) {
	certificates := make([]*x509.Certificate, len(roots))
	for n, root := range roots {
		var err error
		if certificates[n], err = x509.ParseCertificate(root.DER); err != nil {
			return nil, fmt.Errorf("read the trusted root %s: %w", root.Fingerprint, err)
		}
	}
	return certificates, nil
}
