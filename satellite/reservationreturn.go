package satellite

import (
	"context"
	"fmt"
	"time"

	"ssm/satellite/wire"
)

// ConfirmReservation takes the code by which a device says that it has
// installed an authorization. After an update, what the update no longer
// reserves goes back to the pool, and the codes of the authorization before it
// are good for nothing any more. The code of what stands already changes nothing but the time.
//
// KindInvalid for a text that is no confirmation code; KindConflict for one of
// another device or authorization, and where the reservation is returned; KindNotFound.
func (s *Service) ConfirmReservation(ctx context.Context, actor Actor, id ReservationID, code string) (r Reservation, err error) {
	now := s.Now()
	is := wire.ReservationSecret.IsConfirmationCode
	before, confirmed, err := s.judgeCode(ctx, actor, ReservationQuery{ID: id}, wire.CodeConfirmation, func(r Reservation, a ReservationAuthorization, secret wire.ReservationSecret) (bool, error) {
		return is(secret, code, r.binding(a))
	})
	if err != nil {
		return Reservation{}, err
	}
	err = s.update(ctx, actor, now, func(tx Tx, record recorder) error {
		if r, err = unchangedReservation(tx, actor, before); err != nil {
			return err
		}
		if r.State == ReservationReturned {
			return r.isReturned()
		}
		was := r
		r.ConfirmedAt = now
		if confirmed.Key != r.Update.Key {
			if r.State == ReservationUpdating {
				return fail(KindConflict, "reservation-code-mismatch", "This is the confirmation code of the authorization before the update: %s has not installed the update. Nothing was changed.", r.Device()).
					hint("Install the update on the device, and enter the code that it shows then.")
			}
			return tx.SaveReservation(r)
		}
		r.Authorization, r.Update, r.State = r.Update, ReservationAuthorization{}, ReservationStanding
		if err := changeReserved(tx, record, was, r, now, func() error { return tx.SaveReservation(r) }); err != nil {
			return err
		}
		if err := settleExpired(tx, record, was, now, "the reservation was updated."); err != nil {
			return err
		}
		return recordReservation(tx, record, EventReservationConfirmed, r, fmt.Sprintf("The %s has installed the update of its reservation: %s.", r.Device(), itemsText(r.Authorization.Items)))
	})
	return r, err
}

// ReturnReservation takes the code by which a device says that it has given its
// reservation up; only then the licenses go back to the pool. The same code
// again changes nothing and is no error, where the reservation is named by its ID.
//
// KindInvalid for a text that is no return code; KindConflict for one of
// another device or of an authorization that the device has not got any more; KindNotFound.
func (s *Service) ReturnReservation(ctx context.Context, actor Actor, query ReservationQuery, code string) (r Reservation, err error) {
	now := s.Now()
	before, err := s.judgeReturn(ctx, actor, query, code)
	if err != nil {
		return Reservation{}, err
	}
	err = s.update(ctx, actor, now, func(tx Tx, record recorder) error {
		r, err = giveBack(tx, record, actor, before, now)
		return err
	})
	return r, err
}

// judgeReturn finds the reservation that a return code belongs to.
func (s *Service) judgeReturn(ctx context.Context, actor Actor, query ReservationQuery, code string) (Reservation, error) {
	is := wire.ReservationSecret.IsReturnCode
	r, _, err := s.judgeCode(ctx, actor, query, wire.CodeReturn, func(r Reservation, a ReservationAuthorization, secret wire.ReservationSecret) (bool, error) {
		return is(secret, code, r.binding(a))
	})
	return r, err
}

// giveBack ends a reservation whose return code was judged; one that is returned
// already stays as it is.
func giveBack(tx Tx, record recorder, actor Actor, before Reservation, now time.Time) (Reservation, error) {
	was, err := unchangedReservation(tx, actor, before)
	if err != nil || was.State == ReservationReturned {
		return was, err
	}
	r := was
	r.State, r.ReturnedAt = ReservationReturned, now
	if err := changeReserved(tx, record, was, r, now, func() error { return tx.SaveReservation(r) }); err != nil {
		return r, err
	}
	if err := settleExpired(tx, record, was, now, "the reservation was returned."); err != nil {
		return r, err
	}
	if err := returned(tx, record, r, now); err != nil {
		return r, err
	}
	return r, recordReservation(tx, record, EventReservationReturned, r, fmt.Sprintf("The %s has returned its reservation: %s.", r.Device(), itemsText(was.Authorization.Items)))
}

// judgeCode finds the authorization of a reservation that a code belongs to.
func (s *Service) judgeCode(ctx context.Context, actor Actor, query ReservationQuery, kind wire.CodeKind,
	is func(Reservation, ReservationAuthorization, wire.ReservationSecret) (bool, error),
) (r Reservation, a ReservationAuthorization, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		r, err = findReservation(tx, actor, query, ActionManageReservations)
		return err
	})
	if err != nil {
		return r, a, err
	}
	for _, a := range []ReservationAuthorization{r.Authorization, r.Update} {
		if a.Key == "" {
			continue
		}
		secret, err := s.secrets.Open(secretPurpose, a.Secret)
		if err != nil {
			return r, a, fmt.Errorf("open the secret of reservation %d: %w", r.ID, err)
		}
		if belongs, err := is(r, a, secret); err != nil {
			return r, a, codeRefused(err, r.Device())
		} else if belongs {
			return r, a, nil
		}
	}
	return r, a, codeMismatch(kind, r)
}

