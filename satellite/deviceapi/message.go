package deviceapi

import (
	"io"
	"mime"
	"net/http"

	"github.com/labstack/echo/v4"

	"ssm/satellite"
	"ssm/satellite/web"
	"ssm/satellite/wire"
)

// messages answers messages of devices. Refusals of the domain are answers, too:
// status 200, signed where the account is known. Only what is no message at all,
// or too large, is a problem document.
func messages(service *satellite.Service) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		body, err := io.ReadAll(r.Body) // bounded by BodyLimit and by the time-outs of the server
		if err != nil {
			return readError(err)
		}
		request, problem := wire.ReadRequest(body)
		answer, err := service.DeviceMessage(r.Context(), web.ClientAddress(r), request, problem)
		if err != nil {
			return err
		}
		c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
		return c.Blob(http.StatusOK, echo.MIMEApplicationJSON, answer)
	}
}

// readError tells a body over its bound from one that was cut short on its way.
func readError(err error) error {
	if satellite.KindOf(err) == satellite.KindTooLarge {
		return err
	}
	return &satellite.Error{
		Kind: satellite.KindInvalid, Code: "request-incomplete", Err: err,
		Message: "The message did not arrive whole, or not in time. Nothing was changed.", Hint: "Send it again.",
	}
}

// jsonOnly tolerates what simple clients send without thinking: no content type, or text.
func jsonOnly(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		value := c.Request().Header.Get(echo.HeaderContentType)
		kind, _, err := mime.ParseMediaType(value)
		if value == "" || err == nil && (kind == echo.MIMEApplicationJSON || kind == echo.MIMETextPlain) {
			return next(c)
		}
		return echo.NewHTTPError(http.StatusUnsupportedMediaType, "Licensing messages are posted here as application/json. Nothing was changed.")
	}
}

func onlyPost(c echo.Context) error {
	c.Response().Header().Set(echo.HeaderAllow, http.MethodPost)
	return echo.NewHTTPError(http.StatusMethodNotAllowed, "This is where devices post their licensing messages; there is nothing to read here. Give this address to a device, not to a browser.")
}
