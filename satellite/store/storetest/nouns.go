package storetest

import (
	"fmt"
	"testing"
	"time"

	"ssm/satellite"
	"ssm/satellite/wire"
)

// nouns are one of each, as written; ids and change numbers as the store gave them.
type nouns struct {
	self        satellite.Satellite
	root        satellite.Root
	key         satellite.TokenKey
	user        satellite.User
	session     satellite.Session
	account     satellite.Account
	authority   satellite.Authority
	virtual     satellite.VirtualAccount
	token       satellite.Token
	instance    satellite.Instance
	certificate satellite.Certificate
	license     satellite.License
	lot         satellite.Lot
	pool        satellite.Pool
	usage       satellite.Usage
	report      satellite.Report
	state       satellite.SyncState
	request     satellite.SyncRequestRow
	reservation satellite.Reservation
}

func newNouns(t *testing.T, seed int) nouns {
	a := filled[struct {
		Self        satellite.Satellite
		Root        satellite.Root
		Key         satellite.TokenKey
		User        satellite.User
		Session     satellite.Session
		Account     satellite.Account
		Virtual     satellite.VirtualAccount
		Token       satellite.Token
		Instance    satellite.Instance
		Certificate satellite.Certificate
		License     satellite.License
		Lot         satellite.Lot
		Pool        satellite.Pool
		Usage       satellite.Usage
		Report      satellite.Report
		State       satellite.SyncState
		Request     satellite.SyncRequestRow
		Reservation satellite.Reservation
	}](seed)
	return nouns{
		self: a.Self, root: a.Root, key: a.Key, user: a.User, session: a.Session, account: a.Account, virtual: a.Virtual, token: a.Token,
		instance: a.Instance, certificate: a.Certificate, license: a.License, lot: a.Lot, pool: a.Pool, usage: a.Usage, report: a.Report,
		state: a.State, request: a.Request, reservation: a.Reservation,
		authority: satellite.Authority{
			Key: []byte{1, byte(seed)}, Chain: [][]byte{certificate(t, "sub CA"), certificate(t, "issuing CA")}, Root: []byte{4, byte(seed)},
			SignerKey: []byte{5, byte(seed)}, SignerCertificate: []byte{6, byte(seed)}, SignerNotAfter: at(seed), SubCANotBefore: at(seed + 1), SubCANotAfter: at(seed + 2),
		},
	}
}

