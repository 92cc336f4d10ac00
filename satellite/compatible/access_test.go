package compatible_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"ssm/satellite"
	"ssm/satellite/compatible"
)

// Every call, asked by a user and by a client of every role, about its own and
// about foreign accounts and virtual accounts. The table below has a line for
// each call; a call without one fails. What it must answer follows from the matrix.

// about is where the right to a call is asked, and what hides its thing from a stranger.
type about int

const (
	open             about = iota // the token endpoint: nobody is asked who he is
	listsAccounts                 // shows each account that a role covers a part of
	ofAccount                     // a role in the whole account decides; a stranger finds no account
	ofAnyPart                     // a role in the account or a part of it decides, and shows what it covers
	ofVirtualAccount              // a role in the virtual account of the path decides; a stranger finds none
	ofNamed                       // the same, for one that the request names: who has no such role in the account at all is refused before
	ofParent                      // a role in the whole account decides; who does not see the virtual account finds none
	ofTwo                         // a role in two virtual accounts decides: that of the path, and the default one
)

// line is one line of the table. In path, query and body, {account},
// {virtual_account}, {serial}, {token} and {code} (of a request for a
// reservation) are those of the spot that the request is about, and {target} is
// another virtual account of its account.
type line struct {
	call   string // as compatible.Routes has it
	about  about
	action satellite.Action
	body   string
	query  string
	shows  []string // of a listing: what stands in it of each place that is seen

	// held tells that it is allowed, and the state forbids it: a place that has something in it stays.
	held bool
}

const (
	inAccount        = "/accounts/{account}"
	inVirtualAccount = inAccount + "/virtual-accounts/{virtual_account}"
	ownSUDI          = `"sudi":{"udiPid":"EX-8500","udiSerialNumber":"{serial}"}`
	window           = `"limit":-1`
)

