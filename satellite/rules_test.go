package satellite

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ssm/satellite/wire"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestPurchasedAtCountsALotFromItsStartToBeforeItsEnd(t *testing.T) {
	t.Parallel()
	later := noon.Add(time.Hour)
	for _, c := range []struct {
		name  string
		lots  []Lot
		now   time.Time
		sum   int64
		until time.Time
	}{
		{"no lots", nil, noon, 0, time.Time{}},
		{"one that never ends", []Lot{{Quantity: 5}}, noon, 5, time.Time{}},
		{"at its start", []Lot{{Quantity: 5, Start: noon}}, noon, 5, time.Time{}},
		{"just before its start", []Lot{{Quantity: 5, Start: noon}}, noon.Add(-1), 0, noon},
		{"just before its end", []Lot{{Quantity: 5, End: noon}}, noon.Add(-1), 5, noon},
		{"at its end", []Lot{{Quantity: 5, End: noon}}, noon, 0, time.Time{}},
		{"an end before its start", []Lot{{Quantity: 5, Start: later, End: noon}}, noon.Add(-1), 0, noon},
		{"one ends as the next begins", []Lot{{Quantity: 5, End: noon}, {Quantity: 7, Start: noon}}, noon, 7, time.Time{}},
		{"the nearest edge", []Lot{{Quantity: 5, End: later}, {Quantity: 7, Start: noon.Add(time.Minute), End: later}}, noon, 5, noon.Add(time.Minute)},
		{"the same instant in another zone", []Lot{{Quantity: 5, End: noon.In(time.FixedZone("", 9*3600))}}, noon, 0, time.Time{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if sum, until := PurchasedAt(c.lots, c.now); sum != c.sum || !until.Equal(c.until) {
				t.Errorf("got %d until %v, want %d until %v", sum, until, c.sum, c.until)
			}
		})
	}
}

func lotsOf(r *rapid.T) (lots []Lot) {
	for range rapid.IntRange(0, 8).Draw(r, "lots") {
		lot := Lot{Quantity: rapid.Int64Range(0, 1000).Draw(r, "quantity"), Start: noon.Add(time.Duration(rapid.IntRange(-20, 20).Draw(r, "start")) * time.Hour)}
		if rapid.Bool().Draw(r, "ends") {
			lot.End = lot.Start.Add(time.Duration(rapid.IntRange(0, 20).Draw(r, "hours")) * time.Hour)
		}
		lots = append(lots, lot)
	}
	return lots
}

// Between now and until the sum stays; the sum of all lots is the sum of each one's.
func TestPurchasedAtHoldsUntilItSaysAndAddsUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		lots := lotsOf(r)
		now := noon.Add(time.Duration(rapid.IntRange(-30*60, 30*60).Draw(r, "now")) * time.Minute)
		sum, until := PurchasedAt(lots, now)
		var parts int64
		for i := range lots {
			part, _ := PurchasedAt(lots[i:i+1], now)
			parts += part
		}
		if parts != sum {
			r.Fatalf("the lots make %d, each of them %d", sum, parts)
		}
		last := until.Add(-1)
		if until.IsZero() {
			last = now.Add(1000 * time.Hour)
		} else if !until.After(now) {
			r.Fatalf("it changes at %v, which is not after %v", until, now)
		}
		between := now.Add(time.Duration(rapid.Float64Range(0, 1).Draw(r, "part") * float64(last.Sub(now))))
		for _, instant := range []time.Time{between, last} {
			if other, _ := PurchasedAt(lots, instant); other != sum {
				r.Fatalf("%d at %v, but %d at %v, before %v", sum, now, other, instant, until)
			}
		}
		pool := Pool{Purchased: sum, PurchasedUntil: until}
		if pool.stale(now) || pool.stale(last) || !until.IsZero() && !pool.stale(until) {
			r.Fatalf("a pool counted at %v until %v is stale at the wrong time", now, until)
		}
	})
}

