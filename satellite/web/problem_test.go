package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"ssm/satellite"
	"ssm/satellite/web"
)

func TestEveryKindHasItsStatus(t *testing.T) {
	t.Parallel()
	for kind, want := range map[satellite.Kind]int{
		satellite.KindInvalid: 400, satellite.KindUnauthenticated: 401, satellite.KindForbidden: 403, satellite.KindNotFound: 404,
		satellite.KindConflict: 409, satellite.KindTooLarge: 413, satellite.KindTooMany: 429, satellite.KindUnavailable: 503,
		satellite.KindInternal: 500, satellite.Kind("of tomorrow"): 500,
	} {
		if got := web.Status(kind); got != want {
			t.Errorf("%s is %d, want %d", kind, got, want)
		}
		err := fmt.Errorf("wrapped: %w", &satellite.Error{Kind: kind, Code: "some-code", Message: "It happened.", Hint: "Do this.", Err: errors.New("secret cause")})
		p := web.ProblemOf(err, "ref1")
		if p.Status != want || p.Title != http.StatusText(want) || p.Type != "about:blank" || p.RequestID != "ref1" {
			t.Errorf("%s reads %+v", kind, p)
		}
		if want != 500 && (p.Code != "some-code" || p.Detail != "It happened." || p.Hint != "Do this.") {
			t.Errorf("%s reads %+v", kind, p)
		}
	}
}

// floor is a server with the routes of a face that does everything wrong.
func floor(t *testing.T) (*httptest.Server, *lines) {
	t.Helper()
	log := new(lines)
	e := web.New(slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	e.GET("/fine/:secret", func(c echo.Context) error { return c.String(http.StatusOK, web.RequestID(c)) })
	e.GET("/internal", func(echo.Context) error {
		return &satellite.Error{Kind: satellite.KindInternal, Code: "disk", Message: "path /var/secret", Err: errors.New("sector 7")}
	})
	e.GET("/plain", func(echo.Context) error { return errors.New("sector 8") })
	e.GET("/panic", func(echo.Context) error { panic("sector 9") })
	e.GET("/conflict", func(echo.Context) error {
		return &satellite.Error{Kind: satellite.KindConflict, Code: "taken", Message: "It is taken. Nothing was changed.", Hint: "Take another.", Err: errors.New("row 5")}
	})
	e.GET("/late", func(echo.Context) error { return fmt.Errorf("commit: %w", context.DeadlineExceeded) })
	e.GET("/typed", func(echo.Context) error { return echo.NewHTTPError(http.StatusUnsupportedMediaType) })
	e.GET("/half", func(c echo.Context) error {
		if err := c.String(http.StatusOK, "half an answer"); err != nil {
			return err
		}
		return errors.New("and then it broke")
	})
	e.POST("/read", func(c echo.Context) error {
		body, err := io.ReadAll(c.Request().Body)
		if err != nil {
			return err
		}
		return c.String(http.StatusOK, fmt.Sprint(len(body)))
	}, web.BodyLimit(100))
	e.POST("/json", func(c echo.Context) error {
		var into any
		if err := json.NewDecoder(c.Request().Body).Decode(&into); err != nil {
			return err
		}
		return c.NoContent(http.StatusNoContent)
	}, web.BodyLimit(100))
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	return server, log
}

func TestEveryErrorIsAnsweredAsAProblem(t *testing.T) {
	t.Parallel()
	server, log := floor(t)
	long := strings.Repeat("x", 101)
	for _, scenario := range []struct {
		name, method, path string
		body               io.Reader
		status             int
		content            []string
		absent             string
	}{
		{"what works", http.MethodPost, "/read", strings.NewReader(long[:100]), 200, []string{"100"}, ""},
		{"a path that is none", http.MethodGet, "/nowhere", nil, 404, []string{`"code":"path-not-found"`, `"title":"Not Found"`, `"type":"about:blank"`}, ""},
		{"a method that is none", http.MethodDelete, "/conflict", nil, 405, []string{`"code":"method-not-allowed"`}, ""},
		{"a refusal", http.MethodGet, "/conflict", nil, 409, []string{`"code":"taken"`, `"detail":"It is taken. Nothing was changed."`, `"hint":"Take another."`}, "row 5"},
		{"an internal error", http.MethodGet, "/internal", nil, 500, []string{`"code":"internal"`, "Something failed inside the satellite"}, "secret"},
		{"an error of nobody", http.MethodGet, "/plain", nil, 500, []string{`"code":"internal"`}, "sector"},
		{"a panic", http.MethodGet, "/panic", nil, 500, []string{`"code":"internal"`}, "sector"},
		{"a time-out", http.MethodGet, "/late", nil, 503, []string{`"code":"outcome-unknown"`}, "commit"},
		{"a content type", http.MethodGet, "/typed", nil, 415, []string{`"code":"content-type-unsupported"`}, ""},
		{"a body that announces too much", http.MethodPost, "/read", strings.NewReader(long), 413, []string{`"code":"request-too-large"`, "100 bytes"}, ""},
		{"a body that does not announce it", http.MethodPost, "/read", io.MultiReader(strings.NewReader(long)), 413, []string{`"code":"request-too-large"`}, ""},
		{"likewise within a decoder", http.MethodPost, "/json", io.MultiReader(strings.NewReader(`"` + long + `"`)), 413, []string{`"code":"request-too-large"`}, ""},
	} {
		request, err := http.NewRequestWithContext(t.Context(), scenario.method, server.URL+scenario.path, scenario.body)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("X-Request-Id", "chosen-by-a-stranger")
		response, err := server.Client().Do(request)
		if err != nil {
			t.Fatalf("%s: %v", scenario.name, err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			t.Fatalf("%s: %v", scenario.name, err)
		}
		if response.StatusCode != scenario.status {
			t.Errorf("%s: status %d, want %d: %s", scenario.name, response.StatusCode, scenario.status, body)
		}
		id := response.Header.Get("X-Request-Id")
		if len(id) != 16 || response.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: headers %v", scenario.name, response.Header)
		}
		content := scenario.content
		if scenario.status != 200 {
			content = append(content, `"request_id":"`+id+`"`, fmt.Sprintf(`"status":%d`, scenario.status))
			if response.Header.Get("Content-Type") != "application/problem+json" || response.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: headers %v", scenario.name, response.Header)
			}
		}
		if scenario.status == 405 && !strings.Contains(response.Header.Get("Allow"), "GET") {
			t.Errorf("%s: allowed is %q", scenario.name, response.Header.Get("Allow"))
		}
		for _, want := range content {
			if !strings.Contains(string(body), want) {
				t.Errorf("%s: no %s in %s", scenario.name, want, body)
			}
		}
		if scenario.absent != "" && strings.Contains(string(body), scenario.absent) {
			t.Errorf("%s: the caller was told %s", scenario.name, body)
		}
		if scenario.status == 500 && (!strings.Contains(string(body), "reference "+id) || !strings.Contains(log.String(), id)) {
			t.Errorf("%s: the reference %s is not in both answer and log: %s", scenario.name, id, body)
		}
	}
	server.Close()
	for _, cause := range []string{"sector 7", "sector 8", "sector 9", "problem_test.go"} {
		if !strings.Contains(log.String(), cause) {
			t.Errorf("the log does not tell %s", cause)
		}
	}
}

