package ui

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"ssm/satellite"
	"ssm/ui/kit"
)

const (
	apiClientsURL = "/api-clients"
	apiDocsURL    = "/api/v2/docs"
)

func apiClientURL(clientID string) string { return apiClientsURL + "/" + url.PathEscape(clientID) }

// managesClients tells whether the visitor may make API clients anywhere.
func (r *request) managesClients() bool {
	return r.actor.May(satellite.ActionManageUsers) || r.actor.MaySomewhere(satellite.ActionManageAccess, 0)
}

type apiClientRow struct {
	URL, Name, ClientID, Role, Place string
	Created, Used, Source, Revoked   string
	Previous                         string // "" where one secret is accepted
	State                            kit.Badge
}

type apiClientsPage struct {
	Live, Revoked []apiClientRow
	Count         string // of the revoked ones
	Actions       []kit.Button
	First         []kit.Button // of the empty page
	Command       kit.Code     // makes one by command line
}

func listAPIClients(r *request) error {
	if !r.managesClients() {
		return r.forbidden(satellite.ActionManageAccess)
	}
	clients, err := r.Service.APIClients(r.context(), r.actor)
	if err != nil {
		return err
	}
	create := kit.Button{Word: r.t("client.new"), Icon: "plus", Kind: "primary", URL: apiClientsURL + "/new"}
	page := apiClientsPage{
		Actions: []kit.Button{{Word: r.t("client.docs"), Icon: "api", URL: apiDocsURL}, create}, First: []kit.Button{create},
		Command: kit.Code{Lines: []kit.Line{{Prompt: "$", Text: "satellite api-client create --name nightly-export --role " + r.exampleRole()}}},
	}
	places := placeNames{request: r, known: map[satellite.AccountID][]satellite.VirtualAccount{}}
	for _, client := range clients {
		place, err := places.of(client.Grant)
		if err != nil {
			return err
		}
		row := apiClientRow{
			URL: apiClientURL(client.ClientID), Name: client.Name, ClientID: client.ClientID, Role: r.roleName(client.Role), Place: place,
			Created: r.words.tableDate(client.CreatedAt), Used: r.t("client.unused"), Source: client.LastSource,
			Revoked: r.words.tableTime(client.RevokedAt), State: r.apiClientBadge(client),
		}
		if !client.LastUsedAt.IsZero() {
			row.Used = r.words.tableTime(client.LastUsedAt)
		}
		if until := r.previousUntil(client); !until.IsZero() {
			row.Previous = r.t("client.previous.short", "Date", r.words.tableTime(until))
		}
		if client.RevokedAt.IsZero() {
			page.Live = append(page.Live, row)
		} else {
			page.Revoked = append(page.Revoked, row)
		}
	}
	if len(page.Live) == 0 { // the empty card has the button
		page.Actions = page.Actions[:1]
	}
	page.Count = r.t("client.revoked.count", "Count", len(page.Revoked))
	return r.show("api-clients", r.t("nav.api"), page)
}

// exampleRole completes the command with a role that the visitor may give.
func (r *request) exampleRole() string {
	if r.account.ID == 0 || !r.actor.MayIn(satellite.ActionManageAccess, r.account.ID, 0) {
		return string(satellite.RoleSystemAdmin)
	}
	return string(satellite.RoleAccountViewer) + " --account " + shellWord(r.account.Name)
}

func (r *request) roleName(role satellite.Role) string { return r.t("client.role." + string(role)) }

func (r *request) apiClientBadge(client satellite.APIClient) kit.Badge {
	if !client.RevokedAt.IsZero() {
		return kit.Badge{Kind: "idle", Word: r.t("client.revoked")}
	}
	return kit.Badge{Kind: "ok", Word: r.t("client.active")}
}

// previousUntil is until when the secret before is accepted, zero where it is not.
func (r *request) previousUntil(client satellite.APIClient) time.Time {
	if client.RevokedAt.IsZero() && r.Service.Now().Before(client.PreviousUntil) {
		return client.PreviousUntil
	}
	return time.Time{}
}

// placeNames name the places of roles, and read each account once.
type placeNames struct {
	*request
	known map[satellite.AccountID][]satellite.VirtualAccount
}

