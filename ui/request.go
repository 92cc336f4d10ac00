package ui

import (
	"context"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"ssm/satellite"
	"ssm/satellite/web"
	"ssm/ui/kit"
)

// handler answers one request. An error becomes a page that tells it.
type handler func(*request) error

// request is one request with who asks, in which language, about which account.
type request struct {
	echo.Context
	*console
	user     satellite.User // ID 0: a stranger
	actor    satellite.Actor
	words    words
	theme    string
	accounts []satellite.Account
	account  satellite.Account // the chosen one; ID 0 where there is none yet
}

// Cookies of strangers; who is signed in has preferences instead.
const (
	languageCookie = "__Host-language"
	themeCookie    = "__Host-theme"
	sessionAccount = "account" // the chosen account, in the session
)

// handle loads session and visitor and calls h; who is not signed in, where that is
// needed, is sent to the sign-in.
func (c *console) handle(signedIn bool, h handler) echo.HandlerFunc {
	return echo.WrapMiddleware(c.Sessions.Middleware)(func(ec echo.Context) error {
		header := ec.Response().Header()
		kit.SecurityHeaders(header)
		header.Set(echo.HeaderCacheControl, "no-store")
		r := &request{Context: ec, console: c}
		err := r.identify()
		switch {
		case err != nil:
		case signedIn && r.user.ID == 0:
			return r.toSignIn()
		default:
			if err = r.chooseAccount(); err == nil {
				err = h(r)
			}
		}
		if err != nil {
			return r.fail(err)
		}
		return nil
	})
}

// identify finds out who asks, and in which language and theme.
func (r *request) identify() error {
	r.words = r.catalog.match(r.cookie(languageCookie), r.Request().Header.Get("Accept-Language"))
	r.theme = knownTheme(r.cookie(themeCookie))
	r.actor = satellite.Actor{Source: web.ClientAddress(r.Request())}
	id, known := r.Sessions.User(r.context())
	if !known {
		return nil
	}
	actor, user, err := r.Service.ActorOf(r.context(), id, r.actor.Source)
	if satellite.KindOf(err) == satellite.KindNotFound { // removed meanwhile
		return r.Sessions.SignOut(r.context())
	}
	if err != nil {
		return err
	}
	r.user, r.actor = user, actor
	if user.Language != "" {
		r.words = r.catalog.match(user.Language, "")
	}
	if user.Theme != "" {
		r.theme = user.Theme
	}
	web.SetActor(r.Context, r.actor)
	return nil
}

// chooseAccount finds the account that the request is about: the one in the
// query, which the session then remembers, or the remembered one, or the first.
func (r *request) chooseAccount() (err error) {
	if r.user.ID == 0 {
		return nil
	}
	if r.accounts, err = r.Service.Accounts(r.context(), r.actor); err != nil || len(r.accounts) == 0 {
		return err
	}
	r.account = r.accounts[0]
	wanted, asked := r.Sessions.Get(r.context(), sessionAccount), r.QueryParam("account")
	for _, name := range []string{wanted, asked} {
		for _, account := range r.accounts {
			if name != "" && strings.EqualFold(account.Name, name) {
				r.account = account
			}
		}
	}
	if asked != "" && asked != wanted && strings.EqualFold(asked, r.account.Name) {
		r.Sessions.Put(r.context(), sessionAccount, r.account.Name)
	}
	return nil
}

func (r *request) cookie(name string) string {
	cookie, err := r.Request().Cookie(name)
	if err != nil {
		return ""
	}
	return cookie.Value
}

func knownTheme(name string) string {
	if name == "light" || name == "dark" {
		return name
	}
	return ""
}

// t is a text of the catalog in the visitor's language.
func (r *request) t(key string, pairs ...any) string { return r.words.T(key, pairs...) }

// may tells whether the visitor may do this in the chosen account, or in a part of it.
func (r *request) may(action satellite.Action) bool { return r.mayIn(action, r.account.ID) }

// mayIn is may in another account.
func (r *request) mayIn(action satellite.Action, account satellite.AccountID) bool {
	return r.actor.MaySomewhere(action, account)
}

