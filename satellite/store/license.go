package store

import (
	"database/sql"
	"slices"
	"strings"
	"time"

	"ssm/satellite"
)

type licenseRow struct {
	ID            int64 `gorm:"primaryKey"`
	AccountID     int64
	Tag           string
	Name          string
	Description   string
	Type          string
	Enforcement   string
	Billing       string
	ReportingOnly bool
	Overage       bool
	HigherTier    string
	Family        int64
}

func (licenseRow) TableName() string { return "licenses" }

// licenseColumns are those that say what a license means, of table l.
const licenseColumns = `l.tag, l.name, l.description, l.type, l.enforcement, l.billing, l.reporting_only, l.overage, l.higher_tier, l.family`

// meaning is where licenseColumns go.
func (r *licenseRow) meaning() []any {
	return []any{&r.Tag, &r.Name, &r.Description, &r.Type, &r.Enforcement, &r.Billing, &r.ReportingOnly, &r.Overage, &r.HigherTier, &r.Family}
}

func (r licenseRow) domain() satellite.License {
	return satellite.License{
		ID: satellite.LicenseID(r.ID), AccountID: satellite.AccountID(r.AccountID), Tag: r.Tag, Name: r.Name,
		Description: r.Description, Type: satellite.LicenseType(r.Type), Enforcement: satellite.Enforcement(r.Enforcement),
		Billing: satellite.Billing(r.Billing), ReportingOnly: r.ReportingOnly, Overage: r.Overage, HigherTier: r.HigherTier,
		Family: satellite.LicenseID(r.Family),
	}
}

func licenseToRow(l satellite.License) licenseRow {
	return licenseRow{
		ID: int64(l.ID), AccountID: int64(l.AccountID), Tag: l.Tag, Name: l.Name, Description: l.Description, Type: string(l.Type),
		Enforcement: string(l.Enforcement), Billing: string(l.Billing), ReportingOnly: l.ReportingOnly, Overage: l.Overage,
		HigherTier: l.HigherTier, Family: int64(l.Family),
	}
}

func (t *transaction) CreateLicense(l satellite.License) (satellite.License, error) {
	r := licenseToRow(l)
	r.ID = 0 // the database gives it
	err := t.db.Create(&r).Error
	return r.domain(), unique(err, "license", "There is a license with this tag already.")
}

func (t *transaction) LicenseByTag(account satellite.AccountID, tag string) (satellite.License, error) {
	var r licenseRow
	err := t.one("license", tag, append([]any{&r.ID, &r.AccountID}, r.meaning()...),
		`SELECT l.id, l.account_id, `+licenseColumns+` FROM licenses l WHERE l.account_id = ? AND l.tag = ?`, int64(account), tag)
	return r.domain(), err
}

func (t *transaction) LicensesOf(account satellite.AccountID) ([]satellite.License, error) {
	var rows []licenseRow
	err := t.db.Raw(`SELECT l.id, l.account_id, `+licenseColumns+` FROM licenses l WHERE l.account_id = ? ORDER BY l.tag`, account).Scan(&rows).Error
	list := make([]satellite.License, len(rows))
	for i, r := range rows {
		list[i] = r.domain()
	}
	return list, err
}

func (t *transaction) SaveLicense(l satellite.License) error {
	r := licenseToRow(l)
	return t.db.Select("name", "description", "type", "enforcement", "billing", "reporting_only", "overage", "higher_tier", "family").
		Where("id = ?", r.ID).Updates(&r).Error
}

type poolRow struct {
	ID               int64
	AccountID        int64
	VirtualAccountID int64
	LicenseID        int64
	Purchased        int64
	PurchasedUntil   int64
	InUse            int64
	Reserved         int64
	TransferredIn    int64
	TransferredOut   int64
	Insufficient     bool
	ChangeNumber     int64
}

func (r *poolRow) fields() []any {
	return []any{
		&r.ID, &r.AccountID, &r.VirtualAccountID, &r.LicenseID, &r.Purchased, &r.PurchasedUntil, &r.InUse, &r.Reserved,
		&r.TransferredIn, &r.TransferredOut, &r.Insufficient, &r.ChangeNumber,
	}
}

