package wire

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

// maxQR is how many bytes of a code go into one QR code: more make one that a
// phone does not read from a screen any more.
const maxQR = 700

// QRParts cuts a code into pieces that a QR code can hold each: one for all
// codes but authorizations. Read one after the other, line breaks between them
// or not, they are the code again.
func QRParts(text string) (parts []string) {
	for ; len(text) > maxQR; text = text[maxQR:] {
		parts = append(parts, text[:maxQR])
	}
	return append(parts, text)
}

// CodeQR draws a part of a code for a camera. ErrTooLarge for what is no part.
func CodeQR(text string) (*qr.Code, error) {
	if len(text) > maxQR {
		return nil, fmt.Errorf("%w: a QR code takes %d bytes here, and this text has %d", ErrTooLarge, maxQR, len(text))
	}
	return qr.Encode(text, qr.M)
}

// quietZone is the white border of a QR code in modules (ISO/IEC 18004).
const quietZone = 4

// CodeBlocks is CodeQR as lines of text for a terminal: each character is two
// modules, one above the other, and dark ones are left blank, so that it is
// read from light letters on a dark ground and, by most cameras, the other way round.
func CodeBlocks(text string) (string, error) {
	code, err := CodeQR(text)
	if err != nil {
		return "", err
	}
	light := func(x, y int) bool { return y < code.Size+quietZone && !code.Black(x, y) } // outside of the code all is light
	var b strings.Builder
	for y := -quietZone; y < code.Size+quietZone; y += 2 {
		for x := -quietZone; x < code.Size+quietZone; x++ {
			switch above, below := light(x, y), light(x, y+1); {
			case above && below:
				b.WriteString("█")
			case above:
				b.WriteString("▀")
			case below:
				b.WriteString("▄")
			default:
				b.WriteByte(' ')
			}
		}
		b.WriteByte('\n')
	}
	return b.String(), nil
}

// CodeSVG is CodeQR as an image of its own, black on white.
func CodeSVG(text string) (string, error) {
	code, err := CodeQR(text)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	side := code.Size + 2*quietZone
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" shape-rendering="crispEdges"><rect width="%d" height="%d" fill="#fff"/><path d="`, side, side, side, side)
	for y := range code.Size {
		for x := range code.Size {
			if code.Black(x, y) {
				fmt.Fprintf(&b, "M%d %dh1v1h-1z", x+quietZone, y+quietZone)
			}
		}
	}
	b.WriteString(`"/></svg>` + "\n")
	return b.String(), nil
}
