package ui

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"ssm/satellite"
)

// alert opens an alert, as its cause would.
func (s *site) alert(alerts ...satellite.Alert) {
	s.t.Helper()
	s.must(s.store.Update(s.t.Context(), func(tx satellite.Tx) (err error) {
		for i, a := range alerts {
			a.Severity, a.OpenedAt = satellite.KindOfAlert(a.Type).Severity, s.clock().Add(time.Duration(i)*time.Minute)
			_, opened := tx.OpenAlert(a)
			err = errors.Join(err, opened)
		}
		return err
	}))
}

func TestTheOverviewNamesTheNewestAlertsAndTheListAllOfThem(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	account, other := s.account("Tsukishiro Telecom", false), s.account("Yamato Densetsu", true)
	v := s.administrator()
	if page := v.get("/").expect(t, http.StatusOK); strings.Contains(page.text, "Open alerts") || strings.Contains(page.text, "nav-count") {
		t.Error("the overview speaks of alerts where none is open")
	}
	v.get("/alerts").expect(t, http.StatusOK, "No open alerts")
	var alerts []satellite.Alert
	for i := range 7 {
		alerts = append(alerts, satellite.Alert{
			AccountID: account.ID, Type: satellite.AlertFailedToConnect, Key: fmt.Sprint(i), PIID: fmt.Sprintf("piid-%d", i), Source: fmt.Sprintf("edge-%d", i), Message: fmt.Sprintf("Edge <%d> is silent.", i),
		})
	}
	s.alert(append(alerts, satellite.Alert{AccountID: other.ID, Type: satellite.AlertSyncDeadline, Source: other.Name, Message: "Soon.", ActionDue: begin.AddDate(0, 0, 9)},
		satellite.Alert{Type: satellite.AlertClockMoved, Key: "system clock", Source: "The system's clock", Message: "It moved."})...)
	page := v.get("/").expect(t, http.StatusOK, "Open alerts", `<span class="nav-count bad">7</span>`, "Product instance failed to connect", "Edge &lt;6&gt; is silent.", "Edge &lt;2&gt;", `href="/devices/piid-6"`)
	if strings.Contains(page.text, "Edge &lt;1&gt;") || strings.Index(page.text, "&lt;6&gt;") > strings.Index(page.text, "&lt;2&gt;") {
		t.Error("the overview does not name the five newest alerts, newest first")
	}
	if page := v.get("/alerts").expect(t, http.StatusOK, "Edge &lt;0&gt;", "Minor"); strings.Contains(page.text, "Soon.") || strings.Contains(page.text, "It moved.") {
		t.Error("the alerts of the account are not the only ones")
	}
	v.get("/alerts?scope=all").expect(t, http.StatusOK, "Soon.", "Due 2 Dec 2026", `href="/synchronization/2"`, "It moved.", `href="/clock"`, "Major")

	s.user("reader@tsukishiro.example", "Reader", satellite.RoleSystemUser, satellite.Grant{AccountID: other.ID, Role: satellite.RoleAccountViewer})
	reader := s.signIn("reader@tsukishiro.example")
	if page := reader.get("/alerts?scope=all").expect(t, http.StatusOK, "Soon."); strings.Contains(page.text, "silent") || strings.Contains(page.text, "It moved.") {
		t.Error("a reader of one account sees the alerts of others")
	}
}

func TestAClockThatMovedIsToldOnEveryPageToWhoMayConfirmIt(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	account := s.account("Tsukishiro Telecom", false)
	s.user("reader@tsukishiro.example", "Reader", satellite.RoleSystemUser, satellite.Grant{AccountID: account.ID, Role: satellite.RoleAccountAdmin})
	s.user("operator@tsukishiro.example", "Operator", satellite.RoleSystemOperator)
	v, reader := s.administrator(), s.signIn("reader@tsukishiro.example")
	v.get("/clock").expect(t, http.StatusOK, "There is nothing to confirm")
	s.advance(-3 * time.Hour)
	const held = "clock is not believed"
	for _, page := range []string{"/", "/devices", "/accounts", "/synchronization", "/clock"} {
		v.get(page).expect(t, http.StatusOK, held, "3 hours behind", "satellite clock confirm")
	}
	v.get("/nowhere").expect(t, http.StatusNotFound, held)
	if page := reader.get("/").expect(t, http.StatusOK); strings.Contains(page.text, held) {
		t.Error("who may not confirm the clock is told to")
	}
	operator := s.signIn("operator@tsukishiro.example")
	if page := operator.get("/").expect(t, http.StatusOK).text + operator.get("/clock").expect(t, http.StatusOK, "3 hours behind").text; strings.Contains(page, held) || strings.Contains(page, "/clock/confirm") {
		t.Error("who may only read the clock is told to confirm it")
	}
	operator.post("/", "/clock/confirm", nil).expect(t, http.StatusForbidden, "do not allow this")
	reader.get("/clock").expect(t, http.StatusForbidden, "do not allow this")
	reader.post("/", "/clock/confirm", nil).expect(t, http.StatusForbidden, "do not allow this")
	v.get("/clock").expect(t, http.StatusOK, "23 Nov 2026, 06:40 UTC", "23 Nov 2026, 09:40 UTC", "goes back by the step")
	v.post("/clock", "/clock/confirm", nil).leadsTo(t, "/clock")
	if page := v.get("/clock").expect(t, http.StatusOK, "is the time now: 23 Nov 2026, 06:40 UTC"); strings.Contains(page.text, held) {
		t.Error("the clock is not believed after it was confirmed")
	}
}

func TestTheStepOfAClockIsSaidInWholeUnits(t *testing.T) {
	t.Parallel()
	catalog, err := loadCatalog()
	if err != nil {
		t.Fatal(err)
	}
	for step, texts := range map[time.Duration][2]string{
		-61 * time.Minute:     {"61 minutes behind", "61 分遅れています"},
		-2 * time.Hour:        {"2 hours behind", "2 時間遅れています"},
		47 * time.Hour:        {"47 hours ahead", "47 時間進んでいます"},
		100 * 24 * time.Hour:  {"100 days ahead", "100 日進んでいます"},
		-400 * 24 * time.Hour: {"400 days behind", "400 日遅れています"},
	} {
		for i, language := range []string{"en", "ja"} {
			if got := catalog.match(language, "").off(step); got != texts[i] {
				t.Errorf("%v is said as %q, not %q", step, got, texts[i])
			}
		}
	}
}
