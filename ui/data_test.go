package ui

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"ssm/certs"
	"ssm/satellite"
	"ssm/satellite/issuer"
	"ssm/satellite/wire"
)

// register makes an account one that the upstream vouches for.
func (s *site) register(account satellite.Account, synced, deadline time.Time) {
	s.t.Helper()
	root := newRoot(s.t, "Example Networks licensing root")
	keys := issuer.New(s.keys)
	sealed, err := keys.NewKey()
	s.must(err)
	signerKey, err := keys.Key(sealed)
	s.must(err)
	s.must(s.store.Update(s.t.Context(), func(tx satellite.Tx) error {
		account.UpstreamRegisteredAt = synced
		authority, err := tx.Authority(account.ID)
		if err != nil {
			return err
		}
		if err := s.certify(&authority, account, root, sealed, signerKey.Public()); err != nil {
			return err
		}
		state, err := tx.SyncState(account.ID)
		if err != nil {
			return err
		}
		state.AppliedSequence, state.NextSequence, state.LastSyncAt, state.Deadline = 41, 42, synced, deadline
		return errors.Join(tx.SaveAccount(account), tx.SaveAuthority(authority), tx.SaveSyncState(state),
			tx.CreateSyncRequest(satellite.SyncRequestRow{
				AccountID: account.ID, Sequence: 41, Digest: strings.Repeat("9f3c21a8", 8), Scope: "standard", Records: 1717, CreatedAt: synced.Add(-time.Hour), CreatedBy: admin.Name, AppliedAt: synced,
			}))
	}))
}

