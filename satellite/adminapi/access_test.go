package adminapi_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ssm/satellite"
)

// Every route, asked by every role, about its own and about foreign accounts
// and virtual accounts. The table below has a line for each route; a route
// without one fails. What it must answer follows from the matrix.

// about is where the right to a route is asked, and what hides its thing from a stranger.
type about int

const (
	anyone            about = iota // whoever is signed in
	ofSatellite                    // a system role decides; others are refused
	ofAccountBySystem              // a system role decides, for an account; a stranger finds no account
	ofAccount                      // a role in the whole account decides; a stranger finds no account
	ofAnyPart                      // a role in the account or a part of it decides; a stranger finds no account
	ofVirtualAccount               // a role in the virtual account, which the request names, decides
	ofThing                        // the same, for a thing with a name of its own: a stranger finds no thing
	ofUpload                       // the same, for what a file names: a stranger of the virtual account is refused
	ofResponse                     // a role in the account that a sync response names; a stranger has no such account
	ofCode                         // whoever knows the code, in an account that he sees
	ofUser                         // a user: seen by who manages access where he has a role
	lists                          // shows what the roles cover, by virtual account
	listsAccounts                  // shows each account that a role covers a part of
	listsWhole                     // shows each account that a role covers as a whole
	listsUsers                     // shows the users that are seen
)

// route is one line of the table. In path, query and body, {account},
// {virtual_account}, {piid}, {serial}, {id} (of a token), {token} (its text),
// {user}, {api_client}, {group}, {member}, {report}, {root} and {sync_response}, {code} (of a request for a reservation) and {reserved_serial} are those of the place that the
// request is about; every place has some of each.
type route struct {
	name   string // method and path, as the description has it
	about  about
	action satellite.Action // "" where being seen is enough
	body   string           // JSON, or a file
	query  string
	shows  string // of a listing: what stands in it of each place that is seen

	// invalid tells that only the device knows what would be answered: what is
	// asked is wrong for who may ask.
	invalid bool
	// both tells that the request names a second place, which roles in one
	// virtual account cannot see.
	both bool
}

const (
	person   = `"first_name":"New","last_name":"User"`
	password = `"password":"a sentence of some words"`
)

