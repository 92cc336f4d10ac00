package satellite

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// AccessTokenLife is how long an access token is accepted: long enough for one
// run of a script, short enough that a lost one is soon worthless.
const AccessTokenLife = time.Hour

// AccessToken is what a program shows with each call of the REST APIs.
type AccessToken struct {
	Text      string
	ExpiresIn time.Duration
}

// AccessClaims is what the text of an access token says. A token ends with its
// time, with its client, and with the generation of who it stands for.
type AccessClaims struct {
	Issuer           string // id of the satellite
	ID               string // 128 random bits
	APIClientID      APIClientID
	ClientGeneration int64
	UserID           UserID // 0 where the client acts for itself
	UserGeneration   int64
	IssuedAt         time.Time // whole seconds
	ExpiresAt        time.Time
}

// checkTime returns KindUnauthenticated outside of the token's time. One that
// was issued ahead of the clock is refused, so that a clock that is set back
// does not make tokens live longer.
func (c AccessClaims) checkTime(now time.Time) error {
	if !now.Before(c.ExpiresAt) || now.Before(c.IssuedAt.Add(-time.Minute)) {
		return fail(KindUnauthenticated, "access-token-expired", "The access token expired on %s. Nothing was changed.", stamp(c.ExpiresAt)).hint("Get another one at /oauth/token.")
	}
	return nil
}

// ClientAccessToken is the grant "client_credentials": an access token that
// acts with the client's own role.
//
// KindUnauthenticated, code "invalid-client", for an unknown client, a revoked
// one and a wrong secret; which of them, it does not say.
func (s *Service) ClientAccessToken(ctx context.Context, source, clientID, secret string) (AccessToken, error) {
	client, err := s.provenClient(ctx, clientID, secret)
	if err != nil {
		return AccessToken{}, err
	}
	if err := s.used(ctx, client, source); err != nil {
		return AccessToken{}, err
	}
	return s.accessToken(AccessClaims{APIClientID: client.ID, ClientGeneration: client.Generation})
}

// PasswordAccessToken is the grant "password": an access token that acts as a
// user, with his roles, through a client.
//
// KindUnauthenticated, code "invalid-client" like ClientAccessToken, and code
// "sign-in-refused" where user or password is wrong.
func (s *Service) PasswordAccessToken(ctx context.Context, source, clientID, secret, email, password string) (AccessToken, error) {
	client, err := s.provenClient(ctx, clientID, secret)
	if err != nil {
		return AccessToken{}, err
	}
	user, err := s.SignIn(ctx, source, email, password)
	if err != nil {
		return AccessToken{}, err
	}
	if err := s.used(ctx, client, source); err != nil {
		return AccessToken{}, err
	}
	return s.accessToken(AccessClaims{APIClientID: client.ID, ClientGeneration: client.Generation, UserID: user.ID, UserGeneration: user.Generation})
}

// provenClient is the client that has proven itself.
func (s *Service) provenClient(ctx context.Context, clientID, secret string) (client APIClient, err error) {
	refused := fail(KindUnauthenticated, "invalid-client", "Client id or secret is wrong.").hint("`satellite api-client list` shows the client ids; `satellite api-client rotate` makes another secret.")
	if len(clientID) > clientIDLength*utf8.UTFMax || len(secret) > clientSecretLength*utf8.UTFMax {
		return APIClient{}, refused
	}
	err = s.store.View(ctx, func(tx Tx) error {
		client, err = tx.APIClientByClientID(clientID)
		return err
	})
	if err != nil && !isNotFound(err) {
		return APIClient{}, err
	}
	if !client.accepts(secret, s.Now()) {
		return APIClient{}, refused
	}
	return client, nil
}

func (s *Service) accessToken(c AccessClaims) (AccessToken, error) {
	c.Issuer, c.ID = s.id, s.randomText(26) // 130 bits
	// The system's clock: the guarded one may stand still while it waits to be confirmed.
	c.IssuedAt = s.SystemNow().Truncate(time.Second)
	c.ExpiresAt = c.IssuedAt.Add(AccessTokenLife)
	text, err := s.tokens.SignAccess(c)
	if err != nil {
		return AccessToken{}, fmt.Errorf("sign an access token: %w", err)
	}
	return AccessToken{Text: text, ExpiresIn: AccessTokenLife}, nil
}

// ActorOfAccessToken is who shows an access token, with the roles that he has
// now: a role that is taken away, a client that is revoked and a password that
// is changed end it at once.
//
// KindUnauthenticated with the code access-token-invalid, access-token-foreign,
// access-token-expired or access-token-revoked.
func (s *Service) ActorOfAccessToken(ctx context.Context, text, source string) (Actor, error) {
	claims, err := s.tokens.VerifyAccess(text)
	switch {
	case errors.Is(err, ErrTokenForeign):
		return Actor{}, fail(KindUnauthenticated, "access-token-foreign", "The access token was issued by satellite %s, this is %s. Nothing was changed.", clip(claims.Issuer), s.id).
			hint("Get one at this satellite's /oauth/token.")
	case err != nil:
		return Actor{}, fail(KindUnauthenticated, "access-token-invalid", "This is no access token of this satellite. Nothing was changed.").hint("Get one at /oauth/token.").cause(err)
	}
	if err := claims.checkTime(s.SystemNow()); err != nil {
		return Actor{}, err
	}
	var client APIClient
	var user User
	var actor Actor
	err = s.store.View(ctx, func(tx Tx) error {
		if client, err = tx.APIClient(claims.APIClientID); err != nil || claims.UserID == 0 {
			return err
		}
		if user, err = tx.User(claims.UserID); err != nil {
			return err
		}
		actor, err = actorOf(tx, user, source)
		return err
	})
	if err != nil && !isNotFound(err) {
		return Actor{}, err
	}
	if err != nil || !client.RevokedAt.IsZero() || client.Generation != claims.ClientGeneration || user.Generation != claims.UserGeneration {
		return Actor{}, fail(KindUnauthenticated, "access-token-revoked", "The access token has ended: its client or user was revoked or changed. Nothing was changed.").hint("Get another one at /oauth/token.")
	}
	if claims.UserID == 0 {
		actor = client.actor(source)
	}
	return actor, s.used(ctx, client, source)
}
