package kit

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"reflect"
	"strings"
)

// componentTemplates maps the type of a component to its template.
var componentTemplates = map[reflect.Type]string{
	reflect.TypeFor[Badge]():      "badge",
	reflect.TypeFor[Stat]():       "stat",
	reflect.TypeFor[Facts]():      "facts",
	reflect.TypeFor[Button]():     "button",
	reflect.TypeFor[Heading]():    "heading",
	reflect.TypeFor[CardHeader](): "cardheader",
	reflect.TypeFor[Toolbar]():    "toolbar",
	reflect.TypeFor[Pager]():      "pager",
	reflect.TypeFor[Empty]():      "empty",
	reflect.TypeFor[CopyField]():  "copyfield",
	reflect.TypeFor[Code]():       "code",
	reflect.TypeFor[Steps]():      "steps",
	reflect.TypeFor[Banner]():     "banner",
	reflect.TypeFor[Confirm]():    "confirm",
	reflect.TypeFor[Field]():      "field",
	reflect.TypeFor[Menu]():       "menu",
	reflect.TypeFor[Tabs]():       "tabs",
	reflect.TypeFor[Segments]():   "segments",
	reflect.TypeFor[Bar]():        "bar",
}

// functions are what layouts, components and pages may call. Those that
// depend on the page being rendered ask s for it.
func (s *set) functions() template.FuncMap {
	return template.FuncMap{
		"asset": assetAddress,
		"icon":  Icon,
		"t":     s.translate,
		"lang":  func() string { return s.page.Lang },
		"csrf":  s.csrf,
		"qr":    func(text string) (template.HTML, error) { return QR(text, s.translate("kit.qr")) },
		"next":  func(i int) int { return i + 1 },
		"show":  s.show,
		"named": func(pairs ...any) (map[string]any, error) { return named(pairs) },

		// Components of few words take them in order.
		"badge": func(kind, word string, icon ...string) (template.HTML, error) {
			return s.show(Badge{Kind: kind, Word: word, Icon: strings.Join(icon, "")})
		},
		"banner": func(kind, message string) (template.HTML, error) {
			return s.show(Banner{Kind: kind, Message: message})
		},
		"steps": func(current int, words ...string) (template.HTML, error) {
			return s.show(Steps{Current: current, Words: words})
		},
		"code":     s.code,
		"facts":    s.facts,
		"bar":      s.bar,
		"tabs":     func(items []NavItem) (template.HTML, error) { return s.show(Tabs(items)) },
		"segments": func(items []NavItem) (template.HTML, error) { return s.show(Segments(items)) },

		// The others take the fields of their struct by name.
		"stat":       component[Stat](s),
		"button":     component[Button](s),
		"heading":    component[Heading](s),
		"cardheader": component[CardHeader](s),
		"toolbar":    component[Toolbar](s),
		"pager":      component[Pager](s),
		"empty":      component[Empty](s),
		"copyfield":  component[CopyField](s),
		"confirm":    component[Confirm](s),
		"field":      component[Field](s),
		"menu":       component[Menu](s),
	}
}

// show draws a component by its type; a nil pointer draws nothing.
func (s *set) show(value any) (template.HTML, error) {
	v := reflect.ValueOf(value)
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return "", nil
		}
		v = v.Elem()
	}
	if !v.IsValid() {
		return "", nil
	}
	name, ok := componentTemplates[v.Type()]
	if !ok {
		return "", fmt.Errorf("%s is not a component", v.Type())
	}
	var out bytes.Buffer
	if err := s.templates.ExecuteTemplate(&out, "components/"+name+".html", v.Interface()); err != nil {
		return "", err
	}
	return template.HTML(strings.TrimSpace(out.String())), nil
}