// routes is the table. To add a route, add a line: the smallest request that
// would be answered, the action that it takes, and where that is asked. Where a
// route takes its place in more than one way, it has a line for each.
var routes = []route{
	{name: "GET /version", about: anyone},
	{name: "GET /clock", about: ofSatellite, action: satellite.ActionRead},
	{name: "POST /clock/confirm", about: ofSatellite, action: satellite.ActionManageClock, body: `{}`},
	{name: "POST /setup", about: ofSatellite, action: satellite.ActionManageUsers, body: `{"email":"new@example.com","name":"New",` + password + `}`},

	{name: "GET /users", about: listsUsers, shows: `"{user}"`},
	{name: "POST /users", about: ofSatellite, action: satellite.ActionManageUsers, body: `{"email":"new@example.com",` + person + `,` + password + `}`},
	{name: "POST /users", about: ofVirtualAccount, action: satellite.ActionManageAccess, body: `{"email":"new@example.com",` + person + `,` + password + `,"access":{"account":"{account}","virtual_account":"{virtual_account}","role":"virtual-account-viewer"}}`},
	{name: "POST /users", about: ofAccount, action: satellite.ActionManageAccess, body: `{"email":"new@example.com",` + person + `,` + password + `,"access":{"account":"{account}","role":"account-viewer"}}`},
	{name: "GET /users/{user}", about: ofUser},
	{name: "DELETE /users/{user}", about: ofUser, action: satellite.ActionManageUsers},
	{name: "POST /users/{user}/profile", about: ofUser, action: satellite.ActionManageUsers, body: `{"email":"new@example.com",` + person + `}`},
	{name: "POST /users/{user}/password", about: ofUser, action: satellite.ActionManageUsers, body: `{` + password + `}`},
	{name: "POST /users/{user}/role", about: ofUser, action: satellite.ActionManageUsers, body: `{"role":"system-operator"}`},
	{name: "GET /api-clients", about: listsUsers, shows: `"name":"{api_client}"`},
	{name: "POST /api-clients", about: ofSatellite, action: satellite.ActionManageUsers, body: `{"name":"New"}`},
	{name: "POST /api-clients", about: ofAccount, action: satellite.ActionManageAccess, body: `{"name":"New","account":"{account}"}`},
	{name: "POST /api-clients", about: ofVirtualAccount, action: satellite.ActionManageAccess, body: `{"name":"New","account":"{account}","virtual_account":"{virtual_account}"}`},
	{name: "GET /api-clients/{api_client}", about: ofUser},
	{name: "POST /api-clients/{api_client}/rotate", about: ofUser, body: `{}`},
	{name: "POST /api-clients/{api_client}/revoke", about: ofUser},

	{name: "GET /accounts/{account}/grants", about: ofAnyPart, action: satellite.ActionManageAccess},
	{name: "POST /accounts/{account}/grants", about: ofVirtualAccount, action: satellite.ActionManageAccess, body: `{"user":"{member}","virtual_account":"{virtual_account}","role":"virtual-account-viewer"}`},
	{name: "POST /accounts/{account}/grants", about: ofAccount, action: satellite.ActionManageAccess, body: `{"user":"{member}","role":"account-viewer"}`},
	{name: "POST /accounts/{account}/grants", about: ofAccount, action: satellite.ActionManageAccess, body: `{"group":"{group}","role":"account-admin"}`},
	{name: "DELETE /accounts/{account}/grants", about: ofVirtualAccount, action: satellite.ActionManageAccess, query: "user={user}&virtual_account={virtual_account}"},
	{name: "GET /accounts/{account}/groups", about: ofAccount, action: satellite.ActionManageAccess},
	{name: "POST /accounts/{account}/groups", about: ofAccount, action: satellite.ActionManageAccess, body: `{"name":"New"}`},
	{name: "GET /accounts/{account}/groups/{group}", about: ofAccount, action: satellite.ActionManageAccess},
	{name: "DELETE /accounts/{account}/groups/{group}", about: ofAccount, action: satellite.ActionManageAccess},
	{name: "POST /accounts/{account}/groups/{group}/members", about: ofAccount, action: satellite.ActionManageAccess, body: `{"user":"{user}"}`},
	{name: "DELETE /accounts/{account}/groups/{group}/members/{member}", about: ofAccount, action: satellite.ActionManageAccess},

	{name: "GET /accounts", about: listsAccounts, shows: `"name":"{account}"`},
	{name: "POST /accounts", about: ofSatellite, action: satellite.ActionManageAccounts, body: `{"name":"New","email":"new@example.com"}`},
	{name: "GET /accounts/{account}", about: ofAnyPart, action: satellite.ActionRead},
	{name: "PATCH /accounts/{account}", about: ofAccount, action: satellite.ActionManageAccount, body: `{"headquarters":"Here"}`},
	{name: "DELETE /accounts/{account}", about: ofAccountBySystem, action: satellite.ActionManageAccounts},
	{name: "POST /accounts/{account}/deactivate", about: ofAccountBySystem, action: satellite.ActionManageAccounts, body: `{"reason":"It is over."}`},
	{name: "POST /accounts/{account}/activate", about: ofAccountBySystem, action: satellite.ActionManageAccounts, body: `{}`},
	{name: "POST /accounts/{account}/nominate", about: ofAccountBySystem, action: satellite.ActionManageAccounts, body: `{}`},
	{name: "POST /accounts/{account}/approve", about: ofCode, body: `{"code":"wrong"}`},
	{name: "POST /accounts/{account}/decline", about: ofCode, body: `{"code":"wrong","reason":"No."}`},
	{name: "GET /accounts/{account}/agreement", about: ofAnyPart, action: satellite.ActionRead},
	{name: "POST /accounts/{account}/agreement/accept", about: ofAccount, action: satellite.ActionManageAccount, body: `{"version":"1"}`},
	{name: "POST /accounts/{account}/upgrade", about: ofAccount, action: satellite.ActionManageAccount, body: `{}`},
	{name: "GET /accounts/{account}/custom-tags", about: ofVirtualAccount, action: satellite.ActionRead, query: "virtual_account={virtual_account}"},
	{name: "POST /accounts/{account}/custom-tags", about: ofAccount, action: satellite.ActionManageVirtualAccounts, query: "virtual_account={virtual_account}", body: `{"key":"floor","values":["2"]}`},
	{name: "DELETE /accounts/{account}/custom-tags", about: ofAccount, action: satellite.ActionManageVirtualAccounts, query: "virtual_account={virtual_account}&key=floor"},
	{name: "PATCH /accounts/{account}/virtual-accounts/{virtual_account}", about: ofAccount, action: satellite.ActionManageVirtualAccounts, body: `{"description":"Here"}`},
	{name: "POST /accounts/{account}/virtual-accounts/{virtual_account}/default", about: ofAccount, action: satellite.ActionManageVirtualAccounts, body: `{}`},
	{name: "GET /accounts/{account}/virtual-accounts", about: ofAnyPart, action: satellite.ActionRead},
	{name: "POST /accounts/{account}/virtual-accounts", about: ofAccount, action: satellite.ActionManageVirtualAccounts, body: `{"name":"New"}`},
	{name: "DELETE /accounts/{account}/virtual-accounts/{virtual_account}", about: ofAccount, action: satellite.ActionManageVirtualAccounts},
	{name: "GET /accounts/{account}/certificate-chain", about: ofAnyPart, action: satellite.ActionRead},
	{name: "GET /accounts/{account}/crl", about: ofAnyPart, action: satellite.ActionRead},

	{name: "GET /tokens", about: lists, shows: `"description":"{virtual_account}"`},
	{name: "POST /tokens", about: ofVirtualAccount, action: satellite.ActionManageTokens, body: `{"account":"{account}","virtual_account":"{virtual_account}"}`},
	{name: "GET /tokens/{id}", about: ofThing, action: satellite.ActionManageTokens},
	{name: "POST /tokens/{id}/revoke", about: ofThing, action: satellite.ActionManageTokens},
	{name: "POST /tokens/revoke", about: ofThing, action: satellite.ActionManageTokens, body: `{"token":"{token}"}`},

	{name: "GET /devices", about: lists, shows: `"piid":"{piid}"`},
	{name: "GET /devices", about: ofThing, action: satellite.ActionRead, query: "udi_pid=C9800-CL-K9&udi_serial_number={serial}"},
	{name: "GET /devices/{piid}", about: ofThing, action: satellite.ActionRead},
	{name: "DELETE /devices/{piid}", about: ofThing, action: satellite.ActionManageDevices},
	{name: "GET /devices/{piid}/certificate", about: ofThing, action: satellite.ActionRead},

	{name: "POST /accounts/{account}/device-transfers", about: ofVirtualAccount, action: satellite.ActionManageDevices, body: `{"piids":["{piid}"],"virtual_account":"{virtual_account}"}`},

	{name: "GET /licenses/explanation", about: ofVirtualAccount, action: satellite.ActionRead, query: "account={account}&virtual_account={virtual_account}&tag=" + tag},
	{name: "POST /accounts/{account}/license-transfers", about: ofAccount, action: satellite.ActionManageLicenses, body: `{"transfers":[{"tag":"` + tag + `","from":"{virtual_account}","to":"Default","quantity":1}]}`, both: true},
	{name: "POST /reservation-previews", about: anyone, body: `{"code":"{code}"}`},
	{name: "GET /reservations", about: lists, shows: `"udi_serial_number":"{reserved_serial}"`},
	{name: "POST /reservations", about: ofVirtualAccount, action: satellite.ActionManageReservations, body: `{"account":"{account}","virtual_account":"{virtual_account}","code":"{code}"}`},
	{name: "GET /reservations/{id}", about: ofThing, action: satellite.ActionRead},
	{name: "POST /reservations/{id}/updates", about: ofThing, action: satellite.ActionManageReservations, body: `{"licenses":[]}`},
	{name: "POST /reservations/{id}/confirmation", about: ofThing, action: satellite.ActionManageReservations, body: `{"code":"wrong"}`, invalid: true},
	{name: "POST /reservations/{id}/return", about: ofThing, action: satellite.ActionManageReservations, body: `{"code":"wrong"}`, invalid: true},
	{name: "POST /reservation-returns", about: ofThing, action: satellite.ActionManageReservations, body: `{"udi_pid":"EX-8500","udi_serial_number":"{reserved_serial}","code":"wrong"}`, invalid: true},
	{name: "GET /reservations/{id}/qr", about: ofThing, action: satellite.ActionRead},

	{name: "GET /licenses", about: lists, shows: `"virtual_account":"{virtual_account}"`},
	{name: "GET /licenses", about: ofAnyPart, action: satellite.ActionRead, query: "account={account}&tag=" + tag},

	{name: "POST /accounts/{account}/sync-requests", about: ofAccount, action: satellite.ActionSynchronize, body: `{}`},
	{name: "POST /sync-responses", about: ofResponse, action: satellite.ActionSynchronize, body: `{sync_response}`},
	{name: "POST /sync-inspections", about: anyone, body: `{sync_response}`},
	{name: "GET /sync", about: listsWhole, shows: `"account":"{account}"`},
	{name: "POST /accounts/{account}/synchronize", about: ofAccount, action: satellite.ActionSynchronize, body: `{}`},
	{name: "GET /accounts/{account}/sync-exchanges", about: ofAccount, action: satellite.ActionRead},
	{name: "GET /sync-schedule", about: anyone},
	{name: "POST /sync-schedule", about: ofSatellite, action: satellite.ActionSynchronize, body: `{"schedule":"daily 02:00"}`},
	{name: "DELETE /sync-schedule", about: ofSatellite, action: satellite.ActionSynchronize},
	{name: "GET /accounts/{account}/sync-schedule", about: ofAccount, action: satellite.ActionRead},
	{name: "POST /accounts/{account}/sync-schedule", about: ofAccount, action: satellite.ActionSynchronize, body: `{"schedule":"weekly mon 02:00"}`},
	{name: "DELETE /accounts/{account}/sync-schedule", about: ofAccount, action: satellite.ActionSynchronize},
	{name: "GET /upstream", about: ofSatellite, action: satellite.ActionManageTrust},
	{name: "POST /upstream", about: ofSatellite, action: satellite.ActionManageTrust, body: `{"url":"https://upstream.example"}`},
	{name: "DELETE /upstream", about: ofSatellite, action: satellite.ActionManageTrust},
	{name: "GET /privacy", about: ofSatellite, action: satellite.ActionRead},
	{name: "PATCH /privacy", about: ofSatellite, action: satellite.ActionManagePrivacy, body: `{"hostname":"on"}`},
	{name: "GET /accounts/{account}/privacy", about: ofAccount, action: satellite.ActionRead},
	{name: "PATCH /accounts/{account}/privacy", about: ofAccount, action: satellite.ActionManageAccount, body: `{"hostname":"off"}`},
	{name: "GET /roots", about: anyone},
	{name: "POST /roots", about: ofSatellite, action: satellite.ActionManageTrust, body: `{root}`},

	{name: "GET /accounts/{account}/usage-reports", about: ofAnyPart, action: satellite.ActionRead},
	{name: "POST /accounts/{account}/usage-reports", about: ofUpload, action: satellite.ActionImportUsage, body: `{report}`},

	{name: "GET /mails", about: ofSatellite, action: satellite.ActionManageUsers},
	{name: "GET /mails/{id}", about: ofSatellite, action: satellite.ActionManageUsers},
	{name: "GET /alerts", about: lists, query: "closed=true", shows: `"source":"{virtual_account}"`},
	{name: "GET /alert-kinds", about: anyone},
	{name: "POST /events/prune", about: ofSatellite, action: satellite.ActionManageEvents, body: `{"before":"2001-01-01T00:00:00Z"}`},

	{name: "GET /events", about: lists, query: "piid={piid}"},
	{name: "GET /events", about: ofAnyPart, action: satellite.ActionRead, query: "account={account}&piid={piid}"},
	{name: "GET /events", about: lists, shows: `"Virtual account \"{virtual_account}\" was created."`},
}

