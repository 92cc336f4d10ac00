package satellite_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ssm/satellite"
)

const clientSource = "192.0.2.7"

// client makes an API client of a role on the satellite or in a place.
func (w *world) client(name string, g satellite.Grant) (satellite.APIClient, string) {
	w.Helper()
	client, secret, err := w.service.CreateAPIClient(w.ctx, admin, name, g)
	w.must(err)
	return client, secret
}

var wholeSatellite = satellite.Grant{Role: satellite.RoleSystemAdmin}

// accessText is an access token that a client gets for its secret.
func (w *world) accessText(client satellite.APIClient, secret string) string {
	w.Helper()
	token, err := w.service.ClientAccessToken(w.ctx, clientSource, client.ClientID, secret)
	w.must(err)
	return token.Text
}

// proves tells whether a secret is accepted.
func (w *world) proves(client satellite.APIClient, secret string) bool {
	w.Helper()
	_, err := w.service.ClientAccessToken(w.ctx, clientSource, client.ClientID, secret)
	if err != nil && satellite.CodeOf(err) != "invalid-client" {
		w.Fatal(err)
	}
	return err == nil
}

// clientEvents are the messages about API clients, newest first.
func (w *world) clientEvents() (messages []string) {
	w.Helper()
	events, err := w.service.Events(w.ctx, admin, satellite.EventFilter{}, satellite.Page{})
	w.must(err)
	for _, e := range events {
		if strings.HasPrefix(string(e.Type), "api-client.") {
			messages = append(messages, e.Message)
		}
	}
	return messages
}

func TestOnlyTheHashOfASecretIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client, secret := w.client("Export", wholeSatellite)
	other, otherSecret := w.client("Poll", wholeSatellite)
	if len(secret) != 52 || len(client.ClientID) != 20 || secret == otherSecret || client.ClientID == other.ClientID {
		t.Errorf("client id %q, secret %q; the other %q, %q", client.ClientID, secret, other.ClientID, otherSecret)
	}
	if client.CreatedBy != admin.Name || client.Role != satellite.RoleSystemAdmin || !client.LastUsedAt.IsZero() {
		t.Errorf("the client is %+v", client)
	}
	_, second, err := w.service.RotateAPIClient(w.ctx, admin, "export", time.Hour)
	w.must(err)
	dump := w.dump()
	for _, one := range []string{secret, otherSecret, second} {
		if strings.Contains(dump, one) || strings.Contains(fmt.Sprint(w.clientEvents()), one) {
			t.Error("a secret can be read")
		}
	}
	if !strings.Contains(dump, client.ClientID) {
		t.Error("the dump does not show what it should")
	}
	if w.proves(client, otherSecret) || !w.proves(other, otherSecret) {
		t.Error("a secret proves its own client alone")
	}
	w.audit()
}

func TestAfterARotationTheSecretBeforeIsAcceptedForItsTimeAndNotLonger(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client, first := w.client("Export", wholeSatellite)
	text := w.accessText(client, first)
	rotated, second, err := w.service.RotateAPIClient(w.ctx, admin, client.ClientID, 20*time.Minute)
	w.must(err)
	if !rotated.PreviousUntil.Equal(w.service.Now().Add(20*time.Minute)) || second == first {
		t.Errorf("the secret before is accepted until %s", rotated.PreviousUntil)
	}
	accepted := func(when string, secrets ...bool) {
		t.Helper()
		if got := []bool{w.proves(client, first), w.proves(client, second)}; !slices.Equal(got, secrets) {
			t.Errorf("%s the first and second secret are accepted: %v, want %v", when, got, secrets)
		}
	}
	accepted("at once", true, true)
	w.clock.advance(20*time.Minute - time.Microsecond)
	accepted("just before the end", true, true)
	w.clock.advance(time.Microsecond)
	accepted("at the end", false, true)
	// With an overlap the tokens live on, until their own end.
	if _, err := w.service.ActorOfAccessToken(w.ctx, text, clientSource); err != nil {
		t.Errorf("a token of the first secret: %v", err)
	}
	// A second rotation within an overlap leaves two secrets, not three.
	_, third, err := w.service.RotateAPIClient(w.ctx, admin, client.ClientID, time.Hour)
	w.must(err)
	_, fourth, err := w.service.RotateAPIClient(w.ctx, admin, client.ClientID, time.Hour)
	w.must(err)
	if w.proves(client, second) || !w.proves(client, third) || !w.proves(client, fourth) {
		t.Error("the newest two secrets must be accepted, and no other")
	}
	w.unchanged("an overlap that may not be", func() {
		for _, overlap := range []time.Duration{-time.Second, 30*day + time.Second} {
			_, _, err := w.service.RotateAPIClient(w.ctx, admin, client.ClientID, overlap)
			refused(t, err, satellite.KindInvalid, "secret-overlap-invalid", "0 to 720 hours")
		}
	})
	_, _, err = w.service.RotateAPIClient(w.ctx, admin, client.ClientID, 30*day)
	w.must(err)
	w.audit()
}

