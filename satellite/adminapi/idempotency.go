package adminapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"
	"github.com/labstack/echo/v4"

	"ssm/satellite"
	"ssm/satellite/web"
)

const (
	idempotencyKey      = "Idempotency-Key"
	idempotencyReplayed = "Idempotency-Replayed"
)

// keptHeaders are what is kept of an answer's header.
var keptHeaders = []string{echo.HeaderContentType, echo.HeaderLocation}

// keptAnswer is the answer to a request with a key, as it is kept for a repeat.
type keptAnswer struct {
	Status int
	Header map[string]string
	Body   []byte
}

// documentKey describes the key of an operation that writes, which also is what
// lets it take one. Operations with a file on either side take none: their files
// are too large to be kept, and what they do a repeat finds done. Nor do those
// that show a secret once: it would be kept.
func documentKey(op *huma.Operation) {
	if file := op.RequestBody != nil || op.Responses["200"] != nil; file || op.Metadata[showsSecret] != nil {
		return
	}
	shortest, longest := 1, maxKeyLength
	op.Parameters = append(op.Parameters, &huma.Param{
		Name: idempotencyKey, In: "header", Schema: &huma.Schema{Type: huma.TypeString, MinLength: &shortest, MaxLength: &longest, Pattern: "^[!-~]*$"},
		Description: "A name of your own for this one request, such as a UUID. Sent again within 24 hours, the request is not carried out a second time: " +
			"it gets the answer of the first, with the header " + idempotencyReplayed + ". Refusals that changed nothing are not kept, so the key may be used again.",
	})
	documentProblem(op, http.StatusConflict)
	documentProblem(op, http.StatusTooManyRequests)
	documentProblem(op, http.StatusRequestEntityTooLarge)
	success := op.DefaultStatus
	if success == 0 {
		success = http.StatusOK
	}
	op.Responses[strconv.Itoa(success)] = &huma.Response{Description: http.StatusText(success), Headers: map[string]*huma.Param{idempotencyReplayed: {
		Schema: &huma.Schema{Type: huma.TypeBoolean}, Description: "true where this is the answer that was kept of the first request with the key.",
	}}}
}

// showsSecret marks an operation whose answer shows a secret that is kept nowhere.
const showsSecret = "shows-secret"

func secretOnce(op *huma.Operation) { op.Metadata = map[string]any{showsSecret: true} }

func takesKey(op *huma.Operation) bool {
	return slices.ContainsFunc(op.Parameters, func(p *huma.Param) bool { return p.Name == idempotencyKey })
}

// once carries a write with an Idempotency-Key out a single time, and repeats
// its answer to whoever sends it again.
func (a *api) once(ctx huma.Context, next func(huma.Context)) {
	c := humaecho.Unwrap(ctx)
	keys := c.Request().Header.Values(idempotencyKey)
	if len(keys) == 0 || reads(ctx.Method()) {
		next(ctx)
		return
	}
	if err := a.keyed(c, ctx.Operation(), keys, func() { next(ctx) }); err != nil {
		if seconds := retryAfter[satellite.CodeOf(err)]; seconds != "" {
			c.Response().Header().Set(echo.HeaderRetryAfter, seconds)
		}
		// An error means that the client has gone, whom nobody can tell.
		_ = web.WriteProblem(c, err)
	}
}

// retryAfter is in how many seconds another try makes sense.
var retryAfter = map[string]string{"idempotency-key-in-use": "1", "idempotency-keys-too-many": "3600"}

func (a *api) keyed(c echo.Context, op *huma.Operation, keys []string, next func()) error {
	if err := checkKey(op, keys); err != nil {
		return err
	}
	fingerprint, err := fingerprintOf(c.Request())
	if err != nil {
		return err
	}
	held := &heldAnswer{limit: satellite.MaxKeptAnswer, holds: func(int, string) bool { return true }}
	who := actor(c.Request().Context())
	text, repeated, err := a.service.Once(c.Request().Context(), who, keys[0], fingerprint, func(ctx context.Context) (satellite.Outcome, []byte) {
		c.SetRequest(c.Request().WithContext(ctx))
		// The handlers of huma answer their errors themselves.
		_ = held.hold(c, func() error { next(); return nil })
		return held.outcome()
	})
	switch {
	case errors.Is(err, satellite.ErrAnswerNotKept):
		// It was carried out, which is what the caller has to know.
		web.LogInternal(c, err, http.StatusInternalServerError)
	case err != nil:
		return err
	case repeated:
		return repeat(c, text)
	}
	if !held.waiting() {
		return nil
	}
	return held.send()
}

// outcome is how the request ended, and what is kept of its answer.
func (h *heldAnswer) outcome() (satellite.Outcome, []byte) {
	if !h.waiting() || h.status >= http.StatusInternalServerError {
		return satellite.OutcomeFailed, nil
	}
	kept := keptAnswer{Status: h.status, Header: map[string]string{}, Body: h.body.Bytes()}
	for _, name := range keptHeaders {
		if value := h.Header().Get(name); value != "" {
			kept.Header[name] = value
		}
	}
	text, err := json.Marshal(kept)
	if err != nil {
		return satellite.OutcomeFailed, nil
	}
	if h.status >= http.StatusBadRequest {
		return satellite.OutcomeRefused, text
	}
	return satellite.OutcomeDone, text
}

func repeat(c echo.Context, text []byte) error {
	var kept keptAnswer
	if err := json.Unmarshal(text, &kept); err != nil {
		return err
	}
	header := c.Response().Header()
	for name, value := range kept.Header {
		header.Set(name, value)
	}
	header.Set(idempotencyReplayed, "true")
	c.Response().WriteHeader(kept.Status)
	_, err := c.Response().Write(kept.Body)
	return err
}

const maxKeyLength = 255

func checkKey(op *huma.Operation, keys []string) error {
	key := keys[0]
	invisible := func(b byte) bool { return b < '!' || b > '~' }
	if len(keys) != 1 || key == "" || len(key) > maxKeyLength || slices.ContainsFunc([]byte(key), invisible) {
		return &satellite.Error{
			Kind: satellite.KindInvalid, Code: "idempotency-key-invalid",
			Message: "The Idempotency-Key is not one text of 1 to 255 visible ASCII characters. Nothing was changed.", Hint: "A UUID is a good key.",
		}
	}
	if !takesKey(op) {
		return &satellite.Error{
			Kind: satellite.KindInvalid, Code: "idempotency-key-not-taken",
			Message: "This call takes or gives a file, or shows a secret, and its answer is not kept: so it takes no Idempotency-Key. Nothing was changed.",
			Hint:    "Send it without one. A file that was taken before is found and changes nothing.",
		}
	}
	return nil
}

// fingerprintOf tells one request from another. It reads the body, which it
// leaves to be read again. KindTooLarge over the largest body of any operation
// that takes a key.
func fingerprintOf(r *http.Request) (sum [sha256.Size]byte, err error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBulk+1))
	switch {
	case err != nil:
		return sum, invalid("its body did not arrive whole.")
	case len(body) > maxBulk:
		return sum, errRequestTooLarge()
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	hash := sha256.New()
	for _, part := range [][]byte{[]byte(r.Method), []byte(r.URL.EscapedPath()), []byte(r.URL.RawQuery), []byte(r.Header.Get(echo.HeaderContentType)), body} {
		// With its length before it, so that nothing can move from one part to the next.
		hash.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		hash.Write(part)
	}
	return [sha256.Size]byte(hash.Sum(nil)), nil
}