// newRoot is a licensing root.
func newRoot(t *testing.T, name string) *certs.Authority {
	t.Helper()
	key, err := certs.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	root, err := certs.NewRoot(name, key, begin)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// certify gives an account its sub CA and the satellite's signer below it.
func (s *site) certify(a *satellite.Authority, account satellite.Account, root *certs.Authority, sealed []byte, public crypto.PublicKey) error {
	key, err := issuer.New(s.keys).Key(a.Key)
	if err != nil {
		return err
	}
	request, err := certs.NewSubCARequest(key, "k3v9q2wd-1", account.Name)
	if err != nil {
		return err
	}
	subCA, err := root.IssueSubCA(request, "k3v9q2wd-1", account.Name, begin)
	if err != nil {
		return err
	}
	signer, err := (&certs.Authority{Certificate: subCA, Key: key, Issuers: []*x509.Certificate{root.Certificate}}).IssueSatelliteSigner(s.service.ID(), public, begin)
	if err != nil {
		return err
	}
	a.Chain, a.Root, a.SignerKey, a.SignerCertificate = [][]byte{subCA.Raw}, root.Certificate.Raw, sealed, signer.Raw
	a.SubCANotBefore, a.SubCANotAfter = subCA.NotBefore, subCA.NotAfter
	return nil
}

func (s *site) account(name string, limited bool) satellite.Account {
	s.t.Helper()
	email := admin.Name
	if limited { // is for those without a mail domain of their own
		email = "mika.hayashi@gmail.com"
	}
	account, err := s.service.CreateAccount(s.t.Context(), admin, satellite.NewAccount{Name: name, Email: email, Limited: limited})
	s.must(err)
	return account
}

// agreement is what a synchronization brings of it.
func (s *site) agreement(account satellite.Account, version, text string) {
	s.t.Helper()
	s.must(s.store.Update(s.t.Context(), func(tx satellite.Tx) error {
		state, err := tx.SyncState(account.ID)
		if err != nil {
			return err
		}
		state.AgreementVersion = version
		if err := tx.SaveSyncState(state); err != nil {
			return err
		}
		return tx.SaveAgreement(satellite.Agreement{AccountID: account.ID, Version: version, Text: text, ReceivedAt: begin})
	}))
}

// device puts a product instance into a virtual account, with what it holds.
func (s *site) device(account satellite.Account, virtual satellite.VirtualAccount, i int, tag string, count int64) satellite.Instance {
	s.t.Helper()
	places := []string{"edge-r", "camp-sw", "fw-", "wlc-"}
	models := []string{"EN-8500-24", "EN-9300-48", "EN-FW4200", "EN-W9800"}
	now := s.clock()
	instance := satellite.Instance{
		PIID: fmt.Sprintf("5a1c%04x-88e2-4d1c-9a3b-0c2f4e6d8b%02x", i, i%256), AccountID: account.ID, VirtualAccountID: virtual.ID,
		Identity: satellite.Identity{UDIPID: models[i%4], UDISerialNumber: fmt.Sprintf("ENW2305K%03d", i), SoftwareTag: "regid.2026-01.example.networks.OS,1.0_5a1c2f4e-88e2-4d1c-9a3b-0c2f4e6d8b10"},
		Hostname: fmt.Sprintf("osk-%s%03d", places[i%4], i), EquipmentModel: models[i%4], SoftwareVersion: "17.12.4", MACAddress: fmt.Sprintf("02:00:5e:00:01:%02x", i%256),
		RegistrationState: satellite.Registered, RegisteredAt: now.Add(-time.Duration(i) * 26 * time.Hour), CertificateNotAfter: now.AddDate(0, 9, 0),
		Credential: sha256.Sum256(fmt.Append(nil, i)), CertificateSerial: fmt.Sprintf("4f1a0c5e88e24d1c9a3b%08x", i),
		AuthorizationState: satellite.Authorized, AuthorizationRenewAt: now.AddDate(0, 0, 20), AuthorizationExpiresAt: now.AddDate(0, 0, 80),
		LastContactAt: now.Add(-time.Duration(i*i) * time.Minute), LastAddress: "192.0.2.17",
	}
	switch {
	case tag == "":
		instance.AuthorizationState = satellite.NoLicensesInUse
	case count < 0:
		instance.AuthorizationState, count = satellite.OutOfCompliance, -count
	case i%19 == 7:
		instance.AuthorizationState, instance.AuthorizationExpiresAt = satellite.AuthorizationExpired, now.AddDate(0, 0, -3)
	}
	s.must(s.store.Update(s.t.Context(), func(tx satellite.Tx) error {
		created, err := tx.CreateInstance(instance)
		if err != nil {
			return err
		}
		instance = created
		if err := tx.SaveCertificate(satellite.Certificate{Fingerprint: instance.Credential, Serial: instance.CertificateSerial, AccountID: account.ID, PIID: instance.PIID, DER: []byte{0x30}, NotBefore: now, NotAfter: instance.CertificateNotAfter, Status: satellite.CertificateActive}); err != nil {
			return err
		}
		if err := tx.Record(satellite.Event{
			At: now, Type: satellite.EventDeviceRegistered, AccountID: account.ID, VirtualAccount: virtual.Name, PIID: instance.PIID, Actor: "device:" + instance.PIID, Source: "192.0.2.17",
			Message: fmt.Sprintf("Device %s (%s, %s) was registered in %q.", instance.Hostname, instance.UDIPID, instance.UDISerialNumber, virtual.Name),
		}); err != nil || tag == "" {
			return err
		}
		return hold(tx, instance, tag, count, count)
	}))
	return instance
}

// hold lets a device have some of a license, and want perhaps more.
func hold(tx satellite.Tx, instance satellite.Instance, tag string, count, wanted int64) error {
	license, err := tx.LicenseByTag(instance.AccountID, tag)
	if err != nil {
		return err
	}
	pool, err := tx.Pool(instance.VirtualAccountID, license.ID)
	if err != nil {
		return err
	}
	pool.AccountID, pool.InUse = instance.AccountID, pool.InUse+count
	if _, err := tx.SavePool(pool); err != nil {
		return err
	}
	return tx.SaveUsage(satellite.Usage{InstanceID: instance.ID, LicenseID: license.ID, VirtualAccountID: instance.VirtualAccountID, Count: count, Wanted: wanted})
}

// reserve reserves a license for a device that never talks.
func (s *site) reserve(account satellite.Account, virtual, serial, tag string, count int64) satellite.Reservation {
	s.t.Helper()
	key, err := wire.NewReservationKey()
	s.must(err)
	code, err := wire.ReservationRequest{Kind: wire.ReservationSpecific, PID: "EN-8500-24", SerialNumber: serial, Key: key.Public()}.Code()
	s.must(err)
	reservation, err := s.service.Reserve(s.t.Context(), admin, satellite.NewReservation{
		AccountID: account.ID, VirtualAccount: virtual, Code: code, Licenses: []satellite.ReservedLicense{{Tag: tag, Count: count}},
	})
	s.must(err)
	return reservation
}

// define changes what is known of licenses, as a synchronization does.
func (s *site) define(account satellite.Account, change map[string]func(*satellite.License)) {
	s.t.Helper()
	s.must(s.store.Update(s.t.Context(), func(tx satellite.Tx) error {
		for tag, f := range change {
			license, err := tx.LicenseByTag(account.ID, tag)
			if err != nil {
				return err
			}
			f(&license)
			if err := tx.SaveLicense(license); err != nil {
				return err
			}
		}
		return nil
	}))
}

// lot is what a virtual account bought of a license.
type lot struct {
	virtual    satellite.VirtualAccount
	tag, name  string
	quantity   int64
	start, end time.Time
}

// buy gives an account its licenses.
func (s *site) buy(account satellite.Account, lots ...lot) {
	s.t.Helper()
	s.must(s.store.Update(s.t.Context(), func(tx satellite.Tx) error {
		var all []satellite.Lot
		for i, l := range lots {
			kind := satellite.LicensePerpetual
			if !l.end.IsZero() {
				kind = satellite.LicenseSubscription
			}
			license, err := tx.LicenseByTag(account.ID, l.tag)
			if err != nil {
				if license, err = tx.CreateLicense(satellite.License{AccountID: account.ID, Tag: l.tag, Name: l.name, Type: kind}); err != nil {
					return err
				}
			}
			pool, err := tx.Pool(l.virtual.ID, license.ID)
			if err != nil {
				return err
			}
			one := satellite.Lot{UpstreamID: fmt.Sprintf("SO-104822%02d", i), AccountID: account.ID, VirtualAccountID: l.virtual.ID, LicenseID: license.ID, Type: kind, Quantity: l.quantity, Start: l.start, End: l.end}
			all = append(all, one)
			live, until := satellite.PurchasedAt([]satellite.Lot{one}, s.clock())
			pool.AccountID, pool.Purchased = account.ID, pool.Purchased+live
			if !until.IsZero() {
				pool.PurchasedUntil = until
			}
			if _, err := tx.SavePool(pool); err != nil {
				return err
			}
		}
		return tx.ReplaceLots(account.ID, all)
	}))
}