// create writes all of them; what refers to another gets its id.
func (n *nouns) create(tx satellite.Tx) (err error) {
	steps := []func() error{
		func() error { return tx.SaveSatellite(n.self) },
		func() error { return tx.AddRoot(n.root) },
		func() error { return tx.AddTokenKey(n.key) },
		func() error { n.user.ID = 0; n.user, err = tx.CreateUser(n.user); return err },
		func() error { return tx.SaveSession(n.session) },
		func() error { n.account.ID = 0; n.account, err = tx.CreateAccount(n.account); return err },
		func() error { n.authority.AccountID = n.account.ID; return tx.SaveAuthority(n.authority) },
		func() error {
			n.virtual.ID, n.virtual.AccountID = 0, n.account.ID
			n.virtual, err = tx.CreateVirtualAccount(n.virtual)
			return err
		},
		func() error {
			n.license.ID, n.license.AccountID = 0, n.account.ID
			n.license, err = tx.CreateLicense(n.license)
			return err
		},
		func() error {
			n.token.ID, n.token.AccountID, n.token.VirtualAccountID = 0, n.account.ID, n.virtual.ID
			n.token, err = tx.CreateToken(n.token)
			return err
		},
		func() error {
			n.instance.ID, n.instance.AccountID, n.instance.VirtualAccountID = 0, n.account.ID, n.virtual.ID
			n.instance, err = tx.CreateInstance(n.instance)
			return err
		},
		func() error { n.certificate.AccountID = n.account.ID; return tx.SaveCertificate(n.certificate) },
		func() error {
			n.lot.AccountID, n.lot.VirtualAccountID, n.lot.LicenseID = n.account.ID, n.virtual.ID, n.license.ID
			return tx.ReplaceLots(n.account.ID, []satellite.Lot{n.lot})
		},
		func() error {
			n.pool.ID, n.pool.AccountID, n.pool.VirtualAccountID, n.pool.LicenseID = 0, n.account.ID, n.virtual.ID, n.license.ID
			n.pool, err = tx.SavePool(n.pool)
			return err
		},
		func() error {
			n.usage.InstanceID, n.usage.VirtualAccountID, n.usage.LicenseID = n.instance.ID, n.virtual.ID, n.license.ID
			return tx.SaveUsage(n.usage)
		},
		func() error {
			n.report.ID, n.report.AccountID = 0, n.account.ID
			n.report, err = tx.CreateReport(n.report)
			return err
		},
		func() error { n.state.AccountID = n.account.ID; return tx.SaveSyncState(n.state) },
		func() error { n.request.AccountID = n.account.ID; return tx.CreateSyncRequest(n.request) },
		func() error {
			r := &n.reservation
			r.ID, r.AccountID, r.VirtualAccountID, r.InstanceID = 0, n.account.ID, n.virtual.ID, n.instance.ID
			for _, items := range [][]satellite.ReservedItem{r.Authorization.Items, r.Update.Items} {
				for i := range items {
					items[i].LicenseID = n.license.ID
				}
			}
			n.reservation, err = tx.CreateReservation(*r)
			return err
		},
	}
	for i, step := range steps {
		if err := step(); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	return nil
}

func same[T any](t *testing.T, what string, want T) func(T, error) {
	return func(got T, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
			return
		}
		equal(t, what, got, want)
	}
}

