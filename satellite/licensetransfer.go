package satellite

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// LotTransfer is what was moved of a lot from one virtual account to another,
// summed up. What comes back is taken off it, so there is one direction between
// two virtual accounts; what is moved onward is a transfer of its own. The lot
// keeps its dates, and counts for who received it only while it is live.
//
// The lot itself stays at its home, and what the upstream says of it holds for
// all its parts: a lot that vanishes takes its transfers along; one that shrinks
// leaves the transfers as they are, so that its home is short.
type LotTransfer struct {
	Lot      Lot
	From, To VirtualAccountID
	Quantity int64
	At       time.Time // of the last movement
}

// part is what a virtual account has of a lot.
type part struct {
	lot      Lot
	quantity int64
}

// partsOf are the parts of live lots that a virtual account can give away, in
// the order in which they are: perpetual first, then the latest end, then by the
// upstream's id.
func partsOf(virtual VirtualAccountID, lots []Lot, transfers []LotTransfer, now time.Time) []part {
	parts := slices.DeleteFunc(allPartsOf(virtual, lots, transfers), func(p part) bool { return !p.lot.liveAt(now) })
	slices.SortFunc(parts, func(a, b part) int {
		return cmp.Or(compareTerms(a.lot, b.lot), cmp.Compare(a.lot.UpstreamID, b.lot.UpstreamID))
	})
	return parts
}

// allPartsOf are the parts that a virtual account has after all transfers, of
// lots that are live, to come or ended, in no order. Of a lot that shrank below
// what was moved away, its home has none.
func allPartsOf(virtual VirtualAccountID, lots []Lot, transfers []LotTransfer) []part {
	byLot := make(map[string]*part, len(lots))
	add := func(lot Lot, quantity int64) {
		if byLot[lot.UpstreamID] == nil {
			byLot[lot.UpstreamID] = &part{lot: lot}
		}
		byLot[lot.UpstreamID].quantity += quantity
	}
	for _, lot := range lots {
		add(lot, lot.Quantity)
	}
	for _, t := range transfers {
		if t.To == virtual {
			add(t.Lot, t.Quantity)
		} else {
			add(t.Lot, -t.Quantity)
		}
	}
	parts := make([]part, 0, len(byLot))
	for _, p := range byLot {
		if p.quantity > 0 {
			parts = append(parts, *p)
		}
	}
	return parts
}

// compareTerms puts perpetual lots first, then those that end last.
func compareTerms(a, b Lot) int {
	if first := a.Type == LicensePerpetual; first != (b.Type == LicensePerpetual) {
		return map[bool]int{true: -1, false: 1}[first]
	}
	if a.End.IsZero() != b.End.IsZero() {
		return map[bool]int{true: -1, false: 1}[a.End.IsZero()]
	}
	return b.End.Compare(a.End)
}

// take is as much of the parts as a quantity needs, of lots of one type where
// that is not "". missing is what they do not have.
func take(parts []part, kind LicenseType, quantity int64) (taken []part, missing int64) {
	for _, p := range parts {
		if quantity == 0 {
			break
		}
		if kind != "" && p.lot.Type != kind {
			continue
		}
		p.quantity = min(p.quantity, quantity)
		quantity -= p.quantity
		taken = append(taken, p)
	}
	return taken, quantity
}

// transfers are the rows of one license that a use case changes.
type transfers map[transferKey]*LotTransfer

type transferKey struct {
	lot      string
	from, to VirtualAccountID
}

func transfersFrom(lists ...[]LotTransfer) transfers {
	rows := transfers{}
	for _, list := range lists {
		for _, t := range list {
			rows[transferKey{t.Lot.UpstreamID, t.From, t.To}] = &t
		}
	}
	return rows
}

// move adds a movement: it takes off what came the other way first.
func (rows transfers) move(lot Lot, from, to VirtualAccountID, quantity int64, now time.Time) {
	if back := rows[transferKey{lot.UpstreamID, to, from}]; back != nil {
		returned := min(back.Quantity, quantity)
		back.Quantity -= returned
		back.At = now
		quantity -= returned
	}
	if quantity == 0 {
		return
	}
	key := transferKey{lot.UpstreamID, from, to}
	if rows[key] == nil {
		rows[key] = &LotTransfer{Lot: lot, From: from, To: to}
	}
	rows[key].Quantity += quantity
	rows[key].At = now
}

// save writes those that differ from what was read.
func (rows transfers) save(tx Tx, before []LotTransfer) error {
	unchanged := transfersFrom(before)
	for _, key := range slices.SortedFunc(maps.Keys(rows), func(a, b transferKey) int {
		return cmp.Or(cmp.Compare(a.lot, b.lot), cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to))
	}) {
		if was := unchanged[key]; was != nil && was.Quantity == rows[key].Quantity {
			continue
		}
		if err := tx.SaveLotTransfer(*rows[key]); err != nil {
			return err
		}
	}
	return nil
}

