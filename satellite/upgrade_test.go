package satellite_test

import (
	"database/sql"
	"strings"
	"testing"
	"time"

	"ssm/satellite"
	"ssm/satellite/wire"
)

// small is a world whose account is a limited one at a public mail provider,
// registered upstream and at work.
func small(t *testing.T) (*world, *device) {
	t.Helper()
	w := newWorld(t)
	w.account = w.newAccount(satellite.NewAccount{Name: "Small", Email: "owner@gmail.com", Limited: true})
	w.trust()
	w.up.lots[w.external(w.account)] = []lot{{tag: "A", quantity: 5, start: begin.Add(-day)}}
	w.limited(nil)
	_, text := w.token(satellite.NewToken{})
	d := w.device("1").register(text)
	d.ok(d.authorization("A", 2))
	w.account, _ = w.service.FindAccount(w.ctx, admin, "Small")
	return w, d
}

// limited is an exchange with an upstream that calls the account limited.
func (w *world) limited(answer *wire.UpgradeAnswer) {
	w.Helper()
	_, err := w.apply(w.up.answer(w.TB, w.request(w.account, false), func(m *wire.Manifest) {
		m.Response.AccountType, m.Response.DomainIdentifier, m.Response.Upgrade = "limited", "abc123.smb", answer
	}))
	w.must(err)
}

// standard is an exchange with an upstream that calls the account standard.
func (w *world) standard(identifier string, answer *wire.UpgradeAnswer) {
	w.Helper()
	_, err := w.apply(w.up.answer(w.TB, w.request(w.account, false), func(m *wire.Manifest) {
		m.Response.DomainIdentifier, m.Response.Upgrade = identifier, answer
	}))
	w.must(err)
}

// belongings are the rows of devices, tokens, licenses and what they hold.
func (w *world) belongings() string {
	w.Helper()
	db, err := sql.Open("sqlite3", "file:"+w.path+"?mode=ro")
	w.must(err)
	defer func() { _ = db.Close() }()
	var text strings.Builder
	for _, table := range []string{"virtual_accounts", "instances", "certificates", "tokens", "licenses", "pools", "usages", "authorities"} {
		text.WriteString(table + "\n" + strings.Join(w.rows(db, "SELECT * FROM "+table), "\n") + "\n")
	}
	return text.String()
}

