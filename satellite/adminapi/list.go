package adminapi

import (
	"strconv"
	"time"

	"ssm/satellite"
)

// List is one page of a listing. Next is the cursor of the page after it, ""
// where this is the last one.
type List[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next" doc:"Cursor of the next page; empty on the last one."`
}

// output is an answer with a JSON body.
type output[T any] struct{ Body T }

func answer[T any](body T, err error) (*output[T], error) {
	if err != nil {
		return nil, err
	}
	return &output[T]{Body: body}, nil
}

// Paging is how a listing is asked for page by page; exported like AccountPath.
type Paging struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Rows in a page."`
	Cursor string `query:"cursor" maxLength:"20" doc:"The next of the page before; empty for the first."`
}

func (p Paging) page() (satellite.Page, error) {
	page := satellite.Page{Limit: p.Limit}
	if p.Cursor == "" {
		return page, nil
	}
	after, err := strconv.ParseInt(p.Cursor, 10, 64)
	if err != nil || after < 1 {
		return page, invalid("query.cursor: this is no cursor of a listing.")
	}
	page.After = after
	return page, nil
}

// paged is one page of rows: a full one has a next.
func paged[R, T any](rows []R, limit int, convert func(R) T, key func(R) int64) List[T] {
	list := List[T]{Items: make([]T, 0, len(rows))}
	for _, row := range rows {
		list.Items = append(list.Items, convert(row))
	}
	if len(rows) > 0 && len(rows) >= limit {
		list.Next = strconv.FormatInt(key(rows[len(rows)-1]), 10)
	}
	return list
}

// whole is a listing that has one page.
func whole[R, T any](rows []R, convert func(R) T) List[T] {
	return paged(rows, len(rows)+1, convert, nil)
}

// instant is a time as JSON has it: null when never.
func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
