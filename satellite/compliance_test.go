package satellite_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ssm/satellite"
	"ssm/satellite/wire"
)

// licensed is registered with tags that mean something special.
func licensed(t testing.TB, entitlements map[string]wire.EntitlementRecord, lots ...lot) *world {
	t.Helper()
	w := newWorld(t)
	w.trust()
	w.up.entitlements = entitlements
	w.buy(lots...)
	return w
}

// buy makes the lots of the world's account what they are upstream, and synchronizes.
func (w *world) buy(lots ...lot) {
	w.Helper()
	w.up.lots[w.external(w.account)] = lots
	w.sync(w.account, false)
}

// in registers a device in a virtual account.
func (w *world) in(virtualAccount, serial string) *device {
	w.Helper()
	_, text := w.token(satellite.NewToken{VirtualAccount: virtualAccount, ExportControlled: true})
	return w.device(serial).register(text)
}

// alertTexts are the open alerts of a type, as "source: message".
func (w *world) alertTexts(kind satellite.AlertType) string {
	w.Helper()
	list, err := w.service.Alerts(w.ctx, admin, satellite.AlertFilter{AccountID: w.account.ID, Type: kind}, satellite.Page{})
	w.must(err)
	var lines []string
	for _, a := range list {
		lines = append(lines, a.Source+": "+a.Message)
	}
	return strings.Join(lines, "\n")
}

// events are how many events of a type there are whose message holds the words.
func (w *world) events(kind satellite.EventType, words string) (count int) {
	w.Helper()
	list, err := w.service.Events(w.ctx, admin, satellite.EventFilter{Type: kind}, satellite.Page{Limit: 1000})
	w.must(err)
	for _, e := range list {
		if strings.Contains(e.Message, words) {
			count++
		}
	}
	return count
}

func (w *world) move(tag, from, to string, quantity int64) error {
	w.Helper()
	return w.service.TransferLicenses(w.ctx, admin, w.account.ID, []satellite.Transfer{{Tag: tag, From: from, To: to, Quantity: quantity}})
}

// learns is what a device is told at its next contact.
func (d *device) learns(tag string) string {
	d.Helper()
	return mode(d.ok(d.authorization()), tag)
}

// expect compares what devices are told with what they should be.
func (w *world) expect(what string, got, want string) {
	w.Helper()
	if got != want {
		w.Errorf("%s: %s, want %s", what, got, want)
	}
}

func TestAShortagePutsEveryUserInTheVirtualAccountOutOfComplianceAndEveryCureHeals(t *testing.T) {
	t.Parallel()
	for name, cure := range map[string]func(w *world, culprit *device){
		"a return":         func(_ *world, culprit *device) { culprit.ok(culprit.authorization("base", 3)) },
		"a deregistration": func(_ *world, culprit *device) { culprit.ok(culprit.message(wire.Deregistration, wire.RequestData{})) },
		"a removal":        func(w *world, culprit *device) { w.must(w.service.RemoveInstance(w.ctx, admin, culprit.piid)) },
		"a purchase":       func(w *world, _ *device) { w.buy(lot{tag: "base", quantity: 11}, lot{tag: "base", quantity: 2}) },
		"a transfer":       func(w *world, _ *device) { w.must(w.move("base", "Spare", "", 1)) },
		"a lot that begins": func(w *world, _ *device) {
			w.pass(2 * day)
			w.must(w.service.CountLots(w.ctx, w.service.Now()))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := registered(t, lot{tag: "base", quantity: 12}, lot{tag: "base", quantity: 3, start: begin.Add(day)})
			w.part("Spare")
			w.must(w.move("base", "", "Spare", 2))
			a, b, elsewhere := w.in("", "A"), w.in("", "B"), w.in("Spare", "C")
			elsewhere.ok(elsewhere.authorization("base", 1))
			a.ok(a.authorization("base", 7))
			w.expect("a while there is enough", a.learns("base"), "in-compliance 7")
			w.expect("b, who overdraws", mode(b.ok(b.authorization("base", 4)), "base"), "out-of-compliance 4")
			w.expect("a at its next contact", a.learns("base"), "out-of-compliance 7")
			w.expect("who is elsewhere", elsewhere.learns("base"), "in-compliance 1")
			w.expect("the alert", w.alertTexts(satellite.AlertInsufficientLicenses),
				`License base in Default: 1 of License base are missing in virtual account "Default"; the devices there that use it are out of compliance.`)
			cure(w, b)
			w.expect("the alert after it", w.alertTexts(satellite.AlertInsufficientLicenses), "")
			w.expect("a after it", a.learns("base"), "in-compliance 7")
			if w.events(satellite.EventAlertOpened, "Insufficient") != 1 || w.events(satellite.EventAlertClosed, "Insufficient") != 1 {
				t.Error("the alert was not opened and closed once")
			}
			w.audit()
		})
	}
}

