package compatible

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ssm/satellite"
)

// machine is the time of this machine, by which the deadlines of connections count.
func machine() time.Time { return <-time.After(0) }

// lines is a log that a server may write while the test reads.
type lines struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.String()
}

// floor is the API with routes of the test's own, over HTTP. Who asks is who the
// header says; change makes the bounds narrow.
func floor(t *testing.T, change func(*bounds), routes ...route) (*httptest.Server, *lines) {
	t.Helper()
	b := defaults
	if change != nil {
		change(&b)
	}
	log := new(lines)
	a := newAPI(Options{Now: machine}, b)
	a.authenticate = func(r *http.Request) (satellite.Actor, error) {
		return satellite.Actor{Name: r.Header.Get("X-Actor"), Role: satellite.RoleSystemUser}, nil
	}
	a.table = routes
	server := httptest.NewServer(a.handler(slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	t.Cleanup(server.Close)
	return server, log
}

// reply is the beginning of an answer.
type reply struct {
	status int
	header http.Header
	length int64 // -1: it was not told
}

// ask returns the answer with its whole body.
func ask(t *testing.T, server *httptest.Server, method, path string, body io.Reader, headers ...string) (reply, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{response.StatusCode, response.Header, response.ContentLength}, string(text)
}

// refusedAs judges an error as clients read it.
func refusedAs(t *testing.T, response reply, body string, status int, words string) {
	t.Helper()
	var problem map[string]string
	err := json.Unmarshal([]byte(body), &problem)
	if err != nil || len(problem) != 2 || problem["status"] != "ERROR" || problem["statusMessage"] == "" || response.header.Get("Content-Type") != "application/json" ||
		response.header.Get("Cache-Control") != "no-store" {
		t.Errorf("this is no error as clients read it: %v %s", response.header, body)
	}
	if response.status != status || !strings.Contains(problem["statusMessage"], words) {
		t.Errorf("got %d %s, want %d with %q", response.status, body, status, words)
	}
}

func fine(context.Context, *call) (any, error) { return success, nil }

func TestWhatIsNotThereIsToldInJSON(t *testing.T) {
	t.Parallel()
	server, _ := floor(t, nil,
		route{method: "GET", trees: v1, pattern: "/things", handle: fine}, route{method: "POST", trees: v1, pattern: "/things", handle: fine},
		route{method: "POST", trees: v1, pattern: "/things/{account}/delete", handle: fine})
	for _, path := range []string{"/api/v1", "/api/v1/", "/api/v1/nothing", "/services/api/smart-accounts-and-licensing/v2/things", "/api/v1/things/a%2Fdelete", "/oauth/token", "/api/v1/things;x"} {
		response, body := ask(t, server, http.MethodGet, path, nil)
		refusedAs(t, response, body, 404, "nothing at this address")
	}
	for method, path := range map[string]string{"DELETE": "/api/v1/things", "OPTIONS": "/api/v1/things", "BREW": "/api/v1//things/", "PATCH": "/api/v1/things"} {
		response, body := ask(t, server, method, path, nil)
		refusedAs(t, response, body, 405, "does not take this method")
		if got := response.header.Get("Allow"); got != "GET, HEAD, POST" {
			t.Errorf("%s is told to use %q", method, got)
		}
	}
	response, body := ask(t, server, http.MethodGet, "/api/v1/things/a/../delete", nil)
	refusedAs(t, response, body, 400, "no name")
	if response, body := ask(t, server, http.MethodHead, "/api/v1/things", nil); response.status != http.StatusOK || body != "" || response.length != int64(len(`{"status":"SUCCESS","statusMessage":""}`)) {
		t.Errorf("HEAD is answered %d %v %q", response.status, response.header, body)
	}
	response, body = ask(t, server, http.MethodGet, "/api/v1/things?limit=%zz", nil)
	refusedAs(t, response, body, 400, "query")
}

func TestWhatAnybodyMaySendIsSmall(t *testing.T) {
	t.Parallel()
	server, _ := floor(t, nil, route{method: "POST", trees: v1, pattern: "/open", open: true, handle: fine}, route{method: "POST", trees: v1, pattern: "/shut", handle: fine})
	for size, want := range map[int]int{16 << 10: 200, 16<<10 + 1: 413, 1 << 20: 413} {
		body := `{"a":"` + strings.Repeat("a", size-8) + `"}`
		if response, text := ask(t, server, http.MethodPost, "/api/v1/open", strings.NewReader(body)); response.status != want {
			t.Errorf("%d bytes of anybody are answered %d %s", size, response.status, text)
		}
		if response, text := ask(t, server, http.MethodPost, "/api/v1/shut", strings.NewReader(body)); response.status != http.StatusOK {
			t.Errorf("%d bytes of a client are answered %d %s", size, response.status, text)
		}
	}
}

func TestNoHeaderAndNoFieldChangesTheMethod(t *testing.T) {
	t.Parallel()
	server, _ := floor(t, nil, route{method: "DELETE", trees: v1, pattern: "/things", handle: func(context.Context, *call) (any, error) {
		t.Error("it was deleted")
		return success, nil
	}}, route{method: "POST", trees: v1, pattern: "/things", handle: fine})
	for _, header := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"} {
		response, body := ask(t, server, http.MethodPost, "/api/v1/things?_method=DELETE", strings.NewReader(`{"_method":"DELETE"}`), header, "DELETE")
		if response.status != http.StatusOK || body != `{"status":"SUCCESS","statusMessage":""}` {
			t.Errorf("with %s: %d %s", header, response.status, body)
		}
	}
}

func TestAPanicAndAFaultInsideTellAReferenceAndNothingElse(t *testing.T) {
	t.Parallel()
	server, log := floor(t, nil,
		route{method: "GET", trees: v1, pattern: "/panic", handle: func(context.Context, *call) (any, error) { panic("sector 7") }},
		route{method: "GET", trees: v1, pattern: "/fault", handle: func(context.Context, *call) (any, error) { return nil, errors.New("sector 8") }},
		route{method: "GET", trees: v1, pattern: "/mute", handle: func(context.Context, *call) (any, error) { return make(chan int), nil }})
	for path, cause := range map[string]string{"/panic": "sector 7", "/fault": "sector 8", "/mute": "unsupported type"} {
		response, body := ask(t, server, http.MethodGet, "/api/v1"+path+"?secret=hush", nil)
		id := response.header.Get("X-Request-Id")
		refusedAs(t, response, body, 500, "under the reference "+id)
		if id == "" || strings.Contains(body, "sector") || strings.Contains(body, ".go:") {
			t.Errorf("%s tells %s", path, body)
		}
		if text := log.String(); !strings.Contains(text, cause) || !strings.Contains(text, id) || strings.Contains(text, "hush") {
			t.Errorf("of %s the log tells %s", path, text)
		}
	}
}

func TestABodyIsReadWithinItsBounds(t *testing.T) {
	t.Parallel()
	var got object
	server, _ := floor(t, nil, route{method: "POST", trees: v1, pattern: "/things", handle: func(_ context.Context, c *call) (any, error) {
		got = c.in
		return success, nil
	}})
	huge := `{"a":"` + strings.Repeat("a", 1<<20) + `"}`
	for name, c := range map[string]struct {
		body   io.Reader
		kind   string
		status int
		words  string
	}{
		"announced":                   {strings.NewReader(huge), "application/json", 413, "larger than the 1048576 bytes"},
		"without a length":            {io.MultiReader(strings.NewReader(huge)), "application/json", 413, "larger than the 1048576 bytes"},
		"deep":                        {strings.NewReader(strings.Repeat(`{"a":`, 200) + "1" + strings.Repeat("}", 200)), "application/json", 400, "deeper than 32"},
		"twice":                       {strings.NewReader(`{"limit":1,"limit":-1}`), "application/json", 400, "limit is there twice"},
		"a form":                      {strings.NewReader("limit=1"), "application/x-www-form-urlencoded", 415, "application/json"},
		"no JSON":                     {strings.NewReader("limit=1"), "application/json", 400, "not JSON"},
		"JSON that is called a form":  {strings.NewReader(`{"limit":1}`), "application/x-www-form-urlencoded", 415, "application/json"},
		"a page":                      {strings.NewReader("<html>"), "text/html", 415, "application/json"},
		"a list":                      {strings.NewReader("[]"), "application/json", 400, "not a JSON object"},
		"a name that is no secret <>": {strings.NewReader(`{"<b>":1,"<b>":1}`), "application/json", 400, "The field <b> is there twice"},
	} {
		response, body := ask(t, server, http.MethodPost, "/api/v1/things", c.body, "Content-Type", c.kind)
		refusedAs(t, response, body, c.status, c.words)
		if strings.Contains(body, `\u003c`) {
			t.Errorf("%s is escaped as for a page: %s", name, body)
		}
	}
	// What the body does not say, the query may; the body counts.
	response, body := ask(t, server, http.MethodPost, "/api/v1/things?limit=7&offset=3&limit=9", strings.NewReader(`{"limit":5,"offset":null}`), "Content-Type", "text/json; charset=UTF-8")
	if w := got.window(); response.status != http.StatusOK || w != (window{offset: 3, limit: 5}) {
		t.Errorf("got %s, and read %+v", body, w)
	}
}

// dial sends raw text to a server and returns the connection.
func dial(t *testing.T, server *httptest.Server, text string) *net.TCPConn {
	t.Helper()
	connection, err := new(net.Dialer).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	if _, err := io.WriteString(connection, text); err != nil {
		t.Fatal(err)
	}
	return connection.(*net.TCPConn)
}

func TestABodyThatComesTooSlowlyOrBreaksOffHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	const begun = "POST /api/v1/things HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"a\":"
	// One place, and a body on its way: the place is still free.
	server, _ := floor(t, func(b *bounds) { b.running, b.read = 1, 2*time.Second }, route{method: "POST", trees: v1, pattern: "/things", handle: fine})
	slow := dial(t, server, begun)
	if response, _ := ask(t, server, http.MethodPost, "/api/v1/things", nil); response.status != http.StatusOK {
		t.Errorf("while another body is on its way, the answer is %d", response.status)
	}
	answer, err := io.ReadAll(slow) // the server closes the connection: the rest of the body is no request
	if text := string(answer); err != nil || !strings.HasPrefix(text, "HTTP/1.1 503 ") || !strings.Contains(text, "\r\nRetry-After: 10\r\n") || !strings.Contains(text, "did not arrive in time") {
		t.Errorf("the slow one is told %q (%v)", text, err)
	}
	// What is announced to be too large is refused before it comes.
	announced := dial(t, server, strings.Replace(begun, "Length: 100", "Length: 1048577", 1))
	if response, err := http.ReadResponse(bufio.NewReader(announced), nil); err != nil || response.StatusCode != http.StatusRequestEntityTooLarge || response.Body.Close() != nil {
		t.Errorf("who announces too much is told %+v (%v)", response, err)
	}
	broken := dial(t, server, begun)
	if err := broken.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answer, err = io.ReadAll(broken)
	if text := string(answer); err != nil || !strings.HasPrefix(text, "HTTP/1.1 400 ") || !strings.Contains(text, `{"status":"ERROR","statusMessage":"The body of the request broke off.`) {
		t.Errorf("who breaks off is told %q (%v)", text, err)
	}
}

