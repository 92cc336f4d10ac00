package satellite_test

import (
	"strings"
	"testing"

	"ssm/satellite"
)

func TestALimitedAccountHasThreeVirtualAccounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	small := w.newAccount(satellite.NewAccount{Name: "Small", Email: "owner@gmail.com", Limited: true})
	if small.Type != satellite.AccountLimited || !strings.HasSuffix(small.DomainIdentifier, ".smb") || len(small.DomainIdentifier) != 10 {
		t.Errorf("the account is %+v", small)
	}
	for _, name := range []string{"Second", "Third"} {
		_, err := w.service.CreateVirtualAccount(w.ctx, admin, small.ID, name, "")
		w.must(err)
	}
	w.unchanged("a fourth", func() {
		_, err := w.service.CreateVirtualAccount(w.ctx, admin, small.ID, "Fourth", "")
		refused(t, err, satellite.KindConflict, "limited-account", "at most 3 virtual accounts", "has 3", "satellite account upgrade")
	})
	w.must(w.service.DeleteVirtualAccount(w.ctx, admin, small.ID, "third", ""))
	_, err := w.service.CreateVirtualAccount(w.ctx, admin, small.ID, "Fourth", "")
	w.must(err)
	// A standard account has no such bound.
	for _, name := range []string{"Second", "Third", "Fourth", "Fifth"} {
		_, err := w.service.CreateVirtualAccount(w.ctx, admin, w.account.ID, name, "")
		w.must(err)
	}
	w.audit()
}

func TestNamesAreTakenWithoutRegardToCase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.unchanged("a name that is taken", func() {
		_, err := w.service.CreateAccount(w.ctx, admin, satellite.NewAccount{Name: "PLANT", Email: "a@b.example", UpstreamAccount: "other"})
		refused(t, err, satellite.KindConflict, "account-exists")
		_, err = w.service.CreateAccount(w.ctx, admin, satellite.NewAccount{Name: "Plant 2", Email: "a@b.example", UpstreamAccount: "plant"})
		refused(t, err, satellite.KindConflict, "upstream-pair-taken", "--upstream-virtual-account")
		_, err = w.service.CreateVirtualAccount(w.ctx, admin, w.account.ID, "DEFAULT", "")
		refused(t, err, satellite.KindConflict, "virtual-account-exists")
		_, err = w.service.CreateAccount(w.ctx, admin, satellite.NewAccount{Name: "x", Email: "no address"})
		refused(t, err, satellite.KindInvalid, "email-invalid")
		_, err = w.service.CreateVirtualAccount(w.ctx, admin, 99, "x", "")
		refused(t, err, satellite.KindNotFound, "account-not-found")
		refused(t, w.service.DeleteVirtualAccount(w.ctx, admin, w.account.ID, "default", ""), satellite.KindConflict, "virtual-account-default")
		refused(t, w.service.DeleteVirtualAccount(w.ctx, admin, w.account.ID, "none", ""), satellite.KindNotFound, "virtual-account-not-found")
	})
	found, err := w.service.FindAccount(w.ctx, admin, "plant")
	if err != nil || found != w.account {
		t.Errorf("found %+v (%v), want %+v", found, err, w.account)
	}
	if found, err = w.service.FindAccount(w.ctx, admin, ""); err != nil || found != w.account {
		t.Errorf("the only account is %+v (%v)", found, err)
	}
	w.newAccount(satellite.NewAccount{Name: "Lab", Email: "a@b.example"})
	_, err = w.service.FindAccount(w.ctx, admin, "")
	refused(t, err, satellite.KindConflict, "account-ambiguous", "--account")
	_, err = w.service.FindAccount(w.ctx, admin, "none")
	refused(t, err, satellite.KindNotFound, "account-not-found")
}

func TestTokensAreMadeWithinTheirBoundsAndShownAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, n := range []satellite.NewToken{{Days: -1}, {Days: 366}, {MaxUses: -1}, {MaxUses: 1_000_000_001}} {
		n.AccountID = w.account.ID
		w.unchanged("a token out of bounds", func() {
			_, _, err := w.service.CreateToken(w.ctx, admin, n)
			if satellite.KindOf(err) != satellite.KindInvalid {
				t.Errorf("%+v: %v", n, err)
			}
		})
	}
	token, text := w.token(satellite.NewToken{Description: " for the lab ", Days: 30, MaxUses: 5, ExportControlled: true})
	if token.Description != "for the lab" || token.ExpiresAt.Sub(token.CreatedAt).Round(day) != 30*day || strings.Contains(w.dump(), text) {
		t.Errorf("the token is %+v; its text must not be readable in the database", token)
	}
	shown, again, err := w.service.TokenText(w.ctx, admin, token.ID)
	if err != nil || again != text || shown.ID != token.ID {
		t.Errorf("shown again it is %q (%v)", again, err)
	}
	_, _, err = w.service.TokenText(w.ctx, satellite.Actor{Name: "viewer", Role: satellite.RoleSystemUser}, token.ID)
	refused(t, err, satellite.KindForbidden, "role-insufficient")
	w.must(w.service.RevokeToken(w.ctx, admin, token.ID))
	w.unchanged("revoking it again", func() { w.must(w.service.RevokeToken(w.ctx, admin, token.ID)) })
	refused(t, w.service.RevokeToken(w.ctx, admin, 99), satellite.KindNotFound, "token-not-found")
}

