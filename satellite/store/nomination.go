package store

import (
	"gorm.io/gorm/clause"

	"ssm/satellite"
)

type nominationRow struct {
	AccountID int64 `gorm:"primaryKey;autoIncrement:false"`
	Email     string
	CodeHash  []byte
	Tries     int
	SentAt    int64
}

func (nominationRow) TableName() string { return "nominations" }

func (t *transaction) Nomination(account satellite.AccountID) (satellite.Nomination, error) {
	var r nominationRow
	err := t.db.Select("account_id", "email", "code_hash", "tries", "sent_at").Where("account_id = ?", account).Take(&r).Error
	return satellite.Nomination{AccountID: account, Email: r.Email, CodeHash: hash32(r.CodeHash), Tries: r.Tries, SentAt: instant(r.SentAt)},
		found(err, "nomination of account", account)
}

func (t *transaction) SaveNomination(n satellite.Nomination) error {
	return t.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&nominationRow{
		AccountID: int64(n.AccountID), Email: n.Email, CodeHash: n.CodeHash[:], Tries: n.Tries, SentAt: micros(n.SentAt),
	}).Error
}
