package satellite

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"ssm/satellite/wire"
)

// touched are the licenses of each virtual account whose pools a response changes.
type touched map[VirtualAccountID]map[LicenseID]bool

func (t touched) add(virtual VirtualAccountID, license LicenseID) {
	if t[virtual] == nil {
		t[virtual] = map[LicenseID]bool{}
	}
	t[virtual][license] = true
}

// applyLots makes the account's licenses and lots what the response says, and
// settles every pool that changes by that. A lot that is known stays in the
// virtual account where it is, and what was moved of it stays moved; a new one
// comes into the default one. Where a lot vanishes, so does what was moved of it.
func (r *response) applyLots(tx Tx, record recorder) error {
	pools := touched{}
	licenses, err := r.applyEntitlements(tx, record, pools)
	if err != nil {
		return err
	}
	before, err := tx.LotsOf(r.account.ID)
	if err != nil {
		return err
	}
	lots, err := r.lotsAfter(tx, before, licenses)
	if err != nil {
		return err
	}
	for _, lot := range slices.Concat(before, lots) {
		pools.add(lot.VirtualAccountID, lot.LicenseID)
	}
	if err := dropTransfers(tx, r.account.ID, lots, pools); err != nil {
		return err
	}
	if err := tx.ReplaceLots(r.account.ID, lots); err != nil {
		return err
	}
	byID := map[LicenseID]License{}
	for _, l := range licenses {
		byID[l.ID] = l
	}
	for _, id := range slices.Sorted(maps.Keys(pools)) {
		ledger := openLedger(tx, record, r.account.ID, id, r.now)
		ledger.because = r.because
		for license := range pools[id] {
			if err := ledger.recount(byID[license]); err != nil {
				return err
			}
		}
		if err := ledger.settle(); err != nil {
			return err
		}
	}
	return remindOfChanges(tx, record, before, lots, byID, r.now)
}

// lotsAfter are the lots of the response, each at its home.
func (r *response) lotsAfter(tx Tx, before []Lot, licenses []License) ([]Lot, error) {
	home, err := findVirtualAccount(tx, r.account.ID, "")
	if err != nil {
		return nil, err
	}
	byTag, homes := map[string]LicenseID{}, map[string]VirtualAccountID{}
	for _, l := range licenses {
		byTag[l.Tag] = l.ID
	}
	for _, lot := range before {
		homes[lot.UpstreamID] = lot.VirtualAccountID
	}
	lots := make([]Lot, 0, len(r.lots))
	for _, l := range r.lots {
		lot := Lot{
			UpstreamID: l.id, AccountID: r.account.ID, VirtualAccountID: cmp.Or(homes[l.id], home.ID), LicenseID: byTag[l.Tag],
			Type: LicenseType(l.Type), Quantity: l.Quantity, Start: l.Start.UTC().Truncate(time.Microsecond),
			Order: clipRunes(l.Order, 255), SubscriptionID: clipRunes(l.SubscriptionID, 255),
		}
		if l.End != nil {
			lot.End = l.End.UTC().Truncate(time.Microsecond)
		}
		lots = append(lots, lot)
	}
	return lots, nil
}

// dropTransfers removes the transfers of lots that are no more, and touches the
// pools of all of them: the dates of the others may have changed.
func dropTransfers(tx Tx, account AccountID, lots []Lot, pools touched) error {
	transfers, err := tx.LotTransfersOf(account)
	if err != nil || len(transfers) == 0 {
		return err
	}
	licenses := make(map[string]LicenseID, len(lots))
	for _, lot := range lots {
		licenses[lot.UpstreamID] = lot.LicenseID
	}
	for _, t := range transfers {
		pools.add(t.From, t.Lot.LicenseID)
		pools.add(t.To, t.Lot.LicenseID)
		if licenses[t.Lot.UpstreamID] == t.Lot.LicenseID {
			continue
		}
		t.Quantity = 0
		if err := tx.SaveLotTransfer(t); err != nil {
			return err
		}
	}
	return nil
}

