package ssm

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"strings"
	"time"

	"gorm.io/gorm"

	"ssm/certs"
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
	UsedBy           []byte
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

// redeem finds the code of a registration, and binds the request to what the
// code stands for. The key that used it may use it again: what got lost on the
// way was no use.
func (e *exchange) redeem() error {
	if e.options.Online.Code == "" {
		return refuse("a registration online takes a registration code; nothing was changed: get one from the operator of the upstream, who makes it with `ssm account code`")
	}
	var row registrationCodeRow
	err := e.tx.Where("hash = ?", hashCode(e.options.Online.Code)).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return &errCode{"there is no such code"}
	}
	if err != nil {
		return err
	}
	key, err := e.requestKey()
	switch {
	case err != nil:
		return err
	case row.UsedAt != nil && !bytes.Equal(row.UsedBy, key):
		return &errCode{"it was used on " + row.UsedAt.Format(time.DateOnly) + " by another account"}
	case !e.now.Before(row.ExpiresAt):
		return &errCode{"it expired on " + row.ExpiresAt.Format(time.DateOnly)}
	}
	var virtual virtualAccountRow
	if err := e.tx.Where("id = ?", row.VirtualAccountID).Take(&virtual).Error; err != nil {
		return err
	}
	var account accountRow
	if err := e.tx.Where("id = ?", virtual.AccountID).Take(&account).Error; err != nil {
		return err
	}
	e.options.Account, e.options.VirtualAccount = account.Name, virtual.Name
	return e.tx.Model(&row).Select("used_at", "used_by").Updates(&registrationCodeRow{UsedAt: &e.now, UsedBy: key}).Error
}

// requestKey is the hash of the public key that a registration is signed by.
func (e *exchange) requestKey() ([]byte, error) {
	parsed, err := certs.ParseRequest(e.request.Manifest.Request.CertificateRequest)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(parsed.RawSubjectPublicKeyInfo)
	return sum[:], nil
}
