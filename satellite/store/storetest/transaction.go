package storetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"ssm/satellite"
)

var errRefused = errors.New("refused by the story")

// viewsAreConsistent moves licenses between two pools and counts them meanwhile.
func viewsAreConsistent(t *testing.T, s satellite.Store) {
	w := newWorld(t, s, "alpha")
	second := newLicense(t, s, w, "second")
	a, b := w.pool(), w.pool()
	b.LicenseID = second.ID
	update(t, s, func(tx satellite.Tx) (err error) {
		a.Purchased = 1000
		if a, err = tx.SavePool(a); err != nil {
			return err
		}
		b, err = tx.SavePool(b)
		return err
	})
	var writers sync.WaitGroup
	stop := make(chan struct{})
	var failed error
	writers.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			err := s.Update(context.Background(), func(tx satellite.Tx) error {
				from, err := tx.Pool(w.virtual.ID, w.license.ID)
				if err != nil {
					return err
				}
				to, err := tx.Pool(w.virtual.ID, second.ID)
				if err != nil {
					return err
				}
				from.Purchased--
				to.Purchased++
				if _, err := tx.SavePool(from); err != nil {
					return err
				}
				_, err = tx.SavePool(to)
				return err
			})
			if err != nil {
				failed = err
				return
			}
		}
	})
	for range 200 {
		var first, again, sum int64
		view(t, s, func(tx satellite.Tx) error {
			one, err := tx.Pool(w.virtual.ID, w.license.ID)
			if err != nil {
				return err
			}
			runtime.Gosched()
			rows, err := tx.Pools(satellite.PoolFilter{Scope: everything, AccountID: w.account.ID})
			for _, row := range rows {
				sum += row.Purchased
				if row.LicenseID == w.license.ID {
					again = row.Purchased
				}
			}
			first = one.Purchased
			return err
		})
		if sum != 1000 || first != again {
			t.Errorf("a view saw %d licenses in all, and one pool as %d and then as %d", sum, first, again)
			break
		}
	}
	close(stop)
	writers.Wait()
	if failed != nil {
		t.Fatal(failed)
	}
}

func newLicense(t *testing.T, s satellite.Store, w world, tag string) (l satellite.License) {
	t.Helper()
	update(t, s, func(tx satellite.Tx) (err error) {
		l, err = tx.CreateLicense(satellite.License{AccountID: w.account.ID, Tag: tag, Name: tag})
		return err
	})
	return l
}

