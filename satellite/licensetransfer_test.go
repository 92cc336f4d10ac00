package satellite_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ssm/satellite"
	"ssm/satellite/wire"
)

// numbers are what each virtual account has of a tag: purchased, moved in, moved out, balance.
func (w *world) numbers(tag string) string {
	w.Helper()
	rows, err := w.service.Licenses(w.ctx, admin, satellite.PoolFilter{AccountID: w.account.ID, Tag: tag})
	w.must(err)
	var list []string
	for _, r := range rows {
		list = append(list, fmt.Sprintf("%s %d+%d-%d=%d", r.VirtualAccount, r.Purchased, r.TransferredIn, r.TransferredOut, r.Balance()))
	}
	return strings.Join(list, ", ")
}

func TestSurplusIsMovedOnAndBackAndATermKeepsItsDates(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{id: "perpetual", tag: "base", quantity: 10}, lot{id: "term", tag: "base", quantity: 20, end: begin.Add(50 * day)})
	w.part("East")
	w.part("West")
	// Perpetual first: 10 of it, and 2 of the term.
	w.must(w.move("base", "", "East", 12))
	w.expect("after the first", w.numbers("base"), "Default 30+0-12=18, East 0+12-0=12")
	w.must(w.move("base", "east", "West", 11))
	w.expect("moved onward", w.numbers("base"), "Default 30+0-12=18, East 0+12-11=1, West 0+11-0=11")
	w.must(w.move("base", "West", "East", 11))
	w.expect("and back", w.numbers("base"), "Default 30+0-12=18, East 0+12-0=12, West 0+0-0=0")
	w.must(w.move("base", "East", "Default", 12))
	before := w.numbers("base")
	w.expect("and home", before, "Default 30+0-0=30, East 0+0-0=0, West 0+0-0=0")
	w.must(w.service.TransferLicenses(w.ctx, admin, w.account.ID, []satellite.Transfer{{Tag: "base", To: "East", Quantity: 5, Type: satellite.LicenseSubscription}}))
	w.must(w.move("base", "", "West", 3))
	w.expect("a term, and of the perpetual", w.numbers("base"), "Default 30+0-8=22, East 0+5-0=5, West 0+3-0=3")
	w.audit()
	// The term ends wherever it is, without any contact.
	w.pass(50*day - time.Minute)
	w.expect("a minute before its end", w.numbers("base"), "Default 30+0-8=22, East 0+5-0=5, West 0+3-0=3")
	w.clock.advance(time.Minute)
	w.expect("at its end", w.numbers("base"), "Default 10+0-3=7, East 0+0-0=0, West 0+3-0=3")
	w.must(w.service.CountLots(w.ctx, w.service.Now()))
	w.expect("counted", w.numbers("base"), "Default 10+0-3=7, East 0+0-0=0, West 0+3-0=3")
	if n := w.events(satellite.EventLicenseTransferred, `12 of License base were moved from virtual account "Default" to "East": 10 of lot perpetual, 2 of lot term.`); n != 1 {
		t.Errorf("%d events tell of the first transfer", n)
	}
	w.audit()
}

