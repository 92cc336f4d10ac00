package ui

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"ssm/certs"
	"ssm/satellite"
	"ssm/satellite/adminapi"
	"ssm/satellite/auth"
	"ssm/satellite/issuer"
	"ssm/satellite/store"
	"ssm/satellite/web"
)

// begin is when every story starts.
var begin = time.Date(2026, 11, 23, 9, 40, 0, 0, time.UTC)

// site is a real console on a real service and store, served over TLS.
type site struct {
	t       *testing.T
	service *satellite.Service
	store   *store.Store
	server  *httptest.Server
	keys    *certs.KeyFile
	code    string // of the set-up link
	path    string // of the database
	mutex   sync.Mutex
	now     time.Time
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, now: begin}
	folder := t.TempDir()
	keys, err := certs.LoadKeyFile(filepath.Join(folder, "key"))
	s.must(err)
	s.keys = keys
	s.path = filepath.Join(folder, "satellite.db")
	s.store, err = store.Open(t.Context(), store.Options{Path: s.path})
	s.must(err)
	t.Cleanup(func() { _ = s.store.Close() })
	s.service, err = satellite.New(t.Context(), satellite.Ports{
		Store: s.store, Issuer: issuer.New(keys), Tokens: auth.NewTokens(), Passwords: quickPasswords{}, Secrets: keys,
		Observer: silent{}, Now: s.clock, Random: rand.Reader,
	}, satellite.Options{TemporaryFolder: folder})
	s.must(err)
	s.code, err = s.service.BeginSetup(t.Context())
	s.must(err)
	root := newRoot(t, "Satellite TLS")
	e := web.New(slog.New(slog.DiscardHandler))
	options := Options{
		Service: s.service, Sessions: auth.NewSessions(s.store, s.clock, time.Hour, 12*time.Hour), Limiter: auth.NewLimiter(s.clock),
		DeviceURL: func() string { return "https://sat-01.tsukishiro.example:8443/SmartTransport" },
		Bundle:    func() []byte { return certs.EncodePEM(root.Certificate) }, ServerNotAfter: func() time.Time { return begin.AddDate(0, 2, 5) },
		Version: "1.4.0", Host: "sat-01.tsukishiro.example",
	}
	Routes(e, options)
	adminapi.Routes(e, adminapi.Options{Service: s.service, Sessions: options.Sessions, TemporaryFolder: folder})
	resultPages(e, newConsole(options))
	s.server = httptest.NewUnstartedServer(e)
	s.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.server.StartTLS()
	t.Cleanup(s.server.Close)
	return s
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) clock() time.Time {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.now
}

func (s *site) advance(d time.Duration) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.now = s.now.Add(d)
}

// admin is an actor for preparing data beside the console.
var admin = satellite.Actor{Name: "mika@tsukishiro.example", Role: satellite.RoleSystemAdmin, Source: "local"}

// user makes a user with roles, whom Setup alone cannot make.
func (s *site) user(email, name string, role satellite.Role, grants ...satellite.Grant) satellite.User {
	s.t.Helper()
	user := satellite.User{Email: email, Profile: satellite.Person(name), Role: role, CreatedAt: s.clock(), PasswordHash: "quick:" + password}
	s.must(s.store.Update(s.t.Context(), func(tx satellite.Tx) (err error) {
		user, err = tx.CreateUser(user)
		for _, g := range grants {
			err = errors.Join(err, tx.SaveGrant(satellite.HeldGrant{Holder: satellite.Holder{UserID: user.ID}, Grant: g, GrantedAt: s.clock()}))
		}
		return err
	}))
	return user
}

const password = "correct horse battery"

// quickPasswords are no protection: tests sign in often.
type quickPasswords struct{}

func (quickPasswords) Hash(p string) (string, error)        { return "quick:" + p, nil }
func (quickPasswords) Matches(p, hash string) (bool, error) { return "quick:"+p == hash, nil }
func (silent) DeviceMessage(string, string, time.Duration)  {}
func (silent) SyncDone(string, bool)                        {}

type silent struct{}

