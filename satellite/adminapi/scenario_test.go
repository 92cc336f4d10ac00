package adminapi_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
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

	run(t, w, nil, []scenario{
		{"the agreement that came", "GET", "/accounts/" + account + "/agreement", "", "", 200, `"version":"1","accepted":false,"text":"Be good.","received_at":"`},
		{"the agreement of nobody", "GET", "/accounts/nobody/agreement", "", "", 404, `"code":"account-not-found"`},
		{"a token without the agreement", "POST", "/tokens", asJSON, `{}`, 409, `"code":"agreement-not-accepted"`},
		{"a token with another version", "POST", "/tokens", asJSON, `{"accept_agreement":"0"}`, 409, `"code":"agreement-outdated"`},
		{"accepting nothing", "POST", "/accounts/" + account + "/agreement/accept", asJSON, `{}`, 400, `expected required property version`},
		{"accepting another version", "POST", "/accounts/" + account + "/agreement/accept", asJSON, `{"version":"0"}`, 409, `"code":"agreement-outdated"`},
		{"accepting the agreement of nobody", "POST", "/accounts/nobody/agreement/accept", asJSON, `{"version":"0"}`, 404, `"code":"account-not-found"`},
	})
	token := tokenOf(t, w.call(http.MethodPost, "/tokens", asJSON, `{"description":"Roll-out","accept_agreement":"1"}`))
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
		{"a token that forbids force", "POST", "/tokens", asJSON, `{"allow_force":false}`, 201, `"allow_force":false`},
		{"a token that says nothing of force", "POST", "/tokens", asJSON, `{}`, 201, `"allow_force":true`},
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
		{"a device with what it holds", "GET", "/devices/{piid}", "", "", 200, `"licenses":[{"tag":"` + tag + `","name":"Network Advantage","count":1,"wanted":1,"shared":0,"mode":"in-compliance"}]`},
		{"a device that stands alone", "GET", "/devices/{piid}", "", "", 200, `"application_id":"","ha_role":"","export_allowed":false,`},
		{"a place to transfer to", "POST", "/accounts/{account}/virtual-accounts", asJSON, `{"name":"Annex"}`, 201, `"name":"Annex"`},
		{"a transfer", "POST", "/accounts/{account}/device-transfers", asJSON, `{"piids":["{piid}"],"virtual_account":"annex"}`, 200, `{"transferred":1,"virtual_account":"annex"}`},
		{"the same transfer", "POST", "/accounts/{account}/device-transfers", asJSON, `{"piids":["{piid}"],"virtual_account":"Annex"}`, 200, `"transferred":0`},
		{"a transfer back", "POST", "/accounts/{account}/device-transfers", asJSON, `{"piids":["{piid}"],"virtual_account":"Default"}`, 200, `"transferred":1`},
		{"a transfer of a device that does not exist", "POST", "/accounts/{account}/device-transfers", asJSON, `{"piids":["{piid}","nobody"],"virtual_account":"Annex"}`, 404, `"code":"device-not-found"`},
		{"a transfer of nothing", "POST", "/accounts/{account}/device-transfers", asJSON, `{"piids":[],"virtual_account":"Annex"}`, 400, `body.piids`},
		{"a transfer to nowhere", "POST", "/accounts/{account}/device-transfers", asJSON, `{"piids":["{piid}"],"virtual_account":"Nowhere"}`, 404, `"code":"virtual-account-not-found"`},
		{"a transfer of nobody's devices", "POST", "/accounts/nobody/device-transfers", asJSON, `{"piids":["{piid}"],"virtual_account":"Annex"}`, 404, `"code":"account-not-found"`},
		{"a device that does not exist", "GET", "/devices/nobody", "", "", 404, `"code":"device-not-found"`},
		{"a certificate", "GET", "/devices/{piid}/certificate", "", "", 200, `-----BEGIN CERTIFICATE-----`},
		{"a certificate of nobody", "GET", "/devices/nobody/certificate", "", "", 404, `"code":"device-not-found"`},

		{"the licenses", "GET", "/licenses", "", "", 200, `"purchased":10,"transferred_in":0,"transferred_out":0,"quantity":10,"in_use":1,"reserved":0,"lent":0,"borrowed":0,"balance":9,"available":9,"status":"in compliance"`},
		{"the licenses of nobody", "GET", "/licenses?account=nobody", "", "", 404, `"code":"account-not-found"`},
		{"a license with lots and devices", "GET", "/licenses?tag=" + url.QueryEscape(tag), "", "", 200, `"lots":[{"id":"lot-1","type":"perpetual","quantity":10,`},
		{"a license that does not exist", "GET", "/licenses?tag=none", "", "", 404, `"code":"license-not-found"`},
		{"a license by tag and search", "GET", "/licenses?tag=none&search=n", "", "", 400, `"code":"request-invalid"`},

		{"why", "GET", "/licenses/explanation?tag=" + url.QueryEscape(tag), "", "", 200, `{"name":"Purchased","total":10,"parts":[{"quantity":10,"text":"lot lot-1, perpetual"}]}`},
		{"why, of what does not exist", "GET", "/licenses/explanation?tag=none", "", "", 404, `"code":"license-not-found"`},
		{"why, of nothing", "GET", "/licenses/explanation", "", "", 400, `required`},
		{"a place for some of them", "POST", "/accounts/{account}/virtual-accounts", asJSON, `{"name":"Lab"}`, 201, `"name":"Lab"`},
		{"moving some", "POST", "/accounts/{account}/license-transfers", asJSON, `{"transfers":[{"tag":"` + tag + `","to":"Lab","quantity":4},{"tag":"` + tag + `","from":"Lab","quantity":1,"type":"perpetual"}]}`, 204, ``},
		{"why, there", "GET", "/licenses/explanation?virtual_account=Lab&tag=" + url.QueryEscape(tag), "", "", 200, `"from":"Default","to":"Lab","quantity":3`},
		{"moving more than there is", "POST", "/accounts/{account}/license-transfers", asJSON, `{"transfers":[{"tag":"` + tag + `","to":"Lab","quantity":7}]}`, 409, `"code":"license-surplus-too-small"`},
		{"moving nothing", "POST", "/accounts/{account}/license-transfers", asJSON, `{"transfers":[]}`, 400, `expected array length >= 1`},
		{"moving to no place", "POST", "/accounts/{account}/license-transfers", asJSON, `{"transfers":[{"tag":"` + tag + `","to":"Attic","quantity":7}]}`, 404, `"code":"virtual-account-not-found"`},
		{"moving to where it is", "POST", "/accounts/{account}/license-transfers", asJSON, `{"transfers":[{"tag":"` + tag + `","quantity":7}]}`, 400, `"code":"license-transfer-invalid"`},
		{"moving of nobody", "POST", "/accounts/nobody/license-transfers", asJSON, `{"transfers":[{"tag":"` + tag + `","to":"Lab","quantity":1}]}`, 404, `"code":"account-not-found"`},
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

func TestTheLifeOfAnAccountByAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	run(t, w, nil, []scenario{
		{"an account at a public provider", "POST", "/accounts", asJSON, `{"name":"Small","email":"owner@gmail.com"}`, 409, `"code":"public-email"`},
		{"a limited account of a company", "POST", "/accounts", asJSON, `{"name":"Small","email":"owner@small.example","limited":true}`, 409, `"code":"company-email"`},
		{"a limited account", "POST", "/accounts", asJSON, `{"name":"Small","email":"owner@gmail.com","limited":true,"headquarters":"Kanda\nTokyo"}`, 201, `"type":"limited"`},
		{"an account that somebody else approves", "POST", "/accounts", asJSON, `{"name":"Works","email":"clerk@works.example","nominee":"boss@works.example","requester_name":"Clerk"}`, 201, `"status":"pending"`},
		{"the mails, without their text", "GET", "/mails", "", "", 200, `{"items":[{"id":1,"recipient":"boss@works.example","subject":"Approve the licensing account \"Works\"","created_at":"2026-03-14T09:26:53Z","sent_at":null}],"next":""}`},
		{"a mail", "GET", "/mails/1", "", "", 200, `Approval code: `},
		{"a mail that does not exist", "GET", "/mails/99", "", "", 404, `"code":"mail-not-found"`},
	})
	mail := w.call(http.MethodGet, "/mails/1", "", "").body
	code := regexp.MustCompile(`Approval code: ([a-z2-9-]+)`).FindStringSubmatch(mail)[1]
	run(t, w, map[string]string{"{code}": code}, []scenario{
		{"a wrong code", "POST", "/accounts/Works/approve", asJSON, `{"code":"x"}`, 403, `"code":"approval-code-wrong"`},
		{"a code for nobody", "POST", "/accounts/nobody/approve", asJSON, `{"code":"{code}"}`, 403, `"code":"approval-code-wrong"`},
		{"declining without a reason", "POST", "/accounts/Works/decline", asJSON, `{"code":"{code}"}`, 400, `expected required property reason`},
		{"declining", "POST", "/accounts/Works/decline", asJSON, `{"code":"{code}","reason":"No."}`, 200, `"status":"inactive"`},
		{"asking again", "POST", "/accounts/Works/nominate", asJSON, `{"email":"owner@works.example"}`, 200, `"status":"pending"`},
		{"asking for nobody", "POST", "/accounts/nobody/nominate", asJSON, `{}`, 404, `"code":"account-not-found"`},
	})
	mail = w.call(http.MethodGet, "/mails/3", "", "").body
	code = regexp.MustCompile(`Approval code: ([a-z2-9-]+)`).FindStringSubmatch(mail)[1]
	run(t, w, map[string]string{"{code}": code}, []scenario{
		{"approving", "POST", "/accounts/Works/approve", asJSON, `{"code":"{code}"}`, 200, `"status":"active"`},
		{"asking once it is approved", "POST", "/accounts/Works/nominate", asJSON, `{}`, 409, `"code":"account-approved"`},

		{"changing properties", "PATCH", "/accounts/Works", asJSON, `{"locked":true,"searchable":false,"headquarters":"Osaka"}`, 200, `"headquarters":"Osaka","searchable":false,"locked":true`},
		{"a name that is taken", "PATCH", "/accounts/Works", asJSON, `{"name":"SMALL"}`, 409, `"code":"account-exists"`},
		{"a property that does not exist", "PATCH", "/accounts/Works", asJSON, `{"shade":"red"}`, 400, `body.shade: unexpected property`},
		{"changing nobody", "PATCH", "/accounts/nobody", asJSON, `{}`, 404, `"code":"account-not-found"`},

		{"an upgrade at a public provider", "POST", "/accounts/Small/upgrade", asJSON, `{}`, 409, `"code":"upgrade-public-email"`},
		{"an upgrade to no domain", "POST", "/accounts/Small/upgrade", asJSON, `{"email":"o@small.example","domain_identifier":"x"}`, 400, `"code":"domain-identifier-invalid"`},
		{"an upgrade", "POST", "/accounts/Small/upgrade", asJSON, `{"email":"o@small.example"}`, 200, `"status":"requested","name":"Small","domain_identifier":"small.example"`},
		{"the account with its upgrade and agreement", "GET", "/accounts/Small", "", "", 200, `"upgrade":{"status":"requested"`},
		{"an upgrade of nobody", "POST", "/accounts/nobody/upgrade", asJSON, `{}`, 404, `"code":"account-not-found"`},

		{"a tag in a limited account", "POST", "/accounts/Small/custom-tags", asJSON, `{"key":"k","values":["v"]}`, 409, `"code":"limited-account"`},
		{"a tag", "POST", "/accounts/Works/custom-tags?virtual_account=Default", asJSON, `{"key":"site/1","values":["Osaka","Kobe"]}`, 200, `[{"key":"site/1","values":["Osaka","Kobe"]}]`},
		{"a tag of no license", "POST", "/accounts/Works/custom-tags?license=x", asJSON, `{"key":"k","values":["v"]}`, 404, `"code":"license-not-found"`},
		{"a tag of two", "POST", "/accounts/Works/custom-tags?license=x&virtual_account=Default", asJSON, `{"key":"k","values":["v"]}`, 400, `"code":"request-invalid"`},
		{"a tag without values", "POST", "/accounts/Works/custom-tags", asJSON, `{"key":"k","values":[]}`, 400, `body.values`},
		{"the tags", "GET", "/accounts/Works/custom-tags", "", "", 200, `"key":"site/1"`},
		{"removing a tag", "DELETE", "/accounts/Works/custom-tags?key=site/1", "", "", 204, ``},
		{"removing it again", "DELETE", "/accounts/Works/custom-tags?key=site/1", "", "", 404, `"code":"custom-tag-not-found"`},

		{"a virtual account", "POST", "/accounts/Works/virtual-accounts", asJSON, `{"name":"Lab"}`, 201, ``},
		{"renaming it", "PATCH", "/accounts/Works/virtual-accounts/Lab", asJSON, `{"name":"Annex","description":"Second floor"}`, 200, `"name":"Annex","description":"Second floor"`},
		{"a name that is taken", "PATCH", "/accounts/Works/virtual-accounts/Annex", asJSON, `{"name":"default"}`, 409, `"code":"virtual-account-exists"`},
		{"renaming none", "PATCH", "/accounts/Works/virtual-accounts/Lab", asJSON, `{}`, 404, `"code":"virtual-account-not-found"`},
		{"making it the default one", "POST", "/accounts/Works/virtual-accounts/annex/default", "", "", 200, `"name":"Annex","description":"Second floor","default":true`},
		{"making none the default one", "POST", "/accounts/Works/virtual-accounts/Lab/default", "", "", 404, `"code":"virtual-account-not-found"`},
		{"moving into itself", "DELETE", "/accounts/Works/virtual-accounts/Default?move_to=Default", "", "", 409, `"code":"virtual-account-itself"`},
		{"moving into another one", "DELETE", "/accounts/Works/virtual-accounts/Default?move_to=Annex", "", "", 204, ``},

		{"deleting an active account", "DELETE", "/accounts/Works", "", "", 409, `"code":"account-not-inactive"`},
		{"deactivating without a reason", "POST", "/accounts/Works/deactivate", asJSON, `{"reason":""}`, 400, `body.reason`},
		{"deactivating", "POST", "/accounts/Works/deactivate", asJSON, `{"reason":"Closed."}`, 200, `"status":"inactive"`},
		{"deactivating it again", "POST", "/accounts/Works/deactivate", asJSON, `{"reason":"Closed."}`, 409, `"code":"account-inactive"`},
		{"activating", "POST", "/accounts/Works/activate", "", "", 200, `"status":"active"`},
		{"activating it again", "POST", "/accounts/Works/activate", "", "", 409, `"code":"account-active"`},
		{"activating nobody", "POST", "/accounts/nobody/activate", "", "", 404, `"code":"account-not-found"`},
		{"deactivating for good", "POST", "/accounts/Works/deactivate", asJSON, `{"reason":"Closed."}`, 200, `"inactive_reason":"Closed."`},
		{"deleting", "DELETE", "/accounts/Works", "", "", 204, ``},
		{"deleting it again", "DELETE", "/accounts/Works", "", "", 404, `"code":"account-not-found"`},
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
	described, document := describe(t, w), documentOnce()
	answers := 0
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
		if template := described.template(s.method, path); template != "" {
			checkAnswer(t, document, s.method, template, got)
			answers++
		}
		if path == "/tokens" && s.method == http.MethodGet && strings.Contains(got.body, `"token"`) {
			t.Errorf("the list of tokens holds their text: %s", got.body)
		}
	}
	if answers == 0 {
		t.Error("no answer was held against the description")
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
		Parameters  []struct{ Name, In string }
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

// takes tells whether an operation takes a parameter in its query.
func (d description) takes(method, path, name string) bool {
	for _, p := range d.Paths[path][strings.ToLower(method)].Parameters {
		if p.In == "query" && p.Name == name {
			return true
		}
	}
	return false
}

var parameter = regexp.MustCompile(`\{[^}]+\}`)

// template is the route behind a path; "" where there is none of the method.
func (d description) template(method, path string) (found string) {
	path, _, _ = strings.Cut(path, "?")
	for template, operations := range d.Paths {
		expression := "^" + parameter.ReplaceAllString(template, "[^/]+") + "$"
		if _, known := operations[strings.ToLower(method)]; !known || !regexp.MustCompile(expression).MatchString(path) {
			continue
		}
		if found == "" || !strings.Contains(template, "{") { // a literal path comes first
			found = template
		}
	}
	return found
}
