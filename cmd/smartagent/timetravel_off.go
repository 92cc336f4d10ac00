//go:build !timetravel

package main

import "github.com/spf13/pflag"

// build is what the version says of this build beyond its number.
const build = ""

// timeTravel adds nothing: only a build for tests takes another time than that
// of the machine.
func (*program) timeTravel(*pflag.FlagSet) {}
