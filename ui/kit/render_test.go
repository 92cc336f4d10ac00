package kit

import (
	"bytes"
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
)

// samplePage is a full page in a language, as an app would fill it.
func samplePage(lang, theme string) Page {
	words := Words(lang)
	return Page{
		Lang: lang, Theme: theme, Title: "Overview",
		Brand:      Brand{Name: "Satellite", Version: "1.4.0", Host: "sat-01.example", ClockNote: "Clock trusted, 09:40 UTC"},
		Workspaces: []NavItem{{Label: "Licensing", URL: "/", Active: true}, {Label: "Administration", URL: "/admin"}},
		Nav: []NavItem{
			{Label: "Alerts", Icon: "bell", URL: "/alerts", Badge: "6", Kind: "bad"},
			{Label: "Inventory", Icon: "stack-2", URL: "/inventory", Children: []NavItem{{Label: "Lab <1>", URL: "/lab", Active: true}}},
		},
		Tools:     []NavItem{{Label: "Alerts", Icon: "bell", URL: "/alerts", Badge: "6"}, {Label: "Help", Icon: "help-circle", URL: "/help"}},
		Languages: []NavItem{{Label: "English", Lang: "en", URL: "?lang=en", Active: lang == "en"}, {Label: "日本語", Lang: "ja", URL: "?lang=ja", Active: lang == "ja"}},
		Account:   &AccountSwitch{Name: "Tsukishiro Telecom", Kind: "Standard account", Items: []NavItem{{Label: "Kobato", URL: "/a/2"}}},
		User:      &User{Name: "Mika Hayashi", Initials: "MH", Email: "m@example", Items: []NavItem{{Label: "Profile", Icon: "user", URL: "/me"}}, SignOutURL: "/sign-out"},
		SearchURL: "/search", SearchPlaceholder: "Search devices", Query: `"x"`,
		CSRF: "token-of-the-session", Flash: &Flash{Kind: "ok", Message: "Saved."},
		T: func(key string, args ...any) string {
			word, ok := words[key]
			if !ok {
				return key
			}
			if len(args) == 0 {
				return word
			}
			return fmt.Sprintf(word, args...)
		},
	}
}

// components show each component once, as a page calls it; .Data holds those
// that a handler makes.
var components = map[string]string{
	"badge":      `{{badge "ok" "Done"}}{{badge "idle" "Reserved" "bookmark"}}{{badge "outline" "Limited"}}`,
	"stat":       `<div class="stats">{{stat "Label" "Waiting" "Value" "3" "Note" "1 to carry" "Kind" "warn" "URL" "/w"}}</div>`,
	"facts":      `{{facts "Uses" 3 "State" .Data.Badge "Empty" nil}}`,
	"button":     `{{button "Word" "Start" "Icon" "plus" "Kind" "primary"}}{{button "Word" "Open" "URL" "/x" "Trail" "arrow-right"}}{{button "Word" "Apply" "Disabled" true "Why" "Upload the response first."}}{{button "Word" "Copy" "Copy" "abc"}}`,
	"heading":    `{{heading "Title" "Lab" "Note" "One device" "Path" .Data.Items "State" .Data.State "Actions" .Data.Buttons}}`,
	"cardheader": `<section class="card" aria-labelledby="accounts">{{cardheader "ID" "accounts" "Title" "Accounts" "Count" "5" "Links" .Data.Items}}</section>`,
	"toolbar":    `{{toolbar "ID" "lots" "URL" "/lots" "Placeholder" "Search lots" "Keep" .Data.Keep "Menus" .Data.Menus "Filters" .Data.Filters "Columns" .Data.Items "Exports" .Data.Items}}`,
	"pager":      `{{pager "Range" "1–50 of 618" "Note" "x" "Next" "?after=50"}}`,
	"empty":      `{{empty "Icon" "router" "Title" "No devices yet" "Message" "Type these lines." "Actions" .Data.Buttons}}`,
	"copyfield":  `{{copyfield "Label" "Token" "Note" "207 characters" "Value" "eyJ<&>"}}`,
	"code":       `{{code "Device#" "show license summary" "end"}}{{show .Data.Code}}`,
	"steps":      `{{steps 2 "Prepare" "Check" "Apply"}}`,
	"banner":     `{{banner "bad" "Refused. Nothing was changed."}}{{show .Data.Banner}}`,
	"confirm":    `{{confirm "URL" "/va/3/delete" "Name" "Lab" "Verb" "Delete Lab" "Message" "6 licenses go back." "CancelURL" "/va/3" "Error" "The name is another one."}}`,
	"field":      `{{field "Name" "email" "Label" "E-mail" "Type" "email" "Hint" "To sign in." "Error" "Taken." "Required" true}}{{field "Name" "va" "Label" "Account" "Type" "select" "Options" .Data.Options}}{{field "Name" "note" "Label" "Note" "Type" "textarea" "Optional" true}}{{field "Name" "agree" "Label" "I agree" "Type" "checkbox" "Checked" true}}`,
	"menu":       `{{menu "Label" "Actions for Lab" "Dots" true "Items" .Data.Items}}`,
	"tabs":       `{{tabs .Data.Items}}`,
	"segments":   `{{segments .Data.Items}}`,
	"bar":        `{{bar 90 "ok" 60 "bad" 3.5}}`,
}

