package compatible_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ssm/satellite/compatible"
)

var update = flag.Bool("update", false, "write the golden answers anew")

// field is one field of an answer, in the words that clients rely on.
type field struct {
	// path names it, with [] for the elements of a list: accounts[].roles[].role.
	// An object that stands in a list needs no field of its own.
	path string
	kind string // JSON types: string, number, boolean, list, object; or two of them, as in "string|null"
	// empty says when it is null, "" or []: "never", "always", or in words. What is
	// said in words must be seen empty in one golden answer and filled in another.
	empty string
}

// golden is what is known of the answers of a call.
type golden struct {
	fields []field
	// volatile are paths of texts that differ from run to run.
	volatile []string
	// file is how the names of the golden answers begin: testdata/FILE-full.json.
	file string
	// answers are asked each in a world of its own. There is a "full" one, which
	// has something everywhere, and an "empty" one, of a place where nothing is.
	answers map[string]func(*world) reply
}

// goldens are by call, in the words of compatible.Routes.
var goldens = map[string]golden{}

// calls registers what is known of calls, from the file of their noun:
//
//	var _ = calls(map[string]golden{...})
func calls(known map[string]golden) bool {
	for call, g := range known {
		if _, twice := goldens[call]; twice {
			panic(call + " is registered twice")
		}
		goldens[call] = g
	}
	return true
}

// answered is a table of an answer that begins with the outcome.
func answered(fields ...field) []field {
	return append([]field{{"status", "string", "never"}, {"statusMessage", "string", "always"}}, fields...)
}

func TestEveryCallHasAFieldTableAndGoldenAnswers(t *testing.T) {
	t.Parallel()
	routes := compatible.Routes()
	for _, route := range routes {
		g, known := goldens[route]
		switch {
		case !known:
			t.Errorf("%s has no table of fields and no golden answers", route)
		case len(g.fields) == 0 || g.answers["full"] == nil || g.answers["empty"] == nil:
			t.Errorf("%s lacks its fields, its full or its empty answer", route)
		}
	}
	for call := range goldens {
		if !slices.Contains(routes, call) {
			t.Errorf("%s is no route", call)
		}
	}
}

func TestEveryAnswerIsTheGoldenOneAndHasTheFieldsOfItsTable(t *testing.T) {
	t.Parallel()
	for call, g := range goldens {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			seen := &observed{}
			for name, ask := range g.answers {
				got := ask(newWorld(t))
				if got.status != http.StatusOK {
					t.Fatalf("%s: %d %s", name, got.status, got.body)
				}
				for _, problem := range seen.check(g.fields, got.body) {
					t.Errorf("%s: %s", name, problem)
				}
				compareGolden(t, g.file+"-"+name, g.volatile, got.body)
			}
			for _, problem := range seen.contradict(g.fields) {
				t.Error(problem)
			}
		})
	}
}

// compareGolden holds an answer against its file. The file is indented; the
// answer is compact.
func compareGolden(t *testing.T, name string, volatile []string, body string) {
	t.Helper()
	var compact, indented bytes.Buffer
	if err := json.Compact(&compact, []byte(body)); err != nil || compact.String() != body {
		t.Errorf("%s: the answer is not compact JSON (%v): %s", name, err, body)
	}
	var value any
	if err := json.Unmarshal([]byte(body), &value); err != nil {
		t.Fatal(err)
	}
	visit("", value, func(path string, value any) {
		if text, ok := value.(string); ok && text != "" && slices.Contains(volatile, path) {
			body = strings.ReplaceAll(body, string(must(json.Marshal(text))(t)), `"(`+path[strings.LastIndexByte(path, '.')+1:]+`)"`)
		}
	})
	if err := json.Indent(&indented, []byte(body), "", "  "); err != nil {
		t.Fatal(err)
	}
	indented.WriteByte('\n')
	file := filepath.Join("testdata", name+".json")
	if *update {
		if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(file, indented.Bytes(), 0o644)); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if indented.String() != string(want) {
		t.Errorf("%s is another answer (run with -update, and read what changed):\n%s\nwant:\n%s", file, indented.String(), want)
	}
}

// observed are the paths that were seen empty, and filled.
type observed struct{ empty, filled []string }

