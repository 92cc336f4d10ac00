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
	header := c.Response().Header()
	switch p.Status {
	case http.StatusUnauthorized:
		web.Challenge(header, c.Request())
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		if header.Get(echo.HeaderRetryAfter) == "" {
			header.Set(echo.HeaderRetryAfter, "10")
		}
	}
	status, body := p.Status, any(outcome{Status: "ERROR", StatusMessage: p.Error()})
	if c.Path() == tokens.String() {
		status, body = refuseToken(c, err, p)
	}
	text, err := encode(body)
	if err != nil {
		panic(http.ErrAbortHandler) // two strings can always be encoded
	}
	header.Set(echo.HeaderContentLength, strconv.Itoa(len(text)))
	a.begin(c, status)
	if a.deliver(c, text) != nil {
		panic(http.ErrAbortHandler)
	}
}

// seconds is a wait in whole seconds, at least one.
func seconds(wait time.Duration) string {
	return strconv.FormatInt(max(1, int64((wait+time.Second-1)/time.Second)), 10)
}
