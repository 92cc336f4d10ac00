package compatible_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"ssm/satellite"
)

// sudi names a device as clients do, with more after it.
func sudi(serial, more string) string {
	return `{"sudi":{"suvi":null,"uuid":"","udiPid":"EX-8500","udiSerialNumber":"` + serial + `"}` + more + `}`
}

func moved(serial, target string) string {
	return sudi(serial, `,"targetVirtualAccount":"`+target+`"`)
}

func (w *world) moveDevices(token, from string, devices ...string) reply {
	w.t.Helper()
	return w.v1(token, http.MethodPost, from+"/devices/transfer", `{"productInstances":[`+strings.Join(devices, ",")+`]}`)
}

const transferredDevice = `{"status":"SUCCESS","statusMessage":"The device was transferred.","device":"udiPid:EX-8500 udiSerialNumber:%s"}`

func TestDevicesAreTransferredEachToItsTarget(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(w.service.CreateVirtualAccount(t.Context(), w.actors[administrator], w.accounts[tokyo].ID, "札幌", ""))(t)
	w.device(tokyo, "Default", "KND1", map[string]int64{networkAdvantage: 2})
	second := w.device(tokyo, "Default", "KND2", nil)
	tag := must(w.service.FindInstance(t.Context(), w.actors[administrator], satellite.InstanceQuery{PIID: second.PIID}))(t).SoftwareTag
	request := []string{moved("KND1", "lab 1"), sudi("KND2", `,"productTagName":"`+tag+` ","targetVirtualAccount":"札幌"`)}
	want := `{"status":"SUCCESS","statusMessage":"","productInstancesTransferStatus":[` + fmt.Sprintf(transferredDevice, "KND1") + "," + fmt.Sprintf(transferredDevice, "KND2") + `]}`
	w.done(w.moveDevices("account-user", defaultPath, request...), want)
	if w.where("KND1") != "Lab 1" || w.where("KND2") != "札幌" {
		t.Errorf("the devices are in %q and %q", w.where("KND1"), w.where("KND2"))
	}
	if used := w.stock("Lab 1", networkAdvantage).InUse; used != 2 {
		t.Errorf("%d licenses went along", used)
	}
	w.writesNothing("the same again", func() { w.done(w.moveDevices("account-user", defaultPath, request...), want) })
}

func TestATransferOfDevicesIsAllOrNothingAndSaysWhatWasWrong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(w.service.CreateVirtualAccount(t.Context(), w.actors[administrator], w.accounts[tokyo].ID, "Store", ""))(t)
	w.device(tokyo, "Default", "KND1", nil)
	const list = "productInstancesTransferStatus"
	w.writesNothing("what is refused", func() {
		got := w.moveDevices("account-user", defaultPath, moved("KND1", "Lab 1"), moved("KND9", "Lab 1"), moved("KND1", "Lab 1"))
		w.refusedEach(got, 404, `Device 2: Virtual account "Default" has no device with the product id "EX-8500" and the serial number "KND9"`, list, 3, 2)
		if !strings.Contains(got.body, `"device":"udiPid:EX-8500 udiSerialNumber:KND9"`) {
			t.Errorf("the device is not named: %s", got.body)
		}
		w.refusedEach(w.moveDevices("account-user", defaultPath, moved("KND1", "Nowhere")), 404, `no virtual account "Nowhere"`, list, 1, 1)
		w.refusedEach(w.moveDevices("account-user", labPath, moved("KND1", "Store")), 404, `Virtual account "Lab 1" has no device`, list, 1, 1)
		w.refusedEach(w.moveDevices("account-user", defaultPath, sudi("KND1", `,"productTagName":"another","targetVirtualAccount":"Lab 1"`)), 404, `the software "another"`, list, 1, 1)
		w.refusedEach(w.moveDevices("account-user", defaultPath, strings.Repeat(moved("KND1", "Lab 1")+",", 1000)+moved("KND1", "Lab 1")), 400, "productInstances: A transfer names 1 to 1000", list, 1001, 0)
		for body, words := range map[string]string{
			``:                                  "productInstances is missing",
			`{"productInstances":[]}`:           "productInstances is missing",
			`{"productInstances":{}}`:           "productInstances must be a list",
			`{"productInstances":[{}]}`:         "productInstances[0].sudi.udiPid is missing",
			`{"productInstances":[{"sudi":7}]}`: "productInstances[0].sudi must be an object",
			`{"productInstances":[{"sudi":{"udiPid":"X","udiSerialNumber":" "},"targetVirtualAccount":"Lab 1"}]}`: "productInstances[0].sudi.udiSerialNumber is missing",
			`{"productInstances":[` + moved("KND1", "Lab 1") + `,` + sudi("KND1", "") + `]}`:                      "productInstances[1].targetVirtualAccount is missing",
		} {
			w.refused(w.v1("account-user", http.MethodPost, defaultPath+"/devices/transfer", body), 400, words)
		}
		for actor, status := range map[string]int{"account-viewer": 403, "virtual-account-user": 404, "stranger": 404, "": 401} {
			w.refused(w.moveDevices(actor, defaultPath, moved("KND1", "Lab 1")), status, "")
		}
	})
	// Who manages the source alone does not see the target.
	w.device(tokyo, "Lab 1", "KND2", nil)
	w.writesNothing("a target that is not seen", func() {
		w.refused(w.moveDevices("virtual-account-user", labPath, moved("KND2", "Default")), 404, `There is no virtual account "Default"`)
	})
}

// deviceOutcomeFields are what became of each device, in the list of that name.
func deviceOutcomeFields(list string) []field {
	return []field{
		{list, "list", "never"}, {list + "[].status", "string", "never"}, {list + "[].statusMessage", "string", "never"}, {list + "[].device", "string", "never"},
	}
}

var _ = calls(map[string]golden{
	"POST v1 /accounts/{account}/virtual-accounts/{virtual_account}/devices/transfer": {
		file: "devices-transferred", fields: answered(deviceOutcomeFields("productInstancesTransferStatus")...),
		answers: map[string]func(*world) reply{
			"full": func(w *world) reply {
				w.device(tokyo, "Default", "KND1", nil)
				w.device(tokyo, "Default", "KND2", nil)
				return w.moveDevices(administrator, defaultPath, moved("KND1", "Lab 1"), moved("KND2", "Lab 1"))
			},
			"empty": func(w *world) reply {
				w.device(tokyo, "Lab 1", "KND1", nil)
				return w.moveDevices(administrator, defaultPath, moved("KND1", "Lab 1")) // it is there already
			},
		},
	},
})
