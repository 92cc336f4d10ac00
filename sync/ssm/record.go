package ssm

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"ssm/satellite/wire"
)

const (
	batchSize = 500  // records that are looked up and written together
	maxKey    = 1024 // bytes
)

type recordRow struct {
	Satellite int64  `gorm:"primaryKey"`
	Kind      string `gorm:"primaryKey"`
	Key       string `gorm:"primaryKey"`
	Hash      []byte
	Value     string
}

func (recordRow) TableName() string { return "records" }

type stateRow struct {
	Satellite int64  `gorm:"primaryKey"`
	Kind      string `gorm:"primaryKey"`
	Digest    []byte
	Count     int64
}

func (stateRow) TableName() string { return "states" }

type reportRow struct {
	Satellite  int64  `gorm:"primaryKey"`
	Digest     string `gorm:"primaryKey"`
	Report     []byte
	ReceivedAt time.Time
}

func (reportRow) TableName() string { return "reports" }

// holding is what is held of one satellite: records by kind and key, of which
// it keeps the digest of each kind up to date. A batch of each kind is in
// memory, and nothing else.
type holding struct {
	tx        *gorm.DB
	satellite int64
	states    map[wire.RecordKind]*held
}

// held is one kind of records.
type held struct {
	digest wire.Digest
	count  int64
	batch  []wire.Record
	keys   map[string]bool // of the batch
}

func newHolding(tx *gorm.DB, satellite int64) (*holding, error) {
	h := &holding{tx: tx, satellite: satellite, states: map[wire.RecordKind]*held{}}
	for _, kind := range wire.StateKinds {
		h.states[kind] = &held{keys: map[string]bool{}}
	}
	var rows []stateRow
	if err := tx.Where("satellite = ?", satellite).Find(&rows).Error; err != nil {
		return nil, err
	}
	for _, row := range rows {
		state := h.states[wire.RecordKind(row.Kind)]
		if state == nil || len(row.Digest) != len(state.digest) {
			return nil, fmt.Errorf("the state of %q cannot be read: the database is damaged, restore it from its backup", row.Kind)
		}
		state.digest, state.count = wire.Digest(row.Digest), row.Count
	}
	return h, nil
}

// clear forgets everything that is held.
func (h *holding) clear() error {
	for _, state := range h.states {
		state.digest, state.count = wire.Digest{}, 0
	}
	return h.tx.Where("satellite = ?", h.satellite).Delete(&recordRow{}).Error
}

// put takes a record or a tombstone. wire.ErrMalformed where it is not what its
// kind must be.
func (h *holding) put(record wire.Record) error {
	if err := checkRecord(record); err != nil {
		return err
	}
	state := h.states[record.Kind]
	if len(state.batch) == batchSize || state.keys[record.Key] {
		if err := h.flush(record.Kind); err != nil {
			return err
		}
	}
	state.batch = append(state.batch, record)
	state.keys[record.Key] = true
	return nil
}

// flush writes the batch of a kind.
func (h *holding) flush(kind wire.RecordKind) error {
	state := h.states[kind]
	if len(state.batch) == 0 {
		return nil
	}
	old, err := h.hashes(kind, state.batch)
	if err != nil {
		return err
	}
	var rows []recordRow
	var removed []string
	for _, record := range state.batch {
		if hash, ok := old[record.Key]; ok {
			state.digest = state.digest.Subtract(hash)
			state.count--
		}
		if record.Removed {
			removed = append(removed, record.Key)
			continue
		}
		hash, err := record.Hash()
		if err != nil {
			return err
		}
		state.digest = state.digest.Add(hash)
		state.count++
		rows = append(rows, recordRow{Satellite: h.satellite, Kind: string(kind), Key: record.Key, Hash: hash[:], Value: string(record.Value)})
	}
	state.batch = state.batch[:0]
	clear(state.keys)
	if len(removed) > 0 {
		if err := h.tx.Where("satellite = ? AND kind = ? AND key IN ?", h.satellite, kind, removed).Delete(&recordRow{}).Error; err != nil {
			return err
		}
	}
	if len(rows) == 0 {
		return nil
	}
	return h.tx.Clauses(clause.OnConflict{
		Columns:   []clause.Column{{Name: "satellite"}, {Name: "kind"}, {Name: "key"}},
		DoUpdates: clause.AssignmentColumns([]string{"hash", "value"}),
	}).Create(&rows).Error
}

