package satellite

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"ssm/satellite/wire"
)

// Device messages. A face reads the message with wire.ReadRequest and hands it
// to DeviceMessage, which answers in the words of the wire.

// reply is what a use case of a device answers; it is kept for a repeat of the
// same message and signed anew each time.
type reply struct {
	AccountID AccountID      `json:"account_id"`
	PIID      string         `json:"piid"`
	Data      wire.ReplyData `json:"data"`
}

// ReadProblem is what wire.ReadRequest found wrong, nil where it found nothing.
type ReadProblem error

// DeviceMessage answers one message of a device with the bytes of a reply.
// Refusals are replies, too: signed where the account can be told from the
// message, unsigned otherwise. An error is KindInvalid or KindTooLarge for what
// is no message at all, and KindInternal.
func (s *Service) DeviceMessage(ctx context.Context, source string, request *wire.Request, problem ReadProblem) ([]byte, error) {
	now, began := s.Now(), s.guard.monotonic()
	if request == nil {
		if errors.Is(problem, wire.ErrTooLarge) {
			return nil, fail(KindTooLarge, "message-too-large", "The message is larger than this satellite reads. Nothing was changed.").cause(problem)
		}
		return nil, fail(KindInvalid, "message-malformed", "This is no Smart Transport message: %v. Nothing was changed.", problem)
	}
	answer, err := s.answer(ctx, source, request, problem, now)
	code := "ok"
	if err == nil {
		s.witness(ctx, request)
	} else {
		var refusal *Error
		if !errors.As(err, &refusal) || refusal.Kind == KindInternal || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			s.observer.DeviceMessage(string(request.Header.RequestType), "internal", s.guard.monotonic()-began)
			return nil, err
		}
		code = refusal.Code
		answer.Data = refusalData(refusal, request, s.SystemNow())
	}
	message, err := s.signReply(ctx, request, answer, now)
	s.observer.DeviceMessage(string(request.Header.RequestType), code, s.guard.monotonic()-began)
	return message, err
}

// answer runs the use case. With a refusal the returned reply still names the
// account, where it is known, so that the refusal can be signed.
func (s *Service) answer(ctx context.Context, source string, request *wire.Request, problem ReadProblem, now time.Time) (reply, error) {
	switch {
	case errors.Is(problem, wire.ErrVersion):
		return reply{}, fail(KindInvalid, "unknown-version", "This satellite does not speak version %q of the protocol. Nothing was changed.", clip(request.Header.Version)).
			hint("It speaks %v.", wire.MessageVersions)
	case problem != nil:
		return reply{}, fail(KindForbidden, "signature-invalid", "The signature of the message does not belong to its content. Nothing was changed.").
			hint("Send it again; if that does not help, register the device again.").cause(problem)
	}
	if request.Header.RequestType == wire.Registration {
		return s.register(ctx, source, request, now)
	}
	device := Actor{Name: "device:" + request.Header.ProductInstanceIdentifier, Source: source}
	switch request.Header.RequestType {
	case wire.Authorization:
		return s.authorize(ctx, device, request, now)
	case wire.Renewal:
		return s.renewCertificate(ctx, device, request, now)
	case wire.Deregistration:
		return s.deregister(ctx, device, request, now)
	}
	return reply{}, fail(KindInvalid, "unknown-request-type", "This satellite knows no request type %q. Nothing was changed.", clip(string(request.Header.RequestType))).
		hint("Update the satellite if the device's software is newer.")
}

func refusalData(refusal *Error, request *wire.Request, system time.Time) wire.ReplyData {
	message := refusal.Message
	if refusal.Hint != "" {
		message += " " + refusal.Hint
	}
	data := wire.ReplyData{Status: wire.StatusFailed, Code: refusal.Code, Message: message}
	switch refusal.Code {
	case "unknown-version":
		data.Versions = wire.MessageVersions
	case "clock-skew":
		data.SatelliteTime, data.DeviceTime = wire.Milliseconds(system), request.Header.Timestamp
	}
	return data
}

