package compatible_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"ssm/satellite"
)

var _ = calls(map[string]golden{
	"POST v1 /accounts/{account}/licenses": {
		file: "licenses",
		fields: answered(
			field{"totalRecords", "number", "never"},
			field{"licenses", "list", "where the account has no license"},
			field{"licenses[].license", "string", "never"},
			field{"licenses[].virtualAccount", "string", "never"},
			field{"licenses[].quantity", "number", "never"},
			field{"licenses[].inUse", "number", "never"},
			field{"licenses[].available", "number", "never"},
			field{"licenses[].reserved", "number", "never"},
			field{"licenses[].pendingQuantity", "number", "never"},
			field{"licenses[].ahaApps", "boolean", "never"},
			field{"licenses[].billingType", "string", "never"},
			field{"licenses[].isPortable", "boolean", "never"},
			field{"licenses[].status", "string", "never"},
			field{"licenses[].licenseSubstitutions", "list", "where no tier lends"},
			field{"licenses[].licenseSubstitutions[].license", "string", "never"},
			field{"licenses[].licenseSubstitutions[].licenseName", "string", "never"},
			field{"licenses[].licenseSubstitutions[].substitutedLicense", "string", "never"},
			field{"licenses[].licenseSubstitutions[].substitutedQuantity", "number", "never"},
			field{"licenses[].licenseSubstitutions[].substitutionType", "string", "never"},
			field{"licenses[].licenseDetails", "list", "where nothing was bought"},
			field{"licenses[].licenseDetails[].licenseType", "string", "never"},
			field{"licenses[].licenseDetails[].quantity", "number", "never"},
			field{"licenses[].licenseDetails[].startDate", "string|null", "null for PERPETUAL"},
			field{"licenses[].licenseDetails[].endDate", "string|null", "null for PERPETUAL, and for what never ends"},
			field{"licenses[].licenseDetails[].subscriptionId", "string|null", "null for what is no subscription"},
			field{"licenses[].licenseDetails[].status", "string", "never"},
		),
		answers: map[string]func(*world) reply{
			"full":  furnished(administrator, http.MethodPost, "/v1/accounts/Acme%20東京/licenses", `{"virtualAccounts":[],"limit":-1}`),
			"empty": bare(http.MethodPost, "/v1/accounts/Bare/licenses", ""),
		},
	},
})

const licensesPath = "/accounts/Acme%20東京/licenses"

func TestLicensesAreListedByVirtualAccountAndLicenseInWindows(t *testing.T) {
	t.Parallel()
	w := newWorld(t).furnish()
	all := []string{"Campus Term", "Cloud Usage", "Essentials", "Network Advantage", "Premier", "Wireless", "Campus Term", "Network Advantage"}
	for body, want := range map[string][]string{
		``: all, `{}`: all, `{"limit":-1}`: all, `{"limit":"-1","virtualAccounts":null}`: all, `{"limit":100,"offset":0}`: all, `{"virtualAccounts":["lab 1","DEFAULT"]}`: all,
		`{"limit":2}`: all[:2], `{"limit":2,"offset":2}`: all[2:4], `{"limit":-1,"offset":7}`: all[7:], `{"limit":50,"offset":8}`: nil, `{"limit":50,"offset":900}`: nil, `{"limit":0}`: nil,
		`{"virtualAccounts":["LAB 1"]}`: all[6:], `{"virtualAccounts":["Default"],"limit":1,"offset":5}`: all[5:6],
	} {
		got, total := rows(t, w.v1(administrator, http.MethodPost, licensesPath, body), "licenses", "license")
		wantTotal := len(all)
		switch {
		case strings.Contains(body, "DEFAULT"):
		case strings.Contains(body, "LAB 1"):
			wantTotal = 2
		case strings.Contains(body, "Default"):
			wantTotal = 6
		}
		if !slices.Equal(got, want) || total != wantTotal {
			t.Errorf("%s: %d of %q, want %d of %q", body, total, got, wantTotal, want)
		}
	}
	places, _ := rows(t, w.v1(administrator, http.MethodPost, licensesPath, ""), "licenses", "virtualAccount")
	if !slices.IsSorted(places) || places[0] != "Default" || places[7] != "Lab 1" {
		t.Errorf("the virtual accounts are %q", places)
	}
	if got, _ := rows(t, w.v1(administrator, http.MethodPost, licensesPath+"?limit=1&offset=1", `{"offset":2}`), "licenses", "license"); !slices.Equal(got, all[2:3]) {
		t.Errorf("of body and query: %q", got)
	}
}

func TestAWindowThatMakesNoSenseIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{"/licenses", "/license-subscriptions", "/alerts", "/devices"} {
		path = "/accounts/Acme%20東京" + path
		for body, words := range map[string]string{
			`{"limit":-2}`: "limit must be a number of rows, or -1 for all", `{"offset":-1}`: "offset must not be negative",
			`{"limit":"many"}`: "limit must be a whole number", `{"limit":1.5}`: "limit must be a whole number",
		} {
			w.refused(w.v1(administrator, http.MethodPost, path, body), 400, words)
		}
	}
}

func TestLicensesOfAVirtualAccountThatIsNotSeenAreNotThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t).furnish()
	for _, path := range []string{licensesPath, "/accounts/Acme%20東京/license-subscriptions", "/accounts/Acme%20東京/devices"} {
		w.refused(w.v1(administrator, http.MethodPost, path, `{"virtualAccounts":["Default","Keller"]}`), 404, `There is no virtual account "Keller"`)
		w.refused(w.v1(administrator, http.MethodPost, path, `{"virtualAccounts":["Default",""]}`), 400, `virtualAccounts[1] is empty`)
		w.refused(w.v1("virtual-account-viewer", http.MethodPost, path, `{"virtualAccounts":["Default"]}`), 404, `There is no virtual account "Default"`)
		w.refused(w.v1("stranger", http.MethodPost, path, ""), 404, "There is no account")
		w.refused(w.v1("account-admin", http.MethodPost, strings.Replace(path, "東京", "Labs", 1), ""), 404, "There is no account")
		w.refused(w.v1(administrator, http.MethodPost, path, `{"virtualAccounts":"Default"}`), 400, "virtualAccounts must be a list")
	}
	for _, body := range []string{"", `{"virtualAccounts":["Lab 1"]}`} {
		got, total := rows(t, w.v1("virtual-account-viewer", http.MethodPost, licensesPath, body), "licenses", "virtualAccount")
		if !slices.Equal(got, []string{"Lab 1", "Lab 1"}) || total != 2 {
			t.Errorf("who sees one virtual account sees %d of %q", total, got)
		}
	}
}

func TestALicenseThatOnlyDevicesKnowGoesByItsTagAndIsShort(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	err := w.store.Update(t.Context(), func(tx satellite.Tx) error {
		account := w.accounts[labs].ID
		virtual, err := tx.VirtualAccounts(account)
		if err != nil {
			return err
		}
		l, err := tx.CreateLicense(satellite.License{AccountID: account, Tag: "regid.x,1.0_y", Type: satellite.LicensePerpetual, Enforcement: satellite.Unenforced, Billing: satellite.BillingPrepaid})
		if err != nil {
			return err
		}
		_, err = tx.SavePool(satellite.Pool{AccountID: account, VirtualAccountID: virtual[0].ID, LicenseID: l.ID, InUse: 3})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	got := w.v1(administrator, http.MethodPost, "/accounts/Acme%20Labs/licenses", `{"limit":-1,"offset":3}`)
	w.done(got, `{"status":"SUCCESS","statusMessage":"","totalRecords":4,"licenses":[{"license":"regid.x,1.0_y","virtualAccount":"Default","quantity":0,"inUse":3,"available":0,`+
		`"reserved":0,"pendingQuantity":0,"ahaApps":false,"billingType":"PREPAID","isPortable":false,"status":"Out Of Compliance","licenseSubstitutions":[],"licenseDetails":[]}]}`)
}
