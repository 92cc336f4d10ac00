package adminapi

import (
	"log/slog"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"
	"github.com/labstack/echo/v4"

	"ssm/satellite"
	"ssm/satellite/auth"
	"ssm/satellite/web"
)

// Prefix is where all routes begin.
const Prefix = "/api/v2"

// Options are what the API needs.
type Options struct {
	Service         *satellite.Service
	Sessions        *auth.Sessions // for the door over HTTPS
	Log             *slog.Logger   // of the local socket
	Version         string         // of the program
	TemporaryFolder string         // where files wait on their way in and out; "" is the system's
}

type api struct {
	service         *satellite.Service
	version         string
	temporaryFolder string
}

// LocalHandler answers on the local socket. The listener's server must use
// ConnContext: a request whose peer is not known is refused.
func LocalHandler(options Options) http.Handler {
	e := web.New(options.Log)
	mount(e, options, localDoor)
	return e
}

// Routes adds the API to the console's server, for access tokens, and for
// signed-in sessions, which it loads itself; their writes need the header X-CSRF-Token.
func Routes(e *echo.Echo, options Options) {
	mount(e, options, echo.WrapMiddleware(options.Sessions.Middleware), secureDoor(options.Service, options.Sessions))
}

func mount(e *echo.Echo, options Options, doors ...echo.MiddlewareFunc) {
	a := &api{service: options.Service, version: options.Version, temporaryFolder: options.TemporaryFolder}
	group := e.Group(Prefix, append(doors, decodePath, tagged)...)
	described := humaecho.NewWithGroup(e, group, configuration(options.Version))
	described.UseMiddleware(a.once)
	a.routes(described)
	serveDescription(group, described.OpenAPI())
}

// configuration switches off what would load from the internet (the page of
// documentation) or stand in each answer (links to schemas).
func configuration(version string) huma.Config {
	config := huma.DefaultConfig("Software licensing satellite", version)
	config.Info.Description = "What an administrator does on the satellite, for scripts. Times are RFC 3339 in UTC, null when never. " +
		"Errors are problem documents (RFC 9457) with a stable code and a hint. " +
		"Reads carry an ETag. A write that takes and gives no file and shows no secret may carry an Idempotency-Key, so that it can be sent again after a broken connection without being carried out twice; " +
		"with one, it is carried out to its end even if the connection breaks."
	config.Servers = []*huma.Server{{URL: Prefix}}
	config.DocsPath, config.SchemasPath, config.CreateHooks = "", "", nil
	config.OpenAPIPath = "" // served by serveDescription
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"session": {Type: "apiKey", In: "cookie", Name: "__Host-session", Description: "Over HTTPS: the session cookie of the console. Writes also need the header X-CSRF-Token. The local socket needs neither."},
		"token":   {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "Over HTTPS: an access token of POST /oauth/token, for which an API client shows its id and secret (grant client_credentials), with or without a user's e-mail address and password (grant password). It is accepted for an hour."},
	}
	config.Security = []map[string][]string{{"token": {}}, {"session": {}}, {}}
	return config
}

// serveDescription encodes the document once, before the first request.
func serveDescription(group *echo.Group, document *huma.OpenAPI) {
	asJSON, err := document.MarshalJSON()
	if err != nil {
		panic("the description of the API cannot be encoded: " + err.Error())
	}
	asYAML, err := document.YAML()
	if err != nil {
		panic("the description of the API cannot be encoded: " + err.Error())
	}
	reading := []string{http.MethodGet, http.MethodHead}
	group.Match(reading, "/openapi.json", func(c echo.Context) error { return c.Blob(http.StatusOK, "application/openapi+json", asJSON) })
	group.Match(reading, "/openapi.yaml", func(c echo.Context) error { return c.Blob(http.StatusOK, "application/openapi+yaml", asYAML) })
}
