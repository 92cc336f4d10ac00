package ui

import (
	"cmp"
	"fmt"
	"math"
	"net/url"
	"slices"
	"sort"
	"time"

	"ssm/satellite"
	"ssm/ui/kit"
)

// overviewPage answers three questions: is everything in compliance, is
// anything about to lapse, what must I do next.
type overviewPage struct {
	Note       string
	Compliance complianceCard
	Lapse      *lapseCard // nil where the visitor does not see the whole account
	Tasks      []task
	TasksNote  string
	Alerts     []alertRow
	AlertCount string
	Virtual    []virtualComplianceRow
	All        virtualComplianceRow
}

type complianceCard struct {
	Kind, Answer, Note string
	Bar                *kit.Bar
	Key                []keyItem
	Lowest             []lowestRow
}

type keyItem struct{ Kind, Label, Number, URL string }

type lowestRow struct {
	Name, VirtualAccount, URL string
	Balance                   cell
}

type lapseCard struct {
	Days, Kind   string // the countdown; "" where there is no deadline yet
	Answer, Note string
	Span         *span
	Endings      []endingRow
}

// span is the time between two synchronizations as it is drawn, in percent.
type span struct {
	Elapsed, Overdue, Warning, Mark string
	Kind                            string
	From, To                        string
}

type endingRow struct{ Name, Note, Date, Left, Kind string }

// task is one thing to do, with the button that leads there.
type task struct {
	Title, Due, Note, Kind string
	Button                 kit.Button
	at                     time.Time // when it is due; zero is now
}

type virtualComplianceRow struct {
	Name, URL, Devices, Licenses, Note, Percent string
	Bar                                         *kit.Bar
	AddURL                                      string
	Short                                       bool
}

// maxOverviewAlerts is how many alerts the overview names, the newest ones.
const maxOverviewAlerts = 5

func showOverview(r *request) error {
	if r.account.ID == 0 {
		return r.noAccount(r.t("nav.overview"))
	}
	pools, err := r.Service.Licenses(r.context(), r.actor, satellite.PoolFilter{AccountID: r.account.ID})
	if err != nil {
		return err
	}
	status := satellite.SyncStatus{Account: r.account}
	if r.whole(r.account.ID) {
		if status, err = r.syncStatus(r.account.ID); err != nil {
			return err
		}
	}
	page := overviewPage{Note: r.t("overview.note", "Now", r.Service.Now())}
	devices, err := r.virtualCompliance(&page, pools)
	if err != nil {
		return err
	}
	page.Compliance = r.compliance(pools, devices)
	if r.whole(r.account.ID) {
		card, err := r.lapse(status, pools)
		if err != nil {
			return err
		}
		page.Lapse = &card
	}
	if err := r.tasks(&page, status, pools, devices); err != nil {
		return err
	}
	alerts, count, err := r.openAlerts()
	if err != nil {
		return err
	}
	page.Alerts, page.AlertCount = r.alertRows(alerts[:min(len(alerts), maxOverviewAlerts)]), count
	return r.show("overview", r.t("nav.overview"), page)
}

func (r *request) compliance(pools []satellite.PoolRow, devices int64) complianceCard {
	short, overage := 0, 0
	for _, pool := range pools {
		switch pool.Status() {
		case satellite.PoolInsufficient:
			short++
		case satellite.PoolOverage:
			overage++
		}
	}
	good := len(pools) - short - overage
	card := complianceCard{Kind: "ok", Answer: r.t("overview.compliance.yes"), Note: r.t("overview.compliance.note", "Licenses", len(pools), "Count", devices)}
	switch {
	case len(pools) == 0:
		card.Kind, card.Answer, card.Note = "idle", r.t("overview.compliance.none"), r.t("overview.compliance.none.note")
		return card
	case short > 0:
		card.Kind, card.Answer = "bad", r.t("overview.compliance.no", "Count", short, "Total", len(pools))
	}
	card.Bar = &kit.Bar{Parts: []kit.Part{{Kind: "ok", Value: float64(good)}, {Kind: "warn", Value: float64(overage)}, {Kind: "bad", Value: float64(short)}}}
	card.Key = []keyItem{
		{"ok", r.t("license.ok"), number(int64(good)), "/licenses"}, {"bad", r.t("license.short"), number(int64(short)), "/licenses"},
	}
	if overage > 0 {
		card.Key = append(card.Key, keyItem{"warn", r.t("license.overage"), number(int64(overage)), "/licenses"})
	}
	lowest := slices.Clone(pools)
	slices.SortStableFunc(lowest, func(a, b satellite.PoolRow) int { // shortages above what only looks like one
		switch {
		case a.Short() && !b.Short():
			return -1
		case b.Short() && !a.Short():
			return 1
		}
		return cmp.Compare(a.Balance(), b.Balance())
	})
	for _, pool := range lowest[:min(len(lowest), 5)] {
		card.Lowest = append(card.Lowest, lowestRow{licenseName(pool.License), pool.VirtualAccount, poolURL(pool.ID), balance(pool)})
	}
	return card
}

