package ssm

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"strings"
	"time"

	"gorm.io/gorm"
)

// Bounds of registration codes.
const (
	codeLength     = 20 // characters of 5 bits
	codeGroup      = 5  // characters between two hyphens
	defaultCodeDay = 7
	maxCodeDays    = 90
	maxOpenCodes   = 1000
)

// RegistrationCode lets one account of one satellite register online, once.
type RegistrationCode struct {
	Code           string    `json:"code"` // shown this one time
	Account        string    `json:"account"`
	VirtualAccount string    `json:"virtual_account"`
	ExpiresAt      time.Time `json:"expires_at"`
}

type registrationCodeRow struct {
	ID               int64 `gorm:"primaryKey"`
	Hash             []byte
	VirtualAccountID int64
	CreatedAt        time.Time
	ExpiresAt        time.Time
	UsedAt           *time.Time
}

func (registrationCodeRow) TableName() string { return "registration_codes" }

// errCode is a registration code that is not accepted. What it says is the same
// whatever is wrong with the code; why is for the operator's log.
type errCode struct{ why string }

func (*errCode) Error() string {
	return refuse("the registration code is not accepted: there is none like this, or it was used, or its time is over; nothing was changed: get a new one from the operator of the upstream, who makes it with `ssm account code`").Error()
}

func (*errCode) Unwrap() error { return ErrRefused }

// CreateRegistrationCode makes a code that binds one satellite's account to a
// virtual account ("" is "Satellite"; it is made if missing). It is good for 1
// to 90 days, 0 is 7. ErrRefused for an unknown account. That a satellite has
// the virtual account already is no obstacle: it may have to register anew.
func (u *Upstream) CreateRegistrationCode(ctx context.Context, account, virtual string, days int) (RegistrationCode, error) {
	if days == 0 {
		days = defaultCodeDay
	}
	if days < 1 || days > maxCodeDays {
		return RegistrationCode{}, refuse("a registration code is good for 1 to %d days, not %d; nothing was changed", maxCodeDays, days)
	}
	if virtual == "" {
		virtual = defaultVirtualAccount
	}
	now := u.instant()
	code := newRegistrationCode()
	result := RegistrationCode{Code: code, ExpiresAt: now.Add(time.Duration(days) * 24 * time.Hour)}
	err := u.update(ctx, func(tx *gorm.DB) error {
		found, err := findAccount(tx, account)
		if err != nil {
			return err
		}
		bound, err := virtualAccount(tx, found, virtual, now)
		if err != nil {
			return err
		}
		// Codes that nobody can use any more are forgotten, but not why at once.
		if err := tx.Where("expires_at < ?", now.AddDate(0, 0, -maxCodeDays)).Delete(&registrationCodeRow{}).Error; err != nil {
			return err
		}
		var open int64
		if err := tx.Model(&registrationCodeRow{}).Where("used_at IS NULL AND expires_at > ?", now).Count(&open).Error; err != nil {
			return err
		}
		if open >= maxOpenCodes {
			return refuse("%d registration codes wait to be used, and there are no more; nothing was changed: wait until some of them have expired", open)
		}
		result.Account, result.VirtualAccount = found.Name, bound.Name
		return tx.Create(&registrationCodeRow{Hash: hashCode(code), VirtualAccountID: bound.ID, CreatedAt: now, ExpiresAt: result.ExpiresAt}).Error
	})
	if err != nil {
		return RegistrationCode{}, err
	}
	return result, nil
}

// newRegistrationCode draws 100 bits, in groups that a person can type.
func newRegistrationCode() string {
	text := rand.Text()[:codeLength]
	var groups []string
	for ; text != ""; text = text[codeGroup:] {
		groups = append(groups, text[:codeGroup])
	}
	return strings.Join(groups, "-")
}

// hashCode is what is kept of a code, however it was typed. A code has so many
// bits that a fast hash is enough.
func hashCode(code string) []byte {
	code = strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(code))
	sum := sha256.Sum256([]byte(code))
	return sum[:]
}

// Online is what a request brings that comes over the network, where no
// operator vouches for a registration.
type Online struct {
	Digest string // what the request was called by; it has to be its own
	Code   string // registration code; "" for none
}

// redeem asks whether a registration over the network is admitted. The key that
// the account is registered with needs no code, and none is looked at: whose
// certificate has ended comes back without anybody's help. Whoever else takes a
// code binds the request to what it stands for; useCode then uses it up.
func (e *exchange) redeem(known bool) error {
	if known {
		if own, err := e.sameKey(); err != nil || own {
			return err
		}
	}
	if e.options.Online.Code == "" {
		return refuse("a registration online takes a registration code; nothing was changed: get one from the operator of the upstream, who makes it with `ssm account code`")
	}
	var code registrationCodeRow
	err := e.tx.Where("hash = ?", hashCode(e.options.Online.Code)).Take(&code).Error
	switch {
	case errors.Is(err, gorm.ErrRecordNotFound):
		return &errCode{"there is no such code"}
	case err != nil:
		return err
	case code.UsedAt != nil:
		return &errCode{"it was used on " + code.UsedAt.Format(time.DateOnly) + " by another account, or under another key"}
	case !e.now.Before(code.ExpiresAt):
		return &errCode{"it expired on " + code.ExpiresAt.Format(time.DateOnly)}
	}
	var virtual virtualAccountRow
	if err := e.tx.Where("id = ?", code.VirtualAccountID).Take(&virtual).Error; err != nil {
		return err
	}
	var account accountRow
	if err := e.tx.Where("id = ?", virtual.AccountID).Take(&account).Error; err != nil {
		return err
	}
	e.options.Account, e.options.VirtualAccount = account.Name, virtual.Name
	e.code = &code
	return nil
}

// useCode uses the code up that admitted a registration, if one did.
func (e *exchange) useCode() error {
	if e.code == nil {
		return nil
	}
	return e.tx.Model(e.code).Select("used_at").Updates(&registrationCodeRow{UsedAt: &e.now}).Error
}