// openRoutes are those that answer without a session, by method and path.
var openRoutes = []string{}

// The nine roles, in the letters of the matrix.
var roleOf = map[string]satellite.Role{
	"A": satellite.RoleSystemAdmin, "O": satellite.RoleSystemOperator, "U": satellite.RoleSystemUser,
	"a": satellite.RoleAccountAdmin, "u": satellite.RoleAccountUser, "v": satellite.RoleAccountViewer,
	"x": satellite.RoleVirtualAccountAdmin, "y": satellite.RoleVirtualAccountUser, "z": satellite.RoleVirtualAccountViewer,
}

// matrix is which roles may do what, written down a second time, for the rules must not judge themselves.
var matrix = map[satellite.Action]string{
	satellite.ActionManageAccounts: "AO", satellite.ActionManageUsers: "A", satellite.ActionManageTrust: "A",
	satellite.ActionRead: "AOauvxyz", satellite.ActionManageAccount: "AOa", satellite.ActionManageVirtualAccounts: "AOa",
	satellite.ActionManageAccess: "Aax", satellite.ActionManageTokens: "AOauxy", satellite.ActionManageDevices: "AOauxy",
	satellite.ActionManageLicenses: "AOauxy", satellite.ActionManageReservations: "AOauxy", satellite.ActionImportUsage: "AOauxy",
	satellite.ActionSynchronize: "AOa", satellite.ActionManageClock: "A", satellite.ActionManageEvents: "A", satellite.ActionManagePrivacy: "A",
}

