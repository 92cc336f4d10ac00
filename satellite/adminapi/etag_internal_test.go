package adminapi

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"ssm/satellite/web"
)

func TestAnAnswerTooLargeForATagGoesOutWhole(t *testing.T) {
	t.Parallel()
	recorder := httptest.NewRecorder()
	held := &heldAnswer{ResponseWriter: recorder, limit: 10, holds: func(int, string) bool { return true }}
	held.Header().Set("Content-Type", "application/json")
	held.WriteHeader(http.StatusOK)
	for _, part := range []string{"[1,2,3", ",4", ",5,6", ",7]"} {
		if n, err := held.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatalf("wrote %d of %q: %v", n, part, err)
		}
		if wide := held.body.Len(); wide > 10 || held.passing && wide > 0 {
			t.Errorf("%d bytes are held back", wide)
		}
	}
	if got := recorder.Body.String(); got != "[1,2,3,4,5,6,7]" || recorder.Header().Get("ETag") != "" || recorder.Code != http.StatusOK {
		t.Errorf("%d %v %s", recorder.Code, recorder.Header(), got)
	}
}

func TestAnErrorAfterAnAnswerWasBegunIsTold(t *testing.T) {
	t.Parallel()
	e := web.New(slog.New(slog.DiscardHandler))
	e.GET("/", func(c echo.Context) error {
		if err := c.JSON(http.StatusOK, "half"); err != nil {
			return err
		}
		return errors.New("and then it broke")
	}, tagged)
	recorder := httptest.NewRecorder()
	e.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	if recorder.Code != http.StatusInternalServerError || strings.Contains(recorder.Body.String(), "half") || recorder.Header().Get("ETag") != "" {
		t.Errorf("%d %v %s", recorder.Code, recorder.Header(), recorder.Body)
	}
}
