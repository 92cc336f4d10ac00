package storetest

import (
	"fmt"
	"testing"

	"ssm/satellite"
	"ssm/satellite/wire"
)

func virtualAccounts(t *testing.T, s satellite.Store) {
	w := newWorld(t, s, "alpha")
	var lab satellite.VirtualAccount
	var token satellite.Token
	update(t, s, func(tx satellite.Tx) (err error) {
		for _, name := range []string{"lab", "Annex"} {
			if lab, err = tx.CreateVirtualAccount(satellite.VirtualAccount{AccountID: w.account.ID, Name: name}); err != nil {
				return err
			}
		}
		moved := w
		moved.virtual = lab
		if token, err = tx.CreateToken(moved.token(1)); err != nil {
			return err
		}
		ended := moved.token(2)
		ended.RevokedAt = base
		if _, err = tx.CreateToken(ended); err != nil {
			return err
		}
		if _, err = tx.CreateInstance(moved.instance(1)); err != nil {
			return err
		}
		p := moved.pool()
		p.Purchased = 5
		_, err = tx.SavePool(p)
		return err
	})
	view(t, s, func(tx satellite.Tx) error {
		list, err := tx.VirtualAccounts(w.account.ID)
		if len(list) != 3 || list[0].Name != "Default" || list[1].Name != "Annex" || list[2].Name != "lab" {
			t.Errorf("the order is %v, want the default one, then by name", list)
		}
		if err != nil {
			return err
		}
		same(t, "what the annex holds", satellite.Holds{Devices: 1, Licenses: 1, Tokens: 1})(tx.VirtualAccountHolds(lab.ID, base))
		same(t, "what it holds later", satellite.Holds{Devices: 1, Licenses: 1})(tx.VirtualAccountHolds(lab.ID, token.ExpiresAt))
		same(t, "what the default holds", satellite.Holds{})(tx.VirtualAccountHolds(w.virtual.ID, base))
		return nil
	})
	update(t, s, func(tx satellite.Tx) error {
		moved := w
		moved.virtual = lab
		instance, err := tx.Instance(moved.instance(1).PIID)
		if err != nil {
			return err
		}
		if err := tx.DeleteInstance(instance); err != nil {
			return err
		}
		return tx.DeleteVirtualAccount(lab.ID)
	})
	view(t, s, func(tx satellite.Tx) error {
		graves, err := tx.Tombstones(w.account.ID, 0, 100)
		found := map[string]int{}
		for _, g := range graves {
			found[string(g.Kind)+" "+g.Key]++
		}
		for _, want := range []string{"device piid-alpha-1", "usage Annex\t" + w.license.Tag, fmt.Sprint("token ", token.ID), fmt.Sprint("token ", token.ID+1)} {
			if found[want] != 1 {
				t.Errorf("there are %d tombstones of %q in %v", found[want], want, found)
			}
		}
		if err != nil || len(graves) != 4 {
			t.Errorf("there are %d tombstones (%v), want 4", len(graves), err)
		}
		_, err = tx.Token(token.ID)
		kind(t, "the token of a deleted virtual account", err, satellite.KindNotFound)
		return nil
	})
}

