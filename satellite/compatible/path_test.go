package compatible

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestAPathLeadsToTheSamePlaceHoweverClientsDoubleIt(t *testing.T) {
	t.Parallel()
	const services = "/services/api/smart-accounts-and-licensing"
	for path, want := range map[string]string{
		"/api/v1/accounts/a/licenses":                                 "v1 accounts a licenses",
		"/backend/api/v1/accounts/a/licenses":                         "v1 accounts a licenses",
		services + "/v1/accounts/a/licenses":                          "v1 accounts a licenses",
		services + "/v2/accounts":                                     "v2 accounts",
		services + "/v3/accounts/":                                    "v3 accounts",
		"//api//v1//accounts///a/licenses//":                          "v1 accounts a licenses",
		"/api/v1/api/v1/accounts/a/licenses":                          "v1 accounts a licenses",
		"/api/v1/api/v1/api/v1/accounts":                              "v1 accounts",
		"/backend/api/v1" + services + "/v2/accounts":                 "v2 accounts",
		services + services + "/v3/accounts":                          "v3 accounts",
		services + "/v2/api/v1/accounts":                              "v1 accounts",
		"/%61pi/v1/accounts":                                          "v1 accounts",
		"/api/v1/accounts/api/v1/accounts":                            "v1 accounts api v1 accounts", // only the beginning is a prefix
		"/api/v1/accounts/Acme%20%E6%9D%B1%E4%BA%AC/licenses":         "v1 accounts Acme_東京 licenses",
		"/api/v1/accounts/a%2Fb/licenses":                             "v1 accounts a/b licenses",
		"/api/v1/accounts/a%2Flicenses":                               "v1 accounts a/licenses",
		"/api%2Fv1/accounts":                                          "none api/v1 accounts",
		"/api/v1/accounts/a;b=c/licenses;d":                           "v1 accounts a;b=c licenses;d",
		"/api/v1/accounts/%252e%252e":                                 "v1 accounts %2e%2e", // unescaped once
		"/api/v1/accounts/.../..a":                                    "v1 accounts ... ..a",
		"/api/v2/accounts":                                            "none api v2 accounts",
		services + "/v4/accounts":                                     "none v4 accounts",
		"/oauth/token":                                                "token",
		"/backend//oauth/token/":                                      "token",
		"/as/token.oauth2":                                            "token",
		"/oauth2/default/v1/token":                                    "token",
		"/oauth/token/x":                                              "none oauth token x",
		"/api/v1/accounts/" + strings.Repeat("%E6%9D%B1", 255) + "/d": "v1 accounts " + strings.Repeat("東", 255) + " d",
	} {
		where, err := parsePath(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		got := where.tree.String()
		if where.tree == 0 {
			got = "none"
		}
		for _, s := range where.segments {
			got += " " + strings.ReplaceAll(s.text, " ", "_")
		}
		if got != want {
			t.Errorf("%s leads to %q, want %q", path, got, want)
		}
	}
}

func TestASegmentThatIsNoNameIsRefused(t *testing.T) {
	t.Parallel()
	for _, path := range []string{
		"/api/v1/accounts/..", "/api/v1/./accounts", "/api/v1/accounts/%2e%2E/x", "/api/v1/accounts/.%2e", "/api/v1/accounts/%2E",
		"/api/v1/accounts/a%00b", "/api/v1/accounts/a%0d%0ab", "/api/v1/accounts/%7f", "/api/v1/accounts/%C2%85", "/api/v1/accounts/%ff", "/api/v1/accounts/%c0%af",
		"/api/v1/accounts/%zz", "/api/v1/accounts/%", "/../api/v1/accounts", "/api/v1/" + strings.Repeat("a", maxPath),
	} {
		if where, err := parsePath(path); err == nil {
			t.Errorf("%.80s leads to %+v", path, where)
		}
	}
}

func TestThePathsOfThisAPIAreItsOwnAndNoOthers(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		"/api/v1": true, "/api/v1/": true, "//api//v1/accounts": true, "/api/v1/nothing": true, "/backend/api/v1/accounts": true,
		"/services/api/smart-accounts-and-licensing": true, "/services/api/smart-accounts-and-licensing/v2/accounts": true,
		"/oauth/token": true, "//oauth/token/": true, "/backend/oauth/token": true, "/as/token.oauth2": true, "/oauth2/default/v1/token": true,
		"/api/v2": false, "/api/v2/accounts": false, "/api": false, "/api/": false, "//api//v2//": false, "/": false, "": false, "*": false, "/apiv1": false, "/assets": false,
		"/accounts/api/v1": false, "/SmartTransport": false,
		"/services": true, "/oauth": true, "/oauth/token/x": true, "/api/v10/accounts": true, "/api/v1;x/accounts": true, "/api/v1\\accounts": true, "/api/../api/v2": true, "/backend/api/v1;": true,
	} {
		if got := Owns(path); got != want {
			t.Errorf("%q: %v, want %v", path, got, want)
		}
	}
}

func TestEveryRouteIsReachedByItsOwnPathInItsOwnTreesOnly(t *testing.T) {
	t.Parallel()
	table := new(api).routes()
	trees := map[tree]string{v1: "/api/v1", v2: "/services/api/smart-accounts-and-licensing/v2", v3: "/services/api/smart-accounts-and-licensing/v3"}
	replaced := strings.NewReplacer("{account}", "Acme+Labs", "{virtual_account}", "Lab%2F1", "{type}", "HOLDING")
	for i := range table {
		for tree, prefix := range trees {
			where, err := parsePath(prefix + replaced.Replace(table[i].pattern))
			if err != nil {
				t.Fatal(err)
			}
			found, names, _ := match(table, table[i].method, where)
			if in := table[i].trees&tree != 0; in != (found == &table[i]) {
				t.Errorf("%s %s in %s leads to %+v", table[i].method, table[i].pattern, tree, found)
			} else if in && strings.Contains(table[i].pattern, "{account}") && names["account"] != (name{"Acme+Labs", "Acme Labs"}) {
				t.Errorf("%s takes %+v", table[i].pattern, names)
			}
			if table[i].trees&tree != 0 {
				_, _, methods := match(table, http.MethodDelete, where)
				if !slices.Contains(methods, table[i].method) || slices.Contains(methods, http.MethodGet) != slices.Contains(methods, http.MethodHead) {
					t.Errorf("%s allows %v", table[i].pattern, methods)
				}
			}
		}
	}
}
