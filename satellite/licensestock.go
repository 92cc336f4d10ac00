package satellite

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
)

// LicenseStock is a pool with the parts of lots that make its quantity, and with
// what the tiers lend each other, all read at one instant.
type LicenseStock struct {
	PoolRow
	Parts        []LotPart // by start, then by the upstream's id
	LentTo       []TierLoan
	BorrowedFrom []TierLoan
}

// LotPart is what a virtual account has of a lot after all transfers, above zero.
type LotPart struct {
	Lot      Lot
	Quantity int64
	State    LotState
}

// LotState is what time makes of a lot.
type LotState string

// The states of a lot. Only live ones count.
const (
	LotLive   LotState = "live"
	LotToCome LotState = "to come"
	LotEnded  LotState = "ended"
)

// StateAt is the state of the lot at an instant.
func (l Lot) StateAt(now time.Time) LotState {
	switch {
	case l.liveAt(now):
		return LotLive
	case now.Before(l.Start):
		return LotToCome
	}
	return LotEnded
}

// ToCome is what lots will bring that have not begun.
func (s LicenseStock) ToCome() (sum int64) {
	for _, p := range s.Parts {
		if p.State == LotToCome {
			sum += p.Quantity
		}
	}
	return sum
}

// LicenseStocks lists the pools of an account by virtual account and name of the
// license: of virtual accounts that are named without regard to case, or without
// names of all that the actor sees. It reads the account's pools, lots and
// transfers once each, however many rows there are.
//
// KindNotFound for an account or a virtual account that the actor does not see.
func (s *Service) LicenseStocks(ctx context.Context, actor Actor, account AccountID, virtualAccounts []string) (list []LicenseStock, err error) {
	now := s.Now()
	err = s.store.View(ctx, func(tx Tx) error {
		scope, err := scopeOf(tx, actor, account, virtualAccounts)
		if err != nil {
			return err
		}
		list, err = stocksOf(tx, account, scope, now)
		return err
	})
	slices.SortFunc(list, func(a, b LicenseStock) int {
		return cmp.Or(cmp.Compare(a.VirtualAccount, b.VirtualAccount), cmp.Compare(a.License.called(), b.License.called()), cmp.Compare(a.License.Tag, b.License.Tag))
	})
	return list, err
}

// place is one license in one virtual account.
type place struct {
	virtual VirtualAccountID
	license LicenseID
}

// stocksOf reads the pools of an account within a scope, as they are at an instant.
func stocksOf(tx Tx, account AccountID, scope Scope, now time.Time) ([]LicenseStock, error) {
	rows, err := tx.Pools(PoolFilter{AccountID: account, Scope: scope})
	if err != nil {
		return nil, err
	}
	lots, transfers, err := lotsByPlace(tx, account)
	if err != nil {
		return nil, err
	}
	list := make([]LicenseStock, len(rows))
	for i, row := range rows {
		at := place{row.VirtualAccountID, row.LicenseID}
		if row.stale(now) {
			row.count(lots[at], transfers[at], now)
			if err := countReserved(tx, &row.Pool, now); err != nil {
				return nil, err
			}
		}
		list[i] = LicenseStock{PoolRow: row, Parts: lotParts(at.virtual, lots[at], transfers[at], now)}
	}
	return list, lendAmong(tx, account, list)
}

// lotsByPlace are the lots of an account by their homes, and its transfers by both of their ends.
func lotsByPlace(tx Tx, account AccountID) (lots map[place][]Lot, transfers map[place][]LotTransfer, err error) {
	allLots, err := tx.LotsOf(account)
	if err != nil {
		return nil, nil, err
	}
	allTransfers, err := tx.LotTransfersOf(account)
	if err != nil {
		return nil, nil, err
	}
	lots, transfers = map[place][]Lot{}, map[place][]LotTransfer{}
	for _, lot := range allLots {
		at := place{lot.VirtualAccountID, lot.LicenseID}
		lots[at] = append(lots[at], lot)
	}
	for _, t := range allTransfers {
		for _, end := range []VirtualAccountID{t.From, t.To} {
			at := place{end, t.Lot.LicenseID}
			transfers[at] = append(transfers[at], t)
		}
	}
	return lots, transfers, nil
}

