package adminapi

import (
	"context"
	"time"

	"ssm/satellite"
)

// Group is users of an account that have the same roles there.
type Group struct {
	Account     string    `json:"account"`
	Name        string    `json:"name"`
	Description string    `json:"description"`
	CreatedAt   time.Time `json:"created_at"`
}

func groupOf(account string) func(satellite.Group) Group {
	return func(g satellite.Group) Group {
		return Group{Account: account, Name: g.Name, Description: g.Description, CreatedAt: g.CreatedAt.UTC()}
	}
}

// GroupDetails is a group with its members and roles.
type GroupDetails struct {
	Group
	Members []string `json:"members" doc:"E-mail addresses."`
	Grants  []Grant  `json:"grants"`
}

func (a *api) listGroups(ctx context.Context, in *AccountPath) (*output[List[Group]], error) {
	account, err := a.service.FindAccount(ctx, actor(ctx), in.Account)
	if err != nil {
		return nil, err
	}
	groups, err := a.service.Groups(ctx, actor(ctx), account.ID)
	return answer(whole(groups, groupOf(account.Name)), err)
}

// NewGroup is what creates a group.
type NewGroup struct {
	Name        string `json:"name" minLength:"1" maxLength:"255"`
	Description string `json:"description,omitempty" maxLength:"1000"`
}

func (a *api) createGroup(ctx context.Context, in *struct {
	AccountPath
	Body NewGroup
}) (*output[Group], error) {
	account, err := a.service.FindAccount(ctx, actor(ctx), in.Account)
	if err != nil {
		return nil, err
	}
	group, err := a.service.CreateGroup(ctx, actor(ctx), account.ID, in.Body.Name, in.Body.Description)
	return answer(groupOf(account.Name)(group), err)
}

// GroupPath is the path of what belongs to a group; exported like AccountPath.
type GroupPath struct {
	AccountPath
	Group string `path:"group" maxLength:"255" doc:"Name of the group."`
}

func (a *api) getGroup(ctx context.Context, in *GroupPath) (*output[GroupDetails], error) {
	account, err := a.service.FindAccount(ctx, actor(ctx), in.Account)
	if err != nil {
		return nil, err
	}
	found, err := a.service.FindGroup(ctx, actor(ctx), account.ID, in.Group)
	return answer(GroupDetails{
		Group: groupOf(account.Name)(found.Group), Grants: whole(found.Access, grantOf(account.Name)).Items,
		Members: whole(found.Members, func(u satellite.User) string { return u.Email }).Items,
	}, err)
}

func (a *api) removeGroup(ctx context.Context, in *GroupPath) (*struct{}, error) {
	account, err := a.service.FindAccount(ctx, actor(ctx), in.Account)
	if err != nil {
		return nil, err
	}
	return nil, a.service.RemoveGroup(ctx, actor(ctx), account.ID, in.Group)
}

// NewMember names a user.
type NewMember struct {
	User string `json:"user" minLength:"1" maxLength:"254" doc:"E-mail address."`
}

func (a *api) addMember(ctx context.Context, in *struct {
	GroupPath
	Body NewMember
}) (*struct{}, error) {
	return a.member(ctx, in.GroupPath, in.Body.User, a.service.AddMember)
}

func (a *api) dropMember(ctx context.Context, in *struct {
	GroupPath
	Member string `path:"member" maxLength:"254" doc:"E-mail address of the user."`
}) (*struct{}, error) {
	return a.member(ctx, in.GroupPath, in.Member, a.service.DropMember)
}

func (a *api) member(ctx context.Context, in GroupPath, user string, change func(context.Context, satellite.Actor, satellite.AccountID, string, satellite.UserID) error) (*struct{}, error) {
	account, err := a.service.FindAccount(ctx, actor(ctx), in.Account)
	if err != nil {
		return nil, err
	}
	holder, err := a.service.FindHolder(ctx, actor(ctx), account.ID, user, "")
	if err != nil {
		return nil, err
	}
	return nil, change(ctx, actor(ctx), account.ID, in.Group, holder.UserID)
}
