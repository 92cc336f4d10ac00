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

// enrollment is what a registration needs before its transaction: everything
// that is made, not stored.
type enrollment struct {
	tokenHash   [sha256.Size]byte
	keyHash     [sha256.Size]byte
	identity    Identity
	token       Token
	account     Account
	authority   Authority
	existing    Instance // ID 0: none
	certificate Certificate
	repeat      bool // same identity, token and key as the standing registration
}

// register answers a registration: a certificate for the device, one use of the
// token. The same identity with the same token and the same key is a repeat
// after a lost reply: same answer, no use.
func (s *Service) register(ctx context.Context, source string, request *wire.Request, now time.Time) (reply, error) {
	data := request.Data
	if err := checkRegistration(data); err != nil {
		return reply{}, err
	}
	e := enrollment{
		tokenHash: sha256.Sum256([]byte(data.Token)), keyHash: request.KeyHash,
		identity: Identity{UDIPID: data.SUDI.UDIPID, UDISerialNumber: data.SUDI.UDISerialNumber, SoftwareTag: data.SoftwareTag},
	}
	requester := "registration:" + e.identity.UDIPID + "\x1f" + e.identity.UDISerialNumber + "\x1f" + e.identity.SoftwareTag

	// Between the look and the transaction somebody may register the same
	// device: then the look is taken again.
	for range 3 {
		kept, found, err := s.lookup(ctx, requester, request, &e, now)
		refused := reply{AccountID: e.account.ID}
		if err != nil {
			return refused, err
		}
		if found {
			return kept, nil
		}
		if err := s.checkClock(request, now); err != nil {
			return refused, err
		}
		if !e.repeat {
			if err := s.certify(&e, request, now); err != nil {
				return refused, err
			}
		}
		answer, err := s.enroll(ctx, source, requester, request, e, now)
		if CodeOf(err) != codeRaced {
			return answer, err
		}
	}
	return reply{AccountID: e.account.ID}, fail(KindConflict, "registration-contended", "This device is being registered several times at once. Nothing was changed.").hint("Try again.")
}

const codeRaced = "raced"

func checkRegistration(data wire.RequestData) error {
	if data.SoftwareTag == "" {
		return fail(KindInvalid, "software-tag-missing", "The registration names no software tag. The device was not registered.")
	}
	if data.Token == "" || len(data.Token) > 2048 {
		return errTokenUnknown()
	}
	return nil
}

// lookup reads what the registration depends on and judges it once, so that
// what must be refused costs no certificate and no write.
func (s *Service) lookup(ctx context.Context, requester string, request *wire.Request, e *enrollment, now time.Time) (kept reply, found bool, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		// Found by its hash it is, character for character, a token that was made
		// here; one that is not found is taken apart to say what it is.
		if e.token, err = tx.TokenByHash(e.tokenHash); isNotFound(err) {
			return s.tokenProblem(request.Data.Token)
		} else if err != nil {
			return err
		}
		if e.account, err = tx.Account(e.token.AccountID); err != nil {
			return err
		}
		if e.authority, err = s.registeredAuthority(tx, e.account.ID); err != nil {
			return err
		}
		if err := unreserved(tx, e.identity.UDIPID, e.identity.UDISerialNumber, "it cannot register"); err != nil {
			return err
		}
		if e.existing, err = tx.InstanceByIdentity(e.identity); err != nil && !isNotFound(err) {
			return err
		}
		if kept, found, err = repeated(tx, requester+"\x1f"+string(e.keyHash[:]), request); err != nil {
			return err
		}
		if found && (e.existing.PIID != kept.PIID || e.existing.PublicKeyHash != e.keyHash) {
			return fail(KindConflict, "registration-ended", "This message registered the device before, and that registration has ended since. Nothing was changed.").
				hint("Register the device again.")
		}
		if found {
			return nil
		}
		e.repeat, err = e.judge(request.Data.Force, now)
		if err != nil || !e.repeat {
			return err
		}
		e.certificate, err = tx.Certificate(e.existing.Credential)
		return err
	})
	return kept, found, err
}

