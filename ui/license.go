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
		note := r.t("license.type." + string(pool.License.Type))
		if len(list) > 1 {
			note = pool.VirtualAccount + ", " + note
		}
		page.Rows = append(page.Rows, licenseRow{
			URL: poolURL(pool.ID) + suffix, Name: licenseName(pool.License), Note: note, State: r.poolBadge(pool),
			Purchased: quantity(pool.Purchased, number(pool.Purchased)), Moved: moved(pool.Pool),
			Reserved: quantity(pool.Reserved, number(pool.Reserved)), InUse: quantity(pool.InUse, number(pool.InUse)),
			Available: quantity(pool.Available(), number(pool.Available())), BalanceCell: quantity(pool.Balance(), number(pool.Balance())),
			Selected: panel != nil && panel.ID == pool.ID,
		})
	}
	return r.show("licenses", r.t("nav.licenses"), page)
}

// moved is what transfers have added or taken away: a minus is no shortage.
func moved(p satellite.Pool) cell {
	n := p.TransferredIn - p.TransferredOut
	if n == 0 {
		return cell{"0", "zero"}
	}
	return cell{signed(n), ""}
}

func (r *request) poolBadge(p satellite.PoolRow) kit.Badge {
	if p.Short() {
		return kit.Badge{Kind: "bad", Word: r.t("license.short")}
	}
	return kit.Badge{Kind: "ok", Word: r.t("license.ok")}
}

// licensePanel explains a balance by the rows that make it.
type licensePanel struct {
	ID          int64
	Title, Note string
	Close       string
	Sum         []kit.Stat
	Groups      []panelGroup
	Balance     cell
	Foot        string
	Short       bool
	SyncURL     string
	MaySync     bool
}

type panelGroup struct {
	Title, Sum string
	Rows       []panelRow
	More       string
}

type panelRow struct{ Name, URL, Note, Number string }

// maxPanelRows is how many devices a panel names.
const maxPanelRows = 100

func explainLicense(r *request) error {
	id, err := strconv.ParseInt(r.Param("pool"), 10, 64)
	if err != nil {
		return errNoLicense()
	}
	panel, err := r.licensePanel(id)
	if err != nil {
		return err
	}
	if r.byHTMX() {
		return r.showBlock("licenses", "panel", licensesPage{Panel: panel})
	}
	return r.licenses(panel)
}

func errNoLicense() error {
	return &satellite.Error{Kind: satellite.KindNotFound, Code: "license-not-found", Message: "There is no such license in this account."}
}

func (r *request) licensePanel(id int64) (*licensePanel, error) {
	pools, err := r.Service.Licenses(r.context(), r.actor, satellite.PoolFilter{AccountID: r.account.ID})
	if err != nil {
		return nil, err
	}
	for _, pool := range pools {
		if pool.ID != id || r.account.ID == 0 {
			continue
		}
		list, err := r.Service.License(r.context(), r.actor, r.account.ID, pool.License.Tag)
		if err != nil {
			return nil, err
		}
		for _, details := range list {
			if details.ID == id {
				return r.explain(details), nil
			}
		}
	}
	return nil, errNoLicense()
}

func (r *request) explain(d satellite.LicenseDetails) *licensePanel {
	balance := number(d.Balance())
	p := &licensePanel{
		ID: d.ID, Title: r.t("license.why", "Balance", balance), Note: r.t("license.in", "License", licenseName(d.License), "Name", d.VirtualAccount),
		Close: "/licenses", Balance: quantity(d.Balance(), balance), Short: d.Short(), MaySync: r.may(satellite.ActionSynchronize),
		SyncURL: syncURL(r.account.ID), Foot: r.t("license.spare", "Count", d.Available()),
	}
	if query := r.query("q", "va"); len(query) > 0 {
		p.Close += "?" + query.Encode()
	}
	if p.Short {
		p.Foot = r.t("license.heal", "Count", -d.Balance())
	}
	stat := func(key, value, kind string) {
		p.Sum = append(p.Sum, kit.Stat{Label: r.t(key), Value: value, Kind: kind})
	}
	stat("licenses.purchased", number(d.Purchased), "")
	stat("licenses.moved", moved(d.Pool).Text, "")
	stat("licenses.reserved", signed(-d.Reserved), "")
	stat("licenses.inuse", signed(-d.InUse), "")
	kind := ""
	if p.Short {
		kind = "bad"
	}
	stat("licenses.balance", balance, kind)
	p.Groups = append(p.Groups, r.lotGroup(d))
	if n := d.TransferredIn; n != 0 {
		p.Groups = append(p.Groups, panelGroup{Title: r.t("license.group.in"), Sum: signed(n)})
	}
	if n := d.TransferredOut; n != 0 {
		p.Groups = append(p.Groups, panelGroup{Title: r.t("license.group.out"), Sum: signed(-n)})
	}
	if d.Reserved != 0 {
		p.Groups = append(p.Groups, panelGroup{Title: r.t("licenses.reserved"), Sum: signed(-d.Reserved)})
	}
	p.Groups = append(p.Groups, r.usageGroup(d))
	return p
}

// lotGroup lists what was bought. Lots that have not begun or are over count nothing.
func (r *request) lotGroup(d satellite.LicenseDetails) panelGroup {
	now := r.Service.Now()
	group := panelGroup{Title: r.t("license.group.lots", "Count", len(d.Lots)), Sum: signed(d.Purchased)}
	for _, lot := range d.Lots {
		live, _ := satellite.PurchasedAt([]satellite.Lot{lot}, now)
		row := panelRow{Name: r.t("license.lot", "Name", lot.UpstreamID), Number: signed(live)}
		switch {
		case !lot.End.IsZero() && !now.Before(lot.End):
			row.Note = r.t("license.lot.ended", "Number", lot.Quantity, "Date", r.words.date(lot.End))
		case now.Before(lot.Start):
			row.Note = r.t("license.lot.begins", "Number", lot.Quantity, "Date", r.words.date(lot.Start))
		case lot.End.IsZero():
			row.Note = r.t("license.lot.since", "Type", r.t("license.type."+string(lot.Type)), "Date", r.words.date(lot.Start))
		default:
			row.Note = r.t("license.lot.until", "Type", r.t("license.type."+string(lot.Type)), "From", r.words.date(lot.Start), "To", r.words.date(lot.End))
		}
		group.Rows = append(group.Rows, row)
	}
	return group
}

func (r *request) usageGroup(d satellite.LicenseDetails) panelGroup {
	group := panelGroup{Title: r.t("license.group.devices", "Count", len(d.Usages)), Sum: signed(-d.InUse)}
	for i, usage := range d.Usages {
		if i == maxPanelRows {
			group.More = r.t("license.more", "Count", len(d.Usages)-maxPanelRows)
			break
		}
		name := usage.Hostname
		if name == "" {
			name = usage.UDISerialNumber
		}
		group.Rows = append(group.Rows, panelRow{
			Name: name, URL: "/devices/" + usage.PIID, Note: usage.UDIPID + ", " + usage.UDISerialNumber, Number: signed(-usage.Count),
		})
	}
	return group
}
