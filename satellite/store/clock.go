package store

import (
	"time"

	"gorm.io/gorm/clause"

	"ssm/satellite"
)

type clockRow struct {
	ID        int64 `gorm:"primaryKey"`
	SystemAt  int64
	Mark      int64
	Served    int64
	HeldSince int64
	Step      int64
}

func (clockRow) TableName() string { return "clock" }

func (t *transaction) Clock() (satellite.Clock, error) {
	var r clockRow
	err := t.db.Select("system_at", "mark", "served", "held_since", "step").Take(&r).Error
	return satellite.Clock{
		SystemAt: instant(r.SystemAt), Mark: instant(r.Mark), Served: time.Duration(r.Served) * time.Microsecond,
		HeldSince: instant(r.HeldSince), Step: time.Duration(r.Step) * time.Microsecond,
	}, found(err, "clock", "yet")
}

func (t *transaction) SaveClock(c satellite.Clock) error {
	return t.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&clockRow{
		ID: 1, SystemAt: micros(c.SystemAt), Mark: micros(c.Mark), Served: c.Served.Microseconds(),
		HeldSince: micros(c.HeldSince), Step: c.Step.Microseconds(),
	}).Error
}
