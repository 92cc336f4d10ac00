package store

import (
	"ssm/satellite"
	"ssm/satellite/wire"
)

type syncExchangeRow struct {
	ID        int64 `gorm:"primaryKey"`
	AccountID int64
	Carrier   string
	Sequence  int64
	Scope     string
	Records   int64
	Sent      int64
	Received  int64
	StartedAt int64
	EndedAt   int64
	StartedBy string
	Outcome   string
	Reason    string
}

func (syncExchangeRow) TableName() string { return "sync_exchanges" }

const syncExchangeColumns = `id, account_id, carrier, sequence, scope, records, sent, received, started_at, ended_at, started_by, outcome, reason`

func (t *transaction) AddSyncExchange(e satellite.SyncExchange, keep int) error {
	err := t.db.Create(&syncExchangeRow{
		AccountID: int64(e.AccountID), Carrier: string(e.Carrier), Sequence: e.Sequence, Scope: string(e.Scope), Records: e.Records, Sent: e.Sent, Received: e.Received,
		StartedAt: micros(e.StartedAt), EndedAt: micros(e.EndedAt), StartedBy: e.By, Outcome: string(e.Outcome), Reason: e.Reason,
	}).Error
	if err != nil {
		return err
	}
	return t.db.Exec(`DELETE FROM sync_exchanges WHERE account_id = ? AND id <= (SELECT id FROM sync_exchanges WHERE account_id = ? ORDER BY id DESC LIMIT 1 OFFSET ?)`,
		e.AccountID, e.AccountID, keep).Error
}

func (t *transaction) SyncExchanges(account satellite.AccountID, page satellite.Page) ([]satellite.SyncExchange, error) {
	query := t.db.Select(syncExchangeColumns).Where("account_id = ?", account).Order("id DESC").Limit(page.Limit)
	if page.After > 0 {
		query = query.Where("id < ?", page.After)
	}
	var rows []syncExchangeRow
	err := query.Find(&rows).Error
	list := make([]satellite.SyncExchange, len(rows))
	for i, r := range rows {
		list[i] = satellite.SyncExchange{
			ID: r.ID, AccountID: satellite.AccountID(r.AccountID), Carrier: satellite.Carrier(r.Carrier), Sequence: r.Sequence, Scope: wire.Scope(r.Scope),
			Records: r.Records, Sent: r.Sent, Received: r.Received, StartedAt: instant(r.StartedAt), EndedAt: instant(r.EndedAt), By: r.StartedBy,
			Outcome: satellite.ExchangeOutcome(r.Outcome), Reason: r.Reason,
		}
	}
	return list, err
}