// checkClock compares the device's clock with the system's.
func (s *Service) checkClock(request *wire.Request) error {
	if s.options.DeviceClockSkew < 0 {
		return nil
	}
	device, system := wire.Time(request.Header.Timestamp), s.SystemNow()
	if skew := device.Sub(system); skew > s.options.DeviceClockSkew || skew < -s.options.DeviceClockSkew {
		return fail(KindConflict, "clock-skew", "The message was written at %s by the device's clock, and it is %s here; %s apart is allowed. Nothing was changed.",
			device.Format(time.RFC3339), system.Format(time.RFC3339), s.options.DeviceClockSkew).hint("Set the clock of the device.")
	}
	return nil
}

// repeated returns the kept answer to the same message.
func repeated(tx Tx, requester string, request *wire.Request) (reply, bool, error) {
	kept, err := tx.Reply(requester, request.Header.Nonce)
	if isNotFound(err) {
		return reply{}, false, nil
	}
	if err != nil {
		return reply{}, false, err
	}
	var answer reply
	if err := json.Unmarshal(kept, &answer); err != nil {
		return reply{}, false, fmt.Errorf("read a kept reply: %w", err)
	}
	return answer, true, nil
}

func keep(tx Tx, requester string, request *wire.Request, answer reply, now time.Time) error {
	text, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	return tx.SaveReply(requester, request.Header.Nonce, text, now)
}

// ForgetReplies drops the answers that no repeat can ask for any more: those of
// devices after the allowed skew, and those of keys that have ended.
func (s *Service) ForgetReplies(ctx context.Context, now time.Time) error {
	kept := max(2*s.options.DeviceClockSkew, time.Hour) + time.Minute
	if s.options.DeviceClockSkew < 0 {
		// Nothing but the nonce keeps an old message from being sent again.
		kept = s.options.CertificateLife
	}
	return errors.Join(
		s.forget(ctx, func(tx Tx, limit int) (int64, error) { return tx.DeleteRepliesBefore(now.Add(-kept), limit) }),
		s.forget(ctx, func(tx Tx, limit int) (int64, error) {
			return tx.DeleteIdempotencyClaimsBefore(now.Add(-keyLife), limit)
		}),
	)
}

// forget drops rows, a few in each transaction.
func (s *Service) forget(ctx context.Context, drop func(tx Tx, limit int) (int64, error)) error {
	const few = 500
	for {
		var dropped int64
		err := s.store.Update(ctx, func(tx Tx) (err error) {
			dropped, err = drop(tx, few)
			return err
		})
		if err != nil || dropped < few {
			return err
		}
	}
}

// signReply signs under the account of the reply; without one, it looks for the
// account by the message's certificate, and answers unsigned where there is none.
func (s *Service) signReply(ctx context.Context, request *wire.Request, answer reply, now time.Time) ([]byte, error) {
	header := wire.ReplyHeader{
		Timestamp: wire.Milliseconds(s.SystemNow()), Nonce: request.Header.Nonce, RequestType: request.Header.RequestType,
		SUDI: request.Header.SUDI, ProductInstanceIdentifier: answer.PIID,
	}
	if header.ProductInstanceIdentifier == "" {
		header.ProductInstanceIdentifier = request.Header.ProductInstanceIdentifier
	}
	writer, err := s.replyWriter(ctx, answer.AccountID, request.Credential, now)
	if err != nil {
		return nil, err
	}
	if writer == nil {
		return wire.WriteUnsignedReply(header, answer.Data)
	}
	return writer.Write(header, answer.Data)
}

// replyWriter is the signer of an account, nil where the upstream does not vouch for it yet.
func (s *Service) replyWriter(ctx context.Context, id AccountID, credential [sha256.Size]byte, now time.Time) (*wire.ReplyWriter, error) {
	if cached, ok := s.writers.Load(id); ok && id != 0 {
		if w := cached.(*accountWriter); now.Before(w.until) {
			return w.ReplyWriter, nil
		}
	}
	var authority Authority
	err := s.store.View(ctx, func(tx Tx) error {
		if id == 0 {
			certificate, err := tx.Certificate(credential)
			if err != nil {
				return err
			}
			id = certificate.AccountID
		}
		var err error
		authority, err = tx.Authority(id)
		return err
	})
	if isNotFound(err) || err == nil && len(authority.SignerCertificate) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	signer, err := s.issuer.Signer(authority)
	if err != nil {
		return nil, fmt.Errorf("open the signer of account %d: %w", id, err)
	}
	w := &accountWriter{ReplyWriter: wire.NewReplyWriter(signer), until: now.Add(time.Minute)}
	s.writers.Store(id, w)
	return w.ReplyWriter, nil
}
