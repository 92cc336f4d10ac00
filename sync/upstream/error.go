package upstream

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"ssm/certs"
)

// What an exchange can fail of. Each is wrapped in an *Error.
var (
	// ErrOptions: the options cannot work. Not wrapped.
	ErrOptions = errors.New("the connection to the upstream cannot be set like this")
	// ErrUnreachable: there was no answer at all.
	ErrUnreachable = errors.New("the upstream cannot be reached")
	// ErrUntrusted: the upstream's TLS certificate is not trusted, see Error.Fingerprint.
	ErrUntrusted = errors.New("the upstream's TLS certificate is not trusted")
	// ErrRefused: the upstream understood and refused, see Error.Reason.
	ErrRefused = errors.New("the upstream refused the request")
	// ErrGaveUp: there were answers, but no way to the end within the bounds.
	ErrGaveUp = errors.New("the exchange with the upstream was given up")
)

// Error is why an exchange failed.
type Error struct {
	Kind   error  // one of the errors above
	Reason string // of ErrRefused: what the upstream says; else what was met last
	// Fingerprint and Issuer are those of the certificate that was shown, of ErrUntrusted.
	Fingerprint, Issuer string

	cause error
}

func (e *Error) Error() string { return e.Kind.Error() + ": " + e.Reason }

// Unwrap returns the kind and the cause.
func (e *Error) Unwrap() []error { return []error{e.Kind, e.cause} }

// answerError is an answer that is no success.
type answerError struct {
	status     int
	code       string
	detail     string
	retryAfter time.Duration // 0: it says nothing of when
}

func (e *answerError) Error() string {
	if e.detail != "" {
		return e.detail
	}
	return fmt.Sprintf("it answered %d %s, without a reason", e.status, http.StatusText(e.status))
}

// final tells an answer that will be the same the next time.
func (e *answerError) final() bool {
	switch e.status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusConflict:
		return false
	case http.StatusNotFound:
		return e.code == "" // it is no upstream that says so
	case http.StatusBadRequest:
		return e.code != "piece-incomplete"
	}
	return e.status < 500
}

const maxProblem = 64 << 10 // bytes that are read of an error

// readProblem reads an error of RFC 9457; whatever else stands there is left unread.
func readProblem(response *http.Response, now time.Time) error {
	e := &answerError{status: response.StatusCode, retryAfter: retryAfter(response.Header, now)}
	if response.StatusCode >= 300 && response.StatusCode < 400 {
		e.detail = "it answered with a redirect to another address, which is not followed"
	}
	if !strings.HasPrefix(response.Header.Get("Content-Type"), "application/problem+json") {
		return e
	}
	var told struct{ Code, Detail string }
	if err := json.NewDecoder(io.LimitReader(response.Body, maxProblem)).Decode(&told); err == nil {
		e.code, e.detail = told.Code, clip(told.Detail)
	}
	return e
}

// clip bounds a sentence of somebody else.
func clip(text string) string {
	if runes := []rune(text); len(runes) > 1000 {
		return string(runes[:1000]) + "…"
	}
	return text
}

// retryAfter is when the upstream wants to be asked again: seconds or a date.
func retryAfter(header http.Header, now time.Time) time.Duration {
	text := header.Get("Retry-After")
	if seconds, err := strconv.ParseInt(text, 10, 32); err == nil && seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}

// untrusted tells an error of the TLS handshake that no second try would heal.
func untrusted(err error) *Error {
	var failed *tls.CertificateVerificationError
	if errors.As(err, &failed) {
		e := &Error{Kind: ErrUntrusted, Reason: failed.Err.Error(), cause: err}
		if len(failed.UnverifiedCertificates) > 0 {
			shown := failed.UnverifiedCertificates[0]
			e.Fingerprint, e.Issuer = certs.Fingerprint(shown), shown.Issuer.String()
		}
		return e
	}
	if errors.Is(err, certs.ErrChain) {
		return &Error{Kind: ErrUntrusted, Reason: err.Error(), cause: err}
	}
	return nil
}

// describe is an error of a call without the address, which the caller knows.
func describe(err error) string {
	var inURL *url.Error
	if errors.As(err, &inURL) {
		err = inURL.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "the time for it was over"
	}
	return err.Error()
}
