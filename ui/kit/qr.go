package kit

import (
	"errors"
	"fmt"
	"html/template"
	"strings"

	"rsc.io/qr"
)

// maxQRText is how much text a QR code takes here. The largest code holds
// 2,953 bytes, but one that a phone still reads from a screen holds less.
const maxQRText = 1200

// quietZone is the white border of a QR code in modules; ISO/IEC 18004 asks
// for four.
const quietZone = 4

// QR draws text as an inline SVG QR code, black on white in both themes, with
// its quiet zone and with label as its name for screen readers. An empty text
// and one over 1,200 bytes are errors.
func QR(text, label string) (template.HTML, error) {
	if text == "" {
		return "", errors.New("a QR code needs a text")
	}
	if len(text) > maxQRText {
		return "", fmt.Errorf("the text has %d bytes; a QR code that a phone can read takes %d", len(text), maxQRText)
	}
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return "", fmt.Errorf("draw a QR code of %d bytes: %w", len(text), err)
	}
	var out strings.Builder
	side := code.Size + 2*quietZone
	fmt.Fprintf(&out, `<svg class="qr" role="img" aria-label="%s" viewBox="0 0 %d %d" shape-rendering="crispEdges">`,
		template.HTMLEscapeString(label), side, side)
	fmt.Fprintf(&out, `<rect class="qr-ground" width="%d" height="%d"/><path class="qr-modules" d="`, side, side)
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			start := x
			for x < code.Size && code.Black(x, y) {
				x++
			}
			if x > start { // one run of black modules is one rectangle
				fmt.Fprintf(&out, "M%d %dh%dv1h-%dz", start+quietZone, y+quietZone, x-start, x-start)
			}
		}
	}
	out.WriteString(`"/></svg>`)
	return template.HTML(out.String()), nil
}
