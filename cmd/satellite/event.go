package main

import (
	"iter"
	"net/url"

	"github.com/spf13/cobra"

	"ssm/satellite/adminapi"
)

func newEventCommand() *cobra.Command {
	c := &cobra.Command{Use: "event", Short: "List what happened"}
	c.AddCommand(newEventListCommand())
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
