package satellite

import (
	"context"
	"fmt"
	"net/mail"
	"strings"
	"time"
	"unicode/utf8"
)

// AccountID identifies an account within this satellite.
type AccountID int64

// AccountType is limited or standard.
type AccountType string

// The types of accounts.
const (
	AccountLimited  AccountType = "limited"
	AccountStandard AccountType = "standard"
)

// AccountStatus is where an account is in its life.
type AccountStatus string

// The states of an account.
const (
	AccountPending  AccountStatus = "pending"
	AccountActive   AccountStatus = "active"
	AccountInactive AccountStatus = "inactive"
)

// Account is a smart account: a company that owns licenses and devices.
type Account struct {
	ID               AccountID
	Name             string // 1..255 characters, unique without regard to case
	Type             AccountType
	DomainIdentifier string
	Status           AccountStatus
	RequesterEmail   string
	RequestedAt      time.Time
	ActivatedAt      time.Time

	// UpstreamAccount and UpstreamVirtualAccount are what this account settles
	// with upstream; no two local accounts share a pair.
	UpstreamAccount        string
	UpstreamVirtualAccount string

	// UpstreamRegisteredAt is when the upstream vouched for the account's sub CA first; zero before.
	UpstreamRegisteredAt time.Time
}

// Registered tells whether devices can register: the upstream has vouched for the account.
func (a Account) Registered() bool { return !a.UpstreamRegisteredAt.IsZero() }

// Authority is what an account signs with: the sub CA that issues its device
// ID certificates and the satellite's signer below it. Keys are sealed.
type Authority struct {
	AccountID AccountID

	Key     []byte   // sealed private key of the sub CA, made with the account
	Request []byte   // DER certificate request of that key
	Chain   [][]byte // DER: sub CA, issuing CA; empty before the registration upstream
	Root    []byte   // DER of the licensing root that the chain leads to

	SignerKey         []byte // sealed
	SignerCertificate []byte // DER
	SignerNotAfter    time.Time

	SubCANotBefore time.Time
	SubCANotAfter  time.Time
}

// VirtualAccountID identifies a virtual account within this satellite.
type VirtualAccountID int64

// VirtualAccount divides an account's devices and licenses. Every account has exactly one default.
type VirtualAccount struct {
	ID          VirtualAccountID
	AccountID   AccountID
	Name        string // unique in its account without regard to case
	Description string
	Default     bool
	CreatedAt   time.Time
}

// DefaultVirtualAccount is the name of the one that every account starts with.
const DefaultVirtualAccount = "Default"

// limitedMaximum is how many virtual accounts a limited account may have, the default one included.
const limitedMaximum = 3

// checkName bounds a name that people will read.
func checkName(noun, name string) error {
	if n := utf8.RuneCountInString(name); n < 1 || n > 255 || strings.TrimSpace(name) != name || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError }) {
		return fail(KindInvalid, noun+"-name-invalid", "The name of a %s has 1 to 255 characters, no control characters, and no space at either end. Nothing was created.", strings.ReplaceAll(noun, "-", " "))
	}
	return nil
}

func checkEmail(address string) error {
	parsed, err := mail.ParseAddress(address)
	if err != nil || parsed.Address != address || len(address) > 254 {
		return fail(KindInvalid, "email-invalid", "%q is not an e-mail address. Nothing was created.", clip(address)).hint("Give it as name@company.example.")
	}
	return nil
}

// clip bounds text of a stranger that is quoted in a message.
func clip(text string) string {
	if len(text) > 80 {
		return strings.ToValidUTF8(text[:80], "") + "…"
	}
	return text
}

// NewAccount is what CreateAccount needs.
type NewAccount struct {
	Name    string
	Email   string
	Limited bool
	// UpstreamAccount and UpstreamVirtualAccount default to the account's own name and "Satellite".
	UpstreamAccount        string
	UpstreamVirtualAccount string
}

