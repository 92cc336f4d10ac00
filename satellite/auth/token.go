package auth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"ssm/satellite"
)

const (
	tokenAudience = "registration"
	maxTokenText  = 255 // command lines of devices stop there
	maxTokenField = 64  // of what is quoted from a stranger's token
)

// Tokens signs and checks registration tokens: ES256 JSON web tokens with a
// header of alg and kid, and the claims exp, iss, jti and aud, so that the text
// fits in 255 characters of [A-Za-z0-9._-]. Access tokens have the same keys and
// another audience, so that neither passes for the other. It is safe for concurrent use; it
// signs and verifies nothing before the first Use.
type Tokens struct {
	keys atomic.Pointer[tokenKeys]
}

// tokenKeys is one generation of keys, replaced as a whole.
type tokenKeys struct {
	issuer    string
	signingID string
	signing   *ecdsa.PrivateKey
	verifying map[string][]jwt.VerificationKey // by key id
}

// NewTokens returns a signer without keys.
func NewTokens() *Tokens { return new(Tokens) }

// NewKey makes a P-256 key in PKCS #8.
func (t *Tokens) NewKey() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a token key: %w", err)
	}
	return x509.MarshalPKCS8PrivateKey(key)
}

// Use replaces the keys: the first signs, all verify. With an error the keys
// before stay in use.
func (t *Tokens) Use(issuer string, keys []satellite.TokenKey) error {
	if issuer == "" || len(keys) == 0 {
		return errors.New("tokens need an issuer and at least one key")
	}
	next := &tokenKeys{issuer: issuer, signingID: keys[0].ID, verifying: make(map[string][]jwt.VerificationKey, len(keys))}
	for i, k := range keys {
		parsed, err := x509.ParsePKCS8PrivateKey(k.Key)
		if err != nil {
			return fmt.Errorf("token key %s: %w", k.ID, err)
		}
		key, ok := parsed.(*ecdsa.PrivateKey)
		if !ok || key.Curve != elliptic.P256() || k.ID == "" {
			return fmt.Errorf("token key %q is no P-256 key with an id", k.ID)
		}
		if i == 0 {
			next.signing = key
		}
		// Short ids may meet over the years: all keys of an id are tried.
		next.verifying[k.ID] = append(next.verifying[k.ID], &key.PublicKey)
	}
	t.keys.Store(next)
	return nil
}

// registrationClaims is what the text of a token has room for; all else is in the store.
type registrationClaims struct {
	Expires  int64  `json:"exp"` // Unix seconds
	Issuer   string `json:"iss"`
	ID       string `json:"jti"`
	Audience string `json:"aud"`
}

// The methods of jwt.Claims. The parser validates none of them: see check.

func (c *registrationClaims) GetExpirationTime() (*jwt.NumericDate, error) {
	return jwt.NewNumericDate(time.Unix(c.Expires, 0)), nil
}
func (c *registrationClaims) GetIssuedAt() (*jwt.NumericDate, error)  { return nil, nil }
func (c *registrationClaims) GetNotBefore() (*jwt.NumericDate, error) { return nil, nil }
func (c *registrationClaims) GetIssuer() (string, error)              { return c.Issuer, nil }
func (c *registrationClaims) GetSubject() (string, error)             { return "", nil }
func (c *registrationClaims) GetAudience() (jwt.ClaimStrings, error) {
	return jwt.ClaimStrings{c.Audience}, nil
}

func (c *registrationClaims) domain() satellite.TokenClaims {
	return satellite.TokenClaims{ID: c.ID, Issuer: c.Issuer, ExpiresAt: time.Unix(c.Expires, 0).UTC()}
}

// check tells whether these can be the claims of a registration token at all,
// of whichever satellite.
func (c *registrationClaims) check() error {
	switch {
	case c.Audience != tokenAudience:
		return errors.New("it is not for registration")
	case c.Expires <= 0:
		return errors.New("it has no expiry")
	case c.ID == "" || len(c.ID) > maxTokenField || c.Issuer == "" || len(c.Issuer) > maxTokenField:
		return errors.New("it has no id or issuer of a sensible length")
	}
	return nil
}