// lines is the table. To add a call, add a line: the smallest request that would
// be answered, the action that it takes, and where that is asked.
var lines = []line{
	{call: "POST token ", about: open},

	{call: "GET v2 /accounts", about: listsAccounts, shows: []string{`"accountName":"{account}"`, `"virtualAccount":"{virtual_account}"`}},
	{call: "GET v1 /accounts/search", about: listsAccounts, shows: []string{`"name":"{account}"`}},
	{call: "POST v1 /upstream_satellites/accounts", about: listsAccounts, shows: []string{`"name":"{account}"`, `"name":"{virtual_account}"`}},

	{call: "GET v1 " + inAccount + "/virtual-accounts", about: ofAnyPart, action: satellite.ActionRead, shows: []string{`"name":"{virtual_account}"`}},
	{call: "POST v1 " + inAccount + "/virtual-accounts", about: ofAccount, action: satellite.ActionManageVirtualAccounts, body: `{"name":"New"}`},
	{call: "GET v1 " + inAccount + "/{type}/virtual-accounts", about: ofAnyPart, action: satellite.ActionRead, shows: []string{`"name":"{virtual_account}"`}},
	{call: "POST v1 " + inAccount + "/{type}/virtual-accounts", about: ofAccount, action: satellite.ActionManageVirtualAccounts, body: `{"name":"New"}`},
	{call: "POST v1 " + inVirtualAccount + "/delete", about: ofParent, action: satellite.ActionManageVirtualAccounts, held: true},

	{call: "POST v1 " + inAccount + "/licenses", about: ofAnyPart, action: satellite.ActionRead, body: `{` + window + `}`, shows: []string{`"virtualAccount":"{virtual_account}"`}},
	{call: "POST v1 " + inAccount + "/licenses", about: ofVirtualAccount, action: satellite.ActionRead, body: `{` + window + `,"virtualAccounts":["{virtual_account}"]}`},
	{call: "POST v1 " + inAccount + "/license-subscriptions", about: ofAnyPart, action: satellite.ActionRead, body: `{` + window + `}`, shows: []string{`"virtualAccount":"{virtual_account}"`}},
	{call: "POST v1 " + inAccount + "/license-subscriptions", about: ofVirtualAccount, action: satellite.ActionRead, body: `{` + window + `,"virtualAccounts":["{virtual_account}"]}`},
	{call: "POST v1 " + inVirtualAccount + "/licenses/transfer", about: ofTwo, action: satellite.ActionManageLicenses, body: `{"licenses":[{"license":"` + campusTerm + `","quantity":1,"targetVirtualAccount":"{target}"}]}`},

	{call: "POST v1 " + inAccount + "/alerts", about: ofAnyPart, action: satellite.ActionRead, body: `{` + window + `}`, shows: []string{`"source":"{virtual_account}"`}},

	{call: "GET v1 " + inAccount + "/devices", about: ofAnyPart, action: satellite.ActionRead, query: "limit=-1", shows: []string{`"udiSerialNumber":"{serial}"`}},
	{call: "GET v1 " + inAccount + "/devices", about: ofVirtualAccount, action: satellite.ActionRead, query: "virtualAccountName={virtual_account}"},
	{call: "POST v1 " + inAccount + "/devices", about: ofAnyPart, action: satellite.ActionRead, body: `{` + window + `}`, shows: []string{`"udiSerialNumber":"{serial}"`}},
	{call: "POST v1 " + inAccount + "/devices", about: ofVirtualAccount, action: satellite.ActionRead, body: `{"virtualAccounts":["{virtual_account}"]}`},
	{call: "GET v1 " + inVirtualAccount + "/devices", about: ofVirtualAccount, action: satellite.ActionRead},
	{call: "POST v1 " + inVirtualAccount + "/devices/transfer", about: ofTwo, action: satellite.ActionManageDevices, body: `{"productInstances":[{` + ownSUDI + `,"targetVirtualAccount":"{target}"}]}`},
	{call: "POST v2 " + inVirtualAccount + "/devices/remove", about: ofVirtualAccount, action: satellite.ActionManageDevices, body: `{"productInstacesRemoveRequests":[{` + ownSUDI + `}]}`},
	{call: "POST v3 " + inVirtualAccount + "/devices/remove", about: ofVirtualAccount, action: satellite.ActionManageDevices, body: `{"productInstancesRemoveRequests":[{` + ownSUDI + `}]}`},
	{call: "POST v2 " + inAccount + "/devices/remove", about: ofNamed, action: satellite.ActionManageDevices, query: "virtualAccountName={virtual_account}", body: `{"productInstacesRemoveRequests":[{` + ownSUDI + `}]}`},
	{call: "POST v3 " + inAccount + "/devices/remove", about: ofNamed, action: satellite.ActionManageDevices, query: "virtualAccountName={virtual_account}", body: `{"productInstancesRemoveRequests":[{` + ownSUDI + `}]}`},

	{call: "POST v1 " + inVirtualAccount + "/reserve-licenses", about: ofVirtualAccount, action: satellite.ActionManageReservations, body: `{"reservationRequests":[{"reservationCode":"{code}","reservationType":"UNIVERSAL"}]}`},
	{call: "POST v2 " + inVirtualAccount + "/reserve-licenses", about: ofVirtualAccount, action: satellite.ActionManageReservations, body: `{"reservationRequests":[{"reservationCode":"{code}","reservationType":"UNIVERSAL"}]}`},

	{call: "GET v1 " + inVirtualAccount + "/tokens", about: ofVirtualAccount, action: satellite.ActionManageTokens},
	{call: "POST v1 " + inVirtualAccount + "/tokens", about: ofVirtualAccount, action: satellite.ActionManageTokens, body: `{"expiresAfterDays":1}`},
	{call: "POST v1 " + inVirtualAccount + "/tokens/revoke", about: ofVirtualAccount, action: satellite.ActionManageTokens, body: `{"tokens":["{token}"]}`},
}

// The nine roles, in the letters of the matrix.
var roleOf = map[string]satellite.Role{
	"A": satellite.RoleSystemAdmin, "O": satellite.RoleSystemOperator, "U": satellite.RoleSystemUser,
	"a": satellite.RoleAccountAdmin, "u": satellite.RoleAccountUser, "v": satellite.RoleAccountViewer,
	"x": satellite.RoleVirtualAccountAdmin, "y": satellite.RoleVirtualAccountUser, "z": satellite.RoleVirtualAccountViewer,
}