// place is where a request is about. Account roles are had in Own, roles in a
// virtual account in Own-Lab.
type place struct{ account, virtual string }

var places = []place{{"Own", "Own-Lab"}, {"Own", "Own-Floor"}, {"Foreign", "Foreign-Lab"}}

// may tells whether a role allows the action in a place: in the virtual account,
// or, where whole is asked, in the account as a whole.
func (p place) may(role string, action satellite.Action, whole bool) bool {
	switch {
	case !strings.Contains(matrix[action], role):
		return false
	case oneOf(role, "AOU"):
		return true
	case oneOf(role, "auv"):
		return p.account == "Own"
	}
	return p.virtual == "Own-Lab" && !whole
}

// expected are the statuses that a request may be answered with.
func (r route) expected(role string, p place) []int {
	var (
		done                = []int{200, 201, 204, 409} // 409: it was allowed, and the state forbids it
		refused             = []int{403}
		hidden              = []int{404}
		part                = place{"Own", "Own-Lab"}
		seesPart            = p.may(role, satellite.ActionRead, false)
		seesAccount         = seesPart || p.account == "Own" && part.may(role, satellite.ActionRead, false)
		allowed, seen, deny = false, seesAccount, refused
	)
	if r.both {
		deny = []int{403, 404}
	}
	if r.invalid {
		done = []int{400}
	}
	switch r.about {
	case anyone, lists, listsAccounts, listsWhole, listsUsers:
		allowed = true
	case ofSatellite:
		allowed, seen = oneOf(role, "AOU") && p.may(role, r.action, true), true
	case ofAccountBySystem:
		allowed = oneOf(role, "AOU") && p.may(role, r.action, true)
	case ofAccount:
		allowed = p.may(role, r.action, true)
	case ofCode:
		allowed, seen = false, true
		done, deny = nil, []int{403, 404, 409}
	case ofAnyPart:
		allowed = p.may(role, r.action, false) || p.account == "Own" && part.may(role, r.action, false)
	case ofVirtualAccount:
		allowed = p.may(role, r.action, false)
		if !seesPart {
			deny = []int{403, 404}
		}
	case ofThing:
		allowed, seen = p.may(role, r.action, false), seesPart
	case ofUpload:
		allowed = p.may(role, r.action, false)
	case ofResponse:
		allowed = p.may(role, r.action, true)
		if seen = true; part.may(role, r.action, true) {
			deny = []int{409}
		}
	case ofUser:
		seen = p.may(role, satellite.ActionManageAccess, false)
		allowed = seen && (r.action == "" || oneOf(role, "AOU") && p.may(role, r.action, true))
	}
	switch {
	case allowed:
		return done
	case seen:
		return deny
	}
	return hidden
}

