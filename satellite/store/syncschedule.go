package store

import (
	"time"

	"gorm.io/gorm/clause"

	"ssm/satellite"
)

type syncScheduleRow struct {
	AccountID int64 `gorm:"primaryKey;autoIncrement:false"`
	Schedule  string
	Jitter    int64
	SetAt     int64
	SetBy     string
	StartedAt int64
	EndedAt   int64
	Outcome   string
	Reason    string
	Retries   int
}

func (syncScheduleRow) TableName() string { return "sync_schedules" }

func (t *transaction) SyncSchedule(account satellite.AccountID) (satellite.SyncSchedule, error) {
	var rows []syncScheduleRow
	err := t.db.Select("account_id", "schedule", "jitter", "set_at", "set_by", "started_at", "ended_at", "outcome", "reason", "retries").
		Where("account_id = ?", account).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return satellite.SyncSchedule{AccountID: account}, err
	}
	r := rows[0]
	return satellite.SyncSchedule{
		AccountID: account, Text: r.Schedule, Jitter: time.Duration(r.Jitter) * time.Second, SetAt: instant(r.SetAt), SetBy: r.SetBy,
		Run: satellite.SyncRun{
			StartedAt: instant(r.StartedAt), EndedAt: instant(r.EndedAt), Outcome: satellite.ExchangeOutcome(r.Outcome), Reason: r.Reason, Retries: r.Retries,
		},
	}, nil
}

func (t *transaction) SaveSyncSchedule(s satellite.SyncSchedule) error {
	return t.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&syncScheduleRow{
		AccountID: int64(s.AccountID), Schedule: s.Text, Jitter: int64(s.Jitter / time.Second), SetAt: micros(s.SetAt), SetBy: s.SetBy,
		StartedAt: micros(s.Run.StartedAt), EndedAt: micros(s.Run.EndedAt), Outcome: string(s.Run.Outcome), Reason: s.Run.Reason, Retries: s.Run.Retries,
	}).Error
}
