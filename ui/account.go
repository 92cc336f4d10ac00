package ui

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"ssm/satellite"
	"ssm/ui/kit"
)

func accountURL(id satellite.AccountID) string { return fmt.Sprintf("/accounts/%d", id) }

type accountRow struct {
	URL, Name, Domain, Kind, Upstream, Requested string
	Limited                                      bool
	State                                        kit.Badge
}

type accountsPage struct {
	Rows    []accountRow
	Actions []kit.Button
}

func listAccounts(r *request) error {
	var page accountsPage
	if r.may(satellite.ActionManageAccounts) {
		page.Actions = []kit.Button{{Word: r.t("accounts.new"), Icon: "plus", Kind: "primary", URL: "/accounts/new"}}
	}
	for _, account := range r.accounts {
		page.Rows = append(page.Rows, accountRow{
			URL: accountURL(account.ID), Name: account.Name, Domain: account.DomainIdentifier, Kind: r.t("account.type." + string(account.Type)),
			Upstream: account.UpstreamAccount + " / " + account.UpstreamVirtualAccount, Requested: r.words.tableDate(account.RequestedAt),
			Limited: account.Type == satellite.AccountLimited, State: r.upstreamBadge(account),
		})
	}
	return r.show("accounts", r.t("nav.accounts"), page)
}

func (r *request) upstreamBadge(account satellite.Account) kit.Badge {
	switch {
	case account.Status == satellite.AccountInactive:
		return kit.Badge{Kind: "idle", Word: r.t("account.status.inactive")}
	case account.Status == satellite.AccountPending:
		return kit.Badge{Kind: "warn", Word: r.t("account.status.pending")}
	case account.Registered():
		return kit.Badge{Kind: "ok", Word: r.t("account.registered")}
	}
	return kit.Badge{Kind: "warn", Word: r.t("account.unregistered")}
}

type newAccountPage struct {
	form
	Limited bool
	Path    []kit.NavItem
}

func showNewAccount(r *request) error { return r.newAccount(nil) }

func (r *request) newAccount(problem error) error {
	if !r.may(satellite.ActionManageAccounts) {
		return r.forbidden(satellite.ActionManageAccounts)
	}
	page, status := newAccountPage{form: r.filled(problem), Path: []kit.NavItem{{Label: r.t("nav.accounts"), URL: "/accounts"}}}, http.StatusOK
	if problem == nil {
		page.Values["email"] = r.user.Email
	} else {
		status, _ = refusal(problem)
		page.Limited = page.Values["type"] == string(satellite.AccountLimited)
	}
	return r.showAs(status, "account-new", r.t("accounts.new"), page)
}

func createAccount(r *request) error {
	account, err := r.Service.CreateAccount(r.context(), r.actor, satellite.NewAccount{
		Name: strings.TrimSpace(r.FormValue("name")), Email: strings.TrimSpace(r.FormValue("email")),
		Limited:                r.FormValue("type") == string(satellite.AccountLimited),
		UpstreamAccount:        strings.TrimSpace(r.FormValue("upstream_account")),
		UpstreamVirtualAccount: strings.TrimSpace(r.FormValue("upstream_virtual_account")),
	})
	if _, ok := refusal(err); ok {
		return r.newAccount(err)
	}
	if err != nil {
		return err
	}
	r.Sessions.Put(r.context(), sessionAccount, account.Name)
	return r.done(accountURL(account.ID), r.t("account.created", "Name", account.Name))
}

// accountOf is the account that the address names.
func (r *request) accountOf() (satellite.Account, error) {
	id, err := strconv.ParseInt(r.Param("id"), 10, 64)
	for _, account := range r.accounts {
		if err == nil && int64(account.ID) == id {
			return account, nil
		}
	}
	return satellite.Account{}, satellite.NotFound("account", r.Param("id"))
}

type virtualRow struct {
	Name, Description, Devices, DeleteURL string
	Default                               bool
}

type accountPage struct {
	form
	Account    satellite.Account
	Facts      kit.Facts
	Upstream   kit.Facts
	Badge      *kit.Badge
	Virtual    []virtualRow
	LimitNote  string
	MayManage  bool
	MaySync    bool
	Registered bool
	SyncURL    string
	Path       []kit.NavItem
}

func showAccount(r *request) error { return r.accountDetail(nil) }

