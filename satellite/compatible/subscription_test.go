package compatible_test

import (
	"net/http"
	"slices"
	"testing"
)

var _ = calls(map[string]golden{
	"POST v1 /accounts/{account}/license-subscriptions": {
		file: "license-subscriptions",
		fields: answered(
			field{"totalRecords", "number", "never"},
			field{"licenseSubscriptions", "list", "where the account has none"},
			field{"licenseSubscriptions[].license", "string", "never"},
			field{"licenseSubscriptions[].virtualAccount", "string", "never"},
			field{"licenseSubscriptions[].quantity", "number", "never"},
			field{"licenseSubscriptions[].billingType", "string", "never"},
			field{"licenseSubscriptions[].subscriptionId", "string", "where the upstream names none"},
			field{"licenseSubscriptions[].startDate", "string", "never"},
			field{"licenseSubscriptions[].endDate", "string", "never"},
			field{"licenseSubscriptions[].status", "string", "never"},
		),
		answers: map[string]func(*world) reply{
			"full":  furnished(administrator, http.MethodPost, "/v1/accounts/Acme%20東京/license-subscriptions", `{"limit":-1}`),
			"empty": bare(http.MethodPost, "/v1/accounts/Bare/license-subscriptions", "{}"),
		},
	},
})

func TestSubscriptionsAreListedByStatus(t *testing.T) {
	t.Parallel()
	w := newWorld(t).furnish()
	const path = "/accounts/Acme%20東京/license-subscriptions"
	for body, want := range map[string][]string{
		``:                                    {"Expired", "Active", "Active", "Future", "Active", "Active"},
		`{"status":[]}`:                       {"Expired", "Active", "Active", "Future", "Active", "Active"},
		`{"status":["Active"]}`:               {"Active", "Active", "Active", "Active"},
		`{"status":["EXPIRED","Future"]}`:     {"Expired", "Future"},
		`{"status":["Canceled","Cancelled"]}`: nil, //nolint:misspell // some clients spell it so
		`{"status":["Active"],"limit":2,"offset":3,"virtualAccounts":["Default","Lab 1"]}`: {"Active"},
		`{"virtualAccounts":["Lab 1"]}`:   {"Active"},
		`{"status":["Active"],"limit":0}`: nil,
	} {
		got, total := rows(t, w.v1(administrator, http.MethodPost, path, body), "licenseSubscriptions", "status")
		if !slices.Equal(got, want) || total < len(got) {
			t.Errorf("%s: %d of %q, want %q", body, total, got, want)
		}
	}
	if _, total := rows(t, w.v1(administrator, http.MethodPost, path+"?limit=1&offset=3", `{"status":["Active"]}`), "licenseSubscriptions", "status"); total != 4 {
		t.Errorf("of the active ones there are %d", total)
	}
	w.refused(w.v1(administrator, http.MethodPost, path, `{"status":["Alive"]}`), 400, "status must be of Active")
}
