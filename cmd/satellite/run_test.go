package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"iter"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// execute runs a command line in this process.
func execute(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, messages bytes.Buffer
	status = run(t.Context(), args, &out, &messages)
	return status, out.String(), messages.String()
}

func TestWrongUsageIsToldWithTheUsage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "`satellite` needs one of its commands."},
		{[]string{"account"}, "`satellite account` needs one of its commands."},
		{[]string{"acount", "list"}, `There is no command "acount" in`},
		{[]string{"account", "remove"}, "There is no command \"remove\" in `satellite account`."},
		{[]string{"account", "list", "--bogus"}, "Unknown flag: --bogus."},
		{[]string{"account", "list", "more"}, `"more" is one argument too many.`},
		{[]string{"account", "create", "--name", "A"}, "--email is missing."},
		{[]string{"virtual-account", "delete"}, "--name is missing."},
		{[]string{"token", "create", "--days", "many"}, `Invalid argument "many" for "--days" flag`},
		{[]string{"token", "revoke"}, "TOKEN-OR-ID is missing."},
		{[]string{"device", "show"}, "Name the device by its PIID, or by both --pid and --serial."},
		{[]string{"device", "show", "--pid", "P"}, "Name the device by its PIID, or by both --pid and --serial."},
		{[]string{"device", "remove", "X", "--pid", "P", "--serial", "S"}, "not by both."},
		{[]string{"license", "show"}, "TAG is missing."},
		{[]string{"certificate", "chain"}, "--out is missing."},
		{[]string{"sync", "apply"}, "FILE is missing."},
		{[]string{"event", "list", "--limit", "-1"}, "--limit is -1"},
		{[]string{"setup", "--email", "a@example.com", "--name", "A"}, "--password-file is missing."},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			t.Parallel()
			status, stdout, stderr := execute(t, c.args...)
			if status != 2 || stdout != "" || !strings.Contains(stderr, c.want) || !strings.Contains(stderr, "Usage:") {
				t.Errorf("status %d, want 2 with %q and the usage; standard output %q, standard error:\n%s", status, c.want, stdout, stderr)
			}
		})
	}
}

func TestEveryCommandWithoutAServerSaysHowToStartIt(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "nowhere")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("a password in a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	// What each command needs to get as far as the server.
	needs := map[string][]string{
		"setup":          {"--email", "a@example.com", "--name", "A", "--password-file", file},
		"account create": {"--name", "A", "--email", "a@example.com"}, "virtual-account create": {"--name", "A"}, "virtual-account delete": {"--name", "A"},
		"token revoke": {"1"}, "device show": {"X"}, "device remove": {"X"}, "license show": {"T"},
		"account approve": {"A", "--code", "x"}, "account decline": {"A", "--code", "x", "--reason", "x"}, "account nominate": {"A"}, "account deactivate": {"--reason", "x"},
		"virtual-account set": {"A"}, "virtual-account default": {"A"}, "virtual-account tag": {"A"}, "license tag": {"A"}, "mail show": {"1"},
		"device transfer": {"X", "--to", "Lab"}, "license explain": {"T"}, "license transfer": {"T", "--quantity", "1", "--to", "Lab"},
		"api-client create": {"--name", "A"}, "api-client rotate": {"A"}, "api-client revoke": {"A"},
		"group add": {"G", "a@example.com"}, "group create": {"G"}, "group drop": {"G", "a@example.com"}, "group remove": {"G"},
		"group role": {"G", "account-user", "--account", "A"}, "group show": {"G"},
		"reservation confirm": {"1", "CODE"}, "reservation create": {"--code", "CODE"}, "reservation request-info": {"CODE"}, "reservation return": {"1", "CODE"},
		"reservation show": {"1"}, "reservation update": {"1", "--license", "T=1"},
		"user create":   {"--email", "a@example.com", "--first-name", "A", "--password-file", file},
		"user password": {"a@example.com", "--password-file", file}, "user profile": {"a@example.com", "--first-name", "A"}, "user remove": {"a@example.com"},
		"user role": {"a@example.com", "system-user"}, "user show": {"a@example.com"},
		"event prune":       {"--older-than-days", "1"},
		"certificate chain": {"--out", file}, "certificate crl": {"--out", file},
		"sync request": {"--out", file}, "sync apply": {file}, "sync inspect": {file}, "upstream trust": {file}, "upstream set": {"--url", "https://a.example"}, "account register": {"--code", "x"}, "usage import": {file},
		"privacy set": {"--hostname", "on"}, "sync schedule set": {"daily", "02:00"},
	}
	without := []string{"serve", "demo", "seed", "version", "audit verify", "help", "completion"}
	tried := 0
	for _, name := range leaves(newRootCommand(), "") {
		if slices.ContainsFunc(without, func(w string) bool { return strings.HasPrefix(name, w) }) {
			continue
		}
		tried++
		args := append(append(strings.Fields(name), needs[name]...), "--data", folder, "--json")
		status, stdout, stderr := execute(t, args...)
		want := "The satellite is not running on " + folder + ". Start it with `satellite serve --data " + folder + "`.\n"
		if status != 1 || stdout != "" || stderr != want {
			t.Errorf("%s: status %d, standard output %q, standard error %q; want 1 and %q", name, status, stdout, stderr, want)
		}
	}
	if tried < 25 {
		t.Errorf("only %d commands were tried", tried)
	}
}

