package compatible

import (
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"

	"ssm/satellite"
)

func fields(t *testing.T, body string) object {
	t.Helper()
	parsed, err := parse(http.Header{}, []byte(body), false)
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return newObject(parsed)
}

func TestFieldsAreReadAsClientsWriteThem(t *testing.T) {
	t.Parallel()
	o := fields(t, "\xef\xbb\xbf"+`{"n":5,"s":"5","m":-1,"q":"-1","f":30.0,"g":" 30.0 ","e":"","z":null,"t":true,"u":"True","x":"false","name":"東京","id":17,
		"list":["a",2],"none":null,"inner":{"pid":"P"},"of":"tomorrow","many":[{"quantity":"3"},{"quantity":4}]}`)
	for name, want := range map[string]int64{"n": 5, "s": 5, "m": -1, "q": -1, "f": 30, "g": 30, "e": 7, "z": 7, "absent": 7} {
		if got := o.number(name, 7); got != want {
			t.Errorf("%s is %d, want %d", name, got, want)
		}
	}
	for name, want := range map[string]bool{"t": true, "u": true, "x": false, "z": true, "e": true, "absent": true} {
		if got := o.flag(name, true); got != want {
			t.Errorf("%s is %v", name, got)
		}
	}
	var sum int64
	for _, inner := range o.objects("many") {
		sum += inner.requiredNumber("quantity")
	}
	got := []any{o.text("name"), o.text("id"), o.text("z"), o.required("s"), o.texts("list"), o.texts("none"), o.object("inner").required("pid"), o.object("absent").text("pid"), sum, len(o.objects("absent"))}
	if want := `[東京 17  5 [a 2] [] P  7 0]`; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
	if err := o.err(); err != nil {
		t.Error(err)
	}
}

func TestAFieldThatIsMissingOrWrongIsNamedAsTheClientWritesIt(t *testing.T) {
	t.Parallel()
	for body, c := range map[string]struct {
		read func(object)
		want string
	}{
		`{}`:                           {func(o object) { o.required("name"); o.required("other") }, "name is missing."},
		`{"name":null}`:                {func(o object) { o.required("name") }, "name is missing."},
		`{"name":{}}`:                  {func(o object) { o.text("name") }, "name must be a text."},
		`{"name":true}`:                {func(o object) { o.required("name") }, "name must be a text."},
		`{"n":"five"}`:                 {func(o object) { o.number("n", 0) }, "n must be a whole number."},
		`{"n":1.5}`:                    {func(o object) { o.number("n", 0) }, "n must be a whole number."},
		`{"n":9223372036854775808}`:    {func(o object) { o.number("n", 0) }, "n must be a whole number."},
		`{"n":1e999}`:                  {func(o object) { o.number("n", 0) }, "n must be a whole number."},
		`{"n":[]}`:                     {func(o object) { o.number("n", 0) }, "n must be a whole number."},
		`{"n":" "}`:                    {func(o object) { o.requiredNumber("n") }, "n is missing."},
		`{"f":1}`:                      {func(o object) { o.flag("f", false) }, "f must be true or false."},
		`{"tokens":"a"}`:               {func(o object) { o.texts("tokens") }, "tokens must be a list."},
		`{"tokens":["a",{}]}`:          {func(o object) { o.texts("tokens") }, "tokens[1] must be a text."},
		`{"sudi":"a"}`:                 {func(o object) { o.object("sudi") }, "sudi must be an object."},
		`{"licenses":[]}`:              {func(o object) { o.requiredObjects("licenses") }, "licenses is missing."},
		`{"licenses":[{"a":1},"b"]}`:   {func(o object) { o.objects("licenses") }, "licenses[1] must be an object."},
		`{"licenses":[{},{"x":null}]}`: {func(o object) { o.objects("licenses")[0].required("targetVirtualAccount") }, "licenses[0].targetVirtualAccount is missing."},
		`{"p":[{"sudi":{"udiPid":7,"udiSerialNumber":false}}]}`: {func(o object) { o.objects("p")[0].object("sudi").text("udiSerialNumber") }, "p[0].sudi.udiSerialNumber must be a text."},
		`{"list":[` + strings.Repeat("1,", maxItems) + `1]}`:    {func(o object) { o.texts("list") }, "list has more than 10000 elements."},
		`{"offset":-1}`:      {func(o object) { o.window() }, "offset must not be negative."},
		`{"limit":-2}`:       {func(o object) { o.window() }, "limit must be a number of rows, or -1 for all."},
		`{"limit":"all"}`:    {func(o object) { o.window() }, "limit must be a whole number."},
		`{"q":9.1e15,"r":1}`: {func(o object) { o.number("q", 0) }, "q must be a whole number."}, // beyond where floating point is exact
	} {
		o := fields(t, body)
		c.read(o)
		if err := o.err(); satellite.KindOf(err) != satellite.KindInvalid || !strings.HasPrefix(err.Error(), c.want+" Nothing was changed.") {
			t.Errorf("%.60s: %v, want %s", body, err, c.want)
		}
	}
}