// What a device is told in each mode of a license: with enough, with too little
// for it, and after what it holds has ended.
func TestEachKindOfLicenseHasItsOwnAnswerToAShortage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                     string
		license                  wire.EntitlementRecord
		enough, more, fresh, end string
		short                    bool // a pool that lacks some is short
	}{
		{"unenforced", wire.EntitlementRecord{}, "in-compliance 3", "out-of-compliance 6", "out-of-compliance 6", "out-of-compliance 6", true},
		{"overage allowed", wire.EntitlementRecord{Overage: true}, "in-compliance 3", "overage 6", "overage 6", "overage 6", false},
		{"reporting only", wire.EntitlementRecord{ReportingOnly: true}, "in-compliance 3", "in-compliance 6", "in-compliance 6", "in-compliance 6", false},
		{"enforced", wire.EntitlementRecord{Enforcement: "enforced"}, "in-compliance 3", "in-compliance 3", "disabled 0", "out-of-compliance 3", true},
		{"export-controlled", wire.EntitlementRecord{Enforcement: "export-controlled"}, "in-compliance 3", "in-compliance 3", "disabled 0", "out-of-compliance 3", true},
		{"enforced with overage", wire.EntitlementRecord{Enforcement: "enforced", Overage: true}, "in-compliance 3", "overage 6", "overage 6", "overage 6", false},
		{"enforced, reporting only", wire.EntitlementRecord{Enforcement: "enforced", ReportingOnly: true}, "in-compliance 3", "in-compliance 6", "in-compliance 6", "in-compliance 6", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := licensed(t, map[string]wire.EntitlementRecord{"tag": c.license}, lot{tag: "tag", quantity: 5, end: begin.Add(40 * day)})
			a, b := w.in("", "A"), w.in("", "B")
			w.expect("with enough", mode(a.ok(a.authorization("tag", 3)), "tag"), c.enough)
			w.expect("with more than there is", mode(a.ok(a.authorization("tag", 6)), "tag"), c.more)
			reply := b.ok(b.authorization("tag", 6))
			w.expect("another device", mode(reply, "tag"), c.fresh)
			if c.fresh == "disabled 0" {
				l := reply.Data.Licenses[0]
				if l.Requested != 6 || !strings.Contains(l.Reason, "the pool has no more") || reply.Data.AuthorizationState != string(satellite.NoLicensesInUse) {
					t.Errorf("the refused device is told %+v, %s", l, reply.Data.AuthorizationState)
				}
				if text := w.alertTexts(satellite.AlertRestrictedNotAvailable); strings.Count(text, "\n") != 1 || !strings.Contains(text, "host-B asks for 6 of License tag and holds 0") || !strings.Contains(text, "host-A asks for 6 of License tag and holds 3") {
					t.Errorf("the alerts are %s", text)
				}
				if p := w.pool("tag"); p.InUse > 5 || p.Short() {
					t.Errorf("the pool is overdrawn: %+v", p.Pool)
				}
			} else if text := w.alertTexts(satellite.AlertRestrictedNotAvailable); text != "" {
				t.Errorf("nothing was refused, and there is %s", text)
			}
			if short := w.pool("tag").Short(); short != (c.short && c.fresh != "disabled 0") {
				t.Errorf("the pool is short: %v", short)
			}
			w.pass(41 * day)
			w.expect("after the end of the lot", a.learns("tag"), c.end)
			if w.pool("tag").Short() != c.short || (w.alertTexts(satellite.AlertInsufficientLicenses) != "") != c.short {
				t.Errorf("after the end the pool is %s, with the alert %q", w.pool("tag").Status(), w.alertTexts(satellite.AlertInsufficientLicenses))
			}
			b.ok(b.authorization("tag", 0))
			a.ok(a.authorization("tag", 0))
			for _, kind := range []satellite.AlertType{satellite.AlertRestrictedNotAvailable, satellite.AlertInsufficientLicenses} {
				w.expect("alerts when nobody wants any", w.alertTexts(kind), "")
			}
			w.audit()
		})
	}
}

