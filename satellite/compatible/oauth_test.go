package compatible_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"ssm/satellite"
	"ssm/satellite/auth"
	"ssm/satellite/compatible"
)

const (
	asForm = "application/x-www-form-urlencoded"
	asJSON = "application/json"
)

// program is an API client with its secret.
func (w *world) program(name string, g satellite.Grant) (client satellite.APIClient, secret string) {
	w.t.Helper()
	client, secret, err := w.service.CreateAPIClient(w.t.Context(), w.actors[administrator], name, g)
	if err != nil {
		w.t.Fatal(err)
	}
	return client, secret
}

// token asks the token endpoint; contentType "" sends none.
func (w *world) token(path, contentType, body string, headers ...string) reply {
	w.t.Helper()
	if contentType != "" {
		headers = append(headers, "Content-Type", contentType)
	}
	return w.send("", http.MethodPost, path, body, headers...)
}

// accessToken is the token of an answer, which must be one.
func (w *world) accessToken(got reply) string {
	w.t.Helper()
	var fields map[string]any
	if err := json.Unmarshal([]byte(got.body), &fields); err != nil {
		w.t.Fatal(err)
	}
	text, _ := fields["access_token"].(string)
	// Some clients take any field called error for a failure, whatever is in it.
	if got.status != http.StatusOK || len(fields) != 3 || text == "" || fields["token_type"] != "Bearer" || fields["expires_in"] != float64(3600) ||
		got.header.Get("Cache-Control") != "no-store" || got.header.Get("Content-Type") != asJSON {
		w.t.Fatalf("this is no access token: %d %v %s", got.status, got.header, got.body)
	}
	return text
}

// noToken is an answer that must be a refusal in the words of OAuth.
func (w *world) noToken(got reply, status int, code string) {
	w.t.Helper()
	var fields map[string]string
	err := json.Unmarshal([]byte(got.body), &fields)
	if err != nil || got.status != status || fields["error"] != code || fields["error_description"] == "" || len(fields) != 2 || got.header.Get("Cache-Control") != "no-store" {
		w.t.Errorf("got %d %s, want %d %s", got.status, got.body, status, code)
	}
	if challenge := got.header.Get("WWW-Authenticate"); (challenge == `Basic realm="satellite"`) != (status == http.StatusUnauthorized) {
		w.t.Errorf("%s is answered with the challenge %q", code, challenge)
	}
}

func TestAClientGetsATokenInEveryWayThatClientsAsk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client, secret := w.program("playbook", satellite.Grant{Role: satellite.RoleSystemAdmin})
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {client.ClientID}, "client_secret": {secret}, "scope": {"anything"}}.Encode()
	for name, ask := range map[string]func(path string) reply{
		"form":  func(path string) reply { return w.token(path, asForm, form) },
		"query": func(path string) reply { return w.token(path+"?"+form, "", "") },
		"typed": func(path string) reply { return w.token(path+"?"+form, asJSON, "") },
		"JSON": func(path string) reply {
			return w.token(path, asJSON+"; charset=UTF-8", `{"grant_type":"client_credentials","client_id":"`+client.ClientID+`","client_secret":"`+secret+`"}`)
		},
		"header": func(path string) reply {
			return w.token(path, asForm, "grant_type=client_credentials", "Authorization", basic(client.ClientID, secret))
		},
		"both": func(path string) reply {
			return w.token(path, asForm, form, "Authorization", basic(client.ClientID, secret))
		},
		"mixed": func(path string) reply {
			return w.token(path+"?grant_type=client_credentials&client_id="+client.ClientID, asForm, "client_secret="+secret)
		},
		"doubled /": func(path string) reply { return w.token("/"+path+"/", asForm, form) },
	} {
		for _, path := range []string{"/oauth/token", "/backend/oauth/token", "/as/token.oauth2", "/oauth2/default/v1/token"} {
			text := w.accessToken(ask(path))
			if got := w.send(text, http.MethodGet, accountsPath, ""); got.status != http.StatusOK || !strings.Contains(got.body, labs) {
				t.Errorf("with the token of %s by %s: %d %s", path, name, got.status, got.body)
			}
		}
	}
	again := must(w.service.FindAPIClient(t.Context(), w.actors[administrator], "playbook"))(t)
	if again.LastUsedAt != now || again.LastSource != "127.0.0.1" {
		t.Errorf("it was used last on %s from %q", again.LastUsedAt, again.LastSource)
	}
}

