package telemetry

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// checkLimit is how long a readiness check may take before it counts as failed.
const checkLimit = 2 * time.Second

// Results of a check, as Ready tells them.
const (
	checkOK      = "ok"
	checkFailed  = "failed"
	checkTimeout = "no answer"
)

// Health answers whether the process lives and whether it can serve. A caller
// is told which check failed; why, only the log is told.
type Health struct {
	Log    *slog.Logger // of failed checks; nil for none
	checks map[string]*check
}

type check struct {
	run func(context.Context) error
	// turn lets one run at a time: a check that hangs is not started again with
	// every question, and many who ask cost no more than one.
	turn chan struct{}
}

// NewHealth takes the readiness checks by name. A check should end with its context.
func NewHealth(checks map[string]func(context.Context) error) *Health {
	h := &Health{checks: make(map[string]*check, len(checks))}
	for name, run := range checks {
		h.checks[name] = &check{run: run, turn: make(chan struct{}, 1)}
	}
	return h
}

// Live is the handler of /healthz: 200 as long as the process answers at all.
func (h *Health) Live() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = io.WriteString(w, "ok\n")
	})
}

// Ready is the handler of /readyz: 200 with status "ready" where every check
// passes within two seconds, 503 with "not ready" otherwise.
func (h *Health) Ready() http.Handler { return http.HandlerFunc(h.ready) }

func (h *Health) ready(w http.ResponseWriter, r *http.Request) {
	answer := struct {
		Status string            `json:"status"`
		Checks map[string]string `json:"checks"`
	}{"ready", h.results(r.Context())}
	status := http.StatusOK
	for _, result := range answer.Checks {
		if result != checkOK {
			answer.Status, status = "not ready", http.StatusServiceUnavailable
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // who asked is gone, or gets it
}

func (h *Health) results(ctx context.Context) map[string]string {
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	results := make(map[string]string, len(h.checks))
	var mutex sync.Mutex
	var wait sync.WaitGroup
	for name, c := range h.checks {
		wait.Go(func() {
			result, err := c.ask(ctx)
			if err != nil && h.Log != nil {
				h.Log.Warn("readiness check failed", "check", name, "error", err)
			}
			mutex.Lock()
			defer mutex.Unlock()
			results[name] = result
		})
	}
	wait.Wait()
	return results
}

// ask returns within the context's time even where the check does not.
func (c *check) ask(ctx context.Context) (string, error) {
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return checkTimeout, fmt.Errorf("an earlier run has not ended: %w", ctx.Err())
	}
	done := make(chan error, 1)
	go func() {
		defer func() {
			if cause := recover(); cause != nil {
				done <- fmt.Errorf("panic: %v", cause)
			}
			<-c.turn
		}()
		done <- c.run(ctx)
	}()
	select {
	case err := <-done:
		if err != nil {
			return checkFailed, err
		}
		return checkOK, nil
	case <-ctx.Done():
		return checkTimeout, ctx.Err()
	}
}