// leaves are the command lines of all commands that do something.
func leaves(c *cobra.Command, prefix string) []string {
	var names []string
	for _, sub := range c.Commands() {
		name := strings.TrimSpace(prefix + " " + sub.Name())
		if sub.HasSubCommands() {
			names = append(names, leaves(sub, name)...)
			continue
		}
		names = append(names, name)
	}
	return names
}

func TestTheSocketIsFoundWhereTheFolderSaysItIs(t *testing.T) {
	t.Parallel()
	short, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(short) })
	socket := filepath.Join(short, "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v2/version" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(`{"version":"9.9.9","satellite_id":"abcdefgh"}`))
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	data := filepath.Join(t.TempDir(), strings.Repeat("a-long-name/", 12))
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, socketPointer), []byte(socket+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	status, stdout, stderr := execute(t, "healthcheck", "--data", data, "--json")
	if status != 0 || !strings.Contains(stdout, `"version": "9.9.9"`) || stderr != "" {
		t.Errorf("status %d, standard output %s, standard error %s", status, stdout, stderr)
	}
	status, _, stderr = execute(t, "account", "list", "--data", data)
	if status != 1 || !strings.Contains(stderr, "answered 404 Not Found, without a reason.") {
		t.Errorf("an answer that is no problem document: status %d, %s", status, stderr)
	}
}

type row struct {
	Name string `json:"name"`
}

func rows(pages ...[]row) iter.Seq2[[]row, error] {
	return func(yield func([]row, error) bool) {
		for _, page := range pages {
			if page == nil && !yield(nil, errors.New("broken")) || page != nil && !yield(page, nil) {
				return
			}
		}
	}
}

func TestAListIsOneJSONArrayHoweverManyPagesItHas(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		pages iter.Seq2[[]row, error]
		want  []row
	}{
		{"no page", rows(), []row{}},
		{"an empty page", rows([]row{}), []row{}},
		{"two pages", rows([]row{{"<a>"}, {"神田"}}, []row{{"c"}}), []row{{"<a>"}, {"神田"}, {"c"}}},
		{"two pages, cut", atMost(rows([]row{{"a"}, {"b"}}, []row{{"c"}, {"d"}}), 3), []row{{"a"}, {"b"}, {"c"}}},
		{"one page, cut", atMost(rows([]row{{"a"}, {"b"}}, nil), 2), []row{{"a"}, {"b"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			if err := printArray(&out, c.pages); err != nil {
				t.Fatal(err)
			}
			var got []row
			if err := json.Unmarshal(out.Bytes(), &got); err != nil || got == nil || !slices.Equal(got, c.want) {
				t.Errorf("got %v from %s (%v), want %v", got, out.String(), err, c.want)
			}
		})
	}
	var out bytes.Buffer
	if err := printArray(&out, rows(nil)); err == nil || out.Len() > 0 {
		t.Errorf("a broken first page: error %v, output %q", err, out.String())
	}
}

func TestWhatOthersWroteCannotRewriteTheTerminal(t *testing.T) {
	t.Parallel()
	for value, want := range map[any]string{
		"edge\x1b[2Jr01": "edge?[2Jr01", "": "-", "神田": "神田", "a\u202eb": "a?b", int64(7): "7", true: "yes", (*time.Time)(nil): "never",
	} {
		if got := cell(value); got != want {
			t.Errorf("cell(%q) is %q, want %q", value, got, want)
		}
	}
}
