package satellite

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"ssm/satellite/wire"
)

// ReservationID identifies a reservation within this satellite.
type ReservationID int64

// ReservationState is where a reservation is in its life.
type ReservationState string

// The states of a reservation. Until an update is confirmed by the device's
// code, each license reserves the larger of old and new.
const (
	ReservationStanding ReservationState = "reserved"
	ReservationUpdating ReservationState = "update pending"
	ReservationReturned ReservationState = "returned"
)

// Reservation is what a device that never talks may use. There is one standing
// reservation of a device at most.
type Reservation struct {
	ID               ReservationID
	AccountID        AccountID
	VirtualAccountID VirtualAccountID
	InstanceID       InstanceID
	PIID             string
	UDIPID           string
	UDISerialNumber  string
	Type             wire.ReservationKind
	State            ReservationState
	DeviceKey        string // public key of the request code

	Authorization ReservationAuthorization // what the device holds, or is to install first
	Update        ReservationAuthorization // not confirmed yet; zero where there is none

	CreatedAt   time.Time
	CreatedBy   string
	ConfirmedAt time.Time // last time that a confirmation code was entered; zero: never
	ReturnedAt  time.Time
}

// ReservationAuthorization is what the satellite handed out for a device.
type ReservationAuthorization struct {
	Key    string // public key that was made for it
	Secret []byte // that it has in common with the device; sealed
	Text   string // the signed line, or the universal authorization code
	At     time.Time
	Items  []ReservedItem // none of a universal reservation, which covers everything
}

// ReservedItem is a number of licenses with one term.
type ReservedItem struct {
	LicenseID      LicenseID
	Tag            string
	Name           string
	Description    string
	Type           LicenseType
	Count          int64
	Start          time.Time
	End            time.Time // zero: never ends
	SubscriptionID string
}

// liveAt tells whether the item still counts as reserved.
func (i ReservedItem) liveAt(now time.Time) bool { return i.End.IsZero() || now.Before(i.End) }

// ReservedRow is an item of a standing reservation, as a pool counts it.
type ReservedRow struct {
	ReservationID ReservationID
	Update        bool // of an update that is not confirmed yet
	ReservedItem
}

// reservedAt is what the rows of one license reserve at an instant, and the
// next instant at which that changes by itself (zero: never): of each
// reservation the larger of what stands and its update.
func reservedAt(rows []ReservedRow, now time.Time) (sum int64, until time.Time) {
	type sides struct{ standing, update int64 }
	reservations := map[ReservationID]sides{}
	for _, row := range rows {
		if !row.liveAt(now) {
			continue
		}
		if !row.End.IsZero() && (until.IsZero() || row.End.Before(until)) {
			until = row.End
		}
		s := reservations[row.ReservationID]
		if row.Update {
			s.update += row.Count
		} else {
			s.standing += row.Count
		}
		reservations[row.ReservationID] = s
	}
	for _, s := range reservations {
		sum += max(s.standing, s.update)
	}
	return sum, until
}

// countReserved sets what standing reservations keep of a pool at an instant.
func countReserved(tx Tx, pool *Pool, now time.Time) error {
	rows, err := tx.ReservedItems(pool.VirtualAccountID, pool.LicenseID)
	if err != nil {
		return err
	}
	reserved, until := reservedAt(rows, now)
	pool.Reserved = reserved
	if !until.IsZero() && (pool.PurchasedUntil.IsZero() || until.Before(pool.PurchasedUntil)) {
		pool.PurchasedUntil = until
	}
	return nil
}

// Device names the device in messages.
func (r Reservation) Device() string {
	return fmt.Sprintf("device %s, serial number %s", clip(r.UDIPID), clip(r.UDISerialNumber))
}

// rows are the items of the reservation, as pools count them.
func (r Reservation) rows() (rows []ReservedRow) {
	for i, items := range [][]ReservedItem{r.Authorization.Items, r.Update.Items} {
		for _, item := range items {
			rows = append(rows, ReservedRow{ReservationID: r.ID, Update: i == 1, ReservedItem: item})
		}
	}
	return rows
}

