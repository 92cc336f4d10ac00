package ui

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ssm/satellite"
)

// derived are beginnings of keys that the program completes by a value, and the
// values that there are.
var derived = map[string][]string{
	"authorization.":  {"authorized", "authorized - reserved", "out of compliance", "authorization expired", "no licenses in use"},
	"registration.":   {"registered", "unregistered", "registration expired"},
	"account.type.":   {"standard", "limited"},
	"account.status.": {"pending", "active", "inactive"},
	"license.type.":   {"perpetual", "subscription", "evaluation"},
	"license.":        {"enforced", "export-controlled"},
	"severity.":       {"major", "minor", "informational"},
	"token.":          {"active", "expired", "exhausted", "revoked"},
	"sync.scope.":     {"registration", "standard", "full"},
	"sync.stat.":      {"waiting.note", "unregistered.note", "roots.note"},
	"record.":         {"device", "usage", "token", "report", "device.fields", "usage.fields", "token.fields", "report.fields"},
	"error.title.":    {"missing", "forbidden", "internal", "refused"},

	"client.role.": {
		"system-admin", "system-operator", "system-user", "account-admin", "account-user", "account-viewer", "virtual-account-admin", "virtual-account-user", "virtual-account-viewer",
		"system-admin.note", "system-operator.note", "system-user.note", "account-admin.note", "account-user.note", "account-viewer.note",
		"virtual-account-admin.note", "virtual-account-user.note", "virtual-account-viewer.note",
	},
	"client.overlap.": {"day.note", "hour.note", "week.note", "none.note"},

	"wizard.leaves.note.": {"registration", "standard", "full"},
}

// deviceCodes are those of problems that only a device is told.
var deviceCodes = []string{
	"already-registered", "certificate-expired", "certificate-not-accepted", "certificate-request-invalid", "certificate-revoked", "clock-skew",
	"message-malformed", "message-too-large", "not-registered", "registration-contended", "registration-ended", "signature-invalid", "software-tag-missing",
	"token-expired", "token-exhausted", "token-foreign", "token-invalid", "token-revoked", "unknown-request-type", "unknown-version",
	"force-not-allowed", "high-availability-invalid",
}

func readCatalog(t *testing.T, language string) map[string]string {
	t.Helper()
	text, err := localeFiles.ReadFile("locales/" + language + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var raw map[string]any
	if err := json.Unmarshal(text, &raw); err != nil {
		t.Fatal(err)
	}
	catalog := map[string]string{}
	for key, value := range raw {
		switch v := value.(type) {
		case string:
			catalog[key] = v
		case map[string]any:
			for _, form := range []string{"one", "other"} {
				if one, ok := v[form].(string); ok {
					catalog[key] += one + "\n"
				} else {
					t.Errorf("%s in %s has no plural form %q", key, language, form)
				}
			}
		}
	}
	return catalog
}

// sources are the texts of all templates and of all Go files but tests.
func sources(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, pattern := range []string{"*.go", "templates/*.html"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(file, "_test.go") {
				found[file] = string(text)
			}
		}
	}
	return found
}

func TestBothLanguagesHaveEveryTextWithTheSameValues(t *testing.T) {
	t.Parallel()
	en, ja := readCatalog(t, "en"), readCatalog(t, "ja")
	values := regexp.MustCompile(`\{\{\.(\w+)\}\}`)
	names := func(text string) []string {
		var list []string
		for _, found := range values.FindAllStringSubmatch(text, -1) {
			list = append(list, found[1])
		}
		slices.Sort(list)
		return slices.Compact(list)
	}
	kana := regexp.MustCompile(`[\p{Hiragana}\p{Katakana}\p{Han}]`)
	same := []string{"UUID", "TOKEN", "TAG", "{{.From}}–{{.To}}", "{{.Name}}, {{.Who}}, {{.Date}}"}
	for key, text := range en {
		other, ok := ja[key]
		if !ok {
			t.Errorf("%s is missing in Japanese", key)
			continue
		}
		wanted, got := names(text), names(other)
		for _, name := range got {
			if !slices.Contains(wanted, name) {
				t.Errorf("%s takes %v in English and %v in Japanese", key, wanted, got)
			}
		}
		for _, name := range wanted {
			// Count may only choose the plural, which Japanese has none of.
			if !slices.Contains(got, name) && name != "Count" {
				t.Errorf("%s says %s in English only", key, name)
			}
		}
		if !kana.MatchString(other) && !slices.Contains(same, text) && strings.Trim(values.ReplaceAllString(other, ""), " 、（）/～:0") != "" {
			t.Errorf("%s is not Japanese: %s", key, other)
		}
		if strings.ContainsAny(text, "!") || strings.Contains(strings.ToLower(text), "please") || kana.MatchString(text) {
			t.Errorf("%s is not written in the console's English: %s", key, text)
		}
		if strings.Contains(other, "あなた") || strings.Contains(other, "サーバー") || strings.Contains(other, "ユーザー") {
			t.Errorf("%s is not written in the console's Japanese: %s", key, other)
		}
	}
	for key := range ja {
		if _, ok := en[key]; !ok && !strings.HasPrefix(key, "problem.") {
			t.Errorf("%s is missing in English", key)
		}
	}
}

