package satellite_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"ssm/satellite"
)

// actsFor is who shows an access token now.
func (w *world) actsFor(text string) (satellite.Actor, error) {
	return w.service.ActorOfAccessToken(w.ctx, text, clientSource)
}

func TestAnAccessTokenLivesForAnHourOfTheSystemsClock(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client, key := w.client("Export", wholeSatellite)
	token, err := w.service.ClientAccessToken(w.ctx, clientSource, client.ClientID, key)
	w.must(err)
	if token.ExpiresIn != time.Hour || strings.Count(token.Text, ".") != 2 {
		t.Errorf("the token is %+v", token)
	}
	issued := w.service.SystemNow().Truncate(time.Second)
	at := func(instant time.Time, code string) {
		t.Helper()
		w.clock.step(instant.Sub(w.clock.Now()))
		actor, err := w.actsFor(token.Text)
		if code == "" {
			if err != nil || actor.Name != "api:Export" || actor.Role != satellite.RoleSystemAdmin || actor.APIClientID != client.ID {
				t.Errorf("at %s: %+v, %v", instant, actor, err)
			}
			return
		}
		refused(t, err, satellite.KindUnauthenticated, code, "Get another one at /oauth/token")
	}
	at(issued.Add(time.Hour-time.Nanosecond), "")
	at(issued.Add(time.Hour), "access-token-expired")
	at(issued.Add(400*day), "access-token-expired")
	// A clock that is set back makes no token live longer; a minute is forgiven.
	at(issued.Add(-time.Minute), "")
	at(issued.Add(-time.Minute-time.Nanosecond), "access-token-expired")
	at(issued.Add(-400*day), "access-token-expired")
	at(issued, "")
}

func TestATokenOfAnotherSatelliteOrOfAnotherSortIsNoAccessToken(t *testing.T) {
	t.Parallel()
	w, other := registered(t, lot{tag: "A", quantity: 1, start: begin.Add(-day)}), newWorld(t)
	client, key := w.client("Export", wholeSatellite)
	foreign, foreignKey := other.client("Export", wholeSatellite)
	text := w.accessText(client, key)
	w.unchanged("tokens that are none", func() {
		_, err := w.actsFor(other.accessText(foreign, foreignKey))
		refused(t, err, satellite.KindUnauthenticated, "access-token-foreign", other.service.ID(), w.service.ID())
		for _, none := range []string{"", ".", "a.b.c", strings.Repeat("x", 100_000), text + ".", text + "\n", " " + text, key, client.ClientID, strings.ToUpper(text)} {
			_, err := w.actsFor(none)
			refused(t, err, satellite.KindUnauthenticated, "access-token-invalid", "Get one at /oauth/token")
		}
	})
	_, registration := w.token(satellite.NewToken{})
	_, err := w.actsFor(registration)
	refused(t, err, satellite.KindUnauthenticated, "access-token-invalid")
	d := w.device("1")
	d.refused(d.registration(text, false), "token-invalid")
	d.register(registration)
}

func TestNoCharacterOfAnAccessTokenCanBeChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client, key := w.client("Export", wholeSatellite)
	text := w.accessText(client, key)
	for i := range text {
		for _, letter := range "Az-" {
			changed := text[:i] + string(letter) + text[i+1:]
			if changed == text {
				continue
			}
			_, err := w.actsFor(changed)
			// Who the issuer is can be read before the signature is judged.
			if satellite.KindOf(err) != satellite.KindUnauthenticated || !slices.Contains([]string{"access-token-invalid", "access-token-foreign"}, satellite.CodeOf(err)) {
				t.Fatalf("with %q as character %d of %s: %v", letter, i, text, err)
			}
		}
	}
	for i := range text {
		if _, err := w.actsFor(text[:i] + text[i+1:]); satellite.KindOf(err) != satellite.KindUnauthenticated {
			t.Fatalf("without character %d: %v", i, err)
		}
	}
	_, err := w.actsFor(text)
	w.must(err)
}