func TestARotationWithoutAnOverlapEndsTheSecretAndAllTokensAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user, _ := w.person("ann@plant.example")
	w.must(w.grant(user, 0, satellite.RoleAccountViewer))
	client, first := w.client("Export", wholeSatellite)
	_, second, err := w.service.RotateAPIClient(w.ctx, admin, client.ClientID, time.Hour)
	w.must(err)
	tokens := []string{w.accessText(client, first), w.accessText(client, second)}
	person, err := w.service.PasswordAccessToken(w.ctx, clientSource, client.ClientID, second, user.Email, secret)
	w.must(err)
	tokens = append(tokens, person.Text)
	rotated, third, err := w.service.RotateAPIClient(w.ctx, admin, client.ClientID, 0)
	w.must(err)
	if !rotated.PreviousUntil.IsZero() || w.proves(client, first) || w.proves(client, second) || !w.proves(client, third) {
		t.Errorf("after it, secrets before are accepted until %s", rotated.PreviousUntil)
	}
	for i, text := range tokens {
		_, err := w.service.ActorOfAccessToken(w.ctx, text, clientSource)
		refused(t, err, satellite.KindUnauthenticated, "access-token-revoked", "Get another one")
		if t.Failed() {
			t.Fatalf("token %d", i)
		}
	}
	_, err = w.service.ActorOfAccessToken(w.ctx, w.accessText(client, third), clientSource)
	w.must(err)
	if events := w.clientEvents(); len(events) != 3 || !strings.Contains(events[0], "ended at once, with all access tokens") || !strings.Contains(events[1], "is accepted until") {
		t.Errorf("the events are %q", events)
	}
	w.audit()
}

func TestARevokedClientEndsAtOnceAndItsNameIsFree(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client, first := w.client("Export", wholeSatellite)
	w.unchanged("the same name again", func() {
		_, _, err := w.service.CreateAPIClient(w.ctx, admin, "EXPORT", wholeSatellite)
		refused(t, err, satellite.KindConflict, "api-client-exists")
		_, _, err = w.service.CreateAPIClient(w.ctx, admin, " Export", wholeSatellite)
		refused(t, err, satellite.KindInvalid, "api-client-name-invalid")
	})
	text := w.accessText(client, first)
	_, second, err := w.service.RotateAPIClient(w.ctx, admin, "Export", time.Hour)
	w.must(err)
	revoked, err := w.service.RevokeAPIClient(w.ctx, admin, "export")
	w.must(err)
	if !revoked.RevokedAt.Equal(w.service.Now()) {
		t.Errorf("it was revoked at %s", revoked.RevokedAt)
	}
	if w.proves(client, first) || w.proves(client, second) {
		t.Error("a secret of a revoked client is accepted")
	}
	_, err = w.service.ActorOfAccessToken(w.ctx, text, clientSource)
	refused(t, err, satellite.KindUnauthenticated, "access-token-revoked")
	w.clock.advance(time.Minute)
	w.unchanged("revoking it again", func() {
		again, err := w.service.RevokeAPIClient(w.ctx, admin, client.ClientID)
		if err != nil || again.RevokedAt.IsZero() || !again.RevokedAt.Before(w.service.Now()) {
			t.Errorf("%+v, %v", again, err)
		}
		_, err = w.service.FindAPIClient(w.ctx, admin, "Export") // its name is nobody's now
		refused(t, err, satellite.KindNotFound, "api-client-not-found")
		_, _, err = w.service.RotateAPIClient(w.ctx, admin, client.ClientID, time.Hour)
		refused(t, err, satellite.KindConflict, "api-client-revoked", "Create another one")
	})
	next, _ := w.client("Export", wholeSatellite)
	list, err := w.service.APIClients(w.ctx, admin)
	if err != nil || len(list) != 2 || list[0].ClientID != next.ClientID || list[1].ClientID != client.ClientID {
		t.Errorf("the list is %+v (%v)", list, err)
	}
	if w.proves(next, first) || w.proves(next, second) {
		t.Error("a secret outlives its client by the name")
	}
	w.audit()
}

