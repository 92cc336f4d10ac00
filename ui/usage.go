package ui

import (
	"net/http"

	"ssm/satellite"
	"ssm/ui/kit"
)

type usageRow struct {
	URL, Device, Tag, Count, Until, Imported string
	State                                    kit.Badge
}

type usagePage struct {
	form
	Rows      []usageRow
	Pager     kit.Pager
	MayImport bool
}

func listUsage(r *request) error { return r.usage(nil) }

func (r *request) usage(problem error) error {
	if r.account.ID == 0 {
		return r.noAccount(r.t("nav.usage"))
	}
	at := r.cursor()
	reports, err := r.Service.Reports(r.context(), r.actor, r.account.ID, at.page())
	if err != nil {
		return err
	}
	page := usagePage{form: r.filled(problem), MayImport: r.may(satellite.ActionImportUsage)}
	var last int64
	for i, report := range reports {
		if i == pageSize {
			break
		}
		last = report.ID
		row := usageRow{
			URL: "/devices/" + report.PIID, Device: report.Key.UDIPID + ", " + report.Key.UDISerialNumber, Tag: report.Key.Tag,
			Count: number(report.Count), Until: r.words.tableTime(report.MeasuredUntil), Imported: r.words.tableTime(report.ImportedAt),
			State: kit.Badge{Kind: "warn", Word: r.t("report.received")},
		}
		if report.State == satellite.ReportAcknowledged {
			row.State = kit.Badge{Kind: "ok", Word: r.t("report.acknowledged")}
		}
		page.Rows = append(page.Rows, row)
	}
	page.Pager = r.pager(at, "/usage", nil, len(reports), last, -1)
	status := http.StatusOK
	if problem != nil {
		status, _ = refusal(problem)
	}
	return r.showAs(status, "usage", r.t("nav.usage"), page)
}

func importUsage(r *request, upload uploaded) error {
	if r.account.ID == 0 {
		return r.noAccount(r.t("nav.usage"))
	}
	file, err := upload.read()
	if err == nil {
		var result satellite.ImportResult
		if result, err = r.Service.ImportUsage(r.context(), r.actor, r.account.ID, file); err == nil {
			return r.done("/usage", r.t("usage.done", "Count", result.Reports, "Counted", result.Counted, "Known", result.Known, "Conflicts", result.Conflicts))
		}
	}
	if _, ok := refusal(err); ok {
		return r.usage(err)
	}
	return err
}
