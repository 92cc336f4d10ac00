package compatible_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"ssm/satellite"
	"ssm/satellite/auth"
	"ssm/satellite/compatible"
	"ssm/satellite/issuer"
	"ssm/satellite/wire"
)

// accessFixture is a satellite with everything in every spot, a user and a
// client of each role, and the API over a service that forgets what it did: so
// each request meets the same satellite.
type accessFixture struct {
	*world
	handler        http.Handler
	users, clients map[string]string // access tokens, by role
	names          map[spot]map[string]string
	asked          int
}

// rehearsal is a store whose updates are run, answered, and rolled back.
type rehearsal struct{ satellite.Store }

var errRehearsed = errors.New("rehearsed")

func (r rehearsal) Update(ctx context.Context, f func(satellite.Tx) error) error {
	var result error
	err := r.Store.Update(ctx, func(tx satellite.Tx) error { result = f(tx); return errRehearsed })
	if errors.Is(err, errRehearsed) {
		return result
	}
	return err
}

func newAccessFixture(t *testing.T) *accessFixture {
	t.Helper()
	f := &accessFixture{world: newWorld(t), users: map[string]string{}, clients: map[string]string{}, names: map[spot]map[string]string{}}
	for _, s := range spots {
		f.equip(s)
	}
	for letter, role := range roleOf {
		f.users[letter] = f.tokens[string(role)]
		grant := satellite.Grant{Role: role}
		if granted := f.actors[string(role)].Grants; len(granted) > 0 {
			grant = granted[0]
		}
		client, _ := f.program("of "+string(role), grant)
		f.clients[letter] = f.show(satellite.AccessClaims{APIClientID: client.ID, ClientGeneration: client.Generation})
	}
	service := must(satellite.New(t.Context(), satellite.Ports{
		Store: rehearsal{f.store}, Issuer: issuer.New(f.keys), Tokens: f.signer, Passwords: auth.NewPasswords(1), Secrets: f.keys,
		Observer: silent{}, Now: clock, Random: rand.Reader,
	}, satellite.Options{TemporaryFolder: f.folder}))(t)
	// Nobody asks too often: between two requests there is a minute.
	minute := now
	f.handler = compatible.Handler(compatible.Options{Service: service, Log: slog.New(slog.DiscardHandler), SignIns: f.signIns, Now: func() time.Time {
		minute = minute.Add(time.Minute)
		return minute
	}})
	return f
}

// show is the text of an access token that says this, here and now.
func (f *accessFixture) show(c satellite.AccessClaims) string {
	f.t.Helper()
	c.ID, c.IssuedAt, c.ExpiresAt = "a", now, now.Add(satellite.AccessTokenLife)
	if c.Issuer == "" {
		c.Issuer = f.service.ID()
	}
	return must(f.signer.SignAccess(c))(f.t)
}

// equip puts a token, a device that uses a license, a subscription, an alert and
// a request for a reservation into a spot.
func (f *accessFixture) equip(s spot) {
	f.t.Helper()
	ctx, admin, account := f.t.Context(), f.actors[administrator], f.accounts[s.account].ID
	if s.virtual != "Lab 1" {
		must(f.service.CreateVirtualAccount(ctx, admin, account, s.virtual, ""))(f.t)
	}
	virtual := must(f.service.FindVirtualAccount(ctx, admin, account, s.virtual))(f.t)
	if err := f.service.TransferLicenses(ctx, admin, account, []satellite.Transfer{{Tag: campusTerm, To: s.virtual, Quantity: 2}}); err != nil {
		f.t.Fatal(err)
	}
	serial := fmt.Sprintf("SERIAL-%d", len(f.names))
	f.device(s.account, s.virtual, serial, map[string]int64{networkAdvantage: 1})
	_, token, err := f.service.CreateToken(ctx, admin, satellite.NewToken{AccountID: account, VirtualAccount: s.virtual})
	if err != nil {
		f.t.Fatal(err)
	}
	err = f.store.Update(ctx, func(tx satellite.Tx) error {
		_, err := tx.OpenAlert(satellite.Alert{AccountID: account, VirtualAccountID: virtual.ID, Type: satellite.AlertInsufficientLicenses, Key: s.virtual, Source: s.virtual, OpenedAt: now})
		return err
	})
	if err != nil {
		f.t.Fatal(err)
	}
	key := must(wire.NewReservationKey())(f.t)
	f.names[s] = map[string]string{
		"account": s.account, "virtual_account": s.virtual, "serial": serial, "token": token, "target": "Default",
		"code": must(wire.ReservationRequest{Kind: wire.ReservationUniversal, PID: "EX-8500", SerialNumber: "FRESH-" + serial, Key: key.Public()}.Code())(f.t),
	}
}

// bad are access tokens that do not hold, and what is none.
func (f *accessFixture) bad() map[string]string {
	f.t.Helper()
	ctx, admin := f.t.Context(), f.actors[administrator]
	good := satellite.AccessClaims{APIClientID: f.client.ID, ClientGeneration: f.client.Generation, UserID: admin.UserID}
	revoked, _ := f.program("revoked", satellite.Grant{Role: satellite.RoleSystemAdmin})
	must(f.service.RevokeAPIClient(ctx, admin, revoked.ClientID))(f.t)
	rotated, _ := f.program("rotated", satellite.Grant{Role: satellite.RoleSystemAdmin})
	if _, _, err := f.service.RotateAPIClient(ctx, admin, rotated.ClientID, 0); err != nil {
		f.t.Fatal(err)
	}
	other := newWorld(f.t)
	past := must(f.signer.SignAccess(satellite.AccessClaims{
		Issuer: f.service.ID(), ID: "a", APIClientID: f.client.ID, UserID: admin.UserID, IssuedAt: now.Add(-satellite.AccessTokenLife), ExpiresAt: now,
	}))(f.t)
	outdated := good
	outdated.UserGeneration++
	foreign := good
	foreign.Issuer = other.service.ID()
	return map[string]string{
		"no token": "", "a word": "word", "an expired token": past, "a token of another satellite": other.tokens[administrator],
		"a token of here that names another satellite": f.show(foreign),
		"a token of a revoked client":                  f.show(satellite.AccessClaims{APIClientID: revoked.ID, ClientGeneration: revoked.Generation}),
		"a token from before a rotation":               f.show(satellite.AccessClaims{APIClientID: rotated.ID, ClientGeneration: rotated.Generation}),
		"a token from before a change of the user":     f.show(outdated),
		"a token of nobody":                            f.show(satellite.AccessClaims{APIClientID: 4711}),
		"a registration token":                         f.names[spots[0]]["token"],
		"a token with a changed end":                   f.users["A"][:len(f.users["A"])-4] + "AAAA",
	}
}
