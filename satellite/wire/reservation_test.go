package wire

import (
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// reservation is both sides of one authorization, with all its codes.
type reservation struct {
	device, satellite ReservationKey
	secret            ReservationSecret
	binding           ReservationBinding
	request           ReservationRequest
}

func newReservation(t testing.TB, pid, serial string) reservation {
	t.Helper()
	var r reservation
	var err error
	for _, key := range []*ReservationKey{&r.device, &r.satellite} {
		if *key, err = NewReservationKey(); err != nil {
			t.Fatal(err)
		}
	}
	if r.secret, err = r.satellite.Secret(r.device.Public()); err != nil {
		t.Fatal(err)
	}
	r.binding = ReservationBinding{PID: pid, SerialNumber: serial, Key: r.satellite.Public()}
	r.request = ReservationRequest{Kind: ReservationSpecific, PID: pid, SerialNumber: serial, Key: r.device.Public()}
	return r
}

func (r reservation) requestCode(t testing.TB) string {
	t.Helper()
	code, err := r.request.Code()
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// reader reads one code; accepted tells that it was taken for the own one.
type reader struct {
	kind CodeKind
	code string
	read func(text string) (accepted bool, err error)
}

func (r reservation) readers(t testing.TB) []reader {
	t.Helper()
	return []reader{
		{CodeRequest, r.requestCode(t), func(text string) (bool, error) {
			request, err := ReadReservationRequest(text)
			return request == r.request, err
		}},
		{CodeUniversal, r.secret.UniversalCode(r.binding), func(text string) (bool, error) { return r.secret.IsUniversalCode(text, r.binding) }},
		{CodeReturn, r.secret.ReturnCode(r.binding), func(text string) (bool, error) { return r.secret.IsReturnCode(text, r.binding) }},
		{CodeConfirmation, r.secret.ConfirmationCode(r.binding), func(text string) (bool, error) { return r.secret.IsConfirmationCode(text, r.binding) }},
	}
}

// refused wants the error that names the code that was expected, before any key is asked.
func (r reader) refused(t *testing.T, what, text string) {
	t.Helper()
	accepted, err := r.read(text)
	var problem *CodeError
	switch {
	case !errors.As(err, &problem) || accepted:
		t.Errorf("%s of %s: %q was not noticed (%v, %v)", what, r.kind, text, accepted, err)
	case problem.Expected != r.kind || problem.Found != "" || !strings.Contains(err.Error(), "no "+string(r.kind)+":") || !errors.Is(err, ErrMalformed):
		t.Errorf("%s of %s: %v", what, r.kind, err)
	}
}

func TestOneWrongCharacterInAnyCodeIsNoticed(t *testing.T) {
	t.Parallel()
	r := newReservation(t, "C9300-24T/E", "FOC-2026 X")
	for _, c := range r.readers(t) {
		if accepted, err := c.read(c.code); !accepted || err != nil {
			t.Fatalf("the %s itself: %v, %v", c.kind, accepted, err)
		}
		for i := range c.code {
			for _, other := range codeAlphabet + "01IO:%-/ü " {
				changed := c.code[:i] + string(other) + c.code[i+1:]
				if changed == c.code || c.kind != CodeRequest && c.code[i] == '-' && other == ' ' {
					continue
				}
				c.refused(t, fmt.Sprintf("character %d as %c", i+1, other), changed)
			}
			if c.code[i] != '-' || c.kind == CodeRequest {
				c.refused(t, fmt.Sprintf("without character %d", i+1), c.code[:i]+c.code[i+1:])
				c.refused(t, fmt.Sprintf("character %d twice", i+1), c.code[:i+1]+c.code[i:])
			}
		}
	}
}

func TestTwoNeighborsThatChangedPlacesAreNoticed(t *testing.T) {
	t.Parallel()
	for range 20 {
		r := newReservation(t, "ISR-4451-X", "FDO12")
		for _, c := range r.readers(t) {
			for i := range len(c.code) - 1 {
				a, b := c.code[i], c.code[i+1]
				if a == b || c.kind != CodeRequest && (a == '-' || b == '-') {
					continue
				}
				c.refused(t, "a transposition", c.code[:i]+string([]byte{b, a})+c.code[i+2:])
			}
		}
	}
}

// In the device's name the case counts: it is part of who the device is.
func TestTheCaseOfADeviceNameIsPartOfARequestCode(t *testing.T) {
	t.Parallel()
	r := newReservation(t, "Router-x", "sn1")
	c := r.readers(t)[0]
	c.refused(t, "product id in capitals", strings.Replace(c.code, "Router-x", "ROUTER-X", 1))
	c.refused(t, "serial number in capitals", strings.Replace(c.code, ":sn1", ":SN1", 1))
}

func TestSpacesCaseAndDashesAreAsOneLikes(t *testing.T) {
	t.Parallel()
	r := newReservation(t, "R1000", "FOC1")
	for _, c := range r.readers(t) {
		for name, text := range map[string]string{
			"small letters": strings.Replace(strings.ToLower(c.code), "zr1000:foc1", "zR1000:FOC1", 1),
			"line breaks":   " " + c.code[:9] + "\r\n" + c.code[9:15] + "\u00a0\t" + c.code[15:] + "\n",
		} {
			if accepted, err := c.read(text); !accepted || err != nil {
				t.Errorf("%s with %s: %v, %v", c.kind, name, accepted, err)
			}
		}
		plain := strings.ReplaceAll(c.code, "-", "")
		if c.kind == CodeRequest {
			c.refused(t, "without dashes", plain)
			continue
		}
		if accepted, err := c.read(plain); !accepted || err != nil {
			t.Errorf("%s without dashes: %v, %v", c.kind, accepted, err)
		}
		for i, group := range strings.Split(c.code, "-") {
			if len(group) != 6 {
				t.Errorf("group %d of the %s has %d characters: %s", i+1, c.kind, len(group), c.code)
			}
		}
	}
}

// A character that Unicode takes for a form of another one is another one.
func TestNoOtherLetterStandsForOneOfTheAlphabet(t *testing.T) {
	t.Parallel()
	tried := map[CodeKind]bool{}
	for len(tried) < 4 {
		for _, c := range newReservation(t, "R1000", "FOC1").readers(t) {
			if i := strings.LastIndexByte(c.code, 'S'); i > 20 || i > 0 && len(c.code) < 40 {
				tried[c.kind] = true
				c.refused(t, "a long s", c.code[:i]+"ſ"+c.code[i+1:])
			}
		}
	}
}

func TestAWrongCodeIsToldByItsName(t *testing.T) {
	t.Parallel()
	r := newReservation(t, "R1000", "FOC1")
	all := r.readers(t)
	authorization, _ := r.authorization(t)
	all = append(all, reader{CodeAuthorization, authorization, func(text string) (bool, error) {
		_, _, err := ReadAuthorization(text)
		return err == nil, err
	}})
	for _, expected := range all {
		for _, given := range all {
			if given.kind == expected.kind {
				continue
			}
			_, err := expected.read(given.code)
			var problem *CodeError
			if !errors.As(err, &problem) || problem.Expected != expected.kind || problem.Found != given.kind || !strings.Contains(err.Error(), " was expected") {
				t.Errorf("the %s for the %s: %v", given.kind, expected.kind, err)
			}
		}
		expected.refused(t, "nothing instead", "")
		expected.refused(t, "a novel instead", strings.Repeat("A", 2<<20))
	}
}

func TestCodesBelongToOneAuthorizationOfOneDevice(t *testing.T) {
	t.Parallel()
	r, other := newReservation(t, "R1000", "FOC1"), newReservation(t, "R1000", "FOC1")
	device, err := r.device.Secret(r.satellite.Public())
	if err != nil || string(device) != string(r.secret) {
		t.Fatalf("the two sides know different secrets (%v)", err)
	}
	shifted := [2]ReservationBinding{{PID: "R1:000", SerialNumber: "FOC1", Key: r.binding.Key}, {PID: "R1", SerialNumber: "000:FOC1", Key: r.binding.Key}}
	if r.secret.ReturnCode(shifted[0]) == r.secret.ReturnCode(shifted[1]) {
		t.Error("two devices have the same code because their names read the same when they are joined")
	}
	for name, foreign := range map[string]struct {
		secret  ReservationSecret
		binding ReservationBinding
	}{
		"another key of the device":      {other.secret, r.binding},
		"another serial number":          {r.secret, ReservationBinding{PID: "R1000", SerialNumber: "FOC2", Key: r.binding.Key}},
		"another product id":             {r.secret, ReservationBinding{PID: "R1001", SerialNumber: "FOC1", Key: r.binding.Key}},
		"another authorization":          {r.secret, ReservationBinding{PID: "R1000", SerialNumber: "FOC1", Key: other.binding.Key}},
		"one who knows no secret at all": {make(ReservationSecret, 32), r.binding},
	} {
		for _, judge := range []struct {
			code string
			is   func(string, ReservationBinding) (bool, error)
		}{
			{foreign.secret.ReturnCode(foreign.binding), r.secret.IsReturnCode},
			{foreign.secret.ConfirmationCode(foreign.binding), r.secret.IsConfirmationCode},
			{foreign.secret.UniversalCode(foreign.binding), r.secret.IsUniversalCode},
		} {
			if accepted, err := judge.is(judge.code, r.binding); accepted || err != nil {
				t.Errorf("the code of %s: accepted %v, %v", name, accepted, err)
			}
		}
	}
}

// The catalogs of CRCs give these for the text 123456789.
func TestTheChecksAreThoseOfTheCatalogs(t *testing.T) {
	t.Parallel()
	text := []byte("123456789")
	if got := crc15.sum(text, 8); got != 0x059E {
		t.Errorf("CRC-15/CAN is %#x", got)
	}
	if got := crc30.sum(text, 8); got != 0x04C34ABF {
		t.Errorf("CRC-30/CDMA is %#x", got)
	}
}

func TestKeysThatNoCodeCanHoldAreNotMade(t *testing.T) {
	t.Parallel()
	for range 50 {
		key, err := NewReservationKey()
		if err != nil || len(key.Public()) != 51 || strings.Trim(key.Public(), codeAlphabet) != "" {
			t.Fatalf("the key is %q (%v)", key.Public(), err)
		}
		again, err := ParseReservationKey(key.Bytes())
		if err != nil || again.Public() != key.Public() {
			t.Fatalf("kept and read it is %q (%v)", again.Public(), err)
		}
	}
	high := 0
	for scalar := int64(1); scalar < 40; scalar++ {
		_, err := ParseReservationKey(big.NewInt(scalar).FillBytes(make([]byte, 32)))
		if err != nil {
			high++
		}
	}
	if high == 0 || high == 39 {
		t.Errorf("of 39 keys %d have a coordinate with a high top bit", high)
	}
	for _, secret := range [][]byte{nil, make([]byte, 32), make([]byte, 31)} {
		if _, err := ParseReservationKey(secret); !errors.Is(err, ErrMalformed) {
			t.Errorf("%x is a key: %v", secret, err)
		}
	}
	key, _ := NewReservationKey()
	for _, public := range []string{"", "A", strings.Repeat("A", 50) + "C", strings.Repeat("A", 50) + "0", strings.Repeat("9", 51)} {
		if _, err := key.Secret(public); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q is a public key: %v", public, err)
		}
	}
}

func TestARequestCodeNamesAnyDevice(t *testing.T) {
	t.Parallel()
	key, err := NewReservationKey()
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(r *rapid.T) {
		request := ReservationRequest{
			Kind: rapid.SampledFrom([]ReservationKind{ReservationSpecific, ReservationUniversal, ReservationFactory}).Draw(r, "kind"),
			PID:  rapid.StringN(1, 40, 200).Draw(r, "product id"), SerialNumber: rapid.StringN(1, 40, 200).Draw(r, "serial number"), Key: key.Public(),
		}
		code, err := request.Code()
		if err != nil {
			r.Fatal(err)
		}
		if got, err := ReadReservationRequest(code); err != nil || got != request {
			r.Fatalf("%q comes back as %+v (%v)", code, got, err)
		}
	})
	for _, bad := range []ReservationRequest{
		{Kind: "other", PID: "P", SerialNumber: "S", Key: key.Public()},
		{Kind: ReservationSpecific, SerialNumber: "S", Key: key.Public()},
		{Kind: ReservationSpecific, PID: "P", SerialNumber: strings.Repeat("S", 201), Key: key.Public()},
		{Kind: ReservationSpecific, PID: "P\xff", SerialNumber: "S", Key: key.Public()},
		{Kind: ReservationSpecific, PID: "P", SerialNumber: "S", Key: "short"},
	} {
		if code, err := bad.Code(); !errors.Is(err, ErrMalformed) {
			t.Errorf("%+v makes the code %s (%v)", bad, code, err)
		}
	}
}

