package store

import (
	"encoding/json"

	"gorm.io/gorm/clause"

	"ssm/satellite"
	"ssm/satellite/wire"
)

type syncStateRow struct {
	AccountID           int64 `gorm:"primaryKey;autoIncrement:false"`
	NextSequence        int64
	AppliedSequence     int64
	ConfirmedGeneration int64
	FullRequired        bool
	Reason              string
	Deadline            int64
	LastSyncAt          int64
	AgreementVersion    string
	RenamedAt           int64
	Digests             string
	SwitchedSequence    int64
	DuplicatedAt        int64
}

func (syncStateRow) TableName() string { return "sync_states" }

func (t *transaction) SyncState(account satellite.AccountID) (satellite.SyncState, error) {
	fresh := satellite.SyncState{AccountID: account, NextSequence: 1, Digests: map[wire.RecordKind]wire.Digest{}}
	for _, kind := range wire.StateKinds {
		fresh.Digests[kind] = wire.Digest{}
	}
	var rows []syncStateRow
	err := t.db.Select("account_id", "next_sequence", "applied_sequence", "confirmed_generation", "full_required", "reason", "deadline",
		"last_sync_at", "agreement_version", "renamed_at", "digests", "switched_sequence", "duplicated_at").Where("account_id = ?", account).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return fresh, err
	}
	r := rows[0]
	s := satellite.SyncState{
		AccountID: account, NextSequence: r.NextSequence, AppliedSequence: r.AppliedSequence, ConfirmedGeneration: r.ConfirmedGeneration,
		FullRequired: r.FullRequired, Reason: r.Reason, Deadline: instant(r.Deadline), LastSyncAt: instant(r.LastSyncAt),
		AgreementVersion: r.AgreementVersion, RenamedAt: r.RenamedAt, Digests: fresh.Digests,
		SwitchedSequence: r.SwitchedSequence, DuplicatedAt: instant(r.DuplicatedAt),
	}
	return s, json.Unmarshal([]byte(r.Digests), &s.Digests)
}

func (t *transaction) SaveSyncState(s satellite.SyncState) error {
	digests, err := json.Marshal(s.Digests)
	if err != nil {
		return err
	}
	return t.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&syncStateRow{
		AccountID: int64(s.AccountID), NextSequence: s.NextSequence, AppliedSequence: s.AppliedSequence, ConfirmedGeneration: s.ConfirmedGeneration,
		FullRequired: s.FullRequired, Reason: s.Reason, Deadline: micros(s.Deadline), LastSyncAt: micros(s.LastSyncAt),
		AgreementVersion: s.AgreementVersion, RenamedAt: s.RenamedAt, Digests: string(digests),
		SwitchedSequence: s.SwitchedSequence, DuplicatedAt: micros(s.DuplicatedAt),
	}).Error
}

type syncRequestRow struct {
	AccountID  int64 `gorm:"primaryKey;autoIncrement:false"`
	Sequence   int64 `gorm:"primaryKey;autoIncrement:false"`
	Digest     string
	Scope      string
	Generation int64
	Records    int64
	CreatedAt  int64 `gorm:"autoCreateTime:false"`
	CreatedBy  string
	AppliedAt  int64
}

func (syncRequestRow) TableName() string { return "sync_requests" }

const syncRequestColumns = `account_id, sequence, digest, scope, generation, records, created_at, created_by, applied_at`

func syncRequestToRow(r satellite.SyncRequestRow) syncRequestRow {
	return syncRequestRow{
		AccountID: int64(r.AccountID), Sequence: r.Sequence, Digest: r.Digest, Scope: string(r.Scope), Generation: r.Generation,
		Records: r.Records, CreatedAt: micros(r.CreatedAt), CreatedBy: r.CreatedBy, AppliedAt: micros(r.AppliedAt),
	}
}

func (r syncRequestRow) domain() satellite.SyncRequestRow {
	return satellite.SyncRequestRow{
		AccountID: satellite.AccountID(r.AccountID), Sequence: r.Sequence, Digest: r.Digest, Scope: wire.Scope(r.Scope), Generation: r.Generation,
		Records: r.Records, CreatedAt: instant(r.CreatedAt), CreatedBy: r.CreatedBy, AppliedAt: instant(r.AppliedAt),
	}
}

func (t *transaction) CreateSyncRequest(r satellite.SyncRequestRow) error {
	row := syncRequestToRow(r)
	return unique(t.db.Create(&row).Error, "sync-request", "There is a sync request with this number already.")
}

func (t *transaction) SyncRequest(account satellite.AccountID, sequence int64) (satellite.SyncRequestRow, error) {
	var r syncRequestRow
	err := t.db.Select(syncRequestColumns).Where("account_id = ? AND sequence = ?", account, sequence).Take(&r).Error
	return r.domain(), found(err, "sync request", sequence)
}

func (t *transaction) SaveSyncRequest(r satellite.SyncRequestRow) error {
	row := syncRequestToRow(r)
	return t.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&row).Error
}

func (t *transaction) SyncRequests(account satellite.AccountID, page satellite.Page) ([]satellite.SyncRequestRow, error) {
	query := t.db.Select(syncRequestColumns).Where("account_id = ?", account).Order("sequence DESC").Limit(page.Limit)
	if page.After > 0 {
		query = query.Where("sequence < ?", page.After)
	}
	var rows []syncRequestRow
	err := query.Find(&rows).Error
	list := make([]satellite.SyncRequestRow, len(rows))
	for i, r := range rows {
		list[i] = r.domain()
	}
	return list, err
}

// ChangeNumber is the newest change number that a view can see.
func (t *transaction) ChangeNumber() (number int64, err error) {
	if t.writer != nil {
		return t.writer.position.change, nil
	}
	err = t.db.Raw(`SELECT MAX(n) FROM (` + changeNumbers + `)`).Scan(&number).Error
	return number, err
}

