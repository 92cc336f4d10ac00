package satellite

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// GroupID identifies a group of users.
type GroupID int64

// Group is users of one account that have the same roles there. Only standard
// accounts have groups.
type Group struct {
	ID          GroupID
	AccountID   AccountID
	Name        string // unique in its account without regard to case
	Description string
	CreatedAt   time.Time
}

// GroupDetails is a group with its members and what they may do by it.
type GroupDetails struct {
	Group
	Members []User // by e-mail address
	Access  []Access
}

// CreateGroup makes a group without members.
//
// KindForbidden; KindConflict where the name is taken, and in a limited account.
func (s *Service) CreateGroup(ctx context.Context, actor Actor, accountID AccountID, name, description string) (group Group, err error) {
	if err := actor.mayIn(ActionManageAccess, accountID, 0); err != nil {
		return Group{}, err
	}
	if err := checkName("group", name); err != nil {
		return Group{}, err
	}
	now := s.Now()
	err = s.update(ctx, actor, now, func(tx Tx, record recorder) error {
		account, err := tx.Account(accountID)
		if err != nil {
			return err
		}
		if account.Type == AccountLimited {
			return fail(KindConflict, "limited-account-groups", "A limited account has no user groups, and %q is one. Nothing was created.", account.Name).
				hint("Upgrade it to a standard account, or give each user a role.")
		}
		group, err = tx.CreateGroup(Group{AccountID: accountID, Name: name, Description: clipRunes(description, 1000), CreatedAt: now})
		if err != nil {
			return err
		}
		return record(Event{Type: EventGroupCreated, AccountID: accountID, Message: fmt.Sprintf("Group %q was created.", name)})
	})
	return group, err
}

// Groups lists the groups of an account by name. KindForbidden unless the actor
// manages access to the whole account, as for all that follows.
func (s *Service) Groups(ctx context.Context, actor Actor, accountID AccountID) (groups []Group, err error) {
	if err := actor.mayIn(ActionManageAccess, accountID, 0); err != nil {
		return nil, err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		groups, err = tx.Groups(accountID)
		return err
	})
	return groups, err
}

// FindGroup returns the group of that name, without regard to case. KindNotFound.
func (s *Service) FindGroup(ctx context.Context, actor Actor, accountID AccountID, name string) (details GroupDetails, err error) {
	access, err := s.AccessTo(ctx, actor, accountID)
	if err != nil {
		return GroupDetails{}, err
	}
	if err := actor.mayIn(ActionManageAccess, accountID, 0); err != nil {
		return GroupDetails{}, err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		if details.Group, err = findGroup(tx, accountID, name); err != nil {
			return err
		}
		details.Members, err = tx.Members(details.ID)
		return err
	})
	details.Access = slices.DeleteFunc(access, func(a Access) bool { return a.GroupID != details.ID })
	return details, err
}

func findGroup(tx Tx, accountID AccountID, name string) (Group, error) {
	groups, err := tx.Groups(accountID)
	for _, group := range groups {
		if strings.EqualFold(group.Name, name) {
			return group, err
		}
	}
	if err != nil {
		return Group{}, err
	}
	return Group{}, errGroupMissing()
}

func errGroupMissing() *Error {
	return fail(KindNotFound, "group-not-found", "There is no such group in this account. Nothing was changed.").hint("`satellite group list` shows those that exist.")
}

// changeGroup is what all changes of a group share.
func (s *Service) changeGroup(ctx context.Context, actor Actor, accountID AccountID, name string, change func(Tx, Group, time.Time) (Event, error)) error {
	if err := actor.mayIn(ActionManageAccess, accountID, 0); err != nil {
		return err
	}
	now := s.Now()
	return s.update(ctx, actor, now, func(tx Tx, record recorder) error {
		group, err := findGroup(tx, accountID, name)
		if err != nil {
			return err
		}
		event, err := change(tx, group, now)
		if err != nil {
			return err
		}
		event.AccountID = accountID
		return record(event)
	})
}

// RemoveGroup removes a group; its members lose the roles that it gave them at once. KindNotFound.
func (s *Service) RemoveGroup(ctx context.Context, actor Actor, accountID AccountID, name string) error {
	return s.changeGroup(ctx, actor, accountID, name, func(tx Tx, group Group, _ time.Time) (Event, error) {
		return Event{Type: EventGroupRemoved, Message: fmt.Sprintf("Group %q was removed.", group.Name)}, tx.DeleteGroup(group.ID)
	})
}

// AddMember puts a user into a group, which gives him its roles: so it takes
// the right to give each of them. KindForbidden; KindNotFound; KindConflict
// where the account takes no new access.
func (s *Service) AddMember(ctx context.Context, actor Actor, accountID AccountID, name string, id UserID) error {
	return s.changeGroup(ctx, actor, accountID, name, func(tx Tx, group Group, _ time.Time) (Event, error) {
		user, err := tx.User(id)
		if err != nil {
			return Event{}, err
		}
		members, err := tx.Members(group.ID)
		if err != nil {
			return Event{}, err
		}
		if slices.ContainsFunc(members, func(m User) bool { return m.ID == id }) {
			return Event{}, errUnchanged
		}
		account, err := tx.Account(accountID)
		if err != nil {
			return Event{}, err
		}
		access, err := tx.AccessTo(accountID)
		if err != nil {
			return Event{}, err
		}
		if err := account.mayGrant(access, id); err != nil {
			return Event{}, err
		}
		for _, held := range access {
			if held.GroupID != group.ID {
				continue
			}
			if err := actor.mayGive(held.Grant); err != nil {
				return Event{}, err
			}
		}
		return Event{Type: EventGroupMemberAdded, Message: fmt.Sprintf("%s is a member of group %q.", user.Email, group.Name)}, tx.AddMember(group.ID, id)
	})
}

// DropMember takes a user out of a group, and with it the roles that it gave
// him. KindNotFound where he is not in it.
func (s *Service) DropMember(ctx context.Context, actor Actor, accountID AccountID, name string, id UserID) error {
	return s.changeGroup(ctx, actor, accountID, name, func(tx Tx, group Group, _ time.Time) (Event, error) {
		members, err := tx.Members(group.ID)
		if err != nil {
			return Event{}, err
		}
		i := slices.IndexFunc(members, func(m User) bool { return m.ID == id })
		if i < 0 {
			return Event{}, fail(KindNotFound, "member-not-found", "That user is not in group %q. Nothing was changed.", group.Name)
		}
		return Event{Type: EventGroupMemberDropped, Message: fmt.Sprintf("%s is no longer a member of group %q.", members[i].Email, group.Name)}, tx.DropMember(group.ID, id)
	})
}
