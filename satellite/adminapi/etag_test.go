package adminapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestAReadIsAnsweredAnewOnlyWhereItChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.expect(w.call(http.MethodPost, "/accounts", asJSON, `{"name":"A","email":"a@example.com"}`), 201, "")
	read := func(method, path string, named ...string) reply {
		t.Helper()
		var headers []string
		for _, n := range named {
			headers = append(headers, "If-None-Match", n)
		}
		return w.send(w.local, "http://satellite", method, path, "", "", headers...)
	}
	for _, path := range []string{"/accounts", "/accounts/A", "/version", "/tokens?limit=5", "/openapi.json"} {
		first := read(http.MethodGet, path)
		tag := first.header.Get("ETag")
		if first.status != 200 || len(tag) != 34 || tag[0] != '"' || first.header.Get("Cache-Control") != "private, no-cache" {
			t.Fatalf("%s: status %d with %v", path, first.status, first.header)
		}
		for named, want := range map[string]int{
			tag: 304, "W/" + tag: 304, "*": 304, `"other", ` + tag: 304, `W/"other",W/` + tag + `,"more"`: 304,
			`"other"`: 200, strings.Trim(tag, `"`): 200, "": 200, `"` + strings.Repeat("0", 32) + `"`: 200,
		} {
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				got := read(method, path, named)
				whole := method == http.MethodGet && want == 200
				if got.status != want || got.header.Get("ETag") != tag || got.header.Get("Cache-Control") != "private, no-cache" ||
					whole != (got.body == first.body) || !whole && got.body != "" {
					t.Errorf("%s %s with If-None-Match %s: status %d, want %d; %v %.100q", method, path, named, got.status, want, got.header, got.body)
				}
				if length := got.header.Get("Content-Length"); want == 200 && length != fmt.Sprint(len(first.body)) {
					t.Errorf("%s %s is of length %s, want %d", method, path, length, len(first.body))
				}
			}
		}
	}
	before := read(http.MethodGet, "/accounts").header.Get("ETag")
	w.expect(w.call(http.MethodPost, "/accounts", asJSON, `{"name":"B","email":"b@example.com"}`), 201, "")
	w.expect(read(http.MethodGet, "/accounts", before), 200, `"name":"B"`)
}

func TestWhatIsNoReadOfJSONHasNoTag(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.expect(w.call(http.MethodPost, "/accounts", asJSON, `{"name":"A","email":"a@example.com"}`), 201, "")
	w.settle("A")
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{http.MethodGet, "/accounts/A/certificate-chain", "", 200},
		{http.MethodHead, "/accounts/A/certificate-chain", "", 200},
		{http.MethodGet, "/accounts/B", "", 404},
		{http.MethodHead, "/accounts/B", "", 404},
		{http.MethodGet, "/tokens?limit=x", "", 400},
		{http.MethodPost, "/accounts", `{"name":"C","email":"c@example.com"}`, 201},
	} {
		got := w.send(w.local, "http://satellite", c.method, c.path, asJSON, c.body, "If-None-Match", "*")
		if got.status != c.status || got.header.Get("ETag") != "" || got.header.Get("Cache-Control") == "private, no-cache" {
			t.Errorf("%s %s: status %d, want %d; %v", c.method, c.path, got.status, c.status, got.header)
		}
		if c.method == http.MethodHead && got.body != "" {
			t.Errorf("HEAD %s has the body %.100q", c.path, got.body)
		}
	}
}