// viewsDoNotMeet holds a view open while a newer one reads: each keeps its snapshot,
// by whichever way the store reads.
func viewsDoNotMeet(t *testing.T, s satellite.Store) {
	w := newWorld(t, s, "alpha")
	view(t, s, func(tx satellite.Tx) error {
		before, err := tx.CountInstances(satellite.InstanceFilter{Scope: everything})
		if err != nil {
			return err
		}
		w.createInstances(t, s, 3)
		var newer int64
		view(t, s, func(inner satellite.Tx) error {
			newer, err = inner.CountInstances(satellite.InstanceFilter{Scope: everything})
			return err
		})
		again, err := tx.CountInstances(satellite.InstanceFilter{Scope: everything})
		if before != 0 || newer != 3 || again != 0 {
			t.Errorf("the older view counted %d and then %d devices, the newer one %d; want 0, 0, 3", before, again, newer)
		}
		return err
	})
	// Many at once, so that the race detector sees what they share.
	var readers sync.WaitGroup
	for range 16 {
		readers.Go(func() {
			for range 20 {
				err := s.View(context.Background(), func(tx satellite.Tx) error {
					accounts, err := tx.Accounts()
					if err == nil && len(accounts) != 1 {
						err = fmt.Errorf("there are %d accounts", len(accounts))
					}
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	readers.Wait()
}

func raceForTheLastTen(t *testing.T, s satellite.Store) {
	w := newWorld(t, s, "alpha")
	update(t, s, func(tx satellite.Tx) error {
		p := w.pool()
		p.Purchased, p.InUse = 100, 90
		_, err := tx.SavePool(p)
		return err
	})
	instances := w.createInstances(t, s, 200)
	var won, lost int
	var mutex sync.Mutex
	var racers sync.WaitGroup
	for _, instance := range instances {
		racers.Go(func() {
			err := s.Update(context.Background(), func(tx satellite.Tx) error {
				p, err := tx.Pool(w.virtual.ID, w.license.ID)
				if err != nil {
					return err
				}
				p.InUse++
				if _, err := tx.SavePool(p); err != nil {
					return err
				}
				if err := tx.SaveUsage(satellite.Usage{InstanceID: instance.ID, LicenseID: w.license.ID, VirtualAccountID: w.virtual.ID, Count: 1, Wanted: 1}); err != nil {
					return err
				}
				if p.Balance() < 0 {
					return errRefused
				}
				return tx.Record(satellite.Event{At: base, Type: "draw"})
			})
			mutex.Lock()
			defer mutex.Unlock()
			switch {
			case err == nil:
				won++
			case errors.Is(err, errRefused):
				lost++
			default:
				t.Error(err)
			}
		})
	}
	racers.Wait()
	if won != 10 || lost != 190 {
		t.Errorf("%d won and %d lost, want 10 and 190", won, lost)
	}
	view(t, s, func(tx satellite.Tx) error {
		p, err := tx.Pool(w.virtual.ID, w.license.ID)
		if err != nil {
			return err
		}
		users, err := tx.UsagesOf(w.virtual.ID, w.license.ID, satellite.Page{Limit: 1000})
		if p.InUse != 100 || p.Available() != 0 || len(users) != 10 {
			t.Errorf("the pool counts %d in use and %d devices hold one, want 100 and 10", p.InUse, len(users))
		}
		return err
	})
	if n := VerifyChain(t, s); n != 10 {
		t.Errorf("there are %d events, want 10", n)
	}
}

// together runs updates while the writer is held up, so that they wait for one commit.
func together(t *testing.T, s satellite.Store, updates []func(satellite.Tx) error) []error {
	t.Helper()
	running, release := make(chan struct{}), make(chan struct{})
	var all, ready sync.WaitGroup
	all.Go(func() {
		err := s.Update(context.Background(), func(tx satellite.Tx) error {
			close(running)
			<-release
			return errRefused
		})
		if !errors.Is(err, errRefused) {
			t.Errorf("the update that held the writer up: %v", err)
		}
	})
	<-running
	results := make([]error, len(updates))
	ready.Add(len(updates))
	for i, f := range updates {
		all.Go(func() {
			ready.Done()
			results[i] = s.Update(context.Background(), f)
		})
	}
	ready.Wait()
	for range 100 {
		runtime.Gosched() // let them queue; the outcome must not depend on it
	}
	close(release)
	all.Wait()
	return results
}

// eventful creates device n and records it; then it ends as told.
func (w world) eventful(n int, end func() error) func(satellite.Tx) error {
	return func(tx satellite.Tx) error {
		if _, err := tx.CreateInstance(w.instance(n)); err != nil {
			return err
		}
		if err := tx.Record(satellite.Event{At: base, Type: "made", PIID: w.instance(n).PIID}); err != nil {
			return err
		}
		return end()
	}
}

// batch has a failure of the given way at every seventh place.
func (w world) batch(t *testing.T, s satellite.Store, fail func() error) (failures []error) {
	t.Helper()
	var updates []func(satellite.Tx) error
	for n := range 60 {
		end := func() error { return nil }
		if n%7 == 3 {
			end = fail
		}
		updates = append(updates, w.eventful(n, end))
	}
	var made []string
	for n, err := range together(t, s, updates) {
		if n%7 == 3 {
			failures = append(failures, err)
			continue
		}
		if err != nil {
			t.Errorf("update %d failed with a neighbor: %v", n, err)
		}
		made = append(made, w.instance(n).PIID)
	}
	view(t, s, func(tx satellite.Tx) error {
		list, err := tx.Instances(satellite.InstanceFilter{Scope: everything}, satellite.Page{Limit: 1000})
		if len(list) != len(made) {
			t.Errorf("there are %d devices, want %d", len(list), len(made))
		}
		for _, piid := range made {
			if _, err := tx.Instance(piid); err != nil {
				t.Error(err)
			}
		}
		return err
	})
	if n := VerifyChain(t, s); n != int64(len(made)) {
		t.Errorf("there are %d events, want %d", n, len(made))
	}
	return failures
}

func failureStaysAlone(t *testing.T, s satellite.Store) {
	w := newWorld(t, s, "alpha")
	for _, err := range w.batch(t, s, func() error { return errRefused }) {
		if !errors.Is(err, errRefused) {
			t.Errorf("a failing update returned %v", err)
		}
	}
}

func panicStaysAlone(t *testing.T, s satellite.Store) {
	w := newWorld(t, s, "alpha")
	for _, err := range w.batch(t, s, func() error { panic("the story panics") }) {
		if err == nil || !strings.Contains(err.Error(), "the story panics") {
			t.Errorf("a panicking update returned %v", err)
		}
	}
}

func errorWritesNothing(t *testing.T, s satellite.Store) {
	w := newWorld(t, s, "alpha")
	for range 3 {
		err := s.Update(context.Background(), w.eventful(1, func() error { return errRefused }))
		if !errors.Is(err, errRefused) {
			t.Errorf("got %v, want the error of the function", err)
		}
	}
	var before, after int64
	view(t, s, func(tx satellite.Tx) (err error) {
		if _, err := tx.Instance(w.instance(1).PIID); err == nil {
			t.Error("the device of a failed update is there")
		}
		before, err = tx.ChangeNumber()
		return err
	})
	update(t, s, w.eventful(1, func() error { return nil }))
	view(t, s, func(tx satellite.Tx) (err error) {
		after, err = tx.ChangeNumber()
		return err
	})
	if after != before+1 {
		t.Errorf("the change number went from %d to %d: rolled-back writes count", before, after)
	}
	if n := VerifyChain(t, s); n != 1 {
		t.Errorf("there are %d events, want 1", n)
	}
}

func canceledWritesNothing(t *testing.T, s satellite.Store) {
	w := newWorld(t, s, "alpha")
	running, release := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		_ = s.Update(context.Background(), func(satellite.Tx) error {
			close(running)
			<-release
			return nil
		})
	})
	<-running
	ctx, cancel := context.WithCancel(context.Background())
	ran := false
	var err error
	all.Go(func() {
		err = s.Update(ctx, func(tx satellite.Tx) error {
			ran = true
			return w.eventful(1, func() error { return nil })(tx)
		})
	})
	cancel()
	close(release)
	all.Wait()
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was canceled", err)
	}
	// Behind everything that waited.
	update(t, s, func(satellite.Tx) error { return nil })
	if ran {
		t.Error("the canceled update ran")
	}
	if err := s.Update(ctx, func(satellite.Tx) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("an update that begins canceled: %v", err)
	}
	if err := s.View(ctx, func(satellite.Tx) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("a view that begins canceled: %v", err)
	}
	if n := VerifyChain(t, s); n != 0 {
		t.Errorf("there are %d events, want none", n)
	}
}

func refusedStatement(t *testing.T, s satellite.Store) {
	w := newWorld(t, s, "alpha")
	w.createInstances(t, s, 1)
	var refused error
	update(t, s, func(tx satellite.Tx) error {
		_, refused = tx.CreateInstance(w.instance(0))
		if err := tx.Record(satellite.Event{At: base, Type: "went-on"}); err != nil {
			return err
		}
		_, err := tx.CreateInstance(w.instance(1))
		return err
	})
	kind(t, "the same device again", refused, satellite.KindConflict)
	view(t, s, func(tx satellite.Tx) error {
		n, err := tx.CountInstances(satellite.InstanceFilter{Scope: everything})
		if n != 2 {
			t.Errorf("there are %d devices, want 2", n)
		}
		return err
	})
}
