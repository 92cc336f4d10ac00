package adminapi_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"ssm/satellite"
	"ssm/satellite/adminapi"
	"ssm/satellite/issuer"
	"ssm/satellite/web"
	"ssm/satellite/wire"
	"ssm/sync/scheduler"
)

// accessFixture is a satellite with everything in every place, a signed-in user
// and an API client of each role, and the API over a service that forgets what it did: so each
// request meets the same satellite.
type accessFixture struct {
	*world
	handler http.Handler
	doors   []door
	names   map[place]map[string]string
}

// rehearsal is a store whose updates are run, answered, and rolled back.
type rehearsal struct{ satellite.Store }

var errRehearsed = errors.New("rehearsed")

func (r rehearsal) Update(ctx context.Context, f func(satellite.Tx) error) error {
	var result error
	err := r.Store.Update(ctx, func(tx satellite.Tx) error { result = f(tx); return errRehearsed })
	if errors.Is(err, errRehearsed) {
		return result
	}
	return err
}

// quick are passwords without the time that they take.
type quick struct{}

func (quick) Hash(password string) (string, error)        { return "hash of " + password, nil }
func (quick) Matches(password, hash string) (bool, error) { return hash == "hash of "+password, nil }

func newAccessFixture(t *testing.T) *accessFixture {
	t.Helper()
	f := &accessFixture{world: newWorld(t), names: map[place]map[string]string{}, doors: []door{{name: "session", headers: map[string][]string{}}, {name: "access token", headers: map[string][]string{}}}}
	f.accounts()
	for n, p := range places {
		f.furnish(n, p)
	}
	own := f.names[places[0]]
	for letter, role := range roleOf {
		system, grants := satellite.RoleSystemUser, []satellite.Grant(nil)
		switch {
		case oneOf(letter, "AOU"):
			system = role
		case oneOf(letter, "auv"):
			grants = []satellite.Grant{{AccountID: id[satellite.AccountID](own, "account id"), Role: role}}
		default:
			grants = []satellite.Grant{{AccountID: id[satellite.AccountID](own, "account id"), VirtualAccountID: id[satellite.VirtualAccountID](own, "virtual account id"), Role: role}}
		}
		cookie, csrf := f.session(f.user(string(role)+"@roles.example", system, grants...))
		f.doors[0].headers[letter] = []string{"Cookie", cookie, "X-CSRF-Token", csrf}
		grant := satellite.Grant{Role: role}
		if len(grants) > 0 {
			grant = grants[0]
		}
		f.doors[1].headers[letter] = []string{"Authorization", "Bearer " + f.show(f.client("of "+string(role), grant))}
	}
	service := must(satellite.New(t.Context(), satellite.Ports{
		Store: rehearsal{f.store}, Issuer: issuer.New(f.keys), Tokens: f.signer, Passwords: quick{}, Secrets: f.keys,
		Observer: silent{}, Timetable: scheduler.Next, Now: clock, Random: rand.Reader,
	}, satellite.Options{TemporaryFolder: f.folder}))(t)
	e := web.New(slog.New(slog.DiscardHandler))
	adminapi.Routes(e, adminapi.Options{Service: service, Sessions: f.world.sessions, TemporaryFolder: f.folder})
	f.handler = e
	return f
}

func id[T ~int64](names map[string]string, name string) T {
	var value int64
	_, _ = fmt.Sscan(names[name], &value)
	return T(value)
}

