package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ssm/satellite"
)

// lot is a lot of the world's license, at home in its virtual account.
func (w world) lot(id string, quantity int64, start, end time.Time) satellite.Lot {
	return satellite.Lot{
		UpstreamID: id, AccountID: w.account.ID, VirtualAccountID: w.virtual.ID, LicenseID: w.license.ID, Type: satellite.LicenseSubscription,
		Quantity: quantity, Start: start, End: end,
	}
}

// annex is a second virtual account.
func (w world) annex(t *testing.T, s satellite.Store) (v satellite.VirtualAccount) {
	t.Helper()
	update(t, s, func(tx satellite.Tx) (err error) {
		v, err = tx.CreateVirtualAccount(satellite.VirtualAccount{AccountID: w.account.ID, Name: "Annex"})
		return err
	})
	return v
}

func endingLots(t *testing.T, s satellite.Store) {
	w, other := newWorld(t, s, "alpha"), newWorld(t, s, "beta")
	lots := []satellite.Lot{
		w.lot("never", 1, at(0), time.Time{}), w.lot("b", 1, at(0), at(10)), w.lot("a", 1, at(0), at(10)), w.lot("past", 1, at(-9), at(-5)), w.lot("late", 1, at(0), at(30)),
	}
	foreign := other.lot("b", 7, at(0), at(10))
	update(t, s, func(tx satellite.Tx) error {
		if err := tx.ReplaceLots(other.account.ID, []satellite.Lot{foreign}); err != nil {
			return err
		}
		return tx.ReplaceLots(w.account.ID, lots)
	})
	for _, limit := range []int{1, 2, 3, 10} {
		var found []string
		view(t, s, func(tx satellite.Tx) error {
			for last := (satellite.EndingLot{}); ; {
				page, err := tx.LotsEnding(last, at(29), limit)
				if err != nil {
					return err
				}
				for _, lot := range page {
					found = append(found, fmt.Sprint(lot.UpstreamID, lot.Quantity, lot.License.Name))
					if lot.License.ID != lot.LicenseID || lot.License.AccountID != lot.AccountID {
						t.Errorf("the lot %+v has another one's license", lot)
					}
				}
				if len(page) < limit {
					return nil
				}
				last = page[len(page)-1]
			}
		})
		equal(t, fmt.Sprintf("the lots that end, %d at a time", limit), strings.Join(found, " "), "past1alpha b7beta b1alpha a1alpha")
	}
	update(t, s, func(tx satellite.Tx) error {
		annex, err := tx.CreateVirtualAccount(satellite.VirtualAccount{AccountID: w.account.ID, Name: "Annex"})
		if err != nil {
			return err
		}
		if err := tx.MoveLots(w.virtual.ID, annex.ID); err != nil {
			return err
		}
		moved, err := tx.LotsOf(w.account.ID)
		for _, lot := range moved {
			if lot.VirtualAccountID != annex.ID {
				t.Errorf("lot %s was left behind", lot.UpstreamID)
			}
		}
		same(t, "the lot of another account", []satellite.Lot{foreign})(tx.LotsOf(other.account.ID))
		return err
	})
}

