package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"ssm/satellite/telemetry"
)

type readiness struct {
	Status string
	Checks map[string]string
}

func ask(t *testing.T, health *telemetry.Health) (int, readiness) {
	t.Helper()
	recorder := httptest.NewRecorder()
	health.Ready().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	var answer readiness
	if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil {
		t.Fatalf("%s: %v", recorder.Body, err)
	}
	return recorder.Code, answer
}

func TestAProcessThatAnswersLives(t *testing.T) {
	t.Parallel()
	recorder := httptest.NewRecorder()
	telemetry.NewHealth(nil).Live().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/healthz", nil))
	if recorder.Code != http.StatusOK || strings.TrimSpace(recorder.Body.String()) != "ok" {
		t.Errorf("%d %q", recorder.Code, recorder.Body)
	}
}

func TestReadyMeansThatEveryCheckPasses(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	health := telemetry.NewHealth(map[string]func(context.Context) error{
		"store": func(context.Context) error {
			if broken.Load() {
				return errors.New("cannot open /srv/private/satellite.db")
			}
			return nil
		},
		"certificate": func(context.Context) error { return nil },
	})
	log := new(bytes.Buffer)
	health.Log = slog.New(slog.NewTextHandler(log, nil))
	if code, answer := ask(t, health); code != http.StatusOK || answer.Status != "ready" || len(answer.Checks) != 2 || answer.Checks["store"] != "ok" {
		t.Errorf("%d %+v", code, answer)
	}
	broken.Store(true)
	code, answer := ask(t, health)
	if code != http.StatusServiceUnavailable || answer.Status != "not ready" || answer.Checks["store"] != "failed" || answer.Checks["certificate"] != "ok" {
		t.Errorf("%d %+v", code, answer)
	}
	if !strings.Contains(log.String(), "/srv/private") {
		t.Errorf("the log does not tell why: %s", log)
	}
	broken.Store(false)
	if code, answer := ask(t, health); code != http.StatusOK {
		t.Errorf("healed: %d %+v", code, answer)
	}
}

func TestACheckThatHangsOrPanicsIsAnswered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{})
		var runs atomic.Int64
		health := telemetry.NewHealth(map[string]func(context.Context) error{
			"stuck":  func(context.Context) error { runs.Add(1); <-free; return nil }, // deaf to its context
			"polite": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
			"broken": func(context.Context) error { panic("nil map") },
			"fine":   func(context.Context) error { return nil },
		})
		for range 3 {
			code, answer := ask(t, health)
			if code != http.StatusServiceUnavailable || answer.Checks["stuck"] != "no answer" || answer.Checks["polite"] == "ok" ||
				answer.Checks["broken"] != "failed" || answer.Checks["fine"] != "ok" {
				t.Errorf("%d %+v", code, answer)
			}
		}
		if runs.Load() != 1 {
			t.Errorf("a check that hangs was started %d times", runs.Load())
		}
		close(free)
		synctest.Wait()
		if _, answer := ask(t, health); answer.Checks["stuck"] != "ok" {
			t.Errorf("once free: %+v", answer)
		}
	})
}
