package storetest

import (
	"fmt"
	"testing"
	"time"

	"ssm/satellite"
)

func apiClients(t *testing.T, s satellite.Store) {
	w, other := newWorld(t, s, "alpha"), newWorld(t, s, "beta")
	// Every field comes back, also the place of a role, and a place that is none.
	clients := []satellite.APIClient{filled[satellite.APIClient](1), filled[satellite.APIClient](2), filled[satellite.APIClient](3)}
	clients[0].AccountID, clients[0].VirtualAccountID = 0, 0
	clients[1].AccountID, clients[1].VirtualAccountID = w.account.ID, 0
	clients[2].AccountID, clients[2].VirtualAccountID = other.account.ID, other.virtual.ID
	for i := range clients {
		clients[i].Name, clients[i].RevokedAt = fmt.Sprintf("Jobs日本 %d", i), time.Time{}
	}
	fresh := satellite.APIClient{ClientID: "fresh", Name: "Fresh", Grant: satellite.Grant{Role: satellite.RoleSystemUser}}
	update(t, s, func(tx satellite.Tx) (err error) {
		for i := range clients {
			clients[i].ID = 99 // the database gives it
			if clients[i], err = tx.CreateAPIClient(clients[i]); err != nil {
				return err
			}
		}
		fresh, err = tx.CreateAPIClient(fresh)
		return err
	})
	view(t, s, func(tx satellite.Tx) error {
		for i, c := range clients {
			if c.ID == 99 || c.ID < 1 {
				t.Errorf("client %d has the id %d", i, c.ID)
			}
			same(t, "client", c)(tx.APIClient(c.ID))
			same(t, "client by client id", c)(tx.APIClientByClientID(c.ClientID))
			same(t, "client by name without regard to case", c)(tx.APIClientByName(fmt.Sprintf("JOBS日本 %d", i)))
		}
		same(t, "client without times", fresh)(tx.APIClient(fresh.ID)) // never is the zero time
		same(t, "clients by name", []satellite.APIClient{fresh, clients[0], clients[1], clients[2]})(tx.APIClients())
		for what, read := range map[string]func() (satellite.APIClient, error){
			"client":                               func() (satellite.APIClient, error) { return tx.APIClient(77) },
			"client by client id":                  func() (satellite.APIClient, error) { return tx.APIClientByClientID("none") },
			"client by client id in other letters": func() (satellite.APIClient, error) { return tx.APIClientByClientID("FRESH") },
			"client by name":                       func() (satellite.APIClient, error) { return tx.APIClientByName("none") },
			"client by a name that is a client id": func() (satellite.APIClient, error) { return tx.APIClientByName(clients[0].ClientID) },
			"client by nothing":                    func() (satellite.APIClient, error) { return tx.APIClientByName("") },
		} {
			_, err := read()
			kind(t, what, err, satellite.KindNotFound)
		}
		return nil
	})
	changedAPIClients(t, s, clients, fresh)
	endedAPIClients(t, s, w, other, clients, fresh)
}

// changedAPIClients: a save changes all but who the client is and what it may.
func changedAPIClients(t *testing.T, s satellite.Store, clients []satellite.APIClient, fresh satellite.APIClient) {
	t.Helper()
	next := filled[satellite.APIClient](7)
	next.ID, next.RevokedAt = clients[1].ID, time.Time{}
	update(t, s, func(tx satellite.Tx) error { return tx.SaveAPIClient(next) })
	want := next
	want.ClientID, want.Name, want.Grant = clients[1].ClientID, clients[1].Name, clients[1].Grant
	clients[1] = want
	revoked := clients[0]
	revoked.RevokedAt, revoked.LastUsedAt, revoked.LastSource, revoked.PreviousUntil = at(5), time.Time{}, "", time.Time{}
	clients[0] = revoked
	update(t, s, func(tx satellite.Tx) error { return tx.SaveAPIClient(revoked) })
	view(t, s, func(tx satellite.Tx) error {
		same(t, "saved client", want)(tx.APIClient(want.ID))
		same(t, "the revoked one is last", []satellite.APIClient{fresh, want, clients[2], revoked})(tx.APIClients())
		same(t, "a revoked client by client id", revoked)(tx.APIClientByClientID(revoked.ClientID))
		_, err := tx.APIClientByName(revoked.Name)
		kind(t, "a revoked client by name", err, satellite.KindNotFound)
		return nil
	})
}

// endedAPIClients: a name is one client's until that is revoked, a client id
// for ever, and clients go with the place of their role.
func endedAPIClients(t *testing.T, s satellite.Store, w, other world, clients []satellite.APIClient, fresh satellite.APIClient) {
	t.Helper()
	for what, again := range map[string]satellite.APIClient{
		"the name of another in other letters": {ClientID: "new", Name: "JOBS日本 1"},
		"the client id of another":             {ClientID: clients[2].ClientID, Name: "new"},
		"the client id of a revoked one":       {ClientID: clients[0].ClientID, Name: "new"},
	} {
		var err error
		update(t, s, func(tx satellite.Tx) error {
			_, err = tx.CreateAPIClient(again)
			return nil
		})
		kind(t, what, err, satellite.KindConflict)
		if code := satellite.CodeOf(err); code != "api-client-exists" {
			t.Errorf("%s has the code %s", what, code)
		}
	}
	successor := satellite.APIClient{ClientID: "successor", Name: clients[0].Name, Grant: satellite.Grant{Role: satellite.RoleSystemUser}}
	update(t, s, func(tx satellite.Tx) (err error) {
		successor, err = tx.CreateAPIClient(successor)
		return err
	})
	view(t, s, func(tx satellite.Tx) error {
		same(t, "who has the name now", successor)(tx.APIClientByName(clients[0].Name))
		return nil
	})
	for _, step := range []struct {
		what string
		do   func(satellite.Tx) error
		left []satellite.APIClient
	}{
		{"a virtual account is deleted", func(tx satellite.Tx) error { return tx.DeleteVirtualAccount(other.virtual.ID) }, []satellite.APIClient{fresh, successor, clients[1], clients[0]}},
		{"an account is deleted", func(tx satellite.Tx) error { return tx.DeleteAccount(w.account.ID) }, []satellite.APIClient{fresh, successor, clients[0]}},
	} {
		update(t, s, step.do)
		view(t, s, func(tx satellite.Tx) error {
			same(t, step.what, step.left)(tx.APIClients())
			return nil
		})
	}
}