// hashes finds those of the records that are held under the same keys.
func (h *holding) hashes(kind wire.RecordKind, records []wire.Record) (map[string]wire.Digest, error) {
	keys := make([]string, len(records))
	for i, record := range records {
		keys[i] = record.Key
	}
	var rows []recordRow
	if err := h.tx.Select("key", "hash").Where("satellite = ? AND kind = ? AND key IN ?", h.satellite, kind, keys).Find(&rows).Error; err != nil {
		return nil, err
	}
	hashes := make(map[string]wire.Digest, len(rows))
	for _, row := range rows {
		hashes[row.Key] = wire.Digest(row.Hash)
	}
	return hashes, nil
}

// finish writes what is left, and the digests.
func (h *holding) finish() error {
	var rows []stateRow
	for _, kind := range wire.StateKinds {
		if err := h.flush(kind); err != nil {
			return err
		}
		state := h.states[kind]
		rows = append(rows, stateRow{Satellite: h.satellite, Kind: string(kind), Digest: state.digest[:], Count: state.count})
	}
	return h.tx.Clauses(clause.OnConflict{
		Columns:   []clause.Column{{Name: "satellite"}, {Name: "kind"}},
		DoUpdates: clause.AssignmentColumns([]string{"digest", "count"}),
	}).Create(&rows).Error
}

func (h *holding) digests() map[wire.RecordKind]wire.Digest {
	digests := map[wire.RecordKind]wire.Digest{}
	for kind, state := range h.states {
		digests[kind] = state.digest
	}
	return digests
}

// checkRecord says wire.ErrMalformed unless the value fits the kind and names
// the key that it stands under.
func checkRecord(record wire.Record) error {
	if record.Key == "" || len(record.Key) > maxKey {
		return fmt.Errorf("%w: a %s record whose key has %d bytes, 1 to %d are read", wire.ErrMalformed, record.Kind, len(record.Key), maxKey)
	}
	if record.Removed {
		return nil
	}
	var key string
	var err error
	switch record.Kind {
	case wire.RecordDevice:
		var device wire.DeviceRecord
		err = record.Decode(&device)
		key = device.PIID
	case wire.RecordToken:
		var token wire.TokenRecord
		err = record.Decode(&token)
		key = token.ID
	case wire.RecordUsage:
		var usage wire.UsageRecord
		err = record.Decode(&usage)
		key = usage.VirtualAccount + "\t" + usage.Tag
		for _, count := range []int64{usage.InUse, usage.Reserved} {
			if err == nil && (count < 0 || count > maxInUse) {
				err = fmt.Errorf("%w: usage of %d, 0 to %d is read", wire.ErrMalformed, count, int64(maxInUse))
			}
		}
	}
	if err == nil && key != record.Key {
		err = fmt.Errorf("%w: a %s record stands under a key that is not its own", wire.ErrMalformed, record.Kind)
	}
	return err
}

// keepReport keeps a usage report, once, and returns its acknowledgement.
func keepReport(tx *gorm.DB, satellite int64, record wire.Record, now time.Time) (wire.Record, error) {
	var report wire.ReportRecord
	if err := record.Decode(&report); err != nil {
		return wire.Record{}, err
	}
	if sum := sha256.Sum256(report.Report); record.Removed || record.Key != hex.EncodeToString(sum[:]) {
		return wire.Record{}, fmt.Errorf("%w: a report stands under a digest that is not its own", wire.ErrMalformed)
	}
	row := reportRow{Satellite: satellite, Digest: record.Key, Report: report.Report, ReceivedAt: now}
	var known reportRow
	err := tx.Select("received_at").Where("satellite = ? AND digest = ?", satellite, record.Key).Take(&known).Error
	switch {
	case errors.Is(err, gorm.ErrRecordNotFound):
		err = tx.Create(&row).Error
	case err == nil:
		row.ReceivedAt = known.ReceivedAt
	}
	if err != nil {
		return wire.Record{}, err
	}
	return wire.NewRecord(wire.RecordAcknowledgement, record.Key, wire.AcknowledgementRecord{ReceivedAt: row.ReceivedAt})
}

func isState(kind wire.RecordKind) bool { return slices.Contains(wire.StateKinds, kind) }