// A restart keeps the identity; a key that is over a year old is followed by a
// new one, and tokens of the old key stay good.
func TestTokensOutliveARestartAndANewKey(t *testing.T) {
	t.Parallel()
	w := registered(t)
	_, text := w.token(satellite.NewToken{})
	id := w.service.ID()
	w.must(w.store.Close())
	w.clock.advance(364 * day)
	w.open()
	if w.service.ID() != id || len(id) != 8 {
		t.Errorf("the satellite is %s, before %s", w.service.ID(), id)
	}
	w.pass(0)
	w.device("A").register(text)
	w.unchanged("a key that is young enough", func() { w.must(w.service.RotateTokenKey(w.ctx, w.service.Now())) })
	_, late := w.token(satellite.NewToken{})
	w.pass(2 * day)
	w.must(w.service.RotateTokenKey(w.ctx, w.service.Now()))
	w.device("B").register(late)
	_, fresh := w.token(satellite.NewToken{})
	w.device("C").register(fresh)
	w.audit()
}

func TestTheSetupCodeIsGoodOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	person := satellite.NewUser{Email: "admin@plant.example", Name: "Ada", Password: "a sentence of some words"}
	stale, err := w.service.BeginSetup(w.ctx)
	w.must(err)
	code, err := w.service.BeginSetup(w.ctx)
	w.must(err)
	if len(code) < 20 || code == stale {
		t.Fatalf("the code is %q, the one before it was %q", code, stale)
	}
	w.unchanged("a set-up that must not be", func() {
		for _, wrong := range []string{"", "wrong", stale, strings.ToUpper(code)} {
			_, err := w.service.Setup(w.ctx, "192.0.2.1", wrong, person)
			refused(t, err, satellite.KindForbidden, "setup-link-invalid")
		}
		weak := person
		weak.Password = "short"
		_, err := w.service.Setup(w.ctx, "192.0.2.1", code, weak)
		refused(t, err, satellite.KindInvalid, "password-length")
		_, err = w.service.SetupLocal(w.ctx, satellite.Actor{}, person)
		refused(t, err, satellite.KindUnauthenticated, "not-signed-in")
	})
	// What was refused did not use the code up.
	user, err := w.service.Setup(w.ctx, "192.0.2.1", code, person)
	if err != nil || user.Role != satellite.RoleSystemAdmin {
		t.Fatalf("%+v, %v", user, err)
	}
	if strings.Contains(w.dump(), person.Password) || strings.Contains(w.dump(), code) {
		t.Error("the database holds the password or the code")
	}
	w.unchanged("the code again", func() {
		_, err := w.service.Setup(w.ctx, "192.0.2.1", code, satellite.NewUser{Email: "eve@evil.example", Name: "Eve", Password: person.Password})
		refused(t, err, satellite.KindForbidden, "setup-link-invalid")
		_, err = w.service.SetupLocal(w.ctx, admin, person)
		refused(t, err, satellite.KindConflict, "setup-done")
		if code, err := w.service.BeginSetup(w.ctx); code != "" || err != nil {
			t.Errorf("there is a new code %q (%v)", code, err)
		}
		for _, wrong := range [][2]string{{person.Email, "wrong"}, {"nobody@plant.example", person.Password}, {"", ""}, {person.Email, strings.Repeat("x", 10_000)}} {
			_, err := w.service.SignIn(w.ctx, "192.0.2.1", wrong[0], wrong[1])
			refused(t, err, satellite.KindUnauthenticated, "sign-in-refused")
		}
	})
	signed, err := w.service.SignIn(w.ctx, "192.0.2.1", " ADMIN@plant.example ", person.Password)
	if err != nil || signed != user {
		t.Errorf("signed in as %+v (%v)", signed, err)
	}
	w.must(w.service.SavePreferences(w.ctx, user.ID, "ja", "dark"))
	refused(t, w.service.SavePreferences(w.ctx, user.ID, "xx", ""), satellite.KindInvalid, "preference-invalid")
	if user, err = w.service.User(w.ctx, user.ID); err != nil || user.Language != "ja" || user.Theme != "dark" {
		t.Errorf("the user is %+v (%v)", user, err)
	}
	w.audit()
}

