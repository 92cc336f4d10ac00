package satellite_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"ssm/satellite"
	"ssm/satellite/wire"
)

// stocks are the licenses of the world's account, each held against its
// explanation and its own parts.
func (w *world) stocks(actor satellite.Actor, virtualAccounts ...string) (lines string) {
	w.Helper()
	list, err := w.service.LicenseStocks(w.ctx, actor, w.account.ID, virtualAccounts)
	w.must(err)
	var text strings.Builder
	for _, s := range list {
		var live int64
		for _, p := range s.Parts {
			if p.State == satellite.LotLive {
				live += p.Quantity
			}
		}
		e, err := w.service.ExplainLicense(w.ctx, admin, w.account.ID, s.License.Tag, s.VirtualAccount)
		w.must(err)
		if live != s.Quantity() || e.Quantity() != s.Quantity() || e.InUse != s.InUse || e.Reserved != s.Reserved || e.Balance() != s.Balance() ||
			fmt.Sprint(e.LentTo, e.BorrowedFrom) != fmt.Sprint(s.LentTo, s.BorrowedFrom) {
			w.Errorf("the stock says %+v, the explanation %+v", s, e)
		}
		fmt.Fprintf(&text, "%s %s %d/%d", s.VirtualAccount, s.License.Tag, s.InUse, s.Quantity())
		for _, p := range s.Parts {
			fmt.Fprintf(&text, " %s:%d:%s", p.Lot.UpstreamID, p.Quantity, p.State)
		}
		for _, l := range s.LentTo {
			fmt.Fprintf(&text, " lent %d to %s", l.Quantity, l.License.Tag)
		}
		for _, l := range s.BorrowedFrom {
			fmt.Fprintf(&text, " borrowed %d from %s", l.Quantity, l.License.Tag)
		}
		text.WriteString("\n")
	}
	return text.String()
}

func TestTheStockSaysWhatEachVirtualAccountHasOfEachLotAtAnyTime(t *testing.T) {
	t.Parallel()
	w := licensed(t, map[string]wire.EntitlementRecord{"low": {HigherTier: "mid"}, "mid": {HigherTier: "top"}},
		lot{id: "A", tag: "top", quantity: 20}, lot{id: "C", tag: "top", quantity: 9, end: begin.Add(-day)},
		lot{id: "D", tag: "top", quantity: 4, start: begin.Add(day)}, lot{id: "E", tag: "low", quantity: 6, end: begin.Add(30 * day)}, lot{id: "F", tag: "other", quantity: 3}, lot{id: "M", tag: "mid", quantity: 1})
	w.part("Lab")
	w.must(w.move("low", "", "Lab", 2))
	w.must(w.move("top", "", "Lab", 5))
	w.must(w.move("other", "", "Lab", 3))
	a, b := w.in("", "A"), w.in("Lab", "B")
	a.ok(a.authorization("low", 7))
	b.ok(b.authorization("low", 5))
	// The lab has no pool of the tier between: it is lent across.
	const lab = "Lab low 5/2 E:2:live borrowed 3 from top\n" +
		"Lab other 0/3 F:3:live\n" +
		"Lab top 0/5 A:5:live lent 3 to low\n"
	const home = "Default low 7/4 E:4:live borrowed 1 from mid borrowed 2 from top\n" +
		"Default mid 0/1 M:1:live lent 1 to low\n" +
		"Default other 0/0\n" +
		"Default top 0/15 A:15:live C:9:ended D:4:to come lent 2 to low\n"
	w.expect("all", w.stocks(admin), home+lab)
	w.expect("two by name", w.stocks(admin, "LAB", "default", "lab"), home+lab)
	w.expect("one by name", w.stocks(admin, "lab"), lab)
	// Time alone changes what counts, before any job has counted it.
	w.clock.advance(31 * day)
	w.expect("later", w.stocks(admin), "Default low 7/0 E:4:ended borrowed 1 from mid borrowed 6 from top\n"+
		"Default mid 0/1 M:1:live lent 1 to low\n"+
		"Default other 0/0\n"+
		"Default top 0/19 A:15:live C:9:ended D:4:live lent 6 to low\n"+
		"Lab low 5/0 E:2:ended borrowed 5 from top\n"+
		"Lab other 0/3 F:3:live\n"+
		"Lab top 0/5 A:5:live lent 5 to low\n")
}

// asking counts what is asked of the store about licenses.
type asking struct {
	satellite.Store
	asked int
}

type askingTx struct {
	satellite.Tx
	asked *int
}

func (s *asking) View(ctx context.Context, f func(satellite.Tx) error) error {
	return s.Store.View(ctx, func(tx satellite.Tx) error { return f(askingTx{tx, &s.asked}) })
}

func (tx askingTx) Pools(filter satellite.PoolFilter) ([]satellite.PoolRow, error) {
	*tx.asked++
	return tx.Tx.Pools(filter)
}

func (tx askingTx) Family(virtual satellite.VirtualAccountID, family satellite.LicenseID) ([]satellite.PoolRow, error) {
	*tx.asked++
	return tx.Tx.Family(virtual, family)
}

func (tx askingTx) Lots(virtual satellite.VirtualAccountID, license satellite.LicenseID) ([]satellite.Lot, error) {
	*tx.asked++
	return tx.Tx.Lots(virtual, license)
}

