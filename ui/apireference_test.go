package ui

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"ssm/satellite"
)

func TestAStrangerIsLedFromTheAPIReferenceToTheSignIn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.visitor().get(apiDocsURL).leadsTo(t, "/sign-in?next=%2Fapi%2Fv2%2Fdocs")
	s.administrator().get(apiDocsURL).expect(t, http.StatusOK, `href="/api/v2/openapi.json"`, "JavaScript draws the reference")
}

func TestTheAPIReferenceTriesCallsInABrowser(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.user(admin.Name, "Mika Hayashi", satellite.RoleSystemAdmin)
	account := s.account("Tsukishiro Telecom", false)
	b := newBrowser(t, s)
	sent := make(chan network.Headers, 100)
	b.must(chromedp.Listen(b.ctx, func(event any) {
		if e, ok := event.(*network.EventRequestWillBeSent); ok && strings.HasSuffix(e.Request.URL, "/api/v2/tokens") {
			sent <- e.Request.Headers
		}
	}))
	b.do(chromedp.EmulateViewport(1440, 1000), chromedp.Navigate(b.base+"/sign-in"), chromedp.SendKeys("#field-email", admin.Name), chromedp.SendKeys("#field-password", password), chromedp.Submit("#field-password"), chromedp.WaitVisible(".main-nav"))

	const createToken = "#operations-Tokens-create-token"
	for _, theme := range []string{"light", "dark"} {
		b.do(setPreference("theme", theme))
		for _, screen := range screens {
			prefix := screen.name + "-en-" + theme + "-api-reference"
			b.do(chromedp.EmulateViewport(screen.width, screen.height), chromedp.Navigate(b.base+apiDocsURL), chromedp.WaitVisible(createToken))
			b.picture(prefix)
			b.do(chromedp.Click(createToken+" .opblock-summary-control"), chromedp.Click(createToken+" .try-out__btn"), chromedp.WaitVisible(createToken+" .execute"))
			b.do(setReactValue(createToken+" textarea.body-param__text", `{"account":"Tsukishiro Telecom","days":30}`),
				chromedp.Click(createToken+" .execute"), chromedp.WaitVisible(createToken+" .live-responses-table"))
			b.picture(prefix + "-tried")
			curl, err := chromedp.Run(b.ctx, chromedp.Text(createToken+" .curl-command"))
			b.must(err)
			if !strings.Contains(curl, "/api/v2/tokens") || strings.Contains(strings.ToLower(curl), "csrf") {
				t.Errorf("the command line is %s", curl)
			}
			if csrf, _ := (<-sent)["X-CSRF-Token"].(string); csrf == "" {
				t.Error("a write went without the token of the session")
			}
			b.do(chromedp.Click(".auth-wrapper .authorize"), chromedp.WaitVisible(".dialog-ux .modal-ux"))
			b.picture(prefix + "-authorize")
		}
	}
	tokens, err := s.service.Tokens(t.Context(), admin, satellite.TokenFilter{AccountID: account.ID}, satellite.Page{})
	b.must(err)
	if len(tokens) != 4 {
		t.Errorf("%d tokens were created by four calls", len(tokens))
	}

	// As a client, whose token is wrong here: the session must not answer for it.
	b.do(setReactValue(".modal-ux input", "a-token"), chromedp.Click(".modal-ux button.authorize"), chromedp.Click(".modal-ux .close-modal"),
		chromedp.Click(createToken+" .execute"), waitFor(`document.querySelector(".live-responses-table tbody .response-col_status")?.innerText.startsWith("401")`))
	b.check("with a token", "status of 401")
	if headers := <-sent; headers["Authorization"] != "Bearer a-token" || headers["X-CSRF-Token"] != nil {
		t.Errorf("the call of a client went with %v", headers)
	}
	text, err := chromedp.Run(b.ctx, chromedp.Text(createToken+" .curl-command"))
	b.must(err)
	if !strings.Contains(text, "Bearer a-token") {
		t.Errorf("the command line is %s", text)
	}
}

// waitFor waits until an expression is true on the page.
func waitFor(expression string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Run(ctx, chromedp.Poll[bool](expression))
		return err
	})
}

// setReactValue types a text into a field as React notices it.
func setReactValue(field, text string) chromedp.Action[chromedp.Void] {
	return chromedp.Evaluate[chromedp.Void](`((field, text) => {
		Object.getOwnPropertyDescriptor(Object.getPrototypeOf(field), "value").set.call(field, text);
		field.dispatchEvent(new Event("input", {bubbles: true}));
	})(document.querySelector(` + quoted(field) + `), ` + quoted(text) + `)`)
}

func quoted(text string) string { return "`" + text + "`" }