func (n *nouns) compare(t *testing.T, tx satellite.Tx) {
	t.Helper()
	same(t, "satellite", n.self)(tx.Satellite())
	same(t, "roots", []satellite.Root{n.root})(tx.Roots())
	same(t, "token keys", []satellite.TokenKey{n.key})(tx.TokenKeys())
	same(t, "user", n.user)(tx.User(n.user.ID))
	same(t, "user by e-mail", n.user)(tx.UserByEmail(n.user.Email))
	same(t, "users", []satellite.User{n.user})(tx.Users())
	same(t, "session", n.session)(tx.Session(n.session.Key))
	same(t, "account", n.account)(tx.Account(n.account.ID))
	same(t, "account by name", n.account)(tx.AccountByName(n.account.Name))
	same(t, "accounts", []satellite.Account{n.account})(tx.Accounts())
	same(t, "authority", n.authority)(tx.Authority(n.account.ID))
	same(t, "virtual accounts", []satellite.VirtualAccount{n.virtual})(tx.VirtualAccounts(n.account.ID))
	page := satellite.Page{Limit: 10}
	same(t, "token", n.token)(tx.Token(n.token.ID))
	same(t, "token by hash", n.token)(tx.TokenByHash(n.token.Hash))
	same(t, "tokens", []satellite.Token{n.token})(tx.Tokens(satellite.TokenFilter{Scope: everything, AccountID: n.account.ID, VirtualAccountID: n.virtual.ID}, page))
	same(t, "changed tokens", []satellite.Token{n.token})(tx.ChangedTokens(n.account.ID, 0, 10))
	same(t, "device", n.instance)(tx.Instance(n.instance.PIID))
	same(t, "device by identity", n.instance)(tx.InstanceByIdentity(n.instance.Identity))
	same(t, "devices", []satellite.Instance{n.instance})(tx.Instances(satellite.InstanceFilter{Scope: everything}, page))
	same(t, "changed devices", []satellite.Instance{n.instance})(tx.ChangedInstances(n.account.ID, 0, 10))
	same(t, "certificate", n.certificate)(tx.Certificate(n.certificate.Fingerprint))
	same(t, "license", n.license)(tx.LicenseByTag(n.account.ID, n.license.Tag))
	same(t, "lots", []satellite.Lot{n.lot})(tx.Lots(n.virtual.ID, n.license.ID))
	same(t, "pool", n.pool)(tx.Pool(n.virtual.ID, n.license.ID))
	row := satellite.PoolRow{Pool: n.pool, License: n.license, VirtualAccount: n.virtual.Name}
	same(t, "pools", []satellite.PoolRow{row})(tx.Pools(satellite.PoolFilter{Scope: everything, AccountID: n.account.ID, VirtualAccountID: n.virtual.ID, Tag: n.license.Tag}))
	same(t, "changed pools", []satellite.PoolRow{row})(tx.ChangedPools(n.account.ID, 0, 10))
	same(t, "holdings", []satellite.Holding{{Usage: n.usage, License: n.license, Pool: n.pool}})(tx.Holdings(n.instance.ID))
	same(t, "holdings of several", map[satellite.InstanceID][]satellite.Holding{n.instance.ID: {{Usage: n.usage, License: n.license, Pool: n.pool}}})(
		tx.HoldingsOf([]satellite.InstanceID{n.instance.ID, n.instance.ID + 1}))
	same(t, "usages", []satellite.UsageRow{{
		PIID: n.instance.PIID, Hostname: n.instance.Hostname, UDIPID: n.instance.UDIPID, UDISerialNumber: n.instance.UDISerialNumber, Count: n.usage.Count,
	}})(tx.UsagesOf(n.virtual.ID, n.license.ID, page))
	same(t, "report by digest", n.report)(tx.ReportByDigest(n.account.ID, n.report.Digest))
	same(t, "report by key", n.report)(tx.ReportByKey(n.account.ID, n.report.Key))
	same(t, "reports", []satellite.Report{n.report})(tx.Reports(n.account.ID, everything, page))
	same(t, "reservation", n.reservation)(tx.Reservation(n.reservation.ID))
	same(t, "reservation by device", n.reservation)(tx.ReservationByUDI(n.reservation.UDIPID, n.reservation.UDISerialNumber))
	same(t, "reservations", []satellite.Reservation{n.reservation})(tx.Reservations(satellite.ReservationFilter{AccountID: n.account.ID, VirtualAccountID: n.virtual.ID, Scope: satellite.Scope{All: true}}, page))
	var items []satellite.ReservedRow
	for update, list := range [][]satellite.ReservedItem{n.reservation.Authorization.Items, n.reservation.Update.Items} {
		for _, item := range list {
			items = append(items, satellite.ReservedRow{ReservationID: n.reservation.ID, Update: update == 1, ReservedItem: item})
		}
	}
	same(t, "reserved items", items)(tx.ReservedItems(n.virtual.ID, n.license.ID))
	same(t, "sync state", n.state)(tx.SyncState(n.account.ID))
	same(t, "sync request", n.request)(tx.SyncRequest(n.account.ID, n.request.Sequence))
	same(t, "sync requests", []satellite.SyncRequestRow{n.request})(tx.SyncRequests(n.account.ID, page))
}

func roundTrips(t *testing.T, s satellite.Store) {
	n := newNouns(t, 1)
	update(t, s, n.create)
	view(t, s, func(tx satellite.Tx) error {
		n.compare(t, tx)
		return nil
	})
	// The same within the writer's own transaction.
	var inside nouns
	update(t, s, func(tx satellite.Tx) error {
		inside = n
		_, err := tx.Instance(n.instance.PIID)
		return err
	})
	equal(t, "the nouns", inside, n)
	event := satellite.Event{
		At: at(7), Type: "story.told", AccountID: n.account.ID, VirtualAccount: "Default", PIID: "piid", Message: "was 'told' ü日本", Actor: "user@company.example", Source: "192.0.2.1",
	}
	update(t, s, func(tx satellite.Tx) error { return tx.Record(event) })
	view(t, s, func(tx satellite.Tx) error {
		list, err := tx.Events(satellite.EventFilter{Scope: everything}, satellite.Page{Limit: 1})
		if err != nil || len(list) != 1 {
			t.Fatalf("the event: %d, %v", len(list), err)
		}
		want, err := event.Link(list[0].Node, 0, [32]byte{})
		equal(t, "event", list[0], want)
		return err
	})
	zeroTimes(t, s)
}

