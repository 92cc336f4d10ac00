package kit

import (
	"errors"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// contrast is the ratio of WCAG 2.2 between two colors such as #1a2029.
func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	luminance := func(color string) float64 {
		value, err := strconv.ParseUint(strings.TrimPrefix(color, "#"), 16, 32)
		if err != nil || len(color) != 7 {
			t.Fatalf("%q is not a color", color)
		}
		channel := func(c uint64) float64 {
			v := float64(c&0xff) / 255
			if v <= 0.04045 {
				return v / 12.92
			}
			return math.Pow((v+0.055)/1.055, 2.4)
		}
		return 0.2126*channel(value>>16) + 0.7152*channel(value>>8) + 0.0722*channel(value)
	}
	high, low := luminance(a), luminance(b)
	if high < low {
		high, low = low, high
	}
	return (high + 0.05) / (low + 0.05)
}

// void elements have no end tag.
var void = map[string]bool{"br": true, "hr": true, "img": true, "input": true, "link": true, "meta": true}

// references are attributes that name ids.
var references = []string{"for", "aria-describedby", "aria-labelledby", "aria-controls"}

var unresolved = regexp.MustCompile(`<no value>|ZgotmplZ|%!|(^|[\s">])kit\.[a-z]`)

// checkHTML fails the test unless text is well-formed HTML whose ids are
// unique and whose references lead somewhere, without inline style or script,
// where every control has a name and every button says what it does.
func checkHTML(t *testing.T, text string) {
	t.Helper()
	if found := unresolved.FindString(text); found != "" {
		t.Errorf("holds %q", found)
	}
	ids, wanted, open := map[string]bool{}, map[string]bool{}, []string{}
	tokens := html.NewTokenizer(strings.NewReader(text))
	for {
		kind := tokens.Next()
		token := tokens.Token()
		switch kind {
		case html.ErrorToken:
			if !errors.Is(tokens.Err(), io.EOF) {
				t.Fatal(tokens.Err())
			}
			for id := range wanted {
				if !ids[id] {
					t.Errorf("something refers to the id %s, which is not there", id)
				}
			}
			if len(open) > 0 {
				t.Errorf("never closed: %v", open)
			}
			return
		case html.EndTagToken:
			if len(open) == 0 || open[len(open)-1] != token.Data {
				t.Fatalf("</%s> closes %v", token.Data, open)
			}
			open = open[:len(open)-1]
		case html.StartTagToken, html.SelfClosingTagToken:
			if kind == html.StartTagToken && !void[token.Data] {
				open = append(open, token.Data)
			}
			checkElement(t, token, ids, wanted)
		}
	}
}

func checkElement(t *testing.T, token html.Token, ids, wanted map[string]bool) {
	t.Helper()
	attributes := map[string]string{}
	for _, a := range token.Attr {
		if _, twice := attributes[a.Key]; twice {
			t.Errorf("%s has %s twice", token, a.Key)
		}
		attributes[a.Key] = a.Val
		if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
			t.Errorf("%s needs a policy with unsafe-inline", token)
		}
		if (a.Key == "href" || a.Key == "src" || a.Key == "action") && strings.Contains(a.Val, "//") {
			t.Errorf("%s asks another host", token)
		}
	}
	if id, ok := attributes["id"]; ok {
		if ids[id] {
			t.Errorf("the id %s is there twice", id)
		}
		ids[id] = true
	}
	for _, name := range references {
		for _, id := range strings.Fields(attributes[name]) {
			wanted[id] = true
		}
	}
	switch {
	case token.Data == "style", token.Data == "script" && attributes["src"] == "":
		t.Errorf("%s is inline", token)
	case token.Data == "button" && attributes["type"] == "":
		t.Errorf("%s has no type", token)
	case token.Data == "img" && attributes["alt"] == "":
		t.Errorf("%s has no alternative text", token)
	}
}

func TestTheChecksOfThisPackageFindWhatIsWrong(t *testing.T) {
	t.Parallel()
	if ratio := contrast(t, "#000000", "#ffffff"); ratio < 20.9 || ratio > 21.1 {
		t.Errorf("black on white has a contrast of %.2f, not 21", ratio)
	}
	for _, text := range []string{"<p>kit.next</p>", `<a title="kit.next">`, "<p><no value></p>", "%!s(MISSING)"} {
		if !unresolved.MatchString(text) {
			t.Errorf("%q passes", text)
		}
	}
	if unresolved.MatchString(`<link href="/static/kit.1a2b3c4d.css">`) {
		t.Error("the address of an asset is taken for a word without a translation")
	}
}
