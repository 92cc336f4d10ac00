package ui

import (
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"ssm/satellite"
	"ssm/satellite/web"
	"ssm/ui/kit"
)

// told is an error as a person reads it.
type told struct {
	Status    int
	Code      string
	Message   string // what happened and what was not changed
	Next      string // what to do
	Detail    string // Service's own words, in English, where Message is a translation
	Reference string // names the request in the log; "" where that says nothing
}

// tell puts an error into the visitor's language. Service speaks English and
// names each case by a stable code; the catalogs hold what to do next in the
// console, and in other languages the sentence, too.
func (r *request) tell(err error) told {
	p := web.ProblemOf(err, web.RequestID(r.Context))
	t := told{Status: p.Status, Code: p.Code, Message: p.Detail, Next: p.Hint}
	if p.Status == http.StatusInternalServerError {
		t.Reference = p.RequestID
	}
	if next, ok := r.words.find("next." + p.Code); ok {
		t.Next = next
	}
	if r.words.language == "en" {
		return t
	}
	if message, ok := r.words.find("problem." + p.Code); ok {
		t.Detail, t.Message = t.Message, message
		if _, own := r.words.find("next." + p.Code); !own {
			t.Next = ""
		}
	}
	return t
}

// banner is the error beside its cause.
func (t told) banner() *kit.Banner {
	return &kit.Banner{Kind: "bad", Message: strings.TrimSpace(t.Message + " " + t.Next)}
}

// form is a form with what was typed and what was wrong with it.
type form struct {
	Values  map[string]string
	Problem *told
	field   string // the problem stands at this field
}

// At is the problem of one field, for the template.
func (f form) At(field string) string {
	if f.Problem == nil || f.field != field {
		return ""
	}
	return strings.TrimSpace(f.Problem.Message + " " + f.Problem.Next)
}

// Above is the problem that belongs to no field.
func (f form) Above() *kit.Banner {
	if f.Problem == nil || f.field != "" {
		return nil
	}
	return f.Problem.banner()
}

// codeFields tells at which field a problem stands.
var codeFields = map[string]string{
	"account-name-invalid": "name", "virtual-account-name-invalid": "name", "user-name-invalid": "name",
	"account-exists": "name", "virtual-account-exists": "name",
	"email-invalid": "email", "public-email": "email", "company-email": "email", "password-length": "password",
	"token-days-invalid": "days", "token-uses-invalid": "max_uses",
	"api-client-name-invalid": "name", "api-client-exists": "name", "role-invalid": "role", "client-place-invalid": "account",
	"name-not-confirmed": "confirm", "file-missing": "file", "number-invalid": "",
}

// filled is the form as it came, with its problem.
func (r *request) filled(err error) form {
	f := form{Values: map[string]string{}}
	for name, values := range r.Request().PostForm {
		if name != "csrf" && name != "password" {
			f.Values[name] = values[0]
		}
	}
	if err != nil {
		problem := r.tell(err)
		f.Problem, f.field = &problem, codeFields[problem.Code]
	}
	return f
}

// refusal tells whether an error can be shown beside the form that caused it,
// with which status.
func refusal(err error) (status int, ok bool) {
	var refused *satellite.Error
	if !errors.As(err, &refused) {
		return http.StatusInternalServerError, false
	}
	switch refused.Kind {
	case satellite.KindInternal, satellite.KindForbidden, satellite.KindUnauthenticated, satellite.KindNotFound:
		return web.Status(refused.Kind), false
	}
	return web.Status(refused.Kind), true
}

// fail answers with the page of an error.
func (r *request) fail(err error) error {
	told := r.tell(err)
	web.LogInternal(r.Context, err, told.Status)
	if r.Response().Committed {
		return nil // a download that broke off; its length tells
	}
	page := "error-plain"
	if r.user.ID != 0 {
		page = "error"
	}
	title := r.t("error.title." + errorTitle(told.Status))
	if err := r.showAs(told.Status, page, title, map[string]any{"Title": title, "Told": told}); err != nil {
		return web.WriteProblem(r.Context, err)
	}
	return nil
}

// errorTitle is the end of the key of an error page's title.
func errorTitle(status int) string {
	switch status {
	case http.StatusNotFound:
		return "missing"
	case http.StatusForbidden, http.StatusUnauthorized:
		return "forbidden"
	case http.StatusInternalServerError, http.StatusServiceUnavailable:
		return "internal"
	}
	return "refused"
}

// notFound answers addresses that lead nowhere: with a page, and below /api
// with what programs read.
func (c *console) notFound(ec echo.Context) error {
	address := ec.Request().URL.Path
	if strings.HasPrefix(address, "/api/") || strings.HasPrefix(address, "/static/") {
		return echo.ErrNotFound
	}
	return c.handle(false, func(*request) error { return echo.ErrNotFound })(ec)
}
