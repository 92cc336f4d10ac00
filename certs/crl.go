package certs

import (
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"math/big"
	"slices"
	"time"
)

// crlLife is how long a reader may rely on a CRL before he has to fetch the
// next one.
const crlLife = 7 * day

// Revocation is one certificate that is no longer good, and since when.
type Revocation struct {
	Serial *big.Int
	At     time.Time
}

// CRL is the signed list (DER) of the revoked certificates that this authority
// issued, sorted by serial number; of one that is named twice the earlier
// revocation stands. The number grows with each list (not negative); the next
// update is due in 7 days. ErrChain where the authority may not sign lists, or
// is not valid now.
func (a *Authority) CRL(revoked []Revocation, number int64, now time.Time) ([]byte, error) {
	now = now.UTC().Truncate(time.Second)
	issuer := a.Certificate
	switch {
	case number < 0:
		return nil, fmt.Errorf("the number of a CRL cannot be %d; nothing was signed", number)
	case issuer.KeyUsage&x509.KeyUsageCRLSign == 0:
		return nil, fmt.Errorf("%w: %q may not sign a CRL; nothing was signed", ErrChain, issuer.Subject.CommonName)
	case now.Before(issuer.NotBefore) || !now.Before(issuer.NotAfter):
		return nil, fmt.Errorf("%w: %q is valid from %s to %s, but the clock says %s; nothing was signed", ErrChain,
			issuer.Subject.CommonName, stamp(issuer.NotBefore), stamp(issuer.NotAfter), stamp(now))
	}
	template := &x509.RevocationList{
		Number:     big.NewInt(number),
		ThisUpdate: now,
		NextUpdate: now.Add(crlLife),
	}
	for _, r := range revoked {
		if r.Serial == nil || r.Serial.Sign() <= 0 {
			return nil, fmt.Errorf("the serial number %v cannot be revoked; nothing was signed", r.Serial)
		}
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: r.Serial, RevocationTime: r.At.UTC()})
	}
	slices.SortFunc(template.RevokedCertificateEntries, func(x, y x509.RevocationListEntry) int {
		if c := x.SerialNumber.Cmp(y.SerialNumber); c != 0 {
			return c
		}
		return x.RevocationTime.Compare(y.RevocationTime)
	})
	template.RevokedCertificateEntries = slices.CompactFunc(template.RevokedCertificateEntries,
		func(x, y x509.RevocationListEntry) bool { return x.SerialNumber.Cmp(y.SerialNumber) == 0 })
	der, err := x509.CreateRevocationList(rand.Reader, template, issuer, a.Key)
	if err != nil {
		return nil, fmt.Errorf("CRL of %q could not be made: %w", issuer.Subject.CommonName, err)
	}
	return der, nil
}
