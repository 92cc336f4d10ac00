package compatible_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"ssm/satellite"
)

type tokenInfo struct {
	Token, Description, ExpirationDate, ExportControlled, CreatedBy, CreationDate string
	NumberofUses                                                                  int64
	UsesRemaining                                                                 *int64
}

// created makes a token through the API.
func (w *world) created(token, path, body string) tokenInfo {
	w.t.Helper()
	got := w.v1(token, http.MethodPost, path+"/tokens", body)
	var answer struct {
		Status    string
		TokenInfo tokenInfo
	}
	if err := json.Unmarshal([]byte(got.body), &answer); err != nil || got.status != http.StatusOK || answer.Status != "SUCCESS" || answer.TokenInfo.Token == "" {
		w.t.Fatalf("%s: %d %s", body, got.status, got.body)
	}
	return answer.TokenInfo
}

// listed are the tokens that the API lists.
func (w *world) listed(token, path string) (list []tokenInfo) {
	w.t.Helper()
	got := w.v1(token, http.MethodGet, path+"/tokens", "")
	answer := struct{ Tokens *[]tokenInfo }{&list}
	if err := json.Unmarshal([]byte(got.body), &answer); err != nil || got.status != http.StatusOK || list == nil {
		w.t.Fatalf("%d %s", got.status, got.body)
	}
	return list
}

func TestATokenIsMadeListedUsedAndRevoked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if list := w.listed("account-user", labPath); len(list) != 0 {
		t.Errorf("there are tokens: %+v", list)
	}
	twice := w.created("account-user", labPath, `{"description":"配備","expiresAfterDays":30,"exportControlled":"Allowed","numberofUses":2,"limit":50,"offset":0}`)
	if twice.Description != "配備" || twice.ExpirationDate != "2026-04-13T09:26:53Z" || twice.ExportControlled != "Allowed" || twice.NumberofUses != 2 || *twice.UsesRemaining != 2 ||
		twice.CreatedBy != "account-user" || twice.CreationDate != "2026-03-14T09:26:53Z" {
		t.Errorf("the token is %+v", twice)
	}
	if strings.ContainsAny(twice.Token, " %\"'\\$") || len(twice.Token) > 255 {
		t.Errorf("a device cannot be told %q", twice.Token)
	}
	unlimited := w.created("virtual-account-user", labPath, `{"description":null,"expiresAfterDays":1}`)
	elsewhere := w.created("account-user", defaultPath, ``)
	if elsewhere.ExpirationDate != "2027-03-14T09:26:53Z" || elsewhere.UsesRemaining != nil || elsewhere.ExportControlled != "Not Allowed" {
		t.Errorf("without a word the token is %+v", elsewhere)
	}
	list := w.listed("virtual-account-user", labPath)
	if len(list) != 2 || list[0] != unlimited || list[1].Token != twice.Token || *list[1].UsesRemaining != 2 {
		t.Errorf("the tokens are %+v", list)
	}
	// What is listed is what a device registers with.
	found := must(w.service.FindToken(t.Context(), w.actors[administrator], list[0].Token))(t)
	if found.CreatedBy != "virtual-account-user" || found.StatusAt(now) != satellite.TokenActive {
		t.Errorf("the first token is %+v", found)
	}
	body := `{"tokens":[` + quoted(unlimited.Token) + `,{"token":` + quoted(twice.Token) + `}]}`
	want := fmt.Sprintf(`{"status":"SUCCESS","statusMessage":"","tokensRevokeStatus":[{"token":%s,"status":"SUCCESS","statusMessage":""},{"token":%s,"status":"SUCCESS","statusMessage":""}]}`,
		quoted(unlimited.Token), quoted(twice.Token))
	w.done(w.v1("account-user", http.MethodPost, labPath+"/tokens/revoke", body), want)
	w.writesNothing("the same again", func() { w.done(w.v1("account-user", http.MethodPost, labPath+"/tokens/revoke", body), want) })
	if list := w.listed("account-user", labPath); len(list) != 0 {
		t.Errorf("revoked tokens are listed: %+v", list)
	}
	if list := w.listed("account-user", defaultPath); len(list) != 1 {
		t.Errorf("the other tokens are %+v", list)
	}
}

