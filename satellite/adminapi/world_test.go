package adminapi_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ssm/certs"
	"ssm/satellite"
	"ssm/satellite/adminapi"
	"ssm/satellite/agent"
	"ssm/satellite/auth"
	"ssm/satellite/issuer"
	"ssm/satellite/store"
	"ssm/satellite/web"
	"ssm/satellite/wire"
)

var now = time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)

func clock() time.Time { return now }

const tag = "regid.2026-01.com.example.NETWORK_ADVANTAGE,1.0_6f3a1d0e-9b1c-4c57-8a37-2b5d0c9e4a11"

type silent struct{}

func (silent) DeviceMessage(string, string, time.Duration) {}

func (silent) SyncDone(string, bool) {}

// world is a satellite with both doors of its API open.
type world struct {
	t        *testing.T
	store    *store.Store
	service  *satellite.Service
	sessions *auth.Sessions
	signer   *auth.Tokens
	keys     *certs.KeyFile
	folder   string
	upstream *upstream
	local    *http.Client // over the socket
	console  *httptest.Server
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, folder: t.TempDir(), upstream: newUpstream(t, now), signer: auth.NewTokens()}
	w.keys = must(certs.LoadKeyFile(filepath.Join(w.folder, "key")))(t)
	w.store = must(store.Open(t.Context(), store.Options{Path: filepath.Join(w.folder, "satellite.db")}))(t)
	t.Cleanup(func() {
		if err := w.store.Close(); err != nil {
			t.Error(err)
		}
	})
	w.service = must(satellite.New(t.Context(), satellite.Ports{
		Store: w.store, Issuer: issuer.New(w.keys), Tokens: w.signer, Passwords: auth.NewPasswords(1), Secrets: w.keys,
		Observer: silent{}, Now: clock, Random: rand.Reader,
	}, satellite.Options{TemporaryFolder: w.folder}))(t)
	w.sessions = auth.NewSessions(w.store, clock, time.Hour, time.Hour)
	options := adminapi.Options{Service: w.service, Sessions: w.sessions, Log: slog.New(slog.DiscardHandler), Version: "1.2.3", TemporaryFolder: w.folder}
	w.openSocket(adminapi.LocalHandler(options))
	e := web.New(options.Log)
	adminapi.Routes(e, options)
	w.console = httptest.NewServer(e)
	t.Cleanup(w.console.Close)
	return w
}

// openSocket serves on a socket in a short path, as the kernel wants it.
func (w *world) openSocket(handler http.Handler) {
	w.t.Helper()
	folder := must(os.MkdirTemp("", "api"))(w.t)
	path := filepath.Join(folder, "s")
	listener := must(net.Listen("unix", path))(w.t)
	server := &http.Server{Handler: handler, ConnContext: adminapi.ConnContext, ReadHeaderTimeout: time.Minute}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}
	w.t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		<-done
		_ = os.RemoveAll(folder)
	})
	w.local = &http.Client{Transport: transport}
}

// reply is an answer that was read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

func (w *world) send(client *http.Client, base, method, path, contentType, body string, headers ...string) reply {
	w.t.Helper()
	request := must(http.NewRequestWithContext(w.t.Context(), method, base+adminapi.Prefix+path, strings.NewReader(body)))(w.t)
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Add(headers[i], headers[i+1])
	}
	response, err := client.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	content := must(io.ReadAll(response.Body))(w.t)
	return reply{response.StatusCode, response.Header, string(content)}
}

func (w *world) call(method, path, contentType, body string) reply {
	w.t.Helper()
	return w.send(w.local, "http://satellite", method, path, contentType, body)
}

// signIn makes a user of a role and returns the headers of his session.
func (w *world) signIn(role satellite.Role) (cookie, csrf string) {
	w.t.Helper()
	return w.session(w.user(string(role)+"@example.com", role))
}

// user makes a user with roles in accounts.
func (w *world) user(email string, role satellite.Role, grants ...satellite.Grant) satellite.UserID {
	w.t.Helper()
	var user satellite.User
	err := w.store.Update(w.t.Context(), func(tx satellite.Tx) (err error) {
		user, err = tx.CreateUser(satellite.User{Email: email, Profile: satellite.Person("Somebody"), Role: role, CreatedAt: now})
		for _, g := range grants {
			err = errors.Join(err, tx.SaveGrant(satellite.HeldGrant{Holder: satellite.Holder{UserID: user.ID}, Grant: g, GrantedAt: now}))
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return user.ID
}

// session signs a user in and returns the headers of his session.
func (w *world) session(user satellite.UserID) (cookie, csrf string) {
	w.t.Helper()
	recorder := httptest.NewRecorder()
	w.sessions.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if err := w.sessions.SignIn(r.Context(), user); err != nil {
			w.t.Error(err)
		}
		csrf = w.sessions.CSRF(r.Context())
	})).ServeHTTP(recorder, httptest.NewRequestWithContext(w.t.Context(), http.MethodGet, "/", nil))
	cookies := recorder.Result().Cookies()
	if len(cookies) != 1 {
		w.t.Fatalf("the sign-in set %d cookies", len(cookies))
	}
	return cookies[0].Name + "=" + cookies[0].Value, csrf
}

// settle registers an account by one exchange over the API.
func (w *world) settle(account string) {
	w.t.Helper()
	w.expect(w.call(http.MethodPost, "/roots", "application/x-pem-file", string(w.upstream.rootPEM())), 201, "Test root")
	request := w.call(http.MethodPost, "/accounts/"+account+"/sync-requests", "application/json", "{}")
	w.expect(request, 200, "")
	response := w.upstream.answer([]byte(request.body), tag, now)
	w.expect(w.call(http.MethodPost, "/sync-responses", wire.ResponseMediaType, string(response)), 200, `"registered":true`)
}

func (w *world) expect(got reply, status int, content string) {
	w.t.Helper()
	if got.status != status || !strings.Contains(got.body, content) {
		w.t.Fatalf("got status %d, want %d with %q; the body is %.600s", got.status, status, content, got.body)
	}
}

// device registers a device over TLS and draws one license.
func (w *world) device(token string) agent.State {
	w.t.Helper()
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
		Folder: filepath.Join(w.folder, "device"), Now: clock, URL: server.URL + "/SmartTransport",
		Bundle:   certs.EncodePEM(append(identity.Issuer(), w.upstream.root.Certificate)...),
		Identity: agent.Identity{UDIPID: "EX-8500", UDISerialNumber: "KND260001", Hostname: "edge-r01"},
	}))(w.t)
	defer func() { _ = device.Close() }()
	if err := device.Register(w.t.Context(), token, false); err != nil {
		w.t.Fatal(err)
	}
	if err := device.Request(w.t.Context(), tag, 1); err != nil {
		w.t.Fatal(err)
	}
	return device.State()
}