// Transfer moves licenses from one virtual account to another of its account.
type Transfer struct {
	Tag      string // or a display name that one license of the account alone has
	From, To string // names of virtual accounts; "" is the default one
	Quantity int64
	Type     LicenseType // only of lots of this type; "" is any
}

// maxTransfers bounds what one request moves.
const maxTransfers = 1000

// TransferLicenses moves licenses between virtual accounts of one account, one
// after the other, in one transaction: all of it or nothing.
//
// Only surplus moves: what is available, so neither what devices use, nor what
// is reserved, lent to a lower tier, or borrowed from a higher one. KindConflict
// where there is less, and for a name that several licenses have; KindNotFound
// for an unknown license or virtual account;
// KindInvalid for a quantity, type or number of transfers out of bounds.
func (s *Service) TransferLicenses(ctx context.Context, actor Actor, account AccountID, list []Transfer) error {
	if _, err := actor.sees(account, 0); err != nil {
		return err
	}
	if len(list) < 1 || len(list) > maxTransfers {
		return fail(KindInvalid, "license-transfer-invalid", "From 1 to %d transfers can be made at once, not %d. Nothing was moved.", maxTransfers, len(list))
	}
	now := s.Now()
	return s.update(ctx, actor, now, func(tx Tx, record recorder) error {
		licenses := &licenseNames{tx: tx, account: account}
		for i, t := range list {
			if err := transferLicense(tx, record, actor, licenses, t, now); err != nil {
				return numbered(err, "Transfer", i, len(list))
			}
		}
		return nil
	})
}

func transferLicense(tx Tx, record recorder, actor Actor, licenses *licenseNames, t Transfer, now time.Time) error {
	account := licenses.account
	if t.Quantity < 1 || t.Quantity > 1<<40 || t.Type != "" && t.Type != LicensePerpetual && t.Type != LicenseSubscription && t.Type != LicenseEvaluation {
		return fail(KindInvalid, "license-transfer-invalid", "A transfer moves at least 1 license of any type, or of one of perpetual, subscription and evaluation: not %d of type %q. Nothing was moved.", t.Quantity, clip(string(t.Type)))
	}
	var places [2]VirtualAccount
	for i, name := range []string{t.From, t.To} {
		virtual, err := permittedVirtualAccount(tx, actor, ActionManageLicenses, account, name)
		if err != nil {
			return err
		}
		places[i] = virtual
	}
	if places[0].ID == places[1].ID {
		return fail(KindInvalid, "license-transfer-invalid", "A transfer goes from one virtual account to another, and both are %q. Nothing was moved.", places[0].Name)
	}
	license, err := licenses.find(t.Tag)
	if err != nil {
		return err
	}
	return moveLots(tx, record, license, t.Type, places[0].ID, places[1].ID, t.Quantity, now)
}

func unknownTag(tag string) error {
	return fail(KindNotFound, "license-not-found", "This account has no license with the tag %q.", clip(tag)).hint("`satellite license list` shows the tags.")
}

// moveLicenses moves licenses of any type between two virtual accounts of one
// account within the transaction of another use case. KindConflict where the
// first has less to spare.
func moveLicenses(tx Tx, record recorder, account AccountID, license License, from, to VirtualAccountID, quantity int64, now time.Time) error {
	if license.AccountID != account {
		return unknownTag(license.Tag)
	}
	return moveLots(tx, record, license, "", from, to, quantity, now)
}

func moveLots(tx Tx, record recorder, license License, kind LicenseType, from, to VirtualAccountID, quantity int64, now time.Time) error {
	source := openLedger(tx, record, license.AccountID, from, now)
	row, err := source.pool(license)
	if err != nil {
		return err
	}
	source.count(license)
	lots, err := tx.Lots(from, license.ID)
	if err != nil {
		return err
	}
	before, err := tx.LotTransfers(from, license.ID)
	if err != nil {
		return err
	}
	taken, missing := take(partsOf(from, lots, before, now), kind, quantity)
	names, err := virtualAccountNames(tx, license.AccountID)
	if err != nil {
		return err
	}
	if missing > 0 || quantity > row.Available() {
		return fail(KindConflict, "license-surplus-too-small", "Virtual account %q has %d of %s%s to spare, and %d were to be moved. Nothing was moved.",
			names[from], min(row.Available(), quantity-missing), license.called(), ofType(kind), quantity).
			hint("`satellite license explain TAG --virtual-account NAME` shows what makes this number.")
	}
	rows, said := transfersFrom(before), make([]string, 0, len(taken))
	for _, p := range taken {
		rows.move(p.lot, from, to, p.quantity, now)
		said = append(said, fmt.Sprintf("%d of lot %s", p.quantity, p.lot.UpstreamID))
	}
	if err := rows.save(tx, before); err != nil {
		return err
	}
	for _, ledger := range []*ledger{source, openLedger(tx, record, license.AccountID, to, now)} {
		if err := ledger.recount(license); err != nil {
			return err
		}
		if err := ledger.settle(); err != nil {
			return err
		}
	}
	return record(Event{
		Type: EventLicenseTransferred, AccountID: license.AccountID, VirtualAccount: names[from],
		Message: fmt.Sprintf("%d of %s were moved from virtual account %q to %q: %s.", quantity, license.called(), names[from], names[to], clipRunes(strings.Join(said, ", "), 1000)),
	})
}

