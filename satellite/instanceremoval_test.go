package satellite_test

import (
	"testing"

	"ssm/satellite"
	"ssm/satellite/wire"
)

// removal names a device as it is written on it.
func removal(serial, code string) satellite.InstanceRemoval {
	return satellite.InstanceRemoval{Identity: satellite.Identity{UDIPID: "R1000", UDISerialNumber: serial}, ReturnCode: code}
}

func (w *world) removeDevices(list ...satellite.InstanceRemoval) error {
	return w.service.RemoveInstances(w.ctx, admin, w.account.ID, "Default", list)
}

func TestDevicesAreRemovedTogetherWithTheReservationsThatTheyGaveUp(t *testing.T) {
	t.Parallel()
	w := annexed(t, lot{tag: "a", quantity: 10}, lot{tag: "export", quantity: 5})
	_, text := w.token(satellite.NewToken{ExportControlled: true})
	talks := w.device("S1").register(text)
	talks.told("a", "in-compliance 2", "a", 2)
	quiet, other := w.silent("S2", wire.ReservationSpecific), w.silent("S3", wire.ReservationSpecific)
	r, second := quiet.reserve("a", 3), other.reserve("a", 1)
	_, back := quiet.codes(r.Authorization)
	_, foreign := other.codes(second.Authorization)
	holds := w.device("S4").register(text)
	holds.told("export", "in-compliance 1", "export", 1)

	w.unchanged("a removal that is refused", func() {
		for _, c := range []struct {
			list  []satellite.InstanceRemoval
			kind  satellite.Kind
			code  string
			entry int
			words string
		}{
			{[]satellite.InstanceRemoval{removal("S1", ""), removal("S2", "")}, satellite.KindConflict, "device-reserved", 2, "Device 2: The device R1000"},
			{[]satellite.InstanceRemoval{removal("S1", ""), removal("S2", foreign)}, satellite.KindConflict, "reservation-code-mismatch", 2, "S2"},
			{[]satellite.InstanceRemoval{removal("S2", back[1:])}, satellite.KindInvalid, "reservation-code-invalid", 1, "return code of device R1000"},
			{[]satellite.InstanceRemoval{removal("S2", back), removal("S4", "")}, satellite.KindConflict, "export-licenses-held", 2, "host-S4"},
			{[]satellite.InstanceRemoval{removal("S2", back), removal("S9", "")}, satellite.KindNotFound, "device-not-found", 2, `"S9"`},
			{[]satellite.InstanceRemoval{removal("S1", ""), removal("S1", "")}, satellite.KindNotFound, "device-not-found", 2, `"S1"`},
			{nil, satellite.KindInvalid, "device-removal-invalid", 0, "not 0"},
			{make([]satellite.InstanceRemoval, 101), satellite.KindInvalid, "device-removal-invalid", 0, "not 101"},
		} {
			err := w.removeDevices(c.list...)
			refused(t, err, c.kind, c.code, c.words)
			if satellite.EntryOf(err) != c.entry {
				t.Errorf("entry %d was refused, want %d: %v", satellite.EntryOf(err), c.entry, err)
			}
		}
		err := w.service.RemoveInstances(w.ctx, admin, w.account.ID, "Annex", []satellite.InstanceRemoval{removal("S1", "")})
		refused(t, err, satellite.KindNotFound, "device-not-found", `"Annex" has no device`)
		other := removal("S1", "")
		other.SoftwareTag = "another"
		refused(t, w.removeDevices(other), satellite.KindNotFound, "device-not-found", `"another"`)
	})

	tagged := removal("S1", "it has no reservation")
	details, err := w.service.FindInstance(w.ctx, admin, satellite.InstanceQuery{PIID: talks.piid})
	w.must(err)
	tagged.SoftwareTag = details.SoftwareTag
	// The software of a device that never talked is not known, so any will do.
	reserved := removal("S2", back)
	reserved.SoftwareTag = "what is on it"
	w.must(w.removeDevices(tagged, reserved))
	if row := w.pool("a"); row.InUse != 0 || row.Reserved != 1 {
		t.Errorf("%d are in use and %d reserved", row.InUse, row.Reserved)
	}
	for _, piid := range []string{talks.piid, r.PIID} {
		if _, err := w.service.FindInstance(w.ctx, admin, satellite.InstanceQuery{PIID: piid}); satellite.KindOf(err) != satellite.KindNotFound {
			t.Errorf("the device is still there (%v)", err)
		}
	}
	if after, err := w.service.FindReservation(w.ctx, admin, satellite.ReservationQuery{ID: r.ID}); err != nil || after.State != satellite.ReservationReturned {
		t.Errorf("the reservation is %s (%v)", after.State, err)
	}
	w.unchanged("the same again", func() {
		refused(t, w.removeDevices(reserved), satellite.KindNotFound, "device-not-found")
	})
	w.audit()
}

func TestADeviceThatIsKnownByItsReportsIsRemovedWithItsReservation(t *testing.T) {
	t.Parallel()
	file, _, _ := usageFile(t)
	reports, err := wire.ReadUsageFile(file)
	if err != nil {
		t.Fatal(err)
	}
	device := reports[0].Payload.AssetIdentification.Instance.SUDI
	w := registered(t, lot{tag: "a", quantity: 10})
	_, err = w.service.ImportUsage(w.ctx, admin, w.account.ID, file)
	w.must(err)
	d := w.silent(device.UDISerialNumber, wire.ReservationSpecific)
	d.pid = device.UDIPID
	r := d.reserve("a", 2)
	_, back := d.codes(r.Authorization)
	w.must(w.removeDevices(satellite.InstanceRemoval{Identity: satellite.Identity{UDIPID: d.pid, UDISerialNumber: d.serial}, ReturnCode: back}))
	w.counts("a", 0, 10)
	if _, err := w.service.FindInstance(w.ctx, admin, satellite.InstanceQuery{PIID: r.PIID}); satellite.KindOf(err) != satellite.KindNotFound {
		t.Errorf("the device is still there (%v)", err)
	}
}

func TestDevicesAreRemovedByWhoManagesThemAndReturnedByWhoManagesReservations(t *testing.T) {
	t.Parallel()
	w := annexed(t, lot{tag: "a", quantity: 10})
	_, text := w.token(satellite.NewToken{})
	w.device("S1").register(text)
	list, err := w.service.VirtualAccounts(w.ctx, admin, w.account.ID)
	w.must(err)
	for name, c := range map[string]struct {
		actor satellite.Actor
		kind  satellite.Kind
	}{
		"nobody":     {satellite.Actor{}, satellite.KindUnauthenticated},
		"a viewer":   {w.viewer(), satellite.KindForbidden},
		"a stranger": {satellite.Actor{Name: "s", Role: satellite.RoleSystemUser}, satellite.KindNotFound},
		"a user of the other virtual account": {satellite.Actor{Name: "s", Role: satellite.RoleSystemUser, Grants: []satellite.Grant{
			{AccountID: w.account.ID, VirtualAccountID: list[1].ID, Role: satellite.RoleVirtualAccountUser},
		}}, satellite.KindNotFound},
	} {
		w.unchanged(name, func() {
			err := w.service.RemoveInstances(w.ctx, c.actor, w.account.ID, "Default", []satellite.InstanceRemoval{removal("S1", "")})
			if satellite.KindOf(err) != c.kind {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}
