package agent

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"ssm/satellite/wire"
)

// question is one request before time and nonce are put on it.
type question struct {
	kind        wire.RequestType
	key         crypto.Signer
	certificate []byte // DER; none for a registration
	data        wire.RequestData
}

// ask sends a question and returns the accepted reply, which has status OK. A
// refusal because of the clock corrects the clock and asks once more.
//
// *Refused, ErrConnection, ErrUntrusted.
func (a *Agent) ask(ctx context.Context, q question) (*wire.Reply, error) {
	reply, err := a.askOnce(ctx, q)
	if err == nil && skewed(reply) {
		if err = a.adoptClock(reply); err == nil {
			reply, err = a.askOnce(ctx, q)
		}
	}
	if err == nil && reply.Data.Status != wire.StatusOK {
		err = &Refused{Request: q.kind, Code: reply.Data.Code, Message: reply.Data.Message, Signed: true}
	}
	if err == nil {
		return reply, nil
	}
	return nil, errors.Join(err, a.note(err))
}

func (a *Agent) askOnce(ctx context.Context, q question) (*wire.Reply, error) {
	header, err := a.header(q.kind)
	if err != nil {
		return nil, err
	}
	message, err := wire.WriteRequest(q.key, q.certificate, header, q.data)
	if err != nil {
		return nil, err
	}
	body, status, err := a.client.post(ctx, message)
	if err != nil {
		return nil, err
	}
	reply, err := readReply(body, status, q.kind)
	if err != nil {
		return nil, err
	}
	at := a.time()
	if skewed(reply) {
		// The clock of this device is what is wrong: its own time decides nothing.
		at = wire.Time(reply.Data.SatelliteTime)
	}
	if err := a.trust.checkReply(reply, header, at); err != nil {
		return nil, err
	}
	return reply, a.checkAccount(reply, q.kind)
}

// checkAccount says ErrUntrusted where the satellite of another account
// answered: signer and ID certificate of this device have one issuer, which
// keeps its name when it is renewed. A registration may lead anywhere.
func (a *Agent) checkAccount(reply *wire.Reply, kind wire.RequestType) error {
	if kind == wire.Registration {
		return nil
	}
	own, err := x509.ParseCertificate(a.saved.Certificate)
	if err != nil {
		return fmt.Errorf("%w: the ID certificate in the state folder cannot be read: %w", ErrState, err)
	}
	if got, want := reply.Chain[0].Issuer.CommonName, own.Issuer.CommonName; got != want {
		return fmt.Errorf("%w: it is signed for account %q, this device is registered in %q; nothing was changed: check that the address is that of the own satellite", ErrUntrusted, printable(got), want)
	}
	return nil
}

// readReply takes the body apart. An unsigned reply is a refusal, whatever
// status it claims.
func readReply(body []byte, status int, kind wire.RequestType) (*wire.Reply, error) {
	reply, err := wire.ReadReply(body)
	switch {
	case err != nil && errors.Is(err, wire.ErrSignature):
		return nil, fmt.Errorf("%w: %w; nothing was changed: repeat, and if it happens again look at what stands between this device and the satellite", ErrUntrusted, err)
	case err != nil && status != http.StatusOK:
		return nil, fmt.Errorf("%w: HTTP status %d (%s); check that the address is the device URL of a satellite", ErrConnection, status, http.StatusText(status))
	case err != nil:
		return nil, fmt.Errorf("%w: %w; check that the address is the device URL of a satellite", ErrConnection, err)
	case !reply.Signed:
		return nil, &Refused{Request: kind, Code: reply.Data.Code, Message: reply.Data.Message}
	}
	return reply, nil
}

func (a *Agent) header(kind wire.RequestType) (wire.Header, error) {
	nonce, err := newNonce()
	if err != nil {
		return wire.Header{}, err
	}
	header := newHeader(kind, a.saved.Identity.SUDI(), nonce, a.time())
	header.SigningCertSerialNumber, header.LastReply = a.saved.SignerSerial, a.saved.LastReply
	header.ClockOffset = a.saved.ClockOffset
	if kind != wire.Registration {
		header.ProductInstanceIdentifier = a.saved.PIID
		if certificate, err := x509.ParseCertificate(a.saved.Certificate); err == nil {
			header.IDCertSerialNumber = certificate.SerialNumber.Text(16)
		}
	}
	return header, nil
}