func (r *request) lapse(status satellite.SyncStatus, pools []satellite.PoolRow) (lapseCard, error) {
	now, state := r.Service.Now(), status.State
	card := lapseCard{Answer: r.t("overview.lapse.unregistered"), Note: r.t("overview.lapse.unregistered.note")}
	if !state.Deadline.IsZero() {
		left := daysLeft(state.Deadline, now)
		card.Kind = deadlineKind(state, now)
		card.Days, card.Answer = number(int64(max(left, 0))), r.t("overview.lapse.days", "Count", max(left, 0))
		card.Note = r.t("overview.lapse.note", "Last", r.words.date(state.LastSyncAt), "Deadline", r.words.date(state.Deadline))
		if left < 0 {
			card.Answer, card.Note = r.t("overview.lapse.past"), r.t("overview.lapse.past.note", "Deadline", r.words.date(state.Deadline))
		}
		card.Span = r.span(state, card.Kind, now)
	}
	endings, err := r.certificateEndings()
	if err != nil {
		return card, err
	}
	terms, err := r.termEndings(pools, now)
	if err != nil {
		return card, err
	}
	endings = append(endings, terms...)
	sort.SliceStable(endings, func(i, j int) bool { return endings[i].at.Before(endings[j].at) })
	for _, e := range endings[:min(len(endings), 4)] {
		days := daysLeft(e.at, now)
		row := endingRow{Name: e.name, Note: e.note, Date: r.words.tableDate(e.at), Left: r.words.left(days)}
		switch {
		case days < badUnder:
			row.Kind = "bad"
		case days <= 30:
			row.Kind = "warn"
		}
		card.Endings = append(card.Endings, row)
	}
	return card, nil
}

// span places the marks of a synchronization between its last and its deadline.
func (r *request) span(state satellite.SyncState, kind string, now time.Time) *span {
	whole := state.Deadline.Sub(state.LastSyncAt)
	if whole <= 0 {
		return nil
	}
	percent := func(d time.Duration) string {
		return fmt.Sprintf("%.1f%%", math.Max(0, math.Min(100, 100*float64(d)/float64(whole))))
	}
	elapsed := min(max(now.Sub(state.LastSyncAt), 0), whole)
	return &span{
		Elapsed: percent(elapsed), Overdue: percent(31 * day), Warning: percent(60 * day), Kind: kind,
		Mark: percent(min(elapsed, whole*985/1000)), From: r.words.day(state.LastSyncAt), To: r.words.day(state.Deadline),
	}
}

// termEndings are the lots that end within a year, of the first few pools that
// have one.
func (r *request) termEndings(pools []satellite.PoolRow, now time.Time) ([]ending, error) {
	soon := slices.Clone(pools)
	soon = slices.DeleteFunc(soon, func(p satellite.PoolRow) bool {
		return p.PurchasedUntil.IsZero() || p.PurchasedUntil.Sub(now) > 365*day
	})
	sort.SliceStable(soon, func(i, j int) bool { return soon[i].PurchasedUntil.Before(soon[j].PurchasedUntil) })
	var list []ending
	for _, pool := range soon[:min(len(soon), 5)] {
		details, err := r.Service.License(r.context(), r.actor, r.account.ID, pool.License.Tag)
		if err != nil {
			return nil, err
		}
		ends := int64(0)
		for _, d := range details {
			for _, lot := range d.Lots {
				if d.ID == pool.ID && lot.End.Equal(pool.PurchasedUntil) {
					ends += lot.Quantity
				}
			}
		}
		if ends > 0 {
			list = append(list, ending{licenseName(pool.License), r.t("ending.term", "Count", ends), pool.PurchasedUntil})
		}
	}
	return list, nil
}

