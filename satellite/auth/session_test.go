package auth_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ssm/satellite"
	"ssm/satellite/auth"
)

// sessionTable is a Store with one table. Whatever else is asked of it panics.
type sessionTable struct {
	satellite.Store
	satellite.Tx
	mutex  sync.Mutex
	rows   map[string]satellite.Session
	writes int
	broken error
}

func (t *sessionTable) View(_ context.Context, f func(satellite.Tx) error) error {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.broken != nil {
		return t.broken
	}
	return f(t)
}

func (t *sessionTable) Update(ctx context.Context, f func(satellite.Tx) error) error {
	return t.View(ctx, f)
}

func (t *sessionTable) Session(key string) (satellite.Session, error) {
	row, ok := t.rows[key]
	if !ok {
		return row, satellite.NotFound("session", key)
	}
	return row, nil
}

func (t *sessionTable) SaveSession(row satellite.Session) error {
	t.rows[row.Key] = row
	t.writes++
	return nil
}

func (t *sessionTable) DeleteSession(key string) error {
	delete(t.rows, key)
	return nil
}

func (t *sessionTable) keys() []string {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return slices.Collect(maps.Keys(t.rows))
}

// site is a small console over real TLS.
type site struct {
	*httptest.Server
	table    *sessionTable
	clock    *testClock
	sessions *auth.Sessions
	hold     chan struct{} // the page /slow waits for it
	entered  chan struct{}
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{
		table: &sessionTable{rows: map[string]satellite.Session{}}, clock: newClock(),
		hold: make(chan struct{}), entered: make(chan struct{}),
	}
	s.sessions = auth.NewSessions(s.table, s.clock.now, 30*time.Minute, 12*time.Hour)
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		user, ok := s.sessions.User(r.Context())
		kind, message := s.sessions.PopFlash(r.Context())
		fmt.Fprintf(w, "%d %v %s %s %s", user, ok, kind, message, s.sessions.Get(r.Context(), "language"))
	})
	mux.HandleFunc("/form", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, s.sessions.CSRF(r.Context())) })
	mux.HandleFunc("/check", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, s.sessions.CheckCSRF(r.Context(), r.FormValue("csrf")))
	})
	mux.HandleFunc("/language", func(_ http.ResponseWriter, r *http.Request) { s.sessions.Put(r.Context(), "language", "ja") })
	mux.HandleFunc("/sign-in", func(w http.ResponseWriter, r *http.Request) {
		if err := s.sessions.SignIn(r.Context(), 7); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("/sign-out", func(w http.ResponseWriter, r *http.Request) {
		if err := s.sessions.SignOut(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
		s.sessions.Flash(r.Context(), "ok", "Goodbye.")
	})
	mux.HandleFunc("/slow", func(http.ResponseWriter, *http.Request) {
		s.entered <- struct{}{}
		<-s.hold
	})
	s.Server = httptest.NewTLSServer(s.sessions.Middleware(mux))
	t.Cleanup(s.Close)
	return s
}

// browser is one visitor with cookies of its own.
func (s *site) browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Transport: s.Client().Transport, Jar: jar}
}

// answer is what came back beside the body.
type answer struct {
	status int
	header http.Header
}

func (s *site) get(t *testing.T, browser *http.Client, path string) (string, answer) {
	t.Helper()
	response, err := browser.Get(s.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(body)), answer{response.StatusCode, response.Header}
}

func (s *site) cookie(t *testing.T, browser *http.Client) string {
	t.Helper()
	address, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range browser.Jar.Cookies(address) {
		return c.Value
	}
	return ""
}