// Sign makes the text of a token with the first key. An error where the text
// would be longer than devices read.
func (t *Tokens) Sign(claims satellite.TokenClaims) (string, error) {
	c := &registrationClaims{Expires: claims.ExpiresAt.Unix(), Issuer: claims.Issuer, ID: claims.ID, Audience: tokenAudience}
	text, err := t.keys.Load().sign(c)
	if err != nil {
		return "", err
	}
	if len(text) > maxTokenText {
		return "", fmt.Errorf("sign a token: %d characters, devices read %d", len(text), maxTokenText)
	}
	return text, nil
}

func (k *tokenKeys) sign(claims ownClaims) (string, error) {
	if k == nil {
		return "", errors.New("there is no token key yet")
	}
	if err := claims.check(); err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	token := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
	token.Header = map[string]any{"alg": token.Method.Alg(), "kid": k.signingID}
	text, err := token.SignedString(k.signing)
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return text, nil
}

// The expiry is judged by the domain, from the store, and the issuer below, so
// the parser checks form, method and signature only. Strict decoding: otherwise
// the last character of each part has several spellings.
var tokenParser = jwt.NewParser(
	jwt.WithValidMethods([]string{jwt.SigningMethodES256.Alg()}),
	jwt.WithStrictDecoding(),
	jwt.WithoutClaimsValidation(),
)

// Verify reads the text of a token. ErrTokenForeign with the claims, whose
// signature nobody here can check, where another satellite issued it;
// ErrTokenInvalid for everything else that is no token of ours.
func (t *Tokens) Verify(text string) (satellite.TokenClaims, error) {
	claims := new(registrationClaims)
	err := t.keys.Load().verify(text, maxTokenText, claims)
	if err != nil && !errors.Is(err, satellite.ErrTokenForeign) {
		return satellite.TokenClaims{}, err
	}
	return claims.domain(), err
}

// ownClaims are the claims of one sort of token.
type ownClaims interface {
	jwt.Claims
	check() error // whether they can be of that sort at all, of whichever satellite
}

// verify reads a token of one sort into claims. The error is ErrTokenForeign
// with the claims read, or wraps ErrTokenInvalid.
func (k *tokenKeys) verify(text string, limit int, claims ownClaims) error {
	if k == nil {
		return fmt.Errorf("%w: there is no token key yet", satellite.ErrTokenInvalid)
	}
	if !tokenForm(text, limit) {
		return fmt.Errorf("%w: at most %d letters, digits, dots, hyphens and underscores", satellite.ErrTokenInvalid, limit)
	}
	_, err := tokenParser.ParseWithClaims(text, claims, func(token *jwt.Token) (any, error) { return k.find(token, claims) })
	switch {
	case errors.Is(err, satellite.ErrTokenForeign):
		return satellite.ErrTokenForeign
	case err != nil:
		return fmt.Errorf("%w: %v", satellite.ErrTokenInvalid, err)
	}
	return nil
}

// find returns the keys that may have signed a token.
func (k *tokenKeys) find(token *jwt.Token, claims ownClaims) (jwt.VerificationKeySet, error) {
	var none jwt.VerificationKeySet
	if err := claims.check(); err != nil {
		return none, err
	}
	if issuer, err := claims.GetIssuer(); err != nil || issuer != k.issuer {
		return none, satellite.ErrTokenForeign
	}
	id, _ := token.Header["kid"].(string)
	found, ok := k.verifying[id]
	if !ok {
		return none, errors.New("no key of this satellite has its key id")
	}
	return jwt.VerificationKeySet{Keys: found}, nil
}

// tokenForm refuses early what no token looks like. The decoder alone would
// read over line breaks.
func tokenForm(text string, limit int) bool {
	if len(text) == 0 || len(text) > limit {
		return false
	}
	for i := range len(text) {
		switch c := text[i]; {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return true
}
