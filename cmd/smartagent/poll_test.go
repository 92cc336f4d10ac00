package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// TestPollersAskWithTheirOwnTokensAndWaitWhenTheyAreTold lets two clients poll a
// server that refuses every other request of the first one.
func TestPollersAskWithTheirOwnTokensAndWaitWhenTheyAreTold(t *testing.T) {
	t.Parallel()
	var mutex sync.Mutex
	asked := map[string]int{}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/oauth/token" {
			fmt.Fprintf(w, `{"access_token":"of %s"}`, r.FormValue("client_id"))
			return
		}
		mutex.Lock()
		defer mutex.Unlock()
		who := r.Header.Get("Authorization")
		asked[who]++
		if body, _ := io.ReadAll(r.Body); r.Method != http.MethodPost || r.URL.RequestURI() != "/list?x=1" || string(body) != `{"limit":-1}` {
			t.Errorf("%s %s %s", r.Method, r.URL.RequestURI(), body)
		}
		if who == "Bearer of a" {
			w.Header().Set("Retry-After", "60")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		fmt.Fprint(w, "12345")
	}))
	t.Cleanup(server.Close)
	folder := t.TempDir()
	write := func(name string, content []byte) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ca := write("ca.pem", []byte(pem(t, server.Certificate().Raw)))
	clients := write("clients.json", []byte("{\"client_id\":\"a\",\n\"client_secret\":\"s\"}\n{\"client_id\":\"b\",\"client_secret\":\"s\"}"))
	var out, messages bytes.Buffer
	status := run(t.Context(), []string{
		"poll", "--url", server.URL + "/SmartTransport", "--ca", ca, "--clients", clients, "--path", "/list?x=1", "--body", `{"limit":-1}`,
		"--every", "0", "--duration", "200ms", "--json",
	}, &out, &messages, time.Now)
	var result pollResult
	if err := json.Unmarshal(out.Bytes(), &result); err != nil || status != 0 {
		t.Fatalf("status %d, %v: %s%s", status, err, out.String(), messages.String())
	}
	mutex.Lock()
	defer mutex.Unlock()
	if asked["Bearer of a"] != 1 || result.Refused["429"] != 1 {
		t.Errorf("the client that is told to wait asked %d times; refused: %v", asked["Bearer of a"], result.Refused)
	}
	if n := int64(asked["Bearer of b"]); n < 2 || result.Answers < n-1 || result.Answers > n || result.Bytes != 5*result.Answers || result.P50 > result.P99 {
		t.Errorf("the other one asked %d times, and the result is %+v", n, result)
	}
}
