package satellite

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"ssm/satellite/wire"
)

// speaker finds the instance that a message speaks for and judges whether it
// may: by its certificate, then by its clock. found tells that the same message
// was answered before; answer then is that answer. With a refusal answer still
// names the account where it is known.
func (s *Service) speaker(tx Tx, request *wire.Request, now time.Time) (answer reply, found bool, instance Instance, err error) {
	piid := request.Header.ProductInstanceIdentifier
	instance, err = tx.Instance(piid)
	if isNotFound(err) {
		return reply{}, false, Instance{}, s.stranger(tx, request, now)
	}
	if err != nil {
		return reply{}, false, Instance{}, err
	}
	answer = reply{AccountID: instance.AccountID, PIID: piid}
	if err := instance.accepts(request.Credential, request.CredentialNotAfter, now); err != nil {
		return answer, false, instance, err
	}
	if kept, found, err := repeated(tx, piid, request); err != nil || found {
		return kept, found, instance, err
	}
	return answer, false, instance, s.checkClock(request, now)
}

// stranger says why a product instance that is not on record is refused.
func (s *Service) stranger(tx Tx, request *wire.Request, now time.Time) error {
	certificate, err := tx.Certificate(request.Credential)
	if err == nil && certificate.Status == CertificateRevoked {
		return fail(KindForbidden, "certificate-revoked", "The ID certificate of this device was revoked on %s. Nothing was changed.", stamp(certificate.RevokedAt)).
			hint("Register the device again with a token.")
	}
	if err != nil && !isNotFound(err) {
		return err
	}
	return fail(KindNotFound, "not-registered", "No product instance %q is registered at this satellite. Nothing was changed.", clip(request.Header.ProductInstanceIdentifier)).
		hint("Register the device with a token.")
}

// arrived is what every accepted message changes: last contact, and the end of
// the certificate before, once the device speaks under the new one.
func arrived(tx Tx, instance *Instance, request *wire.Request, source string, now time.Time) error {
	instance.LastContactAt, instance.LastAddress = now, source
	if instance.PreviousCredential != ([sha256.Size]byte{}) && request.Credential == instance.Credential {
		if err := supersede(tx, *instance, request.Credential); err != nil {
			return err
		}
		instance.PreviousCredential = [sha256.Size]byte{}
	}
	return nil
}

// authorize answers an authorization: the counts of the tags that the message
// names become what it says, and the device learns the state of all it holds.
func (s *Service) authorize(ctx context.Context, device Actor, request *wire.Request, now time.Time) (answer reply, err error) {
	err = s.update(ctx, device, now, func(tx Tx, record recorder) error {
		var found bool
		var instance Instance
		if answer, found, instance, err = s.speaker(tx, request, now); err != nil || found {
			return err
		}
		if err := arrived(tx, &instance, request, device.Source, now); err != nil {
			return err
		}
		holdings, answers, err := drawAll(tx, instance, request.Data.Entitlements, now)
		if err != nil {
			return err
		}
		instance.AuthorizationState = stateOf(holdings)
		instance.AuthorizationRenewAt = now.Add(s.options.AuthorizationRenewal)
		instance.AuthorizationExpiresAt = now.Add(s.options.AuthorizationLife)
		if hostname := request.Data.Hostname; hostname != "" && hostname != instance.Hostname {
			instance.Hostname = hostname
			err = tx.SaveInstance(instance)
		} else {
			err = tx.TouchInstance(instance)
		}
		if err != nil {
			return err
		}
		answer.Data = wire.ReplyData{
			Status: wire.StatusOK, Message: fmt.Sprintf("The device is %s.", instance.AuthorizationState),
			ProductInstanceIdentifier: instance.PIID, AuthorizationState: string(instance.AuthorizationState), Licenses: answers,
			AuthorizationRenewAt:   wire.Milliseconds(instance.AuthorizationRenewAt),
			AuthorizationExpiresAt: wire.Milliseconds(instance.AuthorizationExpiresAt),
		}
		if instance.AuthorizationState == NoLicensesInUse {
			answer.Data.Message = "The device uses no licenses."
		}
		if err := keep(tx, instance.PIID, request, answer, now); err != nil {
			return err
		}
		return record(Event{
			Type: EventDeviceAuthorized, AccountID: instance.AccountID, PIID: instance.PIID,
			Message: fmt.Sprintf("Device %s: %s.", instance.Name(), instance.AuthorizationState),
		})
	})
	return answer, err
}