func TestOnlySurplusMoves(t *testing.T) {
	t.Parallel()
	w := licensed(t, map[string]wire.EntitlementRecord{"low": {HigherTier: "top"}, "fixed": {Enforcement: "enforced"}},
		lot{tag: "top", quantity: 10}, lot{tag: "low", quantity: 3}, lot{id: "term", tag: "fixed", quantity: 4, end: begin.Add(day)}, lot{tag: "fixed", quantity: 1},
		lot{tag: "future", quantity: 9, start: begin.Add(day)}, lot{tag: "mixed", quantity: 9, start: begin.Add(day)}, lot{tag: "mixed", quantity: 4, end: begin.Add(day)})
	w.part("Lab")
	d := w.in("", "A")
	d.ok(d.authorization("top", 2, "low", 8, "fixed", 3)) // low borrows 5 of the 8 that top can spare
	short := func(what string, transfer satellite.Transfer, words ...string) {
		t.Helper()
		w.unchanged(what, func() {
			err := w.service.TransferLicenses(w.ctx, admin, w.account.ID, []satellite.Transfer{transfer})
			refused(t, err, satellite.KindConflict, "license-surplus-too-small", append(words, "explain")...)
		})
	}
	short("what is lent", satellite.Transfer{Tag: "top", To: "Lab", Quantity: 4}, "has 3 of License top to spare, and 4 were")
	short("what is borrowed", satellite.Transfer{Tag: "low", To: "Lab", Quantity: 1}, "has 0 of License low")
	short("what devices use", satellite.Transfer{Tag: "fixed", To: "Lab", Quantity: 3}, "has 2 of License fixed")
	short("of a type that there is less of", satellite.Transfer{Tag: "fixed", To: "Lab", Quantity: 2, Type: satellite.LicensePerpetual}, "has 1 of License fixed (perpetual)")
	short("of a type that there is none of", satellite.Transfer{Tag: "fixed", To: "Lab", Quantity: 1, Type: satellite.LicenseEvaluation}, "has 0 of License fixed (evaluation)")
	short("what has not begun", satellite.Transfer{Tag: "future", To: "Lab", Quantity: 1}, "has 0 of License future")
	short("what the other has none of", satellite.Transfer{Tag: "top", From: "Lab", Quantity: 1}, `"Lab" has 0`)
	w.must(w.move("mixed", "", "Lab", 4))
	w.expect("what moves is what is live", w.numbers("mixed"), "Default 4+0-4=0, Lab 0+4-0=4")
	w.must(w.move("top", "", "Lab", 3))
	w.must(w.move("fixed", "", "Lab", 2))
	w.expect("top", w.numbers("top"), "Default 10+0-3=0, Lab 0+3-0=3")
	w.expect("the device goes on", d.learns("low"), "in-compliance 8")
	w.expect("and is not refused what it holds", d.learns("fixed"), "in-compliance 3")
	other := w.in("Lab", "B")
	w.expect("who got some", mode(other.ok(other.authorization("fixed", 2)), "fixed"), "in-compliance 2")
	w.audit()
}

func TestATransferIsRefusedInWordsThatHelp(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "base", quantity: 10})
	w.part("Lab")
	good := satellite.Transfer{Tag: "base", To: "Lab", Quantity: 1}
	many := make([]satellite.Transfer, 1001)
	for i := range many {
		many[i] = good
	}
	for _, c := range []struct {
		list  []satellite.Transfer
		kind  satellite.Kind
		code  string
		words string
	}{
		{nil, satellite.KindInvalid, "license-transfer-invalid", "From 1 to 1000"},
		{many, satellite.KindInvalid, "license-transfer-invalid", "not 1001"},
		{[]satellite.Transfer{{Tag: "base", To: "Lab"}}, satellite.KindInvalid, "license-transfer-invalid", "at least 1"},
		{[]satellite.Transfer{{Tag: "base", To: "Lab", Quantity: -1}}, satellite.KindInvalid, "license-transfer-invalid", "not -1"},
		{[]satellite.Transfer{{Tag: "base", To: "Lab", Quantity: 1 << 62}}, satellite.KindInvalid, "license-transfer-invalid", "Nothing was moved"},
		{[]satellite.Transfer{{Tag: "base", To: "Lab", Quantity: 1, Type: "rented"}}, satellite.KindInvalid, "license-transfer-invalid", "rented"},
		{[]satellite.Transfer{{Tag: "base", To: "default", Quantity: 1}}, satellite.KindInvalid, "license-transfer-invalid", `both are "Default"`},
		{[]satellite.Transfer{{Tag: "base", To: "none", Quantity: 1}}, satellite.KindNotFound, "virtual-account-not-found", "none"},
		{[]satellite.Transfer{{Tag: "none", To: "Lab", Quantity: 1}}, satellite.KindNotFound, "license-not-found", "none"},
		{[]satellite.Transfer{good, good, {Tag: "base", To: "Lab", Quantity: 9}}, satellite.KindConflict, "license-surplus-too-small", "Transfer 3: Virtual account \"Default\" has 8"},
	} {
		w.unchanged(c.words, func() {
			refused(t, w.service.TransferLicenses(w.ctx, admin, w.account.ID, c.list), c.kind, c.code, c.words)
		})
	}
	// What one entry brings, the next one can move on: a list is carried out in its order.
	w.part("Annex")
	w.must(w.service.TransferLicenses(w.ctx, admin, w.account.ID, []satellite.Transfer{good, {Tag: "base", From: "Lab", To: "Annex", Quantity: 1}}))
	w.expect("after the list", w.numbers("base"), "Annex 0+1-0=1, Default 10+0-1=9, Lab 0+1-1=0")
	w.audit()
}

