package ssm

import (
	"errors"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"ssm/satellite/wire"
)

// keptLineage is how many answered requests are remembered of a satellite,
// beside its registrations, which all are: an old file is known for what it is.
const keptLineage = 100

// lineageRow is an answered request and the one whose answer it goes on from.
// One that was not kept was answered by the demand for a full one. One that is
// forked came from a satellite that was restored or copied.
type lineageRow struct {
	ID           int64 `gorm:"primaryKey"`
	Satellite    int64
	Sequence     int64
	Digest       string
	BaseDigest   string
	Registration bool
	Kept         bool
	Forked       bool
}

func (lineageRow) TableName() string { return "lineage" }

// verdict is whether a genuine request can be kept, and what is wrong with where
// it comes from.
type verdict struct {
	refused bool   // nothing of it is kept: a full one is asked for
	reason  string // why, or "" where nothing is wrong
	lineage wire.Lineage
}

// place compares the request with those that were answered before. Only a full
// request is kept that does not go on from the newest answer: it says everything.
func (e *exchange) place() (verdict, error) {
	m := e.request.Manifest
	late := m.Sequence <= e.satellite.LastSequence
	v, err := e.descent()
	if err != nil {
		return v, err
	}
	switch {
	case late && m.Request.Scope == wire.ScopeRegistration:
		// Under another key it is a satellite that was set up anew: it starts to
		// count again. What was answered before is a file from that time.
		var known int64
		if err := e.tx.Model(&lineageRow{}).Where("satellite = ? AND digest = ?", e.satellite.ID, e.request.Digest).Count(&known).Error; err != nil {
			return v, err
		}
		own, err := e.sameKey()
		if err != nil {
			return v, err
		}
		late = known > 0 || own
	case m.Request.Scope == wire.ScopeStandard:
		v.refused = v.reason != ""
	}
	v.refused = v.refused || late
	if late && v.reason == "" {
		v.reason = fmt.Sprintf("request %d is older than the last one that was answered here (%d): the file is late, or the satellite was restored from an older copy", m.Sequence, e.satellite.LastSequence)
	}
	return v, nil
}

// descent looks where the request comes from.
func (e *exchange) descent() (verdict, error) {
	m := e.request.Manifest
	base, err := e.ancestor(m.Request.BaseSequence, m.Request.BaseDigest)
	if err != nil {
		return verdict{}, err
	}
	abandoned := false
	if base != nil && base.Kept {
		if abandoned, err = e.abandoned(base.Digest); err != nil {
			return verdict{}, err
		}
	}
	var others int64
	err = e.tx.Model(&lineageRow{}).Where("satellite = ? AND sequence = ? AND digest <> ?", e.satellite.ID, m.Sequence, e.request.Digest).Count(&others).Error
	switch {
	case err != nil:
		return verdict{}, err
	case abandoned:
		return verdict{lineage: wire.LineageDuplicated, reason: fmt.Sprintf("request %d goes on from an answer (%d) that another copy of the satellite has left behind: the satellite is duplicated, two copies of it send in turns", m.Sequence, base.Sequence)}, nil
	case others > 0:
		return verdict{lineage: wire.LineageRestored, reason: fmt.Sprintf("another request with the number %d was answered here before: the satellite was restored or copied from an older state", m.Sequence)}, nil
	case m.Request.BaseSequence > e.satellite.LastSequence:
		return verdict{reason: fmt.Sprintf("request %d goes on from answer %d, which is not known here: the upstream was restored from an older copy", m.Sequence, m.Request.BaseSequence)}, nil
	case m.Request.BaseSequence < e.satellite.HeadBase && m.Sequence > e.satellite.LastSequence:
		return verdict{lineage: wire.LineageRestored, reason: fmt.Sprintf("request %d goes on from answer %d, and the one before it went on from %d: the satellite was restored or copied from an older state", m.Sequence, m.Request.BaseSequence, e.satellite.HeadBase)}, nil
	}
	return verdict{}, nil
}

// ancestor finds the request whose answer this one goes on from; nil where it is not known.
func (e *exchange) ancestor(sequence int64, digest string) (*lineageRow, error) {
	var row lineageRow
	err := e.tx.Where("satellite = ? AND sequence = ? AND digest = ?", e.satellite.ID, sequence, digest).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, nil
	}
	return &row, err
}

// abandoned tells whether an answered request was left behind by a fork: the
// newest one that was kept does not descend from it, and has a fork among its
// ancestors that this one does not descend from. A file that was only delayed
// leaves no fork behind.
func (e *exchange) abandoned(digest string) (left bool, err error) {
	const line = `(digest) AS (SELECT ? UNION SELECT l.base_digest FROM %[1]s JOIN lineage l ON l.satellite = ? AND l.digest = %[1]s.digest)`
	id := e.satellite.ID
	err = e.tx.Raw(`WITH RECURSIVE head `+fmt.Sprintf(line, "head")+`, base `+fmt.Sprintf(line, "base")+`
		SELECT NOT EXISTS (SELECT 1 FROM head WHERE digest = ?) AND EXISTS (
			SELECT 1 FROM lineage l JOIN head h ON h.digest = l.digest
			WHERE l.satellite = ? AND l.forked AND l.digest NOT IN (SELECT digest FROM base))`,
		e.satellite.HeadDigest, id, digest, id, digest, id).Scan(&left).Error
	return left, err
}

// descend remembers the request. kept says that it is the newest that was kept.
func (e *exchange) descend(kept bool, lineage wire.Lineage) error {
	m := e.request.Manifest
	row := lineageRow{Satellite: e.satellite.ID, Sequence: m.Sequence, Digest: e.request.Digest, BaseDigest: m.Request.BaseDigest,
		Registration: m.Request.Scope == wire.ScopeRegistration, Kept: kept, Forked: lineage != ""}
	if err := e.tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&row).Error; err != nil {
		return err
	}
	if kept {
		e.satellite.HeadDigest, e.satellite.HeadBase = e.request.Digest, m.Request.BaseSequence
	}
	return e.tx.Exec(`DELETE FROM lineage WHERE satellite = ? AND NOT registration AND id <= (
			SELECT id FROM lineage WHERE satellite = ? AND NOT registration ORDER BY id DESC LIMIT 1 OFFSET ?)`,
		e.satellite.ID, e.satellite.ID, keptLineage).Error
}