// accounts makes the accounts with their virtual accounts, registered upstream,
// each with a sync response that waits.
func (f *accessFixture) accounts() {
	f.t.Helper()
	for _, p := range places {
		if p.virtual != "Own-Floor" {
			f.expect(f.call(http.MethodPost, "/accounts", asJSON, `{"name":"`+p.account+`","email":"a@example.com"}`), 201, "")
			f.settle(p.account)
			f.expect(f.call(http.MethodPost, "/accounts/"+p.account+"/agreement/accept", asJSON, `{"version":"1"}`), 200, "")
		}
		f.expect(f.call(http.MethodPost, "/accounts/"+p.account+"/virtual-accounts", asJSON, `{"name":"`+p.virtual+`"}`), 201, "")
		request := f.call(http.MethodPost, "/accounts/"+p.account+"/sync-requests", asJSON, `{}`)
		f.expect(request, 200, "")
		f.names[p] = map[string]string{
			"account": p.account, "virtual_account": p.virtual, "piid": "piid-" + p.virtual, "serial": "SN-" + p.virtual,
			"user": "user@" + strings.ToLower(p.virtual) + ".example", "member": "member@" + strings.ToLower(p.virtual) + ".example", "group": "Group-" + p.virtual,
			"sync_response": string(f.upstream.answer([]byte(request.body), tag, now)), "root": string(f.upstream.rootPEM()),
			"report": reportFile(f.t, "SN-"+p.virtual),
		}
	}
	// The last response of Own answers its last request.
	f.names[places[0]]["sync_response"] = f.names[places[1]]["sync_response"]
}

