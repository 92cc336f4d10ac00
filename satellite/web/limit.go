package web

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/labstack/echo/v4"

	"ssm/satellite"
)

// BodyLimit lets handlers read at most n bytes of a request: one that announces
// more is refused before it is read, and one that sends more without saying so
// when the byte after the last allowed one comes. Both are KindTooLarge.
func BodyLimit(n int64) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			r := c.Request()
			if r.ContentLength > n {
				return errTooLarge(n)
			}
			r.Body = limitedBody{http.MaxBytesReader(c.Response().Writer, r.Body, n)}
			return next(c)
		}
	}
}

func errTooLarge(limit int64) *satellite.Error {
	return &satellite.Error{
		Kind: satellite.KindTooLarge, Code: "request-too-large",
		Message: fmt.Sprintf("The request is larger than the %d bytes that are read here. Nothing was changed.", limit),
	}
}

// limitedBody says in our words what MaxBytesReader says in its own.
type limitedBody struct{ io.ReadCloser }

func (b limitedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	var over *http.MaxBytesError
	if errors.As(err, &over) {
		return n, errTooLarge(over.Limit)
	}
	return n, err
}
