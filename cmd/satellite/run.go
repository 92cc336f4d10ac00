package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// The exit status.
const (
	statusDone   = 0
	statusFailed = 1 // refused or failed
	statusUsage  = 2 // the command was not understood
)

// usageError is a command that was not understood.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

func wrongUsage(format string, args ...any) error {
	return usageError{fmt.Sprintf(format, args...)}
}

// failure is an error of a command that was understood. Whatever else cobra
// returns is wrong usage.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

// run executes a command line and returns the exit status. Errors go to
// standard error, with the usage where the command was not understood.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRootCommand()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	command, err := root.ExecuteContextC(ctx)
	var failed failure
	switch {
	case err == nil:
		return statusDone
	case errors.As(err, &failed):
		fmt.Fprintln(stderr, printable(err.Error()))
		return statusFailed
	}
	fmt.Fprintf(stderr, "%s\n\n%s", sentence(printable(err.Error())), command.UsageString())
	return statusUsage
}

// finish lets run tell a failure from wrong usage, in every command below c,
// and gives commands without an action of their own one that asks for more.
func finish(c *cobra.Command) {
	if action := c.RunE; action != nil {
		c.RunE = func(c *cobra.Command, args []string) error {
			err := action(c, args)
			var usage usageError
			if err == nil || errors.As(err, &usage) {
				return err
			}
			return failure{err}
		}
	} else if c.Run == nil {
		c.Args = cobra.ArbitraryArgs
		c.RunE = func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return wrongUsage("there is no command %q in `%s`", args[0], c.CommandPath())
			}
			return wrongUsage("`%s` needs one of its commands", c.CommandPath())
		}
	}
	for _, sub := range c.Commands() {
		finish(sub)
	}
}

// takes is how many arguments a command has, by their names.
func takes(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return wrongUsage("%s is missing", names[len(args)])
		case len(args) > len(names):
			return wrongUsage("%q is one argument too many", args[len(names)])
		}
		return nil
	}
}

// require makes flags of a command required, and refuses empty values.
func require(c *cobra.Command, flags ...string) {
	c.PreRunE = func(c *cobra.Command, _ []string) error {
		for _, name := range flags {
			if c.Flag(name).Value.String() == "" {
				return wrongUsage("--%s is missing", name)
			}
		}
		return nil
	}
}

// text and yes read a flag that the command has.
func text(c *cobra.Command, flag string) string { return c.Flag(flag).Value.String() }

func yes(c *cobra.Command, flag string) bool { return text(c, flag) == "true" }

// sentence begins with a capital letter and ends with a full stop.
func sentence(text string) string {
	if text == "" {
		return text
	}
	text = strings.ToUpper(text[:1]) + text[1:]
	if !slices.Contains([]byte(".!?"), text[len(text)-1]) {
		text += "."
	}
	return text
}
