package ssm

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
)

// LicenseType says whether a lot ends, and what it is for.
type LicenseType string

// The types of a lot.
const (
	Perpetual    LicenseType = "perpetual"
	Subscription LicenseType = "subscription"
	Evaluation   LicenseType = "evaluation" // it ends as well
	// Mixed is the type of a license that has lots of several types.
	Mixed LicenseType = "mixed"
)

// maxQuantity is the most that one lot holds.
const maxQuantity = 1 << 31

// maxInUse bounds what one record reports: the sum over all devices of a
// virtual account, each of which may claim up to 2^31.
const maxInUse = 1 << 53

// License is what a virtual account has of a tag, and what its satellite
// reported to be in use; nothing where the satellite has lapsed. A tag that is used and was never bought is one of
// quantity 0.
type License struct {
	Account        string      `json:"account"`
	VirtualAccount string      `json:"virtual_account"`
	Tag            string      `json:"tag"`
	Name           string      `json:"name"`
	Type           LicenseType `json:"type"`
	Quantity       int64       `json:"quantity"` // of the lots that are live now
	InUse          int64       `json:"in_use"`
	Reserved       int64       `json:"reserved"`
	Lots           []Lot       `json:"lots"`
}

// Lot is one purchase: a quantity from a start to an end. It counts from Start
// on, and no longer at End.
type Lot struct {
	ID             string      `json:"id"`
	Type           LicenseType `json:"type"`
	Quantity       int64       `json:"quantity"`
	Start          time.Time   `json:"start"`
	End            *time.Time  `json:"end"` // none for perpetual
	Order          string      `json:"order,omitempty"`
	SubscriptionID string      `json:"subscription_id,omitempty"`
}

func (l Lot) live(now time.Time) bool {
	return !now.Before(l.Start) && (l.End == nil || now.Before(*l.End))
}

// Order is one more lot of a tag for a virtual account.
type Order struct {
	Account        string // "" is the only one that there is
	VirtualAccount string // made if missing
	Tag, Name      string
	Type           LicenseType // "" is perpetual, or subscription where End is set
	Quantity       int64       // 1 to 2^31
	Start          time.Time   // zero is now
	End            *time.Time  // none for perpetual, and needed otherwise
	Number         string      // of the order; may be left out, like the next
	SubscriptionID string
}

// check fills in what was left out. ErrRefused.
func (o *Order) check(now time.Time) (err error) {
	if o.Tag, err = checkName("the tag", o.Tag); err != nil {
		return err
	}
	if o.Name, err = checkName("the license's name", o.Name); err != nil {
		return err
	}
	for what, text := range map[string]*string{"the order's number": &o.Number, "the subscription's id": &o.SubscriptionID} {
		if *text == "" {
			continue
		}
		if *text, err = checkName(what, *text); err != nil {
			return err
		}
	}
	if o.Type == "" {
		o.Type = Perpetual
		if o.End != nil {
			o.Type = Subscription
		}
	}
	if o.Start.IsZero() {
		o.Start = now
	}
	switch {
	case o.Quantity < 1 || o.Quantity > maxQuantity:
		return refuse("a lot holds 1 to %d licenses, not %d; nothing was changed", int64(maxQuantity), o.Quantity)
	case o.Type != Perpetual && o.Type != Subscription && o.Type != Evaluation:
		return refuse("a license is perpetual, subscription or evaluation, not %.40q; nothing was changed", o.Type)
	case o.Type != Perpetual && o.End == nil:
		return refuse("a license of the type %s needs an end; nothing was changed: name it with --end", o.Type)
	case o.Type == Perpetual && o.End != nil:
		return refuse("a perpetual license has no end; nothing was changed: leave --end out, or order a subscription")
	case o.End != nil && !o.End.After(o.Start):
		return refuse("the lot would end on %s, before it starts on %s; nothing was changed", o.End.Format(time.RFC3339), o.Start.Format(time.RFC3339))
	}
	return nil
}

type lotRow struct {
	ID               string `gorm:"primaryKey"`
	VirtualAccountID int64
	EntitlementID    int64
	Type             string
	Quantity         int64
	StartAt          time.Time
	EndAt            *time.Time
	OrderNumber      string
	SubscriptionID   string `gorm:"column:subscription_id"`
	CreatedAt        time.Time
}

func (lotRow) TableName() string { return "lots" }

func (r lotRow) domain() Lot {
	return Lot{ID: r.ID, Type: LicenseType(r.Type), Quantity: r.Quantity, Start: r.StartAt, End: r.EndAt,
		Order: r.OrderNumber, SubscriptionID: r.SubscriptionID}
}

