package ui

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"ssm/satellite"
)

func TestFromTheSetupLinkToARevokedToken(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor()
	v.get("/").leadsTo(t, "/sign-in")
	v.get("/devices?q=osk").leadsTo(t, "/sign-in?next=%2Fdevices%3Fq%3Dosk")
	v.get("/sign-in").expect(t, http.StatusOK, "Nobody can sign in yet")
	v.get("/setup?code=wrong").expect(t, http.StatusForbidden, "This set-up link does not work", "satellite setup")

	setup := "/setup?code=" + s.code
	v.get(setup).expect(t, http.StatusOK, "First start")
	person := map[string]string{"code": s.code, "name": "Mika Hayashi", "email": admin.Name, "password": "short"}
	v.post(setup, "/setup", person).expect(t, http.StatusBadRequest, "12 to 256 characters", `value="Mika Hayashi"`, `value="`+admin.Name+`"`)
	person["password"] = password
	v.post(setup, "/setup", person).leadsTo(t, "/")
	s.visitor().get(setup).expect(t, http.StatusForbidden, "The first start is done")

	v.get("/").expect(t, http.StatusOK, "No account yet", "/accounts/new")
	v.post("/accounts/new", "/accounts", map[string]string{"name": "Tsukishiro Telecom", "email": "nobody"}).
		expect(t, http.StatusBadRequest, "is not an e-mail address", `value="Tsukishiro Telecom"`)
	v.post("/accounts/new", "/accounts", map[string]string{"name": "Tsukishiro Telecom", "email": admin.Name, "type": "standard"}).leadsTo(t, "/accounts/1")
	v.get("/accounts/1").expect(t, http.StatusOK, "Tsukishiro Telecom was created", "Not registered", "tsukishiro.example")
	v.get("/").expect(t, http.StatusOK, "Register the account upstream")
	v.post("/accounts/1", "/accounts/1/virtual-accounts", map[string]string{"name": "Lab", "description": "Bring-up"}).leadsTo(t, "/accounts/1")
	v.post("/accounts/1", "/accounts/1/virtual-accounts", map[string]string{"name": "lab"}).expect(t, http.StatusConflict, "already", `value="lab"`)

	v.post("/tokens/new", "/tokens", map[string]string{"days": "400"}).expect(t, http.StatusBadRequest, "1 to 365 days, not 400", `value="400"`)
	v.post("/tokens/new", "/tokens", map[string]string{"days": "0"}).expect(t, http.StatusBadRequest, "1 to 365 days")
	v.post("/tokens/new", "/tokens", map[string]string{"days": "many"}).expect(t, http.StatusBadRequest, "whole number")
	v.post("/tokens/new", "/tokens", map[string]string{"description": "Lab <bring-up>", "virtual_account": "Lab", "days": "30", "max_uses": "5"}).leadsTo(t, "/tokens/1")
	text := regexp.MustCompile(`data-copy="(eyJ[^"]+)"`).FindStringSubmatch(v.get("/tokens/1").expect(t, http.StatusOK, "Lab &lt;bring-up&gt;", "0 of 5", "<svg class=\"qr\"").text)
	if text == nil {
		t.Fatal("the page of the token does not show its text")
	}
	file := v.get("/tokens/1/download").expect(t, http.StatusOK)
	if strings.TrimSpace(file.text) != text[1] || file.Header.Get("Content-Disposition") != "attachment; filename=token-1.txt" {
		t.Errorf("the file is %q, %s", file.text, file.Header.Get("Content-Disposition"))
	}
	v.get("/devices?va=Lab").expect(t, http.StatusOK, "No devices in Lab yet", "license smart register idtoken", text[1],
		"--url https://sat-01.tsukishiro.example:8443/SmartTransport --ca ca.pem", "https://sat-01.tsukishiro.example:8443/ca.pem")

	v.post("/accounts/1", "/accounts/1/virtual-accounts/2/delete", map[string]string{"confirm": "lab"}).expect(t, http.StatusBadRequest, "another one")
	v.post("/accounts/1", "/accounts/1/virtual-accounts/2/delete", map[string]string{"confirm": "Lab"}).expect(t, http.StatusConflict, "1 live tokens")
	v.post("/tokens/1", "/tokens/1/revoke", map[string]string{"confirm": "token-2"}).expect(t, http.StatusBadRequest, "another one")
	v.get("/tokens").expect(t, http.StatusOK, "Active")
	v.post("/tokens/1", "/tokens/1/revoke", map[string]string{"confirm": "token-1"}).leadsTo(t, "/tokens")
	v.get("/tokens").expect(t, http.StatusOK, "Revoked", "token-1 was revoked")
	v.post("/accounts/1", "/accounts/1/virtual-accounts/2/delete", map[string]string{"confirm": "Lab"}).leadsTo(t, "/accounts/1")
	v.get("/events").expect(t, http.StatusOK, "Token revoked", "Virtual account deleted", admin.Name, "127.0.0.1")
	v.post("/", "/sign-out", nil).leadsTo(t, "/sign-in")
	v.get("/tokens").leadsTo(t, "/sign-in?next=%2Ftokens")
}

