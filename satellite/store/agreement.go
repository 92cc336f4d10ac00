package store

import (
	"gorm.io/gorm/clause"

	"ssm/satellite"
)

type agreementRow struct {
	AccountID  int64  `gorm:"primaryKey;autoIncrement:false"`
	Version    string `gorm:"primaryKey"`
	Text       string
	ReceivedAt int64
}

func (agreementRow) TableName() string { return "agreements" }

func (t *transaction) Agreement(account satellite.AccountID, version string) (satellite.Agreement, error) {
	var r agreementRow
	err := t.db.Select("account_id", "version", "text", "received_at").Where("account_id = ? AND version = ?", account, version).Take(&r).Error
	return satellite.Agreement{AccountID: account, Version: r.Version, Text: r.Text, ReceivedAt: instant(r.ReceivedAt)}, found(err, "agreement", version)
}

func (t *transaction) SaveAgreement(a satellite.Agreement) error {
	return t.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&agreementRow{
		AccountID: int64(a.AccountID), Version: a.Version, Text: a.Text, ReceivedAt: micros(a.ReceivedAt),
	}).Error
}

type acceptanceRow struct {
	AccountID  int64  `gorm:"primaryKey;autoIncrement:false"`
	Version    string `gorm:"primaryKey"`
	AcceptedAt int64
	AcceptedBy string
}

func (acceptanceRow) TableName() string { return "agreement_acceptances" }

func (t *transaction) Acceptances(account satellite.AccountID) ([]satellite.Acceptance, error) {
	var rows []acceptanceRow
	err := t.db.Select("account_id", "version", "accepted_at", "accepted_by").Where("account_id = ?", account).Order("accepted_at DESC, version DESC").Find(&rows).Error
	list := make([]satellite.Acceptance, len(rows))
	for i, r := range rows {
		list[i] = satellite.Acceptance{AccountID: account, Version: r.Version, AcceptedAt: instant(r.AcceptedAt), AcceptedBy: r.AcceptedBy}
	}
	return list, err
}

func (t *transaction) SaveAcceptance(a satellite.Acceptance) error {
	return unique(t.db.Create(&acceptanceRow{
		AccountID: int64(a.AccountID), Version: a.Version, AcceptedAt: micros(a.AcceptedAt), AcceptedBy: a.AcceptedBy,
	}).Error, "acceptance", "This version was accepted already.")
}
