package adminapi

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"

	"ssm/satellite"
	"ssm/satellite/web"
)

// problem is web.Problem as huma writes errors.
type problem struct{ web.Problem }

func (p problem) GetStatus() int { return p.Status }

func (p problem) ContentType(string) string { return web.ProblemType }

func init() {
	// These are variables of the package; there is no other way to replace them.
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		return problemOf("", status, message, errs)
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, message string, errs ...error) huma.StatusError {
		c := humaecho.Unwrap(ctx)
		p := problemOf(web.RequestID(c), status, message, errs)
		web.LogInternal(c, errors.Join(append(errs, errors.New(message))...), p.Status)
		return p
	}
	// A listing without rows is [], never null.
	huma.DefaultArrayNullable = false
}

// problemOf turns what a handler returned, or what huma found wrong with a
// request, into the problem that the caller is told: every error of the API has
// the one shape and a stable code.
func problemOf(requestID string, status int, message string, errs []error) problem {
	var err error
	switch status {
	case http.StatusInternalServerError:
		// What a handler returned is the one error; Kind says what it is.
		err = errors.Join(append(errs, errors.New(message))...)
	case http.StatusRequestEntityTooLarge:
		err = errRequestTooLarge()
	case http.StatusUnsupportedMediaType:
		err = web.Problem{
			Status: status, Code: "content-type-unsupported",
			Detail: "The body of the request has a content type that is not read here. Nothing was changed.",
			Hint:   Prefix + "/openapi.json names those that are.",
		}
	case http.StatusRequestTimeout:
		err = &satellite.Error{
			Kind: satellite.KindUnavailable, Code: "request-too-slow",
			Message: "The body of the request did not arrive in time. Nothing was changed.", Hint: "Send it again.",
		}
	default:
		err = invalid(describe(message, errs))
	}
	return problem{web.ProblemOf(err, requestID)}
}

// describe names the fields that are wrong. It never repeats a value: that
// could be a password or a token.
func describe(message string, errs []error) string {
	var parts []string
	for _, err := range errs {
		var detailer huma.ErrorDetailer
		if !errors.As(err, &detailer) {
			continue
		}
		detail := detailer.ErrorDetail()
		text := detail.Message
		if detail.Location != "" {
			text = detail.Location + ": " + text
		}
		if parts = append(parts, text); len(parts) == 5 {
			break
		}
	}
	if len(parts) == 0 {
		parts = []string{message}
	}
	text := strings.Join(parts, "; ")
	if len(text) > 500 {
		text = strings.ToValidUTF8(text[:500], "") + "…"
	}
	return text + "."
}

// invalid is a request that is wrong in itself, before Service is asked.
func invalid(what string) error {
	return &satellite.Error{
		Kind: satellite.KindInvalid, Code: "request-invalid",
		Message: "The request is not valid: " + what + " Nothing was changed.",
		Hint:    Prefix + "/openapi.json describes every field.",
	}
}

func errRequestTooLarge() error {
	return &satellite.Error{
		Kind: satellite.KindTooLarge, Code: "request-too-large",
		Message: "The body of the request is larger than is read here. Nothing was changed.", Hint: "Send less at once.",
	}
}

// documentProblem describes an error status of an operation.
func documentProblem(op *huma.Operation, status int) {
	op.Responses[strconv.Itoa(status)] = &huma.Response{
		Description: http.StatusText(status),
		Content: map[string]*huma.MediaType{
			// Under this name huma describes our type of errors.
			web.ProblemType: {Schema: &huma.Schema{Ref: "#/components/schemas/Problem"}},
		},
	}
}
