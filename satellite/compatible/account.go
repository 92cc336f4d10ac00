package compatible

import (
	"cmp"
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
	AccountStatus string        `json:"accountStatus"` // Active, Pending, Inactive
	AccountType   string        `json:"accountType"`   // always CUSTOMER
	Roles         []accountRole `json:"roles"`         // of who asks
}

// accountRole is a role in a virtual account, or with null in the whole account.
type accountRole struct {
	Role           string  `json:"role"`
	VirtualAccount *string `json:"virtualAccount"`
}

type accounts struct {
	outcome
	Accounts []account `json:"accounts"`
}

// listAccounts lists what who asks sees; with domain, the accounts that go by it.
func (a *api) listAccounts(ctx context.Context, c *call) (any, error) {
	domain := c.in.text("domain")
	if err := c.in.err(); err != nil {
		return nil, err
	}
	found, err := a.service.Accounts(ctx, c.actor)
	if err != nil {
		return nil, err
	}
	answer := accounts{outcome: success, Accounts: []account{}}
	for _, one := range found {
		if domain != "" && !strings.EqualFold(domainOf(one), domain) {
			continue
		}
		roles, err := a.roles(ctx, c.actor, one.ID)
		if err != nil {
			return nil, err
		}
		answer.Accounts = append(answer.Accounts, account{
			AccountName: one.Name, AccountDomain: domainOf(one),
			AccountStatus: statusNames[one.Status], AccountType: "CUSTOMER", Roles: roles,
		})
	}
	return answer, nil
}

var statusNames = map[satellite.AccountStatus]string{
	satellite.AccountActive: "Active", satellite.AccountPending: "Pending", satellite.AccountInactive: "Inactive",
}

// domainOf is never empty: clients go on with it as the name of the account.
func domainOf(account satellite.Account) string {
	return cmp.Or(account.DomainIdentifier, account.Name)
}

// roleNames are the roles as clients know them. A role on the whole satellite
// shows as the one in the account that allows as much there.
var roleNames = map[satellite.Role]string{
	satellite.RoleSystemAdmin:          "Smart Account Administrator",
	satellite.RoleSystemOperator:       "Smart Account Administrator",
	satellite.RoleAccountAdmin:         "Smart Account Administrator",
	satellite.RoleAccountUser:          "Smart Account User",
	satellite.RoleAccountViewer:        "Smart Account Viewer",
	satellite.RoleVirtualAccountAdmin:  "Virtual Account Administrator",
	satellite.RoleVirtualAccountUser:   "Virtual Account User",
	satellite.RoleVirtualAccountViewer: "Virtual Account Viewer",
}

// roles are what an actor is in an account, each once. A role in the whole
// account is followed by what it amounts to in each virtual account: there are
// clients that only look for those.
func (a *api) roles(ctx context.Context, actor satellite.Actor, id satellite.AccountID) ([]accountRole, error) {
	virtual, err := a.service.VirtualAccounts(ctx, actor, id)
	if err != nil {
		return nil, err
	}
	grants := slices.DeleteFunc(slices.Clone(actor.Grants), func(g satellite.Grant) bool { return g.AccountID != id })
	if actor.May(satellite.ActionRead) {
		grants = append([]satellite.Grant{{AccountID: id, Role: actor.Role}}, grants...)
	}
	roles, seen := []accountRole{}, map[[2]string]bool{}
	add := func(role string, in *string) {
		key := [2]string{role}
		if in != nil {
			key[1] = *in
		}
		if !seen[key] {
			seen[key] = true
			roles = append(roles, accountRole{Role: role, VirtualAccount: in})
		}
	}
	for _, g := range grants {
		role := roleNames[g.Role]
		if g.VirtualAccountID == 0 {
			add(role, nil)
			role = strings.Replace(role, "Smart Account", "Virtual Account", 1)
		}
		for _, v := range virtual {
			if g.VirtualAccountID == 0 || g.VirtualAccountID == v.ID {
				add(role, &v.Name)
			}
		}
	}
	return roles, nil
}

// satelliteAccount is an account with what it settles upstream. Every text is
// one, never null: clients print them as they are.
type satelliteAccount struct {
	Name                   string           `json:"name"`
	AccountID              string           `json:"account_id"`
	Domain                 string           `json:"domain"`
	CSLUTenantURL          string           `json:"cslu_tenant_url"`       // "": there are no tenants by address
	CSSMSmartAccountID     string           `json:"cssm_smart_account_id"` // "": the upstream knows accounts by name
	CSSMSmartAccountName   string           `json:"cssm_smart_account_name"`
	CSSMVirtualAccountName string           `json:"cssm_virtual_account_name"`
	VirtualAccounts        []virtualAccount `json:"virtual_accounts"`
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
		virtual, err := a.virtualAccounts(ctx, c.actor, one.ID)
		if err != nil {
			return nil, err
		}
		answer.Accounts = append(answer.Accounts, satelliteAccount{
			Name: one.Name, AccountID: strconv.FormatInt(int64(one.ID), 10), Domain: domainOf(one),
			CSSMSmartAccountName: one.UpstreamAccount, CSSMVirtualAccountName: one.UpstreamVirtualAccount, VirtualAccounts: virtual,
		})
	}
	return answer, nil
}
