package satellite

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// UserID identifies a user.
type UserID int64

// User is a person who signs in to the console.
type User struct {
	ID    UserID
	Email string // unique without regard to case
	Profile
	PasswordHash string
	Generation   int64  // access tokens of another one are refused; a new password begins one
	Role         Role   // on the satellite
	Language     string // "en", "ja", or "" for the browser's
	Theme        string // "light", "dark", or "" for the system's
	CreatedAt    time.Time
}

// NewUser is what makes a user. The first one is a System Admin; who may do no
// more than manage access somewhere makes a System User with a role there.
type NewUser struct {
	Email string
	Profile
	Password string
	Role     Role   // "" is RoleSystemUser
	Access   *Grant // what he begins with, nil for nothing
}

// Bounds of a password, in characters. There are no rules about its kinds of
// characters: length is what counts.
const (
	minPassword = 12
	maxPassword = 256
)

// newUser checks what makes a user and hashes his password.
func (s *Service) newUser(n NewUser, role Role, now time.Time) (User, error) {
	if err := checkEmail(n.Email); err != nil {
		return User{}, err
	}
	if err := n.Profile.check(); err != nil {
		return User{}, err
	}
	hash, err := s.hash(n.Password)
	return User{Email: n.Email, Profile: n.Profile, PasswordHash: hash, Role: role, CreatedAt: now}, err
}

// hash checks the length of a new password and hashes it.
func (s *Service) hash(password string) (string, error) {
	if length := utf8.RuneCountInString(password); length < minPassword || length > maxPassword {
		return "", fail(KindInvalid, "password-length", "A password has %d to %d characters; this one has %d. Nothing was changed.", minPassword, maxPassword, length).
			hint("A sentence of a few words is easy to keep in mind.")
	}
	hash, err := s.passwords.Hash(password)
	if err != nil {
		return "", fmt.Errorf("hash the password: %w", err)
	}
	return hash, nil
}

// CreateUser makes a user who can sign in.
//
// Who manages access somewhere, and not users, makes a System User with a role
// there. KindInvalid; KindForbidden; KindConflict where the e-mail address is taken.
func (s *Service) CreateUser(ctx context.Context, actor Actor, n NewUser) (user User, err error) {
	if n.Role == "" {
		n.Role = RoleSystemUser
	}
	if n.Access != nil {
		err = actor.mayIn(ActionManageAccess, n.Access.AccountID, n.Access.VirtualAccountID)
	}
	if err == nil && (n.Access == nil || n.Role != RoleSystemUser) {
		err = actor.may(ActionManageUsers)
	}
	if err == nil {
		err = checkSystemRole(n.Role)
	}
	if err != nil {
		return User{}, err
	}
	now := s.Now()
	fresh, err := s.newUser(n, n.Role, now)
	if err != nil {
		return User{}, err
	}
	err = s.update(ctx, actor, now, func(tx Tx, record recorder) error {
		if user, err = tx.CreateUser(fresh); err != nil {
			return err
		}
		if err := record(Event{Type: EventUserCreated, Message: fmt.Sprintf("User %s was created as %s.", user.Email, user.Role)}); err != nil {
			return err
		}
		if n.Access == nil {
			return nil
		}
		return grant(tx, record, actor, Holder{UserID: user.ID}, *n.Access, now)
	})
	return user, err
}

func checkSystemRole(role Role) error {
	if slices.Contains(SystemRoles, role) {
		return nil
	}
	return fail(KindInvalid, "role-invalid", "There is no system role %q. Nothing was changed.", clip(string(role))).hint("The system roles are %s.", listed(SystemRoles))
}

// Users lists the users that the actor sees, by e-mail address: who manages
// users sees all, everybody sees himself, and who manages access somewhere sees
// those who have a role there.
func (s *Service) Users(ctx context.Context, actor Actor) (users []User, err error) {
	if err := actor.known(); err != nil {
		return nil, err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		visible, err := usersSeen(tx, actor)
		if err != nil {
			return err
		}
		users, err = tx.Users()
		users = slices.DeleteFunc(users, func(u User) bool { return !visible(u.ID) })
		return err
	})
	return users, err
}

