package wire_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"testing"
	"time"

	"ssm/satellite/wire"
)

// reservationVector is reservation.json: one reservation of each kind, with the
// private keys of both sides. Nonces of signatures are fixed (RFC 6979), so every byte follows.
type reservationVector struct {
	DeviceKey     string            `json:"device_private_key"` // hexadecimal
	SatelliteKey  string            `json:"satellite_private_key"`
	DevicePublic  string            `json:"device_public_key"`
	SatellitePub  string            `json:"satellite_public_key"`
	Secret        string            `json:"ecdh_secret"`
	PID           string            `json:"product_id"`
	SerialNumber  string            `json:"serial_number"`
	RequestCodes  map[string]string `json:"request_codes"` // by kind
	Authorization string            `json:"authorization"`
	Universal     string            `json:"universal_authorization_code"`
	Confirmation  string            `json:"confirmation_code"`
	Return        string            `json:"return_code"`
}

// vectorReservationKey is the first key of a name, counted up, that a code can hold.
func vectorReservationKey(t *testing.T, name string) wire.ReservationKey {
	t.Helper()
	for n := range byte(20) {
		scalar := sha256.Sum256([]byte("TEST ONLY " + name + " " + string('0'+n)))
		if key, err := wire.ParseReservationKey(scalar[:]); err == nil {
			return key
		}
	}
	t.Fatal("no key of this name can be held")
	return wire.ReservationKey{}
}

func (v *vectorMaker) reservations() {
	v.t.Helper()
	device, satellite := vectorReservationKey(v.t, "reservation device"), vectorReservationKey(v.t, "reservation satellite")
	secret := made(satellite.Secret(device.Public()))(v.t)
	binding := wire.ReservationBinding{PID: vectorSUDI.UDIPID, SerialNumber: "TEST 0000001", Key: satellite.Public()}
	out := reservationVector{
		DeviceKey: hexOf(device.Bytes()), SatelliteKey: hexOf(satellite.Bytes()), DevicePublic: device.Public(), SatellitePub: satellite.Public(),
		Secret: hexOf(secret), PID: binding.PID, SerialNumber: binding.SerialNumber, RequestCodes: map[string]string{},
		Universal: secret.UniversalCode(binding), Confirmation: secret.ConfirmationCode(binding), Return: secret.ReturnCode(binding),
	}
	for _, kind := range []wire.ReservationKind{wire.ReservationSpecific, wire.ReservationUniversal, wire.ReservationFactory} {
		out.RequestCodes[string(kind)] = made(wire.ReservationRequest{Kind: kind, PID: binding.PID, SerialNumber: binding.SerialNumber, Key: device.Public()}.Code())(v.t)
	}
	out.Authorization = made(wire.WriteAuthorization(
		wire.Signer{Key: v.keys["satellite signer"], Chain: v.chain("satellite signer", "account sub CA", "issuing CA")},
		wire.ReservationAuthorization{
			Kind: wire.ReservationSpecific, Key: satellite.Public(), DeviceKey: device.Public(), PIID: vectorPIID, Timestamp: wire.Milliseconds(vectorTime),
			PID: binding.PID, SerialNumber: binding.SerialNumber,
			Entitlements: []wire.ReservedEntitlement{
				{Tag: vectorTag, Count: 2, LicenseType: wire.LicensePerpetual, Name: "Advantage", Start: vectorTime},
				{Tag: vectorReleasedTag, Count: 1, LicenseType: wire.LicenseTerm, Name: "Essentials", Start: vectorTime, End: vectorTime.AddDate(1, 0, 0), SubscriptionID: "SUB-1"},
			},
		}))(v.t)
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(out); err != nil {
		v.t.Fatal(err)
	}
	v.files["reservation.json"] = text.Bytes()
}

func hexOf(b []byte) string {
	const digits = "0123456789abcdef"
	var text []byte
	for _, c := range b {
		text = append(text, digits[c>>4], digits[c&15])
	}
	return string(text)
}

func TestVectorReservationIsOneStoryOfBothSides(t *testing.T) {
	t.Parallel()
	var v reservationVector
	if err := json.Unmarshal(vector(t, "reservation.json"), &v); err != nil {
		t.Fatal(err)
	}
	for kind, code := range v.RequestCodes {
		request, err := wire.ReadReservationRequest(code)
		if err != nil || string(request.Kind) != kind || request.Key != v.DevicePublic || request.PID != v.PID || request.SerialNumber != v.SerialNumber {
			t.Errorf("%s: %+v, %v", kind, request, err)
		}
	}
	device := vectorReservationKey(t, "reservation device")
	secret, err := device.Secret(v.SatellitePub)
	if err != nil || hexOf(secret) != v.Secret || hexOf(device.Bytes()) != v.DeviceKey {
		t.Fatalf("the device knows the secret %x (%v)", []byte(secret), err)
	}
	authorization, chain, err := wire.ReadAuthorization(v.Authorization)
	if err != nil {
		t.Fatal(err)
	}
	if err := vectorTrust(t, chain, usageSatellite); err != nil {
		t.Error(err)
	}
	if authorization.DeviceKey != v.DevicePublic || len(authorization.Entitlements) != 2 || !authorization.Entitlements[1].End.Equal(vectorTime.Add(365*24*time.Hour)) {
		t.Errorf("the authorization says %+v", authorization)
	}
	binding := authorization.Binding()
	if binding.Key != v.SatellitePub || secret.ReturnCode(binding) != v.Return || secret.ConfirmationCode(binding) != v.Confirmation || secret.UniversalCode(binding) != v.Universal {
		t.Errorf("the device makes %s, %s, %s", secret.ReturnCode(binding), secret.ConfirmationCode(binding), secret.UniversalCode(binding))
	}
}
