package agent

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"ssm/certs"
	"ssm/satellite/wire"
)

// Register makes the device a product instance of the account that the token
// belongs to. Force takes the place of an identity that is registered already.
//
// The key is on disk before the token leaves: if the reply gets lost, the same
// call again goes out under the same key, which the satellite takes for a
// repeat, and no second use of the token is counted. So is the same token again
// on a device that is registered with it.
//
// ErrNoRoot before the token is sent; ErrUsage, *Refused, ErrConnection,
// ErrUntrusted.
func (a *Agent) Register(ctx context.Context, token string, force bool) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	token = strings.TrimSpace(token)
	if token == "" || len(token) > tokenLimit {
		return fmt.Errorf("%w: a token has 1 to %d characters; create one on the satellite", ErrUsage, tokenLimit)
	}
	if err := a.unreserved(); err != nil {
		return err
	}
	if err := a.ready(); err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(token))
	key, err := a.registrationKey(sum[:], force)
	if err != nil {
		return err
	}
	request, err := certs.NewDeviceRequest(key, a.saved.Identity.UDIPID)
	if err != nil {
		return err
	}
	identity := a.saved.Identity
	before := a.saved.State
	if before.Registration != Registered {
		if err := a.update(func(s *saved) { s.Registration = Registering }); err != nil {
			return err
		}
	}
	reply, err := a.ask(ctx, question{kind: wire.Registration, key: key, data: wire.RequestData{
		Token: token, CertificateRequest: base64.StdEncoding.EncodeToString(request), Force: force, HighAvailability: a.saved.Pair.message(),
		SoftwareTag: identity.SoftwareTag, Hostname: identity.Hostname, EquipmentModel: identity.UDIPID, SoftwareVersion: Version,
	}})
	if err != nil {
		return errors.Join(err, a.registrationFailed(before, err))
	}
	return a.adoptRegistration(reply, key, sum[:])
}

// ready says what is missing before a message can be sent at all.
func (a *Agent) ready() error {
	if a.client == nil {
		return fmt.Errorf("%w: give the device URL of the satellite and its CA bundle once; this state folder keeps them", ErrUsage)
	}
	if len(a.trust.roots) == 0 {
		return fmt.Errorf("%w: the CA bundle holds none, so no reply could be checked; nothing was sent: get the bundle from the satellite again once its account is registered upstream, or give the upstream's root as a file", ErrNoRoot)
	}
	return nil
}

// registrationKey is the key to register under: that of the same registration
// before, or one that was sent and never answered, or else a new one.
func (a *Agent) registrationKey(tokenHash []byte, force bool) (crypto.Signer, error) {
	repeated := a.saved.Registration == Registered && bytes.Equal(a.saved.TokenHash, tokenHash)
	if repeated && !force && a.key != nil {
		return a.key, nil
	}
	return a.pendingKey()
}

// pendingKey is the key that waits for its certificate, made and kept if there
// is none.
func (a *Agent) pendingKey() (crypto.Signer, error) {
	if a.pending != nil {
		return a.pending, nil
	}
	key, err := certs.NewKey()
	if err != nil {
		return nil, err
	}
	sealed, err := sealKey(a.seal, key)
	if err != nil {
		return nil, err
	}
	if err := a.update(func(s *saved) { s.PendingKey = sealed }); err != nil {
		return nil, err
	}
	a.pending = key
	return key, nil
}

// registrationFailed sets the state after a registration that did not succeed:
// a signed refusal is kept as the reason, a lost reply leaves it registering,
// and what was not sent or is not signed leaves it as it was before.
func (a *Agent) registrationFailed(before State, failure error) error {
	var refused *Refused
	if errors.Is(failure, ErrConnection) && !errors.Is(failure, errNotSent) {
		return nil
	}
	return a.update(func(s *saved) {
		if errors.As(failure, &refused) && refused.Signed {
			if s.Registration = before.Registration; s.Registration == Registering {
				s.Registration = Unregistered
			}
			s.fail(printable(refused.Message), a.time())
			return
		}
		s.Registration = before.Registration
	})
}

