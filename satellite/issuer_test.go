package satellite_test

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"ssm/certs"
	"ssm/satellite"
	"ssm/satellite/wire"
)

// issuer is the smallest adapter of real certificates to the domain's port.
type issuer struct{ keys *certs.KeyFile }

const purposeAccountKey = "account-key"

func (i issuer) NewKey() ([]byte, error) {
	key, err := certs.NewKey()
	if err != nil {
		return nil, err
	}
	return i.seal(key)
}

func (i issuer) seal(key crypto.Signer) ([]byte, error) {
	der, err := certs.MarshalKey(key)
	if err != nil {
		return nil, err
	}
	return i.keys.Seal(purposeAccountKey, der)
}

func (i issuer) Key(sealed []byte) (crypto.Signer, error) {
	der, err := i.keys.Open(purposeAccountKey, sealed)
	if err != nil {
		return nil, err
	}
	return certs.ParseKey(der)
}

func (i issuer) AuthorityRequest(key []byte, accountID, organization string) ([]byte, error) {
	opened, err := i.Key(key)
	if err != nil {
		return nil, err
	}
	return certs.NewSubCARequest(opened, accountID, organization)
}

func (i issuer) CheckAuthority(key []byte, chain [][]byte, roots []satellite.Root, now time.Time) (notBefore, notAfter time.Time, err error) {
	certificates, trusted, err := parse(chain, roots)
	if err != nil {
		return notBefore, notAfter, err
	}
	if err := certs.VerifyChain(certificates[0], certificates[1:], trusted, now); err != nil {
		return notBefore, notAfter, err
	}
	opened, err := i.Key(key)
	if err != nil {
		return notBefore, notAfter, err
	}
	if public, ok := opened.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(certificates[0].PublicKey) {
		return notBefore, notAfter, errors.New("the certificate is not for the key of this account")
	}
	return certificates[0].NotBefore, certificates[0].NotAfter, nil
}

func (i issuer) authority(a satellite.Authority) (*certs.Authority, error) {
	key, err := i.Key(a.Key)
	if err != nil {
		return nil, err
	}
	chain, _, err := parse(append(append([][]byte{}, a.Chain...), a.Root), nil)
	if err != nil {
		return nil, err
	}
	return &certs.Authority{Certificate: chain[0], Key: key, Issuers: chain[1:]}, nil
}

func (i issuer) IssueSigner(a satellite.Authority, satelliteID string, now time.Time) (sealed, certificate []byte, notAfter time.Time, err error) {
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
	sealed, err = i.seal(key)
	return sealed, issued.Raw, issued.NotAfter, err
}

func (i issuer) Signer(a satellite.Authority) (wire.Signer, error) {
	key, err := i.Key(a.SignerKey)
	return wire.Signer{Key: key, Chain: append([][]byte{a.SignerCertificate}, a.Chain...)}, err
}

func (i issuer) IssueDevice(a satellite.Authority, request []byte, d satellite.DeviceCertificate, now time.Time) (satellite.Certificate, error) {
	authority, err := i.authority(a)
	if err != nil {
		return satellite.Certificate{}, err
	}
	issued, err := authority.IssueDevice(request, certs.Device{PID: d.PID, PIID: d.PIID, SoftwareTag: d.SoftwareTag, Serial: d.Serial, Life: d.Life}, now)
	if errors.Is(err, certs.ErrRequest) || errors.Is(err, certs.ErrKey) {
		return satellite.Certificate{}, fmt.Errorf("%w: %v", satellite.ErrCertificateRequest, err)
	}
	if err != nil {
		return satellite.Certificate{}, err
	}
	return satellite.Certificate{
		Fingerprint: sha256.Sum256(issued.Raw), Serial: issued.SerialNumber.Text(16), DER: issued.Raw, NotBefore: issued.NotBefore.UTC(), NotAfter: issued.NotAfter.UTC(),
	}, nil
}

func (i issuer) CRL(a satellite.Authority, revoked []satellite.Certificate, number int64, now time.Time) ([]byte, error) {
	authority, err := i.authority(a)
	if err != nil {
		return nil, err
	}
	var list []certs.Revocation
	for _, r := range revoked {
		certificate, err := x509.ParseCertificate(r.DER)
		if err != nil {
			return nil, err
		}
		list = append(list, certs.Revocation{Serial: certificate.SerialNumber, At: r.RevokedAt})
	}
	return authority.CRL(list, number, now)
}

func (i issuer) CheckChain(chain [][]byte, roots []satellite.Root, now time.Time) (*satellite.Root, error) {
	certificates, trusted, err := parse(chain, roots)
	if err != nil {
		return nil, err
	}
	if err = certs.VerifyUsage(certificates[0], certificates[1:], trusted, certs.UpstreamUsage, now); err == nil {
		return nil, nil
	}
	last := certificates[len(certificates)-1]
	for _, root := range trusted {
		if root.Equal(last) {
			return nil, err
		}
	}
	if last.CheckSignatureFrom(last) != nil {
		return nil, err
	}
	unknown := rootOf(last)
	return &unknown, err
}

func (i issuer) ParseRoots(pem []byte) (roots []satellite.Root, err error) {
	certificates, err := certs.DecodePEM(pem)
	for _, c := range certificates {
		if certs.IsLicensing(c) {
			roots = append(roots, rootOf(c))
		}
	}
	if err == nil && len(roots) == 0 {
		err = errors.New("none of its certificates is a licensing root")
	}
	return roots, err
}

func rootOf(c *x509.Certificate) satellite.Root {
	return satellite.Root{Fingerprint: certs.Fingerprint(c), Name: c.Subject.CommonName, DER: c.Raw, NotAfter: c.NotAfter.UTC()}
}

func parse(chain [][]byte, roots []satellite.Root) (certificates, trusted []*x509.Certificate, err error) {
	if len(chain) == 0 {
		return nil, nil, errors.New("there is no certificate")
	}
	for _, der := range chain {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, nil, err
		}
		certificates = append(certificates, c)
	}
	for _, root := range roots {
		c, err := x509.ParseCertificate(root.DER)
		if err != nil {
			return nil, nil, err
		}
		trusted = append(trusted, c)
	}
	return certificates, trusted, nil
}
