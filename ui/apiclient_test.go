package ui

import (
	"context"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"ssm/satellite"
)

var secretText = regexp.MustCompile(`data-copy="([a-z2-9]{52})"`)

// shownSecret is the one secret that a page shows.
func (r reply) shownSecret(t *testing.T) string {
	t.Helper()
	found := secretText.FindAllStringSubmatch(r.text, -1)
	if len(found) == 0 {
		t.Fatalf("%s shows no secret:\n%s", r.Request.URL.Path, visible(r.text))
	}
	for _, one := range found {
		if one[1] != found[0][1] {
			t.Errorf("%s shows two secrets", r.Request.URL.Path)
		}
	}
	if r.Header.Get("Cache-Control") != "no-store" || r.Request.Method != http.MethodPost {
		t.Errorf("the secret is in an answer to %s that may be kept: %s", r.Request.Method, r.Header.Get("Cache-Control"))
	}
	return found[0][1]
}

// onlyClient is the client of a name as the service has it.
func (s *site) onlyClient(name string) satellite.APIClient {
	s.t.Helper()
	client, err := s.service.FindAPIClient(s.t.Context(), admin, name)
	s.must(err)
	return client
}

// proves tells whether a secret still gets an access token.
func (s *site) proves(client satellite.APIClient, secret string) bool {
	s.t.Helper()
	_, err := s.service.ClientAccessToken(context.Background(), "192.0.2.9", client.ClientID, secret)
	if err != nil && satellite.CodeOf(err) != "invalid-client" {
		s.t.Fatal(err)
	}
	return err == nil
}

// keeps tells whether a text is in the database, as it is on the disk.
func (s *site) keeps(text string) bool {
	s.t.Helper()
	found := false
	for _, end := range []string{"", "-wal"} {
		content, err := os.ReadFile(s.path + end)
		s.must(err)
		found = found || strings.Contains(string(content), text)
	}
	return found
}

