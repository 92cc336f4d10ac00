package ui

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"ssm/satellite"
	"ssm/sync/offline"
	"ssm/ui/kit"
)

// The upstream hears from an account every 30 days, warns from day 60, and takes
// the licenses back at the deadline in its last response.
const (
	overdueAfter = 30 * day
	badUnder     = 7 // days
)

func syncURL(id satellite.AccountID) string { return fmt.Sprintf("/synchronization/%d", id) }

// pending is the newest request that no response has answered yet; nil where there is none.
func pending(status satellite.SyncStatus) *satellite.SyncRequestRow {
	if len(status.Requests) == 0 || !status.Requests[0].AppliedAt.IsZero() {
		return nil
	}
	return &status.Requests[0]
}

// syncStatus is where one account stands with its upstream.
func (r *request) syncStatus(id satellite.AccountID) (satellite.SyncStatus, error) {
	list, err := r.Service.SyncStatuses(r.context(), r.actor)
	for _, status := range list {
		if status.Account.ID == id {
			return status, err
		}
	}
	if err == nil {
		err = satellite.NotFound("account", id)
	}
	return satellite.SyncStatus{}, err
}

// overdue tells since when a synchronization would have been in order.
func overdue(state satellite.SyncState, now time.Time) bool {
	return !state.LastSyncAt.IsZero() && now.Sub(state.LastSyncAt) > overdueAfter
}

// deadlineKind is the color of a deadline: from day 31 on a warning, under 7 days bad.
func deadlineKind(state satellite.SyncState, now time.Time) string {
	switch left := daysLeft(state.Deadline, now); {
	case left < badUnder:
		return "bad"
	case overdue(state, now):
		return "warn"
	}
	return "idle"
}

type syncRow struct {
	URL, Name, Upstream, Last string
	Result                    kit.Badge
	Next, NextKind            string
	Days, DaysKind, Deadline  string
	Bar                       *kit.Bar
	Action                    string
	Limited, MaySync          bool
}

type historyRow struct {
	Time, Account, Scope, Sequence, Records, By string
	Result                                      kit.Badge
}

type rootRow struct{ Name, Fingerprint, NotAfter, Trusted string }

type syncPage struct {
	form
	Stats    []kit.Stat
	Rows     []syncRow
	History  []historyRow
	Roots    []rootRow
	MayTrust bool
}

func listSync(r *request) error { return r.sync(nil) }

func (r *request) sync(problem error) error {
	list, err := r.Service.SyncStatuses(r.context(), r.actor)
	if err != nil {
		return err
	}
	roots, err := r.Service.Roots(r.context())
	if err != nil {
		return err
	}
	page := syncPage{form: r.filled(problem), MayTrust: r.may(satellite.ActionManageTrust)}
	for _, status := range list {
		page.Rows = append(page.Rows, r.syncRow(status))
		page.History = append(page.History, r.history(status)...)
	}
	for _, root := range roots {
		page.Roots = append(page.Roots, rootRow{root.Name, root.Fingerprint, r.words.tableDate(root.NotAfter), r.words.tableDate(root.TrustedAt)})
	}
	page.Stats = r.syncStats(list, len(roots))
	status := http.StatusOK
	if problem != nil {
		status, _ = refusal(problem)
	}
	return r.showAs(status, "sync", r.t("nav.synchronization"), page)
}

func (r *request) syncRow(s satellite.SyncStatus) syncRow {
	now, account := r.Service.Now(), s.Account
	row := syncRow{
		URL: syncURL(account.ID), Name: account.Name, Upstream: account.UpstreamAccount + " / " + account.UpstreamVirtualAccount,
		Last: r.words.tableTime(s.State.LastSyncAt), Days: never, Action: r.t("sync.start"), Limited: account.Type == satellite.AccountLimited,
		MaySync: r.mayIn(satellite.ActionSynchronize, account.ID),
		Result:  kit.Badge{Kind: "ok", Word: r.t("sync.result.done")}, Next: r.t("sync.next.by", "Date", r.words.date(s.State.LastSyncAt.Add(overdueAfter))),
	}
	switch {
	case pending(s) != nil:
		row.Result = kit.Badge{Kind: "warn", Word: r.t("sync.result.ready")}
		row.Next, row.NextKind, row.Action = r.t("sync.next.upload"), "warn", r.t("sync.upload")
	case !account.Registered():
		row.Result = kit.Badge{Kind: "idle", Word: r.t("account.unregistered")}
		row.Next, row.NextKind = r.t("sync.next.register"), "warn"
	case s.State.FullRequired:
		row.Result = kit.Badge{Kind: "warn", Word: r.t("sync.result.full")}
		row.Next, row.NextKind = r.t("sync.next.full"), "warn"
	case overdue(s.State, now):
		row.Next, row.NextKind = r.t("sync.next.overdue", "Count", int(now.Sub(s.State.LastSyncAt.Add(overdueAfter))/day)), "warn"
	}
	if !s.State.Deadline.IsZero() {
		left := daysLeft(s.State.Deadline, now)
		row.Days, row.DaysKind, row.Deadline = r.words.left(left), deadlineKind(s.State, now), r.words.tableDate(s.State.Deadline)
		row.Bar = &kit.Bar{Thin: true, Total: s.State.Deadline.Sub(s.State.LastSyncAt).Hours(), Parts: []kit.Part{{Kind: row.DaysKind, Value: max(s.State.Deadline.Sub(now).Hours(), 0)}}}
	}
	return row
}

