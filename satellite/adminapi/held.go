package adminapi

import (
	"bytes"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"
)

// heldAnswer keeps an answer back until it is whole, unless it is not to be held
// or grows over the limit: then it goes out as it comes.
type heldAnswer struct {
	http.ResponseWriter
	limit   int
	holds   func(status int, contentType string) bool
	status  int // 0 until a handler has set it
	body    bytes.Buffer
	passing bool // not held back, or no longer
}

// hold runs a handler with its answer held back, and puts the writer in its
// place again. Where the handler fails, its error can still be answered.
func (h *heldAnswer) hold(c echo.Context, handler func() error) error {
	response := c.Response()
	h.ResponseWriter, response.Writer = response.Writer, h
	ended := false
	defer func() {
		response.Writer = h.ResponseWriter
		if !ended && !h.passing {
			response.Committed = false // nothing has left yet
		}
	}()
	err := handler()
	ended = err == nil
	return err
}

// Unwrap lets http.ResponseController reach the connection.
func (h *heldAnswer) Unwrap() http.ResponseWriter { return h.ResponseWriter }

func (h *heldAnswer) WriteHeader(status int) {
	h.status = status
	if !h.holds(status, h.Header().Get(echo.HeaderContentType)) {
		h.pass()
	}
}

func (h *heldAnswer) Write(content []byte) (int, error) {
	if !h.passing && h.body.Len()+len(content) > h.limit {
		h.pass()
		if _, err := h.ResponseWriter.Write(h.body.Bytes()); err != nil {
			return 0, err
		}
		h.body = bytes.Buffer{}
	}
	if h.passing {
		return h.ResponseWriter.Write(content)
	}
	return h.body.Write(content)
}

func (h *heldAnswer) pass() {
	h.passing = true
	h.ResponseWriter.WriteHeader(h.status)
}

// waiting tells whether there is an answer that has not gone out.
func (h *heldAnswer) waiting() bool { return !h.passing && h.status != 0 }

// send lets the answer that waits go.
func (h *heldAnswer) send() error {
	if h.body.Len() > 0 {
		h.Header().Set(echo.HeaderContentLength, strconv.Itoa(h.body.Len()))
	}
	h.ResponseWriter.WriteHeader(h.status)
	_, err := h.ResponseWriter.Write(h.body.Bytes())
	return err
}
