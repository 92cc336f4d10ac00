package compatible

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"ssm/satellite"
	"ssm/satellite/auth"
	"ssm/satellite/web"
)

// Options are what the API needs.
type Options struct {
	Service *satellite.Service
	Log     *slog.Logger
	// Now is a clock of this machine that nobody sets: it measures rates and the
	// deadlines of connections.
	Now func() time.Time
	// SignIns slows down guessing at passwords; it is the one of the console.
	SignIns *auth.Limiter
}

type api struct {
	service *satellite.Service
	now     func() time.Time
	// authenticate tells who asks. KindUnauthenticated where no access token that holds is shown.
	authenticate func(*http.Request) (satellite.Actor, error)
	signIns      *auth.Limiter
	table        []route
	bounds       bounds
	rate         *rate
	pace         *rate
	guesses      guesses
	gate         gate
}

// Handler answers the paths that Owns tells.
func Handler(options Options) http.Handler { return newAPI(options, defaults).handler(options.Log) }

func newAPI(options Options, b bounds) *api {
	a := &api{
		service: options.Service, now: options.Now, signIns: options.SignIns, bounds: b,
		rate: newRate(options.Now, b.burst, b.refill), pace: newRate(options.Now, b.flood, b.pace), guesses: newGuesses(options.Now), gate: make(gate, b.running),
	}
	a.authenticate = func(r *http.Request) (satellite.Actor, error) { return web.Authenticate(r.Context(), a.service, r) }
	a.table = a.routes()
	return a
}

func (a *api) handler(log *slog.Logger) http.Handler {
	e := web.New(log)
	e.HTTPErrorHandler = a.refuse
	// Echo's router would redirect, and match after unescaping; the table of this
	// package is asked instead. What stays of echo is what web.New adds to it.
	e.Use(func(echo.HandlerFunc) echo.HandlerFunc { return a.serve })
	return e
}

// call is one request, as a handler sees it.
type call struct {
	actor satellite.Actor
	names map[string]name // of the path, by placeholder
	// in is what the client sent: the fields of the body, and where one is not
	// there, that of the query.
	in object
	// header is that of the request, answer that of the answer.
	header, answer http.Header
}

// serve finds the handler of a request, and who asks, before it reads a byte of
// the body; and reads the body before it takes a place among those that run: a
// client that sends slowly keeps nobody else waiting.
func (a *api) serve(c echo.Context) error {
	r := c.Request()
	c.Response().Header().Set(echo.HeaderCacheControl, "no-store")
	where, err := parsePath(r.URL.EscapedPath())
	if err != nil {
		return err
	}
	found, names, methods := match(a.table, r.Method, where)
	if found == nil {
		return notRouted(c, methods)
	}
	c.SetPath(where.tree.String() + found.pattern)
	request := &call{names: names, header: r.Header, answer: c.Response().Header(), actor: satellite.Actor{Source: web.ClientAddress(r)}}
	if !found.open {
		if request.actor, err = a.enter(c); err != nil {
			return err
		}
	}
	limit := a.bounds.body
	if found.open {
		limit = a.bounds.open
	}
	body, err := a.readBody(c, limit)
	if err != nil {
		return err
	}
	var answer any
	err = a.gate.run(r.Context(), a.bounds.wait, func() error {
		// Within the gate, because fields take many times the memory of the body.
		if request.in, err = input(r, body, found.form); err != nil {
			return err
		}
		answer, err = found.handle(r.Context(), request)
		return err
	})
	if err != nil {
		return err
	}
	if whole, ok := answer.(*list); ok {
		return a.stream(c, whole)
	}
	return a.answer(c, answer)
}

