package compatible_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"ssm/satellite/wire"
)

func specific(code, tag string, quantity int) string {
	return fmt.Sprintf(`{"reservationCode":%s,"reservationType":"SPECIFIC","licenses":[{"entitlementTag":%s,"quantity":%d,"precedence":"LONGEST_TERM_FIRST"}]}`, quoted(code), quoted(tag), quantity)
}

func universal(code string) string {
	return `{"reservationCode":` + quoted(code) + `,"reservationType":"UNIVERSAL"}`
}

func (w *world) reserved(token, path string, requests ...string) reply {
	w.t.Helper()
	return w.send(token, http.MethodPost, licensing+path+"/reserve-licenses", `{"reservationRequests":[`+strings.Join(requests, ",")+`]}`)
}

// codesOf are the authorization codes of an answer.
func (w *world) codesOf(got reply) (codes []string) {
	w.t.Helper()
	var answer struct {
		Status             string
		AuthorizationCodes []struct{ Status, AuthorizationCode string }
	}
	if err := json.Unmarshal([]byte(got.body), &answer); err != nil || got.status != http.StatusOK || answer.Status != "SUCCESS" {
		w.t.Fatalf("%d %s", got.status, got.body)
	}
	for _, one := range answer.AuthorizationCodes {
		if one.Status != "SUCCESS" {
			w.t.Errorf("%s", got.body)
		}
		codes = append(codes, one.AuthorizationCode)
	}
	return codes
}

func TestLicensesAreReservedAndTheCodesAreInstalled(t *testing.T) {
	t.Parallel()
	for _, tree := range []string{"/v1", "/v2"} {
		w := newWorld(t)
		first, second := w.quietDevice("KND1"), w.quietDevice("KND2")
		code, other := must(first.RequestReservation(wire.ReservationSpecific))(t), must(second.RequestReservation(wire.ReservationUniversal))(t)
		text := strings.Replace(specific(code, networkAdvantage, 4), `"quantity":4`, `"quantity":"4"`, 1)
		text = strings.Replace(text, quoted(code), quoted(code+"\r\n"), 1) // as it comes from the device's output
		got := w.reserved("account-user", tree+defaultPath, text, universal(other))
		codes := w.codesOf(got)
		if len(codes) != 2 || !strings.HasPrefix(got.body, `{"status":"SUCCESS","statusMessage":"","authorizationCodes":[{"reservationCode":`+quoted(code)+`,"status":"SUCCESS","statusMessage":"","authorizationCode":"<specificPLR>`) {
			t.Errorf("got %s", got.body)
		}
		must(first.InstallReservation(codes[0]))(t)
		must(second.InstallReservation(codes[1]))(t)
		if licenses := first.State().Licenses(); len(licenses) != 1 || licenses[0].Tag != networkAdvantage || licenses[0].Count != 4 {
			t.Errorf("the device has %+v", licenses)
		}
		if stock := w.stock("Default", networkAdvantage); stock.Reserved != 4 {
			t.Errorf("%d are reserved", stock.Reserved)
		}
		w.writesNothing("the same again", func() {
			if again := w.reserved("account-user", tree+defaultPath, text, universal(other)); again.body != got.body {
				t.Errorf("the same again gives %s\nwas %s", again.body, got.body)
			}
		})
		w.writesNothing("the same code for other licenses", func() {
			w.refusedEach(w.reserved("account-user", tree+defaultPath, specific(code, networkAdvantage, 5)), 409, "has a reservation", "authorizationCodes", 1, 1)
		})
	}
}

