package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"

	"ssm/satellite"
)

const (
	sessionCookie = "__Host-session"
	// anonymousLife bounds a session in which nobody signs in. It is made by
	// whoever opens a form, so it must not stay for long.
	anonymousLife = time.Hour
	// seenSteps is into how many steps the idle time is divided: a session is
	// written again at most once per step, not with every request.
	seenSteps = 20
)

// Keys of the values in a session. Those of Put have a prefix of their own.
const (
	valueUser      = "user"
	valueCSRF      = "csrf"
	valueFlashKind = "flash.kind"
	valueFlash     = "flash"
	valueSeen      = "seen"
	valuePrefix    = "value."
)

// Sessions are the sign-ins of the console: a random token in a cookie that
// only this host gets back over TLS, and the values in the store under the
// SHA-256 of the token. A session ends after idle without a request (up to a
// twentieth of it earlier) and absolute after the sign-in, by the clock given
// here. The cookie itself ends with the browser.
type Sessions struct {
	manager  *scs.SessionManager
	now      func() time.Time
	idle     time.Duration
	absolute time.Duration

	// OnError answers a request whose session cannot be read or written. The
	// default tells that in one sentence with status 503.
	OnError func(http.ResponseWriter, *http.Request, error)
}

// NewSessions keeps sessions in store.
func NewSessions(store satellite.Store, now func() time.Time, idle, absolute time.Duration) *Sessions {
	manager := scs.New()
	s := &Sessions{manager: manager, now: now, idle: idle, absolute: absolute, OnError: sessionsUnavailable}
	manager.Store = &sessionStore{store: store, now: now, idle: idle, anonymous: newAnonymousSessions()}
	manager.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) { s.OnError(w, r, err) }
	manager.Cookie = scs.SessionCookie{Name: sessionCookie, Path: "/", HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode}
	return s
}

func sessionsUnavailable(w http.ResponseWriter, _ *http.Request, _ error) {
	http.Error(w, "The satellite cannot read or keep its sessions just now. Try again in a moment.", http.StatusServiceUnavailable)
}

// Middleware loads the session of a request and saves what the handlers change
// in it, before the first byte of the answer.
func (s *Sessions) Middleware(next http.Handler) http.Handler {
	seen := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.see(r.Context())
		next.ServeHTTP(w, r)
	})
	loadAndSave := s.manager.LoadAndSave(seen)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		loadAndSave.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), loadedKey{}, new(loaded))))
	})
}

// see postpones the idle end of a session that is in use.
func (s *Sessions) see(ctx context.Context) {
	if s.manager.Token(ctx) == "" {
		return
	}
	if now := s.now(); now.Sub(time.Unix(s.manager.GetInt64(ctx, valueSeen), 0)) >= s.idle/seenSteps {
		s.manager.Put(ctx, valueSeen, now.Unix())
	}
}

// present tells whether the request came through Middleware.
func present(ctx context.Context) bool { return ctx.Value(loadedKey{}) != nil }

// put keeps a value. The first one makes the session, with its absolute end by
// our clock: the library's own would be the machine's.
func (s *Sessions) put(ctx context.Context, key string, value any) {
	if len(s.manager.Keys(ctx)) == 0 {
		now := s.now()
		s.manager.SetDeadline(ctx, now.Add(min(s.absolute, anonymousLife)))
		s.manager.Put(ctx, valueSeen, now.Unix())
	}
	s.manager.Put(ctx, key, value)
}

// SignIn binds the session to a user under a fresh cookie and a fresh CSRF
// token, so that what a stranger planted before is worth nothing after.
func (s *Sessions) SignIn(ctx context.Context, user satellite.UserID) error {
	if err := s.manager.RenewToken(ctx); err != nil {
		return err
	}
	s.belongs(ctx, user)
	s.manager.Remove(ctx, valueCSRF)
	s.put(ctx, valueUser, int64(user))
	s.manager.SetDeadline(ctx, s.now().Add(s.absolute))
	return nil
}

// SignOut ends the session, here and in the store.
func (s *Sessions) SignOut(ctx context.Context) error {
	err := s.manager.Destroy(ctx)
	s.belongs(ctx, 0)
	return err
}

// belongs notes whose the session of a request is, 0 for nobody's.
func (s *Sessions) belongs(ctx context.Context, user satellite.UserID) {
	if l, ok := ctx.Value(loadedKey{}).(*loaded); ok {
		l.user = user
	}
}

// User returns who is signed in. Whether that user still exists is for the caller to ask.
func (s *Sessions) User(ctx context.Context) (satellite.UserID, bool) {
	if !present(ctx) {
		return 0, false
	}
	id := s.manager.GetInt64(ctx, valueUser)
	return satellite.UserID(id), id != 0
}

// CSRF returns the session's token for forms: 128 random bits, made on demand,
// new with every sign-in.
func (s *Sessions) CSRF(ctx context.Context) string {
	if token := s.manager.GetString(ctx, valueCSRF); token != "" {
		return token
	}
	random := make([]byte, 16)
	_, _ = rand.Read(random) // never fails since Go 1.24
	token := base64.RawURLEncoding.EncodeToString(random)
	s.put(ctx, valueCSRF, token)
	return token
}

// CheckCSRF compares, in constant time, a token that a form sent back. A
// session without a token accepts none.
func (s *Sessions) CheckCSRF(ctx context.Context, token string) bool {
	if !present(ctx) {
		return false
	}
	want := s.manager.GetString(ctx, valueCSRF)
	return want != "" && subtle.ConstantTimeCompare([]byte(want), []byte(token)) == 1
}

// Flash keeps a message for the next page.
func (s *Sessions) Flash(ctx context.Context, kind, message string) {
	s.put(ctx, valueFlashKind, kind)
	s.put(ctx, valueFlash, message)
}

// PopFlash returns the kept message once, "" where there is none.
func (s *Sessions) PopFlash(ctx context.Context) (kind, message string) {
	if !present(ctx) || !s.manager.Exists(ctx, valueFlash) {
		return "", ""
	}
	return s.manager.PopString(ctx, valueFlashKind), s.manager.PopString(ctx, valueFlash)
}

// Put keeps a value, such as the language of a visitor. Name and value come
// from the program or have been checked: they are kept as they are.
func (s *Sessions) Put(ctx context.Context, name, value string) { s.put(ctx, valuePrefix+name, value) }

// Get returns a kept value, "" where there is none.
func (s *Sessions) Get(ctx context.Context, name string) string {
	if !present(ctx) {
		return ""
	}
	return s.manager.GetString(ctx, valuePrefix+name)
}
