package wire

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestAnAuthorizationComesBackAsItWasWritten(t *testing.T) {
	t.Parallel()
	text, want := newReservation(t, "R1000", "FOC 1,S:2").authorization(t)
	parts := QRParts(text)
	if len(parts) < 2 {
		t.Error("it fits into one QR code: nothing was cut")
	}
	for _, carried := range []string{text, "\r\n " + text + "\n", strings.Join(parts, "\r\n")} {
		got, chain, err := ReadAuthorization(carried)
		if err != nil || !reflect.DeepEqual(got, want) || len(chain) != 1 {
			t.Errorf("got %+v of %d certificates (%v), want %+v", got, len(chain), err, want)
		}
	}
	for _, part := range parts {
		if code, err := CodeQR(part); err != nil || code.Size > 105 {
			t.Errorf("a part of %d bytes makes a QR code of %d modules (%v)", len(part), code.Size, err)
		}
	}
	if _, err := CodeQR(text); !errors.Is(err, ErrTooLarge) {
		t.Errorf("the whole of it in one QR code: %v", err)
	}
	if strings.ContainsAny(text, "\n\r") {
		t.Error("it is more than one line")
	}
	// The public shape, element by element.
	last := -1
	for _, element := range []string{
		"<specificPLR>", "<authorizationCode>", "<flag>", "<version>", "<piid>", "<timestamp>", "<entitlements>", "<entitlement>", "<tag>", "<count>", "<startDate>",
		"<endDate>", "<licenseType>", "<displayName>", "<tagDescription>", "<subscriptionID>", "</entitlement>", "</entitlements>", "</authorizationCode>",
		"<signature>", "</signature>", "<udi>P:", "</udi>", "</specificPLR>",
	} {
		at := strings.Index(text, element)
		if at <= last {
			t.Errorf("%s stands at %d, after %d", element, at, last)
		}
		last = at
	}
}

func TestOneWrongCharacterInAnAuthorizationIsNoticed(t *testing.T) {
	t.Parallel()
	r := newReservation(t, "R1000", "FOC1")
	text, _ := r.authorization(t)
	original := fixedKey(t, "satellite signer")
	trusted := certificate(t, original)
	for i := range len(text) {
		for _, other := range []byte{'A', '7', text[i] ^ 1, ' ', '<'} {
			if other == text[i] {
				continue
			}
			_, chain, err := ReadAuthorization(text[:i] + string(other) + text[i+1:])
			// The certificate is judged by who pins its root: it is another one.
			if err == nil && !bytes.Equal(chain[0].Raw, trusted) {
				continue
			}
			if err == nil || !strings.Contains(err.Error(), "authorization") {
				t.Fatalf("character %d as %q: %v", i+1, other, err)
			}
			var problem *CodeError
			if errors.As(err, &problem) && (problem.Expected != CodeAuthorization || problem.Found != "") {
				t.Fatalf("character %d as %q: %v", i+1, other, err)
			}
		}
		if _, _, err := ReadAuthorization(text[:i] + text[i+1:]); err == nil {
			t.Fatalf("without character %d it is read", i+1)
		}
	}
}