// changeNumbers are the newest numbers of each table that bears them. The
// generations of requests count too: the rows that bore the highest numbers may
// have been removed, and their tombstones confirmed.
const changeNumbers = `
	SELECT (SELECT COALESCE(MAX(m), 0) FROM (SELECT (SELECT MAX(change_number) FROM instances WHERE account_id = a.id) AS m FROM accounts a)) AS n UNION ALL
	SELECT (SELECT COALESCE(MAX(m), 0) FROM (SELECT (SELECT MAX(change_number) FROM pools WHERE account_id = a.id) AS m FROM accounts a)) UNION ALL
	SELECT (SELECT COALESCE(MAX(m), 0) FROM (SELECT (SELECT MAX(change_number) FROM tokens WHERE account_id = a.id) AS m FROM accounts a)) UNION ALL
	SELECT (SELECT COALESCE(MAX(m), 0) FROM (SELECT (SELECT MAX(change_number) FROM reservations WHERE account_id = a.id) AS m FROM accounts a)) UNION ALL
	SELECT (SELECT COALESCE(MAX(m), 0) FROM (SELECT (SELECT MAX(change_number) FROM transfers WHERE account_id = a.id) AS m FROM accounts a)) UNION ALL
	SELECT (SELECT COALESCE(MAX(m), 0) FROM (SELECT (SELECT MAX(change_number) FROM tombstones WHERE account_id = a.id) AS m FROM accounts a)) UNION ALL
	SELECT (SELECT COALESCE(MAX(renamed_at), 0) FROM sync_states) UNION ALL
	SELECT (SELECT COALESCE(MAX(generation), 0) FROM sync_requests)`

type tombstoneRow struct {
	AccountID    int64
	ChangeNumber int64
	Kind         string
	Key          string
}

func (tombstoneRow) TableName() string { return "tombstones" }

// bury leaves a tombstone for a row that went upstream.
func (t *transaction) bury(account satellite.AccountID, kind wire.RecordKind, key string) error {
	_, err := t.statements.exec(`INSERT INTO tombstones (account_id, change_number, kind, key) VALUES (?, ?, ?, ?)`, int64(account), t.nextChange(), string(kind), key)
	return err
}

func (t *transaction) Tombstones(account satellite.AccountID, after int64, limit int) ([]satellite.Tombstone, error) {
	var rows []tombstoneRow
	err := t.db.Select("account_id", "change_number", "kind", "key").Where("account_id = ? AND change_number > ?", account, after).
		Order("change_number").Limit(limit).Find(&rows).Error
	list := make([]satellite.Tombstone, len(rows))
	for i, r := range rows {
		list[i] = satellite.Tombstone{AccountID: account, Kind: wire.RecordKind(r.Kind), Key: r.Key, ChangeNumber: r.ChangeNumber}
	}
	return list, err
}

func (t *transaction) DeleteTombstones(account satellite.AccountID, upTo int64) error {
	return t.db.Where("account_id = ? AND change_number <= ?", account, upTo).Delete(&tombstoneRow{}).Error
}

func (t *transaction) SwapSent(account satellite.AccountID, kind, key string, hash [32]byte) (before [32]byte, err error) {
	var old []byte
	err = t.one("record", key, []any{&old}, `SELECT hash FROM sent_records WHERE account_id = ? AND kind = ? AND key = ?`, int64(account), kind, key)
	if err != nil && satellite.KindOf(err) != satellite.KindNotFound {
		return before, err
	}
	before = hash32(old)
	if hash == ([32]byte{}) {
		_, err = t.statements.exec(`DELETE FROM sent_records WHERE account_id = ? AND kind = ? AND key = ?`, int64(account), kind, key)
		return before, err
	}
	_, err = t.statements.exec(`INSERT INTO sent_records (account_id, kind, key, hash) VALUES (?, ?, ?, ?)
		ON CONFLICT (account_id, kind, key) DO UPDATE SET hash = excluded.hash`, int64(account), kind, key, hash[:])
	return before, err
}

type stagedRow struct {
	AccountID int64 `gorm:"primaryKey;autoIncrement:false"`
	Position  int64 `gorm:"primaryKey;autoIncrement:false"`
	Kind      string
	Key       string
	Value     string
}

func (stagedRow) TableName() string { return "staged_records" }

func (t *transaction) StageRecords(account satellite.AccountID, records []satellite.StagedRecord) error {
	if len(records) == 0 {
		return nil
	}
	rows := make([]stagedRow, len(records))
	for i, r := range records {
		rows[i] = stagedRow{AccountID: int64(account), Position: r.Position, Kind: string(r.Kind), Key: r.Key, Value: string(r.Value)}
	}
	return t.db.Create(&rows).Error
}

func (t *transaction) StagedRecords(account satellite.AccountID, limit int) ([]satellite.StagedRecord, error) {
	var rows []stagedRow
	err := t.db.Select("account_id", "position", "kind", "key", "value").Where("account_id = ?", account).Order("position").Limit(limit).Find(&rows).Error
	list := make([]satellite.StagedRecord, len(rows))
	for i, r := range rows {
		list[i] = satellite.StagedRecord{Position: r.Position, Record: wire.Record{Kind: wire.RecordKind(r.Kind), Key: r.Key, Value: json.RawMessage(r.Value)}}
	}
	return list, err
}

func (t *transaction) DropStagedRecords(account satellite.AccountID, limit int) (int64, error) {
	result := t.db.Exec(`DELETE FROM staged_records WHERE account_id = ? AND position IN
		(SELECT position FROM staged_records WHERE account_id = ? ORDER BY position LIMIT ?)`, account, account, limit)
	return result.RowsAffected, result.Error
}
