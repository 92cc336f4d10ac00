package ssm

import (
	"bytes"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"ssm/satellite/wire"
)

// visitor is a browser as far as the portal needs one.
type visitor struct {
	t      *testing.T
	client *http.Client
	base   string
	portal *Portal
}

func visit(t *testing.T, u *Upstream) *visitor {
	t.Helper()
	portal, err := NewPortal(t.Context(), u, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(portal)
	t.Cleanup(server.Close)
	client := server.Client()
	if client.Jar, err = cookiejar.New(nil); err != nil {
		t.Fatal(err)
	}
	return &visitor{t: t, client: client, base: server.URL, portal: portal}
}

// do returns the status, the path where the redirects ended, and the body.
func (v *visitor) do(method, path, contentType string, body io.Reader) (int, string, string) {
	v.t.Helper()
	request, err := http.NewRequestWithContext(v.t.Context(), method, v.base+path, body)
	if err != nil {
		v.t.Fatal(err)
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := v.client.Do(request)
	if err != nil {
		v.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	if response.Header.Get("Content-Security-Policy") == "" {
		v.t.Errorf("%s has no content security policy", path)
	}
	return response.StatusCode, response.Request.URL.Path, string(text)
}

func (v *visitor) get(path string) (int, string, string) {
	v.t.Helper()
	return v.do(http.MethodGet, path, "", nil)
}

func (v *visitor) post(path string, fields url.Values) (int, string, string) {
	v.t.Helper()
	return v.do(http.MethodPost, path, "application/x-www-form-urlencoded", strings.NewReader(fields.Encode()))
}

// upload sends a request file with the form's token.
func (v *visitor) upload(token string, file []byte) (int, string, string) {
	v.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name, value := range map[string]string{"csrf": token, "account": "", "virtual_account": "Chosen"} {
		if err := form.WriteField(name, value); err != nil {
			v.t.Fatal(err)
		}
	}
	part, err := form.CreateFormFile("request", "plant-1.ssmreq")
	if err != nil {
		v.t.Fatal(err)
	}
	if _, err := part.Write(file); err != nil {
		v.t.Fatal(err)
	}
	if err := form.Close(); err != nil {
		v.t.Fatal(err)
	}
	return v.do(http.MethodPost, "/portal/exchange", form.FormDataContentType(), &body)
}

func token(t *testing.T, page string) string {
	t.Helper()
	found := regexp.MustCompile(`name="csrf" value="([^"]+)"`).FindStringSubmatch(page)
	if found == nil {
		t.Fatalf("the page has no form with a token:\n%s", page)
	}
	return found[1]
}

func TestTheFirstAdministratorComesByTheLinkAndAnswersARequest(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	v := visit(t, u)
	if status, path, _ := v.get("/portal/exchange"); status != http.StatusOK || path != "/portal/signin" {
		t.Errorf("a stranger came to %s (%d)", path, status)
	}
	link := v.portal.SetupPath()
	if status, _, page := v.get(link); status != http.StatusOK || !strings.Contains(page, "First start") {
		t.Fatalf("the set-up link shows %d: %s", status, page)
	}
	form := url.Values{"code": {v.portal.gate.code}, "email": {"anna@example.com"}, "password": {"short"}}
	if status, _, page := v.post("/portal/setup", form); status != http.StatusUnprocessableEntity || !strings.Contains(page, "12 to 256") {
		t.Errorf("a short password: %d %s", status, page)
	}
	form.Set("password", "a long enough password")
	if status, path, _ := v.post("/portal/setup", form); status != http.StatusOK || path != "/portal" {
		t.Fatalf("the set-up ended at %s (%d)", path, status)
	}
	if status, _, page := v.post("/portal/setup", form); status != http.StatusUnprocessableEntity || !strings.Contains(page, "already") {
		t.Errorf("the link worked twice: %d %s", status, page)
	}

	p := newPeer(t, c, u.keys.root, "s1", "V")
	request := p.request(wire.ScopeRegistration)
	_, _, page := v.get("/portal/exchange")
	if status, _, page := v.upload("forged", request); status != http.StatusUnprocessableEntity || !strings.Contains(page, "session") {
		t.Errorf("a forged form: %d %s", status, page)
	}
	if status, _, page := v.upload(token(t, page), request[:100]); status != http.StatusUnprocessableEntity || !strings.Contains(page, "cut short") {
		t.Errorf("a file that was cut: %d %s", status, page)
	}
	status, path, answered := v.upload(token(t, page), request)
	if status != http.StatusOK || !strings.HasPrefix(path, "/portal/exchange/") || !strings.Contains(answered, "Download plant-1.ssmres") {
		t.Fatalf("the upload ended at %s (%d): %s", path, status, answered)
	}
	_, _, file := v.get(path + "/file")
	if r := p.apply([]byte(file)); r.Account.VirtualAccount != "Chosen" {
		t.Errorf("the response binds to %+v", r.Account)
	}
	if _, _, page := v.get("/portal/satellites"); !strings.Contains(page, "s1") || !strings.Contains(page, "Registered") {
		t.Errorf("the satellites' page lacks it: %s", page)
	}
	if _, path, _ := v.post("/portal/signout", url.Values{"csrf": {token(t, page)}}); path != "/portal/signin" {
		t.Errorf("after the sign-out: %s", path)
	}
	if _, path, _ := v.get("/portal"); path != "/portal/signin" {
		t.Errorf("after the sign-out the portal shows %s", path)
	}
}

func TestASignInTakesThePasswordAndFewFailures(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	first := visit(t, u)
	const password = "a long enough password"
	if err := first.portal.gate.setUp(t.Context(), first.portal.gate.code, "anna@example.com", password); err != nil {
		t.Fatal(err)
	}
	v := visit(t, u)
	if v.portal.SetupPath() != "" {
		t.Error("there is a set-up link although there is an administrator")
	}
	if status, _, _ := v.get("/portal/setup?code="); status != http.StatusUnprocessableEntity {
		t.Errorf("an empty set-up code: %d", status)
	}
	signIn := func(email, password string) (int, string) {
		status, path, _ := v.post("/portal/signin", url.Values{"email": {email}, "password": {password}})
		return status, path
	}
	if status, path := signIn("Anna@example.com", password); status != http.StatusOK || path != "/portal" {
		t.Errorf("the right password: %d %s", status, path)
	}
	for i := range maxFailures {
		email := []string{"anna@example.com", "nobody@example.com"}[i%2]
		if status, path := signIn(email, "wrong"); status != http.StatusUnprocessableEntity || path != "/portal/signin" {
			t.Errorf("a wrong password: %d %s", status, path)
		}
	}
	if status, _ := signIn("anna@example.com", password); status != http.StatusTooManyRequests {
		t.Errorf("after %d failures: %d", maxFailures, status)
	}
	c.advance(failureWindow + 1)
	if status, _ := signIn("anna@example.com", password); status != http.StatusOK {
		t.Errorf("after the window: %d", status)
	}
}

func TestAFormOfAnotherSiteIsRefused(t *testing.T) {
	t.Parallel()
	v := visit(t, openUpstream(t, newClock()))
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, v.base+"/portal/signin", strings.NewReader(""))
	request.Header.Set("Sec-Fetch-Site", "cross-site")
	recorder := httptest.NewRecorder()
	v.portal.ServeHTTP(recorder, request)
	if recorder.Code != http.StatusForbidden {
		t.Errorf("a form of another site: %d", recorder.Code)
	}
}

func TestHealthSaysWhetherTheDatabaseAnswers(t *testing.T) {
	t.Parallel()
	c := newClock()
	u, err := Open(t.Context(), t.TempDir(), "", c.now)
	if err != nil {
		t.Fatal(err)
	}
	v := visit(t, u)
	if status, _, body := v.get("/healthz"); status != http.StatusOK || !strings.Contains(body, `"ok"`) {
		t.Errorf("healthz: %d %s", status, body)
	}
	if err := u.Close(); err != nil {
		t.Fatal(err)
	}
	if status, _, _ := v.get("/healthz"); status != http.StatusServiceUnavailable {
		t.Errorf("healthz without a database: %d", status)
	}
}
