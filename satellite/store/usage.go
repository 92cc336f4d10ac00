package store

import (
	"time"

	"ssm/satellite"
)

type reportRow struct {
	ID              int64 `gorm:"primaryKey"`
	AccountID       int64
	Digest          string
	Raw             []byte
	UDIPID          string `gorm:"column:udi_pid"`
	UDISerialNumber string `gorm:"column:udi_serial_number"`
	SoftwareTag     string
	ReportID        int64
	Tag             string
	PIID            string `gorm:"column:piid"`
	Count           int64
	MeasuredUntil   int64
	State           string
	ImportedAt      int64
	ImportedBy      string
	AcknowledgedAt  int64
}

func (reportRow) TableName() string { return "usage_reports" }

const reportColumns = `id, account_id, digest, raw, udi_pid, udi_serial_number, software_tag, report_id, tag, piid, count,
	measured_until, state, imported_at, imported_by, acknowledged_at`

func (r reportRow) domain() satellite.Report {
	return satellite.Report{
		ID: r.ID, AccountID: satellite.AccountID(r.AccountID), Digest: r.Digest, Raw: r.Raw, PIID: r.PIID, Count: r.Count,
		Key: satellite.ReportKey{
			Identity: satellite.Identity{UDIPID: r.UDIPID, UDISerialNumber: r.UDISerialNumber, SoftwareTag: r.SoftwareTag},
			ReportID: r.ReportID, Tag: r.Tag,
		},
		MeasuredUntil: instant(r.MeasuredUntil), State: satellite.ReportState(r.State), ImportedAt: instant(r.ImportedAt), ImportedBy: r.ImportedBy,
	}
}

func (t *transaction) CreateReport(r satellite.Report) (satellite.Report, error) {
	row := reportRow{
		AccountID: int64(r.AccountID), Digest: r.Digest, Raw: r.Raw, UDIPID: r.Key.UDIPID, UDISerialNumber: r.Key.UDISerialNumber,
		SoftwareTag: r.Key.SoftwareTag, ReportID: r.Key.ReportID, Tag: r.Key.Tag, PIID: r.PIID, Count: r.Count,
		MeasuredUntil: micros(r.MeasuredUntil), State: string(r.State), ImportedAt: micros(r.ImportedAt), ImportedBy: r.ImportedBy,
	}
	err := t.db.Create(&row).Error
	return row.domain(), unique(err, "report", "There is such a usage report already.")
}

func (t *transaction) ReportByDigest(account satellite.AccountID, digest string) (satellite.Report, error) {
	var r reportRow
	err := t.db.Select(reportColumns).Where("account_id = ? AND digest = ?", account, digest).Take(&r).Error
	return r.domain(), found(err, "usage report", digest)
}

func (t *transaction) ReportByKey(account satellite.AccountID, key satellite.ReportKey) (satellite.Report, error) {
	var r reportRow
	err := t.db.Select(reportColumns).Where("account_id = ? AND udi_serial_number = ? AND udi_pid = ? AND software_tag = ? AND report_id = ? AND tag = ?",
		account, key.UDISerialNumber, key.UDIPID, key.SoftwareTag, key.ReportID, key.Tag).Take(&r).Error
	return r.domain(), found(err, "usage report", key.ReportID)
}

func (t *transaction) Reports(account satellite.AccountID, scope satellite.Scope, page satellite.Page) ([]satellite.Report, error) {
	query := t.db.Select(reportColumns).Where("account_id = ?", account).Order("id DESC").Limit(page.Limit)
	if page.After > 0 {
		query = query.Where("id < ?", page.After)
	}
	if !scope.Whole(account) {
		query = query.Where("EXISTS (SELECT 1 FROM instances i WHERE i.piid = usage_reports.piid AND +i.virtual_account_id IN ?)", scope.VirtualAccounts)
	}
	var rows []reportRow
	err := query.Find(&rows).Error
	return reportsOf(rows), err
}

func (t *transaction) ReportsToSend(account satellite.AccountID, page satellite.Page) ([]satellite.Report, error) {
	var rows []reportRow
	err := t.db.Select(reportColumns).Where("account_id = ? AND state = 'received' AND id > ?", account, page.After).
		Order("id").Limit(page.Limit).Find(&rows).Error
	return reportsOf(rows), err
}

func reportsOf(rows []reportRow) []satellite.Report {
	list := make([]satellite.Report, len(rows))
	for i, r := range rows {
		list[i] = r.domain()
	}
	return list
}

func (t *transaction) AcknowledgeReport(account satellite.AccountID, digest string, at time.Time) error {
	return t.db.Model(&reportRow{}).Where("account_id = ? AND digest = ? AND state = 'received'", account, digest).
		Updates(map[string]any{"state": string(satellite.ReportAcknowledged), "acknowledged_at": micros(at)}).Error
}
