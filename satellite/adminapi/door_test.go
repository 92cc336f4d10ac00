package adminapi_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"ssm/satellite"
	"ssm/satellite/adminapi"
)

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
