package store

import (
	"fmt"
	"time"

	"ssm/satellite"
	"ssm/satellite/wire"
)

type virtualAccountRow struct {
	ID          int64 `gorm:"primaryKey"`
	AccountID   int64
	Name        string
	NameKey     string
	Description string
	IsDefault   bool
	CreatedAt   int64 `gorm:"autoCreateTime:false"`
}

func (virtualAccountRow) TableName() string { return "virtual_accounts" }

func (r virtualAccountRow) domain() satellite.VirtualAccount {
	return satellite.VirtualAccount{
		ID: satellite.VirtualAccountID(r.ID), AccountID: satellite.AccountID(r.AccountID), Name: r.Name,
		Description: r.Description, Default: r.IsDefault, CreatedAt: instant(r.CreatedAt),
	}
}

func (t *transaction) CreateVirtualAccount(v satellite.VirtualAccount) (satellite.VirtualAccount, error) {
	r := virtualAccountRow{
		AccountID: int64(v.AccountID), Name: v.Name, NameKey: nameKey(v.Name), Description: v.Description, IsDefault: v.Default, CreatedAt: micros(v.CreatedAt),
	}
	err := t.db.Create(&r).Error
	return r.domain(), unique(err, "virtual-account", fmt.Sprintf("There is a virtual account %q already.", v.Name))
}

func (t *transaction) VirtualAccounts(id satellite.AccountID) ([]satellite.VirtualAccount, error) {
	rows, err := t.statements.query(`SELECT id, account_id, name, description, is_default, created_at FROM virtual_accounts
		WHERE account_id = ? ORDER BY is_default DESC, name_key`, id)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var list []satellite.VirtualAccount
	for rows.Next() {
		var r virtualAccountRow
		if err := rows.Scan(&r.ID, &r.AccountID, &r.Name, &r.Description, &r.IsDefault, &r.CreatedAt); err != nil {
			return nil, err
		}
		list = append(list, r.domain())
	}
	return list, rows.Err()
}

func (t *transaction) VirtualAccountHolds(id satellite.VirtualAccountID, now time.Time) (holds satellite.Holds, err error) {
	err = t.db.Raw(`SELECT
		(SELECT COUNT(*) FROM instances WHERE virtual_account_id = @id) AS devices,
		(SELECT COUNT(*) FROM pools WHERE virtual_account_id = @id
			AND (purchased + transferred_in <> transferred_out OR in_use > 0 OR reserved > 0)) AS licenses,
		(SELECT COUNT(*) FROM tokens WHERE virtual_account_id = @id AND revoked_at = 0 AND expires_at > @now
			AND (max_uses = 0 OR uses < max_uses)) AS tokens`,
		map[string]any{"id": id, "now": micros(now)}).Scan(&holds).Error
	return holds, err
}

func (t *transaction) SaveVirtualAccount(v satellite.VirtualAccount) error {
	var before virtualAccountRow
	if err := t.db.Select("id", "account_id", "name").Where("id = ?", v.ID).Take(&before).Error; err != nil {
		return found(err, "virtual account", v.ID)
	}
	if before.Name != v.Name {
		if err := t.rename(v.ID); err != nil {
			return err
		}
	}
	r := virtualAccountRow{Name: v.Name, NameKey: nameKey(v.Name), Description: v.Description}
	err := t.db.Model(&r).Select("name", "name_key", "description").Where("id = ?", v.ID).Updates(&r).Error
	return unique(err, "virtual-account", fmt.Sprintf("There is a virtual account %q already.", v.Name))
}

// rename takes back what went upstream under the name of a virtual account, and
// asks for a full request: the name stands in every device and token as well,
// which may be too many to write one by one.
func (t *transaction) rename(id satellite.VirtualAccountID) error {
	if err := t.buryPools(id); err != nil {
		return err
	}
	return t.db.Exec(`UPDATE sync_states SET renamed_at = ? WHERE account_id = (SELECT account_id FROM virtual_accounts WHERE id = ?)`, t.nextChange(), id).Error
}

func (t *transaction) SetDefaultVirtualAccount(account satellite.AccountID, id satellite.VirtualAccountID) error {
	if err := t.db.Exec(`UPDATE virtual_accounts SET is_default = 0 WHERE account_id = ? AND is_default = 1`, account).Error; err != nil {
		return err
	}
	return t.db.Exec(`UPDATE virtual_accounts SET is_default = 1 WHERE id = ? AND account_id = ?`, id, account).Error
}

// movedTables are the tables with rows that go along when a virtual account
// moves into another one. Its pools, lots, transfers and custom tags do not.
var movedTables = []string{"instances", "usages", "tokens", "reservations", "reservation_items"}

func (t *transaction) MoveVirtualAccount(from, to satellite.VirtualAccountID) error {
	if err := t.rename(from); err != nil {
		return err
	}
	for _, table := range movedTables {
		if err := t.db.Exec("UPDATE "+table+" SET virtual_account_id = ? WHERE virtual_account_id = ?", to, from).Error; err != nil {
			return err
		}
	}
	return t.db.Exec(`UPDATE alerts SET virtual_account_id = ? WHERE virtual_account_id = ? AND closed_at = 0
		AND account_id = (SELECT account_id FROM virtual_accounts WHERE id = ?)`, to, from, from).Error
}

// buryPools leaves a tombstone for each pool of a virtual account: upstream
// they are known by its name.
func (t *transaction) buryPools(id satellite.VirtualAccountID) error {
	pools, err := t.pools(poolQuery+` WHERE p.virtual_account_id = ?`, id)
	if err != nil {
		return err
	}
	for _, row := range pools {
		if err := t.bury(row.AccountID, wire.RecordUsage, row.VirtualAccount+"\t"+row.License.Tag); err != nil {
			return err
		}
	}
	return nil
}

func (t *transaction) DeleteVirtualAccount(id satellite.VirtualAccountID) error {
	if err := t.buryPools(id); err != nil {
		return err
	}
	var tokens []tokenRow
	if err := t.db.Select("id", "account_id").Where("virtual_account_id = ?", id).Find(&tokens).Error; err != nil {
		return err
	}
	for _, token := range tokens {
		if err := t.bury(satellite.AccountID(token.AccountID), wire.RecordToken, fmt.Sprint(token.ID)); err != nil {
			return err
		}
	}
	for _, table := range []string{"pools", "tokens", "lots", "custom_tags"} {
		if err := t.db.Exec("DELETE FROM "+table+" WHERE virtual_account_id = ?", id).Error; err != nil {
			return err
		}
	}
	return t.db.Where("id = ?", id).Delete(&virtualAccountRow{}).Error
}
