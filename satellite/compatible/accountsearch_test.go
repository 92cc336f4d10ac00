package compatible_test

import (
	"net/http"
	"slices"
	"testing"
)

var _ = calls(map[string]golden{
	"GET v1 /accounts/search": {
		file: "accounts-search",
		fields: answered(
			field{"totalRecords", "number", "never"},
			field{"accounts", "list", "where none is found"},
			field{"accounts[].domain", "string", "never"},
			field{"accounts[].name", "string", "never"},
			field{"accounts[].id", "number", "never"},
			field{"accounts[].type", "string", "never"},
			field{"accounts[].status", "string", "never"},
		),
		answers: map[string]func(*world) reply{
			"full":  ask(administrator, http.MethodGet, "/v1/accounts/search?domain=example.com&type=CUSTOMER&limit=1000&offset=0", ""),
			"empty": ask("stranger", http.MethodGet, "/v1/accounts/search?domain=example.com", ""),
		},
	},
})

func TestAccountsAreFoundByPartsOfDomainAndName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for query, want := range map[string][]string{
		"": {labs, tokyo}, "?domain=EXAMPLE": {labs, tokyo}, "?domain=le.c&name=labs": {labs}, "?name=%E6%9D%B1": {tokyo}, "?domain=else": nil,
		"?type=customer": {labs, tokyo}, "?type=HOLDING": nil, "?limit=1": {labs}, "?limit=1&offset=1": {tokyo}, "?limit=0": nil, "?limit=-1&offset=2": nil,
	} {
		got, total := rows(t, w.v1(administrator, http.MethodGet, "/accounts/search"+query, ""), "accounts", "name")
		if !slices.Equal(got, want) || total < len(got) {
			t.Errorf("%s: %q of %d, want %q", query, got, total, want)
		}
	}
	if got, _ := rows(t, w.v1("account-viewer", http.MethodGet, "/accounts/search", ""), "accounts", "name"); !slices.Equal(got, []string{tokyo}) {
		t.Errorf("a viewer of one account finds %q", got)
	}
	w.refused(w.v1(administrator, http.MethodGet, "/accounts/search?limit=-7", ""), 400, "limit")
}