// usersSeen tells which users an actor sees.
func usersSeen(tx Tx, actor Actor) (func(UserID) bool, error) {
	if actor.May(ActionManageUsers) {
		return func(UserID) bool { return true }, nil
	}
	seen, read := map[UserID]bool{actor.UserID: true}, map[AccountID]bool{}
	for _, g := range actor.Grants {
		if read[g.AccountID] || !actor.MaySomewhere(ActionManageAccess, g.AccountID) {
			continue
		}
		read[g.AccountID] = true
		access, err := tx.AccessTo(g.AccountID)
		if err != nil {
			return nil, err
		}
		for _, held := range access {
			if !actor.MayIn(ActionManageAccess, held.AccountID, held.VirtualAccountID) {
				continue
			}
			seen[held.UserID] = true
			members, err := tx.Members(held.GroupID)
			if err != nil {
				return nil, err
			}
			for _, member := range members {
				seen[member.ID] = true
			}
		}
	}
	return func(id UserID) bool { return seen[id] }, nil
}

// FindUser returns a user by id in decimal, or by e-mail address. KindNotFound,
// also for one that the actor may not see.
func (s *Service) FindUser(ctx context.Context, actor Actor, idOrEmail string) (user User, err error) {
	if err := actor.known(); err != nil {
		return User{}, err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		user, err = findUser(tx, actor, idOrEmail)
		return err
	})
	return user, err
}

func findUser(tx Tx, actor Actor, idOrEmail string) (user User, err error) {
	missing := fail(KindNotFound, "user-not-found", "There is no such user. Nothing was changed.").hint("`satellite user list` shows those that exist.")
	if id, parseErr := strconv.ParseInt(idOrEmail, 10, 64); parseErr == nil {
		user, err = tx.User(UserID(id))
	} else {
		user, err = tx.UserByEmail(idOrEmail)
	}
	if isNotFound(err) {
		return User{}, missing
	}
	if err != nil {
		return User{}, err
	}
	visible, err := usersSeen(tx, actor)
	if err == nil && !visible(user.ID) {
		return User{}, missing
	}
	return user, err
}

// changeUser is what all changes of a user share: he is found, judged, changed,
// saved, and the event is recorded, unless change says that nothing is.
func (s *Service) changeUser(ctx context.Context, actor Actor, id UserID, change func(Tx, *User) (Event, error)) (user User, err error) {
	if err := actor.known(); err != nil {
		return User{}, err
	}
	err = s.update(ctx, actor, s.Now(), func(tx Tx, record recorder) error {
		if user, err = findUser(tx, actor, strconv.FormatInt(int64(id), 10)); err != nil {
			return err
		}
		event, err := change(tx, &user)
		if err != nil {
			return err
		}
		if err := tx.SaveUser(user); err != nil {
			return err
		}
		return record(event)
	})
	return user, err
}

// mayChange returns KindForbidden unless the user is the actor, or he manages users.
func (a Actor) mayChange(id UserID) error {
	if id != 0 && a.UserID == id {
		return nil
	}
	return a.may(ActionManageUsers)
}

// SetPassword changes a password and ends the user's sessions. One's own takes
// the old one; that of another takes the right to manage users.
//
// KindInvalid for a password that is too short, or not the old one; KindForbidden; KindNotFound.
func (s *Service) SetPassword(ctx context.Context, actor Actor, id UserID, old, password string) error {
	if err := actor.known(); err != nil {
		return err
	}
	checked := ""
	if actor.UserID == id {
		var err error
		if checked, err = s.checkOldPassword(ctx, id, old); err != nil {
			return err
		}
	} else if _, err := s.FindUser(ctx, actor, strconv.FormatInt(int64(id), 10)); err != nil {
		return err
	}
	if err := actor.mayChange(id); err != nil {
		return err
	}
	hash, err := s.hash(password)
	if err != nil {
		return err
	}
	_, err = s.changeUser(ctx, actor, id, func(tx Tx, user *User) (Event, error) {
		if checked != "" && user.PasswordHash != checked {
			return Event{}, errOldPassword() // changed meanwhile
		}
		user.PasswordHash = hash
		user.Generation++
		return Event{Type: EventPasswordChanged, Message: fmt.Sprintf("The password of user %s was changed; his sessions and access tokens have ended.", user.Email)}, tx.DeleteSessionsOf(id)
	})
	return err
}