// virtualCompliance fills the table by virtual account and counts the devices.
func (r *request) virtualCompliance(page *overviewPage, pools []satellite.PoolRow) (devices int64, err error) {
	list, err := r.Service.VirtualAccounts(r.context(), r.actor, r.account.ID)
	if err != nil {
		return 0, err
	}
	short, all := map[satellite.VirtualAccountID]int{}, map[satellite.VirtualAccountID]int{}
	shortAll := 0
	for _, pool := range pools {
		all[pool.VirtualAccountID]++
		if pool.Short() {
			short[pool.VirtualAccountID]++
			shortAll++
		}
	}
	for _, virtual := range list {
		count, err := r.Service.CountInstances(r.context(), r.actor, satellite.InstanceFilter{AccountID: r.account.ID, VirtualAccountID: virtual.ID})
		if err != nil {
			return 0, err
		}
		devices += count
		query := "?" + url.Values{"va": {virtual.Name}}.Encode()
		row := r.complianceRow(virtual.Name, count, all[virtual.ID], short[virtual.ID])
		row.URL = "/devices" + query
		if count == 0 && r.may(satellite.ActionManageTokens) {
			row.AddURL = "/devices/add" + query
		}
		page.Virtual = append(page.Virtual, row)
	}
	page.All = r.complianceRow(r.t("overview.all"), devices, len(pools), shortAll)
	return devices, nil
}

func (r *request) complianceRow(name string, devices int64, all, short int) virtualComplianceRow {
	row := virtualComplianceRow{Name: name, Devices: number(devices), Licenses: number(int64(all)), Percent: never}
	switch {
	case short > 0:
		row.Note, row.Short = r.t("overview.short", "Count", short), true
	case devices == 0:
		row.Note = r.t("overview.nodevices")
	}
	if all > 0 {
		row.Percent = fmt.Sprintf("%.4g%%", math.Floor(1000*float64(all-short)/float64(all))/10)
		row.Bar = &kit.Bar{Thin: true, Parts: []kit.Part{{Kind: "ok", Value: float64(all - short)}, {Kind: "bad", Value: float64(short)}}}
	}
	return row
}

// tasks lists what there is to do, what is due first on top.
func (r *request) tasks(page *overviewPage, status satellite.SyncStatus, pools []satellite.PoolRow, devices int64) error {
	now, account := r.Service.Now(), status.Account
	var list []task
	add := func(at time.Time, title, note, word, address string) {
		t := task{Title: title, Note: note, Button: kit.Button{Word: word, URL: address}, at: at, Due: r.t("task.now"), Kind: "bad"}
		if at.After(now) {
			days := daysLeft(at, now)
			if t.Due, t.Kind = r.t("task.in", "Count", days), "warn"; days < badUnder {
				t.Kind = "bad"
			}
		}
		list = append(list, t)
	}
	waiting := pending(status)
	switch {
	case !r.may(satellite.ActionSynchronize):
	case waiting != nil:
		add(time.Time{}, r.t("task.upload"), r.t("task.upload.note", "Number", waiting.Sequence, "Date", r.words.date(waiting.CreatedAt)), r.t("task.upload.button"), syncURL(account.ID)+"?step=3")
	case !account.Registered():
		add(time.Time{}, r.t("task.register"), r.t("task.register.note"), r.t("task.register.button"), syncURL(account.ID))
	case status.State.FullRequired:
		add(time.Time{}, r.t("task.full"), r.t("task.full.note"), r.t("task.sync.button"), syncURL(account.ID))
	case !status.State.Deadline.IsZero():
		add(status.State.Deadline, r.t("task.sync"), r.t("task.sync.note"), r.t("task.sync.button"), syncURL(account.ID))
	}
	short := 0
	for _, pool := range pools {
		if pool.Short() && short < 3 {
			short++
			add(time.Time{}, r.t("task.short", "Name", licenseName(pool.License), "Count", -pool.Balance()), r.t("task.short.note", "Name", pool.VirtualAccount), r.t("task.short.button"), poolURL(pool.ID))
		}
	}
	if err := r.firstTasks(add, account, devices); err != nil {
		return err
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].at.Before(list[j].at) })
	if len(list) > 0 {
		list[0].Button.Kind = "primary"
	}
	page.Tasks, page.TasksNote = list, r.t("overview.tasks", "Count", len(list))
	return nil
}

// firstTasks are those of a new account: a token, then devices.
func (r *request) firstTasks(add func(time.Time, string, string, string, string), account satellite.Account, devices int64) error {
	if !account.Registered() || devices > 0 || !r.may(satellite.ActionManageTokens) {
		return nil
	}
	tokens, err := r.Service.Tokens(r.context(), r.actor, satellite.TokenFilter{AccountID: account.ID}, satellite.Page{Limit: 100})
	if err != nil {
		return err
	}
	active := slices.ContainsFunc(tokens, func(t satellite.Token) bool { return t.StatusAt(r.Service.Now()) == satellite.TokenActive })
	if !active {
		add(time.Time{}, r.t("task.token"), r.t("task.token.note"), r.t("task.token.button"), "/tokens/new")
		return nil
	}
	add(time.Time{}, r.t("task.devices"), r.t("task.devices.note"), r.t("task.devices.button"), "/devices")
	return nil
}