func ofType(kind LicenseType) string {
	if kind == "" {
		return ""
	}
	return " (" + string(kind) + ")"
}

func virtualAccountNames(tx Tx, account AccountID) (map[VirtualAccountID]string, error) {
	list, err := tx.VirtualAccounts(account)
	names := make(map[VirtualAccountID]string, len(list))
	for _, v := range list {
		names[v.ID] = v.Name
	}
	return names, err
}

// moveHome moves every lot and transfer of a virtual account, live or not, into
// another one of the account, so that the first can be deleted. What it passed
// on then comes from the other one. What its devices use and what it has
// reserved stays where it is: move that, too, within the same transaction.
func moveHome(tx Tx, record recorder, account AccountID, from, to VirtualAccountID, now time.Time) error {
	pools, err := tx.Pools(PoolFilter{VirtualAccountID: from, Scope: Scope{All: true}})
	if err != nil {
		return err
	}
	moved, licenses, changed := make([]Lot, 0, len(pools)), map[LicenseID]License{}, touched{}
	for _, row := range pools {
		licenses[row.LicenseID] = row.License
		changed.add(from, row.LicenseID)
		changed.add(to, row.LicenseID)
		lots, err := tx.Lots(from, row.LicenseID)
		if err != nil {
			return err
		}
		moved = append(moved, lots...)
		if err := moveTransfers(tx, from, to, row.LicenseID, changed, now); err != nil {
			return err
		}
	}
	if err := tx.MoveLots(from, to); err != nil {
		return err
	}
	for _, virtual := range slices.Sorted(maps.Keys(changed)) {
		ledger := openLedger(tx, record, account, virtual, now)
		for license := range changed[virtual] {
			if err := ledger.recount(licenses[license]); err != nil {
				return err
			}
		}
		if err := ledger.settle(); err != nil {
			return err
		}
	}
	return tellHome(tx, record, account, licenses, moved, from, to, now)
}

// moveTransfers gives the transfers of one virtual account to another one. Where
// they meet others that went the other way, both end, also for a third one.
func moveTransfers(tx Tx, from, to VirtualAccountID, license LicenseID, changed touched, now time.Time) error {
	gone, err := tx.LotTransfers(from, license)
	if err != nil {
		return err
	}
	others, err := tx.LotTransfers(to, license)
	if err != nil {
		return err
	}
	before := slices.Concat(gone, others)
	rows := transfersFrom(before)
	for _, t := range gone {
		rows[transferKey{t.Lot.UpstreamID, t.From, t.To}].Quantity = 0
	}
	for _, t := range gone {
		changed.add(t.From, license)
		changed.add(t.To, license)
		if t.From == from {
			t.From = to
		} else {
			t.To = to
		}
		if t.From != t.To {
			rows.move(t.Lot, t.From, t.To, t.Quantity, now)
		}
	}
	return rows.save(tx, before)
}

// tellHome brings the alerts of moved lots along, and records that they were moved.
func tellHome(tx Tx, record recorder, account AccountID, licenses map[LicenseID]License, moved []Lot, from, to VirtualAccountID, now time.Time) error {
	if len(moved) == 0 {
		return nil
	}
	for _, lot := range moved {
		if kind, _ := lot.alertAt(now); kind == "" {
			continue
		}
		lot.VirtualAccountID = to
		if err := remindOfLot(tx, record, lot, licenses[lot.LicenseID], now); err != nil {
			return err
		}
	}
	names, err := virtualAccountNames(tx, account)
	if err != nil {
		return err
	}
	return record(Event{
		Type: EventLicenseTransferred, AccountID: account, VirtualAccount: names[from],
		Message: fmt.Sprintf("All licenses of virtual account %q (%d lots) were moved to %q.", names[from], len(moved), names[to]),
	})
}
