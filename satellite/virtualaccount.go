package satellite

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

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

// CreateVirtualAccount makes a virtual account.
//
// KindConflict where the name is taken, or a limited account has its three.
func (s *Service) CreateVirtualAccount(ctx context.Context, actor Actor, accountID AccountID, name, description string) (VirtualAccount, error) {
	if err := actor.mayIn(ActionManageVirtualAccounts, accountID, 0); err != nil {
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
		if err := account.within(limitedVirtualAccounts, len(existing), "virtual accounts"); err != nil {
			return err
		}
		if created, err = tx.CreateVirtualAccount(created); err != nil {
			return err
		}
		return record(Event{Type: EventVirtualAccountCreated, AccountID: accountID, VirtualAccount: name, Message: fmt.Sprintf("Virtual account %q was created.", name)})
	})
	return created, err
}

// VirtualAccounts lists the virtual accounts of an account that the actor sees,
// the default one first.
func (s *Service) VirtualAccounts(ctx context.Context, actor Actor, accountID AccountID) (list []VirtualAccount, err error) {
	scope, err := actor.sees(accountID, 0)
	if err != nil {
		return nil, err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		list, err = tx.VirtualAccounts(accountID)
		list = slices.DeleteFunc(list, func(v VirtualAccount) bool { return !scope.Sees(accountID, v.ID) })
		return err
	})
	return list, err
}

// FindVirtualAccount returns the virtual account of that name (without regard to
// case). The empty name means the default one. One that the actor does not see is none.
//
// KindNotFound.
func (s *Service) FindVirtualAccount(ctx context.Context, actor Actor, accountID AccountID, name string) (virtual VirtualAccount, err error) {
	scope, err := actor.sees(accountID, 0)
	if err != nil {
		return VirtualAccount{}, err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		virtual, err = findVirtualAccount(tx, accountID, name)
		if err == nil && !scope.Sees(accountID, virtual.ID) {
			err = errVirtualAccountMissing(name)
		}
		return err
	})
	if err != nil {
		return VirtualAccount{}, err
	}
	return virtual, nil
}

// SetVirtualAccount renames a virtual account or describes it anew; nil leaves
// it as it is. Upstream it is known by its name, so the next synchronization is
// a full one after a new name.
//
// KindNotFound; KindConflict where the name is taken.
func (s *Service) SetVirtualAccount(ctx context.Context, actor Actor, accountID AccountID, name string, rename, description *string) (virtual VirtualAccount, err error) {
	if err := actor.mayIn(ActionManageVirtualAccounts, accountID, 0); err != nil {
		return VirtualAccount{}, err
	}
	if rename != nil {
		if err := checkName("virtual-account", *rename); err != nil {
			return VirtualAccount{}, err
		}
	}
	now := s.Now()
	err = s.update(ctx, actor, now, func(tx Tx, record recorder) error {
		if virtual, err = findVirtualAccount(tx, accountID, name); err != nil {
			return err
		}
		before := virtual
		if rename != nil {
			virtual.Name = *rename
		}
		if description != nil {
			virtual.Description = clipRunes(*description, 1000)
		}
		if virtual == before {
			return errUnchanged
		}
		if err := renamed(tx, record, before, virtual, now); err != nil {
			return err
		}
		return record(Event{Type: EventVirtualAccountChanged, AccountID: accountID, VirtualAccount: virtual.Name, Message: fmt.Sprintf("Virtual account %q was changed: its name is %q, its description %q.", before.Name, virtual.Name, virtual.Description)})
	})
	return virtual, err
}

// renamed saves a virtual account with what bears its name.
func renamed(tx Tx, record recorder, before, after VirtualAccount, now time.Time) error {
	if after.Name == before.Name {
		return tx.SaveVirtualAccount(after)
	}
	rows, err := poolsOf(tx, before)
	if err != nil {
		return err
	}
	if err := quiet(tx, record, rows, fmt.Sprintf("the virtual account is called %q from now on.", after.Name), now); err != nil {
		return err
	}
	if err := tx.SaveVirtualAccount(after); err != nil {
		return err
	}
	ledger := openLedger(tx, record, after.AccountID, after.ID, now)
	for _, row := range rows {
		if _, err := ledger.pool(row.License); err != nil {
			return err
		}
	}
	return ledger.settle()
}

