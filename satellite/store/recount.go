package store

import (
	"fmt"
	"time"
)

// recountQuery lays the counters of every pool beside the sums of the rows that
// make them: parts are those rows, each under the pool that it counts in.
const recountQuery = `WITH
	live AS (SELECT account_id, upstream_id, virtual_account_id, license_id, quantity FROM lots WHERE start_at <= @now AND (end_at = 0 OR end_at > @now)),
	moved AS (SELECT t.license_id, t.from_virtual_account_id, t.to_virtual_account_id, t.quantity
		FROM transfers t JOIN live o ON o.account_id = t.account_id AND o.upstream_id = t.lot AND o.license_id = t.license_id),
	kept AS (SELECT virtual_account_id, license_id, MAX(SUM(CASE is_update WHEN 0 THEN count ELSE 0 END), SUM(CASE is_update WHEN 1 THEN count ELSE 0 END)) AS quantity
		FROM reservation_items WHERE standing = 1 AND (end_at = 0 OR end_at > @now) GROUP BY reservation_id, virtual_account_id, license_id),
	parts AS (
		SELECT virtual_account_id, license_id, 0 AS in_use, 0 AS purchased, 0 AS transferred_in, 0 AS transferred_out, 0 AS reserved FROM pools
		UNION ALL SELECT virtual_account_id, license_id, SUM(count), 0, 0, 0, 0 FROM usages GROUP BY virtual_account_id, license_id
		UNION ALL SELECT virtual_account_id, license_id, 0, quantity, 0, 0, 0 FROM live
		UNION ALL SELECT to_virtual_account_id, license_id, 0, 0, quantity, 0, 0 FROM moved
		UNION ALL SELECT from_virtual_account_id, license_id, 0, 0, 0, quantity, 0 FROM moved
		UNION ALL SELECT virtual_account_id, license_id, 0, 0, 0, 0, quantity FROM kept),
	edges AS (
		SELECT virtual_account_id, license_id, start_at AS at FROM lots WHERE start_at > @now
		UNION ALL SELECT virtual_account_id, license_id, end_at FROM lots WHERE end_at > @now
		UNION ALL SELECT virtual_account_id, license_id, end_at FROM reservation_items WHERE standing = 1 AND end_at > @now
		UNION ALL SELECT v.id, t.license_id, MIN(CASE WHEN o.start_at > @now THEN o.start_at ELSE o.end_at END)
			FROM transfers t JOIN lots o ON o.account_id = t.account_id AND o.upstream_id = t.lot AND o.license_id = t.license_id
			JOIN virtual_accounts v ON v.id IN (t.from_virtual_account_id, t.to_virtual_account_id) WHERE o.end_at > @now OR o.start_at > @now
			GROUP BY v.id, t.license_id),
	sums AS (SELECT virtual_account_id, license_id, SUM(in_use) AS in_use, SUM(purchased) AS purchased,
		SUM(transferred_in) AS transferred_in, SUM(transferred_out) AS transferred_out, SUM(reserved) AS reserved FROM parts GROUP BY virtual_account_id, license_id),
	next AS (SELECT virtual_account_id, license_id, MIN(at) AS at FROM edges GROUP BY virtual_account_id, license_id)
	SELECT l.tag, v.name AS virtual_account,
		COALESCE(p.in_use, 0) AS in_use, s.in_use AS devices,
		COALESCE(p.purchased, 0) AS purchased, s.purchased AS lots,
		COALESCE(p.transferred_in, 0) AS transferred_in, s.transferred_in AS moved_in,
		COALESCE(p.transferred_out, 0) AS transferred_out, s.transferred_out AS moved_out,
		COALESCE(p.reserved, 0) AS reserved, s.reserved AS reservations,
		COALESCE(p.purchased_until, 0) AS until, COALESCE(n.at, 0) AS next
	FROM sums s JOIN licenses l ON l.id = s.license_id JOIN virtual_accounts v ON v.id = s.virtual_account_id
	LEFT JOIN pools p ON p.virtual_account_id = s.virtual_account_id AND p.license_id = s.license_id
	LEFT JOIN next n ON n.virtual_account_id = s.virtual_account_id AND n.license_id = s.license_id
	ORDER BY l.tag, v.name`

// recounted is a pool as it is counted, and as its rows make it.
type recounted struct {
	Tag, VirtualAccount      string
	InUse, Devices           int64
	Purchased, Lots          int64
	TransferredIn, MovedIn   int64
	TransferredOut, MovedOut int64
	Reserved, Reservations   int64
	Until, Next              int64
}

func (t *transaction) RecountPools(now time.Time) (mismatches []string, err error) {
	rows, err := t.db.Raw(recountQuery, map[string]any{"now": micros(now)}).Rows()
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var r recounted
		if err := rows.Scan(&r.Tag, &r.VirtualAccount, &r.InUse, &r.Devices, &r.Purchased, &r.Lots, &r.TransferredIn, &r.MovedIn,
			&r.TransferredOut, &r.MovedOut, &r.Reserved, &r.Reservations, &r.Until, &r.Next); err != nil {
			return nil, err
		}
		mismatches = append(mismatches, r.mismatches(micros(now))...)
	}
	return mismatches, rows.Err()
}

func (r recounted) mismatches(now int64) (list []string) {
	differ := func(counter, rows int64, format string) {
		if counter != rows {
			list = append(list, fmt.Sprintf("%s in %s is counted as "+format, r.Tag, r.VirtualAccount, counter, rows))
		}
	}
	differ(r.InUse, r.Devices, "%d in use, its devices hold %d")
	if r.Until != 0 && r.Until <= now {
		return list // lots have begun or ended: it is counted again by whoever asks next
	}
	differ(r.Purchased, r.Lots, "%d purchased, its live lots make %d")
	differ(r.TransferredIn, r.MovedIn, "%d transferred in, its transfers make %d")
	differ(r.TransferredOut, r.MovedOut, "%d transferred out, its transfers make %d")
	differ(r.Reserved, r.Reservations, "%d reserved, its reservations make %d")
	if r.Until != r.Next {
		list = append(list, fmt.Sprintf("%s in %s is counted until %v, its next lot begins or ends at %v", r.Tag, r.VirtualAccount, instant(r.Until), instant(r.Next)))
	}
	return list
}
