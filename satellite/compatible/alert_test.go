package compatible_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"ssm/satellite"
)

var _ = calls(map[string]golden{
	"POST v1 /accounts/{account}/alerts": {
		file: "alerts",
		fields: answered(
			field{"totalRecords", "number", "never"},
			field{"alerts", "list", "where nothing is wrong"},
			field{"alerts[].messageType", "string", "never"},
			field{"alerts[].severity", "string", "never"},
			field{"alerts[].source", "string", "never"},
			field{"alerts[].message", "string", "never"},
			field{"alerts[].actionDue", "string", "where nothing is due on a day"},
		),
		answers: map[string]func(*world) reply{
			"full":  furnished(administrator, http.MethodPost, "/v1/accounts/Acme%20東京/alerts", `{"limit":-1}`),
			"empty": ask(administrator, http.MethodPost, "/v1/accounts/Acme%20Labs/alerts", `{"limit":-1}`),
		},
	},
})

func TestOpenAlertsAreListedNewestFirstInWindows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const path = "/accounts/Acme%20東京/alerts"
	lab := must(w.service.FindVirtualAccount(t.Context(), w.actors[administrator], w.accounts[tokyo].ID, "Lab 1"))(t)
	const open = 1200 // more than two pages
	err := w.store.Update(t.Context(), func(tx satellite.Tx) error {
		for n := range open {
			a := satellite.Alert{AccountID: lab.AccountID, Type: satellite.AlertFailedToConnect, Severity: satellite.Minor, Key: fmt.Sprint(n), Source: fmt.Sprint(n)}
			if n%100 == 0 {
				a.VirtualAccountID = lab.ID
			}
			if _, err := tx.OpenAlert(a); err != nil {
				return err
			}
		}
		_, err := tx.CloseAlert(lab.AccountID, satellite.AlertFailedToConnect, "5", now)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for n := open - 1; n >= 0; n-- {
		if n != 5 {
			all = append(all, fmt.Sprint(n))
		}
	}
	for body, want := range map[string][]string{
		`{"limit":-1}`: all, ``: all[:50], `{"limit":1000}`: all[:1000], `{"limit":3,"offset":700}`: all[700:703], `{"limit":-1,"offset":1190}`: all[1190:],
		`{"offset":1199}`: nil, `{"offset":5000000000}`: nil, `{"limit":0}`: nil,
	} {
		got, total := rows(t, w.v1("account-viewer", http.MethodPost, path, body), "alerts", "source")
		if !slices.Equal(got, want) || total != open-1 {
			t.Errorf("%s: %d of %d rows, %q", body, len(got), total, got[:min(4, len(got))])
		}
	}
	if got, total := rows(t, w.v1("virtual-account-user", http.MethodPost, path, `{"offset":10}`), "alerts", "source"); !slices.Equal(got, []string{"100", "0"}) || total != 12 {
		t.Errorf("who sees one virtual account sees %q of %d", got, total)
	}
	w.refused(w.v1("stranger", http.MethodPost, path, ""), 404, "There is no account")
}
