package satellite_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ssm/satellite"
	"ssm/satellite/wire"
)

// holds is what a device holds of a tag itself, and what it is told at its next contact.
func (d *device) holds(tag string) string {
	d.Helper()
	details, err := d.service.FindInstance(d.ctx, admin, satellite.InstanceQuery{PIID: d.piid})
	d.must(err)
	for _, h := range details.Licenses {
		if h.License.Tag == tag {
			return fmt.Sprint(h.Usage.Count, " of ", h.Usage.Wanted, ", ", h.Mode())
		}
	}
	return "none"
}

func (d *device) has(tag, want string) {
	d.Helper()
	if got := d.holds(tag); got != want {
		d.Errorf("%s holds %s, want %s", d.hostname, got, want)
	}
}

func (w *world) counted(tag string, want int64) {
	w.Helper()
	if got := w.pool(tag).InUse; got != want {
		w.Errorf("%d of %s are in use, want %d", got, tag, want)
	}
}

// role is how the satellite has the device on record.
func (d *device) role() string {
	d.Helper()
	details, err := d.service.FindInstance(d.ctx, admin, satellite.InstanceQuery{PIID: d.piid})
	d.must(err)
	return details.ApplicationID + " " + details.HARole
}

// told is an authorization that must leave the device with a mode and count.
func (d *device) told(tag, want string, counts ...any) {
	d.Helper()
	if reply := d.hears(d.ok(d.authorization(counts...))); mode(reply, tag) != want {
		d.Errorf("%s is told %s of %s, want %s", d.hostname, mode(reply, tag), tag, want)
	}
}

func (w *world) paired(text, serial, application, role string) *device {
	w.Helper()
	return w.device(serial).in(application, role).register(text)
}

func TestAPairCountsOnceAndSwitchesOverWithoutAGap(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "base", quantity: 5})
	_, text := w.token(satellite.NewToken{})
	a, b := w.paired(text, "A", "core", wire.RoleActive), w.paired(text, "B", "core", wire.RoleStandby)
	a.told("base", "in-compliance 5", "base", 5)
	b.told("base", "in-compliance 5", "base", 5) // covered, not refused
	w.counted("base", 5)
	a.has("base", "5 of 5, in-compliance")
	b.has("base", "0 of 5, in-compliance")
	// What the standby wants beyond it, it draws itself.
	b.told("base", "out-of-compliance 7", "base", 7)
	w.counted("base", 7)
	b.has("base", "2 of 7, out-of-compliance")
	b.told("base", "in-compliance 5", "base", 5)

	// The switch-over: B speaks as the active member before A knows of it.
	b.in("core", wire.RoleActive).told("base", "in-compliance 5")
	w.counted("base", 5)
	b.has("base", "5 of 5, in-compliance")
	a.has("base", "0 of 5, in-compliance")
	if a.role() != "core standby" || b.role() != "core active" {
		t.Errorf("after the switch-over A is %s and B is %s", a.role(), b.role())
	}
	a.in("core", wire.RoleStandby).told("base", "in-compliance 5")
	w.counted("base", 5)
	b.has("base", "5 of 5, in-compliance")
	events, err := w.service.Events(w.ctx, admin, satellite.EventFilter{Type: satellite.EventDeviceSwitchedOver}, satellite.Page{})
	w.must(err)
	if len(events) != 1 || !strings.Contains(events[0].Message, "host-B is the active member") || !strings.Contains(events[0].Message, "host-A") {
		t.Errorf("the events of the switch-over are %+v", events)
	}
	// A release by the one that carries leaves what the other one wants.
	b.told("base", "none", "base", 0)
	a.has("base", "5 of 5, in-compliance")
	w.counted("base", 5)
	w.audit()
}