func basic(id, secret string) string {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
	return r.Header.Get("Authorization")
}

func TestAUserGetsATokenThatDoesWhatHisRolesDo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client, secret := w.program("dashboard", satellite.Grant{Role: satellite.RoleSystemAdmin})
	account := w.accounts[tokyo].ID
	const password = "correct horse & battery + staple"
	must(w.service.CreateUser(t.Context(), w.actors[administrator], satellite.NewUser{
		Email: "viewer@tokyo.example", Profile: satellite.Person("Viewer"), Password: password, Access: &satellite.Grant{AccountID: account, Role: satellite.RoleAccountViewer},
	}))(t)
	ask := func(password string) reply {
		return w.token("/oauth/token", asForm, url.Values{"grant_type": {"password"}, "client_id": {client.ClientID}, "client_secret": {secret}, "username": {"Viewer@tokyo.example"}, "password": {password}}.Encode())
	}
	text := w.accessToken(ask(password))
	w.refused(w.v1(text, http.MethodPost, "/accounts/Acme%20東京/virtual-accounts", `{"name":"X"}`), 403, "roles")
	if got := w.send(text, http.MethodGet, accountsPath, ""); strings.Contains(got.body, labs) || !strings.Contains(got.body, "Smart Account Viewer") {
		t.Errorf("the viewer sees %s", got.body)
	}
	w.noToken(ask("wrong"), 400, "invalid_grant")
	w.noToken(w.token("/oauth/token", asJSON, `{"grant_type":"password","client_id":"`+client.ClientID+`","client_secret":"`+secret+`","username":"nobody@tokyo.example","password":"wrong"}`), 400, "invalid_grant")
	w.noToken(w.token("/oauth/token", asJSON, `{"grant_type":"password","client_id":"`+client.ClientID+`","client_secret":"x","username":"viewer@tokyo.example","password":"`+password+`"}`), 401, "invalid_client")
	// Guessing is slowed down together with that at the console.
	for range 5 {
		ask("wrong")
	}
	got := ask(password)
	w.noToken(got, 429, "slow_down")
	if got.header.Get("Retry-After") == "" {
		t.Error("nobody says when to come back")
	}
	if _, ok := w.signIns.Allow("127.0.0.1", "viewer@tokyo.example"); ok {
		t.Error("the console lets the same address go on guessing")
	}
}

func TestAStrangerCannotTellAnUnknownClientFromAWrongSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client, secret := w.program("playbook", satellite.Grant{Role: satellite.RoleSystemAdmin})
	revoked, old := w.program("old", satellite.Grant{Role: satellite.RoleSystemAdmin})
	must(w.service.RevokeAPIClient(t.Context(), w.actors[administrator], "old"))(t)
	ask := func(id, secret string) string {
		got := w.token("/oauth/token", asForm, url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}}.Encode())
		w.noToken(got, 401, "invalid_client")
		for _, volatile := range []string{"X-Request-Id", "Date"} {
			got.header.Del(volatile)
		}
		return got.body + string(must(json.Marshal(got.header))(t))
	}
	wrong := ask(client.ClientID, secret+"x")
	for name, other := range map[string]string{
		"an unknown client": ask("abcdefghijkmnpqrstuv", secret), "a revoked client": ask(revoked.ClientID, old), "another's secret": ask(client.ClientID, old),
		"an endless id": ask(strings.Repeat("a", 10_000), secret), "an endless secret": ask(client.ClientID, strings.Repeat("a", 10_000)), "a name for an id": ask("playbook", secret),
	} {
		if other != wrong {
			t.Errorf("%s is told apart:\n%s\n%s", name, other, wrong)
		}
	}
}

