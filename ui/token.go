package ui

import (
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"ssm/satellite"
	"ssm/ui/kit"
)

func tokenURL(id satellite.TokenID) string { return "/tokens/" + strconv.FormatInt(int64(id), 10) }

// tokenName is what a token is called, and typed to revoke it.
func tokenName(id satellite.TokenID) string { return fmt.Sprintf("token-%d", id) }

type tokenRow struct {
	URL, Name, Note, VirtualAccount, Uses, Expires, Left string
	State                                                kit.Badge
	Export                                               bool
}

type tokensPage struct {
	Menus     []kit.Menu
	Rows      []tokenRow
	Pager     kit.Pager
	Actions   []kit.Button
	mayCreate bool
}

func listTokens(r *request) error {
	if r.account.ID == 0 {
		return r.noAccount(r.t("nav.tokens"))
	}
	list, chosen, err := r.virtualAccounts()
	if err != nil {
		return err
	}
	filter, at, query, now := satellite.TokenFilter{AccountID: r.account.ID}, r.cursor(), r.query("va"), r.Service.Now()
	page := tokensPage{Menus: r.virtualAccountMenu("/tokens", list, chosen, query), mayCreate: r.may(satellite.ActionManageTokens)}
	address := "/tokens/new"
	if chosen != nil {
		filter.VirtualAccountID = chosen.ID
		address += "?" + url.Values{"va": {chosen.Name}}.Encode()
	}
	if page.mayCreate {
		page.Actions = []kit.Button{{Word: r.t("tokens.new"), Icon: "plus", Kind: "primary", URL: address}}
	}
	tokens, err := r.Service.Tokens(r.context(), r.actor, filter, at.page())
	if err != nil {
		return err
	}
	var last int64
	for i, token := range tokens {
		if i == pageSize {
			break
		}
		last = int64(token.ID)
		row := tokenRow{
			Name: token.Description, Note: r.t("tokens.by", "Name", tokenName(token.ID), "Who", token.CreatedBy, "Date", r.words.tableDate(token.CreatedAt)),
			VirtualAccount: nameOf(list, token.VirtualAccountID), Uses: r.uses(token), State: r.tokenBadge(token),
			Expires: r.words.tableDate(token.ExpiresAt), Export: token.ExportControlled,
		}
		if row.Name == "" {
			row.Name = tokenName(token.ID)
		}
		if token.StatusAt(now) == satellite.TokenActive {
			row.Left = r.words.left(daysLeft(token.ExpiresAt, now))
		}
		if page.mayCreate {
			row.URL = tokenURL(token.ID)
		}
		page.Rows = append(page.Rows, row)
	}
	page.Pager = r.pager(at, "/tokens", query, len(tokens), last, -1)
	return r.show("tokens", r.t("nav.tokens"), page)
}

func (r *request) tokenBadge(token satellite.Token) kit.Badge {
	status := token.StatusAt(r.Service.Now())
	kinds := map[satellite.TokenStatus]string{
		satellite.TokenActive: "ok", satellite.TokenExpired: "idle", satellite.TokenExhausted: "idle", satellite.TokenRevoked: "idle",
	}
	return kit.Badge{Kind: kinds[status], Word: r.t("token." + string(status))}
}

func (r *request) uses(token satellite.Token) string {
	if token.MaxUses == 0 {
		return r.t("token.uses.unlimited", "Uses", token.Uses)
	}
	return r.t("token.uses.of", "Uses", token.Uses, "Maximum", token.MaxUses)
}

func (r *request) tokenFacts(token satellite.Token, virtual string) kit.Facts {
	export := r.t("token.export.no")
	if token.ExportControlled {
		export = r.t("token.export.yes")
	}
	facts := kit.Facts{
		{Term: r.t("token.description"), Value: token.Description}, {Term: r.t("token.virtual"), Value: virtual},
		{Term: r.t("token.expires"), Value: r.words.date(token.ExpiresAt)}, {Term: r.t("token.uses"), Value: r.uses(token)},
		{Term: r.t("token.export"), Value: export}, {Term: r.t("token.creator"), Value: token.CreatedBy},
		{Term: r.t("token.created"), Value: r.words.dateTime(token.CreatedAt)},
	}
	if token.Description == "" {
		return facts[1:]
	}
	return facts
}

type newTokenPage struct {
	form
	Account string
	Virtual []kit.Option
	Days    string
	MaxUses string
	Export  bool
	// Agreement is the version that the button accepts, "" where none has to be.
	Agreement string
	Path      []kit.NavItem
}

func showNewToken(r *request) error {
	if r.account.ID == 0 {
		return r.noAccount(r.t("tokens.new"))
	}
	return r.newToken(nil)
}

func (r *request) newToken(problem error) error {
	if !r.may(satellite.ActionManageTokens) {
		return r.forbidden(satellite.ActionManageTokens)
	}
	list, chosen, err := r.virtualAccounts()
	if err != nil {
		return err
	}
	page := newTokenPage{form: r.filled(problem), Account: r.account.Name, Days: strconv.Itoa(int(r.Service.Options().TokenLife / day)), MaxUses: "0", Path: []kit.NavItem{{Label: r.t("nav.tokens"), URL: "/tokens"}}}
	selected := page.Values["virtual_account"]
	if chosen != nil {
		selected = chosen.Name
	}
	for _, virtual := range list {
		page.Virtual = append(page.Virtual, kit.Option{Value: virtual.Name, Label: virtual.Name, Selected: virtual.Name == selected})
	}
	agreement, err := r.Service.Agreement(r.context(), r.actor, r.account.ID)
	if err != nil {
		return err
	}
	if !agreement.Accepted {
		page.Agreement = agreement.Current.Version
	}
	status := http.StatusOK
	if problem != nil {
		status, _ = refusal(problem)
		page.Days, page.MaxUses, page.Export = page.Values["days"], page.Values["max_uses"], page.Values["export"] != ""
	}
	return r.showAs(status, "token-new", r.t("tokens.new"), page)
}

