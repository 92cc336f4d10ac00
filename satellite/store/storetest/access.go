package storetest

import (
	"fmt"
	"slices"
	"testing"

	"ssm/satellite"
)

func access(t *testing.T, s satellite.Store) {
	w, other := newWorld(t, s, "alpha"), newWorld(t, s, "beta")
	var ann, bob satellite.User
	var group satellite.Group
	grant := func(h satellite.Holder, account satellite.AccountID, virtual satellite.VirtualAccountID, role satellite.Role) satellite.HeldGrant {
		return satellite.HeldGrant{Holder: h, Grant: satellite.Grant{AccountID: account, VirtualAccountID: virtual, Role: role}, GrantedAt: at(1), GrantedBy: "local:0"}
	}
	var held []satellite.HeldGrant
	update(t, s, func(tx satellite.Tx) (err error) {
		if ann, err = tx.CreateUser(satellite.User{Email: "Ann@company.example", Role: satellite.RoleSystemUser}); err != nil {
			return err
		}
		if bob, err = tx.CreateUser(satellite.User{Email: "bob@company.example", Role: satellite.RoleSystemUser}); err != nil {
			return err
		}
		group, err = tx.CreateGroup(satellite.Group{AccountID: w.account.ID, Name: "Operators", Description: "d", CreatedAt: at(0)})
		if err != nil {
			return err
		}
		user, members := satellite.Holder{UserID: ann.ID}, satellite.Holder{GroupID: group.ID}
		held = []satellite.HeldGrant{
			grant(user, w.account.ID, 0, satellite.RoleAccountUser),
			grant(user, w.account.ID, w.virtual.ID, satellite.RoleVirtualAccountAdmin),
			grant(members, w.account.ID, 0, satellite.RoleAccountViewer),
			grant(members, w.account.ID, w.virtual.ID, satellite.RoleVirtualAccountUser),
		}
		before := held[0]
		before.Role, before.GrantedBy = satellite.RoleAccountAdmin, "somebody" // replaced below
		for _, g := range append([]satellite.HeldGrant{before, grant(user, other.account.ID, 0, satellite.RoleAccountViewer)}, held...) {
			if err := tx.SaveGrant(g); err != nil {
				return err
			}
		}
		return tx.AddMember(group.ID, bob.ID)
	})
	var again error
	update(t, s, func(tx satellite.Tx) error {
		_, again = tx.CreateGroup(satellite.Group{AccountID: w.account.ID, Name: "OPERATORS"})
		return nil
	})
	kind(t, "a group of the same name", again, satellite.KindConflict)
	view(t, s, func(tx satellite.Tx) error {
		same(t, "access", held)(tx.AccessTo(w.account.ID))
		same(t, "grants of a member", []satellite.Grant{held[2].Grant, held[3].Grant})(tx.GrantsOf(bob.ID))
		same(t, "group", group)(tx.Group(group.ID))
		same(t, "groups", []satellite.Group{group})(tx.Groups(w.account.ID))
		same(t, "groups elsewhere", []satellite.Group{})(tx.Groups(other.account.ID))
		same(t, "members", []satellite.User{bob})(tx.Members(group.ID))
		own, err := tx.GrantsOf(ann.ID)
		equal(t, "number of own grants", len(own), 3)
		_, missing := tx.Group(99)
		kind(t, "no group", missing, satellite.KindNotFound)
		return err
	})
	for _, step := range []struct {
		what   string
		do     func(satellite.Tx) error
		access []satellite.HeldGrant
	}{
		{"a grant is deleted", func(tx satellite.Tx) error { return tx.DeleteGrant(held[0].Holder, w.account.ID, 0) }, held[1:]},
		{"a group is deleted", func(tx satellite.Tx) error { return tx.DeleteGroup(group.ID) }, held[1:2]},
		{"a virtual account is deleted", func(tx satellite.Tx) error { return tx.DeleteVirtualAccount(w.virtual.ID) }, []satellite.HeldGrant{}},
	} {
		update(t, s, step.do)
		view(t, s, func(tx satellite.Tx) error {
			same(t, step.what, step.access)(tx.AccessTo(w.account.ID))
			return nil
		})
	}
	update(t, s, func(tx satellite.Tx) error {
		if err := tx.SaveSession(satellite.Session{Key: "a", UserID: ann.ID, Data: []byte{1}, Expires: at(9)}); err != nil {
			return err
		}
		if err := tx.SaveSession(satellite.Session{Key: "b", UserID: bob.ID, Data: []byte{1}, Expires: at(9)}); err != nil {
			return err
		}
		if err := tx.DeleteSessionsOf(ann.ID); err != nil {
			return err
		}
		return tx.DeleteUser(ann.ID)
	})
	view(t, s, func(tx satellite.Tx) error {
		same(t, "access to where a removed user had a role", []satellite.HeldGrant{})(tx.AccessTo(other.account.ID))
		same(t, "members of a deleted group", []satellite.User{})(tx.Members(group.ID))
		same(t, "the user that is left", []satellite.User{bob})(tx.Users())
		_, missing := tx.Session("a")
		kind(t, "a session of a removed user", missing, satellite.KindNotFound)
		_, err := tx.Session("b")
		return err
	})
}

