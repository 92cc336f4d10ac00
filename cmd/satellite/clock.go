package main

import (
	"time"

	"github.com/spf13/cobra"

	"ssm/satellite/adminapi"
)

func newClockCommand() *cobra.Command {
	c := &cobra.Command{Use: "clock", Short: "Show the satellite's guarded clock, and confirm the system's"}
	c.AddCommand(
		&cobra.Command{
			Use:   "show",
			Short: "Show the satellite's time, the system's, and whether that is believed",
			Args:  takes(),
			RunE: func(c *cobra.Command, _ []string) error {
				var clock adminapi.Clock
				if err := connect(c).get(c.Context(), resource("clock"), &clock); err != nil {
					return err
				}
				return printClock(c, clock)
			},
		},
		&cobra.Command{
			Use:   "confirm",
			Short: "Confirm that the system's clock is right, after it was set or the satellite was off",
			Args:  takes(),
			RunE: func(c *cobra.Command, _ []string) error {
				var clock adminapi.Clock
				if err := connect(c).post(c.Context(), resource("clock", "confirm"), struct{}{}, &clock); err != nil {
					return err
				}
				say(c, "The system's clock is believed.")
				return printClock(c, clock)
			},
		},
	)
	return c
}

func printClock(c *cobra.Command, clock adminapi.Clock) error {
	if clock.Warning != "" {
		say(c, "%s Confirm it with `satellite clock confirm`.", clock.Warning)
	}
	return printRecord(c, clock, line{"Satellite's time", clock.Now}, line{"System's clock", clock.System}, line{"Believed", !clock.Held},
		line{"Served", (time.Duration(clock.ServedSeconds) * time.Second).String()})
}
