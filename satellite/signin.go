package satellite

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// Session is one sign-in, kept by the hash of its token.
type Session struct {
	Key     string
	UserID  UserID
	Data    []byte
	Expires time.Time
}

// setupCode is the one-time secret of the first start. It lives in memory only:
// a restart makes a new link.
type setupCode struct {
	mutex sync.Mutex
	hash  [sha256.Size]byte
	live  bool
}

// BeginSetup returns the one-time code of the first start, "" where there is a user already.
func (s *Service) BeginSetup(ctx context.Context) (string, error) {
	needed, err := s.SetupNeeded(ctx)
	if err != nil || !needed {
		return "", err
	}
	code := s.randomText(26) // 130 bits
	s.setup.mutex.Lock()
	defer s.setup.mutex.Unlock()
	s.setup.hash, s.setup.live = sha256.Sum256([]byte(code)), true
	return code, nil
}

// SetupNeeded tells whether nobody can sign in yet.
func (s *Service) SetupNeeded(ctx context.Context) (needed bool, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		users, err := tx.Users()
		needed = len(users) == 0
		return err
	})
	return needed, err
}

// CheckSetupCode returns KindForbidden unless code is the one of the running set-up.
func (s *Service) CheckSetupCode(code string) error {
	hash := sha256.Sum256([]byte(code))
	s.setup.mutex.Lock()
	defer s.setup.mutex.Unlock()
	if !s.setup.live || subtle.ConstantTimeCompare(hash[:], s.setup.hash[:]) != 1 {
		return fail(KindForbidden, "setup-link-invalid", "This set-up link is not valid, or has been used. Nothing was changed.").
			hint("Restart the satellite for a new link, or run `satellite setup` on its machine.")
	}
	return nil
}

// Setup makes the first user, a System Admin, for who holds the one-time code.
//
// KindForbidden for a wrong code; KindConflict once there is a user.
func (s *Service) Setup(ctx context.Context, source, code string, n NewUser) (User, error) {
	if err := s.CheckSetupCode(code); err != nil {
		return User{}, err
	}
	return s.firstUser(ctx, Actor{Name: "setup", Source: source}, n)
}

// SetupLocal is Setup for the local administrator, who needs no code.
func (s *Service) SetupLocal(ctx context.Context, actor Actor, n NewUser) (User, error) {
	if err := actor.may(ActionManageUsers); err != nil {
		return User{}, err
	}
	return s.firstUser(ctx, actor, n)
}

func (s *Service) firstUser(ctx context.Context, actor Actor, n NewUser) (User, error) {
	now := s.Now()
	user, err := s.newUser(n, RoleSystemAdmin, now)
	if err != nil {
		return User{}, err
	}
	err = s.update(ctx, actor, now, func(tx Tx, record recorder) error {
		users, err := tx.Users()
		if err != nil {
			return err
		}
		if len(users) > 0 {
			return fail(KindConflict, "setup-done", "The first start is done: %s can sign in. Nothing was created.", users[0].Email).hint("Sign in instead.")
		}
		if user, err = tx.CreateUser(user); err != nil {
			return err
		}
		return record(Event{Type: EventUserCreated, Message: fmt.Sprintf("User %s was created as System Admin.", user.Email)})
	})
	if err != nil {
		return User{}, err
	}
	s.setup.mutex.Lock()
	s.setup.live = false
	s.setup.mutex.Unlock()
	return user, nil
}

// absentHash is compared for users that do not exist, so that a stranger cannot
// tell them from a wrong password by the time it takes.
var absentHash struct {
	sync.Once
	hash string
	err  error
}

// SignIn checks a password. KindUnauthenticated where user or password is wrong;
// which of them, it does not say.
func (s *Service) SignIn(ctx context.Context, source, email, password string) (user User, err error) {
	if len(password) > maxPassword*utf8.UTFMax || len(email) > 254 {
		return User{}, errSignIn()
	}
	err = s.store.View(ctx, func(tx Tx) error {
		user, err = tx.UserByEmail(strings.TrimSpace(email))
		return err
	})
	hash := user.PasswordHash
	if isNotFound(err) {
		absentHash.Do(func() { absentHash.hash, absentHash.err = s.passwords.Hash("nobody has this password") })
		hash, err = absentHash.hash, absentHash.err
	}
	if err != nil {
		return User{}, err
	}
	matches, err := s.passwords.Matches(password, hash)
	if err != nil {
		return User{}, err
	}
	if !matches || user.ID == 0 {
		return User{}, errSignIn()
	}
	actor := Actor{Name: user.Email, Role: user.Role, Source: source}
	err = s.update(ctx, actor, s.Now(), func(_ Tx, record recorder) error {
		return record(Event{Type: EventUserSignedIn, Message: fmt.Sprintf("%s signed in.", user.Email)})
	})
	return user, err
}

func errSignIn() *Error {
	return fail(KindUnauthenticated, "sign-in-refused", "E-mail address or password is wrong.").hint("Check both and try again.")
}

// ActorOf is a user as one who asks, with all roles that he has himself and by
// his groups. Every request asks for it anew, so that a role that is taken away
// ends at once. KindNotFound where he was removed.
func (s *Service) ActorOf(ctx context.Context, id UserID, source string) (actor Actor, user User, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		if user, err = tx.User(id); err != nil {
			return err
		}
		actor, err = actorOf(tx, user, source)
		return err
	})
	return actor, user, err
}

func actorOf(tx Tx, user User, source string) (actor Actor, err error) {
	actor = Actor{UserID: user.ID, Name: user.Email, Role: user.Role, Source: source}
	actor.Grants, err = tx.GrantsOf(user.ID)
	return actor, err
}
