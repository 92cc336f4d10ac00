package satellite

import (
	"context"
	"time"
)

// MoveHome is moveHome in a transaction of its own, for stories.
func (s *Service) MoveHome(ctx context.Context, actor Actor, account AccountID, from, to VirtualAccountID) error {
	now := s.Now()
	return s.update(ctx, actor, now, func(tx Tx, record recorder) error { return moveHome(tx, record, account, from, to, now) })
}

// ReturnLicenses does to one device what its silence does: its licenses go back
// to the pools, and what it wants is kept.
func ReturnLicenses(ctx context.Context, s *Service, piid string, now time.Time) error {
	return s.update(ctx, Actor{Name: "satellite", Source: "local"}, now, func(tx Tx, record recorder) error {
		instance, err := tx.Instance(piid)
		if err != nil {
			return err
		}
		if _, err := release(tx, record, instance, true, now); err != nil {
			return err
		}
		instance.AuthorizationState = AuthorizationExpired
		return tx.TouchInstance(instance)
	})
}

// TravelReservations is what a transfer of a device does with its reservation.
func TravelReservations(tx Tx, record func(Event) error, instance Instance, from, to VirtualAccountID, s *Service) error {
	return travelReservations(tx, record, instance, from, to, s.Now())
}