var sampleData = map[string]any{
	"Badge":   Badge{Kind: "ok", Word: "Active"},
	"State":   &Badge{Kind: "warn", Word: "Ending soon"},
	"Items":   []NavItem{{Label: "One", URL: "/1", Icon: "file", Badge: "6", Active: true}, {Label: "Two", URL: "/2"}},
	"Buttons": []Button{{Word: "Add devices", Icon: "plus", Kind: "primary", URL: "/add"}, {Word: "All lines", CopyAll: "content"}},
	"Keep":    map[string]string{"sort": "name"},
	"Menus":   []Menu{{Label: "Lab", Icon: "filter", Items: []NavItem{{Label: "All", URL: "?"}}}},
	"Filters": []Filter{{Label: "State", URL: "?add=state"}, {Label: "Type", Value: "Term", URL: "?"}},
	"Code":    Code{Lines: []Line{{Prompt: "Device#", Text: "register idtoken ", Secret: "eyJ"}, {Text: "end"}}},
	"Banner":  &Banner{Kind: "info", Title: "Agreement 5.1", Message: "is waiting.", Actions: []Button{{Word: "Read", URL: "/a"}}},
	"Options": []Option{{Value: "1", Label: "Default"}, {Value: "2", Label: "Lab", Selected: true}},
}

