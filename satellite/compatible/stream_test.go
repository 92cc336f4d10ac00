package compatible

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"ssm/satellite"
)

// countedRows is a route with a list of n rows, of which each page has size; what
// happens before a page is told its number, from 0.
func countedRows(pattern string, n, size int, row any, before func(page int) error) route {
	return route{method: http.MethodGet, trees: v1, pattern: pattern, handle: func(context.Context, *call) (any, error) {
		sent, page := 0, -1
		return listOf(struct {
			outcome
			Total int `json:"totalRecords"`
		}{success, n}, "devices", func(_ context.Context, limit int) ([]any, error) {
			page++
			if before != nil {
				if err := before(page); err != nil {
					return nil, err
				}
			}
			rows := make([]any, min(size, limit, n-sent))
			for i := range rows {
				rows[i] = row
			}
			sent += len(rows)
			return rows, nil
		}), nil
	}}
}

func TestAListComesWholeHoweverManyPagesItHas(t *testing.T) {
	t.Parallel()
	server, _ := floor(t, nil, countedRows("/none", 0, 10, "a", nil), countedRows("/one", 1, 10, "<a>", nil), countedRows("/exact", 20, 10, "a", nil), countedRows("/many", 2501, 500, "a", nil))
	for path, n := range map[string]int{"/none": 0, "/one": 1, "/exact": 20, "/many": 2501} {
		response, body := ask(t, server, http.MethodGet, "/api/v1"+path, nil)
		var got struct {
			Status       string
			TotalRecords int
			Devices      []string
		}
		if err := json.Unmarshal([]byte(body), &got); err != nil || response.status != http.StatusOK || response.header.Get("Content-Type") != "application/json" ||
			got.Status != "SUCCESS" || got.TotalRecords != n || got.Devices == nil || len(got.Devices) != n {
			t.Errorf("%s: %d, %v, %+v in %.200s", path, response.status, err, got, body)
		}
		if strings.ContainsAny(body, " \n") {
			t.Errorf("%s is not compact: %.200s", path, body)
		}
	}
	if _, body := ask(t, server, http.MethodGet, "/api/v1/one", nil); body != `{"status":"SUCCESS","statusMessage":"","totalRecords":1,"devices":["<a>"]}` {
		t.Errorf("got %s", body)
	}
	pages := 0
	server, _ = floor(t, nil, countedRows("/countedRows", 2501, 500, "a", func(int) error { pages++; return nil }))
	if response, body := ask(t, server, http.MethodHead, "/api/v1/countedRows", nil); response.status != http.StatusOK || body != "" || pages != 1 {
		t.Errorf("HEAD is answered %d %s, for which %d pages were read", response.status, body, pages)
	}
	if text, err := encode("a<b>&"); err != nil || string(text) != `"a<b>&"` {
		t.Errorf("got %s, %v", text, err)
	}
}

func TestAListThatFailsIsNeverTakenForAWholeOne(t *testing.T) {
	t.Parallel()
	failing := func(at int, fault func() error) func(int) error {
		return func(page int) error {
			if page == at {
				return fault()
			}
			return nil
		}
	}
	fault := func() error { return errors.New("sector 7") }
	server, log := floor(t, nil,
		countedRows("/first", 10, 5, "a", failing(0, func() error {
			return &satellite.Error{Kind: satellite.KindNotFound, Code: "gone", Message: "It is gone."}
		})),
		countedRows("/second", 10, 5, "a", failing(1, fault)), countedRows("/last", 10, 5, "a", failing(2, fault)), countedRows("/panic", 10, 5, "a", failing(1, func() error { panic("sector 8") })))
	response, body := ask(t, server, http.MethodGet, "/api/v1/first", nil)
	refusedAs(t, response, body, 404, "It is gone.")
	for _, path := range []string{"/second", "/last", "/panic"} {
		response, err := server.Client().Get(server.URL + "/api/v1" + path)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if response.StatusCode != http.StatusOK || !errors.Is(err, io.ErrUnexpectedEOF) || json.Valid(text) {
			t.Errorf("%s ends with %v: %d %s", path, err, response.StatusCode, text)
		}
	}
	if text := log.String(); !strings.Contains(text, "sector 7") || !strings.Contains(text, "sector 8") {
		t.Errorf("the log does not tell why: %s", text)
	}
}

