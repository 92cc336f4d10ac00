package satellite_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ssm/satellite"
)

// working are the descriptions of the tokens that still work, in their order.
func (w *world) workingTokens(virtual string) (names []string) {
	w.Helper()
	list, err := w.service.WorkingTokens(w.ctx, admin, w.account.ID, virtual)
	w.must(err)
	for _, token := range list {
		names = append(names, token.Description)
		if _, text, err := w.service.TokenText(w.ctx, admin, token.ID); err != nil || text != token.Text {
			w.Errorf("the text of token %d is %q, and was shown as %q (%v)", token.ID, text, token.Text, err)
		}
	}
	return names
}

func TestOnlyTokensThatStillWorkAreShownWithTheirTextsTheBestOneFirst(t *testing.T) {
	t.Parallel()
	w := annexed(t)
	w.token(satellite.NewToken{Description: "month", Days: 30})
	_, once := w.token(satellite.NewToken{Description: "once", MaxUses: 1, Days: 365})
	w.token(satellite.NewToken{Description: "twice", MaxUses: 2, Days: 100})
	w.token(satellite.NewToken{Description: "year", Days: 365})
	w.token(satellite.NewToken{Description: "day", Days: 1})
	revoked, _ := w.token(satellite.NewToken{Description: "revoked"})
	w.must(w.service.RevokeToken(w.ctx, admin, revoked.ID))
	w.token(satellite.NewToken{Description: "annex", VirtualAccount: "Annex"})
	if got := w.workingTokens(""); !slices.Equal(got, []string{"year", "month", "day", "once", "twice"}) {
		t.Errorf("the tokens are %v", got)
	}
	w.device("A").register(once)
	w.clock.advance(2 * day)
	if got := w.workingTokens("default"); !slices.Equal(got, []string{"year", "month", "twice"}) {
		t.Errorf("after a use and two days the tokens are %v", got)
	}
	if got := w.workingTokens("Annex"); !slices.Equal(got, []string{"annex"}) {
		t.Errorf("the tokens of the other virtual account are %v", got)
	}
	for name, c := range map[string]struct {
		actor satellite.Actor
		kind  satellite.Kind
	}{
		"nobody": {satellite.Actor{}, satellite.KindUnauthenticated}, "a viewer": {w.viewer(), satellite.KindForbidden},
		"a stranger": {satellite.Actor{Name: "s", Role: satellite.RoleSystemUser}, satellite.KindNotFound},
	} {
		if list, err := w.service.WorkingTokens(w.ctx, c.actor, w.account.ID, ""); satellite.KindOf(err) != c.kind || list != nil {
			t.Errorf("%s is shown %d tokens (%v)", name, len(list), err)
		}
	}
}

// between may do everything in "Annex", and only look at "Default".
func (w *world) between() satellite.Actor {
	w.Helper()
	list, err := w.service.VirtualAccounts(w.ctx, admin, w.account.ID)
	w.must(err)
	actor := satellite.Actor{Name: "between", Role: satellite.RoleSystemUser}
	for _, v := range list {
		grant := satellite.Grant{AccountID: w.account.ID, VirtualAccountID: v.ID, Role: satellite.RoleVirtualAccountViewer}
		if v.Name == "Annex" {
			grant.Role = satellite.RoleVirtualAccountAdmin
		}
		actor.Grants = append(actor.Grants, grant)
	}
	return actor
}

func TestWhoMayWriteInOneVirtualAccountMayNotInAnother(t *testing.T) {
	t.Parallel()
	w := annexed(t)
	_, text := w.token(satellite.NewToken{})
	w.device("S1").register(text)
	stranger := satellite.Actor{Name: "stranger", Role: satellite.RoleSystemUser}
	for name, do := range map[string]func(actor satellite.Actor, virtual string) error{
		"WorkingTokens": func(a satellite.Actor, virtual string) error {
			_, err := w.service.WorkingTokens(w.ctx, a, w.account.ID, virtual)
			return err
		},
		"RevokeTokens": func(a satellite.Actor, virtual string) error {
			return w.service.RevokeTokens(w.ctx, a, w.account.ID, virtual, []string{text})
		},
		"RemoveInstances": func(a satellite.Actor, virtual string) error {
			return w.service.RemoveInstances(w.ctx, a, w.account.ID, virtual, []satellite.InstanceRemoval{removal("S1", "")})
		},
		"TransferInstancesFrom": func(a satellite.Actor, virtual string) error {
			return w.service.TransferInstancesFrom(w.ctx, a, w.account.ID, virtual, []satellite.InstanceTransfer{moveOut("S1", "Annex")})
		},
	} {
		w.unchanged(name, func() {
			refused(t, do(w.between(), "Default"), satellite.KindForbidden, "role-insufficient")
			// A stranger is not told which virtual accounts there are.
			refused(t, do(stranger, "Nowhere"), satellite.KindNotFound, "account-not-found")
		})
	}
}

func TestTokensAreRevokedByTheirTextsAllOrNone(t *testing.T) {
	t.Parallel()
	w := annexed(t)
	var texts []string
	for i := range 3 {
		_, text := w.token(satellite.NewToken{Description: fmt.Sprint(i)})
		texts = append(texts, text)
	}
	_, annex := w.token(satellite.NewToken{Description: "annex", VirtualAccount: "Annex"})
	w.unchanged("what is not revoked", func() {
		for name, unknown := range map[string]string{"a token of another virtual account": annex, "a text with another end": texts[2] + "x", "the id of a token": "3"} {
			err := w.service.RevokeTokens(w.ctx, admin, w.account.ID, "Default", []string{texts[0], unknown})
			refused(t, err, satellite.KindNotFound, "token-not-found", "Token 2: ", `"Default" has no such token`)
			if satellite.EntryOf(err) != 2 || strings.Contains(err.Error(), unknown) && len(unknown) > 9 {
				t.Errorf("%s is entry %d: %v", name, satellite.EntryOf(err), err)
			}
		}
		for _, count := range []int{0, 1001} {
			refused(t, w.service.RevokeTokens(w.ctx, admin, w.account.ID, "", make([]string, count)), satellite.KindInvalid, "token-revocation-invalid", fmt.Sprint(count))
		}
		if err := w.service.RevokeTokens(w.ctx, w.viewer(), w.account.ID, "", texts); satellite.KindOf(err) != satellite.KindForbidden {
			t.Errorf("a viewer revokes tokens: %v", err)
		}
	})
	w.must(w.service.RevokeTokens(w.ctx, admin, w.account.ID, "Default", []string{texts[0], " " + texts[2] + "\n", texts[0]}))
	if got := w.workingTokens(""); !slices.Equal(got, []string{"1"}) {
		t.Errorf("the tokens that work are %v", got)
	}
	w.unchanged("a repeat", func() {
		w.must(w.service.RevokeTokens(w.ctx, admin, w.account.ID, "Default", []string{texts[0], texts[2]}))
	})
	events, err := w.service.Events(w.ctx, admin, satellite.EventFilter{Type: satellite.EventTokenRevoked}, satellite.Page{})
	w.must(err)
	if len(events) != 2 || events[0].VirtualAccount != "Default" {
		t.Errorf("the events are %+v", events)
	}
}