// zeroTimes: "never" must come back as the zero time, not as 1970.
func zeroTimes(t *testing.T, s satellite.Store) {
	t.Helper()
	w := newWorld(t, s, "zero")
	update(t, s, func(tx satellite.Tx) error {
		if err := tx.SaveAuthority(satellite.Authority{AccountID: w.account.ID}); err != nil {
			return err
		}
		_, err := tx.CreateInstance(w.instance(1))
		return err
	})
	view(t, s, func(tx satellite.Tx) error {
		account, err := tx.Account(w.account.ID)
		if err != nil {
			return err
		}
		authority, err := tx.Authority(w.account.ID)
		if err != nil {
			return err
		}
		instance, err := tx.Instance(w.instance(1).PIID)
		for name, got := range map[string]time.Time{
			"account": account.UpstreamRegisteredAt, "signer": authority.SignerNotAfter, "device": instance.AuthorizationExpiresAt,
		} {
			if !got.IsZero() {
				t.Errorf("a time of the %s that was never set is %v", name, got)
			}
		}
		if len(authority.Chain) != 0 || len(authority.SignerCertificate) != 0 {
			t.Errorf("an authority without certificates is %+v", authority)
		}
		return err
	})
}

func savesChange(t *testing.T, s satellite.Store) {
	before, n := newNouns(t, 1), newNouns(t, 5)
	update(t, s, before.create)
	// What a save never changes: identities, and what is fixed when a row is made.
	n.user.ID, n.account.ID, n.authority.AccountID, n.virtual = before.user.ID, before.account.ID, before.account.ID, before.virtual
	n.root, n.key, n.lot, n.report, n.request.AccountID, n.request.Sequence = before.root, before.key, before.lot, before.report, before.account.ID, before.request.Sequence
	n.session.Key, n.state.AccountID = before.session.Key, before.account.ID
	license := before.license
	license.Name, license.Description, license.Type = n.license.Name, n.license.Description, n.license.Type
	n.license = license
	token := before.token
	token.Uses, token.RevokedAt = n.token.Uses, n.token.RevokedAt
	certificate := before.certificate
	certificate.Status, certificate.RevokedAt = n.certificate.Status, n.certificate.RevokedAt
	n.certificate = certificate
	instance := n.instance
	instance.ID, instance.AccountID, instance.VirtualAccountID = before.instance.ID, before.account.ID, before.virtual.ID
	pool := n.pool
	pool.ID, pool.AccountID, pool.VirtualAccountID, pool.LicenseID = before.pool.ID, before.account.ID, before.virtual.ID, license.ID
	n.usage.InstanceID, n.usage.VirtualAccountID, n.usage.LicenseID = instance.ID, before.virtual.ID, license.ID
	r := before.reservation
	r.State, r.Authorization, r.Update, r.ConfirmedAt, r.ReturnedAt = n.reservation.State, n.reservation.Update, satellite.ReservationAuthorization{}, n.reservation.ConfirmedAt, n.reservation.ReturnedAt
	for i := range r.Authorization.Items {
		r.Authorization.Items[i].LicenseID = license.ID
	}
	var change int64
	update(t, s, func(tx satellite.Tx) (err error) {
		change, err = tx.ChangeNumber()
		if err != nil {
			return err
		}
		if n.pool, err = tx.SavePool(pool); err != nil {
			return err
		}
		for i, step := range []error{
			tx.SaveSatellite(n.self), tx.SaveUser(n.user), tx.SaveSession(n.session), tx.SaveAccount(n.account), tx.SaveAuthority(n.authority), tx.SaveLicense(n.license),
			tx.SaveToken(token), tx.SaveInstance(instance), tx.SaveCertificate(certificate), tx.SaveUsage(n.usage), tx.SaveSyncState(n.state), tx.SaveSyncRequest(n.request), tx.SaveReservation(r),
		} {
			if step != nil {
				return fmt.Errorf("save %d: %w", i+1, step)
			}
		}
		return nil
	})
	n.token, n.instance, n.reservation = token, instance, r
	n.token.ChangeNumber, n.instance.ChangeNumber = change+2, change+3
	if n.pool.ChangeNumber != change+1 {
		t.Errorf("the pool has change number %d, want %d", n.pool.ChangeNumber, change+1)
	}
	view(t, s, func(tx satellite.Tx) error {
		n.compare(t, tx)
		return nil
	})
	touch(t, s, n.instance, newNouns(t, 9).instance)
}