func TestAClientThatAsksTooOftenIsToldWhenToComeBackAndOthersNotice(t *testing.T) {
	t.Parallel()
	server, _ := floor(t, func(b *bounds) { b.burst, b.refill = 3, 0.01 }, route{method: "GET", trees: v1, pattern: "/things", handle: fine})
	for range 3 {
		if response, body := ask(t, server, http.MethodGet, "/api/v1/things", nil, "X-Actor", "script"); response.status != http.StatusOK {
			t.Fatalf("got %d %s", response.status, body)
		}
	}
	response, body := ask(t, server, http.MethodGet, "/api/v1/things", nil, "X-Actor", "script")
	refusedAs(t, response, body, 429, "more requests than")
	if wait := response.header.Get("Retry-After"); wait != "100" && wait != "99" && wait != "98" {
		t.Errorf("it shall wait %s seconds", wait)
	}
	if response, _ := ask(t, server, http.MethodGet, "/api/v1/things", nil, "X-Actor", "other"); response.status != http.StatusOK {
		t.Errorf("another client is answered %d", response.status)
	}
}

func TestTheRateRefillsWithTimeAndForgetsWhoIsGone(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 14, 9, 0, 0, 0, time.UTC)
	r := newRate(func() time.Time { return at }, 10, 5)
	begun := func(client string) (n int) {
		for {
			if _, ok := r.take(client); !ok {
				return n
			}
			n++
		}
	}
	if n := begun("a"); n != 10 {
		t.Errorf("%d at once", n)
	}
	if wait, _ := r.take("a"); wait != 200*time.Millisecond || seconds(wait) != "1" || seconds(1001*time.Millisecond) != "2" {
		t.Errorf("the wait is %v, %s", wait, seconds(wait))
	}
	at = at.Add(time.Second)
	if n := begun("a"); n != 5 {
		t.Errorf("%d after a second", n)
	}
	at = at.Add(time.Hour)
	if n := begun("a"); n != 10 {
		t.Errorf("%d after an hour", n)
	}
	for i := range 5 * maxBuckets {
		at = at.Add(time.Second)
		r.take(fmt.Sprint(i))
	}
	if n := len(r.buckets); n > maxBuckets {
		t.Errorf("%d clients are remembered", n)
	}
}

