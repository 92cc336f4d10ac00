package ssm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"ssm/satellite/wire"
)

const (
	batchSize = 500  // records that are written together: about 10 ms
	maxKey    = 1024 // bytes
	// abandoned is how old a staged request is that no process works on any more.
	abandoned = 24 * time.Hour
)

type holdingRow struct {
	ID        int64 `gorm:"primaryKey"`
	State     string
	CreatedAt time.Time
}

func (holdingRow) TableName() string { return "holdings" }

type recordRow struct {
	Holding int64  `gorm:"primaryKey;autoIncrement:false"`
	Kind    string `gorm:"primaryKey"`
	Key     string `gorm:"primaryKey"`
	Hash    []byte
	Value   string
	Removed bool
}

func (recordRow) TableName() string { return "records" }

type stateRow struct {
	Satellite int64  `gorm:"primaryKey;autoIncrement:false"`
	Kind      string `gorm:"primaryKey"`
	Digest    []byte
	Count     int64
}

func (stateRow) TableName() string { return "states" }

type reportRow struct {
	Satellite  int64  `gorm:"primaryKey;autoIncrement:false"`
	Digest     string `gorm:"primaryKey"`
	Report     []byte
	ReceivedAt time.Time
}

func (reportRow) TableName() string { return "reports" }

type stagedReportRow struct {
	Holding int64  `gorm:"primaryKey;autoIncrement:false"`
	Digest  string `gorm:"primaryKey"`
	Report  []byte
}

func (stagedReportRow) TableName() string { return "staged_reports" }

// staging takes the records of a request into a holding of its own, batch by
// batch, so that no transaction grows with the request and a batch is all that
// is in memory. Nothing of it is seen before an exchange switches over to it.
type staging struct {
	*Upstream
	holding int64
	records []recordRow
	reports []stagedReportRow
}

// stage verifies and stages the records of a request.
func (u *Upstream) stage(ctx context.Context, request *wire.Container, now time.Time) (*staging, error) {
	if err := u.sweep(ctx, now); err != nil {
		return nil, err
	}
	holding := holdingRow{State: "staged", CreatedAt: now}
	if err := u.update(ctx, func(tx *gorm.DB) error { return tx.Create(&holding).Error }); err != nil {
		return nil, err
	}
	s := &staging{Upstream: u, holding: holding.ID}
	err := request.Records(func(record wire.Record) error { return s.take(ctx, record) })
	if err == nil {
		err = s.flush(ctx)
	}
	return s, err
}

// take checks one record and stages it with the others of its batch.
func (s *staging) take(ctx context.Context, record wire.Record) error {
	switch {
	case isState(record.Kind):
		if err := checkRecord(record); err != nil {
			return err
		}
		hash, err := record.Hash()
		if err != nil {
			return err
		}
		s.records = append(s.records, recordRow{Holding: s.holding, Kind: string(record.Kind), Key: record.Key, Hash: hash[:],
			Value: string(record.Value), Removed: record.Removed})
	case record.Kind == wire.RecordReport:
		report, err := checkReport(record)
		if err != nil {
			return err
		}
		s.reports = append(s.reports, stagedReportRow{Holding: s.holding, Digest: record.Key, Report: report})
	default:
		return refuse("the request holds records of the kind %.80q, which this program does not take; nothing was changed: update the program that is older", record.Kind)
	}
	if len(s.records)+len(s.reports) < batchSize {
		return nil
	}
	return s.flush(ctx)
}

// flush writes the batch.
func (s *staging) flush(ctx context.Context) error {
	err := s.update(ctx, func(tx *gorm.DB) error {
		if len(s.records) > 0 {
			if err := tx.Clauses(clause.OnConflict{
				Columns:   []clause.Column{{Name: "holding"}, {Name: "kind"}, {Name: "key"}},
				DoUpdates: clause.AssignmentColumns([]string{"hash", "value", "removed"}),
			}).Create(&s.records).Error; err != nil {
				return err
			}
		}
		if len(s.reports) == 0 {
			return nil
		}
		return tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&s.reports).Error
	})
	s.records, s.reports = s.records[:0], s.reports[:0]
	return err
}

// drop gives up what is staged and was not switched over to.
func (s *staging) drop(ctx context.Context) error {
	err := s.update(ctx, func(tx *gorm.DB) error {
		return tx.Model(&holdingRow{}).Where("id = ? AND state = 'staged'", s.holding).Update("state", "dropped").Error
	})
	if err != nil {
		return err
	}
	return s.sweep(ctx, s.instant())
}

