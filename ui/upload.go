package ui

import (
	"errors"
	"io"
	"mime/multipart"
	"net/http"

	"ssm/satellite"
	"ssm/satellite/wire"
)

// Bounds of what is read.
const (
	maxForm           = 64 << 10
	maxFields         = 20
	maxRootUpload     = 1 << 20
	maxUsageUpload    = wire.MaxUsageFile
	maxResponseUpload = wire.MaxContainer
)

// withForm reads a form and refuses one that does not carry the token of the session.
func withForm(h handler) handler {
	return func(r *request) error {
		sent := r.Request()
		sent.Body = limit(r, maxForm)
		if err := sent.ParseForm(); err != nil {
			return formProblem(err)
		}
		token := sent.PostForm.Get("csrf")
		if token == "" {
			token = sent.Header.Get("X-CSRF-Token")
		}
		if !r.Sessions.CheckCSRF(r.context(), token) {
			return errCSRF()
		}
		return h(r)
	}
}

func errCSRF() error {
	return &satellite.Error{
		Kind: satellite.KindForbidden, Code: "form-expired",
		Message: "This form is too old, or was not sent from a page of this console. Nothing was changed.",
		Hint:    "Open the page again and send the form once more.",
	}
}

func limit(r *request, bytes int64) io.ReadCloser {
	return http.MaxBytesReader(r.Response().Writer, r.Request().Body, bytes)
}

func formProblem(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return err
	}
	return &satellite.Error{
		Kind: satellite.KindInvalid, Code: "form-unreadable", Message: "The form did not arrive whole. Nothing was changed.",
		Hint: "Send it again.", Err: err,
	}
}

// uploaded is a form with one file. The file is read as it comes, so the fields
// of the form must stand before it.
type uploaded struct {
	fields map[string]string
	name   string // "" where no file was chosen
	file   io.Reader
}

type uploadHandler func(*request, uploaded) error

// withUpload is withForm for a form with a file of at most limit bytes.
func withUpload(bytes int64, h uploadHandler) handler {
	return func(r *request) error {
		r.Request().Body = limit(r, bytes+maxForm)
		parts, err := r.Request().MultipartReader()
		if err != nil {
			return formProblem(err)
		}
		form := uploaded{fields: map[string]string{}}
		for form.file == nil {
			part, err := parts.NextPart()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return formProblem(err)
			}
			if err := form.take(part); err != nil {
				return formProblem(err)
			}
		}
		if !r.Sessions.CheckCSRF(r.context(), form.fields["csrf"]) {
			return errCSRF()
		}
		return h(r, form)
	}
}

func (u *uploaded) take(part *multipart.Part) error {
	if part.FormName() == "file" {
		u.name, u.file = part.FileName(), part
		return nil
	}
	value, err := io.ReadAll(io.LimitReader(part, maxForm+1))
	if err == nil && (len(value) > maxForm || len(u.fields) >= maxFields) {
		err = errors.New("a field that is too long, or too many of them")
	}
	u.fields[part.FormName()] = string(value)
	return err
}

// chosen refuses a form without a file.
func (u *uploaded) chosen() error {
	if u.file == nil || u.name == "" {
		return &satellite.Error{
			Kind: satellite.KindInvalid, Code: "file-missing", Message: "No file was chosen. Nothing was changed.", Hint: "Choose a file first.",
		}
	}
	return nil
}

// read takes a small file into memory.
func (u *uploaded) read() ([]byte, error) {
	if err := u.chosen(); err != nil {
		return nil, err
	}
	content, err := io.ReadAll(u.file)
	if err != nil {
		return nil, formProblem(err)
	}
	return content, nil
}