// scopes compares every listing that takes a scope with a plain loop over all rows.
func scopes(t *testing.T, s satellite.Store) {
	accounts, virtual, rows := fillPlaces(t, s)
	var many satellite.Scope // more places than a page is put together from
	for n := range 150 {
		many.VirtualAccounts = append(many.VirtualAccounts, satellite.VirtualAccountID(10_000+n))
	}
	many.VirtualAccounts = append(many.VirtualAccounts, virtual[1], virtual[2])
	many.Accounts = accounts[2:]
	for name, scope := range map[string]satellite.Scope{
		"nothing": {}, "everything": everything, "one account": {Accounts: accounts[:1]}, "two accounts": {Accounts: accounts[1:]},
		"one virtual account": {VirtualAccounts: virtual[1:2]}, "two of different accounts": {VirtualAccounts: virtual[1:3]},
		"an account and a virtual account": {Accounts: accounts[:1], VirtualAccounts: virtual[2:3]},
		"an account and one that is in it": {Accounts: accounts[:1], VirtualAccounts: virtual[:1]}, "very many": many,
	} {
		for _, account := range append([]satellite.AccountID{0}, accounts...) {
			for _, one := range append([]satellite.VirtualAccountID{0}, virtual...) {
				want := map[int]bool{}
				for n, row := range rows {
					want[n] = scope.Sees(row.account, row.virtual) && (account == 0 || account == row.account) && (one == 0 || one == row.virtual)
				}
				if one != 0 && account != 0 && !slices.ContainsFunc(rows, func(r placed) bool { return r.account == account && r.virtual == one }) {
					continue // no such place
				}
				compareListings(t, s, fmt.Sprintf("%s, account %d, virtual account %d", name, account, one), scope, account, one, want)
			}
		}
	}
}

type placed struct {
	account satellite.AccountID
	virtual satellite.VirtualAccountID
}

// fillPlaces makes three accounts with two virtual accounts each, and in those,
// in turns, a device, a token, an alert, an event and a usage report of each number.
func fillPlaces(t *testing.T, s satellite.Store) (accounts []satellite.AccountID, virtual []satellite.VirtualAccountID, rows []placed) {
	t.Helper()
	var places []placed
	for _, name := range []string{"alpha", "beta", "gamma"} {
		w := newWorld(t, s, name)
		var second satellite.VirtualAccount
		update(t, s, func(tx satellite.Tx) (err error) {
			second, err = tx.CreateVirtualAccount(satellite.VirtualAccount{AccountID: w.account.ID, Name: "Lab"})
			return err
		})
		accounts = append(accounts, w.account.ID)
		virtual = append(virtual, w.virtual.ID, second.ID)
		places = append(places, placed{w.account.ID, w.virtual.ID}, placed{w.account.ID, second.ID})
	}
	update(t, s, func(tx satellite.Tx) error {
		rows = rows[:0]
		for n := range 60 {
			p := places[(n*n+n/7)%len(places)]
			rows = append(rows, p)
			name := fmt.Sprint(n)
			i, err := tx.CreateInstance(satellite.Instance{PIID: name, AccountID: p.account, VirtualAccountID: p.virtual, Identity: satellite.Identity{UDISerialNumber: "S" + name}})
			if err != nil {
				return err
			}
			_, err = tx.CreateToken(satellite.Token{AccountID: p.account, VirtualAccountID: p.virtual, Description: name, Text: []byte{1}, Hash: [32]byte{byte(n), 9}})
			if err != nil {
				return err
			}
			_, err = tx.OpenAlert(satellite.Alert{AccountID: p.account, VirtualAccountID: p.virtual, Type: satellite.AlertFailedToConnect, Key: name, OpenedAt: at(n)})
			if err != nil {
				return err
			}
			_, err = tx.CreateReport(satellite.Report{AccountID: p.account, Digest: name, Raw: []byte{1}, PIID: i.PIID, Key: satellite.ReportKey{ReportID: int64(n)}})
			if err != nil {
				return err
			}
			virtualName := []string{"Default", "Lab"}[slices.Index(places, p)%2]
			if err := tx.Record(satellite.Event{At: at(n), Type: "story", AccountID: p.account, VirtualAccount: virtualName, Message: name}); err != nil {
				return err
			}
		}
		return nil
	})
	return accounts, virtual, rows
}

