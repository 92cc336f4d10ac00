package ssm

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"gorm.io/gorm"
)

// AccountType is limited, for a company without a mail domain of its own, or standard.
type AccountType string

// The types of a smart account.
const (
	Limited  AccountType = "limited"
	Standard AccountType = "standard"
)

// limitedSuffix ends the domain identifier of every limited account.
const limitedSuffix = ".smb"

const maxName = 255 // characters

// Account is a smart account: a company with its virtual accounts.
type Account struct {
	Name            string      `json:"name"` // unique, whatever its case
	Type            AccountType `json:"type"`
	Domain          string      `json:"domain"`
	Email           string      `json:"email"` // of the requester
	Status          string      `json:"status"`
	VirtualAccounts []string    `json:"virtual_accounts"`
	CreatedAt       time.Time   `json:"created_at"`
}

type accountRow struct {
	ID        int64 `gorm:"primaryKey"`
	Name      string
	Type      string
	Domain    string
	Email     string
	Status    string
	CreatedAt time.Time
}

func (accountRow) TableName() string { return "accounts" }

func (r accountRow) domain() Account {
	return Account{Name: r.Name, Type: AccountType(r.Type), Domain: r.Domain, Email: r.Email,
		Status: r.Status, VirtualAccounts: []string{}, CreatedAt: r.CreatedAt}
}

type virtualAccountRow struct {
	ID        int64 `gorm:"primaryKey"`
	AccountID int64
	Name      string
	CreatedAt time.Time
}

func (virtualAccountRow) TableName() string { return "virtual_accounts" }

// CreateAccount makes a smart account. A standard one has the domain of the
// e-mail address as its identifier, a limited one six random characters under
// ".smb". ErrRefused for a name that is taken, and for a name or address that
// is none.
func (u *Upstream) CreateAccount(ctx context.Context, name, email string, kind AccountType) (Account, error) {
	name, err := checkName("the account's name", name)
	if err != nil {
		return Account{}, err
	}
	domain := emailDomain(email)
	if domain == "" {
		return Account{}, refuse("%.80q is no e-mail address such as anna@example.com; nothing was changed", email)
	}
	row := accountRow{Name: name, Type: string(kind), Email: email, Status: "active", CreatedAt: u.instant(), Domain: domain}
	if kind == Limited {
		row.Domain = randomDomain()
	}
	err = u.update(ctx, func(tx *gorm.DB) error {
		var taken int64
		if err := tx.Model(&accountRow{}).Where("name = ?", name).Count(&taken).Error; err != nil {
			return err
		}
		if taken > 0 {
			return refuse("there is a smart account %q already; nothing was changed: choose another name", name)
		}
		return tx.Create(&row).Error
	})
	if errors.Is(err, gorm.ErrDuplicatedKey) { // one of two billion domains
		return Account{}, refuse("the random domain %s is taken; nothing was changed: try again", row.Domain)
	}
	return row.domain(), err
}

// randomDomain draws a domain identifier such as xsk58m.smb.
func randomDomain() string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
	var domain []byte
	for len(domain) < 6 {
		var b [1]byte
		_, _ = rand.Read(b[:]) // never fails: it ends the program instead
		if int(b[0]) < 256/len(alphabet)*len(alphabet) {
			domain = append(domain, alphabet[int(b[0])%len(alphabet)])
		}
	}
	return string(domain) + limitedSuffix
}

// checkName takes a name of 1 to 255 characters, without control characters and
// blanks around it.
func checkName(what, name string) (string, error) { return checkText(what, name, maxName) }

// checkText takes a line of 1 to most characters, likewise.
func checkText(what, text string, most int) (string, error) {
	text = strings.TrimSpace(strings.ToValidUTF8(text, "\x00"))
	if length := len([]rune(text)); length == 0 || length > most || strings.ContainsFunc(text, unicode.IsControl) {
		return "", refuse("%s has to be 1 to %d characters without control characters; nothing was changed", what, most)
	}
	return text, nil
}

// Accounts lists the smart accounts by name.
func (u *Upstream) Accounts(ctx context.Context) ([]Account, error) {
	accounts := []Account{}
	err := u.view(ctx, func(tx *gorm.DB) error {
		var rows []accountRow
		if err := tx.Order("name").Find(&rows).Error; err != nil {
			return err
		}
		var virtual []virtualAccountRow
		if err := tx.Order("name").Find(&virtual).Error; err != nil {
			return err
		}
		names := map[int64][]string{}
		for _, v := range virtual {
			names[v.AccountID] = append(names[v.AccountID], v.Name)
		}
		for _, row := range rows {
			account := row.domain()
			account.VirtualAccounts = append(account.VirtualAccounts, names[row.ID]...)
			accounts = append(accounts, account)
		}
		return nil
	})
	return accounts, err
}

// findAccount finds a smart account by name; "" is the only one that there is.
func findAccount(tx *gorm.DB, name string) (accountRow, error) {
	var rows []accountRow
	query := tx.Order("name").Limit(2)
	if name != "" {
		query = query.Where("name = ?", name)
	}
	if err := query.Find(&rows).Error; err != nil {
		return accountRow{}, err
	}
	switch {
	case len(rows) == 1:
		return rows[0], nil
	case len(rows) > 1:
		return accountRow{}, refuse("there are several smart accounts; nothing was changed: name one with --account")
	case name == "":
		return accountRow{}, refuse("there is no smart account yet; nothing was changed: make one with `ssm account create --name NAME --email EMAIL`")
	default:
		return accountRow{}, refuse("there is no smart account %.300q; nothing was changed: make it with `ssm account create --name %s --email EMAIL`, or name another one with --account", name, shellWord(name))
	}
}

// shellWord writes a text so that a shell takes it as one word.
func shellWord(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// virtualAccount finds a virtual account of the account, or makes it.
func virtualAccount(tx *gorm.DB, account accountRow, name string, now time.Time) (virtualAccountRow, error) {
	name, err := checkName("the virtual account's name", name)
	if err != nil {
		return virtualAccountRow{}, err
	}
	var row virtualAccountRow
	err = tx.Where("account_id = ? AND name = ?", account.ID, name).Take(&row).Error
	if !errors.Is(err, gorm.ErrRecordNotFound) {
		return row, err
	}
	row = virtualAccountRow{AccountID: account.ID, Name: name, CreatedAt: now}
	if err := tx.Create(&row).Error; err != nil {
		return row, fmt.Errorf("virtual account %q: %w", name, err)
	}
	return row, nil
}
