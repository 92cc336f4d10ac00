package adminapi_test

import (
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ssm/satellite/adminapi"
	"ssm/satellite/web"
)

func TestTheDescriptionAndTheRoutesAreTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := web.New(slog.New(slog.DiscardHandler))
	adminapi.Routes(e, adminapi.Options{Service: w.service, Sessions: w.sessions})
	colon := regexp.MustCompile(`:([a-z_]+)`)
	routed := map[string]bool{}
	for _, route := range e.Routes() {
		path, below := strings.CutPrefix(route.Path, adminapi.Prefix)
		// The description describes the rest, and echo answers for what is nowhere.
		if !below || strings.HasPrefix(path, "/openapi.") || route.Method == "echo_route_not_found" {
			continue
		}
		routed[route.Method+" "+colon.ReplaceAllString(path, "{$1}")] = true
	}
	described := map[string]bool{}
	d := describe(t, w)
	for path, operations := range d.Paths {
		for method, operation := range operations {
			described[strings.ToUpper(method)+" "+path] = true
			if operation.Summary == "" || len(operation.Tags) != 1 || operation.OperationID == "" {
				t.Errorf("%s %s has no summary, tag or id: %+v", method, path, operation)
			}
			for _, status := range []string{"400", "401", "403", "500", "503"} {
				if operation.Responses[status] == nil {
					t.Errorf("%s %s does not describe status %s", method, path, status)
				}
			}
		}
	}
	if !maps.Equal(routed, described) {
		t.Errorf("routes:    %v\ndescribed: %v", slices.Sorted(maps.Keys(routed)), slices.Sorted(maps.Keys(described)))
	}
	if !strings.HasPrefix(d.OpenAPI, "3.1") || len(d.Servers) != 1 || d.Servers[0].URL != adminapi.Prefix {
		t.Errorf("the description is of version %s for %v", d.OpenAPI, d.Servers)
	}
}

func TestTheDescriptionNamesNoOtherPlace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{"/openapi.json", "/openapi.yaml"} {
		got := w.call(http.MethodGet, name, "", "")
		w.expect(got, 200, "/accounts/{account}/virtual-accounts")
		if strings.Contains(got.body, "http://") || strings.Contains(got.body, "https://") {
			t.Errorf("%s names an address elsewhere", name)
		}
	}
	w.expect(w.call(http.MethodGet, "/docs", "", ""), 404, "")
}

func TestAListIsReadPageByPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.expect(w.call(http.MethodPost, "/accounts", asJSON, `{"name":"A","email":"a@example.com"}`), 201, "")
	for range 5 {
		w.expect(w.call(http.MethodPost, "/tokens", asJSON, `{}`), 201, "")
	}
	var ids []string
	id, next := regexp.MustCompile(`"id":(\d+)`), regexp.MustCompile(`"next":"(\d*)"`)
	pages := 0
	for cursor := ""; ; {
		pages++
		got := w.call(http.MethodGet, fmt.Sprintf("/tokens?limit=2&cursor=%s", cursor), "", "")
		w.expect(got, 200, "")
		for _, match := range id.FindAllStringSubmatch(got.body, -1) {
			ids = append(ids, match[1])
		}
		if cursor = next.FindStringSubmatch(got.body)[1]; cursor == "" || pages > 9 {
			break
		}
	}
	if want := []string{"5", "4", "3", "2", "1"}; !slices.Equal(ids, want) || pages != 3 {
		t.Errorf("read %v in %d pages, want %v in 3", ids, pages, want)
	}
}
