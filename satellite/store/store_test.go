package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"ssm/satellite"
	"ssm/satellite/store/storetest"
)

func open(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(context.Background(), Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestStoreKeepsTheContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) satellite.Store { return open(t, filepath.Join(t.TempDir(), "satellite.db")) })
}

// The pragmas are read back from the connections themselves: one that was set
// on a pooled connection would be missing on the next.
func TestEveryConnectionIsDurable(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "a folder, 100% (odd)?", "..", "satellite.db"))
	ctx := context.Background()
	connections := map[string]*sql.Conn{"writer": s.writer.connection}
	for i := range cap(s.readers) {
		r := <-s.readers
		connections[fmt.Sprint("reader ", i)] = r.connection
		t.Cleanup(func() { s.readers <- r })
	}
	for name, c := range connections {
		want := map[string]string{"synchronous": "2", "journal_mode": "wal", "foreign_keys": "1", "busy_timeout": "10000", "query_only": "1"}
		if name == "writer" {
			want["query_only"] = "0"
		}
		for pragma, value := range want {
			var got string
			if err := c.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(&got); err != nil || got != value {
				t.Errorf("%s of the %s is %s (%v), want %s", pragma, name, got, err, value)
			}
		}
	}
	if len(connections) < 5 {
		t.Errorf("there are %d connections", len(connections))
	}
}

func TestAViewCannotWrite(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "satellite.db"))
	err := s.View(context.Background(), func(tx satellite.Tx) error {
		_, err := tx.CreateAccount(satellite.Account{Name: "a"})
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "readonly") {
		t.Errorf("got %v, want that the database refuses", err)
	}
}

func TestAStoreThatIsOpenForReadingReads(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "satellite.db")
	ctx := context.Background()
	s := open(t, path)
	if err := s.Update(ctx, func(tx satellite.Tx) error { return tx.Record(satellite.Event{Type: "made"}) }); err != nil {
		t.Fatal(err)
	}
	reader, err := Open(ctx, Options{Path: path, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	if n := storetest.VerifyChain(t, reader); n != 1 {
		t.Errorf("the reader sees %d events", n)
	}
	if err := reader.Update(ctx, func(satellite.Tx) error { return nil }); err == nil {
		t.Error("the reader accepted an update")
	}
	if err := reader.Ping(ctx); err != nil {
		t.Error(err)
	}
}

// hold keeps the writer busy until release is called, when count calls wait for it.
func hold(t *testing.T, s *Store, count int) (release func()) {
	t.Helper()
	running, gate := make(chan struct{}), make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		_ = s.Update(context.Background(), func(satellite.Tx) error {
			close(running)
			<-gate
			return nil
		})
	})
	<-running
	return func() {
		for len(s.writer.calls) < count {
			runtime.Gosched()
		}
		close(gate)
		done.Wait()
	}
}

// One commit takes all that waited; a failure in it costs one more try, not its neighbors.
func TestAllThatWaitShareOneCommit(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "satellite.db"))
	refused := errors.New("refused")
	release := hold(t, s, 100)
	var callers sync.WaitGroup
	runs, results := make([]int, 100), make([]error, 100)
	for n := range 100 {
		callers.Go(func() {
			results[n] = s.Update(context.Background(), func(tx satellite.Tx) error {
				runs[n]++
				if err := tx.Record(satellite.Event{Type: satellite.EventType(fmt.Sprint("update-", n))}); err != nil {
					return err
				}
				switch n {
				case 40:
					return refused
				case 60:
					panic("the update panics")
				}
				return nil
			})
		})
	}
	release()
	callers.Wait()
	twice := 0
	for n, err := range results {
		if want := n == 40 || n == 60; (err != nil) != want {
			t.Errorf("update %d: %v", n, err)
		}
		if runs[n] == 2 {
			twice++
		}
	}
	if !errors.Is(results[40], refused) || results[60] == nil || !strings.Contains(results[60].Error(), "the update panics") {
		t.Errorf("the failures are %v and %v", results[40], results[60])
	}
	if twice == 0 {
		t.Error("no update was run a second time: they did not share a commit")
	}
	if n := storetest.VerifyChain(t, s); n != 98 {
		t.Errorf("there are %d events, want 98", n)
	}
}

