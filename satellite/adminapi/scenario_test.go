package adminapi_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"ssm/satellite/adminapi"
	"ssm/satellite/web"
)

const (
	asJSON  = "application/json"
	company = "神田 Networks/Tokyo" // spaces, Japanese, and a slash
)

// scenario is one request and what must come of it. In path and body, names in
// braces stand for what the story has made.
type scenario struct {
	name        string
	method      string
	path        string
	contentType string
	body        string
	status      int
	content     string // part of the answer
}

func TestEachRouteAnswersWhatItSays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := url.PathEscape(company)
	report := string(must(os.ReadFile(filepath.Join("..", "..", "cmd", "satellite", "testdata", "report-c9800.xml")))(t))

	run(t, w, nil, []scenario{
		{"the version", "GET", "/version", "", "", 200, `"version":"1.2.3"`},
		{"nobody can sign in yet", "GET", "/version", "", "", 200, `"setup_needed":true`},
		{"the clock", "GET", "/clock", "", "", 200, `"held":false,"held_since":null,"step_seconds":0`},
		{"confirming a clock that is believed", "POST", "/clock/confirm", asJSON, `{}`, 200, `"warning":""`},
		{"a set-up with a short password", "POST", "/setup", asJSON, `{"email":"a@example.com","name":"A","password":"short"}`, 400, `"code":"password-length"`},
		{"a set-up without a name", "POST", "/setup", asJSON, `{"email":"a@example.com","password":"correct horse battery"}`, 400, `expected required property name`},
		{"a set-up", "POST", "/setup", asJSON, `{"email":"a@example.com","name":"A","password":"correct horse battery"}`, 201, `"role":"system-admin"`},
		{"a second set-up", "POST", "/setup", asJSON, `{"email":"b@example.com","name":"B","password":"correct horse battery"}`, 409, `"code":"setup-done"`},

		{"no account yet", "GET", "/accounts", "", "", 200, `{"items":[],"next":""}`},
		{"a token without an account", "POST", "/tokens", asJSON, `{}`, 404, `"code":"account-not-found"`},
		{"an account that is cut short", "POST", "/accounts", asJSON, `{"name":`, 400, `"code":"request-invalid"`},
		{"an account with a number for a name", "POST", "/accounts", asJSON, `{"name":5,"email":"a@example.com"}`, 400, `body.name: expected string`},
		{"an account with an unknown field", "POST", "/accounts", asJSON, `{"name":"A","email":"a@example.com","shade":"red"}`, 400, `body.shade: unexpected property`},
		{"an account without a body", "POST", "/accounts", asJSON, ``, 400, `"code":"request-invalid"`},
		{"an account as a form", "POST", "/accounts", "application/x-www-form-urlencoded", `name=A`, 415, `"code":"content-type-unsupported"`},
		{"an account of a megabyte", "POST", "/accounts", asJSON, `{"name":"` + strings.Repeat("A", 1<<20) + `"}`, 413, `"code":"request-too-large"`},
		{"an account with a bad e-mail address", "POST", "/accounts", asJSON, `{"name":"A","email":"nobody"}`, 400, `"code":"email-invalid"`},
		{"an account", "POST", "/accounts", asJSON, `{"name":"` + company + `","email":"admin@example.com"}`, 201, `"upstream_virtual_account":"Satellite"`},
		{"an account that exists", "POST", "/accounts", asJSON, `{"name":"` + company + `","email":"admin@example.com"}`, 409, `"code":`},
		{"the accounts", "GET", "/accounts", "", "", 200, `"name":"` + company + `"`},
		{"an account with its virtual accounts", "GET", "/accounts/" + account, "", "", 200, `"virtual_accounts":[{"account":"` + company + `","name":"Default"`},
		{"an account that does not exist", "GET", "/accounts/nobody", "", "", 404, `"hint":"` + "`satellite account list`"},

		{"a virtual account", "POST", "/accounts/" + account + "/virtual-accounts", asJSON, `{"name":"Lab 2/3","description":"Second floor"}`, 201, `"default":false`},
		{"a virtual account without a name", "POST", "/accounts/" + account + "/virtual-accounts", asJSON, `{"name":""}`, 400, `body.name: expected length >= 1`},
		{"a virtual account of nobody", "POST", "/accounts/nobody/virtual-accounts", asJSON, `{"name":"Lab"}`, 404, `"code":"account-not-found"`},
		{"the virtual accounts", "GET", "/accounts/" + account + "/virtual-accounts", "", "", 200, `"name":"Lab 2/3"`},
		{"the virtual accounts of nobody", "GET", "/accounts/nobody/virtual-accounts", "", "", 404, `"code":"account-not-found"`},
		{"deleting the default one", "DELETE", "/accounts/" + account + "/virtual-accounts/Default", "", "", 409, `"code":"virtual-account-default"`},
		{"deleting it", "DELETE", "/accounts/" + account + "/virtual-accounts/Lab%202%2F3", "", "", 204, ``},
		{"deleting it again", "DELETE", "/accounts/" + account + "/virtual-accounts/Lab%202%2F3", "", "", 404, `"code":"virtual-account-not-found"`},

		{"a chain before the registration", "GET", "/accounts/" + account + "/certificate-chain", "", "", 409, `"code":"account-not-registered"`},
		{"a revocation list before the registration", "GET", "/accounts/" + account + "/crl", "", "", 409, `"code":"account-not-registered"`},
		{"no root yet", "GET", "/roots", "", "", 200, `{"items":[],"next":""}`},
		{"a root that is none", "POST", "/roots", "application/x-pem-file", `-----BEGIN`, 400, `"code":"root-invalid"`},
		{"a root as JSON", "POST", "/roots", asJSON, `{}`, 415, `"code":"content-type-unsupported"`},
		{"a root of two megabytes", "POST", "/roots", "", strings.Repeat("A", 2<<20), 413, `"code":"upload-too-large"`},
	})
	w.settle(account)

	token := tokenOf(t, w.call(http.MethodPost, "/tokens", asJSON, `{"description":"Roll-out"}`))
	device := w.device(token)
	names := map[string]string{"{account}": account, "{token}": token, "{piid}": device.PIID}

	run(t, w, names, []scenario{
		{"the roots", "GET", "/roots", "", "", 200, `"fingerprint":"`},
		{"where the account stands", "GET", "/sync", "", "", 200, `"applied_sequence":1`},
		{"the chain", "GET", "/accounts/{account}/certificate-chain", "", "", 200, `-----BEGIN CERTIFICATE-----`},
		{"the chain of nobody", "GET", "/accounts/nobody/certificate-chain", "", "", 404, `"code":"account-not-found"`},
		{"the revocation list", "GET", "/accounts/{account}/crl", "", "", 200, `-----BEGIN X509 CRL-----`},
		{"the revocation list of nobody", "GET", "/accounts/nobody/crl", "", "", 404, `"code":"account-not-found"`},
		{"a standard request", "POST", "/accounts/{account}/sync-requests", asJSON, `{}`, 200, `manifest.json`},
		{"a request of nobody", "POST", "/accounts/nobody/sync-requests", asJSON, `{}`, 404, `"code":"account-not-found"`},
		{"a request with a word for a flag", "POST", "/accounts/{account}/sync-requests", asJSON, `{"full":"yes"}`, 400, `body.full: expected boolean`},
		{"a response that is none", "POST", "/sync-responses", "application/octet-stream", `hello`, 400, `"code":"sync-file-altered"`},
		{"a response as a form", "POST", "/sync-responses", "multipart/form-data; boundary=x", `--x--`, 415, `"code":"content-type-unsupported"`},
		{"looking into what is no sync file", "POST", "/sync-inspections", "", `hello`, 400, `"code":"sync-file-invalid"`},
		{"looking into JSON", "POST", "/sync-inspections", asJSON, `{}`, 415, `"code":"content-type-unsupported"`},

		{"the tokens, without their text", "GET", "/tokens", "", "", 200, `"uses":1`},
		{"the tokens of an account", "GET", "/tokens?account={account}", "", "", 200, `"description":"Roll-out"`},
		{"the tokens of nobody", "GET", "/tokens?account=nobody", "", "", 404, `"code":"account-not-found"`},
		{"too many tokens in a page", "GET", "/tokens?limit=5000", "", "", 400, `query.limit: expected number <= 1000`},
		{"a token that lives too long", "POST", "/tokens", asJSON, `{"days":366}`, 400, `"code":"token-days-invalid"`},
		{"a token for nobody", "POST", "/tokens", asJSON, `{"account":"nobody"}`, 404, `"code":"account-not-found"`},
		{"a token for a place that does not exist", "POST", "/tokens", asJSON, `{"virtual_account":"Lab"}`, 404, `"code":"virtual-account-not-found"`},
		{"a token with its text", "GET", "/tokens/1", "", "", 200, `"token":"{token}"`},
		{"a token that does not exist", "GET", "/tokens/99", "", "", 404, `"code":`},
		{"a token by a word", "GET", "/tokens/first", "", "", 400, `path.id: invalid integer`},
		{"revoking what does not exist", "POST", "/tokens/99/revoke", "", "", 404, `"code":"token-not-found"`},
		{"revoking by id", "POST", "/tokens/1/revoke", "", "", 200, `"status":"revoked"`},
		{"revoking by text, again", "POST", "/tokens/revoke", asJSON, `{"token":"{token}"}`, 200, `"status":"revoked"`},
		{"revoking an unknown text", "POST", "/tokens/revoke", asJSON, `{"token":"no token"}`, 404, `"code":"token-not-found"`},
		{"revoking nothing", "POST", "/tokens/revoke", asJSON, `{}`, 400, `expected required property token`},

		{"the devices", "GET", "/devices", "", "", 200, `"registration_state":"registered","authorization_state":"authorized"`},
		{"the devices, searched", "GET", "/devices?search=edge", "", "", 200, `"hostname":"edge-r01"`},
		{"the devices, searched in vain", "GET", "/devices?search=core", "", "", 200, `{"items":[],"next":""}`},
		{"the devices of a place", "GET", "/devices?virtual_account=default", "", "", 200, `"piid":"{piid}"`},
		{"the devices of no place", "GET", "/devices?virtual_account=Lab", "", "", 404, `"code":"virtual-account-not-found"`},
		{"a device by its UDI", "GET", "/devices?udi_pid=EX-8500&udi_serial_number=KND260001", "", "", 200, `"piid":"{piid}"`},
		{"a device by half of its UDI", "GET", "/devices?udi_pid=EX-8500", "", "", 400, `"code":"request-invalid"`},
		{"a device by a UDI that nobody has", "GET", "/devices?udi_pid=EX-8500&udi_serial_number=X", "", "", 404, `"code":"device-not-found"`},
		{"a cursor that is none", "GET", "/devices?cursor=abc", "", "", 400, `query.cursor`},
		{"a device with what it holds", "GET", "/devices/{piid}", "", "", 200, `"licenses":[{"tag":"` + tag + `","name":"Network Advantage","count":1,"mode":"in-compliance"}]`},
		{"a device that does not exist", "GET", "/devices/nobody", "", "", 404, `"code":"device-not-found"`},
		{"a certificate", "GET", "/devices/{piid}/certificate", "", "", 200, `-----BEGIN CERTIFICATE-----`},
		{"a certificate of nobody", "GET", "/devices/nobody/certificate", "", "", 404, `"code":"device-not-found"`},

		{"the licenses", "GET", "/licenses", "", "", 200, `"purchased":10,"transferred_in":0,"transferred_out":0,"quantity":10,"in_use":1,"reserved":0,"balance":9,"available":9,"status":"in compliance"`},
		{"the licenses of nobody", "GET", "/licenses?account=nobody", "", "", 404, `"code":"account-not-found"`},
		{"a license with lots and devices", "GET", "/licenses?tag=" + url.QueryEscape(tag), "", "", 200, `"lots":[{"id":"lot-1","type":"perpetual","quantity":10,`},
		{"a license that does not exist", "GET", "/licenses?tag=none", "", "", 404, `"code":"license-not-found"`},
		{"a license by tag and search", "GET", "/licenses?tag=none&search=n", "", "", 400, `"code":"request-invalid"`},

		{"no usage yet", "GET", "/accounts/{account}/usage-reports", "", "", 200, `{"items":[],"next":""}`},
		{"a usage file", "POST", "/accounts/{account}/usage-reports", "application/xml", report, 200, `"reports":1,"counted":1,"known":0,"conflicts":0`},
		{"the same usage file", "POST", "/accounts/{account}/usage-reports", "", report, 200, `"reports":1,"counted":0,"known":1,"conflicts":0`},
		{"a usage file that is none", "POST", "/accounts/{account}/usage-reports", "", `<x/>`, 400, `"code":"usage-file-invalid"`},
		{"a usage file as JSON", "POST", "/accounts/{account}/usage-reports", asJSON, `{}`, 415, `"code":"content-type-unsupported"`},
		{"a usage file of 65 MB", "POST", "/accounts/{account}/usage-reports", "", strings.Repeat(" ", 65<<20), 413, `"code":"upload-too-large"`},
		{"a usage file for nobody", "POST", "/accounts/nobody/usage-reports", "", report, 404, `"code":"account-not-found"`},
		{"the usage", "GET", "/accounts/{account}/usage-reports", "", "", 200, `"count":3,`},
		{"the usage of nobody", "GET", "/accounts/nobody/usage-reports", "", "", 404, `"code":"account-not-found"`},

		{"the events", "GET", "/events", "", "", 200, `"type":"usage.imported"`},
		{"the events of a device", "GET", "/events?piid={piid}&type=device.registered", "", "", 200, `"source":"192.0.2.7"`},
		{"the events of nobody", "GET", "/events?account=nobody", "", "", 404, `"code":"account-not-found"`},

		{"removing a device", "DELETE", "/devices/{piid}", "", "", 204, ``},
		{"removing it again", "DELETE", "/devices/{piid}", "", "", 404, `"code":"device-not-found"`},
		{"an address that does not exist", "GET", "/nothing", "", "", 404, `"code":"path-not-found"`},
		{"a method that does not exist", "DELETE", "/accounts", "", "", 404, `"code":"path-not-found"`},
	})
}

