package compatible_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"ssm/satellite/wire"
)

const (
	removedDevice = `{"status":"SUCCESS","statusMessage":"The device was removed.","device":"udiPid:EX-8500 udiSerialNumber:%s"}`
	removedOne    = `{"status":"SUCCESS","statusMessage":"The device was removed.","removeProductInstancesStatus":[` + removedDevice + `]}`
	spelled       = "productInstancesRemoveRequests"
	misspelled    = "productInstacesRemoveRequests"
)

// removals are the paths by which a device of Lab 1 is removed.
var removals = []string{
	"/v2" + labPath + "/devices/remove", "/v3" + labPath + "/devices/remove",
	"/v2/accounts/Acme%20東京/devices/remove?virtualAccountName=lab%201", "/v3/accounts/Acme%20東京/devices/remove?virtualAccountName=Lab+1",
}

func (w *world) removed(token, path, field string, devices ...string) reply {
	w.t.Helper()
	return w.send(token, http.MethodPost, licensing+path, `{"`+field+`":[`+strings.Join(devices, ",")+`]}`)
}

func TestADeviceIsRemovedByEitherPathWithEitherSpelling(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	serial := 0
	for _, path := range removals {
		for _, field := range []string{spelled, misspelled} {
			serial++
			name := fmt.Sprint("KND", serial)
			w.device(tokyo, "Lab 1", name, map[string]int64{networkAdvantage: 1})
			w.done(w.removed("virtual-account-user", path, field, sudi(name, `,"productTagName":null,"returnCode":""`)), fmt.Sprintf(removedOne, name))
			if w.where(name) != "" || w.stock("Lab 1", networkAdvantage).InUse != 0 {
				t.Errorf("%s %s: the device is still there", path, field)
			}
			w.writesNothing("the same again", func() {
				w.refusedEach(w.removed("virtual-account-user", path, field, sudi(name, "")), 404, `"Lab 1" has no device`, "removeProductInstancesStatus", 1, 1)
			})
		}
	}
}

func TestADeviceWithAReservationIsRemovedByItsReturnCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	quiet := w.quietDevice("KND1")
	code := must(quiet.RequestReservation(wire.ReservationSpecific))(t)
	must(quiet.InstallReservation(w.codesOf(w.v1("account-user", http.MethodPost, defaultPath+"/reserve-licenses", `{"reservationRequests":[`+specific(code, networkAdvantage, 4)+`]}`))[0]))(t)
	w.device(tokyo, "Default", "KND2", nil)
	path := "/v2" + defaultPath + "/devices/remove"
	back := must(quiet.ReturnReservation())(t)
	const list = "removeProductInstancesStatus"
	w.writesNothing("what is refused", func() {
		w.refusedEach(w.removed("account-user", path, misspelled, sudi("KND2", ""), sudi("KND1", "")), 409, "Device 2: ", list, 2, 2)
		w.refusedEach(w.removed("account-user", path, misspelled, sudi("KND1", `,"returnCode":"`+back[1:]+`"`)), 400, "return code", list, 1, 1)
		w.refusedEach(w.removed("account-user", path, misspelled, sudi("KND1", `,"returnCode":"`+back+`"`), sudi("KND3", "")), 404, `"KND3"`, list, 2, 2)
	})
	w.done(w.removed("account-user", path, misspelled, sudi("KND1", `,"returnCode":" `+back+`\r\n"`), sudi("KND2", `,"returnCode":"none"`)),
		`{"status":"SUCCESS","statusMessage":"2 devices were removed.","removeProductInstancesStatus":[`+fmt.Sprintf(removedDevice, "KND1")+","+fmt.Sprintf(removedDevice, "KND2")+`]}`)
	if stock := w.stock("Default", networkAdvantage); stock.Reserved != 0 || stock.Available() != 10 || w.where("KND1") != "" || w.where("KND2") != "" {
		t.Errorf("the pool is %+v, the devices are in %q and %q", stock.Pool, w.where("KND1"), w.where("KND2"))
	}
}

func TestARemovalIsRefusedInTheWordsOfTheClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.device(tokyo, "Lab 1", "KND1", nil)
	w.writesNothing("what is refused", func() {
		for _, path := range removals {
			for body, words := range map[string]string{
				``:                            spelled + " is missing",
				`{"` + misspelled + `":[]}`:   misspelled + " is missing",
				`{"` + misspelled + `":[{}]}`: misspelled + "[0].sudi.udiPid is missing",
				`{"` + spelled + `":"x"}`:     spelled + " must be a list",
				`{"` + spelled + `":[` + sudi("KND1", `,"returnCode":{}`) + `]}`:                             spelled + "[0].returnCode must be a text",
				`{"` + spelled + `":[` + strings.Repeat(sudi("KND1", "")+",", 100) + sudi("KND1", "") + `]}`: spelled + ": From 1 to 100 devices",
			} {
				w.refused(w.send("account-user", http.MethodPost, licensing+path, body), 400, words)
			}
			w.refusedEach(w.removed("account-user", path, spelled, sudi("KND1", ""), sudi("KND1", `,"productTagName":"another"`)), 404, "Device 2: ", "removeProductInstancesStatus", 2, 2)
			for actor, status := range map[string]int{"account-viewer": 403, "virtual-account-viewer": 403, "stranger": 404, "": 401} {
				w.refused(w.removed(actor, path, spelled, sudi("KND1", "")), status, "")
			}
		}
		byName := "/v3/accounts/Acme%20東京/devices/remove"
		w.refused(w.removed("account-user", byName, spelled, sudi("KND1", "")), 400, "virtualAccountName is missing")
		w.refused(w.removed("account-user", byName+"?virtualAccountName=Nowhere", spelled, sudi("KND1", "")), 404, `no virtual account "Nowhere"`)
		w.refused(w.removed("virtual-account-user", byName+"?virtualAccountName=Default", spelled, sudi("KND1", "")), 404, "")
	})
}

func removeGolden(path string) golden {
	return golden{
		file:   "devices-removed",
		fields: append([]field{{"status", "string", "never"}, {"statusMessage", "string", "never"}}, deviceOutcomeFields("removeProductInstancesStatus")...),
		answers: map[string]func(*world) reply{
			"full": func(w *world) reply {
				w.device(tokyo, "Lab 1", "KND1", nil)
				w.device(tokyo, "Lab 1", "KND2", nil)
				return w.removed(administrator, path, spelled, sudi("KND1", ""), sudi("KND2", ""))
			},
			"empty": func(w *world) reply {
				w.device(tokyo, "Lab 1", "KND1", nil)
				return w.removed(administrator, path, misspelled, sudi("KND1", ""))
			},
		},
	}
}

var _ = calls(map[string]golden{
	"POST v2 /accounts/{account}/virtual-accounts/{virtual_account}/devices/remove": removeGolden(removals[0]),
	"POST v3 /accounts/{account}/virtual-accounts/{virtual_account}/devices/remove": removeGolden(removals[1]),
	"POST v2 /accounts/{account}/devices/remove":                                    removeGolden(removals[2]),
	"POST v3 /accounts/{account}/devices/remove":                                    removeGolden(removals[3]),
})
