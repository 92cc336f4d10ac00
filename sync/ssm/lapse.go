package ssm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"ssm/satellite/wire"
)

// lapseAfter is how long after its last request a satellite keeps its licenses.
const lapseAfter = 90 * 24 * time.Hour

const dateFormat = "2 Jan 2006, 15:04 UTC"

// lapse takes back the licenses of the satellites whose deadline is over: they
// count as free, and the satellite is listed as lapsed, until it is heard of again.
func (u *Upstream) lapse(ctx context.Context) error {
	now := u.instant()
	due := func(tx *gorm.DB) (rows []satelliteRow, err error) {
		err = tx.Where("lapsed_at IS NULL AND deadline <= ?", now).Find(&rows).Error
		return rows, err
	}
	var rows []satelliteRow
	err := u.view(ctx, func(tx *gorm.DB) (err error) {
		rows, err = due(tx)
		return err
	})
	if err != nil || len(rows) == 0 {
		return err
	}
	return u.update(ctx, func(tx *gorm.DB) error {
		rows, err := due(tx)
		for i := range rows {
			err = errors.Join(err, takeBack(tx, &rows[i], now))
		}
		return err
	})
}

// takeBack notes the lapse of a satellite.
func takeBack(tx *gorm.DB, satellite *satelliteRow, now time.Time) error {
	at := satellite.Deadline
	satellite.LapsedAt = &at
	if err := tx.Model(satellite).Select("lapsed_at").Updates(satellite).Error; err != nil {
		return err
	}
	return record(tx, satellite.ID, now, EventLapsed, fmt.Sprintf(
		"nothing was heard of the satellite since %s: on %s its licenses were taken back and may be given to others; its next request brings back what is left",
		satellite.LastSyncAt.UTC().Format(dateFormat), at.UTC().Format(dateFormat)))
}

// comeBack ends a lapse: what was given away meanwhile stays where it is, and a
// notice says so. A request that comes after the deadline ends a lapse, also one
// that nobody had noticed yet.
func (e *exchange) comeBack() error {
	if e.satellite.LapsedAt == nil {
		if e.satellite.Deadline.IsZero() || e.now.Before(e.satellite.Deadline) {
			return nil
		}
		if err := takeBack(e.tx, &e.satellite, e.now); err != nil {
			return err
		}
	}
	since := *e.satellite.LapsedAt
	e.satellite.LapsedAt = nil
	var given []struct {
		Tag, Name string
		Quantity  int64
	}
	if err := e.tx.Raw(`SELECT m.tag, coalesce(e.name, m.tag) AS name, sum(m.quantity) AS quantity FROM moves m
			LEFT JOIN entitlements e ON e.account_id = ? AND e.tag = m.tag
			WHERE m.from_id = ? AND m.moved_at >= ? GROUP BY 1, 2 ORDER BY 1 LIMIT 100`, e.account.ID, e.virtual.ID, since).Scan(&given).Error; err != nil {
		return err
	}
	message := fmt.Sprintf("the satellite, lapsed since %s, was heard of again and has its licenses back", since.UTC().Format(dateFormat))
	for _, g := range given {
		text := fmt.Sprintf("%d of %.255s were given to other virtual accounts while this satellite had lapsed, since %s; they do not come back by themselves.",
			g.Quantity, g.Name, since.UTC().Format(dateFormat))
		e.notices = append(e.notices, wire.Notice{Tag: g.Tag, Text: text})
		message += fmt.Sprintf(", but for %d of %s", g.Quantity, g.Name)
	}
	return record(e.tx, e.satellite.ID, e.now, EventReturned, message)
}

// Move is a lot, or a part of one, that goes to another virtual account.
type Move struct {
	Lot      string // its id
	To       string // virtual account of the same smart account; made if missing
	Quantity int64  // 0 is the whole lot
}