func TestAWindowShowsTheRowsThatAreAskedFor(t *testing.T) {
	t.Parallel()
	rows := make([]int, 60)
	for i := range rows {
		rows[i] = i
	}
	for body, want := range map[string][2]int{ // first row, number of rows
		`{}`: {0, 50}, `{"limit":null,"offset":null}`: {0, 50}, `{"limit":-1}`: {0, 60}, `{"limit":"-1","offset":"10"}`: {10, 50}, `{"limit":0}`: {0, 0},
		`{"limit":5,"offset":58}`: {58, 2}, `{"offset":60}`: {0, 0}, `{"offset":1000,"limit":-1}`: {0, 0}, `{"limit":9223372036854775807,"offset":9223372036854775807}`: {0, 0},
		`{"offset":50}`: {50, 10},
	} {
		o := fields(t, body)
		got := cut(o.window(), rows)
		if o.err() != nil || got == nil || len(got) != want[1] || len(got) > 0 && got[0] != want[0] {
			t.Errorf("%s shows %v (%v)", body, got, o.err())
		}
	}
	if w := (object{}).fields; w != nil || fields(t, `{"limit":-1}`).window().limit != math.MaxInt64 {
		t.Error("all is not all")
	}
}

func TestABodyThatIsNoObjectIsRefused(t *testing.T) {
	t.Parallel()
	deep := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	for body, want := range map[string]string{
		"": "", "\n": "", "null": "", "{}": "", "\xef\xbb\xbf": "", deep(maxDepth): "", `{"a":1,"b":{"a":1}}`: "",
		deep(maxDepth + 1):                  "nested deeper than 32",
		`{"a":` + strings.Repeat("[", 500):  "not JSON",
		strings.Repeat("[", 500_000):        "not JSON",
		`{"a":1,"a":2}`:                     "The field a is there twice",
		`{"a":1,"\u0061":2}`:                "The field a is there twice",
		`{"b":[{},{"c":{"d":1,"d":null}}]}`: "The field b[1].c.d is there twice",
		`[]`:                                "not a JSON object", `"text"`: "not a JSON object", "17": "not a JSON object", "true": "not a JSON object",
		`{"a":1`: "not JSON", `{"a":1}x`: "not JSON", `{"a":1}{}`: "not JSON", `{a:1}`: "not JSON", `{'a':1}`: "not JSON", `{"a":NaN}`: "not JSON", "<a/>": "not JSON",
		"{\"a\":\"\xff\"}": "not in UTF-8",
	} {
		_, err := parse(http.Header{}, []byte(body), false)
		if want == "" && err != nil || want != "" && (satellite.KindOf(err) != satellite.KindInvalid || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.40s: %v, want %q", body, err, want)
		}
	}
}

func TestOnlyJSONInUTF8IsRead(t *testing.T) {
	t.Parallel()
	for given, form := range map[string][2]bool{ // is it read; is it where a form is, too
		"": {true, true}, "application/json": {true, true}, "application/json; charset=utf-8": {true, true}, "Application/JSON;charset=UTF-8": {true, true},
		"text/json": {true, true}, "application/json; charset=utf-16": {}, "application/json; charset=latin1": {}, "text/plain": {}, "application/xml": {},
		"multipart/form-data; boundary=x": {}, "application/x-www-form-urlencoded": {false, true}, "application/x-www-form-urlencoded; charset=shift_jis": {},
		"application/json, text/html": {}, ";;": {}, "application/json-patch+json": {},
	} {
		for i, allowed := range []bool{false, true} {
			if _, err := checkType(http.Header{"Content-Type": {given}}, allowed); (err == nil) != form[i] {
				t.Errorf("%q with form %v: %v", given, allowed, err)
			}
		}
	}
	for encoding, want := range map[string]bool{"": true, "identity": true, "gzip": false, "br": false} {
		if _, err := checkType(http.Header{"Content-Encoding": {encoding}}, false); (err == nil) != want {
			t.Errorf("%q: %v", encoding, err)
		}
	}
	if _, err := parse(http.Header{"Content-Type": {"text/html"}}, nil, false); err != nil {
		t.Errorf("without a body its type does not matter: %v", err)
	}
}
