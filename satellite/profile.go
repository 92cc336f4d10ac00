package satellite

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Profile is who a user is.
type Profile struct {
	FirstName string
	LastName  string
	Company   string
	Address   string // lines
	Phone     string
}

// Name is how the person is called.
func (p Profile) Name() string { return strings.TrimSpace(p.FirstName + " " + p.LastName) }

// Person is the profile of somebody of whom only the name is known.
func Person(name string) Profile {
	first, last, _ := strings.Cut(name, " ")
	return Profile{FirstName: first, LastName: strings.TrimSpace(last)}
}

// Bounds of a profile, in characters. The longest number of the telephone
// network has 15 digits; the rest is for how people write it.
const (
	maxAddress = 1000
	maxPhone   = 40
)

// check returns KindInvalid for what cannot be a person's profile.
func (p Profile) check() error {
	if err := checkName("user", p.Name()); err != nil {
		return err
	}
	if p.Company != "" {
		if err := checkName("company", p.Company); err != nil {
			return err
		}
	}
	if utf8.RuneCountInString(p.Address) > maxAddress || !utf8.ValidString(p.Address) || strings.ContainsFunc(p.Address, func(r rune) bool { return r < ' ' && r != '\n' || r == 0x7f }) {
		return fail(KindInvalid, "address-invalid", "An address has at most %d characters, and none but line breaks that control a terminal. Nothing was changed.", maxAddress)
	}
	if len(p.Phone) > maxPhone || strings.Trim(p.Phone, "+0123456789 ()-./") != "" || p.Phone != "" && !strings.ContainsAny(p.Phone, "0123456789") {
		return fail(KindInvalid, "phone-invalid", "%q is not a phone number: it has digits, spaces and + ( ) - . / only, at most %d of them. Nothing was changed.", clip(p.Phone), maxPhone)
	}
	return nil
}

// SaveProfile changes who a user is, and the address that he signs in with. It
// is his own, or takes the right to manage users.
//
// KindInvalid; KindForbidden; KindNotFound; KindConflict where the address is taken.
func (s *Service) SaveProfile(ctx context.Context, actor Actor, id UserID, email string, profile Profile) (User, error) {
	return s.changeUser(ctx, actor, id, func(_ Tx, user *User) (Event, error) {
		if err := actor.mayChange(id); err != nil {
			return Event{}, err
		}
		if err := checkEmail(email); err != nil {
			return Event{}, err
		}
		if err := profile.check(); err != nil {
			return Event{}, err
		}
		message := fmt.Sprintf("The profile of user %s was changed.", user.Email)
		if email != user.Email {
			message = fmt.Sprintf("The profile of user %s was changed; the e-mail address is %s now.", user.Email, email)
		}
		user.Email, user.Profile = email, profile
		return Event{Type: EventUserChanged, Message: message}, nil
	})
}
