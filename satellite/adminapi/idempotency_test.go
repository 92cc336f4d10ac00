package adminapi_test

import (
	"crypto/rand"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"ssm/satellite"
	"ssm/satellite/adminapi"
	"ssm/satellite/auth"
	"ssm/satellite/issuer"
)

// keyed sends a write with an Idempotency-Key over the local socket.
func (w *world) keyed(method, path, body string, keys ...string) reply {
	w.t.Helper()
	var headers []string
	for _, key := range keys {
		headers = append(headers, "Idempotency-Key", key)
	}
	return w.send(w.local, "http://satellite", method, path, asJSON, body, headers...)
}

func (w *world) tokens() int {
	w.t.Helper()
	return strings.Count(w.call(http.MethodGet, "/tokens", "", "").body, `"id":`)
}

// expectRepeat tells whether an answer is the kept one of another.
func (w *world) expectRepeat(first, again reply) {
	w.t.Helper()
	if again.status != first.status || again.body != first.body || again.header.Get("Content-Type") != first.header.Get("Content-Type") || again.header.Get("Idempotency-Replayed") != "true" {
		w.t.Errorf("answered %d %v %q, want the %d %q of before", again.status, again.header, again.body, first.status, first.body)
	}
}

func TestIdenticalWritesAtOnceMakeOneToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.expect(w.call(http.MethodPost, "/accounts", asJSON, `{"name":"A","email":"a@example.com"}`), 201, "")
	answers := make([]reply, 8)
	var group sync.WaitGroup
	for i := range answers {
		group.Go(func() { answers[i] = w.keyed(http.MethodPost, "/tokens", `{"account":"A"}`, "one") })
	}
	group.Wait()
	fresh := 0
	for _, got := range answers {
		switch {
		case got.status == 201 && got.header.Get("Idempotency-Replayed") == "":
			fresh++
		case got.status == 409:
			if !strings.Contains(got.body, `"code":"idempotency-key-in-use"`) || got.header.Get("Retry-After") != "1" {
				t.Errorf("refused with %v %s", got.header, got.body)
			}
		case got.status != 201:
			t.Errorf("answered %d: %s", got.status, got.body)
		}
	}
	if fresh != 1 || w.tokens() != 1 {
		t.Errorf("%d answers are fresh and %d tokens were made, want one of each", fresh, w.tokens())
	}
}

func TestAWriteIsRepeatedAfterARestartToItsActorAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.expect(w.call(http.MethodPost, "/accounts", asJSON, `{"name":"A","email":"a@example.com"}`), 201, "")
	const body = `{"account":"A"}`
	first := w.keyed(http.MethodPost, "/tokens", body, "one")
	w.expect(first, 201, `"token":"`)
	if first.header.Get("Idempotency-Replayed") != "" {
		t.Error("the first answer says that it is a repeat")
	}
	w.expectRepeat(first, w.keyed(http.MethodPost, "/tokens", body, "one"))

	service := must(satellite.New(t.Context(), satellite.Ports{
		Store: w.store, Issuer: issuer.New(w.keys), Tokens: auth.NewTokens(), Passwords: auth.NewPasswords(1), Secrets: w.keys,
		Observer: silent{}, Now: clock, Random: rand.Reader,
	}, satellite.Options{TemporaryFolder: w.folder}))(t)
	w.openSocket(adminapi.LocalHandler(adminapi.Options{Service: service, Log: slog.New(slog.DiscardHandler)}))
	w.expectRepeat(first, w.keyed(http.MethodPost, "/tokens", body, "one"))

	cookie, csrf := w.signIn(satellite.RoleSystemAdmin)
	console := func() reply {
		return w.send(w.console.Client(), w.console.URL, http.MethodPost, "/tokens", asJSON, body, "Cookie", cookie, "X-CSRF-Token", csrf, "Idempotency-Key", "one")
	}
	other := console()
	w.expect(other, 201, `"id":2`)
	w.expectRepeat(other, console())
	if w.tokens() != 2 {
		t.Errorf("%d tokens were made, want 2", w.tokens())
	}
}

func TestAKeyIsOfOneRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.expect(w.call(http.MethodPost, "/accounts", asJSON, `{"name":"A","email":"a@example.com"}`), 201, "")
	w.expect(w.call(http.MethodPost, "/accounts/A/virtual-accounts", asJSON, `{"name":"Lab"}`), 201, "")
	w.expect(w.keyed(http.MethodPost, "/accounts/A/custom-tags?virtual_account=Lab", `{"key":"floor","values":["2"]}`, "one"), 200, "")
	for name, got := range map[string]reply{
		"another body":         w.keyed(http.MethodPost, "/accounts/A/custom-tags?virtual_account=Lab", `{"key":"floor","values":["3"]}`, "one"),
		"another query":        w.keyed(http.MethodPost, "/accounts/A/custom-tags?virtual_account=Default", `{"key":"floor","values":["2"]}`, "one"),
		"another path":         w.keyed(http.MethodPost, "/accounts/a/custom-tags?virtual_account=Lab", `{"key":"floor","values":["2"]}`, "one"),
		"another method":       w.keyed(http.MethodDelete, "/accounts/A/custom-tags?virtual_account=Lab", `{"key":"floor","values":["2"]}`, "one"),
		"another content type": w.send(w.local, "http://satellite", http.MethodPost, "/accounts/A/custom-tags?virtual_account=Lab", asJSON+"; charset=utf-8", `{"key":"floor","values":["2"]}`, "Idempotency-Key", "one"),
	} {
		if got.status != 409 || !strings.Contains(got.body, `"code":"idempotency-key-reused"`) {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	// A refusal that changed nothing leaves the key to the corrected request.
	w.expect(w.keyed(http.MethodPost, "/tokens", `{"days":"x"}`, "two"), 400, "")
	w.expect(w.keyed(http.MethodPost, "/tokens", `{"days":999}`, "two"), 400, "")
	made := w.keyed(http.MethodPost, "/tokens", `{"days":9}`, "two")
	w.expect(made, 201, "")
	w.expectRepeat(made, w.keyed(http.MethodPost, "/tokens", `{"days":9}`, "two"))
	// What is gone is not missing for who removed it.
	gone := w.keyed(http.MethodDelete, "/accounts/A/virtual-accounts/Lab", "", "three")
	w.expect(gone, 204, "")
	w.expectRepeat(gone, w.keyed(http.MethodDelete, "/accounts/A/virtual-accounts/Lab", "", "three"))
	w.expect(w.keyed(http.MethodDelete, "/accounts/A/virtual-accounts/Lab", "", "four"), 404, "")
	// What changed nothing is answered as it was, whatever happened since.
	w.expect(w.keyed(http.MethodPost, "/tokens/1/revoke", "", "five"), 200, `"revoked"`)
	again := w.keyed(http.MethodPost, "/tokens/1/revoke", "", "six")
	w.expectRepeat(again, w.keyed(http.MethodPost, "/tokens/1/revoke", "", "six"))
}

func TestAKeyHasOneForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.expect(w.call(http.MethodPost, "/accounts", asJSON, `{"name":"A","email":"a@example.com"}`), 201, "")
	for name, keys := range map[string][]string{
		"empty": {""}, "too long": {strings.Repeat("a", 256)}, "with a space": {"a b"}, "not ASCII": {"鍵"}, "two": {"a", "b"}, "with a tab": {"a\tb"},
	} {
		got := w.keyed(http.MethodPost, "/tokens", `{}`, keys...)
		if got.status != 400 || !strings.Contains(got.body, `"code":"idempotency-key-invalid"`) {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	for _, key := range []string{strings.Repeat("~", 255), "!", `"a-structured-string"`} {
		w.expect(w.keyed(http.MethodPost, "/tokens", `{}`, key), 201, "")
	}
	if w.tokens() != 3 {
		t.Errorf("%d tokens were made, want 3", w.tokens())
	}
	for _, path := range []string{"/roots", "/sync-responses", "/sync-inspections", "/accounts/A/usage-reports", "/accounts/A/sync-requests", "/api-clients", "/api-clients/A/rotate"} {
		got := w.send(w.local, "http://satellite", http.MethodPost, path, "application/octet-stream", "file", "Idempotency-Key", "a")
		if got.status != 400 || !strings.Contains(got.body, `"code":"idempotency-key-not-taken"`) {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	w.expect(w.keyed(http.MethodGet, "/tokens", "", "a"), 200, `"items"`)
	w.expect(w.keyed(http.MethodPost, "/tokens", `{"description":"`+strings.Repeat("x", 5<<20)+`"}`, "huge"), 413, `"code":"request-too-large"`)
	w.expect(w.keyed(http.MethodPost, "/tokens", `{"description":"`+strings.Repeat("x", 1<<20)+`"}`, "large"), 413, `"code":"request-too-large"`)
	w.expect(w.keyed(http.MethodPost, "/tokens", `{}`, "large"), 201, "")
}

func TestEveryWriteSaysWhetherItTakesAKey(t *testing.T) {
	t.Parallel()
	without := []string{
		// Files go in or out.
		"POST /accounts/{account}/sync-requests", "POST /accounts/{account}/usage-reports", "POST /roots", "POST /sync-inspections", "POST /sync-responses",
		// The answer is told line by line.
		"POST /accounts/{account}/synchronize",
		// A secret is shown.
		"POST /api-clients", "POST /api-clients/{api_client}/rotate",
	}
	for path, operations := range documentOnce().Paths {
		for method, op := range operationsOf(operations) {
			name, takes := method+" "+path, false
			for _, p := range op.Parameters {
				takes = takes || p.Name == "Idempotency-Key" && p.In == "header" && !p.Required && p.Description != ""
			}
			if want := method != http.MethodGet && !slices.Contains(without, name); takes != want {
				t.Errorf("%s is described as one that takes a key: %t", name, takes)
			}
			if !takes {
				continue
			}
			if op.Responses["409"] == nil || op.Responses["429"] == nil || op.Responses["413"] == nil {
				t.Errorf("%s does not describe what comes of a key that is taken", name)
			}
			for status, response := range op.Responses {
				if (status < "300") != (response.Headers["Idempotency-Replayed"] != nil) {
					t.Errorf("%s: status %s has the headers %v", name, status, response.Headers)
				}
			}
		}
	}
}
