package satellite_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ssm/satellite"
	"ssm/satellite/wire"
)

// silent is a device that never talks: it knows its key, and reads what is typed into it.
type silent struct {
	*world
	key         wire.ReservationKey
	pid, serial string
	kind        wire.ReservationKind
}

func (w *world) silent(serial string, kind wire.ReservationKind) *silent {
	w.Helper()
	key, err := wire.NewReservationKey()
	w.must(err)
	return &silent{world: w, key: key, pid: "R1000", serial: serial, kind: kind}
}

func (d *silent) code() string {
	d.Helper()
	code, err := wire.ReservationRequest{Kind: d.kind, PID: d.pid, SerialNumber: d.serial, Key: d.key.Public()}.Code()
	d.must(err)
	return code
}

// codes are what the device shows when it has installed an authorization, and given it up.
func (d *silent) codes(a satellite.ReservationAuthorization) (confirmation, back string) {
	d.Helper()
	var key string
	if d.kind == wire.ReservationUniversal {
		var err error
		key, err = wire.ReadUniversalCode(a.Text)
		d.must(err)
	} else {
		read, _, err := wire.ReadAuthorization(a.Text)
		d.must(err)
		if read.DeviceKey != d.key.Public() || read.PID != d.pid || read.SerialNumber != d.serial {
			d.Errorf("the authorization is for another device: %+v", read)
		}
		key = read.Key
	}
	secret, err := d.key.Secret(key)
	d.must(err)
	binding := wire.ReservationBinding{PID: d.pid, SerialNumber: d.serial, Key: key}
	return secret.ConfirmationCode(binding), secret.ReturnCode(binding)
}

func want(pairs ...any) (list []satellite.ReservedLicense) {
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, satellite.ReservedLicense{Tag: pairs[i].(string), Count: int64(pairs[i+1].(int))})
	}
	return list
}

func (d *silent) try(virtual string, licenses ...any) (satellite.Reservation, error) {
	return d.service.Reserve(d.ctx, admin, satellite.NewReservation{AccountID: d.account.ID, VirtualAccount: virtual, Code: d.code(), Licenses: want(licenses...)})
}

func (d *silent) reserve(licenses ...any) satellite.Reservation {
	d.Helper()
	r, err := d.try("", licenses...)
	d.must(err)
	return r
}

// counts fails unless the pool of a tag has these numbers, and all counters equal a recount.
func (w *world) counts(tag string, reserved, available int64) {
	w.Helper()
	if row := w.pool(tag); row.Reserved != reserved || row.Available() != available {
		w.Errorf("of %s %d are reserved and %d available, want %d and %d", tag, row.Reserved, row.Available(), reserved, available)
	}
	w.audit()
}

func (w *world) alertsOf(kind satellite.AlertType) (list []satellite.Alert) {
	w.Helper()
	list, err := w.service.Alerts(w.ctx, admin, satellite.AlertFilter{Type: kind}, satellite.Page{})
	w.must(err)
	return list
}

func TestAReservationKeepsSurplusUntilTheDeviceReturnsIt(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "a", quantity: 10}, lot{tag: "b", quantity: 1})
	d := w.silent("S1", wire.ReservationSpecific)
	preview, err := w.service.PreviewReservation(w.ctx, admin, d.code())
	if err != nil || preview.PID != "R1000" || preview.SerialNumber != "S1" || preview.Kind != wire.ReservationSpecific {
		t.Errorf("the preview is %+v (%v)", preview, err)
	}
	w.unchanged("what cannot be reserved", func() {
		_, err = d.try("", "a", 11)
		refused(t, err, satellite.KindConflict, "reservation-surplus", "10 are available", `"Default"`, "11 more")
		_, err = d.try("", "a", 1, "c", 1)
		refused(t, err, satellite.KindNotFound, "license-not-found", `"c"`)
		_, err = d.try("Lab", "a", 1)
		refused(t, err, satellite.KindNotFound, "virtual-account-not-found")
		for _, bad := range [][]any{{}, {"a", 0}, {"a", 1, "a", 2}, {"", 1}} {
			_, err = d.try("", bad...)
			refused(t, err, satellite.KindInvalid, "reservation-licenses-invalid")
		}
		_, err = w.service.Reserve(w.ctx, admin, satellite.NewReservation{AccountID: w.account.ID, Code: d.code(), Type: wire.ReservationUniversal})
		refused(t, err, satellite.KindConflict, "reservation-type-mismatch", "asks for a specific", "universal")
		_, err = w.service.Reserve(w.ctx, admin, satellite.NewReservation{AccountID: w.account.ID, Code: "R9JLK8-SCY6FX-A4YLZX-DPD9CX"})
		refused(t, err, satellite.KindInvalid, "reservation-code-invalid", "this is a return code; a request code was expected")
	})
	r := d.reserve("a", 4, "b", 1)
	w.counts("a", 4, 6)
	w.counts("b", 1, 0)
	if r.State != satellite.ReservationStanding || len(r.Authorization.Items) != 2 || strings.ContainsAny(r.Authorization.Text, "\n") {
		t.Errorf("the reservation is %+v", r)
	}
	instance, err := w.service.FindInstance(w.ctx, admin, satellite.InstanceQuery{UDIPID: "R1000", UDISerialNumber: "S1"})
	if err != nil || instance.RegistrationState != satellite.Unregistered || instance.AuthorizationState != satellite.AuthorizedReserved || instance.PIID != r.PIID {
		t.Errorf("the device is %+v (%v)", instance, err)
	}
	_, token := w.token(satellite.NewToken{})
	talking := w.device("S1")
	talking.refused(talking.registration(token, false), "device-reserved", "it cannot register", "Return the reservation first")
	w.unchanged("a second reservation, and removal", func() {
		_, err = d.try("", "a", 1)
		refused(t, err, satellite.KindConflict, "device-reserved", fmt.Sprintf("number %d", r.ID))
		refused(t, w.service.RemoveInstance(w.ctx, admin, r.PIID), satellite.KindConflict, "device-reserved", "cannot be removed", "return code")
	})
	_, back := d.codes(r.Authorization)
	_, err = w.service.ReturnReservation(w.ctx, admin, satellite.ReservationQuery{UDIPID: "R1000", UDISerialNumber: "S1"}, strings.ToLower(back))
	w.must(err)
	w.counts("a", 0, 10)
	w.counts("b", 0, 1)
	if list := w.alertsOf(satellite.AlertReservedLicensesReturned); len(list) != 1 || list[0].Severity != satellite.Informational {
		t.Errorf("the alerts are %+v", list)
	}
	w.unchanged("the same code again", func() {
		again, err := w.service.ReturnReservation(w.ctx, admin, satellite.ReservationQuery{ID: r.ID}, back)
		if err != nil || again.State != satellite.ReservationReturned {
			t.Errorf("it is %s (%v)", again.State, err)
		}
	})
	// It may talk now, and its old record is gone.
	talking.register(token)
	if _, err := w.service.FindInstance(w.ctx, admin, satellite.InstanceQuery{PIID: r.PIID}); satellite.KindOf(err) != satellite.KindNotFound {
		t.Errorf("the record that the reservation made is still there (%v)", err)
	}
	if _, err = d.try("", "a", 1); satellite.CodeOf(err) != "device-registered" {
		t.Errorf("a registered device is reserved for: %v", err)
	}
	w.audit()
}

func TestAnUpdateReservesTheLargerOfOldAndNewUntilItIsConfirmed(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "a", quantity: 10}, lot{tag: "b", quantity: 5})
	d := w.silent("S1", wire.ReservationSpecific)
	r := d.reserve("a", 6, "b", 1)
	first := r.Authorization
	confirmation, firstReturn := d.codes(first)
	_, err := w.service.ConfirmReservation(w.ctx, admin, r.ID, confirmation)
	w.must(err)
	w.unchanged("an update without surplus", func() {
		_, err := w.service.UpdateReservation(w.ctx, admin, r.ID, want("a", 11))
		refused(t, err, satellite.KindConflict, "reservation-surplus", "4 are available", "5 more")
	})
	r, err = w.service.UpdateReservation(w.ctx, admin, r.ID, want("a", 2, "b", 5))
	w.must(err)
	w.counts("a", 6, 4)
	w.counts("b", 5, 0)
	if r.State != satellite.ReservationUpdating || !r.Update.At.After(first.At) || r.Authorization.Key == r.Update.Key {
		t.Errorf("the update is %+v", r)
	}
	next, nextReturn := d.codes(r.Update)
	w.unchanged("what is not the code of the update", func() {
		_, err := w.service.ConfirmReservation(w.ctx, admin, r.ID, confirmation)
		refused(t, err, satellite.KindConflict, "reservation-code-mismatch", "before the update", "S1")
		_, err = w.service.ConfirmReservation(w.ctx, admin, r.ID, nextReturn)
		refused(t, err, satellite.KindInvalid, "reservation-code-invalid", "confirmation code of device R1000, serial number S1 was expected", "this is a return code")
		_, err = w.service.UpdateReservation(w.ctx, admin, r.ID, want("a", 1))
		refused(t, err, satellite.KindConflict, "reservation-update-pending", "confirmation code")
	})
	r, err = w.service.ConfirmReservation(w.ctx, admin, r.ID, next)
	w.must(err)
	w.counts("a", 2, 8)
	w.counts("b", 5, 0)
	w.unchanged("a return code of before the update", func() {
		_, err := w.service.ReturnReservation(w.ctx, admin, satellite.ReservationQuery{ID: r.ID}, firstReturn)
		refused(t, err, satellite.KindConflict, "reservation-code-mismatch", "return code of device R1000, serial number S1 was expected")
	})
	_, err = w.service.ReturnReservation(w.ctx, admin, satellite.ReservationQuery{ID: r.ID}, nextReturn)
	w.must(err)
	w.counts("a", 0, 10)
	w.unchanged("an update of what is returned", func() {
		_, err := w.service.UpdateReservation(w.ctx, admin, r.ID, want("a", 1))
		refused(t, err, satellite.KindConflict, "reservation-returned", "new request code")
		_, err = w.service.ConfirmReservation(w.ctx, admin, r.ID, next)
		refused(t, err, satellite.KindConflict, "reservation-returned")
	})
}

// While an update waits the device holds one of the two: the code of either ends the reservation.
func TestADeviceMayReturnWhatItHoldsWhileAnUpdateWaits(t *testing.T) {
	t.Parallel()
	for _, installed := range []bool{false, true} {
		w := registered(t, lot{tag: "a", quantity: 10})
		d := w.silent("S1", wire.ReservationSpecific)
		r := d.reserve("a", 6)
		r, err := w.service.UpdateReservation(w.ctx, admin, r.ID, want("a", 8))
		w.must(err)
		a := r.Authorization
		if installed {
			a = r.Update
		}
		_, back := d.codes(a)
		_, err = w.service.ReturnReservation(w.ctx, admin, satellite.ReservationQuery{ID: r.ID}, back)
		w.must(err)
		w.counts("a", 0, 10)
	}
}

// An operator who knows everything that was ever carried, and has keys of his
// own, cannot make a return code: he lacks the private keys of both sides.
func TestNobodyButTheDeviceCanReturnAReservation(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "a", quantity: 10})
	d, other := w.silent("S1", wire.ReservationSpecific), w.silent("S2", wire.ReservationSpecific)
	r, foreign := d.reserve("a", 6), other.reserve("a", 1)
	forger, err := wire.NewReservationKey()
	w.must(err)
	var codes []string
	_, back := other.codes(foreign.Authorization)
	codes = append(codes, back)
	for _, public := range []string{d.key.Public(), r.Authorization.Key, forger.Public()} {
		secret, err := forger.Secret(public)
		w.must(err)
		for _, key := range []string{r.Authorization.Key, d.key.Public(), forger.Public()} {
			codes = append(codes, secret.ReturnCode(wire.ReservationBinding{PID: "R1000", SerialNumber: "S1", Key: key}))
		}
	}
	w.unchanged("forged returns", func() {
		for _, code := range codes {
			_, err := w.service.ReturnReservation(w.ctx, admin, satellite.ReservationQuery{ID: r.ID}, code)
			refused(t, err, satellite.KindConflict, "reservation-code-mismatch", "return code of device R1000, serial number S1 was expected", "another device")
		}
		_, own := d.codes(r.Authorization)
		for i := range own {
			for _, c := range "A7Z" {
				if typed := own[:i] + string(c) + own[i+1:]; typed != own {
					_, err := w.service.ReturnReservation(w.ctx, admin, satellite.ReservationQuery{ID: r.ID}, typed)
					refused(t, err, satellite.KindInvalid, "reservation-code-invalid", "return code of device R1000, serial number S1 was expected")
				}
			}
		}
	})
	// Sealed: what an operator reads in the database does not help him.
	secret, err := d.key.Secret(r.Authorization.Key)
	w.must(err)
	if strings.Contains(w.dump(), fmt.Sprintf("%v", []byte(secret))) {
		t.Error("the secret stands in the database")
	}
	// A later reservation of the same device, with the same counts, has other codes.
	_, first := d.codes(r.Authorization)
	_, err = w.service.ReturnReservation(w.ctx, admin, satellite.ReservationQuery{ID: r.ID}, first)
	w.must(err)
	again := w.silent("S1", wire.ReservationSpecific).reserve("a", 6)
	w.unchanged("the return code of the reservation before", func() {
		_, err = w.service.ReturnReservation(w.ctx, admin, satellite.ReservationQuery{UDIPID: "R1000", UDISerialNumber: "S1"}, first)
		refused(t, err, satellite.KindConflict, "reservation-code-mismatch")
	})
	if again.ID == r.ID {
		t.Error("it is the same reservation")
	}
}

func TestReservedLicensesTakeTheirTermsFromTheLotsAndEndWithThem(t *testing.T) {
	t.Parallel()
	soon, late := begin.Add(40*day).Truncate(time.Second), begin.Add(400*day).Truncate(time.Second)
	w := registered(t, lot{id: "1", tag: "a", quantity: 3, end: soon}, lot{id: "2", tag: "a", quantity: 2}, lot{id: "3", tag: "a", quantity: 4, end: late})
	first := w.silent("S1", wire.ReservationSpecific)
	r := first.reserve("a", 3)
	terms := func(r satellite.Reservation) (list []string) {
		for _, item := range r.Authorization.Items {
			end := "never"
			if !item.End.IsZero() {
				end = fmt.Sprint(int(item.End.Sub(begin)/day)) + "d"
			}
			list = append(list, fmt.Sprintf("%d %s", item.Count, end))
		}
		return list
	}
	if got := terms(r); !slices.Equal(got, []string{"2 never", "1 399d"}) {
		t.Errorf("the first reservation is %v", got)
	}
	second := w.silent("S2", wire.ReservationFactory)
	r2 := second.reserve("a", 5)
	if got := terms(r2); !slices.Equal(got, []string{"3 399d", "2 39d"}) || r2.Type != wire.ReservationFactory {
		t.Errorf("the second reservation is a %s one of %v", r2.Type, got)
	}
	w.counts("a", 8, 1)
	w.pass(41 * day)
	w.must(w.service.WatchReservations(w.ctx, w.service.Now()))
	w.counts("a", 6, 0)
	alerts := w.alertsOf(satellite.AlertReservedLicenseExpired)
	if len(alerts) != 1 || !strings.Contains(alerts[0].Message, "2 of License a") || alerts[0].Severity != satellite.Major {
		t.Errorf("the alerts are %+v", alerts)
	}
	w.unchanged("watching again", func() { w.must(w.service.WatchReservations(w.ctx, w.service.Now())) })
	_, back := second.codes(r2.Authorization)
	_, err := w.service.ReturnReservation(w.ctx, admin, satellite.ReservationQuery{ID: r2.ID}, back)
	w.must(err)
	w.counts("a", 3, 3)
	if alerts := w.alertsOf(satellite.AlertReservedLicenseExpired); len(alerts) != 0 {
		t.Errorf("the alert is open after the return: %+v", alerts)
	}
	w.must(w.service.WatchReservations(w.ctx, w.service.Now().Add(30*day-1)))
	if alerts := w.alertsOf(satellite.AlertReservedLicensesReturned); len(alerts) != 1 {
		t.Errorf("just before 30 days the alerts are %+v", alerts)
	}
	w.pass(30 * day)
	w.must(w.service.WatchReservations(w.ctx, w.service.Now()))
	if alerts := w.alertsOf(satellite.AlertReservedLicensesReturned); len(alerts) != 0 {
		t.Errorf("after 30 days the alerts are %+v", alerts)
	}
}

func TestAUniversalReservationCoversEverythingAndCountsNothing(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "a", quantity: 10})
	d := w.silent("S1", wire.ReservationUniversal)
	w.unchanged("licenses in a universal one", func() {
		_, err := d.try("", "a", 1)
		refused(t, err, satellite.KindInvalid, "reservation-licenses-invalid", "everything")
	})
	r := d.reserve()
	w.counts("a", 0, 10)
	if len(r.Authorization.Text) != 90 || len(r.Authorization.Items) != 0 {
		t.Errorf("the authorization is %q with %v", r.Authorization.Text, r.Authorization.Items)
	}
	w.unchanged("an update of it", func() {
		_, err := w.service.UpdateReservation(w.ctx, admin, r.ID, want("a", 1))
		refused(t, err, satellite.KindConflict, "reservation-universal")
	})
	_, back := d.codes(r.Authorization)
	r, err := w.service.ReturnReservation(w.ctx, admin, satellite.ReservationQuery{ID: r.ID}, back)
	if err != nil || r.State != satellite.ReservationReturned {
		t.Errorf("it is %s (%v)", r.State, err)
	}
	w.audit()
}

func TestWhatIsOnlyReportedIsReservedWithoutBoundAndRestrictedLicensesOnlyFromSurplus(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.up.entitlements = map[string]wire.EntitlementRecord{"r": {ReportingOnly: true}, "x": {Enforcement: "export-controlled"}, "o": {Overage: true}}
	w.trust()
	w.up.lots[w.external(w.account)] = []lot{{tag: "r", quantity: 1}, {tag: "x", quantity: 2}, {tag: "o", quantity: 2}}
	w.sync(w.account, false)
	d := w.silent("S1", wire.ReservationSpecific)
	for _, tag := range []string{"x", "o"} {
		w.unchanged("more than there is", func() {
			_, err := d.try("", tag, 3)
			refused(t, err, satellite.KindConflict, "reservation-surplus")
		})
	}
	r := d.reserve("r", 100, "x", 2)
	w.counts("r", 100, 0)
	w.counts("x", 2, 0)
	if row := w.pool("r"); row.Short() {
		t.Error("what is only reported is short")
	}
	if n := len(r.Authorization.Items); n != 3 {
		t.Errorf("there are %d items: %+v", n, r.Authorization.Items)
	}
}

func TestReservationsAskWhoAsksAndWhere(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "a", quantity: 10})
	lab, err := w.service.CreateVirtualAccount(w.ctx, admin, w.account.ID, "Lab", "")
	w.must(err)
	r := w.silent("S1", wire.ReservationSpecific).reserve("a", 1)
	code := w.silent("S2", wire.ReservationSpecific).code()
	n := satellite.NewReservation{AccountID: w.account.ID, Code: code, Licenses: want("a", 1)}
	query := satellite.ReservationQuery{ID: r.ID}
	writes := map[string]func(satellite.Actor) error{
		"Reserve": func(a satellite.Actor) error { _, err := w.service.Reserve(w.ctx, a, n); return err },
		"UpdateReservation": func(a satellite.Actor) error {
			_, err := w.service.UpdateReservation(w.ctx, a, r.ID, n.Licenses)
			return err
		},
		"ConfirmReservation": func(a satellite.Actor) error {
			_, err := w.service.ConfirmReservation(w.ctx, a, r.ID, code)
			return err
		},
		"ReturnReservation": func(a satellite.Actor) error {
			_, err := w.service.ReturnReservation(w.ctx, a, query, code)
			return err
		},
	}
	in := func(role satellite.Role, account satellite.AccountID, virtual satellite.VirtualAccountID) satellite.Actor {
		return satellite.Actor{Name: "user", Role: satellite.RoleSystemUser, Grants: []satellite.Grant{{AccountID: account, VirtualAccountID: virtual, Role: role}}}
	}
	w.unchanged("who may not", func() {
		for name, write := range writes {
			for who, c := range map[string]struct {
				actor satellite.Actor
				kinds []satellite.Kind
			}{
				"nobody":     {satellite.Actor{}, []satellite.Kind{satellite.KindUnauthenticated}},
				"a stranger": {satellite.Actor{Name: "user", Role: satellite.RoleSystemUser}, []satellite.Kind{satellite.KindNotFound}},
				"a viewer":   {in(satellite.RoleAccountViewer, w.account.ID, 0), []satellite.Kind{satellite.KindForbidden}},
				"the user of another virtual account": {
					in(satellite.RoleVirtualAccountUser, w.account.ID, lab.ID), []satellite.Kind{satellite.KindForbidden, satellite.KindNotFound},
				},
			} {
				if err := write(c.actor); !slices.Contains(c.kinds, satellite.KindOf(err)) {
					t.Errorf("%s by %s: %v", name, who, err)
				}
				if err := write(c.actor); who == "the user of another virtual account" && name != "Reserve" && satellite.CodeOf(err) != "reservation-not-found" {
					t.Errorf("%s by %s learns of it: %v", name, who, err)
				}
			}
		}
		if _, err := w.service.PreviewReservation(w.ctx, satellite.Actor{}, code); satellite.KindOf(err) != satellite.KindUnauthenticated {
			t.Errorf("a preview by nobody: %v", err)
		}
	})
	for _, c := range []struct {
		actor satellite.Actor
		rows  int
	}{{admin, 1}, {in(satellite.RoleAccountViewer, w.account.ID, 0), 1}, {in(satellite.RoleVirtualAccountViewer, w.account.ID, lab.ID), 0}, {in(satellite.RoleAccountAdmin, 99, 0), 0}} {
		list, err := w.service.Reservations(w.ctx, c.actor, satellite.ReservationFilter{}, satellite.Page{})
		_, found := w.service.FindReservation(w.ctx, c.actor, query)
		if err != nil || len(list) != c.rows || (found == nil) != (c.rows == 1) {
			t.Errorf("%+v sees %d reservations (%v), and finds: %v", c.actor.Grants, len(list), err, found)
		}
	}
}

