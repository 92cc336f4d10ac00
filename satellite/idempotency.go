package satellite

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// A request may carry a key, so that whoever does not know whether it was
// carried out can send it again without doing it twice.

const (
	// keyLife is how long a key is kept; the same one after that is a new one.
	keyLife = 24 * time.Hour
	// maxKeys bounds the keys of one actor: a write each nine seconds, day and night.
	maxKeys = 10_000
	// MaxKeptAnswer bounds an answer that is kept for a repeat, in bytes.
	MaxKeptAnswer = 256 << 10
)

// IdempotencyClaim is the row of a key: that its request was carried out, and
// how it was answered. It is written in the transaction of the first change
// that the request makes, and again once the request is answered.
type IdempotencyClaim struct {
	Actor       string // who sent it, see Actor.identity
	Key         string
	Request     string    // which one of all requests with this key claimed it
	Fingerprint []byte    // sealed, because a body may hold a password
	Answer      []byte    // sealed, because it may hold a token; nil where it was not kept
	At          time.Time // of the first change
}

// Outcome is how a request with a key ended.
type Outcome int

// The ways in which a request ends.
const (
	OutcomeFailed  Outcome = iota // nobody knows how far it came; its answer is not kept
	OutcomeRefused                // its answer is kept only where something was changed before
	OutcomeDone                   // its answer is kept
)

// ErrAnswerNotKept is the error of Once for a request that was carried out and
// answered, but whose answer could not be kept for a repeat.
var ErrAnswerNotKept = errors.New("the answer of a request with an Idempotency-Key could not be kept")

const purposeIdempotency = "idempotency"

// runningClaim is the claim of a request that is being carried out.
type runningClaim struct {
	IdempotencyClaim
	taken atomic.Bool // the row is on disk
}

type claimKey struct{}

// identity is who keys belong to. Another user or API client gets no key
// of his, though it may get his e-mail address or name.
func (a Actor) identity() string {
	switch {
	case a.UserID != 0:
		return fmt.Sprintf("user:%d", a.UserID)
	case a.APIClientID != 0:
		return fmt.Sprintf("api:%d", a.APIClientID)
	}
	return a.Name
}

// Once carries a request of an actor out that has a key, and returns its answer,
// unless one with this key was carried out in the last 24 hours; then it does
// nothing, and repeats the answer that was kept. carryOut is given a context that makes the key part
// of its first change, and that does not end when the caller goes away, so that
// there is an answer to come back for.
//
// The fingerprint tells one request from another. KindConflict where another
// request had the key (idempotency-key-reused), where one with it is under way
// (idempotency-key-in-use), and where it was carried out and its answer was not
// kept, such as by a crash in between (idempotency-outcome-unstored); KindTooMany
// over the bound of keys. ErrAnswerNotKept comes after carryOut has done its work.
func (s *Service) Once(ctx context.Context, actor Actor, key string, fingerprint [sha256.Size]byte, carryOut func(context.Context) (Outcome, []byte)) (answer []byte, repeated bool, err error) {
	if err := actor.known(); err != nil {
		return nil, false, err
	}
	name := actor.identity() + "\x00" + key
	if _, running := s.keys.LoadOrStore(name, struct{}{}); running {
		return nil, false, errKeyInUse()
	}
	defer s.keys.Delete(name)
	now := s.Now()
	if answer, repeated, err = s.answerBefore(ctx, actor, key, fingerprint, now); repeated || err != nil {
		return answer, repeated, err
	}
	sealed, err := s.secrets.Seal(purposeIdempotency, fingerprint[:])
	if err != nil {
		return nil, false, err
	}
	claim := &runningClaim{IdempotencyClaim: IdempotencyClaim{Actor: actor.identity(), Key: key, Request: s.randomText(16), Fingerprint: sealed}}
	ctx = context.WithValue(context.WithoutCancel(ctx), claimKey{}, claim)
	outcome, answer := carryOut(ctx)
	if outcome == OutcomeFailed || outcome == OutcomeRefused && !claim.taken.Load() || len(answer) > MaxKeptAnswer {
		return answer, false, nil
	}
	if err := s.keepAnswer(ctx, claim, answer, now); err != nil {
		return answer, false, errors.Join(ErrAnswerNotKept, err)
	}
	return answer, false, nil
}

