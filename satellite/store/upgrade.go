package store

import (
	"gorm.io/gorm/clause"

	"ssm/satellite"
)

type upgradeRow struct {
	AccountID        int64 `gorm:"primaryKey;autoIncrement:false"`
	Name             string
	DomainIdentifier string
	Email            string
	RequestedBy      string
	RequestedAt      int64
	Status           string
	Reason           string
	AnsweredAt       int64
}

func (upgradeRow) TableName() string { return "upgrades" }

var upgradeColumns = []string{"account_id", "name", "domain_identifier", "email", "requested_by", "requested_at", "status", "reason", "answered_at"}

func (t *transaction) Upgrade(account satellite.AccountID) (satellite.Upgrade, error) {
	var rows []upgradeRow
	err := t.db.Select(upgradeColumns).Where("account_id = ?", account).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return satellite.Upgrade{AccountID: account}, err
	}
	r := rows[0]
	return satellite.Upgrade{
		AccountID: account, Name: r.Name, DomainIdentifier: r.DomainIdentifier, Email: r.Email, RequestedBy: r.RequestedBy, RequestedAt: instant(r.RequestedAt),
		Status: satellite.UpgradeStatus(r.Status), Reason: r.Reason, AnsweredAt: instant(r.AnsweredAt),
	}, nil
}

func (t *transaction) SaveUpgrade(u satellite.Upgrade) error {
	return t.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&upgradeRow{
		AccountID: int64(u.AccountID), Name: u.Name, DomainIdentifier: u.DomainIdentifier, Email: u.Email, RequestedBy: u.RequestedBy, RequestedAt: micros(u.RequestedAt),
		Status: string(u.Status), Reason: u.Reason, AnsweredAt: micros(u.AnsweredAt),
	}).Error
}