func TestAnAPIClientFromTheEmptyPageToItsEnd(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.administrator()
	v.get("/api-clients").expect(t, http.StatusOK, "No API clients yet", "satellite api-client create --name nightly-export", `href="/api-clients/new"`, `href="/api/v2/docs"`)
	v.get("/api-clients/new").expect(t, http.StatusOK, "The whole satellite", "Everything on the satellite.", `value="system-admin" checked`)
	v.post("/api-clients/new", "/api-clients", map[string]string{"name": " ", "role": "system-admin"}).expect(t, http.StatusBadRequest, "Nothing was created", `value="system-admin" checked`)
	v.post("/api-clients/new", "/api-clients", map[string]string{"name": "Export", "role": "emperor"}).expect(t, http.StatusBadRequest, "no system role", `value="Export"`)

	created := v.post("/api-clients/new", "/api-clients", map[string]string{"name": "Nightly <export>", "role": "system-admin"}).expect(t, http.StatusOK, "Nightly &lt;export&gt;", "this one time")
	secret, client := created.shownSecret(t), s.onlyClient("Nightly <export>")
	host := strings.TrimPrefix(s.server.URL, "https://")
	for _, line := range []string{
		"https://sat-01.tsukishiro.example:8443/ca.pem", "--user " + client.ClientID + ":" + secret + ` \`, "--data grant_type=client_credentials https://" + host + "/oauth/token",
		"https://" + host + "/api/v2/accounts",
	} {
		created.expect(t, http.StatusOK, line)
	}
	if !s.proves(client, secret) {
		t.Error("the secret of the page is not the client's")
	}
	// Sent again, as a reload does, it makes no second client and tells no second secret.
	again := v.post("/api-clients/new", "/api-clients", map[string]string{"name": "Nightly <export>", "role": "system-admin"}).expect(t, http.StatusConflict, "already")
	if secretText.MatchString(again.text) {
		t.Error("a form that is sent again shows a secret")
	}

	page := "/api-clients/" + client.ClientID
	v.get("/api-clients").expect(t, http.StatusOK, client.ClientID, "System Admin", "Active", "23 Nov 2026, 09:40", "192.0.2.9")
	v.get(page).expect(t, http.StatusOK, client.ClientID+":CLIENT_SECRET", "24 hours more", "Revoke Nightly", admin.Name, "192.0.2.9")

	v.post(page, page+"/revoke", map[string]string{"confirm": "Nightly"}).expect(t, http.StatusBadRequest, "another one")
	if !s.proves(client, secret) {
		t.Error("a wrong name ended the client")
	}
	v.post(page, page+"/revoke", map[string]string{"confirm": "Nightly <export>"}).leadsTo(t, "/api-clients")
	v.get("/api-clients").expect(t, http.StatusOK, "was revoked", "No API clients yet", "1 revoked client", page)
	text := v.get(page).expect(t, http.StatusOK, "was revoked").text
	for _, form := range []string{page + "/revoke", page + "/rotate", "CLIENT_SECRET"} {
		if strings.Contains(text, form) {
			t.Errorf("the page of a revoked client offers %s", form)
		}
	}
	v.post("/", page+"/rotate", map[string]string{"overlap": "24"}).expect(t, http.StatusConflict, "was revoked on")
	if s.proves(client, secret) {
		t.Error("a revoked client gets tokens")
	}
	for _, later := range []string{"/", "/api-clients", page, "/events", "/api-clients/new"} {
		if strings.Contains(v.get(later).text, secret) {
			t.Errorf("%s shows the secret", later)
		}
	}
	if !s.keeps(client.ClientID) || s.keeps(secret) {
		t.Error("the database must hold the client id, and the secret nowhere")
	}
	v.get("/events").expect(t, http.StatusOK, "API client created", "API client revoked")
}

func TestASecretIsRotatedOnceForEachFormThatAsksForIt(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.administrator()
	first := v.post("/api-clients/new", "/api-clients", map[string]string{"name": "Export", "role": "system-admin"}).shownSecret(t)
	client := s.onlyClient("Export")
	page := "/api-clients/" + client.ClientID
	current := regexp.MustCompile(`name="current" value="([^"]+)"`)
	form := func(overlap string) map[string]string {
		return map[string]string{"overlap": overlap, "current": current.FindStringSubmatch(v.get(page).text)[1]}
	}
	sent := form("24")
	second := v.post(page, page+"/rotate", sent).expect(t, http.StatusOK, "accepted until 24 Nov 2026, 09:40 UTC").shownSecret(t)
	if first == second || !s.proves(client, first) || !s.proves(client, second) {
		t.Error("both secrets must be accepted now")
	}
	again := v.post(page, page+"/rotate", sent).expect(t, http.StatusConflict, "another secret since this form was opened")
	if secretText.MatchString(again.text) || !s.proves(client, first) {
		t.Error("a form that is sent again must leave both secrets as they are")
	}
	v.get("/api-clients").expect(t, http.StatusOK, "Old secret until 24 Nov 2026, 09:40")
	v.get(page).expect(t, http.StatusOK, "Another new secret ends it at once")
	s.advance(25 * time.Hour)
	v = s.signIn(admin.Name)
	if s.proves(client, first) || !s.proves(client, second) {
		t.Error("the first secret must have ended, the second must not")
	}
	if text := v.get(page).text; strings.Contains(text, "ends it at once.") || strings.Contains(text, "Old secret until") {
		t.Error("the page still speaks of the first secret")
	}
	v.post(page, page+"/rotate", form("721")).expect(t, http.StatusBadRequest, "0 to 720 hours")
	v.post(page, page+"/rotate", form("-1")).expect(t, http.StatusBadRequest, "Nothing was changed")
	v.post(page, page+"/rotate", form("soon")).expect(t, http.StatusBadRequest, "whole number")
	third := v.post(page, page+"/rotate", form("0")).expect(t, http.StatusOK, "all access tokens have ended").shownSecret(t)
	if s.proves(client, second) || !s.proves(client, third) {
		t.Error("without an overlap the secret before must end at once")
	}
	for _, secret := range []string{first, second, third} {
		if s.keeps(secret) {
			t.Error("the database holds a secret")
		}
	}
}

