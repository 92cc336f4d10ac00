package satellite

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"ssm/satellite/wire"
)

// UpgradeStatus is where an upgrade of a limited account stands.
type UpgradeStatus string

// The states of an upgrade. Requested and pending ones wait: the first for the
// next synchronization, the second for a decision upstream.
const (
	UpgradeRequested UpgradeStatus = "requested"
	UpgradePending   UpgradeStatus = UpgradeStatus(wire.UpgradePending)
	UpgradeApproved  UpgradeStatus = UpgradeStatus(wire.UpgradeApproved)
	UpgradeDeclined  UpgradeStatus = UpgradeStatus(wire.UpgradeDeclined)
)

// Upgrade is the newest request to make an account a standard one. The account
// stays limited until the upstream says otherwise.
type Upgrade struct {
	AccountID        AccountID
	Name             string // that the account shall have
	DomainIdentifier string // that the account shall have
	Email            string // of the requester, in a domain of the company
	RequestedBy      string // actor
	RequestedAt      time.Time
	Status           UpgradeStatus // "" where none was ever requested
	Reason           string        // of a decline
	AnsweredAt       time.Time
}

// Waits tells whether the upstream has still to decide.
func (u Upgrade) Waits() bool { return u.Status == UpgradeRequested || u.Status == UpgradePending }

// NewUpgrade is what RequestUpgrade needs. Empty fields stand for what the
// account has: its name, the e-mail address of its requester, and the domain of
// that address as the identifier.
type NewUpgrade struct {
	Name             string
	DomainIdentifier string
	Email            string // becomes the requester's address
}

var domainName = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)

// of completes the request with what the account has, and judges it.
//
// KindConflict where the account is no limited one, or its address is at a
// public provider; KindInvalid for a name, address or identifier that none can have.
func (n NewUpgrade) of(account Account) (Upgrade, error) {
	if account.Type != AccountLimited {
		return Upgrade{}, fail(KindConflict, "upgrade-needless", "Account %q is a standard account already. Nothing was changed.", account.Name)
	}
	u := Upgrade{AccountID: account.ID, Name: cmp.Or(n.Name, account.Name), Email: cmp.Or(n.Email, account.RequesterEmail), Status: UpgradeRequested}
	if err := checkName("account", u.Name); err != nil {
		return Upgrade{}, err
	}
	if err := checkEmail(u.Email); err != nil {
		return Upgrade{}, err
	}
	domain := mailDomain(u.Email)
	if publicMail(domain) {
		return Upgrade{}, fail(KindConflict, "upgrade-public-email", "The profile's e-mail address %s is at a public mail provider: a standard account needs one in a domain of the company. Account %q stays limited; nothing was changed.", u.Email, account.Name).
			hint("Change the address to one of the company first, or in the same step: `satellite account upgrade --account %q --email NAME@COMPANY`.", account.Name)
	}
	u.DomainIdentifier = strings.ToLower(cmp.Or(n.DomainIdentifier, domain))
	if len(u.DomainIdentifier) > 253 || !domainName.MatchString(u.DomainIdentifier) || publicMail(u.DomainIdentifier) || strings.HasSuffix(u.DomainIdentifier, ".smb") {
		return Upgrade{}, fail(KindInvalid, "domain-identifier-invalid", "%q cannot be the identifier of a standard account: that is a domain of the company, such as company.example. Nothing was changed.", clip(u.DomainIdentifier)).
			hint("Leave --domain out to take that of the e-mail address, %s.", domain)
	}
	return u, nil
}

// supersedes returns KindConflict while another request of the same content waits.
func (u Upgrade) supersedes(last Upgrade) error {
	if !last.Waits() || last.DomainIdentifier != u.DomainIdentifier || last.Name != u.Name || last.Email != u.Email {
		return nil
	}
	return fail(KindConflict, "upgrade-waiting", "The upgrade to %q with the identifier %s was requested on %s and waits (%s). Nothing was changed.", last.Name, last.DomainIdentifier, stamp(last.RequestedAt), last.Status).
		hint("Synchronize to learn the answer. A request with another identifier, name or address replaces it.")
}

// RequestUpgrade asks the upstream to make a limited account a standard one. It
// travels with the next request, until it is answered. Nothing but the address
// of the requester changes before.
//
// KindConflict where the address is at a public provider, the account is
// standard or not active, the name is taken, or the same request waits already.
func (s *Service) RequestUpgrade(ctx context.Context, actor Actor, id AccountID, n NewUpgrade) (upgrade Upgrade, err error) {
	if err := actor.mayIn(ActionManageAccount, id, 0); err != nil {
		return Upgrade{}, err
	}
	now := s.Now()
	err = s.update(ctx, actor, now, func(tx Tx, record recorder) error {
		account, err := tx.Account(id)
		if err != nil {
			return err
		}
		if err := account.active("Nothing was changed."); err != nil {
			return err
		}
		if upgrade, err = n.of(account); err != nil {
			return err
		}
		last, err := tx.Upgrade(id)
		if err != nil {
			return err
		}
		if err := upgrade.supersedes(last); err != nil {
			return err
		}
		if other, err := tx.AccountByName(upgrade.Name); err == nil && other.ID != id {
			return fail(KindConflict, "account-exists", "There is an account %q already. Nothing was changed.", upgrade.Name).hint("Choose another name with --name.")
		} else if err != nil && !isNotFound(err) {
			return err
		}
		upgrade.RequestedBy, upgrade.RequestedAt = actor.Name, now
		account.RequesterEmail = upgrade.Email
		if err := tx.SaveAccount(account); err != nil {
			return err
		}
		if err := tx.SaveUpgrade(upgrade); err != nil {
			return err
		}
		if err := raise(tx, record, upgrade.alert(account, "goes with the next synchronization"), now); err != nil {
			return err
		}
		return record(Event{Type: EventUpgradeRequested, AccountID: id, Message: fmt.Sprintf("The upgrade of %q to a standard account was requested by %s: name %q, identifier %s, address %s.", account.Name, actor.Name, upgrade.Name, upgrade.DomainIdentifier, upgrade.Email)})
	})
	return upgrade, err
}

