package satellite

import (
	"errors"
	"fmt"
)

// Kind is what sort of failure an Error is. Faces map it to their own terms,
// the HTTP faces in one table in package web.
type Kind string

// The kinds of failure.
const (
	KindInvalid         Kind = "invalid"         // the input is wrong in itself
	KindUnauthenticated Kind = "unauthenticated" // who asks is not known
	KindForbidden       Kind = "forbidden"       // who asks may not do this
	KindNotFound        Kind = "not-found"       // there is no such thing
	KindConflict        Kind = "conflict"        // the present state forbids it
	KindTooLarge        Kind = "too-large"       // over a bound
	KindTooMany         Kind = "too-many"        // over a rate
	KindUnavailable     Kind = "unavailable"     // not now; the same request may succeed later
	KindInternal        Kind = "internal"        // a fault of the program or its machine
)

// Error is the one error model. Message says what happened and what was left
// unchanged, Hint what to do next; both are for the caller. Err is the cause,
// for the log only. Code is stable and names the case, for programs.
type Error struct {
	Kind    Kind
	Code    string
	Message string
	Hint    string
	Err     error
	// Entry tells which of several entries of a request was refused, counted from
	// 1; 0 where it was none of them alone. The message names it, too.
	Entry int
}

func (e *Error) Error() string {
	text := e.Message
	if e.Hint != "" {
		text += " " + e.Hint
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf is the kind of an error; whatever is no Error is internal.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return KindInternal
}

// CodeOf is the stable code of an error; "internal" for whatever is no Error.
func CodeOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return "internal"
}

func fail(kind Kind, code, format string, args ...any) *Error {
	return &Error{Kind: kind, Code: code, Message: fmt.Sprintf(format, args...)}
}

func (e *Error) hint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

func (e *Error) cause(err error) *Error {
	e.Err = err
	return e
}

// numbered says in a refusal which of several entries was refused. Index counts from 0.
func numbered(err error, noun string, index, entries int) error {
	refusal, ok := err.(*Error) //nolint:errorlint // one that is wrapped is for the log and needs no number
	if !ok {
		return err
	}
	said := *refusal
	said.Entry = index + 1
	if entries > 1 {
		said.Message = fmt.Sprintf("%s %d: %s", noun, said.Entry, refusal.Message)
	}
	return &said
}

// EntryOf tells which of several entries an error is about, counted from 1; 0
// where it is about none of them alone.
func EntryOf(err error) int {
	var e *Error
	if errors.As(err, &e) {
		return e.Entry
	}
	return 0
}

// NotFound is the error of a Store for a row that does not exist.
func NotFound(noun string, name any) *Error {
	return fail(KindNotFound, noun+"-not-found", "There is no %s %v.", noun, name)
}

func isNotFound(err error) bool { return KindOf(err) == KindNotFound }

// errUnchanged ends an Update that must not write.
var errUnchanged = errors.New("nothing to change")
