package storetest

import (
	"testing"
	"time"

	"ssm/satellite"
)

func syncSchedules(t *testing.T, s satellite.Store) {
	var account satellite.Account
	update(t, s, func(tx satellite.Tx) (err error) {
		account, err = tx.CreateAccount(satellite.Account{Name: "account", UpstreamAccount: "account"})
		return err
	})
	is := func(what string, want satellite.SyncSchedule) {
		t.Helper()
		view(t, s, func(tx satellite.Tx) error {
			got, err := tx.SyncSchedule(want.AccountID)
			equal(t, what, got, want)
			return err
		})
	}
	is("no default", satellite.SyncSchedule{})
	is("no schedule", satellite.SyncSchedule{AccountID: account.ID})
	var last [2]satellite.SyncSchedule
	for seed := range 2 {
		for i, id := range []satellite.AccountID{0, account.ID} {
			row := filled[satellite.SyncSchedule](seed + 2*i)
			row.AccountID, row.Jitter = id, time.Duration(1+seed)*time.Minute
			update(t, s, func(tx satellite.Tx) error { return tx.SaveSyncSchedule(row) })
			is("the schedule", row)
			last[i] = row
		}
	}
	update(t, s, func(tx satellite.Tx) error { return tx.DeleteAccount(account.ID) })
	is("that of a deleted account", satellite.SyncSchedule{AccountID: account.ID})
	is("the default", last[0])
}
