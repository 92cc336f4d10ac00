package storetest

import (
	"testing"
	"time"

	"ssm/satellite"
)

func clock(t *testing.T, s satellite.Store) {
	view(t, s, func(tx satellite.Tx) error {
		_, err := tx.Clock()
		kind(t, "a clock that never ticked", err, satellite.KindNotFound)
		return nil
	})
	for _, c := range []satellite.Clock{
		{SystemAt: at(1), Mark: at(2), Served: 3 * time.Microsecond, HeldSince: at(4), Step: -5 * time.Microsecond},
		{SystemAt: at(6), Mark: at(7), Served: 8 * time.Hour},
	} {
		update(t, s, func(tx satellite.Tx) error { return tx.SaveClock(c) })
		view(t, s, func(tx satellite.Tx) error {
			same(t, "clock", c)(tx.Clock())
			return nil
		})
	}
}

func silence(t *testing.T, s satellite.Store) {
	w := newWorld(t, s, "silence")
	update(t, s, func(tx satellite.Tx) error {
		for n, d := range []struct {
			registration  satellite.RegistrationState
			authorization satellite.AuthorizationState
			served        int64
		}{
			{satellite.Registered, satellite.Authorized, 30},
			{satellite.Registered, satellite.OutOfCompliance, 10},
			{satellite.Registered, satellite.Authorized, 31},
			{satellite.Registered, satellite.NoLicensesInUse, 10},
			{satellite.Registered, satellite.AuthorizationExpired, 10},
			{satellite.Unregistered, satellite.Authorized, 10},
			{satellite.Registered, satellite.Authorized, 20},
		} {
			i := w.instance(n)
			i.RegistrationState, i.AuthorizationState, i.LastServed = d.registration, d.authorization, time.Duration(d.served)*time.Second
			if _, err := tx.CreateInstance(i); err != nil {
				return err
			}
		}
		return nil
	})
	view(t, s, func(tx satellite.Tx) error {
		for limit, want := range map[int][]string{
			10: {w.instance(1).PIID, w.instance(6).PIID, w.instance(0).PIID},
			2:  {w.instance(1).PIID, w.instance(6).PIID},
		} {
			list, err := tx.QuietInstances(30*time.Second+time.Microsecond, satellite.Instance{}, limit)
			if err != nil {
				return err
			}
			var got []string
			for _, i := range list {
				got = append(got, i.PIID)
			}
			equal(t, "silent devices", got, want)
		}
		list, err := tx.QuietInstances(-time.Second, satellite.Instance{}, 10)
		equal(t, "devices that were silent before the satellite served", len(list), 0)
		return err
	})
}