// touch: a message without news changes ten fields and gives no change number.
func touch(t *testing.T, s satellite.Store, instance, news satellite.Instance) {
	t.Helper()
	touched := news
	touched.ID = instance.ID
	update(t, s, func(tx satellite.Tx) error { return tx.TouchInstance(touched) })
	want := instance
	want.PreviousCredential, want.LastContactAt, want.LastAddress = news.PreviousCredential, news.LastContactAt, news.LastAddress
	want.AuthorizationState, want.AuthorizationRenewAt, want.AuthorizationExpiresAt = news.AuthorizationState, news.AuthorizationRenewAt, news.AuthorizationExpiresAt
	want.LastServed, want.ReplyDigest, want.OtherDigest = news.LastServed, news.ReplyDigest, news.OtherDigest
	view(t, s, func(tx satellite.Tx) error {
		same(t, "touched device", want)(tx.Instance(instance.PIID))
		return nil
	})
}

func conflicts(t *testing.T, s satellite.Store) {
	n := newNouns(t, 1)
	update(t, s, n.create)
	again := map[string]func(satellite.Tx) error{
		"reservation": func(tx satellite.Tx) error {
			_, err := tx.CreateReservation(n.reservation)
			return err
		},
		"user": func(tx satellite.Tx) error {
			u := n.user
			u.ID, u.Email = 0, "EMAIL"+u.Email[len("Email"):] // without regard to case
			_, err := tx.CreateUser(u)
			return err
		},
		"account": func(tx satellite.Tx) error {
			a := newNouns(t, 2).account
			a.ID, a.Name = 0, "NAME"+n.account.Name[len("Name"):]
			_, err := tx.CreateAccount(a)
			return err
		},
		"virtual account": func(tx satellite.Tx) error {
			v := n.virtual
			v.ID, v.Default = 0, false
			_, err := tx.CreateVirtualAccount(v)
			return err
		},
		"license": func(tx satellite.Tx) error {
			_, err := tx.CreateLicense(satellite.License{AccountID: n.account.ID, Tag: n.license.Tag})
			return err
		},
		"token": func(tx satellite.Tx) error {
			token := n.token
			token.ID = 0
			_, err := tx.CreateToken(token)
			return err
		},
		"device of one identity": func(tx satellite.Tx) error {
			i := n.instance
			i.ID, i.PIID = 0, "another"
			_, err := tx.CreateInstance(i)
			return err
		},
		"device of one PIID": func(tx satellite.Tx) error {
			i := n.instance
			i.ID, i.UDISerialNumber = 0, "another"
			_, err := tx.CreateInstance(i)
			return err
		},
		"report of one digest": func(tx satellite.Tx) error {
			r := n.report
			r.ID, r.Key.ReportID = 0, 1
			_, err := tx.CreateReport(r)
			return err
		},
		"report of one key": func(tx satellite.Tx) error {
			r := n.report
			r.ID, r.Digest = 0, "another"
			_, err := tx.CreateReport(r)
			return err
		},
		"sync request": func(tx satellite.Tx) error { return tx.CreateSyncRequest(n.request) },
		"lots": func(tx satellite.Tx) error {
			return tx.ReplaceLots(n.account.ID, []satellite.Lot{n.lot, n.lot})
		},
	}
	for name, f := range again {
		var err error
		update(t, s, func(tx satellite.Tx) error { err = f(tx); return nil })
		kind(t, name, err, satellite.KindConflict)
		update(t, s, func(tx satellite.Tx) error { // what a refused ReplaceLots took away within the update
			return tx.ReplaceLots(n.account.ID, []satellite.Lot{n.lot})
		})
	}
	view(t, s, func(tx satellite.Tx) error {
		n.compare(t, tx)
		return nil
	})
}

