//go:build timetravel

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"ssm/certs"
)

// This build is for tests from outside: a person or a script lives through years
// in seconds. It is never released.

// buildNote is what the version says of this build beyond its number.
const buildNote = "+timetravel"

// Bounds of one advance, and the longest step without the jobs that are due.
const (
	minAdvance  = time.Second
	maxAdvance  = 3650 * day
	advanceStep = day
)

// debugClockPath is on the local socket alone.
const debugClockPath = "/debug/clock"

// travelFile keeps in the data folder how far the clock is ahead, so that a
// restart goes on from there.
const travelFile = "timetravel"

// travel is how far the clock is from the machine's.
type travel struct {
	offset atomic.Int64
	passes sync.Mutex // jobs run for the ticker, or for an advance
}

func (t *travel) by() time.Duration { return time.Duration(t.offset.Load()) }

// clockOffset is the flag of serve; nil: as it was when the satellite stopped.
var clockOffset *time.Duration

func addTravelFlags(serve *cobra.Command) {
	serve.Flags().Func("clock-offset", `begin with the clock this far from the machine's, in days ("91d") or as "36h30m"; may be negative`, func(text string) error {
		offset, err := parseOffset(text)
		clockOffset = &offset
		return err
	})
}

// prepareTravel sets the clock to where it was, and says aloud what build this is.
func (s *server) prepareTravel() error {
	text, err := os.ReadFile(s.travelFile())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil {
		offset, err := time.ParseDuration(strings.TrimSpace(string(text)))
		if err != nil {
			return fmt.Errorf("read %s: %w", s.travelFile(), err)
		}
		s.machine.travel.offset.Store(int64(offset))
	}
	if clockOffset != nil {
		s.machine.travel.offset.Store(int64(*clockOffset))
	}
	s.log.Warn("this build travels in time; it is for tests, never for devices that somebody pays for", "version", programVersion(), "clock ahead by", s.machine.travel.by())
	return s.keepTravel()
}

func (s *server) travelFile() string { return filepath.Join(s.config.Data, travelFile) }

func (s *server) keepTravel() error {
	return certs.WriteFile(s.travelFile(), []byte(s.machine.travel.by().String()+"\n"), 0o600)
}

// attend runs the jobs as they become due, but never while an advance does: what
// it began must be done when it returns.
func (s *server) attend(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.ticker.C:
			s.machine.travel.passes.Lock()
			_ = s.jobs.RunDue(ctx) // it has logged what went wrong
			s.machine.travel.passes.Unlock()
		}
	}
}

// advance lets time pass in which the satellite serves: in steps of a day at
// most, each with the jobs that are due then.
func (s *server) advance(ctx context.Context, d time.Duration) error {
	s.machine.travel.passes.Lock()
	defer s.machine.travel.passes.Unlock()
	for d > 0 {
		step := min(d, advanceStep)
		s.machine.travel.offset.Add(int64(step))
		d -= step
		if err := s.keepTravel(); err != nil {
			return err
		}
		if err := s.jobs.RunDue(ctx); err != nil {
			return err
		}
	}
	return nil
}

// travelDocument is what the route takes and gives.
type travelDocument struct {
	Advance string    `json:"advance,omitempty"`
	Now     time.Time `json:"now"`
	Guarded time.Time `json:"guarded"`
	Problem string    `json:"problem,omitempty"`
}

// debug adds the clock to the local socket.
func (s *server) debug(local http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != debugClockPath {
			local.ServeHTTP(w, r)
			return
		}
		connection := http.NewResponseController(w)
		_ = connection.SetReadDeadline(time.Time{}) // ten years take a while
		_ = connection.SetWriteDeadline(time.Time{})
		var document travelDocument
		status := http.StatusOK
		err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxAnswer)).Decode(&document)
		var d time.Duration
		if err == nil {
			d, err = parseAdvance(document.Advance)
		}
		if err != nil || r.Method != http.MethodPost {
			status = http.StatusBadRequest
		} else if err = s.advance(r.Context(), d); err != nil {
			status = http.StatusInternalServerError
		}
		document.Now, document.Guarded = s.service.SystemNow(), s.service.Now()
		if err != nil {
			document.Problem = err.Error()
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = writeJSON(w, document)
	})
}

func addDebug(root *cobra.Command) {
	debug := &cobra.Command{Use: "debug", Short: "Travel in time (this build only)"}
	clock := &cobra.Command{Use: "clock", Short: "Advance the satellite's clock"}
	clock.AddCommand(&cobra.Command{
		Use:   "advance DURATION",
		Short: `Let time pass in which the satellite serves, and run what is due: days ("91d") or as "36h30m"`,
		Args:  takes("DURATION"),
		RunE: func(c *cobra.Command, args []string) error {
			if _, err := parseAdvance(args[0]); err != nil {
				return wrongUsage("%v", err)
			}
			passed, err := connect(c).advance(c.Context(), args[0])
			if err != nil {
				return err
			}
			return printRecord(c, passed, line{"System clock", passed.Now}, line{"Guarded clock", passed.Guarded})
		},
	})
	debug.AddCommand(clock)
	root.AddCommand(debug)
}

func (c *client) advance(ctx context.Context, duration string) (passed travelDocument, err error) {
	in, err := json.Marshal(map[string]string{"advance": duration})
	if err != nil {
		return passed, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://satellite"+debugClockPath, bytes.NewReader(in))
	if err != nil {
		return passed, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return passed, c.unreachable(err)
	}
	defer func() { _ = response.Body.Close() }()
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(&passed); err != nil || passed.Problem == "" && response.StatusCode != http.StatusOK {
		return passed, message(fmt.Sprintf("The satellite on %s answered %s: it does not travel in time.", c.data, response.Status))
	}
	if passed.Problem != "" {
		return passed, message("The satellite travelled to " + cell(passed.Now) + " and stopped there: " + passed.Problem)
	}
	return passed, nil
}

// parseAdvance is parseOffset within the bounds of one advance.
func parseAdvance(text string) (time.Duration, error) {
	d, err := parseOffset(text)
	if err == nil && (d < minAdvance || d > maxAdvance) {
		err = fmt.Errorf("%q is not between %s and %d days", text, minAdvance, maxAdvance/day)
	}
	return d, err
}

// parseOffset reads whole days, or a duration as Go writes it.
func parseOffset(text string) (time.Duration, error) {
	days, isDays := strings.CutSuffix(text, "d")
	if !isDays {
		return time.ParseDuration(text)
	}
	n, err := strconv.ParseInt(days, 10, 32)
	const limit = 36500 // a century, which fits into a duration
	if err != nil || n < -limit || n > limit {
		return 0, fmt.Errorf("%q is not a number of days from -%d to %d", text, limit, limit)
	}
	return time.Duration(n) * day, nil
}
