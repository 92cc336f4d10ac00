package satellite

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// AccountChange is what SetAccount changes; nil leaves a property as it is.
type AccountChange struct {
	Name           *string
	RequesterName  *string
	RequesterEmail *string
	Headquarters   *string
	Searchable     *bool
	Locked         *bool
}

// apply checks and makes the change; the words are for the event.
func (c AccountChange) apply(a *Account) (changed []string, err error) {
	text := func(what string, to *string, field *string) {
		if to != nil && *to != *field {
			*field = *to
			changed = append(changed, fmt.Sprintf("%s is %q", what, *to))
		}
	}
	yesNo := func(what string, to *bool, field *bool) {
		if to != nil && *to != *field {
			*field = *to
			changed = append(changed, fmt.Sprintf("%s: %v", what, *to))
		}
	}
	text("the name", c.Name, &a.Name)
	text("the requester", c.RequesterName, &a.RequesterName)
	text("the requester's e-mail address", c.RequesterEmail, &a.RequesterEmail)
	text("the headquarters", c.Headquarters, &a.Headquarters)
	yesNo("search by the e-mail address of a member", c.Searchable, &a.Searchable)
	yesNo("locked against new access", c.Locked, &a.Locked)
	if err := checkName("account", a.Name); err != nil {
		return nil, err
	}
	if err := checkEmail(a.RequesterEmail); err != nil {
		return nil, err
	}
	return changed, checkProfile(a.RequesterName, a.Headquarters)
}

// SetAccount changes properties of an account; one that is the same already is no change.
//
// KindInvalid for a bad name or address; KindConflict where the name is taken.
func (s *Service) SetAccount(ctx context.Context, actor Actor, id AccountID, change AccountChange) (account Account, err error) {
	if err := actor.mayIn(ActionManageAccount, id, 0); err != nil {
		return Account{}, err
	}
	now := s.Now()
	err = s.update(ctx, actor, now, func(tx Tx, record recorder) error {
		if account, err = tx.Account(id); err != nil {
			return err
		}
		name := account.Name
		changed, err := change.apply(&account)
		if err != nil {
			return err
		}
		if len(changed) == 0 {
			return errUnchanged
		}
		if err := tx.SaveAccount(account); err != nil {
			return err
		}
		return record(Event{Type: EventAccountChanged, AccountID: id, Message: fmt.Sprintf("Account %q was changed: %s.", name, strings.Join(changed, "; "))})
	})
	return account, err
}

// maxReason bounds a reason, in characters.
const maxReason = 1000

func checkReason(reason string) (string, error) {
	reason = strings.Join(strings.Fields(reason), " ")
	if n := utf8.RuneCountInString(reason); n < 1 || n > maxReason || !utf8.ValidString(reason) {
		return "", fail(KindInvalid, "reason-invalid", "A reason has 1 to %d characters, and this one has %d. Nothing was changed.", maxReason, n).
			hint("Give it with --reason; it is mailed to the requester of the account.")
	}
	return reason, nil
}

// DeactivateAccount makes an account inactive, and mails the reason to its
// requester. Its devices go on being answered; none registers anew, and no
// token is made.
//
// KindInvalid without a reason; KindConflict where it is inactive already.
func (s *Service) DeactivateAccount(ctx context.Context, actor Actor, id AccountID, reason string) (account Account, err error) {
	if err := actor.may(ActionManageAccounts); err != nil {
		return Account{}, err
	}
	if reason, err = checkReason(reason); err != nil {
		return Account{}, err
	}
	now := s.Now()
	err = s.update(ctx, actor, now, func(tx Tx, record recorder) error {
		if account, err = tx.Account(id); err != nil {
			return err
		}
		if account.Status == AccountInactive {
			return fail(KindConflict, "account-inactive", "Account %q is inactive already (%s). Nothing was changed.", account.Name, account.InactiveReason)
		}
		account.Status, account.InactiveReason = AccountInactive, reason
		if err := tx.SaveAccount(account); err != nil {
			return err
		}
		err := s.post(tx, account.RequesterEmail, fmt.Sprintf("The licensing account %q was deactivated", account.Name),
			fmt.Sprintf("The account %q was deactivated by %s.\n\nReason: %s\n\nIts devices go on working; no more can be registered.", account.Name, actor.Name, reason), now)
		if err != nil {
			return err
		}
		return record(Event{Type: EventAccountDeactivated, AccountID: id, Message: fmt.Sprintf("Account %q was deactivated: %s", account.Name, reason)})
	})
	return account, err
}