func (r poolRow) domain() satellite.Pool {
	return satellite.Pool{
		ID: r.ID, AccountID: satellite.AccountID(r.AccountID), VirtualAccountID: satellite.VirtualAccountID(r.VirtualAccountID), LicenseID: satellite.LicenseID(r.LicenseID),
		Purchased: r.Purchased, PurchasedUntil: instant(r.PurchasedUntil), InUse: r.InUse, Reserved: r.Reserved,
		TransferredIn: r.TransferredIn, TransferredOut: r.TransferredOut, Insufficient: r.Insufficient, ChangeNumber: r.ChangeNumber,
	}
}

const poolColumns = `p.id, p.account_id, p.virtual_account_id, p.license_id, p.purchased, p.purchased_until, p.in_use, p.reserved,
	p.transferred_in, p.transferred_out, p.insufficient, p.change_number`

func (t *transaction) Pool(virtual satellite.VirtualAccountID, license satellite.LicenseID) (satellite.Pool, error) {
	var r poolRow
	err := t.one("pool", license, r.fields(), `SELECT `+poolColumns+` FROM pools p WHERE p.virtual_account_id = ? AND p.license_id = ?`, int64(virtual), int64(license))
	if satellite.KindOf(err) == satellite.KindNotFound {
		return satellite.Pool{VirtualAccountID: virtual, LicenseID: license}, nil
	}
	return r.domain(), err
}

