package web

import (
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"

	"github.com/labstack/echo/v4"

	"ssm/satellite"
)

// Keys of what a request carries in its echo context.
const (
	keyRequestID = "web.request-id"
	keyLogger    = "web.logger"
	keyActor     = "web.actor"
)

// New is an echo with what every face needs: each request gets an id of ours, a
// panic is an internal error, every error is answered as a Problem, and the
// address of the caller is that of the connection: no header of a stranger is
// believed.
//
// The log gets one line per request at debug level, with the route instead of
// the path, because paths may hold one-time codes, and never a query or a body.
func New(log *slog.Logger) *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.Logger.SetOutput(io.Discard) // echo's own logger; ours is log
	e.IPExtractor = echo.ExtractIPDirect()
	e.HTTPErrorHandler = func(err error, c echo.Context) {
		if writeErr := WriteProblem(c, err); writeErr != nil {
			logger(c).Debug("error answer not delivered", "request_id", RequestID(c), "error", writeErr)
		}
	}
	e.Use(observe(log))
	return e
}

func observe(log *slog.Logger) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			id := strings.ToLower(rand.Text()[:16]) // 80 bits
			c.Set(keyRequestID, id)
			c.Set(keyLogger, log)
			header := c.Response().Header()
			header.Set(echo.HeaderXRequestID, id)
			header.Set(echo.HeaderXContentTypeOptions, "nosniff")
			if err := safely(c, next); err != nil {
				c.Error(err) // written here, so that the line below knows the status
			}
			log.LogAttrs(c.Request().Context(), slog.LevelDebug, "request", slog.String("request_id", id),
				slog.String("address", ClientAddress(c.Request())), slog.String("method", c.Request().Method), slog.String("route", c.Path()),
				slog.Int("status", c.Response().Status), slog.Int64("bytes", c.Response().Size))
			return nil
		}
	}
}

// safely runs a handler and turns its panic into an error, with the stack in the log.
func safely(c echo.Context, next echo.HandlerFunc) (err error) {
	defer func() {
		switch cause := recover(); cause {
		case nil:
		case http.ErrAbortHandler:
			panic(cause) // how a handler asks the server to cut the connection
		default:
			logger(c).Error("panic in a request", "request_id", RequestID(c), "route", c.Path(), "panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", cause)
		}
	}()
	return next(c)
}

func logger(c echo.Context) *slog.Logger {
	if log, ok := c.Get(keyLogger).(*slog.Logger); ok {
		return log
	}
	return slog.New(slog.DiscardHandler)
}

// RequestID is the id of the request, as in the header X-Request-Id and in the log.
func RequestID(c echo.Context) string {
	id, _ := c.Get(keyRequestID).(string)
	return id
}

// SetActor notes who asks. Where the actor names no source, the caller's address is it.
func SetActor(c echo.Context, actor satellite.Actor) {
	if actor.Source == "" {
		actor.Source = ClientAddress(c.Request())
	}
	c.Set(keyActor, actor)
}

// Actor is who asks: somebody without a role, whom Service lets do nothing,
// where SetActor was not called.
func Actor(c echo.Context) satellite.Actor {
	if actor, ok := c.Get(keyActor).(satellite.Actor); ok {
		return actor
	}
	return satellite.Actor{Source: ClientAddress(c.Request())}
}

// ClientAddress is the address of the other end of the connection, without
// port; "local" on a socket of this machine.
func ClientAddress(r *http.Request) string {
	if address, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		return address.Addr().Unmap().String()
	}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return "local"
}