func TestWhoMovesLicensesManagesThemOnBothSides(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "base", quantity: 10})
	lab := w.part("Lab")
	list, err := w.service.VirtualAccounts(w.ctx, admin, w.account.ID)
	w.must(err)
	home := list[0].ID
	grant := func(virtual satellite.VirtualAccountID, role satellite.Role) satellite.Grant {
		return satellite.Grant{AccountID: w.account.ID, VirtualAccountID: virtual, Role: role}
	}
	for _, c := range []struct {
		name   string
		system satellite.Role
		grants []satellite.Grant
		kind   satellite.Kind // of moving; "" is allowed
		reads  satellite.Kind // of explaining the one in Default
	}{
		{"nobody", "", nil, satellite.KindUnauthenticated, satellite.KindUnauthenticated},
		{"a stranger", satellite.RoleSystemUser, nil, satellite.KindNotFound, satellite.KindNotFound},
		{"a viewer of the account", satellite.RoleSystemUser, []satellite.Grant{grant(0, satellite.RoleAccountViewer)}, satellite.KindForbidden, ""},
		{"an admin of one side", satellite.RoleSystemUser, []satellite.Grant{grant(home, satellite.RoleVirtualAccountAdmin)}, satellite.KindNotFound, ""},
		{"an admin of the other side", satellite.RoleSystemUser, []satellite.Grant{grant(lab.ID, satellite.RoleVirtualAccountAdmin)}, satellite.KindNotFound, satellite.KindNotFound},
		{"a user of one and a viewer of the other side", satellite.RoleSystemUser, []satellite.Grant{grant(home, satellite.RoleVirtualAccountUser), grant(lab.ID, satellite.RoleVirtualAccountViewer)}, satellite.KindForbidden, ""},
		{"a user of both sides", satellite.RoleSystemUser, []satellite.Grant{grant(home, satellite.RoleVirtualAccountUser), grant(lab.ID, satellite.RoleVirtualAccountUser)}, "", ""},
		{"a user of the account", satellite.RoleSystemUser, []satellite.Grant{grant(0, satellite.RoleAccountUser)}, "", ""},
		{"an operator", satellite.RoleSystemOperator, nil, "", ""},
	} {
		actor := satellite.Actor{Name: c.name, Role: c.system, Grants: c.grants}
		move := func() {
			err := w.service.TransferLicenses(w.ctx, actor, w.account.ID, []satellite.Transfer{{Tag: "base", To: "Lab", Quantity: 1}})
			if (err == nil) != (c.kind == "") || err != nil && satellite.KindOf(err) != c.kind {
				t.Errorf("%s moves: %v, want %q", c.name, err, c.kind)
			}
		}
		if c.kind == "" {
			move()
		} else {
			w.unchanged(c.name, move)
		}
		_, err := w.service.ExplainLicense(w.ctx, actor, w.account.ID, "base", "")
		if (err == nil) != (c.reads == "") || err != nil && satellite.KindOf(err) != c.reads {
			t.Errorf("%s asks why: %v, want %q", c.name, err, c.reads)
		}
	}
	w.audit()
}