// visitor is a browser without JavaScript.
type visitor struct {
	t      *testing.T
	site   *site
	client *http.Client
	header http.Header
}

func (s *site) visitor() *visitor {
	jar, err := cookiejar.New(nil)
	s.must(err)
	client := *s.server.Client()
	client.Jar = jar
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &visitor{t: s.t, site: s, client: &client, header: http.Header{}}
}

// reply is an answer with its text.
type reply struct {
	*http.Response
	text string
}

func (v *visitor) send(method, path, contentType string, body io.Reader) reply {
	v.t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), method, v.site.server.URL+path, body)
	if err != nil {
		v.t.Fatal(err)
	}
	for name, values := range v.header {
		request.Header[name] = values
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := v.client.Do(request)
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return reply{response, string(text)}
}

func (v *visitor) get(path string) reply {
	v.t.Helper()
	return v.send(http.MethodGet, path, "", nil)
}

var csrfField = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// csrf is the token of a page's forms.
func (v *visitor) csrf(page string) string {
	v.t.Helper()
	found := csrfField.FindStringSubmatch(v.get(page).text)
	if found == nil {
		v.t.Fatalf("the page %s has no form with a token", page)
	}
	return found[1]
}

// post fills in the form on a page and sends it.
func (v *visitor) post(page, action string, fields map[string]string) reply {
	v.t.Helper()
	values := url.Values{"csrf": {v.csrf(page)}}
	for name, value := range fields {
		values.Set(name, value)
	}
	return v.send(http.MethodPost, action, "application/x-www-form-urlencoded", strings.NewReader(values.Encode()))
}

// upload sends a file by the form on a page.
func (v *visitor) upload(page, action, name string, content []byte) reply {
	v.t.Helper()
	var body strings.Builder
	boundary := "a-boundary"
	fmt.Fprintf(&body, "--%s\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n%s\r\n", boundary, v.csrf(page))
	fmt.Fprintf(&body, "--%s\r\nContent-Disposition: form-data; name=\"file\"; filename=%q\r\nContent-Type: application/octet-stream\r\n\r\n%s\r\n--%s--\r\n", boundary, name, content, boundary)
	return v.send(http.MethodPost, action, "multipart/form-data; boundary="+boundary, strings.NewReader(body.String()))
}

// expect fails the test unless the answer has the status and holds the texts.
func (r reply) expect(t *testing.T, status int, texts ...string) reply {
	t.Helper()
	if r.StatusCode != status {
		t.Fatalf("%s %s answered %d, not %d:\n%s", r.Request.Method, r.Request.URL.Path, r.StatusCode, status, visible(r.text))
	}
	for _, text := range texts {
		if !strings.Contains(r.text, text) {
			t.Errorf("%s %s does not say %q:\n%s", r.Request.Method, r.Request.URL.Path, text, visible(r.text))
		}
	}
	return r
}

// leadsTo fails the test unless the answer sends the browser to a page.
func (r reply) leadsTo(t *testing.T, target string) {
	t.Helper()
	if r.expect(t, http.StatusSeeOther).Header.Get("Location") != target {
		t.Fatalf("%s leads to %s, not %s", r.Request.URL.Path, r.Header.Get("Location"), target)
	}
}

var tags = regexp.MustCompile(`(?s)<(svg|script|style).*?</(svg|script|style)>|<[^>]*>`)

// visible is the text of a page, for messages.
func visible(page string) string {
	return strings.Join(strings.Fields(tags.ReplaceAllString(page, " ")), " ")
}

// signIn is a visitor who is signed in.
func (s *site) signIn(email string) *visitor {
	s.t.Helper()
	v := s.visitor()
	v.post("/sign-in", "/sign-in", map[string]string{"email": email, "password": password}).leadsTo(s.t, "/")
	return v
}

// administrator is signed in as the first user.
func (s *site) administrator() *visitor {
	s.user(admin.Name, "Mika Hayashi", satellite.RoleSystemAdmin)
	return s.signIn(admin.Name)
}

func pemOf(a *certs.Authority) []byte { return certs.EncodePEM(a.Certificate) }
