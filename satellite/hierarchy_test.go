package satellite

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// pooled is a pool of a family: its tag, the tier above, and its numbers.
func pooled(tag, higher string, p Pool) PoolRow {
	return PoolRow{Pool: p, License: License{Tag: tag, HigherTier: higher, Enforcement: Unenforced}}
}

// lines are the loans of a family in words, and what each pool has then.
func lines(family []PoolRow) string {
	for i := range family {
		family[i].LicenseID = LicenseID(i + 1)
	}
	var text strings.Builder
	for _, loan := range lend(family) {
		fmt.Fprintf(&text, "%s lends %s %d; ", family[loan.From-1].License.Tag, family[loan.To-1].License.Tag, loan.Quantity)
	}
	for _, row := range family {
		fmt.Fprintf(&text, "%s %d ", row.License.Tag, row.Balance())
	}
	return strings.TrimSpace(text.String())
}

func TestTiersLendTheirSurplusDownward(t *testing.T) {
	t.Parallel()
	reporting := func(row PoolRow) PoolRow { row.License.ReportingOnly = true; return row }
	for _, c := range []struct {
		name   string
		family []PoolRow
		want   string
	}{
		{
			"the worked example", []PoolRow{pooled("top", "", Pool{Purchased: 100, InUse: 10}), pooled("low", "top", Pool{InUse: 50})},
			"top lends low 50; top 40 low 0",
		},
		{
			"upward nothing is lent", []PoolRow{pooled("top", "", Pool{InUse: 5}), pooled("low", "top", Pool{Purchased: 9})},
			"top -5 low 9",
		},
		{
			"sideways nothing is lent", []PoolRow{pooled("a", "top", Pool{Purchased: 9}), pooled("b", "top", Pool{InUse: 5}), pooled("top", "", Pool{})},
			"a 9 b -5 top 0",
		},
		{
			"what is needed above is not lent", []PoolRow{pooled("top", "", Pool{Purchased: 10, InUse: 7}), pooled("low", "top", Pool{InUse: 5})},
			"top lends low 3; top 0 low -2",
		},
		{
			"what is reserved above is not lent", []PoolRow{pooled("top", "", Pool{Purchased: 10, Reserved: 8}), pooled("low", "top", Pool{InUse: 5})},
			"top lends low 2; top 0 low -3",
		},
		{
			"a reservation is a need, too", []PoolRow{pooled("top", "", Pool{Purchased: 10}), pooled("low", "top", Pool{Reserved: 4})},
			"top lends low 4; top 6 low 0",
		},
		{
			"what was moved counts", []PoolRow{pooled("top", "", Pool{TransferredIn: 10, TransferredOut: 3}), pooled("low", "top", Pool{Purchased: 2, TransferredOut: 2, InUse: 1})},
			"top lends low 1; top 6 low 0",
		},
		{
			"a chain draws from the nearest first",
			[]PoolRow{pooled("1", "", Pool{Purchased: 10}), pooled("2", "1", Pool{Purchased: 3}), pooled("3", "2", Pool{InUse: 5})},
			"2 lends 3 3; 1 lends 3 2; 1 8 2 0 3 0",
		},
		{
			"a tier with no pool in between",
			[]PoolRow{pooled("1", "", Pool{Purchased: 10}), pooled("2", "1", Pool{}), pooled("3", "2", Pool{InUse: 5})},
			"1 lends 3 5; 1 5 2 0 3 0",
		},
		{
			"the higher of two that are short comes first",
			[]PoolRow{pooled("1", "", Pool{Purchased: 4}), pooled("2", "1", Pool{InUse: 3}), pooled("3", "2", Pool{InUse: 3})},
			"1 lends 2 3; 1 lends 3 1; 1 0 2 0 3 -2",
		},
		{
			"of one height the first tag comes first",
			[]PoolRow{pooled("c", "top", Pool{InUse: 3}), pooled("a", "top", Pool{InUse: 3}), pooled("b", "top", Pool{InUse: 3}), pooled("top", "", Pool{Purchased: 7})},
			"top lends a 3; top lends b 3; top lends c 1; c -2 a 0 b 0 top 0",
		},
		{
			"a branch keeps to itself what only it can use",
			[]PoolRow{pooled("top", "", Pool{Purchased: 5}), pooled("a", "top", Pool{Purchased: 5}), pooled("x", "a", Pool{InUse: 5}), pooled("b", "top", Pool{InUse: 5})},
			"top lends b 5; a lends x 5; top 0 a 0 x 0 b 0",
		},
		{
			"what is only reported neither lends nor borrows, and is passed by",
			[]PoolRow{pooled("1", "", Pool{Purchased: 4}), reporting(pooled("2", "1", Pool{Purchased: 9, InUse: 3})), reporting(pooled("3", "2", Pool{InUse: 7})), pooled("4", "3", Pool{InUse: 6})},
			"1 lends 4 4; 1 0 2 6 3 -7 4 -2",
		},
		{
			"a circle lends nothing twice",
			[]PoolRow{pooled("a", "b", Pool{Purchased: 4}), pooled("b", "a", Pool{InUse: 6})},
			"a lends b 4; a 0 b -2",
		},
		{"a tier above that nobody knows", []PoolRow{pooled("a", "none", Pool{InUse: 6})}, "a -6"},
	} {
		if got := lines(c.family); got != c.want {
			t.Errorf("%s: %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestALicenseBelongsToTheFamilyOfItsTopmostTier(t *testing.T) {
	t.Parallel()
	known := func(pairs ...string) (list []License) {
		for i := 0; i < len(pairs); i += 2 {
			list = append(list, License{ID: LicenseID(i/2 + 1), Tag: pairs[i], HigherTier: pairs[i+1], Family: 77})
		}
		return list
	}
	var tall []string
	for n := range maxTiers + 2 {
		tall = append(tall, fmt.Sprint(n), fmt.Sprint(n-1))
	}
	for _, c := range []struct {
		name string
		list []License
		want string
	}{
		{"alone", known("a", ""), "0"},
		{"below what nobody knows", known("a", "none"), "0"},
		{"a chain", known("c", "b", "b", "a", "a", ""), "3 3 3"},
		{"branches", known("a", "", "b", "a", "c", "a", "d", "c"), "1 1 1 1"},
		{"two families and one alone", known("a", "", "b", "a", "c", "", "d", "c", "e", ""), "1 1 3 3 0"},
		{"its own tier above", known("a", "a", "b", "a"), "0 0"},
		{"a circle, and below it", known("a", "b", "b", "a", "c", "a"), "0 0 0"},
		{"sixteen tiers, and two too many", known(tall...), strings.Repeat("1 ", maxTiers) + "0 0"},
	} {
		var got []string
		for _, l := range families(c.list) {
			got = append(got, fmt.Sprint(l.Family))
		}
		if text := strings.Join(got, " "); text != c.want {
			t.Errorf("%s: %s, want %s", c.name, text, c.want)
		}
	}
	// The lowest of sixteen draws from the topmost.
	var family []PoolRow
	for n := range maxTiers {
		family = append(family, pooled(fmt.Sprintf("%02d", n), fmt.Sprintf("%02d", n-1), Pool{}))
	}
	family[0].Purchased, family[maxTiers-1].InUse = 5, 5
	if lend(family); family[0].Lent != 5 || family[maxTiers-1].Borrowed != 5 {
		t.Errorf("the topmost lends %d, the lowest borrows %d", family[0].Lent, family[maxTiers-1].Borrowed)
	}
}

// familyOf is a random forest of tiers with random numbers.
func familyOf(r *rapid.T) (family []PoolRow) {
	for i := range rapid.IntRange(1, 8).Draw(r, "tiers") {
		higher := ""
		if above := rapid.IntRange(-1, i-1).Draw(r, "above"); above >= 0 {
			higher = family[above].License.Tag
		}
		n := func(name string) int64 { return int64(rapid.IntRange(0, 6).Draw(r, name)) }
		row := pooled(string(rune('a'+(i*5)%8)), higher, Pool{
			LicenseID: LicenseID(i + 1), Purchased: n("purchased"), InUse: n("in use"), Reserved: n("reserved") / 3, TransferredIn: n("in") / 2, TransferredOut: n("out") / 2,
		})
		row.License.ReportingOnly = rapid.IntRange(0, 7).Draw(r, "reporting") == 0
		family = append(family, row)
	}
	return family
}

// coverable is the most that can be covered at all: a matching of single
// licenses, found by augmenting paths, which knows nothing of tiers served in turn.
func coverable(family []PoolRow) (covered int64) {
	above := func(low, high PoolRow) bool {
		for tag := low.License.HigherTier; tag != ""; {
			i := slices.IndexFunc(family, func(r PoolRow) bool { return r.License.Tag == tag })
			if tag == high.License.Tag {
				return true
			}
			tag = family[i].License.HigherTier
		}
		return false
	}
	var needs, spare []int // the pool of each license that is missing, or to spare
	for i, row := range family {
		for n := row.own(); n != 0 && !row.License.ReportingOnly; {
			if n < 0 {
				needs, n = append(needs, i), n+1
			} else {
				spare, n = append(spare, i), n-1
			}
		}
	}
	given := map[int]int{} // spare license to the need that it covers
	var reach func(need int, seen map[int]bool) bool
	reach = func(need int, seen map[int]bool) bool {
		for s, from := range spare {
			if seen[s] || !above(family[needs[need]], family[from]) {
				continue
			}
			seen[s] = true
			other, taken := given[s]
			if !taken || reach(other, seen) {
				given[s] = need
				return true
			}
		}
		return false
	}
	for need := range needs {
		if reach(need, map[int]bool{}) {
			covered++
		}
	}
	return covered
}

func TestLoansAddUpAndNoOtherAssignmentCoversMore(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		family := familyOf(r)
		before := map[string]int64{}
		var whole int64
		for _, row := range family {
			before[row.License.Tag] = row.own()
			whole += row.own()
		}
		loans := lend(family)
		var lent, borrowed, balance, listed int64
		from, to := map[LicenseID]int64{}, map[LicenseID]int64{}
		for _, loan := range loans {
			listed, from[loan.From], to[loan.To] = listed+loan.Quantity, from[loan.From]+loan.Quantity, to[loan.To]+loan.Quantity
		}
		for _, row := range family {
			lent, borrowed, balance = lent+row.Lent, borrowed+row.Borrowed, balance+row.Balance()
			switch {
			case row.Lent < 0 || row.Borrowed < 0 || row.Lent > 0 && row.Borrowed > 0:
				r.Fatalf("%s lends %d and borrows %d", row.License.Tag, row.Lent, row.Borrowed)
			case row.Lent > 0 && row.Balance() < 0:
				r.Fatalf("%s lends %d and is short by %d", row.License.Tag, row.Lent, -row.Balance())
			case row.Borrowed > 0 && row.Balance() > 0:
				r.Fatalf("%s borrows %d more than it needs", row.License.Tag, row.Balance())
			case row.License.ReportingOnly && row.Lent+row.Borrowed > 0:
				r.Fatalf("%s is only reported and takes part", row.License.Tag)
			case from[row.LicenseID] != row.Lent || to[row.LicenseID] != row.Borrowed:
				r.Fatalf("the loans of %s do not make its numbers: %+v", row.License.Tag, loans)
			}
		}
		if lent != borrowed || lent != listed || balance != whole {
			r.Fatalf("%d lent, %d borrowed, %d listed; the parts make %d, the whole is %d", lent, borrowed, listed, balance, whole)
		}
		if most := coverable(family); borrowed != most {
			r.Fatalf("%d is covered, and %d could be: %+v", borrowed, most, family)
		}
	})
}

func TestTheOrderOfTheRowsDoesNotMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		family := familyOf(r)
		other := rapid.Permutation(family).Draw(r, "order")
		sums := func(family []PoolRow) map[string][2]int64 {
			sums := map[string][2]int64{}
			for _, row := range family {
				sums[row.License.Tag] = [2]int64{row.Lent, row.Borrowed}
			}
			return sums
		}
		first, second := lend(family), lend(other)
		if !slices.Equal(first, second) || !maps.Equal(sums(family), sums(other)) {
			r.Fatalf("%+v, in another order %+v", first, second)
		}
	})
}

