package ui

import (
	"strings"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/labstack/echo/v4"

	"ssm/satellite"
)

// secretResult lets the browser open what otherwise answers a form once.
func secretResult(e *echo.Echo, c *console) {
	client := satellite.APIClient{ClientID: "k7m3wq9d2xphvb4tc8rz", Name: "Nightly export to the CMDB"}
	e.GET("/api-clients/test/secret", c.handle(true, func(r *request) error {
		return r.secretPage(client, strings.Repeat("h4kd9wq2mzx7", 5)[:52], r.t("client.created", "Name", client.Name))
	}))
}

// furnishAPIClients makes clients of each sort; it returns the addresses of one
// that is used, one with two secrets, and a revoked one.
func furnishAPIClients(s *site) [3]string {
	s.t.Helper()
	ctx := s.t.Context()
	virtual, err := s.service.VirtualAccounts(ctx, admin, 1)
	s.must(err)
	var urls [3]string
	for i, n := range []struct {
		name  string
		grant satellite.Grant
	}{
		{"Nightly export to the CMDB", satellite.Grant{AccountID: 1, Role: satellite.RoleAccountViewer}},
		{"Compliance dashboard", satellite.Grant{Role: satellite.RoleSystemAdmin}},
		{"Old export", satellite.Grant{Role: satellite.RoleSystemOperator}},
		{"ラボ展開プレイブック", satellite.Grant{AccountID: 1, VirtualAccountID: virtual[1].ID, Role: satellite.RoleVirtualAccountAdmin}},
		{"provisioning-portal.tokyo-core.tsukishiro-telecom.example", satellite.Grant{AccountID: 2, Role: satellite.RoleAccountUser}},
	} {
		client, secret, err := s.service.CreateAPIClient(ctx, admin, n.name, n.grant)
		s.must(err)
		if i < len(urls) {
			_, err = s.service.ClientAccessToken(ctx, "192.0.2.41", client.ClientID, secret)
			s.must(err)
			urls[i] = apiClientURL(client.ClientID)
		}
	}
	_, _, err = s.service.RotateAPIClient(ctx, admin, "Compliance dashboard", 7*24*time.Hour)
	s.must(err)
	_, err = s.service.RevokeAPIClient(ctx, admin, "Old export")
	s.must(err)
	return urls
}

// apiClientForms takes pictures of what forms answer.
func apiClientForms(b *browser, prefix, client string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.base+"/api-clients"), chromedp.Evaluate[chromedp.Void](`document.querySelector("details.more").open = true`))
	b.picture(prefix + "api-clients-open")
	b.do(chromedp.Navigate(b.base+"/api-clients/new"), chromedp.SetValue("#field-name", "compliance DASHBOARD"), chromedp.Submit("#field-name"), chromedp.WaitVisible("p.error"))
	b.picture(prefix+"api-client-taken", "status of 409")
	b.do(chromedp.Navigate(b.base+"/api-clients/new"), chromedp.Evaluate[chromedp.Void](`document.documentElement.classList.remove("js")`))
	b.picture(prefix + "api-client-new-plain")
	b.do(chromedp.Navigate(b.base+client), chromedp.Evaluate[chromedp.Void](`(() => {
		const form = document.querySelector("form[action$='/rotate']");
		form.elements.current.value = "another";
		form.requestSubmit();
	})()`), chromedp.WaitVisible(".banner.bad"))
	b.picture(prefix+"api-client-meanwhile", "status of 409")
	b.do(chromedp.Navigate(b.base+client), chromedp.Evaluate[chromedp.Void](`(() => {
		document.querySelector("form.confirm input[name=confirm]").value = "export";
		document.querySelector("form.confirm").submit();
	})()`), chromedp.WaitVisible("p.error"))
	b.picture(prefix+"api-client-unconfirmed", "status of 400")
}

// rolesFollowTheirPlace chooses a place with JavaScript: the roles follow, what
// was typed stays, and a second click on the button makes no second client.
func rolesFollowTheirPlace(b *browser) {
	b.t.Helper()
	state := `document.querySelector("#field-name").value + "; " + [...document.querySelectorAll("[name=role]")].map((e) => e.value).join(" ") + "; " + (document.querySelector("#field-virtual_account")?.options.length ?? 0)`
	expect := func(want string) {
		b.t.Helper()
		got, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](state))
		b.must(err)
		if got != want {
			b.t.Errorf("the form holds %q, want %q", got, want)
		}
	}
	pick := func(field, value string) chromedp.Action[chromedp.Void] {
		return chromedp.Evaluate[chromedp.Void](`(() => {
			const select = document.querySelector("#field-` + field + `");
			select.focus();
			select.value = "` + value + `";
			select.dispatchEvent(new Event("change", {bubbles: true}));
		})()`)
	}
	b.do(chromedp.EmulateViewport(1440, 1000), chromedp.Navigate(b.base+"/api-clients/new"), chromedp.SetValue("#field-name", "Wall display"))
	expect("Wall display; system-admin system-operator system-user; 0")
	b.do(pick("account", "1"), chromedp.WaitVisible("[value=account-viewer]"))
	expect("Wall display; account-admin account-user account-viewer; 5")
	b.picture("wide-api-client-new-account")
	b.do(pick("virtual_account", "4"), chromedp.WaitVisible("[value=virtual-account-viewer]"))
	expect("Wall display; virtual-account-admin virtual-account-user virtual-account-viewer; 5")
	focus, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.activeElement.id`))
	b.must(err)
	if focus != "field-virtual_account" {
		b.t.Errorf("the focus went to %q", focus)
	}
	b.do(chromedp.Evaluate[chromedp.Void](`(() => {
		const stopped = [];
		window.addEventListener("submit", (event) => {
			stopped.push(event.defaultPrevented);
			sessionStorage.stopped = stopped.join(" ");
		});
		const form = document.querySelector("form.card");
		form.requestSubmit();
		form.requestSubmit();
	})()`), chromedp.WaitVisible("#secret"))
	stopped, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`sessionStorage.stopped`))
	b.must(err)
	if stopped != "false true" {
		b.t.Errorf("of two clicks these were stopped: %s", stopped)
	}
	b.picture("wide-api-client-created")
}
