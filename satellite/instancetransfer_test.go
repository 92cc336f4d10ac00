package satellite_test

import (
	"fmt"
	"strings"
	"testing"

	"ssm/satellite"
	"ssm/satellite/wire"
)

// annexed is a world with a second virtual account, "Annex", to which lots may go.
func annexed(t *testing.T, lots ...lot) *world {
	t.Helper()
	w := newWorld(t)
	w.trust()
	w.up.entitlements = map[string]wire.EntitlementRecord{"hard": {Enforcement: "enforced"}, "export": {Enforcement: "export-controlled"}}
	w.up.lots[w.external(w.account)] = lots
	w.sync(w.account, false)
	_, err := w.service.CreateVirtualAccount(w.ctx, admin, w.account.ID, "Annex", "")
	w.must(err)
	return w
}

func (w *world) transfer(target string, devices ...*device) (int, error) {
	piids := make([]string, len(devices))
	for i, d := range devices {
		piids[i] = d.piid
	}
	return w.service.TransferInstances(w.ctx, admin, w.account.ID, piids, target)
}

func TestWhatADeviceUsesTravelsWithIt(t *testing.T) {
	t.Parallel()
	w := annexed(t, lot{tag: "base", quantity: 5})
	_, text := w.token(satellite.NewToken{})
	a, b := w.device("A").register(text), w.device("B").register(text)
	a.key = newKey(t)
	a.adopt(a.ok(a.registration(text, true))) // raises an alert, which is to go along
	a.told("base", "in-compliance 4", "base", 4)
	b.told("base", "out-of-compliance 3", "base", 3)
	w.sync(w.account, false)
	if moved, err := w.transfer("annex", a, a); err != nil || moved != 1 {
		t.Fatalf("%d moved (%v)", moved, err)
	}
	// The shortage went along, and both sides say so.
	if from, to := w.row("Default", "base"), w.row("Annex", "base"); from.InUse != 3 || from.Short() || from.Insufficient || to.InUse != 4 || !to.Short() || !to.Insufficient {
		t.Errorf("after the transfer: %+v and %+v", from.Pool, to.Pool)
	}
	if alerts := w.alertsOf(satellite.AlertInsufficientLicenses); len(alerts) != 1 || !strings.Contains(alerts[0].Message, `"Annex"`) {
		t.Errorf("the alerts are %+v", alerts)
	}
	if alerts := w.alertsOf(satellite.AlertDuplicateLicenses); len(alerts) != 1 || alerts[0].VirtualAccountID != w.row("Annex", "base").VirtualAccountID {
		t.Errorf("the alert about the device is %+v", alerts)
	}
	a.told("base", "out-of-compliance 4")
	b.told("base", "in-compliance 3")
	events, err := w.service.Events(w.ctx, admin, satellite.EventFilter{Type: satellite.EventDeviceTransferred}, satellite.Page{})
	w.must(err)
	if len(events) != 1 || events[0].PIID != a.piid || !strings.Contains(events[0].Message, `from virtual account "Default" to "Annex"`) {
		t.Errorf("the events are %+v", events)
	}
	// The upstream learns of device and pools with the next standard request.
	w.sync(w.account, false)
	state := w.up.state[w.external(w.account)]
	var record wire.DeviceRecord
	moved := state[wire.RecordDevice][a.piid]
	w.must(moved.Decode(&record))
	if record.VirtualAccount != "Annex" {
		t.Errorf("the upstream has the device in %q", record.VirtualAccount)
	}
	for key, want := range map[string]int64{"Default\tbase": 3, "Annex\tbase": 4} {
		var usage wire.UsageRecord
		row := state[wire.RecordUsage][key]
		w.must(row.Decode(&usage))
		if usage.InUse != want {
			t.Errorf("the upstream counts %d of %q, want %d", usage.InUse, key, want)
		}
	}
	w.unchanged("a transfer to where it is", func() {
		if moved, err := w.transfer("Annex", a); err != nil || moved != 0 {
			t.Errorf("%d moved (%v)", moved, err)
		}
	})
	w.must(w.service.RemoveInstance(w.ctx, admin, a.piid))
	if in := w.row("Annex", "base").InUse; in != 0 {
		t.Errorf("%d are in use after the removal", in)
	}
	w.audit()
}

func TestATransferIsAllOrNothing(t *testing.T) {
	t.Parallel()
	w := annexed(t, lot{tag: "base", quantity: 5}, lot{tag: "hard", quantity: 5}, lot{tag: "export", quantity: 5})
	_, text := w.token(satellite.NewToken{ExportControlled: true})
	a, b := w.device("A").register(text), w.device("B").register(text)
	a.told("base", "in-compliance 1", "base", 1)
	b.told("hard", "in-compliance 2", "hard", 2, "export", 1, "base", 1)
	second := w.newAccount(satellite.NewAccount{Name: "Lab", Email: "admin@lab.example"})
	w.unchanged("a refused transfer", func() {
		_, err := w.transfer("Annex", a, b)
		refused(t, err, satellite.KindConflict, "device-transfer-refused", "2 of License hard for host-B", "1 of License export for host-B", "No device was transferred", "Transfer licenses there first")
		if strings.Contains(err.Error(), "base") {
			t.Errorf("what may be overdrawn is refused: %v", err)
		}
		_, err = w.service.TransferInstances(w.ctx, admin, w.account.ID, []string{a.piid, "nobody"}, "Annex")
		refused(t, err, satellite.KindNotFound, "device-not-found", `"nobody"`, "Nothing was changed")
		_, err = w.transfer("Nowhere", a)
		refused(t, err, satellite.KindNotFound, "virtual-account-not-found")
		_, err = w.service.TransferInstances(w.ctx, admin, second.ID, []string{a.piid}, "")
		refused(t, err, satellite.KindNotFound, "device-not-found")
		for _, count := range []int{0, 1001} {
			_, err = w.service.TransferInstances(w.ctx, admin, w.account.ID, make([]string, count), "Annex")
			refused(t, err, satellite.KindInvalid, "device-transfer-invalid", fmt.Sprint(count))
		}
	})
	// What it was refused before keeps no device where it is, and is asked for again there.
	b.told("hard", "none", "hard", 0, "export", 0)
	c := w.device("C").register(text)
	c.told("hard", "disabled 0", "hard", 6)
	if _, err := w.transfer("Annex", a, b, c); err != nil {
		t.Error(err)
	}
	c.told("hard", "disabled 0")
	alerts := w.alertsOf(satellite.AlertRestrictedNotAvailable)
	if len(alerts) != 1 || alerts[0].PIID != c.piid || alerts[0].VirtualAccountID == w.row("Default", "hard").VirtualAccountID {
		t.Errorf("the alerts are %+v", alerts)
	}
	w.audit()
}

func TestTransfersAreForWhoManagesDevicesAtBothEnds(t *testing.T) {
	t.Parallel()
	w := annexed(t)
	_, text := w.token(satellite.NewToken{})
	d := w.device("A").register(text)
	virtual := map[string]satellite.VirtualAccountID{}
	list, err := w.service.VirtualAccounts(w.ctx, admin, w.account.ID)
	w.must(err)
	for _, v := range list {
		virtual[v.Name] = v.ID
	}
	at := func(role satellite.Role, names ...string) satellite.Actor {
		actor := satellite.Actor{Name: "someone", Role: satellite.RoleSystemUser}
		for _, name := range names {
			actor.Grants = append(actor.Grants, satellite.Grant{AccountID: w.account.ID, VirtualAccountID: virtual[name], Role: role})
		}
		return actor
	}
	for name, c := range map[string]struct {
		actor satellite.Actor
		kind  satellite.Kind
	}{
		"nobody":                     {satellite.Actor{}, satellite.KindUnauthenticated},
		"a stranger":                 {at(""), satellite.KindNotFound},
		"a user of the target alone": {at(satellite.RoleVirtualAccountUser, "Annex"), satellite.KindNotFound},
		"a user of the source alone": {at(satellite.RoleVirtualAccountUser, "Default"), satellite.KindNotFound},
		"a viewer of both":           {at(satellite.RoleVirtualAccountViewer, "Default", "Annex"), satellite.KindForbidden},
		"a viewer of the account":    {at(satellite.RoleAccountViewer, ""), satellite.KindForbidden},
	} {
		w.unchanged(name, func() {
			if _, err := w.service.TransferInstances(w.ctx, c.actor, w.account.ID, []string{d.piid}, "Annex"); satellite.KindOf(err) != c.kind {
				t.Errorf("%s: %v is %s, want %s", name, err, satellite.KindOf(err), c.kind)
			}
		})
	}
	// One who may change the target, and sees the source only.
	mixed := at(satellite.RoleVirtualAccountUser, "Annex")
	mixed.Grants = append(mixed.Grants, at(satellite.RoleVirtualAccountViewer, "Default").Grants...)
	if _, err := w.service.TransferInstances(w.ctx, mixed, w.account.ID, []string{d.piid}, "Annex"); satellite.KindOf(err) != satellite.KindForbidden {
		t.Errorf("a viewer of the source: %v", err)
	}
	if moved, err := w.service.TransferInstances(w.ctx, at(satellite.RoleVirtualAccountUser, "Default", "Annex"), w.account.ID, []string{d.piid}, "Annex"); err != nil || moved != 1 {
		t.Errorf("a user of both: %d moved (%v)", moved, err)
	}
}

