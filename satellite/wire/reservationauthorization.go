package wire

import (
	"crypto/x509"
	"encoding/xml"
	"fmt"
	"strings"
	"time"
)

// ReservationAuthorization is what a specific or factory reservation gives to a device.
type ReservationAuthorization struct {
	Kind      ReservationKind
	Key       string // public key that the satellite made for this authorization
	DeviceKey string // of the request code that it answers
	PIID      string // of the device's record
	Timestamp int64  // Unix ms; each authorization of a reservation has a later one

	Entitlements []ReservedEntitlement // 1 to 1000

	PID, SerialNumber, UUID string
}

// ReservedEntitlement is a number of licenses with one term.
type ReservedEntitlement struct {
	Tag            string
	Count          int64     // 1 to 2^31
	Start          time.Time // zero: not told
	End            time.Time // zero: never
	LicenseType    string    // PERPETUAL or TERM
	Name           string
	Description    string
	SubscriptionID string
}

// Types of licenses in an authorization.
const (
	LicensePerpetual = "PERPETUAL"
	LicenseTerm      = "TERM"
)

// Binding is what the codes of the authorization are bound to.
func (a ReservationAuthorization) Binding() ReservationBinding {
	return ReservationBinding{PID: a.PID, SerialNumber: a.SerialNumber, Key: a.Key}
}

// maxAuthorization bounds an authorization, in bytes.
const maxAuthorization = 1 << 20

// The fixed parts of an authorization, with what stands between them: the
// element that is signed, signature and chain, and the device, signed as well.
const (
	authorizationBegin = "<specificPLR>"
	authorizationOpen  = "<authorizationCode>"
	authorizationClose = "</authorizationCode>"
	signatureOpen      = "<signature>"
	signatureClose     = "</signature>"
	udiOpen            = "<udi>"
	udiClose           = "</udi>"
	authorizationEnd   = "</specificPLR>"

	authorizationVersion = "1"
)

type authorizationXML struct {
	XMLName      xml.Name         `xml:"authorizationCode"`
	Flag         string           `xml:"flag"`
	Version      string           `xml:"version"`
	PIID         string           `xml:"piid"`
	Timestamp    int64            `xml:"timestamp"`
	Entitlements []entitlementXML `xml:"entitlements>entitlement"`
}

type entitlementXML struct {
	Tag            string `xml:"tag"`
	Count          int64  `xml:"count"`
	StartDate      string `xml:"startDate"`
	EndDate        string `xml:"endDate"`
	LicenseType    string `xml:"licenseType"`
	DisplayName    string `xml:"displayName"`
	TagDescription string `xml:"tagDescription"`
	SubscriptionID string `xml:"subscriptionID"`
}

// WriteAuthorization signs an authorization: one line, without an end of line.
func WriteAuthorization(signer Signer, a ReservationAuthorization) (string, error) {
	letter, err := a.Kind.letter()
	if err != nil {
		return "", err
	}
	content := authorizationXML{
		Flag: string(letter) + "-" + a.Key + "-" + a.DeviceKey, Version: authorizationVersion, PIID: a.PIID, Timestamp: a.Timestamp,
	}
	for _, e := range a.Entitlements {
		content.Entitlements = append(content.Entitlements, entitlementXML{
			Tag: e.Tag, Count: e.Count, StartDate: date(e.Start), EndDate: date(e.End), LicenseType: e.LicenseType,
			DisplayName: e.Name, TagDescription: e.Description, SubscriptionID: e.SubscriptionID,
		})
	}
	body, err := xml.Marshal(content)
	if err != nil {
		return "", fmt.Errorf("write an authorization: %w", err)
	}
	udi := udiOpen + "P:" + escape(a.PID) + ",S:" + escape(a.SerialNumber) + ",U:" + escape(a.UUID) + udiClose
	signature, err := Sign(signer.Key, string(body)+udi)
	if err != nil {
		return "", err
	}
	signed := signature.Type + "," + signature.Value + "," + encodeChain(signer.Chain)
	text := authorizationBegin + string(body) + signatureOpen + signed + signatureClose + udi + authorizationEnd
	if len(text) > maxAuthorization {
		return "", fmt.Errorf("%w: an authorization of %d bytes, at most %d are read", ErrTooLarge, len(text), maxAuthorization)
	}
	_, _, err = ReadAuthorization(text)
	return text, err
}

