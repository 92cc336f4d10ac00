package compatible

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"ssm/satellite"
	"ssm/satellite/web"
)

// accessToken is the answer of the token endpoint (RFC 6749, section 5.1).
type accessToken struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"` // seconds
}

// tokenProblem is its refusal (section 5.2).
type tokenProblem struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

// The grants of the token endpoint.
const (
	grantClient   = "client_credentials"
	grantPassword = "password"
)

// issueToken gives an access token for a client's id and secret; with the
// grant password one that acts as a user.
func (a *api) issueToken(ctx context.Context, c *call) (any, error) {
	grant := c.in.required("grant_type")
	id, secret := a.clientOf(c)
	var email, password string
	if grant == grantPassword {
		email, password = c.in.required("username"), c.in.required("password")
	}
	if err := c.in.err(); err != nil {
		return nil, err
	}
	if grant != grantClient && grant != grantPassword {
		return nil, &satellite.Error{
			Kind: satellite.KindInvalid, Code: "grant-unsupported",
			Message: "The grant type is none that is given here.", Hint: "Use client_credentials or password.",
		}
	}
	wait, ok := a.guesses.begin(c.actor.Source, id)
	if !ok {
		return nil, tooManyTries(c, seconds(wait))
	}
	var token satellite.AccessToken
	var err error
	if grant == grantClient {
		token, err = a.service.ClientAccessToken(ctx, c.actor.Source, id, secret)
	} else {
		token, err = a.passwordToken(ctx, c, id, secret, email, password)
	}
	if satellite.CodeOf(err) != "invalid-client" {
		a.guesses.forgive(c.actor.Source, id)
	}
	if err != nil {
		return nil, err
	}
	return accessToken{AccessToken: token.Text, TokenType: "Bearer", ExpiresIn: int64(token.ExpiresIn.Seconds())}, nil
}

// passwordToken counts wrong passwords together with those of the console, so
// that nobody gets twice as many tries.
func (a *api) passwordToken(ctx context.Context, c *call, id, secret, email, password string) (satellite.AccessToken, error) {
	wait, ok := a.signIns.Allow(c.actor.Source, email)
	if !ok {
		return satellite.AccessToken{}, tooManyTries(c, seconds(wait))
	}
	token, err := a.service.PasswordAccessToken(ctx, c.actor.Source, id, secret, email, password)
	if satellite.KindOf(err) == satellite.KindUnauthenticated {
		// A wrong client counts as well: each try that was allowed needs an outcome.
		a.signIns.Failed(c.actor.Source, email)
	} else if err == nil {
		a.signIns.Succeeded(c.actor.Source, email)
	}
	return token, err
}

func tooManyTries(c *call, wait string) error {
	c.answer.Set(echo.HeaderRetryAfter, wait)
	return &satellite.Error{
		Kind: satellite.KindTooMany, Code: "sign-in-throttled",
		Message: "There were too many wrong tries. Nothing was looked at.", Hint: "Try again in " + wait + " seconds.",
	}
}

// clientOf is who asks, by the Authorization header or by the parameters.
func (a *api) clientOf(c *call) (id, secret string) {
	request := http.Request{Header: c.header}
	user, password, shown := request.BasicAuth()
	if !shown {
		return c.in.required("client_id"), c.in.required("client_secret")
	}
	// Both are form-encoded in it (section 2.3.1).
	id, idErr := url.QueryUnescape(user)
	secret, secretErr := url.QueryUnescape(password)
	if other := c.in.text("client_id"); idErr != nil || secretErr != nil || id == "" || other != "" && other != id {
		c.in.wrong("client_id", "is another one than in the Authorization header, or cannot be read")
	}
	return id, secret
}

// guesses slows down who tries secrets. A secret cannot be guessed, so this
// keeps the noise and the load down, and takes care that a script with an old
// secret does not shut out the others of its machine.
type guesses struct{ client, address *rate }

func newGuesses(now func() time.Time) guesses {
	return guesses{client: newRate(now, 100, 1), address: newRate(now, 500, 10)}
}

// begin counts a try as wrong until forgive is called.
func (g guesses) begin(address, client string) (wait time.Duration, ok bool) {
	if wait, ok = g.client.take(address + " " + clip(client)); !ok {
		return wait, false
	}
	if wait, ok = g.address.take(address); !ok {
		g.client.give(address + " " + clip(client))
	}
	return wait, ok
}

func (g guesses) forgive(address, client string) {
	g.client.give(address + " " + clip(client))
	g.address.give(address)
}

// refuseToken is what a refusal of the token endpoint is in the words of OAuth.
func refuseToken(c echo.Context, err error, p web.Problem) (status int, body any) {
	problem := tokenProblem{Error: "invalid_request", Description: describable(p.Error())}
	status = p.Status
	var refusal *satellite.Error
	code := ""
	if errors.As(err, &refusal) {
		code = refusal.Code
	}
	switch {
	case code == "invalid-client":
		problem.Error = "invalid_client"
		c.Response().Header().Set(echo.HeaderWWWAuthenticate, `Basic realm="satellite"`)
	case code == "sign-in-refused":
		problem.Error, status = "invalid_grant", http.StatusBadRequest
	case code == "grant-unsupported":
		problem.Error = "unsupported_grant_type"
	case status == http.StatusTooManyRequests:
		problem.Error = "slow_down"
	case status == http.StatusServiceUnavailable:
		problem.Error = "temporarily_unavailable"
	case status >= 500:
		problem.Error = "server_error"
	}
	return status, problem
}

// describable is text in the characters that an error_description may have.
func describable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '"':
			return '\''
		case r < ' ' || r > '~' || r == '\\':
			return '?'
		}
		return r
	}, text)
}