// whole tells whether the visitor sees an account as a whole, and with it what
// is about all of it, such as its synchronization.
func (r *request) whole(account satellite.AccountID) bool {
	return r.actor.MayIn(satellite.ActionRead, account, 0)
}

// byHTMX tells that only a part of a page is wanted.
func (r *request) byHTMX() bool { return r.Request().Header.Get("HX-Request") == "true" }

func (r *request) toSignIn() error {
	target := "/sign-in"
	if next := r.Request().URL.RequestURI(); r.Request().Method == http.MethodGet && next != "/" && !r.byHTMX() {
		target += "?next=" + url.QueryEscape(next)
	}
	if r.byHTMX() {
		r.Response().Header().Set("HX-Redirect", target)
		return r.NoContent(http.StatusUnauthorized)
	}
	return r.redirect(target)
}

// redirect sends the browser to a page by GET.
func (r *request) redirect(target string) error { return r.Redirect(http.StatusSeeOther, target) }

// done says in a sentence what was done, on the page that comes next.
func (r *request) done(target, message string) error {
	r.Sessions.Flash(r.context(), "ok", message)
	return r.redirect(target)
}

// local is a path and query of this console, or "/": an address from outside
// must not lead away from here.
func local(address string) string {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Scheme != "" || parsed.Host != "" || parsed.Opaque != "" ||
		!strings.HasPrefix(address, "/") || strings.HasPrefix(address, "//") || strings.ContainsAny(address, "\\\r\n\t") {
		return "/"
	}
	return address
}

// origin is the page of this console that a form was sent from, or "/".
func (r *request) origin() string {
	parsed, err := url.Parse(r.Request().Referer())
	if err != nil || parsed.Host != r.Request().Host {
		return "/"
	}
	return local(parsed.RequestURI())
}

// parentOf is the address one element up.
func parentOf(address string) string { return local(path.Dir(path.Clean("/" + address))) }

// show answers with a page.
func (r *request) show(name, title string, data any) error {
	return r.showAs(http.StatusOK, name, title, data)
}

func (r *request) showAs(status int, name, title string, data any) error {
	page := r.page(title)
	page.Data = data
	r.Response().Header().Set(echo.HeaderContentType, echo.MIMETextHTMLCharsetUTF8)
	var out writer
	if err := r.renderer.Render(&out, name, page); err != nil {
		return err
	}
	return r.HTMLBlob(status, out)
}

// showBlock answers with a part of a page.
func (r *request) showBlock(name, block string, data any) error {
	page := r.page("")
	page.Data = data
	var out writer
	if err := r.renderer.RenderBlock(&out, name, block, page); err != nil {
		return err
	}
	return r.HTMLBlob(http.StatusOK, out)
}

type writer []byte

func (w *writer) Write(p []byte) (int, error) {
	*w = append(*w, p...)
	return len(p), nil
}

// page is everything around the content.
func (r *request) page(title string) kit.Page {
	page := kit.Page{
		Lang: r.words.language, Theme: r.theme, Title: title,
		Brand:     kit.Brand{Name: brand, Version: r.Version, Host: r.Host},
		Languages: []kit.NavItem{{Label: "English", Lang: "en", Active: r.words.language == "en"}, {Label: "日本語", Lang: "ja", Active: r.words.language == "ja"}},
		ThemeURL:  "/preferences/theme", LanguageURL: "/preferences/language",
		CSRF: r.Sessions.CSRF(r.context()), T: r.words.T,
	}
	if kind, message := r.Sessions.PopFlash(r.context()); message != "" {
		page.Flash = &kit.Flash{Kind: kind, Message: message}
	}
	if r.user.ID == 0 {
		return page
	}
	page.User = &kit.User{Name: r.user.Name(), Email: r.user.Email, Initials: initials(r.user.Name()), SignOutURL: "/sign-out"}
	page.Workspaces, page.Nav = r.navigation()
	page.SearchURL, page.SearchPlaceholder = "/devices", r.t("nav.search")
	if notice := r.clockNotice(); notice != nil {
		page.Notices = append(page.Notices, *notice)
	}
	if r.account.ID != 0 && page.Workspaces[0].Active { // Administration speaks of all accounts
		r.countAlerts(&page)
		page.Account = &kit.AccountSwitch{Name: r.account.Name, Kind: r.t("account.type." + string(r.account.Type))}
		if len(r.accounts) > 1 {
			for _, account := range r.accounts {
				page.Account.Items = append(page.Account.Items, kit.NavItem{
					Label: account.Name, URL: "/?account=" + url.QueryEscape(account.Name), Active: account.ID == r.account.ID,
				})
			}
		}
	}
	return page
}

