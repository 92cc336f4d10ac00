package adminapi_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"ssm/satellite/adminapi"
	"ssm/satellite/web"
)

func TestTheDescriptionAndTheRoutesAreTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := web.New(slog.New(slog.DiscardHandler))
	adminapi.Routes(e, adminapi.Options{Service: w.service, Sessions: w.sessions})
	colon := regexp.MustCompile(`:([a-z_]+)`)
	routed, headed := map[string]bool{}, map[string]bool{}
	for _, route := range e.Routes() {
		path, below := strings.CutPrefix(route.Path, adminapi.Prefix)
		// The description describes the rest, and echo answers for what is nowhere.
		if !below || strings.HasPrefix(path, "/openapi.") || route.Method == "echo_route_not_found" {
			continue
		}
		path = colon.ReplaceAllString(path, "{$1}")
		if route.Method == http.MethodHead { // goes without saying where there is GET
			headed[path] = true
			continue
		}
		routed[route.Method+" "+path] = true
	}
	described, read := map[string]bool{}, map[string]bool{}
	d := describe(t, w)
	for path, operations := range d.Paths {
		for method := range operations {
			described[strings.ToUpper(method)+" "+path] = true
			if method == "get" {
				read[path] = true
			}
		}
	}
	if !maps.Equal(routed, described) {
		t.Errorf("routes:    %v\ndescribed: %v", slices.Sorted(maps.Keys(routed)), slices.Sorted(maps.Keys(described)))
	}
	if !maps.Equal(headed, read) {
		t.Errorf("routes of HEAD: %v\nof GET:         %v", slices.Sorted(maps.Keys(headed)), slices.Sorted(maps.Keys(read)))
	}
	if !strings.HasPrefix(d.OpenAPI, "3.1") || len(d.Servers) != 1 || d.Servers[0].URL != adminapi.Prefix {
		t.Errorf("the description is of version %s for %v", d.OpenAPI, d.Servers)
	}
}

func TestEveryOperationIsDescribedWhole(t *testing.T) {
	t.Parallel()
	inPath := regexp.MustCompile(`\{([^}]+)\}`)
	document, ids := adminapi.Describe(), map[string]string{}
	for path, operations := range document.Paths {
		for method, op := range operationsOf(operations) {
			name := method + " " + path
			if op.Summary == "" || strings.HasSuffix(op.Summary, ".") || len(op.Tags) != 1 || op.OperationID == "" || ids[op.OperationID] != "" {
				t.Errorf("%s has no summary, tag or id of its own: %q %v %q %s", name, op.Summary, op.Tags, op.OperationID, ids[op.OperationID])
			}
			ids[op.OperationID] = name
			wanted := []string{"400", "401", "403", "500", "503"}
			if op.RequestBody != nil {
				wanted = append(wanted, "413", "415")
			}
			for _, status := range wanted {
				if op.Responses[status] == nil {
					t.Errorf("%s does not describe status %s", name, status)
				}
			}
			checkResponses(t, name, op)
			declared := []string{}
			for _, p := range op.Parameters {
				if p.In == "path" {
					declared = append(declared, p.Name)
				}
				if p.Schema == nil || p.In == "path" && !p.Required {
					t.Errorf("%s: the parameter %s is not whole: %+v", name, p.Name, p)
				}
			}
			placed := []string{}
			for _, match := range inPath.FindAllStringSubmatch(path, -1) {
				placed = append(placed, match[1])
			}
			slices.Sort(declared)
			slices.Sort(placed)
			if !slices.Equal(declared, placed) {
				t.Errorf("%s declares the parameters %v", name, declared)
			}
		}
	}
}

// operationsOf are the operations of a path by method.
func operationsOf(p *huma.PathItem) map[string]*huma.Operation {
	found := map[string]*huma.Operation{"GET": p.Get, "POST": p.Post, "PATCH": p.Patch, "DELETE": p.Delete, "PUT": p.Put, "HEAD": p.Head, "OPTIONS": p.Options, "TRACE": p.Trace}
	maps.DeleteFunc(found, func(_ string, op *huma.Operation) bool { return op == nil })
	return found
}