func TestARefusedDeviceGetsTheLicenseOnceThereIsSome(t *testing.T) {
	t.Parallel()
	w := licensed(t, map[string]wire.EntitlementRecord{"tag": {Enforcement: "enforced"}}, lot{tag: "tag", quantity: 2})
	a, b := w.in("", "A"), w.in("", "B")
	a.ok(a.authorization("tag", 2))
	w.expect("b", mode(b.ok(b.authorization("tag", 1)), "tag"), "disabled 0")
	a.ok(a.authorization("tag", 1))
	w.expect("b after a gave one back", b.learns("tag"), "in-compliance 1")
	w.expect("the alert", w.alertTexts(satellite.AlertRestrictedNotAvailable), "")
	// A device that goes takes its alert along.
	w.expect("b asks for too much", mode(b.ok(b.authorization("tag", 9)), "tag"), "in-compliance 1")
	w.must(w.service.RemoveInstance(w.ctx, admin, b.piid))
	w.expect("the alert of a removed device", w.alertTexts(satellite.AlertRestrictedNotAvailable), "")
	if opened, closed := w.events(satellite.EventAlertOpened, "Restricted"), w.events(satellite.EventAlertClosed, "Restricted"); opened != 2 || closed != 2 {
		t.Errorf("the alert was opened %d times and closed %d times", opened, closed)
	}
	w.audit()
}

func TestAnExportControlledLicenseNeedsATokenThatAllowsIt(t *testing.T) {
	t.Parallel()
	w := licensed(t, map[string]wire.EntitlementRecord{"tag": {Enforcement: "export-controlled"}}, lot{tag: "tag", quantity: 9})
	_, text := w.token(satellite.NewToken{})
	d := w.device("A").register(text)
	reply := d.ok(d.authorization("tag", 1))
	if l := reply.Data.Licenses[0]; l.Mode != wire.ModeDisabled || l.Requested != 1 || !strings.Contains(l.Reason, "the token that registered the device does not allow that") {
		t.Errorf("it is told %+v", l)
	}
	if w.pool("tag").InUse != 0 {
		t.Error("it holds one")
	}
	allowed := w.in("", "B")
	w.expect("with a token that allows it", mode(allowed.ok(allowed.authorization("tag", 1)), "tag"), "in-compliance 1")
	w.audit()
}

func TestTheWorkedExampleOfTwoTiers(t *testing.T) {
	t.Parallel()
	w := licensed(t, map[string]wire.EntitlementRecord{"low": {HigherTier: "top"}}, lot{tag: "top", quantity: 100}, lot{tag: "low", quantity: 0})
	a, b := w.in("", "A"), w.in("", "B")
	a.ok(a.authorization("top", 10))
	w.expect("the lower tier", mode(b.ok(b.authorization("low", 50)), "low"), "in-compliance 50")
	top, low := w.pool("top"), w.pool("low")
	if top.Lent != 50 || top.Balance() != 40 || top.Available() != 40 || low.Borrowed != 50 || low.Balance() != 0 || low.Short() {
		t.Errorf("top %+v, low %+v", top.Pool, low.Pool)
	}
	// The tier above needs its own again.
	a.ok(a.authorization("top", 60))
	w.expect("the lower tier then", b.learns("low"), "out-of-compliance 50")
	w.expect("the tier above", a.learns("top"), "in-compliance 60")
	w.expect("the alert", w.alertTexts(satellite.AlertInsufficientLicenses),
		`License low in Default: 10 of License low are missing in virtual account "Default"; the devices there that use it are out of compliance.`)
	// One device that goes from one tier to the other needs both at no time.
	a.ok(a.authorization("top", 0, "low", 50))
	w.expect("after the change of tier", w.alertTexts(satellite.AlertInsufficientLicenses), "")
	w.audit()
}

func TestADeviceMayChangeTheTierOfAnEnforcedLicenseInOneMessage(t *testing.T) {
	t.Parallel()
	w := licensed(t, map[string]wire.EntitlementRecord{"a-low": {HigherTier: "top", Enforcement: "enforced"}, "top": {Enforcement: "enforced"}},
		lot{tag: "top", quantity: 4}, lot{tag: "a-low", quantity: 0})
	d := w.in("", "A")
	d.ok(d.authorization("top", 4))
	w.expect("the lower tier", mode(d.ok(d.authorization("a-low", 4, "top", 0)), "a-low"), "in-compliance 4")
	w.expect("and back", mode(d.ok(d.authorization("top", 4, "a-low", 0)), "top"), "in-compliance 4")
	w.audit()
}