// oneOf tells whether a role is one of these letters.
func oneOf(role, letters string) bool { return strings.Contains(letters, role) }

// covers tells whether a listing shows a place to a role.
func (r route) covers(role string, p place) bool {
	switch r.about {
	case listsWhole:
		return p.may(role, satellite.ActionRead, true)
	case listsUsers:
		return p.may(role, satellite.ActionManageAccess, false)
	case listsAccounts:
		return p.may(role, satellite.ActionRead, false) || p.account == "Own" && oneOf(role, "xyz")
	}
	return p.may(role, satellite.ActionRead, false)
}

func TestEveryRouteAsksEveryRole(t *testing.T) {
	t.Parallel()
	f := newAccessFixture(t)
	described := describe(t, f.world)
	lines := map[string]int{}
	for _, r := range routes {
		lines[r.name]++
	}
	for path, operations := range described.Paths {
		for method := range operations {
			name := strings.ToUpper(method) + " " + path
			if lines[name] == 0 {
				t.Errorf("nobody says who may call %s: add a line to the table routes of access_test.go, with the smallest request that would be answered, the action that it takes, and where that is asked", name)
			}
			delete(lines, name)
		}
	}
	for name := range lines {
		t.Errorf("there is no route %s any more: take its line out of the table routes", name)
	}
	asked := 0
	for role := range roleOf {
		for _, r := range routes {
			for _, p := range places {
				for _, d := range f.doors {
					f.ask(d, r, role, p)
					asked++
				}
			}
			if r.shows != "" {
				f.filtered(described, r, role)
			}
		}
	}
	if asked < 4000 {
		t.Errorf("only %d requests were made", asked)
	}
}

