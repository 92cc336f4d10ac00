package compatible_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ssm/certs"
	"ssm/satellite"
	"ssm/satellite/agent"
	"ssm/satellite/auth"
	"ssm/satellite/compatible"
	"ssm/satellite/issuer"
	"ssm/satellite/store"
	"ssm/satellite/wire"
)

// now is the time of the satellite.
var now = time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)

func clock() time.Time { return now }

// machine is the time of this machine, by which the deadlines of connections count.
func machine() time.Time { return <-time.After(0) }

type silent struct{}

func (silent) DeviceMessage(string, string, time.Duration) {}

func (silent) SyncDone(string, bool) {}

// The accounts of every world.
const (
	tokyo = "Acme 東京"
	labs  = "Acme Labs"
)

// administrator is who furnishes the world, by the name of his token.
const administrator = "system-admin"

// world is a satellite with the compatible API. An actor's token is his name:
// of each role one, in tokyo, and where the role is one of a virtual account,
// in its "Lab 1"; "stranger" has no role anywhere.
type world struct {
	t        *testing.T
	store    *store.Store
	service  *satellite.Service
	keys     *certs.KeyFile
	folder   string
	upstream *upstream
	accounts map[string]satellite.Account
	actors   map[string]satellite.Actor
	server   *httptest.Server
}

// newWorld has both accounts with licenses in them, and no device.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, folder: t.TempDir(), upstream: newUpstream(t), accounts: map[string]satellite.Account{}, actors: map[string]satellite.Actor{}}
	w.keys = must(certs.LoadKeyFile(filepath.Join(w.folder, "key")))(t)
	w.store = must(store.Open(t.Context(), store.Options{Path: filepath.Join(w.folder, "satellite.db")}))(t)
	t.Cleanup(func() {
		if err := w.store.Close(); err != nil {
			t.Error(err)
		}
	})
	w.service = must(satellite.New(t.Context(), satellite.Ports{
		Store: w.store, Issuer: issuer.New(w.keys), Tokens: auth.NewTokens(), Passwords: auth.NewPasswords(1), Secrets: w.keys,
		Observer: silent{}, Now: clock, Random: rand.Reader,
	}, satellite.Options{TemporaryFolder: w.folder}))(t)
	w.server = httptest.NewServer(compatible.Handler(compatible.Options{
		Service: w.service, Log: slog.New(slog.DiscardHandler), Now: machine, Authenticate: w.authenticate,
	}))
	t.Cleanup(w.server.Close)
	w.actors[administrator] = satellite.Actor{Name: administrator, Role: satellite.RoleSystemAdmin}
	must(w.service.TrustRoots(t.Context(), w.actors[administrator], certs.EncodePEM(w.upstream.root.Certificate)))(t)
	w.account(tokyo, "admin@tokyo.example")
	w.account(labs, "admin@labs.example")
	lab := must(w.service.CreateVirtualAccount(t.Context(), w.actors[administrator], w.accounts[tokyo].ID, "Lab 1", "実験室"))(t)
	for _, role := range satellite.SystemRoles {
		w.actors[string(role)] = satellite.Actor{Name: string(role), Role: role}
	}
	for _, role := range satellite.AccountRoles {
		w.actor(string(role), satellite.Grant{AccountID: lab.AccountID, Role: role})
	}
	for _, role := range satellite.VirtualAccountRoles {
		w.actor(string(role), satellite.Grant{AccountID: lab.AccountID, VirtualAccountID: lab.ID, Role: role})
	}
	w.actor("stranger")
	return w
}

// authenticate takes the name of an actor for his token.
func (w *world) authenticate(_ context.Context, r *http.Request) (satellite.Actor, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if actor, known := w.actors[token]; known && strings.EqualFold(scheme, "bearer") {
		return actor, nil
	}
	return satellite.Actor{}, &satellite.Error{Kind: satellite.KindUnauthenticated, Code: "access-token-invalid", Message: "This is no access token. Nothing was changed."}
}

// actor lets somebody in with these roles.
func (w *world) actor(name string, grants ...satellite.Grant) {
	w.actors[name] = satellite.Actor{Name: name, Role: satellite.RoleSystemUser, Grants: grants}
}

