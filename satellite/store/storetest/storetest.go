// Package storetest is the contract of satellite.Store, as stories. Every
// implementation runs them against a real database.
package storetest

import (
	"context"
	"fmt"
	"reflect"
	"testing"
	"time"

	"ssm/satellite"
)

// Run holds a store to the contract. open makes a new, empty store for each
// story, with the chain of events of one node; it closes it when t ends.
func Run(t *testing.T, open func(t *testing.T) satellite.Store) {
	t.Helper()
	for _, story := range []struct {
		name string
		tell func(t *testing.T, s satellite.Store)
	}{
		{"a view sees no half-done update", viewsAreConsistent},
		{"views at the same time see one snapshot each", viewsDoNotMeet},
		{"two hundred updates race for the last ten", raceForTheLastTen},
		{"a failing update does not touch its neighbors", failureStaysAlone},
		{"a panic fails only its own update", panicStaysAlone},
		{"an update that returns an error writes nothing", errorWritesNothing},
		{"an update that was canceled before it ran writes nothing", canceledWritesNothing},
		{"an update may go on after a refused statement", refusedStatement},
		{"events are numbered without gaps and form a chain", eventsFormAChain},
		{"events are listed newest first, by filter and page", eventsAreListed},
		{"pruned events are gone and the beginning of their chain is kept", eventsArePruned},
		{"an alert is open once and closes", alertsOpenOnceAndClose},

		{"every field of every noun comes back as it went in", roundTrips},
		{"saving changes what it says and nothing else", savesChange},
		{"what exists already is a conflict with a code", conflicts},
		{"what does not exist is not found", missing},
		{"an account settles with one upstream pair alone", upstreamPairs},
		{"a virtual account tells what it holds and takes its rows along", virtualAccounts},
		{"a virtual account with a new name is told anew", renamedVirtualAccounts},
		{"what belongs to the life of an account comes back", accountLife},
		{"custom tags belong to a virtual account or a license", customTags},
		{"an account is deleted with all that is in it", deletedAccounts},

		{"every write that goes upstream is found by its change number", changesAreFound},
		{"removed rows leave tombstones until they are deleted", tombstones},
		{"records are staged in order and dropped from the front", staged},
		{"the hash of what was sent is swapped", swapSent},
		{"how the upstream is reached comes back, and goes", upstreamSettings},
		{"exchanges are kept, the newest of each account", syncExchanges},
		{"a schedule comes back, and goes with its account", syncSchedules},

		{"devices are searched by prefix of serial, host name and product id", searches},
		{"listings are read page by page", pages},
		{"tokens that work are found, those that live longest first", workingTokens},
		{"a device is found by product id and serial number among many of one prefix", byUDI},
		{"the members of a pair find each other", peers},
		{"devices that stay away are found, the first that is due first", dueDevices},
		{"an open alert follows its device", alertsMove},
		{"a recount equals the counters", recount},
		{"lots are read in the order of their ends, page by page", endingLots},
		{"what was moved of a lot is kept from both sides, as long as there is the lot", lotTransfers},
		{"pools of which a lot has begun or ended are found", duePools},
		{"a recount finds a fault in what lots and transfers make", recountLots},
		{"an alert is open once for each key, and closes", openAlerts},
		{"a count of zero keeps its measurement", zeroUsage},
		{"replies are kept for a repeat and dropped by age, a few at a time", replies},
		{"a key belongs to one actor, keeps its answer and is dropped by age", idempotencyClaims},
		{"jobs, sessions and users", smallNouns},
		{"the clock is as it was saved last", clock},
		{"silent devices are those that hold licenses, by served time", silence},
		{"roles, groups and members come back, and go with what they are of", access},
		{"API clients come back, have their names alone until they are revoked, and go with the place of their role", apiClients},
		{"a listing shows what its scope covers and nothing else, page by page", scopes},
	} {
		t.Run(story.name, func(t *testing.T) {
			t.Parallel()
			story.tell(t, open(t))
		})
	}
}

// everything is the scope of who may see all.
var everything = satellite.Scope{All: true}

// base is the instant of the stories; it has microseconds, which every store keeps.
var base = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)

func at(seconds int) time.Time { return base.Add(time.Duration(seconds) * time.Second) }

