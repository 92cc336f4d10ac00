package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestNoPathLeadsWhereItDoesNotSay sends paths as no client library would.
func TestNoPathLeadsWhereItDoesNotSay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registerAccount("T", 10)
	s := w.script("script")
	ask := s.conversation()
	long := strings.Repeat("a", 9000)
	for _, base := range []string{"/api/v1", "/backend/api/v1", longPrefix, tokenPath, "/api/v2"} {
		for _, trick := range []string{
			"/..", "/../..", "/../../setup", "/../../healthz", "/%2e%2e/%2e%2e/healthz", "/..%2f..%2fhealthz", "/%2E./.%2e/healthz", "/.", "/./accounts/search",
			"/accounts/A/virtual-accounts/..", "/accounts/A/../search", "/accounts/A/%2e%2e/search", "/accounts/A%2fvirtual-accounts", "/accounts%2fA%2fvirtual-accounts",
			"/accounts/A/..;/virtual-accounts", ";/accounts/A/virtual-accounts", "/accounts;x/A/virtual-accounts", "/accounts/A/virtual-accounts;x=y", "/accounts/A;x/virtual-accounts",
			"/accounts/A%00/virtual-accounts", "%00/accounts/A/virtual-accounts", "/accounts/A/virtual-accounts%00", "/accounts/A%0d%0aX:y/virtual-accounts", "/accounts/A%ff/virtual-accounts", "/accounts/A/%c0%ae%c0%ae/search",
			`\accounts\A\virtual-accounts`, `/accounts\A/virtual-accounts`, `/accounts/A/..\..\healthz`, "%2faccounts/A/virtual-accounts", "%5caccounts", "/accounts/A%252fvirtual-accounts",
			"/" + long, "/accounts/" + long + "/virtual-accounts", "/accounts/" + strings.Repeat("%61", 3000) + "/virtual-accounts", strings.Repeat("/x", 4000), "/accounts/A/VIRTUAL-ACCOUNTS",
		} {
			for _, method := range []string{"GET", "POST"} {
				s.refusal(method+" "+base+clipped(trick), ask(method, base+trick))
			}
		}
	}
	// What clients in the field do is tolerated, and leads to the same place.
	for _, path := range []string{"//api/v1//accounts//A/virtual-accounts/", longPrefix + longPrefix + "/accounts/A/virtual-accounts", "/api/v1/accounts/%41/virtual-accounts"} {
		if got := s.raw("GET", path, "", ""); got.status != http.StatusOK || !strings.Contains(got.body, `"isDefault":"true"`) {
			t.Errorf("%s is answered %d %s", path, got.status, got.body)
		}
	}
	for _, method := range []string{"TRACE", "OPTIONS", "PUT", "DELETE", "PATCH", "CONNECT", "BREW", "get"} {
		s.refusal(method, ask(method, "/api/v1/accounts/A/virtual-accounts"))
	}
	for _, header := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"} {
		got := s.raw("POST", "/api/v1/accounts/A/devices?_method=DELETE", header+": DELETE\r\n", "")
		if got.status != http.StatusOK || !strings.Contains(got.body, `"devices":[]`) {
			t.Errorf("with %s: %d %s", header, got.status, got.body)
		}
	}
	// What is no HTTP is answered by the server of the standard library, before
	// any of ours: one line of text, never nothing, and the connection is closed.
	for what, request := range map[string]string{
		"an escape that is none": "GET /api/v1/%zz HTTP/1.1\r\nHost: a\r\n\r\n", "a space in the path": "GET /api/v1/a b HTTP/1.1\r\nHost: a\r\n\r\n",
		"no host": "GET /api/v1/accounts HTTP/1.1\r\n\r\n", "two lengths": "POST /api/v1/accounts HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
		"a huge header": "GET /api/v1/accounts HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 1<<17) + "\r\n\r\n", "no version": "GET /api/v1/accounts\r\n\r\n",
		"another coding": "POST /api/v1/accounts HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
	} {
		connection := s.dial()
		_, sent := io.WriteString(connection, request)
		if got := s.hear(bufio.NewReader(connection), sent); got.status < 400 || got.body == "" || !strings.HasPrefix(got.header.Get("Content-Type"), "text/plain") || strings.Contains(got.body, ".go:") {
			t.Errorf("%s is answered %d %v %q", what, got.status, got.header, got.body)
		}
	}
	s.works()
}

func clipped(text string) string {
	if len(text) > 60 {
		return text[:60] + "…"
	}
	return text
}