// judge decides whether the registration may go on, and whether it is a repeat.
func (e *enrollment) judge(force bool, now time.Time) (repeat bool, err error) {
	standing := e.existing.StateAt(now)
	if standing.RegistrationState == Registered && standing.TokenHash == e.tokenHash && standing.PublicKeyHash == e.keyHash {
		return true, nil
	}
	if err := e.token.usable(now); err != nil {
		return false, err
	}
	if e.existing.ID == 0 {
		return false, nil
	}
	if e.existing.AccountID != e.account.ID {
		return false, fail(KindConflict, "device-of-another-account", "This device (%s, %s) is known in another account of this satellite. Nothing was changed.", e.identity.UDIPID, e.identity.UDISerialNumber).
			hint("Deregister or remove it there first.")
	}
	if standing.RegistrationState == Registered && !force {
		return false, fail(KindConflict, "already-registered", "This device (%s, %s) is registered already, since %s from %s. Nothing was changed.", e.identity.UDIPID, e.identity.UDISerialNumber, stamp(standing.RegisteredAt), standing.LastAddress).
			hint("Add `force` to register it again; the certificate that it holds now is then revoked.")
	}
	return false, nil
}

// certify issues the certificate, outside of the transaction.
func (s *Service) certify(e *enrollment, request *wire.Request, now time.Time) error {
	piid := e.existing.PIID
	if piid == "" {
		piid = s.randomUUID()
	}
	certificate, err := s.issue(e.authority, e.account.ID, piid, e.identity, request.CertificateRequest, now)
	e.certificate = certificate
	return err
}

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

// enroll is the transaction of a registration.
func (s *Service) enroll(ctx context.Context, source, requester string, request *wire.Request, e enrollment, now time.Time) (answer reply, err error) {
	actor := Actor{Name: "device:" + e.certificate.PIID, Source: source}
	err = s.update(ctx, actor, now, func(tx Tx, record recorder) error {
		e := e // this may be run again, and must find what lookup has seen
		answer = reply{AccountID: e.account.ID}
		token, err := tx.TokenByHash(e.tokenHash)
		if err != nil {
			return err
		}
		existing, err := tx.InstanceByIdentity(e.identity)
		if err != nil && !isNotFound(err) {
			return err
		}
		if existing.ID != e.existing.ID || existing.Credential != e.existing.Credential {
			return fail(KindConflict, codeRaced, "The device changed meanwhile.")
		}
		// The same message may have come twice at once, over two connections.
		if kept, found, err := repeated(tx, requester+"\x1f"+string(e.keyHash[:]), request); err != nil || found {
			answer = kept
			return err
		}
		if !e.repeat {
			// Again: it may have been reserved since lookup.
			if err := unreserved(tx, e.identity.UDIPID, e.identity.UDISerialNumber, "it cannot register"); err != nil {
				return err
			}
			if err := token.usable(now); err != nil {
				return err
			}
			token.Uses++
			if err := tx.SaveToken(token); err != nil {
				return err
			}
			if err := saveEnrollment(tx, &e, request, token, source, now); err != nil {
				return err
			}
		}
		virtual, err := virtualAccountName(tx, e.account.ID, e.existing.VirtualAccountID)
		if err != nil {
			return err
		}
		answer.PIID = e.certificate.PIID
		answer.Data = s.registrationData(e, virtual)
		if err := keep(tx, requester+"\x1f"+string(e.keyHash[:]), request, answer, now); err != nil {
			return err
		}
		if e.repeat {
			return nil
		}
		event := Event{
			Type: EventDeviceRegistered, AccountID: e.account.ID, VirtualAccount: virtual, PIID: e.certificate.PIID,
			Message: fmt.Sprintf("Device %s (%s, %s) registered with token %d.", e.existing.Name(), e.identity.UDIPID, e.identity.UDISerialNumber, token.ID),
		}
		if existing.RegistrationState == Registered {
			event.Type = EventDeviceReplaced
			event.Message = fmt.Sprintf("Device %s (%s, %s) registered again from %s with token %d; the certificate of the registration from %s was revoked.",
				e.existing.Name(), e.identity.UDIPID, e.identity.UDISerialNumber, source, token.ID, existing.LastAddress)
		}
		return record(event)
	})
	return answer, err
}