func tokenOf(t *testing.T, r reply) string {
	t.Helper()
	var token adminapi.TokenWithText
	if err := json.Unmarshal([]byte(r.body), &token); err != nil || token.Text == "" {
		t.Fatalf("no token in %s: %v", r.body, err)
	}
	return token.Text
}

// run plays the scenarios one after the other over the local socket, and holds
// each answer against the description of the API.
func run(t *testing.T, w *world, names map[string]string, scenarios []scenario) {
	t.Helper()
	described := describe(t, w)
	fill := func(text string) string {
		for name, value := range names {
			text = strings.ReplaceAll(text, name, value)
		}
		return text
	}
	for _, s := range scenarios {
		path := fill(s.path)
		got := w.call(s.method, path, s.contentType, fill(s.body))
		if got.status != s.status || !strings.Contains(got.body, fill(s.content)) {
			t.Errorf("%s: got status %d, want %d with %s; the body is %.600s", s.name, got.status, s.status, fill(s.content), got.body)
			continue
		}
		if s.status >= 400 {
			checkProblem(t, s, got)
		}
		if statuses := described.statuses(s.method, path); len(statuses) > 0 && !statuses[strconv.Itoa(s.status)] {
			t.Errorf("%s: the description of %s %s does not know status %d", s.name, s.method, s.path, s.status)
		}
		if path == "/tokens" && s.method == http.MethodGet && strings.Contains(got.body, `"token"`) {
			t.Errorf("the list of tokens holds their text: %s", got.body)
		}
	}
}

