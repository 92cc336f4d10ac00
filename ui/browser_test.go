package ui

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/labstack/echo/v4"

	"ssm/satellite"
	"ssm/satellite/wire"
)

const chromium = "/usr/bin/chromium"

// browser is one tab, with what it complained about and whom it asked.
type browser struct {
	t       *testing.T
	ctx     context.Context
	base    string
	folder  string // of the screenshots
	mutex   sync.Mutex
	trouble []string
}

// newBrowser starts Chromium. Without it the pages are not tested, so that is a failure.
func newBrowser(t *testing.T, s *site) *browser {
	t.Helper()
	if _, err := os.Stat(chromium); err != nil {
		t.Fatalf("the pages cannot be tested without a browser: apt-get install chromium fonts-noto-cjk (%v)", err)
	}
	folder := os.Getenv("UI_SCREENSHOTS")
	if folder == "" {
		folder = t.TempDir()
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.IgnoreCertErrors,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("no-first-run", true), chromedp.Flag("hide-scrollbars", true))
	allocator, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	tab, closeTab := chromedp.NewContext(allocator)
	t.Cleanup(closeTab)
	b := &browser{t: t, ctx: tab, base: s.server.URL, folder: folder}
	b.must(chromedp.Listen(tab, b.observe))
	return b
}

func (b *browser) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	b.must(chromedp.Do(ctx, actions...))
}

// observe notes errors in the console and requests to other hosts.
func (b *browser) observe(event any) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.trouble = append(b.trouble, "exception: "+e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			b.trouble = append(b.trouble, fmt.Sprintf("console: %v", e.Args))
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError {
			b.trouble = append(b.trouble, "log: "+e.Entry.Text+" "+e.Entry.URL)
		}
	case *network.EventRequestWillBeSent:
		if address := e.Request.URL; !strings.HasPrefix(address, b.base) && !strings.HasPrefix(address, "data:") {
			b.trouble = append(b.trouble, "asks another host: "+address)
		}
	}
}

// check fails the test for whatever a page complained about.
func (b *browser) check(name string, allowed ...string) {
	b.t.Helper()
	b.mutex.Lock()
	defer b.mutex.Unlock()
	for _, trouble := range b.trouble {
		known := false
		for _, text := range allowed {
			known = known || strings.Contains(trouble, text)
		}
		if !known {
			b.t.Errorf("%s: %s", name, trouble)
		}
	}
	b.trouble = nil
}

// open visits a page and takes its picture; text is one that must be there.
func (b *browser) open(name, path string, allowed ...string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.base + path))
	b.picture(name, allowed...)
}

func (b *browser) picture(name string, allowed ...string) {
	b.t.Helper()
	wide, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`(() => {
		const over = document.documentElement.scrollWidth - document.documentElement.clientWidth;
		if (over <= 0) return "";
		const names = [...document.querySelectorAll("main *")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.tagName + "." + e.className);
		return over + " pixels: " + names.slice(0, 5).join(", ");
	})()`))
	b.must(err)
	if wide != "" {
		b.t.Errorf("%s scrolls sideways by %s", name, wide)
	}
	image, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	b.must(err)
	b.must(os.WriteFile(filepath.Join(b.folder, name+".png"), image, 0o600))
	b.check(name, allowed...)
}

// screen is a size of window.
type screen struct {
	name          string
	width, height int64
}

var screens = []screen{{"wide", 1440, 1000}, {"phone", 400, 860}}