// answerBefore looks for the row of a key. known tells that there is one.
func (s *Service) answerBefore(ctx context.Context, actor Actor, key string, fingerprint [sha256.Size]byte, now time.Time) (answer []byte, known bool, err error) {
	var claim IdempotencyClaim
	var count int64
	err = s.store.View(ctx, func(tx Tx) (err error) {
		if count, err = tx.CountIdempotencyClaims(actor.identity()); err != nil {
			return err
		}
		claim, err = tx.IdempotencyClaim(actor.identity(), key)
		return err
	})
	if isNotFound(err) || err == nil && !claim.holdsAt(now) {
		if count >= maxKeys {
			return nil, false, fail(KindTooMany, "idempotency-keys-too-many", "%d requests with an Idempotency-Key were carried out for you in the last 24 hours, and no more keys are kept. Nothing was changed.", count).
				hint("Send the request without a key, or wait until the first of them is a day old.")
		}
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	before, err := s.secrets.Open(purposeIdempotency, claim.Fingerprint)
	if err != nil {
		return nil, false, err
	}
	if !bytes.Equal(before, fingerprint[:]) {
		return nil, false, fail(KindConflict, "idempotency-key-reused", "Another request had this Idempotency-Key in the last 24 hours. Nothing was changed.").
			hint("Give each request a key of its own, and repeat one only as it was.")
	}
	if claim.Answer == nil {
		return nil, false, fail(KindConflict, "idempotency-outcome-unstored", "The request with this Idempotency-Key was carried out at %s, at least in part, and its answer is lost. Nothing was changed now.", stamp(claim.At)).
			hint("Read the present state, and send what is missing with a new key.")
	}
	answer, err = s.secrets.Open(purposeIdempotency, claim.Answer)
	return answer, err == nil, err
}

func errKeyInUse() error {
	return fail(KindConflict, "idempotency-key-in-use", "A request with this Idempotency-Key is being carried out. Nothing was changed by this one.").
		hint("Send it again in a moment to get the answer.")
}

// holdsAt tells whether the key is still kept.
func (c IdempotencyClaim) holdsAt(now time.Time) bool { return now.Before(c.At.Add(keyLife)) }

// claimOf is the claim of the request that makes a change; nil where it has no
// key, and for what the satellite does by itself along the way.
func claimOf(ctx context.Context, actor Actor) *runningClaim {
	claim, _ := ctx.Value(claimKey{}).(*runningClaim)
	if claim == nil || claim.Actor != actor.identity() {
		return nil
	}
	return claim
}

// row is the row of this request as it stands, or a new one. KindConflict where
// another request has the key, which only another process can have let in.
func (c *runningClaim) row(tx Tx, now time.Time) (IdempotencyClaim, error) {
	row, err := tx.IdempotencyClaim(c.Actor, c.Key)
	switch {
	case isNotFound(err), err == nil && row.Request != c.Request && !row.holdsAt(now):
		row, err = c.IdempotencyClaim, nil
		row.At = now
	case err == nil && row.Request != c.Request:
		err = errKeyInUse()
	}
	return row, err
}

// take makes the row part of the transaction of a change.
func (c *runningClaim) take(tx Tx, now time.Time) error {
	if c == nil || c.taken.Load() {
		return nil
	}
	row, err := c.row(tx, now)
	if err != nil {
		return err
	}
	return tx.SaveIdempotencyClaim(row)
}

// keepAnswer adds the answer to the row, which is made now where the request
// has changed nothing.
func (s *Service) keepAnswer(ctx context.Context, claim *runningClaim, answer []byte, now time.Time) error {
	sealed, err := s.secrets.Seal(purposeIdempotency, answer)
	if err != nil {
		return err
	}
	return s.store.Update(ctx, func(tx Tx) error {
		row, err := claim.row(tx, now)
		if err != nil {
			return err
		}
		row.Answer = sealed
		return tx.SaveIdempotencyClaim(row)
	})
}
