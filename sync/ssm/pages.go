package ssm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strconv"
	"sync"
	"time"

	"ssm/certs"
	"ssm/satellite/wire"
	"ssm/sync/offline"
	"ssm/ui/kit"
)

// callersErrors are those that say what is wrong with what was given.
var callersErrors = []error{ErrRefused, certs.ErrChain, certs.ErrRequest, certs.ErrKey,
	wire.ErrMalformed, wire.ErrTooLarge, wire.ErrSignature, wire.ErrVersion, wire.ErrAltered}

// gateForm is what the pages before the sign-in show.
type gateForm struct {
	Code, Email, Error string
	MinPassword        string
}

func (p *Portal) setupForm(w http.ResponseWriter, r *http.Request) error {
	code := r.URL.Query().Get("code")
	if !p.gate.rightCode(code) {
		return refuse("this set-up link is not valid; take the newest one, which `ssm serve` prints when it starts")
	}
	return p.render(w, r, http.StatusOK, "setup", "First start", gateForm{Code: code, MinPassword: strconv.Itoa(minPassword)})
}

func (p *Portal) setUp(w http.ResponseWriter, r *http.Request) error {
	form := gateForm{Code: r.PostFormValue("code"), Email: r.PostFormValue("email"), MinPassword: strconv.Itoa(minPassword)}
	err := p.gate.setUp(r.Context(), form.Code, form.Email, r.PostFormValue("password"))
	if errors.Is(err, ErrRefused) && p.gate.rightCode(form.Code) {
		form.Error = told(err)
		return p.render(w, r, http.StatusUnprocessableEntity, "setup", "First start", form)
	}
	if err != nil {
		return err
	}
	if err := p.signedIn(r.Context(), form.Email); err != nil {
		return err
	}
	return seeOther(w, r, "")
}

func (p *Portal) signInForm(w http.ResponseWriter, r *http.Request) error {
	return p.render(w, r, http.StatusOK, "signin", "Sign in", gateForm{})
}

func (p *Portal) signIn(w http.ResponseWriter, r *http.Request) error {
	form := gateForm{Email: r.PostFormValue("email")}
	from := address(r)
	if !p.failures.mayTry(from) {
		form.Error = fmt.Sprintf("There were %d failed attempts from your address. Try again in %d minutes.", maxFailures, int(failureWindow.Minutes()))
		return p.render(w, r, http.StatusTooManyRequests, "signin", "Sign in", form)
	}
	right, err := p.gate.signIn(r.Context(), form.Email, r.PostFormValue("password"))
	if err != nil {
		return err
	}
	if !right {
		p.failures.add(from)
		form.Error = "E-mail address or password is wrong."
		return p.render(w, r, http.StatusUnprocessableEntity, "signin", "Sign in", form)
	}
	if err := p.signedIn(r.Context(), form.Email); err != nil {
		return err
	}
	return seeOther(w, r, "")
}

func (p *Portal) signOut(w http.ResponseWriter, r *http.Request) error {
	if err := p.sessions.Destroy(r.Context()); err != nil {
		return err
	}
	return seeOther(w, r, "/signin")
}

// accountPage is an account with its licenses.
type accountPage struct {
	Account
	Licenses []License
}

func (p *Portal) licenses(w http.ResponseWriter, r *http.Request) error {
	accounts, err := p.u.Accounts(r.Context())
	if err != nil {
		return err
	}
	list := make([]accountPage, len(accounts))
	for i, account := range accounts {
		list[i].Account = account
		if list[i].Licenses, err = p.u.Licenses(r.Context(), account.Name); err != nil {
			return err
		}
	}
	return p.render(w, r, http.StatusOK, "licenses", "Licenses", list)
}

func (p *Portal) satellites(w http.ResponseWriter, r *http.Request) error {
	list, err := p.u.Satellites(r.Context())
	if err != nil {
		return err
	}
	return p.render(w, r, http.StatusOK, "satellites", "Satellites", list)
}

// approvalsPage is the list of upgrades, with what went wrong with the last decision.
type approvalsPage struct {
	Approvals []Approval
	Error     string
	MaxReason int
}

func (p *Portal) approvals(w http.ResponseWriter, r *http.Request) error {
	return p.showApprovals(w, r, http.StatusOK, "")
}

func (p *Portal) showApprovals(w http.ResponseWriter, r *http.Request, status int, problem string) error {
	list, err := p.u.Approvals(r.Context())
	if err != nil {
		return err
	}
	return p.render(w, r, status, "approvals", "Approvals", approvalsPage{list, problem, maxReason})
}