func TestALimitedAccountBecomesAStandardOneAndLosesNothing(t *testing.T) {
	t.Parallel()
	w, d := small(t)
	id := w.account.ID
	for _, name := range []string{"Second", "Third"} {
		_, err := w.service.CreateVirtualAccount(w.ctx, admin, id, name, "")
		w.must(err)
	}
	tagged := satellite.CustomTagsOf{AccountID: id}
	w.unchanged("what a limited account may not", func() {
		_, err := w.service.CreateVirtualAccount(w.ctx, admin, id, "Fourth", "")
		refused(t, err, satellite.KindConflict, "limited-account", "at most 3 virtual accounts", "has 3", `satellite account upgrade --account "Small"`)
		refused(t, w.service.SetCustomTag(w.ctx, admin, tagged, satellite.CustomTag{Key: "site", Values: []string{"Osaka"}}), satellite.KindConflict, "limited-account", "no custom tags", "satellite account upgrade")
		_, err = w.service.RequestUpgrade(w.ctx, admin, id, satellite.NewUpgrade{})
		refused(t, err, satellite.KindConflict, "upgrade-public-email", "owner@gmail.com", "--email", "stays limited")
		_, err = w.service.RequestUpgrade(w.ctx, admin, id, satellite.NewUpgrade{Email: "owner@small.example", DomainIdentifier: "gmail.com"})
		refused(t, err, satellite.KindInvalid, "domain-identifier-invalid", "--domain")
		_, err = w.service.RequestUpgrade(w.ctx, admin, id, satellite.NewUpgrade{Email: "owner@small.example", Name: "PLANT"})
		refused(t, err, satellite.KindConflict, "account-exists", "--name")
	})
	w.limited(nil) // settles everything, so that what follows changes nothing by that
	before := w.belongings()
	u, err := w.service.RequestUpgrade(w.ctx, admin, id, satellite.NewUpgrade{Email: "owner@Small.example", Name: "Small & Co"})
	if err != nil || u.Status != satellite.UpgradeRequested || u.DomainIdentifier != "small.example" || u.Name != "Small & Co" {
		t.Fatalf("the upgrade is %+v (%v)", u, err)
	}
	w.alerts("authorization-pending")
	w.unchanged("the same again", func() {
		_, err := w.service.RequestUpgrade(w.ctx, admin, id, satellite.NewUpgrade{Name: "Small & Co"})
		refused(t, err, satellite.KindConflict, "upgrade-waiting", "small.example", "requested")
	})
	// It travels until it is answered, also where a response is lost.
	for range 2 {
		w.up.take(t, w.request(w.account, false))
		asked := w.up.manifest.Request.Upgrade
		if asked == nil || asked.Name != "Small & Co" || asked.DomainIdentifier != "small.example" || asked.Email != "owner@Small.example" || asked.RequestedBy != admin.Name || !asked.RequestedAt.Equal(u.RequestedAt) {
			t.Fatalf("the request asks for %+v", asked)
		}
	}
	w.standard("small.example", &wire.UpgradeAnswer{Status: wire.UpgradeApproved, DomainIdentifier: "small.example", RequestedAt: u.RequestedAt})
	account, err := w.service.FindAccount(w.ctx, admin, "Small & Co")
	if err != nil || account.Type != satellite.AccountStandard || account.DomainIdentifier != "small.example" || account.RequesterEmail != "owner@Small.example" {
		t.Fatalf("the account is %+v (%v)", account, err)
	}
	if after := w.belongings(); after != before {
		t.Errorf("the upgrade changed more than the account:\n%s\nbefore:\n%s", after, before)
	}
	w.alerts()
	if u, err = w.service.Upgrade(w.ctx, admin, id); err != nil || u.Status != satellite.UpgradeApproved || u.AnsweredAt.IsZero() {
		t.Errorf("the upgrade is %+v (%v)", u, err)
	}
	w.up.take(t, w.request(account, false))
	if w.up.manifest.Request.Upgrade != nil {
		t.Error("an upgrade that was answered still travels")
	}
	// What was refused is accepted now.
	_, err = w.service.CreateVirtualAccount(w.ctx, admin, id, "Fourth", "")
	w.must(err)
	w.must(w.service.SetCustomTag(w.ctx, admin, tagged, satellite.CustomTag{Key: "site", Values: []string{"Osaka"}}))
	d.ok(d.authorization("A", 3))
	_, err = w.service.RequestUpgrade(w.ctx, admin, id, satellite.NewUpgrade{})
	refused(t, err, satellite.KindConflict, "upgrade-needless")
	w.audit()
}