func TestAPoolBalances(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pool                         Pool
		quantity, balance, available int64
		status                       string
	}{
		{Pool{}, 0, 0, 0, PoolInCompliance},
		{Pool{Purchased: 10, InUse: 10}, 10, 0, 0, PoolInCompliance},
		{Pool{Purchased: 10, InUse: 11}, 10, -1, 0, PoolInsufficient},
		{Pool{InUse: 3}, 0, -3, 0, PoolInsufficient},
		{Pool{Purchased: 10, TransferredIn: 5, TransferredOut: 3, Reserved: 2, InUse: 4}, 12, 6, 6, PoolInCompliance},
		{Pool{Purchased: 1, TransferredOut: 3}, -2, -2, 0, PoolInsufficient},
		{Pool{Purchased: 100, InUse: 10, Lent: 50}, 100, 40, 40, PoolInCompliance},
		{Pool{InUse: 50, Borrowed: 50}, 0, 0, 0, PoolInCompliance},
	} {
		p := PoolRow{Pool: c.pool}
		if p.Quantity() != c.quantity || p.Balance() != c.balance || p.Available() != c.available || p.Status() != c.status || p.Short() != (c.balance < 0) {
			t.Errorf("%+v: quantity %d, balance %d, available %d, %s", p, p.Quantity(), p.Balance(), p.Available(), p.Status())
		}
	}
}

func TestATokenEndsByDaysOrUsesOrRevocation(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		token Token
		want  TokenStatus
	}{
		{Token{ExpiresAt: noon.Add(1)}, TokenActive},
		{Token{ExpiresAt: noon}, TokenExpired},
		{Token{ExpiresAt: noon.Add(1), Uses: 1_000_000}, TokenActive}, // unlimited
		{Token{ExpiresAt: noon.Add(1), MaxUses: 2, Uses: 1}, TokenActive},
		{Token{ExpiresAt: noon.Add(1), MaxUses: 2, Uses: 2}, TokenExhausted},
		{Token{ExpiresAt: noon, MaxUses: 2, Uses: 2}, TokenExpired},
		{Token{ExpiresAt: noon.Add(1), RevokedAt: noon.Add(-1)}, TokenRevoked},
		{Token{ExpiresAt: noon, MaxUses: 2, Uses: 2, RevokedAt: noon.Add(-1)}, TokenRevoked},
	} {
		if got := c.token.StatusAt(noon); got != c.want {
			t.Errorf("%+v is %s, want %s", c.token, got, c.want)
		}
		err := c.token.usable(noon)
		if c.want == TokenActive && err != nil || c.want != TokenActive && CodeOf(err) != "token-"+string(c.want) {
			t.Errorf("%+v: %v", c.token, err)
		}
	}
}

func TestTimeAloneChangesTheStatesOfADevice(t *testing.T) {
	t.Parallel()
	base := Instance{RegistrationState: Registered, CertificateNotAfter: noon, AuthorizationState: Authorized, AuthorizationExpiresAt: noon.Add(-day)}
	with := func(change func(*Instance)) Instance { i := base; change(&i); return i }
	for _, c := range []struct {
		instance      Instance
		now           time.Time
		registration  RegistrationState
		authorization AuthorizationState
	}{
		{base, noon.Add(-1), Registered, Authorized},
		{base, noon, RegistrationExpired, Authorized}, // the 90-day return ends it, not the time of day
		{with(func(i *Instance) { i.AuthorizationState = AuthorizationExpired }), noon, RegistrationExpired, AuthorizationExpired},
		{with(func(i *Instance) { i.RegistrationState = Unregistered }), noon, Unregistered, Authorized},
	} {
		got := c.instance.StateAt(c.now)
		if got.RegistrationState != c.registration || got.AuthorizationState != c.authorization {
			t.Errorf("%+v at %v is %s, %s", c.instance, c.now, got.RegistrationState, got.AuthorizationState)
		}
	}
}

func TestADeviceSpeaksUnderItsOwnCertificatesOnly(t *testing.T) {
	t.Parallel()
	own, previous, other, none := [sha256.Size]byte{1}, [sha256.Size]byte{2}, [sha256.Size]byte{3}, [sha256.Size]byte{}
	i := Instance{PIID: "piid", RegistrationState: Registered, Credential: own, PreviousCredential: previous, CertificateNotAfter: noon}
	reported := Instance{RegistrationState: Unregistered}
	for _, c := range []struct {
		instance   Instance
		credential [sha256.Size]byte
		now        time.Time
		code       string
	}{
		{i, own, noon.Add(-1), ""},
		{i, previous, noon.Add(-1), ""},
		{i, other, noon.Add(-1), "certificate-not-accepted"},
		{i, none, noon.Add(-1), "certificate-not-accepted"},
		{i, own, noon, "certificate-expired"},
		{i, other, noon, "certificate-not-accepted"},
		{reported, none, noon, "certificate-not-accepted"}, // it never got one
	} {
		err := c.instance.accepts(c.credential, noon, c.now)
		if c.code == "" && err != nil || c.code != "" && CodeOf(err) != c.code {
			t.Errorf("credential %x at %v: %v, want %q", c.credential[0], c.now, err, c.code)
		}
	}
}

