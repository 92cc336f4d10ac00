package adminapi_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"ssm/satellite/adminapi"
	"ssm/satellite/wire"
)

func TestAReservationGoesItsWayByREST(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := url.PathEscape(company)
	w.expect(w.call(http.MethodPost, "/accounts", asJSON, `{"name":"`+company+`","email":"a@example.com"}`), 201, "")
	w.settle(account)
	key := must(wire.NewReservationKey())(t)
	code := must(wire.ReservationRequest{Kind: wire.ReservationSpecific, PID: "EX-8500", SerialNumber: "KND1", Key: key.Public()}.Code())(t)
	last := "2"
	if strings.HasSuffix(code, last) {
		last = "3"
	}
	names := map[string]string{"{code}": code, "{tag}": tag, "{mistyped}": code[:len(code)-1] + last}
	run(t, w, names, []scenario{
		{"what a code says", "POST", "/reservation-previews", asJSON, `{"code":"{code}"}`, 200, `{"type":"specific","udi_pid":"EX-8500","udi_serial_number":"KND1"}`},
		{"what a mistyped code says", "POST", "/reservation-previews", asJSON, `{"code":"{mistyped}"}`, 400, `this is no request code`},
		{"no reservation yet", "GET", "/reservations", "", "", 200, `{"items":[],"next":""}`},
		{"a reservation for nobody", "POST", "/reservations", asJSON, `{"account":"nobody","code":"{code}"}`, 404, `"code":"account-not-found"`},
		{"a reservation of nothing", "POST", "/reservations", asJSON, `{"code":"{code}"}`, 400, `"code":"reservation-licenses-invalid"`},
		{"a reservation of another kind", "POST", "/reservations", asJSON, `{"code":"{code}","type":"universal"}`, 409, `"code":"reservation-type-mismatch"`},
		{"more than there is", "POST", "/reservations", asJSON, `{"code":"{code}","licenses":[{"tag":"{tag}","count":11}]}`, 409, `"code":"reservation-surplus"`},
		{"a reservation", "POST", "/reservations", asJSON, `{"code":"{code}","type":"specific","licenses":[{"tag":"{tag}","count":4}]}`, 201, `"state":"reserved"`},
		{"the same again", "POST", "/reservations", asJSON, `{"code":"{code}","licenses":[{"tag":"{tag}","count":4}]}`, 201, `"id":1,`},
		{"another one", "POST", "/reservations", asJSON, `{"code":"{code}","licenses":[{"tag":"{tag}","count":3}]}`, 409, `"code":"device-reserved"`},
		{"the reservations of a place", "GET", "/reservations?virtual_account=default", "", "", 200, `"udi_serial_number":"KND1"`},
		{"the reservations of no place", "GET", "/reservations?virtual_account=Lab", "", "", 404, `"code":"virtual-account-not-found"`},
		{"the reservation", "GET", "/reservations/1", "", "", 200, `"update":null`},
		{"one that does not exist", "GET", "/reservations/2", "", "", 404, `"code":"reservation-not-found"`},
		{"what is reserved", "GET", "/licenses", "", "", 200, `"reserved":4,`},
		{"the device of it", "GET", "/devices", "", "", 200, `"authorization_state":"authorized - reserved"`},
		{"an image", "GET", "/reservations/1/qr", "", "", 200, `<svg xmlns=`},
		{"another image", "GET", "/reservations/1/qr?format=png&part=2", "", "", 200, "\x89PNG"},
		{"an image behind the last one", "GET", "/reservations/1/qr?part=99", "", "", 404, `"code":"qr-part-not-found"`},
		{"an update", "POST", "/reservations/1/updates", asJSON, `{"licenses":[{"tag":"{tag}","count":2}]}`, 200, `"state":"update pending"`},
		{"an update of what does not exist", "POST", "/reservations/9/updates", asJSON, `{"licenses":[]}`, 404, `"code":"reservation-not-found"`},
		{"a confirmation by a request code", "POST", "/reservations/1/confirmation", asJSON, `{"code":"{code}"}`, 400, `this is a request code; a confirmation code was expected`},
	})
	var r adminapi.Reservation
	if err := json.Unmarshal([]byte(w.call(http.MethodGet, "/reservations/1", "", "").body), &r); err != nil {
		t.Fatal(err)
	}
	signed, _, err := wire.ReadAuthorization(r.Update.Text)
	if err != nil || r.Update.QRParts != len(wire.QRParts(r.Update.Text)) || r.Update.QRParts < 2 {
		t.Fatalf("the update is %+v (%v)", r.Update, err)
	}
	secret := must(key.Secret(signed.Key))(t)
	names["{confirmation}"], names["{return}"] = secret.ConfirmationCode(signed.Binding()), secret.ReturnCode(signed.Binding())
	run(t, w, names, []scenario{
		{"a return by a confirmation code", "POST", "/reservations/1/return", asJSON, `{"code":"{confirmation}"}`, 400, `this is a confirmation code; a return code was expected`},
		{"the confirmation", "POST", "/reservations/1/confirmation", asJSON, `{"code":"{confirmation}"}`, 200, `"state":"reserved"`},
		{"removing the device", "DELETE", "/devices/" + r.PIID, "", "", 409, `"code":"device-reserved"`},
		{"the return of another device", "POST", "/reservation-returns", asJSON, `{"udi_pid":"EX-8500","udi_serial_number":"KND2","code":"{return}"}`, 404, `"code":"reservation-not-found"`},
		{"the return", "POST", "/reservation-returns", asJSON, `{"udi_pid":"EX-8500","udi_serial_number":"KND1","code":"{return}"}`, 200, `"state":"returned"`},
		{"the return again", "POST", "/reservations/1/return", asJSON, `{"code":"{return}"}`, 200, `"state":"returned"`},
		{"what is reserved now", "GET", "/licenses", "", "", 200, `"reserved":0,`},
	})
}