// changesAreFound writes in many updates and reads the changes page by page: each
// row is found once, under its last number, in the order of the commits.
func changesAreFound(t *testing.T, s satellite.Store) {
	w, other := newWorld(t, s, "alpha"), newWorld(t, s, "beta")
	instances := w.createInstances(t, s, 23)
	other.createInstances(t, s, 3)
	var tokens []satellite.Token
	update(t, s, func(tx satellite.Tx) error {
		tokens = tokens[:0]
		for n := range 11 {
			token, err := tx.CreateToken(w.token(n))
			if err != nil {
				return err
			}
			tokens = append(tokens, token)
		}
		return nil
	})
	var since int64
	view(t, s, func(tx satellite.Tx) (err error) {
		since, err = tx.ChangeNumber()
		return err
	})
	var updates []func(satellite.Tx) error
	for n := range 40 {
		updates = append(updates, func(tx satellite.Tx) error {
			if err := tx.SaveInstance(instances[n%7]); err != nil {
				return err
			}
			if err := tx.SaveToken(tokens[n%3]); err != nil {
				return err
			}
			p, err := tx.Pool(w.virtual.ID, w.license.ID)
			if err != nil {
				return err
			}
			p.AccountID = w.account.ID
			if _, err := tx.SavePool(p); err != nil || n%4 == 1 {
				return errRefused
			}
			return err
		})
	}
	together(t, s, updates)
	view(t, s, func(tx satellite.Tx) error {
		newest, err := tx.ChangeNumber()
		if err != nil || newest != since+30*3 {
			t.Errorf("the newest number is %d after %d and 90 writes that were kept (%v)", newest, since, err)
		}
		all := pageChanges(t, 0, func(after int64) (numbers []int64, keys []string, err error) {
			rows, err := tx.ChangedInstances(w.account.ID, after, 4)
			for _, row := range rows {
				numbers, keys = append(numbers, row.ChangeNumber), append(keys, row.PIID)
			}
			return numbers, keys, err
		})
		if len(all) != 23 {
			t.Errorf("%d devices changed since the beginning, want all 23", len(all))
		}
		recent := pageChanges(t, since, func(after int64) (numbers []int64, keys []string, err error) {
			rows, err := tx.ChangedInstances(w.account.ID, after, 2)
			for _, row := range rows {
				numbers, keys = append(numbers, row.ChangeNumber), append(keys, row.PIID)
			}
			return numbers, keys, err
		})
		if len(recent) != 7 {
			t.Errorf("%d devices changed, want 7", len(recent))
		}
		recent = pageChanges(t, since, func(after int64) (numbers []int64, keys []string, err error) {
			rows, err := tx.ChangedTokens(w.account.ID, after, 2)
			for _, row := range rows {
				numbers, keys = append(numbers, row.ChangeNumber), append(keys, fmt.Sprint(row.ID))
			}
			return numbers, keys, err
		})
		if len(recent) != 3 {
			t.Errorf("%d tokens changed, want 3", len(recent))
		}
		rows, err := tx.ChangedPools(w.account.ID, since, 10)
		if len(rows) != 1 || rows[0].ChangeNumber <= since {
			t.Errorf("the changed pools are %+v", rows)
		}
		return err
	})
}

// pageChanges reads all pages; numbers must grow and keys must not repeat.
func pageChanges(t *testing.T, after int64, read func(after int64) ([]int64, []string, error)) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for {
		numbers, keys, err := read(after)
		if err != nil {
			t.Fatal(err)
		}
		if len(keys) == 0 {
			return found
		}
		for i, number := range numbers {
			if number <= after || found[keys[i]] {
				t.Errorf("number %d of %s comes after %d", number, keys[i], after)
			}
			after, found[keys[i]] = number, true
		}
	}
}

