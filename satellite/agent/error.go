package agent

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"ssm/satellite/wire"
)

var (
	// ErrUsage is an argument that cannot be meant: a count below zero, an
	// address without https, another identity than the one of the folder.
	ErrUsage = errors.New("not possible")
	// ErrState is a state folder that cannot be used: damaged, or sealed under
	// another key file.
	ErrState = errors.New("the state folder cannot be used")
	// ErrLocked is a state folder that another process works on.
	ErrLocked = errors.New("the state folder is in use")
	// ErrNoRoot is a device that has no licensing root to check replies with.
	ErrNoRoot = errors.New("no licensing root is known")
	// ErrNotRegistered is an operation that only a registered device can do.
	ErrNotRegistered = errors.New("this device is not registered")
	// ErrConnection is a satellite that gave no answer that could be read.
	ErrConnection = errors.New("no answer from the satellite")
	// ErrUntrusted is an answer that is not proven to come from the satellite,
	// or not to be meant for this question. It is thrown away.
	ErrUntrusted = errors.New("the answer was not accepted")
)

// Codes of a satellite that mean something to the device beyond their message.
const (
	codeClockSkew          = "clock-skew"
	codeNotRegistered      = "not-registered"
	codeCertificateRevoked = "certificate-revoked"
)

// Refused is an answer with status FAILED: the satellite understood and said no.
type Refused struct {
	Request wire.RequestType
	Code    string // stable, for programs; may be empty
	Message string // for people, as the satellite wrote it
	// Signed tells whether the refusal is proven to come from the satellite.
	// One that is not comes from a satellite that is not registered upstream
	// yet; it is shown and changes nothing.
	Signed bool
}

// Error is the satellite's own sentence, with what it means for this device.
func (r *Refused) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the satellite refused the %s", requestName(r.Request))
	if r.Code != "" {
		fmt.Fprintf(&b, " (%s)", printable(r.Code))
	}
	message := printable(r.Message)
	if !strings.HasSuffix(message, ".") {
		message += "."
	}
	b.WriteString(": " + message)
	switch {
	case !r.Signed:
		b.WriteString(" The refusal is not signed; nothing was changed on this device.")
	case r.Code == codeNotRegistered || r.Code == codeCertificateRevoked:
		b.WriteString(" This device has noted that it is not registered: register it again with a token.")
	default:
		b.WriteString(" The licenses of this device are unchanged.")
	}
	return b.String()
}

func requestName(kind wire.RequestType) string {
	switch kind {
	case wire.Registration:
		return "registration"
	case wire.Authorization:
		return "authorization"
	case wire.Renewal:
		return "renewal of the ID certificate"
	case wire.Deregistration:
		return "deregistration"
	default:
		return "request"
	}
}

// printable makes text of a stranger fit for a terminal: one line, bounded, no
// control characters.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	const limit = 500 // characters
	if runes := []rune(text); len(runes) > limit {
		text = string(runes[:limit]) + "…"
	}
	return strings.TrimSpace(text)
}