// check walks an answer and tells what its table of fields does not: a field
// that is missing, that is not in the table, or that has another type.
func (o *observed) check(fields []field, body string) (problems []string) {
	var answer any
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		return []string{err.Error()}
	}
	table := map[string]field{}
	for _, f := range fields {
		table[f.path] = f
	}
	visit("", answer, func(path string, value any) {
		f, known := table[path]
		_, isObject := value.(map[string]any)
		element := path == "" || isObject && strings.HasSuffix(path, "[]")
		switch {
		case known && !slices.Contains(strings.Split(f.kind, "|"), kindOf(value)):
			problems = append(problems, fmt.Sprintf("%s is a %s, not a %s", path, kindOf(value), f.kind))
		case !known && !element:
			problems = append(problems, path+" is not in the table")
		}
		switch value {
		case nil, "":
			o.empty = append(o.empty, path)
		default:
			if list, ok := value.([]any); ok && len(list) == 0 {
				o.empty = append(o.empty, path)
			} else {
				o.filled = append(o.filled, path)
			}
		}
		object, isObject := value.(map[string]any)
		for _, f := range fields {
			name, inside := strings.CutPrefix(f.path, strings.TrimPrefix(path+".", "."))
			if _, there := object[name]; isObject && inside && !strings.ContainsAny(name, ".[") && !there {
				problems = append(problems, f.path+" is missing")
			}
		}
	})
	return problems
}

// contradict tells which fields were not empty when their table says so.
func (o *observed) contradict(fields []field) (problems []string) {
	for _, f := range fields {
		empty, filled := slices.Contains(o.empty, f.path), slices.Contains(o.filled, f.path)
		switch f.empty {
		case "never":
			if empty || !filled {
				problems = append(problems, f.path+" is empty or never seen, and is said to be never empty")
			}
		case "always":
			if filled || !empty {
				problems = append(problems, f.path+" is not empty or never seen, and is said to be always empty")
			}
		default:
			if !empty || !filled || f.empty == "" {
				problems = append(problems, f.path+` is not seen both empty and filled; when is it empty? "`+f.empty+`"`)
			}
		}
	}
	return problems
}

// visit goes through a JSON value, from the outside in.
func visit(path string, value any, see func(path string, value any)) {
	see(path, value)
	switch v := value.(type) {
	case map[string]any:
		for name, inner := range v {
			visit(strings.TrimPrefix(path+"."+name, "."), inner, see)
		}
	case []any:
		for _, inner := range v {
			visit(path+"[]", inner, see)
		}
	}
}

func kindOf(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case string:
		return "string"
	case float64:
		return "number"
	case bool:
		return "boolean"
	case []any:
		return "list"
	}
	return "object"
}

