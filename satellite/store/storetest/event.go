package storetest

import (
	"fmt"
	"testing"

	"ssm/satellite"
)

func eventsFormAChain(t *testing.T, s satellite.Store) {
	var updates []func(satellite.Tx) error
	for n := range 50 {
		updates = append(updates, func(tx satellite.Tx) error {
			for range n%3 + 1 {
				if err := tx.Record(satellite.Event{At: at(n), Type: "story", Message: fmt.Sprint("event of update ", n)}); err != nil {
					return err
				}
			}
			if n%5 == 0 {
				return errRefused
			}
			return nil
		})
	}
	want := int64(0)
	for n, err := range together(t, s, updates) {
		if err == nil {
			want += int64(n%3 + 1)
		}
	}
	if n := VerifyChain(t, s); n != want || want != 80 {
		t.Errorf("there are %d events of %d that were acknowledged, want 80", n, want)
	}
}

func eventsAreListed(t *testing.T, s satellite.Store) {
	w := newWorld(t, s, "alpha")
	update(t, s, func(tx satellite.Tx) error {
		for n := range 30 {
			e := satellite.Event{At: at(n), Type: satellite.EventType(fmt.Sprint("type-", n%2)), Message: fmt.Sprint(n)}
			if n%3 == 0 {
				e.AccountID = w.account.ID
			}
			if n%5 == 0 {
				e.PIID = "device"
			}
			if err := tx.Record(e); err != nil {
				return err
			}
		}
		return nil
	})
	for _, c := range []struct {
		filter satellite.EventFilter
		fits   func(n int) bool
	}{
		{satellite.EventFilter{}, func(int) bool { return true }},
		{satellite.EventFilter{AccountID: w.account.ID}, func(n int) bool { return n%3 == 0 }},
		{satellite.EventFilter{PIID: "device"}, func(n int) bool { return n%5 == 0 }},
		{satellite.EventFilter{Type: "type-1"}, func(n int) bool { return n%2 == 1 }},
		{satellite.EventFilter{AccountID: w.account.ID, PIID: "device", Type: "type-1"}, func(n int) bool { return n%30 == 15 }},
	} {
		var want, got []string
		for n := 29; n >= 0; n-- {
			if c.fits(n) {
				want = append(want, fmt.Sprint(n))
			}
		}
		for page := (satellite.Page{Limit: 4}); ; {
			var list []satellite.Event
			view(t, s, func(tx satellite.Tx) (err error) {
				list, err = tx.Events(c.filter, page)
				return err
			})
			for _, e := range list {
				got = append(got, e.Message)
				page.After = e.Number
			}
			if len(list) < page.Limit {
				break
			}
		}
		equal(t, fmt.Sprintf("events of %+v", c.filter), got, want)
	}
}

func eventsArePruned(t *testing.T, s satellite.Store) {
	update(t, s, func(tx satellite.Tx) error {
		for n := range 10 {
			if err := tx.Record(satellite.Event{At: at(n), Type: "story"}); err != nil {
				return err
			}
		}
		return nil
	})
	after := func(number int64) (events []satellite.Event) {
		view(t, s, func(tx satellite.Tx) (err error) {
			events, err = tx.EventsAfter(satellite.EventKey{Node: "1", Number: number}, 100)
			return err
		})
		return events
	}
	all := after(0)
	for _, last := range []int{2, 5} {
		want := satellite.EventBeginning{Node: "1", Number: all[last].Number, Hash: all[last].Hash, At: all[last].At, PrunedAt: at(20)}
		update(t, s, func(tx satellite.Tx) error { return tx.PruneEvents(want) })
		equal(t, "the events that are left", after(0), all[last+1:])
		view(t, s, func(tx satellite.Tx) error {
			list, err := tx.EventBeginnings()
			equal(t, "the beginnings", list, []satellite.EventBeginning{want})
			return err
		})
	}
	// The chain goes on behind its end, not behind its beginning.
	update(t, s, func(tx satellite.Tx) error { return tx.Record(satellite.Event{At: at(11), Type: "story"}) })
	if rest := after(0); len(rest) != 5 || rest[4].Number != 11 || rest[4].PreviousHash != all[9].Hash {
		t.Errorf("after the pruning the chain is %+v", rest)
	}
}