func TestWhenTheMemberThatCarriesLeavesAnotherTakesOver(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(*world, *device){
		"by deregistration": func(_ *world, a *device) { a.ok(a.message(wire.Deregistration, wire.RequestData{})) },
		"by removal":        func(w *world, a *device) { w.must(w.service.RemoveInstance(w.ctx, admin, a.piid)) },
		"for another pair":  func(_ *world, a *device) { a.in("other", wire.RoleActive).told("base", "none", "base", 0, "hard", 0) },
		"for itself":        func(_ *world, a *device) { a.in("", "").told("base", "none", "base", 0, "hard", 0) },
		"by registration": func(w *world, a *device) {
			_, text := w.token(satellite.NewToken{})
			a.in("", "").adopt(a.ok(a.registration(text, true)))
			a.told("base", "none", "base", 0, "hard", 0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.trust()
			w.up.entitlements = map[string]wire.EntitlementRecord{"hard": {Enforcement: "enforced"}}
			w.up.lots[w.external(w.account)] = []lot{{tag: "base", quantity: 9}, {tag: "hard", quantity: 9}}
			w.sync(w.account, false)
			_, text := w.token(satellite.NewToken{})
			a, b, c := w.paired(text, "A", "core", wire.RoleActive), w.paired(text, "B", "core", wire.RoleStandby), w.paired(text, "C", "core", wire.RoleStandby)
			a.told("hard", "in-compliance 3", "base", 3, "hard", 3)
			b.told("hard", "in-compliance 2", "base", 2, "hard", 2)
			c.told("hard", "in-compliance 1", "base", 1, "hard", 1)
			leave(w, a)
			for _, tag := range []string{"base", "hard"} {
				b.has(tag, "2 of 2, in-compliance")
				c.has(tag, "0 of 1, in-compliance")
				w.counted(tag, 2)
			}
			c.told("hard", "in-compliance 1")
			w.audit()
		})
	}
}

// The registration alone, with no authorization behind it, leaves no gap and nothing twice.
func TestARegistrationAnewChangesThePairAtOnce(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "base", quantity: 9})
	_, text := w.token(satellite.NewToken{})
	a, b := w.paired(text, "A", "core", wire.RoleActive), w.paired(text, "B", "core", wire.RoleStandby)
	a.told("base", "in-compliance 3", "base", 3)
	b.told("base", "in-compliance 3", "base", 3)
	b.key = newKey(t)
	b.in("", "").adopt(b.ok(b.registration(text, true))) // stands alone now
	w.counted("base", 6)
	a.has("base", "3 of 3, in-compliance")
	b.has("base", "3 of 3, in-compliance")
	b.key = newKey(t)
	b.in("core", wire.RoleActive).adopt(b.ok(b.registration(text, true))) // and comes back as the active one
	w.counted("base", 3)
	b.has("base", "3 of 3, in-compliance")
	a.has("base", "0 of 3, in-compliance")
	if a.role() != "core standby" {
		t.Errorf("A is %s", a.role())
	}
	w.audit()
}

func TestAnEnforcedLicenseIsRefusedToAPairAsToOneDevice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.trust()
	w.up.entitlements = map[string]wire.EntitlementRecord{"hard": {Enforcement: "enforced"}, "export": {Enforcement: "export-controlled"}}
	w.up.lots[w.external(w.account)] = []lot{{tag: "hard", quantity: 4}, {tag: "export", quantity: 4}}
	w.sync(w.account, false)
	_, text := w.token(satellite.NewToken{})
	_, exporting := w.token(satellite.NewToken{ExportControlled: true})
	a, b := w.paired(exporting, "A", "core", wire.RoleActive), w.paired(text, "B", "core", wire.RoleStandby)
	a.told("hard", "in-compliance 3", "hard", 3, "export", 3)
	b.told("hard", "in-compliance 3", "hard", 6) // asks for more than there is: it shares what A holds
	w.counted("hard", 3)
	if alerts := w.alertsOf(satellite.AlertRestrictedNotAvailable); len(alerts) != 1 || !strings.Contains(alerts[0].Message, "asks for 6 of License hard and holds 3") {
		t.Errorf("the alerts are %+v", alerts)
	}
	// More is bought: the peer's message draws it for both, and ends the alert.
	w.up.lots[w.external(w.account)] = []lot{{tag: "hard", quantity: 6}, {tag: "export", quantity: 4}}
	w.sync(w.account, false)
	a.told("hard", "in-compliance 3")
	w.counted("hard", 6)
	if alerts := w.alertsOf(satellite.AlertRestrictedNotAvailable); len(alerts) != 0 {
		t.Errorf("the alerts are still %+v", alerts)
	}
	b.told("hard", "in-compliance 4", "hard", 4)
	w.counted("hard", 4)
	a.has("hard", "3 of 3, in-compliance")
	b.has("hard", "1 of 4, in-compliance")
	if alerts := w.alertsOf(satellite.AlertRestrictedNotAvailable); len(alerts) != 0 {
		t.Errorf("the alerts are still %+v", alerts)
	}
	// The token of B does not allow export-controlled licenses, whatever its peer holds.
	b.told("export", "disabled 0", "export", 2)
	b.has("export", "0 of 2, disabled")
	w.counted("export", 3)
	a.ok(a.message(wire.Deregistration, wire.RequestData{}))
	b.has("export", "0 of 2, disabled")
	w.counted("export", 0)
	w.counted("hard", 4)
	w.audit()
}