func TestATokenTakesWhatScriptsWriteForItsFields(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for body, want := range map[string]string{
		`{"expiresAfterDays":"365"}`:                             "2027-03-14T09:26:53Z Not Allowed 0",
		`{"expiresAfterDays":30.0,"exportControlled":true}`:      "2026-04-13T09:26:53Z Allowed 0",
		`{"expiresAfterDays":"30.0","numberofUses":""}`:          "2026-04-13T09:26:53Z Not Allowed 0",
		`{"expiresAfterDays":"","exportControlled":" ALLOWED "}`: "2027-03-14T09:26:53Z Allowed 0",
		`{"exportControlled":"not allowed","numberofUses":"7"}`:  "2027-03-14T09:26:53Z Not Allowed 7",
		`{"exportControlled":"true","numberofUses":0}`:           "2027-03-14T09:26:53Z Allowed 0",
		`{"exportControlled":"","numberofUses":null}`:            "2027-03-14T09:26:53Z Not Allowed 0",
		`{"exportControlled":false}`:                             "2027-03-14T09:26:53Z Not Allowed 0",
	} {
		got := w.created(administrator, labPath, body)
		if fmt.Sprint(got.ExpirationDate, " ", got.ExportControlled, " ", got.NumberofUses) != want {
			t.Errorf("%s makes %+v, want %s", body, got, want)
		}
	}
	w.writesNothing("what is refused", func() {
		for body, words := range map[string]string{
			`{"expiresAfterDays":366}`:              "expiresAfterDays: A token lives 1 to 365 days, not 366.",
			`{"expiresAfterDays":-1}`:               "expiresAfterDays: A token",
			`{"expiresAfterDays":1.5}`:              "expiresAfterDays must be a whole number.",
			`{"expiresAfterDays":[1]}`:              "expiresAfterDays must be a whole number.",
			`{"numberofUses":-1}`:                   "numberofUses: A token allows",
			`{"numberofUses":1000000001}`:           "numberofUses: A token allows",
			`{"exportControlled":"perhaps"}`:        `exportControlled must be "Allowed" or "Not Allowed".`,
			`{"exportControlled":1}`:                "exportControlled must be true or false.",
			`{"description":{"a":"b"}}`:             "description must be a text.",
			`{"description":"a","description":"b"}`: "description is there twice",
		} {
			w.refused(w.v1(administrator, http.MethodPost, labPath+"/tokens", body), 400, words)
		}
	})
}

func TestTokensOfAnotherPlaceAreNotRevoked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own, other := w.created(administrator, labPath, ``), w.created(administrator, defaultPath, ``)
	revoke := func(body string) reply { return w.v1(administrator, http.MethodPost, labPath+"/tokens/revoke", body) }
	w.writesNothing("what is refused", func() {
		got := revoke(`{"tokens":[` + quoted(own.Token) + `,` + quoted(other.Token) + `]}`)
		w.refusedEach(got, 404, `Token 2: Virtual account "Lab 1" has no such token.`, "tokensRevokeStatus", 2, 2)
		w.refusedEach(revoke(`{"tokens":["`+own.Token+`x"]}`), 404, `Virtual account "Lab 1" has no such token.`, "tokensRevokeStatus", 1, 1)
		w.refusedEach(revoke(``), 400, "tokens is missing", "tokensRevokeStatus", 0, 0)
		w.refusedEach(revoke(`{"tokens":[]}`), 400, "tokens is missing", "tokensRevokeStatus", 0, 0)
		w.refusedEach(revoke(`{"tokens":"x"}`), 400, "tokens must be a list", "tokensRevokeStatus", 0, 0)
		w.refusedEach(revoke(`{"tokens":["x",{}]}`), 400, "tokens[1].token is missing", "tokensRevokeStatus", 2, 0)
		w.refusedEach(revoke(`{"tokens":["x",""]}`), 400, "tokens[1] is empty", "tokensRevokeStatus", 2, 0)
		w.refusedEach(revoke(`{"tokens":[["x"]]}`), 400, "tokens[0] must be a text", "tokensRevokeStatus", 1, 0)
		w.refusedEach(revoke(`{"tokens":["x"`+strings.Repeat(`,"x"`, 1000)+`]}`), 400, "tokens: From 1 to 1000 tokens", "tokensRevokeStatus", 1001, 0)
	})
}

func TestNoTokenIsMadeBeforeTheAgreementInForceIsAccepted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.withoutAgreement("Acme Works")
	const path = "/accounts/Acme%20Works/virtual-accounts/Default"
	w.writesNothing("what is refused", func() {
		w.refused(w.v1(administrator, http.MethodPost, path+"/tokens", `{}`), 409, "accept")
	})
	if err := w.service.AcceptAgreement(t.Context(), w.actors[administrator], account.ID, "1"); err != nil {
		t.Fatal(err)
	}
	w.created(administrator, path, `{}`)
}

