package wire

import (
	"crypto/ecdh"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"math/big"
	"strings"
	"unicode"
)

// Codes of reservations: what people carry, by hand if need be, between a
// satellite and a device that never talks. docs/protocol/reservation.md is
// their exact format.

// ReservationKind is what a device asks to have reserved.
type ReservationKind string

// The kinds of reservations.
const (
	ReservationSpecific  ReservationKind = "specific"  // chosen licenses
	ReservationUniversal ReservationKind = "universal" // everything
	ReservationFactory   ReservationKind = "factory"   // chosen licenses, installed before the device is delivered
)

// reservationLetters are the second character of a request code, and the first of a flag.
var reservationLetters = map[byte]ReservationKind{'S': ReservationSpecific, 'U': ReservationUniversal, 'F': ReservationFactory}

func (k ReservationKind) letter() (byte, error) {
	for letter, kind := range reservationLetters {
		if kind == k {
			return letter, nil
		}
	}
	return 0, fmt.Errorf("%w: there is no reservation of the kind %q", ErrMalformed, clip(string(k)))
}

// CodeKind names a code in messages to people.
type CodeKind string

// The codes of reservations.
const (
	CodeRequest       CodeKind = "request code"                 // device -> satellite: what it asks for, with its key
	CodeAuthorization CodeKind = "authorization"                // satellite -> device: one signed line of XML
	CodeUniversal     CodeKind = "universal authorization code" // satellite -> device
	CodeConfirmation  CodeKind = "confirmation code"            // device -> satellite: the authorization is installed
	CodeReturn        CodeKind = "return code"                  // device -> satellite: it has given the authorization up
)

// article is the code as it stands in a sentence.
func (k CodeKind) article() string {
	if k == CodeAuthorization {
		return "an " + string(k)
	}
	return "a " + string(k)
}

// CodeError is a text that is not the code that was expected. It wraps ErrMalformed.
type CodeError struct {
	Expected CodeKind
	Found    CodeKind // the code that it is instead; "" for none
	Reason   string   // what is wrong with it, where it is none
}

func (e *CodeError) Error() string {
	if e.Found != "" {
		return fmt.Sprintf("this is %s; %s was expected", e.Found.article(), e.Expected.article())
	}
	return fmt.Sprintf("this is no %s: %s", e.Expected, e.Reason)
}

// Unwrap is ErrMalformed.
func (e *CodeError) Unwrap() error { return ErrMalformed }

// codeProblem tells which other code a text is, or why it is none.
func codeProblem(expected CodeKind, text, reason string) error {
	problem := &CodeError{Expected: expected, Reason: reason}
	if len(text) > maxAuthorization {
		return problem
	}
	for _, g := range groupedCodes {
		if _, err := g.read(text); err == nil && g.kind != expected {
			problem.Found = g.kind
		}
	}
	if _, err := readRequestCode(text); err == nil && expected != CodeRequest {
		problem.Found = CodeRequest
	}
	if strings.HasPrefix(strings.TrimSpace(text), authorizationBegin) && expected != CodeAuthorization {
		problem.Found = CodeAuthorization
	}
	return problem
}

// mistyped is the reason of every code whose check does not fit.
const mistyped = "a character is wrong, missing or in the wrong place; compare it with the original"

// codeAlphabet has 32 characters that are hard to mistake for one another: no I, O, 0, 1.
const codeAlphabet = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"

// encode32 writes the lowest 5n bits of a number, the highest first.
func encode32(number *big.Int, n int) string {
	text, rest := make([]byte, n), new(big.Int).Set(number)
	low := new(big.Int)
	for i := n - 1; i >= 0; i-- {
		text[i] = codeAlphabet[low.And(rest, big.NewInt(31)).Int64()]
		rest.Rsh(rest, 5)
	}
	return string(text)
}

// symbols are the values of characters of the alphabet, 0 to 31 each.
func symbols(text string) ([]byte, bool) {
	values := make([]byte, len(text))
	for i := range text {
		value := strings.IndexByte(codeAlphabet, text[i])
		if value < 0 {
			return nil, false
		}
		values[i] = byte(value)
	}
	return values, true
}

// crc is a cyclic redundancy check of a multiple of five bits. Over any text it
// notices every change within as many bits in a row as it has, so every wrong
// character and every two neighbors that changed places.
type crc struct {
	bits       int
	polynomial uint32
	mask       uint32 // begins with it, and ends with it added
}

var (
	crc15 = crc{bits: 15, polynomial: 0x4599}                       // CRC-15/CAN
	crc30 = crc{bits: 30, polynomial: 0x2030B9C7, mask: 0x3FFFFFFF} // CRC-30/CDMA
)

