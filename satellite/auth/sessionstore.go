package auth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"time"

	"ssm/satellite"
)

// loaded remembers, for one request, which session the store had for it.
type loaded struct {
	key  string
	user satellite.UserID // 0: the values are nobody's, and do not go to the store
}

type loadedKey struct{}

// sessionStore is the scs.CtxStore over our Store. What is kept can sign nobody
// in: the key is the hash of the token.
type sessionStore struct {
	store     satellite.Store
	now       func() time.Time
	idle      time.Duration
	anonymous *anonymousSessions
}

func sessionKey(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// tokenLength is that of the library's tokens: 256 bits in base64. Anything
// else is no session, and not worth a look into the store.
var tokenLength = base64.RawURLEncoding.EncodedLen(32)

// FindCtx returns the values of a live session.
func (s *sessionStore) FindCtx(ctx context.Context, token string) (data []byte, found bool, err error) {
	if len(token) != tokenLength {
		return nil, false, nil
	}
	key := sessionKey(token)
	if session, found := s.anonymous.find(key); found {
		return session.Data, s.now().Before(session.Expires), nil
	}
	var session satellite.Session
	err = s.store.View(ctx, func(tx satellite.Tx) error {
		session, err = tx.Session(key)
		return err
	})
	if satellite.KindOf(err) == satellite.KindNotFound {
		return nil, false, nil
	}
	if err != nil || !s.now().Before(session.Expires) {
		return nil, false, err
	}
	if l, ok := ctx.Value(loadedKey{}).(*loaded); ok {
		l.key, l.user = key, session.UserID
	}
	return session.Data, true, nil
}

// CommitCtx saves a session until its absolute end, or its idle end where that
// is earlier. A session that was there at the start of the request and is gone
// now has been signed out meanwhile, and stays so.
func (s *sessionStore) CommitCtx(ctx context.Context, token string, data []byte, end time.Time) error {
	session := satellite.Session{Key: sessionKey(token), Data: data, Expires: s.now().Add(s.idle).UTC()}
	if end.Before(session.Expires) {
		session.Expires = end
	}
	l, _ := ctx.Value(loadedKey{}).(*loaded)
	if l != nil && l.user == 0 {
		s.anonymous.keep(session)
		return nil
	}
	if l != nil {
		session.UserID = l.user
	}
	return s.store.Update(ctx, func(tx satellite.Tx) error {
		if l != nil && l.key == session.Key {
			_, err := tx.Session(session.Key)
			if satellite.KindOf(err) == satellite.KindNotFound {
				return nil
			}
			if err != nil {
				return err
			}
		}
		return tx.SaveSession(session)
	})
}

// DeleteCtx removes a session; one that is not there is removed already.
func (s *sessionStore) DeleteCtx(ctx context.Context, token string) error {
	if token == "" {
		return nil
	}
	key := sessionKey(token)
	if s.anonymous.drop(key) {
		return nil
	}
	err := s.store.Update(ctx, func(tx satellite.Tx) error { return tx.DeleteSession(key) })
	if satellite.KindOf(err) == satellite.KindNotFound {
		return nil
	}
	return err
}

// The forms without a context, which the library asks for and does not call.

func (s *sessionStore) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

func (s *sessionStore) Commit(token string, data []byte, end time.Time) error {
	return s.CommitCtx(context.Background(), token, data, end)
}

func (s *sessionStore) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }
