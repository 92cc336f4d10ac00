package satellite_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ssm/satellite"
	"ssm/satellite/wire"
)

// state is what the satellite has on record of a device.
func (d *device) state() satellite.InstanceDetails {
	d.Helper()
	details, err := d.service.FindInstance(d.ctx, admin, satellite.InstanceQuery{PIID: d.piid})
	d.must(err)
	return details
}

// counts is everything that a return must give back as it was: pools, what each
// device holds and wants, and the open alerts.
func (w *world) inPool() string {
	w.Helper()
	var text strings.Builder
	rows, err := w.service.Licenses(w.ctx, admin, satellite.PoolFilter{})
	w.must(err)
	for _, r := range rows {
		fmt.Fprintf(&text, "%s %s: %d in use, balance %d, lent %d, borrowed %d, %s, %v\n", r.VirtualAccount, r.License.Tag, r.InUse, r.Balance(), r.Lent, r.Borrowed, r.Status(), r.Insufficient)
	}
	devices, err := w.service.Instances(w.ctx, admin, satellite.InstanceFilter{}, satellite.Page{})
	w.must(err)
	for _, listed := range devices {
		d, err := w.service.FindInstance(w.ctx, admin, satellite.InstanceQuery{PIID: listed.PIID})
		w.must(err)
		fmt.Fprintf(&text, "%s %s:", d.UDISerialNumber, d.AuthorizationState)
		for _, h := range d.Licenses {
			fmt.Fprintf(&text, " %s %d of %d;", h.License.Tag, h.Usage.Count, h.Usage.Wanted)
		}
		text.WriteString("\n")
	}
	alerts, err := w.service.Alerts(w.ctx, admin, satellite.AlertFilter{}, satellite.Page{Limit: 1000})
	w.must(err)
	open := []string{}
	for _, a := range alerts {
		open = append(open, fmt.Sprintf("%s of %s\n", a.Type, a.Source))
	}
	slices.Sort(open)
	return text.String() + strings.Join(open, "")
}

func TestWhoIsSilentFor90DaysGivesItsLicensesBackAndGetsThemWithItsNextMessage(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "base", quantity: 10}, lot{tag: "extra", quantity: 2})
	_, text := w.token(satellite.NewToken{})
	d, other, idle := w.device("A").register(text), w.device("B").register(text), w.device("C").register(text)
	d.ok(d.authorization("base", 7, "extra", 1))
	w.run(90*day - 12*time.Hour)
	other.ok(other.authorization("base", 1))
	if p := w.pool("base"); p.InUse != 8 || d.state().AuthorizationState != satellite.Authorized {
		t.Errorf("after 89 days %d are in use, and the device is %s", p.InUse, d.state().AuthorizationState)
	}
	changes := func() (number int64) {
		w.must(w.store.View(w.ctx, func(tx satellite.Tx) (err error) { number, err = tx.ChangeNumber(); return err }))
		return number
	}
	before := changes()
	w.run(12 * time.Hour)
	if p := w.pool("base"); p.InUse != 1 || p.Balance() != 9 || w.pool("extra").InUse != 0 {
		t.Errorf("after 90 days %d are in use, %d remain", p.InUse, p.Balance())
	}
	is := d.state()
	if is.AuthorizationState != satellite.AuthorizationExpired || is.RegistrationState != satellite.Registered || is.AuthorizationExpiresAt.After(w.service.Now()) || is.ChangeNumber <= before {
		t.Errorf("after 90 days the device is %s, %s, until %v", is.AuthorizationState, is.RegistrationState, is.AuthorizationExpiresAt)
	}
	if message := w.lastEvent(satellite.EventDeviceReturned); !strings.Contains(message, "silent for 90 days") || !strings.Contains(message, "8 licenses returned") || !strings.Contains(message, "host-A") {
		t.Errorf("the event says %q", message)
	}
	if other.state().AuthorizationState != satellite.Authorized || idle.state().AuthorizationState != satellite.NoLicensesInUse {
		t.Errorf("who spoke is %s, who uses nothing is %s", other.state().AuthorizationState, idle.state().AuthorizationState)
	}
	w.unchanged("the next run", func() { w.must(w.service.ReturnSilent(w.ctx, w.service.Now())) })
	// The periodic message names no license.
	reply := d.ok(d.authorization())
	if reply.Data.AuthorizationState != string(satellite.Authorized) || mode(reply, "base") != "in-compliance 7" || mode(reply, "extra") != "in-compliance 1" {
		t.Errorf("the message that ends the silence is answered with %+v", reply.Data)
	}
	if p := w.pool("base"); p.InUse != 8 || d.state().AuthorizationState != satellite.Authorized {
		t.Errorf("after it %d are in use, and the device is %s", p.InUse, d.state().AuthorizationState)
	}
	w.audit()
}

func TestTheMessageThatEndsTheSilenceMayNameOtherLicensesOrOthersCounts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		named       []any
		base, extra string
	}{
		{"none", nil, "in-compliance 7", "in-compliance 1"},
		{"another", []any{"third", 2}, "in-compliance 7", "in-compliance 1"},
		{"one of them, with less", []any{"base", 3}, "in-compliance 3", "in-compliance 1"},
		{"one of them, with none", []any{"extra", 0}, "in-compliance 7", "none"},
		{"all of them, with none", []any{"extra", 0, "base", 0}, "none", "none"},
		{"one of them, with more than there are", []any{"extra", 5}, "in-compliance 7", "out-of-compliance 5"},
		{"one that nobody knows", []any{"unknown", 1}, "in-compliance 7", "in-compliance 1"},
	} {
		w := registered(t, lot{tag: "base", quantity: 10}, lot{tag: "extra", quantity: 2}, lot{tag: "third", quantity: 2})
		_, text := w.token(satellite.NewToken{})
		d := w.device("A").register(text)
		d.ok(d.authorization("base", 7, "extra", 1))
		w.run(90 * day)
		reply := d.ok(d.authorization(c.named...))
		if mode(reply, "base") != c.base || mode(reply, "extra") != c.extra {
			t.Errorf("%s: base is %s, extra is %s; want %s and %s", c.name, mode(reply, "base"), mode(reply, "extra"), c.base, c.extra)
		}
		w.audit()
	}
}

func TestAPoolThatWasGivenAwayMeanwhilePutsTheReturnedOutOfCompliance(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "base", quantity: 10})
	_, text := w.token(satellite.NewToken{})
	a, b := w.device("A").register(text), w.device("B").register(text)
	a.ok(a.authorization("base", 7))
	w.run(90 * day)
	b.ok(b.authorization("base", 6))
	reply := a.ok(a.authorization())
	if reply.Data.AuthorizationState != string(satellite.OutOfCompliance) || mode(reply, "base") != "out-of-compliance 7" {
		t.Errorf("the returned device is answered with %+v", reply.Data)
	}
	w.alerted(satellite.AlertInsufficientLicenses, "3 of License base are missing")
	b.ok(b.authorization("base", 3))
	w.quiet(satellite.AlertInsufficientLicenses)
	if reply = a.ok(a.authorization()); reply.Data.AuthorizationState != string(satellite.Authorized) {
		t.Errorf("after the others gave some back it is %+v", reply.Data)
	}
	w.audit()
}

