package store_test

import (
	"context"
	"database/sql"
	_ "embed"
	"path/filepath"
	"testing"
	"time"

	"ssm/satellite"
	"ssm/satellite/store"
)

// version1 is what the first released version left behind after its demo: an
// account, four devices and one that only reports, usages, a report, 19 events.
//
//go:embed testdata/version1.sql
var version1 string

func TestADatabaseOfTheFirstVersionGoesOn(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "satellite.db")
	ctx := context.Background()
	db, err := sql.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(ctx, version1); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time there is nothing to bring up to date
		s, err := store.Open(ctx, store.Options{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		checkVersion1(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func checkVersion1(t *testing.T, s *store.Store) {
	t.Helper()
	ctx := context.Background()
	now := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	audit, err := satellite.NewReader(satellite.Ports{Store: s, Now: func() time.Time { return now }}).VerifyEvents(ctx)
	if err != nil || audit.Problem != "" || audit.Events != 19 {
		t.Errorf("the audit says %q of %d events (%v)", audit.Problem, audit.Events, err)
	}
	err = s.View(ctx, func(tx satellite.Tx) error {
		accounts, err := tx.Accounts()
		if err != nil || len(accounts) != 1 || accounts[0].Name != "Kanda Networks" || accounts[0].Type != satellite.AccountStandard || !accounts[0].Registered() {
			t.Errorf("the accounts are %+v (%v)", accounts, err)
		}
		instances, err := tx.Instances(satellite.InstanceFilter{Scope: satellite.Scope{All: true}, AccountID: accounts[0].ID}, satellite.Page{Limit: 100})
		if err != nil || len(instances) != 5 {
			t.Fatalf("there are %d devices (%v)", len(instances), err)
		}
		held := int64(0)
		for _, instance := range instances {
			holdings, err := tx.Holdings(instance.ID)
			if err != nil {
				return err
			}
			for _, h := range holdings {
				held += h.Usage.Count
				if h.Usage.Wanted != h.Usage.Count || h.License.Enforcement != satellite.Unenforced {
					t.Errorf("%s holds %+v of %+v", instance.Name(), h.Usage, h.License)
				}
			}
		}
		if held != 7 {
			t.Errorf("the devices hold %d, want 4 and 3", held)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