func date(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// ReadAuthorization takes an authorization apart and checks its signature: the
// holder of chain[0] wrote it. That the chain leads to the pinned root, and
// that it is meant for this device and request, is for the device to check.
// Line breaks do not matter, nor do spaces around it; every other byte does.
//
// *CodeError for what has not its form; ErrSignature; ErrVersion.
func ReadAuthorization(text string) (a ReservationAuthorization, chain []*x509.Certificate, err error) {
	problem := func(reason string) error { return codeProblem(CodeAuthorization, text, reason) }
	if len(text) > maxAuthorization {
		return a, nil, problem("it is far too long")
	}
	text = strings.TrimSpace(strings.NewReplacer("\r", "", "\n", "").Replace(text)) // it has none of its own
	rest, begins := strings.CutPrefix(text, authorizationBegin)
	body, rest, closed := strings.Cut(rest, authorizationClose+signatureOpen)
	signed, rest, signedOK := strings.Cut(rest, signatureClose+udiOpen)
	udi, ends := strings.CutSuffix(rest, udiClose+authorizationEnd)
	if !begins || !closed || !signedOK || !ends || !strings.HasPrefix(body, authorizationOpen) {
		return a, nil, problem("it is not one whole line from " + authorizationBegin + " to " + authorizationEnd + "; copy it again, or take the file")
	}
	body += authorizationClose
	kind, credential, _ := strings.Cut(signed, ",")
	value, credential, _ := strings.Cut(credential, ",")
	if chain, err = parseChain(credential); err != nil || len(chain) == 0 {
		return a, nil, problem("its certificates cannot be read; " + mistyped)
	}
	if err := (Signature{Type: kind, Value: value}).Verify(chain[0].PublicKey, body+udiOpen+udi+udiClose); err != nil {
		return a, nil, fmt.Errorf("this is no authorization as the satellite wrote it: %w", err)
	}
	if err := a.read(body, udi); err != nil {
		return a, nil, fmt.Errorf("this authorization cannot be used: %w", err)
	}
	return a, chain, nil
}

// read takes the signed parts in.
func (a *ReservationAuthorization) read(body, udi string) error {
	var content authorizationXML
	if err := xml.Unmarshal([]byte(body), &content); err != nil {
		return fmt.Errorf("%w: %v", ErrMalformed, err)
	}
	if content.Version != authorizationVersion {
		return fmt.Errorf("%w %q", ErrVersion, clip(content.Version))
	}
	flag := strings.Split(content.Flag, "-")
	if len(flag) != 3 || len(flag[0]) != 1 {
		return fmt.Errorf("%w: its flag has no kind and two keys", ErrMalformed)
	}
	*a = ReservationAuthorization{Kind: reservationLetters[flag[0][0]], Key: flag[1], DeviceKey: flag[2], PIID: content.PIID, Timestamp: content.Timestamp}
	for _, key := range flag[1:] {
		if _, err := readKey(key); err != nil {
			return err
		}
	}
	if a.Kind != ReservationSpecific && a.Kind != ReservationFactory || a.PIID == "" || len(a.PIID) > 64 {
		return fmt.Errorf("%w: its kind or its product instance is none", ErrMalformed)
	}
	if err := a.readUDI(udi); err != nil {
		return err
	}
	if len(content.Entitlements) < 1 || len(content.Entitlements) > maxEntitlements {
		return fmt.Errorf("%w: 1 to %d licenses can be in it, not %d", ErrMalformed, maxEntitlements, len(content.Entitlements))
	}
	for _, e := range content.Entitlements {
		start, problem := readDate(e.StartDate)
		end, problem2 := readDate(e.EndDate)
		if problem != nil || problem2 != nil || e.Tag == "" || len(e.Tag) > maxField || e.Count < 1 || e.Count > 1<<31 {
			return fmt.Errorf("%w: license %q: its tag, count or dates are none", ErrMalformed, clip(e.Tag))
		}
		a.Entitlements = append(a.Entitlements, ReservedEntitlement{
			Tag: e.Tag, Count: e.Count, Start: start, End: end, LicenseType: e.LicenseType, Name: e.DisplayName,
			Description: e.TagDescription, SubscriptionID: e.SubscriptionID,
		})
	}
	return nil
}

func (a *ReservationAuthorization) readUDI(text string) error {
	parts := strings.Split(text, ",")
	fields := []struct {
		prefix string
		into   *string
	}{{"P:", &a.PID}, {"S:", &a.SerialNumber}, {"U:", &a.UUID}}
	if len(parts) != len(fields) {
		return fmt.Errorf("%w: its udi names no device", ErrMalformed)
	}
	for i, f := range fields {
		escaped, prefixed := strings.CutPrefix(parts[i], f.prefix)
		value, ok := unescape(escaped)
		if !prefixed || !ok {
			return fmt.Errorf("%w: its udi names no device", ErrMalformed)
		}
		*f.into = value
	}
	return checkUDI(a.PID, a.SerialNumber)
}

func readDate(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	return t.UTC(), err
}
