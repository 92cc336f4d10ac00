package kit

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestEveryVendoredFolderHoldsItsLicense(t *testing.T) {
	t.Parallel()
	err := fs.WalkDir(embedded, "static", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() || name == "static" || name == "static/kit" { // ours
			return err
		}
		license, err := fs.ReadFile(embedded, path.Join(name, "LICENSE.txt"))
		if err != nil || len(license) < 500 {
			t.Errorf("%s has no license text beside it: %d bytes, %v", name, len(license), err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAnAddressChangesWithTheContentOfTheAssetAndOfWhatItNames(t *testing.T) {
	t.Parallel()
	build := func(script, font string) map[string]*asset {
		t.Helper()
		built, err := newAssets(fstest.MapFS{
			"kit.js":         {Data: []byte(script)},
			"inter/a.woff2":  {Data: []byte(font)},
			"kit/10-one.css": {Data: []byte(`@font-face{src:url("inter/a.woff2")}`)},
			"kit/20-two.css": {Data: []byte(`b{background:url("data:image/png;base64,AA==")}`)},
			"fetch.sh":       {Data: []byte("#!/bin/sh")},
		})
		if err != nil {
			t.Fatal(err)
		}
		return built.byName
	}
	first, same := build("a()", "font"), build("a()", "font")
	if names := slices.Sorted(maps.Keys(first)); !slices.Equal(names, []string{"inter/a.woff2", "kit.css", "kit.js"}) {
		t.Fatalf("the assets are %v", names)
	}
	for name, a := range first {
		if a.address != same[name].address {
			t.Errorf("%s has two addresses for one content: %s, %s", name, a.address, same[name].address)
		}
	}
	otherScript, otherFont := build("b()", "font"), build("a()", "other font")
	if first["kit.js"].address == otherScript["kit.js"].address {
		t.Error("the address of kit.js did not change with its content")
	}
	if first["kit.css"].address != otherScript["kit.css"].address {
		t.Error("the address of kit.css changed although nothing in it did")
	}
	if first["kit.css"].address == otherFont["kit.css"].address {
		t.Error("the address of kit.css did not change with the font that it names")
	}
	if sheet := string(first["kit.css"].plain); !strings.Contains(sheet, first["inter/a.woff2"].address) ||
		!strings.Contains(sheet, "data:image/png") {
		t.Errorf("kit.css is %s", sheet)
	}
}

func TestAStyleSheetThatNamesAMissingAssetIsRefused(t *testing.T) {
	t.Parallel()
	_, err := newAssets(fstest.MapFS{"kit/1.css": {Data: []byte(`a{background:url("gone.svg")}`)}})
	if err == nil || !strings.Contains(err.Error(), "gone.svg") {
		t.Errorf("got %v", err)
	}
}

func TestAssetsAreServedCompressedAndForEver(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]string{
		"kit.css":                 "text/css; charset=utf-8",
		"kit.js":                  "text/javascript; charset=utf-8",
		"favicon.svg":             "image/svg+xml",
		"tabler/tabler.min.css":   "text/css; charset=utf-8",
		"htmx/htmx.min.js":        "text/javascript; charset=utf-8",
		"htmx/LICENSE.txt":        "text/plain; charset=utf-8",
		"inter/inter-latin.woff2": "font/woff2",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plain := get(http.MethodGet, Asset(name), "")
			packed := get(http.MethodGet, Asset(name), "br, gzip;q=0.8")
			for _, answer := range []*httptest.ResponseRecorder{plain, packed} {
				header := answer.Header()
				if answer.Code != http.StatusOK || header.Get("Content-Type") != kind ||
					header.Get("Cache-Control") != "public, max-age=31536000, immutable" ||
					header.Get("X-Content-Type-Options") != "nosniff" {
					t.Errorf("answered %d with %v", answer.Code, header)
				}
			}
			if plain.Header().Get("Content-Encoding") != "" {
				t.Error("was compressed for a client that did not ask for it")
			}
			if path.Ext(name) == ".woff2" {
				if packed.Header().Get("Content-Encoding") != "" {
					t.Error("a font that is compressed already was compressed again")
				}
				return
			}
			if packed.Header().Get("Content-Encoding") != "gzip" || packed.Header().Get("Vary") != "Accept-Encoding" {
				t.Fatalf("not compressed: %v", packed.Header())
			}
			reader, err := gzip.NewReader(packed.Body)
			if err != nil {
				t.Fatal(err)
			}
			unpacked, err := io.ReadAll(reader)
			if err != nil || !bytes.Equal(unpacked, plain.Body.Bytes()) {
				t.Errorf("the compressed variant is another content: %v", err)
			}
		})
	}
}

func TestOnlyExactAddressesAndReadsAreAnswered(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, method, address, accept string
		status                        int
		encoding                      string
	}{
		{"a name without its hash", http.MethodGet, "/static/kit.css", "", http.StatusNotFound, ""},
		{"another hash", http.MethodGet, "/static/kit.00000000.css", "", http.StatusNotFound, ""},
		{"the script that fetches the assets", http.MethodGet, "/static/fetch.sh", "", http.StatusNotFound, ""},
		{"a path upwards", http.MethodGet, "/static/../doc.go", "", http.StatusNotFound, ""},
		{"a write", http.MethodPost, Asset("kit.css"), "", http.StatusMethodNotAllowed, ""},
		{"a client that refuses gzip", http.MethodGet, Asset("kit.css"), "gzip;q=0, br", http.StatusOK, ""},
		{"a client that takes anything", http.MethodGet, Asset("kit.css"), "*", http.StatusOK, "gzip"},
		{"a client with a spaced quality", http.MethodGet, Asset("kit.css"), "deflate, GZIP ; q=1.0", http.StatusOK, "gzip"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			answer := get(c.method, c.address, c.accept)
			if answer.Code != c.status || answer.Header().Get("Content-Encoding") != c.encoding {
				t.Errorf("answered %d, encoding %q; want %d, %q",
					answer.Code, answer.Header().Get("Content-Encoding"), c.status, c.encoding)
			}
		})
	}
	if head := get(http.MethodHead, Asset("kit.css"), "gzip"); head.Code != http.StatusOK || head.Body.Len() != 0 {
		t.Errorf("HEAD answered %d with %d bytes", head.Code, head.Body.Len())
	}
}

