package compatible

import (
	"context"
	"time"

	"ssm/satellite"
)

// counted is how the answer of a listing begins: with how many rows there are,
// on all pages together. A list that is sent page by page may end with a few
// more or less, where rows come or go meanwhile.
type counted struct {
	outcome
	TotalRecords int64 `json:"totalRecords"`
}

// keyset is a list of at most limit rows behind a cursor, read and sent page by
// page. cursor is that of a row, show what the client reads of it.
func keyset[R, T any](head any, name string, after, limit int64, read func(context.Context, satellite.Page) ([]R, error), cursor func(R) int64, show func(R) T) *list {
	return listOf(head, name, func(ctx context.Context, size int) ([]T, error) {
		page := satellite.Page{After: after, Limit: int(min(limit, int64(size)))}
		if page.Limit == 0 {
			return nil, nil
		}
		rows, err := read(ctx, page)
		if err != nil {
			return nil, err
		}
		shown := make([]T, len(rows))
		for i, row := range rows {
			shown[i], after = show(row), cursor(row)
		}
		if limit -= int64(len(rows)); len(rows) < page.Limit {
			limit = 0 // that was the last one
		}
		return shown, nil
	})
}

// date is a day, "" for the zero time.
func date(t time.Time) string { return formatted(t, time.DateOnly) }

// stamp is an instant, "" for the zero time.
func stamp(t time.Time) string { return formatted(t, "2006-01-02T15:04:05Z") }

func formatted(t time.Time, layout string) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(layout)
}

// orNull is a text, or null where there is none.
func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