// saveEnrollment writes instance and certificate, and leaves the instance as written in e.existing.
func saveEnrollment(tx Tx, e *enrollment, request *wire.Request, token Token, source string, now time.Time) error {
	if err := tx.SaveCertificate(e.certificate); err != nil {
		return err
	}
	if e.existing.RegistrationState == Registered {
		if err := revoke(tx, e.existing, now); err != nil {
			return err
		}
	}
	instance := e.existing
	d := request.Data
	instance.PIID, instance.AccountID, instance.Identity = e.certificate.PIID, e.account.ID, e.identity
	instance.UDIVID, instance.SUVI, instance.UUID = d.SUDI.UDIVID, d.SUDI.SUVI, d.SUDI.UUID
	instance.HostIdentifier, instance.MACAddress = d.SUDI.HostIdentifier, d.SUDI.MACAddress
	instance.Hostname, instance.EquipmentModel = d.Hostname, d.EquipmentModel
	instance.SoftwareVersion, instance.HardwareVersion = d.SoftwareVersion, d.HardwareVersion
	instance.RegistrationState, instance.RegisteredAt = Registered, now
	instance.TokenHash, instance.PublicKeyHash = e.tokenHash, e.keyHash
	instance.Credential, instance.PreviousCredential = e.certificate.Fingerprint, [sha256.Size]byte{}
	instance.CertificateSerial, instance.CertificateNotAfter = e.certificate.Serial, e.certificate.NotAfter
	instance.LastContactAt, instance.LastAddress = now, source
	instance.ExportAllowed = token.ExportControlled
	var err error
	if instance.ID == 0 {
		instance.VirtualAccountID, instance.AuthorizationState = token.VirtualAccountID, NoLicensesInUse
		instance, err = tx.CreateInstance(instance)
	} else {
		// A known device stays where it is: moving it takes a transfer.
		err = tx.SaveInstance(instance)
	}
	e.existing = instance
	return err
}

func (s *Service) registrationData(e enrollment, virtual string) wire.ReplyData {
	return wire.ReplyData{
		Status: wire.StatusOK, Message: "The device is registered.",
		ProductInstanceIdentifier: e.certificate.PIID, SmartAccount: e.account.Name, VirtualAccount: virtual,
		Certificate:          base64.StdEncoding.EncodeToString(e.certificate.DER),
		CertificateRenewAt:   wire.Milliseconds(e.certificate.renewAt()),
		CertificateExpiresAt: wire.Milliseconds(e.certificate.NotAfter),
	}
}

func virtualAccountName(tx Tx, account AccountID, id VirtualAccountID) (string, error) {
	list, err := tx.VirtualAccounts(account)
	if err != nil {
		return "", err
	}
	for _, v := range list {
		if v.ID == id {
			return v.Name, nil
		}
	}
	return "", NotFound("virtual account", id)
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
		if err := tx.SaveCertificate(certificate); err != nil {
			return err
		}
		// A renewal that the device did not get to see is dropped for the next one.
		if err := supersede(tx, instance, request.Credential); err != nil {
			return err
		}
		instance.PreviousCredential, instance.Credential = request.Credential, certificate.Fingerprint
		instance.CertificateSerial, instance.CertificateNotAfter = certificate.Serial, certificate.NotAfter
		instance.PublicKeyHash = request.KeyHash
		instance.LastContactAt, instance.LastAddress = now, device.Source
		if err := tx.SaveInstance(instance); err != nil {
			return err
		}
		answer.Data = wire.ReplyData{
			Status: wire.StatusOK, Message: "The ID certificate is renewed.", ProductInstanceIdentifier: piid,
			Certificate:        base64.StdEncoding.EncodeToString(certificate.DER),
			CertificateRenewAt: wire.Milliseconds(certificate.renewAt()), CertificateExpiresAt: wire.Milliseconds(certificate.NotAfter),
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