// countAlerts shows how many alerts are open, in the menu and at the bell. Where
// they cannot be read, the page is shown without.
func (r *request) countAlerts(page *kit.Page) {
	_, count, err := r.openAlerts()
	if err != nil {
		return
	}
	const alerts = "/alerts"
	page.Tools = []kit.NavItem{{Label: r.t("nav.alerts"), Icon: "bell", URL: alerts, Badge: count, Active: r.Request().URL.Path == alerts}}
	for i := range page.Nav {
		if page.Nav[i].URL == alerts {
			page.Nav[i].Badge, page.Nav[i].Kind = count, "bad"
		}
	}
}

// section is an entry of the main menu.
type section struct {
	path, key, icon string
	administration  bool
}

var sections = []section{
	{"/", "nav.overview", "layout-dashboard", false},
	{"/alerts", "nav.alerts", "bell", false},
	{"/devices", "nav.devices", "router", false},
	{"/licenses", "nav.licenses", "certificate", false},
	{"/tokens", "nav.tokens", "key", false},
	{"/usage", "nav.usage", "clipboard-data", false},
	{"/events", "nav.events", "history", false},
	{"/accounts", "nav.accounts", "building", true},
	{"/synchronization", "nav.synchronization", "refresh", true},
	{apiClientsURL, "nav.api", "api", true},
}

func (r *request) navigation() (workspaces, menu []kit.NavItem) {
	first, _, _ := strings.Cut(strings.TrimPrefix(r.Request().URL.Path, "/"), "/")
	here := "/" + first
	if r.Request().URL.Path == apiDocsURL && r.offers(apiClientsURL) {
		here = apiClientsURL // which leads there
	}
	administration := false
	for _, s := range sections {
		administration = administration || s.path == here && s.administration
	}
	for _, s := range sections {
		if s.administration == administration && r.offers(s.path) {
			menu = append(menu, kit.NavItem{Label: r.t(s.key), Icon: s.icon, URL: s.path, Active: s.path == here})
		}
	}
	workspaces = []kit.NavItem{{Label: r.t("nav.licensing"), URL: "/", Active: !administration}}
	if r.offers("/accounts") {
		workspaces = append(workspaces, kit.NavItem{Label: r.t("nav.administration"), URL: "/accounts", Active: administration})
	}
	return workspaces, menu
}

// offers tells whether a section has something for the visitor's roles.
func (r *request) offers(path string) bool {
	switch path {
	case "/":
		return true
	case apiClientsURL:
		return r.managesClients()
	case "/synchronization":
		return r.actor.May(satellite.ActionRead) || slices.ContainsFunc(r.accounts, func(a satellite.Account) bool { return r.whole(a.ID) })
	}
	return r.actor.MaySomewhere(satellite.ActionRead, 0)
}

// initials are one or two letters that stand for a name.
func initials(name string) string {
	fields := strings.Fields(name)
	if len(fields) == 0 {
		return "?"
	}
	first, _ := utf8.DecodeRuneInString(fields[0])
	if first > unicode.MaxLatin1 || len(fields) == 1 {
		return string(unicode.ToUpper(first))
	}
	last, _ := utf8.DecodeRuneInString(fields[len(fields)-1])
	return string([]rune{unicode.ToUpper(first), unicode.ToUpper(last)})
}

func (r *request) context() context.Context { return r.Request().Context() }