func (p *Portal) decideApproval(w http.ResponseWriter, r *http.Request) error {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return refuse("there is no such approval")
	}
	switch decision := r.PostFormValue("decision"); decision {
	case "approve":
		_, err = p.u.Approve(r.Context(), id)
	case "decline":
		_, err = p.u.Decline(r.Context(), id, r.PostFormValue("reason"))
	default:
		err = refuse("the form says neither approve nor decline; nothing was changed")
	}
	if errors.Is(err, ErrRefused) {
		return p.showApprovals(w, r, http.StatusUnprocessableEntity, told(err))
	}
	if err != nil {
		return err
	}
	return seeOther(w, r, "/approvals")
}

// exchangePage is the form for a request.
type exchangePage struct {
	AnswerOptions
	Error string
}

func (p *Portal) exchangeForm(w http.ResponseWriter, r *http.Request) error {
	return p.render(w, r, http.StatusOK, "exchange", "Exchange by file", exchangePage{})
}

func (p *Portal) exchange(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, wire.MaxContainer+maxForm)
	form, err := r.MultipartReader()
	if err != nil {
		return refuse("the form holds no file; nothing was changed: choose the request file of a satellite")
	}
	page := exchangePage{}
	answer, err := p.answerUpload(r, form, &page.AnswerOptions)
	if page.Error = told(err); err != nil && page.Error != "" {
		return p.render(w, r, http.StatusUnprocessableEntity, "exchange", "Exchange by file", page)
	}
	if err != nil {
		return err
	}
	return seeOther(w, r, "/exchange/"+strconv.FormatInt(answer.ID, 10))
}

// answerUpload reads the fields of the form and answers the file in it, which
// is its last field.
func (p *Portal) answerUpload(r *http.Request, form *multipart.Reader, options *AnswerOptions) (Answer, error) {
	fields := map[string]string{}
	for range 8 { // more fields than the form has
		part, err := form.NextPart()
		if err != nil {
			break
		}
		if part.FormName() != "request" {
			text, err := io.ReadAll(io.LimitReader(part, 4*maxName))
			if err != nil {
				return Answer{}, err
			}
			fields[part.FormName()] = string(text)
			continue
		}
		if err := p.checkCSRF(r, fields["csrf"]); err != nil {
			return Answer{}, err
		}
		options.Account, options.VirtualAccount = fields["account"], fields["virtual_account"]
		return p.answerFrom(r.Context(), part, *options)
	}
	return Answer{}, refuse("the form holds no file; nothing was changed: choose the request file of a satellite")
}

func (p *Portal) answerFrom(ctx context.Context, upload io.Reader, options AnswerOptions) (Answer, error) {
	file, size, err := offline.Spool(upload, p.u.dir, wire.MaxContainer)
	if err != nil {
		return Answer{}, err
	}
	answer, err := p.u.Answer(ctx, file, size, options)
	return answer, errors.Join(err, file.Close())
}

func (p *Portal) findAnswer(r *http.Request) (Answer, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return Answer{}, refuse("there is no such answer")
	}
	return p.u.Answered(r.Context(), id)
}

func (p *Portal) answered(w http.ResponseWriter, r *http.Request) error {
	answer, err := p.findAnswer(r)
	if err != nil {
		return err
	}
	summary := kit.Facts{
		{Term: "Satellite", Value: answer.SatelliteID}, {Term: "Its account", Value: answer.LocalAccount},
		{Term: "Settles with", Value: answer.Account + " / " + answer.VirtualAccount},
		{Term: "Sequence", Value: strconv.FormatInt(answer.Sequence, 10)},
	}
	return p.render(w, r, http.StatusOK, "answer", "Response", struct {
		Answer
		Summary kit.Facts
	}{answer, summary})
}

func (p *Portal) answerFile(w http.ResponseWriter, r *http.Request) error {
	answer, err := p.findAnswer(r)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", wire.ResponseMediaType)
	w.Header().Set("Content-Disposition", `attachment; filename="`+answer.FileName+`"`)
	_, _ = w.Write(answer.Body) // a reader that left needs no answer
	return nil
}

// Failed sign-ins of one address within the window. The administrator himself
// is never locked out: he only has to come from another address.
const (
	maxFailures   = 10
	failureWindow = 15 * time.Minute
	maxAddresses  = 10_000
)

// failures counts failed sign-ins by address.
type failures struct {
	now       func() time.Time
	mu        sync.Mutex
	byAddress map[string][]time.Time
}

func newFailures(now func() time.Time) *failures {
	return &failures{now: now, byAddress: map[string][]time.Time{}}
}

func (f *failures) mayTry(address string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := f.byAddress[address]
	for len(at) > 0 && f.now().Sub(at[0]) > failureWindow {
		at = at[1:]
	}
	if f.byAddress[address] = at; len(at) == 0 {
		delete(f.byAddress, address)
	}
	return len(at) < maxFailures
}

func (f *failures) add(address string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.byAddress) >= maxAddresses {
		clear(f.byAddress) // memory is bounded; who fills it gains ten tries
	}
	f.byAddress[address] = append(f.byAddress[address], f.now())
}