// furnish fills a site as it may look after some months.
func furnish(t *testing.T, s *site) {
	t.Helper()
	ctx := t.Context()
	account := s.account("Tsukishiro Telecom", false)
	s.account("Kobato Densetsu", true)
	for _, name := range []string{"Tokyo Core", "Osaka Edge", "Lab"} {
		_, err := s.service.CreateVirtualAccount(ctx, admin, account.ID, name, "")
		s.must(err)
	}
	virtual, err := s.service.VirtualAccounts(ctx, admin, account.ID)
	s.must(err)
	byName := map[string]satellite.VirtualAccount{}
	for _, v := range virtual {
		byName[v.Name] = v
	}
	osaka, tokyo, standard := byName["Osaka Edge"], byName["Tokyo Core"], byName["Default"]
	since := begin.AddDate(-1, -2, 0)
	names := []string{"Branch Router Boost", "Campus Switch Advantage 48", "Campus Switch Essentials 48", "Edge Router Essentials 10G", "Optical Transport 100G", "Strong Encryption", "Timing Precision Feature", "Wireless Controller Base"}
	lots := []lot{
		{osaka, "regid.2026-01.example.networks.EDGE_ADV_10G,1.0_9d1f2c3b-4a5e-4f60-8b7c-1d2e3f4a5b6c", "Edge Router Advantage 10G", 30, since, time.Time{}},
		{tokyo, "VOICE", "Voice Gateway Session Pack", 500, since, begin.AddDate(0, 0, 7)},
		{standard, "FIREWALL", "Firewall Threat Protection", 64, since, begin.AddDate(0, 0, 21)},
		{tokyo, "WIRELESS", "Wireless AP Advantage", 1900, since, begin.AddDate(1, 4, 8)},
	}
	for i, name := range names {
		lots = append(lots, lot{standard, fmt.Sprintf("TAG-%d", i), name, int64(12 + 37*i), since, time.Time{}})
	}
	edge := lots[0].tag
	lots = append(lots, lot{standard, edge, lots[0].name, 9, since, time.Time{}})
	s.buy(account, lots...)
	s.register(account, begin.AddDate(0, 0, -64), begin.AddDate(0, 0, 26))
	s.must(s.service.TransferLicenses(ctx, admin, account.ID, []satellite.Transfer{
		{Tag: edge, From: "Default", To: "Osaka Edge", Quantity: 7}, {Tag: "WIRELESS", From: "Tokyo Core", To: "Default", Quantity: 20},
	}))
	s.reserve(account, "Osaka Edge", "ENW2305K900", edge, 6)
	s.reserve(account, "Default", "ENW2305K901", "FIREWALL", 4)
	for i := range 60 {
		switch {
		case i < 34:
			s.device(account, osaka, i, lots[0].tag, -1)
		case i < 50:
			s.device(account, tokyo, i, "WIRELESS", int64(i))
		default:
			s.device(account, standard, i, []string{"", "TAG-3"}[i%2], 2)
		}
	}
	furnishRarities(s, account, standard)
	for i, v := range []string{"Osaka Edge", "Lab", "Tokyo Core"} {
		token, _, err := s.service.CreateToken(ctx, admin, satellite.NewToken{AccountID: account.ID, VirtualAccount: v, Description: []string{"Osaka roll-out", "Lab bring-up", ""}[i], Days: 365 - 200*(i%2), MaxUses: int64(50 * i), ExportControlled: i == 1})
		s.must(err)
		if i == 2 {
			s.must(s.service.RevokeToken(ctx, admin, token.ID))
		}
	}
	file, err := os.ReadFile("../satellite/wire/testdata/report-c9800.xml")
	s.must(err)
	_, err = s.service.ImportUsage(ctx, admin, account.ID, file)
	s.must(err)
	_, err = s.service.TrustRoots(ctx, admin, pemOf(newRoot(t, "Example Networks licensing root")))
	s.must(err)
	s.agreement(account, "2.0", "This agreement is about the use of licenses.\nIt has two lines.\n\nAnd a second paragraph.")
}