func lotParts(virtual VirtualAccountID, lots []Lot, transfers []LotTransfer, now time.Time) []LotPart {
	parts := allPartsOf(virtual, lots, transfers)
	slices.SortFunc(parts, func(a, b part) int {
		return cmp.Or(a.lot.Start.Compare(b.lot.Start), cmp.Compare(a.lot.UpstreamID, b.lot.UpstreamID))
	})
	list := make([]LotPart, len(parts))
	for i, p := range parts {
		list[i] = LotPart{Lot: p.lot, Quantity: p.quantity, State: p.lot.StateAt(now)}
	}
	return list
}

// lendAmong lets the families lend in each virtual account, and notes on both
// sides who lends how much to whom. A tier without a pool has nothing and needs
// nothing, but the tiers above it cover the tiers below it.
func lendAmong(tx Tx, account AccountID, list []LicenseStock) error {
	type home struct {
		virtual VirtualAccountID
		family  LicenseID
	}
	members := map[home][]*LicenseStock{}
	for i := range list {
		if family := list[i].License.Family; family != 0 {
			at := home{list[i].VirtualAccountID, family}
			members[at] = append(members[at], &list[i])
		}
	}
	if len(members) == 0 {
		return nil
	}
	licenses, err := tx.LicensesOf(account)
	if err != nil {
		return err
	}
	families := map[LicenseID][]License{}
	for _, l := range licenses {
		families[l.Family] = append(families[l.Family], l)
	}
	for at, stocks := range members {
		family := make([]PoolRow, len(families[at.family]))
		for i, l := range families[at.family] {
			family[i] = PoolRow{License: l, Pool: Pool{AccountID: account, VirtualAccountID: at.virtual, LicenseID: l.ID}}
		}
		lendTo(stocks, family)
	}
	return nil
}

// lendTo lets one family lend in one virtual account. Its rows are all tiers, without counts.
func lendTo(stocks []*LicenseStock, family []PoolRow) {
	tiers, byID := make(map[LicenseID]*PoolRow, len(family)), make(map[LicenseID]*LicenseStock, len(stocks))
	for i := range family {
		tiers[family[i].LicenseID] = &family[i]
	}
	for _, s := range stocks {
		byID[s.LicenseID] = s
		*tiers[s.LicenseID] = s.PoolRow
	}
	for _, loan := range lend(family) {
		from, to := byID[loan.From], byID[loan.To]
		from.Lent += loan.Quantity
		to.Borrowed += loan.Quantity
		from.LentTo = append(from.LentTo, TierLoan{License: to.License, Quantity: loan.Quantity})
		to.BorrowedFrom = append(to.BorrowedFrom, TierLoan{License: from.License, Quantity: loan.Quantity})
	}
}

// scopeOf is what an actor may see of an account: with names, only those virtual
// accounts of it.
//
// KindNotFound for an account or a virtual account that he does not see, or that is not there.
func scopeOf(tx Tx, actor Actor, account AccountID, names []string) (Scope, error) {
	scope, err := actor.sees(account, 0)
	if err != nil {
		return Scope{}, err
	}
	if len(names) == 0 && scope.Whole(account) {
		return Scope{Accounts: []AccountID{account}}, nil
	}
	virtual, err := tx.VirtualAccounts(account)
	if err != nil {
		return Scope{}, err
	}
	virtual = slices.DeleteFunc(virtual, func(v VirtualAccount) bool { return !scope.Sees(account, v.ID) })
	var places Scope
	for _, v := range virtual {
		if len(names) == 0 {
			places.VirtualAccounts = append(places.VirtualAccounts, v.ID)
		}
	}
	for _, name := range names {
		i := slices.IndexFunc(virtual, func(v VirtualAccount) bool { return strings.EqualFold(v.Name, name) })
		if i < 0 {
			return Scope{}, errVirtualAccountMissing(name)
		}
		if !slices.Contains(places.VirtualAccounts, virtual[i].ID) {
			places.VirtualAccounts = append(places.VirtualAccounts, virtual[i].ID)
		}
	}
	return places, nil
}