// ask makes one request and judges its answer.
func (f *accessFixture) ask(d door, r route, role string, p place) {
	f.t.Helper()
	got := f.request(d, r, role, p, r.query)
	method, path, _ := strings.Cut(r.name, " ")
	checkAnswer(f.t, documentOnce(), method, path, got)
	want := r.expected(role, p)
	if !slices.Contains(want, got.status) {
		f.t.Errorf("%s as %s by %s about %s: status %d, want one of %v: %.300s", r.name, roleOf[role], d.name, p.virtual, got.status, want, got.body)
	}
	if r.about == ofResponse && slices.Equal(want, []int{409}) && !strings.Contains(got.body, `"code":"response-foreign"`) {
		f.t.Errorf("%s as %s about %s tells that the account is here: %.300s", r.name, roleOf[role], p.virtual, got.body)
	}
	if got.status >= 400 || r.about == anyone {
		return
	}
	for _, other := range places {
		own := r.covers(role, other)
		if r.shows != "" && own != strings.Contains(got.body, f.fill(r.shows, other)) {
			f.t.Errorf("%s as %s: whether %s is shown must be %v: %.1000s", r.name, roleOf[role], other.virtual, own, got.body)
		}
		// Whatever the route: what a role does not cover stands in no answer.
		if !other.may(role, satellite.ActionRead, false) && strings.Contains(got.body, other.virtual) {
			f.t.Errorf("%s as %s about %s speaks of %s: %.1000s", r.name, roleOf[role], p.virtual, other.virtual, got.body)
		}
	}
}

// filtered asks a listing for one account, and for one virtual account, where it can be asked for that.
func (f *accessFixture) filtered(d description, r route, role string) {
	f.t.Helper()
	method, path, _ := strings.Cut(r.name, " ")
	for _, p := range places {
		narrowed, query := route{name: r.name, about: ofAnyPart, action: satellite.ActionRead}, "account={account}"
		if !d.takes(method, path, "account") {
			return
		}
		for range 2 {
			if got, want := f.request(f.doors[0], r, role, p, query), narrowed.expected(role, p); !slices.Contains(want, got.status) {
				f.t.Errorf("%s?%s as %s about %s: status %d, want one of %v: %.300s", r.name, query, roleOf[role], p.virtual, got.status, want, got.body)
			}
			if !d.takes(method, path, "virtual_account") {
				break
			}
			narrowed.about, query = ofThing, "account={account}&virtual_account={virtual_account}"
		}
	}
}

func TestWithoutASessionNothingAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tried := 0
	for path, operations := range describe(t, w).Paths {
		for method := range operations {
			tried++
			name := strings.ToUpper(method) + " " + path
			got := w.send(w.console.Client(), w.console.URL, strings.ToUpper(method), parameter.ReplaceAllString(path, "1"), "", "")
			if shut := got.status == http.StatusUnauthorized && strings.Contains(got.body, `"code":"not-signed-in"`); shut == slices.Contains(openRoutes, name) {
				t.Errorf("%s without a session: status %d, %s", name, got.status, got.body)
			}
		}
	}
	if tried < 40 {
		t.Errorf("only %d operations are described", tried)
	}
	got := w.send(w.console.Client(), w.console.URL, http.MethodGet, "/openapi.json", "", "")
	w.expect(got, http.StatusUnauthorized, `"code":"not-signed-in"`)
}

// reportFile is a usage file of a device of this serial number.
func reportFile(t *testing.T, serial string) string {
	t.Helper()
	content := must(os.ReadFile(filepath.Join("..", "..", "cmd", "satellite", "testdata", "report-c9800.xml")))(t)
	return strings.ReplaceAll(string(content), "9NTUEA8FIIH", serial)
}

func (f *accessFixture) fill(text string, p place) string {
	for name, value := range f.names[p] {
		text = strings.ReplaceAll(text, "{"+name+"}", value)
	}
	return text
}
