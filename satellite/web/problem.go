package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"ssm/satellite"
)

// statuses is the one table of Kind and HTTP status.
var statuses = map[satellite.Kind]int{
	satellite.KindInvalid:         http.StatusBadRequest,
	satellite.KindUnauthenticated: http.StatusUnauthorized,
	satellite.KindForbidden:       http.StatusForbidden,
	satellite.KindNotFound:        http.StatusNotFound,
	satellite.KindConflict:        http.StatusConflict,
	satellite.KindTooLarge:        http.StatusRequestEntityTooLarge,
	satellite.KindTooMany:         http.StatusTooManyRequests,
	satellite.KindUnavailable:     http.StatusServiceUnavailable,
	satellite.KindInternal:        http.StatusInternalServerError,
}

// Status is the HTTP status of a kind of failure; 500 for one that is not known.
func Status(kind satellite.Kind) int {
	if status, ok := statuses[kind]; ok {
		return status
	}
	return http.StatusInternalServerError
}

// ProblemType is the content type of a Problem.
const ProblemType = "application/problem+json"

// Problem is an error on the wire, in the form of RFC 9457. Code is stable and
// for programs; Detail says what happened, Hint what to do next. RequestID is
// what the log names the request by.
type Problem struct {
	Type      string `json:"type"` // always "about:blank": Code tells more than a link
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Code      string `json:"code"`
	Detail    string `json:"detail"`
	Hint      string `json:"hint,omitempty"`
	RequestID string `json:"request_id,omitempty"`
}

// Error lets a handler return a Problem that it made, and a client one that it read.
func (p Problem) Error() string { return strings.TrimSpace(p.Detail + " " + p.Hint) }

// ProblemOf is what the caller is told about an error. Of an internal one, that
// is the reference of the request and nothing else: the cause is for the log.
func ProblemOf(err error, requestID string) Problem {
	p := Problem{Type: "about:blank", RequestID: requestID}
	var refusal *satellite.Error
	var fromEcho *echo.HTTPError
	var tooLarge *http.MaxBytesError
	var made Problem
	switch {
	case errors.As(err, &made) && made.Status >= 400:
		p.Status, p.Code, p.Detail, p.Hint = made.Status, made.Code, made.Detail, made.Hint
	case errors.As(err, &refusal) && refusal.Kind != satellite.KindInternal:
		p.Status, p.Code, p.Detail, p.Hint = Status(refusal.Kind), refusal.Code, refusal.Message, refusal.Hint
	case errors.As(err, &tooLarge):
		return ProblemOf(errTooLarge(tooLarge.Limit), requestID)
	case errors.As(err, &fromEcho) && fromEcho.Code >= 400 && fromEcho.Code < 500:
		p.Status = fromEcho.Code
		p.Code, p.Detail = routing(fromEcho)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		p.Status, p.Code = http.StatusServiceUnavailable, "outcome-unknown"
		p.Detail = "The request was given up before its outcome was known: it may or may not have been carried out."
		p.Hint = "Look before you try again."
	default:
		p.Status, p.Code = http.StatusInternalServerError, "internal"
		p.Detail = fmt.Sprintf("Something failed inside the satellite. The log of the satellite tells what, under the reference %s.", requestID)
		p.Hint = "Try again; if it happens again, give the reference to the administrator of the satellite."
	}
	p.Title = http.StatusText(p.Status)
	return p
}

// routing names the errors that echo makes before a handler is reached. A
// sentence that a handler of ours gave is kept.
func routing(e *echo.HTTPError) (code, detail string) {
	switch e.Code {
	case http.StatusNotFound:
		code, detail = "path-not-found", "There is nothing at this address."
	case http.StatusMethodNotAllowed:
		code, detail = "method-not-allowed", "This address does not take this method."
	case http.StatusRequestEntityTooLarge:
		code, detail = "request-too-large", "The request is larger than this satellite reads. Nothing was changed."
	case http.StatusUnsupportedMediaType:
		code, detail = "content-type-unsupported", "The request has a content type that is not read here. Nothing was changed."
	default:
		code, detail = "request-refused", "The request was refused. Nothing was changed."
	}
	if text, ok := e.Message.(string); ok && text != http.StatusText(e.Code) {
		detail = text
	}
	return code, detail
}

// WriteProblem answers with the problem of an error, and logs the cause of an
// internal one under the request id. Handlers that just return their error get
// the same.
func WriteProblem(c echo.Context, err error) error {
	p := ProblemOf(err, RequestID(c))
	LogInternal(c, err, p.Status)
	if c.Response().Committed {
		return nil
	}
	c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
	if c.Request().Method == http.MethodHead {
		return c.NoContent(p.Status)
	}
	c.Response().Header().Set(echo.HeaderContentType, ProblemType)
	c.Response().WriteHeader(p.Status)
	return c.Echo().JSONSerializer.Serialize(c, p, "")
}

// LogInternal logs an error that the caller is not told: where status is 500.
// Faces that write errors in another form, such as pages, call it themselves.
func LogInternal(c echo.Context, err error, status int) {
	if status != http.StatusInternalServerError {
		return
	}
	logger(c).LogAttrs(c.Request().Context(), slog.LevelError, "request failed", slog.String("request_id", RequestID(c)),
		slog.String("method", c.Request().Method), slog.String("route", c.Path()), slog.String("error", err.Error()))
}