// MoveLicense moves a lot, or a part of one. What a satellite uses is not taken
// from it: only what it has to spare, or what was taken back from it when it
// lapsed. ErrRefused.
func (u *Upstream) MoveLicense(ctx context.Context, move Move) (Lot, error) {
	if err := u.lapse(ctx); err != nil {
		return Lot{}, err
	}
	now := u.instant()
	var moved lotRow
	err := u.update(ctx, func(tx *gorm.DB) error {
		lots, err := boughtLots(tx, "l.id = ?", move.Lot)
		if err != nil {
			return err
		}
		if len(lots) == 0 {
			return refuse("there is no lot %.80q; nothing was changed: `ssm license list --json` shows the lots", move.Lot)
		}
		from := lots[0]
		quantity := cmp.Or(move.Quantity, from.Lot.Quantity)
		if quantity < 0 || quantity > from.Lot.Quantity {
			return refuse("the lot holds %d, not %d; nothing was changed", from.Lot.Quantity, quantity)
		}
		account, to, err := u.target(tx, from, move.To, now)
		if err != nil {
			return err
		}
		if err := spare(tx, account, from, quantity, now); err != nil {
			return err
		}
		moved, err = shift(tx, from.Lot, to, quantity, now)
		if err != nil {
			return err
		}
		if err := tx.Exec("INSERT INTO moves (from_id, to_id, tag, quantity, moved_at) VALUES (?, ?, ?, ?, ?)", from.Lot.VirtualAccountID, to.ID, from.Tag, quantity, now).Error; err != nil {
			return err
		}
		var satellites []satelliteRow
		if err := tx.Where("virtual_account_id = ?", from.Lot.VirtualAccountID).Find(&satellites).Error; err != nil || len(satellites) == 0 {
			return err
		}
		return record(tx, satellites[0].ID, now, EventMoved, fmt.Sprintf("%d of %s went from its virtual account %q to %q", quantity, from.Name, from.VirtualAccount, to.Name))
	})
	return moved.domain(), err
}

// target is the virtual account that a lot goes to.
func (u *Upstream) target(tx *gorm.DB, from boughtLot, name string, now time.Time) (account accountRow, to virtualAccountRow, err error) {
	if err := tx.Where("id = (SELECT account_id FROM virtual_accounts WHERE id = ?)", from.Lot.VirtualAccountID).Take(&account).Error; err != nil {
		return account, to, err
	}
	if to, err = virtualAccount(tx, account, name, now); err == nil && to.ID == from.Lot.VirtualAccountID {
		err = refuse("the lot is in virtual account %q already; nothing was changed", to.Name)
	}
	return account, to, err
}

// spare refuses to take what the satellite of the virtual account reported to use.
func spare(tx *gorm.DB, account accountRow, from boughtLot, quantity int64, now time.Time) error {
	licenses, err := listLicenses(tx, account, now)
	if err != nil {
		return err
	}
	for _, l := range licenses {
		left := l.Quantity - l.InUse - l.Reserved
		if l.VirtualAccount == from.VirtualAccount && l.Tag == from.Tag && from.Lot.domain().live(now) && l.InUse+l.Reserved > 0 && left < quantity {
			return refuse("the satellite of virtual account %q uses or has reserved %d of %d of %s, so %d can be moved, not %d; nothing was changed: release them there first",
				l.VirtualAccount, l.InUse+l.Reserved, l.Quantity, l.Tag, max(0, left), quantity)
		}
	}
	return nil
}

// shift moves a quantity of a lot: the whole one keeps its id.
func shift(tx *gorm.DB, lot lotRow, to virtualAccountRow, quantity int64, now time.Time) (lotRow, error) {
	if quantity == lot.Quantity {
		lot.VirtualAccountID = to.ID
		return lot, tx.Model(&lot).Select("virtual_account_id").Updates(&lot).Error
	}
	rest := lot
	rest.Quantity -= quantity
	if err := tx.Model(&rest).Select("quantity").Updates(&rest).Error; err != nil {
		return lot, err
	}
	lot.ID, lot.VirtualAccountID, lot.Quantity, lot.CreatedAt = uuid.NewString(), to.ID, quantity, now
	return lot, tx.Create(&lot).Error
}