func (t *transaction) SavePool(p satellite.Pool) (satellite.Pool, error) {
	p.ChangeNumber = t.nextChange()
	if p.ID != 0 {
		_, err := t.statements.exec(`UPDATE pools SET purchased = ?, purchased_until = ?, in_use = ?, reserved = ?, transferred_in = ?,
			transferred_out = ?, insufficient = ?, change_number = ? WHERE id = ?`,
			p.Purchased, micros(p.PurchasedUntil), p.InUse, p.Reserved, p.TransferredIn, p.TransferredOut, p.Insufficient, p.ChangeNumber, p.ID)
		return p, err
	}
	result, err := t.statements.exec(`INSERT INTO pools (account_id, virtual_account_id, license_id, purchased, purchased_until, in_use,
		reserved, transferred_in, transferred_out, insufficient, change_number) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		int64(p.AccountID), int64(p.VirtualAccountID), int64(p.LicenseID), p.Purchased, micros(p.PurchasedUntil), p.InUse,
		p.Reserved, p.TransferredIn, p.TransferredOut, p.Insufficient, p.ChangeNumber)
	if err != nil {
		return p, err
	}
	p.ID, err = result.LastInsertId()
	return p, err
}

// poolNames is a pool with its license and the names that a person reads.
type poolNames struct {
	Counters       poolRow    `gorm:"embedded"`
	License        licenseRow `gorm:"embedded"`
	VirtualAccount string
}

const poolQuery = `SELECT ` + poolColumns + `, ` + licenseColumns + `, v.name AS virtual_account
	FROM pools p JOIN licenses l ON l.id = p.license_id JOIN virtual_accounts v ON v.id = p.virtual_account_id`

func (r poolNames) domain() satellite.PoolRow {
	r.License.ID, r.License.AccountID = r.Counters.LicenseID, r.Counters.AccountID
	return satellite.PoolRow{Pool: r.Counters.domain(), License: r.License.domain(), VirtualAccount: r.VirtualAccount}
}

func poolsOf(rows []poolNames) []satellite.PoolRow {
	list := make([]satellite.PoolRow, len(rows))
	for i, r := range rows {
		list[i] = r.domain()
	}
	return list
}

func (t *transaction) Pools(filter satellite.PoolFilter) ([]satellite.PoolRow, error) {
	query, args := poolQuery+` WHERE 1 = 1`, []any{}
	if filter.VirtualAccountID != 0 {
		query, args = query+` AND p.virtual_account_id = ?`, append(args, filter.VirtualAccountID)
	}
	if filter.AccountID != 0 {
		query, args = query+` AND p.account_id = ?`, append(args, filter.AccountID)
	}
	if filter.Tag != "" {
		query, args = query+` AND l.tag = ?`, append(args, filter.Tag)
	}
	if filter.Search != "" {
		query, args = query+` AND (instr(lower(l.name), lower(?)) = 1 OR instr(l.tag, ?) = 1)`, append(args, filter.Search, filter.Search)
	}
	if !filter.Scope.All {
		query, args = query+` AND (p.account_id IN ? OR p.virtual_account_id IN ?)`, append(args, filter.Scope.Accounts, filter.Scope.VirtualAccounts)
	}
	var rows []poolNames
	err := t.db.Raw(query+` ORDER BY l.name, l.tag, v.name`, args...).Scan(&rows).Error
	return poolsOf(rows), err
}

func (t *transaction) PoolsDue(now time.Time, limit int) ([]satellite.PoolRow, error) {
	var rows []poolNames
	err := t.db.Raw(poolQuery+` WHERE p.purchased_until <> 0 AND p.purchased_until <= ? ORDER BY p.purchased_until LIMIT ?`, micros(now), limit).Scan(&rows).Error
	return poolsOf(rows), err
}

func (t *transaction) ChangedPools(account satellite.AccountID, after int64, limit int) ([]satellite.PoolRow, error) {
	var rows []poolNames
	err := t.db.Raw(poolQuery+` WHERE p.account_id = ? AND p.change_number > ? ORDER BY p.change_number LIMIT ?`, account, after, limit).Scan(&rows).Error
	return poolsOf(rows), err
}

// holdingQuery reads what devices use, each with its license and pool.
const holdingQuery = `SELECT u.instance_id, u.count, u.wanted, u.measured_until, ` + licenseColumns + `, ` + poolColumns + `
	FROM usages u JOIN licenses l ON l.id = u.license_id
	JOIN pools p ON p.virtual_account_id = u.virtual_account_id AND p.license_id = u.license_id`

func (t *transaction) Holdings(id satellite.InstanceID) ([]satellite.Holding, error) {
	rows, err := t.statements.query(holdingQuery+` WHERE u.instance_id = ?`, int64(id))
	if err != nil {
		return nil, err
	}
	return holdingsOf(rows)
}

func (t *transaction) HoldingsOf(ids []satellite.InstanceID) (map[satellite.InstanceID][]satellite.Holding, error) {
	rows, err := t.db.Raw(holdingQuery+` WHERE u.instance_id IN ?`, ids).Rows()
	if err != nil {
		return nil, err
	}
	holdings, err := holdingsOf(rows)
	byInstance := make(map[satellite.InstanceID][]satellite.Holding, len(ids))
	for _, h := range holdings {
		byInstance[h.Usage.InstanceID] = append(byInstance[h.Usage.InstanceID], h)
	}
	return byInstance, err
}

// holdingsOf reads the rows of holdingQuery.
func holdingsOf(rows *sql.Rows) ([]satellite.Holding, error) {
	defer func() { _ = rows.Close() }()
	var holdings []satellite.Holding
	for rows.Next() {
		var instance, count, wanted, measured int64
		var license licenseRow
		var pool poolRow
		if err := rows.Scan(append(append([]any{&instance, &count, &wanted, &measured}, license.meaning()...), pool.fields()...)...); err != nil {
			return nil, err
		}
		license.ID, license.AccountID = pool.LicenseID, pool.AccountID
		holdings = append(holdings, satellite.Holding{
			License: license.domain(), Pool: pool.domain(),
			Usage: satellite.Usage{
				InstanceID: satellite.InstanceID(instance), LicenseID: satellite.LicenseID(pool.LicenseID), VirtualAccountID: satellite.VirtualAccountID(pool.VirtualAccountID),
				Count: count, Wanted: wanted, MeasuredUntil: instant(measured),
			},
		})
	}
	// Sorted here: a sorter in the statement costs more than the rest of it.
	slices.SortFunc(holdings, func(a, b satellite.Holding) int { return strings.Compare(a.License.Tag, b.License.Tag) })
	return holdings, rows.Err()
}

func (t *transaction) SaveUsage(u satellite.Usage) error {
	if u.Count == 0 && u.Wanted == 0 && u.MeasuredUntil.IsZero() {
		_, err := t.statements.exec(`DELETE FROM usages WHERE instance_id = ? AND license_id = ?`, int64(u.InstanceID), int64(u.LicenseID))
		return err
	}
	_, err := t.statements.exec(`INSERT INTO usages (instance_id, license_id, virtual_account_id, count, wanted, measured_until) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (instance_id, license_id) DO UPDATE SET virtual_account_id = excluded.virtual_account_id, count = excluded.count,
			wanted = excluded.wanted, measured_until = excluded.measured_until`,
		int64(u.InstanceID), int64(u.LicenseID), int64(u.VirtualAccountID), u.Count, u.Wanted, micros(u.MeasuredUntil))
	return err
}

// Family returns a row for every license of the family, with a pool of ID 0
// where the virtual account has none.
func (t *transaction) Family(virtual satellite.VirtualAccountID, family satellite.LicenseID) ([]satellite.PoolRow, error) {
	rows, err := t.statements.query(`SELECT l.id, l.account_id, `+licenseColumns+`, `+poolOrNone+`
		FROM licenses l LEFT JOIN pools p ON p.license_id = l.id AND p.virtual_account_id = ? WHERE l.family = ?`, int64(virtual), int64(family))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var list []satellite.PoolRow
	for rows.Next() {
		var license licenseRow
		var pool poolRow
		if err := rows.Scan(append(append([]any{&license.ID, &license.AccountID}, license.meaning()...), pool.fields()...)...); err != nil {
			return nil, err
		}
		pool.AccountID, pool.VirtualAccountID, pool.LicenseID = license.AccountID, int64(virtual), license.ID
		list = append(list, satellite.PoolRow{Pool: pool.domain(), License: license.domain()})
	}
	slices.SortFunc(list, func(a, b satellite.PoolRow) int { return strings.Compare(a.License.Tag, b.License.Tag) })
	return list, rows.Err()
}

// poolOrNone are poolColumns where there may be no pool.
var poolOrNone = func() string {
	columns := strings.Split(poolColumns, ",")
	for i, c := range columns {
		columns[i] = "COALESCE(" + strings.TrimSpace(c) + ", 0)"
	}
	return strings.Join(columns, ", ")
}()

func (t *transaction) UsagesOf(virtual satellite.VirtualAccountID, license satellite.LicenseID, page satellite.Page) ([]satellite.UsageRow, error) {
	var rows []struct {
		PIID            string `gorm:"column:piid"`
		Hostname        string
		UDIPID          string `gorm:"column:udi_pid"`
		UDISerialNumber string `gorm:"column:udi_serial_number"`
		Count           int64
	}
	err := t.db.Raw(`SELECT i.piid, i.hostname, i.udi_pid, i.udi_serial_number, u.count FROM usages u JOIN instances i ON i.id = u.instance_id
		WHERE u.virtual_account_id = ? AND u.license_id = ? AND u.instance_id > ? AND u.count > 0 ORDER BY u.instance_id LIMIT ?`, virtual, license, page.After, page.Limit).Scan(&rows).Error
	list := make([]satellite.UsageRow, len(rows))
	for i, r := range rows {
		list[i] = satellite.UsageRow(r)
	}
	return list, err
}

func (t *transaction) CountUsages(virtual satellite.VirtualAccountID, license satellite.LicenseID) (count int64, err error) {
	err = t.db.Raw(`SELECT COUNT(*) FROM usages WHERE virtual_account_id = ? AND license_id = ? AND count > 0`, virtual, license).Scan(&count).Error
	return count, err
}