// A lot that vanishes takes what was moved of it along; one that shrinks leaves
// it where it is, and its home is short.
func TestTransfersFollowWhatTheUpstreamDoesToTheirLot(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{id: "1", tag: "base", quantity: 10}, lot{id: "2", tag: "base", quantity: 10}, lot{id: "3", tag: "base", quantity: 1})
	w.part("Lab")
	w.must(w.move("base", "", "Lab", 15)) // all of lot 1, five of lot 2
	d := w.in("Lab", "A")
	d.ok(d.authorization("base", 15))
	w.buy(lot{id: "1", tag: "base", quantity: 6}, lot{id: "2", tag: "base", quantity: 10}, lot{id: "3", tag: "base", quantity: 1})
	w.expect("after lot 1 has shrunk", w.numbers("base"), "Default 17+0-15=2, Lab 0+15-0=0")
	w.expect("the lab", d.learns("base"), "in-compliance 15")
	w.buy(lot{id: "1", tag: "base", quantity: 6}, lot{id: "2", tag: "base", quantity: 6}, lot{id: "3", tag: "base", quantity: 1})
	w.expect("after lot 2 has shrunk", w.numbers("base"), "Default 13+0-15=-2, Lab 0+15-0=0")
	if text := w.alertTexts(satellite.AlertInsufficientLicenses); !strings.HasPrefix(text, "License base in Default: 2 of") {
		t.Errorf("the alert is %q", text)
	}
	w.unchanged("moving what is short", func() {
		refused(t, w.move("base", "", "Lab", 1), satellite.KindConflict, "license-surplus-too-small", `"Default" has 0`)
	})
	// Dates that change hold for every part of the lot.
	w.buy(lot{id: "1", tag: "base", quantity: 10, end: begin.Add(day)}, lot{id: "2", tag: "base", quantity: 10}, lot{id: "3", tag: "base", quantity: 1})
	w.audit()
	w.pass(2 * day)
	w.expect("after the new end of lot 1", w.numbers("base"), "Default 11+0-5=6, Lab 0+5-0=-10")
	w.buy(lot{id: "2", tag: "base", quantity: 10})
	w.expect("after lots 1 and 3 are gone", w.numbers("base"), "Default 10+0-5=5, Lab 0+5-0=-10")
	// A number that is another license now has nothing to do with what was moved.
	w.buy(lot{id: "2", tag: "other", quantity: 10})
	w.expect("after lot 2 became another license", w.numbers("base"), "Default 0+0-0=0, Lab 0+0-0=-15")
	w.expect("the other license", w.numbers("other"), "Default 10+0-0=10")
	if text := w.dump(); !strings.Contains(text, "transfers (0)") {
		t.Error("transfers without a lot are kept")
	}
	w.audit()
}

// Whatever was moved through a virtual account, its lots and transfers can be
// given to another one, and every other number stays.
func TestTheLicensesOfAVirtualAccountMoveHomeWithTheirHistory(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{id: "1", tag: "base", quantity: 20}, lot{id: "2", tag: "base", quantity: 5, end: begin.Add(60 * day)}, lot{id: "3", tag: "base", quantity: 5, start: begin.Add(100 * day)})
	mid, east := w.part("Mid"), w.part("East")
	w.must(w.move("base", "", "Mid", 22))
	w.must(w.move("base", "Mid", "East", 6))
	w.must(w.move("base", "East", "", 1))
	w.expect("before", w.numbers("base"), "Default 25+1-22=4, East 0+6-1=5, Mid 0+22-6=16")
	w.must(w.service.MoveHome(w.ctx, admin, w.account.ID, mid.ID, east.ID))
	w.expect("mid into east", w.numbers("base"), "Default 25+0-21=4, East 0+21-0=21, Mid 0+0-0=0")
	w.audit()
	w.must(w.service.DeleteVirtualAccount(w.ctx, admin, w.account.ID, "Mid", ""))
	list, err := w.service.VirtualAccounts(w.ctx, admin, w.account.ID)
	w.must(err)
	// The home itself may go: its lots, also the one that has not begun, have another one then.
	w.must(w.service.MoveHome(w.ctx, admin, w.account.ID, list[0].ID, east.ID))
	w.expect("home into east", w.numbers("base"), "Default 0+0-0=0, East 25+0-0=25")
	alerts, err := w.service.Alerts(w.ctx, admin, satellite.AlertFilter{AccountID: w.account.ID, Type: satellite.AlertLicensesExpiring}, satellite.Page{})
	w.must(err)
	if len(alerts) != 1 || alerts[0].VirtualAccountID != east.ID {
		t.Errorf("the reminder of the moved lot is %+v", alerts)
	}
	w.sync(w.account, true)
	w.expect("after a synchronization", w.numbers("base"), "Default 0+0-0=0, East 25+0-0=25")
	w.pass(101 * day)
	w.expect("after the last has begun", w.numbers("base"), "Default 0+0-0=0, East 25+0-0=25")
	w.audit()
}