// CreateAccount makes an account with its default virtual account and the key
// of its sub CA. Devices can register once the upstream has vouched for it.
//
// KindInvalid for a bad name or e-mail address; KindConflict where the name or
// the upstream pair is taken.
func (s *Service) CreateAccount(ctx context.Context, actor Actor, n NewAccount) (Account, error) {
	if err := actor.may(ActionManageAccounts); err != nil {
		return Account{}, err
	}
	if err := checkName("account", n.Name); err != nil {
		return Account{}, err
	}
	if err := checkEmail(n.Email); err != nil {
		return Account{}, err
	}
	now := s.Now()
	account := Account{
		Name: n.Name, Type: AccountStandard, Status: AccountActive, RequesterEmail: n.Email, RequestedAt: now, ActivatedAt: now,
		UpstreamAccount: n.UpstreamAccount, UpstreamVirtualAccount: n.UpstreamVirtualAccount,
		DomainIdentifier: n.Email[strings.LastIndexByte(n.Email, '@')+1:],
	}
	if n.Limited {
		account.Type, account.DomainIdentifier = AccountLimited, s.randomText(6)+".smb"
	}
	if account.UpstreamAccount == "" {
		account.UpstreamAccount = n.Name
	}
	if account.UpstreamVirtualAccount == "" {
		account.UpstreamVirtualAccount = "Satellite"
	}
	key, err := s.issuer.NewKey()
	if err != nil {
		return Account{}, fmt.Errorf("make the account's key: %w", err)
	}
	err = s.update(ctx, actor, now, func(tx Tx, record recorder) error {
		created, err := tx.CreateAccount(account)
		if err != nil {
			return err
		}
		account = created
		if err := tx.SaveAuthority(Authority{AccountID: account.ID, Key: key}); err != nil {
			return err
		}
		if _, err := tx.CreateVirtualAccount(VirtualAccount{AccountID: account.ID, Name: DefaultVirtualAccount, Default: true, CreatedAt: now}); err != nil {
			return err
		}
		return record(Event{Type: EventAccountCreated, AccountID: account.ID, Message: fmt.Sprintf("Account %q was created (%s).", account.Name, account.Type)})
	})
	return account, err
}

// Accounts lists all accounts by name.
func (s *Service) Accounts(ctx context.Context, actor Actor) (accounts []Account, err error) {
	if err := actor.may(ActionRead); err != nil {
		return nil, err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		accounts, err = tx.Accounts()
		return err
	})
	return accounts, err
}

// FindAccount returns the account of that name (without regard to case). The
// empty name means the only account there is.
//
// KindNotFound; KindConflict where the name is empty and there are several.
func (s *Service) FindAccount(ctx context.Context, actor Actor, name string) (account Account, err error) {
	if err := actor.may(ActionRead); err != nil {
		return Account{}, err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		account, err = findAccount(tx, name)
		return err
	})
	return account, err
}

func findAccount(tx Tx, name string) (Account, error) {
	if name != "" {
		account, err := tx.AccountByName(name)
		if isNotFound(err) {
			return Account{}, fail(KindNotFound, "account-not-found", "There is no account %q.", clip(name)).hint("`satellite account list` shows those that exist.")
		}
		return account, err
	}
	accounts, err := tx.Accounts()
	switch {
	case err != nil:
		return Account{}, err
	case len(accounts) == 0:
		return Account{}, fail(KindNotFound, "account-not-found", "There is no account yet.").hint("Create one with `satellite account create --name NAME --email EMAIL`.")
	case len(accounts) > 1:
		return Account{}, fail(KindConflict, "account-ambiguous", "There are %d accounts, and none was named.", len(accounts)).hint("Name one with --account.")
	}
	return accounts[0], nil
}