func TestAPageOfAListTakesItsPlaceAmongTheRequests(t *testing.T) {
	t.Parallel()
	for _, at := range []int{0, 1} {
		reached, leave := make(chan struct{}), make(chan struct{})
		server, _ := floor(t, func(b *bounds) { b.running, b.wait = 1, 50*time.Millisecond },
			countedRows("/devices", 3, 1, "a", func(page int) error {
				if page == at {
					close(reached)
					<-leave
				}
				return nil
			}), route{method: http.MethodGet, trees: v1, pattern: "/short", handle: fine})
		done := make(chan string)
		go func() {
			_, body := ask(t, server, http.MethodGet, "/api/v1/devices", nil)
			done <- body
		}()
		<-reached
		response, body := ask(t, server, http.MethodGet, "/api/v1/short", nil)
		refusedAs(t, response, body, 503, "Too many requests")
		close(leave)
		if body := <-done; !strings.HasSuffix(body, `["a","a","a"]}`) {
			t.Errorf("the list is %s", body)
		}
	}
}

// taker is a connection that has asked for a list and takes little at a time.
func taker(t *testing.T, server *httptest.Server, path string) *bufio.Reader {
	t.Helper()
	connection := dial(t, server, "")
	if err := connection.SetReadBuffer(64 << 10); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(connection, "GET /api/v1"+path+" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	return bufio.NewReader(connection)
}

func TestAClientThatStallsIsGivenUpAndHoldsNoPlaceMeanwhile(t *testing.T) {
	t.Parallel()
	const length = 128 // pages: more than what the system keeps of a connection
	pages := make(chan int, length+1)
	server, log := floor(t, func(b *bounds) { b.running, b.write = 1, 300*time.Millisecond },
		countedRows("/devices", length, 1, strings.Repeat("a", 256<<10), func(page int) error { pages <- page; return nil }),
		route{method: http.MethodGet, trees: v1, pattern: "/short", handle: fine})
	stalled := taker(t, server, "/devices")
	<-pages
	if response, body := ask(t, server, http.MethodGet, "/api/v1/short", nil); response.status != http.StatusOK {
		t.Errorf("while a client takes its list, another is answered %d %s", response.status, body)
	}
	// Until no page has been read for long: the connection is full, and its time is over.
	for quiet := false; !quiet; {
		select {
		case <-pages:
		case <-time.After(1500 * time.Millisecond):
			quiet = true
		}
	}
	response, err := http.ReadResponse(stalled, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if n, err := io.Copy(io.Discard, response.Body); err == nil || n > length*256<<10 {
		t.Errorf("it got %d bytes, and then %v", n, err)
	}
	if strings.Contains(log.String(), "level=ERROR") {
		t.Errorf("a client that goes away is no fault of ours: %s", log)
	}
}

func TestAClientThatReadsSlowlyGetsEverything(t *testing.T) {
	t.Parallel()
	const pages = 32
	server, _ := floor(t, func(b *bounds) { b.write = 500 * time.Millisecond }, countedRows("/devices", pages, 1, strings.Repeat("a", 256<<10), nil))
	response, err := http.ReadResponse(taker(t, server, "/devices"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	begun, total := machine(), int64(0)
	for err == nil {
		var n int64
		n, err = io.CopyN(io.Discard, response.Body, 256<<10)
		total += n
		<-time.After(50 * time.Millisecond)
	}
	if took := machine().Sub(begun); !errors.Is(err, io.EOF) || total < pages*256<<10 || took < time.Second {
		t.Errorf("after %v and %d bytes it ended with %v", took, total, err)
	}
}
