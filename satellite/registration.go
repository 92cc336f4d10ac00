package satellite

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
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
		if err := s.checkClock(request); err != nil {
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
	return checkPair(data.HighAvailability)
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
	if err := e.account.active("The device was not registered."); err != nil {
		return false, err
	}
	if e.existing.ID == 0 {
		return false, nil
	}
	if e.existing.AccountID != e.account.ID {
		return false, fail(KindConflict, "device-of-another-account", "This device (%s, %s) is known in another account of this satellite. Nothing was changed.", e.identity.UDIPID, e.identity.UDISerialNumber).
			hint("Deregister or remove it there first.")
	}
	if standing.RegistrationState == Registered {
		return false, e.mayReplace(standing, force)
	}
	return false, nil
}

// mayReplace judges whether the registration may take the place of a standing one.
func (e *enrollment) mayReplace(standing Instance, force bool) error {
	const withoutForce = "Deregister the device first, have it removed on the satellite, or ask the administrator for a token that allows `force`."
	switch {
	case !force:
		refusal := fail(KindConflict, "already-registered", "This device (%s, %s) is registered already, since %s from %s. Nothing was changed.", e.identity.UDIPID, e.identity.UDISerialNumber, stamp(standing.RegisteredAt), standing.LastAddress)
		if !e.token.AllowForce {
			return refusal.hint(withoutForce)
		}
		return refusal.hint("Add `force` to register it again; the certificate that it holds now is then revoked.")
	case !e.token.AllowForce:
		return fail(KindConflict, "force-not-allowed", "This device (%s, %s) is registered already, since %s from %s, and the token does not allow to register it again with `force`. Nothing was changed.",
			e.identity.UDIPID, e.identity.UDISerialNumber, stamp(standing.RegisteredAt), standing.LastAddress).hint(withoutForce)
	}
	return nil
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
		e.existing = existing // what changed of it since does not matter here, and stays
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
			account, err := tx.Account(e.account.ID)
			if err != nil {
				return err
			}
			if err := account.active("The device was not registered."); err != nil {
				return err
			}
			token.Uses++
			if err := tx.SaveToken(token); err != nil {
				return err
			}
			if err := saveCertificates(tx, e, now); err != nil {
				return err
			}
		}
		virtual, err := virtualAccountName(tx, e.account.ID, cmp.Or(existing.VirtualAccountID, token.VirtualAccountID))
		if err != nil {
			return err
		}
		answer.PIID = e.certificate.PIID
		answer.Data = s.registrationData(e, virtual)
		if err := s.saveEnrollment(tx, record, &e, request, token, answer.Data, source, now); err != nil {
			return err
		}
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

// saveCertificates writes the new certificate and revokes those that it replaces.
func saveCertificates(tx Tx, e enrollment, now time.Time) error {
	if err := tx.SaveCertificate(e.certificate); err != nil {
		return err
	}
	if e.existing.RegistrationState == Registered {
		return revoke(tx, e.existing, now)
	}
	return nil
}

// saveEnrollment writes the instance with the reply that it gets, and leaves it
// as written in e.existing. A repeat changes nothing of it but that reply.
func (s *Service) saveEnrollment(tx Tx, record recorder, e *enrollment, request *wire.Request, token Token, data wire.ReplyData, source string, now time.Time) error {
	before := e.existing
	instance := &e.existing
	if e.repeat {
		instance.continues(request.Header.LastReply)
		if err := instance.answered(request, data); err != nil {
			return err
		}
		return tx.TouchInstance(*instance)
	}
	instance.enroll(e, request.Data, source, now)
	instance.LastServed = s.Served()
	instance.ExportAllowed = token.ExportControlled
	if err := instance.answered(request, data); err != nil {
		return err
	}
	if before.ID == 0 {
		instance.VirtualAccountID, instance.AuthorizationState = token.VirtualAccountID, NoLicensesInUse
		var err error
		if *instance, err = tx.CreateInstance(*instance); err != nil {
			return err
		}
	}
	if err := registeredAnew(tx, record, before, source, now); err != nil {
		return err
	}
	if before.ApplicationID != "" || instance.ApplicationID != "" {
		var err error
		if _, instance.AuthorizationState, err = draw(tx, record, before, *instance, nil, now); err != nil {
			return err
		}
	}
	if before.ID == 0 {
		return nil
	}
	if err := s.recovered(tx, record, before, *instance, now); err != nil {
		return err
	}
	// A known device stays where it is: moving it takes a transfer.
	return tx.SaveInstance(*instance)
}

// enroll notes what a registration says of the device.
func (i *Instance) enroll(e *enrollment, d wire.RequestData, source string, now time.Time) {
	i.PIID, i.AccountID, i.Identity = e.certificate.PIID, e.account.ID, e.identity
	i.UDIVID, i.SUVI, i.UUID = d.SUDI.UDIVID, d.SUDI.SUVI, d.SUDI.UUID
	i.HostIdentifier, i.MACAddress = d.SUDI.HostIdentifier, d.SUDI.MACAddress
	i.Hostname, i.EquipmentModel = d.Hostname, d.EquipmentModel
	i.SoftwareVersion, i.HardwareVersion = d.SoftwareVersion, d.HardwareVersion
	i.RegistrationState, i.RegisteredAt = Registered, now
	i.TokenHash, i.PublicKeyHash = e.tokenHash, e.keyHash
	i.Credential, i.PreviousCredential = e.certificate.Fingerprint, [sha256.Size]byte{}
	i.CertificateSerial, i.CertificateNotAfter = e.certificate.Serial, e.certificate.NotAfter
	i.LastContactAt, i.LastAddress = now, source
	i.joins(d.HighAvailability)
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

// virtualAccountName is how events call a virtual account: "" for ID 0, and for
// one that is gone.
func virtualAccountName(tx Tx, account AccountID, id VirtualAccountID) (string, error) {
	if id == 0 {
		return "", nil
	}
	list, err := tx.VirtualAccounts(account)
	for _, v := range list {
		if v.ID == id {
			return v.Name, err
		}
	}
	return "", err
}
