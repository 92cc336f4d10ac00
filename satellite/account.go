package satellite

import (
	"cmp"
	"context"
	"fmt"
	"net/mail"
	"slices"
	"strconv"
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
	Creator          string // actor who created it
	RequesterName    string
	RequesterEmail   string
	RequestedAt      time.Time
	ActivatedAt      time.Time // zero: it was never approved
	Headquarters     string    // free text, at most 500 characters
	Searchable       bool      // it may be found by the e-mail address of a member
	Locked           bool      // no new access may be granted
	InactiveReason   string    // why it is inactive

	// UpstreamAccount and UpstreamVirtualAccount are what this account settles
	// with upstream; no two local accounts share a pair.
	UpstreamAccount        string
	UpstreamVirtualAccount string

	// UpstreamRegisteredAt is when the upstream vouched for the account's sub CA first; zero before.
	UpstreamRegisteredAt time.Time
}

// Registered tells whether devices can register: the upstream has vouched for the account.
func (a Account) Registered() bool { return !a.UpstreamRegisteredAt.IsZero() }

// approved returns KindConflict for an account that still waits for its
// nominee, or was declined by him.
func (a Account) approved(unchanged string) error {
	if !a.ActivatedAt.IsZero() {
		return nil
	}
	return fail(KindConflict, "account-pending", "Account %q is %s: the person who was named has not approved it. %s", a.Name, a.Status, unchanged).
		hint("Approve it with the code from the mail, `satellite account approve %q --code CODE`, or name another person with `satellite account nominate %q --nominee EMAIL`.", a.Name, a.Name)
}

// active returns KindConflict unless the account is active: an inactive one
// takes no new devices and makes no tokens, while the devices that it has go
// on being answered.
func (a Account) active(unchanged string) error {
	if err := a.approved(unchanged); err != nil {
		return err
	}
	if a.Status != AccountActive {
		return fail(KindConflict, "account-inactive", "Account %q is inactive (%s). %s", a.Name, a.InactiveReason, unchanged).
			hint("An administrator can activate it again with `satellite account activate --account %q`.", a.Name)
	}
	return nil
}

// What a limited account may have at most; the default virtual account counts.
const (
	limitedVirtualAccounts = 3
	limitedUsers           = 3
)

// within returns KindConflict where a limited account already has as many of
// something as it may; 0 is for what only standard accounts have.
func (a Account) within(limit, count int, noun string) error {
	if a.Type != AccountLimited || count < limit {
		return nil
	}
	if limit == 0 {
		return fail(KindConflict, "limited-account", "A limited account has no %s, and %q is one. Nothing was changed.", noun, a.Name).hint(upgradeHint, a.Name)
	}
	return fail(KindConflict, "limited-account", "A limited account has at most %d %s, and %q has %d. Nothing was changed.", limit, noun, a.Name, count).
		hint("Remove one first. "+upgradeHint, a.Name)
}

const upgradeHint = "A standard account has no such limit: upgrade with `satellite account upgrade --account %q`."

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

// checkName bounds a name that people will read.
func checkName(noun, name string) error {
	if n := utf8.RuneCountInString(name); n < 1 || n > 255 || strings.TrimSpace(name) != name || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError }) {
		return fail(KindInvalid, noun+"-name-invalid", "The name of %s has 1 to 255 characters, no control characters, and no space at either end. Nothing was created.", article(noun))
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
	Name          string
	Email         string // of the requester; its domain decides which type the account can have
	RequesterName string
	Headquarters  string
	Limited       bool
	// Nominee is the e-mail address of who has the authority to approve the
	// account; "" where the creator has it.
	Nominee string
	// UpstreamAccount and UpstreamVirtualAccount default to the account's own name and "Satellite".
	UpstreamAccount        string
	UpstreamVirtualAccount string
}

// check bounds what a person has typed, and holds the type of the account
// against the mail domain of who asks for it.
func (n NewAccount) check() error {
	if err := checkName("account", n.Name); err != nil {
		return err
	}
	if err := checkEmail(n.Email); err != nil {
		return err
	}
	if n.Nominee != "" {
		if err := checkEmail(n.Nominee); err != nil {
			return err
		}
	}
	if err := checkProfile(n.RequesterName, n.Headquarters); err != nil {
		return err
	}
	domain := mailDomain(n.Email)
	switch public := publicMail(domain); {
	case public && !n.Limited:
		return fail(KindConflict, "public-email", "%s belongs to a public mail provider, where anybody gets an address: with %s only a limited account can be made. Nothing was created.", domain, n.Email).
			hint("Make a limited account with --limited, or give an address in a domain of the company. A limited account can be upgraded later.")
	case !public && n.Limited:
		return fail(KindConflict, "company-email", "%s is not a public mail provider: a company with a mail domain of its own makes a standard account, and a limited one is for those without. Nothing was created.", domain).
			hint("Leave --limited out.")
	}
	return nil
}

// maxHeadquarters bounds the free text of an address, in characters.
const maxHeadquarters = 500

func checkProfile(requester, headquarters string) error {
	for _, p := range []struct {
		what, text string
		limit      int
	}{{"name of the requester", requester, 255}, {"address of the headquarters", headquarters, maxHeadquarters}} {
		if n := utf8.RuneCountInString(p.text); n > p.limit || strings.ContainsFunc(p.text, func(r rune) bool { return r < ' ' && r != '\n' || r == 0x7f || r == utf8.RuneError }) {
			return fail(KindInvalid, "account-property-invalid", "The %s has at most %d characters and no control characters; this one has %d. Nothing was changed.", p.what, p.limit, n)
		}
	}
	return nil
}

