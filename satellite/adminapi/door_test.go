package adminapi_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"ssm/satellite"
	"ssm/satellite/adminapi"
)

func TestOverHTTPSEveryOperationAsksForASession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tried := 0
	for path, operations := range describe(t, w).Paths {
		for method := range operations {
			tried++
			concrete := parameter.ReplaceAllString(path, "1")
			got := w.send(w.console.Client(), w.console.URL, strings.ToUpper(method), concrete, "", "")
			if got.status != http.StatusUnauthorized || !strings.Contains(got.body, `"code":"not-signed-in"`) {
				t.Errorf("%s %s without a session: status %d, %s", method, path, got.status, got.body)
			}
		}
	}
	if tried < 25 {
		t.Errorf("only %d operations are described", tried)
	}
	got := w.send(w.console.Client(), w.console.URL, http.MethodGet, "/openapi.json", "", "")
	w.expect(got, http.StatusUnauthorized, `"code":"not-signed-in"`)
}

func TestASessionReadsFreelyAndWritesWithItsToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client, base := w.console.Client(), w.console.URL
	cookie, csrf := w.signIn(satellite.RoleSystemAdmin)
	const account = `{"name":"A","email":"a@example.com"}`

	w.expect(w.send(client, base, http.MethodGet, "/accounts", "", "", "Cookie", cookie), 200, `"items":[]`)
	w.expect(w.send(client, base, http.MethodPost, "/accounts", asJSON, account, "Cookie", cookie), 403, `"code":"csrf-token-invalid"`)
	w.expect(w.send(client, base, http.MethodPost, "/accounts", asJSON, account, "Cookie", cookie, "X-CSRF-Token", csrf+"x"), 403, `"code":"csrf-token-invalid"`)
	w.expect(w.send(client, base, http.MethodGet, "/accounts", "", "", "Cookie", cookie), 200, `"items":[]`)
	w.expect(w.send(client, base, http.MethodPost, "/accounts", asJSON, account, "Cookie", cookie, "X-CSRF-Token", csrf), 201, `"name":"A"`)
	w.expect(w.call(http.MethodGet, "/events?type=account.created", "", ""), 200, `"actor":"system-admin@example.com","source":"127.0.0.1"`)
}

func TestARoleThatReadsIsRefusedByService(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cookie, csrf := w.signIn(satellite.RoleSystemUser)
	w.expect(w.call(http.MethodPost, "/accounts", asJSON, `{"name":"A","email":"a@example.com"}`), 201, "")
	for _, s := range []struct{ method, path, contentType, body string }{
		{"POST", "/setup", asJSON, `{"email":"b@example.com","name":"B","password":"correct horse battery"}`},
		{"POST", "/accounts", asJSON, `{"name":"B","email":"b@example.com"}`},
		{"POST", "/accounts/A/virtual-accounts", asJSON, `{"name":"Lab"}`},
		{"DELETE", "/accounts/A/virtual-accounts/Default", "", ""},
		{"POST", "/tokens", asJSON, `{}`},
		{"GET", "/tokens/1", "", ""},
		{"DELETE", "/devices/x", "", ""},
		{"POST", "/accounts/A/sync-requests", asJSON, `{}`},
		{"POST", "/sync-responses", "", "x"},
		{"POST", "/roots", "", "x"},
		{"POST", "/accounts/A/usage-reports", "", "x"},
	} {
		got := w.send(w.console.Client(), w.console.URL, s.method, s.path, s.contentType, s.body, "Cookie", cookie, "X-CSRF-Token", csrf)
		if got.status != http.StatusForbidden || !strings.Contains(got.body, `"code":"role-insufficient"`) {
			t.Errorf("%s %s as system-user: status %d, %s", s.method, s.path, got.status, got.body)
		}
	}
	w.expect(w.call(http.MethodGet, "/accounts", "", ""), 200, `"next":""`)
}

func TestTheLocalAdministratorIsTheUserAtTheOtherEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.expect(w.call(http.MethodPost, "/accounts", asJSON, `{"name":"A","email":"a@example.com"}`), 201, "")
	w.expect(w.call(http.MethodGet, "/events?type=account.created", "", ""), 200, fmt.Sprintf(`"actor":"local:%d","source":"local"`, os.Getuid()))
}

func TestTheLocalDoorIsShutWhereThePeerIsNotKnown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	handler := adminapi.LocalHandler(adminapi.Options{Service: w.service, Log: slog.New(slog.DiscardHandler)})
	// Over TCP the system does not tell who is there.
	server := httptest.NewUnstartedServer(handler)
	server.Config.ConnContext = adminapi.ConnContext
	server.Start()
	defer server.Close()
	w.expect(w.send(server.Client(), server.URL, http.MethodGet, "/accounts", "", ""), http.StatusUnauthorized, `"code":"peer-unknown"`)
}
