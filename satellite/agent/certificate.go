package agent

import (
	"crypto/x509"
	"time"

	"ssm/certs"
)

// CertificateInfo is what people compare of a certificate. There is nothing
// secret in it.
type CertificateInfo struct {
	Name        string    `json:"name"`        // common name of the subject
	Serial      string    `json:"serial"`      // hexadecimal
	Fingerprint string    `json:"fingerprint"` // SHA-256
	NotBefore   time.Time `json:"not_before"`
	NotAfter    time.Time `json:"not_after"`
}

// IDCertificate describes the ID certificate; ok is false while there is none.
func (s State) IDCertificate() (info CertificateInfo, ok bool) {
	certificate, err := x509.ParseCertificate(s.Certificate)
	if err != nil {
		return info, false
	}
	return describe(certificate), true
}

// PinnedRoots describes the licensing roots that replies are checked with.
func (s State) PinnedRoots() []CertificateInfo { return describeAll(s.Roots, certs.IsLicensing) }

// TLSIssuers describes the certificates that the satellite's TLS is checked
// with: the bundle without the licensing certificates in it.
func (s State) TLSIssuers() []CertificateInfo {
	return describeAll(s.Bundle, func(c *x509.Certificate) bool { return !certs.IsLicensing(c) })
}

func describeAll(pem string, listed func(*x509.Certificate) bool) []CertificateInfo {
	list := []CertificateInfo{}
	certificates, err := certs.DecodePEM([]byte(pem))
	if err != nil {
		return list // nothing is trusted, then
	}
	for _, c := range certificates {
		if listed(c) {
			list = append(list, describe(c))
		}
	}
	return list
}

func describe(c *x509.Certificate) CertificateInfo {
	return CertificateInfo{
		Name: printable(c.Subject.CommonName), Serial: c.SerialNumber.Text(16), Fingerprint: certs.Fingerprint(c),
		NotBefore: c.NotBefore.UTC(), NotAfter: c.NotAfter.UTC(),
	}
}