// history is what the requests of an account came to, newest first.
func (r *request) history(s satellite.SyncStatus) []historyRow {
	rows := make([]historyRow, 0, len(s.Requests))
	for i, request := range s.Requests {
		row := historyRow{
			Time: r.words.tableTime(request.CreatedAt), Account: s.Account.Name, Scope: r.t("sync.scope." + string(request.Scope)),
			Sequence: number(request.Sequence), Records: number(request.Records), By: request.CreatedBy,
			Result: kit.Badge{Kind: "ok", Word: r.t("sync.result.applied", "Date", r.words.tableDate(request.AppliedAt))},
		}
		switch {
		case !request.AppliedAt.IsZero():
		case i == 0:
			row.Result = kit.Badge{Kind: "warn", Word: r.t("sync.result.ready")}
		default:
			row.Result = kit.Badge{Kind: "idle", Word: r.t("sync.result.replaced")}
		}
		rows = append(rows, row)
	}
	return rows
}

// syncStats are the figures on top: the nearest deadline, what waits, whom we trust.
func (r *request) syncStats(list []satellite.SyncStatus, roots int) []kit.Stat {
	now := r.Service.Now()
	nearest := kit.Stat{Label: r.t("sync.stat.nearest"), Value: never, Note: r.t("sync.stat.nearest.none")}
	var earliest time.Time
	unregistered, waiting := 0, 0
	for _, s := range list {
		if pending(s) != nil {
			waiting++
		}
		if !s.Account.Registered() {
			unregistered++
		}
		if d := s.State.Deadline; !d.IsZero() && (earliest.IsZero() || d.Before(earliest)) {
			earliest = d
			nearest.Value, nearest.Kind, nearest.Note = r.words.left(daysLeft(d, now)), deadlineKind(s.State, now), s.Account.Name+", "+r.words.date(d)
			if nearest.Kind == "idle" {
				nearest.Kind = ""
			}
		}
	}
	stat := func(key string, n int) kit.Stat {
		return kit.Stat{Label: r.t(key), Value: strconv.Itoa(n), Note: r.t(key+".note", "Count", n)}
	}
	return []kit.Stat{nearest, stat("sync.stat.waiting", waiting), stat("sync.stat.unregistered", unregistered), stat("sync.stat.roots", roots)}
}

// wizardPage is the manual synchronization of one account.
type wizardPage struct {
	form
	Title      string
	Path       []kit.NavItem
	State      *kit.Badge
	Step       int
	Steps      kit.Steps
	Banners    map[string]kit.Banner
	URL        string
	MaySync    bool
	Registered bool
	Trusted    bool // a licensing root
	Waiting    *waitingRequest
	File       *requestView
	Result     *resultView
	CanUpload  bool
}

// waitingRequest is the newest request without a response.
type waitingRequest struct{ Sequence, Scope, Created, By, Digest string }

type resultView struct {
	Sentence string
	Kind     string
	Note     string
	Facts    kit.Facts
	Actions  []kit.Button
}

func showSyncWizard(r *request) error { return r.wizard(0, nil, nil) }

// wizard shows a step; 0 is where the account stands.
func (r *request) wizard(step int, result *satellite.SyncResult, problem error) error {
	account, err := r.accountOf()
	if err != nil {
		return err
	}
	status, err := r.syncStatus(account.ID)
	if err != nil {
		return err
	}
	roots, err := r.Service.Roots(r.context())
	if err != nil {
		return err
	}
	page := wizardPage{
		form: r.filled(problem), Title: r.t("wizard.title"), URL: syncURL(account.ID), MaySync: r.mayIn(satellite.ActionSynchronize, account.ID),
		Registered: account.Registered(), Trusted: len(roots) > 0,
		Path:  []kit.NavItem{{Label: r.t("nav.synchronization"), URL: "/synchronization"}, {Label: account.Name, URL: accountURL(account.ID)}},
		Steps: kit.Steps{Words: []string{r.t("wizard.step.make"), r.t("wizard.step.carry"), r.t("wizard.step.upload"), r.t("wizard.step.result")}},
		Banners: map[string]kit.Banner{
			"root": {Kind: "warn", Message: r.t("wizard.root"), Actions: []kit.Button{{Word: r.t("wizard.root.button"), Size: "small", URL: "/synchronization#roots"}}},
		},
	}
	if !page.Registered {
		page.Title = r.t("wizard.register.title")
	}
	if !status.State.Deadline.IsZero() {
		now := r.Service.Now()
		page.State = &kit.Badge{Kind: deadlineKind(status.State, now), Icon: "clock", Word: r.t("wizard.deadline", "Count", daysLeft(status.State.Deadline, now), "Date", r.words.date(status.State.Deadline))}
	}
	waiting := pending(status)
	if waiting != nil {
		page.Waiting = &waitingRequest{number(waiting.Sequence), r.t("sync.scope." + string(waiting.Scope)), r.words.dateTime(waiting.CreatedAt), waiting.CreatedBy, waiting.Digest}
		page.File = r.requestView(account, *waiting)
		page.CanUpload = true
		page.Banners["waiting"] = kit.Banner{Kind: "info", Message: r.t("wizard.waiting", "Number", waiting.Sequence, "Created", waiting.CreatedAt)}
	}
	page.Step = r.stepOf(step, page)
	page.Steps.Current = page.Step
	if result != nil {
		page.Result = r.resultView(*result)
	}
	code := http.StatusOK
	if problem != nil {
		code, _ = refusal(problem)
	}
	return r.showAs(code, "sync-wizard", page.Title, page)
}