func TestOnlySoManyRequestsRunAtATime(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}, 2), make(chan struct{})
	server, _ := floor(t, func(b *bounds) { b.running, b.wait = 2, 50*time.Millisecond },
		route{method: "GET", trees: v1, pattern: "/long", handle: func(context.Context, *call) (any, error) {
			entered <- struct{}{}
			<-leave
			return success, nil
		}}, route{method: "GET", trees: v1, pattern: "/short", handle: fine}, route{method: "GET", trees: v1, pattern: "/panic", handle: func(context.Context, *call) (any, error) { panic("gone") }})
	for range 5 {
		if response, _ := ask(t, server, http.MethodGet, "/api/v1/panic", nil); response.status != 500 {
			t.Fatalf("after a panic its place is not free: %d", response.status)
		}
	}
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			if response, body := ask(t, server, http.MethodGet, "/api/v1/long", nil); response.status != http.StatusOK {
				t.Errorf("who runs already is answered %d %s", response.status, body)
			}
		})
		<-entered
	}
	response, body := ask(t, server, http.MethodGet, "/api/v1/short", nil)
	refusedAs(t, response, body, 503, "Too many requests")
	if response.header.Get("Retry-After") != "10" {
		t.Errorf("it shall wait %q seconds", response.header.Get("Retry-After"))
	}
	close(leave)
	group.Wait()
	if response, _ := ask(t, server, http.MethodGet, "/api/v1/short", nil); response.status != http.StatusOK {
		t.Errorf("afterwards the answer is %d", response.status)
	}
}