// reserved is what the reservation keeps of each license at an instant.
func (r Reservation) reserved(now time.Time) map[LicenseID]int64 {
	byLicense := map[LicenseID][]ReservedRow{}
	for _, row := range r.rows() {
		byLicense[row.LicenseID] = append(byLicense[row.LicenseID], row)
	}
	counts := map[LicenseID]int64{}
	for license, rows := range byLicense {
		if r.State == ReservationReturned {
			continue
		}
		counts[license], _ = reservedAt(rows, now)
	}
	return counts
}

// binding is what the codes of an authorization are bound to.
func (r Reservation) binding(a ReservationAuthorization) wire.ReservationBinding {
	return wire.ReservationBinding{PID: r.UDIPID, SerialNumber: r.UDISerialNumber, Key: a.Key}
}

// allocate gives a number of licenses their terms, from the parts of lots that
// no other reservation has, in the order of the parts: those that never end
// first, then those that end last. What no lot covers, of a license that is only
// reported, never ends.
func allocate(license License, parts []part, others []ReservedRow, count int64, now time.Time) (items []ReservedItem) {
	taken := map[int64]int64{} // by end: what the others have
	for _, p := range parts {
		end := p.lot.End.UnixMicro()
		if _, known := taken[end]; !known {
			taken[end], _ = reservedAt(slices.DeleteFunc(slices.Clone(others), func(r ReservedRow) bool { return !r.End.Equal(p.lot.End) }), now)
		}
	}
	add := func(item ReservedItem, n int64) {
		if n > 0 {
			item.LicenseID, item.Tag, item.Name, item.Description, item.Count = license.ID, license.Tag, license.Name, license.Description, n
			items = append(items, item)
			count -= n
		}
	}
	for _, p := range parts {
		end := p.lot.End.UnixMicro()
		others := min(taken[end], p.quantity)
		taken[end] -= others
		add(ReservedItem{Type: p.lot.Type, Start: p.lot.Start, End: p.lot.End, SubscriptionID: p.lot.SubscriptionID}, min(p.quantity-others, count))
	}
	add(ReservedItem{Type: license.Type}, count)
	return items
}

// reservedParts are the reservations that make what is reserved of a license,
// as an explanation lists them.
func reservedParts(rows []ReservedRow, now time.Time) (parts []Part) {
	ids := map[ReservationID]bool{}
	for _, row := range rows {
		ids[row.ReservationID] = true
	}
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		own := slices.DeleteFunc(slices.Clone(rows), func(r ReservedRow) bool { return r.ReservationID != id })
		count, _ := reservedAt(own, now)
		text := fmt.Sprintf("reservation %d", id)
		if slices.ContainsFunc(own, func(r ReservedRow) bool { return r.Update }) {
			text += ", the larger of what stands and an update that is not confirmed"
		}
		for _, row := range own {
			switch {
			case row.End.IsZero():
			case row.liveAt(now):
				text += fmt.Sprintf("; %d of it until %s", row.Count, stamp(row.End))
			default:
				text += fmt.Sprintf("; %d, which ended on %s, count no more", row.Count, stamp(row.End))
			}
		}
		parts = append(parts, Part{count, text})
	}
	return parts
}

// unreserved refuses what a device with a standing reservation cannot do.
func unreserved(tx Tx, pid, serialNumber, refused string) error {
	standing, err := tx.ReservationByUDI(pid, serialNumber)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return fail(KindConflict, "device-reserved", "The %s has a reservation (number %d, since %s), so %s. Nothing was changed.", standing.Device(), standing.ID, stamp(standing.CreatedAt), refused).
		hint("Return the reservation first: `license smart reservation return` on the device gives the return code.")
}

// adoptReserved finds the record that a reservation made for a device whose
// software was not known then, and notes the software; ID 0 where there is none.
func adoptReserved(tx Tx, account Account, identity Identity) (Instance, error) {
	known, err := tx.InstancesByUDI(identity.UDIPID, identity.UDISerialNumber)
	for _, instance := range known {
		if instance.SoftwareTag == "" && instance.AccountID == account.ID {
			instance.SoftwareTag = identity.SoftwareTag
			return instance, tx.SaveInstance(instance)
		}
	}
	return Instance{}, err
}