// authorization is a signed authorization, as one half of the tests of it.
func (r reservation) authorization(t testing.TB) (string, ReservationAuthorization) {
	t.Helper()
	a := ReservationAuthorization{
		Kind: ReservationSpecific, Key: r.satellite.Public(), DeviceKey: r.device.Public(), PIID: "5f0c6f3e-0d5b-4d0e-9a53-2a6f6f3b7c11", Timestamp: 1772452800000,
		PID: r.binding.PID, SerialNumber: r.binding.SerialNumber, UUID: "a,b:c",
		Entitlements: []ReservedEntitlement{
			{Tag: "tag-1", Count: 2, LicenseType: LicensePerpetual, Name: `Network <Advantage> & "more" 神田`, Description: "All\r\nof it" + strings.Repeat(", and more", 100)},
			{Tag: "tag-2", Count: 1, Start: time.Date(2026, 1, 1, 0, 0, 0, 5000, time.UTC), End: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), LicenseType: LicenseTerm, SubscriptionID: "sub"},
		},
	}
	text, err := WriteAuthorization(testSigner(t), a)
	if err != nil {
		t.Fatal(err)
	}
	return text, a
}

func testSigner(t testing.TB) Signer {
	t.Helper()
	key := fixedKey(t, "satellite signer")
	return Signer{Key: key, Chain: [][]byte{certificate(t, key)}}
}
