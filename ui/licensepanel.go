package ui

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"time"

	"ssm/satellite"
	"ssm/ui/kit"
)

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
}

type panelRow struct{ Name, URL, Note, Number string }

// maxPanelRows is how many devices, or reservations, a panel names.
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
		explained, err := r.Service.ExplainLicense(r.context(), r.actor, r.account.ID, pool.License.Tag, pool.VirtualAccount)
		if err != nil {
			return nil, err
		}
		return r.explain(explained)
	}
	return nil, errNoLicense()
}

func (r *request) explain(e satellite.Explanation) (*licensePanel, error) {
	list, err := r.Service.VirtualAccounts(r.context(), r.actor, r.account.ID)
	if err != nil {
		return nil, err
	}
	reserved, err := r.reservedGroup(e)
	if err != nil {
		return nil, err
	}
	p := &licensePanel{
		ID: e.ID, Title: r.t("license.why", "Balance", number(e.Balance())), Note: r.t("license.in", "License", licenseName(e.License), "Name", e.VirtualAccount),
		Close: "/licenses", Balance: balance(e.PoolRow), Short: e.Short(), MaySync: r.may(satellite.ActionSynchronize),
		SyncURL: syncURL(r.account.ID), Foot: r.panelFoot(e.PoolRow),
	}
	if query := r.query("q", "va"); len(query) > 0 {
		p.Close += "?" + query.Encode()
	}
	p.Sum = r.panelSum(e.PoolRow)
	p.Groups = append(p.Groups, r.lotGroup(e))
	for _, group := range []panelGroup{
		r.transferGroup("license.group.in", "license.lot.from", e, e.TransfersIn, 1, list),
		r.transferGroup("license.group.out", "license.lot.to", e, e.TransfersOut, -1, list),
		r.loanGroup("license.group.borrowed", e.BorrowedFrom, 1),
		r.loanGroup("license.group.lent", e.LentTo, -1),
		reserved,
	} {
		if len(group.Rows) > 0 {
			p.Groups = append(p.Groups, group)
		}
	}
	p.Groups = append(p.Groups, r.usageGroup(e))
	return p, nil
}

// panelSum is the sum in one line, from left to right.
func (r *request) panelSum(p satellite.PoolRow) []kit.Stat {
	stat := func(key, value, kind string) kit.Stat { return kit.Stat{Label: r.t(key), Value: value, Kind: kind} }
	kind := ""
	if p.Short() {
		kind = "bad"
	}
	return []kit.Stat{
		stat("licenses.purchased", number(p.Purchased), ""), stat("licenses.moved", moved(p.Pool).Text, ""),
		stat("licenses.reserved", signed(-p.Reserved), ""), stat("licenses.inuse", signed(-p.InUse), ""),
		stat("licenses.balance", number(p.Balance()), kind),
	}
}

// panelFoot says what the balance means, and what heals it.
func (r *request) panelFoot(p satellite.PoolRow) string {
	switch {
	case p.License.ReportingOnly:
		return r.t("license.reporting.foot")
	case p.Short():
		return r.t("license.heal", "Count", -p.Balance())
	case p.Balance() < 0:
		return r.t("license.overage.foot", "Count", -p.Balance())
	}
	return r.t("license.spare", "Count", p.Available())
}

// lotGroup lists what was bought. Lots that have not begun or are over count nothing.
func (r *request) lotGroup(e satellite.Explanation) panelGroup {
	group := panelGroup{Title: r.t("license.group.lots", "Count", len(e.Lots)), Sum: signed(e.Purchased)}
	for _, lot := range e.Lots {
		row, _ := r.lotRow(lot, 1, e.At)
		group.Rows = append(group.Rows, row)
	}
	return group
}

// lotRow is what a lot adds, or with a sign of -1 takes away.
func (r *request) lotRow(lot satellite.Lot, sign int64, now time.Time) (row panelRow, counts int64) {
	live, _ := satellite.PurchasedAt([]satellite.Lot{lot}, now)
	counts = sign * live
	row = panelRow{Name: r.t("license.lot", "Name", lot.UpstreamID), Number: signed(counts)}
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
	return row, counts
}

