package store

import (
	"strings"
	"time"

	"ssm/satellite"
)

type lotRow struct {
	ID               int64 `gorm:"primaryKey"`
	AccountID        int64
	UpstreamID       string
	VirtualAccountID int64
	LicenseID        int64
	Type             string
	Quantity         int64
	StartAt          int64
	EndAt            int64
	OrderNumber      string
	SubscriptionID   string
}

var lotColumns = []string{
	"id", "account_id", "upstream_id", "virtual_account_id", "license_id", "type", "quantity", "start_at", "end_at", "order_number", "subscription_id",
}

func (r lotRow) domain() satellite.Lot {
	return satellite.Lot{
		UpstreamID: r.UpstreamID, AccountID: satellite.AccountID(r.AccountID), VirtualAccountID: satellite.VirtualAccountID(r.VirtualAccountID),
		LicenseID: satellite.LicenseID(r.LicenseID), Type: satellite.LicenseType(r.Type), Quantity: r.Quantity, Start: instant(r.StartAt), End: instant(r.EndAt),
		Order: r.OrderNumber, SubscriptionID: r.SubscriptionID,
	}
}

// fields is where lotColumns go.
func (r *lotRow) fields() []any {
	return []any{
		&r.ID, &r.AccountID, &r.UpstreamID, &r.VirtualAccountID, &r.LicenseID, &r.Type, &r.Quantity, &r.StartAt, &r.EndAt, &r.OrderNumber, &r.SubscriptionID,
	}
}

func lotsOf(rows []lotRow) []satellite.Lot {
	lots := make([]satellite.Lot, len(rows))
	for i, r := range rows {
		lots[i] = r.domain()
	}
	return lots
}

func (lotRow) TableName() string { return "lots" }

func (t *transaction) Lots(virtual satellite.VirtualAccountID, license satellite.LicenseID) ([]satellite.Lot, error) {
	var rows []lotRow
	err := t.db.Select(lotColumns).Where("virtual_account_id = ? AND license_id = ?", virtual, license).Order("start_at, id").Find(&rows).Error
	return lotsOf(rows), err
}

func (t *transaction) LotsOf(account satellite.AccountID) ([]satellite.Lot, error) {
	var rows []lotRow
	err := t.db.Select(lotColumns).Where("account_id = ?", account).Order("upstream_id").Find(&rows).Error
	return lotsOf(rows), err
}

func (t *transaction) ReplaceLots(account satellite.AccountID, lots []satellite.Lot) error {
	if err := t.db.Where("account_id = ?", account).Delete(&lotRow{}).Error; err != nil {
		return err
	}
	rows := make([]lotRow, len(lots))
	for i, l := range lots {
		rows[i] = lotRow{
			AccountID: int64(l.AccountID), UpstreamID: l.UpstreamID, VirtualAccountID: int64(l.VirtualAccountID), LicenseID: int64(l.LicenseID),
			Type: string(l.Type), Quantity: l.Quantity, StartAt: micros(l.Start), EndAt: micros(l.End),
			OrderNumber: l.Order, SubscriptionID: l.SubscriptionID,
		}
	}
	if len(rows) == 0 {
		return nil
	}
	return unique(t.db.CreateInBatches(rows, 500).Error, "lot", "Two lots have the same number.")
}

func (t *transaction) MoveLots(from, to satellite.VirtualAccountID) error {
	return t.db.Model(&lotRow{}).Where("virtual_account_id = ?", from).Update("virtual_account_id", int64(to)).Error
}

func (t *transaction) LotsEnding(after satellite.EndingLot, until time.Time, limit int) ([]satellite.EndingLot, error) {
	var rows []struct {
		Lot     lotRow     `gorm:"embedded"`
		License licenseRow `gorm:"embedded;embeddedPrefix:license_"`
	}
	err := t.db.Raw(`SELECT `+lotFields+`, `+licenseFields+` FROM lots o CROSS JOIN licenses l ON l.id = o.license_id
		WHERE o.end_at <> 0 AND (o.end_at, o.id) > (?, ?) AND o.end_at <= ? ORDER BY o.end_at, o.id LIMIT ?`,
		micros(after.End), after.ID, micros(until), limit).Scan(&rows).Error
	list := make([]satellite.EndingLot, len(rows))
	for i, r := range rows {
		list[i] = satellite.EndingLot{ID: r.Lot.ID, Lot: r.Lot.domain(), License: r.License.domain()}
	}
	return list, err
}

// lotFields are the columns of a lot, of table o.
var lotFields = "o." + strings.Join(lotColumns, ", o.")

// licenseFields are all columns of a license, of table l, beside those of another table.
var licenseFields = func() string {
	columns := append([]string{"l.id", "l.account_id"}, strings.Split(licenseColumns, ", ")...)
	for i, c := range columns {
		columns[i] = c + " AS license_" + strings.TrimPrefix(c, "l.")
	}
	return strings.Join(columns, ", ")
}()