func TestAReservationTravelsWithItsDeviceAndTakesItsLicensesAlong(t *testing.T) {
	t.Parallel()
	soon := begin.Add(40 * day).Truncate(time.Second)
	w := registered(t, lot{tag: "a", quantity: 4}, lot{tag: "a", quantity: 3, end: soon}, lot{tag: "b", quantity: 1})
	lab, err := w.service.CreateVirtualAccount(w.ctx, admin, w.account.ID, "Lab", "")
	w.must(err)
	d := w.silent("S1", wire.ReservationSpecific)
	r := d.reserve("a", 5, "b", 1)
	w.must(w.service.TravelReservations(w.ctx, admin, r.PIID, lab.ID))
	w.audit()
	rows, err := w.service.Licenses(w.ctx, admin, satellite.PoolFilter{AccountID: w.account.ID, Tag: "a"})
	w.must(err)
	got := map[string][3]int64{}
	for _, row := range rows {
		got[row.VirtualAccount] = [3]int64{row.Quantity(), row.Reserved, row.Available()}
	}
	if got["Default"] != [3]int64{2, 0, 2} || got["Lab"] != [3]int64{5, 5, 0} {
		t.Errorf("quantity, reserved and available are %v", got)
	}
	explained, err := w.service.ExplainLicense(w.ctx, admin, w.account.ID, "a", "Lab")
	w.must(err)
	for _, sum := range explained.Sums {
		if sum.Name == "Reserved" && (sum.Total != 5 || len(sum.Parts) != 1 || sum.Parts[0].Quantity != 5 || !strings.Contains(sum.Parts[0].Text, fmt.Sprintf("reservation %d", r.ID))) {
			t.Errorf("what is reserved is explained by %+v", sum)
		}
	}
	_, back := d.codes(r.Authorization)
	_, err = w.service.ReturnReservation(w.ctx, admin, satellite.ReservationQuery{ID: r.ID}, back)
	w.must(err)
	w.audit()
}

func TestReportsOfAReservedDeviceDrawOnlyWhatIsNotReserved(t *testing.T) {
	t.Parallel()
	file, _, tag := usageFile(t)
	reports, err := wire.ReadUsageFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sudi := reports[0].Payload.AssetIdentification.Instance.SUDI
	for _, c := range []struct {
		kind     wire.ReservationKind
		licenses []any
		inUse    int64
	}{
		{wire.ReservationSpecific, []any{tag, 2}, 1}, {wire.ReservationSpecific, []any{tag, 4}, 0},
		{wire.ReservationSpecific, []any{"other", 1}, 3}, {wire.ReservationUniversal, nil, 0},
	} {
		w := registered(t, lot{tag: tag, quantity: 5}, lot{tag: "other", quantity: 1})
		d := w.silent(sudi.UDISerialNumber, c.kind)
		d.pid = sudi.UDIPID
		r := d.reserve(c.licenses...)
		result, err := w.service.ImportUsage(w.ctx, admin, w.account.ID, file)
		if err != nil || result.Counted != 1 {
			t.Fatalf("the import says %+v (%v)", result, err)
		}
		if in := w.pool(tag).InUse; in != c.inUse {
			t.Errorf("with %v reserved (%s), %d are in use, want %d", c.licenses, c.kind, in, c.inUse)
		}
		list, err := w.service.Instances(w.ctx, admin, satellite.InstanceFilter{}, satellite.Page{})
		if err != nil || len(list) != 1 || list[0].PIID != r.PIID || list[0].SoftwareTag == "" || list[0].AuthorizationState != satellite.AuthorizedReserved {
			t.Errorf("the devices are %+v (%v)", list, err)
		}
		_, back := d.codes(r.Authorization)
		_, err = w.service.ReturnReservation(w.ctx, admin, satellite.ReservationQuery{ID: r.ID}, back)
		w.must(err)
		if list, err = w.service.Instances(w.ctx, admin, satellite.InstanceFilter{}, satellite.Page{}); err != nil || len(list) != 1 || list[0].AuthorizationState == satellite.AuthorizedReserved {
			t.Errorf("after the return the devices are %+v (%v)", list, err)
		}
		w.audit()
	}
}