// drawAll applies the counts of a message and returns all that the instance holds
// after it, with the answer for each license that it holds or has named.
func drawAll(tx Tx, instance Instance, entitlements []wire.Entitlement, now time.Time) ([]Holding, []wire.LicenseAnswer, error) {
	holdings, err := tx.Holdings(instance.ID)
	if err != nil {
		return nil, nil, err
	}
	byTag := make(map[string]int, len(holdings))
	for i := range holdings {
		byTag[holdings[i].License.Tag] = i
	}
	var answers []wire.LicenseAnswer
	for _, e := range entitlements {
		i, held := byTag[e.Tag]
		if !held {
			holding, err := newHolding(tx, instance, e.Tag)
			if isNotFound(err) {
				// An unknown tag is a state of that license, not an error of the message.
				answers = append(answers, wire.LicenseAnswer{Tag: e.Tag, Count: e.Count, Mode: wire.ModeInvalidTag})
				continue
			}
			if err != nil {
				return nil, nil, err
			}
			i, holdings = len(holdings), append(holdings, holding)
		}
		if err := set(tx, &holdings[i], e.Count, now); err != nil {
			return nil, nil, err
		}
	}
	for i := range holdings {
		h := &holdings[i]
		if err := refresh(tx, &h.Pool, now); err != nil {
			return nil, nil, err
		}
		if h.Usage.Count > 0 {
			answers = append(answers, wire.LicenseAnswer{
				Tag: h.License.Tag, Name: h.License.Name, Description: h.License.Description, Count: h.Usage.Count, Mode: h.mode(),
			})
		}
	}
	return holdings, answers, nil
}

// newHolding is a license that the instance does not use yet. KindNotFound for an unknown tag.
func newHolding(tx Tx, instance Instance, tag string) (Holding, error) {
	license, err := tx.LicenseByTag(instance.AccountID, tag)
	if err != nil {
		return Holding{}, err
	}
	pool, err := tx.Pool(instance.VirtualAccountID, license.ID)
	if err != nil {
		return Holding{}, err
	}
	pool.AccountID = instance.AccountID
	usage := Usage{InstanceID: instance.ID, LicenseID: license.ID, VirtualAccountID: instance.VirtualAccountID}
	return Holding{Usage: usage, License: license, Pool: pool}, nil
}

// set draws a count and saves what changed by it.
func set(tx Tx, h *Holding, count int64, now time.Time) error {
	if !h.draw(count) {
		return nil
	}
	if err := refresh(tx, &h.Pool, now); err != nil {
		return err
	}
	return saveHolding(tx, h)
}

func (h Holding) mode() wire.Mode {
	if h.Pool.Short() {
		return wire.ModeOutOfCompliance
	}
	return wire.ModeInCompliance
}

// stateOf sums up what an instance holds: one short pool puts it out of compliance.
func stateOf(holdings []Holding) AuthorizationState {
	state := NoLicensesInUse
	for _, h := range holdings {
		if h.Usage.Count == 0 {
			continue
		}
		if h.Pool.Short() {
			return OutOfCompliance
		}
		state = Authorized
	}
	return state
}

// deregister gives the device's licenses back and removes it. What is gone
// already is gone: that succeeds, too.
func (s *Service) deregister(ctx context.Context, device Actor, request *wire.Request, now time.Time) (answer reply, err error) {
	piid := request.Header.ProductInstanceIdentifier
	err = s.update(ctx, device, now, func(tx Tx, record recorder) error {
		if certificate, err := tx.Certificate(request.Credential); err == nil && certificate.PIID == piid && certificate.Status == CertificateRevoked {
			if _, err := tx.Instance(piid); isNotFound(err) {
				answer = deregistered(certificate.AccountID, piid)
				return nil
			}
		}
		var found bool
		var instance Instance
		if answer, found, instance, err = s.speaker(tx, request, now); err != nil || found {
			return err
		}
		answer = deregistered(instance.AccountID, piid)
		return s.remove(tx, record, instance, now, EventDeviceDeregistered, "deregistered")
	})
	return answer, err
}

func deregistered(account AccountID, piid string) reply {
	return reply{AccountID: account, PIID: piid, Data: wire.ReplyData{Status: wire.StatusOK, Message: "The device is deregistered.", ProductInstanceIdentifier: piid}}
}
