package satellite_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"ssm/satellite"
)

// verified is what the audit says: the number of events, and the first problem.
func (w *world) verified() satellite.AuditResult {
	w.Helper()
	result, err := w.service.VerifyEvents(w.ctx)
	w.must(err)
	return result
}

func TestPrunedEventsLeaveAChainThatVerifies(t *testing.T) {
	t.Parallel()
	w := registered(t, lot{tag: "base", quantity: 10})
	_, text := w.token(satellite.NewToken{})
	d := w.device("A").register(text)
	// More than one chunk in the old time, a few in the new one.
	for range 4 {
		for range 350 {
			w.must(w.store.Update(w.ctx, func(tx satellite.Tx) error {
				return tx.Record(satellite.Event{At: w.service.Now(), Type: "story", Message: "old"})
			}))
		}
		w.clock.advance(day)
	}
	border := w.service.Now()
	d.ok(d.authorization("base", 3))
	before := w.verified()
	dropped, err := w.service.PruneEvents(w.ctx, admin, border)
	w.must(err)
	after := w.verified()
	if dropped < 1400 || after.Problem != "" || after.Events != before.Events-dropped+2 || len(after.Beginnings) != 1 || after.Beginnings[0].Number != dropped {
		t.Errorf("dropped %d of %d: %+v", dropped, before.Events, after)
	}
	events, err := w.service.Events(w.ctx, admin, satellite.EventFilter{}, satellite.Page{Limit: 1000})
	w.must(err)
	for _, e := range events {
		if e.At.Before(border) {
			t.Errorf("event %d of %v is still there", e.Number, e.At)
		}
	}
	// Nothing old is left: again, nothing happens.
	w.unchanged("pruning again", func() {
		if n, err := w.service.PruneEvents(w.ctx, admin, border); n != 0 || err != nil {
			t.Errorf("pruned %d again (%v)", n, err)
		}
	})
	// The chain goes on after a restart, and is pruned further.
	w.must(w.store.Close())
	w.open()
	w.pass(400 * day)
	_, text = w.token(satellite.NewToken{})
	w.device("B").register(text)
	w.must(w.service.ForgetEvents(w.ctx, w.service.Now()))
	if again := w.verified(); again.Problem != "" || again.Beginnings[0].Number != dropped {
		t.Errorf("without a retention events were dropped: %+v", again)
	}
	if _, err := w.service.PruneEvents(w.ctx, admin, w.service.Now().Add(-time.Hour)); err != nil {
		t.Error(err)
	}
	if again := w.verified(); again.Problem != "" || again.Beginnings[0].Number <= dropped {
		t.Errorf("after the second pruning: %+v", again)
	}
}

func TestEventsThatWereTakenOutAreNotTakenForPruned(t *testing.T) {
	t.Parallel()
	for name, tamper := range map[string]func(number int64) []string{
		"the first events are gone": func(int64) []string { return []string{`DELETE FROM events WHERE number <= 3`} },
		"a beginning that nobody pruned to": func(int64) []string {
			return []string{
				`INSERT OR REPLACE INTO event_beginnings SELECT node, number, hash, at, at FROM events WHERE number = 5`,
				`DELETE FROM events WHERE number <= 5`,
			}
		},
		"a beginning further on than the one that was pruned to": func(n int64) []string {
			return []string{
				fmt.Sprintf(`UPDATE event_beginnings SET number = %d, hash = (SELECT hash FROM events WHERE number = %[1]d), at = (SELECT at FROM events WHERE number = %[1]d)`, n+1),
				fmt.Sprintf(`DELETE FROM events WHERE number <= %d`, n+1),
			}
		},
		"the beginning is forgotten": func(int64) []string { return []string{`DELETE FROM event_beginnings`} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := registered(t)
			pruned := int64(0)
			if strings.Contains(name, "further on") || strings.Contains(name, "forgotten") {
				w.clock.advance(2 * day)
				n, err := w.service.PruneEvents(w.ctx, admin, w.service.Now().Add(-day))
				w.must(err)
				pruned = n
				w.token(satellite.NewToken{})
				w.token(satellite.NewToken{})
				w.token(satellite.NewToken{})
				w.token(satellite.NewToken{})
				w.token(satellite.NewToken{})
			}
			if p := w.verified().Problem; p != "" {
				t.Fatal(p)
			}
			db, err := sql.Open("sqlite3", "file:"+w.path)
			w.must(err)
			defer func() { _ = db.Close() }()
			for _, statement := range tamper(pruned) {
				result, err := db.ExecContext(w.ctx, statement)
				w.must(err)
				if n, _ := result.RowsAffected(); n == 0 {
					t.Fatalf("%s does nothing", statement)
				}
			}
			if w.verified().Problem == "" {
				t.Error("the audit finds nothing")
			}
		})
	}
}

func TestOnlyASystemAdminPrunesAndOnlyThePast(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.service.PruneEvents(w.ctx, satellite.Actor{Name: "operator", Role: satellite.RoleSystemOperator}, begin)
	refused(t, err, satellite.KindForbidden, "role-insufficient")
	_, err = w.service.PruneEvents(w.ctx, admin, w.service.Now().Add(time.Hour))
	refused(t, err, satellite.KindInvalid, "prune-future", "Nothing was pruned")
}
