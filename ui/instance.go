package ui

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"ssm/satellite"
	"ssm/ui/kit"
)

// deviceRow is a product instance in the table.
type deviceRow struct {
	URL, Name, Identity, VirtualAccount string
	Registration, Authorization         kit.Badge
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
			VirtualAccount: device.VirtualAccount, Registration: r.registrationBadge(device.RegistrationState),
			Authorization: r.authorizationBadge(device.AuthorizationState),
			Contact:       r.words.ago(device.LastContactAt, now), ContactTitle: r.words.dateTime(device.LastContactAt),
		})
	}
	page.Toolbar = kit.Toolbar{
		ID: "devices", URL: "/devices", Query: page.Query, Placeholder: r.t("devices.search"), Keep: keep(query),
		Menus: r.virtualAccountMenu("/devices", list, chosen, query),
	}
	page.Pager = r.pager(at, "/devices", query, len(devices), last, count)
	return r.show("devices", r.t("nav.devices"), page)
}

func (r *request) registrationBadge(state satellite.RegistrationState) kit.Badge {
	kinds := map[satellite.RegistrationState]string{satellite.Registered: "ok", satellite.RegistrationExpired: "bad", satellite.Unregistered: "idle"}
	return kit.Badge{Kind: kinds[state], Word: r.t("registration." + string(state))}
}