func TestTheLogKnowsTheRouteAndNothingPrivate(t *testing.T) {
	t.Parallel()
	server, log := floor(t)
	for _, path := range []string{"/fine/onetimecode?token=abcdef", "/half"} {
		response, err := server.Client().Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatal(response.Status, err)
		}
		if path == "/half" && string(body) != "half an answer" {
			t.Errorf("an answer under way was followed by %q", body)
		}
	}
	server.Close()
	for _, want := range []string{`"route":"/fine/:secret"`, `"status":200`, `"address":"127.0.0.1"`, "and then it broke"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log has no %s: %s", want, log.String())
		}
	}
	for _, private := range []string{"onetimecode", "abcdef"} {
		if strings.Contains(log.String(), private) {
			t.Errorf("the log holds %s", private)
		}
	}
}

func TestAnErrorToHEADHasNoBody(t *testing.T) {
	t.Parallel()
	e := web.New(slog.New(slog.DiscardHandler))
	recorder := httptest.NewRecorder()
	e.ServeHTTP(recorder, httptest.NewRequest(http.MethodHead, "/nowhere", nil))
	if recorder.Code != http.StatusNotFound || recorder.Body.Len() != 0 {
		t.Errorf("%d %q", recorder.Code, recorder.Body)
	}
}

func TestAnActorComesFromWhereTheConnectionComes(t *testing.T) {
	t.Parallel()
	for remote, want := range map[string]string{
		"192.0.2.7:4711": "192.0.2.7", "[2001:db8::1]:4711": "2001:db8::1", "[::ffff:192.0.2.7]:1": "192.0.2.7",
		"[fe80::1%eth0]:1": "fe80::1%eth0", "@": "local", "": "local", "/run/satellite.sock": "local",
	} {
		request := httptest.NewRequest(http.MethodGet, "/", nil)
		request.RemoteAddr = remote
		request.Header.Set("X-Forwarded-For", "203.0.113.99")
		request.Header.Set("X-Real-Ip", "203.0.113.99")
		if got := web.ClientAddress(request); got != want {
			t.Errorf("%s is %s, want %s", remote, got, want)
		}
		c := web.New(slog.New(slog.DiscardHandler)).NewContext(request, httptest.NewRecorder())
		if got := web.Actor(c); !reflect.DeepEqual(got, satellite.Actor{Source: want}) || got.May(satellite.ActionRead) {
			t.Errorf("nobody is %+v", got)
		}
		web.SetActor(c, satellite.Actor{Name: "a@example.com", Role: satellite.RoleSystemUser})
		if got := web.Actor(c); got.Source != want || got.Name != "a@example.com" {
			t.Errorf("somebody is %+v", got)
		}
		web.SetActor(c, satellite.Actor{Name: "local:0", Source: "local"})
		if got := web.Actor(c); got.Source != "local" {
			t.Errorf("a source that was given became %s", got.Source)
		}
	}
}
