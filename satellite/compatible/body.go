package compatible

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"ssm/satellite"
	"ssm/satellite/web"
)

// maxDepth is how deep a body may be nested. The calls need four levels.
const maxDepth = 32

// readBody takes the body of a request whole into memory, within its bounds of
// size and time. After it, nothing limits how long the request may be worked on.
func (a *api) readBody(c echo.Context, limit int64) ([]byte, error) {
	r := c.Request()
	tooLarge := &http.MaxBytesError{Limit: limit}
	if r.ContentLength > limit {
		return nil, tooLarge
	}
	connection := http.NewResponseController(c.Response())
	if err := connection.SetReadDeadline(a.now().Add(a.bounds.read)); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return nil, err
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.Response().Writer, r.Body, limit))
	var slow net.Error
	switch {
	case errors.As(err, &tooLarge):
		return nil, err
	case errors.As(err, &slow) && slow.Timeout():
		return nil, &satellite.Error{
			Kind: satellite.KindUnavailable, Code: "request-too-slow",
			Message: "The body of the request did not arrive in time. Nothing was changed.", Hint: "Send it again.", Err: err,
		}
	case err != nil:
		return nil, invalid("The body of the request broke off.")
	}
	if err := connection.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return nil, err
	}
	return body, nil
}

// byteOrderMark begins the text files of some editors.
var byteOrderMark = []byte("\xef\xbb\xbf")

// parse reads the fields of a body that is a JSON object, or where form allows
// it, a form: without a body, or with null, there are none. A field that stands
// there twice is refused, because clients and servers do not agree on which of
// the two counts.
func parse(header http.Header, body []byte, form bool) (map[string]any, error) {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, byteOrderMark))
	if len(body) == 0 {
		return map[string]any{}, nil
	}
	mediaType, err := checkType(header, form)
	if err != nil {
		return nil, err
	}
	if !utf8.Valid(body) {
		return nil, invalid("The body is not in UTF-8.")
	}
	if mediaType == echo.MIMEApplicationForm {
		return parseForm(body)
	}
	return parseJSON(body)
}

func parseForm(body []byte) (map[string]any, error) {
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, invalid("The body is not a form.")
	}
	fields := map[string]any{}
	for name, all := range values {
		if len(all) > 1 {
			return nil, invalid("The field %s is there twice.", clip(name))
		}
	}
	fill(fields, values)
	return fields, nil
}

func parseJSON(body []byte) (map[string]any, error) {
	var checked json.RawMessage
	var syntax *json.SyntaxError
	if err := json.Unmarshal(body, &checked); errors.As(err, &syntax) {
		return nil, invalid("The body is not JSON: it breaks off or is wrong at byte %d.", syntax.Offset)
	} else if err != nil {
		return nil, invalid("The body is not JSON.")
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	value, err := readValue(decoder, nil, 0)
	if err != nil {
		return nil, err
	}
	switch v := value.(type) {
	case nil:
		return map[string]any{}, nil
	case map[string]any:
		return v, nil
	default:
		return nil, invalid("The body is not a JSON object.")
	}
}

// checkType refuses what does not call itself JSON in UTF-8, or where it is
// allowed, a form.
func checkType(header http.Header, form bool) (mediaType string, err error) {
	given := header.Get(echo.HeaderContentType)
	if given == "" {
		given = echo.MIMEApplicationJSON
	}
	mediaType, parameters, err := mime.ParseMediaType(given)
	known := mediaType == echo.MIMEApplicationJSON || mediaType == "text/json" || form && mediaType == echo.MIMEApplicationForm
	charset := strings.ToLower(parameters["charset"])
	readable := charset == "" || charset == "utf-8" || charset == "utf8" || charset == "us-ascii"
	encoding := strings.ToLower(header.Get(echo.HeaderContentEncoding))
	if err == nil && known && readable && (encoding == "" || encoding == "identity") {
		return mediaType, nil
	}
	return "", web.Problem{
		Status: http.StatusUnsupportedMediaType, Code: "content-type-unsupported",
		Detail: "The body of the request has a content type that is not read here. Nothing was changed.",
		Hint:   "Send JSON in UTF-8, as application/json.",
	}
}

// step is one step on the way to a value of a body. The way is put into words only
// for a refusal: at each of a million values, behind a long name, that would cost
// more than all else together.
type step struct {
	outer *step
	name  string // of a field
	index int    // of an element, from 0; -1: a field
}

func (s *step) String() string {
	switch {
	case s == nil:
		return ""
	case s.index < 0:
		return join(s.outer.String(), s.name)
	}
	return fmt.Sprintf("%s[%d]", s.outer, s.index)
}

// readValue reads one value of a text that is known to be JSON.
func readValue(decoder *json.Decoder, at *step, depth int) (any, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, invalid("The body is not JSON.")
	}
	delimiter, nested := token.(json.Delim)
	if !nested {
		return token, nil
	}
	if depth == maxDepth {
		return nil, invalid("The body is nested deeper than %d levels.", maxDepth)
	}
	if delimiter == '[' {
		values := []any{}
		for i := 0; decoder.More(); i++ {
			value, err := readValue(decoder, &step{outer: at, index: i}, depth+1)
			if err != nil {
				return nil, err
			}
			values = append(values, value)
		}
		_, err = decoder.Token()
		return values, err
	}
	fields := map[string]any{}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return nil, invalid("The body is not JSON.")
		}
		name, _ := key.(string)
		here := &step{outer: at, name: name, index: -1}
		if _, twice := fields[name]; twice {
			return nil, invalid("The field %s is there twice.", clip(here.String()))
		}
		if fields[name], err = readValue(decoder, here, depth+1); err != nil {
			return nil, err
		}
	}
	_, err = decoder.Token()
	return fields, err
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// clip bounds a name of a stranger that is quoted in a message.
func clip(text string) string {
	const limit = 200
	if len(text) > limit {
		return strings.ToValidUTF8(text[:limit], "") + "…"
	}
	return text
}
