package satellite

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Holder is who holds a role: a user, or the members of a group. One of the two is not 0.
type Holder struct {
	UserID  UserID
	GroupID GroupID
}

// HeldGrant is a role with who holds it. A holder has one role in each place.
type HeldGrant struct {
	Holder
	Grant
	GrantedAt time.Time
	GrantedBy string
}

// Access is a role with the names that a person reads.
type Access struct {
	HeldGrant
	Name           string // e-mail address of the user, or name of the group
	VirtualAccount string // "": the whole account
}

// check returns KindInvalid where the role does not belong into the place.
func (g Grant) check() error {
	roles, place := AccountRoles, "an account"
	if g.VirtualAccountID != 0 {
		roles, place = VirtualAccountRoles, "a virtual account"
	}
	if !slices.Contains(roles, g.Role) {
		return fail(KindInvalid, "role-invalid", "There is no role %q in %s. Nothing was changed.", clip(string(g.Role)), place).hint("The roles there are %s.", listed(roles))
	}
	return nil
}

func listed(roles []Role) (text string) {
	for i, role := range roles {
		text += string(role)
		switch i {
		case len(roles) - 1:
		case len(roles) - 2:
			text += " and "
		default:
			text += ", "
		}
	}
	return text
}

// mayGive returns KindForbidden where the role does more than the actor himself
// may do in that place, so that nobody can raise himself or a friend.
func (a Actor) mayGive(g Grant) error {
	for action := range permissions[g.Role] {
		if !a.MayIn(action, g.AccountID, g.VirtualAccountID) {
			return fail(KindForbidden, "role-beyond-own", "The role %s does more there than your own roles allow you (%s). Nothing was changed.", g.Role, action).
				hint("Give a smaller role, or ask an Account Administrator or a System Admin.")
		}
	}
	return nil
}

// mayGrant returns KindConflict where the account takes no new access for these
// users. access is what is granted in it so far.
func (a Account) mayGrant(access []HeldGrant, users ...UserID) error {
	if a.Locked {
		return fail(KindConflict, "account-locked", "Account %q is locked: no new access may be granted. Nothing was changed.", a.Name).
			hint("An administrator can unlock it with `satellite account unlock %q`.", a.Name)
	}
	have := map[UserID]bool{}
	for _, g := range access {
		if g.UserID != 0 {
			have[g.UserID] = true
		}
	}
	count := len(have)
	for _, user := range users {
		have[user] = true
	}
	if len(have) == count {
		return nil
	}
	return a.within(limitedUsers, len(have)-1, "users")
}

// Grant gives a holder a role in an account, or in a virtual account, in place
// of the one that he had there.
//
// KindInvalid for a role that does not belong there; KindForbidden for one that
// does more than the actor may; KindConflict where a limited account has its
// users; KindNotFound.
func (s *Service) Grant(ctx context.Context, actor Actor, holder Holder, g Grant) error {
	if err := actor.mayIn(ActionManageAccess, g.AccountID, g.VirtualAccountID); err != nil {
		return err
	}
	now := s.Now()
	return s.update(ctx, actor, now, func(tx Tx, record recorder) error { return grant(tx, record, actor, holder, g, now) })
}

// grant is Grant inside of an update, for who may manage access there.
func grant(tx Tx, record recorder, actor Actor, holder Holder, g Grant, now time.Time) error {
	if err := g.check(); err != nil {
		return err
	}
	if err := actor.mayGive(g); err != nil {
		return err
	}
	place, err := placeOf(tx, g.AccountID, g.VirtualAccountID)
	if err != nil {
		return err
	}
	name, users, err := holderIn(tx, actor, holder, g.AccountID)
	if err != nil {
		return err
	}
	access, err := tx.AccessTo(g.AccountID)
	if err != nil {
		return err
	}
	held := HeldGrant{Holder: holder, Grant: g, GrantedAt: now, GrantedBy: actor.Name}
	for _, existing := range access {
		if existing.Holder == holder && existing.Grant == g {
			return errUnchanged
		}
	}
	if err := place.account.mayGrant(access, users...); err != nil {
		return err
	}
	if err := tx.SaveGrant(held); err != nil {
		return err
	}
	return record(Event{
		Type: EventAccessGranted, AccountID: g.AccountID, VirtualAccount: place.virtual,
		Message: fmt.Sprintf("%s has the role %s in %s.", name, g.Role, place),
	})
}