// Take one out, alter a field, or swap two: the chain does not verify.
func TestAChainOfEventsShowsEveryAlteration(t *testing.T) {
	t.Parallel()
	chain := func() (events []Event) {
		var last Event
		for n := range 5 {
			e := Event{At: noon, Type: "story", AccountID: 1, VirtualAccount: "v", PIID: "p", Message: fmt.Sprint(n), Actor: "a", Source: "s"}
			var err error
			if last, err = e.Link("1", last.Number, last.Hash); err != nil {
				t.Fatal(err)
			}
			events = append(events, last)
		}
		return events
	}
	verify := func(events []Event) error {
		var last Event
		for _, e := range events {
			if err := e.follows(last.Number, last.Hash); err != nil {
				return err
			}
			last = e
		}
		return nil
	}
	if err := verify(chain()); err != nil {
		t.Fatal(err)
	}
	for name, alter := range map[string]func([]Event) []Event{
		"node":            func(e []Event) []Event { e[2].Node = "2"; return e },
		"number":          func(e []Event) []Event { e[2].Number = 9; return e },
		"time":            func(e []Event) []Event { e[2].At = noon.Add(time.Microsecond); return e },
		"type":            func(e []Event) []Event { e[2].Type = "x"; return e },
		"account":         func(e []Event) []Event { e[2].AccountID = 2; return e },
		"virtual account": func(e []Event) []Event { e[2].VirtualAccount = "x"; return e },
		"device":          func(e []Event) []Event { e[2].PIID = "x"; return e },
		"message":         func(e []Event) []Event { e[2].Message = "x"; return e },
		"actor":           func(e []Event) []Event { e[2].Actor = "x"; return e },
		"source":          func(e []Event) []Event { e[2].Source = "x"; return e },
		"hash":            func(e []Event) []Event { e[2].Hash[0]++; return e },
		"previous hash":   func(e []Event) []Event { e[2].PreviousHash[0]++; return e },
		"one missing":     func(e []Event) []Event { return append(e[:2], e[3:]...) },
		"the first gone":  func(e []Event) []Event { return e[1:] },
		"two swapped":     func(e []Event) []Event { e[1], e[2] = e[2], e[1]; return e },
		"message moved to the actor": func(e []Event) []Event {
			e[2].Message, e[2].Actor = "", e[2].Message+e[2].Actor
			return e
		},
		"one rewritten with its hash": func(e []Event) []Event {
			e[2].Message = "x"
			e[2], _ = e[2].Link("1", e[1].Number, e[1].Hash)
			return e
		},
	} {
		if err := verify(alter(chain())); err == nil {
			t.Errorf("%s: the chain verifies", name)
		}
	}
}