func TestTheTextsOfTokensAreForWhoMayMakeThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own := w.created(administrator, labPath, ``)
	revoke := `{"tokens":[` + quoted(own.Token) + `]}`
	for actor, status := range map[string]int{
		"account-viewer": 403, "virtual-account-viewer": 403, "stranger": 404, "system-user": 404, "": 401, "of-yesterday": 401,
	} {
		w.writesNothing(actor, func() {
			for _, got := range []reply{
				w.v1(actor, http.MethodGet, labPath+"/tokens", ""), w.v1(actor, http.MethodPost, labPath+"/tokens", "{}"), w.v1(actor, http.MethodPost, labPath+"/tokens/revoke", revoke),
			} {
				w.refused(got, status, "")
				if strings.Contains(got.body, own.Token) && !strings.Contains(got.body, "tokensRevokeStatus") {
					t.Errorf("%s is told a token: %s", actor, got.body)
				}
			}
		})
	}
	// A role in one virtual account is none in another, and none in another account.
	w.refused(w.v1("virtual-account-user", http.MethodGet, defaultPath+"/tokens", ""), 404, "There is no virtual account")
	w.refused(w.v1("account-admin", http.MethodGet, "/accounts/Acme%20Labs/virtual-accounts/Default/tokens", ""), 404, "There is no account")
}

// tokenFields are those of a token, below a path.
func tokenFields(path string) []field {
	return []field{
		{path + ".token", "string", "never"}, {path + ".description", "string", "where nobody wrote one"}, {path + ".expirationDate", "string", "never"},
		{path + ".exportControlled", "string", "never"}, {path + ".numberofUses", "number", "never"}, {path + ".usesRemaining", "number|null", "for a token of unlimited use"},
		{path + ".createdBy", "string", "never"}, {path + ".creationDate", "string", "never"},
	}
}

var _ = calls(map[string]golden{
	"GET v1 /accounts/{account}/virtual-accounts/{virtual_account}/tokens": {
		file: "tokens", volatile: []string{"tokens[].token"},
		fields: answered(append([]field{{"tokens", "list", "where no token works"}}, tokenFields("tokens[]")...)...),
		answers: map[string]func(*world) reply{
			"full": func(w *world) reply {
				w.created(administrator, labPath, `{"description":"Roll-out","expiresAfterDays":30,"exportControlled":"Allowed","numberofUses":"5"}`)
				w.created(administrator, labPath, `{}`)
				return w.v1(administrator, http.MethodGet, labPath+"/tokens", "")
			},
			"empty": ask(administrator, http.MethodGet, "/v1"+labPath+"/tokens", ""),
		},
	},
	"POST v1 /accounts/{account}/virtual-accounts/{virtual_account}/tokens": {
		file: "token-created", volatile: []string{"tokenInfo.token"},
		fields: answered(append([]field{{"tokenInfo", "object", "never"}}, tokenFields("tokenInfo")...)...),
		answers: map[string]func(*world) reply{
			"full":  ask(administrator, http.MethodPost, "/v1"+labPath+"/tokens", `{"description":"Roll-out","expiresAfterDays":30,"exportControlled":"Allowed","numberofUses":5}`),
			"empty": ask(administrator, http.MethodPost, "/v1"+labPath+"/tokens", ""),
		},
	},
	"POST v1 /accounts/{account}/virtual-accounts/{virtual_account}/tokens/revoke": {
		file: "tokens-revoked", volatile: []string{"tokensRevokeStatus[].token"},
		fields: answered(
			field{"tokensRevokeStatus", "list", "never"}, field{"tokensRevokeStatus[].token", "string", "never"},
			field{"tokensRevokeStatus[].status", "string", "never"}, field{"tokensRevokeStatus[].statusMessage", "string", "always"},
		),
		answers: map[string]func(*world) reply{
			"full": wherever(administrator, "/v1"+labPath+"/tokens/revoke", func(w *world) string {
				return `{"tokens":[` + quoted(w.created(administrator, labPath, `{}`).Token) + `,` + quoted(w.created(administrator, labPath, `{}`).Token) + `]}`
			}),
			"empty": wherever(administrator, "/v1"+labPath+"/tokens/revoke", func(w *world) string {
				return `{"tokens":[{"token":` + quoted(w.created(administrator, labPath, `{}`).Token) + `}]}`
			}),
		},
	},
})