// checkOldPassword returns the hash that the old password fits. The check is
// slow, so it stands outside of the update.
func (s *Service) checkOldPassword(ctx context.Context, id UserID, old string) (hash string, err error) {
	if len(old) > maxPassword*utf8.UTFMax {
		return "", errOldPassword()
	}
	err = s.store.View(ctx, func(tx Tx) error {
		user, err := tx.User(id)
		hash = user.PasswordHash
		return err
	})
	if err != nil {
		return "", err
	}
	matches, err := s.passwords.Matches(old, hash)
	if err == nil && !matches {
		err = errOldPassword()
	}
	return hash, err
}

func errOldPassword() *Error {
	return fail(KindInvalid, "old-password-wrong", "The old password is another one. Nothing was changed.").hint("Type the one that you sign in with, or let a System Admin set a new one.")
}

// SetSystemRole changes what a user may do on the whole satellite.
//
// KindInvalid; KindForbidden; KindNotFound; KindConflict for the last System Admin.
func (s *Service) SetSystemRole(ctx context.Context, actor Actor, id UserID, role Role) (User, error) {
	return s.changeUser(ctx, actor, id, func(tx Tx, user *User) (Event, error) {
		if err := actor.may(ActionManageUsers); err != nil {
			return Event{}, err
		}
		if err := checkSystemRole(role); err != nil {
			return Event{}, err
		}
		if user.Role == role {
			return Event{}, errUnchanged
		}
		if err := notTheLastAdmin(tx, *user); err != nil {
			return Event{}, err
		}
		before := user.Role
		user.Role = role
		return Event{Type: EventUserRoleChanged, Message: fmt.Sprintf("User %s is %s now; he was %s.", user.Email, role, before)}, nil
	})
}

// notTheLastAdmin returns KindConflict for the only System Admin: without one
// nobody could manage users on the console.
func notTheLastAdmin(tx Tx, user User) error {
	if user.Role != RoleSystemAdmin {
		return nil
	}
	users, err := tx.Users()
	if err != nil {
		return err
	}
	if slices.ContainsFunc(users, func(u User) bool { return u.Role == RoleSystemAdmin && u.ID != user.ID }) {
		return nil
	}
	return fail(KindConflict, "last-system-admin", "%s is the last System Admin. Nothing was changed.", user.Email).hint("Make another user System Admin first.")
}

// RemoveUser removes a user with his roles; his sessions end at once. What he
// did stays in the events.
//
// KindForbidden; KindNotFound; KindConflict for oneself and for the last System Admin.
func (s *Service) RemoveUser(ctx context.Context, actor Actor, id UserID) error {
	if err := actor.known(); err != nil {
		return err
	}
	return s.update(ctx, actor, s.Now(), func(tx Tx, record recorder) error {
		user, err := findUser(tx, actor, strconv.FormatInt(int64(id), 10))
		if err != nil {
			return err
		}
		if err := actor.may(ActionManageUsers); err != nil {
			return err
		}
		if actor.UserID == id {
			return fail(KindConflict, "user-oneself", "Nobody removes himself. Nothing was changed.").hint("Let another System Admin do it.")
		}
		if err := notTheLastAdmin(tx, user); err != nil {
			return err
		}
		if err := tx.DeleteSessionsOf(id); err != nil {
			return err
		}
		if err := tx.DeleteUser(id); err != nil {
			return err
		}
		return record(Event{Type: EventUserRemoved, Message: fmt.Sprintf("User %s was removed.", user.Email)})
	})
}

// SavePreferences keeps a user's language and theme. KindInvalid for values that do not exist.
func (s *Service) SavePreferences(ctx context.Context, id UserID, language, theme string) error {
	if language != "" && language != "en" && language != "ja" || theme != "" && theme != "light" && theme != "dark" {
		return fail(KindInvalid, "preference-invalid", "There is no language %q or theme %q. Nothing was changed.", clip(language), clip(theme))
	}
	return s.store.Update(ctx, func(tx Tx) error {
		user, err := tx.User(id)
		if err != nil {
			return err
		}
		user.Language, user.Theme = language, theme
		return tx.SaveUser(user)
	})
}