func TestASignInLastsWhileItIsUsedAndEndsWithSignOut(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	browser := s.browser(t)
	if body, _ := s.get(t, browser, "/"); body != "0 false" || len(s.table.keys()) != 0 {
		t.Errorf("a visitor who does nothing: %q, %d sessions", body, len(s.table.keys()))
	}
	_, response := s.get(t, browser, "/sign-in")
	header := response.header.Get("Set-Cookie")
	for _, want := range []string{"__Host-session=", "; Path=/", "; HttpOnly", "; Secure", "; SameSite=Lax"} {
		if !strings.Contains(header, want) {
			t.Errorf("the cookie %q has no %q", header, want)
		}
	}
	if strings.Contains(header, "Domain") || strings.Contains(header, "Expires") {
		t.Errorf("the cookie %q outlives the browser or the host", header)
	}
	if body, _ := s.get(t, browser, "/"); body != "7 true" {
		t.Errorf("signed in: %q", body)
	}
	token := s.cookie(t, browser)
	sum := sha256.Sum256([]byte(token))
	if keys := s.table.keys(); len(keys) != 1 || keys[0] != hex.EncodeToString(sum[:]) {
		t.Errorf("the store keeps %v", keys)
	}
	s.get(t, browser, "/sign-out")
	if body, _ := s.get(t, browser, "/"); body != "0 false ok Goodbye." {
		t.Errorf("after the sign-out: %q", body)
	}
	if body, _ := s.get(t, browser, "/"); body != "0 false" {
		t.Errorf("the message came twice: %q", body)
	}
	old := s.browser(t)
	setCookie(t, s, old, token)
	if body, _ := s.get(t, old, "/"); body != "0 false" {
		t.Errorf("a copy of the old cookie still works: %q", body)
	}
}

func setCookie(t *testing.T, s *site, browser *http.Client, value string) {
	t.Helper()
	address, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	browser.Jar.SetCookies(address, []*http.Cookie{{Name: "__Host-session", Value: value, Path: "/", Secure: true}})
}

func TestASessionEndsIdleAndEndsInAnyCase(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	browser := s.browser(t)
	s.get(t, browser, "/sign-in")
	s.clock.advance(28 * time.Minute)
	if body, _ := s.get(t, browser, "/"); body != "7 true" {
		t.Errorf("after 28 minutes: %q", body)
	}
	s.clock.advance(28 * time.Minute)
	if body, _ := s.get(t, browser, "/"); body != "7 true" {
		t.Errorf("after 28 minutes more, with use between: %q", body)
	}
	s.clock.advance(30 * time.Minute)
	if body, _ := s.get(t, browser, "/"); body != "0 false" {
		t.Errorf("after 30 idle minutes: %q", body)
	}

	s.get(t, browser, "/sign-in")
	for range 35 { // 11 hours 40 minutes in use
		s.clock.advance(20 * time.Minute)
		if body, _ := s.get(t, browser, "/"); body != "7 true" {
			t.Fatalf("in use: %q", body)
		}
	}
	s.clock.advance(20 * time.Minute)
	if body, _ := s.get(t, browser, "/"); body != "0 false" {
		t.Errorf("12 hours after the sign-in: %q", body)
	}
}

func TestReadingPagesDoesNotWriteEachTime(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	browser := s.browser(t)
	s.get(t, browser, "/sign-in")
	before := s.table.writes
	for range 50 {
		s.get(t, browser, "/")
	}
	if s.table.writes != before {
		t.Errorf("50 pages cost %d writes", s.table.writes-before)
	}
}

func TestWhatWasKnownBeforeTheSignInIsWorthNothingAfter(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	browser := s.browser(t)
	s.get(t, browser, "/language")
	form, _ := s.get(t, browser, "/form")
	planted := s.cookie(t, browser)
	if planted == "" || len(form) != 22 {
		t.Fatalf("cookie %q, form token %q", planted, form)
	}
	if body, _ := s.get(t, browser, "/check?csrf="+url.QueryEscape(form)); body != "true" {
		t.Errorf("the form of the session itself: %s", body)
	}
	s.get(t, browser, "/sign-in")
	if s.cookie(t, browser) == planted {
		t.Error("the cookie is the same after the sign-in")
	}
	if body, _ := s.get(t, browser, "/check?csrf="+url.QueryEscape(form)); body != "false" {
		t.Errorf("the form from before the sign-in: %s", body)
	}
	if body, _ := s.get(t, browser, "/"); body != "7 true   ja" {
		t.Errorf("the language got lost: %q", body)
	}
	other := s.browser(t)
	setCookie(t, s, other, planted)
	if body, _ := s.get(t, other, "/"); body != "0 false" {
		t.Errorf("who planted the cookie is signed in, too: %q", body)
	}
}

func TestAFormOfAnotherSessionIsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	mine, theirs := s.browser(t), s.browser(t)
	form, _ := s.get(t, theirs, "/form")
	if body, _ := s.get(t, mine, "/check?csrf="); body != "false" {
		t.Errorf("no token in a session without one: %s", body)
	}
	s.get(t, mine, "/form")
	for _, token := range []string{form, "", form[:10]} {
		if body, _ := s.get(t, mine, "/check?csrf="+url.QueryEscape(token)); body != "false" {
			t.Errorf("token %q: %s", token, body)
		}
	}
}

func TestAnAnonymousSessionIsShort(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	browser := s.browser(t)
	s.get(t, browser, "/language")
	for range 3 {
		s.clock.advance(18 * time.Minute)
		if body, _ := s.get(t, browser, "/"); body != "0 false   ja" {
			t.Fatalf("within the hour: %q", body)
		}
	}
	s.clock.advance(18 * time.Minute)
	if body, _ := s.get(t, browser, "/"); body != "0 false" {
		t.Errorf("over an hour: %q", body)
	}
}

func TestAPageThatEndsAfterTheSignOutDoesNotBringTheSessionBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	browser := s.browser(t)
	s.get(t, browser, "/sign-in")
	token := s.cookie(t, browser)
	slow := s.browser(t) // another window of the same browser
	setCookie(t, s, slow, token)
	s.clock.advance(10 * time.Minute) // so that the slow page writes
	done := make(chan struct{})
	go func() {
		defer close(done)
		response, err := slow.Get(s.URL + "/slow")
		if err != nil {
			t.Error(err)
			return
		}
		response.Body.Close()
	}()
	<-s.entered
	s.get(t, browser, "/sign-out")
	close(s.hold)
	<-done
	again := s.browser(t)
	setCookie(t, s, again, token)
	if body, _ := s.get(t, again, "/"); body != "0 false" {
		t.Errorf("the session is back: %q", body)
	}
}

func TestACookieThatIsNoneOfOursIsNoSession(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, value := range []string{"x", strings.Repeat("A", 43), strings.Repeat("A", 4000)} {
		browser := s.browser(t)
		setCookie(t, s, browser, value)
		if body, _ := s.get(t, browser, "/"); body != "0 false" {
			t.Errorf("cookie of %d characters: %q", len(value), body)
		}
		s.get(t, browser, "/language")
		if s.cookie(t, browser) == value {
			t.Error("a stranger chose the name of a session")
		}
	}
}

func TestWithoutTheStoreTheAnswerSaysSo(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	browser := s.browser(t)
	s.get(t, browser, "/sign-in")
	s.table.mutex.Lock()
	s.table.broken = errors.New("disk on fire")
	s.table.mutex.Unlock()
	body, response := s.get(t, browser, "/")
	if response.status != http.StatusServiceUnavailable || strings.Contains(body, "fire") || !strings.Contains(body, "Try again") {
		t.Errorf("%d %q", response.status, body)
	}
}

func TestOutsideOfTheMiddlewareNobodyIsSignedIn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx := t.Context()
	if user, ok := s.sessions.User(ctx); ok || s.sessions.CheckCSRF(ctx, "") || s.sessions.Get(ctx, "language") != "" {
		t.Errorf("user %d", user)
	}
	if kind, message := s.sessions.PopFlash(ctx); kind != "" || message != "" {
		t.Error(kind, message)
	}
}

func TestStrangersWriteNothingIntoTheStore(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	first := s.browser(t)
	form, _ := s.get(t, first, "/form")
	for range 50 {
		stranger := s.browser(t)
		s.get(t, stranger, "/form")
		s.get(t, stranger, "/language")
	}
	if len(s.table.keys()) != 0 || s.table.writes != 0 {
		t.Errorf("%d sessions, %d writes", len(s.table.keys()), s.table.writes)
	}
	if body, _ := s.get(t, first, "/check?csrf="+url.QueryEscape(form)); body != "true" {
		t.Errorf("the first form of all: %s", body)
	}
	s.get(t, first, "/sign-in")
	if len(s.table.keys()) != 1 {
		t.Errorf("a sign-in left %d sessions in the store", len(s.table.keys()))
	}
}
