//go:build timetravel

package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// build is what the version says of this build beyond its number.
const build = " timetravel"

// timeTravel lets the device live at another time than the machine does.
func (p *program) timeTravel(flags *pflag.FlagSet) {
	machine := p.now
	flags.Func("clock-offset", `shift the clock of the device, in days ("91d") or as "36h30m"; may be negative`, func(text string) error {
		offset, err := parseOffset(text)
		p.now = func() time.Time { return machine().Add(offset) }
		return err
	})
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
	return time.Duration(n) * 24 * time.Hour, nil
}