// compareListings reads every listing in pages of three.
func compareListings(t *testing.T, s satellite.Store, what string, scope satellite.Scope, account satellite.AccountID, virtual satellite.VirtualAccountID, want map[int]bool) {
	t.Helper()
	type row struct {
		name   string
		cursor int64
	}
	listings := map[string]func(tx satellite.Tx, page satellite.Page) ([]row, error){
		"devices": func(tx satellite.Tx, page satellite.Page) (rows []row, err error) {
			list, err := tx.Instances(satellite.InstanceFilter{AccountID: account, VirtualAccountID: virtual, Scope: scope}, page)
			for _, r := range list {
				rows = append(rows, row{r.PIID, int64(r.ID)})
			}
			return rows, err
		},
		"searched devices": func(tx satellite.Tx, page satellite.Page) (rows []row, err error) {
			list, err := tx.Instances(satellite.InstanceFilter{AccountID: account, VirtualAccountID: virtual, Scope: scope, Search: "S"}, page)
			for _, r := range list {
				rows = append(rows, row{r.PIID, int64(r.ID)})
			}
			return rows, err
		},
		"tokens": func(tx satellite.Tx, page satellite.Page) (rows []row, err error) {
			list, err := tx.Tokens(satellite.TokenFilter{AccountID: account, VirtualAccountID: virtual, Scope: scope}, page)
			for _, r := range list {
				rows = append(rows, row{r.Description, int64(r.ID)})
			}
			return rows, err
		},
	}
	if virtual == 0 {
		listings["alerts"] = func(tx satellite.Tx, page satellite.Page) (rows []row, err error) {
			list, err := tx.Alerts(satellite.AlertFilter{AccountID: account, Type: satellite.AlertFailedToConnect, Scope: scope}, page)
			for _, r := range list {
				rows = append(rows, row{r.Key, r.ID})
			}
			return rows, err
		}
		listings["events"] = func(tx satellite.Tx, page satellite.Page) (rows []row, err error) {
			list, err := tx.Events(satellite.EventFilter{AccountID: account, Type: "story", Scope: scope}, page)
			for _, r := range list {
				rows = append(rows, row{r.Message, r.Number})
			}
			return rows, err
		}
	}
	if virtual == 0 && account != 0 {
		listings["reports"] = func(tx satellite.Tx, page satellite.Page) (rows []row, err error) {
			list, err := tx.Reports(account, scope, page)
			for _, r := range list {
				rows = append(rows, row{r.Digest, r.ID})
			}
			return rows, err
		}
	}
	view(t, s, func(tx satellite.Tx) error {
		wanted := 0
		for n := range want {
			if want[n] {
				wanted++
			}
		}
		for name, list := range listings {
			seen := map[string]bool{}
			for page := (satellite.Page{Limit: 3}); ; {
				rows, err := list(tx, page)
				if err != nil {
					return fmt.Errorf("%s of %s: %w", name, what, err)
				}
				for _, r := range rows {
					var n int
					if _, err := fmt.Sscan(r.name, &n); err != nil || !want[n] || seen[r.name] {
						t.Errorf("%s of %s: %s is shown", name, what, r.name)
					}
					seen[r.name], page.After = true, r.cursor
				}
				if len(rows) < 3 {
					break
				}
			}
			if len(seen) != wanted {
				t.Errorf("%s of %s: %d are shown, want %d", name, what, len(seen), wanted)
			}
		}
		same(t, "count of "+what, int64(wanted))(tx.CountInstances(satellite.InstanceFilter{AccountID: account, VirtualAccountID: virtual, Scope: scope}))
		if virtual == 0 {
			same(t, "count of alerts of "+what, int64(wanted))(tx.CountAlerts(satellite.AlertFilter{AccountID: account, Type: satellite.AlertFailedToConnect, Scope: scope}))
		}
		return compareCursors(t, tx, what, scope, account, virtual, wanted)
	})
}

// compareCursors passes over so many rows, and reads the rest.
func compareCursors(t *testing.T, tx satellite.Tx, what string, scope satellite.Scope, account satellite.AccountID, virtual satellite.VirtualAccountID, wanted int) error {
	t.Helper()
	everything := satellite.Page{Limit: 1000}
	for skip := range int64(wanted) + 3 {
		for _, search := range []string{"", "S"} {
			filter := satellite.InstanceFilter{AccountID: account, VirtualAccountID: virtual, Scope: scope, Search: search}
			all, err := tx.Instances(filter, everything)
			if err != nil {
				return err
			}
			after, err := tx.InstanceCursor(filter, skip)
			if err != nil {
				return err
			}
			rest, err := tx.Instances(filter, satellite.Page{After: after, Limit: 1000})
			if err != nil {
				return err
			}
			equal(t, fmt.Sprintf("devices of %s behind %d", what, skip), len(rest), len(all[min(skip, int64(len(all))):]))
			if len(rest) > 0 {
				equal(t, "the first of them", rest[0], all[skip])
			}
		}
		if virtual != 0 {
			continue
		}
		filter := satellite.AlertFilter{AccountID: account, Type: satellite.AlertFailedToConnect, Scope: scope}
		all, err := tx.Alerts(filter, everything)
		if err != nil {
			return err
		}
		after, err := tx.AlertCursor(filter, skip)
		if err != nil {
			return err
		}
		rest, err := tx.Alerts(filter, satellite.Page{After: after, Limit: 1000})
		if err != nil {
			return err
		}
		equal(t, fmt.Sprintf("alerts of %s behind %d", what, skip), len(rest), len(all[min(skip, int64(len(all))):]))
		if len(rest) > 0 {
			equal(t, "the first of them", rest[0], all[skip])
		}
	}
	return nil
}