// CreateVirtualAccount makes a virtual account.
//
// KindConflict where the name is taken, or a limited account has its three.
func (s *Service) CreateVirtualAccount(ctx context.Context, actor Actor, accountID AccountID, name, description string) (VirtualAccount, error) {
	if err := actor.may(ActionManageAccounts); err != nil {
		return VirtualAccount{}, err
	}
	if err := checkName("virtual-account", name); err != nil {
		return VirtualAccount{}, err
	}
	now := s.Now()
	created := VirtualAccount{AccountID: accountID, Name: name, Description: clipRunes(description, 1000), CreatedAt: now}
	err := s.update(ctx, actor, now, func(tx Tx, record recorder) error {
		account, err := tx.Account(accountID)
		if err != nil {
			return err
		}
		existing, err := tx.VirtualAccounts(accountID)
		if err != nil {
			return err
		}
		if account.Type == AccountLimited && len(existing) >= limitedMaximum {
			return fail(KindConflict, "limited-account", "A limited account has at most %d virtual accounts, and %q has %d. Nothing was created.", limitedMaximum, account.Name, len(existing)).
				hint("Upgrade it to a standard account, or delete a virtual account first.")
		}
		if created, err = tx.CreateVirtualAccount(created); err != nil {
			return err
		}
		return record(Event{Type: EventVirtualAccountCreated, AccountID: accountID, VirtualAccount: name, Message: fmt.Sprintf("Virtual account %q was created.", name)})
	})
	return created, err
}

// VirtualAccounts lists the virtual accounts of an account, the default one first.
func (s *Service) VirtualAccounts(ctx context.Context, actor Actor, accountID AccountID) (list []VirtualAccount, err error) {
	if err := actor.may(ActionRead); err != nil {
		return nil, err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		list, err = tx.VirtualAccounts(accountID)
		return err
	})
	return list, err
}

// DeleteVirtualAccount removes an empty virtual account.
//
// KindConflict for the default one, and while it holds devices, licenses or live tokens.
func (s *Service) DeleteVirtualAccount(ctx context.Context, actor Actor, accountID AccountID, name string) error {
	if err := actor.may(ActionManageAccounts); err != nil {
		return err
	}
	now := s.Now()
	return s.update(ctx, actor, now, func(tx Tx, record recorder) error {
		virtual, err := findVirtualAccount(tx, accountID, name)
		if err != nil {
			return err
		}
		if virtual.Default {
			return fail(KindConflict, "virtual-account-default", "%q is the default virtual account and stays. Nothing was deleted.", virtual.Name)
		}
		holds, err := tx.VirtualAccountHolds(virtual.ID, now)
		if err != nil {
			return err
		}
		if holds != (Holds{}) {
			return fail(KindConflict, "virtual-account-not-empty", "%q still holds %d devices, %d licenses and %d live tokens. Nothing was deleted.", virtual.Name, holds.Devices, holds.Licenses, holds.Tokens).
				hint("Remove the devices, wait for the licenses to end or move them, and revoke the tokens first.")
		}
		// Lots that have not begun, or have ended, and what was only passed on, count nothing and stay in the account.
		home, err := findVirtualAccount(tx, accountID, "")
		if err != nil {
			return err
		}
		if err := moveHome(tx, record, accountID, virtual.ID, home.ID, now); err != nil {
			return err
		}
		if err := tx.DeleteVirtualAccount(virtual.ID); err != nil {
			return err
		}
		return record(Event{Type: EventVirtualAccountDeleted, AccountID: accountID, VirtualAccount: virtual.Name, Message: fmt.Sprintf("Virtual account %q was deleted.", virtual.Name)})
	})
}

// Holds counts what keeps a virtual account from being deleted.
type Holds struct{ Devices, Licenses, Tokens int64 }

// findVirtualAccount finds one by name; "" is the default one.
func findVirtualAccount(tx Tx, accountID AccountID, name string) (VirtualAccount, error) {
	list, err := tx.VirtualAccounts(accountID)
	if err != nil {
		return VirtualAccount{}, err
	}
	for _, virtual := range list {
		if name == "" && virtual.Default || name != "" && strings.EqualFold(virtual.Name, name) {
			return virtual, nil
		}
	}
	return VirtualAccount{}, fail(KindNotFound, "virtual-account-not-found", "There is no virtual account %q in this account.", clip(name)).hint("`satellite virtual-account list` shows those that exist.")
}

func clipRunes(text string, limit int) string {
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	return string([]rune(text)[:limit])
}
