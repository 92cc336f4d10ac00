package satellite

import "context"

// TravelReservations is what a transfer of a device does with its reservation,
// in a transaction of its own, for stories.
func (s *Service) TravelReservations(ctx context.Context, actor Actor, piid string, to VirtualAccountID) error {
	now := s.Now()
	return s.update(ctx, actor, now, func(tx Tx, record recorder) error {
		instance, err := tx.Instance(piid)
		if err != nil {
			return err
		}
		from := instance.VirtualAccountID
		instance.VirtualAccountID = to
		if err := tx.SaveInstance(instance); err != nil {
			return err
		}
		return travelReservations(tx, record, instance, from, to, now)
	})
}
