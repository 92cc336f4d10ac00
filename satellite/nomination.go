package satellite

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"strings"
	"time"
)

// Nomination asks somebody with authority to approve an account that waits. The
// code in the mail to him is his authority.
type Nomination struct {
	AccountID AccountID
	Email     string
	CodeHash  [sha256.Size]byte
	Tries     int // wrong codes since the mail
	SentAt    time.Time
}

// maxCodeTries is how many wrong codes end a code.
const maxCodeTries = 5

// accepts tells whether the code is the one that was mailed.
func (n Nomination) accepts(code string) bool {
	hash := sha256.Sum256([]byte(plainCode(code)))
	return n.Tries < maxCodeTries && subtle.ConstantTimeCompare(hash[:], n.CodeHash[:]) == 1
}

// plainCode is a code as it is compared: people type it with or without its
// dashes, and in capitals.
func plainCode(code string) string {
	return strings.ToLower(strings.NewReplacer("-", "", " ", "").Replace(code))
}

// approvalCode is a new code of 60 bits in three groups.
func (s *Service) approvalCode() string {
	code := s.randomText(12)
	return code[:4] + "-" + code[4:8] + "-" + code[8:]
}

// nominate mails a code and keeps its hash.
func (s *Service) nominate(tx Tx, record recorder, account Account, nominee, code string, now time.Time) error {
	nomination := Nomination{AccountID: account.ID, Email: nominee, CodeHash: sha256.Sum256([]byte(plainCode(code))), SentAt: now}
	if err := tx.SaveNomination(nomination); err != nil {
		return err
	}
	err := s.post(tx, nominee, fmt.Sprintf("Approve the licensing account %q", account.Name), fmt.Sprintf(
		"%s asks for the licensing account %q and names you as the person who may approve it.\n\n"+
			"Approval code: %s\n\n"+
			"To approve:  satellite account approve %q --code %s\n"+
			"To decline:  satellite account decline %q --code %s --reason \"...\"\n\n"+
			"Who has this code can approve the account in your place. If you do not expect it, decline.",
		account.RequesterEmail, account.Name, code, account.Name, code, account.Name, code), now)
	if err != nil {
		return err
	}
	return record(Event{Type: EventAccountNominated, AccountID: account.ID, Message: fmt.Sprintf("%s was asked to approve account %q.", nominee, account.Name)})
}

// NominateApprover sends a new code, to the same person or to another, for an
// account that was never approved; codes that were sent before end.
//
// KindConflict for an account that was approved.
func (s *Service) NominateApprover(ctx context.Context, actor Actor, id AccountID, nominee string) (account Account, err error) {
	if err := actor.may(ActionManageAccounts); err != nil {
		return Account{}, err
	}
	if nominee != "" {
		if err := checkEmail(nominee); err != nil {
			return Account{}, err
		}
	}
	now, code := s.Now(), s.approvalCode()
	err = s.update(ctx, actor, now, func(tx Tx, record recorder) error {
		if account, err = tx.Account(id); err != nil {
			return err
		}
		if !account.ActivatedAt.IsZero() {
			return fail(KindConflict, "account-approved", "Account %q was approved on %s and needs no approval. Nothing was sent.", account.Name, stamp(account.ActivatedAt))
		}
		last, err := tx.Nomination(id)
		if err != nil {
			return err
		}
		account.Status, account.InactiveReason = AccountPending, ""
		if err := tx.SaveAccount(account); err != nil {
			return err
		}
		return s.nominate(tx, record, account, cmp.Or(nominee, last.Email), code, now)
	})
	return account, err
}

// ApproveAccount activates a pending account. The code is the authority: it
// takes no role, only that the caller is known.
//
// KindForbidden for a wrong code, and for an account that does not wait for
// one; five wrong ones end a code.
func (s *Service) ApproveAccount(ctx context.Context, actor Actor, name, code string) (Account, error) {
	return s.answerNomination(ctx, actor, name, code, func(_ Tx, account *Account, nominee string, now time.Time) (Event, error) {
		account.Status, account.ActivatedAt = AccountActive, now
		return Event{Type: EventAccountApproved, Message: fmt.Sprintf("Account %q was approved with the code that was mailed to %s.", account.Name, nominee)}, nil
	})
}

// DeclineAccount ends a pending account: it becomes inactive, and its requester
// is told why. Kinds as ApproveAccount; KindInvalid without a reason.
func (s *Service) DeclineAccount(ctx context.Context, actor Actor, name, code, reason string) (Account, error) {
	reason, err := checkReason(reason)
	if err != nil {
		return Account{}, err
	}
	return s.answerNomination(ctx, actor, name, code, func(tx Tx, account *Account, nominee string, now time.Time) (Event, error) {
		account.Status, account.InactiveReason = AccountInactive, "declined: "+reason
		event := Event{Type: EventAccountDeclined, Message: fmt.Sprintf("Account %q was declined with the code that was mailed to %s: %s", account.Name, nominee, reason)}
		return event, s.post(tx, account.RequesterEmail, fmt.Sprintf("The licensing account %q was declined", account.Name),
			fmt.Sprintf("%s has declined the account %q.\n\nReason: %s", nominee, account.Name, reason), now)
	})
}

// answerNomination checks the code and does what it authorizes. A wrong try is kept.
func (s *Service) answerNomination(ctx context.Context, actor Actor, name, code string, decide func(Tx, *Account, string, time.Time) (Event, error)) (account Account, err error) {
	if actor.Role == "" {
		return Account{}, actor.refused(ActionManageAccounts)
	}
	now := s.Now()
	var refused error
	err = s.update(ctx, actor, now, func(tx Tx, record recorder) error {
		refused = nil
		account, err = tx.AccountByName(name)
		if isNotFound(err) {
			return errApprovalCode(name)
		}
		if err != nil {
			return err
		}
		nomination, err := tx.Nomination(account.ID)
		if isNotFound(err) || err == nil && account.Status != AccountPending {
			return errApprovalCode(name)
		}
		if err != nil {
			return err
		}
		if !nomination.accepts(code) {
			nomination.Tries = min(nomination.Tries+1, maxCodeTries)
			if refused = errApprovalCode(name); actor.Sees(account.ID) {
				refused = errApprovalCodeSeen(account, nomination)
			}
			if err := tx.SaveNomination(nomination); err != nil {
				return err
			}
			return record(Event{Type: EventAccountApprovalRefused, AccountID: account.ID, Message: fmt.Sprintf("A wrong approval code was given for account %q: %d of %d.", account.Name, nomination.Tries, maxCodeTries)})
		}
		event, err := decide(tx, &account, nomination.Email, now)
		if err != nil {
			return err
		}
		if err := tx.SaveAccount(account); err != nil {
			return err
		}
		event.AccountID = account.ID
		return record(event)
	})
	return account, cmp.Or(err, refused)
}

// errApprovalCode is the same for every account that the caller may not see, so
// that he learns nothing of it.
func errApprovalCode(name string) *Error {
	return fail(KindForbidden, "approval-code-wrong", "No account %q waits for this approval code. Nothing was approved.", clip(name)).
		hint("Copy name and code from the mail. After %d wrong codes an administrator has to send a new one.", maxCodeTries)
}

func errApprovalCodeSeen(account Account, n Nomination) *Error {
	e := fail(KindForbidden, "approval-code-wrong", "This is not the approval code of account %q; %d of %d tries are used. The account stays pending.", account.Name, n.Tries, maxCodeTries).
		hint("Copy the code from the mail.")
	if n.Tries >= maxCodeTries {
		e = e.hint("Send a new code with `satellite account nominate %q`.", account.Name)
	}
	return e
}
