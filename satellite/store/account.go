package store

import (
	"encoding/asn1"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm/clause"

	"ssm/satellite"
	"ssm/satellite/wire"
)

type accountRow struct {
	ID                     int64 `gorm:"primaryKey"`
	Name                   string
	NameKey                string
	Type                   string
	DomainIdentifier       string
	Status                 string
	RequesterEmail         string
	RequestedAt            int64
	ActivatedAt            int64
	UpstreamAccount        string
	UpstreamVirtualAccount string
	UpstreamKey            string
	UpstreamRegisteredAt   int64
}

func (accountRow) TableName() string { return "accounts" }

var accountColumns = []string{
	"id", "name", "name_key", "type", "domain_identifier", "status", "requester_email", "requested_at", "activated_at",
	"upstream_account", "upstream_virtual_account", "upstream_key", "upstream_registered_at",
}

var accountByID = `SELECT ` + strings.Join(accountColumns, ", ") + ` FROM accounts WHERE id = ?`

func accountToRow(a satellite.Account) accountRow {
	return accountRow{
		ID: int64(a.ID), Name: a.Name, NameKey: nameKey(a.Name), Type: string(a.Type), DomainIdentifier: a.DomainIdentifier,
		Status: string(a.Status), RequesterEmail: a.RequesterEmail, RequestedAt: micros(a.RequestedAt), ActivatedAt: micros(a.ActivatedAt),
		UpstreamAccount: a.UpstreamAccount, UpstreamVirtualAccount: a.UpstreamVirtualAccount,
		UpstreamKey:          nameKey(a.UpstreamAccount + "\t" + a.UpstreamVirtualAccount),
		UpstreamRegisteredAt: micros(a.UpstreamRegisteredAt),
	}
}

func (r accountRow) domain() satellite.Account {
	return satellite.Account{
		ID: satellite.AccountID(r.ID), Name: r.Name, Type: satellite.AccountType(r.Type), DomainIdentifier: r.DomainIdentifier,
		Status: satellite.AccountStatus(r.Status), RequesterEmail: r.RequesterEmail,
		RequestedAt: instant(r.RequestedAt), ActivatedAt: instant(r.ActivatedAt),
		UpstreamAccount: r.UpstreamAccount, UpstreamVirtualAccount: r.UpstreamVirtualAccount,
		UpstreamRegisteredAt: instant(r.UpstreamRegisteredAt),
	}
}

func (t *transaction) CreateAccount(a satellite.Account) (satellite.Account, error) {
	r := accountToRow(a)
	r.ID = 0 // the database gives it, also where an earlier run of the function was rolled back
	var taken int64
	if err := t.db.Model(&accountRow{}).Where("upstream_key = ?", r.UpstreamKey).Where("name_key <> ?", r.NameKey).Count(&taken).Error; err != nil {
		return satellite.Account{}, err
	}
	if taken > 0 {
		return satellite.Account{}, &satellite.Error{
			Kind: satellite.KindConflict, Code: "upstream-pair-taken",
			Message: fmt.Sprintf("Another account settles with the upstream account %q, virtual account %q already. Nothing was created.", a.UpstreamAccount, a.UpstreamVirtualAccount),
			Hint:    "Name another with --upstream-virtual-account.",
		}
	}
	err := t.db.Create(&r).Error
	return r.domain(), unique(err, "account", fmt.Sprintf("There is an account %q already.", a.Name))
}

// Account stands on the device path.
func (t *transaction) Account(id satellite.AccountID) (satellite.Account, error) {
	var r accountRow
	err := t.one("account", id, []any{
		&r.ID, &r.Name, &r.NameKey, &r.Type, &r.DomainIdentifier, &r.Status, &r.RequesterEmail, &r.RequestedAt, &r.ActivatedAt,
		&r.UpstreamAccount, &r.UpstreamVirtualAccount, &r.UpstreamKey, &r.UpstreamRegisteredAt,
	}, accountByID, int64(id))
	return r.domain(), err
}

func (t *transaction) AccountByName(name string) (satellite.Account, error) {
	var r accountRow
	err := t.db.Select(accountColumns).Where("name_key = ?", nameKey(name)).Take(&r).Error
	return r.domain(), found(err, "account", name)
}

