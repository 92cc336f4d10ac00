package kit

import (
	"io/fs"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestEveryLanguageHasTheSameWords(t *testing.T) {
	t.Parallel()
	verbs := regexp.MustCompile(`%[a-z]`)
	en, ja := Words("en"), Words("ja")
	if !slices.Equal(slices.Sorted(maps.Keys(en)), slices.Sorted(maps.Keys(ja))) {
		t.Error("a word is missing in one of the languages")
	}
	for key, word := range en {
		if !strings.HasPrefix(key, "kit.") || word == "" || ja[key] == "" {
			t.Errorf("the word %s is empty or has a key that an app may use", key)
		}
		if a, b := verbs.FindAllString(word, -1), verbs.FindAllString(ja[key], -1); !slices.Equal(a, b) {
			t.Errorf("%s takes %v in English and %v in Japanese", key, a, b)
		}
	}
}

func TestTemplatesHoldNoColorsStylesOrScriptsAndKnowTheirIconsAndWords(t *testing.T) {
	t.Parallel()
	forbidden := regexp.MustCompile(`#[0-9a-fA-F]{3,8}\b|rgba?\(|hsl|\sstyle=|\son[a-z]+=|<style|<script(\s*>|[^>]*>[^<])`)
	named := regexp.MustCompile(`icon "([^"]+)"`)
	word := regexp.MustCompile(`\bt \(?(?:print )?"(kit\.[a-z.]+)"`)
	used := map[string]bool{}
	err := fs.WalkDir(kitTemplates, "templates", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(kitTemplates, file)
		if found := forbidden.Find(text); found != nil {
			t.Errorf("%s holds %q", file, found)
		}
		for _, match := range named.FindAllSubmatch(text, -1) {
			if _, err := Icon(string(match[1])); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
		for _, match := range word.FindAllSubmatch(text, -1) {
			used[string(match[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for key := range used {
		if english[key] == "" && key != "kit.alert." { // completed by the kind
			t.Errorf("a template says %s, which has no word", key)
		}
	}
	for key := range english {
		if !used[key] && !strings.HasPrefix(key, "kit.alert.") && key != "kit.qr" {
			t.Errorf("no template says %s", key)
		}
	}
	for kind, name := range signs {
		if _, err := Icon(name); err != nil {
			t.Errorf("the kind %s: %v", kind, err)
		}
	}
}

func TestEveryIconIsOnTheListThatFetchesThem(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile("static/fetch.sh")
	if err != nil {
		t.Fatal(err)
	}
	listed := strings.Fields(string(script))
	for name, drawing := range icons() {
		if !slices.Contains(listed, name) {
			t.Errorf("the icon %s would be lost when the assets are fetched again", name)
		}
		if !strings.Contains(string(drawing), "<path") || strings.Contains(string(drawing), "xmlns") {
			t.Errorf("the icon %s is drawn as %s", name, drawing)
		}
	}
	if _, err := Icon("gone"); err == nil {
		t.Error("an icon that is not there was drawn")
	}
}

func TestAQRCodeHasItsQuietZoneAndItsName(t *testing.T) {
	t.Parallel()
	drawing, err := QR("eyJ.token", `A "name"`)
	if err != nil {
		t.Fatal(err)
	}
	text := string(drawing)
	checkHTML(t, text)
	// 9 bytes at level M are version 1: 21 modules and 4 of white on each side.
	if !strings.Contains(text, `viewBox="0 0 29 29"`) || !strings.Contains(text, `d="M4 4h7v1h-7z`) ||
		!strings.Contains(text, `role="img" aria-label="A &#34;name&#34;"`) {
		t.Errorf("drawn as %.200s", text)
	}
	for _, wrong := range []string{"", strings.Repeat("x", maxQRText+1)} {
		if _, err := QR(wrong, "x"); err == nil {
			t.Errorf("a text of %d bytes was drawn", len(wrong))
		}
	}
}

func TestThePolicyAllowsNothingInline(t *testing.T) {
	t.Parallel()
	header := http.Header{}
	SecurityHeaders(header)
	policy := header.Get("Content-Security-Policy")
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") || strings.Contains(policy, "*") ||
		!strings.HasPrefix(policy, "default-src 'none';") || !strings.Contains(policy, "frame-ancestors 'none'") {
		t.Errorf("the policy is %s", policy)
	}
}
