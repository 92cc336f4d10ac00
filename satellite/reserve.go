package satellite

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ssm/satellite/wire"
)

// NewReservation is what Reserve needs.
type NewReservation struct {
	AccountID      AccountID
	VirtualAccount string // "" is the default one
	Code           string // request code of the device
	Type           wire.ReservationKind
	Licenses       []ReservedLicense // none for a universal one
}

// ReservedLicense is how many of a license to reserve.
type ReservedLicense struct {
	Tag   string
	Count int64
}

// secretPurpose seals the secrets of reservations.
const secretPurpose = "reservation secret"

// What one request reserves is bounded: it is one transaction, and the devices
// wait for it 5 to 10 ms for each reservation.
const (
	maxReservations     = 20
	maxReservedLicenses = 1000
)

// Reserve reserves licenses for a device that never talks, and makes the
// authorization that is to be installed on it. Type may be left empty: it is
// what the request code asks for. The same request code with the same licenses
// is a repeat: it changes nothing and gives the reservation that stands.
//
// KindInvalid for a code that is mistyped or another one, or licenses that
// cannot be meant; KindConflict where the surplus of the virtual account does
// not suffice, the device has a reservation or is registered, or the account is
// not registered upstream; KindNotFound for a license, account or virtual account.
func (s *Service) Reserve(ctx context.Context, actor Actor, n NewReservation) (Reservation, error) {
	list, err := s.ReserveAll(ctx, actor, []NewReservation{n})
	if err != nil {
		return Reservation{}, err
	}
	return list[0], nil
}

// ReserveAll is Reserve for up to 20 devices with up to 1000 licenses in all,
// one device after the other, in one transaction: all of it or nothing.
func (s *Service) ReserveAll(ctx context.Context, actor Actor, list []NewReservation) ([]Reservation, error) {
	if actor.Role == "" {
		return nil, actor.refused(ActionManageReservations)
	}
	licenses := 0
	for _, n := range list {
		licenses += len(n.Licenses)
	}
	if len(list) < 1 || len(list) > maxReservations || len(list) > 1 && licenses > maxReservedLicenses {
		return nil, fail(KindInvalid, "reservations-invalid", "From 1 to %d reservations with at most %d licenses can be made at once, not %d with %d. Nothing was reserved.",
			maxReservations, maxReservedLicenses, len(list), licenses)
	}
	now := s.Now()
	work := make([]reserving, len(list))
	for i, n := range list {
		var err error
		if work[i], err = s.newReserving(actor, n, now); err != nil {
			return nil, numbered(err, "Reservation", i, len(list))
		}
	}
	return s.makeAuthorizations(ctx, actor, now, work)
}

// newReserving judges what is asked for a device, without a look at the store.
func (s *Service) newReserving(actor Actor, n NewReservation, now time.Time) (w reserving, err error) {
	request, err := wire.ReadReservationRequest(n.Code)
	if err != nil {
		return w, codeRefused(err, "")
	}
	if n.Type != "" && n.Type != request.Kind {
		return w, fail(KindConflict, "reservation-type-mismatch", "The request code asks for a %s reservation, and a %s one was chosen. Nothing was reserved.", request.Kind, clip(string(n.Type))).
			hint("Reserve what the code asks for, or cancel the request on the device and make another one.")
	}
	if err := checkReserved(request.Kind, n.Licenses); err != nil {
		return w, err
	}
	w = reserving{service: s, actor: actor, now: now, licenses: n.Licenses, virtual: n.VirtualAccount, fresh: Reservation{
		AccountID: n.AccountID, PIID: s.randomUUID(), UDIPID: request.PID, UDISerialNumber: request.SerialNumber, Type: request.Kind,
		State: ReservationStanding, DeviceKey: request.Key, CreatedAt: now, CreatedBy: actor.Name,
	}}
	err = w.makeKey(request.Key)
	return w, err
}

// UpdateReservation changes what is reserved for a device, to all of licenses,
// and makes the authorization that is to be installed on it. Until
// ConfirmReservation, each license reserves the larger of old and new.
//
// KindConflict for a universal reservation, one that is returned, one whose
// last update is not confirmed, and where the surplus does not suffice;
// KindInvalid; KindNotFound.
func (s *Service) UpdateReservation(ctx context.Context, actor Actor, id ReservationID, licenses []ReservedLicense) (r Reservation, err error) {
	w := reserving{service: s, actor: actor, now: s.Now(), licenses: licenses, update: id}
	err = s.store.View(ctx, func(tx Tx) error {
		r, err = w.place(tx)
		return err
	})
	if err != nil {
		return Reservation{}, err
	}
	if err := w.makeKey(r.DeviceKey); err != nil {
		return Reservation{}, err
	}
	list, err := s.makeAuthorizations(ctx, actor, w.now, []reserving{w})
	if err != nil {
		return Reservation{}, err
	}
	return list[0], nil
}

