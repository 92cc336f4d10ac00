package store

import (
	"gorm.io/gorm/clause"

	"ssm/satellite"
)

type upstreamRow struct {
	ID                int64 `gorm:"primaryKey;autoIncrement:false"`
	URL               string
	CA                []byte `gorm:"column:ca"`
	Proxy             []byte
	ClientCertificate []byte
	ClientKey         []byte
	SetAt             int64
	SetBy             string
}

func (upstreamRow) TableName() string { return "upstream" }

const theUpstream = 1 // the id of the only row

func (t *transaction) Upstream() (satellite.UpstreamSettings, error) {
	var r upstreamRow
	err := t.db.Select("id", "url", "ca", "proxy", "client_certificate", "client_key", "set_at", "set_by").Where("id = ?", theUpstream).Take(&r).Error
	return satellite.UpstreamSettings{
		URL: r.URL, CA: r.CA, Proxy: r.Proxy, ClientCertificate: r.ClientCertificate, ClientKey: r.ClientKey, SetAt: instant(r.SetAt), SetBy: r.SetBy,
	}, found(err, "upstream", "")
}

func (t *transaction) SaveUpstream(u satellite.UpstreamSettings) error {
	return t.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&upstreamRow{
		ID: theUpstream, URL: u.URL, CA: filledBytes(u.CA), Proxy: filledBytes(u.Proxy), ClientCertificate: filledBytes(u.ClientCertificate),
		ClientKey: filledBytes(u.ClientKey), SetAt: micros(u.SetAt), SetBy: u.SetBy,
	}).Error
}

// filledBytes is never null.
func filledBytes(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func (t *transaction) DeleteUpstream() error {
	return t.db.Where("id = ?", theUpstream).Delete(&upstreamRow{}).Error
}