func TestEveryComponentIsValidInBothLanguagesAndLayouts(t *testing.T) {
	t.Parallel()
	drawn, err := fs.Glob(kitTemplates, "templates/components/*.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range drawn {
		if name := strings.TrimSuffix(path.Base(file), ".html"); components[name] == "" {
			t.Errorf("the component %s is not shown by this test", name)
		}
	}
	pages := fstest.MapFS{}
	for name, body := range components {
		pages[name+".html"] = &fstest.MapFile{Data: []byte(`{{define "title"}}` + name + `{{end}}{{define "content"}}` + body + `{{end}}`)}
		pages[name+"-plain.html"] = &fstest.MapFile{Data: []byte(`{{define "plain"}}<h1>Sign in</h1>` + body + `{{end}}`)}
	}
	renderer, err := NewRenderer(pages, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name := range components {
		for _, lang := range []string{"en", "ja"} {
			for _, layout := range []string{"", "-plain"} {
				t.Run(name+layout+" "+lang, func(t *testing.T) {
					t.Parallel()
					page := samplePage(lang, "")
					page.Data = sampleData
					var out bytes.Buffer
					if err := renderer.Render(&out, name+layout, page); err != nil {
						t.Fatal(err)
					}
					checkHTML(t, out.String())
					if !strings.Contains(out.String(), `<html lang="`+lang+`" dir="ltr">`) {
						t.Error("the page does not say its language, or sets a theme that nobody chose")
					}
				})
			}
		}
	}
}

func TestThePromptIsShownAndNeverCopied(t *testing.T) {
	t.Parallel()
	block := Code{Lines: []Line{{Prompt: "Device(config)#", Text: "license smart transport smart"}, {Prompt: "Device#", Text: "register ", Secret: "eyJ"}}}
	if got := block.Copied(); got != "license smart transport smart\nregister eyJ" {
		t.Errorf("%q is copied", got)
	}
	text := render(t, `{{show .Data}}`, block)
	if !strings.Contains(text, `<span class="prompt">Device# </span>`) {
		t.Error("the prompt is not shown")
	}
}

func TestEveryFormThatPostsCarriesTheTokenAgainstForgery(t *testing.T) {
	t.Parallel()
	text := render(t, components["confirm"], nil)
	posts := strings.Count(text, `method="post"`)
	if tokens := strings.Count(text, `name="csrf" value="token-of-the-session"`); tokens != posts || posts < 3 {
		t.Errorf("%d forms post, %d carry the token", posts, tokens)
	}
}

func TestLanguagesAreLinksOrAFormThatPosts(t *testing.T) {
	t.Parallel()
	for address, wanted := range map[string]string{"": `href="?lang=ja" lang="ja"`, "/preferences/language": `<button type="submit" name="language" value="ja" lang="ja"`} {
		page := samplePage("en", "")
		page.LanguageURL = address
		var out bytes.Buffer
		if err := newRenderer(t, "").Render(&out, "a", page); err != nil {
			t.Fatal(err)
		}
		checkHTML(t, out.String())
		if !strings.Contains(out.String(), wanted) || strings.Contains(out.String(), `action="/preferences/language" method="post"><input type="hidden" name="csrf"`) != (address != "") {
			t.Errorf("with %q the menu is not %s", address, wanted)
		}
	}
}

func TestABarShowsEveryPartThatIsNotZero(t *testing.T) {
	t.Parallel()
	stripes := Bar{Parts: []Part{{"ok", 999_999}, {"bad", 1}, {"warn", 0}}}.Stripes()
	if len(stripes) != 2 || stripes[1].Kind != "bad" || stripes[1].Width < 1 {
		t.Errorf("a million parts are drawn as %v", stripes)
	}
	if rest := (Bar{Total: 90, Parts: []Part{{"warn", 45}}}).Stripes(); len(rest) != 2 || rest[1].Kind != "rest" || rest[1].X != 50 {
		t.Errorf("half of a bar is drawn as %v", rest)
	}
	if none := (Bar{}).Stripes(); len(none) != 1 || none[0].Kind != "rest" {
		t.Errorf("an empty bar is drawn as %v", none)
	}
}

func TestAMistakeInAPageIsFoundWhenTheRendererIsMade(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ page, message string }{
		"syntax":                {`{{define "content"}}{{if}}{{end}}`, "missing value for if"},
		"unknown function":      {`{{define "content"}}{{nope}}{{end}}`, `function "nope" not defined`},
		"no block":              {`<p>hello</p>`, "must define one of the blocks"},
		"two layouts":           {`{{define "content"}}{{end}}{{define "plain"}}{{end}}`, "must define one of the blocks"},
		"cannot be escaped":     {`{{define "content"}}<a {{if .Data}}href="{{end}}>{{end}}`, "branches end in different contexts"},
		"a block that is gone":  {`{{define "content"}}{{template "gone" .}}{{end}}`, `"gone"`},
		"a taken function name": {`{{define "content"}}{{badge "ok" "x"}}{{end}}`, "call the app's by another name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var funcs template.FuncMap
			if name == "a taken function name" {
				funcs = template.FuncMap{"badge": func() string { return "" }}
			}
			_, err := NewRenderer(fstest.MapFS{"a.html": {Data: []byte(c.page)}}, funcs)
			if err == nil || !strings.Contains(err.Error(), c.message) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAnErrorWhileDrawingWritesNothing(t *testing.T) {
	t.Parallel()
	renderer := newRenderer(t, `<p>before</p>{{button "Color" "red"}}`)
	var out bytes.Buffer
	err := renderer.Render(&out, "a", samplePage("en", ""))
	if err == nil || !strings.Contains(err.Error(), "Button has no field Color") || out.Len() > 0 {
		t.Errorf("wrote %d bytes, %v", out.Len(), err)
	}
	if err := renderer.Render(&out, "b", Page{}); err == nil || out.Len() > 0 {
		t.Errorf("a page that is not there wrote %d bytes, %v", out.Len(), err)
	}
}

func TestABlockIsDrawnWithoutTheLayout(t *testing.T) {
	t.Parallel()
	pages := fstest.MapFS{
		"_shared.html": {Data: []byte(`{{define "row"}}<li>{{.}}</li>{{end}}`)},
		"a.html":       {Data: []byte(`{{define "content"}}{{template "list" .}}{{end}}{{define "list"}}<ul>{{range .Data}}{{template "row" .}}{{end}}</ul>{{end}}`)},
	}
	renderer, err := NewRenderer(pages, nil)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	page := Page{Data: []string{"a", "<b>"}}
	if err := renderer.RenderBlock(&out, "a", "list", page); err != nil || out.String() != "<ul><li>a</li><li>&lt;b&gt;</li></ul>" {
		t.Errorf("drew %q, %v", out.String(), err)
	}
	for _, block := range []string{"", "gone"} {
		if err := renderer.RenderBlock(&out, "a", block, page); err == nil {
			t.Errorf("the block %q was drawn", block)
		}
	}
}

func TestRequestsAtOnceNeverSeeEachOthersLanguageOrToken(t *testing.T) {
	t.Parallel()
	renderer := newRenderer(t, components["pager"]+`<form method="post">{{csrf}}</form>`)
	var group sync.WaitGroup
	for i := range 64 {
		group.Go(func() {
			lang, other := "en", "前へ"
			if i%2 == 1 {
				lang, other = "ja", "Previous"
			}
			page := samplePage(lang, "dark")
			page.CSRF = fmt.Sprintf("token-%d", i)
			var out bytes.Buffer
			if err := renderer.Render(&out, "a", page); err != nil {
				t.Error(err)
				return
			}
			tokens := regexp.MustCompile(`token-\d+`).FindAllString(out.String(), -1)
			for _, token := range tokens {
				if token != page.CSRF {
					t.Errorf("%s got %s", page.CSRF, token)
				}
			}
			if strings.Contains(out.String(), other) || !strings.Contains(out.String(), Words(lang)["kit.previous"]) {
				t.Errorf("a page in %s has words of the other language", lang)
			}
			if len(tokens) < 5 || !strings.Contains(out.String(), `data-bs-theme="dark"`) {
				t.Error("the page lacks its token or theme")
			}
		})
	}
	group.Wait()
}

func newRenderer(t *testing.T, content string) *Renderer {
	t.Helper()
	renderer, err := NewRenderer(fstest.MapFS{"a.html": {Data: []byte(`{{define "content"}}` + content + `{{end}}`)}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return renderer
}

func render(t *testing.T, content string, data any) string {
	t.Helper()
	page := samplePage("en", "")
	page.Data = data
	var out bytes.Buffer
	if err := newRenderer(t, content).Render(&out, "a", page); err != nil {
		t.Fatal(err)
	}
	checkHTML(t, out.String())
	return out.String()
}

func BenchmarkRender(b *testing.B) {
	var body strings.Builder
	for _, name := range slices.Sorted(maps.Keys(components)) {
		body.WriteString(components[name])
	}
	renderer, err := NewRenderer(fstest.MapFS{"a.html": {Data: []byte(`{{define "content"}}` + body.String() + `{{end}}`)}}, nil)
	if err != nil {
		b.Fatal(err)
	}
	page := samplePage("en", "")
	page.Data = sampleData
	var out bytes.Buffer
	for b.Loop() {
		out.Reset()
		if err := renderer.Render(&out, "a", page); err != nil {
			b.Fatal(err)
		}
	}
}