func TestAClientHasNoMoreThanWhoMadeItMayGive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	lab, floor := w.part("Lab"), w.part("Floor")
	foreign := w.newAccount(satellite.NewAccount{Name: "Foreign", Email: "a@foreign.example"})
	abroad, err := w.service.CreateVirtualAccount(w.ctx, admin, foreign.ID, "Abroad", "")
	w.must(err)
	boss, _ := w.person("boss@plant.example")
	chief, _ := w.person("chief@plant.example")
	w.must(w.grant(boss, 0, satellite.RoleAccountAdmin))
	w.must(w.grant(chief, lab.ID, satellite.RoleVirtualAccountAdmin))
	operator := satellite.Actor{Name: "operator", Role: satellite.RoleSystemOperator}
	in := func(account satellite.AccountID, virtual satellite.VirtualAccountID, role satellite.Role) satellite.Grant {
		return satellite.Grant{AccountID: account, VirtualAccountID: virtual, Role: role}
	}
	for i, c := range []struct {
		name  string
		actor satellite.Actor
		grant satellite.Grant
		code  string
	}{
		{"a System Admin, each role of the satellite", admin, in(0, 0, satellite.RoleSystemOperator), ""},
		{"a System Admin, anywhere", admin, in(foreign.ID, abroad.ID, satellite.RoleVirtualAccountUser), ""},
		{"a System Admin, a role of an account on the satellite", admin, in(0, 0, satellite.RoleAccountAdmin), "role-invalid"},
		{"a System Admin, a system role in an account", admin, in(w.account.ID, 0, satellite.RoleSystemAdmin), "role-invalid"},
		{"a System Admin, a role that does not exist", admin, in(0, 0, "emperor"), "role-invalid"},
		{"a System Admin, a role of an account in a virtual account", admin, in(w.account.ID, lab.ID, satellite.RoleAccountViewer), "role-invalid"},
		{"a System Admin, a virtual account of another account", admin, in(w.account.ID, abroad.ID, satellite.RoleVirtualAccountViewer), "virtual-account-not-found"},
		{"an Account Administrator, his own role", w.as(boss), in(w.account.ID, 0, satellite.RoleAccountAdmin), ""},
		{"an Account Administrator, in a virtual account", w.as(boss), in(w.account.ID, floor.ID, satellite.RoleVirtualAccountAdmin), ""},
		{"an Account Administrator, elsewhere", w.as(boss), in(foreign.ID, 0, satellite.RoleAccountViewer), "account-not-found"},
		{"an Account Administrator, the satellite", w.as(boss), in(0, 0, satellite.RoleSystemUser), "role-insufficient"},
		{"a Virtual Account Administrator, his own role", w.as(chief), in(w.account.ID, lab.ID, satellite.RoleVirtualAccountAdmin), ""},
		{"a Virtual Account Administrator, next door", w.as(chief), in(w.account.ID, floor.ID, satellite.RoleVirtualAccountViewer), "virtual-account-not-found"},
		{"a Virtual Account Administrator, the whole account", w.as(chief), in(w.account.ID, 0, satellite.RoleAccountViewer), "role-insufficient"},
		{"a System Operator", operator, in(w.account.ID, 0, satellite.RoleAccountViewer), "role-insufficient"},
		{"a viewer", w.viewer(), in(w.account.ID, 0, satellite.RoleAccountViewer), "role-insufficient"},
		{"nobody", satellite.Actor{}, in(0, 0, satellite.RoleSystemUser), "not-signed-in"},
	} {
		_, _, err := w.service.CreateAPIClient(w.ctx, c.actor, fmt.Sprint("client ", i), c.grant)
		if c.code == "" && err != nil || c.code != "" && satellite.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %q", c.name, err, c.code)
		}
	}
	names := func(actor satellite.Actor) (list []string) {
		clients, err := w.service.APIClients(w.ctx, actor)
		w.must(err)
		for _, c := range clients {
			list = append(list, c.Name)
		}
		return list
	}
	for _, c := range []struct {
		actor satellite.Actor
		want  []string
	}{
		{admin, []string{"client 0", "client 1", "client 11", "client 7", "client 8"}}, {w.as(boss), []string{"client 11", "client 7", "client 8"}},
		{w.as(chief), []string{"client 11"}}, {operator, nil}, {w.viewer(), nil},
	} {
		if got := names(c.actor); !slices.Equal(got, c.want) {
			t.Errorf("%s sees %v, want %v", c.actor.Name, got, c.want)
		}
	}
	if _, err := w.service.APIClients(w.ctx, satellite.Actor{}); satellite.KindOf(err) != satellite.KindUnauthenticated {
		t.Errorf("nobody gets a list: %v", err)
	}
	w.unchanged("a client that one may not see", func() {
		for _, actor := range []satellite.Actor{w.as(chief), operator, w.viewer()} {
			_, err := w.service.FindAPIClient(w.ctx, actor, "client 7")
			refused(t, err, satellite.KindNotFound, "api-client-not-found")
			_, never := w.service.FindAPIClient(w.ctx, actor, "client 6")
			if never.Error() != strings.Replace(err.Error(), "client 7", "client 6", 1) {
				t.Errorf("what he may not see is %q, what does not exist is %q", err, never)
			}
			_, _, err = w.service.RotateAPIClient(w.ctx, actor, "client 7", 0)
			refused(t, err, satellite.KindNotFound, "api-client-not-found")
			_, err = w.service.RevokeAPIClient(w.ctx, actor, "client 7")
			refused(t, err, satellite.KindNotFound, "api-client-not-found")
		}
	})
	// A client manages clients as far as its own role goes.
	_, key, err := w.service.RotateAPIClient(w.ctx, admin, "client 7", 0)
	w.must(err)
	client, err := w.service.FindAPIClient(w.ctx, admin, "client 7")
	w.must(err)
	actor, err := w.service.ActorOfAccessToken(w.ctx, w.accessText(client, key), clientSource)
	w.must(err)
	if actor.Name != "api:client 7" || !slices.Equal(names(actor), []string{"client 11", "client 7", "client 8"}) {
		t.Errorf("%s sees %v", actor.Name, names(actor))
	}
	_, _, err = w.service.CreateAPIClient(w.ctx, actor, "Above", wholeSatellite)
	refused(t, err, satellite.KindForbidden, "role-insufficient")
	w.audit()
}