// update runs f and ends the test where it fails. f runs on the writer, so it
// returns errors and leaves the judging to who called.
func update(t *testing.T, s satellite.Store, f func(satellite.Tx) error) {
	t.Helper()
	if err := s.Update(context.Background(), f); err != nil {
		t.Fatal(err)
	}
}

func view(t *testing.T, s satellite.Store, f func(satellite.Tx) error) {
	t.Helper()
	if err := s.View(context.Background(), f); err != nil {
		t.Fatal(err)
	}
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

func kind(t *testing.T, what string, err error, want satellite.Kind) {
	t.Helper()
	if satellite.KindOf(err) != want || satellite.CodeOf(err) == "internal" {
		t.Errorf("%s: got the error %v of kind %s, want %s with a code", what, err, satellite.KindOf(err), want)
	}
}

// world is an account with its default virtual account and one license.
type world struct {
	account satellite.Account
	virtual satellite.VirtualAccount
	license satellite.License
}

func newWorld(t *testing.T, s satellite.Store, name string) (w world) {
	t.Helper()
	update(t, s, func(tx satellite.Tx) (err error) {
		if w.account, err = tx.CreateAccount(satellite.Account{Name: name, UpstreamAccount: name, UpstreamVirtualAccount: "Satellite"}); err != nil {
			return err
		}
		if w.virtual, err = tx.CreateVirtualAccount(satellite.VirtualAccount{AccountID: w.account.ID, Name: "Default", Default: true}); err != nil {
			return err
		}
		w.license, err = tx.CreateLicense(satellite.License{AccountID: w.account.ID, Tag: "regid.2026-01.example." + name, Name: name})
		return err
	})
	return w
}

// instance is device n of the world.
func (w world) instance(n int) satellite.Instance {
	return satellite.Instance{
		PIID: fmt.Sprintf("piid-%s-%d", w.account.Name, n), AccountID: w.account.ID, VirtualAccountID: w.virtual.ID,
		Identity: satellite.Identity{UDIPID: "R1", UDISerialNumber: fmt.Sprintf("%s-%04d", w.account.Name, n), SoftwareTag: "software"},
	}
}

func (w world) token(n int) satellite.Token {
	return satellite.Token{AccountID: w.account.ID, VirtualAccountID: w.virtual.ID, Text: []byte{1}, Hash: [32]byte{byte(w.account.ID), byte(n), byte(n >> 8), 1}, ExpiresAt: at(1000)}
}

func (w world) pool() satellite.Pool {
	return satellite.Pool{AccountID: w.account.ID, VirtualAccountID: w.virtual.ID, LicenseID: w.license.ID}
}

// createInstances makes devices 0 to count-1 in one update.
func (w world) createInstances(t *testing.T, s satellite.Store, count int) (list []satellite.Instance) {
	t.Helper()
	update(t, s, func(tx satellite.Tx) error {
		list = list[:0]
		for n := range count {
			instance, err := tx.CreateInstance(w.instance(n))
			if err != nil {
				return err
			}
			list = append(list, instance)
		}
		return nil
	})
	return list
}

// VerifyChain reads all events and reports the first break; it returns how many there are.
func VerifyChain(t *testing.T, s satellite.Store) int64 {
	t.Helper()
	heads := map[string]satellite.Event{}
	var total int64
	for after := (satellite.EventKey{}); ; {
		var page []satellite.Event
		view(t, s, func(tx satellite.Tx) (err error) {
			page, err = tx.EventsAfter(after, 7)
			return err
		})
		for _, e := range page {
			head := heads[e.Node]
			linked, err := e.Link(e.Node, head.Number, head.Hash)
			if err != nil || e.Number != head.Number+1 || e.PreviousHash != head.Hash || linked.Hash != e.Hash {
				t.Fatalf("event %d of node %s does not continue event %d (%v): %+v", e.Number, e.Node, head.Number, err, e)
			}
			heads[e.Node] = e
			after = satellite.EventKey{Node: e.Node, Number: e.Number}
			total++
		}
		if len(page) < 7 {
			break
		}
	}
	view(t, s, func(tx satellite.Tx) error {
		list, err := tx.EventHeads()
		if err != nil || len(list) != len(heads) {
			t.Errorf("EventHeads: %d heads (%v), want %d", len(list), err, len(heads))
		}
		for _, e := range list {
			equal(t, "head of node "+e.Node, e, heads[e.Node])
		}
		return nil
	})
	return total
}
