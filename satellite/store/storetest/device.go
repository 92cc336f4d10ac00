package storetest

import (
	"testing"
	"time"

	"ssm/satellite"
)

func piidsOf(list []satellite.Instance) (piids []string) {
	for _, i := range list {
		piids = append(piids, i.PIID)
	}
	return piids
}

// peers: a pair is one application in one virtual account.
func peers(t *testing.T, s satellite.Store) {
	w, other := newWorld(t, s, "alpha"), newWorld(t, s, "beta")
	place := func(w world, n int, application string) satellite.Instance {
		i := w.instance(n)
		i.ApplicationID = application
		return i
	}
	update(t, s, func(tx satellite.Tx) error {
		annex, err := tx.CreateVirtualAccount(satellite.VirtualAccount{AccountID: w.account.ID, Name: "Annex"})
		if err != nil {
			return err
		}
		moved := w
		moved.virtual = annex
		for _, i := range []satellite.Instance{
			place(w, 1, "core"), place(w, 2, "core"), place(w, 3, "edge"), place(w, 4, ""), place(w, 5, ""), place(w, 6, "core"), place(moved, 7, "core"), place(other, 8, "core"),
		} {
			if _, err := tx.CreateInstance(i); err != nil {
				return err
			}
		}
		return nil
	})
	view(t, s, func(tx satellite.Tx) error {
		for n, want := range map[int][]string{1: {"piid-alpha-2", "piid-alpha-6"}, 6: {"piid-alpha-1", "piid-alpha-2"}, 3: nil, 4: nil} {
			instance, err := tx.Instance(w.instance(n).PIID)
			if err != nil {
				return err
			}
			list, err := tx.Peers(instance)
			equal(t, "peers of "+instance.PIID, piidsOf(list), want)
			if err != nil {
				return err
			}
		}
		// One that is not there yet has all of them.
		list, err := tx.Peers(place(w, 9, "core"))
		equal(t, "peers of a new member", piidsOf(list), []string{"piid-alpha-1", "piid-alpha-2", "piid-alpha-6"})
		return err
	})
}

// dueDevices: those that stay away are read page by page, the first that is due first.
func dueDevices(t *testing.T, s satellite.Store) {
	w := newWorld(t, s, "alpha")
	update(t, s, func(tx satellite.Tx) error {
		for n, c := range []struct {
			served        time.Duration
			authorization satellite.AuthorizationState
			registration  satellite.RegistrationState
			end           time.Time
		}{
			{0, satellite.Authorized, satellite.Registered, at(50)},
			{0, satellite.OutOfCompliance, satellite.Registered, at(10)},
			{time.Hour, satellite.Authorized, satellite.Registered, at(10)},
			{time.Hour, satellite.Authorized, satellite.Registered, at(10)},
			{2 * time.Hour, satellite.Authorized, satellite.Registered, at(20)}, // not silent
			{0, satellite.NoLicensesInUse, satellite.Registered, at(100)},
			{0, satellite.AuthorizationExpired, satellite.Registered, at(101)},
			{0, satellite.Authorized, satellite.Unregistered, time.Time{}},
		} {
			i := w.instance(n)
			i.LastServed, i.AuthorizationState, i.RegistrationState, i.CertificateNotAfter = c.served, c.authorization, c.registration, c.end
			if _, err := tx.CreateInstance(i); err != nil {
				return err
			}
		}
		return nil
	})
	for what, c := range map[string]struct {
		page func(satellite.Tx, satellite.Instance) ([]satellite.Instance, error)
		want []string
	}{
		"silent devices": {func(tx satellite.Tx, after satellite.Instance) ([]satellite.Instance, error) {
			return tx.QuietInstances(2*time.Hour, after, 1)
		}, []string{"piid-alpha-0", "piid-alpha-1", "piid-alpha-2", "piid-alpha-3"}},
		"certificates that end": {func(tx satellite.Tx, after satellite.Instance) ([]satellite.Instance, error) {
			return tx.UnrenewedInstances(at(100), after, 2)
		}, []string{"piid-alpha-1", "piid-alpha-2", "piid-alpha-3", "piid-alpha-4", "piid-alpha-0"}},
	} {
		var all []string
		for after := (satellite.Instance{}); ; {
			var list []satellite.Instance
			view(t, s, func(tx satellite.Tx) (err error) {
				list, err = c.page(tx, after)
				return err
			})
			if len(list) == 0 {
				break
			}
			all, after = append(all, piidsOf(list)...), list[len(list)-1]
		}
		equal(t, what, all, c.want)
	}
	view(t, s, func(tx satellite.Tx) error {
		list, err := tx.QuietInstances(-time.Hour, satellite.Instance{}, 10)
		equal(t, "silent before the beginning", piidsOf(list), []string(nil))
		return err
	})
}

// alertsMove: an open alert follows its device, and is closed once.
func alertsMove(t *testing.T, s satellite.Store) {
	alert := satellite.Alert{AccountID: 1, VirtualAccountID: 2, PIID: "x", Type: satellite.AlertDuplicateLicenses, Severity: satellite.Major, Key: "x", Source: "s", Message: "m", OpenedAt: at(1), ActionDue: at(2)}
	write := func(a satellite.Alert, want bool) {
		t.Helper()
		var opened bool
		update(t, s, func(tx satellite.Tx) (err error) {
			opened, err = tx.OpenAlert(a)
			return err
		})
		equal(t, "whether it was opened", opened, want)
	}
	write(alert, true)
	alert.VirtualAccountID, alert.ID = 3, 1
	write(alert, false)
	read := func(filter satellite.AlertFilter, want ...satellite.Alert) {
		t.Helper()
		filter.Scope.All = true
		view(t, s, func(tx satellite.Tx) error {
			list, err := tx.Alerts(filter, satellite.Page{Limit: 10})
			if len(list) != len(want) || len(want) == 1 && list[0] != want[0] {
				t.Errorf("the alerts of %+v are %+v, want %+v", filter, list, want)
			}
			return err
		})
	}
	read(satellite.AlertFilter{PIID: "x"}, alert)
	read(satellite.AlertFilter{PIID: "y"})
	read(satellite.AlertFilter{Type: satellite.AlertDuplicateLicenses}, alert)
	update(t, s, func(tx satellite.Tx) error {
		_, err := tx.CloseAlert(1, satellite.AlertDuplicateLicenses, "x", at(3))
		return err
	})
	alert.ClosedAt = at(3)
	read(satellite.AlertFilter{PIID: "x"})
	read(satellite.AlertFilter{PIID: "x", Closed: true}, alert)
}
