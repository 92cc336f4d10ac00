package satellite_test

import (
	"testing"

	"ssm/satellite"
	"ssm/satellite/wire"
)

// moveOut names a device as it is written on it, and where it goes.
func moveOut(serial, to string) satellite.InstanceTransfer {
	return satellite.InstanceTransfer{Identity: satellite.Identity{UDIPID: "R1000", UDISerialNumber: serial}, To: to}
}

func (w *world) moveOut(from string, list ...satellite.InstanceTransfer) error {
	return w.service.TransferInstancesFrom(w.ctx, admin, w.account.ID, from, list)
}

// whereIs is the virtual account that a device is in.
func (w *world) whereIs(serial string) string {
	w.Helper()
	details, err := w.service.FindInstance(w.ctx, admin, satellite.InstanceQuery{UDIPID: "R1000", UDISerialNumber: serial})
	w.must(err)
	return details.VirtualAccount
}

func TestDevicesOfOneRequestGoEachToItsOwnVirtualAccountAllOrNone(t *testing.T) {
	t.Parallel()
	w := annexed(t, lot{tag: "base", quantity: 5}, lot{tag: "hard", quantity: 5})
	_, err := w.service.CreateVirtualAccount(w.ctx, admin, w.account.ID, "Lab", "")
	w.must(err)
	_, text := w.token(satellite.NewToken{})
	a, b, c := w.device("A").register(text), w.device("B").register(text), w.device("C").register(text)
	a.told("base", "in-compliance 1", "base", 1)
	b.told("base", "in-compliance 2", "base", 2)
	c.told("hard", "in-compliance 2", "hard", 2)
	d := w.silent("D", wire.ReservationSpecific)
	r := d.reserve("base", 1)

	w.unchanged("a transfer that is refused", func() {
		for _, c := range []struct {
			list  []satellite.InstanceTransfer
			kind  satellite.Kind
			code  string
			entry int
			words string
		}{
			{[]satellite.InstanceTransfer{moveOut("A", "Annex"), moveOut("C", "Lab")}, satellite.KindConflict, "device-transfer-refused", 0, `"Lab" cannot give these devices`},
			{[]satellite.InstanceTransfer{moveOut("A", "Annex"), moveOut("X", "Lab")}, satellite.KindNotFound, "device-not-found", 2, `Device 2: Virtual account "Default" has no device`},
			{[]satellite.InstanceTransfer{moveOut("A", "Annex"), moveOut("B", "Nowhere")}, satellite.KindNotFound, "virtual-account-not-found", 2, "Nowhere"},
			{[]satellite.InstanceTransfer{moveOut("A", "Annex"), moveOut("A", "Lab")}, satellite.KindNotFound, "device-not-found", 2, `"A"`},
			{nil, satellite.KindInvalid, "device-transfer-invalid", 0, "not 0"},
			{make([]satellite.InstanceTransfer, 1001), satellite.KindInvalid, "device-transfer-invalid", 0, "not 1001"},
		} {
			err := w.moveOut("Default", c.list...)
			refused(t, err, c.kind, c.code, c.words)
			if satellite.EntryOf(err) != c.entry {
				t.Errorf("entry %d was refused, want %d: %v", satellite.EntryOf(err), c.entry, err)
			}
		}
		refused(t, w.moveOut("Lab", moveOut("A", "Annex")), satellite.KindNotFound, "device-not-found", `"Lab" has no device`)
		tagged := moveOut("A", "Annex")
		tagged.SoftwareTag = "another"
		refused(t, w.moveOut("Default", tagged), satellite.KindNotFound, "device-not-found", `"another"`)
		if err := w.service.TransferInstancesFrom(w.ctx, w.viewer(), w.account.ID, "Default", []satellite.InstanceTransfer{moveOut("A", "Annex")}); satellite.KindOf(err) != satellite.KindForbidden {
			t.Errorf("a viewer transfers a device: %v", err)
		}
	})

	request := []satellite.InstanceTransfer{moveOut("A", "annex"), moveOut("B", "Lab"), moveOut("D", "Annex"), moveOut("A", "Annex")}
	w.must(w.moveOut("Default", request...))
	for serial, want := range map[string]string{"A": "Annex", "B": "Lab", "C": "Default", "D": "Annex"} {
		if got := w.whereIs(serial); got != want {
			t.Errorf("device %s is in %q, want %q", serial, got, want)
		}
	}
	if annex, lab := w.row("Annex", "base"), w.row("Lab", "base"); annex.InUse != 1 || annex.Reserved != 1 || lab.InUse != 2 {
		t.Errorf("the pools are %+v and %+v", annex.Pool, lab.Pool)
	}
	if after, err := w.service.FindReservation(w.ctx, admin, satellite.ReservationQuery{ID: r.ID}); err != nil || after.VirtualAccountID != w.row("Annex", "base").VirtualAccountID {
		t.Errorf("the reservation is %+v (%v)", after, err)
	}
	w.unchanged("the same again", func() { w.must(w.moveOut("Default", request...)) })
	w.audit()
}

func TestADeviceWithTwoSoftwaresIsNamedByItsTag(t *testing.T) {
	t.Parallel()
	w := annexed(t)
	_, text := w.token(satellite.NewToken{})
	w.device("A").register(text)
	second := w.device("A")
	const software = "regid.2026-01.com.example.SECOND,1.0_11111111-2222-4333-8444-555555555555"
	second.adopt(second.ok(second.message(wire.Registration, wire.RequestData{Token: text, CertificateRequest: second.csr(), SoftwareTag: software})))
	w.unchanged("which of them is not said", func() {
		refused(t, w.moveOut("Default", moveOut("A", "Annex")), satellite.KindConflict, "device-ambiguous", "2 devices", "software tag")
	})
	tagged := moveOut("A", "Annex")
	tagged.SoftwareTag = software
	w.must(w.moveOut("Default", tagged))
	w.must(w.moveOut("Default", moveOut("A", "Annex"))) // the other one, which is the only one there now
	list, err := w.service.Instances(w.ctx, admin, satellite.InstanceFilter{AccountID: w.account.ID}, satellite.Page{})
	w.must(err)
	for _, d := range list {
		if d.VirtualAccount != "Annex" {
			t.Errorf("device %s with %s is in %q", d.UDISerialNumber, d.SoftwareTag, d.VirtualAccount)
		}
	}
}
