package satellite

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestReservedAtTakesTheLargerSideOfEachReservation(t *testing.T) {
	t.Parallel()
	row := func(id ReservationID, update bool, count int64, end time.Time) ReservedRow {
		return ReservedRow{ReservationID: id, Update: update, ReservedItem: ReservedItem{Count: count, End: end}}
	}
	later := noon.Add(time.Hour)
	for _, c := range []struct {
		name  string
		rows  []ReservedRow
		sum   int64
		until time.Time
	}{
		{"none", nil, 0, time.Time{}},
		{"one", []ReservedRow{row(1, false, 3, time.Time{})}, 3, time.Time{}},
		{"terms add up", []ReservedRow{row(1, false, 3, time.Time{}), row(1, false, 2, later)}, 5, later},
		{"a larger update", []ReservedRow{row(1, false, 3, time.Time{}), row(1, true, 5, time.Time{})}, 5, time.Time{}},
		{"a smaller update", []ReservedRow{row(1, false, 3, time.Time{}), row(1, true, 2, time.Time{})}, 3, time.Time{}},
		{"two reservations, each its larger side", []ReservedRow{row(1, false, 3, time.Time{}), row(1, true, 5, time.Time{}), row(2, false, 4, time.Time{}), row(2, true, 1, time.Time{})}, 9, time.Time{}},
		{"ended at its end", []ReservedRow{row(1, false, 3, noon)}, 0, time.Time{}},
		{"just before its end", []ReservedRow{row(1, false, 3, noon.Add(1))}, 3, noon.Add(1)},
		{"the larger side has ended", []ReservedRow{row(1, false, 9, noon), row(1, true, 2, later)}, 2, later},
		{"the nearest end", []ReservedRow{row(1, false, 1, later), row(2, true, 1, noon.Add(time.Minute))}, 2, noon.Add(time.Minute)},
	} {
		if sum, until := reservedAt(c.rows, noon); sum != c.sum || !until.Equal(c.until) {
			t.Errorf("%s: %d until %v, want %d until %v", c.name, sum, until, c.sum, c.until)
		}
	}
}

// Whatever is asked for is given terms; nobody gets what another reservation
// has, as long as there is enough, and nothing better is left over.
func TestAllocateGivesEveryLicenseATermAndTheBestFirst(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		var parts []part
		var total int64
		for i, end := range []time.Time{{}, {}, noon.Add(300 * day), noon.Add(200 * day), noon.Add(200 * day), noon.Add(100 * day)} {
			quantity := rapid.Int64Range(0, 5).Draw(r, "quantity")
			if quantity == 0 {
				continue
			}
			parts = append(parts, part{Lot{UpstreamID: string(rune('a' + i)), End: end}, quantity})
			total += quantity
		}
		first := rapid.Int64Range(0, total).Draw(r, "first")
		second := rapid.Int64Range(0, total-first).Draw(r, "second")
		one := allocate(License{ID: 1}, parts, nil, first, noon)
		var others []ReservedRow
		for _, item := range one {
			others = append(others, ReservedRow{ReservationID: 1, ReservedItem: item})
		}
		two := allocate(License{ID: 1}, parts, others, second, noon)
		used := map[time.Time]int64{}
		var given int64
		for _, item := range append(one, two...) {
			used[item.End] += item.Count
			given += item.Count
		}
		if given != first+second {
			r.Fatalf("%d and %d were asked for, %d given", first, second, given)
		}
		there := map[time.Time]int64{}
		for _, p := range parts {
			there[p.lot.End] += p.quantity
		}
		left := false
		for _, end := range []time.Time{{}, noon.Add(300 * day), noon.Add(200 * day), noon.Add(100 * day)} {
			if used[end] > there[end] {
				r.Fatalf("of %d until %v, %d were given", there[end], end, used[end])
			}
			if left && used[end] > 0 {
				r.Fatalf("something until %v was given, and something better is left: %v of %v", end, used, parts)
			}
			left = left || used[end] < there[end]
		}
	})
}
