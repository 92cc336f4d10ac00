package store

import (
	"time"

	"gorm.io/gorm/clause"

	"ssm/satellite"
)

type satelliteRow struct {
	ID          int64 `gorm:"primaryKey"`
	SatelliteID string
	CreatedAt   int64 `gorm:"autoCreateTime:false"`
	CrlNumber   int64
}

func (satelliteRow) TableName() string { return "satellite" }

func (t *transaction) Satellite() (satellite.Satellite, error) {
	var r satelliteRow
	err := t.db.Select("id", "satellite_id", "created_at", "crl_number").Take(&r).Error
	return satellite.Satellite{ID: r.SatelliteID, CreatedAt: instant(r.CreatedAt), CRLNumber: r.CrlNumber}, found(err, "satellite", "yet")
}

func (t *transaction) SaveSatellite(s satellite.Satellite) error {
	return t.db.Clauses(clause.OnConflict{UpdateAll: true}).
		Create(&satelliteRow{ID: 1, SatelliteID: s.ID, CreatedAt: micros(s.CreatedAt), CrlNumber: s.CRLNumber}).Error
}

type rootRow struct {
	Fingerprint string `gorm:"primaryKey"`
	Name        string
	DER         []byte `gorm:"column:der"`
	NotAfter    int64
	TrustedAt   int64
}

func (rootRow) TableName() string { return "trusted_roots" }

func (t *transaction) Roots() ([]satellite.Root, error) {
	var rows []rootRow
	err := t.db.Select("fingerprint", "name", "der", "not_after", "trusted_at").Order("trusted_at, fingerprint").Find(&rows).Error
	roots := make([]satellite.Root, len(rows))
	for i, r := range rows {
		roots[i] = satellite.Root{Fingerprint: r.Fingerprint, Name: r.Name, DER: r.DER, NotAfter: instant(r.NotAfter), TrustedAt: instant(r.TrustedAt)}
	}
	return roots, err
}

func (t *transaction) AddRoot(r satellite.Root) error {
	return t.db.Create(&rootRow{Fingerprint: r.Fingerprint, Name: r.Name, DER: r.DER, NotAfter: micros(r.NotAfter), TrustedAt: micros(r.TrustedAt)}).Error
}

type tokenKeyRow struct {
	ID        string `gorm:"primaryKey"`
	Key       []byte
	CreatedAt int64 `gorm:"autoCreateTime:false"`
}

func (tokenKeyRow) TableName() string { return "token_keys" }

func (t *transaction) TokenKeys() ([]satellite.TokenKey, error) {
	var rows []tokenKeyRow
	err := t.db.Select("id", "key", "created_at").Order("created_at DESC").Find(&rows).Error
	keys := make([]satellite.TokenKey, len(rows))
	for i, r := range rows {
		keys[i] = satellite.TokenKey{ID: r.ID, Key: r.Key, CreatedAt: instant(r.CreatedAt)}
	}
	return keys, err
}

func (t *transaction) AddTokenKey(k satellite.TokenKey) error {
	return t.db.Create(&tokenKeyRow{ID: k.ID, Key: k.Key, CreatedAt: micros(k.CreatedAt)}).Error
}

type jobRow struct {
	Job     string `gorm:"primaryKey"`
	RanAt   int64
	Problem string
}

func (jobRow) TableName() string { return "job_runs" }

func (t *transaction) LastRun(job string) (time.Time, error) {
	var rows []jobRow
	err := t.db.Select("job", "ran_at").Where("job = ?", job).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return time.Time{}, err
	}
	return instant(rows[0].RanAt), nil
}

func (t *transaction) SaveRun(job string, at time.Time, problem string) error {
	return t.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&jobRow{Job: job, RanAt: micros(at), Problem: problem}).Error
}