// transferGroup lists the parts of lots that came from, or went to, other
// virtual accounts.
func (r *request) transferGroup(title, where string, e satellite.Explanation, transfers []satellite.LotTransfer, sign int64, list []satellite.VirtualAccount) panelGroup {
	group, sum := panelGroup{Title: r.t(title)}, int64(0)
	for _, t := range transfers {
		other := t.From
		if sign < 0 {
			other = t.To
		}
		name := nameOf(list, other)
		if name == "" { // the visitor sees only this one
			name = r.t("license.elsewhere")
		}
		t.Lot.Quantity = t.Quantity
		row, counts := r.lotRow(t.Lot, sign, e.At)
		row.Name = r.t(where, "Name", t.Lot.UpstreamID, "Where", name)
		group.Rows, sum = append(group.Rows, row), sum+counts
	}
	group.Sum = signed(sum)
	return group
}

// loanGroup lists what the tiers of the license lend each other.
func (r *request) loanGroup(title string, loans []satellite.TierLoan, sign int64) panelGroup {
	group, sum := panelGroup{Title: r.t(title)}, int64(0)
	for _, loan := range loans {
		group.Rows = append(group.Rows, panelRow{Name: licenseName(loan.License), URL: "/licenses?" + url.Values{"q": {loan.License.Tag}}.Encode(), Note: r.t("license.tier"), Number: signed(sign * loan.Quantity)})
		sum += loan.Quantity
	}
	group.Sum = signed(sign * sum)
	return group
}

// reservedGroup lists what devices have reserved.
func (r *request) reservedGroup(e satellite.Explanation) (panelGroup, error) {
	group := panelGroup{Title: r.t("licenses.reserved"), Sum: signed(-e.Reserved)}
	var ids []satellite.ReservationID
	for _, row := range e.Reservations {
		ids = append(ids, row.ReservationID)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	rest, counts := e.Reserved, reservedCounts(e)
	for i, id := range ids {
		if i == maxPanelRows {
			group.Rows = append(group.Rows, panelRow{Name: r.t("license.morereserved", "Count", len(ids)-maxPanelRows), Number: signed(-rest)})
			break
		}
		reservation, err := r.Service.FindReservation(r.context(), r.actor, satellite.ReservationQuery{ID: id})
		if err != nil {
			return group, err
		}
		group.Rows = append(group.Rows, panelRow{
			Name: reservation.UDIPID + ", " + reservation.UDISerialNumber, URL: "/devices/" + url.PathEscape(reservation.PIID),
			Note: r.t("license.reservation", "Number", int64(id), "Date", r.words.date(reservation.CreatedAt)), Number: signed(-counts[i]),
		})
		rest -= counts[i]
	}
	return group, nil
}

// reservedCounts is what each reservation reserves, in the order of their numbers.
func reservedCounts(e satellite.Explanation) (counts []int64) {
	for _, sum := range e.Sums {
		if sum.Name != "Reserved" {
			continue
		}
		for _, part := range sum.Parts {
			counts = append(counts, part.Quantity)
		}
	}
	return counts
}

func (r *request) usageGroup(e satellite.Explanation) panelGroup {
	group := panelGroup{Title: r.t("license.group.devices", "Count", e.Devices), Sum: signed(-e.InUse)}
	rest := e.InUse
	for i, usage := range e.Usages {
		if i == maxPanelRows {
			break
		}
		group.Rows = append(group.Rows, panelRow{
			Name: cmp.Or(usage.Hostname, usage.UDISerialNumber), URL: "/devices/" + usage.PIID, Note: usage.UDIPID + ", " + usage.UDISerialNumber, Number: signed(-usage.Count),
		})
		rest -= usage.Count
	}
	if more := e.Devices - int64(len(group.Rows)); more > 0 {
		group.Rows = append(group.Rows, panelRow{Name: r.t("license.more", "Count", more), Number: signed(-rest)})
	}
	return group
}