func (a *Agent) adoptRegistration(reply *wire.Reply, key crypto.Signer, tokenHash []byte) error {
	piid := reply.Data.ProductInstanceIdentifier
	if piid == "" || len(piid) > fieldLimit || printable(piid) != piid {
		return fmt.Errorf("%w: it names no product instance; nothing was changed: repeat the registration", ErrUntrusted)
	}
	return a.adoptCertificate(reply, key, piid, func(s *saved, now time.Time) {
		if s.PIID != piid {
			s.Answers, s.AuthorizationState = nil, NoLicensesInUse
			s.AuthorizedAt, s.AuthorizationRenewAt, s.AuthorizationExpiresAt = time.Time{}, time.Time{}, time.Time{}
			s.Unanswered = len(s.Wanted) > 0
		}
		s.PIID, s.Registration, s.RegisteredAt, s.TokenHash = piid, Registered, now, tokenHash
		s.CertificateRenewedAt = time.Time{}
		s.fail("", now)
	})
}

// adoptCertificate puts key and certificate of a reply into use: together, and
// with all that the reply changes, in one write.
func (a *Agent) adoptCertificate(reply *wire.Reply, key crypto.Signer, piid string, change func(*saved, time.Time)) error {
	der, err := base64.StdEncoding.Strict().DecodeString(reply.Data.Certificate)
	if err != nil {
		return fmt.Errorf("%w: its certificate is not base64; nothing was changed: repeat", ErrUntrusted)
	}
	now := a.time()
	certificate, err := a.trust.checkCertificate(der, reply, key, piid, now)
	if err != nil {
		return err
	}
	sealed, err := sealKey(a.seal, key)
	if err != nil {
		return err
	}
	err = a.update(func(s *saved) {
		change(s, now)
		s.Key, s.PendingKey, s.Certificate = sealed, nil, der
		s.CertificateExpiresAt = certificate.NotAfter
		if s.CertificateRenewAt = wire.Time(reply.Data.CertificateRenewAt); s.CertificateRenewAt.IsZero() {
			s.CertificateRenewAt = certificate.NotBefore.Add(certificate.NotAfter.Sub(certificate.NotBefore) / 2)
		}
		s.contact(reply, now)
	})
	if err == nil {
		a.key, a.pending = key, nil
	}
	return err
}

// registered says ErrNotRegistered unless the device can sign as a product
// instance.
func (a *Agent) registered() error {
	s := a.saved.At(a.time())
	switch {
	case s.Registration == Registering:
		return fmt.Errorf("%w: its last registration was not answered; repeat it with the same token, which costs no second use", ErrNotRegistered)
	case s.Registration != Registered || a.key == nil:
		reason := ""
		if s.Failure != "" {
			reason = " (" + s.Failure + ")"
		}
		return fmt.Errorf("%w%s; nothing was sent: register it with a token first", ErrNotRegistered, reason)
	}
	return a.ready()
}

// Deregister gives all licenses back to the pool and ends the registration. The
// identity stays, and so do the counts: what the device goes on using, until it
// is released by Request, counts as evaluation. If the satellite says that the
// product instance is gone, that is what was wanted. A device that is not
// registered is left as it is.
//
// *Refused, ErrConnection, ErrUntrusted: the device stays registered.
func (a *Agent) Deregister(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.saved.Registration == Unregistered {
		return nil
	}
	// An expired certificate or registration is for the satellite to judge.
	if a.key == nil {
		return a.registered()
	}
	if err := a.ready(); err != nil {
		return err
	}
	reply, err := a.ask(ctx, question{kind: wire.Deregistration, key: a.key, certificate: a.saved.Certificate})
	var refused *Refused
	gone := errors.As(err, &refused) && refused.Signed && (refused.Code == codeNotRegistered || refused.Code == codeCertificateRevoked)
	if err != nil && !gone {
		return err
	}
	now := a.time()
	err = a.update(func(s *saved) {
		if reply != nil {
			s.contact(reply, now)
		}
		s.forget("", now)
		s.LastContact, s.Key, s.PendingKey = now, nil, nil
	})
	if err == nil {
		a.key, a.pending = nil, nil
	}
	return err
}
