package adminapi

import (
	"context"
	"time"

	"ssm/satellite"
	"ssm/satellite/wire"
)

// UsageReport is a usage report (RUM), without its bytes.
type UsageReport struct {
	ReportID        int64     `json:"report_id" doc:"The device's; Unix seconds."`
	UDIPID          string    `json:"udi_pid"`
	UDISerialNumber string    `json:"udi_serial_number"`
	SoftwareTag     string    `json:"software_tag"`
	Tag             string    `json:"tag"`
	Count           int64     `json:"count" doc:"Of the newest measurement."`
	MeasuredUntil   time.Time `json:"measured_until"`
	State           string    `json:"state" enum:"received,acknowledged"`
	ImportedAt      time.Time `json:"imported_at"`
	Digest          string    `json:"digest" doc:"SHA-256 of the report, hexadecimal."`
}

func usageReportOf(r satellite.Report) UsageReport {
	return UsageReport{
		ReportID: r.Key.ReportID, UDIPID: r.Key.UDIPID, UDISerialNumber: r.Key.UDISerialNumber, SoftwareTag: r.Key.SoftwareTag,
		Tag: r.Key.Tag, Count: r.Count, MeasuredUntil: r.MeasuredUntil.UTC(), State: string(r.State),
		ImportedAt: r.ImportedAt.UTC(), Digest: r.Digest,
	}
}

type listUsageReportsInput struct {
	AccountPath
	Paging
}

func (a *api) listUsageReports(ctx context.Context, in *listUsageReportsInput) (*output[List[UsageReport]], error) {
	page, err := in.page()
	if err != nil {
		return nil, err
	}
	account, err := a.service.FindAccount(ctx, actor(ctx), in.Account)
	if err != nil {
		return nil, err
	}
	reports, err := a.service.Reports(ctx, actor(ctx), account.ID, page)
	return answer(paged(reports, in.Limit, usageReportOf, func(r satellite.Report) int64 { return r.ID }), err)
}

// UsageImport is what importing a usage file did.
type UsageImport struct {
	Account   string `json:"account"`
	Reports   int    `json:"reports" doc:"In the file."`
	Counted   int    `json:"counted" doc:"New ones."`
	Known     int    `json:"known" doc:"Imported before: counted once."`
	Conflicts int    `json:"conflicts" doc:"Came before with other content: not counted."`
}

type usageFileInput struct {
	AccountPath
	upload
}

func (a *api) importUsageReports(ctx context.Context, in *usageFileInput) (*output[UsageImport], error) {
	account, err := a.service.FindAccount(ctx, actor(ctx), in.Account)
	if err != nil {
		return nil, err
	}
	content, err := in.read(wire.MaxUsageFile)
	if err != nil {
		return nil, err
	}
	r, err := a.service.ImportUsage(ctx, actor(ctx), account.ID, content)
	return answer(UsageImport{Account: account.Name, Reports: r.Reports, Counted: r.Counted, Known: r.Known, Conflicts: r.Conflicts}, err)
}