// ask draws from a family of enforced licenses without a store.
func ask(rows []PoolRow, tag string, difference int64) (granted bool, after string) {
	l := &ledger{pages: map[LicenseID]*page{}}
	var license License
	for i, row := range rows {
		row.LicenseID, row.License.ID, row.License.Family = LicenseID(i+1), LicenseID(i+1), 1
		l.pages[row.LicenseID] = &page{PoolRow: row}
		if row.License.Tag == tag {
			license = row.License
		}
	}
	granted, err := l.draw(license, difference)
	if err != nil {
		return false, err.Error()
	}
	var balances []string
	for _, p := range l.count(license) {
		balances = append(balances, fmt.Sprint(p.License.Tag, " ", p.Balance()))
	}
	return granted, strings.Join(balances, " ")
}

func TestAnEnforcedLicenseIsRefusedAndNeverOverdrawn(t *testing.T) {
	t.Parallel()
	as := func(e Enforcement, row PoolRow) PoolRow { row.License.Enforcement = e; return row }
	overage := func(row PoolRow) PoolRow { row.License.Overage = true; return row }
	reporting := func(row PoolRow) PoolRow { row.License.ReportingOnly = true; return row }
	for _, c := range []struct {
		name    string
		rows    []PoolRow
		tag     string
		n       int64
		granted bool
		after   string
	}{
		{"all there is", []PoolRow{as(Enforced, pooled("a", "", Pool{Purchased: 5, InUse: 3}))}, "a", 2, true, "a 0"},
		{"one more", []PoolRow{as(Enforced, pooled("a", "", Pool{Purchased: 5, InUse: 3}))}, "a", 3, false, "a 2"},
		{"export-controlled likewise", []PoolRow{as(ExportControlled, pooled("a", "", Pool{Purchased: 5, InUse: 3}))}, "a", 3, false, "a 2"},
		{"unenforced is overdrawn", []PoolRow{as(Unenforced, pooled("a", "", Pool{Purchased: 5, InUse: 3}))}, "a", 3, true, "a -1"},
		{"overage is allowed", []PoolRow{overage(as(Enforced, pooled("a", "", Pool{Purchased: 5, InUse: 3})))}, "a", 3, true, "a -1"},
		{"reporting only", []PoolRow{reporting(as(Enforced, pooled("a", "", Pool{})))}, "a", 3, true, "a -3"},
		{"what is reserved is not there", []PoolRow{as(Enforced, pooled("a", "", Pool{Purchased: 5, Reserved: 3}))}, "a", 3, false, "a 2"},
		{"it is short already and asks for more", []PoolRow{as(Enforced, pooled("a", "", Pool{Purchased: 1, InUse: 3}))}, "a", 1, false, "a -2"},
		{"it is short already and gives back", []PoolRow{as(Enforced, pooled("a", "", Pool{Purchased: 1, InUse: 3}))}, "a", -1, true, "a -1"},
		{"what a higher tier has to spare", []PoolRow{pooled("a", "", Pool{Purchased: 5, InUse: 3}), as(Enforced, pooled("b", "a", Pool{}))}, "b", 2, true, "a 0 b 0"},
		{"more than it has to spare", []PoolRow{pooled("a", "", Pool{Purchased: 5, InUse: 3}), as(Enforced, pooled("b", "a", Pool{}))}, "b", 3, false, "a 2 b 0"},
		{
			"its own comes back from an unenforced tier that it lent to",
			[]PoolRow{as(Enforced, pooled("a", "", Pool{Purchased: 5})), pooled("b", "a", Pool{InUse: 9})}, "a", 5, true, "a 0 b -9",
		},
		{
			"but not from an enforced one",
			[]PoolRow{as(Enforced, pooled("a", "", Pool{Purchased: 5})), as(Enforced, pooled("b", "a", Pool{InUse: 4}))}, "a", 2, false, "a 1 b 0",
		},
		{
			"it borrows nothing that another one then lacks",
			[]PoolRow{pooled("top", "", Pool{Purchased: 5}), as(Enforced, pooled("a", "top", Pool{})), pooled("b", "top", Pool{InUse: 5})}, "a", 1, false, "a 0 b 0 top 0",
		},
	} {
		if granted, after := ask(c.rows, c.tag, c.n); granted != c.granted || after != c.after {
			t.Errorf("%s: granted %v, %s; want %v, %s", c.name, granted, after, c.granted, c.after)
		}
	}
}