func TestTheTokenEndpointRefusesInTheWordsOfOAuth(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client, secret := w.program("playbook", satellite.Grant{Role: satellite.RoleSystemAdmin})
	both := "&client_id=" + client.ClientID + "&client_secret=" + secret
	for _, c := range []struct {
		contentType, body string
		status            int
		code              string
	}{
		{asForm, "", 400, "invalid_request"},
		{asForm, "grant_type=client_credentials", 400, "invalid_request"},
		{asForm, "grant_type=client_credentials&client_id=" + client.ClientID, 400, "invalid_request"},
		{asForm, "grant_type=password" + both, 400, "invalid_request"},
		{asForm, "grant_type=authorization_code" + both, 400, "unsupported_grant_type"},
		{asForm, "grant_type=client_credentials&grant_type=password" + both, 400, "invalid_request"},
		{asForm, "grant_type=%zz" + both, 400, "invalid_request"},
		{asJSON, `{"grant_type":"client_credentials","client_id":"a","client_id":"b"}`, 400, "invalid_request"},
		{asJSON, `{"grant_type":["client_credentials"],"client_id":"a","client_secret":"b"}`, 400, "invalid_request"},
		{asJSON, `[`, 400, "invalid_request"},
		{asJSON, strings.Repeat(`{"a":`, 2_000), 400, "invalid_request"},
		{"text/xml", "<a/>", 415, "invalid_request"},
		{asForm, strings.Repeat("a", 2<<20), 413, "invalid_request"},
	} {
		w.noToken(w.token("/oauth/token", c.contentType, c.body), c.status, c.code)
	}
	w.noToken(w.token("/oauth/token", asForm, "grant_type=client_credentials"+both, "Authorization", basic("another", secret)), 400, "invalid_request")
	if got := w.send("", http.MethodGet, "/oauth/token?grant_type=client_credentials"+both, ""); got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != "POST" {
		t.Errorf("GET is answered %d %v %s", got.status, got.header, got.body)
	}
}

func TestTenThousandWrongSecretsAreSlowedDownAndShutNobodyElseOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good, secret := w.program("good", satellite.Grant{Role: satellite.RoleSystemAdmin})
	bad, _ := w.program("bad", satellite.Grant{Role: satellite.RoleSystemAdmin})
	wrong := "grant_type=client_credentials&client_secret=wrong&client_id=" + bad.ClientID
	refused, throttled := 0, 0
	for range 10_000 {
		switch got := w.token("/oauth/token", asForm, wrong); got.status {
		case http.StatusUnauthorized:
			refused++
		case http.StatusTooManyRequests:
			if throttled++; got.header.Get("Retry-After") == "" {
				t.Fatal("nobody says when to come back")
			}
		default:
			t.Fatalf("got %d %s", got.status, got.body)
		}
	}
	if refused < 100 || throttled < 9_000 {
		t.Errorf("%d were looked at, %d were not", refused, throttled)
	}
	w.accessToken(w.token("/oauth/token", asForm, "grant_type=client_credentials&client_secret="+secret+"&client_id="+good.ClientID))
	// Whoever changes the id with each try meets the bound of his address.
	tries := 0
	for ; tries < 1_000; tries++ {
		if got := w.token("/oauth/token", asForm, "grant_type=client_credentials&client_secret=wrong&client_id=id"+string(rune('a'+tries%26))+strings.Repeat("x", tries/26)); got.status == http.StatusTooManyRequests {
			break
		}
	}
	if tries == 1_000 {
		t.Error("one address may try a thousand clients")
	}
}