func TestAVirtualAccountThatOnlyPassedLicensesOnCanBeDeleted(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{id: "1", tag: "base", quantity: 20}, lot{id: "2", tag: "term", quantity: 5, end: begin.Add(day)})
	w.part("Mid")
	w.part("East")
	w.must(w.move("base", "", "Mid", 5))
	w.must(w.move("term", "", "Mid", 5))
	w.unchanged("while it holds some", func() {
		refused(t, w.service.DeleteVirtualAccount(w.ctx, admin, w.account.ID, "Mid", ""), satellite.KindConflict, "virtual-account-not-empty")
	})
	w.must(w.move("base", "Mid", "East", 5))
	w.pass(2 * day)
	w.must(w.service.CountLots(w.ctx, w.service.Now()))
	w.must(w.service.DeleteVirtualAccount(w.ctx, admin, w.account.ID, "Mid", ""))
	w.expect("what it passed on comes from its origin", w.numbers("base"), "Default 20+0-5=15, East 0+5-0=5")
	w.audit()
}

func TestALicenseIsMovedByItsTagOrByANameThatItAloneHas(t *testing.T) {
	t.Parallel()
	w := annexed(t)
	w.up.entitlements = map[string]wire.EntitlementRecord{"one": {Name: "Alone"}, "two": {Name: "Shared"}, "three": {Name: "Shared"}, "Shared": {Name: "Alone too"}}
	w.up.lots[w.external(w.account)] = []lot{{tag: "one", quantity: 5}, {tag: "two", quantity: 5}, {tag: "three", quantity: 5}}
	w.sync(w.account, false)
	move := func(names ...string) error {
		var list []satellite.Transfer
		for _, name := range names {
			list = append(list, satellite.Transfer{Tag: name, To: "Annex", Quantity: 1})
		}
		return w.service.TransferLicenses(w.ctx, admin, w.account.ID, list)
	}
	w.unchanged("a name of two licenses, or of none", func() {
		refused(t, move("Alone", "Shared"), satellite.KindConflict, "license-ambiguous", "Transfer 2: 2 licenses", "three, two", "by its tag")
		refused(t, move("alone"), satellite.KindNotFound, "license-not-found", `"alone"`)
		refused(t, move(""), satellite.KindNotFound, "license-not-found")
	})
	w.must(move("Alone", "two", "one"))
	if one, two := w.row("Annex", "one"), w.row("Annex", "two"); one.Quantity() != 2 || two.Quantity() != 1 {
		t.Errorf("%d and %d were moved", one.Quantity(), two.Quantity())
	}
	// What is a tag of one and the name of others is the tag.
	w.up.lots[w.external(w.account)] = append(w.up.lots[w.external(w.account)], lot{tag: "Shared", quantity: 5})
	w.sync(w.account, false)
	w.must(move("Shared"))
	if got := w.row("Annex", "Shared").Quantity(); got != 1 {
		t.Errorf("%d of the license with that tag were moved", got)
	}
	w.audit()
}
