package main

import (
	"iter"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"ssm/satellite/adminapi"
)

func newEventCommand() *cobra.Command {
	c := &cobra.Command{Use: "event", Short: "List what happened, and drop what is old"}
	c.AddCommand(newEventListCommand(), newEventPruneCommand())
	return c
}

func newEventListCommand() *cobra.Command {
	var limit int
	c := accountFlag(&cobra.Command{
		Use:   "list",
		Short: "List events, newest first",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			if limit < 0 {
				return wrongUsage("--limit is %d; it must be 0, for all, or more", limit)
			}
			events := pages[adminapi.Event](c.Context(), connect(c), resource("events"), url.Values{"account": {text(c, "account")}})
			return printList(c, atMost(events, limit),
				column[adminapi.Event]{"TIME", func(e adminapi.Event) any { return e.At.Format("2006-01-02 15:04:05 UTC") }},
				column[adminapi.Event]{"TYPE", func(e adminapi.Event) any { return e.Type }},
				column[adminapi.Event]{"ACTOR", func(e adminapi.Event) any { return e.Actor }},
				column[adminapi.Event]{"SOURCE", func(e adminapi.Event) any { return e.Source }},
				column[adminapi.Event]{"MESSAGE", func(e adminapi.Event) any { return e.Message }})
		},
	})
	c.Flags().Lookup("account").Usage = "only of this account"
	c.Flags().IntVar(&limit, "limit", 0, "how many at most; 0 is all")
	return c
}

func newEventPruneCommand() *cobra.Command {
	var days int
	c := &cobra.Command{
		Use:   "prune --older-than-days N",
		Short: "Drop old events; `satellite audit verify` goes on to work",
		Args:  takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			if days < 1 || days > 36500 {
				return wrongUsage("--older-than-days is %d; it must be 1 to 36500", days)
			}
			client := connect(c)
			var clock adminapi.Clock // the age of events is by the satellite's time
			if err := client.get(c.Context(), resource("clock"), &clock); err != nil {
				return err
			}
			before := clock.Now.Add(-time.Duration(days) * day)
			var pruned adminapi.Pruned
			if err := client.post(c.Context(), resource("events", "prune"), map[string]time.Time{"before": before}, &pruned); err != nil {
				return err
			}
			return printRecord(c, pruned, line{"Dropped events", pruned.Dropped})
		},
	}
	c.Flags().IntVar(&days, "older-than-days", 0, "drop events that are older than this")
	return c
}

// atMost ends a listing after so many rows; 0 is all.
func atMost[T any](pages iter.Seq2[[]T, error], limit int) iter.Seq2[[]T, error] {
	if limit == 0 {
		return pages
	}
	return func(yield func([]T, error) bool) {
		left := limit
		for page, err := range pages {
			page = page[:min(left, len(page))]
			left -= len(page)
			if !yield(page, err) || left == 0 {
				return
			}
		}
	}
}
