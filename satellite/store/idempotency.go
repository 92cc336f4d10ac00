package store

import (
	"time"

	"ssm/satellite"
)

func (t *transaction) IdempotencyClaim(actor, key string) (satellite.IdempotencyClaim, error) {
	c, at := satellite.IdempotencyClaim{Actor: actor, Key: key}, int64(0)
	err := t.one("Idempotency-Key", key, []any{&c.Request, &c.Fingerprint, &c.Answer, &at},
		`SELECT request, fingerprint, answer, at FROM idempotency_claims WHERE actor = ? AND key = ?`, actor, key)
	if err != nil {
		return satellite.IdempotencyClaim{}, err
	}
	c.At = instant(at)
	return c, nil
}

func (t *transaction) SaveIdempotencyClaim(c satellite.IdempotencyClaim) error {
	_, err := t.statements.exec(`INSERT INTO idempotency_claims (actor, key, request, fingerprint, answer, at) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (actor, key) DO UPDATE SET request = excluded.request, fingerprint = excluded.fingerprint, answer = excluded.answer, at = excluded.at`,
		c.Actor, c.Key, c.Request, c.Fingerprint, c.Answer, micros(c.At))
	return err
}

func (t *transaction) CountIdempotencyClaims(actor string) (count int64, err error) {
	err = t.one("count", actor, []any{&count}, `SELECT COUNT(*) FROM idempotency_claims WHERE actor = ?`, actor)
	return count, err
}

func (t *transaction) DeleteIdempotencyClaimsBefore(at time.Time, limit int) (int64, error) {
	result, err := t.statements.exec(`DELETE FROM idempotency_claims WHERE rowid IN (SELECT rowid FROM idempotency_claims WHERE at < ? ORDER BY at LIMIT ?)`, micros(at), limit)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}