func TestNamesAndAddressesAreBounded(t *testing.T) {
	t.Parallel()
	for name, good := range map[string]bool{
		"Plant": true, "株式会社 例": true, strings.Repeat("ü", 255): true, "": false, strings.Repeat("ü", 256): false, " Plant": false, "Plant ": false,
		"a\nb": false, "a\x00b": false, "a\tb": false, "\xff": false, "a\x7f": false,
	} {
		if err := checkName("account", name); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
	for address, good := range map[string]bool{
		"a@b.example": true, "a": false, "": false, "A <a@b.example>": false, "a@b.example ": false, strings.Repeat("a", 260) + "@b.example": false,
	} {
		if err := checkEmail(address); (err == nil) != good {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestAPairHasANameAndARole(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ü", maxApplicationID)
	for _, c := range []struct {
		said wire.HighAvailability
		good bool
	}{
		{wire.HighAvailability{ApplicationID: "core", Role: "active"}, true},
		{wire.HighAvailability{ApplicationID: "core 7 株", Role: "standby"}, true},
		{wire.HighAvailability{ApplicationID: long, Role: "active"}, true},
		{wire.HighAvailability{ApplicationID: long + "x", Role: "active"}, false},
		{wire.HighAvailability{}, false},
		{wire.HighAvailability{Role: "active"}, false},
		{wire.HighAvailability{ApplicationID: "core"}, false},
		{wire.HighAvailability{ApplicationID: "core", Role: "primary"}, false},
		{wire.HighAvailability{ApplicationID: "\xff", Role: "active"}, false},
		{wire.HighAvailability{ApplicationID: "a\tb", Role: "active"}, false},
		{wire.HighAvailability{ApplicationID: " ", Role: "active"}, false},
	} {
		if err := checkPair(&c.said); (err == nil) != c.good || err != nil && (KindOf(err) != KindInvalid || CodeOf(err) != "high-availability-invalid") {
			t.Errorf("%+v: %v", c.said, err)
		}
	}
	if err := checkPair(nil); err != nil {
		t.Errorf("a device that stands alone: %v", err)
	}
}

// Who falls back once has lost a reply; who goes on from what was left behind is another one.
func TestTheCourseOfADeviceTellsItsCopies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name               string
		last, reply, other string
		copied             bool
		left               string
	}{
		{"it goes on", "2", "2", "", false, ""},
		{"it goes on, beside a branch", "2", "2", "1", false, "1"},
		{"it names nothing", "", "2", "1", false, "1"},
		{"it falls back", "1", "2", "", false, "2"},
		{"it falls back again", "1", "3", "2", false, "3"},
		{"the branch that was left speaks", "2", "3", "2", true, "3"},
		{"nothing is known of it yet", "1", "", "", false, ""},
	} {
		i := Instance{ReplyDigest: c.reply, OtherDigest: c.other}
		if copied := i.continues(c.last); copied != c.copied || i.OtherDigest != c.left || i.ReplyDigest != c.reply {
			t.Errorf("%s: copied %v, left %q", c.name, copied, i.OtherDigest)
		}
	}
}

func TestAPairSharesWhatItHolds(t *testing.T) {
	t.Parallel()
	standby, active := "standby", "active"
	type m struct {
		role           string
		asks, count    int64
		barred         bool
		holds, sharing int64
	}
	for name, c := range map[string]struct {
		total   int64
		members []m
	}{
		"one alone":                           {5, []m{{"", 5, 0, false, 5, 0}}},
		"the active one carries":              {5, []m{{standby, 5, 5, false, 0, 5}, {active, 5, 0, false, 5, 0}}},
		"a standby holds what is beyond":      {7, []m{{active, 5, 5, false, 5, 2}, {standby, 7, 0, false, 2, 5}}},
		"without an active one it stays":      {5, []m{{standby, 5, 0, false, 0, 5}, {standby, 5, 5, false, 5, 0}}},
		"the first of two that hold the same": {5, []m{{standby, 5, 0, false, 5, 0}, {standby, 5, 0, false, 0, 5}}},
		"who asks for nothing holds nothing":  {3, []m{{active, 0, 5, false, 0, 3}, {standby, 3, 0, false, 3, 0}}},
		"less than is asked for":              {3, []m{{active, 2, 2, false, 2, 1}, {standby, 6, 1, false, 1, 2}}},
		"who is barred shares nothing":        {3, []m{{active, 3, 3, false, 3, 0}, {standby, 0, 0, true, 0, 0}}},
	} {
		var members []*member
		for id, want := range c.members {
			members = append(members, &member{
				instance: Instance{ID: InstanceID(id), HARole: want.role}, Holding: Holding{Usage: Usage{Count: want.count, Wanted: want.asks}}, asks: want.asks, barred: want.barred,
			})
		}
		share(members, c.total)
		for i, want := range c.members {
			if got := members[i]; got.Usage.Count != want.holds || got.Shared != want.sharing {
				t.Errorf("%s: member %d holds %d and shares %d, want %d and %d", name, i, got.Usage.Count, got.Shared, want.holds, want.sharing)
			}
		}
	}
}

// One table of role and action, cell by cell.
func TestEveryRoleMayDoWhatItsRowSays(t *testing.T) {
	t.Parallel()
	roles := slices.Concat(SystemRoles, AccountRoles, VirtualAccountRoles)
	rows := []struct {
		action Action
		cells  string // a column for each role: Admin, Operator, User; and three times Administrator, User, Viewer
	}{
		{ActionManageAccounts, "xx. ... ..."},
		{ActionManageUsers, "x.. ... ..."},
		{ActionManageTrust, "x.. ... ..."},
		{ActionManageClock, "x.. ... ..."},
		{ActionManageEvents, "x.. ... ..."},
		{ActionManagePrivacy, "x.. ... ..."},
		{ActionRead, "xx. xxx xxx"},
		{ActionManageAccount, "xx. x.. ..."},
		{ActionManageVirtualAccounts, "xx. x.. ..."},
		{ActionManageAccess, "x.. x.. x.."},
		{ActionManageTokens, "xx. xx. xx."},
		{ActionManageDevices, "xx. xx. xx."},
		{ActionManageLicenses, "xx. xx. xx."},
		{ActionManageReservations, "xx. xx. xx."},
		{ActionImportUsage, "xx. xx. xx."},
		{ActionSynchronize, "xx. x.. ..."},
	}
	said := map[Role]int{}
	for _, row := range rows {
		cells := strings.ReplaceAll(row.cells, " ", "")
		for i, role := range roles {
			want := cells[i] == 'x'
			if permissions[role][row.action] != want {
				t.Errorf("whether %s may %s must be %v", role, row.action, want)
			}
			if want {
				said[role]++
			}
		}
	}
	if len(permissions) != len(roles) {
		t.Errorf("the table has %d roles, there are %d", len(permissions), len(roles))
	}
	for role, actions := range permissions {
		if len(actions) != said[role] {
			t.Errorf("%s may do %d things, the rows say %d", role, len(actions), said[role])
		}
	}
}

// Where a role holds, and what a stranger is told.
func TestARoleHoldsInItsPlaceOnly(t *testing.T) {
	t.Parallel()
	actor := func(system Role, grants ...Grant) Actor { return Actor{Role: system, Grants: grants} }
	account, part := Grant{AccountID: 1, Role: RoleAccountUser}, Grant{AccountID: 1, VirtualAccountID: 11, Role: RoleVirtualAccountUser}
	for _, c := range []struct {
		name    string
		actor   Actor
		account AccountID
		virtual VirtualAccountID
		code    string // "" where he may manage tokens there
	}{
		{"nobody", Actor{}, 1, 11, "not-signed-in"},
		{"nobody with a role", actor("", account), 1, 11, "not-signed-in"},
		{"a System User without a role", actor(RoleSystemUser), 1, 11, "account-not-found"},
		{"a System Admin", actor(RoleSystemAdmin), 1, 11, ""},
		{"an Account User in the account", actor(RoleSystemUser, account), 1, 0, ""},
		{"an Account User in a part of it", actor(RoleSystemUser, account), 1, 12, ""},
		{"an Account User elsewhere", actor(RoleSystemUser, account), 2, 0, "account-not-found"},
		{"a Virtual Account User there", actor(RoleSystemUser, part), 1, 11, ""},
		{"a Virtual Account User in another part", actor(RoleSystemUser, part), 1, 12, "virtual-account-not-found"},
		{"a Virtual Account User in the whole account", actor(RoleSystemUser, part), 1, 0, "role-insufficient"},
		{"a Virtual Account User elsewhere", actor(RoleSystemUser, part), 2, 11, "account-not-found"},
		{"a viewer", actor(RoleSystemUser, Grant{AccountID: 1, Role: RoleAccountViewer}), 1, 11, "role-insufficient"},
		{"an account role on a virtual account", actor(RoleSystemUser, Grant{AccountID: 1, VirtualAccountID: 11, Role: RoleAccountAdmin}), 1, 11, "account-not-found"},
		{"a virtual account role on an account", actor(RoleSystemUser, Grant{AccountID: 1, Role: RoleVirtualAccountAdmin}), 1, 11, "account-not-found"},
		{"a system role on an account", actor(RoleSystemUser, Grant{AccountID: 1, Role: RoleSystemAdmin}), 1, 11, "account-not-found"},
		{"an account role on the satellite", actor(RoleAccountAdmin), 1, 11, "account-not-found"},
	} {
		err := c.actor.mayIn(ActionManageTokens, c.account, c.virtual)
		if c.code == "" && err != nil || c.code != "" && CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %q", c.name, err, c.code)
		}
	}
}

// The rule stands on its own, whatever the table says: who has a part of a role cannot give the whole of it.
func TestARoleIsGivenByWhoMayAllOfIt(t *testing.T) {
	t.Parallel()
	whole, part := Grant{AccountID: 1, Role: RoleAccountUser}, Grant{AccountID: 1, VirtualAccountID: 11, Role: RoleVirtualAccountUser}
	for _, c := range []struct {
		has, gives Grant
		code       string
	}{
		{whole, whole, ""},
		{whole, Grant{AccountID: 1, Role: RoleAccountViewer}, ""},
		{whole, part, ""},
		{whole, Grant{AccountID: 1, Role: RoleAccountAdmin}, "role-beyond-own"},
		{whole, Grant{AccountID: 2, Role: RoleAccountViewer}, "role-beyond-own"},
		{part, part, ""},
		{part, Grant{AccountID: 1, Role: RoleAccountViewer}, "role-beyond-own"},
		{part, Grant{AccountID: 1, VirtualAccountID: 12, Role: RoleVirtualAccountViewer}, "role-beyond-own"},
	} {
		err := Actor{Role: RoleSystemUser, Grants: []Grant{c.has}}.mayGive(c.gives)
		if (c.code == "") != (err == nil) || c.code != "" && CodeOf(err) != c.code {
			t.Errorf("%+v gives %+v: %v, want %q", c.has, c.gives, err, c.code)
		}
	}
}

func TestALimitedAccountHasThreeUsers(t *testing.T) {
	t.Parallel()
	limited, standard := Account{Name: "Shop", Type: AccountLimited}, Account{Name: "Plant", Type: AccountStandard}
	held := func(users ...UserID) (access []HeldGrant) {
		for _, user := range users {
			access = append(access, HeldGrant{Holder: Holder{UserID: user}})
		}
		return access
	}
	for _, c := range []struct {
		account Account
		access  []HeldGrant
		user    UserID
		refused bool
	}{
		{limited, nil, 1, false}, {limited, held(1, 2), 3, false}, {limited, held(1, 2, 3), 4, true}, {limited, held(1, 2, 3), 3, false},
		{limited, held(1, 1, 2, 2), 3, false}, {limited, held(1, 2, 3, 4), 4, false}, {limited, held(1, 2, 3, 4), 5, true}, {standard, held(1, 2, 3), 4, false},
	} {
		if err := c.account.mayGrant(c.access, c.user); (CodeOf(err) == "limited-account") != c.refused || !c.refused && err != nil {
			t.Errorf("user %d in a %s account with %d grants: %v", c.user, c.account.Type, len(c.access), err)
		}
	}
}

func TestAProfileIsBounded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		profile Profile
		code    string
	}{
		{Profile{FirstName: "Ada"}, ""},
		{Profile{FirstName: "花子", LastName: "神田", Company: "神田株式会社", Address: "東京都\n千代田区", Phone: "+81 (0)3-1234.5678"}, ""},
		{Profile{}, "user-name-invalid"},
		{Profile{FirstName: strings.Repeat("a", 200), LastName: strings.Repeat("b", 55)}, "user-name-invalid"},
		{Profile{FirstName: "A\nB"}, "user-name-invalid"},
		{Profile{FirstName: "A", Company: " B"}, "company-name-invalid"},
		{Profile{FirstName: "A", Address: strings.Repeat("ü", 1001)}, "address-invalid"},
		{Profile{FirstName: "A", Address: "a\x1b[2J"}, "address-invalid"},
		{Profile{FirstName: "A", Address: "\xff"}, "address-invalid"},
		{Profile{FirstName: "A", Phone: "call me"}, "phone-invalid"},
		{Profile{FirstName: "A", Phone: "+-()"}, "phone-invalid"},
		{Profile{FirstName: "A", Phone: strings.Repeat("1", 41)}, "phone-invalid"},
	} {
		if err := c.profile.check(); (c.code == "") != (err == nil) || c.code != "" && CodeOf(err) != c.code {
			t.Errorf("%+v: %v, want %q", c.profile, err, c.code)
		}
	}
	if p := Person("Ada King Lovelace"); p != (Profile{FirstName: "Ada", LastName: "King Lovelace"}) || p.Name() != "Ada King Lovelace" {
		t.Errorf("%+v", p)
	}
}