// Revoke takes the role of a holder in an account, or in a virtual account,
// away; he is refused from his next request on. KindNotFound where he has none
// there, or where a role is named, another one.
func (s *Service) Revoke(ctx context.Context, actor Actor, holder Holder, g Grant) error {
	if err := actor.mayIn(ActionManageAccess, g.AccountID, g.VirtualAccountID); err != nil {
		return err
	}
	now := s.Now()
	return s.update(ctx, actor, now, func(tx Tx, record recorder) error {
		place, err := placeOf(tx, g.AccountID, g.VirtualAccountID)
		if err != nil {
			return err
		}
		name, _, err := holderIn(tx, actor, holder, g.AccountID)
		if err != nil {
			return err
		}
		access, err := tx.AccessTo(g.AccountID)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(access, func(held HeldGrant) bool {
			return held.Holder == holder && held.VirtualAccountID == g.VirtualAccountID && (g.Role == "" || held.Role == g.Role)
		})
		if i < 0 {
			return fail(KindNotFound, "grant-not-found", "%s has no such role in %s. Nothing was changed.", name, place)
		}
		if err := tx.DeleteGrant(holder, g.AccountID, g.VirtualAccountID); err != nil {
			return err
		}
		return record(Event{
			Type: EventAccessRevoked, AccountID: g.AccountID, VirtualAccount: place.virtual,
			Message: fmt.Sprintf("%s no longer has the role %s in %s.", name, access[i].Role, place),
		})
	})
}

// named is a place by its names.
type named struct {
	account Account
	virtual string
}

func (n named) String() string {
	if n.virtual != "" {
		return fmt.Sprintf("virtual account %q of account %q", n.virtual, n.account.Name)
	}
	return fmt.Sprintf("account %q", n.account.Name)
}

// placeOf reads the names of a place. KindNotFound, also for a virtual account of another account.
func placeOf(tx Tx, accountID AccountID, virtualID VirtualAccountID) (place named, err error) {
	if place.account, err = tx.Account(accountID); err != nil || virtualID == 0 {
		return place, err
	}
	if place.virtual, err = virtualAccountName(tx, accountID, virtualID); err == nil && place.virtual == "" {
		err = NotFound("virtual-account", virtualID)
	}
	return place, err
}

// holderIn is the name of a holder, and the users that a role for him is for. A
// group has roles in its own account only, and only who manages access to the
// whole account manages groups.
func holderIn(tx Tx, actor Actor, holder Holder, accountID AccountID) (name string, users []UserID, err error) {
	if holder.GroupID == 0 {
		user, err := tx.User(holder.UserID)
		return user.Email, []UserID{user.ID}, err
	}
	if err := actor.mayIn(ActionManageAccess, accountID, 0); err != nil {
		return "", nil, err
	}
	group, err := tx.Group(holder.GroupID)
	if isNotFound(err) || err == nil && group.AccountID != accountID {
		return "", nil, errGroupMissing()
	}
	return fmt.Sprintf("Group %q", group.Name), nil, err
}

// FindHolder finds who is to have a role in an account: the user of an e-mail
// address, or the account's group of a name. One of them is "". It tells who
// manages access there whether somebody has a user here, as CreateUser would.
// KindNotFound.
func (s *Service) FindHolder(ctx context.Context, actor Actor, accountID AccountID, email, group string) (holder Holder, err error) {
	if err := actor.maySomewhere(ActionManageAccess, accountID); err != nil {
		return Holder{}, err
	}
	if (email == "") == (group == "") {
		return Holder{}, fail(KindInvalid, "holder-invalid", "A role is for a user or for a group: name one of them. Nothing was changed.")
	}
	err = s.store.View(ctx, func(tx Tx) error {
		if group != "" {
			if err := actor.mayIn(ActionManageAccess, accountID, 0); err != nil {
				return err
			}
			found, err := findGroup(tx, accountID, group)
			holder.GroupID = found.ID
			return err
		}
		found, err := tx.UserByEmail(email)
		if isNotFound(err) {
			return fail(KindNotFound, "user-not-found", "There is no user %q. Nothing was changed.", clip(email)).hint("Create the user first, with this role.")
		}
		holder.UserID = found.ID
		return err
	})
	return holder, err
}

// AccessTo lists who has which role in an account, users first, as far as the
// actor manages access there. KindForbidden where he does not at all.
func (s *Service) AccessTo(ctx context.Context, actor Actor, accountID AccountID) (list []Access, err error) {
	if err := actor.maySomewhere(ActionManageAccess, accountID); err != nil {
		return nil, err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		access, err := tx.AccessTo(accountID)
		if err != nil {
			return err
		}
		list = list[:0]
		for _, held := range access {
			if !actor.MayIn(ActionManageAccess, accountID, held.VirtualAccountID) {
				continue
			}
			one := Access{HeldGrant: held}
			if one.VirtualAccount, err = virtualAccountName(tx, accountID, held.VirtualAccountID); err != nil {
				return err
			}
			if one.Name, err = holderName(tx, held.Holder); err != nil {
				return err
			}
			list = append(list, one)
		}
		return nil
	})
	return list, err
}

func holderName(tx Tx, holder Holder) (string, error) {
	if holder.GroupID != 0 {
		group, err := tx.Group(holder.GroupID)
		return group.Name, err
	}
	user, err := tx.User(holder.UserID)
	return user.Email, err
}
