package compatible

import (
	"bytes"
	"context"
	"net/http"

	"github.com/labstack/echo/v4"
)

// pageSize is how many rows of a long list are in memory at a time.
const pageSize = 500

// list is an answer with a list that may be huge: it is read and sent page by
// page, so that it takes the same memory whatever its length.
type list struct {
	head any    // what stands before the list: a struct that is a JSON object
	name string // of the list
	// page encodes the next rows, separated by commas; nothing after the last.
	page func(context.Context) ([]byte, error)
}

// listOf is a list whose rows come from next: each time as many as it is asked
// for, or fewer; none after the last. Time passes between two calls, in which
// rows may come and go: next has to go on behind the last one that it returned.
func listOf[T any](head any, name string, next func(ctx context.Context, limit int) ([]T, error)) *list {
	return &list{head: head, name: name, page: func(ctx context.Context) ([]byte, error) {
		rows, err := next(ctx, pageSize)
		if err != nil {
			return nil, err
		}
		var text bytes.Buffer
		for i, row := range rows {
			if i > 0 {
				text.WriteByte(',')
			}
			one, err := encode(row)
			if err != nil {
				return nil, err
			}
			text.Write(one)
		}
		return text.Bytes(), nil
	}}
}

// stream sends a list. A page holds one of the places among the requests that
// run only while it is read from the store, never while the client takes it.
// An error before the first byte is answered as any other; one after it cuts
// the connection, see refuse.
func (a *api) stream(c echo.Context, l *list) error {
	ctx := c.Request().Context()
	page, err := a.page(ctx, l, true)
	if err != nil {
		return err
	}
	head, err := encode(l.head)
	if err != nil {
		return err
	}
	name, err := encode(l.name)
	if err != nil {
		return err
	}
	head = bytes.TrimSuffix(head, []byte("}"))
	if len(head) > 1 {
		head = append(head, ',')
	}
	a.begin(c, http.StatusOK)
	if c.Request().Method == http.MethodHead {
		return nil
	}
	text := append(append(append(head, name...), ":["...), page...)
	for len(page) > 0 {
		if err := a.deliver(c, text); err != nil {
			return err
		}
		if page, err = a.page(ctx, l, false); err != nil {
			return err
		}
		text = append([]byte(","), page...)
		if len(page) == 0 {
			text = nil
		}
	}
	return a.deliver(c, append(text, "]}"...))
}

// page reads the next page. Only the first one gives up waiting for a place:
// a list that has begun is finished.
func (a *api) page(ctx context.Context, l *list, first bool) (page []byte, err error) {
	wait := a.bounds.wait
	if !first {
		wait = 0
	}
	err = a.gate.run(ctx, wait, func() error {
		page, err = l.page(ctx)
		return err
	})
	return page, err
}
