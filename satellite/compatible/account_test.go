package compatible_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"ssm/satellite"
)

const accountsPath = "/services/api/smart-accounts-and-licensing/v2/accounts"

func TestAccountsAreListedWithTheRolesOfWhoAsks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const (
		head   = `{"status":"SUCCESS","statusMessage":"","accounts":[`
		ofLabs = `{"accountName":"Acme Labs","accountDomain":"example.com","accountStatus":"Active","accountType":"CUSTOMER","roles":[`
		ofT    = `{"accountName":"Acme 東京","accountDomain":"example.com","accountStatus":"Active","accountType":"CUSTOMER","roles":[`
	)
	role := func(name, virtual string) string {
		return `{"role":"` + name + `","virtualAccount":` + virtual + `}`
	}
	whole := func(name string) string {
		return role("Smart Account "+name, "null") + "," + role("Virtual Account "+name, `"Default"`) + "," + role("Virtual Account "+name, `"Lab 1"`) + `]}`
	}
	for actor, want := range map[string]string{
		"system-admin":           ofLabs + role("Smart Account Administrator", "null") + "," + role("Virtual Account Administrator", `"Default"`) + "]}," + ofT + whole("Administrator"),
		"account-admin":          ofT + whole("Administrator"),
		"account-user":           ofT + whole("User"),
		"account-viewer":         ofT + whole("Viewer"),
		"virtual-account-admin":  ofT + role("Virtual Account Administrator", `"Lab 1"`) + "]}",
		"virtual-account-viewer": ofT + role("Virtual Account Viewer", `"Lab 1"`) + "]}",
		"system-user":            "",
		"stranger":               "",
	} {
		w.done(w.send(actor, http.MethodGet, accountsPath, ""), head+want+"]}")
	}
	w.done(w.send("stranger", http.MethodGet, accountsPath+"/", ""), head+"]}")
	for domain, want := range map[string]int{"EXAMPLE.com": 2, "other.example": 0} {
		if got := w.send(administrator, http.MethodGet, accountsPath+"?domain="+domain, ""); strings.Count(got.body, "accountName") != want {
			t.Errorf("by the domain %s there are %s", domain, got.body)
		}
	}
}

func TestEachAccountTellsItsOwnRoles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.actor("both", satellite.Grant{AccountID: w.accounts[tokyo].ID, Role: satellite.RoleAccountViewer}, satellite.Grant{AccountID: w.accounts[labs].ID, Role: satellite.RoleAccountAdmin})
	got := w.send("both", http.MethodGet, accountsPath, "").body
	ofLabs, ofTokyo, _ := strings.Cut(got, tokyo)
	if !strings.Contains(ofLabs, "Smart Account Administrator") || strings.Contains(ofLabs, "Viewer") || !strings.Contains(ofTokyo, "Smart Account Viewer") || strings.Contains(ofTokyo, "Administrator") {
		t.Errorf("got %s", got)
	}
}

func TestARoleThatIsHeldTwiceIsToldOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	grant := w.actors["virtual-account-user"].Grants[0]
	w.actor("twice", grant, grant)
	if got := w.send("twice", http.MethodGet, accountsPath, ""); strings.Count(got.body, `"role":`) != 1 {
		t.Errorf("got %s", got.body)
	}
}

func TestTheAccountsOfTheSatelliteHaveEveryFieldThatClientsRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const want = `{"status":"SUCCESS","statusMessage":"","accounts":[{"name":"Acme 東京","account_id":"1","domain":"example.com","cslu_tenant_url":"",` +
		`"cssm_smart_account_id":"","cssm_smart_account_name":"Acme 東京","cssm_virtual_account_name":"Satellite",` +
		`"virtual_accounts":[{"name":"Default","description":"","isDefault":"true"},{"name":"Lab 1","description":"実験室","isDefault":"false"}]}]}`
	for _, body := range []string{"", "null", "{}", `{"of":"tomorrow"}`} {
		w.done(w.v1("account-viewer", http.MethodPost, "/upstream_satellites/accounts", body), want)
	}
	w.done(w.v1("stranger", http.MethodPost, "/upstream_satellites/accounts", "null"), `{"status":"SUCCESS","statusMessage":"","accounts":[]}`)
}

func TestAnAccountIsFoundByItsNameOrByADomainThatIsItsAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := w.actors[administrator]
	must(w.service.CreateAccount(t.Context(), admin, satellite.NewAccount{Name: "A+B Works", Email: "a@works.example"}))(t)
	must(w.service.CreateAccount(t.Context(), admin, satellite.NewAccount{Name: "R&D (old)/new; 100%", Email: "a@rd.example"}))(t)
	for _, path := range []string{
		"Acme%20Labs", "acme%20labs", "Acme+Labs", "ACME%20LABS", "Acme%20%E6%9D%B1%E4%BA%AC", "Acme+東京", "A+B%20Works", "A%2BB+Works", "works.example", "WORKS.EXAMPLE",
		"R&D%20(old)%2Fnew;%20100%25",
	} {
		if got := w.v1(administrator, http.MethodGet, "/accounts/"+path+"/virtual-accounts", ""); got.status != http.StatusOK || !strings.Contains(got.body, `"name":"Default"`) {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	// %2B is a plus, whatever else there is, and a domain that two accounts have names both.
	w.refused(w.v1(administrator, http.MethodGet, "/accounts/Acme%2BLabs/virtual-accounts", ""), 404, `There is no account "Acme+Labs".`)
	w.refused(w.v1(administrator, http.MethodGet, "/accounts/example.com/virtual-accounts", ""), 409, `"Acme Labs", "Acme 東京"`)
	// Who sees one of them means that one, and learns nothing of the other.
	if got := w.v1("account-viewer", http.MethodGet, "/accounts/example.com/virtual-accounts", ""); !strings.Contains(got.body, `"Lab 1"`) {
		t.Errorf("got %s", got.body)
	}
	w.refused(w.v1("account-viewer", http.MethodGet, "/accounts/Acme%20Labs/virtual-accounts", ""), 404, "There is no account")
	w.refused(w.v1("stranger", http.MethodGet, "/accounts/example.com/virtual-accounts", ""), 404, "There is no account")
}

func TestNobodyComesInWithoutATokenThatHolds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got := w.send("", http.MethodGet, accountsPath, "")
	w.refused(got, 401, "")
	if got.header.Get("WWW-Authenticate") != `Bearer realm="satellite"` {
		t.Errorf("the challenge is %q", got.header.Get("WWW-Authenticate"))
	}
	got = w.send("of-yesterday", http.MethodGet, accountsPath, "")
	w.refused(got, 401, "")
	if got.header.Get("WWW-Authenticate") != `Bearer realm="satellite", error="invalid_token"` {
		t.Errorf("the challenge is %q", got.header.Get("WWW-Authenticate"))
	}
	w.refused(w.send("", http.MethodGet, accountsPath, "", "Authorization", "Basic YTpi"), 403, "bearer token")
	w.done(w.send("", http.MethodGet, accountsPath, "", "Authorization", "bEARER "+w.tokens["stranger"]), `{"status":"SUCCESS","statusMessage":"","accounts":[]}`)
	var problem map[string]string
	if err := json.Unmarshal([]byte(w.send("", http.MethodGet, accountsPath, "").body), &problem); err != nil || len(problem) != 2 {
		t.Errorf("an error has two fields, not %v (%v)", problem, err)
	}
}
