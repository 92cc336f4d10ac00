package main

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"ssm/satellite"
	"ssm/satellite/adminapi"
)

func newSyncScheduleCommand() *cobra.Command {
	c := &cobra.Command{Use: "schedule", Short: "Synchronize over the network without a person, at times in UTC"}
	c.AddCommand(newSyncScheduleShowCommand(), newSyncScheduleSetCommand(), newSyncScheduleUnsetCommand())
	return c
}

// scheduleFlag takes the account that is meant; without one it is the default.
func scheduleFlag(c *cobra.Command, without string) *cobra.Command {
	c.Flags().String("account", "", "name of the account (default: "+without+")")
	return c
}

// schedulePath is where the schedule of an account is, or the default.
func schedulePath(account string) string {
	if account == "" {
		return resource("sync-schedule")
	}
	return resource("accounts", account, "sync-schedule")
}

func newSyncScheduleShowCommand() *cobra.Command {
	return scheduleFlag(&cobra.Command{
		Use:   "show [--account NAME]",
		Short: "Show when accounts synchronize by themselves, and how that went last",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			client := connect(c)
			account := text(c, "account")
			if account == "" {
				return client.showSchedules(c)
			}
			var s adminapi.SyncSchedule
			if err := client.get(c.Context(), schedulePath(account), &s); err != nil {
				return err
			}
			return printSchedule(c, s)
		},
	}, "the default, and all accounts")
}

// showSchedules lists the default, and then every account.
func (c *client) showSchedules(command *cobra.Command) error {
	return printList(command, c.schedules(command.Context()),
		column[adminapi.SyncSchedule]{"ACCOUNT", func(s adminapi.SyncSchedule) any {
			if s.Account == "" {
				return "(default)"
			}
			return s.Account
		}},
		column[adminapi.SyncSchedule]{"SCHEDULE (UTC)", func(s adminapi.SyncSchedule) any { return s.Schedule }},
		column[adminapi.SyncSchedule]{"JITTER", func(s adminapi.SyncSchedule) any { return jitterOf(s) }},
		column[adminapi.SyncSchedule]{"DEFAULT", func(s adminapi.SyncSchedule) any { return s.Inherited }},
		column[adminapi.SyncSchedule]{"NEXT RUN", func(s adminapi.SyncSchedule) any { return nextRun(s) }},
		column[adminapi.SyncSchedule]{"LAST RUN", func(s adminapi.SyncSchedule) any { return lastRun(s) }})
}

func (c *client) schedules(ctx context.Context) iter.Seq2[[]adminapi.SyncSchedule, error] {
	return func(yield func([]adminapi.SyncSchedule, error) bool) {
		list := make([]adminapi.SyncSchedule, 1)
		var states adminapi.List[adminapi.SyncState]
		err := c.get(ctx, schedulePath(""), &list[0])
		if err == nil {
			err = c.get(ctx, resource("sync"), &states)
		}
		for _, state := range states.Items {
			list = append(list, state.Schedule)
		}
		yield(list, err)
	}
}

func newSyncScheduleSetCommand() *cobra.Command {
	c := scheduleFlag(&cobra.Command{
		Use:   `set [--account NAME] daily HH:MM | weekly DAY HH:MM | monthly DAY HH:MM | cron "LINE" | off`,
		Short: "Set when an account, or every account without a schedule of its own, synchronizes by itself",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return wrongUsage(`the schedule is missing, such as: daily 02:00`)
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			jitter, err := c.Flags().GetInt("jitter")
			if err != nil {
				return err
			}
			var s adminapi.SyncSchedule
			in := adminapi.NewSyncSchedule{Schedule: strings.Join(args, " "), JitterMinutes: &jitter}
			if err := connect(c).post(c.Context(), schedulePath(text(c, "account")), in, &s); err != nil {
				return err
			}
			if s.Waits == string(satellite.WaitsByFile) {
				say(c, "No upstream is set, so nothing runs by itself: a person carries the files. Set one with `satellite upstream set --url URL --ca FILE`.")
			}
			return printSchedule(c, s)
		},
	}, "the default for all accounts")
	c.Flags().Int("jitter", int(satellite.DefaultSyncJitter.Minutes()), "minutes that a run may begin later; how many stays the same for the account, so that not all satellites come at once")
	return c
}

func newSyncScheduleUnsetCommand() *cobra.Command {
	return scheduleFlag(&cobra.Command{
		Use:   "unset [--account NAME]",
		Short: "Take an account's own schedule away, so that the default counts; or the default, so that it is off",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			client, path := connect(c), schedulePath(text(c, "account"))
			if err := client.send(c.Context(), http.MethodDelete, path, nil, nil); err != nil {
				return err
			}
			var s adminapi.SyncSchedule
			if err := client.get(c.Context(), path, &s); err != nil {
				return err
			}
			return printSchedule(c, s)
		},
	}, "the default for all accounts")
}

func printSchedule(c *cobra.Command, s adminapi.SyncSchedule) error {
	fields := []line{{"Schedule", s.Schedule}, {"Time zone", s.TimeZone}, {"Jitter", jitterOf(s)}, {"Set", s.SetAt}, {"Set by", s.SetBy}}
	if s.Account != "" {
		fields = append([]line{{"Account", s.Account}}, fields...)
		fields = append(fields, line{"Default", s.Inherited}, line{"Next run", nextRun(s)}, line{"Last run", lastRun(s)})
		if s.LastRun != nil && s.LastRun.Reason != "" {
			fields = append(fields, line{"Reason", s.LastRun.Reason})
		}
	}
	return printRecord(c, s, fields...)
}

func jitterOf(s adminapi.SyncSchedule) string {
	if s.Schedule == satellite.ScheduleOff {
		return "-"
	}
	return fmt.Sprintf("up to %d min", s.JitterMinutes)
}

// waits says why nothing runs by itself.
var waits = map[string]string{
	string(satellite.WaitsOff):          "off",
	string(satellite.WaitsByFile):       "by file: a person carries it",
	string(satellite.WaitsUnregistered): "not registered upstream yet",
	string(satellite.WaitsInactive):     "the account is not active",
}

func nextRun(s adminapi.SyncSchedule) string {
	switch {
	case s.Account == "":
		return "-"
	case s.Running:
		return "running"
	case s.Waits != "":
		return waits[s.Waits]
	}
	return cell(s.NextRunAt)
}

func lastRun(s adminapi.SyncSchedule) string {
	switch {
	case s.Account == "":
		return "-"
	case s.LastRun == nil:
		return "never"
	}
	return cell(s.LastRun.StartedAt) + " " + s.LastRun.Outcome
}