func TestAFormWithoutTheTokenOfItsSessionChangesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.administrator()
	other := s.signIn(admin.Name)
	foreign := other.csrf("/accounts/new")
	for _, token := range []string{"", "guess", foreign} {
		body := "name=Evil&email=e%40evil.example&csrf=" + token
		v.send(http.MethodPost, "/accounts", "application/x-www-form-urlencoded", strings.NewReader(body)).
			expect(t, http.StatusForbidden, "not sent from a page of this console")
	}
	v.send(http.MethodPost, "/usage", "multipart/form-data; boundary=b", strings.NewReader("--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\nx\r\n--b--\r\n")).
		expect(t, http.StatusForbidden)
	s.visitor().send(http.MethodPost, "/sign-in", "application/x-www-form-urlencoded", strings.NewReader("email=a&password=b")).expect(t, http.StatusForbidden)
	if accounts, err := s.service.Accounts(t.Context(), admin); err != nil || len(accounts) != 0 {
		t.Errorf("there are %d accounts, %v", len(accounts), err)
	}
}

func TestGuessingAPasswordIsSlowedDown(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.user(admin.Name, "Mika Hayashi", satellite.RoleSystemAdmin)
	v := s.visitor()
	wrong := map[string]string{"email": admin.Name, "password": "guess"}
	for range 5 {
		v.post("/sign-in", "/sign-in", wrong).expect(t, http.StatusUnauthorized, "E-mail address or password is wrong", `value="`+admin.Name+`"`)
	}
	right := map[string]string{"email": admin.Name, "password": password}
	v.post("/sign-in", "/sign-in", right).expect(t, http.StatusTooManyRequests, "The next one is possible in")
	s.advance(time.Minute)
	v.post("/sign-in", "/sign-in", right).leadsTo(t, "/")
}

func TestSignInLeadsOnlyToPagesOfThisConsole(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.user(admin.Name, "Mika Hayashi", satellite.RoleSystemAdmin)
	for next, target := range map[string]string{
		"/tokens?va=Lab": "/tokens?va=Lab", "https://evil.example/": "/", "//evil.example/": "/", `/\evil.example`: "/", "": "/", "javascript:alert(1)": "/",
	} {
		s.visitor().post("/sign-in", "/sign-in", map[string]string{"email": admin.Name, "password": password, "next": next}).leadsTo(t, target)
	}
}