func TestALockedAccountGetsNoClientsAndADeletedOneTakesThemAlong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	lab := w.part("Lab")
	here := satellite.Grant{AccountID: w.account.ID, Role: satellite.RoleAccountUser}
	inLab := satellite.Grant{AccountID: w.account.ID, VirtualAccountID: lab.ID, Role: satellite.RoleVirtualAccountUser}
	client, key := w.client("Export", here)
	bench, benchKey := w.client("Bench", inLab)
	stays, staysKey := w.client("Watch", wholeSatellite)
	lock := func(locked bool) {
		_, err := w.service.SetAccount(w.ctx, admin, w.account.ID, satellite.AccountChange{Locked: &locked})
		w.must(err)
	}
	lock(true)
	w.unchanged("a new client in a locked account", func() {
		for _, g := range []satellite.Grant{here, inLab} {
			_, _, err := w.service.CreateAPIClient(w.ctx, admin, "New", g)
			refused(t, err, satellite.KindConflict, "account-locked", "no new access")
		}
	})
	if !w.proves(client, key) {
		t.Error("a lock ends the clients that there are")
	}
	lock(false)
	text, benchText := w.accessText(client, key), w.accessText(bench, benchKey)
	w.must(w.service.DeleteVirtualAccount(w.ctx, admin, w.account.ID, "Lab", ""))
	_, err := w.service.ActorOfAccessToken(w.ctx, benchText, clientSource)
	refused(t, err, satellite.KindUnauthenticated, "access-token-revoked")
	if w.proves(bench, benchKey) || !w.proves(client, key) {
		t.Error("with a virtual account its own clients end, and no other")
	}
	_, err = w.service.DeactivateAccount(w.ctx, admin, w.account.ID, "The plant is closed.")
	w.must(err)
	w.must(w.service.DeleteAccount(w.ctx, admin, w.account.ID))
	_, err = w.service.ActorOfAccessToken(w.ctx, text, clientSource)
	refused(t, err, satellite.KindUnauthenticated, "access-token-revoked")
	if w.proves(client, key) || !w.proves(stays, staysKey) {
		t.Error("with an account its own clients end, and no other")
	}
	list, err := w.service.APIClients(w.ctx, admin)
	if err != nil || len(list) != 1 || list[0].ClientID != stays.ClientID {
		t.Errorf("left are %+v (%v)", list, err)
	}
	w.audit()
}