func poolsOf(tx Tx, virtual VirtualAccount) ([]PoolRow, error) {
	return tx.Pools(PoolFilter{AccountID: virtual.AccountID, VirtualAccountID: virtual.ID, Scope: Scope{All: true}})
}

// quiet closes the shortage alerts of pools whose virtual account gets another
// name or ends: they are named by it, and a ledger opens them anew.
func quiet(tx Tx, record recorder, rows []PoolRow, because string, now time.Time) error {
	for i, row := range rows {
		if !row.Insufficient {
			continue
		}
		if err := settled(tx, record, row.AccountID, AlertInsufficientLicenses, shortageKey(row.VirtualAccountID, row.License.Tag), because, now); err != nil {
			return err
		}
		rows[i].Insufficient = false
		if _, err := tx.SavePool(rows[i].Pool); err != nil {
			return err
		}
	}
	return nil
}

// SetDefaultVirtualAccount makes another virtual account the default one: new
// lots arrive there, and it is meant where none is named. What is in the one
// before stays there.
func (s *Service) SetDefaultVirtualAccount(ctx context.Context, actor Actor, accountID AccountID, name string) (virtual VirtualAccount, err error) {
	if err := actor.mayIn(ActionManageVirtualAccounts, accountID, 0); err != nil {
		return VirtualAccount{}, err
	}
	now := s.Now()
	err = s.update(ctx, actor, now, func(tx Tx, record recorder) error {
		before, err := findVirtualAccount(tx, accountID, "")
		if err != nil {
			return err
		}
		if virtual, err = findVirtualAccount(tx, accountID, name); err != nil {
			return err
		}
		if virtual.ID == before.ID {
			return errUnchanged
		}
		if err := tx.SetDefaultVirtualAccount(accountID, virtual.ID); err != nil {
			return err
		}
		virtual.Default = true
		return record(Event{Type: EventVirtualAccountChanged, AccountID: accountID, VirtualAccount: virtual.Name, Message: fmt.Sprintf("Virtual account %q is the default one now, before it was %q.", virtual.Name, before.Name)})
	})
	return virtual, err
}

// DeleteVirtualAccount removes a virtual account that is empty, or with moveTo
// one whose devices, licenses and tokens move there in the same transaction.
//
// KindConflict for the default one, for a move into itself, and without moveTo
// while it holds devices, licenses or live tokens.
func (s *Service) DeleteVirtualAccount(ctx context.Context, actor Actor, accountID AccountID, name, moveTo string) error {
	if err := actor.mayIn(ActionManageVirtualAccounts, accountID, 0); err != nil {
		return err
	}
	now := s.Now()
	return s.update(ctx, actor, now, func(tx Tx, record recorder) error {
		virtual, err := findVirtualAccount(tx, accountID, name)
		if err != nil {
			return err
		}
		if virtual.Default {
			return fail(KindConflict, "virtual-account-default", "%q is the default virtual account, and an account always has one. Nothing was deleted.", virtual.Name).
				hint("Make another one the default first: `satellite virtual-account default NAME`.")
		}
		holds, err := tx.VirtualAccountHolds(virtual.ID, now)
		if err != nil {
			return err
		}
		message := fmt.Sprintf("Virtual account %q was deleted.", virtual.Name)
		if moveTo == "" {
			if holds != (Holds{}) {
				return fail(KindConflict, "virtual-account-not-empty", "%q still holds %d devices, %d licenses and %d live tokens. Nothing was deleted.", virtual.Name, holds.Devices, holds.Licenses, holds.Tokens).
					hint("Name where they shall go with --move-to, or remove them first.")
			}
			// Lots that have not begun, or have ended, and what was only passed on, count nothing and stay in the account.
			home, err := findVirtualAccount(tx, accountID, "")
			if err != nil {
				return err
			}
			if err := moveHome(tx, record, accountID, virtual.ID, home.ID, now); err != nil {
				return err
			}
		} else {
			target, err := moveAll(tx, record, virtual, moveTo, now)
			if err != nil {
				return err
			}
			message = fmt.Sprintf("Virtual account %q was deleted; %d devices, %d licenses and %d live tokens moved to %q.", virtual.Name, holds.Devices, holds.Licenses, holds.Tokens, target.Name)
		}
		if err := tx.DeleteVirtualAccount(virtual.ID); err != nil {
			return err
		}
		return record(Event{Type: EventVirtualAccountDeleted, AccountID: accountID, VirtualAccount: virtual.Name, Message: message})
	})
}

