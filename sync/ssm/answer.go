package ssm

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"gorm.io/gorm"

	"ssm/satellite/wire"
	"ssm/sync/offline"
)

const keptAnswers = 10 // per satellite

// AnswerOptions override the account and virtual account that a registration
// names; "" keeps what it names. A satellite that is bound already keeps its
// virtual account: naming another one is refused.
type AnswerOptions struct {
	Account, VirtualAccount string
	// Online is what stands in for the operator who vouches for a registration
	// by file; nil by file.
	Online *Online
}

// Answer is the response to a request.
type Answer struct {
	SatelliteID    string `json:"satellite_id"`
	LocalAccount   string `json:"local_account"`
	Account        string `json:"account"`
	VirtualAccount string `json:"virtual_account"`
	Sequence       int64  `json:"sequence"`
	// Registered says that this request bound the satellite, or bound it anew
	// under another key.
	Registered bool `json:"registered"`
	// Repeated says that the request was answered before: these are the same bytes.
	Repeated bool `json:"repeated"`
	// FullRequested says that nothing of the request was kept. Reason says why, or
	// what is wrong with a request that was kept.
	FullRequested bool   `json:"full_requested"`
	Reason        string `json:"reason,omitempty"`
	// Recoveries is how many devices the response tells that the satellite lacks.
	Recoveries int64 `json:"recoveries,omitempty"`
	// Upgrade is what the response says about the satellite's last request for
	// an upgrade; "" where there was none, or the answer is repeated.
	Upgrade string `json:"upgrade,omitempty"`

	// ID names the kept answer, see Answered.
	ID int64 `json:"-"`
	// Body is the response container, and FileName proposes a name for it.
	Body     []byte `json:"-"`
	FileName string `json:"-"`
}

type answerRow struct {
	ID            int64 `gorm:"primaryKey"`
	Satellite     int64
	Sequence      int64
	RequestDigest string
	FullRequested bool
	Reason        string
	Body          []byte
	CreatedAt     time.Time
}

func (answerRow) TableName() string { return "answers" }

// answered finds the answer that this very request got before.
func (e *exchange) answered() (bool, error) {
	var row answerRow
	err := e.tx.Where("satellite = ? AND sequence = ? AND request_digest = ?",
		e.satellite.ID, e.request.Manifest.Sequence, e.request.Digest).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return false, nil
	}
	e.result.Repeated = true
	e.finish(row)
	return true, err
}

// finish fills in what is known of every answer.
func (e *exchange) finish(row answerRow) {
	e.result.Account, e.result.VirtualAccount = e.account.Name, e.virtual.Name
	e.result.fill(row)
}

func (a *Answer) fill(row answerRow) {
	a.ID, a.FullRequested, a.Reason, a.Body = row.ID, row.FullRequested, row.Reason, row.Body
	a.FileName = offline.FileName(wire.Manifest{Kind: wire.SyncResponse, Sequence: a.Sequence,
		Account: wire.SyncAccount{ID: strconv.FormatInt(row.Satellite, 10), Name: a.LocalAccount}})
}

// Answered finds one of the newest answers again. ErrRefused where it is not
// kept any more.
func (u *Upstream) Answered(ctx context.Context, id int64) (Answer, error) {
	var a Answer
	err := u.view(ctx, func(tx *gorm.DB) error {
		var row answerRow
		if err := tx.Where("id = ?", id).Take(&row).Error; err != nil {
			return err
		}
		var satellite satelliteRow
		if err := tx.Where("id = ?", row.Satellite).Take(&satellite).Error; err != nil {
			return err
		}
		account, virtual, err := boundTo(tx, satellite)
		a = Answer{SatelliteID: satellite.SatelliteID, LocalAccount: satellite.LocalAccount,
			Account: account.Name, VirtualAccount: virtual.Name, Sequence: row.Sequence}
		a.fill(row)
		return err
	})
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return a, refuse("this answer is not kept any more: answer the request again")
	}
	return a, err
}