func TestChainAndChangeNumbersGoOnAfterAReopen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "satellite.db")
	ctx := context.Background()
	var account satellite.Account
	var virtual satellite.VirtualAccount
	for round := range 3 {
		s, err := Open(ctx, Options{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		err = s.Update(ctx, func(tx satellite.Tx) (err error) {
			if round == 0 {
				if account, err = tx.CreateAccount(satellite.Account{Name: "a"}); err != nil {
					return err
				}
				if virtual, err = tx.CreateVirtualAccount(satellite.VirtualAccount{AccountID: account.ID, Name: "a"}); err != nil {
					return err
				}
			}
			instance, err := tx.CreateInstance(satellite.Instance{
				PIID: fmt.Sprint(round), AccountID: account.ID, VirtualAccountID: virtual.ID, Identity: satellite.Identity{UDISerialNumber: fmt.Sprint(round)},
			})
			if err != nil {
				return err
			}
			if instance.ChangeNumber != int64(round+1) {
				return fmt.Errorf("device %d has change number %d", round, instance.ChangeNumber)
			}
			return tx.Record(satellite.Event{Type: "made"})
		})
		if err != nil {
			t.Error(err)
		}
		_ = s.Update(ctx, func(tx satellite.Tx) error {
			_ = tx.Record(satellite.Event{Type: "rolled back"})
			return errors.New("refused")
		})
		if n := storetest.VerifyChain(t, s); n != int64(round+1) {
			t.Errorf("round %d: there are %d events", round, n)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := s.Update(ctx, func(satellite.Tx) error { return nil }); err == nil {
			t.Error("a closed store accepted an update")
		}
	}
}

// Two nodes write their own chains into one database, one after the other.
func TestEachNodeHasItsOwnChain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "satellite.db")
	ctx := context.Background()
	for _, node := range []string{"1", "2", "10", "1"} {
		s, err := Open(ctx, Options{Path: path, Node: node})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Update(ctx, func(tx satellite.Tx) error { return tx.Record(satellite.Event{Type: "made"}) }); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if n := storetest.VerifyChain(t, open(t, path)); n != 4 {
		t.Errorf("there are %d events, want 4", n)
	}
}

// What nobody but a person with a tool can do to the database is found.
func TestARecountFindsACounterThatWasChangedByHand(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "satellite.db"))
	ctx := context.Background()
	err := s.Update(ctx, func(tx satellite.Tx) error {
		account, err := tx.CreateAccount(satellite.Account{Name: "a"})
		if err != nil {
			return err
		}
		virtual, err := tx.CreateVirtualAccount(satellite.VirtualAccount{AccountID: account.ID, Name: "Default"})
		if err != nil {
			return err
		}
		license, err := tx.CreateLicense(satellite.License{AccountID: account.ID, Tag: "tag"})
		if err != nil {
			return err
		}
		instance, err := tx.CreateInstance(satellite.Instance{PIID: "1", AccountID: account.ID, VirtualAccountID: virtual.ID})
		if err != nil {
			return err
		}
		if err := tx.SaveUsage(satellite.Usage{InstanceID: instance.ID, VirtualAccountID: virtual.ID, LicenseID: license.ID, Count: 3}); err != nil {
			return err
		}
		_, err = tx.SavePool(satellite.Pool{AccountID: account.ID, VirtualAccountID: virtual.ID, LicenseID: license.ID, InUse: 3})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	recount := func() (list []string) {
		t.Helper()
		if err := s.View(ctx, func(tx satellite.Tx) (err error) { list, err = tx.RecountPools(time.Unix(0, 0)); return err }); err != nil {
			t.Fatal(err)
		}
		return list
	}
	if list := recount(); len(list) != 0 {
		t.Errorf("before: %v", list)
	}
	for _, c := range []struct{ statement, want string }{
		{`UPDATE pools SET in_use = 2`, "tag in Default is counted as 2 in use, its devices hold 3"},
		{`DELETE FROM pools`, "tag in Default is counted as 0 in use, its devices hold 3"},
	} {
		if _, err := s.writer.connection.ExecContext(ctx, c.statement); err != nil {
			t.Fatal(err)
		}
		if list := recount(); len(list) != 1 || list[0] != c.want {
			t.Errorf("after %s: %v", c.statement, list)
		}
	}
}

func TestARowThatRefersToNothingIsRefused(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "satellite.db"))
	err := s.Update(context.Background(), func(tx satellite.Tx) error {
		_, err := tx.CreateInstance(satellite.Instance{PIID: "1", AccountID: 7, VirtualAccountID: 7})
		return err
	})
	if err == nil {
		t.Error("a device of no account was kept")
	}
}