func TestWhoMayOnlyReadIsOfferedNothingAndRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	account := s.account("Tsukishiro Telecom", false)
	virtual, err := s.service.VirtualAccounts(t.Context(), admin, account.ID)
	s.must(err)
	_, err = s.service.CreateVirtualAccount(t.Context(), admin, account.ID, "Lab", "")
	s.must(err)
	device := s.device(account, virtual[0], 1, "", 0)
	_, _, err = s.service.CreateToken(t.Context(), admin, satellite.NewToken{AccountID: account.ID})
	s.must(err)
	s.user("reader@tsukishiro.example", "Reader", satellite.RoleSystemUser, satellite.Grant{AccountID: account.ID, Role: satellite.RoleAccountViewer})
	v := s.signIn("reader@tsukishiro.example")

	action := regexp.MustCompile(`<form[^>]*action="([^"]+)"[^>]*method="post"`)
	for _, page := range []string{"/", "/devices", "/devices/add", "/devices/" + device.PIID, "/licenses", "/tokens", "/usage", "/events", "/accounts", "/accounts/1", "/synchronization", "/synchronization/1"} {
		text := v.get(page).expect(t, http.StatusOK).text
		for _, form := range action.FindAllStringSubmatch(text, -1) {
			if form[1] != "/sign-out" && !strings.HasPrefix(form[1], "/preferences/") {
				t.Errorf("%s offers the form %s", page, form[1])
			}
		}
		for _, link := range []string{`href="/tokens/1"`, `href="/accounts/new"`, `href="/tokens/new"`, `href="/devices/add"`, "/delete"} {
			if strings.Contains(text, link) && !strings.Contains(link, page+`"`) { // a page may lead to itself
				t.Errorf("%s offers %s", page, link)
			}
		}
	}
	for _, page := range []string{"/tokens/1", "/tokens/1/download", "/tokens/new", "/accounts/new", "/accounts/1/virtual-accounts/2/delete", "/synchronization/1/request"} {
		v.get(page).expect(t, http.StatusForbidden, "do not allow this")
	}
	for _, form := range []string{"/devices/" + device.PIID + "/remove", "/tokens", "/tokens/1/revoke", "/accounts", "/accounts/1/virtual-accounts", "/accounts/1/virtual-accounts/2/delete", "/synchronization/1/request", "/synchronization/roots/trust"} {
		v.post("/", form, map[string]string{"name": "x", "email": "x@x.example", "confirm": "Lab"}).expect(t, http.StatusForbidden, "do not allow this")
	}
	for _, form := range []string{"/usage", "/synchronization/roots", "/synchronization/1/response"} {
		v.upload("/", form, "file", []byte("x")).expect(t, http.StatusForbidden, "do not allow this")
	}
}

func TestWhoHasNoRoleYetIsToldWhomToAsk(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.account("Tsukishiro Telecom", false)
	s.user("new@tsukishiro.example", "New", satellite.RoleSystemUser)
	v := s.signIn("new@tsukishiro.example")
	for _, page := range []string{"/", "/devices", "/licenses", "/tokens", "/usage"} {
		text := v.get(page).expect(t, http.StatusOK, "No role in an account yet", "new@tsukishiro.example").text
		for _, word := range []string{"Tsukishiro Telecom", `href="/licenses"`, `href="/accounts"`, `href="/synchronization"`} {
			if strings.Contains(text, word) {
				t.Errorf("%s speaks of %s", page, word)
			}
		}
	}
	for _, page := range []string{"/accounts", "/synchronization", "/events"} {
		if text := v.get(page).expect(t, http.StatusOK).text; strings.Contains(text, "Tsukishiro Telecom") {
			t.Errorf("%s names the account", page)
		}
	}
	for _, page := range []string{"/accounts/1", "/synchronization/1", "/synchronization/1/request"} {
		v.get(page).expect(t, http.StatusNotFound)
	}
}

func TestARoleInAVirtualAccountShowsNoOtherOne(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	account := s.account("Tsukishiro Telecom", false)
	virtual, err := s.service.VirtualAccounts(t.Context(), admin, account.ID)
	s.must(err)
	lab, err := s.service.CreateVirtualAccount(t.Context(), admin, account.ID, "Lab-3", "")
	s.must(err)
	s.buy(account, lot{virtual: virtual[0], tag: "EDGE", name: "Edge Router Advantage", quantity: 2, start: begin.AddDate(-1, 0, 0)})
	hidden, shown := s.device(account, virtual[0], 1, "EDGE", 5), s.device(account, lab, 2, "", 0)
	s.user("lab@tsukishiro.example", "Lab", satellite.RoleSystemUser, satellite.Grant{AccountID: account.ID, VirtualAccountID: lab.ID, Role: satellite.RoleVirtualAccountUser})
	v := s.signIn("lab@tsukishiro.example")
	for _, page := range []string{"/", "/devices", "/devices/add", "/licenses", "/tokens", "/tokens/new", "/usage", "/events", "/accounts", "/accounts/1"} {
		text := v.get(page).expect(t, http.StatusOK).text
		for _, word := range []string{hidden.UDISerialNumber, hidden.Hostname, "Edge Router Advantage", `href="/synchronization"`, ">" + virtual[0].Name + "<"} {
			if strings.Contains(text, word) {
				t.Errorf("%s speaks of %s", page, word)
			}
		}
	}
	v.get("/devices").expect(t, http.StatusOK, shown.Hostname)
	v.get("/devices/"+hidden.PIID).expect(t, http.StatusNotFound)
	v.get("/devices/"+shown.PIID).expect(t, http.StatusOK, "/remove")
	v.post("/", "/devices/"+hidden.PIID+"/remove", map[string]string{"confirm": hidden.UDISerialNumber}).expect(t, http.StatusNotFound)
	v.get("/synchronization/1").expect(t, http.StatusNotFound)
	v.get("/synchronization/1/request").expect(t, http.StatusForbidden)
}

