package main

import (
	"fmt"
	"go/build"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The arrows of the program: what each package may import of ours, and nothing else. The table stands in the
// architecture, too; the two change together. A package without a row is refused, so a new one starts here.
//
// Two arrows are missing on purpose. satellite/agent and sync/ssm never see satellite: peers share the wire, never
// the rules. And satellite sees none of its implementations: they meet in cmd/satellite.
var arrows = map[string][]string{
	"satellite/wire": {},
	"certs":          {},
	"sync/scheduler": {},
	"ui/kit":         {},

	"satellite":                 {"satellite/wire"},
	"satellite/store":           {"satellite", "satellite/wire"},
	"satellite/store/storetest": {"satellite", "satellite/wire"},
	"satellite/auth":            {"satellite", "satellite/wire"},
	"satellite/telemetry":       {"satellite", "satellite/wire"},
	"satellite/issuer":          {"satellite", "satellite/wire", "certs"}, // the one adapter of certs to the domain
	"satellite/web":             {"satellite", "satellite/auth"},
	"satellite/deviceapi":       {"satellite", "satellite/web", "satellite/wire"},
	"satellite/adminapi":        {"satellite", "satellite/web", "satellite/auth", "satellite/wire", "sync/offline"}, // wire: media types and bounds of the files it takes
	"satellite/compatible":      {"satellite", "satellite/web", "satellite/auth", "satellite/wire"},
	"ui":                        {"satellite", "satellite/web", "satellite/auth", "satellite/wire", "sync/offline", "ui/kit"},

	"satellite/agent": {"satellite/wire", "certs"},
	"sync/upstream":   {"satellite/wire", "certs"},
	"sync/offline":    {"satellite/wire", "certs"},
	"sync/ssm":        {"satellite/wire", "certs", "sync/offline", "ui/kit"},

	"cmd/smartagent": {"satellite/agent"},
	"cmd/ssm":        {"sync/ssm"},
	"cmd/satellite":  {everything},
}

// What the tests of a package may import beyond its row above, because they run real parts instead of doubles.
// Tests of the programs may import everything, and every test its own package and the contract of Store.
var testArrows = map[string][]string{
	// The service on a real SQLite file, with real keys and certificates, a device that takes its reservations, and an
	// upstream that settles with it.
	"satellite": {"satellite/store", "satellite/auth", "satellite/issuer", "certs", "satellite/agent", "sync/ssm", "sync/scheduler"},
	// The faces on a real service; a device on the other end, the components of the console in the pages.
	"satellite/web":        realService,
	"satellite/deviceapi":  realService,
	"satellite/adminapi":   realService,
	"satellite/compatible": realService,
	"ui":                   append([]string{"satellite/adminapi"}, realService...), // the reference of the API tries its calls

	"cmd/smartagent": {everything},
	"cmd/ssm":        {everything},
}

var realService = []string{"satellite/store", "satellite/auth", "satellite/issuer", "certs", "satellite/agent", "sync/scheduler", "ui/kit"}

const (
	everything = "everything"
	storetest  = "satellite/store/storetest"
	module     = "ssm"
)

// Imports from outside that have a home, or that a package must do without.
var foreign = []struct {
	prefix string // of the import path, in whole elements
	in     string // the folder to which the rule applies, without those below; empty for all
	homes  []string
	why    string
}{
	{prefix: "gorm.io", homes: []string{"satellite/store", "sync/ssm"}, why: "everything else asks the Store"},
	{prefix: "github.com/golang-jwt", homes: []string{"satellite/auth"}, why: "one place checks and signs tokens"},
	{prefix: "github.com/spf13/viper", homes: []string{"cmd/satellite/config.go", "cmd/satellite/config_test.go"}, why: "everything else gets the finished configuration"},
	{prefix: "github.com/robfig/cron", homes: []string{"sync/scheduler"}, why: "it stands behind Job"},
	{prefix: "github.com/prometheus", homes: []string{"satellite/telemetry"}, why: "the domain reports to its Observer"},
	{prefix: "github.com/labstack", homes: []string{"satellite/web", "satellite/deviceapi", "satellite/adminapi", "satellite/compatible", "ui", "sync/ssm", "cmd/satellite"}, why: "no type of echo leaves the faces"},
	{prefix: "database/sql", in: "satellite", why: "the domain knows no SQL"},
	{prefix: "net/http", in: "satellite", why: "the domain knows no HTTP"},
	{prefix: "crypto/x509", in: "satellite", why: "the domain knows no X.509"},
}

// The top level is fixed, beside what starts with a dot and what .gitignore names there.
var topLevel = []string{
	"cmd", "satellite", "sync", "ui", "certs", "Dockerfile", "satellite.example.yaml", "go.mod", "README.md",
	"go.sum", "Makefile", "LICENSE", "CHANGELOG.md", "docs", "deploy",
}

// checkImports tells each import that breaks a rule, sorted. The files are paths from the root of the module, with
// the import paths in them.
func checkImports(files map[string][]string) []string {
	var broken []string
	for file, imports := range files {
		dir, test := path.Dir(file), strings.HasSuffix(file, "_test.go")
		if dir == "sync" {
			broken = append(broken, file+": sync holds no Go file of its own, because a package of that name would fight the standard library")
			continue
		}
		allowed, known := arrows[dir]
		if !known {
			broken = append(broken, fmt.Sprintf("%s: the package %s has no row in the table of arrows; give it one here and in the architecture", file, dir))
			continue
		}
		if test {
			allowed = slices.Concat(allowed, testArrows[dir], []string{dir, storetest})
		}
		for _, path := range imports {
			if target, ours := cutElement(path, module); ours && !slices.Contains(allowed, everything) && !slices.Contains(allowed, target) {
				broken = append(broken, fmt.Sprintf("%s imports %s: %s may import, of ours, %s", file, path, dir, list(allowed)))
			}
			broken = append(broken, checkForeign(file, path, test)...)
		}
	}
	slices.Sort(broken)
	return broken
}

// checkForeign tells which rules about code from outside an import breaks.
func checkForeign(file, importPath string, test bool) []string {
	var broken []string
	dir := path.Dir(file)
	for _, rule := range foreign {
		_, match := cutElement(importPath, rule.prefix)
		switch {
		case !match:
		case rule.in != "":
			// What the domain does without, its tests may use to look at it from outside.
			if dir == rule.in && !test {
				broken = append(broken, fmt.Sprintf("%s imports %s: %s", file, importPath, rule.why))
			}
		case !slices.Contains(rule.homes, dir) && !slices.Contains(rule.homes, file):
			broken = append(broken, fmt.Sprintf("%s imports %s: it lives in %s alone; %s", file, importPath, list(rule.homes), rule.why))
		}
	}
	return broken
}

// checkNames tells which packages are called like one of the standard library. The key is the folder, the value the
// name in the package clause.
func checkNames(packages map[string]string, standard map[string]bool) []string {
	var broken []string
	for dir, name := range packages {
		if name = strings.TrimSuffix(name, "_test"); standard[name] {
			broken = append(broken, fmt.Sprintf("%s: the package is called %s like one of the standard library; a reader could not tell them apart", dir, name))
		}
	}
	slices.Sort(broken)
	return broken
}

// checkTopLevel tells which entries do not belong at the top. The lines of .gitignore that name one there excuse it:
// it is the build result or data folder of whoever works here.
func checkTopLevel(entries []string, gitignore string) []string {
	ignored := map[string]bool{}
	for line := range strings.Lines(gitignore) {
		if name, anchored := strings.CutPrefix(strings.TrimSpace(line), "/"); anchored {
			ignored[strings.TrimSuffix(name, "/")] = true
		}
	}
	var broken []string
	for _, entry := range entries {
		if !strings.HasPrefix(entry, ".") && !slices.Contains(topLevel, entry) && !ignored[entry] {
			broken = append(broken, entry+": the top level is fixed; put it below one of "+list(topLevel))
		}
	}
	return broken
}

// cutElement reports whether an import path is prefix or lies below it, and what follows it.
func cutElement(importPath, prefix string) (string, bool) {
	if importPath == prefix {
		return "", true
	}
	return strings.CutPrefix(importPath, prefix+"/")
}

func list(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, ", ")
}