// furnishRarities adds one of each thing that few licenses and devices have.
func furnishRarities(s *site, account satellite.Account, virtual satellite.VirtualAccount) {
	s.t.Helper()
	var family satellite.LicenseID
	s.define(account, map[string]func(*satellite.License){"TAG-1": func(l *satellite.License) { l.Family, family = l.ID, l.ID }})
	s.define(account, map[string]func(*satellite.License){
		"TAG-2": func(l *satellite.License) { l.HigherTier, l.Family = "TAG-1", family },
		"TAG-4": func(l *satellite.License) { l.Overage = true },
		"TAG-5": func(l *satellite.License) { l.Enforcement = satellite.ExportControlled },
		"TAG-6": func(l *satellite.License) { l.Type = satellite.LicenseEvaluation },
		"TAG-7": func(l *satellite.License) { l.ReportingOnly = true },
	})
	first, second := s.device(account, virtual, 70, "TAG-2", 90), s.device(account, virtual, 71, "TAG-4", 165)
	s.must(s.store.Update(s.t.Context(), func(tx satellite.Tx) error {
		first.ApplicationID, first.HARole = "campus core", wire.RoleActive
		second.ApplicationID, second.HARole = "campus core", wire.RoleStandby
		return errors.Join(tx.SaveInstance(first), tx.SaveInstance(second), hold(tx, first, "TAG-7", 280, 280), hold(tx, second, "TAG-5", 0, 3), hold(tx, second, "TAG-2", 0, 90))
	}))
	s.alert(
		satellite.Alert{AccountID: account.ID, Type: satellite.AlertAgreementPending, Key: "agreement", Source: account.Name, Message: "Version \"2.0\" of the licensing agreement is not accepted; no token can be created until it is."},
		satellite.Alert{AccountID: account.ID, Type: satellite.AlertSyncOverdue, Source: account.Name, Message: "The account has not synchronized for 64 days.", ActionDue: begin.AddDate(0, 0, 26)},
		satellite.Alert{AccountID: account.ID, Type: satellite.AlertLicensesExpiring, Key: "SO-10482201", Source: "Voice Gateway Session Pack (lot SO-10482201)", Message: "500 of Voice Gateway Session Pack end on 30 November 2026: the reminder of 7 days before.", ActionDue: begin.AddDate(0, 0, 7)},
		satellite.Alert{AccountID: account.ID, Type: satellite.AlertReservedLicensesReturned, Key: "7", Source: "ENW2305K902", Message: "The device EN-8500-24, serial number ENW2305K902 has returned its reservation; what was reserved is in the pool again."},
		satellite.Alert{AccountID: account.ID, Type: satellite.AlertRestrictedNotAvailable, Key: second.PIID, PIID: second.PIID, Source: second.Name(), Message: "Device " + second.Name() + " asks for 3 of Strong Encryption and holds 0. The license is export-controlled, and the token that registered the device does not allow that."},
		satellite.Alert{AccountID: account.ID, Type: satellite.AlertInsufficientLicenses, Key: "1", Source: "Edge Router Advantage 10G", Message: "3 of Edge Router Advantage 10G are missing in virtual account \"Osaka Edge\"; the devices there that use it are out of compliance."},
	)
}

// resultPages lets the test see what an upload of a response leads to, which
// takes an upstream to come to by itself.
func resultPages(e *echo.Echo, c *console) {
	for name, result := range map[string]satellite.SyncResult{
		"registered": {Sequence: 1, Registered: true, Lots: 13, Deadline: begin.AddDate(0, 0, 90)},
		"full":       {Sequence: 2, FullRequested: true, Reason: "The digest of the state differs.", Deadline: begin.AddDate(0, 0, 90)},
		"again":      {Sequence: 3, AlreadyApplied: true, Deadline: begin.AddDate(0, 0, 90)},
	} {
		result.Account = satellite.Account{ID: 1, Name: "Tsukishiro Telecom"}
		e.GET("/synchronization/test/:id/"+name, c.handle(true, func(r *request) error { return r.wizard(4, &result, nil) }))
	}
	secretResult(e, c)
}