// changeReserved moves the counters of the pools from what the reservation
// keeps before to what it keeps after; save writes the reservation. KindConflict
// where there is too little surplus.
func changeReserved(tx Tx, record recorder, before, after Reservation, now time.Time, save func() error) error {
	ledger := openLedger(tx, record, before.AccountID, before.VirtualAccountID, now)
	had, has := before.reserved(now), after.reserved(now)
	changed := map[LicenseID]License{}
	for _, row := range append(before.rows(), after.rows()...) {
		if _, known := changed[row.LicenseID]; known {
			continue
		}
		license, err := tx.LicenseByTag(before.AccountID, row.Tag)
		if err != nil {
			return err
		}
		changed[row.LicenseID] = license
		if err := ledger.reserve(license, has[row.LicenseID]-had[row.LicenseID]); err != nil {
			return err
		}
	}
	if err := save(); err != nil {
		return err
	}
	for _, license := range changed {
		if err := ledger.recount(license); err != nil {
			return err
		}
	}
	return ledger.settle()
}

// itemsText says what items are, to people.
func itemsText(items []ReservedItem) string {
	if len(items) == 0 {
		return "everything"
	}
	parts := make([]string, 0, len(items))
	for i, item := range items {
		if i == 10 {
			return strings.Join(parts, ", ") + fmt.Sprintf(", and %d more", len(items)-i)
		}
		part := fmt.Sprintf("%d of %s", item.Count, clip(item.Tag))
		if !item.End.IsZero() {
			part += " until " + stamp(item.End)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

// recordReservation records what happened to a reservation.
func recordReservation(tx Tx, record recorder, event EventType, r Reservation, message string) error {
	virtual, err := virtualAccountName(tx, r.AccountID, r.VirtualAccountID)
	if err != nil {
		return err
	}
	return record(Event{Type: event, AccountID: r.AccountID, VirtualAccount: virtual, PIID: r.PIID, Message: message})
}

// updatable tells whether the reservation can be changed to these licenses.
func (r Reservation) updatable(licenses []ReservedLicense) error {
	switch {
	case r.State == ReservationReturned:
		return r.isReturned()
	case r.Type == wire.ReservationUniversal:
		return fail(KindConflict, "reservation-universal", "The reservation of %s is universal: it covers everything, and there is nothing to change. Nothing was changed.", r.Device())
	case r.State == ReservationUpdating:
		return fail(KindConflict, "reservation-update-pending", "The last update of the reservation of %s is not confirmed. Nothing was changed.", r.Device()).
			hint("Install its authorization on the device, and enter the confirmation code that the device shows.")
	}
	return checkReserved(r.Type, licenses)
}

func (r Reservation) isReturned() error {
	return fail(KindConflict, "reservation-returned", "The reservation of %s was returned on %s. Nothing was changed.", r.Device(), stamp(r.ReturnedAt)).
		hint("Make a new one with a new request code of the device.")
}

// checkReserved bounds what is to be reserved.
func checkReserved(kind wire.ReservationKind, licenses []ReservedLicense) error {
	if kind == wire.ReservationUniversal {
		if len(licenses) > 0 {
			return fail(KindInvalid, "reservation-licenses-invalid", "The request code asks for a universal reservation, which covers everything: no license is chosen for it. Nothing was reserved.")
		}
		return nil
	}
	seen := map[string]bool{}
	for _, l := range licenses {
		if l.Tag == "" || len(l.Tag) > maxTag || l.Count < 1 || l.Count > 1<<31 || seen[l.Tag] {
			return fail(KindInvalid, "reservation-licenses-invalid", "The license %q cannot be reserved like this: each tag is named once, with a count of 1 to 2147483648. Nothing was reserved.", clip(l.Tag))
		}
		seen[l.Tag] = true
	}
	if len(licenses) < 1 || len(licenses) > maxReservedLicenses {
		return fail(KindInvalid, "reservation-licenses-invalid", "A %s reservation has 1 to %d licenses, and %d were named. Nothing was reserved.", kind, maxReservedLicenses, len(licenses)).
			hint("To give everything back, let the device return its reservation.")
	}
	return nil
}

// nextAt is the time of the next authorization: later, in milliseconds, than the one before.
func (r Reservation) nextAt(now time.Time) time.Time {
	now = now.Truncate(time.Millisecond)
	if before := r.Authorization.At; !now.After(before) {
		return before.Add(time.Millisecond)
	}
	return now
}

// writeAuthorization is the text that the device installs.
func (s *Service) writeAuthorization(authority Authority, r Reservation, a ReservationAuthorization, secret wire.ReservationSecret) (string, error) {
	if r.Type == wire.ReservationUniversal {
		return secret.UniversalCode(r.binding(a)), nil
	}
	signer, err := s.issuer.Signer(authority)
	if err != nil {
		return "", fmt.Errorf("open the signer of account %d: %w", r.AccountID, err)
	}
	signed := wire.ReservationAuthorization{
		Kind: r.Type, Key: a.Key, DeviceKey: r.DeviceKey, PIID: r.PIID, Timestamp: wire.Milliseconds(a.At), PID: r.UDIPID, SerialNumber: r.UDISerialNumber,
	}
	for _, item := range a.Items {
		e := wire.ReservedEntitlement{
			Tag: item.Tag, Count: item.Count, Start: item.Start, End: item.End, LicenseType: wire.LicensePerpetual,
			Name: item.Name, Description: item.Description, SubscriptionID: item.SubscriptionID,
		}
		if !item.End.IsZero() {
			e.LicenseType = wire.LicenseTerm
		}
		signed.Entitlements = append(signed.Entitlements, e)
	}
	return wire.WriteAuthorization(signer, signed)
}

// reservedItems gives the licenses their terms, in the order of their tags.
func reservedItems(tx Tx, r Reservation, licenses []ReservedLicense, now time.Time) (items []ReservedItem, err error) {
	for _, wanted := range slices.SortedFunc(slices.Values(licenses), func(a, b ReservedLicense) int { return cmp.Compare(a.Tag, b.Tag) }) {
		license, err := tx.LicenseByTag(r.AccountID, wanted.Tag)
		if isNotFound(err) {
			return nil, unknownTag(wanted.Tag)
		}
		if err != nil {
			return nil, err
		}
		lots, err := tx.Lots(r.VirtualAccountID, license.ID)
		if err != nil {
			return nil, err
		}
		transfers, err := tx.LotTransfers(r.VirtualAccountID, license.ID)
		if err != nil {
			return nil, err
		}
		others, err := tx.ReservedItems(r.VirtualAccountID, license.ID)
		if err != nil {
			return nil, err
		}
		others = slices.DeleteFunc(others, func(row ReservedRow) bool { return row.ReservationID == r.ID })
		items = append(items, allocate(license, partsOf(r.VirtualAccountID, lots, transfers, now), others, wanted.Count, now)...)
	}
	return items, nil
}

// findDevice judges whether the device can get a reservation in its virtual
// account, and finds its record.
func (r *Reservation) findDevice(tx Tx) error {
	if err := unreserved(tx, r.UDIPID, r.UDISerialNumber, "it cannot get another one"); err != nil {
		return err
	}
	known, err := tx.InstancesByUDI(r.UDIPID, r.UDISerialNumber)
	if err != nil {
		return err
	}
	for _, instance := range known {
		switch {
		case instance.AccountID != r.AccountID:
			return fail(KindConflict, "device-of-another-account", "The %s is known in another account of this satellite. Nothing was reserved.", r.Device()).hint("Deregister or remove it there first.")
		case instance.RegistrationState != Unregistered:
			return fail(KindConflict, "device-registered", "The %s is registered: it gets its licenses by talking. Nothing was reserved.", r.Device()).hint("Deregister the device, or remove it, first.")
		case instance.VirtualAccountID != r.VirtualAccountID:
			name, err := virtualAccountName(tx, r.AccountID, r.VirtualAccountID)
			if err != nil {
				return err
			}
			return fail(KindConflict, "reservation-elsewhere", "The %s is in another virtual account than %q. Nothing was reserved.", r.Device(), name).hint("Reserve there, or transfer the device first.")
		}
		r.InstanceID, r.PIID = instance.ID, instance.PIID
	}
	return nil
}

// reserveDevice notes the reservation in the device's record, and makes the
// record of one that is not known yet.
func (r Reservation) reserveDevice(tx Tx, now time.Time) (InstanceID, error) {
	if r.InstanceID != 0 {
		instance, err := tx.Instance(r.PIID)
		if err != nil {
			return 0, err
		}
		instance.AuthorizationState = AuthorizedReserved
		return instance.ID, tx.SaveInstance(instance)
	}
	instance, err := tx.CreateInstance(Instance{
		PIID: r.PIID, AccountID: r.AccountID, VirtualAccountID: r.VirtualAccountID, Identity: Identity{UDIPID: r.UDIPID, UDISerialNumber: r.UDISerialNumber},
		RegistrationState: Unregistered, AuthorizationState: AuthorizedReserved, LastContactAt: now,
	})
	return instance.ID, err
}