// account makes an account that the upstream vouches for, with its licenses.
func (w *world) account(name, email string) {
	w.t.Helper()
	ctx, admin := w.t.Context(), w.actors[administrator]
	created := must(w.service.CreateAccount(ctx, admin, satellite.NewAccount{Name: name, Email: email}))(w.t)
	var request bytes.Buffer
	must(w.service.WriteSyncRequest(ctx, admin, created.ID, false, &request))(w.t)
	response := w.upstream.answer(request.Bytes())
	must(w.service.ApplySyncResponse(ctx, admin, bytes.NewReader(response), int64(len(response)), satellite.SyncOptions{}))(w.t)
	if err := w.service.AcceptAgreement(ctx, admin, created.ID, "1"); err != nil {
		w.t.Fatal(err)
	}
	w.accounts[name] = must(w.service.FindAccount(ctx, admin, name))(w.t)
}

// device registers a device into a virtual account of an account, and draws licenses.
func (w *world) device(account, virtual, serial string, licenses map[string]int64) agent.State {
	w.t.Helper()
	_, token, err := w.service.CreateToken(w.t.Context(), w.actors[administrator], satellite.NewToken{AccountID: w.accounts[account].ID, VirtualAccount: virtual})
	if err != nil {
		w.t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		request, problem := wire.ReadRequest(must(io.ReadAll(r.Body))(w.t))
		answer, err := w.service.DeviceMessage(r.Context(), "192.0.2.7", request, problem)
		if err != nil {
			http.Error(rw, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = rw.Write(answer)
	}))
	identity := must(certs.LoadServer(w.folder, w.keys, []string{"127.0.0.1"}, clock))(w.t)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{*must(identity.GetCertificate(nil))(w.t)}, MinVersion: tls.VersionTLS12}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	device := must(agent.Open(agent.Options{
		Folder: filepath.Join(w.folder, "device-"+serial), Now: clock, URL: server.URL + "/SmartTransport",
		Bundle:   certs.EncodePEM(append(identity.Issuer(), w.upstream.root.Certificate)...),
		Identity: agent.Identity{UDIPID: "EX-8500", UDISerialNumber: serial, Hostname: "edge-" + strings.ToLower(serial)},
	}))(w.t)
	defer func() { _ = device.Close() }()
	if err := device.Register(w.t.Context(), token, false); err != nil {
		w.t.Fatal(err)
	}
	for tag, count := range licenses {
		if err := device.Request(w.t.Context(), tag, count); err != nil {
			w.t.Fatal(err)
		}
	}
	return device.State()
}

// reply is an answer that was read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

// send asks with headers, given as names and values in turn. Without a token nobody asks.
func (w *world) send(token, method, path, body string, headers ...string) reply {
	w.t.Helper()
	request := must(http.NewRequestWithContext(w.t.Context(), method, w.server.URL+path, strings.NewReader(body)))(w.t)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := w.server.Client().Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	return reply{response.StatusCode, response.Header, string(must(io.ReadAll(response.Body))(w.t))}
}

// v1 asks below /api/v1, with JSON.
func (w *world) v1(token, method, path, body string) reply {
	w.t.Helper()
	return w.send(token, method, "/api/v1"+path, body, "Content-Type", "application/json")
}

// done is an answer that must be a success, in exactly these words.
func (w *world) done(got reply, want string) {
	w.t.Helper()
	if got.status != http.StatusOK || got.body != want {
		w.t.Errorf("got %d %s\nwant 200 %s", got.status, got.body, want)
	}
}

// refused is an answer that must be an error that says something.
func (w *world) refused(got reply, status int, words string) {
	w.t.Helper()
	var problem struct{ Status, StatusMessage string }
	if err := json.Unmarshal([]byte(got.body), &problem); err != nil || problem.Status != "ERROR" || problem.StatusMessage == "" ||
		got.header.Get("Content-Type") != "application/json" || got.header.Get("Cache-Control") != "no-store" {
		w.t.Errorf("this is no error as clients read it: %d %v %s", got.status, got.header, got.body)
	}
	if got.status != status || !strings.Contains(problem.StatusMessage, words) {
		w.t.Errorf("got %d %s\nwant %d with %q", got.status, got.body, status, words)
	}
}