func TestEveryPageInABrowser(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := newBrowser(t, s)
	setup := "/setup?code=" + s.code
	device := "/devices/5a1c0003-88e2-4d1c-9a3b-0c2f4e6d8b03"
	const missing = "status of 404"
	const refused = "status of 403"
	const wrong = "status of 400"

	look := func(name string, visit func(prefix string)) {
		for _, language := range []string{"en", "ja"} {
			for _, theme := range []string{"light", "dark"} {
				b.do(chromedp.Navigate(b.base + "/sign-in"))
				b.do(setPreference("language", language), setPreference("theme", theme))
				for _, screen := range screens {
					b.do(chromedp.EmulateViewport(screen.width, screen.height))
					visit(strings.Join([]string{screen.name, language, theme, name}, "-") + "-")
				}
			}
		}
	}
	look("first", func(prefix string) {
		b.open(prefix+"setup", setup)
		b.open(prefix+"setup-dead", "/setup?code=x", refused)
		b.open(prefix+"sign-in", "/sign-in")
		b.open(prefix+"missing", "/nowhere", missing)
	})
	s.user(admin.Name, "Mika Hayashi", satellite.RoleSystemAdmin)
	b.do(chromedp.EmulateViewport(1440, 1000), chromedp.Navigate(b.base+"/sign-in"), chromedp.SendKeys("#field-email", admin.Name), chromedp.SendKeys("#field-password", "wrong"), chromedp.Submit("#field-password"), chromedp.WaitVisible(".banner.bad"))
	b.picture("wide-sign-in-wrong", "status of 401")
	b.do(chromedp.SendKeys("#field-password", password), chromedp.Submit("#field-password"), chromedp.WaitVisible(".main-nav"))
	look("empty", func(prefix string) {
		b.open(prefix+"overview", "/")
		b.open(prefix+"accounts", "/accounts")
		b.open(prefix+"sync", "/synchronization")
		b.open(prefix+"api-clients", "/api-clients")
	})
	furnish(t, s)
	clients := furnishAPIClients(s)
	reservation, err := s.service.FindReservation(t.Context(), admin, satellite.ReservationQuery{ID: 1})
	b.must(err)
	reserved := "/devices/" + reservation.PIID
	look("full", func(prefix string) {
		for _, page := range []struct{ name, path string }{
			{"overview", "/?account=Tsukishiro+Telecom"}, {"devices", "/devices"}, {"devices-none", "/devices?q=zzz"}, {"devices-empty", "/devices?va=Lab"},
			{"devices-add", "/devices/add?va=Osaka+Edge"}, {"device", device}, {"licenses", "/licenses"}, {"license-short", "/licenses/1"}, {"license", "/licenses/4"},
			{"tokens", "/tokens"}, {"token-new", "/tokens/new"}, {"agreement", "/agreement"}, {"alerts", "/alerts"}, {"clock", "/clock"}, {"license-tier", "/licenses/7"}, {"device-standby", "/devices/5a1c0047-88e2-4d1c-9a3b-0c2f4e6d8b47"}, {"device-reserved", reserved}, {"token", "/tokens/2"}, {"token-revoked", "/tokens/3"}, {"usage", "/usage"},
			{"events", "/events"}, {"accounts", "/accounts"}, {"account-new", "/accounts/new"}, {"account", "/accounts/1"}, {"account-limited", "/accounts/2"},
			{"virtual-delete", "/accounts/1/virtual-accounts/4/delete"}, {"sync", "/synchronization"}, {"wizard-1", "/synchronization/1?step=1"},
			{"wizard-3-none", "/synchronization/1?step=3"}, {"register", "/synchronization/2"},
			{"api-clients", "/api-clients"}, {"api-client-new", "/api-clients/new"}, {"api-client", clients[0]}, {"api-client-rotated", clients[1]}, {"api-client-revoked", clients[2]},
			{"api-client-secret", "/api-clients/test/secret"},
		} {
			b.open(prefix+page.name, page.path)
		}
		b.open(prefix+"missing", "/tokens/99", missing)
	})
	// What a person does, with JavaScript.
	b.do(chromedp.Navigate(b.base+"/synchronization/1?step=1"), chromedp.Click("#make-form .btn-primary"), chromedp.WaitVisible("#leaves"))
	look("work", func(prefix string) {
		b.open(prefix+"wizard-2", "/synchronization/1?step=2")
		b.open(prefix+"wizard-3", "/synchronization/1?step=3")
		b.open(prefix+"overview", "/")
		for _, result := range []string{"registered", "full", "again"} {
			b.open(prefix+"result-"+result, "/synchronization/test/1/"+result)
		}
		b.do(chromedp.Navigate(b.base+"/synchronization"), chooseRoot(t), chromedp.WaitVisible(".copyfield"))
		b.picture(prefix + "root")
		b.do(chromedp.Navigate(b.base+"/tokens/new"), chromedp.Evaluate[chromedp.Void](`document.querySelector("form.card").noValidate = true; document.querySelector("#field-days").value = 400; document.querySelector("form.card").requestSubmit()`), chromedp.WaitVisible("p.error"))
		b.picture(prefix+"token-new-wrong", wrong)
		apiClientForms(b, prefix, clients[0])
	})
	rolesFollowTheirPlace(b)
	panelOpensAndCloses(b)
	s.advance(-3 * time.Hour)
	look("held", func(prefix string) {
		b.open(prefix+"overview", "/")
		b.open(prefix+"clock", "/clock")
	})
	s.user("new@tsukishiro.example", "Aoi Kobayashi", satellite.RoleSystemUser)
	b.do(chromedp.EmulateViewport(1440, 1000), chromedp.Navigate(b.base+"/"), chromedp.Evaluate[chromedp.Void](`document.querySelector("form[action='/sign-out']").submit()`), chromedp.WaitVisible("#field-email"),
		chromedp.SendKeys("#field-email", "new@tsukishiro.example"), chromedp.SendKeys("#field-password", password), chromedp.Submit("#field-password"), chromedp.WaitVisible(".main-nav"))
	look("new", func(prefix string) { b.open(prefix+"no-access", "/") })
}