func TestAnEnforcedLicenseThatIsGoneIsRefusedToTheReturnedUntilThereIsOne(t *testing.T) {
	t.Parallel()
	w := registered(t)
	w.up.entitlements = map[string]wire.EntitlementRecord{"hard": {Enforcement: "enforced"}}
	w.up.lots[w.external(w.account)] = []lot{{tag: "hard", quantity: 5}, {tag: "base", quantity: 5}}
	w.sync(w.account, false)
	_, text := w.token(satellite.NewToken{})
	a, b := w.device("A").register(text), w.device("B").register(text)
	a.ok(a.authorization("hard", 3, "base", 1))
	w.run(90 * day)
	b.ok(b.authorization("hard", 4))
	reply := a.ok(a.authorization())
	if reply.Data.AuthorizationState != string(satellite.Authorized) || mode(reply, "hard") != "disabled 0" || mode(reply, "base") != "in-compliance 1" {
		t.Errorf("the returned device is answered with %+v", reply.Data)
	}
	for _, l := range reply.Data.Licenses {
		if l.Tag == "hard" && (l.Requested != 3 || !strings.Contains(l.Reason, "the pool has no more")) {
			t.Errorf("the refused license is answered with %+v", l)
		}
	}
	w.alerted(satellite.AlertRestrictedNotAvailable, "asks for 3")
	b.ok(b.authorization("hard", 2))
	if reply = a.ok(a.authorization()); mode(reply, "hard") != "in-compliance 3" || w.pool("hard").InUse != 5 {
		t.Errorf("after the others gave some back it is %+v", reply.Data)
	}
	w.quiet(satellite.AlertRestrictedNotAvailable)
	w.audit()
}

func TestWhoOnlyReportsIsNeverSilent(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "base", quantity: 10})
	_, err := w.service.ImportUsage(w.ctx, admin, w.account.ID, usage(report("R1", "base", 1, 1, 4)))
	w.must(err)
	w.run(200 * day)
	if p := w.pool("base"); p.InUse != 4 {
		t.Errorf("after 200 days %d are in use", p.InUse)
	}
}

// A satellite that was off has heard nobody, and blames nobody for that.
func TestAnOutageSilencesNobody(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "base", quantity: 10})
	_, text := w.token(satellite.NewToken{})
	d := w.device("A").register(text)
	d.ok(d.authorization("base", 7))
	w.run(30 * day)
	counted := func(when string) {
		t.Helper()
		if p := w.pool("base"); p.InUse != 7 || d.state().AuthorizationState != satellite.Authorized {
			t.Errorf("%s %d are in use, and the device is %s", when, p.InUse, d.state().AuthorizationState)
		}
	}
	w.restart(100 * day)
	w.jobs()
	counted("at the start after 100 days")
	w.alerted(satellite.AlertClockMoved, "100 days ahead", "the satellite was off")
	w.run(70 * day) // while it is held, silence does not return anything either
	counted("held for 70 days")
	w.restart(0)
	_, err := w.service.ConfirmClock(w.ctx, admin)
	w.must(err)
	w.jobs()
	if p := w.pool("base"); p.InUse != 0 {
		t.Errorf("after 100 days in which the satellite served, %d are in use", p.InUse)
	}
	w.audit()
}

func TestAfterAnOutageIsConfirmedTheDeviceIsCountedUntilItWasSilentToAServer(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "base", quantity: 10})
	_, text := w.token(satellite.NewToken{})
	d := w.device("A").register(text)
	d.ok(d.authorization("base", 7))
	w.run(30 * day)
	w.restart(100 * day)
	_, err := w.service.ConfirmClock(w.ctx, admin)
	w.must(err)
	w.run(60*day - 12*time.Hour)
	if p := w.pool("base"); p.InUse != 7 || d.state().AuthorizationState != satellite.Authorized {
		t.Errorf("189 days after its last message, 89 of them served, %d are in use, and the device is %s", p.InUse, d.state().AuthorizationState)
	}
	w.run(12 * time.Hour)
	if p := w.pool("base"); p.InUse != 0 || d.state().AuthorizationState != satellite.AuthorizationExpired {
		t.Errorf("190 days after its last message, 90 of them served, %d are in use, and the device is %s", p.InUse, d.state().AuthorizationState)
	}
	w.audit()
}

