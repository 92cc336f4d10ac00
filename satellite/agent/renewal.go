package agent

import (
	"context"
	"encoding/base64"
	"errors"
	"time"

	"ssm/certs"
	"ssm/satellite/wire"
)

// How soon RenewDue wants to be asked again: after a failure, and whatever the
// satellite says, so that no reply makes a device ask without pause.
const (
	retryAfter = time.Hour
	soonest    = time.Minute
)

// RenewCertificate gets a new ID certificate for a new key. The request is
// signed with the old key; the new one is kept before it is sent and put into
// use when its certificate is there, so that a repeat after a lost reply works.
//
// ErrNotRegistered, *Refused, ErrConnection, ErrUntrusted: the old certificate
// stays in use.
func (a *Agent) RenewCertificate(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.registered(); err != nil {
		return err
	}
	return a.renewCertificate(ctx)
}

func (a *Agent) renewCertificate(ctx context.Context) error {
	key, err := a.pendingKey()
	if err != nil {
		return err
	}
	request, err := certs.NewDeviceRequest(key, a.saved.Identity.UDIPID)
	if err != nil {
		return err
	}
	reply, err := a.ask(ctx, question{
		kind: wire.Renewal, key: a.key, certificate: a.saved.Certificate,
		data: wire.RequestData{CertificateRequest: base64.StdEncoding.EncodeToString(request)},
	})
	if err != nil {
		return err
	}
	return a.adoptCertificate(reply, key, a.saved.PIID, func(s *saved, now time.Time) { s.CertificateRenewedAt = now })
}

// RenewDue does what is due: a new ID certificate from half of its life on, and
// the authorization after 30 days, or at once where a count or the role has not
// been answered yet. It returns when to call it again, by the clock of this
// machine; after a failure that is in an hour. What is not due is not sent.
//
// ErrNotRegistered with the zero time: without a registration nothing will ever
// be due. *Refused, ErrConnection, ErrUntrusted.
func (a *Agent) RenewDue(ctx context.Context) (next time.Time, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.registered(); err != nil {
		return time.Time{}, err
	}
	err = a.renewDue(ctx)
	local := a.now()
	if err != nil {
		return local.Add(retryAfter), err
	}
	wait := a.saved.nextDue().Sub(a.saved.Now(local))
	return local.Add(max(wait, soonest)), nil
}

func (a *Agent) renewDue(ctx context.Context) error {
	certificate, authorization := a.saved.due(a.time())
	var failed error
	if certificate {
		failed = a.renewCertificate(ctx)
	}
	// A certificate that is refused today keeps no license from being renewed
	// under the old one; a lost connection or registration does.
	if !authorization || errors.Is(failed, ErrConnection) || a.registered() != nil {
		return failed
	}
	return errors.Join(failed, a.authorize(ctx))
}

// due tells what has to be renewed at an instant of the satellite's time.
func (s State) due(now time.Time) (certificate, authorization bool) {
	return over(s.CertificateRenewAt, now), s.Unanswered || over(s.AuthorizationRenewAt, now)
}

// nextDue is the instant at which the next renewal is due.
func (s State) nextDue() time.Time {
	if s.AuthorizationRenewAt.IsZero() || s.CertificateRenewAt.Before(s.AuthorizationRenewAt) {
		return s.CertificateRenewAt
	}
	return s.AuthorizationRenewAt
}
