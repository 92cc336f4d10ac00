package satellite

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// Lot is a quantity that was bought at once.
type Lot struct {
	UpstreamID       string // unique in its account
	AccountID        AccountID
	VirtualAccountID VirtualAccountID // its home: transfers take from there
	LicenseID        LicenseID
	Type             LicenseType
	Quantity         int64
	Start            time.Time
	End              time.Time // zero: never ends
	Order            string
	SubscriptionID   string
}

// liveAt tells whether the lot counts at an instant: from Start to before End.
func (l Lot) liveAt(now time.Time) bool {
	return !now.Before(l.Start) && (l.End.IsZero() || now.Before(l.End))
}

// change is the next instant at which the lot begins or ends, where that is
// sooner than until; the zero time is never.
func (l Lot) change(now, until time.Time) time.Time {
	for _, edge := range []time.Time{l.Start, l.End} {
		if edge.After(now) && (until.IsZero() || edge.Before(until)) {
			until = edge
		}
	}
	return until
}

// PurchasedAt is the sum of the lots that are live at an instant, and the next
// instant at which that sum changes (zero: never).
func PurchasedAt(lots []Lot, now time.Time) (sum int64, until time.Time) {
	for _, lot := range lots {
		if lot.liveAt(now) {
			sum += lot.Quantity
		}
		until = lot.change(now, until)
	}
	return sum, until
}

// count sets what makes the quantity of the pool at an instant: the lots whose
// home its virtual account is, and what was moved of live lots in and out.
func (p *Pool) count(lots []Lot, transfers []LotTransfer, now time.Time) {
	p.Purchased, p.PurchasedUntil = PurchasedAt(lots, now)
	p.TransferredIn, p.TransferredOut = 0, 0
	for _, t := range transfers {
		p.PurchasedUntil = t.Lot.change(now, p.PurchasedUntil)
		switch {
		case !t.Lot.liveAt(now):
		case t.To == p.VirtualAccountID:
			p.TransferredIn += t.Quantity
		default:
			p.TransferredOut += t.Quantity
		}
	}
}

// lotChunk is how many rows a job works on in one transaction.
const lotChunk = 200

// CountLots counts the pools of which a lot has begun or ended since their last
// count, and settles them: their shortages are known without any contact. It is
// a job; it reads only the pools that are due.
func (s *Service) CountLots(ctx context.Context, now time.Time) error {
	for {
		var due []PoolRow
		err := s.update(ctx, itself, now, func(tx Tx, record recorder) (err error) {
			if due, err = tx.PoolsDue(now, lotChunk); err != nil {
				return err
			}
			if len(due) == 0 {
				return errUnchanged
			}
			return countPools(tx, record, due, now)
		})
		if err != nil || len(due) < lotChunk {
			return err
		}
	}
}

// countPools settles pools, those of one virtual account together.
func countPools(tx Tx, record recorder, pools []PoolRow, now time.Time) error {
	slices.SortStableFunc(pools, func(a, b PoolRow) int { return cmp.Compare(a.VirtualAccountID, b.VirtualAccountID) })
	var ledger *ledger
	for _, row := range pools {
		if ledger == nil || ledger.virtual != row.VirtualAccountID {
			if ledger != nil {
				if err := ledger.settle(); err != nil {
					return err
				}
			}
			ledger = openLedger(tx, record, row.AccountID, row.VirtualAccountID, now)
		}
		if _, err := ledger.put(row); err != nil {
			return err
		}
	}
	return ledger.settle()
}

// reminders are how many days before its end a lot is spoken of again.
var reminders = []int{90, 60, 30, 14, 7, 1}

// alertAt is the alert that the end of a lot calls for, "" for none, and how
// many days before the end it speaks: the fewest of reminders that the lot
// still ends within. A lot of quantity 0 is as good as none.
func (l Lot) alertAt(now time.Time) (kind AlertType, days int) {
	switch {
	case l.End.IsZero() || l.Quantity == 0:
		return "", 0
	case !now.Before(l.End):
		return AlertLicensesExpired, 0
	}
	for _, step := range reminders {
		if l.End.Sub(now) <= time.Duration(step)*day {
			kind, days = AlertLicensesExpiring, step
		}
	}
	return kind, days
}

// EndingLot is a lot that ends, with its license. ID is the cursor of a listing.
type EndingLot struct {
	ID int64
	Lot
	License License
}

// RemindOfLots brings the alerts about the ends of lots up to date: Licenses
// Expiring at each step of reminders, Licenses Expired once a lot has ended. It
// is a job; it reads only lots that end within 90 days, or have ended.
func (s *Service) RemindOfLots(ctx context.Context, now time.Time) error {
	horizon := now.Add(time.Duration(reminders[0]) * day)
	for last := (EndingLot{}); ; {
		var page []EndingLot
		err := s.update(ctx, itself, now, func(tx Tx, record recorder) (err error) {
			if page, err = tx.LotsEnding(last, horizon, lotChunk); err != nil {
				return err
			}
			for _, lot := range page {
				if err := remindOfLot(tx, record, lot.Lot, lot.License, now); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || len(page) < lotChunk {
			return err
		}
		last = page[len(page)-1]
	}
}

// remindOfLot opens, renews and closes the two alerts about the end of a lot.
func remindOfLot(tx Tx, record recorder, lot Lot, license License, now time.Time) error {
	kind, days := lot.alertAt(now)
	for _, other := range []AlertType{AlertLicensesExpiring, AlertLicensesExpired} {
		if other == kind {
			continue
		}
		if err := settled(tx, record, lot.AccountID, other, lot.UpstreamID, lot.fate(now), now); err != nil {
			return err
		}
	}
	if kind == "" {
		return nil
	}
	alert := Alert{
		AccountID: lot.AccountID, VirtualAccountID: lot.VirtualAccountID, Type: kind, Key: lot.UpstreamID, ActionDue: lot.End,
		Source:  fmt.Sprintf("%s (lot %s)", license.called(), lot.UpstreamID),
		Message: fmt.Sprintf("%d of %s ended on %s and are no longer counted.", lot.Quantity, license.called(), stamp(lot.End)),
	}
	if kind == AlertLicensesExpiring {
		alert.Message = fmt.Sprintf("%d of %s end on %s: the reminder of %d days before.", lot.Quantity, license.called(), stamp(lot.End), days)
	}
	return remind(tx, record, alert, now)
}

// fate says to a person what becomes of a lot.
func (l Lot) fate(now time.Time) string {
	switch {
	case l.Quantity == 0:
		return "the upstream no longer has the lot."
	case l.End.IsZero():
		return "the lot does not end."
	case !now.Before(l.End):
		return "the lot has ended."
	}
	return "the lot ends on " + stamp(l.End) + "."
}

// remind is raise for an alert that speaks again: a message that differs from
// the one before is an event as well.
func remind(tx Tx, record recorder, alert Alert, now time.Time) error {
	open, err := tx.Alerts(AlertFilter{AccountID: alert.AccountID, Type: alert.Type, Key: alert.Key, Scope: Scope{All: true}}, Page{Limit: 1})
	if err != nil {
		return err
	}
	if err := raise(tx, record, alert, now); err != nil || len(open) == 0 || open[0].Message == alert.Message {
		return err
	}
	return record(Event{Type: EventAlertRenewed, AccountID: alert.AccountID, Message: fmt.Sprintf("Alert %q again: %s", KindOfAlert(alert.Type).Title, alert.Message)})
}
