package satellite_test

import (
	"strings"
	"testing"

	"ssm/satellite"
	"ssm/satellite/wire"
)

// agreed is one exchange in which the upstream names a version of the agreement.
func (w *world) agreed(version, text string) {
	w.Helper()
	_, err := w.apply(w.up.answer(w.TB, w.request(w.account, false), func(m *wire.Manifest) {
		m.Response.AgreementVersion, m.Response.AgreementText = version, text
	}))
	w.must(err)
}

// open are the types of the account's open alerts.
func (w *world) openAlerts() (types []string) {
	w.Helper()
	alerts, err := w.service.Alerts(w.ctx, admin, satellite.AlertFilter{AccountID: w.account.ID}, satellite.Page{})
	w.must(err)
	for _, a := range alerts {
		types = append(types, string(a.Type))
	}
	return types
}

func (w *world) alarmed(want ...string) {
	w.Helper()
	if got := w.openAlerts(); strings.Join(got, " ") != strings.Join(want, " ") {
		w.Errorf("the open alerts are %v, want %v", got, want)
	}
}

func TestNoTokenWithoutTheAgreementInForce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	create := func(accept string) error {
		_, _, err := w.service.CreateToken(w.ctx, admin, satellite.NewToken{AccountID: w.account.ID, AcceptAgreement: accept})
		return err
	}
	// Before any version is known there is nothing to accept.
	w.must(create(""))
	refused(t, create("1.0"), satellite.KindConflict, "agreement-outdated", "1.0")
	refused(t, w.service.AcceptAgreement(w.ctx, admin, w.account.ID, "1.0"), satellite.KindConflict, "agreement-unknown")
	w.alarmed()

	w.trust()
	w.agreed("1.0", "Be good.")
	w.alarmed("agreement-pending")
	w.unchanged("a token without acceptance", func() {
		refused(t, create(""), satellite.KindConflict, "agreement-not-accepted", `Version "1.0"`, `satellite agreement accept --account "Plant"`, "devices go on working")
		refused(t, create("0.9"), satellite.KindConflict, "agreement-outdated", "0.9", "1.0")
		refused(t, w.service.AcceptAgreement(w.ctx, admin, w.account.ID, "0.9"), satellite.KindConflict, "agreement-outdated")
		refused(t, w.service.AcceptAgreement(w.ctx, admin, w.account.ID, ""), satellite.KindInvalid, "agreement-version-missing", "1.0")
	})
	// Making a token with the version that was shown is the acceptance, in one transaction.
	clerk := satellite.Actor{Name: "clerk@plant.example", Role: satellite.RoleSystemOperator}
	_, text, err := w.service.CreateToken(w.ctx, clerk, satellite.NewToken{AccountID: w.account.ID, AcceptAgreement: "1.0"})
	w.must(err)
	w.alarmed()
	w.must(create(""))
	w.unchanged("accepting it again", func() { w.must(w.service.AcceptAgreement(w.ctx, admin, w.account.ID, "1.0")) })
	d := w.device("1").register(text)
	w.up.take(t, w.request(w.account, false))
	if got := w.up.manifest.Request.AgreementAccepted; got != "1.0" {
		t.Errorf("the request says that %q was accepted", got)
	}

	// A newer one blocks tokens, and no device.
	w.clock.advance(day)
	w.agreed("2.0", "Be better.")
	w.alarmed("agreement-updated")
	refused(t, create(""), satellite.KindConflict, "agreement-not-accepted", "2.0")
	refused(t, create("1.0"), satellite.KindConflict, "agreement-outdated", "2.0")
	d.ok(d.authorization("A", 1))
	w.device("2").register(text)
	w.must(w.service.AcceptAgreement(w.ctx, admin, w.account.ID, "2.0"))
	w.must(create(""))
	state, err := w.service.Agreement(w.ctx, admin, w.account.ID)
	w.must(err)
	h := state.History
	if !state.Accepted || state.Current.Text != "Be better." || len(h) != 2 || h[0].Version != "2.0" || h[0].AcceptedBy != admin.Name || h[1].Version != "1.0" || h[1].AcceptedBy != clerk.Name || !h[1].AcceptedAt.Before(h[0].AcceptedAt) {
		t.Errorf("the agreement is %+v", state)
	}
	// What was accepted needs no second acceptance, and its text never changes.
	w.agreed("1.0", "Be evil.")
	w.alarmed()
	w.must(create(""))
	if state, err = w.service.Agreement(w.ctx, admin, w.account.ID); err != nil || state.Current.Text != "Be good." {
		t.Errorf("the text is %q (%v)", state.Current.Text, err)
	}
	w.agreed("3.0", "")
	w.alarmed("agreement-updated")
	w.agreed("", "")
	w.alarmed()
	w.audit()
}

func TestAnAgreementWithoutBoundsIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.trust()
	request := w.request(w.account, false)
	for _, change := range []func(*wire.ResponsePart){
		func(r *wire.ResponsePart) { r.AgreementVersion = strings.Repeat("1", 65) },
		func(r *wire.ResponsePart) { r.AgreementText = strings.Repeat("x", 256<<10+1) },
	} {
		response := w.up.answer(t, request, func(m *wire.Manifest) { change(m.Response) })
		w.unchanged("an agreement out of bounds", func() {
			_, err := w.apply(response)
			refused(t, err, satellite.KindInvalid, "sync-file-malformed")
		})
	}
}
