package satellite

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"time"

	"ssm/satellite/wire"
)

// CertificateStatus is where an ID certificate is in its life.
type CertificateStatus string

// The states of a certificate.
const (
	CertificateActive     CertificateStatus = "active"
	CertificateSuperseded CertificateStatus = "superseded"
	CertificateRevoked    CertificateStatus = "revoked"
)

// Certificate is a device ID certificate that this satellite issued.
type Certificate struct {
	Fingerprint [sha256.Size]byte // of DER
	Serial      string            // hexadecimal
	AccountID   AccountID
	PIID        string
	DER         []byte
	NotBefore   time.Time
	NotAfter    time.Time
	Status      CertificateStatus
	RevokedAt   time.Time
}

// renewAt is half of the certificate's life.
func (c Certificate) renewAt() time.Time { return c.NotBefore.Add(c.NotAfter.Sub(c.NotBefore) / 2) }

// issue makes the certificate of a device, outside of the transaction.
func (s *Service) issue(authority Authority, account AccountID, piid string, identity Identity, csr []byte, now time.Time) (Certificate, error) {
	serial := new(big.Int).SetBytes(s.randomBytes(16))
	serial.Rsh(serial, 1).SetBit(serial, 126, 1) // positive, and never zero
	certificate, err := s.issuer.IssueDevice(authority, csr, DeviceCertificate{
		PID: identity.UDIPID, PIID: piid, SoftwareTag: identity.SoftwareTag, Serial: serial, Life: s.options.CertificateLife,
	}, now)
	if errors.Is(err, ErrCertificateRequest) {
		return Certificate{}, fail(KindInvalid, "certificate-request-invalid", "The certificate request of the device is not accepted: %v. Nothing was changed.", err).
			hint("Use an ECDSA P-256 key, or RSA of 2048 to 4096 bits.")
	}
	if err != nil {
		return Certificate{}, fmt.Errorf("issue a device certificate: %w", err)
	}
	certificate.AccountID, certificate.PIID, certificate.Status = account, piid, CertificateActive
	return certificate, nil
}

// renewCertificate answers an ID certificate renewal: a new certificate for the
// key of the request. The old one stays accepted until the first message under
// the new one.
func (s *Service) renewCertificate(ctx context.Context, device Actor, request *wire.Request, now time.Time) (answer reply, err error) {
	piid := request.Header.ProductInstanceIdentifier
	var instance Instance
	var authority Authority
	var found bool
	err = s.store.View(ctx, func(tx Tx) error {
		answer, found, instance, err = s.speaker(tx, request, now)
		if err != nil || found {
			return err
		}
		authority, err = s.registeredAuthority(tx, instance.AccountID)
		return err
	})
	if err != nil || found {
		return answer, err
	}
	certificate, err := s.issue(authority, instance.AccountID, piid, instance.Identity, request.CertificateRequest, now)
	if err != nil {
		return answer, err
	}
	err = s.update(ctx, device, now, func(tx Tx, record recorder) error {
		// Reads again: what was issued above is only kept if the device may still have it.
		if answer, found, instance, err = s.speaker(tx, request, now); err != nil || found {
			return err
		}
		if err := s.arrived(tx, record, &instance, request, device.Source, now); err != nil {
			return err
		}
		if err := tx.SaveCertificate(certificate); err != nil {
			return err
		}
		// A renewal that the device did not get to see is dropped for the next one.
		if err := supersede(tx, instance, request.Credential); err != nil {
			return err
		}
		before := instance
		instance.PreviousCredential, instance.Credential = request.Credential, certificate.Fingerprint
		instance.CertificateSerial, instance.CertificateNotAfter = certificate.Serial, certificate.NotAfter
		instance.PublicKeyHash = request.KeyHash
		if err := s.recovered(tx, record, before, instance, now); err != nil {
			return err
		}
		answer.Data = wire.ReplyData{
			Status: wire.StatusOK, Message: "The ID certificate is renewed.", ProductInstanceIdentifier: piid,
			Certificate:        base64.StdEncoding.EncodeToString(certificate.DER),
			CertificateRenewAt: wire.Milliseconds(certificate.renewAt()), CertificateExpiresAt: wire.Milliseconds(certificate.NotAfter),
		}
		if err := instance.answered(request, answer.Data); err != nil {
			return err
		}
		if err := tx.SaveInstance(instance); err != nil {
			return err
		}
		if err := keep(tx, piid, request, answer, now); err != nil {
			return err
		}
		return record(Event{
			Type: EventDeviceRenewed, AccountID: instance.AccountID, PIID: piid,
			Message: fmt.Sprintf("The ID certificate of device %s was renewed, until %s.", instance.Name(), stamp(certificate.NotAfter)),
		})
	})
	return answer, err
}

// supersede ends the certificates of an instance other than the one in use.
func supersede(tx Tx, instance Instance, inUse [sha256.Size]byte) error {
	for _, fingerprint := range [][sha256.Size]byte{instance.Credential, instance.PreviousCredential} {
		if fingerprint == inUse || bytes.Equal(fingerprint[:], make([]byte, sha256.Size)) {
			continue
		}
		certificate, err := tx.Certificate(fingerprint)
		if err != nil {
			return err
		}
		certificate.Status = CertificateSuperseded
		if err := tx.SaveCertificate(certificate); err != nil {
			return err
		}
	}
	return nil
}

