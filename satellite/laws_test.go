package satellite_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ssm/satellite"
	"ssm/satellite/wire"
)

// The laws of the exchange. Each has tests on both sides whose names begin with
// it, TestLaw1 to TestLaw10, but where one side alone can keep it.
//
//  1. Applying the same response twice changes nothing the second time.
//  2. What is old, foreign, cut short, altered or signed by a stranger is refused with the reason, and changes nothing.
//  3. Files may be lost, delayed or swapped: the next exchange converges, and after a mismatch both sides end equal.
//  4. What happens between request and response is neither lost nor counted twice.
//  5. A crash leaves the old state or the new one.
//  6. The upstream never takes away what a device is using without an event that says why.
//  7. An old copy put back is noticed, reported and healed; devices registered since come back.
//  8. Two satellites of one smart account never share a virtual account.
//  9. No exchange is locked out by age.
//  10. Certificates and documents are judged by the guarded clock, which a response only moves forward.
func TestEachLawHasItsTests(t *testing.T) {
	t.Parallel()
	here := func(laws ...int) []int { return laws }
	for folder, want := range map[string][]int{".": here(1, 2, 3, 4, 5, 6, 7, 8, 9, 10), "../sync/ssm": here(1, 2, 3, 5, 6, 7, 8, 9)} {
		found := map[int]bool{}
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			if !strings.HasSuffix(entry.Name(), "_test.go") {
				continue
			}
			text, err := os.ReadFile(folder + "/" + entry.Name())
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range regexp.MustCompile(`(?m)^func TestLaw(\d+)[A-Z]`).FindAllSubmatch(text, -1) {
				var law int
				if _, err := fmt.Sscan(string(match[1]), &law); err != nil {
					t.Fatal(err)
				}
				found[law] = true
				if !slices.Contains(want, law) {
					t.Errorf("%s tests law %d, which is not among those of %s", entry.Name(), law, folder)
				}
			}
		}
		for _, law := range want {
			if !found[law] {
				t.Errorf("%s has no test of law %d", folder, law)
			}
		}
	}
}

func TestLaw1TheSameResponseAgainChangesNothing(t *testing.T) {
	t.Parallel()
	s := newSettled(t, 20)
	_, err := s.service.ImportUsage(s.ctx, admin, s.account.ID, usage(report("R", "base", 1, 1, 2)))
	s.must(err)
	response := s.answered(s.request(s.account, false)).Body
	for n := range 3 {
		apply := func() {
			if result, err := s.apply(response); err != nil || result.AlreadyApplied != (n > 0) {
				t.Errorf("the %d. time it did %+v (%v)", n+1, result, err)
			}
		}
		if n == 0 {
			apply()
			continue
		}
		s.unchanged("the same response again", apply)
		s.shut()
		s.open()
	}
}

// What happens between a request and its response goes up with the next request:
// devices that come and go, what they draw and give back, tokens, reservations.
func TestLaw4WhatHappensBetweenRequestAndResponseIsCountedOnce(t *testing.T) {
	t.Parallel()
	s := newSettled(t, 50)
	_, text := s.token(satellite.NewToken{})
	stays, leaves := s.device("STAYS").register(text), s.device("LEAVES").register(text)
	stays.ok(stays.authorization("base", 2))
	leaves.ok(leaves.authorization("base", 3))
	_, err := s.service.ImportUsage(s.ctx, admin, s.account.ID, usage(report("R", "base", 1, 1, 1)))
	s.must(err)
	request := s.request(s.account, false)

	comes := s.device("COMES").register(text)
	comes.ok(comes.authorization("base", 4))
	stays.ok(stays.authorization("base", 5))
	s.must(s.service.RemoveInstance(s.ctx, admin, leaves.piid))
	d := s.silent("S1", wire.ReservationSpecific)
	d.reserve("base", 2)
	_, err = s.service.ImportUsage(s.ctx, admin, s.account.ID, usage(report("R2", "base", 2, 2, 1)))
	s.must(err)
	response := s.answered(request).Body
	s.clock.advance(time.Hour)
	comes.ok(comes.authorization("base", 6))
	if _, err := s.apply(response); err != nil {
		t.Fatal(err)
	}
	s.exchange(satellite.SyncResult{})
	s.equalSides()
	licenses, err := s.upstream.Licenses(s.ctx, "")
	if own := s.pool("base"); err != nil || licenses[0].InUse != 5+6+1+1 || licenses[0].Reserved != 2 || own.InUse != licenses[0].InUse {
		t.Errorf("the upstream has %+v (%v), the pool %+v", licenses, err, own)
	}
	list, err := s.upstream.Satellites(s.ctx)
	if err != nil || list[0].Reports != 2 {
		t.Errorf("the upstream has %+v (%v)", list, err)
	}
}
