package ui

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"ssm/satellite"
)

var (
	sumGroup = regexp.MustCompile(`(?s)<section class="sum-group"><h3><span>([^<]+)</span><span class="num">([^<]+)</span></h3>(.*?)</section>`)
	sumRow   = regexp.MustCompile(`<span class="num">([^<]+)</span></li>`)
	sumTotal = regexp.MustCompile(`class="sum-total">.*<span class="num[^"]*">([^<]+)</span>`)
	sumStrip = regexp.MustCompile(`<div class="stat-value num[^"]*">([^<]+)</div>`)
)

// shown reads a number as the console writes it.
func shown(t *testing.T, text string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(strings.NewReplacer("&#43;", "", ",", "", "−", "-").Replace(text), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestThePanelOfEveryLicenseAddsUpToItsBalance(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.administrator()
	furnish(t, s)
	v.get("/?account=Tsukishiro+Telecom").expect(t, http.StatusOK)
	pools, err := s.service.Licenses(t.Context(), admin, satellite.PoolFilter{AccountID: 1})
	s.must(err)
	groups := map[string]bool{}
	for _, pool := range pools {
		page := v.get(fmt.Sprintf("/licenses/%d", pool.ID)).expect(t, http.StatusOK).text
		sum := int64(0)
		for _, group := range sumGroup.FindAllStringSubmatch(page, -1) {
			rows := int64(0)
			for _, row := range sumRow.FindAllStringSubmatch(group[3], -1) {
				rows += shown(t, row[1])
			}
			if total := shown(t, group[2]); total != rows {
				t.Errorf("%s of %s: %s is not the sum of its rows, %d", group[1], pool.License.Name, group[2], rows)
			}
			sum += rows
			groups[group[1]] = true
		}
		total := shown(t, sumTotal.FindStringSubmatch(page)[1])
		if total != pool.Balance() || sum != total {
			t.Errorf("%s: the balance %d is shown as %d, and its rows add up to %d", pool.License.Name, pool.Balance(), total, sum)
		}
		strip := int64(0)
		values := sumStrip.FindAllStringSubmatch(page, -1)
		for _, value := range values[:4] {
			strip += shown(t, value[1])
		}
		if strip != pool.Balance() {
			t.Errorf("%s: the line of the sum adds up to %d, not %d", pool.License.Name, strip, pool.Balance())
		}
	}
	for _, title := range []string{"Transferred in", "Transferred out", "Borrowed from higher tiers", "Lent to lower tiers", "Reserved", "In use, 34 devices"} {
		if !groups[title] {
			t.Errorf("no license has the rows %q, so the test shows nothing of them", title)
		}
	}
}

func TestOverageAndWhatIsOnlyReportedAreNoShortage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	account := s.account("Tsukishiro Telecom", false)
	virtual, err := s.service.VirtualAccounts(t.Context(), admin, account.ID)
	s.must(err)
	v := s.administrator()
	start := begin.AddDate(-1, 0, 0)
	s.buy(account, lot{virtual: virtual[0], tag: "OVER", name: "Over", quantity: 2, start: start}, lot{virtual: virtual[0], tag: "REPORTED", name: "Reported", quantity: 2, start: start})
	for i, tag := range []string{"OVER", "REPORTED"} {
		s.device(account, virtual[0], i, tag, 5)
	}
	s.define(account, map[string]func(*satellite.License){
		"OVER": func(l *satellite.License) { l.Overage = true }, "REPORTED": func(l *satellite.License) { l.ReportingOnly, l.Type = true, satellite.LicenseEvaluation },
	})
	for _, page := range []string{"/", "/licenses", "/licenses/1", "/licenses/2"} {
		if text := v.get(page).expect(t, http.StatusOK, "−3").text; strings.Contains(text, "Insufficient") && page != "/" || strings.Contains(text, "negative") {
			t.Errorf("%s shows a shortage", page)
		}
	}
	v.get("/").expect(t, http.StatusOK, "Yes. No license is short.", "Overage")
	v.get("/licenses").expect(t, http.StatusOK, "Evaluation, only reported")
	v.get("/licenses/1").expect(t, http.StatusOK, "3 more licenses are in use than were bought")
	v.get("/licenses/2").expect(t, http.StatusOK, "It is never short.")
}

func TestADeviceShowsItsPairAndWhatItIsRefusedOrHasReserved(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.administrator()
	furnish(t, s)
	v.get("/devices?account=Tsukishiro+Telecom&q=osk-wlc-071").expect(t, http.StatusOK, `<span class="badge outline">Standby</span>`)
	v.get("/devices/5a1c0047-88e2-4d1c-9a3b-0c2f4e6d8b47").expect(t, http.StatusOK, "campus core, Standby", "Held by the other member of the pair", "Refused", "Asks for 3", "Restricted license not available")
	v.get("/devices?q=ENW2305K900").expect(t, http.StatusOK, "By reservation", "Authorized (reserved)")
	reservation, err := s.service.FindReservation(t.Context(), admin, satellite.ReservationQuery{ID: 1})
	s.must(err)
	page := "/devices/" + reservation.PIID
	if text := v.get(page).expect(t, http.StatusOK, "Edge Router Advantage 10G", "Reserved", "Perpetual").text; strings.Contains(text, "/remove") {
		t.Error("a device that has to return its reservation first can be removed")
	}
	v.post("/", page+"/remove", map[string]string{"confirm": "ENW2305K900"}).expect(t, http.StatusConflict, "has a reservation")
}