func TestAClientOfAVirtualAccountSeesNothingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	lab := w.part("Lab")
	w.token(satellite.NewToken{VirtualAccount: "Lab"})
	w.token(satellite.NewToken{})
	client, key := w.client("Bench", satellite.Grant{AccountID: w.account.ID, VirtualAccountID: lab.ID, Role: satellite.RoleVirtualAccountViewer})
	actor, err := w.service.ActorOfAccessToken(w.ctx, w.accessText(client, key), clientSource)
	w.must(err)
	if actor.Role != satellite.RoleSystemUser || actor.APIClientID != client.ID || actor.UserID != 0 || actor.Source != clientSource || len(actor.Grants) != 1 {
		t.Errorf("the client acts as %+v", actor)
	}
	tokens, err := w.service.Tokens(w.ctx, actor, satellite.TokenFilter{}, satellite.Page{})
	w.must(err)
	if len(tokens) != 1 || tokens[0].VirtualAccountID != lab.ID {
		t.Errorf("it sees the tokens %+v", tokens)
	}
	refused(t, w.service.RevokeToken(w.ctx, actor, tokens[0].ID), satellite.KindForbidden, "role-insufficient")
	_, err = w.service.CreateVirtualAccount(w.ctx, actor, w.account.ID, "Mine", "")
	refused(t, err, satellite.KindForbidden, "role-insufficient")
	if events := w.clientEvents(); len(events) != 1 || !strings.Contains(events[0], `with the role virtual-account-viewer in virtual account "Lab" of account "Plant"`) {
		t.Errorf("the event is %q", events)
	}
	w.audit()
}

func TestThereAreAThousandClientsAndNoMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(w.store.Update(w.ctx, func(tx satellite.Tx) error {
		for n := range 999 {
			if _, err := tx.CreateAPIClient(satellite.APIClient{ClientID: fmt.Sprint("id ", n), Name: fmt.Sprint("client ", n), Grant: wholeSatellite}); err != nil {
				return err
			}
		}
		return nil
	}))
	last, _ := w.client("the last", wholeSatellite)
	w.unchanged("one more", func() {
		_, _, err := w.service.CreateAPIClient(w.ctx, admin, "one more", wholeSatellite)
		refused(t, err, satellite.KindConflict, "api-client-limit", "1000", "Revoke those that nobody uses")
	})
	_, err := w.service.RevokeAPIClient(w.ctx, admin, last.ClientID)
	w.must(err)
	w.client("one more", wholeSatellite)
}

func TestTheLastUseIsKeptToTheMinute(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client, key := w.client("Export", wholeSatellite)
	used := func(when string, at time.Time, source string) {
		t.Helper()
		now, err := w.service.FindAPIClient(w.ctx, admin, "Export")
		w.must(err)
		if !now.LastUsedAt.Equal(at) || now.LastSource != source {
			t.Errorf("%s it was used last at %s from %q, want %s from %q", when, now.LastUsedAt, now.LastSource, at, source)
		}
	}
	used("never used", time.Time{}, "")
	first := w.service.Now().Truncate(time.Microsecond)
	text := w.accessText(client, key)
	used("with a token", first, clientSource)
	w.clock.advance(59 * time.Second)
	w.unchanged("a call within the minute", func() {
		_, err := w.service.ActorOfAccessToken(w.ctx, text, "192.0.2.8")
		w.must(err)
		if _, err := w.service.ClientAccessToken(w.ctx, "192.0.2.8", client.ClientID, key); err != nil {
			t.Error(err)
		}
	})
	w.clock.advance(2 * time.Second)
	second := w.service.Now().Truncate(time.Microsecond)
	_, err := w.service.ActorOfAccessToken(w.ctx, text, strings.Repeat("9", 300))
	w.must(err)
	used("after the minute", second, strings.Repeat("9", 64))
	w.clock.advance(time.Hour)
	w.unchanged("what is refused", func() {
		if w.proves(client, "wrong") {
			t.Error("a wrong secret is accepted")
		}
		_, err := w.service.ActorOfAccessToken(w.ctx, text, clientSource)
		refused(t, err, satellite.KindUnauthenticated, "access-token-expired")
	})
}