func lotTransfers(t *testing.T, s satellite.Store) {
	w := newWorld(t, s, "alpha")
	annex, here := w.annex(t, s), w.virtual.ID
	one, two := w.lot("1", 10, at(0), at(100)), w.lot("2", 10, at(0), time.Time{})
	there := satellite.LotTransfer{Lot: one, From: here, To: annex.ID, Quantity: 4, At: at(1)}
	back := satellite.LotTransfer{Lot: two, From: annex.ID, To: here, Quantity: 3, At: at(2)}
	list := func(want ...satellite.LotTransfer) {
		t.Helper()
		view(t, s, func(tx satellite.Tx) error {
			for _, virtual := range []satellite.VirtualAccountID{here, annex.ID} {
				same(t, "transfers of a pool", append([]satellite.LotTransfer{}, want...))(tx.LotTransfers(virtual, w.license.ID))
			}
			same(t, "transfers of the account", append([]satellite.LotTransfer{}, want...))(tx.LotTransfersOf(w.account.ID))
			same(t, "transfers of another account", []satellite.LotTransfer{})(tx.LotTransfersOf(w.account.ID + 1))
			same(t, "transfers of another license", []satellite.LotTransfer{})(tx.LotTransfers(here, w.license.ID+1))
			return nil
		})
	}
	update(t, s, func(tx satellite.Tx) error {
		if err := tx.ReplaceLots(w.account.ID, []satellite.Lot{one, two}); err != nil {
			return err
		}
		if err := tx.SaveLotTransfer(back); err != nil {
			return err
		}
		return tx.SaveLotTransfer(there)
	})
	list(there, back)
	there.Quantity, there.At, back.Quantity = 5, at(3), 0
	update(t, s, func(tx satellite.Tx) error {
		if err := tx.SaveLotTransfer(back); err != nil {
			return err
		}
		return tx.SaveLotTransfer(there)
	})
	list(there)
	update(t, s, func(tx satellite.Tx) error { return tx.ReplaceLots(w.account.ID, []satellite.Lot{two}) })
	list() // a transfer without a lot is none
}

func duePools(t *testing.T, s satellite.Store) {
	w := newWorld(t, s, "alpha")
	annex := w.annex(t, s)
	update(t, s, func(tx satellite.Tx) error {
		for virtual, until := range map[satellite.VirtualAccountID]time.Time{w.virtual.ID: at(10), annex.ID: time.Time{}} {
			p := w.pool()
			p.VirtualAccountID, p.PurchasedUntil = virtual, until
			if _, err := tx.SavePool(p); err != nil {
				return err
			}
		}
		return nil
	})
	view(t, s, func(tx satellite.Tx) error {
		for second, want := range map[int]int{9: 0, 10: 1, 11: 1} {
			due, err := tx.PoolsDue(at(second), 10)
			if err != nil || len(due) != want || want > 0 && (due[0].VirtualAccountID != w.virtual.ID || due[0].License != w.license) {
				t.Errorf("after %d seconds %+v are due (%v), want %d", second, due, err, want)
			}
		}
		none, err := tx.PoolsDue(at(11), 0)
		if len(none) != 0 {
			t.Errorf("no more than none were asked for, and %d came", len(none))
		}
		return err
	})
}

// recountLots plants a fault in each counter that lots and transfers make.
func recountLots(t *testing.T, s satellite.Store) {
	w := newWorld(t, s, "alpha")
	annex := w.annex(t, s)
	ended, live, future := w.lot("ended", 1000, at(-9), at(0)), w.lot("live", 10, at(0), at(100)), w.lot("future", 5, at(50), at(200))
	var home, away satellite.Pool
	update(t, s, func(tx satellite.Tx) (err error) {
		if err := tx.ReplaceLots(w.account.ID, []satellite.Lot{ended, live, future}); err != nil {
			return err
		}
		for _, lot := range []satellite.Lot{ended, live} {
			if err := tx.SaveLotTransfer(satellite.LotTransfer{Lot: lot, From: w.virtual.ID, To: annex.ID, Quantity: 4, At: at(0)}); err != nil {
				return err
			}
		}
		home = w.pool()
		home.Purchased, home.TransferredOut, home.PurchasedUntil = 10, 4, at(50)
		if home, err = tx.SavePool(home); err != nil {
			return err
		}
		away = w.pool()
		away.VirtualAccountID, away.TransferredIn, away.PurchasedUntil = annex.ID, 4, at(100)
		away, err = tx.SavePool(away)
		return err
	})
	for _, c := range []struct {
		plant func(home, away *satellite.Pool)
		want  string
	}{
		{func(*satellite.Pool, *satellite.Pool) {}, ""},
		{func(home, _ *satellite.Pool) { home.Purchased = 11 }, "in Default is counted as 11 purchased, its live lots make 10"},
		{func(home, _ *satellite.Pool) { home.TransferredOut = 5 }, "in Default is counted as 5 transferred out, its transfers make 4"},
		{func(home, _ *satellite.Pool) { home.PurchasedUntil = at(60) }, "in Default is counted until"},
		{func(home, _ *satellite.Pool) { home.PurchasedUntil = time.Time{} }, "in Default is counted until"},
		{func(_, away *satellite.Pool) { away.TransferredIn = 1004 }, "in Annex is counted as 1004 transferred in, its transfers make 4"},
		{func(_, away *satellite.Pool) { away.PurchasedUntil = at(200) }, "in Annex is counted until"},
		{func(_, away *satellite.Pool) { away.Purchased, away.PurchasedUntil = 7, at(10) }, ""}, // it will be counted again
		{func(_, away *satellite.Pool) { away.InUse, away.PurchasedUntil = 7, at(10) }, "in Annex is counted as 7 in use, its devices hold 0"},
	} {
		h, a := home, away
		c.plant(&h, &a)
		update(t, s, func(tx satellite.Tx) error {
			if _, err := tx.SavePool(h); err != nil {
				return err
			}
			if _, err := tx.SavePool(a); err != nil {
				return err
			}
			list, err := tx.RecountPools(at(10))
			if said := strings.Join(list, "; "); c.want == "" && said != "" || !strings.Contains(said, c.want) || len(list) > 1 {
				t.Errorf("the recount says %q, want %q", said, c.want)
			}
			return err
		})
	}
}