func get(method, address, accept string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(method, address, nil)
	if accept != "" {
		request.Header.Set("Accept-Encoding", accept)
	}
	answer := httptest.NewRecorder()
	Handler().ServeHTTP(answer, request)
	return answer
}

func TestStyleSheetsAskNoOtherHost(t *testing.T) {
	t.Parallel()
	addresses := regexp.MustCompile(`(?i)(?:url\(\s*|@import\s+)["']?([^"')\s;]+)`)
	for name, a := range served().byName {
		if path.Ext(name) != ".css" {
			continue
		}
		for _, found := range addresses.FindAllStringSubmatch(string(a.plain), -1) {
			target := found[1]
			if strings.HasPrefix(target, "url(") || strings.HasPrefix(target, "data:") || strings.HasPrefix(target, "#") {
				continue
			}
			if served().byAddress[target] == nil {
				t.Errorf("%s refers to %s, which is not an asset", name, target)
			}
		}
	}
}

func TestBothWaysToTheDarkThemeSetTheSameTokens(t *testing.T) {
	t.Parallel()
	sheet, err := fs.ReadFile(embedded, "static/kit/10-tokens.css")
	if err != nil {
		t.Fatal(err)
	}
	tokens := func(start string) map[string]string {
		t.Helper()
		_, block, found := strings.Cut(string(sheet), start)
		if !found {
			t.Fatalf("there is no block %s", start)
		}
		block, _, _ = strings.Cut(block, "}")
		set := map[string]string{}
		for _, line := range strings.Split(block, ";") {
			if name, value, found := strings.Cut(line, ":"); found {
				set[strings.TrimSpace(name)] = strings.TrimSpace(value)
			}
		}
		return set
	}
	light := tokens("\n:root {")
	chosen := tokens("\n[data-bs-theme=\"dark\"] {")
	system := tokens("  :root:not([data-bs-theme]) {")
	if !maps.Equal(chosen, system) {
		t.Errorf("the person's dark theme and the system's differ:\n%v\n%v", chosen, system)
	}
	if !slices.Equal(slices.Sorted(maps.Keys(light)), slices.Sorted(maps.Keys(chosen))) {
		t.Error("a token is missing in one of the themes")
	}
	for _, pair := range [][2]string{
		{"--ink", "--surface"}, {"--ink-2", "--surface"}, {"--muted", "--bg"}, {"--muted", "--sunken"},
		{"--accent-ink", "--surface"}, {"--accent-ink", "--accent-soft"}, {"--on-accent", "--accent"},
		{"--on-accent", "--accent-hover"}, {"--on-bad", "--bad"}, {"--muted", "--code"}, {"--muted", "--sidebar"},
		{"--ok", "--ok-soft"}, {"--warn", "--warn-soft"}, {"--bad", "--bad-soft"}, {"--idle", "--idle-soft"},
	} {
		for theme, set := range map[string]map[string]string{"light": light, "dark": chosen} {
			if ratio := contrast(t, set[pair[0]], set[pair[1]]); ratio < 4.5 {
				t.Errorf("%s on %s has a contrast of %.2f in the %s theme, less than 4.5", pair[0], pair[1], ratio, theme)
			}
		}
	}
}