func TestTheRolesOfAClientFollowItsPlace(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	account, other := s.account("Tsukishiro Telecom", false), s.account("Kobato Densetsu", false)
	lab, err := s.service.CreateVirtualAccount(t.Context(), admin, account.ID, "Lab", "")
	s.must(err)
	number := func(id satellite.VirtualAccountID) string { return strconv.FormatInt(int64(id), 10) }
	v := s.administrator()
	create := func(fields map[string]string) reply { return v.post("/api-clients/new", "/api-clients", fields) }
	// Without JavaScript a button asks for what belongs to a place; nothing is created by that.
	create(map[string]string{"name": "Dash", "role": "system-admin", "account": "1", "choose": "place"}).
		expect(t, http.StatusOK, `value="Dash"`, "Lab", "The whole account", `value="account-admin" checked`)
	create(map[string]string{"name": "Dash", "account": "1", "virtual_account": number(lab.ID), "choose": "place"}).expect(t, http.StatusOK, `value="virtual-account-viewer"`)
	// What was chosen for one place is refused in another, and never widened.
	create(map[string]string{"name": "Dash", "role": "system-admin", "account": "1"}).expect(t, http.StatusBadRequest, "no role", `value="account-viewer"`)
	create(map[string]string{"name": "Dash", "role": "virtual-account-admin", "account": "2", "virtual_account": number(lab.ID)}).expect(t, http.StatusBadRequest, "not in the chosen account")
	create(map[string]string{"name": "Dash", "role": "virtual-account-admin", "virtual_account": number(lab.ID)}).expect(t, http.StatusBadRequest, "not in the chosen account")
	create(map[string]string{"name": "Dash", "role": "account-admin", "account": "9"}).expect(t, http.StatusBadRequest, "no such account")
	if clients, err := s.service.APIClients(t.Context(), admin); err != nil || len(clients) != 0 {
		t.Fatalf("%d clients were created, %v", len(clients), err)
	}
	create(map[string]string{"name": "Dash", "role": "virtual-account-viewer", "account": "1", "virtual_account": number(lab.ID)}).shownSecret(t)
	if client := s.onlyClient("Dash"); client.Grant != (satellite.Grant{AccountID: account.ID, VirtualAccountID: lab.ID, Role: satellite.RoleVirtualAccountViewer}) {
		t.Errorf("the client may %+v", client.Grant)
	}
	create(map[string]string{"name": "Poll", "role": "account-viewer", "account": "2"}).shownSecret(t)
	v.get("/api-clients").expect(t, http.StatusOK, "Virtual Account Viewer", "Tsukishiro Telecom / Lab", "Account Viewer", "Kobato Densetsu")
	v.get("/api-clients/"+s.onlyClient("Poll").ClientID).expect(t, http.StatusOK, other.Name)
}

