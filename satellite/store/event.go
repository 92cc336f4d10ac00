package store

import (
	"ssm/satellite"
)

type eventRow struct {
	Node           string
	Number         int64
	At             int64
	Type           string
	AccountID      int64
	VirtualAccount string
	PIID           string `gorm:"column:piid"`
	Message        string
	Actor          string
	Source         string
	PreviousHash   []byte
	Hash           []byte
}

func (eventRow) TableName() string { return "events" }

const eventColumns = `node, number, at, type, account_id, virtual_account, piid, message, actor, source, previous_hash, hash`

func (r eventRow) domain() satellite.Event {
	return satellite.Event{
		Node: r.Node, Number: r.Number, At: instant(r.At), Type: satellite.EventType(r.Type), AccountID: satellite.AccountID(r.AccountID),
		VirtualAccount: r.VirtualAccount, PIID: r.PIID, Message: r.Message, Actor: r.Actor, Source: r.Source,
		PreviousHash: hash32(r.PreviousHash), Hash: hash32(r.Hash),
	}
}

func eventsOf(rows []eventRow) []satellite.Event {
	events := make([]satellite.Event, len(rows))
	for i, r := range rows {
		events[i] = r.domain()
	}
	return events
}

// Record links the event to the chain of this node. The chain's end is in the
// writer's memory, and rolled back with the transaction.
func (t *transaction) Record(e satellite.Event) error {
	p := &t.writer.position
	linked, err := e.Link(t.writer.node, p.event, p.hash)
	if err != nil {
		return err
	}
	_, err = t.statements.exec(`INSERT INTO events (`+eventColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		linked.Node, linked.Number, micros(linked.At), string(linked.Type), int64(linked.AccountID), linked.VirtualAccount, linked.PIID,
		linked.Message, linked.Actor, linked.Source, linked.PreviousHash[:], linked.Hash[:])
	if err == nil {
		p.event, p.hash = linked.Number, linked.Hash
	}
	return err
}

func (t *transaction) Events(filter satellite.EventFilter, page satellite.Page) ([]satellite.Event, error) {
	query := t.db.Select(eventColumns).Order("number DESC").Limit(page.Limit)
	if page.After > 0 {
		query = query.Where("number < ?", page.After)
	}
	if filter.AccountID != 0 {
		query = query.Where("account_id = ?", filter.AccountID)
	}
	if filter.PIID != "" {
		query = query.Where("piid = ? AND piid <> ''", filter.PIID)
	}
	if filter.Type != "" {
		query = query.Where("type = ?", filter.Type)
	}
	if filter == (satellite.EventFilter{}) {
		// Without a filter the primary key serves, which begins with the node;
		// this process reads the chain that it writes.
		query = query.Where("node = (SELECT MAX(node) FROM events)")
	}
	var rows []eventRow
	err := query.Find(&rows).Error
	return eventsOf(rows), err
}

func (t *transaction) EventsAfter(after satellite.EventKey, limit int) ([]satellite.Event, error) {
	var rows []eventRow
	err := t.db.Select(eventColumns).Where("(node, number) > (?, ?)", after.Node, after.Number).Order("node, number").Limit(limit).Find(&rows).Error
	return eventsOf(rows), err
}

// EventHeads steps from node to node on the primary key: DISTINCT would read every event.
func (t *transaction) EventHeads() ([]satellite.Event, error) {
	var rows []eventRow
	err := t.db.Raw(`WITH RECURSIVE nodes (name) AS (
			SELECT MIN(node) FROM events
			UNION ALL SELECT (SELECT MIN(node) FROM events WHERE node > name) FROM nodes WHERE name IS NOT NULL
		) SELECT ` + eventColumns + ` FROM nodes CROSS JOIN events WHERE node = name
			AND number = (SELECT MAX(number) FROM events WHERE node = name)`).Scan(&rows).Error
	return eventsOf(rows), err
}

type eventBeginningRow struct {
	Node     string
	Number   int64
	Hash     []byte
	At       int64
	PrunedAt int64
}

func (t *transaction) EventBeginnings() ([]satellite.EventBeginning, error) {
	var rows []eventBeginningRow
	err := t.db.Raw(`SELECT node, number, hash, at, pruned_at FROM event_beginnings ORDER BY node`).Scan(&rows).Error
	list := make([]satellite.EventBeginning, len(rows))
	for i, r := range rows {
		list[i] = satellite.EventBeginning{Node: r.Node, Number: r.Number, Hash: hash32(r.Hash), At: instant(r.At), PrunedAt: instant(r.PrunedAt)}
	}
	return list, err
}

func (t *transaction) PruneEvents(b satellite.EventBeginning) error {
	if _, err := t.statements.exec(`DELETE FROM events WHERE node = ? AND number <= ?`, b.Node, b.Number); err != nil {
		return err
	}
	_, err := t.statements.exec(`INSERT INTO event_beginnings (node, number, hash, at, pruned_at) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (node) DO UPDATE SET number = excluded.number, hash = excluded.hash, at = excluded.at, pruned_at = excluded.pruned_at`,
		b.Node, b.Number, b.Hash[:], micros(b.At), micros(b.PrunedAt))
	return err
}