func (p placeNames) of(g satellite.Grant) (string, error) {
	if g.AccountID == 0 {
		return p.t("client.everywhere"), nil
	}
	name := ""
	for _, account := range p.accounts {
		if account.ID == g.AccountID {
			name = account.Name
		}
	}
	if g.VirtualAccountID == 0 {
		return name, nil
	}
	list, read := p.known[g.AccountID]
	if !read {
		var err error
		if list, err = p.Service.VirtualAccounts(p.context(), p.actor, g.AccountID); err != nil {
			return "", err
		}
		p.known[g.AccountID] = list
	}
	return name + " / " + nameOf(list, g.VirtualAccountID), nil
}

type newAPIClientPage struct {
	form
	Accounts, Virtual []kit.Option
	Roles             []roleChoice
	Path              []kit.NavItem
}

// roleChoice is a role with what it may do.
type roleChoice struct {
	Value, Name, Note string
	Chosen            bool
}

func showNewAPIClient(r *request) error { return r.newAPIClient(nil) }

func (r *request) newAPIClient(problem error) error {
	page := newAPIClientPage{form: r.filled(problem), Path: []kit.NavItem{{Label: r.t("nav.api"), URL: apiClientsURL}}}
	if err := r.offerPlaces(&page); err != nil {
		return err
	}
	status := http.StatusOK
	if problem != nil {
		status, _ = refusal(problem)
	}
	return r.showAs(status, "api-client-new", r.t("client.new"), page)
}

// offerPlaces fills in the places where the visitor may give a role, and the
// roles that there are in the chosen one.
func (r *request) offerPlaces(page *newAPIClientPage) error {
	if r.actor.May(satellite.ActionManageUsers) {
		page.Accounts = append(page.Accounts, kit.Option{Label: r.t("client.whole")})
	}
	for _, account := range r.accounts {
		if r.mayIn(satellite.ActionManageAccess, account.ID) {
			page.Accounts = append(page.Accounts, kit.Option{Value: strconv.FormatInt(int64(account.ID), 10), Label: account.Name})
		}
	}
	if len(page.Accounts) == 0 {
		return r.forbidden(satellite.ActionManageAccess)
	}
	roles := satellite.SystemRoles
	if chosen := choose(page.Accounts, page.Values["account"]); chosen != "" {
		id, err := strconv.ParseInt(chosen, 10, 64)
		if err != nil {
			return err
		}
		if page.Virtual, err = r.offerVirtual(satellite.AccountID(id)); err != nil {
			return err
		}
		roles = satellite.AccountRoles
		if choose(page.Virtual, page.Values["virtual_account"]) != "" {
			roles = satellite.VirtualAccountRoles
		}
	}
	for _, role := range roles {
		page.Roles = append(page.Roles, roleChoice{
			Value: string(role), Name: r.roleName(role), Note: r.t("client.role." + string(role) + ".note"), Chosen: page.Values["role"] == string(role),
		})
	}
	if page.Values["role"] == "" {
		page.Roles[0].Chosen = true
	}
	return nil
}

func (r *request) offerVirtual(account satellite.AccountID) (options []kit.Option, err error) {
	if r.actor.MayIn(satellite.ActionManageAccess, account, 0) {
		options = []kit.Option{{Label: r.t("client.account.whole")}}
	}
	list, err := r.Service.VirtualAccounts(r.context(), r.actor, account)
	for _, virtual := range list {
		if r.actor.MayIn(satellite.ActionManageAccess, account, virtual.ID) {
			options = append(options, kit.Option{Value: strconv.FormatInt(int64(virtual.ID), 10), Label: virtual.Name})
		}
	}
	return options, err
}

// choose marks the wanted option, or the first where it is not among them.
func choose(options []kit.Option, wanted string) string {
	for i := range options {
		if options[i].Value == wanted {
			options[i].Selected = true
			return wanted
		}
	}
	if len(options) == 0 {
		return ""
	}
	options[0].Selected = true
	return options[0].Value
}

func createAPIClient(r *request) error {
	if r.FormValue("choose") != "" { // another place, which has other roles
		delete(r.Request().PostForm, "role")
		return r.newAPIClient(nil)
	}
	grant, err := r.clientGrant()
	if err != nil {
		return r.newAPIClient(err)
	}
	client, secret, err := r.Service.CreateAPIClient(r.context(), r.actor, strings.TrimSpace(r.FormValue("name")), grant)
	if _, ok := refusal(err); ok {
		return r.newAPIClient(err)
	}
	if err != nil {
		return err
	}
	return r.secretPage(client, secret, r.t("client.created", "Name", client.Name))
}

