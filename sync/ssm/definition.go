package ssm

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"gorm.io/gorm"

	"ssm/satellite/wire"
)

// Enforcement says what becomes of a device that asks for more than there is.
type Enforcement string

// The enforcements of a license.
const (
	Unenforced       Enforcement = "unenforced"        // may be overdrawn
	Enforced         Enforcement = "enforced"          // refused where it is not available
	ExportControlled Enforcement = "export-controlled" // likewise
)

// Billing says when a license is paid.
type Billing string

// The ways to pay.
const (
	Prepaid Billing = "prepaid"
	ByUsage Billing = "usage"
)

const (
	maxTiers       = 16   // tags in one chain of the hierarchy
	maxDescription = 1000 // characters
)

// Definition says what a tag means, to every satellite of the account.
type Definition struct {
	Account       string      `json:"account"`
	Tag           string      `json:"tag"` // unique in the account
	Name          string      `json:"name"`
	Description   string      `json:"description,omitempty"`
	Type          LicenseType `json:"type"` // perpetual, subscription or evaluation
	Enforcement   Enforcement `json:"enforcement"`
	Billing       Billing     `json:"billing"`
	ReportingOnly bool        `json:"reporting_only"` // counted, and never short
	Overage       bool        `json:"overage"`        // the contract allows more to be used than was bought
	// HigherTier is the tag of the same account whose surplus covers a shortage
	// of this one; "" at the top.
	HigherTier string `json:"higher_tier,omitempty"`
}

// check says ErrRefused unless every field has one of its values.
func (d *Definition) check() (err error) {
	if d.Tag, err = checkName("the tag", d.Tag); err != nil {
		return err
	}
	if d.Name, err = checkName("the license's name", d.Name); err != nil {
		return err
	}
	if d.Description != "" {
		if d.Description, err = checkText("the description", d.Description, maxDescription); err != nil {
			return err
		}
	}
	switch {
	case !slices.Contains([]LicenseType{Perpetual, Subscription, Evaluation}, d.Type):
		return refuse("a license is perpetual, subscription or evaluation, not %.40q; nothing was changed", d.Type)
	case !slices.Contains([]Enforcement{Unenforced, Enforced, ExportControlled}, d.Enforcement):
		return refuse("the enforcement is unenforced, enforced or export-controlled, not %.40q; nothing was changed", d.Enforcement)
	case !slices.Contains([]Billing{Prepaid, ByUsage}, d.Billing):
		return refuse("the billing is prepaid or usage, not %.40q; nothing was changed", d.Billing)
	}
	return nil
}

// DefinitionChange names a tag and what is to be changed of it; what is nil
// stays, or, of a new tag, is perpetual, unenforced, prepaid, and none of the rest.
type DefinitionChange struct {
	Account       string // "" is the only one that there is
	Tag, Name     string
	Description   *string
	Type          *LicenseType
	Enforcement   *Enforcement
	Billing       *Billing
	ReportingOnly *bool
	Overage       *bool
	HigherTier    *string // "" takes it out of the hierarchy above it
}

func (c DefinitionChange) apply(d *Definition) {
	d.Name = c.Name
	change(&d.Description, c.Description)
	change(&d.Type, c.Type)
	change(&d.Enforcement, c.Enforcement)
	change(&d.Billing, c.Billing)
	change(&d.ReportingOnly, c.ReportingOnly)
	change(&d.Overage, c.Overage)
	change(&d.HigherTier, c.HigherTier)
}

func change[V any](field *V, to *V) {
	if to != nil {
		*field = *to
	}
}

// tiers is the hierarchy of an account: of each tag the one above it, "" at the top.
type tiers map[string]string

// above lists the tags above a tag, the nearest first. It ends after maxTiers,
// so that no hierarchy, however it came to be, holds a response up.
func (t tiers) above(tag string) (chain []string) {
	for at := t[tag]; at != "" && len(chain) < maxTiers; at = t[at] {
		chain = append(chain, at)
	}
	return chain
}

// place puts a tag under a higher one. ErrRefused where that is unknown, the
// tag itself or below it, or where a chain gets longer than maxTiers.
func (t tiers) place(tag, higher string) error {
	if _, known := t[higher]; higher != "" && !known {
		return refuse("there is no tag %q in this account to be the higher tier; nothing was changed: define it first with `ssm license define --tag %s --name NAME`",
			higher, shellWord(higher))
	}
	if higher == tag || slices.Contains(t.above(higher), tag) {
		return refuse("the hierarchy would lead from %q back to itself; nothing was changed: take another higher tier", tag)
	}
	t[tag] = higher
	for other := range t {
		if len(t.above(other)) == maxTiers {
			return refuse("the hierarchy from %q upward would have more than %d tiers; nothing was changed: take another higher tier", other, maxTiers)
		}
	}
	return nil
}

// family lists the tags and all that the hierarchy leads to from them, upward
// and downward: each after the tier above it, and otherwise by name.
func (t tiers) family(of []string) []string {
	top := func(tag string) string {
		chain := t.above(tag)
		return append([]string{tag}, chain...)[len(chain)]
	}
	tops := map[string]bool{}
	for _, tag := range of {
		tops[top(tag)] = true
	}
	var members []string
	for tag := range t {
		if tops[top(tag)] {
			members = append(members, tag)
		}
	}
	slices.SortFunc(members, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(t.above(a)), len(t.above(b))), strings.Compare(a, b))
	})
	return members
}

