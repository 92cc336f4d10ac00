package adminapi_test

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"time"

	"ssm/certs"
	"ssm/satellite"
	"ssm/satellite/wire"
)

// issuer is real certificates behind the domain's port.
type issuer struct{ keys *certs.KeyFile }

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
	return i.keys.Seal("key", der)
}

func (i issuer) Key(sealed []byte) (crypto.Signer, error) {
	der, err := i.keys.Open("key", sealed)
	if err != nil {
		return nil, err
	}
	return certs.ParseKey(der)
}

func (i issuer) AuthorityRequest(sealed []byte, accountID, organization string) ([]byte, error) {
	key, err := i.Key(sealed)
	if err != nil {
		return nil, err
	}
	return certs.NewSubCARequest(key, accountID, organization)
}

func (i issuer) CheckAuthority(_ []byte, chain [][]byte, roots []satellite.Root, now time.Time) (notBefore, notAfter time.Time, err error) {
	certificates, err := parse(chain)
	if err != nil {
		return notBefore, notAfter, err
	}
	trusted, err := parseRoots(roots)
	if err != nil {
		return notBefore, notAfter, err
	}
	return certificates[0].NotBefore, certificates[0].NotAfter, certs.VerifyChain(certificates[0], certificates[1:], trusted, now)
}

func (i issuer) authority(a satellite.Authority) (*certs.Authority, error) {
	key, err := i.Key(a.Key)
	if err != nil {
		return nil, err
	}
	chain, err := parse(append(append([][]byte{}, a.Chain...), a.Root))
	if err != nil {
		return nil, err
	}
	return &certs.Authority{Certificate: chain[0], Key: key, Issuers: chain[1:]}, nil
}

func (i issuer) IssueSigner(a satellite.Authority, id string, now time.Time) (sealed, der []byte, notAfter time.Time, err error) {
	authority, err := i.authority(a)
	if err != nil {
		return nil, nil, notAfter, err
	}
	key, err := certs.NewKey()
	if err != nil {
		return nil, nil, notAfter, err
	}
	certificate, err := authority.IssueSatelliteSigner(id, key.Public(), now)
	if err != nil {
		return nil, nil, notAfter, err
	}
	sealed, err = i.seal(key)
	return sealed, certificate.Raw, certificate.NotAfter, err
}

func (i issuer) Signer(a satellite.Authority) (wire.Signer, error) {
	key, err := i.Key(a.SignerKey)
	return wire.Signer{Key: key, Chain: append([][]byte{a.SignerCertificate}, a.Chain...)}, err
}

func (i issuer) CheckDeviceRequest(request []byte) error {
	_, err := certs.ParseRequest(request)
	return err
}

func (i issuer) IssueDevice(a satellite.Authority, request []byte, d satellite.DeviceCertificate, now time.Time) (satellite.Certificate, error) {
	authority, err := i.authority(a)
	if err != nil {
		return satellite.Certificate{}, err
	}
	c, err := authority.IssueDevice(request, certs.Device{PID: d.PID, PIID: d.PIID, SoftwareTag: d.SoftwareTag, Serial: d.Serial, Life: d.Life}, now)
	if err != nil {
		return satellite.Certificate{}, err
	}
	return satellite.Certificate{
		Fingerprint: sha256.Sum256(c.Raw), Serial: c.SerialNumber.Text(16), DER: c.Raw, NotBefore: c.NotBefore, NotAfter: c.NotAfter,
	}, nil
}

func (i issuer) CRL(a satellite.Authority, revoked []satellite.Certificate, number int64, now time.Time) ([]byte, error) {
	authority, err := i.authority(a)
	if err != nil {
		return nil, err
	}
	var list []certs.Revocation
	for _, r := range revoked {
		c, err := x509.ParseCertificate(r.DER)
		if err != nil {
			return nil, err
		}
		list = append(list, certs.Revocation{Serial: c.SerialNumber, At: r.RevokedAt})
	}
	return authority.CRL(list, number, now)
}

func (i issuer) CheckChain(chain [][]byte, roots []satellite.Root, now time.Time) (*satellite.Root, error) {
	certificates, err := parse(chain)
	if err != nil {
		return nil, err
	}
	trusted, err := parseRoots(roots)
	if err != nil {
		return nil, err
	}
	return nil, certs.VerifyUsage(certificates[0], certificates[1:], trusted, certs.UpstreamUsage, now)
}

func (i issuer) ParseRoots(pem []byte) ([]satellite.Root, error) {
	certificates, err := certs.DecodePEM(pem)
	if err != nil {
		return nil, err
	}
	var roots []satellite.Root
	for _, c := range certificates {
		roots = append(roots, satellite.Root{Fingerprint: certs.Fingerprint(c), Name: c.Subject.CommonName, DER: c.Raw, NotAfter: c.NotAfter})
	}
	return roots, nil
}

func parse(ders [][]byte) ([]*x509.Certificate, error) {
	if len(ders) == 0 {
		return nil, errors.New("no certificate")
	}
	certificates := make([]*x509.Certificate, len(ders))
	for n, der := range ders {
		var err error
		if certificates[n], err = x509.ParseCertificate(der); err != nil {
			return nil, err
		}
	}
	return certificates, nil
}

func parseRoots(roots []satellite.Root) ([]*x509.Certificate, error) {
	if len(roots) == 0 {
		return nil, nil
	}
	ders := make([][]byte, len(roots))
	for n, root := range roots {
		ders[n] = root.DER
	}
	return parse(ders)
}