func TestNeitherSecretsNorTokensNorQueriesAreLogged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client, secret := w.program("playbook", satellite.Grant{Role: satellite.RoleSystemAdmin})
	var log bytes.Buffer
	handler := compatible.Handler(compatible.Options{
		Service: w.service, Now: machine, SignIns: auth.NewLimiter(machine), Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	ask := func(path, authorization string) string {
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(""))
		request.Header.Set("Authorization", authorization)
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, request)
		return recorder.Body.String()
	}
	answer := ask("/oauth/token?grant_type=client_credentials&client_id="+client.ClientID+"&client_secret="+secret, "")
	var token struct {
		Text string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(answer), &token); err != nil || token.Text == "" {
		t.Fatalf("%v: %s", err, answer)
	}
	ask("/api/v1/upstream_satellites/accounts", "Bearer "+token.Text)
	ask("/oauth/token?grant_type=client_credentials&client_id="+client.ClientID+"&client_secret=wrong"+secret, "")
	if text := log.String(); strings.Count(text, "msg=request") != 3 || strings.Contains(text, secret) || strings.Contains(text, token.Text) || strings.Contains(text, "client_id") {
		t.Errorf("the log says:\n%s", text)
	}
}

func TestATokenEndsWithItsHourItsClientAndItsSatellite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	claims := satellite.AccessClaims{Issuer: w.service.ID(), ID: "x", APIClientID: w.client.ID, IssuedAt: now, ExpiresAt: now.Add(time.Hour)}
	signed := func(signer *auth.Tokens, change func(*satellite.AccessClaims)) string {
		c := claims
		change(&c)
		return must(signer.SignAccess(c))(t)
	}
	other := newWorld(t)
	foreign := signed(other.signer, func(c *satellite.AccessClaims) { c.Issuer = other.service.ID() })
	w.done(w.send(signed(w.signer, func(*satellite.AccessClaims) {}), http.MethodGet, accountsPath, ""), `{"status":"SUCCESS","statusMessage":"","accounts":[]}`)
	for words, text := range map[string]string{
		"expired":                         signed(w.signer, func(c *satellite.AccessClaims) { c.IssuedAt, c.ExpiresAt = now.Add(-time.Hour), now }),
		"expired on":                      signed(w.signer, func(c *satellite.AccessClaims) { c.IssuedAt, c.ExpiresAt = now.Add(2*time.Minute), now.Add(time.Hour) }),
		"has ended":                       signed(w.signer, func(c *satellite.AccessClaims) { c.ClientGeneration = 7 }),
		"client or user":                  signed(w.signer, func(c *satellite.AccessClaims) { c.APIClientID = 1_000 }),
		"issued by satellite":             foreign,
		"no access token":                 signed(other.signer, func(*satellite.AccessClaims) {}), // another's key under our name
		"This is no access token of this": "a.b.c",
	} {
		got := w.send(text, http.MethodGet, accountsPath, "")
		w.refused(got, 401, words)
		if got.header.Get("WWW-Authenticate") != `Bearer realm="satellite", error="invalid_token"` {
			t.Errorf("the challenge is %q", got.header.Get("WWW-Authenticate"))
		}
	}
	must(w.service.RevokeAPIClient(t.Context(), w.actors[administrator], w.client.ClientID))(t)
	w.refused(w.send("stranger", http.MethodGet, accountsPath, ""), 401, "has ended")
}

var _ = calls(map[string]golden{
	"POST token ": {
		file: "token", volatile: []string{"access_token"},
		fields: []field{{"access_token", "string", "never"}, {"token_type", "string", "never"}, {"expires_in", "number", "never"}},
		answers: map[string]func(*world) reply{
			"full": func(w *world) reply { return w.tokenOf(satellite.Grant{Role: satellite.RoleSystemAdmin}) },
			// Who may do nothing gets a token that does nothing.
			"empty": func(w *world) reply { return w.tokenOf(satellite.Grant{Role: satellite.RoleSystemUser}) },
		},
	},
})

func (w *world) tokenOf(g satellite.Grant) reply {
	w.t.Helper()
	client, secret := w.program("golden", g)
	return w.token("/oauth/token", asForm, "grant_type=client_credentials&client_id="+client.ClientID+"&client_secret="+secret)
}