// sweep deletes what nothing refers to any more, a batch in each transaction:
// holdings that others have taken the place of, and what a crash left staged.
func (u *Upstream) sweep(ctx context.Context, now time.Time) error {
	var gone []int64
	err := u.view(ctx, func(tx *gorm.DB) error {
		return tx.Model(&holdingRow{}).Where("state = 'dropped' OR state = 'staged' AND created_at < ?", now.Add(-abandoned)).Pluck("id", &gone).Error
	})
	for _, holding := range gone {
		for deleted := int64(1); deleted > 0 && err == nil; {
			err = u.update(ctx, func(tx *gorm.DB) error {
				deleted = 0
				for _, table := range []struct{ name, key string }{{"records", "kind, key"}, {"staged_reports", "digest"}} {
					result := tx.Exec("DELETE FROM "+table.name+" WHERE holding = ? AND ("+table.key+") IN (SELECT "+table.key+" FROM "+table.name+" WHERE holding = ? LIMIT ?)",
						holding, holding, 4*batchSize)
					if result.Error != nil {
						return result.Error
					}
					deleted += result.RowsAffected
				}
				if deleted > 0 {
					return nil
				}
				return tx.Delete(&holdingRow{}, holding).Error
			})
		}
	}
	return err
}

// sums are the digest and the number of the records of each kind.
type sums map[wire.RecordKind]*sum

type sum struct {
	digest wire.Digest
	count  int64
}

// heldSums are those of what is held of a satellite.
func heldSums(tx *gorm.DB, satellite int64) (sums, error) {
	s := sums{}
	for _, kind := range wire.StateKinds {
		s[kind] = &sum{}
	}
	var rows []stateRow
	if err := tx.Where("satellite = ?", satellite).Find(&rows).Error; err != nil {
		return nil, err
	}
	for _, row := range rows {
		state := s[wire.RecordKind(row.Kind)]
		if state == nil || len(row.Digest) != len(state.digest) {
			return nil, fmt.Errorf("the state of %q cannot be read: the database is damaged, restore it from its backup", row.Kind)
		}
		state.digest, state.count = wire.Digest(row.Digest), row.Count
	}
	return s, nil
}

// fold adds (sign 1) or subtracts (sign -1) the records of a query, which
// returns their kinds and hashes.
func (s sums) fold(tx *gorm.DB, sign int64, query string, args ...any) error {
	rows, err := tx.Raw(query, args...).Rows()
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var kind string
		var hash []byte
		if err := rows.Scan(&kind, &hash); err != nil {
			return err
		}
		state := s[wire.RecordKind(kind)]
		if state == nil || len(hash) != sha256.Size {
			return fmt.Errorf("a record of the kind %q cannot be read: the database is damaged, restore it from its backup", kind)
		}
		state.count += sign
		if sign < 0 {
			state.digest = state.digest.Subtract(wire.Digest(hash))
		} else {
			state.digest = state.digest.Add(wire.Digest(hash))
		}
	}
	return rows.Err()
}

func (s sums) digests() map[wire.RecordKind]wire.Digest {
	digests := map[wire.RecordKind]wire.Digest{}
	for kind, state := range s {
		digests[kind] = state.digest
	}
	return digests
}

// save keeps them as those of what is held of a satellite.
func (s sums) save(tx *gorm.DB, satellite int64) error {
	rows := make([]stateRow, 0, len(s))
	for _, kind := range wire.StateKinds {
		rows = append(rows, stateRow{Satellite: satellite, Kind: string(kind), Digest: s[kind].digest[:], Count: s[kind].count})
	}
	return tx.Clauses(clause.OnConflict{
		Columns:   []clause.Column{{Name: "satellite"}, {Name: "kind"}},
		DoUpdates: clause.AssignmentColumns([]string{"digest", "count"}),
	}).Create(&rows).Error
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
	case wire.RecordReservation:
		var reservation wire.ReservationRecord
		err = record.Decode(&reservation)
		key = reservation.ID
	case wire.RecordTransfer:
		var transfer wire.TransferRecord
		err = record.Decode(&transfer)
		key = record.Key
		if err == nil && (!strings.HasPrefix(key, transfer.Lot+"\t") || transfer.Lot == "" || transfer.Quantity < 1 || transfer.Quantity > maxInUse) {
			err = fmt.Errorf("%w: a transfer of %d that stands under the key of another one, or of none", wire.ErrMalformed, transfer.Quantity)
		}
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

// checkReport returns the bytes of a usage report. wire.ErrMalformed unless it
// stands under its own digest.
func checkReport(record wire.Record) ([]byte, error) {
	var report wire.ReportRecord
	if err := record.Decode(&report); err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(report.Report); record.Removed || record.Key != hex.EncodeToString(sum[:]) {
		return nil, fmt.Errorf("%w: a report stands under a digest that is not its own", wire.ErrMalformed)
	}
	return report.Report, nil
}

func isState(kind wire.RecordKind) bool { return slices.Contains(wire.StateKinds, kind) }
