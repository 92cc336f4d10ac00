package store

import (
	"gorm.io/gorm/clause"

	"ssm/satellite"
	"ssm/satellite/wire"
)

type privacySettingsRow struct {
	AccountID  int64 `gorm:"primaryKey;autoIncrement:false"`
	Hostname   string
	IPAddress  string `gorm:"column:ip_address"`
	MACAddress string `gorm:"column:mac_address"`
	Version    string
}

func (privacySettingsRow) TableName() string { return "privacy_settings" }

func (t *transaction) PrivacySettings(account satellite.AccountID) (satellite.PrivacySettings, error) {
	var rows []privacySettingsRow
	err := t.db.Select("account_id", "hostname", "ip_address", "mac_address", "version").Where("account_id = ?", account).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return satellite.InheritedPrivacy(), err
	}
	r := rows[0]
	return satellite.PrivacySettings{
		Hostname: satellite.PrivacySwitch(r.Hostname), IPAddress: satellite.PrivacySwitch(r.IPAddress),
		MACAddress: satellite.PrivacySwitch(r.MACAddress), Version: satellite.PrivacySwitch(r.Version),
	}, nil
}

func (t *transaction) SavePrivacySettings(account satellite.AccountID, p satellite.PrivacySettings) error {
	return t.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&privacySettingsRow{
		AccountID: int64(account), Hostname: string(p.Hostname), IPAddress: string(p.IPAddress), MACAddress: string(p.MACAddress), Version: string(p.Version),
	}).Error
}

type privacyStateRow struct {
	AccountID   int64 `gorm:"primaryKey;autoIncrement:false"`
	SentWithout string
	Key         []byte
}

func (privacyStateRow) TableName() string { return "privacy_states" }

func (t *transaction) PrivacyState(account satellite.AccountID) (satellite.PrivacyState, error) {
	var rows []privacyStateRow
	err := t.db.Select("account_id", "sent_without", "key").Where("account_id = ?", account).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return satellite.PrivacyState{}, err
	}
	return satellite.PrivacyState{SentWithout: rows[0].SentWithout, Key: rows[0].Key}, nil
}

func (t *transaction) SavePrivacyState(account satellite.AccountID, p satellite.PrivacyState) error {
	return t.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&privacyStateRow{
		AccountID: int64(account), SentWithout: p.SentWithout, Key: p.Key,
	}).Error
}

func (t *transaction) ForgetSent(account satellite.AccountID) error {
	state, err := t.SyncState(account)
	if err != nil {
		return err
	}
	for kind := range state.Digests {
		state.Digests[kind] = wire.Digest{}
	}
	state.RenamedAt = t.nextChange()
	if err := t.SaveSyncState(state); err != nil {
		return err
	}
	return t.db.Exec(`DELETE FROM sent_records WHERE account_id = ?`, account).Error
}
