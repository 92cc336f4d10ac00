package ssm

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"embed"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"

	"ssm/ui/kit"
)

//go:embed templates/*.html
var templates embed.FS

// portalPath is where the portal begins.
const portalPath = "/portal"

const maxForm = 64 << 10 // bytes of a form without a file

// Portal is the web side of the upstream: /healthz for machines, below /sync/v1
// the door for satellites, and below /portal the pages for the administrator:
// what there is, and the exchange by file. It has to be served over TLS.
type Portal struct {
	u        *Upstream
	gate     *gate
	failures *failures
	door     *door
	sessions *scs.SessionManager
	pages    *kit.Renderer
	log      *slog.Logger
	http.Handler
}

// NewPortal makes the portal. While there is no administrator it has a set-up
// link, another one at each start.
func NewPortal(ctx context.Context, u *Upstream, log *slog.Logger) (*Portal, error) {
	files, err := fs.Sub(templates, "templates")
	if err != nil {
		return nil, err
	}
	p := &Portal{u: u, sessions: scs.New(), failures: newFailures(u.now), log: log}
	if p.pages, err = kit.NewRenderer(files, nil); err != nil {
		return nil, err
	}
	if p.gate, err = newGate(ctx, u); err != nil {
		return nil, err
	}
	if p.door, err = newDoor(ctx, u, log); err != nil {
		return nil, err
	}
	p.sessions.Lifetime, p.sessions.IdleTimeout = 12*time.Hour, 30*time.Minute
	p.sessions.HashTokenInStore = true
	cookie := &p.sessions.Cookie
	cookie.Name, cookie.HttpOnly, cookie.Secure, cookie.SameSite, cookie.Path = "__Host-ssm", true, true, http.SameSiteStrictMode, "/"
	p.Handler = p.routes()
	return p, nil
}

// Wait waits for answers that are being made; the context of NewPortal has to end before.
func (p *Portal) Wait() { p.door.answers.wait.Wait() }

// SetupPath is the path of the one-time set-up link; "" where there is an
// administrator.
func (p *Portal) SetupPath() string {
	if p.gate.code == "" {
		return ""
	}
	return portalPath + "/setup?code=" + p.gate.code
}

func (p *Portal) routes() http.Handler {
	pages := http.NewServeMux()
	pages.HandleFunc("GET /portal/setup", p.open(p.setupForm))
	pages.HandleFunc("POST /portal/setup", p.open(p.setUp))
	pages.HandleFunc("GET /portal/signin", p.open(p.signInForm))
	pages.HandleFunc("POST /portal/signin", p.open(p.signIn))
	pages.HandleFunc("POST /portal/theme", p.open(p.theme))
	pages.HandleFunc("POST /portal/signout", p.closed(p.signOut))
	pages.HandleFunc("GET /portal", p.closed(p.licenses))
	pages.HandleFunc("GET /portal/satellites", p.closed(p.satellites))
	pages.HandleFunc("GET /portal/approvals", p.closed(p.approvals))
	pages.HandleFunc("POST /portal/approvals/{id}", p.closed(p.decideApproval))
	pages.HandleFunc("GET /portal/exchange", p.closed(p.exchangeForm))
	pages.HandleFunc("POST /portal/exchange", p.closed(p.exchange))
	pages.HandleFunc("GET /portal/exchange/{id}", p.closed(p.answered))
	pages.HandleFunc("GET /portal/exchange/{id}/file", p.closed(p.answerFile))

	all := http.NewServeMux()
	all.HandleFunc("GET /healthz", p.health)
	all.Handle("/static/", kit.Handler())
	all.Handle(syncPath, p.door)
	all.Handle("/portal", p.sessions.LoadAndSave(pages))
	all.Handle("/portal/", p.sessions.LoadAndSave(pages))
	all.Handle("GET /{$}", http.RedirectHandler(portalPath, http.StatusSeeOther))
	guarded := http.NewCrossOriginProtection().Handler(all)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kit.SecurityHeaders(w.Header())
		guarded.ServeHTTP(w, r)
	})
}

// health says whether the database answers.
func (p *Portal) health(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if _, err := p.u.Accounts(r.Context()); err != nil {
		p.log.ErrorContext(r.Context(), "health", "error", err)
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(`{"status":"failed"}` + "\n"))
		return
	}
	_, _ = w.Write([]byte(`{"status":"ok"}` + "\n"))
}

// action is a handler that may fail.
type action func(w http.ResponseWriter, r *http.Request) error