func openAlerts(t *testing.T, s satellite.Store) {
	w := newWorld(t, s, "alpha")
	alert := satellite.Alert{
		AccountID: w.account.ID, VirtualAccountID: w.virtual.ID, Type: satellite.AlertLicensesExpiring, Severity: satellite.Minor,
		Key: "lot", Source: "alpha", Message: "soon", ActionDue: at(9), OpenedAt: at(1),
	}
	var opened []bool
	update(t, s, func(tx satellite.Tx) error {
		opened = nil
		for _, change := range []func(*satellite.Alert){
			func(*satellite.Alert) {}, func(*satellite.Alert) {}, func(a *satellite.Alert) { a.Message, a.ActionDue, a.Source = "sooner", at(8), "beta" },
			func(a *satellite.Alert) { a.VirtualAccountID++ }, func(a *satellite.Alert) { a.Key = "another" },
		} {
			change(&alert)
			again, err := tx.OpenAlert(alert)
			if err != nil {
				return err
			}
			opened = append(opened, again)
		}
		return nil
	})
	equal(t, "opened", opened, []bool{true, false, false, false, true})
	read := func(filter satellite.AlertFilter) (list []satellite.Alert) {
		t.Helper()
		filter.AccountID, filter.Scope = w.account.ID, satellite.Scope{All: true}
		view(t, s, func(tx satellite.Tx) (err error) {
			list, err = tx.Alerts(filter, satellite.Page{Limit: 10})
			return err
		})
		return list
	}
	first := read(satellite.AlertFilter{Type: alert.Type, Key: "lot"})
	want := alert
	want.Key = "lot"
	if len(first) == 1 {
		want.ID = first[0].ID
	}
	equal(t, "the alert of a key", first, []satellite.Alert{want})
	update(t, s, func(tx satellite.Tx) error {
		closed, err := tx.CloseAlert(w.account.ID, alert.Type, "lot", at(5))
		want.ClosedAt = at(5)
		equal(t, "the closed alert", closed, want)
		none, _ := tx.CloseAlert(w.account.ID, alert.Type, "lot", at(6))
		equal(t, "closing it again", none, satellite.Alert{})
		return err
	})
	equal(t, "open alerts of the key", len(read(satellite.AlertFilter{Key: "lot"})), 0)
	equal(t, "open alerts", len(read(satellite.AlertFilter{})), 1)
	equal(t, "all alerts of the key", read(satellite.AlertFilter{Key: "lot", Closed: true}), []satellite.Alert{want})
}
