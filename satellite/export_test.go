package satellite

// TravelReservations is what a transfer of a device does with its reservation.
func TravelReservations(tx Tx, record func(Event) error, instance Instance, from, to VirtualAccountID, s *Service) error {
	return travelReservations(tx, record, instance, from, to, s.Now())
}
