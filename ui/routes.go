package ui

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"ssm/ui/kit"
)

// Routes adds the whole console to e. /ca.pem is not among them: it belongs to
// the devices.
func Routes(e *echo.Echo, options Options) {
	c := newConsole(options)

	// Strangers.
	public := routes{e, c, false}
	public.get("/setup", showSetup)
	public.post("/setup", doSetup)
	public.get("/sign-in", showSignIn)
	public.post("/sign-in", doSignIn)
	public.post("/sign-out", doSignOut)
	public.post("/preferences/theme", saveTheme)
	public.post("/preferences/language", saveLanguage)

	// Licensing.
	signedIn := routes{e, c, true}
	signedIn.get("/", showOverview)
	signedIn.get("/devices", listDevices)
	signedIn.get("/devices/waiting", waitForDevices)
	signedIn.get("/devices/add", showAddDevices)
	signedIn.get("/devices/:piid", showDevice)
	signedIn.post("/devices/:piid/remove", removeDevice)
	signedIn.get("/licenses", listLicenses)
	signedIn.get("/licenses/:pool", explainLicense)
	signedIn.get("/tokens", listTokens)
	signedIn.post("/tokens", createToken)
	signedIn.get("/tokens/new", showNewToken)
	signedIn.get("/tokens/:id", showToken)
	signedIn.get("/tokens/:id/download", downloadToken)
	signedIn.post("/tokens/:id/revoke", revokeToken)
	signedIn.get("/agreement", showAgreement)
	signedIn.get("/usage", listUsage)
	signedIn.upload("/usage", maxUsageUpload, importUsage)
	signedIn.get("/alerts", listAlerts)
	signedIn.get("/events", listEvents)
	signedIn.get("/clock", showClock)
	signedIn.post("/clock/confirm", confirmClock)

	// Administration.
	signedIn.get("/accounts", listAccounts)
	signedIn.post("/accounts", createAccount)
	signedIn.get("/accounts/new", showNewAccount)
	signedIn.get("/accounts/:id", showAccount)
	signedIn.post("/accounts/:id/virtual-accounts", createVirtualAccount)
	signedIn.get("/accounts/:id/virtual-accounts/:virtual/delete", showDeleteVirtualAccount)
	signedIn.post("/accounts/:id/virtual-accounts/:virtual/delete", deleteVirtualAccount)
	signedIn.get("/api-clients", listAPIClients)
	signedIn.post("/api-clients", createAPIClient)
	signedIn.get("/api-clients/new", showNewAPIClient)
	signedIn.get("/api-clients/:id", showAPIClient)
	signedIn.post("/api-clients/:id/rotate", rotateAPIClient)
	signedIn.post("/api-clients/:id/revoke", revokeAPIClient)
	signedIn.get("/synchronization", listSync)
	signedIn.upload("/synchronization/roots", maxRootUpload, checkRoots)
	signedIn.post("/synchronization/roots/trust", trustRoots)
	signedIn.get("/synchronization/:id", showSyncWizard)
	signedIn.get("/synchronization/:id/request", downloadRequest)
	signedIn.post("/synchronization/:id/request", makeRequest)
	signedIn.upload("/synchronization/:id/response", maxResponseUpload, applyResponse)

	// Beside the API itself, which adminapi answers.
	signedIn.get(apiDocsURL, showAPIReference)

	e.GET("/static/*", echo.WrapHandler(kit.Handler()))
	e.HEAD("/static/*", echo.WrapHandler(kit.Handler()))
	e.RouteNotFound("/*", c.notFound)
}

// routes adds pages of one kind of visitor.
type routes struct {
	e        *echo.Echo
	c        *console
	signedIn bool
}

func (r routes) get(path string, h handler) {
	r.e.GET(path, r.c.handle(r.signedIn, h))
	r.e.HEAD(path, r.c.handle(r.signedIn, h))
}

func (r routes) post(path string, h handler) {
	r.e.POST(path, r.c.handle(r.signedIn, withForm(h)))
	r.back(path)
}

func (r routes) upload(path string, limit int64, h uploadHandler) {
	r.e.POST(path, r.c.handle(r.signedIn, withUpload(limit, h)))
	r.back(path)
}

// back leads whoever opens the address of a form, such as by the address bar
// after a refusal, to the page that the form is on.
func (r routes) back(path string) {
	for _, route := range r.e.Routes() {
		if route.Method == http.MethodGet && route.Path == path {
			return
		}
	}
	r.e.GET(path, r.c.handle(r.signedIn, func(r *request) error { return r.redirect(parentOf(r.Request().URL.EscapedPath())) }))
}