func (t *transaction) Accounts() ([]satellite.Account, error) {
	var rows []accountRow
	err := t.db.Select(accountColumns).Order("name_key").Find(&rows).Error
	accounts := make([]satellite.Account, len(rows))
	for i, r := range rows {
		accounts[i] = r.domain()
	}
	return accounts, err
}

func (t *transaction) SaveAccount(a satellite.Account) error {
	r := accountToRow(a)
	return t.db.Select(accountColumns[1:]).Where("id = ?", r.ID).Updates(&r).Error
}

type authorityRow struct {
	AccountID         int64 `gorm:"primaryKey;autoIncrement:false"`
	Key               []byte
	Chain             []byte
	Root              []byte
	SignerKey         []byte
	SignerCertificate []byte
	SignerNotAfter    int64
	SubCaNotBefore    int64
	SubCaNotAfter     int64
}

func (authorityRow) TableName() string { return "authorities" }

// Authority stands on the device path.
func (t *transaction) Authority(id satellite.AccountID) (satellite.Authority, error) {
	var r authorityRow
	err := t.one("authority of account", id, []any{
		&r.AccountID, &r.Key, &r.Chain, &r.Root, &r.SignerKey, &r.SignerCertificate, &r.SignerNotAfter, &r.SubCaNotBefore, &r.SubCaNotAfter,
	}, `SELECT account_id, key, chain, root, signer_key, signer_certificate, signer_not_after, sub_ca_not_before, sub_ca_not_after
		FROM authorities WHERE account_id = ?`, int64(id))
	if err != nil {
		return satellite.Authority{}, err
	}
	a := satellite.Authority{
		AccountID: satellite.AccountID(r.AccountID), Key: r.Key, Root: r.Root, SignerKey: r.SignerKey, SignerCertificate: r.SignerCertificate,
		SignerNotAfter: instant(r.SignerNotAfter), SubCANotBefore: instant(r.SubCaNotBefore), SubCANotAfter: instant(r.SubCaNotAfter),
	}
	for rest := r.Chain; len(rest) > 0; {
		var certificate asn1.RawValue
		if rest, err = asn1.Unmarshal(rest, &certificate); err != nil {
			return a, fmt.Errorf("read the chain of account %d: %w", id, err)
		}
		a.Chain = append(a.Chain, certificate.FullBytes)
	}
	return a, nil
}

func (t *transaction) SaveAuthority(a satellite.Authority) error {
	r := authorityRow{
		AccountID: int64(a.AccountID), Key: notNull(a.Key), Chain: []byte{}, Root: notNull(a.Root), SignerKey: notNull(a.SignerKey),
		SignerCertificate: notNull(a.SignerCertificate), SignerNotAfter: micros(a.SignerNotAfter),
		SubCaNotBefore: micros(a.SubCANotBefore), SubCaNotAfter: micros(a.SubCANotAfter),
	}
	for _, der := range a.Chain {
		r.Chain = append(r.Chain, der...)
	}
	return t.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&r).Error
}

// notNull keeps an empty value from becoming NULL.
func notNull(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

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
			AND (purchased > 0 OR in_use > 0 OR reserved > 0 OR transferred_in <> transferred_out)) AS licenses,
		(SELECT COUNT(*) FROM tokens WHERE virtual_account_id = @id AND revoked_at = 0 AND expires_at > @now
			AND (max_uses = 0 OR uses < max_uses)) AS tokens`,
		map[string]any{"id": id, "now": micros(now)}).Scan(&holds).Error
	return holds, err
}

func (t *transaction) DeleteVirtualAccount(id satellite.VirtualAccountID) error {
	var pools []poolNames
	if err := t.db.Raw(poolQuery+` WHERE p.virtual_account_id = ?`, id).Scan(&pools).Error; err != nil {
		return err
	}
	for _, p := range pools {
		row := p.domain()
		if err := t.bury(row.AccountID, wire.RecordUsage, row.VirtualAccount+"\t"+row.License.Tag); err != nil {
			return err
		}
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
	for _, table := range []string{"pools", "tokens", "lots"} {
		if err := t.db.Exec("DELETE FROM "+table+" WHERE virtual_account_id = ?", id).Error; err != nil {
			return err
		}
	}
	return t.db.Where("id = ?", id).Delete(&virtualAccountRow{}).Error
}
