package satellite

import (
	"context"
	"strings"
	"time"
)

// LicenseID identifies a license within this satellite.
type LicenseID int64

// LicenseType is how long what was bought lasts.
type LicenseType string

// The types of licenses.
const (
	LicensePerpetual    LicenseType = "perpetual"
	LicenseSubscription LicenseType = "subscription"
	LicenseEvaluation   LicenseType = "evaluation"
)

// Enforcement is what happens to a request for more than there is.
type Enforcement string

// The enforcements. Unenforced licenses are overdrawn, which puts their users
// out of compliance; the others are refused.
const (
	Unenforced       Enforcement = "unenforced"
	Enforced         Enforcement = "enforced"
	ExportControlled Enforcement = "export-controlled"
)

// Billing is how what is used is paid for.
type Billing string

// The billings.
const (
	BillingPrepaid Billing = "prepaid"
	BillingUsage   Billing = "usage"
)

// License is an entitlement that an account knows: by what it bought, or by
// what its devices reported.
type License struct {
	ID          LicenseID
	AccountID   AccountID
	Tag         string // unique in its account
	Name        string
	Description string
	Type        LicenseType
	Enforcement Enforcement
	Billing     Billing
	// ReportingOnly licenses are counted and never short; Overage tells that the
	// contract allows more to be used than was bought.
	ReportingOnly bool
	Overage       bool
	// HigherTier is the tag whose surplus covers a shortage of this one, "" for
	// none; Family is the ID of the topmost license of the hierarchy that this
	// one belongs to, 0 where it belongs to none.
	HigherTier string
	Family     LicenseID
}

// Pool counts one license in one virtual account. Its counters are kept in the
// transaction of whatever changes them, and equal a recount at any time.
type Pool struct {
	ID               int64 // 0: not saved yet
	AccountID        AccountID
	VirtualAccountID VirtualAccountID
	LicenseID        LicenseID

	Purchased      int64     // sum of the live lots, as of the last count
	PurchasedUntil time.Time // when that, or what was transferred, changes by itself; zero: never
	InUse          int64     // what devices hold, overdraft included
	Reserved       int64
	TransferredIn  int64 // what live transfers brought from other virtual accounts
	TransferredOut int64 // what they took to others

	// Lent and Borrowed are what the hierarchy moves between tiers. They follow
	// from the pools of the family (see lend) and are never stored.
	Lent     int64
	Borrowed int64

	Insufficient bool // an alert says that it is short
	ChangeNumber int64
}

// Quantity is purchased + transferred in - transferred out.
func (p Pool) Quantity() int64 { return p.Purchased + p.TransferredIn - p.TransferredOut }

// own is the balance without the hierarchy.
func (p Pool) own() int64 { return p.Quantity() - p.Reserved - p.InUse }

// Balance is quantity - reserved - in use - lent + borrowed; below zero the license is short.
func (p Pool) Balance() int64 { return p.own() - p.Lent + p.Borrowed }

// Available is what can still be drawn.
func (p Pool) Available() int64 { return max(0, p.Balance()) }

// missing is what the pool is short of, loans included.
func (p Pool) missing() int64 { return max(0, -p.Balance()) }

// stale tells whether a lot has begun or ended since the last count.
func (p Pool) stale(now time.Time) bool {
	return !p.PurchasedUntil.IsZero() && !now.Before(p.PurchasedUntil)
}

// PoolRow is a pool with the names that a person reads.
type PoolRow struct {
	Pool
	License        License
	VirtualAccount string
}

// Status of a pool, as the console shows it.
const (
	PoolInCompliance = "in compliance"
	PoolInsufficient = "insufficient"
	PoolOverage      = "overage"
)

// Short tells whether every user of the pool is out of compliance: what is only
// reported is never short, and where the contract allows overage that is no shortage.
func (r PoolRow) Short() bool {
	return r.Balance() < 0 && !r.License.ReportingOnly && !r.License.Overage
}

// Status sums the row up.
func (r PoolRow) Status() string {
	switch {
	case r.Short():
		return PoolInsufficient
	case r.Balance() < 0 && r.License.Overage && !r.License.ReportingOnly:
		return PoolOverage
	}
	return PoolInCompliance
}

// PoolFilter selects pools. Zero fields select all.
type PoolFilter struct {
	AccountID        AccountID
	VirtualAccountID VirtualAccountID
	Tag              string
	Search           string // prefix of name or tag
	Scope            Scope
}

// Licenses lists the pools of an account by name, with what is purchased now
// and what the tiers lend each other.
func (s *Service) Licenses(ctx context.Context, actor Actor, filter PoolFilter) (rows []PoolRow, err error) {
	if filter.Scope, err = actor.sees(filter.AccountID, filter.VirtualAccountID); err != nil {
		return nil, err
	}
	now := s.Now()
	err = s.store.View(ctx, func(tx Tx) error {
		if rows, err = tx.Pools(filter); err != nil {
			return err
		}
		return current(tx, rows, now)
	})
	return rows, err
}

// current brings rows to an instant: lots that have begun or ended since the
// last count, and the loans between tiers.
func current(tx Tx, rows []PoolRow, now time.Time) error {
	loans := map[VirtualAccountID]map[LicenseID][]PoolRow{}
	for i := range rows {
		row := &rows[i]
		if err := refresh(tx, &row.Pool, now); err != nil {
			return err
		}
		if row.License.Family == 0 {
			continue
		}
		if loans[row.VirtualAccountID] == nil {
			loans[row.VirtualAccountID] = map[LicenseID][]PoolRow{}
		}
		family, known := loans[row.VirtualAccountID][row.License.Family]
		if !known {
			var err error
			if family, err = familyAt(tx, row.VirtualAccountID, row.License.Family, now); err != nil {
				return err
			}
			lend(family)
			loans[row.VirtualAccountID][row.License.Family] = family
		}
		for _, member := range family {
			if member.LicenseID == row.LicenseID {
				row.Lent, row.Borrowed = member.Lent, member.Borrowed
			}
		}
	}
	return nil
}

