package web

import (
	"context"
	"net/http"
	"strings"

	"ssm/satellite"
)

// AccessToken is the access token that a request shows in its Authorization
// header, and whether it shows one at all. A token in a query is not read: paths
// and queries stand in the logs of others.
func AccessToken(r *http.Request) (text string, shown bool) {
	scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	return strings.TrimSpace(text), true
}

// Authenticate is who shows the access token of a request. KindUnauthenticated
// where there is none, or none that is accepted.
func Authenticate(ctx context.Context, service *satellite.Service, r *http.Request) (satellite.Actor, error) {
	text, shown := AccessToken(r)
	if !shown {
		return satellite.Actor{}, &satellite.Error{
			Kind: satellite.KindUnauthenticated, Code: "access-token-missing",
			Message: "The request shows no access token. Nothing was changed.",
			Hint:    "Get one at /oauth/token and send it in the header Authorization: Bearer TOKEN.",
		}
	}
	return service.ActorOfAccessToken(ctx, text, ClientAddress(r))
}

// Challenge says in the header of a refusal how to authenticate, as RFC 6750
// wants it where an access token could help.
func Challenge(header http.Header, r *http.Request) {
	challenge := `Bearer realm="satellite"`
	if _, shown := AccessToken(r); shown {
		challenge += `, error="invalid_token"`
	}
	header.Set("WWW-Authenticate", challenge)
}