// checkResponses holds an operation to one way to succeed, and to problems as its errors.
func checkResponses(t *testing.T, name string, op *huma.Operation) {
	t.Helper()
	success := 0
	for status, response := range op.Responses {
		if response.Description == "" {
			t.Errorf("%s has no word for status %s", name, status)
		}
		switch {
		case status >= "200" && status < "300":
			success++
			if (status == "204") != (len(response.Content) == 0) {
				t.Errorf("%s answers %s with %v", name, status, response.Content)
			}
		case status >= "400" && (len(response.Content) != 1 || response.Content[web.ProblemType] == nil):
			t.Errorf("%s describes status %s as something else than a problem: %v", name, status, response.Content)
		}
		for kind, content := range response.Content {
			if content.Schema == nil {
				t.Errorf("%s: status %s as %s has no schema", name, status, kind)
			}
		}
	}
	if success != 1 {
		t.Errorf("%s describes %d ways to succeed", name, success)
	}
}

func TestEveryExampleAndDefaultIsWhatItsSchemaAllows(t *testing.T) {
	t.Parallel()
	document := adminapi.Describe()
	registry, checked := document.Components.Schemas, 0
	check := func(where string, schema *huma.Schema, value any) {
		checked++
		for _, problem := range violations(t, registry, schema, value) {
			t.Errorf("%s: %v is not allowed: %v", where, value, problem)
		}
	}
	var walk func(where string, schema *huma.Schema)
	walk = func(where string, schema *huma.Schema) {
		if schema == nil {
			return
		}
		if schema.Ref != "" {
			if registry.SchemaFromRef(schema.Ref) == nil {
				t.Errorf("%s refers to %s, which is nowhere", where, schema.Ref)
			}
			return
		}
		for _, example := range schema.Examples {
			check(where, schema, example)
		}
		if schema.Default != nil {
			check(where, schema, schema.Default)
		}
		for name, property := range schema.Properties {
			walk(where+"."+name, property)
		}
		walk(where+"[]", schema.Items)
	}
	for name, schema := range registry.Map() {
		walk(name, schema)
	}
	for path, operations := range document.Paths {
		for method, op := range operationsOf(operations) {
			name := method + " " + path
			for _, p := range op.Parameters {
				walk(name+" "+p.Name, p.Schema)
				if p.Example != nil {
					check(name+" "+p.Name, p.Schema, p.Example)
				}
			}
			if op.RequestBody != nil {
				for kind, content := range op.RequestBody.Content {
					walk(name+" "+kind, content.Schema)
				}
			}
			for status, response := range op.Responses {
				for kind, content := range response.Content {
					walk(name+" "+status+" "+kind, content.Schema)
					if content.Example != nil {
						check(name+" "+status, content.Schema, content.Example)
					}
				}
			}
		}
	}
	if checked == 0 {
		t.Error("there was nothing to check")
	}
}

// violations are what a schema forbids about a value.
func violations(t *testing.T, registry huma.Registry, schema *huma.Schema, value any) []error {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var plain any
	if err := json.Unmarshal(text, &plain); err != nil {
		t.Fatal(err)
	}
	result := &huma.ValidateResult{}
	huma.Validate(registry, schema, huma.NewPathBuffer(nil, 0), huma.ModeReadFromServer, plain, result)
	return result.Errors
}

// documentOnce is the description, which no test changes.
var documentOnce = sync.OnceValue(adminapi.Describe)

// checkAnswer holds an answer of JSON to what the document says about it. path is the template of the route.
func checkAnswer(t *testing.T, document *huma.OpenAPI, method, path string, got reply) {
	t.Helper()
	op := operationsOf(document.Paths[path])[method]
	response := op.Responses[strconv.Itoa(got.status)]
	if response == nil {
		t.Errorf("%s %s answered %d, which is not described", method, path, got.status)
		return
	}
	kind, _, _ := strings.Cut(got.header.Get("Content-Type"), ";")
	content := response.Content[kind]
	if content == nil {
		if got.body != "" {
			t.Errorf("%s %s answered %d as %q, which is not described", method, path, got.status, kind)
		}
		return
	}
	if kind != "application/json" {
		return
	}
	for _, problem := range violations(t, document.Components.Schemas, content.Schema, json.RawMessage(got.body)) {
		t.Errorf("%s %s answered what its schema forbids: %v: %.300s", method, path, problem, got.body)
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