// chooseRoot puts a certificate into the form of the page and sends it.
func chooseRoot(t *testing.T) chromedp.Action[chromedp.Void] {
	t.Helper()
	return chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`(() => {
		const files = new DataTransfer();
		files.items.add(new File([%q], "root.pem"));
		const field = document.querySelector("#field-file");
		field.files = files.files;
		field.form.requestSubmit();
	})()`, pemOf(newRoot(t, "Example Networks licensing root"))))
}

// setPreference sends the form of the page that sets a preference.
func setPreference(name, value string) chromedp.Action[chromedp.Void] {
	return chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`(async () => {
		const body = new URLSearchParams({csrf: document.querySelector("meta[name=csrf-token]").content, %q: %q});
		await fetch("/preferences/%s", {method: "POST", body, redirect: "manual"});
	})()`, name, value, name), chromedp.EvalAwaitPromise)
}

// panelOpensAndCloses follows a number to its rows and back, by keyboard.
func panelOpensAndCloses(b *browser) {
	b.t.Helper()
	number := `.negative .opens`
	b.do(chromedp.EmulateViewport(1440, 1000), chromedp.Navigate(b.base+"/licenses"), chromedp.Focus(number), chromedp.KeyEvent("\r"), chromedp.WaitVisible(".panel"))
	address, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`location.pathname + " " + document.querySelector("tr.selected").innerText.split("\n")[0]`))
	b.must(err)
	if address != "/licenses/1 Edge Router Advantage 10G" {
		b.t.Errorf("the panel stands at %s", address)
	}
	b.picture("wide-panel-by-htmx")
	b.do(chromedp.KeyEvent("\x1b"))
	after, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`location.pathname + " " + document.querySelectorAll(".panel").length + " " + (document.activeElement === document.querySelector(".negative .opens"))`))
	b.must(err)
	if after != "/licenses 0 true" {
		b.t.Errorf("after Esc: address, panels, focus on the number: %s", after)
	}
	if parsed, err := url.Parse(b.base); err != nil || parsed.Scheme != "https" {
		b.t.Errorf("the pages were not seen over TLS: %s", b.base)
	}
}