func missing(t *testing.T, s satellite.Store) {
	w := newWorld(t, s, "alpha")
	view(t, s, func(tx satellite.Tx) error {
		for name, read := range map[string]func() error{
			"satellite":          func() error { _, err := tx.Satellite(); return err },
			"user":               func() error { _, err := tx.User(7); return err },
			"user by e-mail":     func() error { _, err := tx.UserByEmail("nobody@company.example"); return err },
			"session":            func() error { _, err := tx.Session("none"); return err },
			"account":            func() error { _, err := tx.Account(77); return err },
			"account by name":    func() error { _, err := tx.AccountByName("none"); return err },
			"authority":          func() error { _, err := tx.Authority(w.account.ID); return err },
			"token":              func() error { _, err := tx.Token(7); return err },
			"token by hash":      func() error { _, err := tx.TokenByHash([32]byte{1}); return err },
			"device":             func() error { _, err := tx.Instance("none"); return err },
			"device by identity": func() error { _, err := tx.InstanceByIdentity(satellite.Identity{UDIPID: "R1"}); return err },
			"certificate":        func() error { _, err := tx.Certificate([32]byte{1}); return err },
			"reply":              func() error { _, err := tx.Reply("device", "1"); return err },
			"license":            func() error { _, err := tx.LicenseByTag(w.account.ID, "none"); return err },
			"report by digest":   func() error { _, err := tx.ReportByDigest(w.account.ID, "none"); return err },
			"report by key":      func() error { _, err := tx.ReportByKey(w.account.ID, satellite.ReportKey{}); return err },
			"sync request":       func() error { _, err := tx.SyncRequest(w.account.ID, 1); return err },
		} {
			kind(t, name, read(), satellite.KindNotFound)
		}
		// These have a fresh one instead.
		same(t, "pool", satellite.Pool{VirtualAccountID: w.virtual.ID, LicenseID: 99})(tx.Pool(w.virtual.ID, 99))
		state, err := tx.SyncState(w.account.ID)
		if state.NextSequence != 1 || len(state.Digests) != len(wire.StateKinds) {
			t.Errorf("a fresh sync state is %+v", state)
		}
		return err
	})
}

func upstreamPairs(t *testing.T, s satellite.Store) {
	newWorld(t, s, "alpha")
	var err error
	update(t, s, func(tx satellite.Tx) error {
		_, err = tx.CreateAccount(satellite.Account{Name: "beta", UpstreamAccount: "ALPHA", UpstreamVirtualAccount: "satellite"})
		return nil
	})
	kind(t, "the same pair in other letters", err, satellite.KindConflict)
	if code := satellite.CodeOf(err); code != "upstream-pair-taken" {
		t.Errorf("the code is %s", code)
	}
	update(t, s, func(tx satellite.Tx) error {
		_, err := tx.CreateAccount(satellite.Account{Name: "beta", UpstreamAccount: "alpha", UpstreamVirtualAccount: "Plant 2"})
		return err
	})
}