func TestBoundsAreGenerousForScripts(t *testing.T) {
	t.Parallel()
	if d := defaults; d.burst < 100 || d.refill < 50 || d.flood < 200 || d.pace < 50 || d.running != 2 || d.wait != 10*time.Second || d.body != 1<<20 {
		t.Errorf("the bounds are %+v", d)
	}
	if slices.ContainsFunc(new(api).routes(), func(r route) bool { return r.open != (r.trees == tokens) }) {
		t.Error("only the token endpoint is open")
	}
}

func TestAllClientsTogetherGoAtAPace(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)
	r := newRate(func() time.Time { return at }, 2, 10)
	for i, want := range []time.Duration{0, 0, 100 * time.Millisecond, 200 * time.Millisecond} {
		if wait, ok := r.reserve("", 250*time.Millisecond); !ok || wait.Round(time.Millisecond) != want {
			t.Errorf("number %d waits %s (%v), want %s", i+1, wait, ok, want)
		}
	}
	for range 2 { // who is refused takes no turn from others
		if wait, ok := r.reserve("", 250*time.Millisecond); ok || wait.Round(time.Millisecond) != 300*time.Millisecond {
			t.Errorf("one too many waits %s (%v)", wait, ok)
		}
	}
	at = at.Add(time.Hour)
	if wait, ok := r.reserve("", 0); !ok || wait != 0 {
		t.Errorf("after an hour one waits %s (%v)", wait, ok)
	}
	server, _ := floor(t, func(b *bounds) { b.flood, b.pace, b.wait = 1, 20, 70*time.Millisecond }, route{method: "GET", trees: v1, pattern: "/things", handle: fine})
	begun := machine()
	for _, actor := range []string{"a", "b"} {
		if response, body := ask(t, server, http.MethodGet, "/api/v1/things", nil, "X-Actor", actor); response.status != http.StatusOK {
			t.Errorf("%s is answered %d %s", actor, response.status, body)
		}
	}
	if took := machine().Sub(begun); took < 40*time.Millisecond {
		t.Errorf("the second one waited %s", took)
	}
	slow, _ := floor(t, func(b *bounds) { b.flood, b.pace = 1, 0.01 }, route{method: "GET", trees: v1, pattern: "/things", handle: fine})
	_, _ = ask(t, slow, http.MethodGet, "/api/v1/things", nil)
	response, body := ask(t, slow, http.MethodGet, "/api/v1/things", nil)
	refusedAs(t, response, body, 503, "Too many requests")
}
