package adminapi

import (
	"crypto/sha256"
	"encoding/hex"
	"mime"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"

	"ssm/satellite/web"
)

// maxTagged bounds what is held back for its tag. The largest page, a thousand
// devices, is below 2 MB; a listing that is larger goes out as it comes, without a tag.
const maxTagged = 8 << 20

// tagged gives each answer to a read that is JSON a strong ETag, the hash of its
// body, and answers 304 without a body where If-None-Match names it. Such an
// answer may be kept by who asked, who has to ask again before each use. Files,
// refusals and answers to writes pass as they are.
func tagged(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if !reads(c.Request().Method) {
			return next(c)
		}
		held := &heldAnswer{limit: maxTagged, holds: func(status int, contentType string) bool {
			return status == http.StatusOK && isJSON(contentType)
		}}
		if err := held.hold(c, func() error { return next(c) }); err != nil || !held.waiting() {
			return err
		}
		return held.sendTagged(c)
	}
}

// sendTagged lets the answer that waits go with its tag, or as 304.
func (h *heldAnswer) sendTagged(c echo.Context) error {
	sum := sha256.Sum256(h.body.Bytes())
	tag := `"` + hex.EncodeToString(sum[:16]) + `"`
	header := h.Header()
	header.Set("ETag", tag)
	header.Set(echo.HeaderCacheControl, "private, no-cache")
	if !matches(c.Request().Header.Values("If-None-Match"), tag) {
		return h.send()
	}
	header.Del(echo.HeaderContentType)
	// For the log, which has counted what was held back.
	c.Response().Status, c.Response().Size = http.StatusNotModified, 0
	h.ResponseWriter.WriteHeader(http.StatusNotModified)
	return nil
}

// isJSON tells whether a content type is JSON, but no refusal.
func isJSON(contentType string) bool {
	parsed, _, err := mime.ParseMediaType(contentType)
	return err == nil && (parsed == echo.MIMEApplicationJSON || strings.HasSuffix(parsed, "+json")) && parsed != web.ProblemType
}

// matches tells whether If-None-Match names a tag, by the weak comparison that
// it takes: W/ before a tag makes no difference.
func matches(headers []string, tag string) bool {
	for _, header := range headers {
		for named := range strings.SplitSeq(header, ",") {
			named = strings.TrimSpace(named)
			if named == "*" || strings.TrimPrefix(named, "W/") == tag {
				return true
			}
		}
	}
	return false
}

// documentTag describes what tagged does to an operation that reads.
func documentTag(op *huma.Operation) {
	if op.Responses["200"] != nil {
		return // a file
	}
	op.Parameters = append(op.Parameters, &huma.Param{
		Name: "If-None-Match", In: "header", Schema: &huma.Schema{Type: huma.TypeString},
		Description: "The ETag of an answer that you have, or several. Where nothing has changed since, the answer is 304 without a body.",
	})
	op.Responses["200"] = &huma.Response{Description: http.StatusText(http.StatusOK), Headers: map[string]*huma.Param{"ETag": {
		Schema: &huma.Schema{Type: huma.TypeString}, Description: "Changes with the body.",
	}}}
	op.Responses["304"] = &huma.Response{Description: http.StatusText(http.StatusNotModified)}
}
