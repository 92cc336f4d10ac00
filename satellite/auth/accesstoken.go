package auth

import (
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"ssm/satellite"
)

const (
	accessAudience = "api"
	maxAccessText  = 1024 // ours have about 400 characters
)

// accessClaims is what an access token says. cli and usr are row ids, with the
// generation that each had when the token was issued.
type accessClaims struct {
	Expires          int64  `json:"exp"` // Unix seconds, like iat
	IssuedAt         int64  `json:"iat"`
	Issuer           string `json:"iss"`
	ID               string `json:"jti"`
	Audience         string `json:"aud"`
	Client           int64  `json:"cli"`
	ClientGeneration int64  `json:"clg"`
	User             int64  `json:"usr,omitempty"`
	UserGeneration   int64  `json:"usg,omitempty"`
}

// The methods of jwt.Claims. The parser validates none of them: see check.

func (c *accessClaims) GetExpirationTime() (*jwt.NumericDate, error) {
	return jwt.NewNumericDate(time.Unix(c.Expires, 0)), nil
}
func (c *accessClaims) GetIssuedAt() (*jwt.NumericDate, error)  { return nil, nil }
func (c *accessClaims) GetNotBefore() (*jwt.NumericDate, error) { return nil, nil }
func (c *accessClaims) GetIssuer() (string, error)              { return c.Issuer, nil }
func (c *accessClaims) GetSubject() (string, error)             { return "", nil }
func (c *accessClaims) GetAudience() (jwt.ClaimStrings, error) {
	return jwt.ClaimStrings{c.Audience}, nil
}

func (c *accessClaims) check() error {
	switch {
	case c.Audience != accessAudience:
		return errors.New("it is not for the API")
	case c.IssuedAt <= 0 || c.Expires <= c.IssuedAt:
		return errors.New("it has no time of issue and expiry")
	case c.Client <= 0:
		return errors.New("it names no client")
	case c.ID == "" || len(c.ID) > maxTokenField || c.Issuer == "" || len(c.Issuer) > maxTokenField:
		return errors.New("it has no id or issuer of a sensible length")
	}
	return nil
}

// SignAccess makes the text of an access token with the first key.
func (t *Tokens) SignAccess(claims satellite.AccessClaims) (string, error) {
	return t.keys.Load().sign(&accessClaims{
		Expires: claims.ExpiresAt.Unix(), IssuedAt: claims.IssuedAt.Unix(), Issuer: claims.Issuer, ID: claims.ID, Audience: accessAudience,
		Client: int64(claims.APIClientID), ClientGeneration: claims.ClientGeneration, User: int64(claims.UserID), UserGeneration: claims.UserGeneration,
	})
}

// VerifyAccess reads the text of an access token; it does not judge its time.
// The errors are those of Verify.
func (t *Tokens) VerifyAccess(text string) (satellite.AccessClaims, error) {
	c := new(accessClaims)
	err := t.keys.Load().verify(text, maxAccessText, c)
	if err != nil && !errors.Is(err, satellite.ErrTokenForeign) {
		return satellite.AccessClaims{}, err
	}
	return satellite.AccessClaims{
		Issuer: c.Issuer, ID: c.ID, APIClientID: satellite.APIClientID(c.Client), ClientGeneration: c.ClientGeneration,
		UserID: satellite.UserID(c.User), UserGeneration: c.UserGeneration, IssuedAt: time.Unix(c.IssuedAt, 0).UTC(), ExpiresAt: time.Unix(c.Expires, 0).UTC(),
	}, err
}
