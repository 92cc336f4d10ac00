package compatible

import (
	"context"
	"net/http"
)

// route is one call: its method, the trees in which it stands, and its path
// below them. An open one is answered without a token; one with form also
// reads a body that is a form, because a client in the field sends one.
type route struct {
	method  string
	trees   tree
	pattern string
	handle  func(context.Context, *call) (any, error)
	open    bool
	form    bool
}

// routes is the entire surface.
func (a *api) routes() []route {
	get, post := http.MethodGet, http.MethodPost
	return []route{
		// The token endpoint, by all its names.
		{method: post, trees: tokens, handle: a.issueToken, open: true, form: true},

		// Accounts.
		{method: get, trees: v2, pattern: "/accounts", handle: a.listAccounts},
		{method: get, trees: v1, pattern: "/accounts/search", handle: a.searchAccounts},
		{method: post, trees: v1, pattern: "/upstream_satellites/accounts", handle: a.listSatelliteAccounts},

		// Virtual accounts.
		{method: get, trees: v1, pattern: "/accounts/{account}/virtual-accounts", handle: a.listVirtualAccounts},
		{method: post, trees: v1, pattern: "/accounts/{account}/virtual-accounts", handle: a.createVirtualAccount, form: true},
		// The same by the type of the account, such as CUSTOMER, in the path.
		{method: get, trees: v1, pattern: "/accounts/{account}/{type}/virtual-accounts", handle: a.listVirtualAccounts},
		{method: post, trees: v1, pattern: "/accounts/{account}/{type}/virtual-accounts", handle: a.createVirtualAccount},
		{method: post, trees: v1, pattern: "/accounts/{account}/virtual-accounts/{virtual_account}/delete", handle: a.deleteVirtualAccount},

		// Licenses.
		{method: post, trees: v1, pattern: "/accounts/{account}/licenses", handle: a.listLicenses},
		{method: post, trees: v1, pattern: "/accounts/{account}/license-subscriptions", handle: a.listSubscriptions},
		{method: post, trees: v1, pattern: "/accounts/{account}/virtual-accounts/{virtual_account}/licenses/transfer", handle: a.transferLicenses},

		// Alerts.
		{method: post, trees: v1, pattern: "/accounts/{account}/alerts", handle: a.listAlerts},

		// Devices.
		{method: get, trees: v1, pattern: "/accounts/{account}/devices", handle: a.listDevices},
		{method: post, trees: v1, pattern: "/accounts/{account}/devices", handle: a.listDevices},
		{method: get, trees: v1, pattern: "/accounts/{account}/virtual-accounts/{virtual_account}/devices", handle: a.listVirtualAccountDevices},
		{method: post, trees: v1, pattern: "/accounts/{account}/virtual-accounts/{virtual_account}/devices/transfer", handle: a.transferDevices},
		{method: post, trees: v2 | v3, pattern: "/accounts/{account}/virtual-accounts/{virtual_account}/devices/remove", handle: a.removeDevices},
		// The same with virtualAccountName in the query.
		{method: post, trees: v2 | v3, pattern: "/accounts/{account}/devices/remove", handle: a.removeDevicesByName},

		// Reservations.
		{method: post, trees: v1 | v2, pattern: "/accounts/{account}/virtual-accounts/{virtual_account}/reserve-licenses", handle: a.reserveLicenses},

		// Tokens.
		{method: get, trees: v1, pattern: "/accounts/{account}/virtual-accounts/{virtual_account}/tokens", handle: a.listTokens},
		{method: post, trees: v1, pattern: "/accounts/{account}/virtual-accounts/{virtual_account}/tokens", handle: a.createToken},
		{method: post, trees: v1, pattern: "/accounts/{account}/virtual-accounts/{virtual_account}/tokens/revoke", handle: a.revokeTokens},
	}
}