// clientGrant is the role with its place as the form has it. A virtual account
// that is not of the account is refused: the form was sent before the choice of
// another account had changed it, and a wider role than meant must not come of that.
func (r *request) clientGrant() (g satellite.Grant, err error) {
	g.Role = satellite.Role(r.FormValue("role"))
	account, virtual := r.FormValue("account"), r.FormValue("virtual_account")
	for _, a := range r.accounts {
		if strconv.FormatInt(int64(a.ID), 10) == account {
			g.AccountID = a.ID
		}
	}
	if g.AccountID != 0 && virtual != "" {
		list, err := r.Service.VirtualAccounts(r.context(), r.actor, g.AccountID)
		if err != nil {
			return g, err
		}
		for _, v := range list {
			if strconv.FormatInt(int64(v.ID), 10) == virtual {
				g.VirtualAccountID = v.ID
			}
		}
	}
	if (account == "") != (g.AccountID == 0) || (virtual == "") != (g.VirtualAccountID == 0) {
		return g, &satellite.Error{
			Kind: satellite.KindInvalid, Code: "client-place-invalid",
			Message: "The virtual account is not in the chosen account, or there is no such account. Nothing was created.", Hint: "Choose the virtual account and the role again.",
		}
	}
	return g, nil
}

type apiClientPage struct {
	Name, ClientID string
	Path           []kit.NavItem
	State          *kit.Badge
	Facts          kit.Facts
	Steps          []lineStep
	Rotate         *rotateForm
	Revoke         *kit.Confirm
	Problem        *kit.Banner
}

// rotateForm asks how long the secret before is accepted.
type rotateForm struct {
	URL, Current string
	Overlaps     []roleChoice
	Warning      *kit.Banner
}

func (r *request) apiClient() (satellite.APIClient, error) {
	return r.Service.FindAPIClient(r.context(), r.actor, r.Param("id"))
}

func showAPIClient(r *request) error { return r.apiClientDetail(nil) }

func (r *request) apiClientDetail(problem error) error {
	client, err := r.apiClient()
	if err != nil {
		return err
	}
	place, err := placeNames{request: r, known: map[satellite.AccountID][]satellite.VirtualAccount{}}.of(client.Grant)
	if err != nil {
		return err
	}
	badge := r.apiClientBadge(client)
	page := apiClientPage{
		Name: client.Name, ClientID: client.ClientID, Path: []kit.NavItem{{Label: r.t("nav.api"), URL: apiClientsURL}}, State: &badge,
		Facts: r.apiClientFacts(client, place),
	}
	if client.RevokedAt.IsZero() {
		page.Steps, page.Rotate = r.callLines(client.ClientID, "CLIENT_SECRET"), r.rotateForm(client)
		page.Revoke = &kit.Confirm{
			URL: apiClientURL(client.ClientID) + "/revoke", Name: client.Name, Message: r.t("client.revoke.effect"), Verb: r.t("client.revoke.verb", "Name", client.Name),
		}
	}
	status := http.StatusOK
	if problem != nil {
		status, _ = refusal(problem)
		filled := r.filled(problem)
		page.Problem = filled.Above()
		if page.Revoke != nil {
			page.Revoke.Error = filled.At("confirm")
		}
	}
	return r.showAs(status, "api-client", client.Name, page)
}

func (r *request) apiClientFacts(client satellite.APIClient, place string) kit.Facts {
	facts := kit.Facts{
		{Term: r.t("client.role"), Value: r.roleName(client.Role)}, {Term: r.t("client.place"), Value: place},
		{Term: r.t("client.made"), Value: r.words.dateTime(client.CreatedAt)}, {Term: r.t("client.creator"), Value: client.CreatedBy},
	}
	switch until := r.previousUntil(client); {
	case !client.RevokedAt.IsZero():
		facts = append(facts, kit.Fact{Term: r.t("client.revoked.at"), Value: r.words.dateTime(client.RevokedAt)})
	case !until.IsZero():
		facts = append(facts, kit.Fact{Term: r.t("client.previous"), Value: r.words.dateTime(until)})
	}
	if client.LastUsedAt.IsZero() {
		return append(facts, kit.Fact{Term: r.t("client.used"), Value: r.t("client.unused")})
	}
	return append(facts, kit.Fact{Term: r.t("client.used"), Value: r.words.dateTime(client.LastUsedAt)}, kit.Fact{Term: r.t("client.source"), Value: client.LastSource})
}