func TestADeviceIsRemovedOnlyByItsName(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	account := s.account("Tsukishiro Telecom", false)
	virtual, err := s.service.VirtualAccounts(t.Context(), admin, account.ID)
	s.must(err)
	v := s.administrator()
	if answer := v.get("/devices/waiting"); answer.StatusCode != http.StatusNoContent || answer.Header.Get("HX-Refresh") != "" {
		t.Errorf("a page that waits is told %d %v", answer.StatusCode, answer.Header)
	}
	s.buy(account, lot{virtual: virtual[0], tag: "EDGE", name: "Edge Router Advantage", quantity: 2, start: begin.AddDate(-1, 0, 0)})
	device := s.device(account, virtual[0], 1, "EDGE", 5)
	if v.get("/devices/waiting").Header.Get("HX-Refresh") != "true" {
		t.Error("the page that waits does not learn of the first device")
	}
	v.get("/devices?q=osk-camp").expect(t, http.StatusOK, device.Hostname, "Authorized")
	v.get("/devices?q=nothing").expect(t, http.StatusOK, "Nothing begins with “nothing”")
	v.get("/licenses").expect(t, http.StatusOK, "Insufficient", `class="end num negative second"`, "−3")
	v.get("/licenses/1").expect(t, http.StatusOK, "Why is the balance −3?", "SO-10482200", device.Hostname, "−5")
	v.header.Set("HX-Request", "true")
	if panel := v.get("/licenses/1").expect(t, http.StatusOK, "Why is the balance").text; strings.Contains(panel, "<html") || !strings.Contains(panel, `class="panel"`) {
		t.Error("htmx does not get the panel alone")
	}
	v.header.Del("HX-Request")
	v.get("/licenses/9").expect(t, http.StatusNotFound)
	page := "/devices/" + device.PIID
	v.get(page).expect(t, http.StatusOK, device.UDISerialNumber, "Edge Router Advantage", "Out of compliance", "was registered in")
	v.post(page, page+"/remove", map[string]string{"confirm": device.Hostname}).expect(t, http.StatusBadRequest, "another one")
	v.post(page, page+"/remove", map[string]string{"confirm": device.UDISerialNumber}).leadsTo(t, "/devices")
	v.get("/devices").expect(t, http.StatusOK, "was removed", "No devices in Tsukishiro Telecom yet")
	v.get(page).expect(t, http.StatusNotFound, "There is nothing here")
}