func (r *request) accountDetail(problem error) error {
	account, err := r.accountOf()
	if err != nil {
		return err
	}
	badge := r.upstreamBadge(account)
	page := accountPage{
		form: r.filled(problem), Account: account, Badge: &badge, MayManage: r.mayIn(satellite.ActionManageVirtualAccounts, account.ID),
		MaySync: r.mayIn(satellite.ActionSynchronize, account.ID), Registered: account.Registered(),
		SyncURL: fmt.Sprintf("/synchronization/%d", account.ID), Path: []kit.NavItem{{Label: r.t("nav.accounts"), URL: "/accounts"}},
		Facts: kit.Facts{
			{Term: r.t("account.status"), Value: r.t("account.status." + string(account.Status))}, {Term: r.t("account.type"), Value: r.t("account.type." + string(account.Type))}, {Term: r.t("account.domain"), Value: account.DomainIdentifier},
			{Term: r.t("account.requester"), Value: account.RequesterEmail}, {Term: r.t("account.requested"), Value: r.words.dateTime(account.RequestedAt)},
		},
		Upstream: kit.Facts{
			{Term: r.t("account.upstream.account"), Value: account.UpstreamAccount}, {Term: r.t("account.upstream.virtual"), Value: account.UpstreamVirtualAccount},
			{Term: r.t("account.upstream.since"), Value: r.words.dateTime(account.UpstreamRegisteredAt)},
		},
	}
	list, err := r.Service.VirtualAccounts(r.context(), r.actor, account.ID)
	if err != nil {
		return err
	}
	if account.Type == satellite.AccountLimited {
		page.LimitNote = r.t("account.limit", "Count", len(list))
	}
	for _, virtual := range list {
		count, err := r.Service.CountInstances(r.context(), r.actor, satellite.InstanceFilter{AccountID: account.ID, VirtualAccountID: virtual.ID})
		if err != nil {
			return err
		}
		row := virtualRow{Name: virtual.Name, Description: virtual.Description, Devices: number(count), Default: virtual.Default}
		if page.MayManage && !virtual.Default {
			row.DeleteURL = fmt.Sprintf("%s/virtual-accounts/%d/delete", accountURL(account.ID), virtual.ID)
		}
		page.Virtual = append(page.Virtual, row)
	}
	status := http.StatusOK
	if problem != nil {
		status, _ = refusal(problem)
	}
	return r.showAs(status, "account", account.Name, page)
}

func createVirtualAccount(r *request) error {
	account, err := r.accountOf()
	if err != nil {
		return err
	}
	created, err := r.Service.CreateVirtualAccount(r.context(), r.actor, account.ID, strings.TrimSpace(r.FormValue("name")), strings.TrimSpace(r.FormValue("description")))
	if _, ok := refusal(err); ok {
		return r.accountDetail(err)
	}
	if err != nil {
		return err
	}
	return r.done(accountURL(account.ID), r.t("virtual.created", "Name", created.Name))
}

type deleteVirtualPage struct {
	Title   string
	Path    []kit.NavItem
	Problem *kit.Banner
	Confirm kit.Confirm
}

// virtualOf is the virtual account that the address names.
func (r *request) virtualOf() (satellite.Account, satellite.VirtualAccount, error) {
	account, err := r.accountOf()
	if err != nil {
		return account, satellite.VirtualAccount{}, err
	}
	list, err := r.Service.VirtualAccounts(r.context(), r.actor, account.ID)
	for _, virtual := range list {
		if strconv.FormatInt(int64(virtual.ID), 10) == r.Param("virtual") {
			return account, virtual, err
		}
	}
	if err == nil {
		err = satellite.NotFound("virtual-account", r.Param("virtual"))
	}
	return account, satellite.VirtualAccount{}, err
}

func showDeleteVirtualAccount(r *request) error { return r.deleteVirtual(nil) }

func (r *request) deleteVirtual(problem error) error {
	account, virtual, err := r.virtualOf()
	if err != nil {
		return err
	}
	if !r.mayIn(satellite.ActionManageVirtualAccounts, account.ID) {
		return r.forbidden(satellite.ActionManageVirtualAccounts)
	}
	verb := r.t("virtual.delete.verb", "Name", virtual.Name)
	page := deleteVirtualPage{
		Title: verb, Path: []kit.NavItem{{Label: r.t("nav.accounts"), URL: "/accounts"}, {Label: account.Name, URL: accountURL(account.ID)}},
		Confirm: kit.Confirm{
			URL: fmt.Sprintf("%s/virtual-accounts/%d/delete", accountURL(account.ID), virtual.ID), Name: virtual.Name,
			Message: r.t("virtual.delete.effect"), Verb: verb, CancelURL: accountURL(account.ID),
		},
	}
	status := http.StatusOK
	if problem != nil {
		status, _ = refusal(problem)
		filled := r.filled(problem)
		page.Confirm.Error, page.Problem = filled.At("confirm"), filled.Above()
	}
	return r.showAs(status, "virtual-delete", verb, page)
}

func deleteVirtualAccount(r *request) error {
	account, virtual, err := r.virtualOf()
	if err != nil {
		return err
	}
	if r.mayIn(satellite.ActionManageVirtualAccounts, account.ID) && strings.TrimSpace(r.FormValue("confirm")) != virtual.Name {
		return r.deleteVirtual(errNotConfirmed())
	}
	err = r.Service.DeleteVirtualAccount(r.context(), r.actor, account.ID, virtual.Name, "")
	if _, ok := refusal(err); ok {
		return r.deleteVirtual(err)
	}
	if err != nil {
		return err
	}
	return r.done(accountURL(account.ID), r.t("virtual.deleted", "Name", virtual.Name))
}