// AddLicense adds a lot; the virtual account and the tag are made if missing,
// and the tag takes the name of the newest order. It returns the license with
// all its lots. ErrRefused.
func (u *Upstream) AddLicense(ctx context.Context, order Order) (License, error) {
	now := u.instant()
	if err := order.check(now); err != nil {
		return License{}, err
	}
	var license License
	err := u.update(ctx, func(tx *gorm.DB) error {
		account, err := findAccount(tx, order.Account)
		if err != nil {
			return err
		}
		virtual, err := virtualAccount(tx, account, order.VirtualAccount, now)
		if err != nil {
			return err
		}
		entitlement, err := entitle(tx, account, order)
		if err != nil {
			return err
		}
		row := lotRow{ID: uuid.NewString(), VirtualAccountID: virtual.ID, EntitlementID: entitlement, Type: string(order.Type),
			Quantity: order.Quantity, StartAt: order.Start.UTC(), OrderNumber: order.Number, SubscriptionID: order.SubscriptionID, CreatedAt: now}
		if order.End != nil {
			end := order.End.UTC()
			row.EndAt = &end
		}
		if err := tx.Create(&row).Error; err != nil {
			return err
		}
		licenses, err := listLicenses(tx, account, now)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(licenses, func(l License) bool {
			return l.VirtualAccount == virtual.Name && l.Tag == order.Tag
		})
		license = licenses[at]
		return nil
	})
	return license, err
}

// entitle finds the definition of the tag, or makes it, of the type of its
// first lot; and gives it its newest name.
func entitle(tx *gorm.DB, account accountRow, order Order) (id int64, err error) {
	all, err := loadDefinitions(tx, account)
	if err != nil {
		return 0, err
	}
	definition := all.find(order.Tag)
	if _, known := all.byTag[order.Tag]; !known {
		definition.Type = order.Type
	}
	definition.Name = order.Name
	return all.save(tx, definition)
}

// Licenses lists what the account has and uses, by virtual account and tag; ""
// is the only account that there is. ErrRefused.
func (u *Upstream) Licenses(ctx context.Context, account string) ([]License, error) {
	var licenses []License
	if err := u.lapse(ctx); err != nil {
		return nil, err
	}
	err := u.view(ctx, func(tx *gorm.DB) error {
		row, err := findAccount(tx, account)
		if err != nil {
			return err
		}
		licenses, err = listLicenses(tx, row, u.instant())
		return err
	})
	return licenses, err
}

type licenseKey struct{ virtualAccount, tag string }

func listLicenses(tx *gorm.DB, account accountRow, now time.Time) ([]License, error) {
	byKey := map[licenseKey]*License{}
	license := func(virtual, tag, name string) *License {
		key := licenseKey{virtual, tag}
		if byKey[key] == nil {
			byKey[key] = &License{Account: account.Name, VirtualAccount: virtual, Tag: tag, Name: name, Lots: []Lot{}}
		}
		return byKey[key]
	}
	bought, err := boughtLots(tx, "v.account_id = ?", account.ID)
	if err != nil {
		return nil, err
	}
	for _, b := range bought {
		license(b.VirtualAccount, b.Tag, b.Name).add(b.Lot.domain(), now)
	}
	var used []struct {
		VirtualAccount, Tag, Name string
		InUse, Reserved           int64
	}
	if err := tx.Raw(`SELECT v.name AS virtual_account, r.value ->> '$.tag' AS tag, coalesce(e.name, '') AS name,
			sum(r.value ->> '$.in_use') AS in_use, sum(coalesce(r.value ->> '$.reserved', 0)) AS reserved
		FROM virtual_accounts v
		JOIN satellites s ON s.virtual_account_id = v.id AND s.lapsed_at IS NULL
		JOIN records r ON r.holding = s.holding AND r.kind = 'usage'
		LEFT JOIN entitlements e ON e.account_id = v.account_id AND e.tag = r.value ->> '$.tag'
		WHERE v.account_id = ?
		GROUP BY 1, 2, 3`, account.ID).Scan(&used).Error; err != nil {
		return nil, err
	}
	for _, x := range used {
		l := license(x.VirtualAccount, x.Tag, x.Name)
		l.InUse, l.Reserved = x.InUse, x.Reserved
	}
	licenses := make([]License, 0, len(byKey))
	for _, l := range byKey {
		licenses = append(licenses, *l)
	}
	slices.SortFunc(licenses, func(a, b License) int {
		return cmp.Or(cmp.Compare(a.VirtualAccount, b.VirtualAccount), cmp.Compare(a.Tag, b.Tag))
	})
	return licenses, nil
}

// add counts one more lot.
func (l *License) add(lot Lot, now time.Time) {
	l.Lots = append(l.Lots, lot)
	if lot.live(now) {
		l.Quantity += lot.Quantity
	}
	switch l.Type {
	case "", lot.Type:
		l.Type = lot.Type
	default:
		l.Type = Mixed
	}
}

// boughtLot is a lot with what it is a lot of.
type boughtLot struct {
	Lot                       lotRow `gorm:"embedded"`
	VirtualAccount, Tag, Name string
}

// boughtLots finds the lots of which where is true, the oldest first.
func boughtLots(tx *gorm.DB, where string, args ...any) ([]boughtLot, error) {
	var lots []boughtLot
	err := tx.Table("lots l").
		Select("l.id, l.virtual_account_id, l.entitlement_id, l.type, l.quantity, l.start_at, l.end_at, l.order_number, l.subscription_id, l.created_at, v.name AS virtual_account, e.tag, e.name").
		Joins("JOIN virtual_accounts v ON v.id = l.virtual_account_id").
		Joins("JOIN entitlements e ON e.id = l.entitlement_id").
		Where(where, args...).Order("l.created_at, l.id").Scan(&lots).Error
	return lots, err
}
