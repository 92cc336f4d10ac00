package compatible_test

import (
	"net/http"
	"testing"

	"ssm/satellite"
)

const (
	succeeded = `{"status":"SUCCESS","statusMessage":""}`
	virtuals  = `{"status":"SUCCESS","statusMessage":"","virtualAccounts":[`
	defaultVA = `{"name":"Default","description":"","isDefault":"true"}`
	labVA     = `{"name":"Lab 1","description":"実験室","isDefault":"false"}`
)

func TestVirtualAccountsAreListedMadeAndDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const path = "/accounts/Acme%20東京/virtual-accounts"
	w.done(w.v1("account-admin", http.MethodGet, path, ""), virtuals+defaultVA+","+labVA+"]}")
	w.done(w.v1("virtual-account-viewer", http.MethodGet, path, ""), virtuals+labVA+"]}")
	w.done(w.v1("account-admin", http.MethodGet, "/accounts/Acme%20東京/CUSTOMER/virtual-accounts", ""), virtuals+defaultVA+","+labVA+"]}")

	w.done(w.v1("account-admin", http.MethodPost, path, `{"name":"<札幌> & Co","description":null,"isDefault":"false","commerceAccessLevel":"PUBLIC"}`), succeeded)
	w.done(w.v1("account-admin", http.MethodGet, path, ""), virtuals+defaultVA+`,{"name":"<札幌> & Co","description":"","isDefault":"false"},`+labVA+"]}")
	w.refused(w.v1("account-admin", http.MethodPost, path, `{"name":"<札幌> & co"}`), 409, "already")
	w.done(w.v1("account-admin", http.MethodPost, path+"/%3C札幌%3E+&+Co/delete", "{}"), succeeded)
	w.done(w.v1("account-admin", http.MethodGet, path, ""), virtuals+defaultVA+","+labVA+"]}")

	w.refused(w.v1("account-admin", http.MethodPost, path+"/Default/delete", ""), 409, "default virtual account")
	w.refused(w.v1("account-admin", http.MethodPost, path+"/None/delete", ""), 404, `There is no virtual account "None"`)
	for body, words := range map[string]string{"": "name is missing", `{"name":""}`: "name is missing", `{"name":["a"]}`: "name must be a text", `{"description":"d","Name":"x"}`: "name is missing"} {
		w.refused(w.v1("account-admin", http.MethodPost, path, body), 400, words)
	}
}

func TestAVirtualAccountIsMadeByAForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const path = "/api/v1/accounts/Acme%20Labs/virtual-accounts"
	w.done(w.send(administrator, http.MethodPost, path, "name=Floor+2&description=%E4%BA%8C", "Content-Type", "application/x-www-form-urlencoded"), succeeded)
	w.done(w.send(administrator, http.MethodGet, path, ""), virtuals+defaultVA+`,{"name":"Floor 2","description":"二","isDefault":"false"}]}`)
	w.refused(w.send(administrator, http.MethodPost, path, "name=a&name=b", "Content-Type", "application/x-www-form-urlencoded"), 400, "name is there twice")
	w.refused(w.send(administrator, http.MethodPost, path+"/Floor%202/delete", "a=b", "Content-Type", "application/x-www-form-urlencoded"), 415, "content type")
}

func TestVirtualAccountsAreMadeByWhoMayAndDeletedOnlyWhenEmpty(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const path = "/accounts/Acme%20東京/virtual-accounts"
	for _, role := range []string{"account-user", "account-viewer", "virtual-account-admin", "virtual-account-user"} {
		w.refused(w.v1(role, http.MethodPost, path, `{"name":"New"}`), 403, "do not allow")
		w.refused(w.v1(role, http.MethodPost, path+"/Lab%201/delete", ""), 403, "do not allow")
	}
	// What a role does not see is not there.
	w.refused(w.v1("virtual-account-admin", http.MethodPost, path+"/Default/delete", ""), 404, "There is no virtual account")
	w.refused(w.v1("account-admin", http.MethodPost, "/accounts/Acme%20Labs/virtual-accounts", `{"name":"New"}`), 404, "There is no account")
	w.device(tokyo, "Lab 1", "KND260001", map[string]int64{networkAdvantage: 1})
	w.refused(w.v1("account-admin", http.MethodPost, path+"/Lab%201/delete", ""), 409, "still holds 1 devices")
	list := must(w.service.VirtualAccounts(t.Context(), w.actors[administrator], w.accounts[tokyo].ID))(t)
	if len(list) != 2 || list[1].Name != "Lab 1" {
		t.Errorf("the virtual accounts are %+v", list)
	}
	if _, err := w.service.FindVirtualAccount(t.Context(), satellite.Actor{}, w.accounts[tokyo].ID, "Lab 1"); satellite.KindOf(err) != satellite.KindUnauthenticated {
		t.Errorf("nobody found a virtual account: %v", err)
	}
}
