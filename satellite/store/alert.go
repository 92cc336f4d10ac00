package store

import (
	"time"

	"ssm/satellite"
)

type alertRow struct {
	ID               int64 `gorm:"primaryKey"`
	AccountID        int64
	VirtualAccountID int64
	PIID             string `gorm:"column:piid"`
	Type             string
	Severity         string
	Key              string
	Source           string
	Message          string
	ActionDue        int64
	OpenedAt         int64
	ClosedAt         int64
}

func (alertRow) TableName() string { return "alerts" }

var alertColumns = []string{
	"id", "account_id", "virtual_account_id", "piid", "type", "severity", "key", "source", "message", "action_due", "opened_at", "closed_at",
}

func (r alertRow) domain() satellite.Alert {
	return satellite.Alert{
		ID: r.ID, AccountID: satellite.AccountID(r.AccountID), VirtualAccountID: satellite.VirtualAccountID(r.VirtualAccountID), PIID: r.PIID,
		Type: satellite.AlertType(r.Type), Severity: satellite.Severity(r.Severity), Key: r.Key, Source: r.Source, Message: r.Message,
		ActionDue: instant(r.ActionDue), OpenedAt: instant(r.OpenedAt), ClosedAt: instant(r.ClosedAt),
	}
}

func (t *transaction) OpenAlert(a satellite.Alert) (opened bool, err error) {
	open, err := t.openAlert(a.AccountID, a.Type, a.Key)
	if err != nil {
		return false, err
	}
	r := alertRow{
		ID: open.ID, AccountID: int64(a.AccountID), VirtualAccountID: int64(a.VirtualAccountID), PIID: a.PIID, Type: string(a.Type),
		Severity: string(a.Severity), Key: a.Key, Source: a.Source, Message: a.Message, ActionDue: micros(a.ActionDue), OpenedAt: micros(a.OpenedAt),
	}
	if open.ID == 0 {
		return true, t.db.Create(&r).Error
	}
	if open.Message == a.Message && open.ActionDue.Equal(a.ActionDue) && open.Source == a.Source && open.VirtualAccountID == a.VirtualAccountID {
		return false, nil
	}
	return false, t.db.Select("virtual_account_id", "source", "message", "action_due").Where("id = ?", r.ID).Updates(&r).Error
}

// openAlert is the open one of that key, with ID 0 where there is none.
func (t *transaction) openAlert(account satellite.AccountID, kind satellite.AlertType, key string) (satellite.Alert, error) {
	var rows []alertRow
	err := t.db.Select(alertColumns).Where("account_id = ? AND type = ? AND key = ? AND closed_at = 0", account, kind, key).Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return satellite.Alert{}, err
	}
	return rows[0].domain(), nil
}

func (t *transaction) CloseAlert(account satellite.AccountID, kind satellite.AlertType, key string, at time.Time) (satellite.Alert, error) {
	open, err := t.openAlert(account, kind, key)
	if err != nil || open.ID == 0 {
		return open, err
	}
	open.ClosedAt = at
	return open, t.db.Model(&alertRow{}).Where("id = ?", open.ID).Update("closed_at", micros(at)).Error
}

func (t *transaction) Alerts(filter satellite.AlertFilter, page satellite.Page) ([]satellite.Alert, error) {
	var rows []alertRow
	err := selected(filter.AccountID, 0, filter.Scope).page(t.db.Select(alertColumns), "alerts", page, true, alertConditions(filter)...).Find(&rows).Error
	alerts := make([]satellite.Alert, len(rows))
	for i, r := range rows {
		alerts[i] = r.domain()
	}
	return alerts, err
}

func (t *transaction) CountAlerts(filter satellite.AlertFilter) (count int64, err error) {
	err = allOf(selected(filter.AccountID, 0, filter.Scope).of(t.db.Model(&alertRow{}), ""), alertConditions(filter)).Count(&count).Error
	return count, err
}

func (t *transaction) AlertCursor(filter satellite.AlertFilter, skip int64) (int64, error) {
	return selected(filter.AccountID, 0, filter.Scope).cursor(t.db.Model(&alertRow{}), "alerts", skip, true, alertConditions(filter)...)
}

// alertConditions are those of a filter beside its place.
func alertConditions(filter satellite.AlertFilter) (conditions []condition) {
	if !filter.Closed {
		conditions = append(conditions, where("closed_at = 0"))
	}
	if filter.Type != "" {
		conditions = append(conditions, where("type = ?", filter.Type))
	}
	if filter.Key != "" {
		conditions = append(conditions, where("key = ?", filter.Key))
	}
	if filter.PIID != "" {
		conditions = append(conditions, where("piid = ? AND piid <> ''", filter.PIID))
	}
	return conditions
}
