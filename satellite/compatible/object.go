package compatible

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// object reads the fields that a client sent. What it did not send, or sent as
// null, is the value that the call names; fields that no call asks for are
// ignored. Clients write numbers and booleans as strings and the other way
// round: both are taken.
//
// The first field that is missing or wrong is remembered, here and in all
// objects within; err tells it. A call reads all its fields, then asks err once.
type object struct {
	fields  map[string]any
	path    string // of this object in the body
	problem *error
}

func newObject(fields map[string]any) object { return object{fields: fields, problem: new(error)} }

// err is KindInvalid for the first field that is missing or wrong, named as the client writes it.
func (o object) err() error { return *o.problem }

func (o object) wrong(name, what string) {
	if *o.problem == nil {
		*o.problem = invalid("%s %s.", clip(join(o.path, name)), what)
	}
}

// text is a text; "" where there is none.
func (o object) text(name string) string {
	if o.fields[name] == nil {
		return ""
	}
	return o.asText(name, o.fields[name])
}

func (o object) asText(name string, value any) string {
	switch v := value.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	o.wrong(name, "must be a text")
	return ""
}

// required is a text that must be there, and not be empty.
func (o object) required(name string) string {
	text := o.text(name)
	if strings.TrimSpace(text) == "" {
		o.wrong(name, "is missing")
	}
	return text
}

// number is a whole number; fallback where there is none.
func (o object) number(name string, fallback int64) int64 {
	var text string
	switch v := o.fields[name].(type) {
	case nil:
		return fallback
	case string:
		if text = strings.TrimSpace(v); text == "" {
			return fallback
		}
	case json.Number:
		text = v.String()
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	// Some clients have only floating point: 5.0 is 5, up to where it is exact.
	if f, err := strconv.ParseFloat(text, 64); err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return int64(f)
	}
	o.wrong(name, "must be a whole number")
	return fallback
}

// requiredNumber is a whole number that must be there.
func (o object) requiredNumber(name string) int64 {
	if text, empty := o.fields[name].(string); o.fields[name] == nil || empty && strings.TrimSpace(text) == "" {
		o.wrong(name, "is missing")
		return 0
	}
	return o.number(name, 0)
}

// quantity is a whole number of at least 1 that must be there.
func (o object) quantity(name string) int64 {
	n := o.requiredNumber(name)
	if n < 1 {
		o.wrong(name, "must be at least 1")
	}
	return n
}

// flag is true or false; fallback where there is none.
func (o object) flag(name string, fallback bool) bool {
	switch v := o.fields[name].(type) {
	case nil:
		return fallback
	case bool:
		return v
	case string:
		switch strings.ToLower(strings.TrimSpace(v)) {
		case "true":
			return true
		case "false":
			return false
		case "":
			return fallback
		}
	}
	o.wrong(name, "must be true or false")
	return fallback
}

// maxItems bounds a list in a body.
const maxItems = 10_000

func (o object) values(name string) []any {
	switch v := o.fields[name].(type) {
	case nil:
	case []any:
		if len(v) <= maxItems {
			return v
		}
		o.wrong(name, fmt.Sprintf("has more than %d elements", maxItems))
	default:
		o.wrong(name, "must be a list")
	}
	return nil
}

// texts is a list of texts; none where there is no list.
func (o object) texts(name string) []string {
	var texts []string
	for i, value := range o.values(name) {
		texts = append(texts, o.asText(fmt.Sprintf("%s[%d]", name, i), value))
	}
	return texts
}

// names is a list of names, none of them empty.
func (o object) names(name string) []string {
	names := o.texts(name)
	for i, text := range names {
		if strings.TrimSpace(text) == "" {
			o.wrong(fmt.Sprintf("%s[%d]", name, i), "is empty")
		}
	}
	return names
}

// object is an object within this one; one without fields where there is none.
func (o object) object(name string) object { return o.within(name, o.fields[name]) }

func (o object) within(name string, value any) object {
	inner := object{path: join(o.path, name), problem: o.problem}
	switch v := value.(type) {
	case nil:
	case map[string]any:
		inner.fields = v
	default:
		o.wrong(name, "must be an object")
	}
	return inner
}

// objects is a list of objects; none where there is no list.
func (o object) objects(name string) []object {
	var list []object
	for i, value := range o.values(name) {
		list = append(list, o.within(fmt.Sprintf("%s[%d]", name, i), value))
	}
	return list
}

// requiredObjects is a list of objects that must be there, with at least one.
func (o object) requiredObjects(name string) []object {
	list := o.objects(name)
	if len(list) == 0 {
		o.wrong(name, "is missing")
	}
	return list
}

// window is the part of a list that a client asks for.
type window struct {
	offset int64 // rows to skip
	limit  int64 // rows to show at most; math.MaxInt64: all
}

// defaultLimit is how many rows clients expect who do not say how many they want.
const defaultLimit = 50

// window reads limit and offset. A limit of -1 is all rows; with 0 a client
// only wants to know how many there are.
func (o object) window() window {
	w := window{offset: o.number("offset", 0), limit: o.number("limit", defaultLimit)}
	if w.offset < 0 {
		o.wrong("offset", "must not be negative")
	}
	switch {
	case w.limit == -1:
		w.limit = math.MaxInt64
	case w.limit < 0:
		o.wrong("limit", "must be a number of rows, or -1 for all")
	}
	return w
}

// cut is the part of rows that a window shows; never nil.
func cut[T any](w window, rows []T) []T {
	rows = append([]T{}, rows[min(w.offset, int64(len(rows))):]...)
	return rows[:min(w.limit, int64(len(rows)))]
}