// root is the folder of go.mod, seen from this package.
var root = filepath.Join("..", "..")

// readModule parses every Go file that the go command would see, in this process: a child running go list would be
// answered from the cache of test results, which does not know what the child read.
func readModule(t *testing.T) (files map[string][]string, packages map[string]string) {
	t.Helper()
	files, packages = map[string][]string{}, map[string]string{}
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if base := entry.Name(); entry.IsDir() && name != "." && (base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_")) {
			return fs.SkipDir
		}
		if entry.IsDir() || path.Ext(name) != ".go" {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, filepath.FromSlash(name)), nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		files[name] = []string{}
		for _, spec := range parsed.Imports {
			importPath, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return fmt.Errorf("%s: import %s: %w", name, spec.Path.Value, err)
			}
			files[name] = append(files[name], importPath)
		}
		if !strings.HasSuffix(name, "_test.go") {
			packages[path.Dir(name)] = parsed.Name.Name
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files, packages
}

// standardNames returns the last elements of the import paths of the standard library.
func standardNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	err := fs.WalkDir(os.DirFS(filepath.Join(build.Default.GOROOT, "src")), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !entry.IsDir() || name == "." {
			return nil
		}
		switch base := entry.Name(); {
		case base == "internal", base == "vendor", base == "testdata", name == "cmd":
			return fs.SkipDir
		default:
			names[base] = true
			return nil
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestTheProgramKeepsItsArrows(t *testing.T) {
	t.Parallel()
	files, _ := readModule(t)
	if len(files["cmd/satellite/imports_test.go"]) == 0 {
		t.Fatalf("of the module's files only %v were found; is %s its root?", slices.Sorted(maps.Keys(files)), root)
	}
	for _, broken := range checkImports(files) {
		t.Error(broken)
	}
}

func TestNoPackageIsCalledLikeOneOfTheStandardLibrary(t *testing.T) {
	t.Parallel()
	_, packages := readModule(t)
	standard := standardNames(t)
	if !standard["sync"] || !standard["http"] {
		t.Fatalf("the standard library was not found below %q", build.Default.GOROOT)
	}
	for _, broken := range checkNames(packages, standard) {
		t.Error(broken)
	}
}

func TestTheTopLevelHoldsOnlyWhatBelongsThere(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	gitignore, err := os.ReadFile(filepath.Join(root, ".gitignore"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	for _, broken := range checkTopLevel(names, string(gitignore)) {
		t.Error(broken)
	}
}

func TestTheCheckerTellsEachBrokenRule(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, file, imports string
		want                string // part of the one complaint; empty where the import is allowed
	}{
		{"the domain may know the wire", "satellite/token.go", "ssm/satellite/wire", ""},
		{"the domain knows no store", "satellite/token.go", "ssm/satellite/store", "satellite may import, of ours, satellite/wire"},
		{"but its tests run on one", "satellite/token_test.go", "ssm/satellite/store", ""},
		{"and see themselves from outside", "satellite/token_test.go", "ssm/satellite", ""},
		{"and the contract of Store", "satellite/store/store_test.go", "ssm/satellite/store/storetest", ""},
		{"the store does not see its contract", "satellite/store/store.go", "ssm/satellite/store/storetest", "satellite/store may import"},
		{"not even the tests of the domain see a face", "satellite/token_test.go", "ssm/ui", "satellite may import"},
		{"a leaf knows nothing of ours", "certs/pem.go", "ssm/satellite/wire", "of ours, nothing"},
		{"peers do not share the rules", "satellite/agent/agent.go", "ssm/satellite", "satellite/agent may import, of ours, satellite/wire, certs"},
		{"not in tests either", "sync/ssm/order_test.go", "ssm/satellite", "sync/ssm may import"},
		{"the tests of a face may start a device", "satellite/deviceapi/routes_test.go", "ssm/satellite/agent", ""},
		{"the face itself may not", "satellite/deviceapi/routes.go", "ssm/satellite/agent", "satellite/deviceapi may import"},
		{"the server sees everything", "cmd/satellite/serve.go", "ssm/sync/upstream", ""},
		{"the device program sees the device", "cmd/smartagent/main.go", "ssm/satellite", "of ours, satellite/agent"},
		{"and its tests everything", "cmd/smartagent/main_test.go", "ssm/satellite", ""},
		{"a package without a row", "satellite/helpers/helpers.go", "fmt", "no row"},
		{"a package at the root", "main.go", "fmt", "no row"},
		{"a package named sync", "sync/sync.go", "fmt", "no Go file of its own"},
		{"another module that begins like ours", "certs/pem.go", "ssmtp.example/satellite", ""},

		{"gorm in the store", "satellite/store/token.go", "gorm.io/gorm", ""},
		{"gorm in the upstream", "sync/ssm/order.go", "gorm.io/driver/sqlite", ""},
		{"gorm in the domain", "satellite/token.go", "gorm.io/gorm", "satellite/store, sync/ssm alone"},
		{"gorm in a test of the domain", "satellite/token_test.go", "gorm.io/gorm", "satellite/store, sync/ssm alone"},
		{"jwt in auth", "satellite/auth/token.go", "github.com/golang-jwt/jwt/v5", ""},
		{"jwt in a face", "satellite/web/session.go", "github.com/golang-jwt/jwt/v5", "satellite/auth alone"},
		{"viper in its file", "cmd/satellite/config.go", "github.com/spf13/viper", ""},
		{"viper beside its file", "cmd/satellite/serve.go", "github.com/spf13/viper", "cmd/satellite/config.go"},
		{"cron in the scheduler", "sync/scheduler/spec.go", "github.com/robfig/cron/v3", ""},
		{"cron in the wiring", "cmd/satellite/jobs.go", "github.com/robfig/cron/v3", "sync/scheduler alone"},
		{"echo in a face", "ui/routes.go", "github.com/labstack/echo/v4/middleware", ""},
		{"echo in the domain", "satellite/user.go", "github.com/labstack/echo/v4", "leaves the faces"},
		{"metrics in the store", "satellite/store/writer.go", "github.com/prometheus/client_golang/prometheus", "satellite/telemetry alone"},
		{"HTTP in the domain", "satellite/user.go", "net/http", "knows no HTTP"},
		{"part of HTTP in the domain", "satellite/user.go", "net/http/httptest", "knows no HTTP"},
		{"HTTP in a test of the domain", "satellite/user_test.go", "net/http", ""},
		{"HTTP below the domain", "satellite/agent/client.go", "net/http", ""},
		{"SQL in the domain", "satellite/user.go", "database/sql", "knows no SQL"},
		{"X.509 in the domain", "satellite/user.go", "crypto/x509", "knows no X.509"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			broken := checkImports(map[string][]string{c.file: {c.imports}})
			if c.want == "" && len(broken) != 0 {
				t.Fatalf("%s importing %s: %q, want no complaint", c.file, c.imports, broken)
			}
			if c.want != "" && (len(broken) != 1 || !strings.HasPrefix(broken[0], c.file) || !strings.Contains(broken[0], c.want)) {
				t.Fatalf("%s importing %s: %q, want one complaint that names the file and %q", c.file, c.imports, broken, c.want)
			}
		})
	}
}

func TestTheCheckerTellsBorrowedNamesAndStrayEntries(t *testing.T) {
	t.Parallel()
	standard := standardNames(t)
	names := checkNames(map[string]string{"satellite/wire": "wire", "satellite/crypto": "crypto", "certs": "x509"}, standard)
	if len(names) != 2 || !strings.HasPrefix(names[0], "certs:") || !strings.HasPrefix(names[1], "satellite/crypto:") {
		t.Errorf("borrowed names: %q, want certs (x509) and satellite/crypto", names)
	}
	stray := checkTopLevel([]string{".git", "cmd", "internal", "satellite-data", "notes.txt"}, "*.test\n/satellite-data/\n")
	if len(stray) != 2 || !strings.HasPrefix(stray[0], "internal:") || !strings.HasPrefix(stray[1], "notes.txt:") {
		t.Errorf("stray entries: %q, want internal and notes.txt", stray)
	}
}
