package compatible

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"ssm/satellite"
)

// account is a smart account, as whoever asks sees it.
type account struct {
	AccountName   string        `json:"accountName"`
	AccountDomain string        `json:"accountDomain"`
	AccountStatus string        `json:"accountStatus"` // ACTIVE, PENDING, INACTIVE
	AccountType   string        `json:"accountType"`   // STANDARD, LIMITED
	Roles         []accountRole `json:"roles"`         // of who asks
}

// accountRole is a role in a virtual account, or with "" in the whole account.
type accountRole struct {
	Role           string `json:"role"`
	VirtualAccount string `json:"virtualAccount"`
}

type accounts struct {
	outcome
	Accounts []account `json:"accounts"`
}

func (a *api) listAccounts(ctx context.Context, c *call) (any, error) {
	found, err := a.service.Accounts(ctx, c.actor)
	if err != nil {
		return nil, err
	}
	answer := accounts{outcome: success, Accounts: []account{}}
	for _, one := range found {
		roles, err := a.roles(ctx, c.actor, one.ID)
		if err != nil {
			return nil, err
		}
		answer.Accounts = append(answer.Accounts, account{
			AccountName: one.Name, AccountDomain: one.DomainIdentifier,
			AccountStatus: strings.ToUpper(string(one.Status)), AccountType: strings.ToUpper(string(one.Type)), Roles: roles,
		})
	}
	return answer, nil
}

// roleNames are the roles as people read them. A role on the whole satellite
// shows as the one in the account that allows as much there.
var roleNames = map[satellite.Role]string{
	satellite.RoleSystemAdmin:          "Account Administrator",
	satellite.RoleSystemOperator:       "Account Administrator",
	satellite.RoleAccountAdmin:         "Account Administrator",
	satellite.RoleAccountUser:          "Account User",
	satellite.RoleAccountViewer:        "Account Viewer",
	satellite.RoleVirtualAccountAdmin:  "Virtual Account Administrator",
	satellite.RoleVirtualAccountUser:   "Virtual Account User",
	satellite.RoleVirtualAccountViewer: "Virtual Account Viewer",
}

// roles are what an actor is in an account, each once.
func (a *api) roles(ctx context.Context, actor satellite.Actor, id satellite.AccountID) ([]accountRole, error) {
	roles := []accountRole{}
	if actor.May(satellite.ActionRead) {
		roles = append(roles, accountRole{Role: roleNames[actor.Role]})
	}
	grants := slices.DeleteFunc(slices.Clone(actor.Grants), func(g satellite.Grant) bool { return g.AccountID != id })
	if len(grants) == 0 {
		return roles, nil
	}
	virtual, err := a.service.VirtualAccounts(ctx, actor, id)
	if err != nil {
		return nil, err
	}
	names := map[satellite.VirtualAccountID]string{}
	for _, v := range virtual {
		names[v.ID] = v.Name
	}
	for _, g := range grants {
		role := accountRole{Role: roleNames[g.Role], VirtualAccount: names[g.VirtualAccountID]}
		if !slices.Contains(roles, role) {
			roles = append(roles, role)
		}
	}
	return roles, nil
}

// satelliteAccount is an account with what it settles upstream.
type satelliteAccount struct {
	Name                   string   `json:"name"`
	AccountID              string   `json:"account_id"`
	Domain                 string   `json:"domain"`
	CSLUTenantURL          string   `json:"cslu_tenant_url"`
	CSSMSmartAccountID     string   `json:"cssm_smart_account_id"` // "": the upstream knows it by name
	CSSMSmartAccountName   string   `json:"cssm_smart_account_name"`
	CSSMVirtualAccountName string   `json:"cssm_virtual_account_name"`
	VirtualAccounts        []string `json:"virtual_accounts"`
}

type satelliteAccounts struct {
	outcome
	Accounts []satelliteAccount `json:"accounts"`
}

func (a *api) listSatelliteAccounts(ctx context.Context, c *call) (any, error) {
	found, err := a.service.Accounts(ctx, c.actor)
	if err != nil {
		return nil, err
	}
	answer := satelliteAccounts{outcome: success, Accounts: []satelliteAccount{}}
	for _, one := range found {
		virtual, err := a.service.VirtualAccounts(ctx, c.actor, one.ID)
		if err != nil {
			return nil, err
		}
		names := []string{}
		for _, v := range virtual {
			names = append(names, v.Name)
		}
		answer.Accounts = append(answer.Accounts, satelliteAccount{
			Name: one.Name, AccountID: strconv.FormatInt(int64(one.ID), 10), Domain: one.DomainIdentifier,
			CSSMSmartAccountName: one.UpstreamAccount, CSSMVirtualAccountName: one.UpstreamVirtualAccount, VirtualAccounts: names,
		})
	}
	return answer, nil
}