// component makes the function of a component whose fields are given by name:
// {{button "Word" "Start" "Kind" "primary"}}. A field that the component does
// not have is an error, not a gap in the page.
func component[C any](s *set) func(pairs ...any) (template.HTML, error) {
	return func(pairs ...any) (template.HTML, error) {
		values, err := named(pairs)
		if err != nil {
			return "", err
		}
		var filled C
		fields := reflect.ValueOf(&filled).Elem()
		for name, value := range values {
			field := fields.FieldByName(name)
			if !field.IsValid() {
				return "", fmt.Errorf("%s has no field %s", fields.Type().Name(), name)
			}
			if value == nil {
				continue
			}
			given := reflect.ValueOf(value)
			switch {
			case given.Type().AssignableTo(field.Type()):
				field.Set(given)
			case given.Kind() == field.Kind() && given.CanConvert(field.Type()):
				field.Set(given.Convert(field.Type())) // a string type of the app
			default:
				return "", fmt.Errorf("%s.%s takes %s, not %s", fields.Type().Name(), name, field.Type(), given.Type())
			}
		}
		return s.show(filled)
	}
}

// named turns "Name", value pairs into a map, also for templates of the app
// that take more than one value.
func named(pairs []any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, errors.New("names and values come in pairs")
	}
	values := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("a name is a string, not %T", pairs[i])
		}
		if _, twice := values[name]; twice {
			return nil, fmt.Errorf("%s is given twice", name)
		}
		values[name] = pairs[i+1]
	}
	return values, nil
}

// code draws lines to type that all stand after the same prompt.
func (s *set) code(prompt string, lines ...string) (template.HTML, error) {
	block := Code{}
	for _, text := range lines {
		block.Lines = append(block.Lines, Line{Prompt: prompt, Text: text})
	}
	return s.show(block)
}

// facts draws a definition list of "Term", value pairs; a Badge as value
// becomes the state of its row.
func (s *set) facts(pairs ...any) (template.HTML, error) {
	if len(pairs)%2 != 0 {
		return "", errors.New("terms and values come in pairs")
	}
	var rows Facts
	for i := 0; i < len(pairs); i += 2 {
		fact := Fact{Term: fmt.Sprint(pairs[i])}
		switch value := pairs[i+1].(type) {
		case nil:
		case Badge:
			fact.State = &value
		default:
			fact.Value = fmt.Sprint(value)
		}
		rows = append(rows, fact)
	}
	return s.show(rows)
}

// bar draws shares of a total, given as "kind", number pairs.
func (s *set) bar(total any, pairs ...any) (template.HTML, error) {
	if len(pairs)%2 != 0 {
		return "", errors.New("kinds and numbers come in pairs")
	}
	whole, err := number(total)
	if err != nil {
		return "", err
	}
	drawn := Bar{Total: whole}
	for i := 0; i < len(pairs); i += 2 {
		value, err := number(pairs[i+1])
		if err != nil {
			return "", err
		}
		drawn.Parts = append(drawn.Parts, Part{Kind: fmt.Sprint(pairs[i]), Value: value})
	}
	return s.show(drawn)
}

func number(value any) (float64, error) {
	v := reflect.ValueOf(value)
	switch {
	case v.IsValid() && v.CanInt():
		return float64(v.Int()), nil
	case v.IsValid() && v.CanUint():
		return float64(v.Uint()), nil
	case v.IsValid() && v.CanFloat():
		return v.Float(), nil
	}
	return 0, fmt.Errorf("a bar takes numbers, not %T", value)
}

// csrf is the hidden field that every form that posts carries.
func (s *set) csrf() template.HTML {
	return template.HTML(`<input type="hidden" name="csrf" value="` + template.HTMLEscapeString(s.page.CSRF) + `">`)
}

// translate asks the app for a word and falls back to the kit's English.
func (s *set) translate(key string, args ...any) string {
	if s.page.T != nil {
		return s.page.T(key, args...)
	}
	word, ok := english[key]
	if !ok {
		return key
	}
	if len(args) > 0 {
		return fmt.Sprintf(word, args...)
	}
	return word
}

func assetAddress(name string) (string, error) {
	a, ok := served().byName[name]
	if !ok {
		return "", fmt.Errorf("no asset is called %q", name)
	}
	return a.address, nil
}