// forbidden is the refusal of a page that is only a form, in Service's way.
func (r *request) forbidden(action satellite.Action) error {
	return &satellite.Error{
		Kind: satellite.KindForbidden, Code: "role-insufficient", Hint: "Ask an Account Administrator or a System Admin.",
		Message: fmt.Sprintf("Your roles do not allow this (%s). Nothing was changed.", action),
	}
}

func createToken(r *request) error {
	if r.account.ID == 0 {
		return r.noAccount(r.t("tokens.new"))
	}
	life := int64(r.Service.Options().TokenLife / day)
	days, err := formNumber(r.FormValue("days"), life)
	if err != nil {
		return r.newToken(err)
	}
	uses, err := formNumber(r.FormValue("max_uses"), 0)
	if err != nil {
		return r.newToken(err)
	}
	if days == 0 {
		days = -1 // Service takes 0 for the default, a person means none
	}
	token, _, err := r.Service.CreateToken(r.context(), r.actor, satellite.NewToken{
		AccountID: r.account.ID, VirtualAccount: r.FormValue("virtual_account"), Description: r.FormValue("description"),
		Days: int(max(min(days, 1_000_000), -1)), MaxUses: uses, ExportControlled: r.FormValue("export") != "",
		AcceptAgreement: r.FormValue("agreement"),
	})
	if _, ok := refusal(err); ok {
		return r.newToken(err)
	}
	if err != nil {
		return err
	}
	return r.done(tokenURL(token.ID), r.t("token.done"))
}

type tokenPage struct {
	Name, Text, Length, Download string
	Path                         []kit.NavItem
	State                        *kit.Badge
	Active                       bool
	Facts                        kit.Facts
	AddURL                       string
	Revoke                       *kit.Confirm
}

func (r *request) tokenID() (satellite.TokenID, error) {
	id, err := strconv.ParseInt(r.Param("id"), 10, 64)
	if err != nil || id < 1 {
		return 0, satellite.NotFound("token", r.Param("id"))
	}
	return satellite.TokenID(id), nil
}

func showToken(r *request) error { return r.token(nil) }

func (r *request) token(problem error) error {
	id, err := r.tokenID()
	if err != nil {
		return err
	}
	token, text, err := r.Service.TokenText(r.context(), r.actor, id)
	if err != nil {
		return err
	}
	list, err := r.Service.VirtualAccounts(r.context(), r.actor, token.AccountID)
	if err != nil {
		return err
	}
	name, virtual, badge := tokenName(id), nameOf(list, token.VirtualAccountID), r.tokenBadge(token)
	page := tokenPage{
		Name: name, Text: text, Length: r.t("token.length", "Count", len(text)), Download: tokenURL(id) + "/download",
		Path:  []kit.NavItem{{Label: r.t("nav.tokens"), URL: "/tokens"}, {Label: virtual}},
		State: &badge, Active: token.StatusAt(r.Service.Now()) == satellite.TokenActive, Facts: r.tokenFacts(token, virtual),
		AddURL: "/devices/add?" + url.Values{"va": {virtual}}.Encode(),
	}
	if token.Description != "" {
		page.Name = token.Description
	}
	if token.RevokedAt.IsZero() {
		page.Revoke = &kit.Confirm{
			URL: tokenURL(id) + "/revoke", Name: name, Message: r.t("token.revoke.effect"), Verb: r.t("token.revoke.verb", "Name", name),
		}
	}
	status := http.StatusOK
	if problem != nil && page.Revoke != nil {
		status, _ = refusal(problem)
		page.Revoke.Error = r.filled(problem).At("confirm")
	}
	return r.showAs(status, "token", page.Name, page)
}

func downloadToken(r *request) error {
	id, err := r.tokenID()
	if err != nil {
		return err
	}
	_, text, err := r.Service.TokenText(r.context(), r.actor, id)
	if err != nil {
		return err
	}
	r.Response().Header().Set(echo.HeaderContentDisposition, attachment(tokenName(id)+".txt"))
	return r.Blob(http.StatusOK, echo.MIMETextPlainCharsetUTF8, []byte(text+"\n"))
}

func attachment(name string) string {
	return mime.FormatMediaType("attachment", map[string]string{"filename": name})
}

func revokeToken(r *request) error {
	id, err := r.tokenID()
	if err != nil {
		return err
	}
	if r.may(satellite.ActionManageTokens) && strings.TrimSpace(r.FormValue("confirm")) != tokenName(id) {
		return r.token(errNotConfirmed())
	}
	if err := r.Service.RevokeToken(r.context(), r.actor, id); err != nil {
		return err
	}
	return r.done("/tokens", r.t("token.revoked.done", "Name", tokenName(id)))
}
