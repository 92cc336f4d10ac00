package ui

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"ssm/satellite"
	"ssm/satellite/wire"
	"ssm/ui/kit"
)

// deviceRow is a product instance in the table.
type deviceRow struct {
	URL, Name, Identity, VirtualAccount string
	Registration, Authorization         kit.Badge
	Role                                *kit.Badge // in a high-availability pair; nil for a device that stands alone
	Contact, ContactTitle               string
}

type devicesPage struct {
	Query    string
	Toolbar  kit.Toolbar
	Rows     []deviceRow
	Pager    kit.Pager
	Actions  []kit.Button
	ClearURL string
}

func listDevices(r *request) error {
	if r.account.ID == 0 {
		return r.noAccount(r.t("nav.devices"))
	}
	list, chosen, err := r.virtualAccounts()
	if err != nil {
		return err
	}
	query, at, now := r.query("q", "va"), r.cursor(), r.Service.Now()
	filter := satellite.InstanceFilter{AccountID: r.account.ID, Search: strings.TrimSpace(query.Get("q"))}
	if chosen != nil {
		filter.VirtualAccountID = chosen.ID
	}
	count, err := r.Service.CountInstances(r.context(), r.actor, filter)
	if err != nil {
		return err
	}
	if count == 0 && filter.Search == "" {
		return r.addDevices(list, chosen, true)
	}
	devices, err := r.Service.Instances(r.context(), r.actor, filter, at.page())
	if err != nil {
		return err
	}
	page := devicesPage{Query: filter.Search, ClearURL: "/devices"}
	if r.may(satellite.ActionManageTokens) {
		page.Actions = []kit.Button{{Word: r.t("devices.add"), Icon: "plus", Kind: "primary", URL: "/devices/add"}}
	}
	var last int64
	for i, device := range devices {
		if i == pageSize {
			break
		}
		last = int64(device.ID)
		page.Rows = append(page.Rows, deviceRow{
			URL: "/devices/" + url.PathEscape(device.PIID), Name: device.Name(), Identity: device.UDIPID + ", " + device.UDISerialNumber,
			VirtualAccount: device.VirtualAccount, Role: r.roleBadge(device.Instance), Registration: r.registrationBadge(device.Instance),
			Authorization: r.authorizationBadge(device.AuthorizationState), Contact: r.words.ago(device.LastContactAt, now), ContactTitle: r.words.dateTime(device.LastContactAt),
		})
	}
	page.Toolbar = kit.Toolbar{
		ID: "devices", URL: "/devices", Query: page.Query, Placeholder: r.t("devices.search"), Keep: keep(query),
		Menus: r.virtualAccountMenu("/devices", list, chosen, query),
	}
	page.Pager = r.pager(at, "/devices", query, len(devices), last, count)
	return r.show("devices", r.t("nav.devices"), page)
}

func (r *request) registrationBadge(device satellite.Instance) kit.Badge {
	if device.RegistrationState == satellite.Unregistered && device.AuthorizationState == satellite.AuthorizedReserved {
		return kit.Badge{Kind: "idle", Icon: "bookmark", Word: r.t("registration.reserved")}
	}
	kinds := map[satellite.RegistrationState]string{satellite.Registered: "ok", satellite.RegistrationExpired: "bad", satellite.Unregistered: "idle"}
	return kit.Badge{Kind: kinds[device.RegistrationState], Word: r.t("registration." + string(device.RegistrationState))}
}

func (r *request) authorizationBadge(state satellite.AuthorizationState) kit.Badge {
	kinds := map[satellite.AuthorizationState]string{
		satellite.Authorized: "ok", satellite.AuthorizedReserved: "ok", satellite.OutOfCompliance: "bad", satellite.AuthorizationExpired: "warn", satellite.NoLicensesInUse: "idle",
	}
	return kit.Badge{Kind: kinds[state], Word: r.t("authorization." + string(state))}
}

// roleBadge is what the device is in its high-availability pair.
func (r *request) roleBadge(device satellite.Instance) *kit.Badge {
	switch device.HARole {
	case wire.RoleActive:
		return &kit.Badge{Kind: "outline", Word: r.t("role.active")}
	case wire.RoleStandby:
		return &kit.Badge{Kind: "outline", Word: r.t("role.standby")}
	}
	return nil
}

// addPage is how a device comes here: the lines to type, with the token.
type addPage struct {
	Empty       bool   // shown in place of the table, which has no rows
	Title       string // of the card
	VA          string // for links, "" where none is chosen
	Target      string // the virtual account that the token leads to
	Menus       []kit.Menu
	Steps       []lineStep
	Token       *tokenFacts
	MayCreate   bool
	NewTokenURL string
	WaitURL     string      // asked again and again while the page is open; "" stops that
	Banner      *kit.Banner // before the account is registered no device can come
}

// lineStep is one numbered step with its lines.
type lineStep struct {
	Title, Note string
	Code        kit.Code
}

type tokenFacts struct {
	URL, Text string
	State     kit.Badge
	Facts     kit.Facts
}

func showAddDevices(r *request) error {
	if r.account.ID == 0 {
		return r.noAccount(r.t("devices.add"))
	}
	list, chosen, err := r.virtualAccounts()
	if err != nil {
		return err
	}
	return r.addDevices(list, chosen, false)
}