// TestNoBodyHurts sends what is no request, deep, huge, packed and without end,
// from strangers and from a client, and sees what memory it cost.
func TestNoBodyHurts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registerAccount("T", 10)
	s := w.script("script")
	var packed bytes.Buffer
	packer := gzip.NewWriter(&packed)
	_, _ = packer.Write(make([]byte, 10<<20))
	_ = packer.Close()
	const asJSON = "Content-Type: application/json\r\n"
	bodies := map[string]struct{ headers, body string }{
		"deep":             {asJSON, strings.Repeat(`{"a":`, 100_000)},
		"deep and whole":   {asJSON, strings.Repeat(`[`, 100_000) + strings.Repeat(`]`, 100_000)},
		"a long name":      {asJSON, `{"` + strings.Repeat("a", 500_000) + `":[1` + strings.Repeat(",1", 200_000) + `],"limit":"x"}`},
		"many objects":     {asJSON, `{"virtualAccounts":[{"a":1}` + strings.Repeat(`,{"a":1}`, 120_000) + `]}`},
		"twice":            {asJSON, `{"limit":1,"limit":2}`},
		"text":             {"Content-Type: text/plain\r\n", "limit=1"},
		"XML":              {"Content-Type: application/xml\r\n", "<a/>"},
		"a file":           {"Content-Type: multipart/form-data; boundary=a\r\n", "--a\r\n\r\n{}\r\n--a--"},
		"UTF-16":           {"Content-Type: application/json; charset=utf-16\r\n", "\xff\xfe{\x00}\x00"},
		"packed":           {asJSON + "Content-Encoding: gzip\r\n", packed.String()},
		"packed, unsaid":   {asJSON, packed.String()},
		"no UTF-8":         {asJSON, "{\"limit\":\"\xff\"}"},
		"a number":         {asJSON, "1" + strings.Repeat("0", 400_000)},
		"a list":           {asJSON, "[]"},
		"two values":       {asJSON, "{}{}"},
		"another encoding": {"Content-Type: application/json\r\nContent-Encoding: br\r\n", "{}"},
	}
	stranger := *s
	stranger.token = ""
	var group sync.WaitGroup
	for name, b := range bodies {
		for _, path := range []string{"/api/v1/accounts/A/licenses", tokenPath, "/api/v2/accounts"} {
			group.Go(func() {
				begun := time.Now()
				s.refusal(name+" at "+path, s.raw("POST", path, b.headers, b.body))
				if took := time.Since(begun); took > 15*time.Second {
					t.Errorf("%s at %s took %v", name, path, took)
				}
				stranger.refusal(name+" from a stranger at "+path, stranger.raw("POST", path, b.headers, b.body))
			})
		}
	}
	group.Wait()
	// A hundred megabytes, announced, and in pieces without end. The server closes
	// while the client still sends, so that the answer may be lost on the way.
	answered := 0
	for _, path := range []string{"/api/v1/accounts/A/licenses", tokenPath, "/api/v2/accounts"} {
		for _, length := range []int64{100 << 20, -1} {
			request, err := http.NewRequest(http.MethodPost, "https://"+s.host+path, io.LimitReader(endless{}, 100<<20))
			if err != nil {
				t.Fatal(err)
			}
			request.ContentLength = length
			request.Header.Set("Content-Type", "application/json")
			request.Header.Set("Authorization", "Bearer "+s.token)
			response, err := w.client().Do(request)
			if err != nil {
				continue
			}
			answered++
			text, _ := io.ReadAll(response.Body)
			_ = response.Body.Close()
			if s.refusal(fmt.Sprintf("%d bytes at %s", length, path), said{response.StatusCode, response.Header, string(text), true}); response.StatusCode != http.StatusRequestEntityTooLarge {
				t.Errorf("%d bytes at %s are answered %d", length, path, response.StatusCode)
			}
		}
	}
	if answered < 3 {
		t.Errorf("of six huge bodies only %d were answered", answered)
	}
	s.works()
	if peak := w.peakMemory(); peak > 400<<20 {
		t.Errorf("the server took %d MB", peak>>20)
	} else {
		t.Logf("the server took %d MB at most", peak>>20)
	}
}

// endless is the beginning of a text.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '"'
	}
	return len(p), nil
}

// peakMemory is the most memory that the server ever had, in bytes.
func (w *world) peakMemory() (bytes int64) {
	w.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.server.command.Process.Pid))
	if err != nil {
		w.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	if _, err := fmt.Sscanf(rest, "%d kB", &bytes); err != nil {
		w.t.Fatal(err)
	}
	return bytes << 10
}

