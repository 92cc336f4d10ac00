//go:build !timetravel

package main

import (
	"context"
	"net/http"
	"time"

	"github.com/spf13/cobra"
)

// buildNote is what the version says of this build beyond its number.
const buildNote = ""

// travel is how far the clock is from the machine's: a normal build lives now.
type travel struct{}

func (travel) by() time.Duration { return 0 }

func (s *server) prepareTravel() error { return nil }

// attend runs the jobs as they become due, until ctx ends.
func (s *server) attend(ctx context.Context) error { return s.jobs.Run(ctx) }

func (s *server) debug(local http.Handler) http.Handler { return local }

func addDebug(*cobra.Command) {}

func addTravelFlags(*cobra.Command) {}