// currentHoldings is current for what a device holds.
func currentHoldings(tx Tx, holdings []Holding, now time.Time) error {
	rows := make([]PoolRow, len(holdings))
	for i, h := range holdings {
		rows[i] = h.row()
	}
	if err := current(tx, rows, now); err != nil {
		return err
	}
	for i := range rows {
		holdings[i].Pool = rows[i].Pool
	}
	return nil
}

// refresh counts the lots again where one has begun or ended since the last count.
func refresh(tx Tx, pool *Pool, now time.Time) error {
	if !pool.stale(now) {
		return nil
	}
	return recount(tx, pool, now)
}

// recount counts what makes the quantity of a pool at an instant.
func recount(tx Tx, pool *Pool, now time.Time) error {
	lots, err := tx.Lots(pool.VirtualAccountID, pool.LicenseID)
	if err != nil {
		return err
	}
	transfers, err := tx.LotTransfers(pool.VirtualAccountID, pool.LicenseID)
	if err != nil {
		return err
	}
	pool.count(lots, transfers, now)
	return countReserved(tx, pool, now)
}

// LicenseDetails is one license with everything that makes its numbers.
type LicenseDetails struct {
	PoolRow
	Lots   []Lot
	Usages []UsageRow // the first thousand
}

// UsageRow is what one device holds of a license.
type UsageRow struct {
	PIID            string
	Hostname        string
	UDIPID          string
	UDISerialNumber string
	Count           int64
}

// License returns every virtual account's row of one tag, with lots and devices. KindNotFound.
func (s *Service) License(ctx context.Context, actor Actor, accountID AccountID, tag string) (details []LicenseDetails, err error) {
	rows, err := s.Licenses(ctx, actor, PoolFilter{AccountID: accountID, Tag: tag})
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, unknownTag(tag)
	}
	err = s.store.View(ctx, func(tx Tx) error {
		details = details[:0]
		for _, row := range rows {
			lots, err := tx.Lots(row.VirtualAccountID, row.LicenseID)
			if err != nil {
				return err
			}
			usages, err := tx.UsagesOf(row.VirtualAccountID, row.LicenseID, Page{Limit: 1000})
			if err != nil {
				return err
			}
			details = append(details, LicenseDetails{PoolRow: row, Lots: lots, Usages: usages})
		}
		return nil
	})
	return details, err
}

// Usage is what one instance holds of one license.
type Usage struct {
	InstanceID       InstanceID
	LicenseID        LicenseID
	VirtualAccountID VirtualAccountID
	Count            int64 // what the device holds
	// Wanted is what the device asked for or reported. It differs from Count
	// while the 90-day return has taken the licenses back, where an enforced one
	// was refused, and where another member of a pair holds them for both.
	Wanted int64
	// MeasuredUntil is the end of the newest measurement where the count came
	// by a usage report; zero where the device asked for it.
	MeasuredUntil time.Time
}

// Holding is a usage with its license and pool.
type Holding struct {
	Usage   Usage
	License License
	Pool    Pool
	// Shared is what the other members of the device's high-availability pair
	// hold: it counts for this device, too. No store keeps it.
	Shared int64

	stored Usage // as it was read
}

// Has is what the device may use: what it holds, and what its pair holds for it.
func (h Holding) Has() int64 { return min(h.Usage.Wanted, h.Usage.Count+h.Shared) }

// row is the holding's pool with the license that it counts.
func (h Holding) row() PoolRow { return PoolRow{Pool: h.Pool, License: h.License} }

// Short tells whether the license puts its device out of compliance.
func (h Holding) Short() bool { return h.row().Short() }

// licenseNames finds licenses of an account by what people call them. It reads
// the names once, where a tag is not enough.
type licenseNames struct {
	tx      Tx
	account AccountID
	byName  map[string][]License
}

// find finds a license by its tag, or by a display name that it alone has.
// KindNotFound; KindConflict with the tags of those that share the name.
func (n *licenseNames) find(tagOrName string) (License, error) {
	license, err := n.tx.LicenseByTag(n.account, tagOrName)
	if !isNotFound(err) {
		return license, err
	}
	if n.byName == nil {
		list, err := n.tx.LicensesOf(n.account)
		if err != nil {
			return License{}, err
		}
		n.byName = map[string][]License{}
		for _, l := range list {
			n.byName[l.Name] = append(n.byName[l.Name], l)
		}
	}
	switch found := n.byName[tagOrName]; {
	case tagOrName == "" || len(found) == 0:
		return License{}, fail(KindNotFound, "license-not-found", "This account has no license with the tag or the name %q. Nothing was changed.", clip(tagOrName)).hint("`satellite license list` shows both.")
	case len(found) == 1:
		return found[0], nil
	default:
		tags := make([]string, len(found))
		for i, l := range found {
			tags[i] = clip(l.Tag)
		}
		return License{}, fail(KindConflict, "license-ambiguous", "%d licenses of this account have the name %q: %s. Nothing was changed.", len(found), clip(tagOrName), clipRunes(strings.Join(tags, ", "), 1000)).
			hint("Name the license by its tag.")
	}
}
