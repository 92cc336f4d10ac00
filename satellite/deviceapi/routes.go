// Package deviceapi is what devices call: licensing messages in, signed answers
// out. Who may ask for what is decided by the messages themselves, so that no
// door stands before them but the bounds of a request.
package deviceapi

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"ssm/satellite"
	"ssm/satellite/web"
	"ssm/satellite/wire"
)

// The paths of the device port.
const (
	Path       = "/SmartTransport"
	BundlePath = "/ca.pem"
)

// Routes is the whole surface. bundle returns, in PEM, the certificates that a
// device needs to trust the TLS of this server; without it, or while it
// returns nothing, the bundle is not found.
func Routes(e *echo.Echo, service *satellite.Service, bundle func() []byte) {
	e.POST(Path, messages(service), web.BodyLimit(wire.MaxMessage), jsonOnly)
	e.Match([]string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPatch, http.MethodDelete}, Path, onlyPost)

	e.GET(BundlePath, Bundle(bundle))
	e.HEAD(BundlePath, Bundle(bundle))
}
