package wire

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// ReservationRequest is what a request code says: the device, what it asks for,
// and its public key, by which all codes of the reservation are bound to it.
type ReservationRequest struct {
	Kind              ReservationKind
	PID, SerialNumber string // 1 to 200 bytes each
	Key               string // of the device; see ReservationKey.Public
}

// maxUDI bounds product id and serial number, in bytes.
const maxUDI = 200

// requestVersion is the first character of a request code: the version of its format.
const requestVersion = 'A'

// Code writes the request code. ErrMalformed for a device that no code can name.
func (r ReservationRequest) Code() (string, error) {
	letter, err := r.Kind.letter()
	if err != nil {
		return "", err
	}
	if err := checkUDI(r.PID, r.SerialNumber); err != nil {
		return "", err
	}
	if _, err := readKey(r.Key); err != nil {
		return "", err
	}
	head := string([]byte{requestVersion, letter}) + "-Z" + udiText(r.PID, r.SerialNumber) + "-" + r.Key
	return head + "-" + crc30.text([]byte(head), 8), nil
}

func checkUDI(pid, serial string) error {
	for _, text := range []string{pid, serial} {
		if len(text) < 1 || len(text) > maxUDI || !utf8.ValidString(text) {
			return fmt.Errorf("%w: product id and serial number have 1 to %d bytes", ErrMalformed, maxUDI)
		}
	}
	return nil
}

// ReadReservationRequest reads a request code. Spaces, line breaks and the case
// of all but product id and serial number are as one likes; dashes are not,
// because product ids have them. *CodeError.
func ReadReservationRequest(text string) (ReservationRequest, error) {
	request, err := readRequestCode(text)
	if err != nil {
		return ReservationRequest{}, codeProblem(CodeRequest, text, err.Error())
	}
	return request, nil
}

func readRequestCode(text string) (r ReservationRequest, err error) {
	if len(text) > maxCode {
		return r, fmt.Errorf("it is far too long")
	}
	text = strings.Join(strings.Fields(text), "")
	parts := strings.Split(text, "-")
	if len(parts) < 4 {
		return r, fmt.Errorf("it does not have the form XX-Z<product id>:<serial number>-<key>-<check>")
	}
	check, key := squeeze(parts[len(parts)-1], ""), squeeze(parts[len(parts)-2], "")
	front, udi := squeeze(parts[0], ""), strings.Join(parts[1:len(parts)-2], "-")
	pid, serial, colon := strings.Cut(udi, ":")
	if len(front) != 2 || !colon || pid == "" || len(key) != keyLength || len(check) != crc30.bits/5 {
		return r, fmt.Errorf("it does not have the form XX-Z<product id>:<serial number>-<key>-<check>, or %s", mistyped)
	}
	head := front + "-" + squeeze(pid[:1], "") + pid[1:] + ":" + serial + "-" + key
	if crc30.text([]byte(head), 8) != check || head[3] != 'Z' {
		return r, fmt.Errorf("%s", mistyped)
	}
	kind, known := reservationLetters[front[1]]
	if front[0] != requestVersion || !known {
		return r, fmt.Errorf("it is of the form %s, and this program reads AS, AU and AF: the other one is newer", front)
	}
	r = ReservationRequest{Kind: kind, Key: key}
	var ok, ok2 bool
	r.PID, ok = unescape(pid[1:])
	r.SerialNumber, ok2 = unescape(serial)
	if !ok || !ok2 || checkUDI(r.PID, r.SerialNumber) != nil {
		return r, fmt.Errorf("its product id or serial number cannot be read")
	}
	if _, err := readKey(key); err != nil {
		return r, fmt.Errorf("the key in it is none")
	}
	return r, nil
}

// udiText names a device unmistakably: what a product id or serial number may
// hold beside letters, digits and -._/+= stands as percent and two digits.
func udiText(pid, serial string) string { return escape(pid) + ":" + escape(serial) }

func escape(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; plain(c) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func plain(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || strings.IndexByte("-._/+=", c) >= 0
}

// unescape is the reverse of escape, of nothing else.
func unescape(text string) (string, bool) {
	plain := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '%' {
			if i+2 >= len(text) {
				return "", false
			}
			if _, err := fmt.Sscanf(text[i+1:i+3], "%02X", &c); err != nil {
				return "", false
			}
			i += 2
		}
		plain = append(plain, c)
	}
	return string(plain), escape(string(plain)) == text
}