func TestAPairIsTransferredMemberByMemberAndTogether(t *testing.T) {
	t.Parallel()
	w := annexed(t, lot{tag: "base", quantity: 5}, lot{tag: "hard", quantity: 5})
	_, text := w.token(satellite.NewToken{})
	a, b := w.paired(text, "A", "core", wire.RoleActive), w.paired(text, "B", "core", wire.RoleStandby)
	a.told("base", "in-compliance 3", "base", 3)
	b.told("base", "in-compliance 3", "base", 3)
	counts := func(from, to int64) {
		t.Helper()
		if f, g := w.row("Default", "base").InUse, w.row("Annex", "base").InUse; f != from || g != to {
			t.Errorf("%d and %d are in use, want %d and %d", f, g, from, to)
		}
	}
	move := func(target string, devices ...*device) {
		t.Helper()
		_, err := w.transfer(target, devices...)
		w.must(err)
	}
	// A standby that holds nothing itself uses what its peer holds: alone it would lose that.
	a.told("hard", "in-compliance 2", "hard", 2)
	b.told("hard", "in-compliance 2", "hard", 2)
	_, err := w.transfer("Annex", b)
	refused(t, err, satellite.KindConflict, "device-transfer-refused", "2 of License hard for host-B")
	a.told("hard", "none", "hard", 0)
	b.told("hard", "none", "hard", 0)
	move("Annex", a) // the pair is two devices that stand alone now
	counts(3, 3)
	b.has("base", "3 of 3, in-compliance")
	move("Annex", b)
	counts(0, 3)
	a.has("base", "3 of 3, out-of-compliance")
	b.has("base", "0 of 3, out-of-compliance")
	move("Default", b, a) // the standby first
	counts(3, 0)
	a.has("base", "3 of 3, in-compliance")
	b.has("base", "0 of 3, in-compliance")
	// Coming to a pair that has an active member, an active one takes over.
	c := w.paired(text, "C", "core", wire.RoleStandby)
	move("Annex", c)
	c.in("core", wire.RoleActive).told("base", "out-of-compliance 4", "base", 4)
	move("Default", c)
	counts(4, 0)
	c.has("base", "4 of 4, in-compliance")
	if a.role() != "core standby" {
		t.Errorf("A is %s", a.role())
	}
	w.audit()
}

func TestADeviceThatFellSilentTravelsWithoutTakingAnything(t *testing.T) {
	t.Parallel()
	w := annexed(t, lot{tag: "base", quantity: 5}, lot{tag: "hard", quantity: 5})
	_, text := w.token(satellite.NewToken{})
	a := w.device("A").register(text)
	a.told("base", "in-compliance 3", "base", 3, "hard", 2)
	w.silence(a)
	_, err := w.transfer("Annex", a)
	w.must(err)
	if in := w.row("Annex", "base").InUse + w.row("Annex", "hard").InUse + w.row("Default", "base").InUse; in != 0 {
		t.Errorf("%d are in use", in)
	}
	a.told("base", "out-of-compliance 3") // it takes up where it left
	a.told("hard", "disabled 0")
	w.audit()
}

// A registration looks at the device before its transaction. What happens to the
// device in between must stay.
func TestATransferBesideARegistrationIsNotUndone(t *testing.T) {
	t.Parallel()
	w := annexed(t, lot{tag: "base", quantity: 5})
	_, text := w.token(satellite.NewToken{})
	d := w.device("A").register(text)
	d.told("base", "in-compliance 3", "base", 3)
	for n := range 40 {
		target := []string{"Annex", "Default"}[n%2]
		d.key = newKey(t)
		message := d.registration(text, true)
		moved := &device{piid: d.piid} // the answer to the registration writes d meanwhile
		done := make(chan error)
		go func() {
			_, err := w.transfer(target, moved)
			done <- err
		}()
		d.adopt(d.ok(message))
		w.must(<-done)
		details, err := w.service.FindInstance(w.ctx, admin, satellite.InstanceQuery{PIID: d.piid})
		w.must(err)
		if in := w.row(target, "base").InUse; details.VirtualAccount != target || in != 3 {
			t.Fatalf("round %d: the device is in %q, and %d are in use in %q", n, details.VirtualAccount, in, target)
		}
	}
	w.audit()
}