func TestEveryCatalogIsInOrderAndSaysEachTextOnce(t *testing.T) {
	t.Parallel()
	line := regexp.MustCompile(`(?m)^  "([^"]+)": `)
	for _, language := range []string{"en", "ja"} {
		text, err := localeFiles.ReadFile("locales/" + language + ".json")
		if err != nil {
			t.Fatal(err)
		}
		before := ""
		for _, found := range line.FindAllSubmatch(text, -1) {
			if key := string(found[1]); key <= before {
				t.Errorf("in %s, %s stands behind %s", language, key, before)
			} else {
				before = key
			}
		}
	}
}

func TestEveryTextThatIsSaidExistsAndEveryTextIsSaid(t *testing.T) {
	t.Parallel()
	en := readCatalog(t, "en")
	said := regexp.MustCompile(`\bt\(?\s?\(?"([a-z]+(?:\.[a-z -]+)*)"|"([a-z]+(?:\.[a-z -]+)+)"`)
	used := map[string]bool{}
	for file, text := range sources(t) {
		for _, match := range said.FindAllStringSubmatch(text, -1) {
			key := match[1] + match[2]
			if _, known := en[key]; !known && match[1] != "" && !strings.HasPrefix(key, "kit.") {
				t.Errorf("%s says %s, which is in no catalog", file, key)
			}
			used[key] = true
		}
	}
	for prefix, ends := range derived {
		for _, end := range ends {
			if _, known := en[prefix+end]; !known {
				t.Errorf("%s%s is in no catalog", prefix, end)
			}
			used[prefix+end] = true
		}
	}
	events, err := os.ReadFile("../satellite/event.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile(`EventType = "([^"]+)"`).FindAllStringSubmatch(string(events), -1) {
		key := "event." + match[1]
		if _, known := en[key]; !known {
			t.Errorf("%s is in no catalog", key)
		}
		used[key] = true
	}
	for _, kind := range satellite.AlertKinds {
		key := "alert." + string(kind.Type)
		if _, known := en[key]; !known {
			t.Errorf("%s is in no catalog", key)
		}
		used[key] = true
	}
	for key := range en {
		if !used[key] && !strings.HasPrefix(key, "next.") {
			t.Errorf("nothing says %s", key)
		}
	}
}

func TestEveryRefusalOfTheServiceCanBeToldInJapanese(t *testing.T) {
	t.Parallel()
	ja := readCatalog(t, "ja")
	code := regexp.MustCompile(`(?:fail\(Kind\w+, |Code: )"([a-z-]+)"`)
	for _, folder := range []string{"../satellite", "../satellite/auth", "."} {
		err := fs.WalkDir(os.DirFS(folder), ".", func(file string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() && file != "." {
				return fs.SkipDir
			}
			if entry.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
				return nil
			}
			text, err := fs.ReadFile(os.DirFS(folder), file)
			for _, match := range code.FindAllStringSubmatch(string(text), -1) {
				if _, ok := ja["problem."+match[1]]; !ok && !slices.Contains(deviceCodes, match[1]) && match[1] != "sign-in-throttled" {
					t.Errorf("%s/%s refuses with %s, for which there is no Japanese", folder, file, match[1])
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestTemplatesHoldNoTextOfTheirOwn(t *testing.T) {
	t.Parallel()
	action := regexp.MustCompile(`(?s)\{\{.*?\}\}`)
	markup := regexp.MustCompile(`(?s)<[^>]*>`)
	shown := regexp.MustCompile(`(?:aria-label|placeholder|title|alt)="[^"{]*[A-Za-z][^"{]*"`)
	word := regexp.MustCompile(`[A-Za-z]{2,}|[\p{Hiragana}\p{Katakana}\p{Han}]`)
	inline := regexp.MustCompile(`\sstyle=|\son[a-z]+=|<style|<script(\s*>|[^>]*>[^<])|#[0-9a-fA-F]{3,8}\b`)
	for file, text := range sources(t) {
		if !strings.HasSuffix(file, ".html") {
			continue
		}
		plain := action.ReplaceAllString(text, "")
		if found := shown.FindString(plain); found != "" {
			t.Errorf("%s says %s outside the catalogs", file, found)
		}
		if found := word.FindString(markup.ReplaceAllString(plain, " ")); found != "" {
			t.Errorf("%s says %q outside the catalogs", file, found)
		}
		if found := inline.FindString(plain); found != "" {
			t.Errorf("%s holds %q", file, found)
		}
	}
}