func TestWhoManagesAPlaceManagesItsClientsAndNoOther(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	account := s.account("Tsukishiro Telecom", false)
	s.account("Kobato Densetsu", false)
	lab, err := s.service.CreateVirtualAccount(t.Context(), admin, account.ID, "Lab", "")
	s.must(err)
	foreign, _, err := s.service.CreateAPIClient(t.Context(), admin, "Whole", satellite.Grant{Role: satellite.RoleSystemAdmin})
	s.must(err)
	own, _, err := s.service.CreateAPIClient(t.Context(), admin, "Bench", satellite.Grant{AccountID: account.ID, VirtualAccountID: lab.ID, Role: satellite.RoleVirtualAccountUser})
	s.must(err)
	virtual, err := s.service.VirtualAccounts(t.Context(), admin, account.ID)
	s.must(err)
	s.user("lab@tsukishiro.example", "Lab", satellite.RoleSystemUser,
		satellite.Grant{AccountID: account.ID, VirtualAccountID: lab.ID, Role: satellite.RoleVirtualAccountAdmin},
		satellite.Grant{AccountID: account.ID, VirtualAccountID: virtual[0].ID, Role: satellite.RoleVirtualAccountViewer}) // Default, where he only reads
	s.user("reader@tsukishiro.example", "Reader", satellite.RoleSystemUser, satellite.Grant{AccountID: account.ID, Role: satellite.RoleAccountViewer})
	s.user("operator@tsukishiro.example", "Operator", satellite.RoleSystemOperator)

	v := s.signIn("lab@tsukishiro.example")
	v.get("/accounts").expect(t, http.StatusOK, `href="/api-clients"`)
	if text := v.get("/api-clients").expect(t, http.StatusOK, "Bench").text; strings.Contains(text, "Whole") {
		t.Error("who manages Lab sees a client of the satellite")
	}
	form := v.get("/api-clients/new").expect(t, http.StatusOK, "Tsukishiro Telecom", "Lab", `value="virtual-account-admin" checked`).text
	for _, word := range []string{"The whole satellite", "The whole account", "Kobato Densetsu", ">Default<", "system-admin"} {
		if strings.Contains(form, word) {
			t.Errorf("who manages Lab is offered %s", word)
		}
	}
	post := func(fields map[string]string) reply { return v.post("/api-clients/new", "/api-clients", fields) }
	post(map[string]string{"name": "X", "role": "system-admin"}).expect(t, http.StatusForbidden, "do not allow this")
	post(map[string]string{"name": "X", "role": "account-viewer", "account": "1"}).expect(t, http.StatusForbidden, "do not allow this")
	post(map[string]string{"name": "X", "role": "account-viewer", "account": "2"}).expect(t, http.StatusBadRequest, "no such account")
	hidden := "/api-clients/" + foreign.ClientID
	v.get(hidden).expect(t, http.StatusNotFound)
	for _, act := range []string{"/rotate", "/revoke"} {
		v.post("/", hidden+act, map[string]string{"confirm": "Whole", "overlap": "0"}).expect(t, http.StatusNotFound)
	}
	post(map[string]string{"name": "Mine", "role": "virtual-account-user", "account": "1", "virtual_account": strconv.FormatInt(int64(lab.ID), 10)}).shownSecret(t)

	for _, name := range []string{"reader@tsukishiro.example", "operator@tsukishiro.example"} {
		v := s.signIn(name)
		if strings.Contains(v.get("/accounts").expect(t, http.StatusOK).text, "/api-clients") {
			t.Errorf("%s is offered API access", name)
		}
		for _, page := range []string{"/api-clients", "/api-clients/new"} {
			v.get(page).expect(t, http.StatusForbidden, "do not allow this")
		}
		v.get("/api-clients/"+own.ClientID).expect(t, http.StatusNotFound)
		v.post("/", "/api-clients", map[string]string{"name": "X", "role": "system-admin"}).expect(t, http.StatusForbidden, "do not allow this")
		v.post("/", "/api-clients", map[string]string{"name": "X", "role": "system-admin", "choose": "place"}).expect(t, http.StatusForbidden, "do not allow this")
		v.post("/", "/api-clients/"+own.ClientID+"/revoke", map[string]string{"confirm": "Bench"}).expect(t, http.StatusNotFound)
	}
	if len(secretText.FindString(s.signIn("lab@tsukishiro.example").get("/api-clients/"+own.ClientID).expect(t, http.StatusOK).text)) > 0 {
		t.Error("the page of a client shows a secret")
	}
	if again := s.onlyClient("Bench"); !again.RevokedAt.IsZero() || again.SecretHash != own.SecretHash {
		t.Error("the client was changed by who may not")
	}
}