// remindOfChanges brings the alerts about the ends of those lots up to date that
// the response has changed; the daily job does the rest.
func remindOfChanges(tx Tx, record recorder, before, after []Lot, licenses map[LicenseID]License, now time.Time) error {
	lots := make(map[string]Lot, len(before))
	for _, lot := range before {
		lots[lot.UpstreamID] = lot
	}
	var changed []Lot
	for _, lot := range after {
		old := lots[lot.UpstreamID]
		delete(lots, lot.UpstreamID)
		was, _ := old.alertAt(now)
		is, _ := lot.alertAt(now)
		if old != lot && (was != "" || is != "") {
			changed = append(changed, lot)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(lots)) {
		gone := lots[id]
		if was, _ := gone.alertAt(now); was != "" {
			gone.Quantity = 0
			changed = append(changed, gone)
		}
	}
	for _, lot := range changed {
		if err := remindOfLot(tx, record, lot, licenses[lot.LicenseID], now); err != nil {
			return err
		}
	}
	return nil
}

// applyEntitlements makes the account's licenses what the upstream says of them,
// and touches the pools whose numbers mean something else by that.
func (r *response) applyEntitlements(tx Tx, record recorder, pools touched) ([]License, error) {
	for _, l := range r.lots {
		if _, known := r.entitlements[l.Tag]; !known {
			return nil, fail(KindInvalid, "sync-file-malformed", "The response has lots of %q and does not say what that is. Nothing was changed.", clip(l.Tag))
		}
	}
	before, err := tx.LicensesOf(r.account.ID)
	if err != nil {
		return nil, err
	}
	for _, tag := range slices.Sorted(maps.Keys(r.entitlements)) {
		if err := r.license(tx, tag); err != nil {
			return nil, err
		}
	}
	licenses, err := tx.LicensesOf(r.account.ID)
	if err != nil {
		return nil, err
	}
	after := families(licenses)
	for i, l := range after {
		if l != licenses[i] {
			if err := tx.SaveLicense(l); err != nil {
				return nil, err
			}
		}
	}
	return after, redefine(tx, record, r.account.ID, before, after, pools, r.now)
}

// redefine touches the pools of licenses whose rules have changed. The tiers that
// they borrowed from, or do so now, have lots or transfers, so that they and
// their families are counted anyway. An alert about a refusal ends with the rule
// that refused.
func redefine(tx Tx, record recorder, account AccountID, before, after []License, pools touched, now time.Time) error {
	was := make(map[LicenseID]License, len(before))
	for _, l := range before {
		was[l.ID] = l
	}
	changed := map[LicenseID]bool{}
	for _, l := range after {
		old, known := was[l.ID]
		if known && old.rules() == l.rules() && old.Family == l.Family {
			continue
		}
		changed[l.ID] = true
		if !known || old.rules() == l.rules() {
			continue
		}
		if err := record(Event{Type: EventLicenseRedefined, AccountID: account, Message: fmt.Sprintf("The upstream says of %s now: %s; before: %s.", l.called(), l.rules(), old.rules())}); err != nil {
			return err
		}
		if l.Enforcement == Unenforced && old.Enforcement != Unenforced {
			if err := forgive(tx, record, l, now); err != nil {
				return err
			}
		}
	}
	if len(changed) == 0 {
		return nil
	}
	rows, err := tx.Pools(PoolFilter{AccountID: account, Scope: Scope{All: true}})
	for _, row := range rows {
		if changed[row.LicenseID] {
			pools.add(row.VirtualAccountID, row.LicenseID)
		}
	}
	return err
}

// rules says to a person what decides how the license is counted and refused.
func (l License) rules() string {
	words := []string{string(l.Enforcement)}
	if l.ReportingOnly {
		words = append(words, "reporting only")
	}
	if l.Overage {
		words = append(words, "overage allowed")
	}
	if l.HigherTier != "" {
		words = append(words, "below "+l.HigherTier)
	}
	return strings.Join(words, ", ")
}

// forgive closes the alerts about devices that were refused a license which is
// not enforced any more.
func forgive(tx Tx, record recorder, license License, now time.Time) error {
	filter := AlertFilter{AccountID: license.AccountID, Type: AlertRestrictedNotAvailable, Scope: Scope{All: true}}
	for page := (Page{Limit: 1000}); ; {
		alerts, err := tx.Alerts(filter, page)
		if err != nil {
			return err
		}
		for _, a := range alerts {
			page.After = a.ID
			if !strings.HasSuffix(a.Key, "\t"+license.Tag) {
				continue
			}
			if err := settled(tx, record, a.AccountID, a.Type, a.Key, "the license is not enforced any more.", now); err != nil {
				return err
			}
		}
		if len(alerts) < page.Limit {
			return nil
		}
	}
}

// license makes the account's license of a tag what the upstream says of it.
func (r *response) license(tx Tx, tag string) error {
	license, err := tx.LicenseByTag(r.account.ID, tag)
	known := r.entitlements[tag]
	want := License{
		ID: license.ID, AccountID: r.account.ID, Tag: tag, Name: clipRunes(known.Name, 255), Description: clipRunes(known.Description, 1000),
		Type: LicenseType(known.Type), Enforcement: Enforcement(known.Enforcement), Billing: Billing(known.Billing),
		ReportingOnly: known.ReportingOnly, Overage: known.Overage, HigherTier: known.HigherTier, Family: license.Family,
	}
	switch {
	case isNotFound(err):
		_, err = tx.CreateLicense(want)
		return err
	case err != nil:
		return err
	case want != license:
		return tx.SaveLicense(want)
	}
	return nil
}

// checkEntitlement accepts only words that the rules know: what a license means
// is never guessed.
func checkEntitlement(e wire.EntitlementRecord) error {
	if !knownType(e.Type) ||
		!slices.Contains([]Enforcement{Unenforced, Enforced, ExportControlled}, Enforcement(e.Enforcement)) ||
		!slices.Contains([]Billing{BillingPrepaid, BillingUsage}, Billing(e.Billing)) || len(e.HigherTier) > maxTag {
		return fmt.Errorf("%w: an entitlement of type %q, enforcement %q, billing %q", wire.ErrMalformed, clip(e.Type), clip(e.Enforcement), clip(e.Billing))
	}
	return nil
}

func knownType(t string) bool {
	return slices.Contains([]LicenseType{LicensePerpetual, LicenseSubscription, LicenseEvaluation}, LicenseType(t))
}