// matrix is which roles may do what, written down a second time, for the rules must not judge themselves.
var matrix = map[satellite.Action]string{
	satellite.ActionRead: "AOauvxyz", satellite.ActionManageVirtualAccounts: "AOa", satellite.ActionManageTokens: "AOauxy",
	satellite.ActionManageDevices: "AOauxy", satellite.ActionManageLicenses: "AOauxy", satellite.ActionManageReservations: "AOauxy",
}

// oneOf tells whether a role is one of these letters.
func oneOf(role, letters string) bool { return strings.Contains(letters, role) }

// spot is where a request is about. Account roles are had in tokyo, roles in a
// virtual account in its "Lab 1".
type spot struct{ account, virtual string }

var spots = []spot{{tokyo, "Lab 1"}, {tokyo, "Floor 9"}, {labs, "Foreign Lab"}}

// may tells whether a role allows the action in a spot: in the virtual account,
// or, where whole is asked, in the account as a whole.
func (s spot) may(role string, action satellite.Action, whole bool) bool {
	switch {
	case !strings.Contains(matrix[action], role):
		return false
	case oneOf(role, "AO"):
		return true
	case oneOf(role, "auv"):
		return s.account == tokyo
	}
	return s == spots[0] && !whole
}

// expected is the status that a request must be answered with.
func (l line) expected(role string, s spot) int {
	seesPart := s.may(role, satellite.ActionRead, false)
	allowed, seen := false, seesAccount(role, s)
	switch l.about {
	case listsAccounts:
		allowed = true
	case ofAccount:
		allowed = s.may(role, l.action, true)
	case ofAnyPart:
		allowed = s.may(role, l.action, false) || s.account == tokyo && spots[0].may(role, l.action, false)
	case ofVirtualAccount:
		allowed, seen = s.may(role, l.action, false), seesPart
	case ofNamed:
		allowed = s.may(role, l.action, false)
		seen = seesPart || seesAccount(role, s) && !spots[0].may(role, l.action, false)
	case ofParent:
		allowed, seen = s.may(role, l.action, true), seesPart
	case ofTwo:
		// Who has a role in one virtual account only does not find the other one,
		// where he gets as far as that.
		allowed, seen = s.may(role, l.action, true), seesPart && (!oneOf(role, "xy") || !s.may(role, l.action, false))
	case open:
	}
	switch {
	case allowed && l.held:
		return http.StatusConflict
	case allowed:
		return http.StatusOK
	case seen:
		return http.StatusForbidden
	}
	return http.StatusNotFound
}

func TestEveryCallAsksEveryRole(t *testing.T) {
	t.Parallel()
	routes := compatible.Routes()
	for _, call := range routes {
		if !slices.ContainsFunc(lines, func(l line) bool { return l.call == call }) {
			t.Errorf("nobody says who may make the call %q: add a line to the table lines of access_test.go, with the smallest request that would be answered, the action that it takes, and where that is asked", call)
		}
	}
	f := newAccessFixture(t)
	for letter := range roleOf {
		for _, l := range lines {
			if !slices.Contains(routes, l.call) {
				t.Fatalf("there is no call %q any more: take its line out of the table lines", l.call)
			}
			for _, s := range spots {
				for _, token := range []string{f.users[letter], f.clients[letter]} {
					if l.about != open {
						f.judge(l, letter, s, f.send(l, token, f.names[s]))
					}
				}
			}
		}
	}
	if f.asked < 1400 {
		t.Errorf("only %d requests were made", f.asked)
	}
}