// write makes the response, signs it, and keeps it for a repeat.
func (e *exchange) write(records *wire.RecordWriter, digests map[wire.RecordKind]wire.Digest) (Answer, error) {
	if err := e.addLicenses(records); err != nil {
		return Answer{}, err
	}
	agreement, err := currentAgreement(e.tx)
	if err != nil {
		return Answer{}, err
	}
	upgrade, err := e.upgradeAnswer()
	if err != nil {
		return Answer{}, err
	}
	if upgrade != nil {
		e.result.Upgrade = string(upgrade.Status)
	}
	m := e.request.Manifest
	response := wire.Manifest{
		Kind: wire.SyncResponse, CreatedAt: e.now, SatelliteID: m.SatelliteID, Sequence: m.Sequence,
		Account:     wire.SyncAccount{ID: m.Account.ID, Name: m.Account.Name, SmartAccount: e.account.Name, VirtualAccount: e.virtual.Name},
		StateDigest: digests,
		Response: &wire.ResponsePart{
			RequestDigest: e.request.Digest, FullRequested: e.verdict.refused, Reason: e.verdict.reason, Lineage: e.verdict.lineage,
			NextSequence: e.satellite.LastSequence + 1, Deadline: e.satellite.Deadline,
			AccountType: e.account.Type, DomainIdentifier: e.account.Domain, Upgrade: upgrade,
			AgreementVersion: agreement.Version, AgreementText: agreement.Text,
			Notices: e.notices, Certificates: [][]byte{e.satellite.SubCA, e.keys.issuing.Certificate.Raw, e.keys.root.Raw},
		},
	}
	signer, err := e.keys.signer(e.now)
	if err != nil {
		return Answer{}, err
	}
	var body bytes.Buffer
	if _, err := records.WriteTo(&body, response, signer); err != nil {
		return Answer{}, err
	}
	row := answerRow{Satellite: e.satellite.ID, Sequence: m.Sequence, RequestDigest: e.request.Digest,
		FullRequested: e.verdict.refused, Reason: e.verdict.reason, Body: body.Bytes(), CreatedAt: e.now}
	if err := e.tx.Create(&row).Error; err != nil {
		return Answer{}, err
	}
	if err := e.tx.Exec(`DELETE FROM answers WHERE satellite = ? AND id NOT IN
			(SELECT id FROM answers WHERE satellite = ? ORDER BY id DESC LIMIT ?)`, e.satellite.ID, e.satellite.ID, keptAnswers).Error; err != nil {
		return Answer{}, err
	}
	e.finish(row)
	return e.result, nil
}

// addLicenses adds all lots of the virtual account that have not ended, after
// what their tags mean; one that starts later goes along, so that it counts
// when its day comes.
func (e *exchange) addLicenses(records *wire.RecordWriter) error {
	lots, err := boughtLots(e.tx, "l.virtual_account_id = ?", e.virtual.ID)
	if err != nil {
		return err
	}
	lots = slices.DeleteFunc(lots, func(b boughtLot) bool { return b.Lot.EndAt != nil && !e.now.Before(*b.Lot.EndAt) })
	if err := e.addDefinitions(records, lots); err != nil {
		return err
	}
	for _, bought := range lots {
		lot := bought.Lot
		record, err := wire.NewRecord(wire.RecordLot, lot.ID, wire.LotRecord{Tag: bought.Tag, Type: lot.Type, Quantity: lot.Quantity,
			Start: lot.StartAt, End: lot.EndAt, Order: lot.OrderNumber, SubscriptionID: lot.SubscriptionID})
		if err != nil {
			return err
		}
		if err := records.Add(record); err != nil {
			return err
		}
	}
	return nil
}

// addDefinitions adds what the tags of the lots mean, with all that the
// hierarchy leads to from them: a satellite lends between tiers.
func (e *exchange) addDefinitions(records *wire.RecordWriter, lots []boughtLot) error {
	all, err := loadDefinitions(e.tx, e.account)
	if err != nil {
		return err
	}
	tags := make([]string, len(lots))
	for i, lot := range lots {
		tags[i] = lot.Tag
	}
	for _, tag := range all.tiers().family(tags) {
		record, err := all.byTag[tag].record()
		if err != nil {
			return err
		}
		if err := records.Add(record); err != nil {
			return err
		}
	}
	return nil
}
