package adminapi

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"ssm/satellite"
	"ssm/satellite/auth"
	"ssm/satellite/web"
)

type actorKey struct{}

type peerKey struct{}

// ConnContext notes the user at the other end of a connection to the local
// socket, as the system knows him. It belongs into http.Server.ConnContext.
func ConnContext(ctx context.Context, conn net.Conn) context.Context {
	uid, err := peer(conn)
	if err != nil {
		// Without a peer the door stays shut.
		return ctx
	}
	return context.WithValue(ctx, peerKey{}, uid)
}

// localDoor lets the user at the other end of the socket act as System Admin:
// the file mode of the socket has decided who may open it.
func localDoor(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		uid, known := c.Request().Context().Value(peerKey{}).(uint32)
		if !known {
			return web.WriteProblem(c, &satellite.Error{
				Kind: satellite.KindUnauthenticated, Code: "peer-unknown",
				Message: "The system does not tell which user is at the other end of the socket. Nothing was changed.",
				Hint:    "Use the satellite's own socket, on its own machine.",
			})
		}
		// Who may open the socket may take his time: a full sync of a million
		// devices goes beyond the times that strangers get.
		connection := http.NewResponseController(c.Response())
		if err := errors.Join(connection.SetReadDeadline(time.Time{}), connection.SetWriteDeadline(time.Time{})); err != nil {
			return err
		}
		return enter(c, next, satellite.Actor{Name: fmt.Sprintf("local:%d", uid), Role: satellite.RoleSystemAdmin, Source: "local"})
	}
}

// secureDoor lets programs with an access token in, and signed-in users of the
// console. A program needs no token against other sites: no browser sends an
// Authorization header by itself.
func secureDoor(service *satellite.Service, sessions *auth.Sessions) echo.MiddlewareFunc {
	session := sessionDoor(service, sessions)
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		signedIn := session(next)
		return func(c echo.Context) error {
			if _, shown := web.AccessToken(c.Request()); !shown {
				return signedIn(c)
			}
			actor, err := web.Authenticate(c.Request().Context(), service, c.Request())
			if satellite.KindOf(err) == satellite.KindUnauthenticated {
				web.Challenge(c.Response().Header(), c.Request())
			}
			if err != nil {
				return web.WriteProblem(c, err)
			}
			return enter(c, next, actor)
		}
	}
}

// sessionDoor lets signed-in users of the console in. A write must carry the
// token of the session, which another site cannot read.
func sessionDoor(service *satellite.Service, sessions *auth.Sessions) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			ctx := c.Request().Context()
			id, signedIn := sessions.User(ctx)
			if !signedIn {
				web.Challenge(c.Response().Header(), c.Request())
				return web.WriteProblem(c, errNotSignedIn())
			}
			actor, _, err := service.ActorOf(ctx, id, web.ClientAddress(c.Request()))
			if satellite.KindOf(err) == satellite.KindNotFound {
				return web.WriteProblem(c, errNotSignedIn())
			}
			if err != nil {
				return web.WriteProblem(c, err)
			}
			if !reads(c.Request().Method) && !sessions.CheckCSRF(ctx, c.Request().Header.Get("X-CSRF-Token")) {
				return web.WriteProblem(c, &satellite.Error{
					Kind: satellite.KindForbidden, Code: "csrf-token-invalid",
					Message: "The request does not carry the token of the session, so it may come from another site. Nothing was changed.",
					Hint:    "Send the session's token in the header X-CSRF-Token, or use the local socket.",
				})
			}
			return enter(c, next, actor)
		}
	}
}

func reads(method string) bool { return method == http.MethodGet || method == http.MethodHead }

func errNotSignedIn() error {
	return &satellite.Error{
		Kind: satellite.KindUnauthenticated, Code: "not-signed-in",
		Message: "Nobody is signed in. Nothing was changed.",
		Hint:    "Sign in to the console first, send an access token of /oauth/token, or use the local socket.",
	}
}

func enter(c echo.Context, next echo.HandlerFunc, actor satellite.Actor) error {
	web.SetActor(c, actor)
	c.SetRequest(c.Request().WithContext(context.WithValue(c.Request().Context(), actorKey{}, actor)))
	return next(c)
}

// actor is who asks. Outside of a door it is nobody, who may do nothing.
func actor(ctx context.Context) satellite.Actor {
	a, _ := ctx.Value(actorKey{}).(satellite.Actor)
	return a
}

// decodePath gives handlers the names in the path as people write them. The
// router has decoded them already, except where the path holds an escape that
// matters to it, such as %2F.
func decodePath(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if c.Request().URL.RawPath == "" {
			return next(c)
		}
		values := c.ParamValues()
		for i, value := range values {
			decoded, err := url.PathUnescape(value)
			if err != nil {
				return web.WriteProblem(c, invalid("The path holds an escape that cannot be read."))
			}
			values[i] = decoded
		}
		c.SetParamValues(values...)
		return next(c)
	}
}