// addDevices shows the lines, with the newest token that still works.
func (r *request) addDevices(list []satellite.VirtualAccount, chosen *satellite.VirtualAccount, empty bool) error {
	page := addPage{
		Empty: empty, MayCreate: r.may(satellite.ActionManageTokens), NewTokenURL: "/tokens/new",
	}
	if !r.account.Registered() {
		page.Banner = &kit.Banner{Kind: "warn", Message: r.t("devices.unregistered")}
		if r.may(satellite.ActionSynchronize) {
			page.Banner.Actions = []kit.Button{{Word: r.t("task.register.button"), Size: "small", URL: syncURL(r.account.ID)}}
		}
	}
	address := "/devices/add"
	if empty {
		address, page.WaitURL = "/devices", "/devices/waiting"
	}
	page.Menus = r.virtualAccountMenu(address, list, chosen, url.Values{})
	filter, title := satellite.TokenFilter{AccountID: r.account.ID}, r.account.Name
	if chosen != nil {
		filter.VirtualAccountID, title, page.VA = chosen.ID, chosen.Name, chosen.Name
		query := "?" + url.Values{"va": {chosen.Name}}.Encode()
		page.NewTokenURL += query
		if empty {
			page.WaitURL += query
		}
	}
	page.Title = r.t("devices.add.title", "Name", title)
	if empty {
		page.Title = r.t("devices.empty.title", "Name", title)
	}
	if err := r.newestToken(&page, list, filter); err != nil {
		return err
	}
	tag, err := r.firstTag(filter.VirtualAccountID)
	if err != nil {
		return err
	}
	page.Steps = r.lines(page, tag)
	return r.show("devices-add", r.t("devices.add"), page)
}

// newestToken fills in the newest active token, if the visitor may see it.
func (r *request) newestToken(page *addPage, list []satellite.VirtualAccount, filter satellite.TokenFilter) error {
	page.Target = list[0].Name
	if !page.MayCreate {
		return nil
	}
	tokens, err := r.Service.Tokens(r.context(), r.actor, filter, satellite.Page{Limit: 100})
	if err != nil {
		return err
	}
	for _, token := range tokens {
		if token.StatusAt(r.Service.Now()) != satellite.TokenActive {
			continue
		}
		_, text, err := r.Service.TokenText(r.context(), r.actor, token.ID)
		if err != nil {
			return err
		}
		page.Target = nameOf(list, token.VirtualAccountID)
		page.Token = &tokenFacts{
			URL: tokenURL(token.ID), Text: text, State: r.tokenBadge(token), Facts: r.tokenFacts(token, page.Target),
		}
		return nil
	}
	return nil
}

// firstTag is a tag that a device could ask for, "" where there is none.
func (r *request) firstTag(virtual satellite.VirtualAccountID) (string, error) {
	pools, err := r.Service.Licenses(r.context(), r.actor, satellite.PoolFilter{AccountID: r.account.ID, VirtualAccountID: virtual})
	if err != nil || len(pools) == 0 {
		return "", err
	}
	best := pools[0]
	for _, pool := range pools {
		if pool.Available() > best.Available() {
			best = pool
		}
	}
	return best.License.Tag, nil
}

// lines are what is typed on a device, in the words of the device agent.
func (r *request) lines(page addPage, tag string) []lineStep {
	const prompt, agent = "$", "smartagent --state device "
	token := kit.Line{Prompt: prompt, Text: agent + "--url " + r.DeviceURL() + " --ca ca.pem license smart register idtoken ", Secret: r.t("devices.lines.notoken")}
	if page.Token != nil {
		token.Secret = page.Token.Text
	}
	if tag == "" {
		tag = r.t("devices.lines.tag")
	}
	code := func(lines ...kit.Line) kit.Code { return kit.Code{Lines: lines} }
	return []lineStep{
		{r.t("devices.lines.trust"), r.t("devices.lines.trust.note"), r.trustLines()},
		{r.t("devices.lines.register"), r.t("devices.lines.register.note", "Name", page.Target), code(token)},
		{r.t("devices.lines.request"), r.t("devices.lines.request.note"), code(kit.Line{Prompt: prompt, Text: agent + "license smart request " + shellWord(tag) + " 1"})},
		{r.t("devices.lines.check"), r.t("devices.lines.check.note"), code(kit.Line{Prompt: prompt, Text: agent + "show license summary"})},
	}
}

// plainWord means the same to every shell without quotes.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9._,:/@+=-]+$`)

// shellWord quotes a word for a shell where it needs that.
func shellWord(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

func nameOf(list []satellite.VirtualAccount, id satellite.VirtualAccountID) string {
	for _, virtual := range list {
		if virtual.ID == id {
			return virtual.Name
		}
	}
	return ""
}

// waitForDevices is asked by a page that waits for the first device: 204 while
// there is none, then it lets the page load anew.
func waitForDevices(r *request) error {
	_, chosen, err := r.virtualAccounts()
	if err != nil {
		return err
	}
	filter := satellite.InstanceFilter{AccountID: r.account.ID}
	if chosen != nil {
		filter.VirtualAccountID = chosen.ID
	}
	count, err := r.Service.CountInstances(r.context(), r.actor, filter)
	if err != nil {
		return err
	}
	if count > 0 {
		r.Response().Header().Set("HX-Refresh", "true")
	}
	return r.NoContent(http.StatusNoContent)
}