// When the upstream says something else of a license, every pool that it touches
// is settled at once, in every virtual account, without any contact.
func TestWhenAMeaningChangesEveryPoolThatItTouchesIsSettled(t *testing.T) {
	t.Parallel()
	w := licensed(t, map[string]wire.EntitlementRecord{}, lot{tag: "low", quantity: 2}, lot{tag: "top", quantity: 20})
	w.part("Lab")
	w.must(w.move("low", "", "Lab", 1))
	w.must(w.move("top", "", "Lab", 5))
	w.part("Remote") // its devices use what nobody has given it
	for n, place := range []string{"Default", "Lab", "Remote"} {
		d := w.in(place, fmt.Sprint(n))
		d.ok(d.authorization("low", 3))
	}
	redefine := func(meanings map[string]wire.EntitlementRecord, short int) {
		t.Helper()
		w.up.entitlements = meanings
		w.sync(w.account, false)
		if text := w.alertTexts(satellite.AlertInsufficientLicenses); strings.Count(text, "missing") != short {
			t.Errorf("with %+v the alerts are %q, want %d", meanings, text, short)
		}
		w.audit()
	}
	redefine(nil, 3)
	redefine(map[string]wire.EntitlementRecord{"low": {HigherTier: "top"}}, 1)
	redefine(nil, 3)
	redefine(map[string]wire.EntitlementRecord{"low": {Overage: true}}, 0)
	redefine(map[string]wire.EntitlementRecord{"low": {ReportingOnly: true}}, 0)
	redefine(nil, 3)
	redefine(map[string]wire.EntitlementRecord{"low": {HigherTier: "top"}, "top": {ReportingOnly: true}}, 3)
	redefine(map[string]wire.EntitlementRecord{"low": {HigherTier: "top"}}, 1)
	if n := w.events(satellite.EventLicenseRedefined, "License low now: unenforced, below top; before: unenforced"); n != 2 {
		t.Errorf("%d events say that the lower tier has one above now, want 2", n)
	}
}

func TestAnAlertAboutARefusalEndsWithTheRule(t *testing.T) {
	t.Parallel()
	w := licensed(t, map[string]wire.EntitlementRecord{"tag": {Enforcement: "enforced"}, "other": {Enforcement: "enforced"}}, lot{tag: "tag", quantity: 1}, lot{tag: "other", quantity: 1})
	d := w.in("", "A")
	d.ok(d.authorization("tag", 5, "other", 5))
	w.up.entitlements = map[string]wire.EntitlementRecord{"other": {Enforcement: "enforced"}}
	w.sync(w.account, false)
	if text := w.alertTexts(satellite.AlertRestrictedNotAvailable); strings.Contains(text, "License tag") || !strings.Contains(text, "License other") {
		t.Errorf("the alerts are %s", text)
	}
	w.expect("at its next contact", d.learns("tag"), "out-of-compliance 5")
	w.audit()
}

func TestTheAlertOfAShortageSaysHowMuchIsMissingNow(t *testing.T) {
	t.Parallel()
	w := licensed(t, map[string]wire.EntitlementRecord{"low": {HigherTier: "top"}}, lot{tag: "top", quantity: 5}, lot{tag: "low", quantity: 0})
	a, b := w.in("", "A"), w.in("", "B")
	b.ok(b.authorization("low", 7))
	for held, missing := range map[int]int{1: 3, 5: 7, 4: 6} {
		a.ok(a.authorization("top", held))
		if text := w.alertTexts(satellite.AlertInsufficientLicenses); !strings.Contains(text, fmt.Sprintf("%d of License low are missing", missing)) {
			t.Errorf("with %d in use above it says %s, want %d missing", held, text, missing)
		}
	}
	if n := w.events(satellite.EventAlertOpened, "missing"); n != 1 {
		t.Errorf("one shortage is %d events", n)
	}
	w.audit()
}

func TestNothingHappensToAPoolBeforeItsHour(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "base", quantity: 5, end: begin.Add(10 * day)})
	d := w.in("", "A")
	d.ok(d.authorization("base", 5))
	w.pass(10*day - time.Minute)
	w.unchanged("a count before the end", func() { w.must(w.service.CountLots(w.ctx, w.service.Now())) })
	w.clock.advance(time.Minute)
	w.must(w.service.CountLots(w.ctx, w.service.Now()))
	if w.alertTexts(satellite.AlertInsufficientLicenses) == "" {
		t.Error("the lot has ended, and nobody is told")
	}
	w.unchanged("another count", func() { w.must(w.service.CountLots(w.ctx, w.service.Now())) })
	w.audit()
}