// unchangedReservation reads a reservation again: a code is judged outside of the transaction.
func unchangedReservation(tx Tx, actor Actor, before Reservation) (Reservation, error) {
	r, err := findReservation(tx, actor, ReservationQuery{ID: before.ID}, ActionManageReservations)
	if err == nil && (r.Authorization.Key != before.Authorization.Key || r.Update.Key != before.Update.Key) {
		err = fail(KindConflict, "reservation-contended", "The reservation of %s changed meanwhile. Nothing was changed.", r.Device()).hint("Look at it, and try again.")
	}
	return r, err
}

// returned tells the device's record that its reservation is gone. A record
// that only the reservation made goes with it.
func returned(tx Tx, record recorder, r Reservation, now time.Time) error {
	err := raise(tx, record, Alert{
		AccountID: r.AccountID, VirtualAccountID: r.VirtualAccountID, PIID: r.PIID, Type: AlertReservedLicensesReturned, Key: fmt.Sprint(r.ID),
		Source: r.UDISerialNumber, Message: fmt.Sprintf("The %s has returned its reservation; what was reserved is in the pool again.", r.Device()),
	}, now)
	if err != nil {
		return err
	}
	instance, err := tx.Instance(r.PIID)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	holdings, err := tx.Holdings(instance.ID)
	if err != nil {
		return err
	}
	if instance.SoftwareTag == "" && len(holdings) == 0 {
		return tx.DeleteInstance(instance)
	}
	if err := currentHoldings(tx, holdings, now); err != nil {
		return err
	}
	instance.AuthorizationState = stateOf(holdings)
	return tx.SaveInstance(instance)
}

// returnedShown is how long a return is shown as an alert.
const returnedShown = 30 * day

// WatchReservations opens the alert of what is reserved and has ended, takes it
// out of its pools, and closes the alerts of returns that are old enough.
func (s *Service) WatchReservations(ctx context.Context, now time.Time) error {
	for after := ReservationID(0); ; {
		var ended []Reservation
		err := s.update(ctx, itself, now, func(tx Tx, record recorder) (err error) {
			if ended, err = tx.EndedReservations(now, after, 100); err != nil {
				return err
			}
			for _, r := range ended {
				if err := alertEnded(tx, record, r, now); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if len(ended) < 100 {
			break
		}
		after = ended[len(ended)-1].ID
	}
	return s.update(ctx, itself, now, func(tx Tx, record recorder) error {
		for page := (Page{Limit: 1000}); ; {
			alerts, err := tx.Alerts(AlertFilter{Type: AlertReservedLicensesReturned, Scope: Scope{All: true}}, page)
			if err != nil {
				return err
			}
			for _, alert := range alerts {
				if page.After = alert.ID; now.Before(alert.OpenedAt.Add(returnedShown)) {
					continue
				}
				if err := settled(tx, record, alert.AccountID, alert.Type, alert.Key, "it was shown for 30 days.", now); err != nil {
					return err
				}
			}
			if len(alerts) < page.Limit {
				return nil
			}
		}
	})
}

// endedKey names an ended license of a reservation in alerts.
func (r Reservation) endedKey(tag string) string { return fmt.Sprint(r.ID) + "\t" + tag }

// alertEnded opens the alerts of a reservation, and counts its pools again.
func alertEnded(tx Tx, record recorder, r Reservation, now time.Time) error {
	for _, row := range r.rows() {
		if row.liveAt(now) || row.Update {
			continue
		}
		err := raise(tx, record, Alert{
			AccountID: r.AccountID, VirtualAccountID: r.VirtualAccountID, PIID: r.PIID, Type: AlertReservedLicenseExpired, Key: r.endedKey(row.Tag), Source: r.UDISerialNumber,
			Message: fmt.Sprintf("%d of %s that are reserved for %s ended on %s.", row.Count, clip(row.Name), r.Device(), stamp(row.End)),
		}, now)
		if err != nil {
			return err
		}
	}
	return changeReserved(tx, record, r, r, now, func() error { return nil })
}

// settleExpired closes the alerts about ended licenses of a reservation.
func settleExpired(tx Tx, record recorder, before Reservation, now time.Time, because string) error {
	for _, item := range before.Authorization.Items {
		if err := settled(tx, record, before.AccountID, AlertReservedLicenseExpired, before.endedKey(item.Tag), because, now); err != nil {
			return err
		}
	}
	return nil
}

// travelReservations takes what a device has reserved along to another virtual
// account, with the licenses that cover it.
func travelReservations(tx Tx, record recorder, instance Instance, from, to VirtualAccountID, now time.Time) error {
	r, err := tx.ReservationByUDI(instance.UDIPID, instance.UDISerialNumber)
	if isNotFound(err) || err == nil && r.VirtualAccountID != from {
		return nil
	}
	if err != nil {
		return err
	}
	away := r
	away.State = ReservationReturned // for the pools of the old virtual account it is gone
	counts := r.reserved(now)
	moved := r
	moved.VirtualAccountID = to
	if err := changeReserved(tx, record, r, away, now, func() error { return tx.SaveReservation(moved) }); err != nil {
		return err
	}
	seen := map[LicenseID]bool{}
	for _, row := range r.rows() {
		if seen[row.LicenseID] || counts[row.LicenseID] == 0 {
			continue
		}
		seen[row.LicenseID] = true
		license, err := tx.LicenseByTag(r.AccountID, row.Tag)
		if err != nil {
			return err
		}
		if license.ReportingOnly {
			continue
		}
		if err := moveLicenses(tx, record, r.AccountID, license, from, to, counts[row.LicenseID], now); err != nil {
			return err
		}
	}
	return changeReserved(tx, record, moved, moved, now, func() error { return nil })
}