func (tx askingTx) LotTransfers(virtual satellite.VirtualAccountID, license satellite.LicenseID) ([]satellite.LotTransfer, error) {
	*tx.asked++
	return tx.Tx.LotTransfers(virtual, license)
}

func TestTheStockIsReadOnceForAllRows(t *testing.T) {
	t.Parallel()
	w := licensed(t, map[string]wire.EntitlementRecord{"low": {HigherTier: "top"}}, lot{tag: "top", quantity: 2000}, lot{tag: "low", quantity: 2000})
	for n := range 20 {
		name := fmt.Sprint("Floor ", n)
		w.part(name)
		w.must(w.move("top", "", name, 10))
		w.must(w.move("low", "", name, 10))
	}
	store := &asking{Store: w.store}
	w.must(w.store.Close())
	w.wrap = func(s satellite.Store) satellite.Store { store.Store = s; return store }
	w.open()
	list, err := w.service.LicenseStocks(w.ctx, admin, w.account.ID, nil)
	w.must(err)
	if len(list) != 42 || store.asked != 1 {
		t.Errorf("%d rows are read by %d questions about their pools", len(list), store.asked)
	}
}

func TestTheInventoryIsWhatTheDetailsOfEachDeviceSay(t *testing.T) {
	t.Parallel()
	w := licensed(t, map[string]wire.EntitlementRecord{"low": {HigherTier: "top"}}, lot{tag: "top", quantity: 10}, lot{tag: "low", quantity: 2, end: begin.Add(day)}, lot{tag: "few", quantity: 1})
	w.part("Lab")
	a, b := w.in("", "A"), w.in("Lab", "B")
	w.in("", "C")
	a.ok(a.authorization("low", 5, "few", 1))
	b.ok(b.authorization("few", 1))
	compare := func(actor satellite.Actor, filter satellite.InstanceFilter, want string) {
		t.Helper()
		filter.AccountID = w.account.ID
		list, err := w.service.Inventory(w.ctx, actor, filter, satellite.Page{})
		w.must(err)
		var text strings.Builder
		for _, i := range list {
			details, err := w.service.FindInstance(w.ctx, admin, satellite.InstanceQuery{PIID: i.PIID})
			w.must(err)
			if fmt.Sprint(details.Licenses) != fmt.Sprint(i.Licenses) || details.VirtualAccount != i.VirtualAccount {
				t.Errorf("the inventory says %+v, the details %+v", i, details)
			}
			fmt.Fprintf(&text, "%s:", i.UDISerialNumber)
			for _, h := range i.Licenses {
				fmt.Fprintf(&text, " %d %s %t", h.Usage.Count, h.License.Tag, h.Short())
			}
			text.WriteString("\n")
		}
		w.expect("inventory", text.String(), want)
	}
	compare(admin, satellite.InstanceFilter{}, "A: 1 few false 5 low false\nB: 1 few true\nC:\n")
	w.clock.advance(2 * day) // the lot has ended, and nobody has counted it yet
	compare(admin, satellite.InstanceFilter{VirtualAccounts: []string{"default"}}, "A: 1 few false 5 low false\nC:\n")
	compare(admin, satellite.InstanceFilter{VirtualAccounts: []string{"LAB", "lab"}, Search: "B"}, "B: 1 few true\n")
	lab, err := w.service.FindVirtualAccount(w.ctx, admin, w.account.ID, "Lab")
	w.must(err)
	viewer := satellite.Actor{Name: "v", Role: satellite.RoleSystemUser, Grants: []satellite.Grant{{AccountID: w.account.ID, VirtualAccountID: lab.ID, Role: satellite.RoleVirtualAccountViewer}}}
	compare(viewer, satellite.InstanceFilter{}, "B: 1 few true\n")
	w.expect("what he sees", w.stocks(viewer), "Lab few 1/0\n")
	for _, names := range [][]string{{"Default"}, {"Lab", "Keller"}, {""}} {
		_, err := w.service.Inventory(w.ctx, viewer, satellite.InstanceFilter{AccountID: w.account.ID, VirtualAccounts: names}, satellite.Page{})
		if _, other := w.service.LicenseStocks(w.ctx, viewer, w.account.ID, names); satellite.KindOf(err) != satellite.KindNotFound || satellite.KindOf(other) != satellite.KindNotFound {
			t.Errorf("of %q he sees something: %v, %v", names, err, other)
		}
	}
}

func TestWhatADeviceWasRefusedIsNotInTheInventory(t *testing.T) {
	t.Parallel()
	w := licensed(t, map[string]wire.EntitlementRecord{"strict": {Enforcement: "enforced"}}, lot{tag: "strict", quantity: 1}, lot{tag: "plenty", quantity: 9})
	a := w.in("", "A")
	a.ok(a.authorization("strict", 3, "plenty", 2))
	list, err := w.service.Inventory(w.ctx, admin, satellite.InstanceFilter{AccountID: w.account.ID}, satellite.Page{})
	w.must(err)
	details, err := w.service.FindInstance(w.ctx, admin, satellite.InstanceQuery{PIID: list[0].PIID})
	w.must(err)
	if len(details.Licenses) != 2 || len(list[0].Licenses) != 1 || list[0].Licenses[0].License.Tag != "plenty" {
		t.Errorf("of what the details say, %+v, the inventory says %+v", details.Licenses, list[0].Licenses)
	}
}
