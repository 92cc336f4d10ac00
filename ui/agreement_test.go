package ui

import (
	"net/http"
	"strings"
	"testing"

	"ssm/satellite"
)

func TestTheButtonOfTheTokenFormAcceptsTheAgreement(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	account := s.account("Tsukishiro Telecom", false)
	s.user(admin.Name, "Mika Hayashi", satellite.RoleSystemAdmin)
	v := s.signIn(admin.Name)
	if page := v.get("/tokens/new").expect(t, http.StatusOK, "Create token"); strings.Contains(page.text, "licensing agreement") {
		t.Error("an agreement is to be accepted before there is one")
	}
	v.get("/agreement").expect(t, http.StatusOK, "has not named an agreement yet")
	s.agreement(account, "2.0", "Be <good>.\nAlways.\n\nThe end.")
	v.get("/tokens/new").expect(t, http.StatusOK, "Creating the token accepts version 2.0 of the licensing agreement.", "Read it in a new window")
	v.get("/agreement").expect(t, http.StatusOK, "Version 2.0 for Tsukishiro Telecom", "Be &lt;good&gt;.", "The end.", "Nobody has accepted")
	form := map[string]string{"virtual_account": "Default", "days": "30", "max_uses": "0"}
	v.post("/tokens/new", "/tokens", form).expect(t, http.StatusConflict, "nobody has accepted it")
	form["agreement"] = "1.0" // that the form showed before another one came
	v.post("/tokens/new", "/tokens", form).expect(t, http.StatusConflict, "of the agreement was shown", "Creating the token accepts version 2.0")
	form["agreement"] = "2.0"
	v.post("/tokens/new", "/tokens", form).leadsTo(t, "/tokens/1")
	if page := v.get("/tokens/new").expect(t, http.StatusOK, "Create token"); strings.Contains(page.text, "licensing agreement") {
		t.Error("the agreement is to be accepted a second time")
	}
	v.get("/agreement").expect(t, http.StatusOK, "Accepted by mika@tsukishiro.example on")
	s.agreement(account, "3.0", "")
	v.get("/agreement").expect(t, http.StatusOK, "Version 3.0", "sent no text")
}
