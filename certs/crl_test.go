package certs_test

import (
	"crypto/x509"
	"errors"
	"math/big"
	"testing"
	"time"

	"ssm/certs"
)

func TestACRLListsEachRevokedCertificateOnceForSevenDays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	der := must[[]byte](t)(w.account.CRL([]certs.Revocation{
		{Serial: big.NewInt(9), At: noon},
		{Serial: big.NewInt(3), At: noon},
		{Serial: big.NewInt(9), At: noon.Add(-time.Hour)},
	}, 12, noon))
	list := must[*x509.RevocationList](t)(x509.ParseRevocationList(der))
	if err := list.CheckSignatureFrom(w.account.Certificate); err != nil {
		t.Error(err)
	}
	if list.CheckSignatureFrom(w.issuing.Certificate) == nil {
		t.Error("the list passes as one of another authority")
	}
	if list.Number.Int64() != 12 || !list.ThisUpdate.Equal(noon) || !list.NextUpdate.Equal(noon.Add(7*day)) {
		t.Errorf("number %s, from %s to %s", list.Number, list.ThisUpdate, list.NextUpdate)
	}
	entries := list.RevokedCertificateEntries
	if len(entries) != 2 || entries[0].SerialNumber.Int64() != 3 || entries[1].SerialNumber.Int64() != 9 ||
		!entries[1].RevocationTime.Equal(noon.Add(-time.Hour)) {
		t.Errorf("entries %+v", entries)
	}
}

func TestACRLIsSignedOnlyByALivingAuthority(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	leaf := &certs.Authority{Certificate: w.device(t, router, noon), Key: newKey(t)}
	if _, err := leaf.CRL(nil, 1, noon); !errors.Is(err, certs.ErrChain) {
		t.Errorf("by a device: %v", err)
	}
	for _, at := range []time.Time{noon.Add(certs.SubCALife), noon.Add(-day)} {
		if _, err := w.account.CRL(nil, 1, at); !errors.Is(err, certs.ErrChain) {
			t.Errorf("at %s: %v", at, err)
		}
	}
	for name, c := range map[string]struct {
		serial *big.Int
		number int64
	}{"negative number": {big.NewInt(1), -1}, "no serial number": {nil, 1}, "serial number zero": {new(big.Int), 1}} {
		if der, err := w.account.CRL([]certs.Revocation{{Serial: c.serial, At: noon}}, c.number, noon); err == nil || der != nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
