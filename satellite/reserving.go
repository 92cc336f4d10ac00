package satellite

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"time"

	"ssm/satellite/wire"
)

// reserving is an authorization that is being made: for a new reservation, or
// as the update of one.
type reserving struct {
	service  *Service
	actor    Actor
	now      time.Time
	licenses []ReservedLicense
	update   ReservationID // 0: a new one
	virtual  string        // name of the virtual account of a new one
	fresh    Reservation   // what is known of a new one
	secret   wire.ReservationSecret
	made     ReservationAuthorization // all of it but text, time and items
}

// sight is what a look at the store gives.
type sight struct {
	repeat    bool        // what is asked for stands already
	before    Reservation // as it is, or as a new one begins; of a repeat the one that stands
	next      ReservationAuthorization
	authority Authority
}

// makeKey makes the key that the authorization brings to the device.
func (w *reserving) makeKey(deviceKey string) error {
	key, err := wire.NewReservationKey()
	if err != nil {
		return err
	}
	if w.secret, err = key.Secret(deviceKey); err != nil {
		return err
	}
	w.made.Key = key.Public()
	if w.made.Secret, err = w.service.secrets.Seal(secretPurpose, w.secret); err != nil {
		return fmt.Errorf("seal the secret of a reservation: %w", err)
	}
	return nil
}

// makeAuthorizations makes all authorizations or none. What is to be signed follows from
// the pools, and each reservation changes them for the next: so all of it is
// done a first time and rolled back, to be signed, and then done again with the
// signed texts. Where something has changed between the two, it begins anew.
func (s *Service) makeAuthorizations(ctx context.Context, actor Actor, now time.Time, work []reserving) ([]Reservation, error) {
	seen, done := make([]sight, len(work)), make([]Reservation, len(work))
	for range 3 {
		err := s.update(ctx, actor, now, func(tx Tx, record recorder) error {
			for i, w := range work {
				var err error
				if seen[i], err = w.look(tx); err == nil {
					_, err = w.write(tx, record, seen[i])
				}
				if err != nil {
					return numbered(err, "Reservation", i, len(work))
				}
			}
			return errUnchanged
		})
		if err != nil {
			return nil, err
		}
		for i, w := range work {
			if seen[i].repeat {
				continue
			}
			if seen[i].next.Text, err = s.writeAuthorization(seen[i].authority, seen[i].before, seen[i].next, w.secret); err != nil {
				return nil, err
			}
		}
		err = s.update(ctx, actor, now, func(tx Tx, record recorder) error {
			for i, w := range work {
				again, err := w.look(tx)
				if err == nil && !again.same(seen[i]) {
					err = fail(KindConflict, codeRaced, "The licenses changed meanwhile.")
				}
				if err == nil {
					again.next.Text = seen[i].next.Text
					done[i], err = w.write(tx, record, again)
				}
				if err != nil {
					return numbered(err, "Reservation", i, len(work))
				}
			}
			return nil
		})
		if CodeOf(err) != codeRaced {
			return done, err
		}
	}
	return nil, fail(KindConflict, "reservation-contended", "The licenses changed while they were being reserved, several times. Nothing was reserved.").hint("Try again.")
}

// same tells whether what was signed after the first look still holds.
func (s sight) same(first sight) bool {
	if s.repeat || first.repeat {
		return s.repeat == first.repeat && s.before.ID == first.before.ID
	}
	return s.before.PIID == first.before.PIID && s.next.At.Equal(first.next.At) && reflect.DeepEqual(s.next.Items, first.next.Items)
}

// place finds the reservation as it stands, or the place for a new one, and
// judges whether the actor may have this done.
func (w reserving) place(tx Tx) (r Reservation, err error) {
	if w.update != 0 {
		if r, err = findReservation(tx, w.actor, ReservationQuery{ID: w.update}, ActionManageReservations); err != nil {
			return r, err
		}
		return r, r.updatable(w.licenses)
	}
	r = w.fresh
	virtual, err := permittedVirtualAccount(tx, w.actor, ActionManageReservations, r.AccountID, w.virtual)
	if err != nil {
		return r, err
	}
	r.VirtualAccountID = virtual.ID
	return r, nil
}

// look finds what there is, and what it is to become, not signed yet.
func (w reserving) look(tx Tx) (seen sight, err error) {
	if seen.before, err = w.place(tx); err != nil {
		return seen, err
	}
	if w.update == 0 {
		standing, err := tx.ReservationByUDI(w.fresh.UDIPID, w.fresh.UDISerialNumber)
		if err != nil && !isNotFound(err) {
			return seen, err
		}
		if err == nil && standing.is(seen.before, w.licenses) {
			return sight{repeat: true, before: standing}, nil
		}
		if err := seen.before.findDevice(tx); err != nil {
			return seen, err
		}
	}
	seen.next = w.made
	seen.next.At = seen.before.nextAt(w.now)
	if seen.next.Items, err = reservedItems(tx, seen.before, w.licenses, w.now); err != nil {
		return seen, err
	}
	seen.authority, err = w.service.registeredAuthority(tx, seen.before.AccountID)
	return seen, err
}

// is tells whether the reservation is what a new one would be: for the same
// request of the device, in the same place, with the same licenses.
func (r Reservation) is(asked Reservation, licenses []ReservedLicense) bool {
	has, wanted := map[string]int64{}, map[string]int64{}
	for _, item := range r.Authorization.Items {
		has[item.Tag] += item.Count
	}
	for _, l := range licenses {
		wanted[l.Tag] += l.Count
	}
	return r.State == ReservationStanding && r.DeviceKey == asked.DeviceKey && r.Type == asked.Type &&
		r.AccountID == asked.AccountID && r.VirtualAccountID == asked.VirtualAccountID && maps.Equal(has, wanted)
}

// write keeps the authorization and reserves what it says; a repeat is left as it is.
func (w reserving) write(tx Tx, record recorder, seen sight) (Reservation, error) {
	before, a := seen.before, seen.next
	if seen.repeat {
		return before, nil
	}
	after, event, done := before, EventReservationCreated, fmt.Sprintf("A %s reservation was made for %s: %s.", before.Type, before.Device(), itemsText(a.Items))
	if w.update == 0 {
		after.Authorization = a
	} else {
		after.Update, after.State = a, ReservationUpdating
		event, done = EventReservationUpdated, fmt.Sprintf("The reservation of %s is to become: %s. It waits for the device's confirmation code.", before.Device(), itemsText(a.Items))
	}
	err := changeReserved(tx, record, before, after, w.now, func() (err error) {
		if w.update != 0 {
			return tx.SaveReservation(after)
		}
		if after.InstanceID, err = after.reserveDevice(tx, w.now); err != nil {
			return err
		}
		after, err = tx.CreateReservation(after)
		return err
	})
	if err != nil {
		return after, err
	}
	return after, recordReservation(tx, record, event, after, done)
}