func TestAStrangerCannotTellAnUnknownClientFromAWrongSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	user, _ := w.person("ann@plant.example")
	client, key := w.client("Export", wholeSatellite)
	revoked, revokedKey := w.client("Old", wholeSatellite)
	_, err := w.service.RevokeAPIClient(w.ctx, admin, "Old")
	w.must(err)
	rotated, ended := w.client("Rotated", wholeSatellite)
	_, _, err = w.service.RotateAPIClient(w.ctx, admin, "Rotated", time.Hour)
	w.must(err)
	w.clock.advance(2 * time.Hour)
	_, want := w.service.ClientAccessToken(w.ctx, clientSource, "unknown", key)
	refused(t, want, satellite.KindUnauthenticated, "invalid-client")
	w.unchanged("what is refused", func() {
		for name, one := range map[string][2]string{
			"a wrong secret": {client.ClientID, "wrong"}, "no secret": {client.ClientID, ""}, "the secret of another": {client.ClientID, revokedKey}, "no client": {"", key}, "nothing": {"", ""},
			"a revoked client": {revoked.ClientID, revokedKey}, "a secret that was rotated away": {rotated.ClientID, ended},
			"the name for the client id": {"Export", key}, "a secret with more behind it": {client.ClientID, key + "a"}, "the beginning of the secret": {client.ClientID, key[:51]},
			"capital letters": {client.ClientID, strings.ToUpper(key)}, "a secret of a million characters": {client.ClientID, strings.Repeat("x", 1_000_000)},
			"a client id of a million characters": {strings.Repeat("x", 1_000_000), key}, "the zero of a hash": {client.ClientID, strings.Repeat("\x00", 32)},
		} {
			for grant, get := range map[string]func() (satellite.AccessToken, error){
				"client_credentials": func() (satellite.AccessToken, error) {
					return w.service.ClientAccessToken(w.ctx, clientSource, one[0], one[1])
				},
				"password": func() (satellite.AccessToken, error) {
					return w.service.PasswordAccessToken(w.ctx, clientSource, one[0], one[1], user.Email, secret)
				},
			} {
				token, err := get()
				if token.Text != "" || !reflect.DeepEqual(err, want) || err.Error() != want.Error() {
					t.Errorf("%s with %s: %#v, want %#v", grant, name, err, want)
				}
			}
		}
	})
	// The same for users, of whom only a proven client learns anything.
	_, want = w.service.PasswordAccessToken(w.ctx, clientSource, client.ClientID, key, "nobody@plant.example", secret)
	refused(t, want, satellite.KindUnauthenticated, "sign-in-refused")
	for name, one := range map[string][2]string{"a wrong password": {user.Email, "wrong"}, "no password": {user.Email, ""}, "nobody": {"", ""}} {
		if _, err := w.service.PasswordAccessToken(w.ctx, clientSource, client.ClientID, key, one[0], one[1]); !reflect.DeepEqual(err, want) {
			t.Errorf("%s: %#v, want %#v", name, err, want)
		}
	}
	w.audit()
}

func TestATokenOfAUserHasHisRolesAndEndsWithThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, _ := w.person("ann@plant.example")
	// The client has less than the user, and more: neither changes what he may.
	client, key := w.client("Portal", satellite.Grant{Role: satellite.RoleSystemUser})
	get := func(password string) string {
		t.Helper()
		token, err := w.service.PasswordAccessToken(w.ctx, clientSource, client.ClientID, key, " ANN@plant.example", password)
		w.must(err)
		return token.Text
	}
	text := get(secret)
	sees := func(count int) {
		t.Helper()
		actor, err := w.actsFor(text)
		w.must(err)
		if actor.UserID != ann.ID || actor.APIClientID != 0 || actor.Name != ann.Email || actor.Source != clientSource {
			t.Errorf("the token acts as %+v", actor)
		}
		if accounts, err := w.service.Accounts(w.ctx, actor); err != nil || len(accounts) != count {
			t.Errorf("he sees %d accounts (%v), want %d", len(accounts), err, count)
		}
	}
	sees(0)
	w.must(w.grant(ann, 0, satellite.RoleAccountViewer))
	sees(1) // a role that he gets
	w.must(w.service.Revoke(w.ctx, admin, satellite.Holder{UserID: ann.ID}, satellite.Grant{AccountID: w.account.ID}))
	sees(0) // and one that is taken away, at once
	ended := func(text string) {
		t.Helper()
		_, err := w.actsFor(text)
		refused(t, err, satellite.KindUnauthenticated, "access-token-revoked", "client or user was revoked or changed")
	}
	const other = "quite another sentence"
	own, err := w.service.ClientAccessToken(w.ctx, clientSource, client.ClientID, key)
	w.must(err)
	w.must(w.service.SetPassword(w.ctx, w.as(ann), ann.ID, secret, other))
	ended(text)
	_, err = w.service.PasswordAccessToken(w.ctx, clientSource, client.ClientID, key, ann.Email, secret)
	refused(t, err, satellite.KindUnauthenticated, "sign-in-refused")
	text = get(other)
	sees(0)
	w.must(w.service.SetPassword(w.ctx, admin, ann.ID, "", secret)) // a System Admin sets one
	ended(text)
	if _, err := w.actsFor(own.Text); err != nil {
		t.Errorf("the client's own token ended with a user's password: %v", err)
	}
	text = get(secret)
	w.must(w.service.RemoveUser(w.ctx, admin, ann.ID))
	ended(text)
	// Another user in his place is another one.
	ann, _ = w.person("ann@plant.example")
	ended(text)
	text = get(secret)
	sees(0)
	_, err = w.service.RevokeAPIClient(w.ctx, admin, "Portal")
	w.must(err)
	ended(text)
	ended(own.Text)
	w.audit()
}

func TestPartsOfTwoAccessTokensMakeNoThird(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client, key := w.client("Export", wholeSatellite)
	before := w.accessText(client, key)
	second := w.accessText(client, key)
	if before == second {
		t.Error("two tokens are the same")
	}
	// A token of one client does not become that of another one by its number.
	next, nextKey := w.client("Next", satellite.Grant{Role: satellite.RoleSystemUser})
	parts, others := strings.Split(before, "."), strings.Split(w.accessText(next, nextKey), ".")
	for _, mixed := range []string{parts[0] + "." + others[1] + "." + parts[2], parts[0] + "." + parts[1] + "." + others[2]} {
		_, err := w.actsFor(mixed)
		refused(t, err, satellite.KindUnauthenticated, "access-token-invalid")
	}
	none := "eyJhbGciOiJub25lIn0." + parts[1] + "."
	_, err := w.actsFor(none)
	refused(t, err, satellite.KindUnauthenticated, "access-token-invalid")
}