func TestAnAuthorizationThatSaysTooLittleOrTooMuchIsNotWritten(t *testing.T) {
	t.Parallel()
	_, good := newReservation(t, "R1000", "FOC1").authorization(t)
	for name, change := range map[string]func(*ReservationAuthorization){
		"no license":          func(a *ReservationAuthorization) { a.Entitlements = nil },
		"1001 licenses":       func(a *ReservationAuthorization) { a.Entitlements = make([]ReservedEntitlement, 1001) },
		"no tag":              func(a *ReservationAuthorization) { a.Entitlements[0].Tag = "" },
		"a long tag":          func(a *ReservationAuthorization) { a.Entitlements[0].Tag = strings.Repeat("t", 1025) },
		"a count of 0":        func(a *ReservationAuthorization) { a.Entitlements[0].Count = 0 },
		"a count over 2^31":   func(a *ReservationAuthorization) { a.Entitlements[0].Count = 1<<31 + 1 },
		"a universal one":     func(a *ReservationAuthorization) { a.Kind = ReservationUniversal },
		"no kind":             func(a *ReservationAuthorization) { a.Kind = "" },
		"no key":              func(a *ReservationAuthorization) { a.Key = "" },
		"no key of a device":  func(a *ReservationAuthorization) { a.DeviceKey = strings.Repeat("9", 51) },
		"no product instance": func(a *ReservationAuthorization) { a.PIID = "" },
		"no serial number":    func(a *ReservationAuthorization) { a.SerialNumber = "" },
		"a novel":             func(a *ReservationAuthorization) { a.Entitlements[0].Description = strings.Repeat("d", 1<<20) },
	} {
		a := good
		a.Entitlements = append([]ReservedEntitlement(nil), good.Entitlements...)
		change(&a)
		if _, err := WriteAuthorization(testSigner(t), a); !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A reader of today meets what a writer of tomorrow signs.
func TestANewerAuthorizationIsToldFromABrokenOne(t *testing.T) {
	t.Parallel()
	text, _ := newReservation(t, "R1000", "FOC1").authorization(t)
	body := "<authorizationCode>" + between(text, "<authorizationCode>", "</authorizationCode>") + "</authorizationCode>"
	udi := "<udi>" + between(text, "<udi>", "</udi>") + "</udi>"
	resign := func(body string) string {
		signer := testSigner(t)
		signature, err := Sign(signer.Key, body+udi)
		if err != nil {
			t.Fatal(err)
		}
		return "<specificPLR>" + body + "<signature>" + signature.Type + "," + signature.Value + "," + encodeChain(signer.Chain) + "</signature>" + udi + "</specificPLR>"
	}
	if _, _, err := ReadAuthorization(resign(strings.Replace(body, "<version>1<", "<version>2<", 1))); !errors.Is(err, ErrVersion) {
		t.Errorf("version 2: %v", err)
	}
	if a, _, err := ReadAuthorization(resign(strings.Replace(body, "<entitlements>", "<more>x</more><entitlements>", 1))); err != nil || len(a.Entitlements) != 2 {
		t.Errorf("an element that is not known: %v", err)
	}
	for _, change := range [][2]string{{"<flag>S-", "<flag>U-"}, {"<flag>S-", "<flag>SS-"}, {"<count>2<", "<count>two<"}, {"<endDate>2027", "<endDate>27"}, {"</piid>", "</piid><piid"}} {
		if _, _, err := ReadAuthorization(resign(strings.Replace(body, change[0], change[1], 1))); !errors.Is(err, ErrMalformed) {
			t.Errorf("%v: %v", change, err)
		}
	}
}

func between(text, begin, end string) string {
	_, rest, _ := strings.Cut(text, begin)
	inner, _, _ := strings.Cut(rest, end)
	return inner
}

// FuzzReservationCodes gives every reader the same text: none panics, what is
// read comes back the same, and no text is two codes at once.
func FuzzReservationCodes(f *testing.F) {
	r := newReservation(f, "R1000", "FOC1")
	authorization, _ := r.authorization(f)
	for _, c := range r.readers(f) {
		f.Add(c.code)
	}
	for _, text := range []string{authorization, "", "-", "AS-ZA:B--", "AS-Z%:%-" + strings.Repeat("A", 51) + "-AAAAAA", strings.Repeat("A", 78), "<specificPLR><authorizationCode></authorizationCode><signature></signature><udi></udi></specificPLR>"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		read := 0
		request, err := ReadReservationRequest(text)
		if err == nil {
			read++
			code, err := request.Code()
			again, err2 := ReadReservationRequest(code)
			if err != nil || err2 != nil || again != request {
				t.Errorf("%q is read as %+v, which is written as %q (%v, %v)", text, request, code, err, err2)
			}
		} else if !known(err) {
			t.Errorf("an error of its own: %v", err)
		}
		for _, g := range groupedCodes {
			payload, err := readGrouped(g.kind, text)
			if err == nil {
				read++
				if again, err := g.read(g.write(payload)); err != nil || again != payload {
					t.Errorf("%q comes back as %q (%v)", payload, again, err)
				}
			} else if !known(err) {
				t.Errorf("an error of its own: %v", err)
			}
		}
		a, _, err := ReadAuthorization(text)
		if err == nil {
			read++
			if a.Timestamp == 0 && a.PIID == "" {
				t.Errorf("%q authorizes nobody", text)
			}
		} else if !known(err) {
			t.Errorf("an error of its own: %v", err)
		}
		if read > 1 {
			t.Errorf("%q is %d codes at once", text, read)
		}
	})
}

func BenchmarkReadReturnCode(b *testing.B) {
	r := newReservation(b, "R1000", "FOC1")
	code := r.secret.ReturnCode(r.binding)
	for b.Loop() {
		if ok, err := r.secret.IsReturnCode(code, r.binding); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

// Who photographs the screen gets back what is drawn: the blocks and the image
// are the modules of the code, with a border of four.
func TestQRCodesAreDrawnModuleByModule(t *testing.T) {
	t.Parallel()
	text := newReservation(t, "R1000", "FOC1").requestCode(t)
	code, err := CodeQR(text)
	if err != nil {
		t.Fatal(err)
	}
	blocks, err := CodeBlocks(text)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(blocks, "\n"), "\n")
	svg, err := CodeSVG(text)
	if err != nil || strings.Count(svg, "h1v1h-1z") < code.Size {
		t.Fatalf("the image is %s (%v)", svg, err)
	}
	for y := range code.Size {
		for x := range code.Size {
			cell := string([]rune(lines[(y+4)/2])[x+4])
			light := cell == "█" || cell == "▀" && y%2 == 0 || cell == "▄" && y%2 == 1
			if light == code.Black(x, y) {
				t.Fatalf("module %d,%d is drawn as %q", x, y, cell)
			}
			if drawn := strings.Contains(svg, fmt.Sprintf("M%d %dh1", x+4, y+4)); drawn != code.Black(x, y) {
				t.Fatalf("module %d,%d is in the image: %v", x, y, drawn)
			}
		}
	}
	if border := strings.Repeat("█", code.Size+8); lines[0] != border || lines[1] != border {
		t.Error("there is no border")
	}
}