func TestPairsOfOneNameElsewhereHaveNothingToDoWithEachOther(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "base", quantity: 9})
	second := w.newAccount(satellite.NewAccount{Name: "Lab", Email: "admin@lab.example"})
	w.up.lots[w.external(second)] = []lot{{id: "lab", tag: "base", quantity: 9}}
	w.sync(second, false)
	_, err := w.service.CreateVirtualAccount(w.ctx, admin, w.account.ID, "Annex", "")
	w.must(err)
	_, text := w.token(satellite.NewToken{})
	_, annex := w.token(satellite.NewToken{VirtualAccount: "Annex"})
	_, lab := w.token(satellite.NewToken{AccountID: second.ID})
	for serial, text := range map[string]string{"A": text, "B": annex, "C": lab} {
		w.paired(text, serial, "core", wire.RoleActive).told("base", map[string]string{"A": "in-compliance 3", "B": "out-of-compliance 3", "C": "in-compliance 3"}[serial], "base", 3)
	}
	alone := w.device("D").register(text)
	alone.told("base", "in-compliance 3", "base", 3)
	rows, err := w.service.Licenses(w.ctx, admin, satellite.PoolFilter{Tag: "base"})
	w.must(err)
	total := int64(0)
	for _, row := range rows {
		total += row.InUse
	}
	if total != 12 {
		t.Errorf("%d are in use, want 3 for each of four", total)
	}
	w.audit()
}

func TestASilentMemberWaitsUntilItSpeaksAgain(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "base", quantity: 9})
	_, text := w.token(satellite.NewToken{})
	a, b := w.paired(text, "A", "core", wire.RoleActive), w.paired(text, "B", "core", wire.RoleStandby)
	a.told("base", "in-compliance 5", "base", 5)
	b.told("base", "in-compliance 3", "base", 3)
	w.silence(a)
	b.has("base", "3 of 3, in-compliance")
	w.counted("base", 3)
	b.told("base", "in-compliance 3")
	w.counted("base", 3)
	w.silence(b)
	w.counted("base", 0)
	b.told("base", "in-compliance 3")
	w.counted("base", 3)
	a.told("base", "in-compliance 5")
	w.counted("base", 5)
	b.has("base", "0 of 3, in-compliance")
	w.audit()
}

func TestWhatAMemberReportsCountsForItsPair(t *testing.T) {
	t.Parallel()
	file, _, tag := usageFile(t)
	w := registered(t, lot{tag: tag, quantity: 9})
	_, text := w.token(satellite.NewToken{})
	reporting := w.device("9ZZUXOXH95L").in("core", wire.RoleStandby)
	peer := w.paired(text, "B", "core", wire.RoleActive)
	peer.told(tag, "in-compliance 2", tag, 2)
	_, err := w.service.ImportUsage(w.ctx, admin, w.account.ID, file)
	w.must(err)
	list, err := w.service.Instances(w.ctx, admin, satellite.InstanceFilter{}, satellite.Page{})
	w.must(err)
	i := slices.IndexFunc(list, func(d satellite.InstanceDetails) bool { return d.PIID != peer.piid })
	reporting.sudi = wire.SUDI{UDIPID: list[i].UDIPID, UDISerialNumber: list[i].UDISerialNumber}
	w.counted(tag, 5) // nothing says yet that they are one
	reporting.adopt(reporting.ok(reporting.message(wire.Registration, wire.RequestData{Token: text, CertificateRequest: reporting.csr(), SoftwareTag: list[i].SoftwareTag})))
	w.counted(tag, 3)
	reporting.has(tag, "1 of 3, in-compliance")
	peer.told(tag, "in-compliance 3", tag, 3)
	w.counted(tag, 3)
	w.audit()
}

