package store

import (
	"ssm/satellite"
	"ssm/satellite/wire"
)

// transferQuery reads transfers from the side that has the index: the lots
// follow by their numbers.
var transferQuery = `SELECT ` + lotFields + `, t.from_virtual_account_id, t.to_virtual_account_id, t.quantity, t.at
	FROM transfers t CROSS JOIN lots o ON o.account_id = t.account_id AND o.upstream_id = t.lot AND o.license_id = t.license_id`

func (t *transaction) transfers(query string, args ...any) (list []satellite.LotTransfer, err error) {
	rows, err := t.db.Raw(query+` ORDER BY o.upstream_id, t.from_virtual_account_id, t.to_virtual_account_id`, args...).Rows()
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	list = []satellite.LotTransfer{}
	var lot lotRow
	var from, to, quantity, at int64
	into := append(lot.fields(), &from, &to, &quantity, &at)
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		list = append(list, satellite.LotTransfer{
			Lot: lot.domain(), From: satellite.VirtualAccountID(from), To: satellite.VirtualAccountID(to), Quantity: quantity, At: instant(at),
		})
	}
	return list, rows.Err()
}

func (t *transaction) LotTransfers(virtual satellite.VirtualAccountID, license satellite.LicenseID) ([]satellite.LotTransfer, error) {
	return t.transfers(transferQuery+` WHERE (t.from_virtual_account_id = ? AND t.license_id = ? OR t.to_virtual_account_id = ? AND t.license_id = ?)`,
		virtual, license, virtual, license)
}

func (t *transaction) LotTransfersOf(account satellite.AccountID) ([]satellite.LotTransfer, error) {
	return t.transfers(transferQuery+` WHERE t.from_virtual_account_id IN (SELECT id FROM virtual_accounts WHERE account_id = ?)`, account)
}

func (t *transaction) SaveLotTransfer(transfer satellite.LotTransfer) error {
	key := []any{transfer.Lot.LicenseID, transfer.Lot.UpstreamID, transfer.From, transfer.To}
	if transfer.Quantity == 0 {
		result := t.db.Exec(`DELETE FROM transfers WHERE license_id = ? AND lot = ? AND from_virtual_account_id = ? AND to_virtual_account_id = ?`, key...)
		if result.Error != nil || result.RowsAffected == 0 {
			return result.Error
		}
		return t.bury(transfer.Lot.AccountID, wire.RecordTransfer, transfer.RecordKey())
	}
	return t.db.Exec(`INSERT INTO transfers (license_id, lot, from_virtual_account_id, to_virtual_account_id, account_id, quantity, at, change_number) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (license_id, lot, from_virtual_account_id, to_virtual_account_id) DO UPDATE SET quantity = excluded.quantity, at = excluded.at, change_number = excluded.change_number`,
		append(key, transfer.Lot.AccountID, transfer.Quantity, micros(transfer.At), t.nextChange())...).Error
}

func (t *transaction) ChangedTransfers(account satellite.AccountID, after int64, limit int) ([]satellite.ChangedTransfer, error) {
	var rows []struct {
		Lot, Tag             string
		FromVirtualAccountID int64
		ToVirtualAccountID   int64
		Quantity, At         int64
		ChangeNumber         int64
	}
	err := t.db.Raw(`SELECT t.lot, l.tag, t.from_virtual_account_id, t.to_virtual_account_id, t.quantity, t.at, t.change_number
		FROM transfers t CROSS JOIN licenses l ON l.id = t.license_id
		WHERE t.account_id = ? AND t.change_number > ? ORDER BY t.change_number LIMIT ?`, account, after, limit).Scan(&rows).Error
	list := make([]satellite.ChangedTransfer, len(rows))
	for i, r := range rows {
		list[i] = satellite.ChangedTransfer{Tag: r.Tag, ChangeNumber: r.ChangeNumber, LotTransfer: satellite.LotTransfer{
			Lot: satellite.Lot{UpstreamID: r.Lot, AccountID: account}, From: satellite.VirtualAccountID(r.FromVirtualAccountID),
			To: satellite.VirtualAccountID(r.ToVirtualAccountID), Quantity: r.Quantity, At: instant(r.At),
		}}
	}
	return list, err
}