// sum checks values of so many bits each, the highest bit first.
func (c crc) sum(values []byte, width int) uint32 {
	register := c.mask
	for _, value := range values {
		for bit := width - 1; bit >= 0; bit-- {
			top := register>>(c.bits-1)&1 ^ uint32(value)>>bit&1
			register = register << 1 & (1<<c.bits - 1)
			if top == 1 {
				register ^= c.polynomial
			}
		}
	}
	return register ^ c.mask
}

// text is the sum as characters of the alphabet.
func (c crc) text(values []byte, width int) string {
	return encode32(big.NewInt(int64(c.sum(values, width))), c.bits/5)
}

// squeeze takes out what a person may add to a code without changing it: spaces
// and line breaks, dashes too where drop has them, and the case of letters.
func squeeze(text, drop string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case unicode.IsSpace(c) || strings.ContainsRune(drop, c):
			return -1
		case c >= 'a' && c <= 'z': // not unicode.ToUpper, which makes an S of more than one character
			return c - 'a' + 'A'
		}
		return c
	}, text)
}

// grouped is a code of dashed groups of six: a letter that tells which code it
// is, the payload, and the check over both.
type grouped struct {
	kind    CodeKind
	letter  byte
	payload int // characters
	check   crc
}

var groupedCodes = []grouped{
	{CodeUniversal, 'U', keyLength + macLength, crc30},
	{CodeReturn, 'R', macLength, crc15},
	{CodeConfirmation, 'C', macLength, crc15},
}

func groupedCode(kind CodeKind) grouped {
	for _, g := range groupedCodes {
		if g.kind == kind {
			return g
		}
	}
	panic("no code of dashed groups: " + string(kind))
}

const groupSize = 6

func (g grouped) write(payload string) string {
	text := string(g.letter) + payload
	values, ok := symbols(text)
	if !ok || len(payload) != g.payload {
		panic("the payload of a " + string(g.kind) + " is not in its alphabet")
	}
	text += g.check.text(values, 5)
	var groups []string
	for ; len(text) > groupSize; text = text[groupSize:] {
		groups = append(groups, text[:groupSize])
	}
	return strings.Join(append(groups, text), "-")
}

// read returns the payload. Spaces, line breaks, dashes and case may differ
// from what write made, no character may.
func (g grouped) read(text string) (payload string, err error) {
	text = squeeze(text, "-")
	values, ok := symbols(text)
	length := 1 + g.payload
	switch {
	case !ok:
		return "", fmt.Errorf("%w: it holds a character that no code has", ErrMalformed)
	case len(text) != length+g.check.bits/5:
		return "", fmt.Errorf("%w: it has %d characters, not %d", ErrMalformed, len(text), length+g.check.bits/5)
	case g.check.text(values[:length], 5) != text[length:], text[0] != g.letter:
		return "", fmt.Errorf("%w: %s", ErrMalformed, mistyped)
	}
	return text[1:length], nil
}

// readGrouped is read with an error that says what was expected.
func readGrouped(kind CodeKind, text string) (string, error) {
	if len(text) > maxCode {
		return "", codeProblem(kind, text, "it is far too long")
	}
	payload, err := groupedCode(kind).read(text)
	if err != nil {
		return "", codeProblem(kind, text, strings.TrimPrefix(err.Error(), ErrMalformed.Error()+": "))
	}
	return payload, nil
}

// Bounds and lengths.
const (
	maxCode   = 4 << 10 // bytes of a code, spaces included
	keyLength = 51      // characters of a public key: 255 bits
	macLength = 20      // characters of a code under a secret: 100 bits
)

// ReservationKey is the P-256 key that a device makes for a reservation, and a
// satellite for each authorization. The x coordinate of its public point has a
// top bit of 0, so that 51 characters hold it; the sign of y has no influence
// on the secret that two keys have in common.
type ReservationKey struct{ private *ecdh.PrivateKey }

// NewReservationKey makes a key.
func NewReservationKey() (ReservationKey, error) {
	for {
		private, err := ecdh.P256().GenerateKey(rand.Reader)
		if err != nil {
			return ReservationKey{}, fmt.Errorf("make a key: %w", err)
		}
		if key := (ReservationKey{private}); key.x()[0]&0x80 == 0 {
			return key, nil
		}
	}
}

// ParseReservationKey is the reverse of Bytes. ErrMalformed.
func ParseReservationKey(secret []byte) (ReservationKey, error) {
	private, err := ecdh.P256().NewPrivateKey(secret)
	if err != nil || (ReservationKey{private}).x()[0]&0x80 != 0 {
		return ReservationKey{}, fmt.Errorf("%w: this is no key of a reservation", ErrMalformed)
	}
	return ReservationKey{private}, nil
}

