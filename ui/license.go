package ui

import (
	"strconv"
	"strings"

	"ssm/satellite"
	"ssm/ui/kit"
)

func poolURL(id int64) string { return "/licenses/" + strconv.FormatInt(id, 10) }

// licenseName is what a license is called. One that only devices have reported
// has no name but its tag, of which the middle says the most.
func licenseName(l satellite.License) string {
	if l.Name != l.Tag || !strings.HasPrefix(l.Tag, "regid.") {
		return l.Name
	}
	name, _, _ := strings.Cut(l.Tag, ",")
	return name[strings.LastIndexByte(name, '.')+1:]
}

// cell is a number in a table, with its color by meaning.
type cell struct{ Text, Class string }

func quantity(n int64, text string) cell {
	switch {
	case n == 0:
		return cell{text, "zero"}
	case n < 0:
		return cell{text, "negative"}
	}
	return cell{text, ""}
}

type licenseRow struct {
	URL, Name, Note                                           string
	State                                                     kit.Badge
	Purchased, Moved, Reserved, InUse, Available, BalanceCell cell
	Selected                                                  bool
}

type licensesPage struct {
	Query, ClearURL string
	Toolbar         kit.Toolbar
	Rows            []licenseRow
	Total           string
	More            bool
	Panel           *licensePanel
	Actions         []kit.Button // of the empty table
}

// maxLicenseRows bounds a table; the search narrows down what is not shown.
const maxLicenseRows = 500

func listLicenses(r *request) error { return r.licenses(nil) }

func (r *request) licenses(panel *licensePanel) error {
	if r.account.ID == 0 {
		return r.noAccount(r.t("nav.licenses"))
	}
	list, chosen, err := r.virtualAccounts()
	if err != nil {
		return err
	}
	query := r.query("q", "va")
	filter := satellite.PoolFilter{AccountID: r.account.ID, Search: strings.TrimSpace(query.Get("q"))}
	if chosen != nil {
		filter.VirtualAccountID = chosen.ID
	}
	pools, err := r.Service.Licenses(r.context(), r.actor, filter)
	if err != nil {
		return err
	}
	suffix := ""
	if len(query) > 0 {
		suffix = "?" + query.Encode()
	}
	page := licensesPage{
		Query: filter.Search, ClearURL: "/licenses", Panel: panel,
		Toolbar: kit.Toolbar{
			ID: "licenses", URL: "/licenses", Query: filter.Search, Placeholder: r.t("licenses.search"), Keep: keep(query),
			Menus: r.virtualAccountMenu("/licenses", list, chosen, query),
		},
		Total: r.t("licenses.total", "Count", len(pools)), More: len(pools) > maxLicenseRows,
	}
	if r.may(satellite.ActionSynchronize) {
		page.Actions = []kit.Button{{Word: r.t("task.sync.button"), Kind: "primary", URL: syncURL(r.account.ID)}}
	}
	for _, pool := range pools[:min(len(pools), maxLicenseRows)] {
		note := r.licenseKind(pool.License)
		if len(list) > 1 {
			note = pool.VirtualAccount + r.t("list.comma") + note
		}
		page.Rows = append(page.Rows, licenseRow{
			URL: poolURL(pool.ID) + suffix, Name: licenseName(pool.License), Note: note, State: r.poolBadge(pool),
			Purchased: quantity(pool.Purchased, number(pool.Purchased)), Moved: moved(pool.Pool),
			Reserved: quantity(pool.Reserved, number(pool.Reserved)), InUse: quantity(pool.InUse, number(pool.InUse)),
			Available: quantity(pool.Available(), number(pool.Available())), BalanceCell: balance(pool),
			Selected: panel != nil && panel.ID == pool.ID,
		})
	}
	return r.show("licenses", r.t("nav.licenses"), page)
}

// licenseKind is how long a license lasts, and what else is particular about it.
func (r *request) licenseKind(l satellite.License) string {
	kind := r.t("license.type." + string(l.Type))
	if l.Enforcement == satellite.Enforced || l.Enforcement == satellite.ExportControlled {
		kind += r.t("list.comma") + r.t("license."+string(l.Enforcement))
	}
	if l.ReportingOnly {
		kind += r.t("list.comma") + r.t("license.reporting")
	}
	return kind
}

// balance is red only where it is a shortage: not where the contract allows
// overage, nor of a license that is only reported.
func balance(p satellite.PoolRow) cell {
	n := p.Balance()
	if n < 0 && !p.Short() {
		return cell{number(n), ""}
	}
	return quantity(n, number(n))
}

// moved is what transfers, and loans between tiers, have added or taken away: a
// minus is no shortage.
func moved(p satellite.Pool) cell {
	n := p.TransferredIn - p.TransferredOut + p.Borrowed - p.Lent
	if n == 0 {
		return cell{"0", "zero"}
	}
	return cell{signed(n), ""}
}

func (r *request) poolBadge(p satellite.PoolRow) kit.Badge {
	switch p.Status() {
	case satellite.PoolInsufficient:
		return kit.Badge{Kind: "bad", Word: r.t("license.short")}
	case satellite.PoolOverage:
		return kit.Badge{Kind: "warn", Icon: "arrow-up-right", Word: r.t("license.overage")}
	}
	return kit.Badge{Kind: "ok", Word: r.t("license.ok")}
}
