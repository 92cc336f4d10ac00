package satellite

import (
	"cmp"
	"slices"
	"time"
)

// maxTiers bounds the height of a hierarchy, the topmost and the lowest tier included.
const maxTiers = 16

// Loan is what one tier covers of the shortage of a tier below it.
type Loan struct {
	From, To LicenseID // the higher, the lower tier
	Quantity int64
}

// tier is one pool of a family with the pools above it, nearest first.
type tier struct {
	*PoolRow
	above []*PoolRow
}

// lend covers shortages of lower tiers with surpluses of higher ones: it sets
// Lent and Borrowed of the pools of one family in one virtual account, and says
// who lends how much to whom.
//
// A tier draws from the nearest tier above it first; of several that are short,
// the higher tier is served first, and of one height the one whose tag sorts
// first. So the same pools always lend the same, and no other order covers
// more: what a nearer tier lends can reach fewer than what a farther one does.
// Nobody lends what it needs itself, and what is only reported takes no part.
func lend(family []PoolRow) (loans []Loan) {
	for _, t := range tiersOf(family) {
		if t.License.ReportingOnly {
			continue
		}
		for _, above := range t.above {
			loan := min(-t.Balance(), above.Balance())
			if loan > 0 && !above.License.ReportingOnly {
				above.Lent += loan
				t.Borrowed += loan
				loans = append(loans, Loan{From: above.LicenseID, To: t.LicenseID, Quantity: loan})
			}
		}
	}
	return loans
}

// tiersOf are the pools of a family without loans, in the order in which they are served.
func tiersOf(family []PoolRow) []tier {
	byTag := make(map[string]*PoolRow, len(family))
	for i := range family {
		family[i].Lent, family[i].Borrowed = 0, 0
		byTag[family[i].License.Tag] = &family[i]
	}
	tiers := make([]tier, len(family))
	for i := range family {
		tiers[i].PoolRow = &family[i]
		above := byTag[family[i].License.HigherTier]
		for above != nil && above != &family[i] && len(tiers[i].above) < maxTiers-1 {
			tiers[i].above = append(tiers[i].above, above)
			above = byTag[above.License.HigherTier]
		}
	}
	slices.SortFunc(tiers, func(a, b tier) int {
		return cmp.Or(cmp.Compare(len(a.above), len(b.above)), cmp.Compare(a.License.Tag, b.License.Tag))
	})
	return tiers
}

// families gives each license of an account the family that it belongs to: the
// ID of the topmost license above it, 0 where nothing is above or below it. A
// definition that leads in a circle, or has maxTiers above it, stands alone.
func families(licenses []License) []License {
	byTag := make(map[string]License, len(licenses))
	for _, l := range licenses {
		byTag[l.Tag] = l
	}
	tops, members := make([]LicenseID, len(licenses)), map[LicenseID]int{}
	for i, l := range licenses {
		top, height := l, 0
		for above, ok := byTag[top.HigherTier]; ok && height < maxTiers; above, ok = byTag[top.HigherTier] {
			top, height = above, height+1
		}
		if height < maxTiers {
			tops[i] = top.ID
			members[top.ID]++
		}
	}
	result := slices.Clone(licenses)
	for i := range result {
		if result[i].Family = tops[i]; members[tops[i]] < 2 {
			result[i].Family = 0
		}
	}
	return result
}

// familyAt is the family of a license in a virtual account, counted at an instant.
func familyAt(tx Tx, virtual VirtualAccountID, family LicenseID, now time.Time) ([]PoolRow, error) {
	rows, err := tx.Family(virtual, family)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		if err := refresh(tx, &rows[i].Pool, now); err != nil {
			return nil, err
		}
	}
	return rows, nil
}