// ActivateAccount makes an inactive account active again.
//
// KindConflict where it is active, or was never approved.
func (s *Service) ActivateAccount(ctx context.Context, actor Actor, id AccountID) (account Account, err error) {
	if err := actor.may(ActionManageAccounts); err != nil {
		return Account{}, err
	}
	now := s.Now()
	err = s.update(ctx, actor, now, func(tx Tx, record recorder) error {
		if account, err = tx.Account(id); err != nil {
			return err
		}
		if err := account.approved("Nothing was changed."); err != nil {
			return err
		}
		if account.Status == AccountActive {
			return fail(KindConflict, "account-active", "Account %q is active already. Nothing was changed.", account.Name)
		}
		account.Status, account.InactiveReason = AccountActive, ""
		if err := tx.SaveAccount(account); err != nil {
			return err
		}
		return record(Event{Type: EventAccountActivated, AccountID: id, Message: fmt.Sprintf("Account %q was activated again.", account.Name)})
	})
	return account, err
}

// DeleteAccount removes an inactive account with everything that is in it:
// virtual accounts, tokens, licenses, reports and the key of its sub CA. Its
// events stay, its open alerts are closed, and its name is free again.
//
// KindConflict while it is not inactive, or holds a device.
func (s *Service) DeleteAccount(ctx context.Context, actor Actor, id AccountID) error {
	if err := actor.may(ActionManageAccounts); err != nil {
		return err
	}
	defer s.exchange(id)() // a synchronization that is under way ends first
	now := s.Now()
	err := s.update(ctx, actor, now, func(tx Tx, record recorder) error {
		account, err := tx.Account(id)
		if err != nil {
			return err
		}
		if account.Status != AccountInactive {
			return fail(KindConflict, "account-not-inactive", "Account %q is %s, and only an inactive account is deleted. Nothing was deleted.", account.Name, account.Status).
				hint("Deactivate it first with `satellite account deactivate %q --reason REASON`.", account.Name)
		}
		if err := withoutDevices(tx, account, now); err != nil {
			return err
		}
		if err := settleAll(tx, record, id, "the account was deleted.", now); err != nil {
			return err
		}
		if err := tx.DeleteAccount(id); err != nil {
			return err
		}
		return record(Event{Type: EventAccountDeleted, AccountID: id, Message: fmt.Sprintf("Account %q was deleted with everything in it.", account.Name)})
	})
	if err == nil {
		s.writers.Delete(id)
	}
	return err
}

// withoutDevices returns KindConflict while the account holds a device.
func withoutDevices(tx Tx, account Account, now time.Time) error {
	list, err := tx.VirtualAccounts(account.ID)
	if err != nil {
		return err
	}
	var devices int64
	for _, virtual := range list {
		holds, err := tx.VirtualAccountHolds(virtual.ID, now)
		if err != nil {
			return err
		}
		devices += holds.Devices
	}
	if devices == 0 {
		return nil
	}
	return fail(KindConflict, "account-not-empty", "Account %q still holds %d devices, and is deleted with none left. Nothing was deleted.", account.Name, devices).
		hint("Remove them first: `satellite device list --account %q` shows them.", account.Name)
}

// settleAll closes every open alert of an account.
func settleAll(tx Tx, record recorder, id AccountID, because string, now time.Time) error {
	for {
		open, err := tx.Alerts(AlertFilter{AccountID: id, Scope: Scope{All: true}}, Page{Limit: 1000})
		if err != nil || len(open) == 0 {
			return err
		}
		for _, alert := range open {
			if err := settled(tx, record, id, alert.Type, alert.Key, because, now); err != nil {
				return err
			}
		}
	}
}
