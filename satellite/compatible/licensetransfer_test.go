package compatible_test

import (
	"net/http"
	"strings"
	"testing"
)

func (w *world) moveLicenses(token, from string, licenses ...string) reply {
	w.t.Helper()
	return w.v1(token, http.MethodPost, from+"/licenses/transfer", `{"licenses":[`+strings.Join(licenses, ",")+`]}`)
}

func TestLicensesAreTransferredByNameOrTagAndCountedThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.done(w.moveLicenses("account-user", defaultPath,
		`{"license":"Network Advantage","licenseType":"PERPETUAL","quantity":3,"targetVirtualAccount":"lab 1","precedence":"LONGEST_TERM_FIRST"}`,
		`{"license":"`+campusTerm+`","licenseType":"term","quantity":"5","targetVirtualAccount":"Lab 1"}`,
		`{"license":"Campus Term","quantity":1.0,"targetVirtualAccount":"Lab 1"}`,
		`{"license":"Cloud Usage","licenseType":"STANDARD","quantity":2,"targetVirtualAccount":"Lab 1"}`,
	), succeeded)
	for tag, want := range map[string][2]int64{networkAdvantage: {3, 7}, campusTerm: {6, 14}, cloudUsage: {2, 28}} {
		if there, here := w.stock("Lab 1", tag).Quantity(), w.stock("Default", tag).Quantity(); there != want[0] || here != want[1] {
			t.Errorf("of %s %d are there and %d here, want %v", tag, there, here, want)
		}
	}
	w.done(w.moveLicenses("account-user", labPath, `{"license":"Network Advantage","licenseType":"","quantity":3,"targetVirtualAccount":"Default"}`), succeeded)
	if here := w.stock("Default", networkAdvantage).Quantity(); here != 10 {
		t.Errorf("%d are here after all came back", here)
	}
}

func TestATransferOfLicensesIsAllOrNothingAndSaysWhatWasWrong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	entry := func(license, kind, quantity, target string) string {
		return `{"license":` + license + `,"licenseType":` + kind + `,"quantity":` + quantity + `,"targetVirtualAccount":` + target + `}`
	}
	good := entry(`"Network Advantage"`, `"PERPETUAL"`, "1", `"Lab 1"`)
	w.writesNothing("what is refused", func() {
		w.refused(w.moveLicenses("account-user", defaultPath, good, entry(`"Network Advantage"`, `""`, "10", `"Lab 1"`)), 409, "Transfer 2: Virtual account \"Default\" has 9")
		for bad, c := range map[string]struct {
			status int
			words  string
		}{
			entry(`"Network Advantage"`, `"TERM"`, "1", `"Lab 1"`):      {409, "has 0 of Network Advantage (subscription)"},
			entry(`"Nothing"`, `"TERM"`, "1", `"Lab 1"`):                {404, `the tag or the name "Nothing"`},
			entry(`"Network Advantage"`, `"TERM"`, "1", `"Nowhere"`):    {404, `no virtual account "Nowhere"`},
			entry(`"Network Advantage"`, `"TERM"`, "1", `"Default"`):    {400, "both are"},
			entry(`"Network Advantage"`, `"TERM"`, "0", `"Lab 1"`):      {400, "licenses[0].quantity must be at least 1"},
			entry(`"Network Advantage"`, `"TERM"`, "-1", `"Lab 1"`):     {400, "licenses[0].quantity must be at least 1"},
			entry(`"Network Advantage"`, `"TERM"`, `"many"`, `"Lab 1"`): {400, "licenses[0].quantity must be a whole number"},
			entry(`"Network Advantage"`, `"TERM"`, `null`, `"Lab 1"`):   {400, "licenses[0].quantity is missing"},
			entry(`"Network Advantage"`, `"RENTED"`, `1`, `"Lab 1"`):    {400, "licenses[0].licenseType must be PERPETUAL"},
			entry(`"Network Advantage"`, `"TERM"`, `1`, `""`):           {400, "licenses[0].targetVirtualAccount is missing"},
			entry(`null`, `"TERM"`, `1`, `"Lab 1"`):                     {400, "licenses[0].license is missing"},
			`7`:                                                         {400, "licenses[0] must be an object"},
			``:                                                          {400, "licenses is missing"},
			strings.Repeat(good+",", 1000) + good:                       {400, "licenses: From 1 to 1000 transfers"},
		} {
			w.refused(w.moveLicenses("account-user", defaultPath, bad), c.status, c.words)
		}
		for actor, status := range map[string]int{"account-viewer": 403, "virtual-account-admin": 404, "stranger": 404, "": 401} {
			w.refused(w.moveLicenses(actor, defaultPath, good), status, "")
		}
	})
	// What is good thirty times one by one is good at once.
	if got := w.moveLicenses("account-user", defaultPath, strings.Repeat(entry(`"Cloud Usage"`, `""`, "1", `"Lab 1"`)+",", 29)+entry(`"Cloud Usage"`, `""`, "1", `"Lab 1"`)); got.status != http.StatusOK {
		t.Errorf("got %d %s", got.status, got.body)
	}
}

func moveLicensesGolden(license string) func(*world) reply {
	return ask(administrator, http.MethodPost, "/v1"+defaultPath+"/licenses/transfer", `{"licenses":[{"license":"`+license+`","licenseType":"PERPETUAL","quantity":1,"targetVirtualAccount":"Lab 1"}]}`)
}

var _ = calls(map[string]golden{
	"POST v1 /accounts/{account}/virtual-accounts/{virtual_account}/licenses/transfer": doneGolden(moveLicensesGolden("Network Advantage"), moveLicensesGolden(networkAdvantage)),
})