func TestASynchronizationByFileStaysWhereItIsUntilAResponseComes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	account := s.account("Tsukishiro Telecom", false)
	v := s.administrator()
	wizard := "/synchronization/1"
	v.get(wizard).expect(t, http.StatusOK, "Register upstream", "No licensing root is trusted yet")
	v.post(wizard, wizard+"/request", nil).leadsTo(t, wizard+"?step=2")
	v.get(wizard+"?step=2").expect(t, http.StatusOK, "What leaves this site", "tsukishiro-telecom-1.ssmreq", "None found")
	file := v.get(wizard+"/request").expect(t, http.StatusOK)
	if file.Header.Get("Content-Disposition") != "attachment; filename=tsukishiro-telecom-1.ssmreq" || len(file.text) < 1000 {
		t.Errorf("the file is %d bytes, %v", len(file.text), file.Header)
	}
	v.get("/").expect(t, http.StatusOK, "Upload the response of the upstream")
	v.get("/synchronization").expect(t, http.StatusOK, "File ready")
	v.upload(wizard+"?step=3", wizard+"/response", "", nil).expect(t, http.StatusBadRequest, "No file was chosen")
	v.upload(wizard+"?step=3", wizard+"/response", "a.ssmreq", []byte(file.text)).expect(t, http.StatusBadRequest, "Nothing was changed")
	v.upload(wizard+"?step=3", wizard+"/response", "a.ssmres", []byte("garbage")).expect(t, http.StatusBadRequest, "Nothing was changed")
	v.get(wizard+"/response").leadsTo(t, wizard)
	if again, err := s.service.FindAccount(t.Context(), admin, account.Name); err != nil || again.Registered() {
		t.Errorf("the account is registered: %v", err)
	}
}

func TestARootIsTrustedAfterItsFingerprintWasShown(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.administrator()
	root := newRoot(t, "Example Networks licensing root")
	text := pemOf(root)
	v.upload("/synchronization", "/synchronization/roots", "root.pem", []byte("no certificate")).expect(t, http.StatusBadRequest, "holds no root certificate")
	v.upload("/synchronization", "/synchronization/roots", "root.pem", text).expect(t, http.StatusOK, fingerprint(root.Certificate.Raw), "Nothing has changed so far")
	if roots, err := s.service.Roots(t.Context()); err != nil || len(roots) != 0 {
		t.Fatalf("%d roots are trusted before anybody confirmed, %v", len(roots), err)
	}
	v.post("/synchronization", "/synchronization/roots/trust", map[string]string{"pem": string(text)}).leadsTo(t, "/synchronization")
	v.get("/synchronization").expect(t, http.StatusOK, "Example Networks licensing root is trusted", fingerprint(root.Certificate.Raw))
}

func TestAUsageFileIsImportedOnceOrRefusedInItsPlace(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.account("Tsukishiro Telecom", false)
	usageFile, err := os.ReadFile("../satellite/wire/testdata/report-c9800.xml")
	s.must(err)
	v := s.administrator()
	v.upload("/usage", "/usage", "usage.xml", []byte("<html>")).expect(t, http.StatusBadRequest, "This is no usage file", "Nothing was imported", "license smart save usage")
	v.upload("/usage", "/usage", "", nil).expect(t, http.StatusBadRequest, "No file was chosen")
	v.upload("/usage", "/usage", "usage.xml", usageFile).leadsTo(t, "/usage")
	v.get("/usage").expect(t, http.StatusOK, "1 new, 0 known already", "C9800-CL-K9", "Received")
	v.upload("/usage", "/usage", "usage.xml", usageFile).leadsTo(t, "/usage")
	v.get("/usage").expect(t, http.StatusOK, "0 new, 1 known already")
}

func TestSeveralAccountsAreSwitchedBetweenAndRemembered(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.account("Tsukishiro Telecom", false)
	s.account("こばと電設有限会社", true)
	v := s.administrator()
	v.get("/").expect(t, http.StatusOK, "Tsukishiro Telecom</strong>", "/?account=%E3%81%93")
	v.get("/?account=%E3%81%93%E3%81%B0%E3%81%A8%E9%9B%BB%E8%A8%AD%E6%9C%89%E9%99%90%E4%BC%9A%E7%A4%BE").expect(t, http.StatusOK, "こばと電設有限会社</strong>", "Limited account")
	v.get("/tokens").expect(t, http.StatusOK, "こばと電設有限会社</strong>")
	v.get("/tokens?account=none").expect(t, http.StatusOK, "こばと電設有限会社</strong>")
}

