package satellite

import (
	"cmp"
	"slices"
	"time"
)

// maxTiers bounds the depth of a hierarchy.
const maxTiers = 16

// lend covers shortages of lower tiers with surpluses of higher ones: it sets
// Lent and Borrowed of the pools of one family in one virtual account.
//
// A tier draws from the nearest tier above it first; of several that are short,
// the higher tier is served first, and of one height the one whose tag sorts
// first. So the same pools always lend the same, and no other order covers
// more: what a nearer tier lends can reach fewer than what a farther one does.
func lend(family []PoolRow) {
	byTag := make(map[string]*PoolRow, len(family))
	for i := range family {
		family[i].Lent, family[i].Borrowed = 0, 0
		byTag[family[i].License.Tag] = &family[i]
	}
	type tier struct {
		row   *PoolRow
		above []*PoolRow // nearest first
	}
	tiers := make([]tier, 0, len(family))
	for i := range family {
		row := &family[i]
		t := tier{row: row}
		for above := byTag[row.License.HigherTier]; above != nil && above != row && len(t.above) < maxTiers; above = byTag[above.License.HigherTier] {
			t.above = append(t.above, above)
		}
		tiers = append(tiers, t)
	}
	slices.SortFunc(tiers, func(a, b tier) int {
		return cmp.Or(cmp.Compare(len(a.above), len(b.above)), cmp.Compare(a.row.License.Tag, b.row.License.Tag))
	})
	for _, t := range tiers {
		if t.row.License.ReportingOnly {
			continue
		}
		for _, above := range t.above {
			loan := min(-t.row.Balance(), above.Balance())
			if loan > 0 && !above.License.ReportingOnly {
				above.Lent += loan
				t.row.Borrowed += loan
			}
		}
	}
}

// families gives each license of an account the family that it belongs to: the
// ID of the topmost license above it, 0 where nothing is above or below it. A
// definition that leads in a circle, or higher than maxTiers, stands alone.
func families(licenses []License) []License {
	byTag := make(map[string]License, len(licenses))
	for _, l := range licenses {
		byTag[l.Tag] = l
	}
	tops, members := make([]LicenseID, len(licenses)), map[LicenseID]int{}
	for i, l := range licenses {
		top, height := l, 0
		for above, ok := byTag[top.HigherTier]; ok && height <= maxTiers; above, ok = byTag[top.HigherTier] {
			top, height = above, height+1
		}
		if height <= maxTiers {
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
