package store

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
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
	// Lots and transfers are moved and pools counted by the domain, tags given up, open alerts follow.
	own := []string{"lots", "transfers", "pools", "custom_tags", "grants", "api_clients", "alerts"}
	for _, table := range tablesWith(t, s, "virtual_account_id", "from_virtual_account_id", "to_virtual_account_id") {
		if !slices.Contains(movedTables, table) && !slices.Contains(own, table) {
			t.Errorf("the rows of table %s stay when their virtual account moves into another one", table)
		}
	}
}
