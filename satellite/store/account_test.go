package store

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ssm/satellite"
)

// tablesWith are the tables that have one of the columns.
func tablesWith(t *testing.T, s *Store, columns ...string) (tables []string) {
	t.Helper()
	rows, err := s.pool.QueryContext(context.Background(), `SELECT DISTINCT m.name FROM sqlite_master m, pragma_table_info(m.name) c
		WHERE m.type = 'table' AND c.name IN ('`+strings.Join(columns, "', '")+`') ORDER BY m.name`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		tables = append(tables, name)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return tables
}

// A table that somebody adds must say what happens to its rows when an account
// is deleted, and when a virtual account moves.
func TestNoTableIsForgottenWhenAnAccountEndsOrAVirtualAccountMoves(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "satellite.db"))
	stay := []string{"events", "alerts"}
	for _, table := range tablesWith(t, s, "account_id") {
		if !slices.Contains(accountTables, table) && !slices.Contains(stay, table) {
			t.Errorf("the rows of table %s stay when their account is deleted", table)
		}
	}
	// Pools are counted anew, transfers added up, tags given up, open alerts follow.
	own := []string{"pools", "transfers", "custom_tags", "alerts"}
	for _, table := range tablesWith(t, s, "virtual_account_id", "from_virtual_account_id", "to_virtual_account_id") {
		if !slices.Contains(movedTables, table) && !slices.Contains(own, table) {
			t.Errorf("the rows of table %s stay when their virtual account moves into another one", table)
		}
	}
}

// Of three virtual accounts that transferred to each other, one moves into
// another: what the two exchanged is gone, the rest is added up.
func TestTransfersAddUpWhenAVirtualAccountMoves(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "satellite.db"))
	ctx := context.Background()
	var rows []struct {
		Lot      string
		Source   int64
		Target   int64
		Quantity int64
		At       int64
	}
	err := s.Update(ctx, func(tx satellite.Tx) error {
		account, err := tx.CreateAccount(satellite.Account{Name: "a"})
		if err != nil {
			return err
		}
		var ids []satellite.VirtualAccountID
		for _, name := range []string{"from", "to", "third"} {
			v, err := tx.CreateVirtualAccount(satellite.VirtualAccount{AccountID: account.ID, Name: name})
			if err != nil {
				return err
			}
			ids = append(ids, v.ID)
		}
		license, err := tx.CreateLicense(satellite.License{AccountID: account.ID, Tag: "A"})
		if err != nil {
			return err
		}
		from, to, third := ids[0], ids[1], ids[2]
		db := tx.(*transaction).db
		for i, r := range []struct {
			lot            string
			source, target satellite.VirtualAccountID
			quantity       int64
		}{{"1", from, to, 5}, {"1", to, from, 2}, {"1", from, third, 3}, {"1", to, third, 4}, {"2", third, from, 6}, {"3", third, to, 7}} {
			if err := db.Exec(`INSERT INTO transfers (account_id, license_id, lot, from_virtual_account_id, to_virtual_account_id, quantity, at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
				account.ID, license.ID, r.lot, r.source, r.target, r.quantity, 10-i).Error; err != nil {
				return err
			}
		}
		if err := tx.MoveVirtualAccount(from, to); err != nil {
			return err
		}
		if err := tx.DeleteVirtualAccount(from); err != nil {
			return err
		}
		return db.Raw(`SELECT lot, from_virtual_account_id AS source, to_virtual_account_id AS target, quantity, at FROM transfers ORDER BY lot`).Scan(&rows).Error
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		Lot      string
		Source   int64
		Target   int64
		Quantity int64
		At       int64
	}{{"1", 2, 3, 7, 8}, {"2", 3, 2, 6, 6}, {"3", 3, 2, 7, 5}}
	if !slices.Equal(rows, want) {
		t.Errorf("the transfers are %v, want %v", rows, want)
	}
}
