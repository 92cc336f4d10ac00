package storetest

import (
	"fmt"
	"testing"

	"ssm/satellite"
)

func upstreamSettings(t *testing.T, s satellite.Store) {
	read := func() (got satellite.UpstreamSettings, err error) {
		err = s.View(t.Context(), func(tx satellite.Tx) (err error) {
			got, err = tx.Upstream()
			return err
		})
		return got, err
	}
	_, err := read()
	kind(t, "before it is set", err, satellite.KindNotFound)
	for seed := range 2 {
		settings := filled[satellite.UpstreamSettings](seed)
		update(t, s, func(tx satellite.Tx) error { return tx.SaveUpstream(settings) })
		got, err := read()
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "the settings", got, settings)
	}
	update(t, s, func(tx satellite.Tx) error { return tx.SaveUpstream(satellite.UpstreamSettings{URL: "https://x"}) })
	if got, err := read(); err != nil || got.URL != "https://x" || len(got.CA)+len(got.Proxy)+len(got.ClientKey) != 0 {
		t.Errorf("settings without more than an address: %+v (%v)", got, err)
	}
	update(t, s, func(tx satellite.Tx) error { return tx.DeleteUpstream() })
	_, err = read()
	kind(t, "after it was unset", err, satellite.KindNotFound)
}

func syncExchanges(t *testing.T, s satellite.Store) {
	accounts := [2]satellite.Account{}
	update(t, s, func(tx satellite.Tx) (err error) {
		for i := range accounts {
			name := fmt.Sprint("account ", i)
			if accounts[i], err = tx.CreateAccount(satellite.Account{Name: name, UpstreamAccount: name}); err != nil {
				return err
			}
		}
		return nil
	})
	var want []satellite.SyncExchange
	for seed := range 5 {
		for _, account := range accounts {
			e := filled[satellite.SyncExchange](seed)
			e.AccountID = account.ID
			update(t, s, func(tx satellite.Tx) error { return tx.AddSyncExchange(e, 3) })
			if account == accounts[0] && seed >= 2 {
				want = append([]satellite.SyncExchange{e}, want...)
			}
		}
	}
	view(t, s, func(tx satellite.Tx) error {
		got, err := tx.SyncExchanges(accounts[0].ID, satellite.Page{Limit: 10})
		if err != nil {
			return err
		}
		if len(got) != 3 {
			t.Fatalf("%d are kept, want 3", len(got))
		}
		next, err := tx.SyncExchanges(accounts[0].ID, satellite.Page{Limit: 10, After: got[1].ID})
		equal(t, "the page after the second", next, got[2:])
		for i := range got {
			want[i].ID = got[i].ID
		}
		equal(t, "the newest", got, want)
		other, otherErr := tx.SyncExchanges(accounts[1].ID, satellite.Page{Limit: 2})
		if len(other) != 2 || otherErr != nil {
			t.Errorf("of the other account come %d (%v)", len(other), otherErr)
		}
		return err
	})
}