func TestTheTableOfFieldsFindsWhatIsMissingAddedOrOfAnotherType(t *testing.T) {
	t.Parallel()
	fields := answered(
		field{"rows", "list", "where there are none"}, field{"rows[].name", "string", "never"},
		field{"rows[].end", "string|null", "for what never ends"}, field{"rows[].tags", "list", "always"}, field{"rows[].tags[]", "string", "never"},
		field{"rows[].of", "object", "never"}, field{"rows[].of.id", "number", "never"},
	)
	const head = `{"status":"SUCCESS","statusMessage":"","rows":`
	for body, want := range map[string]string{
		head + `[]}`: "",
		head + `[{"name":"a","end":null,"tags":["x"],"of":{"id":1}}]}`:      "",
		head + `[{"name":"a","end":"b","tags":[],"of":{"id":1}}]}`:          "",
		head + `[{"name":"a","end":"b","tags":[],"of":{}}]}`:                "rows[].of.id is missing",
		head + `[{"name":1,"end":"b","tags":[],"of":{"id":1}}]}`:            "rows[].name is a number, not a string",
		head + `[{"name":"a","end":1,"tags":[],"of":{"id":1}}]}`:            "rows[].end is a number, not a string|null",
		head + `[{"name":"a","end":"b","tags":null,"of":{"id":1}}]}`:        "rows[].tags is a null, not a list",
		head + `[{"name":"a","end":"b","tags":[1],"of":{"id":1}}]}`:         "rows[].tags[] is a number, not a string",
		head + `[{"name":"a","end":"b","tags":[],"of":{"id":1,"more":2}}]}`: "rows[].of.more is not in the table",
		head + `[{"name":"a","end":"b","tags":[],"of":[]}]}`:                "rows[].of is a list, not a object",
		head + `["a"]}`:                  "rows[] is not in the table",
		`{"status":"SUCCESS","rows":[]}`: "statusMessage is missing",
		`{"status":"SUCCESS"`:            "unexpected end of JSON input",
	} {
		if got := strings.Join(new(observed).check(fields, body), "; "); got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
	seen := &observed{}
	seen.check(fields, head+`[{"name":"","end":null,"tags":["x"],"of":{"id":1}}]}`)
	got := strings.Join(seen.contradict(fields), "; ")
	for _, path := range []string{"rows is not", "rows[].name is empty", "rows[].end is not seen both", "rows[].tags is not empty"} {
		if !strings.Contains(got, path) {
			t.Errorf("%q does not tell of %q", got, path)
		}
	}
}

// ask asks below the prefix under which all three trees stand.
func ask(token, method, path, body string) func(*world) reply {
	return func(w *world) reply {
		return w.send(token, method, "/services/api/smart-accounts-and-licensing"+path, body)
	}
}

// doneGolden is what is known of a call whose answer is that it was done.
func doneGolden(full, empty func(*world) reply) golden {
	return golden{file: "done", fields: answered(), answers: map[string]func(*world) reply{"full": full, "empty": empty}}
}

func virtualAccountsGolden(path string) golden {
	return golden{
		file: "virtual-accounts",
		fields: answered(
			field{"virtualAccounts", "list", "never"},
			field{"virtualAccounts[].name", "string", "never"},
			field{"virtualAccounts[].description", "string", "where nobody wrote one"},
			field{"virtualAccounts[].isDefault", "string", "never"},
		),
		answers: map[string]func(*world) reply{
			"full":  ask(administrator, http.MethodGet, "/v1/accounts/Acme%20東京"+path, ""),
			"empty": ask(administrator, http.MethodGet, "/v1/accounts/Acme%20Labs"+path, ""),
		},
	}
}

func createVirtualAccountGolden(path string) golden {
	path = "/v1/accounts/Acme%20東京" + path
	return doneGolden(ask(administrator, http.MethodPost, path, `{"name":"New","description":"Text"}`), ask(administrator, http.MethodPost, path, `{"name":"New"}`))
}

// The calls about accounts and virtual accounts.
var _ = calls(map[string]golden{
	"GET v2 /accounts": {
		file: "accounts",
		fields: answered(
			field{"accounts", "list", "for who sees none"},
			field{"accounts[].accountName", "string", "never"},
			field{"accounts[].accountDomain", "string", "never"},
			field{"accounts[].accountStatus", "string", "never"},
			field{"accounts[].accountType", "string", "never"},
			field{"accounts[].roles", "list", "never"},
			field{"accounts[].roles[].role", "string", "never"},
			field{"accounts[].roles[].virtualAccount", "string|null", "for a role in the whole account"},
		),
		answers: map[string]func(*world) reply{"full": ask(administrator, http.MethodGet, "/v2/accounts", ""), "empty": ask("stranger", http.MethodGet, "/v2/accounts", "")},
	},
	"POST v1 /upstream_satellites/accounts": {
		file: "satellite-accounts",
		fields: answered(
			field{"accounts", "list", "for who sees none"},
			field{"accounts[].name", "string", "never"},
			field{"accounts[].account_id", "string", "never"},
			field{"accounts[].domain", "string", "never"},
			field{"accounts[].cslu_tenant_url", "string", "always"},
			field{"accounts[].cssm_smart_account_id", "string", "always"},
			field{"accounts[].cssm_smart_account_name", "string", "never"},
			field{"accounts[].cssm_virtual_account_name", "string", "never"},
			field{"accounts[].virtual_accounts", "list", "never"},
			field{"accounts[].virtual_accounts[].name", "string", "never"},
			field{"accounts[].virtual_accounts[].description", "string", "where nobody wrote one"},
			field{"accounts[].virtual_accounts[].isDefault", "string", "never"},
		),
		answers: map[string]func(*world) reply{
			"full": ask(administrator, http.MethodPost, "/v1/upstream_satellites/accounts", "null"), "empty": ask("stranger", http.MethodPost, "/v1/upstream_satellites/accounts", ""),
		},
	},
	"GET v1 /accounts/{account}/virtual-accounts":         virtualAccountsGolden("/virtual-accounts"),
	"GET v1 /accounts/{account}/{type}/virtual-accounts":  virtualAccountsGolden("/CUSTOMER/virtual-accounts"),
	"POST v1 /accounts/{account}/virtual-accounts":        createVirtualAccountGolden("/virtual-accounts"),
	"POST v1 /accounts/{account}/{type}/virtual-accounts": createVirtualAccountGolden("/CUSTOMER/virtual-accounts"),
	"POST v1 /accounts/{account}/virtual-accounts/{virtual_account}/delete": doneGolden(
		ask(administrator, http.MethodPost, "/v1/accounts/Acme%20東京/virtual-accounts/Lab%201/delete", "{}"),
		ask(administrator, http.MethodPost, "/v1/accounts/Acme%20東京/virtual-accounts/lab+1/delete", ""),
	),
})
