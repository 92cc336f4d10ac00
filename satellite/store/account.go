package store

import (
	"encoding/asn1"
	"fmt"
	"strings"

	"gorm.io/gorm/clause"

	"ssm/satellite"
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
	Creator                string
	RequesterName          string
	Headquarters           string
	Searchable             bool
	Locked                 bool
	InactiveReason         string
	UpstreamAccount        string
	UpstreamVirtualAccount string
	UpstreamKey            string
	UpstreamRegisteredAt   int64
}

func (accountRow) TableName() string { return "accounts" }

var accountColumns = []string{
	"id", "name", "name_key", "type", "domain_identifier", "status", "requester_email", "requested_at", "activated_at",
	"creator", "requester_name", "headquarters", "searchable", "locked", "inactive_reason",
	"upstream_account", "upstream_virtual_account", "upstream_key", "upstream_registered_at",
}

var accountByID = `SELECT ` + strings.Join(accountColumns, ", ") + ` FROM accounts WHERE id = ?`

func accountToRow(a satellite.Account) accountRow {
	return accountRow{
		ID: int64(a.ID), Name: a.Name, NameKey: nameKey(a.Name), Type: string(a.Type), DomainIdentifier: a.DomainIdentifier,
		Status: string(a.Status), RequesterEmail: a.RequesterEmail, RequestedAt: micros(a.RequestedAt), ActivatedAt: micros(a.ActivatedAt),
		Creator: a.Creator, RequesterName: a.RequesterName, Headquarters: a.Headquarters, Searchable: a.Searchable, Locked: a.Locked, InactiveReason: a.InactiveReason,
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
		Creator: r.Creator, RequesterName: r.RequesterName, Headquarters: r.Headquarters, Searchable: r.Searchable, Locked: r.Locked, InactiveReason: r.InactiveReason,
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
		&r.Creator, &r.RequesterName, &r.Headquarters, &r.Searchable, &r.Locked, &r.InactiveReason,
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
	err := t.db.Select(accountColumns[1:]).Where("id = ?", r.ID).Updates(&r).Error
	return unique(err, "account", fmt.Sprintf("There is an account %q already.", a.Name))
}

// accountTables are the tables with rows of an account, each before those that
// its rows refer to. Events and alerts stay.
var accountTables = []string{
	"privacy_states", "privacy_settings", "staged_records", "sent_records", "tombstones", "sync_exchanges", "sync_schedules", "sync_requests", "sync_states", "usage_reports", "custom_tags", "reservations", "transfers", "pools", "lots", "licenses",
	"tokens", "certificates", "nominations", "agreements", "agreement_acceptances", "upgrades", "authorities", "grants", "api_clients", "user_groups", "instances", "virtual_accounts",
}

func (t *transaction) DeleteAccount(id satellite.AccountID) error {
	if err := t.db.Exec(`DELETE FROM reservation_items WHERE reservation_id IN (SELECT id FROM reservations WHERE account_id = ?)`, id).Error; err != nil {
		return err
	}
	for _, table := range accountTables {
		if err := t.db.Exec("DELETE FROM "+table+" WHERE account_id = ?", id).Error; err != nil {
			return fmt.Errorf("empty %s of account %d: %w", table, id, err)
		}
	}
	return t.db.Where("id = ?", id).Delete(&accountRow{}).Error
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
