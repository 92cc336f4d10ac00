package deviceapi

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"ssm/satellite"
)

// Bundle serves the certificates that a device needs to trust this server, in
// PEM. Fetched over the connection that they are to protect, they prove nothing:
// who uses them compares the fingerprint by another way.
func Bundle(read func() []byte) echo.HandlerFunc {
	return func(c echo.Context) error {
		var bundle []byte
		if read != nil {
			bundle = read()
		}
		if len(bundle) == 0 {
			return &satellite.Error{
				Kind: satellite.KindNotFound, Code: "trust-bundle-not-found", Message: "This server has no certificates of its own to hand out.",
				Hint: "Its TLS certificate comes from your own authority; use that authority's certificate.",
			}
		}
		c.Response().Header().Set(echo.HeaderCacheControl, "no-cache")
		return c.Blob(http.StatusOK, "application/x-pem-file", bundle)
	}
}
