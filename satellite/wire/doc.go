// Package wire holds everything that crosses a trust boundary, as plain
// structs: the messages of devices and their replies, the documents that a
// satellite and its upstream exchange, and usage reports; with the two signed
// envelopes that carry them (the three-layer message, and the container).
//
// It is a leaf: it knows neither the rules of the domain nor those of the
// upstream, so that both sides share the shapes and nothing else. Every parser
// has a bound on size and depth and returns an error that wraps one of the
// sentinels below; none of them panics on any input.
package wire

import "errors"

var (
	// ErrMalformed is a document that does not have the form it must have.
	ErrMalformed = errors.New("malformed")
	// ErrTooLarge is a document over one of the bounds of this package.
	ErrTooLarge = errors.New("too large")
	// ErrSignature is a signature that does not belong to these bytes and this key.
	ErrSignature = errors.New("signature does not verify")
	// ErrVersion is a document of a version that is not spoken here.
	ErrVersion = errors.New("unknown version")
	// ErrAltered is a container whose bytes are not those that were signed.
	ErrAltered = errors.New("altered or cut short")
)
