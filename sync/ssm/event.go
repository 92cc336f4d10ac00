package ssm

import (
	"context"
	"time"

	"gorm.io/gorm"

	"ssm/satellite/wire"
)

// EventType names what happened to a satellite; it is stable.
type EventType string

// The types of events.
const (
	EventRestored   EventType = "satellite." + EventType(wire.LineageRestored)   // it, or the upstream, goes on from an older copy
	EventDuplicated EventType = "satellite." + EventType(wire.LineageDuplicated) // two copies of it send in turns
	EventLapsed     EventType = "satellite.lapsed"                               // 90 days without a request: its licenses are taken back
	EventReturned   EventType = "satellite.returned"                             // it was heard of again, and gets what is left
	EventMoved      EventType = "license.moved"                                  // licenses of its virtual account went to another one
)

// Event is something that happened to a satellite here, and why.
type Event struct {
	ID           int64     `json:"id"`
	At           time.Time `json:"at"`
	SatelliteID  string    `json:"satellite_id"`
	LocalAccount string    `json:"local_account"`
	Type         EventType `json:"type"`
	Message      string    `json:"message"`
}

type eventRow struct {
	ID        int64 `gorm:"primaryKey"`
	At        time.Time
	Satellite int64
	Type      EventType
	Message   string
}

func (eventRow) TableName() string { return "events" }

func record(tx *gorm.DB, satellite int64, at time.Time, kind EventType, message string) error {
	return tx.Create(&eventRow{At: at, Satellite: satellite, Type: kind, Message: message}).Error
}

// maxEvents is how many events are listed.
const maxEvents = 1000

// Events lists what happened to the satellites, the newest first, at most 1,000.
func (u *Upstream) Events(ctx context.Context) ([]Event, error) {
	list := []Event{}
	if err := u.lapse(ctx); err != nil {
		return nil, err
	}
	err := u.view(ctx, func(tx *gorm.DB) error {
		return tx.Raw(`SELECT e.id, e.at, s.satellite_id, s.local_account, e.type, e.message FROM events e JOIN satellites s ON s.id = e.satellite
			ORDER BY e.id DESC LIMIT ?`, maxEvents).Scan(&list).Error
	})
	return list, err
}