// Bytes is the private key. It must be kept sealed.
func (k ReservationKey) Bytes() []byte { return k.private.Bytes() }

func (k ReservationKey) x() []byte { return k.private.PublicKey().Bytes()[1:33] }

// Public is the public key as 51 characters.
func (k ReservationKey) Public() string {
	return encode32(new(big.Int).SetBytes(k.x()), keyLength)
}

// readKey is the reverse of Public. ErrMalformed where it is no point of the curve.
func readKey(text string) (*ecdh.PublicKey, error) {
	values, ok := symbols(text)
	if !ok || len(text) != keyLength {
		return nil, fmt.Errorf("%w: a key has %d characters of the alphabet", ErrMalformed, keyLength)
	}
	number := new(big.Int)
	for _, value := range values {
		number.Lsh(number, 5).Or(number, big.NewInt(int64(value)))
	}
	compressed := append([]byte{2}, number.FillBytes(make([]byte, 32))...)
	x, y := elliptic.UnmarshalCompressed(elliptic.P256(), compressed)
	if x == nil {
		return nil, fmt.Errorf("%w: this is no key of the curve P-256", ErrMalformed)
	}
	return ecdh.P256().NewPublicKey(append(append([]byte{4}, x.FillBytes(make([]byte, 32))...), y.FillBytes(make([]byte, 32))...))
}

// Secret is what both sides of a reservation know, and nobody else: from the
// own private key and the other's public one. ErrMalformed.
func (k ReservationKey) Secret(public string) (ReservationSecret, error) {
	other, err := readKey(public)
	if err != nil {
		return nil, err
	}
	return k.private.ECDH(other)
}

// ReservationSecret is the ECDH secret of an authorization. It must be kept sealed.
type ReservationSecret []byte

// ReservationBinding is what the codes of an authorization are bound to: the
// device, and the public key that the satellite made for this authorization.
type ReservationBinding struct{ PID, SerialNumber, Key string }

// mac is the 100 bits that only the two sides can compute.
func (s ReservationSecret) mac(kind CodeKind, b ReservationBinding) string {
	info := "reservation\n" + string(kind) + "\n" + udiText(b.PID, b.SerialNumber) + "\n" + b.Key
	key, err := hkdf.Key(sha256.New, s, nil, info, sha256.Size)
	if err != nil {
		panic("derive a key: " + err.Error()) // only for lengths that are not asked for here
	}
	hash := hmac.New(sha256.New, key)
	hash.Write([]byte(kind))
	number := new(big.Int).SetBytes(hash.Sum(nil)[:13])
	return encode32(number.Rsh(number, 4), macLength)
}

// ReturnCode is what a device shows when it has given the authorization up.
func (s ReservationSecret) ReturnCode(b ReservationBinding) string {
	return groupedCode(CodeReturn).write(s.mac(CodeReturn, b))
}

// ConfirmationCode is what a device shows when it has installed the authorization.
func (s ReservationSecret) ConfirmationCode(b ReservationBinding) string {
	return groupedCode(CodeConfirmation).write(s.mac(CodeConfirmation, b))
}

// UniversalCode is the authorization of a universal reservation.
func (s ReservationSecret) UniversalCode(b ReservationBinding) string {
	return groupedCode(CodeUniversal).write(b.Key + s.mac(CodeUniversal, b))
}

// IsReturnCode judges a return code that a person typed. A *CodeError is a text
// that is none, whatever the secret; false one of another authorization.
func (s ReservationSecret) IsReturnCode(text string, b ReservationBinding) (bool, error) {
	return s.is(CodeReturn, text, b)
}

// IsConfirmationCode is IsReturnCode for a confirmation code.
func (s ReservationSecret) IsConfirmationCode(text string, b ReservationBinding) (bool, error) {
	return s.is(CodeConfirmation, text, b)
}

func (s ReservationSecret) is(kind CodeKind, text string, b ReservationBinding) (bool, error) {
	payload, err := readGrouped(kind, text)
	return err == nil && hmac.Equal([]byte(payload), []byte(s.mac(kind, b))), err
}

// ReadUniversalCode is the satellite's public key in a universal authorization
// code. *CodeError.
func ReadUniversalCode(text string) (key string, err error) {
	payload, err := readGrouped(CodeUniversal, text)
	if err != nil {
		return "", err
	}
	return payload[:keyLength], nil
}

// IsUniversalCode tells whether the code was made for the binding. *CodeError.
func (s ReservationSecret) IsUniversalCode(text string, b ReservationBinding) (bool, error) {
	payload, err := readGrouped(CodeUniversal, text)
	return err == nil && hmac.Equal([]byte(payload), []byte(b.Key+s.mac(CodeUniversal, b))), err
}
