package ssm

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"time"

	"gorm.io/gorm"

	"ssm/satellite/wire"
)

// duplicatedFor is how long after the last sign of it a satellite is said to be duplicated.
const duplicatedFor = 30 * 24 * time.Hour

// Satellite is one account of a satellite, as it is bound to a virtual account here.
type Satellite struct {
	SatelliteID          string    `json:"satellite_id"`
	LocalAccount         string    `json:"local_account"`
	LocalAccountID       string    `json:"local_account_id"`
	Account              string    `json:"account"`
	VirtualAccount       string    `json:"virtual_account"`
	Status               string    `json:"status"` // "registered"; "lapsed" from the deadline on; "duplicated" for 30 days after two copies of it have sent
	Sequence             int64     `json:"sequence"`
	Devices              int64     `json:"devices"`
	Tokens               int64     `json:"tokens"`
	Reports              int64     `json:"reports"`
	LastSyncAt           time.Time `json:"last_sync_at"`
	Deadline             time.Time `json:"deadline"`
	RegisteredAt         time.Time `json:"registered_at"`
	AgreementAccepted    string    `json:"agreement_accepted,omitempty"` // version, as last told
	CertificateExpiresAt time.Time `json:"certificate_expires_at"`       // of the sub CA
	KeySHA256            string    `json:"key_sha256"`                   // of the sub CA's public key, hexadecimal
	// RestoredAt and DuplicatedAt are the last signs that it goes on from an older
	// copy, or that two copies of it send.
	RestoredAt   *time.Time `json:"restored_at,omitempty"`
	DuplicatedAt *time.Time `json:"duplicated_at,omitempty"`
}

type satelliteRow struct {
	ID               int64 `gorm:"primaryKey"`
	SatelliteID      string
	LocalAccountID   string
	LocalAccount     string
	VirtualAccountID int64
	PublicKey        []byte
	SubCA            []byte `gorm:"column:sub_ca"`
	LastSequence     int64
	LastSyncAt       time.Time
	Deadline         time.Time
	RegisteredAt     time.Time

	AgreementAccepted string

	Holding      int64  // of its records; 0 before the first request is kept
	HeadDigest   string // of the last request that was kept
	HeadBase     int64  // its base_sequence
	RestoredAt   *time.Time
	DuplicatedAt *time.Time
	LapsedAt     *time.Time
}

func (satelliteRow) TableName() string { return "satellites" }

// Satellites lists the satellites by account and virtual account.
func (u *Upstream) Satellites(ctx context.Context) ([]Satellite, error) {
	now := u.instant()
	satellites := []Satellite{}
	if err := u.lapse(ctx); err != nil {
		return nil, err
	}
	err := u.view(ctx, func(tx *gorm.DB) error {
		var rows []struct {
			Bound                    satelliteRow `gorm:"embedded"`
			Account, VirtualAccount  string
			Devices, Tokens, Reports int64
		}
		err := tx.Raw(`SELECT s.id, s.satellite_id, s.local_account_id, s.local_account, s.virtual_account_id, s.public_key,
				s.sub_ca, s.last_sequence, s.last_sync_at, s.deadline, s.registered_at, s.agreement_accepted, s.restored_at, s.duplicated_at, s.lapsed_at, a.name AS account, v.name AS virtual_account,
				coalesce((SELECT count FROM states WHERE satellite = s.id AND kind = 'device'), 0) AS devices,
				coalesce((SELECT count FROM states WHERE satellite = s.id AND kind = 'token'), 0) AS tokens,
				(SELECT count(*) FROM reports WHERE satellite = s.id) AS reports
			FROM satellites s
			JOIN virtual_accounts v ON v.id = s.virtual_account_id
			JOIN accounts a ON a.id = v.account_id
			ORDER BY a.name, v.name`).Scan(&rows).Error
		if err != nil {
			return err
		}
		for _, r := range rows {
			subCA, err := x509.ParseCertificate(r.Bound.SubCA)
			if err != nil {
				return err
			}
			key := sha256.Sum256(r.Bound.PublicKey)
			satellite := Satellite{
				SatelliteID: r.Bound.SatelliteID, LocalAccount: r.Bound.LocalAccount, LocalAccountID: r.Bound.LocalAccountID,
				Account: r.Account, VirtualAccount: r.VirtualAccount, Status: "registered", Sequence: r.Bound.LastSequence,
				Devices: r.Devices, Tokens: r.Tokens, Reports: r.Reports,
				LastSyncAt: r.Bound.LastSyncAt, Deadline: r.Bound.Deadline, RegisteredAt: r.Bound.RegisteredAt,
				CertificateExpiresAt: subCA.NotAfter, KeySHA256: hex.EncodeToString(key[:]),
				AgreementAccepted: r.Bound.AgreementAccepted, RestoredAt: r.Bound.RestoredAt, DuplicatedAt: r.Bound.DuplicatedAt,
			}
			switch at := r.Bound.DuplicatedAt; {
			case r.Bound.LapsedAt != nil:
				satellite.Status = "lapsed"
			case at != nil && now.Before(at.Add(duplicatedFor)):
				satellite.Status = "duplicated"
			}
			satellites = append(satellites, satellite)
		}
		return nil
	})
	return satellites, err
}

// findSatellite finds the binding that a document speaks for; false where there is none.
func findSatellite(tx *gorm.DB, m wire.Manifest) (satelliteRow, bool, error) {
	var row satelliteRow
	err := tx.Where("satellite_id = ? AND local_account_id = ?", m.SatelliteID, m.Account.ID).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return row, false, nil
	}
	return row, err == nil, err
}

// boundTo finds the account and virtual account that a satellite is bound to.
func boundTo(tx *gorm.DB, satellite satelliteRow) (accountRow, virtualAccountRow, error) {
	var virtual virtualAccountRow
	if err := tx.Where("id = ?", satellite.VirtualAccountID).Take(&virtual).Error; err != nil {
		return accountRow{}, virtual, err
	}
	var account accountRow
	err := tx.Where("id = ?", virtual.AccountID).Take(&account).Error
	return account, virtual, err
}