// judge holds an answer against the matrix.
func (f *accessFixture) judge(l line, role string, s spot, got reply) {
	f.t.Helper()
	if want := l.expected(role, s); got.status != want {
		f.t.Errorf("%s as %s about %s: status %d, want %d: %.300s", l.call, roleOf[role], s.virtual, got.status, want, got.body)
	}
	outcome := `{"status":"ERROR","statusMessage":"`
	if got.status == http.StatusOK {
		outcome = `{"status":"SUCCESS","statusMessage":"`
	}
	if !strings.HasPrefix(got.body, outcome) || got.header.Get("Content-Type") != "application/json" {
		f.t.Errorf("%s as %s about %s: this is no answer as clients read it: %.300s", l.call, roleOf[role], s.virtual, got.body)
	}
	for _, other := range spots {
		seen := other.may(role, satellite.ActionRead, false)
		if got.status == http.StatusOK && seen && (l.about == listsAccounts || other.account == s.account) {
			for _, what := range l.shows {
				if what = f.fill(what, f.names[other]); !strings.Contains(got.body, what) {
					f.t.Errorf("%s as %s about %s does not show %s: %.1000s", l.call, roleOf[role], s.virtual, what, got.body)
				}
			}
		}
		// What a role does not cover stands in no answer; a refusal only repeats what it was asked about.
		for _, name := range []string{"virtual_account", "serial", "token"} {
			if !seen && (other != s || got.status == http.StatusOK) && strings.Contains(got.body, f.names[other][name]) {
				f.t.Errorf("%s as %s about %s speaks of %s: %.1000s", l.call, roleOf[role], s.virtual, f.names[other][name], got.body)
			}
		}
		if name := other.account; name != s.account && !seesAccount(role, other) && strings.Contains(got.body, name) {
			f.t.Errorf("%s as %s about %s speaks of the account %s: %.1000s", l.call, roleOf[role], s.virtual, name, got.body)
		}
	}
	if got.status == http.StatusNotFound {
		f.mute(l, role, s, got)
	}
}

func seesAccount(role string, s spot) bool {
	return s.may(role, satellite.ActionRead, false) || s.account == tokyo && spots[0].may(role, satellite.ActionRead, false)
}

// mute sees that what is hidden is answered in the words for what does not
// exist: the first thing on the way that the role does not see.
func (f *accessFixture) mute(l line, role string, s spot, got reply) {
	f.t.Helper()
	missing := "target"
	switch {
	case !seesAccount(role, s):
		missing = "account"
	case !s.may(role, satellite.ActionRead, false):
		missing = "virtual_account"
	}
	names := maps.Clone(f.names[s])
	names[missing] = "No Such Name"
	other := f.send(l, f.users[role], names)
	if want := strings.ReplaceAll(got.body, f.names[s][missing], names[missing]); other.status != got.status || other.body != want {
		f.t.Errorf("%s as %s tells that there is a %s %s: %s; of what is not there it says %s", l.call, roleOf[role], missing, f.names[s][missing], got.body, other.body)
	}
}

func TestNoCallAnswersWithoutATokenThatHolds(t *testing.T) {
	t.Parallel()
	f := newAccessFixture(t)
	bad := f.bad()
	for _, l := range lines {
		if l.about == open {
			continue
		}
		for name, token := range bad {
			got := f.send(l, token, f.names[spots[0]])
			f.refused(got, http.StatusUnauthorized, "")
			want := `Bearer realm="satellite", error="invalid_token"`
			if token == "" {
				want = `Bearer realm="satellite"`
			}
			if challenge := got.header.Get("WWW-Authenticate"); challenge != want {
				t.Errorf("%s with %s: the challenge is %q", l.call, name, challenge)
			}
		}
	}
}

// send makes one request, about what goes by these names.
func (f *accessFixture) send(l line, token string, names map[string]string) reply {
	f.t.Helper()
	f.asked++
	method, rest, _ := strings.Cut(l.call, " ")
	tree, pattern, _ := strings.Cut(rest, " ")
	path := f.fill("/services/api/smart-accounts-and-licensing/"+tree+strings.ReplaceAll(pattern, "{type}", "CUSTOMER"), names)
	if l.query != "" {
		path += "?" + f.fill(l.query, names)
	}
	request := httptest.NewRequestWithContext(f.t.Context(), method, strings.ReplaceAll(path, " ", "%20"), strings.NewReader(f.fill(l.body, names)))
	request.Header.Set("Content-Type", "application/json")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	recorder := httptest.NewRecorder()
	f.handler.ServeHTTP(recorder, request)
	return reply{recorder.Code, recorder.Header(), recorder.Body.String()}
}

func (f *accessFixture) fill(text string, names map[string]string) string {
	for name, value := range names {
		text = strings.ReplaceAll(text, "{"+name+"}", value)
	}
	return text
}