func TestEveryUseCaseAsksWhoAsks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	nobody, viewer := satellite.Actor{}, satellite.Actor{Name: "viewer", Role: satellite.RoleSystemUser}
	s, id := w.service, w.account.ID
	reads := map[string]func(satellite.Actor) error{
		"Accounts":        func(a satellite.Actor) error { _, err := s.Accounts(w.ctx, a); return err },
		"FindAccount":     func(a satellite.Actor) error { _, err := s.FindAccount(w.ctx, a, ""); return err },
		"VirtualAccounts": func(a satellite.Actor) error { _, err := s.VirtualAccounts(w.ctx, a, id); return err },
		"Tokens": func(a satellite.Actor) error {
			_, err := s.Tokens(w.ctx, a, satellite.TokenFilter{}, satellite.Page{})
			return err
		},
		"FindToken": func(a satellite.Actor) error { _, err := s.FindToken(w.ctx, a, "1"); return err },
		"Instances": func(a satellite.Actor) error {
			_, err := s.Instances(w.ctx, a, satellite.InstanceFilter{}, satellite.Page{})
			return err
		},
		"CountInstances": func(a satellite.Actor) error {
			_, err := s.CountInstances(w.ctx, a, satellite.InstanceFilter{})
			return err
		},
		"FindInstance": func(a satellite.Actor) error {
			_, err := s.FindInstance(w.ctx, a, satellite.InstanceQuery{PIID: "x"})
			return err
		},
		"Certificate":      func(a satellite.Actor) error { _, err := s.InstanceCertificate(w.ctx, a, "x"); return err },
		"RevocationList":   func(a satellite.Actor) error { _, err := s.RevocationList(w.ctx, a, id); return err },
		"CertificateChain": func(a satellite.Actor) error { _, err := s.CertificateChain(w.ctx, a, id); return err },
		"Licenses":         func(a satellite.Actor) error { _, err := s.Licenses(w.ctx, a, satellite.PoolFilter{}); return err },
		"License":          func(a satellite.Actor) error { _, err := s.License(w.ctx, a, id, "x"); return err },
		"Reports":          func(a satellite.Actor) error { _, err := s.Reports(w.ctx, a, id, satellite.Page{}); return err },
		"Events": func(a satellite.Actor) error {
			_, err := s.Events(w.ctx, a, satellite.EventFilter{}, satellite.Page{})
			return err
		},
		"SyncStatuses": func(a satellite.Actor) error { _, err := s.SyncStatuses(w.ctx, a); return err },
	}
	writes := map[string]func(satellite.Actor) error{
		"CreateAccount": func(a satellite.Actor) error {
			_, err := s.CreateAccount(w.ctx, a, satellite.NewAccount{Name: "x", Email: "a@b.example"})
			return err
		},
		"CreateVirtualAccount": func(a satellite.Actor) error { _, err := s.CreateVirtualAccount(w.ctx, a, id, "x", ""); return err },
		"DeleteVirtualAccount": func(a satellite.Actor) error { return s.DeleteVirtualAccount(w.ctx, a, id, "x", "") },
		"CreateToken": func(a satellite.Actor) error {
			_, _, err := s.CreateToken(w.ctx, a, satellite.NewToken{AccountID: id})
			return err
		},
		"RevokeToken":    func(a satellite.Actor) error { return s.RevokeToken(w.ctx, a, 1) },
		"RemoveInstance": func(a satellite.Actor) error { return s.RemoveInstance(w.ctx, a, "x") },
		"TrustRoots":     func(a satellite.Actor) error { _, err := s.TrustRoots(w.ctx, a, nil); return err },
		"SetupLocal":     func(a satellite.Actor) error { _, err := s.SetupLocal(w.ctx, a, satellite.NewUser{}); return err },
	}
	w.unchanged("who may not", func() {
		for name, f := range reads {
			if err := f(nobody); satellite.KindOf(err) != satellite.KindUnauthenticated {
				t.Errorf("%s by nobody: %v", name, err)
			}
			if kind := satellite.KindOf(f(viewer)); kind == satellite.KindForbidden || kind == satellite.KindUnauthenticated {
				t.Errorf("%s by a viewer is %s", name, kind)
			}
		}
		for name, f := range writes {
			if err := f(nobody); satellite.KindOf(err) != satellite.KindUnauthenticated {
				t.Errorf("%s by nobody: %v", name, err)
			}
			if err := f(viewer); satellite.KindOf(err) != satellite.KindForbidden {
				t.Errorf("%s by a viewer: %v", name, err)
			}
		}
	})
}