func tombstones(t *testing.T, s satellite.Store) {
	w, other := newWorld(t, s, "alpha"), newWorld(t, s, "beta")
	instances := w.createInstances(t, s, 5)
	foreign := other.createInstances(t, s, 1)
	update(t, s, func(tx satellite.Tx) error {
		usage := satellite.Usage{InstanceID: instances[0].ID, LicenseID: w.license.ID, VirtualAccountID: w.virtual.ID, Count: 2}
		if err := tx.SaveUsage(usage); err != nil {
			return err
		}
		for _, instance := range append(instances[:3:3], foreign[0]) {
			if err := tx.DeleteInstance(instance); err != nil {
				return err
			}
		}
		return nil
	})
	var newest int64
	var graves []satellite.Tombstone
	view(t, s, func(tx satellite.Tx) (err error) {
		if newest, err = tx.ChangeNumber(); err != nil {
			return err
		}
		if graves, err = tx.Tombstones(w.account.ID, 0, 2); err != nil {
			return err
		}
		more, err := tx.Tombstones(w.account.ID, graves[1].ChangeNumber, 2)
		graves = append(graves, more...)
		return err
	})
	if len(graves) != 3 {
		t.Fatalf("there are %d tombstones, want 3", len(graves))
	}
	for i, g := range graves {
		want := satellite.Tombstone{AccountID: w.account.ID, Kind: wire.RecordDevice, Key: instances[i].PIID, ChangeNumber: newest - 3 + int64(i)}
		equal(t, "tombstone", g, want)
	}
	update(t, s, func(tx satellite.Tx) error { return tx.DeleteTombstones(w.account.ID, graves[1].ChangeNumber) })
	view(t, s, func(tx satellite.Tx) error {
		left, err := tx.Tombstones(w.account.ID, 0, 10)
		equal(t, "what is left", left, graves[2:])
		foreign, _ := tx.Tombstones(other.account.ID, 0, 10)
		if len(foreign) != 1 {
			t.Errorf("the other account has %d tombstones, want 1", len(foreign))
		}
		return err
	})
	// The generation of a request remembers the numbers that went with the tombstones.
	update(t, s, func(tx satellite.Tx) error {
		if err := tx.CreateSyncRequest(satellite.SyncRequestRow{AccountID: w.account.ID, Sequence: 1, Generation: newest}); err != nil {
			return err
		}
		if err := tx.DeleteTombstones(w.account.ID, newest); err != nil {
			return err
		}
		return tx.DeleteTombstones(other.account.ID, newest)
	})
	view(t, s, func(tx satellite.Tx) error {
		same(t, "the newest number", newest)(tx.ChangeNumber())
		return nil
	})
}

func swapSent(t *testing.T, s satellite.Store) {
	w, other := newWorld(t, s, "alpha"), newWorld(t, s, "beta")
	a, b := [32]byte{1}, [32]byte{2}
	swap := func(account satellite.AccountID, kind, key string, hash, want [32]byte) {
		t.Helper()
		var before [32]byte
		update(t, s, func(tx satellite.Tx) (err error) {
			before, err = tx.SwapSent(account, kind, key, hash)
			return err
		})
		equal(t, "the hash before", before, want)
	}
	none := [32]byte{}
	swap(w.account.ID, "device", "x", a, none)
	swap(w.account.ID, "device", "x", b, a)
	swap(w.account.ID, "token", "x", a, none)
	swap(other.account.ID, "device", "x", a, none)
	swap(w.account.ID, "device", "x", none, b)
	swap(w.account.ID, "device", "x", none, none)
	swap(w.account.ID, "token", "x", a, a)
}

func staged(t *testing.T, s satellite.Store) {
	alpha, beta := newWorld(t, s, "alpha"), newWorld(t, s, "beta")
	var records []satellite.StagedRecord
	for n := range int64(5) {
		records = append(records, satellite.StagedRecord{Position: n + 1, Record: wire.Record{Kind: wire.RecordRecovery, Key: fmt.Sprint(n), Value: []byte(`{"n":1}`)}})
	}
	update(t, s, func(tx satellite.Tx) error { return tx.StageRecords(alpha.account.ID, records[:3]) })
	update(t, s, func(tx satellite.Tx) error {
		if err := tx.StageRecords(alpha.account.ID, records[3:]); err != nil {
			return err
		}
		return tx.StageRecords(beta.account.ID, records[:1])
	})
	read := func(account satellite.AccountID, want ...satellite.StagedRecord) {
		t.Helper()
		view(t, s, func(tx satellite.Tx) error {
			got, err := tx.StagedRecords(account, 3)
			equal(t, "what is staged", got, append([]satellite.StagedRecord{}, want...))
			return err
		})
	}
	read(alpha.account.ID, records[:3]...)
	drop := func(limit int, want int64) {
		t.Helper()
		update(t, s, func(tx satellite.Tx) error {
			dropped, err := tx.DropStagedRecords(alpha.account.ID, limit)
			equal(t, "how many were dropped", dropped, want)
			return err
		})
	}
	drop(2, 2)
	read(alpha.account.ID, records[2:]...)
	drop(9, 3)
	read(alpha.account.ID)
	read(beta.account.ID, records[0])
}
