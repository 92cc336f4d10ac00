package adminapi_test

import (
	"net/http"
	"strings"
	"testing"

	"ssm/satellite"
	"ssm/satellite/web"
)

// client makes an API client, as the local administrator does.
func (w *world) client(name string, g satellite.Grant) satellite.APIClient {
	w.t.Helper()
	client, _, err := w.service.CreateAPIClient(w.t.Context(), satellite.Actor{Name: "local:0", Role: satellite.RoleSystemAdmin}, name, g)
	if err != nil {
		w.t.Fatal(err)
	}
	return client
}

// show is the text of an access token of a client, as of now.
func (w *world) show(c satellite.APIClient) string {
	w.t.Helper()
	return w.claim(satellite.AccessClaims{Issuer: w.service.ID(), APIClientID: c.ID, ClientGeneration: c.Generation, IssuedAt: now, ExpiresAt: now.Add(satellite.AccessTokenLife)})
}

func (w *world) claim(c satellite.AccessClaims) string {
	w.t.Helper()
	c.ID = "a"
	return must(w.signer.SignAccess(c))(w.t)
}

func TestWithoutAnAccessTokenThatHoldsNoRouteAnswers(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t), newWorld(t)
	admin := satellite.Actor{Name: "local:0", Role: satellite.RoleSystemAdmin}
	good, revoked := w.client("good", satellite.Grant{Role: satellite.RoleSystemAdmin}), w.client("revoked", satellite.Grant{Role: satellite.RoleSystemAdmin})
	must(w.service.RevokeAPIClient(t.Context(), admin, revoked.ClientID))(t)
	w.expect(w.call(http.MethodPost, "/accounts", asJSON, `{"name":"A","email":"a@example.com"}`), 201, "")
	w.settle("A")
	w.expect(w.call(http.MethodPost, "/accounts/A/agreement/accept", asJSON, `{"version":"1"}`), 200, "")
	registration := tokenOf(t, w.call(http.MethodPost, "/tokens", asJSON, `{"account":"A"}`))
	cookie, csrf := w.signIn(satellite.RoleSystemAdmin)
	if got := w.send(w.console.Client(), w.console.URL, http.MethodGet, "/accounts", "", "", "Authorization", "Bearer "+w.show(good)); got.status != http.StatusOK {
		t.Fatalf("a good one is answered %d %s", got.status, got.body)
	}
	for name, c := range map[string]struct{ token, code string }{
		"expired":      {w.claim(satellite.AccessClaims{Issuer: w.service.ID(), APIClientID: good.ID, IssuedAt: now.Add(-satellite.AccessTokenLife), ExpiresAt: now}), "access-token-expired"},
		"revoked":      {w.show(revoked), "access-token-revoked"},
		"foreign":      {other.show(other.client("good", satellite.Grant{Role: satellite.RoleSystemAdmin})), "access-token-foreign"},
		"registration": {registration, "access-token-invalid"},
		"empty":        {"", "access-token-invalid"},
	} {
		for path, operations := range describe(t, w).Paths {
			for method := range operations {
				// A session beside it does not help: what is shown counts.
				got := w.send(w.console.Client(), w.console.URL, strings.ToUpper(method), parameter.ReplaceAllString(path, "1"), asJSON, "{}",
					"Authorization", "Bearer "+c.token, "Cookie", cookie, "X-CSRF-Token", csrf)
				if got.status != http.StatusUnauthorized || got.header.Get("Content-Type") != web.ProblemType || !strings.Contains(got.body, `"code":"`+c.code+`"`) ||
					got.header.Get("WWW-Authenticate") != `Bearer realm="satellite", error="invalid_token"` {
					t.Errorf("%s %s with a token that is %s: %d %v %s", method, path, name, got.status, got.header, got.body)
				}
			}
		}
	}
}
