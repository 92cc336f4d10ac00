package satellite_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ssm/satellite"
)

// What waits for a capability is written down in the table, and raised nowhere.
func TestAnAlertWhoseCauseDoesNotExistIsRaisedNowhere(t *testing.T) {
	t.Parallel()
	names, uses, openers := alertsInSource(t)
	for _, kind := range satellite.AlertKinds {
		name := names[kind.Type]
		if name == "" {
			t.Errorf("%q has no constant", kind.Type)
		}
		if raised := len(uses[name]) > 0; raised != (kind.Waits == "") {
			t.Errorf("%s waits for %q, and is used by %v", name, kind.Waits, uses[name])
		}
		delete(names, kind.Type)
	}
	if len(names) != 0 {
		t.Errorf("the table of alerts lacks %v", names)
	}
	// An alert opens by raise; one that is open moves with its device.
	if want := []string{"raise", "travel"}; !slices.Equal(openers, want) {
		t.Errorf("alerts are opened by %v, want %v alone", openers, want)
	}
}

// alertsInSource reads the package: the constant of each type of alert, the
// functions (or, outside of one, the file) that use it beside the table, and the
// functions that open alerts. A type may be written as a constant only.
func alertsInSource(t *testing.T) (names map[satellite.AlertType]string, uses map[string][]string, openers []string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	names, uses = map[satellite.AlertType]string{}, map[string][]string{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range file.Decls {
			if constants(t, declaration, names) || isTable(declaration) {
				continue
			}
			user := name
			if function, ok := declaration.(*ast.FuncDecl); ok {
				user = function.Name.Name
			}
			ast.Inspect(declaration, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.Ident:
					if strings.HasPrefix(n.Name, "Alert") {
						uses[n.Name] = append(uses[n.Name], user)
					}
				case *ast.BasicLit:
					if text, err := strconv.Unquote(n.Value); err == nil && satellite.KindOfAlert(satellite.AlertType(text)).Title != "" {
						t.Errorf("%s writes the type of alert %s as text", user, text)
					}
				case *ast.CallExpr:
					if selector, ok := n.Fun.(*ast.SelectorExpr); ok && selector.Sel.Name == "OpenAlert" {
						openers = append(openers, user)
					}
					if called, ok := n.Fun.(*ast.Ident); ok && called.Name == "AlertType" {
						t.Errorf("%s makes a type of alert that is no constant", user)
					}
				}
				return true
			})
		}
	}
	slices.Sort(openers)
	return names, uses, openers
}

// constants notes the types of alerts that a declaration of constants names.
func constants(t *testing.T, declaration ast.Decl, names map[satellite.AlertType]string) bool {
	t.Helper()
	general, ok := declaration.(*ast.GenDecl)
	if !ok || general.Tok != token.CONST {
		return false
	}
	for _, spec := range general.Specs {
		value := spec.(*ast.ValueSpec)
		if kind, ok := value.Type.(*ast.Ident); !ok || kind.Name != "AlertType" {
			continue
		}
		text, err := strconv.Unquote(value.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		names[satellite.AlertType(text)] = value.Names[0].Name
	}
	return true
}

// isTable tells whether a declaration is the table of alerts itself.
func isTable(declaration ast.Decl) bool {
	general, ok := declaration.(*ast.GenDecl)
	if !ok || general.Tok != token.VAR {
		return false
	}
	return general.Specs[0].(*ast.ValueSpec).Names[0].Name == "AlertKinds"
}

func TestTheTableOfAlertsIsShownToWhoeverIsSignedIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	kinds, err := w.service.AlertKinds(w.viewer())
	if err != nil || !slices.Equal(kinds, satellite.AlertKinds) {
		t.Errorf("the table is %+v (%v)", kinds, err)
	}
	_, err = w.service.AlertKinds(satellite.Actor{})
	refused(t, err, satellite.KindUnauthenticated, "not-signed-in")
}
