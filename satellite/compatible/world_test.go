package compatible_test

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
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

// administrator is who furnishes the world.
const administrator = "system-admin"

// world is a satellite with the compatible API, and users with access tokens: of
// each role one, in tokyo, and where the role is one of a virtual account, in
// its "Lab 1"; "stranger" has no role anywhere.
type world struct {
	t        *testing.T
	store    *store.Store
	service  *satellite.Service
	keys     *certs.KeyFile
	folder   string
	upstream *upstream
	accounts map[string]satellite.Account
	actors   map[string]satellite.Actor
	signer   *auth.Tokens
	signIns  *auth.Limiter
	client   satellite.APIClient // which the users come by
	tokens   map[string]string   // access tokens, by the name of the actor
	server   *httptest.Server
}

// newWorld has both accounts with licenses in them, and no device.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, folder: t.TempDir(), upstream: newUpstream(t), accounts: map[string]satellite.Account{}, actors: map[string]satellite.Actor{}, signer: auth.NewTokens(), signIns: auth.NewLimiter(machine), tokens: map[string]string{}}
	w.keys = must(certs.LoadKeyFile(filepath.Join(w.folder, "key")))(t)
	w.store = must(store.Open(t.Context(), store.Options{Path: filepath.Join(w.folder, "satellite.db")}))(t)
	t.Cleanup(func() {
		if err := w.store.Close(); err != nil {
			t.Error(err)
		}
	})
	var err error
	w.service = must(satellite.New(t.Context(), satellite.Ports{
		Store: w.store, Issuer: issuer.New(w.keys), Tokens: w.signer, Passwords: auth.NewPasswords(1), Secrets: w.keys,
		Observer: silent{}, Now: clock, Random: rand.Reader,
	}, satellite.Options{TemporaryFolder: w.folder}))(t)
	w.server = httptest.NewServer(compatible.Handler(compatible.Options{
		Service: w.service, Log: slog.New(slog.DiscardHandler), Now: machine, SignIns: w.signIns,
	}))
	t.Cleanup(w.server.Close)
	w.client, _, err = w.service.CreateAPIClient(t.Context(), satellite.Actor{Name: "local:0", Role: satellite.RoleSystemAdmin}, "scripts", satellite.Grant{Role: satellite.RoleSystemUser})
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range satellite.SystemRoles {
		w.user(string(role), role)
	}
	// Its first use is on record, so that no later call of the stories writes for it.
	must(w.service.ActorOfAccessToken(t.Context(), w.tokens[administrator], "127.0.0.1"))(t)
	must(w.service.TrustRoots(t.Context(), w.actors[administrator], certs.EncodePEM(w.upstream.root.Certificate)))(t)
	w.account(tokyo, "admin@tokyo.example")
	w.account(labs, "admin@labs.example")
	lab := must(w.service.CreateVirtualAccount(t.Context(), w.actors[administrator], w.accounts[tokyo].ID, "Lab 1", "実験室"))(t)
	for _, role := range satellite.AccountRoles {
		w.actor(string(role), satellite.Grant{AccountID: lab.AccountID, Role: role})
	}
	for _, role := range satellite.VirtualAccountRoles {
		w.actor(string(role), satellite.Grant{AccountID: lab.AccountID, VirtualAccountID: lab.ID, Role: role})
	}
	w.actor("stranger")
	return w
}

// actor lets somebody in with these roles.
func (w *world) actor(name string, grants ...satellite.Grant) {
	w.t.Helper()
	w.user(name, satellite.RoleSystemUser, grants...)
}

// user makes a user with these roles, and the access token that he would get
// for his password.
func (w *world) user(name string, role satellite.Role, grants ...satellite.Grant) {
	w.t.Helper()
	var user satellite.User
	err := w.store.Update(w.t.Context(), func(tx satellite.Tx) (err error) {
		user, err = tx.CreateUser(satellite.User{Email: name, Role: role, CreatedAt: now})
		for _, g := range grants {
			err = errors.Join(err, tx.SaveGrant(satellite.HeldGrant{Holder: satellite.Holder{UserID: user.ID}, Grant: g, GrantedAt: now}))
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.actors[name] = satellite.Actor{UserID: user.ID, Name: name, Role: role, Grants: grants}
	w.tokens[name] = must(w.signer.SignAccess(satellite.AccessClaims{
		Issuer: w.service.ID(), ID: name, APIClientID: w.client.ID, ClientGeneration: w.client.Generation, UserID: user.ID,
		IssuedAt: now, ExpiresAt: now.Add(satellite.AccessTokenLife),
	}))(w.t)
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

// send asks as somebody, with headers given as names and values in turn. Who is
// no actor stands for a token; "" shows none.
func (w *world) send(actor, method, path, body string, headers ...string) reply {
	w.t.Helper()
	request := must(http.NewRequestWithContext(w.t.Context(), method, w.server.URL+path, strings.NewReader(body)))(w.t)
	token, known := w.tokens[actor]
	if !known {
		token = actor
	}
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
func (w *world) v1(actor, method, path, body string) reply {
	w.t.Helper()
	return w.send(actor, method, "/api/v1"+path, body, "Content-Type", "application/json")
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