func TestAReservationIsRefusedAtBothLevelsAndChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	code := must(w.quietDevice("KND1").RequestReservation(wire.ReservationSpecific))(t)
	other := must(w.quietDevice("KND2").RequestReservation(wire.ReservationSpecific))(t)
	const list = "authorizationCodes"
	w.writesNothing("what is refused", func() {
		got := w.reserved("account-user", "/v1"+defaultPath, specific(code, networkAdvantage, 6), specific(other, networkAdvantage, 5))
		w.refusedEach(got, 409, "Reservation 2: ", list, 2, 2)
		if !strings.Contains(got.body, `{"reservationCode":`+quoted(other)+`,"status":"ERROR","statusMessage":"Reservation 2:`) || strings.Count(got.body, `"authorizationCode":null`) != 2 {
			t.Errorf("got %s", got.body)
		}
		for request, c := range map[string]struct {
			status, entry int
			words         string
		}{
			specific(code, "none", 1):                                            {404, 1, `the tag "none"`},
			specific(code[:len(code)-1], networkAdvantage, 1):                    {400, 1, "request code was expected"},
			universal(code):                                                      {409, 1, "asks for a specific reservation"},
			specific(code, networkAdvantage, 0):                                  {400, 0, "reservationRequests[0].licenses[0].quantity must be at least 1"},
			specific("", networkAdvantage, 1):                                    {400, 0, "reservationRequests[0].reservationCode is missing"},
			specific(code, "", 1):                                                {400, 0, "reservationRequests[0].licenses[0].entitlementTag is missing"},
			`{"reservationCode":"x"}`:                                            {400, 0, "reservationRequests[0].reservationType is missing"},
			`{"reservationCode":"x","reservationType":"ALL"}`:                    {400, 0, "reservationRequests[0].reservationType must be SPECIFIC or UNIVERSAL"},
			`{"reservationCode":"x","reservationType":"specific"}`:               {400, 0, "reservationRequests[0].licenses is missing"},
			`{"reservationCode":"x","reservationType":"UNIVERSAL","licenses":7}`: {400, 0, "reservationRequests[0].licenses must be a list"},
		} {
			w.refusedEach(w.reserved("account-user", "/v2"+defaultPath, request), c.status, c.words, list, 1, c.entry)
		}
		w.refusedEach(w.reserved("account-user", "/v1"+defaultPath), 400, "reservationRequests is missing", list, 0, 0)
		w.refusedEach(w.reserved("account-user", "/v1"+defaultPath, strings.Repeat(universal(code)+",", 20)+universal(code)), 400, "reservationRequests: From 1 to 20", list, 21, 0)
		w.refusedEach(w.reserved("account-user", "/v1/accounts/Acme%20東京/virtual-accounts/None", universal(code)), 404, "no virtual account", list, 1, 0)
		for actor, status := range map[string]int{"account-viewer": 403, "virtual-account-admin": 404, "stranger": 404, "": 401} {
			w.refused(w.reserved(actor, "/v1"+defaultPath, specific(code, networkAdvantage, 1)), status, "")
		}
	})
}

func reserveGolden(tree string) golden {
	return golden{
		file: "licenses-reserved", volatile: []string{"authorizationCodes[].reservationCode", "authorizationCodes[].authorizationCode"},
		fields: answered(
			field{"authorizationCodes", "list", "never"}, field{"authorizationCodes[].reservationCode", "string", "never"},
			field{"authorizationCodes[].status", "string", "never"}, field{"authorizationCodes[].statusMessage", "string", "always"},
			field{"authorizationCodes[].authorizationCode", "string|null", "never"}, // null where the request was refused
		),
		answers: map[string]func(*world) reply{
			"full": func(w *world) reply {
				first, second := w.quietDevice("KND1"), w.quietDevice("KND2")
				return w.reserved(administrator, tree+defaultPath, universal(must(first.RequestReservation(wire.ReservationUniversal))(w.t)), universal(must(second.RequestReservation(wire.ReservationUniversal))(w.t)))
			},
			"empty": func(w *world) reply {
				return w.reserved(administrator, tree+defaultPath, universal(must(w.quietDevice("KND1").RequestReservation(wire.ReservationUniversal))(w.t)))
			},
		},
	}
}

var _ = calls(map[string]golden{
	"POST v1 /accounts/{account}/virtual-accounts/{virtual_account}/reserve-licenses": reserveGolden("/v1"),
	"POST v2 /accounts/{account}/virtual-accounts/{virtual_account}/reserve-licenses": reserveGolden("/v2"),
})