func (r *request) authorizationBadge(state satellite.AuthorizationState) kit.Badge {
	kinds := map[satellite.AuthorizationState]string{
		satellite.Authorized: "ok", satellite.AuthorizedReserved: "ok", satellite.OutOfCompliance: "bad", satellite.AuthorizationExpired: "warn", satellite.NoLicensesInUse: "idle",
	}
	return kit.Badge{Kind: kinds[state], Word: r.t("authorization." + string(state))}
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
	device := r.DeviceURL()
	bundle := "/ca.pem"
	if parsed, err := url.Parse(device); err == nil {
		bundle = parsed.ResolveReference(&url.URL{Path: "/ca.pem"}).String()
	}
	sum := sha256.Sum256(r.Bundle())
	token := kit.Line{Prompt: prompt, Text: agent + "--url " + device + " --ca ca.pem license smart register idtoken ", Secret: r.t("devices.lines.notoken")}
	if page.Token != nil {
		token.Secret = page.Token.Text
	}
	if tag == "" {
		tag = r.t("devices.lines.tag")
	}
	code := func(lines ...kit.Line) kit.Code { return kit.Code{Lines: lines} }
	return []lineStep{
		{
			r.t("devices.lines.trust"), r.t("devices.lines.trust.note"),
			code(kit.Line{Prompt: prompt, Text: "curl --insecure --output ca.pem " + bundle},
				kit.Line{Prompt: prompt, Text: fmt.Sprintf("echo '%x  ca.pem' | sha256sum --check", sum)}),
		},
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

// devicePage is one product instance.
type devicePage struct {
	Name, Note                  string
	Path                        []kit.NavItem
	Identity, State             kit.Facts
	Registration, Authorization kit.Badge
	Licenses                    []holdingRow
	Events                      []eventRow
	Remove                      *kit.Confirm
}

type holdingRow struct {
	URL, Name, Tag, Count string
	Mode                  kit.Badge
	Origin                string
}

func showDevice(r *request) error { return r.device(r.Param("piid"), nil) }

func (r *request) device(piid string, problem error) error {
	device, err := r.Service.FindInstance(r.context(), r.actor, satellite.InstanceQuery{PIID: piid})
	if err != nil {
		return err
	}
	events, err := r.Service.Events(r.context(), r.actor, satellite.EventFilter{PIID: piid}, satellite.Page{Limit: 20})
	if err != nil {
		return err
	}
	page := devicePage{
		Name: device.Name(), Note: device.UDIPID + ", " + device.UDISerialNumber, Path: []kit.NavItem{{Label: r.t("nav.devices"), URL: "/devices"}, {Label: device.Account}},
		Registration: r.registrationBadge(device.RegistrationState), Authorization: r.authorizationBadge(device.AuthorizationState),
		Events: r.eventRows(events),
	}
	page.Identity, page.State = r.deviceFacts(device)
	for _, held := range device.Licenses {
		row := holdingRow{
			URL: poolURL(held.Pool.ID), Name: licenseName(held.License), Tag: held.License.Tag, Count: number(held.Usage.Count),
			Mode: kit.Badge{Kind: "ok", Word: r.t("mode.in")}, Origin: r.t("mode.requested"),
		}
		if held.Short() {
			row.Mode = kit.Badge{Kind: "bad", Word: r.t("mode.out")}
		}
		if !held.Usage.MeasuredUntil.IsZero() {
			row.Origin = r.t("mode.reported", "Until", held.Usage.MeasuredUntil)
		}
		page.Licenses = append(page.Licenses, row)
	}
	if r.actor.MayIn(satellite.ActionManageDevices, device.AccountID, device.VirtualAccountID) {
		page.Remove = &kit.Confirm{
			URL: "/devices/" + url.PathEscape(piid) + "/remove", Name: device.UDISerialNumber,
			Message: r.t("device.remove.effect"), Verb: r.t("device.remove.verb", "Name", device.UDISerialNumber),
		}
	}
	status := http.StatusOK
	if problem != nil {
		refused, _ := refusal(problem)
		status, page.Remove.Error = refused, r.filled(problem).At("confirm")
	}
	return r.showAs(status, "device", page.Name, page)
}

// deviceFacts are what is known of a device, without what is not.
func (r *request) deviceFacts(d satellite.InstanceDetails) (identity, state kit.Facts) {
	add := func(facts *kit.Facts, key, value string) {
		if value != "" && value != never {
			*facts = append(*facts, kit.Fact{Term: r.t(key), Value: value})
		}
	}
	for _, fact := range []struct{ key, value string }{
		{"device.pid", d.UDIPID}, {"device.serial", d.UDISerialNumber}, {"device.vid", d.UDIVID}, {"device.hostname", d.Hostname},
		{"device.model", d.EquipmentModel}, {"device.software", d.SoftwareVersion}, {"device.hardware", d.HardwareVersion},
		{"device.mac", d.MACAddress}, {"device.uuid", d.UUID}, {"device.tag", d.SoftwareTag}, {"device.piid", d.PIID},
	} {
		add(&identity, fact.key, fact.value)
	}
	for _, fact := range []struct{ key, value string }{
		{"device.virtual", d.VirtualAccount}, {"device.registered", r.words.dateTime(d.RegisteredAt)},
		{"device.contact", r.words.dateTime(d.LastContactAt)}, {"device.address", d.LastAddress},
		{"device.renew", r.words.dateTime(d.AuthorizationRenewAt)}, {"device.expires", r.words.dateTime(d.AuthorizationExpiresAt)},
		{"device.certificate", r.words.dateTime(d.CertificateNotAfter)}, {"device.certificateserial", d.CertificateSerial},
	} {
		add(&state, fact.key, fact.value)
	}
	return identity, state
}

func removeDevice(r *request) error {
	piid := r.Param("piid")
	device, err := r.Service.FindInstance(r.context(), r.actor, satellite.InstanceQuery{PIID: piid})
	if err != nil {
		return err
	}
	if !r.actor.MayIn(satellite.ActionManageDevices, device.AccountID, device.VirtualAccountID) {
		return r.Service.RemoveInstance(r.context(), r.actor, piid) // refused in its own words
	}
	if strings.TrimSpace(r.FormValue("confirm")) != device.UDISerialNumber {
		return r.device(piid, errNotConfirmed())
	}
	if err := r.Service.RemoveInstance(r.context(), r.actor, piid); err != nil {
		return err
	}
	return r.done("/devices", r.t("device.removed", "Name", device.Name()))
}
