package ssm

import (
	"context"
	"slices"

	"gorm.io/gorm"

	"ssm/satellite/wire"
)

// eraseOmitted erases what is held of a satellite beside its records, where it
// may hold what the satellite leaves out from now on: the answers that were
// kept, and those usage reports in which such a detail stands.
func eraseOmitted(tx *gorm.DB, satellite int64, omits []string) error {
	if len(omits) == 0 {
		return nil
	}
	if err := tx.Where("satellite = ?", satellite).Delete(&answerRow{}).Error; err != nil {
		return err
	}
	for after := ""; ; {
		var rows []reportRow
		if err := tx.Where("satellite = ? AND digest > ?", satellite, after).Order("digest").Limit(100).Find(&rows).Error; err != nil {
			return err
		}
		var erased []string
		for _, row := range rows {
			after = row.Digest
			if holds(row.Report, omits) {
				erased = append(erased, row.Digest)
			}
		}
		if len(erased) > 0 {
			if err := tx.Where("satellite = ? AND digest IN ?", satellite, erased).Delete(&reportRow{}).Error; err != nil {
				return err
			}
		}
		if len(rows) < 100 {
			return nil
		}
	}
}

// holds tells whether a report holds one of these details, or cannot be searched for them.
func holds(report []byte, omits []string) (found bool) {
	err := wire.SearchJSON(report, "", func(leaf wire.Leaf) {
		found = found || leaf.Private != "" && slices.Contains(omits, string(leaf.Private))
	})
	return found || err != nil
}

// forgetLog empties the log of the database, in which what was erased stands
// until it is written over. The request is answered and kept by now: where a
// reader stays in the way, the next one empties the log.
func (u *Upstream) forgetLog(ctx context.Context) {
	_ = u.store.writer.WithContext(ctx).Exec(`PRAGMA wal_checkpoint(TRUNCATE)`).Error
}