// moveAll moves everything of a virtual account into another one of its
// account. Devices go with what they use, licenses with the lots and transfers
// that make them, so that nothing is refused and no sum changes.
func moveAll(tx Tx, record recorder, from VirtualAccount, to string, now time.Time) (VirtualAccount, error) {
	target, err := findVirtualAccount(tx, from.AccountID, to)
	if err != nil {
		return target, err
	}
	if target.ID == from.ID {
		return target, fail(KindConflict, "virtual-account-itself", "What is in %q cannot be moved into itself. Nothing was deleted.", from.Name).hint("Name another virtual account with --move-to.")
	}
	rows, err := poolsOf(tx, from)
	if err != nil {
		return target, err
	}
	if err := quiet(tx, record, rows, fmt.Sprintf("virtual account %q moved into %q.", from.Name, target.Name), now); err != nil {
		return target, err
	}
	if err := tx.MoveVirtualAccount(from.ID, target.ID); err != nil {
		return target, err
	}
	for _, row := range rows {
		if err := moveCounters(tx, row.Pool, target.ID); err != nil {
			return target, err
		}
	}
	return target, moveHome(tx, record, target.AccountID, from.ID, target.ID, now)
}

// moveCounters adds what is in use and reserved of a pool to that of another
// virtual account; who moves the lots settles both.
func moveCounters(tx Tx, from Pool, target VirtualAccountID) error {
	to, err := tx.Pool(target, from.LicenseID)
	if err != nil {
		return err
	}
	to.AccountID = from.AccountID
	to.InUse, from.InUse = to.InUse+from.InUse, 0
	to.Reserved, from.Reserved = to.Reserved+from.Reserved, 0
	if _, err := tx.SavePool(to); err != nil {
		return err
	}
	_, err = tx.SavePool(from)
	return err
}

// Holds counts what keeps a virtual account from being deleted.
type Holds struct{ Devices, Licenses, Tokens int64 }

// findVirtualAccount finds one by name; "" is the default one.
func findVirtualAccount(tx Tx, accountID AccountID, name string) (VirtualAccount, error) {
	list, err := tx.VirtualAccounts(accountID)
	if err != nil {
		return VirtualAccount{}, err
	}
	return virtualAccountNamed(list, name)
}

func virtualAccountNamed(list []VirtualAccount, name string) (VirtualAccount, error) {
	for _, virtual := range list {
		if name == "" && virtual.Default || name != "" && strings.EqualFold(virtual.Name, name) {
			return virtual, nil
		}
	}
	return VirtualAccount{}, errVirtualAccountMissing(name)
}

// permittedVirtualAccount finds one by name for who may do the action there. One
// that he does not see is answered in the words for one that does not exist.
func permittedVirtualAccount(tx Tx, actor Actor, action Action, accountID AccountID, name string) (VirtualAccount, error) {
	list, err := tx.VirtualAccounts(accountID)
	if err != nil {
		return VirtualAccount{}, err
	}
	return permittedAmong(list, actor, action, accountID, name)
}

func permittedAmong(list []VirtualAccount, actor Actor, action Action, accountID AccountID, name string) (VirtualAccount, error) {
	if !actor.Sees(accountID) {
		return VirtualAccount{}, actor.mayIn(action, accountID, 0)
	}
	virtual, err := virtualAccountNamed(list, name)
	if err != nil {
		return virtual, err
	}
	return virtual, actor.mayWith(action, accountID, virtual.ID, errVirtualAccountMissing(name))
}

func errVirtualAccountMissing(name string) error {
	if name == "" {
		return fail(KindNotFound, "virtual-account-not-found", "The default virtual account of this account is none that you may see. Nothing was changed.").hint("Name another one.")
	}
	return fail(KindNotFound, "virtual-account-not-found", "There is no virtual account %q in this account.", clip(name)).hint("`satellite virtual-account list` shows those that exist.")
}