// stepOf is the asked step if it can be shown, else where the account stands.
func (r *request) stepOf(step int, page wizardPage) int {
	if step == 0 {
		step, _ = strconv.Atoi(r.QueryParam("step"))
		if step == 4 { // only an upload has a result
			step = 0
		}
	}
	switch {
	case step == 1, step == 3, step == 4, step == 2 && page.File != nil:
		return step
	case page.File != nil:
		return 2
	case page.Waiting != nil:
		return 3
	}
	return 1
}

func (r *request) resultView(result satellite.SyncResult) *resultView {
	view := &resultView{Kind: "ok", Sentence: r.t("wizard.result.done", "Number", result.Sequence), Note: r.t("wizard.result.next")}
	account := "?" + url.Values{"account": {result.Account.Name}}.Encode()
	view.Actions = []kit.Button{
		{Word: r.t("wizard.result.overview"), Kind: "primary", URL: "/" + account}, {Word: r.t("wizard.result.licenses"), URL: "/licenses" + account},
	}
	switch {
	case result.AlreadyApplied:
		view.Kind, view.Sentence, view.Note = "info", r.t("wizard.result.again", "Number", result.Sequence), ""
	case result.FullRequested:
		view.Kind, view.Sentence, view.Note = "warn", r.t("wizard.result.full"), result.Reason
		view.Actions = []kit.Button{{Word: r.t("wizard.make.button"), Kind: "primary", URL: syncURL(result.Account.ID) + "?step=1"}}
	case result.Registered:
		view.Sentence, view.Note = r.t("wizard.result.registered"), r.t("wizard.result.registered.next")
		if r.mayIn(satellite.ActionManageTokens, result.Account.ID) {
			view.Actions[0] = kit.Button{Word: r.t("tokens.new"), Icon: "plus", Kind: "primary", URL: "/tokens/new" + account}
		}
	}
	if !result.AlreadyApplied {
		view.Facts = kit.Facts{
			{Term: r.t("wizard.result.lots"), Value: number(int64(result.Lots))},
			{Term: r.t("wizard.result.acks"), Value: number(int64(result.Acknowledgement))},
		}
	}
	if !result.Deadline.IsZero() {
		view.Facts = append(view.Facts, kit.Fact{Term: r.t("wizard.result.deadline"), Value: r.words.date(result.Deadline)})
	}
	return view
}

func makeRequest(r *request) error {
	account, err := r.accountOf()
	if err != nil {
		return err
	}
	if err := r.requests.write(r, account.ID, r.FormValue("full") != ""); err != nil {
		return err
	}
	return r.redirect(syncURL(account.ID) + "?step=2")
}

// applyResponse takes the upload onto the disk first: it may be larger than the memory.
func applyResponse(r *request, upload uploaded) error {
	account, err := r.accountOf()
	if err != nil {
		return err
	}
	if !r.mayIn(satellite.ActionSynchronize, account.ID) {
		return r.forbidden(satellite.ActionSynchronize)
	}
	result, err := func() (satellite.SyncResult, error) {
		if err := upload.chosen(); err != nil {
			return satellite.SyncResult{}, err
		}
		file, size, err := offline.Spool(upload.file, r.requests.folder, maxResponseUpload)
		if err != nil {
			return satellite.SyncResult{}, err
		}
		defer func() { _ = file.Close() }()
		return r.Service.ApplySyncResponse(r.context(), r.actor, file, size, satellite.SyncOptions{})
	}()
	if _, ok := refusal(err); ok {
		return r.wizard(3, nil, err)
	}
	if err != nil {
		return err
	}
	r.requests.drop(result.Account.ID)
	return r.wizard(4, &result, nil)
}
