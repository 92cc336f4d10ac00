package adminapi

import (
	"context"
	"time"

	"ssm/satellite"
)

// Grant is a role that a user, or the members of a group, have in an account.
type Grant struct {
	Account        string    `json:"account"`
	VirtualAccount string    `json:"virtual_account" doc:"Empty: the whole account."`
	User           string    `json:"user,omitempty" doc:"E-mail address; empty where a group has the role."`
	Group          string    `json:"group,omitempty"`
	Role           string    `json:"role" enum:"account-admin,account-user,account-viewer,virtual-account-admin,virtual-account-user,virtual-account-viewer"`
	GrantedAt      time.Time `json:"granted_at"`
	GrantedBy      string    `json:"granted_by"`
}

func grantOf(account string) func(satellite.Access) Grant {
	return func(a satellite.Access) Grant {
		g := Grant{Account: account, VirtualAccount: a.VirtualAccount, Role: string(a.Role), GrantedAt: a.GrantedAt.UTC(), GrantedBy: a.GrantedBy}
		if a.GroupID != 0 {
			g.Group = a.Name
		} else {
			g.User = a.Name
		}
		return g
	}
}

func (a *api) listGrants(ctx context.Context, in *AccountPath) (*output[List[Grant]], error) {
	account, err := a.service.FindAccount(ctx, actor(ctx), in.Account)
	if err != nil {
		return nil, err
	}
	list, err := a.service.AccessTo(ctx, actor(ctx), account.ID)
	return answer(whole(list, grantOf(account.Name)), err)
}

// NewGrant gives a role to a user or to a group.
type NewGrant struct {
	User           string `json:"user,omitempty" maxLength:"254" doc:"E-mail address. One of user and group is named."`
	Group          string `json:"group,omitempty" maxLength:"255"`
	VirtualAccount string `json:"virtual_account,omitempty" maxLength:"255" doc:"The whole account where none is named."`
	Role           string `json:"role" enum:"account-admin,account-user,account-viewer,virtual-account-admin,virtual-account-user,virtual-account-viewer"`
}

type newGrantInput struct {
	AccountPath
	Body NewGrant
}

func (a *api) grantRole(ctx context.Context, in *newGrantInput) (*output[Grant], error) {
	account, place, holder, err := a.holding(ctx, in.Account, in.Body.VirtualAccount, in.Body.User, in.Body.Group)
	if err != nil {
		return nil, err
	}
	place.Role = satellite.Role(in.Body.Role)
	if err := a.service.Grant(ctx, actor(ctx), holder, place); err != nil {
		return nil, err
	}
	return answer(Grant{
		Account: account, VirtualAccount: in.Body.VirtualAccount, User: in.Body.User, Group: in.Body.Group,
		Role: in.Body.Role, GrantedAt: a.service.Now(), GrantedBy: actor(ctx).Name,
	}, nil)
}

type grantInput struct {
	AccountPath
	User           string `query:"user" maxLength:"254" doc:"E-mail address. One of user and group is named."`
	Group          string `query:"group" maxLength:"255"`
	Role           string `query:"role" maxLength:"64" doc:"Only if it is this role; empty is whichever there is."`
	VirtualAccount string `query:"virtual_account" maxLength:"255" doc:"The whole account where none is named."`
}

func (a *api) revokeRole(ctx context.Context, in *grantInput) (*struct{}, error) {
	_, place, holder, err := a.holding(ctx, in.Account, in.VirtualAccount, in.User, in.Group)
	if err != nil {
		return nil, err
	}
	place.Role = satellite.Role(in.Role)
	return nil, a.service.Revoke(ctx, actor(ctx), holder, place)
}

// holding finds what a role is about: the place, and who holds it.
func (a *api) holding(ctx context.Context, accountName, virtualName, user, group string) (name string, place satellite.Grant, holder satellite.Holder, err error) {
	account, err := a.service.FindAccount(ctx, actor(ctx), accountName)
	if err != nil {
		return "", place, holder, err
	}
	place.AccountID = account.ID
	if place.VirtualAccountID, err = a.findVirtualAccount(ctx, account, virtualName); err != nil {
		return "", place, holder, err
	}
	holder, err = a.service.FindHolder(ctx, actor(ctx), account.ID, user, group)
	return account.Name, place, holder, err
}