func TestWhatIsNoPairIsRefused(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "base", quantity: 9})
	_, text := w.token(satellite.NewToken{})
	long := strings.Repeat("ü", 64)
	d := w.paired(text, "A", long, wire.RoleActive)
	for _, id := range []string{"a\nb", " core", "core ", "a\u202eb"} {
		for _, role := range []string{wire.RoleActive, wire.RoleStandby} {
			d.in(id, role).refused(d.authorization("base", 1), "high-availability-invalid", "Nothing was changed", "1 to 64 printable characters")
			d.refused(d.registration(text, true), "high-availability-invalid")
		}
	}
	for n := range 15 {
		w.paired(text, fmt.Sprint("M", n), long, wire.RoleStandby)
	}
	late := w.device("late").in(long, wire.RoleStandby)
	late.refused(late.registration(text, false), "high-availability-full", "16 members")
	late.in("", "").register(text)
	late.in(long, wire.RoleActive).refused(late.authorization("base", 1), "high-availability-full")
	d.in(long, wire.RoleStandby).told("base", "in-compliance 1", "base", 1) // a member stays one
	w.audit()
}

// Whatever three members say, they count as the one of them that wants most.
func TestAnySequenceOfMessagesOfAPairCountsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.trust()
	w.up.entitlements = map[string]wire.EntitlementRecord{"hard": {Enforcement: "enforced"}}
	w.up.lots[w.external(w.account)] = []lot{{tag: "base", quantity: 6}, {tag: "hard", quantity: 6}}
	w.sync(w.account, false)
	_, text := w.token(satellite.NewToken{})
	round := 0
	rapid.Check(t, func(r *rapid.T) {
		round++
		application := fmt.Sprint("core-", round)
		var members [3]*device
		present, wanted := [3]bool{}, [3]map[string]int{}
		hard := 0 // what the model of one device that asks for the most holds of the enforced license
		for range rapid.IntRange(1, 12).Draw(r, "messages") {
			n := rapid.IntRange(0, 2).Draw(r, "member")
			d := members[n]
			switch action := rapid.SampledFrom([]string{"ask", "ask", "ask", "switch over", "leave"}).Draw(r, "action"); {
			case d == nil || !present[n]:
				members[n] = w.paired(text, fmt.Sprint(application, "-", n), application, rapid.SampledFrom([]string{"active", "standby"}).Draw(r, "role"))
				present[n], wanted[n] = true, map[string]int{}
			case action == "leave":
				d.ok(d.message(wire.Deregistration, wire.RequestData{}))
				present[n], wanted[n] = false, nil
			case action == "switch over":
				d.in(application, wire.RoleActive).ok(d.authorization())
				for tag, count := range wanted[n] {
					if held := fmt.Sprint(count, " of ", count); tag == "base" && count > 0 && !strings.HasPrefix(d.holds(tag), held) {
						r.Fatalf("the active member holds %s of %s, want %s", d.holds(tag), tag, held)
					}
				}
			default:
				tag := rapid.SampledFrom([]string{"base", "hard"}).Draw(r, "tag")
				count := rapid.IntRange(0, 8).Draw(r, "count")
				d.ok(d.authorization(tag, count))
				wanted[n][tag] = count
			}
			most := map[string]int{}
			for _, counts := range wanted {
				for tag, count := range counts {
					most[tag] = max(most[tag], count)
				}
			}
			if hard = max(min(hard, most["hard"]), 0); most["hard"] <= 6 {
				hard = most["hard"]
			}
			sum := map[string]int64{}
			for i, m := range members {
				if !present[i] {
					continue
				}
				details, err := w.service.FindInstance(w.ctx, admin, satellite.InstanceQuery{PIID: m.piid})
				w.must(err)
				for _, h := range details.Licenses {
					sum[h.License.Tag] += h.Usage.Count
					if h.License.Tag == "base" && h.Has() != h.Usage.Wanted {
						r.Fatalf("member %d has %d of %d", i, h.Has(), h.Usage.Wanted)
					}
				}
			}
			if sum["base"] != int64(most["base"]) || sum["hard"] != int64(hard) {
				r.Fatalf("they hold %v, want %d of base and %d of hard", sum, most["base"], hard)
			}
			w.must(w.store.View(w.ctx, func(tx satellite.Tx) error {
				mismatches, err := tx.RecountPools(w.service.Now())
				if len(mismatches) > 0 {
					r.Fatal(mismatches)
				}
				return err
			}))
		}
		for i, m := range members {
			if present[i] {
				m.ok(m.message(wire.Deregistration, wire.RequestData{}))
			}
		}
	})
	w.counted("base", 0)
	w.counted("hard", 0)
	w.audit()
}
