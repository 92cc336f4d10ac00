package satellite_test

import (
	"fmt"
	"slices"

	"pgregory.net/rapid"

	"ssm/satellite"
	"ssm/satellite/wire"
)

// kept is a device of the machine that has a reservation.
type kept struct {
	*silent
	satellite.Reservation
}

// wanted are random licenses to reserve.
func (m *machine) wanted() (licenses []any) {
	for range rapid.IntRange(1, 2).Draw(m.r, "tags") {
		if tag := m.tag(); !slices.Contains(licenses, any(tag)) {
			licenses = append(licenses, tag, rapid.IntRange(1, 4).Draw(m.r, "count"))
		}
	}
	return licenses
}

// reserve reserves something for a new device, or changes what one has; more
// than there is to spare is refused.
func (m *machine) reserve(*rapid.T) {
	if len(m.reserved) == 0 || rapid.Bool().Draw(m.r, "a new one") {
		m.lots++
		d := m.silent(fmt.Sprint("R", m.lots), wire.ReservationSpecific)
		r, err := d.try(rapid.SampledFrom(m.places).Draw(m.r, "place"), m.wanted()...)
		m.kept(kept{d, r}, err)
		return
	}
	i := rapid.IntRange(0, len(m.reserved)-1).Draw(m.r, "reservation")
	k := m.reserved[i]
	var err error
	if k.State == satellite.ReservationUpdating {
		confirmation, _ := k.codes(k.Update)
		k.Reservation, err = m.service.ConfirmReservation(m.ctx, admin, k.ID, confirmation)
	} else {
		k.Reservation, err = m.service.UpdateReservation(m.ctx, admin, k.ID, want(m.wanted()...))
	}
	if err == nil {
		m.reserved = slices.Delete(m.reserved, i, i+1)
	}
	m.kept(k, err)
}

func (m *machine) kept(k kept, err error) {
	if err == nil {
		m.reserved = append(m.reserved, k)
	} else if satellite.CodeOf(err) != "reservation-surplus" {
		m.Error(err)
	}
}

// giveBack returns a reservation.
func (m *machine) giveBack(*rapid.T) {
	if len(m.reserved) == 0 {
		return
	}
	i := rapid.IntRange(0, len(m.reserved)-1).Draw(m.r, "reservation")
	k := m.reserved[i]
	_, back := k.codes(k.Authorization)
	_, err := m.service.ReturnReservation(m.ctx, admin, satellite.ReservationQuery{ID: k.ID}, back)
	m.must(err)
	m.reserved = slices.Delete(m.reserved, i, i+1)
}