func TestEveryAnswerKeepsToTheSecurityHeadersAndTellsErrorsInWords(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.administrator()
	for path, status := range map[string]int{"/": 200, "/nowhere": 404, "/tokens/7": 404, "/tokens/x": 404, "/accounts/7": 404, "/accounts/x": 404, "/devices/x": 404, "/synchronization/9": 404} {
		answer := v.get(path).expect(t, status)
		if answer.Header.Get("Cache-Control") != "no-store" || !strings.HasPrefix(answer.Header.Get("Content-Security-Policy"), "default-src 'none'") ||
			!strings.HasPrefix(answer.Header.Get("Content-Type"), "text/html") {
			t.Errorf("%s answers with %v", path, answer.Header)
		}
	}
	if api := v.get("/api/v2/nothing").expect(t, http.StatusNotFound); !strings.HasPrefix(api.Header.Get("Content-Type"), "application/problem+json") {
		t.Errorf("a program gets %s", api.Header.Get("Content-Type"))
	}
	v.post("/", "/tokens/new", nil).expect(t, http.StatusNotFound)
	s.visitor().get("/nowhere").expect(t, http.StatusNotFound, "There is nothing here")
}

func TestLanguageAndThemeAreKeptForStrangersAndUsers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.user(admin.Name, "Mika Hayashi", satellite.RoleSystemAdmin)
	v := s.visitor()
	v.header.Set("Accept-Language", "ja-JP,ja;q=0.9,en;q=0.5")
	v.get("/sign-in").expect(t, http.StatusOK, `<html lang="ja"`, "サインイン")
	v.post("/sign-in", "/preferences/language", map[string]string{"language": "en"}).leadsTo(t, "/")
	v.post("/sign-in", "/preferences/theme", map[string]string{"theme": "dark"}).leadsTo(t, "/")
	v.get("/sign-in").expect(t, http.StatusOK, `<html lang="en"`, `data-bs-theme="dark"`)
	v.post("/sign-in", "/preferences/language", map[string]string{"language": "xx"}).expect(t, http.StatusBadRequest)
	v.header.Set("Referer", s.server.URL+"/sign-in?next=%2Ftokens")
	v.post("/sign-in", "/preferences/language", map[string]string{"language": "ja"}).leadsTo(t, "/sign-in?next=%2Ftokens")
	v.header.Set("Referer", "https://evil.example/x")
	v.post("/sign-in", "/preferences/language", map[string]string{"language": "ja"}).leadsTo(t, "/")
	v.header.Set("Accept-Language", "en")
	v.post("/sign-in", "/sign-in", map[string]string{"email": admin.Name, "password": "wrong"}).expect(t, http.StatusUnauthorized, "電子メールアドレスまたはパスワードが正しくありません。")
	v.post("/sign-in", "/sign-in", map[string]string{"email": admin.Name, "password": password}).leadsTo(t, "/")
	w := s.signIn(admin.Name) // another browser: the preference is the user's
	w.get("/tokens").expect(t, http.StatusOK, `<html lang="ja"`, "アカウントがまだありません")
	w.post("/", "/preferences/language", map[string]string{"language": "en"}).leadsTo(t, "/")
	w.get("/").expect(t, http.StatusOK, `<html lang="en"`)
}

func TestALongListIsPagedForthAndBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	account := s.account("Tsukishiro Telecom", false)
	virtual, err := s.service.VirtualAccounts(t.Context(), admin, account.ID)
	s.must(err)
	for i := range 2*pageSize + 1 {
		s.device(account, virtual[0], i, "", 0)
	}
	v := s.administrator()
	link := func(page reply, rel string) string {
		found := regexp.MustCompile(`href="([^"]+)" rel="` + rel + `"`).FindStringSubmatch(page.text)
		if found == nil {
			t.Fatalf("there is no %s link:\n%s", rel, visible(page.text))
		}
		return strings.ReplaceAll(found[1], "&amp;", "&")
	}
	first := v.get("/devices").expect(t, http.StatusOK, "1–50 of 101", "osk-edge-r000")
	second := v.get(link(first, "next")).expect(t, http.StatusOK, "51–100 of 101")
	third := v.get(link(second, "next")).expect(t, http.StatusOK, "101–101 of 101")
	v.get(link(third, "prev")).expect(t, http.StatusOK, "51–100 of 101")
	v.get(link(second, "prev")).expect(t, http.StatusOK, "1–50 of 101", "osk-edge-r000")
	v.get("/devices?after=x&offset=-4&trail=a.b").expect(t, http.StatusOK, "1–50 of 101")
}
