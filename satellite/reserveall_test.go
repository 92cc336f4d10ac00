package satellite_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"ssm/satellite"
	"ssm/satellite/wire"
)

func (d *silent) asked(licenses ...any) satellite.NewReservation {
	return satellite.NewReservation{AccountID: d.account.ID, Code: d.code(), Type: d.kind, Licenses: want(licenses...)}
}

func (w *world) reserveAll(list ...satellite.NewReservation) ([]satellite.Reservation, error) {
	return w.service.ReserveAll(w.ctx, admin, list)
}

func TestLicensesAreReservedForSeveralDevicesOneAfterTheOtherOrForNone(t *testing.T) {
	t.Parallel()
	end := begin.Add(300 * day).Truncate(time.Second)
	w := registered(t, lot{tag: "a", quantity: 3}, lot{tag: "a", quantity: 3, end: end})
	first, second, universal := w.silent("S1", wire.ReservationSpecific), w.silent("S2", wire.ReservationSpecific), w.silent("S3", wire.ReservationUniversal)
	w.unchanged("what is refused", func() {
		_, err := w.reserveAll(first.asked("a", 4), second.asked("a", 3))
		refused(t, err, satellite.KindConflict, "reservation-surplus", "Reservation 2: ", "2 are available")
		if satellite.EntryOf(err) != 2 {
			t.Errorf("entry %d was refused", satellite.EntryOf(err))
		}
		_, err = w.reserveAll(first.asked("a", 1), first.asked("a", 2))
		refused(t, err, satellite.KindConflict, "device-reserved", "Reservation 2: ")
		bad := second.asked("a", 1)
		bad.Code = bad.Code[:len(bad.Code)-1]
		_, err = w.reserveAll(first.asked("a", 1), bad)
		refused(t, err, satellite.KindInvalid, "reservation-code-invalid", "Reservation 2: ")
		many := first.asked()
		many.Licenses = make([]satellite.ReservedLicense, 501)
		for _, list := range [][]satellite.NewReservation{nil, make([]satellite.NewReservation, 21), {many, many}} {
			_, err = w.reserveAll(list...)
			refused(t, err, satellite.KindInvalid, "reservations-invalid")
		}
	})
	list, err := w.reserveAll(first.asked("a", 4), second.asked("a", 2), universal.asked())
	w.must(err)
	w.counts("a", 6, 0)
	// What the first one took is not given to the second: each is signed for what it has.
	if items := list[0].Authorization.Items; len(items) != 2 || items[0].Count != 3 || !items[0].End.IsZero() || items[1].Count != 1 || !items[1].End.Equal(end) {
		t.Errorf("the first device has %+v", items)
	}
	if items := list[1].Authorization.Items; len(items) != 1 || items[0].Count != 2 || !items[0].End.Equal(end) {
		t.Errorf("the second device has %+v", items)
	}
	for i, d := range []*silent{first, second, universal} {
		_, back := d.codes(list[i].Authorization)
		_, err := w.service.ReturnReservation(w.ctx, admin, satellite.ReservationQuery{ID: list[i].ID}, back)
		w.must(err)
	}
	w.counts("a", 0, 6)
}

func TestTheSameRequestCodeWithTheSameLicensesGivesTheReservationThatStands(t *testing.T) {
	t.Parallel()
	w := annexed(t, lot{tag: "a", quantity: 3}, lot{tag: "b", quantity: 3})
	d, other := w.silent("S1", wire.ReservationSpecific), w.silent("S2", wire.ReservationUniversal)
	first, err := w.reserveAll(d.asked("a", 1, "b", 2), other.asked())
	w.must(err)
	w.unchanged("the same again", func() {
		again, err := w.reserveAll(d.asked("b", 2, "a", 1), other.asked())
		w.must(err)
		for i := range first {
			if again[i].ID != first[i].ID || again[i].Authorization.Text != first[i].Authorization.Text {
				t.Errorf("reservation %d is another one: %+v", i, again[i])
			}
		}
	})
	w.unchanged("what is not the same", func() {
		elsewhere := d.asked("a", 1, "b", 2)
		elsewhere.VirtualAccount = "Annex"
		anew := w.silent("S1", wire.ReservationSpecific)
		for _, n := range []satellite.NewReservation{d.asked("a", 1), d.asked("a", 1, "b", 1), elsewhere, anew.asked("a", 1, "b", 2)} {
			_, err := w.reserveAll(n)
			refused(t, err, satellite.KindConflict, "device-reserved")
		}
		if _, err := w.service.ReserveAll(w.ctx, w.viewer(), []satellite.NewReservation{d.asked("a", 1, "b", 2)}); satellite.KindOf(err) != satellite.KindForbidden {
			t.Errorf("a viewer gets an authorization again: %v", err)
		}
	})
	// With a new one beside it, only that is made.
	more, err := w.reserveAll(d.asked("a", 1, "b", 2), w.silent("S3", wire.ReservationSpecific).asked("a", 2))
	w.must(err)
	if more[0].ID != first[0].ID || more[1].ID == 0 {
		t.Errorf("got %+v", more)
	}
	w.counts("a", 3, 0)
	_, err = w.service.UpdateReservation(w.ctx, admin, first[0].ID, want("b", 1))
	w.must(err)
	_, err = w.reserveAll(d.asked("a", 1, "b", 2))
	refused(t, err, satellite.KindConflict, "device-reserved")
}

// meddling does something once, after the next update.
type meddling struct {
	satellite.Store
	meddle func()
}

func (m *meddling) Update(ctx context.Context, f func(satellite.Tx) error) error {
	err := m.Store.Update(ctx, f)
	if meddle := m.meddle; meddle != nil {
		m.meddle = nil
		meddle()
	}
	return err
}

func TestWhatChangesWhileAnAuthorizationIsSignedIsSignedAnew(t *testing.T) {
	t.Parallel()
	m := &meddling{}
	w := newWorldOn(t, func(s satellite.Store) satellite.Store { m.Store = s; return m })
	w.trust()
	end := begin.Add(300 * day).Truncate(time.Second)
	w.up.lots[w.external(w.account)] = []lot{{tag: "a", quantity: 3}, {tag: "a", quantity: 5, end: end}}
	w.sync(w.account, false)
	first, second := w.silent("S1", wire.ReservationSpecific), w.silent("S2", wire.ReservationSpecific)
	m.meddle = func() { first.reserve("a", 3) }
	list, err := w.reserveAll(second.asked("a", 2))
	w.must(err)
	if items := list[0].Authorization.Items; len(items) != 1 || !items[0].End.Equal(end) {
		t.Errorf("the licenses of the other device were signed: %+v", items)
	}
	read, _, err := wire.ReadAuthorization(list[0].Authorization.Text)
	w.must(err)
	if len(read.Entitlements) != 1 || !read.Entitlements[0].End.Equal(end) || strings.Contains(list[0].Authorization.Text, "\n") {
		t.Errorf("what is signed is %+v", read.Entitlements)
	}
	w.counts("a", 5, 3)
}