// CreateAccount makes an account with its default virtual account and the key
// of its sub CA. Devices can register once the upstream has vouched for it.
// With a nominee it is pending until he has approved it by the code that is
// mailed to him.
//
// KindInvalid for a bad name or e-mail address; KindConflict where the name or
// the upstream pair is taken, or the address does not go with the type.
func (s *Service) CreateAccount(ctx context.Context, actor Actor, n NewAccount) (Account, error) {
	if err := actor.may(ActionManageAccounts); err != nil {
		return Account{}, err
	}
	if err := n.check(); err != nil {
		return Account{}, err
	}
	now := s.Now()
	account := Account{
		Name: n.Name, Type: AccountStandard, Status: AccountActive, DomainIdentifier: mailDomain(n.Email), Creator: actor.Name,
		RequesterName: n.RequesterName, RequesterEmail: n.Email, RequestedAt: now, ActivatedAt: now, Headquarters: n.Headquarters, Searchable: true,
		UpstreamAccount: cmp.Or(n.UpstreamAccount, n.Name), UpstreamVirtualAccount: cmp.Or(n.UpstreamVirtualAccount, "Satellite"),
	}
	if n.Limited {
		account.Type, account.DomainIdentifier = AccountLimited, s.randomText(6)+".smb"
	}
	if n.Nominee != "" {
		account.Status, account.ActivatedAt = AccountPending, time.Time{}
	}
	code := s.approvalCode()
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
		if err := record(Event{Type: EventAccountCreated, AccountID: account.ID, Message: fmt.Sprintf("Account %q was created (%s).", account.Name, account.Type)}); err != nil {
			return err
		}
		if n.Nominee == "" {
			return nil
		}
		return s.nominate(tx, record, account, n.Nominee, code, now)
	})
	return account, err
}

// Accounts lists the accounts that the actor sees something of, by name.
func (s *Service) Accounts(ctx context.Context, actor Actor) (accounts []Account, err error) {
	if err := actor.known(); err != nil {
		return nil, err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		accounts, err = accountsOf(tx, actor)
		return err
	})
	return accounts, err
}

// accountsOf are the accounts that the actor sees something of.
func accountsOf(tx Tx, actor Actor) ([]Account, error) {
	accounts, err := tx.Accounts()
	return slices.DeleteFunc(accounts, func(a Account) bool { return !actor.Sees(a.ID) }), err
}

// FindAccount returns the account of that name (without regard to case). The
// empty name means the only account there is. An account that the actor sees
// nothing of is none.
//
// KindNotFound; KindConflict where the name is empty and there are several.
func (s *Service) FindAccount(ctx context.Context, actor Actor, name string) (account Account, err error) {
	if err := actor.known(); err != nil {
		return Account{}, err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		account, err = findAccount(tx, actor, name)
		return err
	})
	return account, err
}

func findAccount(tx Tx, actor Actor, name string) (Account, error) {
	if name != "" {
		account, err := tx.AccountByName(name)
		if isNotFound(err) || err == nil && !actor.Sees(account.ID) {
			return Account{}, fail(KindNotFound, "account-not-found", "There is no account %q.", clip(name)).hint("`satellite account list` shows those that exist.")
		}
		return account, err
	}
	accounts, err := accountsOf(tx, actor)
	switch {
	case err != nil:
		return Account{}, err
	case len(accounts) == 0 && !actor.May(ActionRead):
		return Account{}, fail(KindNotFound, "account-not-found", "There is no account that you may see.").hint("Ask an Account Administrator or a System Admin for a role in one.")
	case len(accounts) == 0:
		return Account{}, fail(KindNotFound, "account-not-found", "There is no account yet.").hint("Create one with `satellite account create --name NAME --email EMAIL`.")
	case len(accounts) > 1:
		return Account{}, fail(KindConflict, "account-ambiguous", "There are %d accounts, and none was named.", len(accounts)).hint("Name one with --account.")
	}
	return accounts[0], nil
}

// FindAccountByNameOrDomain is FindAccount for who may know the company but not
// the account: where there is no account of that name, the one whose domain
// identifier it is, without regard to case.
//
// KindNotFound; KindConflict where several accounts that the actor sees have the domain identifier.
func (s *Service) FindAccountByNameOrDomain(ctx context.Context, actor Actor, name string) (account Account, err error) {
	if err := actor.known(); err != nil {
		return Account{}, err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		account, err = findAccount(tx, actor, name)
		if !isNotFound(err) || name == "" {
			return err
		}
		missing := err
		accounts, err := accountsOf(tx, actor)
		if err != nil {
			return err
		}
		accounts = slices.DeleteFunc(accounts, func(a Account) bool { return !strings.EqualFold(a.DomainIdentifier, name) })
		if len(accounts) == 0 {
			return missing
		}
		account, err = onlyOne(accounts, name)
		return err
	})
	return account, err
}

// onlyOne is the one account with a domain identifier. KindConflict where there are more.
func onlyOne(accounts []Account, domain string) (Account, error) {
	if len(accounts) == 1 {
		return accounts[0], nil
	}
	const shown = 10
	var names []string
	for _, a := range accounts[:min(shown, len(accounts))] {
		names = append(names, strconv.Quote(a.Name))
	}
	if len(accounts) > shown {
		names = append(names, "…")
	}
	return Account{}, fail(KindConflict, "domain-ambiguous", "%d accounts have the domain identifier %q: %s. Nothing was changed.", len(accounts), clip(domain), strings.Join(names, ", ")).
		hint("Name the account instead.")
}

func clipRunes(text string, limit int) string {
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	return string([]rune(text)[:limit])
}

// article is a noun of the codes as it stands in a sentence.
func article(noun string) string {
	if text, isAPI := strings.CutPrefix(noun, "api-"); isAPI {
		return "an API " + text
	}
	return "a " + strings.ReplaceAll(noun, "-", " ")
}