func newHeader(kind wire.RequestType, sudi wire.SUDI, nonce int64, now time.Time) wire.Header {
	return wire.Header{
		Version: wire.MessageVersion, Locale: "en_US.UTF-8", SUDI: sudi,
		Timestamp: wire.Milliseconds(now), Nonce: strconv.FormatInt(nonce, 10), RequestType: kind,
		ConnectInfo: wire.ConnectInfo{Name: "smartagent", Version: Version, Production: true},
	}
}

// newNonce draws a number of 63 random bits.
func newNonce() (int64, error) {
	var b [8]byte
	_, err := rand.Read(b[:])
	return int64(binary.BigEndian.Uint64(b[:]) & math.MaxInt64), err
}

func skewed(reply *wire.Reply) bool {
	return reply.Data.Status == wire.StatusFailed && reply.Data.Code == codeClockSkew && reply.Data.SatelliteTime != 0
}

// adoptClock keeps the difference to the satellite's clock. The satellite may
// not take the device back to before its own certificate was made: that would
// let old signers live again.
func (a *Agent) adoptClock(reply *wire.Reply) error {
	theirs, ours := wire.Time(reply.Data.SatelliteTime), a.now()
	if certificate, err := x509.ParseCertificate(a.saved.Certificate); err == nil && theirs.Before(certificate.NotBefore) {
		return fmt.Errorf("%w: it gives the time as %s, which is before the ID certificate of this device was made; nothing was changed: check the clock of the satellite",
			ErrUntrusted, theirs.Format(time.RFC3339))
	}
	return a.update(func(s *saved) {
		s.ClockOffset = theirs.Sub(ours).Milliseconds()
		s.Counters.ClockCorrections++
	})
}

// note keeps what a failure says about the device. What is not proven to come
// from the satellite says nothing.
func (a *Agent) note(failure error) error {
	now := a.time()
	var refused *Refused
	switch {
	case errors.As(failure, &refused) && refused.Signed:
		return a.update(func(s *saved) {
			switch reason := printable(refused.Message); refused.Code {
			case codeNotRegistered:
				if refused.Request != wire.Registration {
					s.forget(reason, now)
					s.Key = nil
				}
			case codeCertificateRevoked:
				s.Registration = RegistrationExpired
				s.fail(reason, now)
			}
			s.LastFailed, s.LastFailedAt = printable(refused.Message), now
			s.LastContact = now
			s.Counters.Refusals++
		})
	case errors.Is(failure, ErrConnection):
		return a.update(func(s *saved) {
			s.LastFailed, s.LastFailedAt = printable(failure.Error()), now
			s.Counters.Failures++
		})
	default:
		return nil
	}
}

// contact keeps what every accepted reply says.
func (s *State) contact(reply *wire.Reply, now time.Time) {
	s.LastContact, s.LastFailed, s.LastFailedAt = now, "", time.Time{}
	s.SignerSerial, s.LastReply = reply.Chain[0].SerialNumber.Text(16), reply.Digest
	s.Counters.count(reply.Header.RequestType)
	if d := reply.Data; d.SmartAccount != "" {
		s.SmartAccount, s.VirtualAccount = printable(d.SmartAccount), printable(d.VirtualAccount)
	}
	s.authorization(reply.Data, now)
}

// authorization keeps the authorization where a reply carries one.
func (s *State) authorization(d wire.ReplyData, now time.Time) {
	if d.AuthorizationState == "" {
		return
	}
	s.AuthorizationState = printable(d.AuthorizationState)
	s.AuthorizedAt, s.Unanswered = now, false
	s.AuthorizationRenewAt = wire.Time(d.AuthorizationRenewAt)
	s.AuthorizationExpiresAt = wire.Time(d.AuthorizationExpiresAt)
	s.Answers = nil
	for _, l := range d.Licenses {
		s.Answers = append(s.Answers, License{
			Tag: printable(l.Tag), Name: printable(l.Name), Description: printable(l.Description),
			Count: l.Count, Mode: wire.Mode(printable(string(l.Mode))),
			Requested: l.Requested, Reason: printable(l.Reason),
		})
	}
}