// furnish puts a token, a device, a license, a usage report, a user, a group
// and a member of it into a place.
func (f *accessFixture) furnish(n int, p place) {
	f.t.Helper()
	names := f.names[p]
	names["token"] = tokenOf(f.t, f.call(http.MethodPost, "/tokens", asJSON, `{"account":"`+p.account+`","virtual_account":"`+p.virtual+`","description":"`+p.virtual+`"}`))
	names["id"] = fmt.Sprint(n + 1)
	f.reserve(names, "reserved-"+p.virtual)
	f.expect(f.call(http.MethodPost, "/accounts/"+p.account+"/custom-tags?virtual_account="+p.virtual, asJSON, `{"key":"floor","values":["1"]}`), 200, "")
	names["code"] = f.requestCode("fresh-" + p.virtual)
	for _, role := range []string{"user", "member"} {
		f.expect(f.call(http.MethodPost, "/users", asJSON, `{"email":"`+names[role]+`",`+person+`,`+password+`}`), 201, "")
	}
	f.expect(f.call(http.MethodPost, "/accounts/"+p.account+"/grants", asJSON, `{"user":"`+names["user"]+`","virtual_account":"`+p.virtual+`","role":"virtual-account-user"}`), 200, "")
	names["api_client"] = "Client-" + p.virtual
	f.expect(f.call(http.MethodPost, "/api-clients", asJSON, `{"name":"`+names["api_client"]+`","account":"`+p.account+`","virtual_account":"`+p.virtual+`"}`), 201, "")
	f.expect(f.call(http.MethodPost, "/accounts/"+p.account+"/groups", asJSON, `{"name":"`+names["group"]+`"}`), 201, "")
	f.expect(f.call(http.MethodPost, "/accounts/"+p.account+"/groups/"+names["group"]+"/members", asJSON, `{"user":"`+names["member"]+`"}`), 204, "")
	err := f.store.Update(f.t.Context(), func(tx satellite.Tx) error {
		account, err := tx.AccountByName(p.account)
		if err != nil {
			return err
		}
		list, err := tx.VirtualAccounts(account.ID)
		if err != nil {
			return err
		}
		virtual := list[0]
		for _, v := range list {
			if v.Name == p.virtual {
				virtual = v
			}
		}
		names["account id"], names["virtual account id"] = fmt.Sprint(account.ID), fmt.Sprint(virtual.ID)
		license, err := tx.LicenseByTag(account.ID, tag)
		if err != nil {
			return err
		}
		credential := sha256.Sum256([]byte(p.virtual))
		instance, err := tx.CreateInstance(satellite.Instance{
			AuthorizationState: satellite.NoLicensesInUse,
			PIID:               names["piid"], AccountID: account.ID, VirtualAccountID: virtual.ID, Credential: credential, Hostname: p.virtual, RegistrationState: satellite.Registered,
			Identity: satellite.Identity{UDIPID: "C9800-CL-K9", UDISerialNumber: names["serial"], SoftwareTag: "regid.2018-05.com.cisco.WLC_9500C,1.0_85665885-b865-4e32-8184-5510412fcb54"},
		})
		if err != nil {
			return err
		}
		_, pool := tx.SavePool(satellite.Pool{AccountID: account.ID, VirtualAccountID: virtual.ID, LicenseID: license.ID, InUse: 1})
		_, report := tx.CreateReport(satellite.Report{AccountID: account.ID, Digest: p.virtual, Raw: []byte{1}, PIID: instance.PIID, Key: satellite.ReportKey{Identity: instance.Identity, ReportID: 1, Tag: tag}, State: satellite.ReportReceived})
		_, alert := tx.OpenAlert(satellite.Alert{AccountID: account.ID, VirtualAccountID: virtual.ID, Type: satellite.AlertInsufficientLicenses, Severity: satellite.Major, Key: p.virtual, Source: p.virtual, OpenedAt: now})
		_, mail := tx.CreateMail(satellite.Mail{Recipient: "a@example.com", Body: must(f.keys.Seal("mail", []byte("text")))(f.t), Subject: "Approval", CreatedAt: now})
		return errors.Join(pool, report, alert, mail,
			tx.Record(satellite.Event{At: now, Type: satellite.EventDeviceAuthorized, AccountID: account.ID, PIID: instance.PIID, Message: "Device " + p.virtual + " is authorized."}),
			tx.SaveUsage(satellite.Usage{InstanceID: instance.ID, LicenseID: license.ID, VirtualAccountID: virtual.ID, Count: 1, Wanted: 1}),
			tx.SaveCertificate(satellite.Certificate{Fingerprint: credential, Serial: p.virtual, AccountID: account.ID, PIID: instance.PIID, DER: []byte{1}, Status: satellite.CertificateActive}))
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

// requestCode is what a device of this serial number shows to ask for a reservation.
func (f *accessFixture) requestCode(serial string) string {
	f.t.Helper()
	key := must(wire.NewReservationKey())(f.t)
	return must(wire.ReservationRequest{Kind: wire.ReservationUniversal, PID: "EX-8500", SerialNumber: serial, Key: key.Public()}.Code())(f.t)
}

// reserve puts a reservation into a place.
func (f *accessFixture) reserve(names map[string]string, serial string) {
	f.t.Helper()
	body := `{"account":"` + names["account"] + `","virtual_account":"` + names["virtual_account"] + `","code":"` + f.requestCode(serial) + `"}`
	f.expect(f.call(http.MethodPost, "/reservations", asJSON, body), 201, "")
	names["reserved_serial"] = serial
}

// door is a way in, with the headers that each role shows there.
type door struct {
	name    string
	headers map[string][]string
}

// request is one request through a door.
func (f *accessFixture) request(d door, r route, role string, p place, query string) reply {
	f.t.Helper()
	method, path, _ := strings.Cut(r.name, " ")
	path, body := f.fill(path, p), f.fill(r.body, p)
	if query != "" {
		path += "?" + f.fill(query, p)
	}
	if strings.Contains(path, "{") {
		f.t.Fatalf("%s holds a name that no place has a value for: give it one in access_world_test.go", path)
	}
	request := httptest.NewRequestWithContext(f.t.Context(), method, adminapi.Prefix+path, strings.NewReader(body))
	if strings.HasPrefix(r.body, `{"`) || r.body == `{}` {
		request.Header.Set("Content-Type", asJSON)
	}
	for i := 0; i < len(d.headers[role]); i += 2 {
		request.Header.Set(d.headers[role][i], d.headers[role][i+1])
	}
	recorder := httptest.NewRecorder()
	f.handler.ServeHTTP(recorder, request)
	return reply{recorder.Code, recorder.Header(), recorder.Body.String()}
}