// unreservedUse is what a reported count draws on the pool: what the device has
// reserved is kept for it already.
func unreservedUse(tx Tx, key ReportKey, count int64, now time.Time) (int64, error) {
	r, err := tx.ReservationByUDI(key.UDIPID, key.UDISerialNumber)
	if isNotFound(err) {
		return count, nil
	}
	if err != nil || r.Type == wire.ReservationUniversal {
		return 0, err
	}
	own := slices.DeleteFunc(r.rows(), func(row ReservedRow) bool { return row.Tag != key.Tag })
	reserved, _ := reservedAt(own, now)
	return max(0, count-reserved), nil
}

// codeRefused is the refusal of a text that is not the code that was expected.
func codeRefused(err error, device string) error {
	var problem *wire.CodeError
	if !errors.As(err, &problem) {
		return err
	}
	if device != "" {
		device = " of " + device
	}
	return fail(KindInvalid, "reservation-code-invalid", "The %s%s was expected, and %v. Nothing was changed.", problem.Expected, device, err).
		hint("Show the code on the device again, and copy it from there.")
}

// codeMismatch is the refusal of a code that is whole, and of something else.
func codeMismatch(kind wire.CodeKind, r Reservation) error {
	return fail(KindConflict, "reservation-code-mismatch", "The %s of %s was expected, and this one is of another device or of another authorization. Nothing was changed.", kind, r.Device()).
		hint("Compare product id and serial number, and show the code on that device again.")
}

// PreviewReservation is what a request code says. KindInvalid.
func (s *Service) PreviewReservation(_ context.Context, actor Actor, code string) (wire.ReservationRequest, error) {
	if actor.Role == "" {
		return wire.ReservationRequest{}, actor.refused(ActionManageReservations)
	}
	request, err := wire.ReadReservationRequest(code)
	return request, codeRefused(err, "")
}

// ReservationFilter selects reservations. Zero fields select all.
type ReservationFilter struct {
	AccountID        AccountID
	VirtualAccountID VirtualAccountID
	Scope            Scope
}

// Reservations lists reservations, newest first, returned ones included.
func (s *Service) Reservations(ctx context.Context, actor Actor, filter ReservationFilter, page Page) (list []Reservation, err error) {
	if filter.Scope, err = actor.sees(filter.AccountID, filter.VirtualAccountID); err != nil {
		return nil, err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		list, err = tx.Reservations(filter, page.bounded())
		return err
	})
	return list, err
}

// ReservationQuery names a reservation: by its ID, or the standing one of a
// device by product id and serial number.
type ReservationQuery struct {
	ID              ReservationID
	UDIPID          string
	UDISerialNumber string
}

// FindReservation returns one reservation. KindNotFound, also for one that the
// actor may not see.
func (s *Service) FindReservation(ctx context.Context, actor Actor, query ReservationQuery) (r Reservation, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		r, err = findReservation(tx, actor, query, ActionRead)
		return err
	})
	return r, err
}

// findReservation finds a reservation for who may do the action with it.
func findReservation(tx Tx, actor Actor, query ReservationQuery, action Action) (r Reservation, err error) {
	if actor.Role == "" {
		return r, actor.refused(action)
	}
	if query.ID != 0 {
		r, err = tx.Reservation(query.ID)
	} else {
		r, err = tx.ReservationByUDI(query.UDIPID, query.UDISerialNumber)
	}
	if err != nil && !isNotFound(err) {
		return r, err
	}
	if err != nil || !actor.MayIn(ActionRead, r.AccountID, r.VirtualAccountID) {
		return Reservation{}, fail(KindNotFound, "reservation-not-found", "There is no such reservation. Nothing was changed.").hint("`satellite reservation list` shows those that exist.")
	}
	return r, actor.mayIn(action, r.AccountID, r.VirtualAccountID)
}