// TestWhoGuessesSecretsDisturbsNobody tries ten thousand wrong secrets, of a
// client that exists and of one that does not, beside a client and a device.
func TestWhoGuessesSecretsDisturbsNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registerAccount("T", 10)
	victim, good := w.script("victim"), w.script("good")
	device := w.agent("d")
	if err := device.Register(context.Background(), w.satellite("token", "create", "--accept-agreement"), false); err != nil {
		t.Fatal(err)
	}
	const tries, guessers = 10_000, 8
	var left, refused, slowed atomic.Int64
	left.Store(tries)
	client := w.client()
	client.Transport.(*http.Transport).MaxIdleConnsPerHost = guessers
	var group sync.WaitGroup
	for range guessers {
		group.Go(func() {
			for n := left.Add(-1); n >= 0; n = left.Add(-1) {
				id := []string{victim.id, "unknown"}[n%2]
				response, err := client.PostForm("https://"+good.host+tokenPath, url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {fmt.Sprint("guess ", n)}})
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, response.Body)
				_ = response.Body.Close()
				switch {
				case response.StatusCode == http.StatusUnauthorized:
					refused.Add(1)
				case response.StatusCode == http.StatusTooManyRequests && response.Header.Get("Retry-After") != "":
					slowed.Add(1)
				default:
					t.Errorf("a guess is answered %s", response.Status)
				}
			}
		})
	}
	for rounds := 0; left.Load() > 0 || rounds < 3; rounds++ {
		good.works()
		again := w.again(good)
		again.works()
		if err := device.Request(context.Background(), "T", int64(1+rounds%3)); err != nil {
			t.Error(err)
		}
	}
	group.Wait()
	if refused.Load()+slowed.Load() != tries || slowed.Load() < tries*9/10 {
		t.Errorf("%d guesses were refused, %d slowed down", refused.Load(), slowed.Load())
	}
	if peak := w.peakMemory(); peak > 300<<20 {
		t.Errorf("the server took %d MB", peak>>20)
	}
}

// again is the same script with another access token.
func (w *world) again(s *script) *script {
	w.t.Helper()
	fresh := *s
	got := fresh.raw("POST", tokenPath, "Content-Type: application/json\r\n", `{"grant_type":"client_credentials","client_id":"`+s.id+`","client_secret":"`+s.secret+`"}`)
	if got.status != http.StatusOK {
		w.t.Errorf("a good client gets no other token: %d %s", got.status, got.body)
	}
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(got.body), &answer); err == nil && answer.AccessToken != "" {
		fresh.token = answer.AccessToken
	}
	return &fresh
}

// TestWhoSendsSlowlyIsCutOffAndHoldsNobodyUp opens fifty connections that
// send a byte a second, by strangers and by a client, and works beside them.
func TestWhoSendsSlowlyIsCutOffAndHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registerAccount("T", 10)
	s := w.script("script")
	var group sync.WaitGroup
	for i := range 50 {
		request := map[int]string{
			0: "POST /api/v1/accounts/A/licenses HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + s.token + "\r\nContent-Type: application/json\r\nContent-Length: 900000\r\n\r\n{",
			1: "POST /api/v1/accounts/A/licenses HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + s.token + "\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
			2: "POST /api/v1/accounts/A/licenses HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n{",
			3: "POST " + tokenPath + " HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\n{",
			4: "GET /api/v1/accounts/A/licenses HTTP/1.1\r\nHost: a\r\nX: ",
		}[i%5]
		status := []int{503, 503, 401, 503, 0}[i%5]
		longest := []time.Duration{19 * time.Second, 19 * time.Second, 8 * time.Second, 19 * time.Second, 14 * time.Second}[i%5]
		connection := s.dial()
		group.Go(func() { s.trickle(connection, request, i%5 == 1, status, longest) })
	}
	device := w.agent("d")
	if err := device.Register(context.Background(), w.satellite("token", "create", "--accept-agreement"), false); err != nil {
		t.Error(err)
	}
	for range 10 {
		s.works()
	}
	group.Wait()
	s.works()
}

// trickle sends a request and then a byte a second, until it is answered; status
// 0 is none, only a closed connection.
func (s *script) trickle(connection *tls.Conn, request string, chunked bool, status int, longest time.Duration) {
	begun, done := time.Now(), make(chan struct{})
	_ = connection.SetReadDeadline(begun.Add(30 * time.Second))
	if _, err := io.WriteString(connection, request); err != nil {
		s.t.Error(err)
		return
	}
	go func() {
		piece := []byte(" ")
		if chunked {
			piece = []byte("1\r\n \r\n")
		}
		for {
			select {
			case <-done:
				return
			case <-time.After(time.Second):
				_, _ = connection.Write(piece)
			}
		}
	}()
	text, err := io.ReadAll(connection)
	close(done)
	var late net.Error
	if took := time.Since(begun); took > longest || errors.As(err, &late) && late.Timeout() {
		s.t.Errorf("%.40q was not cut off before %v, with %.60q", request, took, text)
	}
	if want := fmt.Sprintf("HTTP/1.1 %d ", status); status != 0 && (!bytes.HasPrefix(text, []byte(want)) || !bytes.Contains(text, []byte(`{"`))) {
		s.t.Errorf("%.40q is answered %.300q, want %s", request, text, want)
	}
}
