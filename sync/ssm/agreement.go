package ssm

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gorm.io/gorm"
)

// MaxAgreement is the size of the text of an agreement, in bytes.
const MaxAgreement = 256 << 10

const (
	maxAgreementVersion = 32 // characters
	firstAgreement      = "1"
	// maxEncodedAgreement leaves room for the rest of a manifest, which has at
	// most 1 MiB: some characters take six bytes there.
	maxEncodedAgreement = 768 << 10
)

//go:embed agreement.txt
var firstAgreementText string

// Agreement is what an administrator of a satellite accepts before he creates a
// token. A version is never changed: what was accepted stays what it was.
type Agreement struct {
	Version     string    `json:"version"`
	Text        string    `json:"text"`
	PublishedAt time.Time `json:"published_at"`
}

type agreementRow struct {
	ID          int64 `gorm:"primaryKey"`
	Version     string
	Text        string
	PublishedAt time.Time
}

func (agreementRow) TableName() string { return "agreements" }

func (r agreementRow) domain() Agreement {
	return Agreement{Version: r.Version, Text: r.Text, PublishedAt: r.PublishedAt}
}

// currentAgreement is the newest that was published.
func currentAgreement(tx *gorm.DB) (row agreementRow, err error) {
	return row, tx.Order("id DESC").Take(&row).Error
}

// ensureAgreement publishes the first version where there is none.
func (u *Upstream) ensureAgreement(ctx context.Context) error {
	_, err := u.Agreement(ctx)
	if !errors.Is(err, gorm.ErrRecordNotFound) {
		return err
	}
	return u.update(ctx, func(tx *gorm.DB) error {
		return tx.Create(&agreementRow{Version: firstAgreement, Text: firstAgreementText, PublishedAt: u.instant()}).Error
	})
}

// Agreement is the one that holds now.
func (u *Upstream) Agreement(ctx context.Context) (Agreement, error) {
	var row agreementRow
	err := u.view(ctx, func(tx *gorm.DB) (err error) {
		row, err = currentAgreement(tx)
		return err
	})
	return row.domain(), err
}

// PublishAgreement makes a new version the one that holds from the next
// response on. The version that holds already, with the same text, is no error
// and changes nothing. ErrRefused for a version that was published before, and
// for a version or a text that is none.
func (u *Upstream) PublishAgreement(ctx context.Context, version, text string) (Agreement, error) {
	version, err := checkText("the agreement's version", version, maxAgreementVersion)
	if err != nil {
		return Agreement{}, err
	}
	if err := checkAgreement(text); err != nil {
		return Agreement{}, err
	}
	row := agreementRow{Version: version, Text: text, PublishedAt: u.instant()}
	err = u.update(ctx, func(tx *gorm.DB) error {
		current, err := currentAgreement(tx)
		if err != nil {
			return err
		}
		if current.Version == version && current.Text == text {
			row = current
			return nil
		}
		var before []agreementRow
		if err := tx.Where("version = ?", version).Limit(1).Find(&before).Error; err != nil {
			return err
		}
		if len(before) > 0 {
			return refuse("version %q of the agreement was published on %s, and what was accepted never changes; nothing was changed: choose another version",
				version, before[0].PublishedAt.Format(time.DateOnly))
		}
		return tx.Create(&row).Error
	})
	if err != nil {
		return Agreement{}, err
	}
	return row.domain(), nil
}

// checkAgreement says ErrRefused unless the text can be read and carried.
func checkAgreement(text string) error {
	control := func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' }
	switch {
	case len(text) > MaxAgreement:
		return refuse("the text of an agreement has at most %d bytes; nothing was changed: shorten it", MaxAgreement)
	case strings.TrimSpace(text) == "":
		return refuse("the text of the agreement is empty; nothing was changed")
	case !utf8.ValidString(text) || strings.ContainsFunc(text, control):
		return refuse("the text of the agreement is no plain text in UTF-8; nothing was changed: save it as such")
	}
	encoded, err := json.Marshal(text)
	if err == nil && len(encoded) > maxEncodedAgreement {
		return refuse("the text of the agreement takes %d bytes in a response, at most %d fit; nothing was changed: use fewer characters such as < > &", len(encoded), maxEncodedAgreement)
	}
	return err
}
