package compatible

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"ssm/satellite"
	"ssm/satellite/web"
)

// outcome is how every answer begins.
type outcome struct {
	Status        string `json:"status"`
	StatusMessage string `json:"statusMessage"`
}

var success = outcome{Status: "SUCCESS"}

// invalid is a request that is wrong in itself, before Service is asked.
func invalid(format string, args ...any) error {
	return &satellite.Error{Kind: satellite.KindInvalid, Code: "request-invalid", Message: fmt.Sprintf(format, args...) + " Nothing was changed."}
}

// encode is a value as compact JSON, with < and > as they are.
func encode(value any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), err
}

// answer sends a value as the whole answer.
func (a *api) answer(c echo.Context, value any) error {
	text, err := encode(value)
	if err != nil {
		return err
	}
	c.Response().Header().Set(echo.HeaderContentLength, strconv.Itoa(len(text)))
	a.begin(c, http.StatusOK)
	return a.deliver(c, text)
}

func (a *api) begin(c echo.Context, status int) {
	c.Response().Header().Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
	c.Response().WriteHeader(status)
}

// errNotDelivered is an answer that the client did not take.
var errNotDelivered = errors.New("the answer was not taken")

// piece is how much a client takes within bounds.write: 64 KiB in 30 seconds is
// what the slowest line in the field carries.
const piece = 64 << 10

// deliver sends text. A client that reads, however slowly, gets all of it; one
// that stalls is given up.
func (a *api) deliver(c echo.Context, text []byte) error {
	if c.Request().Method == http.MethodHead {
		return nil
	}
	connection := http.NewResponseController(c.Response())
	for part := range slices.Chunk(text, piece) {
		if err := connection.SetWriteDeadline(a.now().Add(a.bounds.write)); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return errors.Join(errNotDelivered, err)
		}
		if _, err := c.Response().Write(part); err != nil {
			return errors.Join(errNotDelivered, err)
		}
		if err := connection.Flush(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return errors.Join(errNotDelivered, err)
		}
	}
	return nil
}

// refuse answers an error. Where the answer has begun already, the connection
// is cut: the client must not take what it has for the whole.
func (a *api) refuse(err error, c echo.Context) {
	p := web.ProblemOf(err, web.RequestID(c))
	if !errors.Is(err, errNotDelivered) {
		web.LogInternal(c, err, p.Status)
	}
	if c.Response().Committed {
		panic(http.ErrAbortHandler)
	}
	// Before it answers, the server reads on, so as to take the next request: who
	// is refused without a look at his body must not sit there sending it.
	if err := http.NewResponseController(c.Response()).SetReadDeadline(a.now().Add(a.bounds.rest)); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		panic(http.ErrAbortHandler)
	}
	header := c.Response().Header()
	switch p.Status {
	case http.StatusUnauthorized:
		web.Challenge(header, c.Request())
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		if header.Get(echo.HeaderRetryAfter) == "" {
			header.Set(echo.HeaderRetryAfter, "10")
		}
	}
	status, failed := p.Status, outcome{Status: "ERROR", StatusMessage: p.Error()}
	body := any(failed)
	var each *refusal
	switch {
	case c.Path() == tokens.String():
		status, body = refuseToken(c, err, p)
	case errors.As(err, &each):
		body = each.answer(failed)
	}
	text, err := encode(body)
	if err != nil {
		panic(http.ErrAbortHandler) // texts can always be encoded
	}
	header.Set(echo.HeaderContentLength, strconv.Itoa(len(text)))
	a.begin(c, status)
	if a.deliver(c, text) != nil {
		panic(http.ErrAbortHandler)
	}
}

// refusal is an error whose answer also says what became of each entry of the request.
type refusal struct {
	error
	answer func(outcome) any
}

func (r *refusal) Unwrap() error { return r.error }

// outcomes are those of n entries of a request that does all of it or nothing,
// by the outcome of the whole; done is what is said of one that was done.
func outcomes(n int, whole outcome, done string, err error) []outcome {
	list := make([]outcome, n)
	refused := satellite.EntryOf(err)
	for i := range list {
		switch {
		case err == nil:
			list[i] = outcome{Status: whole.Status, StatusMessage: done}
		case refused == 0 || refused == i+1:
			list[i] = whole
		default:
			list[i] = outcome{Status: whole.Status, StatusMessage: fmt.Sprintf("This was not done, because number %d of the request was refused.", refused)}
		}
	}
	return list
}

// byField names the field that a refusal of Service is about, as the client
// writes it. The fields are by the code of the refusal.
func byField(err error, fields map[string]string) error {
	var refused *satellite.Error
	if !errors.As(err, &refused) || fields[refused.Code] == "" {
		return err
	}
	said := *refused
	said.Message = fields[refused.Code] + ": " + refused.Message
	return &said
}

// seconds is a wait in whole seconds, at least one.
func seconds(wait time.Duration) string {
	return strconv.FormatInt(max(1, int64((wait+time.Second-1)/time.Second)), 10)
}
