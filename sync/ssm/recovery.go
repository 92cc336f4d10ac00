package ssm

import (
	"time"

	"gorm.io/gorm"

	"ssm/satellite/wire"
)

// Recoveries are the devices that a full request lacks although an earlier one
// brought them and none removed them: the satellite was restored from an older
// copy. They are told to it in each response until it has applied one of them.
// A device whose removal was told stays removed: it is told as a revocation.

// recoverable makes a recovery of a device's record: what a satellite needs to
// answer the device again, and nothing that privacy settings leave out.
const recoverable = `json_object('piid', o.value ->> '$.piid', 'udi_pid', o.value ->> '$.udi_pid', 'udi_serial_number', o.value ->> '$.udi_serial_number',
	'uuid', coalesce(o.value ->> '$.uuid', ''), 'software_tag', coalesce(o.value ->> '$.software_tag', ''), 'virtual_account', o.value ->> '$.virtual_account',
	'registered_at', o.value ->> '$.registered_at', 'certificate_serial', o.value ->> '$.certificate_serial',
	'certificate_expires', o.value ->> '$.certificate_expires', 'certificate_sha256', o.value ->> '$.certificate_sha256',
	'public_key_sha256', o.value ->> '$.public_key_sha256', 'export_controlled', json(iif(o.value ->> '$.export_controlled', 'true', 'false')))`

// setAside keeps what a full request lacks, before it takes the place of what is held.
func (e *exchange) setAside(staged int64) error {
	return e.tx.Exec(`INSERT INTO recoveries (satellite, key, value, sequence)
		SELECT ?, o.key, `+recoverable+`, ?
		FROM records o LEFT JOIN records n ON n.holding = ? AND n.kind = 'device' AND n.key = o.key
		WHERE o.holding = ? AND o.kind = 'device' AND o.value ->> '$.certificate_sha256' <> '' AND o.value ->> '$.public_key_sha256' <> ''
			AND (n.key IS NULL OR NOT n.removed
				AND coalesce(julianday(n.value ->> '$.certificate_expires'), 0) < julianday(o.value ->> '$.certificate_expires'))
		ON CONFLICT (satellite, key) DO UPDATE SET value = excluded.value, sequence = excluded.sequence`,
		e.satellite.ID, e.request.Manifest.Sequence, staged, e.satellite.Holding).Error
}

// settleRecoveries drops what the satellite knows by now: what the request says
// of a device itself, and what an answer told that was applied.
func (e *exchange) settleRecoveries(staged int64) error {
	if err := e.tx.Exec(`DELETE FROM recoveries WHERE satellite = ? AND EXISTS (SELECT 1 FROM records n
			WHERE n.holding = ? AND n.kind = 'device' AND n.key = recoveries.key
				AND (n.removed OR julianday(n.value ->> '$.certificate_expires') >= julianday(recoveries.value ->> '$.certificate_expires')))`,
		e.satellite.ID, staged).Error; err != nil {
		return err
	}
	if err := e.tx.Exec("DELETE FROM recoveries WHERE satellite = ? AND sequence <= ?", e.satellite.ID, e.request.Manifest.Request.BaseSequence).Error; err != nil {
		return err
	}
	return e.tx.Exec(`INSERT INTO removed_devices (satellite, key, removed_at)
		SELECT ?, key, ? FROM records WHERE holding = ? AND kind = 'device' AND removed
		ON CONFLICT (satellite, key) DO NOTHING`, e.satellite.ID, e.now, staged).Error
}

// addRecoveries tells the satellite which devices it lacks, and which it has
// that were removed before.
func (e *exchange) addRecoveries(records *wire.RecordWriter) error {
	var row struct {
		Key, Value string
		RemovedAt  time.Time
	}
	err := each(e.tx, &row, func() error {
		record := wire.Record{Kind: wire.RecordRecovery, Key: row.Key, Value: []byte(row.Value)}
		var recovery wire.RecoveryRecord
		if err := record.Decode(&recovery); err != nil {
			return err
		}
		record, err := wire.NewRecord(wire.RecordRecovery, row.Key, recovery)
		if err != nil {
			return err
		}
		e.result.Recoveries++
		return records.Add(record)
	}, "SELECT key, value FROM recoveries WHERE satellite = ? ORDER BY key", e.satellite.ID)
	if err != nil {
		return err
	}
	return each(e.tx, &row, func() error {
		record, err := wire.NewRecord(wire.RecordRevocation, row.Key, wire.RevocationRecord{RevokedAt: row.RemovedAt})
		if err != nil {
			return err
		}
		return records.Add(record)
	}, `SELECT d.key, d.removed_at FROM removed_devices d JOIN records r ON r.holding = ? AND r.kind = 'device' AND r.key = d.key
		WHERE d.satellite = ? ORDER BY d.key`, e.satellite.Holding, e.satellite.ID)
}

// each reads the rows of a query one by one into row.
func each(tx *gorm.DB, row any, do func() error, query string, args ...any) error {
	rows, err := tx.Raw(query, args...).Rows()
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := tx.ScanRows(rows, row); err != nil {
			return err
		}
		if err := do(); err != nil {
			return err
		}
	}
	return rows.Err()
}