// enter tells who asks, and slows him down where he asks too often.
func (a *api) enter(c echo.Context) (satellite.Actor, error) {
	actor, err := a.who(c)
	if satellite.KindOf(err) == satellite.KindUnauthenticated && scheme(c.Request()) != "" && scheme(c.Request()) != "bearer" {
		// A client in the field waits for a server to come up by asking with a
		// password until it is forbidden; with 401 it would wait for ever.
		return actor, &satellite.Error{
			Kind: satellite.KindForbidden, Code: "bearer-token-needed",
			Message: "The request does not carry a bearer token, but something else. Nothing was changed.", Hint: "Get a token at /oauth/token and send it as `Authorization: Bearer TOKEN`.",
		}
	}
	if err != nil {
		return actor, err
	}
	if actor.Source == "" {
		actor.Source = web.ClientAddress(c.Request())
	}
	if wait, ok := a.rate.take(actor.Name); !ok {
		c.Response().Header().Set(echo.HeaderRetryAfter, seconds(wait))
		return actor, &satellite.Error{
			Kind: satellite.KindTooMany, Code: "requests-too-many",
			Message: "This client sends more requests than are answered. Nothing was changed.", Hint: "Wait as long as the header Retry-After says.",
		}
	}
	return actor, a.turn(c)
}

// turn waits for the pace of all clients together. KindUnavailable where that would take too long.
func (a *api) turn(c echo.Context) error {
	wait, ok := a.pace.reserve("", a.bounds.wait)
	if !ok {
		return errBusy()
	}
	if wait == 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-c.Request().Context().Done():
		return c.Request().Context().Err()
	}
}

// who tells who asks, in one of the places among the requests that run: to
// verify a token is half of the work of a small request.
func (a *api) who(c echo.Context) (actor satellite.Actor, err error) {
	err = a.gate.run(c.Request().Context(), a.bounds.wait, func() error {
		actor, err = a.authenticate(c.Request())
		return err
	})
	return actor, err
}

// input is what the client sent, as fields.
func input(r *http.Request, body []byte, form bool) (object, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return object{}, invalid("The query of the request cannot be read.")
	}
	fields := map[string]any{}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		if fields, err = parse(r.Header, body, form); err != nil {
			return object{}, err
		}
	}
	fill(fields, query)
	return newObject(fields), nil
}

// fill adds values to the fields that have none; of one that is there twice, the first.
func fill(fields map[string]any, values url.Values) {
	for name := range values {
		if fields[name] == nil {
			fields[name] = values.Get(name)
		}
	}
}

// scheme is how the request says who asks, in lower case: "bearer"; "" where it does not say.
func scheme(r *http.Request) string {
	given, _, _ := strings.Cut(strings.TrimSpace(r.Header.Get(echo.HeaderAuthorization)), " ")
	return strings.ToLower(given)
}

// notRouted is the answer for a path that no route has, or not with this method.
func notRouted(c echo.Context, methods []string) error {
	if len(methods) == 0 {
		return &satellite.Error{
			Kind: satellite.KindNotFound, Code: "path-not-found",
			Message: "There is nothing at this address.", Hint: "Check the path and its version.",
		}
	}
	slices.Sort(methods)
	c.Response().Header().Set(echo.HeaderAllow, strings.Join(slices.Compact(methods), ", "))
	return web.Problem{Status: http.StatusMethodNotAllowed, Code: "method-not-allowed", Detail: "This address does not take this method. Nothing was changed."}
}

// account finds the account that the path names.
func (a *api) account(ctx context.Context, c *call) (satellite.Account, error) {
	return named(c.names["account"], func(name string) (satellite.Account, error) {
		return a.service.FindAccountByNameOrDomain(ctx, c.actor, name)
	})
}

// virtualAccount finds the account and the virtual account that the path names.
func (a *api) virtualAccount(ctx context.Context, c *call) (account satellite.Account, virtual satellite.VirtualAccount, err error) {
	if account, err = a.account(ctx, c); err != nil {
		return account, virtual, err
	}
	virtual, err = named(c.names["virtual_account"], func(name string) (satellite.VirtualAccount, error) {
		return a.service.FindVirtualAccount(ctx, c.actor, account.ID, name)
	})
	return account, virtual, err
}