func TestAChangedIdentifierWaitsAndTheAccountStaysLimited(t *testing.T) {
	t.Parallel()
	w, _ := small(t)
	id := w.account.ID
	u, err := w.service.RequestUpgrade(w.ctx, admin, id, satellite.NewUpgrade{Email: "owner@small.example", DomainIdentifier: "Small-Group.example"})
	w.must(err)
	// An answer to another request is none to this one.
	w.limited(&wire.UpgradeAnswer{Status: wire.UpgradeDeclined, RequestedAt: u.RequestedAt.Add(-time.Hour), Reason: "No."})
	if u, err = w.service.Upgrade(w.ctx, admin, id); err != nil || u.Status != satellite.UpgradeRequested {
		t.Fatalf("the upgrade is %+v (%v)", u, err)
	}
	w.limited(&wire.UpgradeAnswer{Status: wire.UpgradePending, RequestedAt: u.RequestedAt})
	if u, err = w.service.Upgrade(w.ctx, admin, id); err != nil || u.Status != satellite.UpgradePending || u.DomainIdentifier != "small-group.example" {
		t.Fatalf("the upgrade is %+v (%v)", u, err)
	}
	w.alerts("authorization-pending")
	if a, err := w.service.FindAccount(w.ctx, admin, "Small"); err != nil || a.Type != satellite.AccountLimited || a.DomainIdentifier != "abc123.smb" {
		t.Errorf("meanwhile the account is %+v (%v)", a, err)
	}
	// "Approved" from an upstream that calls the account limited is nonsense.
	nonsense := w.up.answer(t, w.request(w.account, false), func(m *wire.Manifest) {
		m.Response.AccountType, m.Response.Upgrade = "limited", &wire.UpgradeAnswer{Status: wire.UpgradeApproved, RequestedAt: u.RequestedAt}
	})
	w.unchanged("an answer without sense", func() {
		_, err := w.apply(nonsense)
		refused(t, err, satellite.KindInvalid, "sync-file-malformed", "upgrade")
	})
	w.limited(&wire.UpgradeAnswer{Status: wire.UpgradeDeclined, RequestedAt: u.RequestedAt, Reason: "Another company has\nthat domain."})
	w.alerts()
	if u, err = w.service.Upgrade(w.ctx, admin, id); err != nil || u.Status != satellite.UpgradeDeclined || u.Reason != "Another company has that domain." {
		t.Errorf("the upgrade is %+v (%v)", u, err)
	}
	events, err := w.service.Events(w.ctx, admin, satellite.EventFilter{Type: satellite.EventUpgradeAnswered}, satellite.Page{})
	if err != nil || len(events) != 2 || !strings.Contains(events[0].Message, "Another company has that domain.") {
		t.Errorf("the events are %+v (%v)", events, err)
	}
	// Asked again with another identifier, and replaced while it waits.
	first, err := w.service.RequestUpgrade(w.ctx, admin, id, satellite.NewUpgrade{DomainIdentifier: "small-group2.example"})
	w.must(err)
	w.clock.advance(time.Hour)
	second, err := w.service.RequestUpgrade(w.ctx, admin, id, satellite.NewUpgrade{})
	w.must(err)
	w.limited(&wire.UpgradeAnswer{Status: wire.UpgradeDeclined, RequestedAt: first.RequestedAt})
	w.alerts("authorization-pending")
	w.standard("small.example", &wire.UpgradeAnswer{Status: wire.UpgradeApproved, RequestedAt: second.RequestedAt})
	w.alerts()
	w.audit()
}

func TestOnlyAnAccountAdministratorUpgrades(t *testing.T) {
	t.Parallel()
	w, _ := small(t)
	id := w.account.ID
	for role, kind := range map[satellite.Role]satellite.Kind{
		satellite.RoleAccountUser: satellite.KindForbidden, satellite.RoleAccountViewer: satellite.KindForbidden, "": satellite.KindNotFound,
	} {
		actor := satellite.Actor{Name: "u", Role: satellite.RoleSystemUser, Grants: []satellite.Grant{{AccountID: id, Role: role}}}
		w.unchanged("an upgrade by "+string(role), func() {
			if _, err := w.service.RequestUpgrade(w.ctx, actor, id, satellite.NewUpgrade{Email: "o@small.example"}); satellite.KindOf(err) != kind {
				t.Errorf("by %q: %v", role, err)
			}
		})
	}
	own := satellite.Actor{Name: "owner", Role: satellite.RoleSystemUser, Grants: []satellite.Grant{{AccountID: id, Role: satellite.RoleAccountAdmin}}}
	_, err := w.service.RequestUpgrade(w.ctx, own, id, satellite.NewUpgrade{Email: "o@small.example"})
	w.must(err)
}

func TestANameThatIsTakenMeanwhileIsNotTaken(t *testing.T) {
	t.Parallel()
	w, _ := small(t)
	u, err := w.service.RequestUpgrade(w.ctx, admin, w.account.ID, satellite.NewUpgrade{Email: "o@small.example", Name: "Big"})
	w.must(err)
	w.newAccount(satellite.NewAccount{Name: "Big", Email: "a@big.example"})
	w.standard("small.example", &wire.UpgradeAnswer{Status: wire.UpgradeApproved, RequestedAt: u.RequestedAt})
	a, err := w.service.FindAccount(w.ctx, admin, "Small")
	if err != nil || a.Type != satellite.AccountStandard {
		t.Errorf("the account is %+v (%v)", a, err)
	}
	w.audit()
}
