package satellite

import (
	"context"
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
}

// Lot is a quantity that was bought at once.
type Lot struct {
	UpstreamID       string // unique in its account
	AccountID        AccountID
	VirtualAccountID VirtualAccountID
	LicenseID        LicenseID
	Type             LicenseType
	Quantity         int64
	Start            time.Time
	End              time.Time // zero: never ends
}

// liveAt tells whether the lot counts at an instant: from Start to before End.
func (l Lot) liveAt(now time.Time) bool {
	return !now.Before(l.Start) && (l.End.IsZero() || now.Before(l.End))
}

// PurchasedAt is the sum of the lots that are live at an instant, and the next
// instant at which that sum changes (zero: never).
func PurchasedAt(lots []Lot, now time.Time) (sum int64, until time.Time) {
	for _, lot := range lots {
		if lot.liveAt(now) {
			sum += lot.Quantity
		}
		for _, edge := range []time.Time{lot.Start, lot.End} {
			if edge.After(now) && (until.IsZero() || edge.Before(until)) {
				until = edge
			}
		}
	}
	return sum, until
}

// Pool counts one license in one virtual account. Its counters are kept in the
// transaction of whatever changes them, and equal a recount at any time.
type Pool struct {
	ID               int64 // 0: not saved yet
	AccountID        AccountID
	VirtualAccountID VirtualAccountID
	LicenseID        LicenseID

	Purchased      int64     // sum of the live lots, as of the last count
	PurchasedUntil time.Time // when that sum changes by itself; zero: never
	InUse          int64     // what devices hold, overdraft included
	Reserved       int64
	TransferredIn  int64
	TransferredOut int64

	ChangeNumber int64
}

// Quantity is purchased + transferred in - transferred out.
func (p Pool) Quantity() int64 { return p.Purchased + p.TransferredIn - p.TransferredOut }

// Balance is quantity - reserved - in use; below zero the license is short.
func (p Pool) Balance() int64 { return p.Quantity() - p.Reserved - p.InUse }

// Available is what can still be drawn.
func (p Pool) Available() int64 { return max(0, p.Balance()) }

// Short tells whether every user of the pool is out of compliance.
func (p Pool) Short() bool { return p.Balance() < 0 }

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
)

// Status is "insufficient" where the balance is below zero.
func (p Pool) Status() string {
	if p.Short() {
		return PoolInsufficient
	}
	return PoolInCompliance
}

// PoolFilter selects pools. Zero fields select all.
type PoolFilter struct {
	AccountID        AccountID
	VirtualAccountID VirtualAccountID
	Tag              string
	Search           string // prefix of name or tag
}

// Licenses lists the pools of an account by name, with what is purchased now.
func (s *Service) Licenses(ctx context.Context, actor Actor, filter PoolFilter) (rows []PoolRow, err error) {
	if err := actor.may(ActionRead); err != nil {
		return nil, err
	}
	now := s.Now()
	err = s.store.View(ctx, func(tx Tx) error {
		if rows, err = tx.Pools(filter); err != nil {
			return err
		}
		for i := range rows {
			if err := refresh(tx, &rows[i].Pool, now); err != nil {
				return err
			}
		}
		return nil
	})
	return rows, err
}

// refresh counts the lots again where one has begun or ended since the last count.
func refresh(tx Tx, pool *Pool, now time.Time) error {
	if !pool.stale(now) {
		return nil
	}
	lots, err := tx.Lots(pool.VirtualAccountID, pool.LicenseID)
	if err != nil {
		return err
	}
	pool.Purchased, pool.PurchasedUntil = PurchasedAt(lots, now)
	return nil
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
		return nil, fail(KindNotFound, "license-not-found", "This account has no license with the tag %q.", clip(tag)).hint("`satellite license list` shows the tags.")
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
	Count            int64
	// MeasuredUntil is the end of the newest measurement where the count came
	// by a usage report; zero where the device asked for it.
	MeasuredUntil time.Time
}

// Holding is a usage with its license and pool.
type Holding struct {
	Usage   Usage
	License License
	Pool    Pool
}

// draw sets the count of a holding: the pool's counter follows by the difference.
func (h *Holding) draw(count int64) (changed bool) {
	if count == h.Usage.Count {
		return false
	}
	h.Pool.InUse += count - h.Usage.Count
	h.Usage.Count = count
	return true
}

// saveHolding writes usage and pool of a holding that changed.
func saveHolding(tx Tx, h *Holding) error {
	if err := tx.SaveUsage(h.Usage); err != nil {
		return err
	}
	pool, err := tx.SavePool(h.Pool)
	h.Pool = pool
	return err
}

// release gives everything that an instance holds back to the pools.
func release(tx Tx, id InstanceID) (returned int64, err error) {
	holdings, err := tx.Holdings(id)
	if err != nil {
		return 0, err
	}
	for i := range holdings {
		returned += holdings[i].Usage.Count
		if holdings[i].draw(0) {
			if err := saveHolding(tx, &holdings[i]); err != nil {
				return 0, err
			}
		}
	}
	return returned, nil
}
