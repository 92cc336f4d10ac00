package satellite

import (
	"context"
	"fmt"
	"time"
)

// Explanation is one pool with the rows that make each of its numbers, all read
// at one instant. The parts of every sum add up to its total.
type Explanation struct {
	PoolRow
	Lots         []Lot         // whose home the virtual account is; those that are not live count nothing
	TransfersIn  []LotTransfer // likewise
	TransfersOut []LotTransfer
	Reservations []ReservedRow
	Usages       []UsageRow // the first thousand
	Devices      int64      // all that hold something
	LentTo       []TierLoan
	BorrowedFrom []TierLoan
	Sums         []Sum
	At           time.Time

	names map[VirtualAccountID]string
}

// TierLoan is a loan as one of its two tiers sees it.
type TierLoan struct {
	License  License // the other tier
	Quantity int64
}

// Sum is one number of a pool with its parts.
type Sum struct {
	Name  string
	Total int64
	Parts []Part
}

// Part is what one row adds to a sum, or takes off it.
type Part struct {
	Quantity int64
	Text     string
}

// explainedDevices is how many devices are named one by one.
const explainedDevices = 1000

// ExplainLicense says where each number of a license in a virtual account ("" is
// the default one) comes from. KindNotFound for an unknown tag or virtual account.
func (s *Service) ExplainLicense(ctx context.Context, actor Actor, account AccountID, tag, virtualAccount string) (e Explanation, err error) {
	if _, err := actor.sees(account, 0); err != nil {
		return Explanation{}, err
	}
	now := s.Now()
	err = s.store.View(ctx, func(tx Tx) error {
		virtual, err := permittedVirtualAccount(tx, actor, ActionRead, account, virtualAccount)
		if err != nil {
			return err
		}
		license, err := tx.LicenseByTag(account, tag)
		if isNotFound(err) {
			return unknownTag(tag)
		}
		if err != nil {
			return err
		}
		e = Explanation{PoolRow: PoolRow{License: license, VirtualAccount: virtual.Name}, At: now}
		return e.read(tx, virtual.ID)
	})
	if err != nil {
		return Explanation{}, err
	}
	e.sum()
	return e, nil
}

// read gathers the rows.
func (e *Explanation) read(tx Tx, virtual VirtualAccountID) (err error) {
	if e.Pool, err = tx.Pool(virtual, e.License.ID); err != nil {
		return err
	}
	e.AccountID = e.License.AccountID
	if e.Lots, err = tx.Lots(virtual, e.License.ID); err != nil {
		return err
	}
	transfers, err := tx.LotTransfers(virtual, e.License.ID)
	if err != nil {
		return err
	}
	for _, t := range transfers {
		if t.To == virtual {
			e.TransfersIn = append(e.TransfersIn, t)
		} else {
			e.TransfersOut = append(e.TransfersOut, t)
		}
	}
	e.count(e.Lots, transfers, e.At)
	if e.Reservations, err = tx.ReservedItems(virtual, e.License.ID); err != nil {
		return err
	}
	e.Reserved, _ = reservedAt(e.Reservations, e.At)
	if e.Usages, err = tx.UsagesOf(virtual, e.License.ID, Page{Limit: explainedDevices}); err != nil {
		return err
	}
	if e.Devices, err = tx.CountUsages(virtual, e.License.ID); err != nil {
		return err
	}
	if e.names, err = virtualAccountNames(tx, e.AccountID); err != nil || e.License.Family == 0 {
		return err
	}
	family, err := familyAt(tx, virtual, e.License.Family, e.At)
	if err != nil {
		return err
	}
	e.loans(family)
	return nil
}

// loans lets the family lend, and notes what this tier has to do with.
func (e *Explanation) loans(family []PoolRow) {
	loans := lend(family)
	byID := make(map[LicenseID]License, len(family))
	for _, row := range family {
		byID[row.LicenseID] = row.License
		if row.LicenseID == e.LicenseID {
			e.Lent, e.Borrowed = row.Lent, row.Borrowed
		}
	}
	for _, loan := range loans {
		switch e.LicenseID {
		case loan.From:
			e.LentTo = append(e.LentTo, TierLoan{License: byID[loan.To], Quantity: loan.Quantity})
		case loan.To:
			e.BorrowedFrom = append(e.BorrowedFrom, TierLoan{License: byID[loan.From], Quantity: loan.Quantity})
		}
	}
}

// sum lays the rows out as sums.
func (e *Explanation) sum() {
	e.Sums = []Sum{
		{Name: "Purchased", Total: e.Purchased, Parts: partsFrom(e.Lots, func(l Lot) Part { return l.part(l.Quantity, "", e.At) })},
		{Name: "Transferred in", Total: e.TransferredIn, Parts: partsFrom(e.TransfersIn, func(t LotTransfer) Part {
			return t.Lot.part(t.Quantity, " from "+e.names[t.From], e.At)
		})},
		{Name: "Transferred out", Total: e.TransferredOut, Parts: partsFrom(e.TransfersOut, func(t LotTransfer) Part {
			return t.Lot.part(t.Quantity, " to "+e.names[t.To], e.At)
		})},
		{Name: "Quantity", Total: e.Quantity(), Parts: []Part{{e.Purchased, "purchased"}, {e.TransferredIn, "transferred in"}, {-e.TransferredOut, "transferred out"}}},
		{Name: "Reserved", Total: e.Reserved, Parts: reservedParts(e.Reservations, e.At)},
		{Name: "In use", Total: e.InUse, Parts: e.users()},
		{Name: "Lent", Total: e.Lent, Parts: partsFrom(e.LentTo, func(l TierLoan) Part { return Part{l.Quantity, "to " + l.License.called()} })},
		{Name: "Borrowed", Total: e.Borrowed, Parts: partsFrom(e.BorrowedFrom, func(l TierLoan) Part { return Part{l.Quantity, "from " + l.License.called()} })},
		{Name: "Balance", Total: e.Balance(), Parts: []Part{
			{e.Quantity(), "quantity"}, {-e.Reserved, "reserved"}, {-e.InUse, "in use"}, {-e.Lent, "lent"}, {e.Borrowed, "borrowed"},
		}},
	}
}

func partsFrom[T any](rows []T, part func(T) Part) []Part {
	parts := make([]Part, 0, len(rows))
	for _, row := range rows {
		parts = append(parts, part(row))
	}
	return parts
}

// users are the devices, those beyond the first thousand together.
func (e *Explanation) users() []Part {
	rest := e.InUse
	parts := partsFrom(e.Usages, func(u UsageRow) Part {
		rest -= u.Count
		name := u.Hostname
		if name == "" {
			name = u.UDISerialNumber
		}
		return Part{u.Count, fmt.Sprintf("%s (%s, %s)", name, u.UDIPID, u.UDISerialNumber)}
	})
	if further := e.Devices - int64(len(e.Usages)); further > 0 || rest != 0 {
		parts = append(parts, Part{rest, fmt.Sprintf("%d further devices", further)})
	}
	return parts
}

// part is what a quantity of the lot adds to a sum at an instant.
func (l Lot) part(quantity int64, where string, now time.Time) Part {
	text := fmt.Sprintf("lot %s%s, %s", l.UpstreamID, where, l.Type)
	if !l.End.IsZero() {
		text += " until " + stamp(l.End)
	}
	switch {
	case l.liveAt(now):
		return Part{quantity, text}
	case now.Before(l.Start):
		return Part{0, fmt.Sprintf("%s: %d, which begin on %s", text, quantity, stamp(l.Start))}
	}
	return Part{0, fmt.Sprintf("%s: %d, which have ended", text, quantity)}
}
