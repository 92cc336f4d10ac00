package satellite

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
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
		return answer, false, instance, evicted(tx, request, err)
	}
	if kept, found, err := repeated(tx, piid, request); err != nil || found {
		return kept, found, instance, err
	}
	return answer, false, instance, s.checkClock(request)
}

// evicted tells a device whose registration another one has taken over; other
// refusals stay as they are.
func evicted(tx Tx, request *wire.Request, refusal error) error {
	certificate, err := tx.Certificate(request.Credential)
	switch {
	case err != nil && !isNotFound(err):
		return err
	case err != nil || certificate.Status != CertificateRevoked || certificate.PIID != request.Header.ProductInstanceIdentifier:
		return refusal
	}
	return fail(KindForbidden, "certificate-revoked", "The ID certificate of this message was revoked on %s, when the device was registered again. Nothing was changed.", stamp(certificate.RevokedAt)).
		hint("If this is the true device, register it again with a token.")
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

// arrived is what every accepted message changes: last contact, the end of the
// certificate before, once the device speaks under the new one, and the alerts
// that the contact opens or ends.
func (s *Service) arrived(tx Tx, record recorder, instance *Instance, request *wire.Request, source string, now time.Time) error {
	before := *instance
	if instance.continues(request.Header.LastReply) {
		if err := raiseCopies(tx, record, before, source, now); err != nil {
			return err
		}
	}
	instance.LastContactAt, instance.LastServed, instance.LastAddress = now, s.Served(), source
	if instance.PreviousCredential != ([sha256.Size]byte{}) && request.Credential == instance.Credential {
		if err := supersede(tx, *instance, request.Credential); err != nil {
			return err
		}
		instance.PreviousCredential = [sha256.Size]byte{}
	}
	return s.recovered(tx, record, before, *instance, now)
}

// answered notes the reply that the device is to build upon.
func (i *Instance) answered(request *wire.Request, data wire.ReplyData) (err error) {
	i.ReplyDigest, err = wire.ReplyDigest(request.Header.Nonce, data)
	return err
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
		if err := checkPair(request.Data.HighAvailability); err != nil {
			return err
		}
		if err := s.arrived(tx, record, &instance, request, device.Source, now); err != nil {
			return err
		}
		before := instance
		instance.joins(request.Data.HighAvailability)
		answers, state, err := draw(tx, record, before, instance, request.Data.Entitlements, now)
		if err != nil {
			return err
		}
		instance.AuthorizationState = state
		told := s.SystemNow() // the device counts by a clock like that
		instance.AuthorizationRenewAt = told.Add(s.options.AuthorizationRenewal)
		instance.AuthorizationExpiresAt = told.Add(s.options.AuthorizationLife)
		if hostname := request.Data.Hostname; hostname != "" {
			instance.Hostname = hostname
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
		if err := instance.answered(request, answer.Data); err != nil {
			return err
		}
		if before.AuthorizationState == AuthorizationExpired || instance.Hostname != before.Hostname || instance.ApplicationID != before.ApplicationID || instance.HARole != before.HARole {
			err = tx.SaveInstance(instance)
		} else {
			err = tx.TouchInstance(instance)
		}
		if err != nil {
			return err
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

// draw applies the counts of a message, takes back what silence or a refusal
// has left open, and returns the answer for each license that the device uses or
// has named, and the state that they make together. before is the instance in
// the pair that it was a member of so far.
func draw(tx Tx, record recorder, before, instance Instance, entitlements []wire.Entitlement, now time.Time) ([]wire.LicenseAnswer, AuthorizationState, error) {
	ledger := openLedger(tx, record, instance.AccountID, instance.VirtualAccountID, now)
	if before.ApplicationID != "" && before.ApplicationID != instance.ApplicationID {
		if err := ledger.part(before); err != nil {
			return nil, "", err
		}
	}
	held, err := tx.Holdings(instance.ID)
	if err != nil {
		return nil, "", err
	}
	holdings, answers, err := want(tx, instance, held, entitlements)
	if err != nil {
		return nil, "", err
	}
	peers, err := pairOf(tx, instance)
	if err != nil {
		return nil, "", err
	}
	if err := peers.follow(tx, record, instance); err != nil {
		return nil, "", err
	}
	// What the device gives back comes first: it may be what it then asks for in another tier.
	var returns, asks []*Holding
	for i := range holdings {
		if h := &holdings[i]; h.Usage.Wanted < h.Usage.Count {
			returns = append(returns, h)
		} else {
			asks = append(asks, h)
		}
	}
	for _, h := range slices.Concat(returns, asks) {
		if err := acquire(ledger, peers, instance, h); err != nil {
			return nil, "", err
		}
	}
	if err := ledger.settle(); err != nil {
		return nil, "", err
	}
	for i := range holdings {
		h := &holdings[i]
		row, err := ledger.pool(h.License)
		if err != nil {
			return nil, "", err
		}
		h.Pool = row.Pool
		if h.Usage.Wanted > 0 {
			answers = append(answers, h.answer(instance))
		}
	}
	return answers, stateOf(holdings), nil
}

// want notes what the message asks for. An unknown tag is a state of that
// license, not an error of the message: it is answered at once.
func want(tx Tx, instance Instance, holdings []Holding, entitlements []wire.Entitlement) ([]Holding, []wire.LicenseAnswer, error) {
	byTag := make(map[string]int, len(holdings))
	for i := range holdings {
		byTag[holdings[i].License.Tag] = i
		holdings[i].stored = holdings[i].Usage
	}
	var answers []wire.LicenseAnswer
	for _, e := range entitlements {
		i, held := byTag[e.Tag]
		if !held {
			holding, err := newHolding(tx, instance, e.Tag)
			if isNotFound(err) {
				answers = append(answers, wire.LicenseAnswer{Tag: e.Tag, Count: e.Count, Mode: wire.ModeInvalidTag})
				continue
			}
			if err != nil {
				return nil, nil, err
			}
			i, holdings = len(holdings), append(holdings, holding)
		}
		holdings[i].Usage.Wanted = e.Count
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

// acquire brings what the device and its pair hold of a license to what they
// want, as far as that is allowed.
func acquire(l *ledger, p pair, instance Instance, h *Holding) error {
	own := member{instance: instance, Holding: *h}
	if _, err := l.carry(p, &own); err != nil {
		return err
	}
	*h = own.Holding
	if h.Usage == h.stored && h.Usage.Count == h.Usage.Wanted {
		return nil // the common case: a message without news
	}
	if err := l.restrict(instance, *h); err != nil {
		return err
	}
	return l.save(h.Usage)
}

// permitted tells whether the device may ask for this license at all.
func (h Holding) permitted(instance Instance) bool {
	return h.License.Enforcement != ExportControlled || instance.ExportAllowed || h.Usage.Wanted <= h.Usage.Count
}

// restrict opens or closes the alert about a license that a device is refused.
func (l *ledger) restrict(instance Instance, h Holding) error {
	if h.License.Enforcement == Unenforced {
		return nil
	}
	key := instance.PIID + "\t" + h.License.Tag
	if h.Has() >= h.Usage.Wanted {
		return settled(l.tx, l.record, l.account, AlertRestrictedNotAvailable, key, "the device holds what it asks for.", l.now)
	}
	return raise(l.tx, l.record, Alert{
		AccountID: l.account, VirtualAccountID: l.virtual, PIID: instance.PIID, Type: AlertRestrictedNotAvailable, Key: key, Source: instance.Name(),
		Message: fmt.Sprintf("Device %s asks for %d of %s and holds %d. %s", instance.Name(), h.Usage.Wanted, h.License.called(), h.Has(), h.refusal(instance)),
	}, l.now)
}

// refusal says to a person why the device holds less than it asked for.
func (h Holding) refusal(instance Instance) string {
	if !h.permitted(instance) {
		return "The license is export-controlled, and the token that registered the device does not allow that."
	}
	return fmt.Sprintf("The license is %s, and the pool has no more.", h.License.Enforcement)
}

func (h Holding) answer(instance Instance) wire.LicenseAnswer {
	answer := wire.LicenseAnswer{Tag: h.License.Tag, Name: h.License.Name, Description: h.License.Description, Count: h.Has(), Mode: h.Mode()}
	if h.Has() < h.Usage.Wanted {
		answer.Requested, answer.Reason = h.Usage.Wanted, h.refusal(instance)
	}
	return answer
}

// Mode is what the device is told about the license.
func (h Holding) Mode() wire.Mode {
	switch {
	case h.Has() == 0:
		return wire.ModeDisabled
	case h.Short():
		return wire.ModeOutOfCompliance
	case h.row().Status() == PoolOverage:
		return wire.ModeOverage
	}
	return wire.ModeInCompliance
}

// stateOf sums up what an instance holds: one short pool puts it out of compliance.
func stateOf(holdings []Holding) AuthorizationState {
	state := NoLicensesInUse
	for _, h := range holdings {
		if h.Has() == 0 {
			continue
		}
		if h.Short() {
			return OutOfCompliance
		}
		state = Authorized
	}
	return state
}

// release gives everything that an instance holds back to its pools, but for
// what the other members of its pair go on with. What it wanted is kept where
// keep says so: it gets that again when it returns.
func release(tx Tx, record recorder, instance Instance, keep bool, now time.Time) (returned int64, err error) {
	holdings, err := tx.Holdings(instance.ID)
	if err != nil {
		return 0, err
	}
	peers, err := pairOf(tx, instance)
	if err != nil {
		return 0, err
	}
	ledger := openLedger(tx, record, instance.AccountID, instance.VirtualAccountID, now)
	for _, h := range holdings {
		own := member{instance: instance, Holding: h, leaves: true}
		back, err := ledger.carry(peers, &own)
		if err != nil {
			return 0, err
		}
		returned += max(0, back)
		if !keep {
			own.Usage.Wanted, own.Shared = 0, 0
			if err := ledger.restrict(instance, own.Holding); err != nil {
				return 0, err
			}
		}
		if err := ledger.save(own.Usage); err != nil {
			return 0, err
		}
	}
	return returned, ledger.settle()
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