func checkProblem(t *testing.T, s scenario, got reply) {
	t.Helper()
	var p web.Problem
	if err := json.Unmarshal([]byte(got.body), &p); err != nil {
		t.Errorf("%s: the error is no problem document: %v: %s", s.name, err, got.body)
		return
	}
	if got.header.Get("Content-Type") != web.ProblemType || p.Status != s.status || p.Code == "" || p.Detail == "" || p.RequestID == "" || p.Title == "" {
		t.Errorf("%s: the problem is not whole: %s %+v", s.name, got.header.Get("Content-Type"), p)
	}
}

// description is what the OpenAPI document says about the operations.
type description struct {
	OpenAPI string `json:"openapi"`
	Servers []struct{ URL string }
	Paths   map[string]map[string]struct {
		OperationID string `json:"operationId"`
		Summary     string
		Tags        []string
		Responses   map[string]any
	}
}

func describe(t *testing.T, w *world) description {
	t.Helper()
	var d description
	r := w.call(http.MethodGet, "/openapi.json", "", "")
	if err := json.Unmarshal([]byte(r.body), &d); err != nil {
		t.Fatalf("the description cannot be read: %v: %.300s", err, r.body)
	}
	return d
}

var parameter = regexp.MustCompile(`\{[^}]+\}`)

// statuses are those that are described for the operation behind a path.
func (d description) statuses(method, path string) map[string]bool {
	path, _, _ = strings.Cut(path, "?")
	var literal map[string]bool
	for template, operations := range d.Paths {
		operation, known := operations[strings.ToLower(method)]
		expression := "^" + parameter.ReplaceAllString(regexp.QuoteMeta(strings.NewReplacer("{", "\x01", "}", "\x02").Replace(template)), "")
		expression = regexp.MustCompile("\x01[^\x02]+\x02").ReplaceAllString(expression, "[^/]+") + "$"
		if !known || !regexp.MustCompile(expression).MatchString(path) || literal != nil && strings.Contains(template, "{") {
			continue
		}
		literal = map[string]bool{}
		for status := range operation.Responses {
			literal[status] = true
		}
	}
	return literal
}