const upgradeKey = "upgrade"

func (u Upgrade) alert(account Account, where string) Alert {
	return Alert{
		AccountID: account.ID, Type: AlertAuthorizationPending, Key: upgradeKey, Source: account.Name,
		Message: fmt.Sprintf("The upgrade of %q to a standard account with the identifier %s %s; the account stays limited meanwhile.", account.Name, u.DomainIdentifier, where),
	}
}

// Upgrade is the newest upgrade of an account; its status is "" where none was requested.
func (s *Service) Upgrade(ctx context.Context, actor Actor, id AccountID) (upgrade Upgrade, err error) {
	if _, err := actor.sees(id, 0); err != nil {
		return Upgrade{}, err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		upgrade, err = tx.Upgrade(id)
		return err
	})
	return upgrade, err
}

// asked is the request as it goes upstream, nil where none waits.
func (u Upgrade) asked() *wire.UpgradeRequest {
	if !u.Waits() {
		return nil
	}
	return &wire.UpgradeRequest{Name: u.Name, DomainIdentifier: u.DomainIdentifier, Email: u.Email, RequestedBy: u.RequestedBy, RequestedAt: u.RequestedAt}
}

// answered is the upgrade after the upstream has spoken. An answer to an older
// request says nothing of this one; an account that is standard needs none.
func (u Upgrade) answered(kind AccountType, answer *wire.UpgradeAnswer, now time.Time) (Upgrade, error) {
	if !u.Waits() {
		return u, nil
	}
	switch {
	case kind == AccountStandard:
		u.Status, u.Reason, u.AnsweredAt = UpgradeApproved, "", now
	case answer == nil || !answer.RequestedAt.Equal(u.RequestedAt):
	case answer.Status == wire.UpgradePending:
		u.Status = UpgradePending
	case answer.Status == wire.UpgradeDeclined:
		u.Status, u.Reason, u.AnsweredAt = UpgradeDeclined, oneLine(answer.Reason), now
	default:
		return u, fail(KindInvalid, "sync-file-malformed", "The response answers the upgrade with %q and leaves the account %s. Nothing was changed.", clip(string(answer.Status)), kind)
	}
	return u, nil
}

// applyUpgrade takes the answer to an upgrade, if one waits. account is as the
// response makes it; the name that was confirmed becomes its own, unless
// another account has taken that meanwhile.
func applyUpgrade(tx Tx, record recorder, account Account, answer *wire.UpgradeAnswer, now time.Time) (Account, error) {
	before, err := tx.Upgrade(account.ID)
	if err != nil {
		return account, err
	}
	after, err := before.answered(account.Type, answer, now)
	if err != nil || after.Status == before.Status {
		return account, err
	}
	if err := tx.SaveUpgrade(after); err != nil {
		return account, err
	}
	var message string
	switch after.Status {
	case UpgradePending:
		message = fmt.Sprintf("The upgrade of %q to %s waits for the upstream's approval; the account stays limited meanwhile.", account.Name, after.DomainIdentifier)
		if err := raise(tx, record, after.alert(account, "waits for the upstream's approval"), now); err != nil {
			return account, err
		}
	case UpgradeDeclined:
		message = fmt.Sprintf("The upstream declined the upgrade of %q to %s: %s The account stays limited.", account.Name, after.DomainIdentifier, cmp.Or(after.Reason, "no reason was given."))
	default:
		message = fmt.Sprintf("Account %q is a standard account with the identifier %s.", after.Name, account.DomainIdentifier)
		if _, err := tx.AccountByName(after.Name); isNotFound(err) || strings.EqualFold(after.Name, account.Name) {
			account.Name = after.Name
		} else if err != nil {
			return account, err
		} else {
			message = fmt.Sprintf("Account %q is a standard account with the identifier %s; it keeps its name, because there is another account %q.", account.Name, account.DomainIdentifier, after.Name)
		}
	}
	if !after.Waits() {
		if err := settled(tx, record, account.ID, AlertAuthorizationPending, upgradeKey, "the upstream has answered: "+string(after.Status)+".", now); err != nil {
			return account, err
		}
	}
	return account, record(Event{Type: EventUpgradeAnswered, AccountID: account.ID, Message: message})
}