// revoke ends the certificates that an instance may still speak with.
func revoke(tx Tx, instance Instance, now time.Time) error {
	for _, fingerprint := range [][sha256.Size]byte{instance.Credential, instance.PreviousCredential} {
		if fingerprint == ([sha256.Size]byte{}) {
			continue
		}
		certificate, err := tx.Certificate(fingerprint)
		if err != nil {
			return err
		}
		certificate.Status, certificate.RevokedAt = CertificateRevoked, now
		if err := tx.SaveCertificate(certificate); err != nil {
			return err
		}
	}
	return nil
}

// InstanceCertificate is the ID certificate of a registered device. KindNotFound.
func (s *Service) InstanceCertificate(ctx context.Context, actor Actor, piid string) (certificate Certificate, err error) {
	if err := actor.known(); err != nil {
		return Certificate{}, err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		instance, err := findInstance(tx, actor, InstanceQuery{PIID: piid}, ActionRead)
		if err != nil {
			return err
		}
		certificate, err = tx.Certificate(instance.Credential)
		if isNotFound(err) {
			return fail(KindNotFound, "certificate-not-found", "The device has no ID certificate: it is known by its usage reports only.")
		}
		if err == nil && len(certificate.DER) == 0 {
			return fail(KindNotFound, "certificate-not-found", "The device came back from the upstream, which knows the number of its ID certificate only. It is kept here from its next renewal on.")
		}
		return err
	})
	return certificate, err
}

// RevocationList makes a new DER list of an account's revoked certificates.
// It names serial numbers only, so everybody who sees something of the account may
// have it. KindConflict before the account is registered upstream.
func (s *Service) RevocationList(ctx context.Context, actor Actor, accountID AccountID) ([]byte, error) {
	if err := actor.maySomewhere(ActionRead, accountID); err != nil {
		return nil, err
	}
	now := s.Now()
	var authority Authority
	var revoked []Certificate
	var number int64
	err := s.store.View(ctx, func(tx Tx) error {
		var err error
		if authority, err = s.registeredAuthority(tx, accountID); err != nil {
			return err
		}
		revoked, err = tx.RevokedCertificates(accountID)
		return err
	})
	if err != nil {
		return nil, err
	}
	err = s.store.Update(ctx, func(tx Tx) error {
		self, err := tx.Satellite()
		if err != nil {
			return err
		}
		self.CRLNumber++
		number = self.CRLNumber
		return tx.SaveSatellite(self)
	})
	if err != nil {
		return nil, err
	}
	return s.issuer.CRL(authority, revoked, number, now)
}

// CertificateChain is the chain that device certificates of an account lead
// through: sub CA, issuing CA, root, as DER. KindConflict before the account is
// registered upstream.
func (s *Service) CertificateChain(ctx context.Context, actor Actor, accountID AccountID) (chain [][]byte, err error) {
	if err := actor.maySomewhere(ActionRead, accountID); err != nil {
		return nil, err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		authority, err := s.registeredAuthority(tx, accountID)
		chain = append(append([][]byte{}, authority.Chain...), authority.Root)
		return err
	})
	return chain, err
}

// registeredAuthority is the authority of an account that the upstream vouches for.
func (s *Service) registeredAuthority(tx Tx, id AccountID) (Authority, error) {
	account, err := tx.Account(id)
	if err != nil {
		return Authority{}, err
	}
	if !account.Registered() {
		return Authority{}, fail(KindConflict, "account-not-registered", "Account %q is not registered at the upstream yet. Nothing was changed.", account.Name).
			hint("The administrator of the satellite registers it by one synchronization: `satellite sync request --account %q --out FILE`.", account.Name)
	}
	return tx.Authority(id)
}

// RenewSigners renews the satellite's signers that are past half of their life.
func (s *Service) RenewSigners(ctx context.Context, now time.Time) error {
	var authorities []Authority
	err := s.store.View(ctx, func(tx Tx) error {
		authorities = authorities[:0]
		accounts, err := tx.Accounts()
		if err != nil {
			return err
		}
		for _, account := range accounts {
			authority, err := tx.Authority(account.ID)
			if err != nil {
				return err
			}
			if account.Registered() && now.After(authority.SignerNotAfter.Add(-signerLife/2)) && now.Before(authority.SubCANotAfter) {
				authorities = append(authorities, authority)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, a := range authorities {
		fresh := a
		if fresh.SignerKey, fresh.SignerCertificate, fresh.SignerNotAfter, err = s.issuer.IssueSigner(a, s.id, now); err != nil {
			return fmt.Errorf("renew the signer of account %d: %w", a.AccountID, err)
		}
		err := s.store.Update(ctx, func(tx Tx) error {
			current, err := tx.Authority(a.AccountID)
			if err != nil || !sameChain(current.Chain, a.Chain) {
				return err // a response brought another chain meanwhile, with a signer of its own
			}
			return tx.SaveAuthority(fresh)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// signerLife is how long a satellite signer lives; see the trust table of the protocol.
const signerLife = 180 * day