func TestThousandsOfSilentDevicesAreReturnedInChunks(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "base", quantity: 10})
	_, text := w.token(satellite.NewToken{})
	d := w.device("A").register(text)
	d.ok(d.authorization("base", 1))
	license := w.pool("base").License
	const many = 250
	w.must(w.store.Update(w.ctx, func(tx satellite.Tx) error {
		pool, err := tx.Pool(w.pooled(tx).ID, license.ID)
		if err != nil {
			return err
		}
		for n := range many {
			i, err := tx.CreateInstance(satellite.Instance{
				PIID: fmt.Sprint("piid-", n), AccountID: w.account.ID, VirtualAccountID: pool.VirtualAccountID, Identity: satellite.Identity{UDIPID: "R1", UDISerialNumber: fmt.Sprint(n)},
				RegistrationState: satellite.Registered, CertificateNotAfter: begin.Add(365 * day), AuthorizationState: satellite.OutOfCompliance,
			})
			if err != nil {
				return err
			}
			if err := tx.SaveUsage(satellite.Usage{InstanceID: i.ID, LicenseID: license.ID, VirtualAccountID: pool.VirtualAccountID, Count: 2, Wanted: 2}); err != nil {
				return err
			}
		}
		pool.AccountID = w.account.ID
		pool.InUse += 2 * many
		_, err = tx.SavePool(pool)
		return err
	}))
	w.audit()
	w.clock.advance(90*day - time.Hour)
	d.ok(d.authorization())
	w.run(time.Hour)
	if p := w.pool("base"); p.InUse != 1 {
		t.Errorf("%d are in use", p.InUse)
	}
	w.audit()
}

func (w *world) pooled(tx satellite.Tx) satellite.VirtualAccount {
	list, err := tx.VirtualAccounts(w.account.ID)
	if err != nil || len(list) == 0 {
		return satellite.VirtualAccount{}
	}
	return list[0]
}

// Return and re-acquisition are the identity: whatever devices hold, of
// whatever licenses, all is as before when each of them has spoken again.
func TestReturnThenReacquireIsTheIdentity(t *testing.T) {
	t.Parallel()
	w := registered(t)
	w.up.entitlements = map[string]wire.EntitlementRecord{
		"hard": {Enforcement: "enforced"}, "low": {HigherTier: "top"}, "told": {ReportingOnly: true}, "over": {Overage: true},
	}
	w.up.lots[w.external(w.account)] = []lot{
		{tag: "base", quantity: 9}, {tag: "hard", quantity: 6}, {tag: "top", quantity: 8}, {tag: "low", quantity: 2}, {tag: "told", quantity: 1}, {tag: "over", quantity: 3},
	}
	w.sync(w.account, false)
	_, text := w.token(satellite.NewToken{})
	var devices []*device
	for i := range 4 {
		devices = append(devices, w.device(fmt.Sprint(i)).register(text))
	}
	// Soon silent, so that certificates outlive all checks.
	w.options.AuthorizationLife = 2 * time.Hour
	w.restart(0)
	rapid.Check(t, func(r *rapid.T) {
		for range rapid.IntRange(1, 8).Draw(r, "requests") {
			d := devices[rapid.IntRange(0, 3).Draw(r, "device")]
			tag, count := rapid.SampledFrom([]string{"base", "hard", "top", "low", "told", "over"}).Draw(r, "tag"), rapid.IntRange(0, 6).Draw(r, "count")
			if tag == "hard" {
				count = min(count, 1) // enough for all: who comes first may else get what another had
			}
			d.ok(d.authorization(tag, count))
		}
		order := rapid.Permutation(devices).Draw(r, "order")
		for _, d := range order { // each learns of the others' shortages
			d.ok(d.authorization())
		}
		for _, d := range order {
			d.ok(d.authorization())
		}
		before := w.inPool()
		w.clock.advance(3 * time.Hour)
		w.must(w.service.ReturnSilent(w.ctx, w.service.Now()))
		rows, err := w.service.Licenses(w.ctx, admin, satellite.PoolFilter{})
		w.must(err)
		for _, row := range rows {
			if row.InUse != 0 {
				r.Fatalf("after the return %d of %s are in use", row.InUse, row.License.Tag)
			}
		}
		for range 2 {
			for _, d := range order {
				d.ok(d.authorization())
			}
		}
		if after := w.inPool(); after != before {
			r.Fatalf("before:\n%s\nafter:\n%s", before, after)
		}
		w.audit()
	})
}