type entitlementRow struct {
	ID            int64 `gorm:"primaryKey"`
	AccountID     int64
	Tag           string
	Name          string
	Description   string
	Type          string
	Enforcement   string
	Billing       string
	ReportingOnly bool
	Overage       bool
	HigherTierID  *int64 `gorm:"column:higher_tier_id"`
}

func (entitlementRow) TableName() string { return "entitlements" }

// definitions are all of one account, by tag.
type definitions struct {
	account accountRow
	byTag   map[string]Definition
	ids     map[string]int64
}

func loadDefinitions(tx *gorm.DB, account accountRow) (definitions, error) {
	d := definitions{account: account, byTag: map[string]Definition{}, ids: map[string]int64{}}
	var rows []entitlementRow
	if err := tx.Where("account_id = ?", account.ID).Find(&rows).Error; err != nil {
		return d, err
	}
	tags := make(map[int64]string, len(rows))
	for _, row := range rows {
		tags[row.ID] = row.Tag
	}
	for _, row := range rows {
		definition := Definition{Account: account.Name, Tag: row.Tag, Name: row.Name, Description: row.Description,
			Type: LicenseType(row.Type), Enforcement: Enforcement(row.Enforcement), Billing: Billing(row.Billing),
			ReportingOnly: row.ReportingOnly, Overage: row.Overage}
		if row.HigherTierID != nil {
			definition.HigherTier = tags[*row.HigherTierID]
		}
		d.byTag[row.Tag], d.ids[row.Tag] = definition, row.ID
	}
	return d, nil
}

func (d definitions) tiers() tiers {
	t := make(tiers, len(d.byTag))
	for tag, definition := range d.byTag {
		t[tag] = definition.HigherTier
	}
	return t
}

// find returns the definition of a tag, or what a new one begins with.
func (d definitions) find(tag string) Definition {
	if definition, known := d.byTag[tag]; known {
		return definition
	}
	return Definition{Account: d.account.Name, Tag: tag, Type: Perpetual, Enforcement: Unenforced, Billing: Prepaid}
}

// save writes one definition, new or changed, and returns its row's id.
func (d definitions) save(tx *gorm.DB, definition Definition) (int64, error) {
	row := entitlementRow{ID: d.ids[definition.Tag], AccountID: d.account.ID, Tag: definition.Tag, Name: definition.Name,
		Description: definition.Description, Type: string(definition.Type), Enforcement: string(definition.Enforcement),
		Billing: string(definition.Billing), ReportingOnly: definition.ReportingOnly, Overage: definition.Overage}
	if higher, known := d.ids[definition.HigherTier]; known {
		row.HigherTierID = &higher
	}
	if row.ID == 0 {
		err := tx.Create(&row).Error
		return row.ID, err
	}
	return row.ID, tx.Model(&row).
		Select("name", "description", "type", "enforcement", "billing", "reporting_only", "overage", "higher_tier_id").Updates(&row).Error
}

// Define makes the definition of a tag, or changes it. ErrRefused.
func (u *Upstream) Define(ctx context.Context, c DefinitionChange) (Definition, error) {
	var definition Definition
	err := u.update(ctx, func(tx *gorm.DB) error {
		account, err := findAccount(tx, c.Account)
		if err != nil {
			return err
		}
		all, err := loadDefinitions(tx, account)
		if err != nil {
			return err
		}
		definition = all.find(strings.TrimSpace(c.Tag))
		c.apply(&definition)
		if err := definition.check(); err != nil {
			return err
		}
		if err := all.tiers().place(definition.Tag, definition.HigherTier); err != nil {
			return err
		}
		_, err = all.save(tx, definition)
		return err
	})
	if err != nil {
		return Definition{}, err
	}
	return definition, nil
}

// Definitions lists what the tags of the account mean, each after the tier
// above it; "" is the only account that there is. ErrRefused.
func (u *Upstream) Definitions(ctx context.Context, account string) ([]Definition, error) {
	list := []Definition{}
	err := u.view(ctx, func(tx *gorm.DB) error {
		row, err := findAccount(tx, account)
		if err != nil {
			return err
		}
		all, err := loadDefinitions(tx, row)
		if err != nil {
			return err
		}
		list = slices.Grow(list[:0], len(all.byTag))
		hierarchy := all.tiers()
		for _, tag := range hierarchy.family(tagsOf(hierarchy)) {
			list = append(list, all.byTag[tag])
		}
		return nil
	})
	return list, err
}

func tagsOf(t tiers) (tags []string) {
	for tag := range t {
		tags = append(tags, tag)
	}
	return tags
}

// record is the definition as a satellite is told it.
func (d Definition) record() (wire.Record, error) {
	return wire.NewRecord(wire.RecordEntitlement, d.Tag, wire.EntitlementRecord{
		Name: d.Name, Description: d.Description, Type: string(d.Type), Enforcement: string(d.Enforcement), Billing: string(d.Billing),
		ReportingOnly: d.ReportingOnly, Overage: d.Overage, HigherTier: d.HigherTier})
}
