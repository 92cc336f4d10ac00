package satellite

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// CustomTag is a key with values that a company gives one of its virtual
// accounts or licenses. The satellite only keeps it. Standard accounts only.
type CustomTag struct {
	Key    string // 1..64 characters, unique without regard to case
	Values []string
}

// Bounds of custom tags.
const (
	maxTagKey    = 64 // characters
	maxTagValue  = 128
	maxTagValues = 20
	maxTags      = 20 // keys of one owner
)

// TagOwner is what a custom tag belongs to: one of the two.
type TagOwner struct {
	AccountID        AccountID
	VirtualAccountID VirtualAccountID
	LicenseID        LicenseID
}

// CustomTagsOf names what custom tags are asked for: a license by its tag, or a
// virtual account by its name.
type CustomTagsOf struct {
	AccountID      AccountID
	VirtualAccount string
	License        string
}

func (o CustomTagsOf) owner(tx Tx) (owner TagOwner, what string, err error) {
	owner.AccountID = o.AccountID
	if o.License != "" {
		license, err := tx.LicenseByTag(o.AccountID, o.License)
		if isNotFound(err) {
			return owner, "", fail(KindNotFound, "license-not-found", "This account has no license with the tag %q.", clip(o.License)).hint("`satellite license list` shows the tags.")
		}
		owner.LicenseID = license.ID
		return owner, fmt.Sprintf("license %q", license.called()), err
	}
	virtual, err := findVirtualAccount(tx, o.AccountID, o.VirtualAccount)
	owner.VirtualAccountID = virtual.ID
	return owner, fmt.Sprintf("virtual account %q", virtual.Name), err
}

func (o CustomTagsOf) action() Action {
	if o.License != "" {
		return ActionManageLicenses
	}
	return ActionManageVirtualAccounts
}

// check bounds a tag.
func (t CustomTag) check() error {
	if !boundedWord(t.Key, maxTagKey) || strings.Contains(t.Key, "=") {
		return fail(KindInvalid, "custom-tag-invalid", "The key of a tag has 1 to %d characters, no = and no control characters. Nothing was changed.", maxTagKey)
	}
	if len(t.Values) < 1 || len(t.Values) > maxTagValues {
		return fail(KindInvalid, "custom-tag-invalid", "A tag has 1 to %d values, and %q has %d. Nothing was changed.", maxTagValues, t.Key, len(t.Values))
	}
	for i, value := range t.Values {
		if !boundedWord(value, maxTagValue) || slices.Contains(t.Values[:i], value) {
			return fail(KindInvalid, "custom-tag-invalid", "The values of tag %q have 1 to %d characters each, no control characters, and none stands twice; %q does not fit. Nothing was changed.", t.Key, maxTagValue, clip(value))
		}
	}
	return nil
}

func boundedWord(text string, limit int) bool {
	n := utf8.RuneCountInString(text)
	return n >= 1 && n <= limit && strings.TrimSpace(text) == text && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError })
}

// SetCustomTag gives a tag its values, in place of those that it had.
//
// KindInvalid for a key or values out of bounds; KindConflict in a limited
// account, and for the 21st key.
func (s *Service) SetCustomTag(ctx context.Context, actor Actor, of CustomTagsOf, tag CustomTag) error {
	if err := actor.mayIn(of.action(), of.AccountID, 0); err != nil {
		return err
	}
	if err := tag.check(); err != nil {
		return err
	}
	return s.update(ctx, actor, s.Now(), func(tx Tx, record recorder) error {
		account, err := tx.Account(of.AccountID)
		if err != nil {
			return err
		}
		if err := account.within(0, 0, "custom tags"); err != nil {
			return err
		}
		owner, what, err := of.owner(tx)
		if err != nil {
			return err
		}
		existing, err := tx.CustomTags(owner)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(existing, func(t CustomTag) bool { return strings.EqualFold(t.Key, tag.Key) })
		if at < 0 && len(existing) >= maxTags {
			return fail(KindConflict, "custom-tags-full", "There are at most %d tags, and %s has %d. Nothing was changed.", maxTags, what, len(existing)).hint("Remove one first.")
		}
		if at >= 0 {
			tag.Key = existing[at].Key
			if slices.Equal(existing[at].Values, tag.Values) {
				return errUnchanged
			}
		}
		if err := tx.SaveCustomTag(owner, tag); err != nil {
			return err
		}
		return record(Event{Type: EventCustomTagChanged, AccountID: of.AccountID, Message: fmt.Sprintf("Tag %q of %s is %s.", tag.Key, what, strings.Join(tag.Values, ", "))})
	})
}

// CustomTags lists the tags of a virtual account or a license by their keys.
func (s *Service) CustomTags(ctx context.Context, actor Actor, of CustomTagsOf) (tags []CustomTag, err error) {
	if _, err := actor.sees(of.AccountID, 0); err != nil {
		return nil, err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		owner, _, err := of.owner(tx)
		if err != nil {
			return err
		}
		if owner.VirtualAccountID != 0 {
			if err := actor.mayIn(ActionRead, of.AccountID, owner.VirtualAccountID); err != nil {
				return err
			}
		}
		tags, err = tx.CustomTags(owner)
		return err
	})
	return tags, err
}

// RemoveCustomTag removes a tag. KindNotFound where there is none of that key.
func (s *Service) RemoveCustomTag(ctx context.Context, actor Actor, of CustomTagsOf, key string) error {
	if err := actor.mayIn(of.action(), of.AccountID, 0); err != nil {
		return err
	}
	return s.update(ctx, actor, s.Now(), func(tx Tx, record recorder) error {
		owner, what, err := of.owner(tx)
		if err != nil {
			return err
		}
		existing, err := tx.CustomTags(owner)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(existing, func(t CustomTag) bool { return strings.EqualFold(t.Key, key) })
		if at < 0 {
			return fail(KindNotFound, "custom-tag-not-found", "There is no tag %q at %s. Nothing was changed.", clip(key), what)
		}
		if err := tx.DeleteCustomTag(owner, existing[at].Key); err != nil {
			return err
		}
		return record(Event{Type: EventCustomTagChanged, AccountID: of.AccountID, Message: fmt.Sprintf("Tag %q of %s was removed.", existing[at].Key, what)})
	})
}