// open is for everybody.
func (p *Portal) open(do action) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if r.Method == http.MethodPost && !strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
			r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		}
		if err := do(w, r); err != nil {
			p.fail(w, r, err)
		}
	}
}

// closed is for who has signed in; forms must carry the session's token.
func (p *Portal) closed(do action) http.HandlerFunc {
	return p.open(func(w http.ResponseWriter, r *http.Request) error {
		if p.sessions.GetString(r.Context(), "email") == "" {
			return seeOther(w, r, "/signin")
		}
		if r.Method == http.MethodPost && !strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
			if err := p.checkCSRF(r, r.PostFormValue("csrf")); err != nil {
				return err
			}
		}
		return do(w, r)
	})
}

func (p *Portal) checkCSRF(r *http.Request, token string) error {
	want := p.sessions.GetString(r.Context(), "csrf")
	if want == "" || subtle.ConstantTimeCompare([]byte(token), []byte(want)) != 1 {
		return refuse("this form was not made in your session; nothing was changed: open the page again and repeat it")
	}
	return nil
}

func seeOther(w http.ResponseWriter, r *http.Request, path string) error {
	http.Redirect(w, r, portalPath+path, http.StatusSeeOther)
	return nil
}

// fail shows what went wrong. The cause of what is not the caller's is for the log.
func (p *Portal) fail(w http.ResponseWriter, r *http.Request, err error) {
	status, message := http.StatusUnprocessableEntity, told(err)
	if message == "" {
		p.log.ErrorContext(r.Context(), "portal", "path", r.URL.Path, "error", err)
		status, message = http.StatusInternalServerError, "Something failed inside the program, and nothing was changed. The log of `ssm serve` says what."
	}
	if err := p.render(w, r, status, "problem", "That did not work", message); err != nil {
		p.log.ErrorContext(r.Context(), "portal", "path", r.URL.Path, "error", err)
		http.Error(w, message, status)
	}
}

// render writes a page.
func (p *Portal) render(w http.ResponseWriter, r *http.Request, status int, name, title string, data any) error {
	page := kit.Page{Title: title, Brand: kit.Brand{Name: "License upstream"}, ThemeURL: portalPath + "/theme", Data: data,
		CSRF: p.sessions.GetString(r.Context(), "csrf")}
	if cookie, err := r.Cookie(themeCookie); err == nil && isTheme(cookie.Value) {
		page.Theme = cookie.Value
	}
	if email := p.sessions.GetString(r.Context(), "email"); email != "" {
		page.User = &kit.User{Name: email, Initials: strings.ToUpper(email[:1]), SignOutURL: portalPath + "/signout"}
		for _, item := range []kit.NavItem{
			{Label: "Licenses", Icon: "certificate", URL: portalPath},
			{Label: "Satellites", Icon: "satellite", URL: portalPath + "/satellites"},
			{Label: "Approvals", Icon: "circle-check", URL: portalPath + "/approvals"},
			{Label: "Exchange by file", Icon: "file-export", URL: portalPath + "/exchange"},
		} {
			item.Active = r.URL.Path == item.URL || item.URL != portalPath && strings.HasPrefix(r.URL.Path, item.URL+"/")
			page.Nav = append(page.Nav, item)
		}
	}
	var body bytes.Buffer
	if err := p.pages.Render(&body, name, page); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = body.WriteTo(w) // a reader that left needs no answer
	return nil
}

const themeCookie = "__Host-ssm-theme"

func isTheme(theme string) bool { return theme == "light" || theme == "dark" }

// theme keeps the chosen theme in the browser and returns to the page.
func (p *Portal) theme(w http.ResponseWriter, r *http.Request) error {
	if theme := r.PostFormValue("theme"); isTheme(theme) {
		http.SetCookie(w, &http.Cookie{Name: themeCookie, Value: theme, Path: "/", MaxAge: 365 * 24 * 3600,
			Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	}
	return seeOther(w, r, "")
}

// signedIn begins a session, under a new token.
func (p *Portal) signedIn(ctx context.Context, email string) error {
	if err := p.sessions.RenewToken(ctx); err != nil {
		return err
	}
	p.sessions.Put(ctx, "email", email)
	p.sessions.Put(ctx, "csrf", rand.Text())
	return nil
}

// address is where the request comes from, without the port.
func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// told is what a caller may be told of an error; "" of one that is not his.
func told(err error) string {
	for _, own := range callersErrors {
		if errors.Is(err, own) {
			return err.Error()
		}
	}
	return ""
}
