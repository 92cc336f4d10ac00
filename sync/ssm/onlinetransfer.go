package ssm

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"time"

	"gorm.io/gorm"

	"ssm/satellite/wire"
	"ssm/sync/offline"
)

// answerUpload answers the upload as a file that was carried.
func (d *door) answerUpload(ctx context.Context, digest string, size int64, code string) error {
	file, found, err := offline.Open(d.uploads.path(digest))
	if err != nil {
		return err
	}
	if found != size {
		return errors.Join(errNoUpload, file.Close())
	}
	answer, err := d.u.Answer(ctx, file, size, AnswerOptions{Online: &Online{Digest: digest, Code: code}})
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	d.log.InfoContext(ctx, "a satellite was answered", "satellite", answer.SatelliteID, "account", answer.Account, "virtual_account", answer.VirtualAccount,
		"sequence", answer.Sequence, "registered", answer.Registered, "full_requested", answer.FullRequested)
	return nil
}

// serveAnswer sends the response, or the part of it that is asked for.
func (d *door) serveAnswer(w http.ResponseWriter, r *http.Request, digest string) error {
	var row answerRow
	err := d.u.view(r.Context(), func(tx *gorm.DB) error {
		return tx.Where("request_digest = ?", digest).Order("id DESC").Take(&row).Error
	})
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return problem{status: http.StatusNotFound, code: "response-unknown", detail: "there is no response to this request, or it is not kept any more: let the request be answered"}
	}
	if err != nil {
		return err
	}
	guard := d.guard(http.NewResponseController(w).SetWriteDeadline)
	defer guard.stop()
	w.Header().Set("Content-Type", wire.ResponseMediaType)
	w.Header().Set("ETag", fmt.Sprintf(`"%x"`, sha256.Sum256(row.Body)))
	http.ServeContent(guardedWriter{w, guard}, r, "", time.Time{}, bytes.NewReader(row.Body))
	return nil
}

// hasAnswered tells whether a request was answered, and the answer is kept.
func (u *Upstream) hasAnswered(ctx context.Context, digest string) (bool, error) {
	var number int64
	err := u.view(ctx, func(tx *gorm.DB) error {
		return tx.Model(&answerRow{}).Where("request_digest = ?", digest).Limit(1).Count(&number).Error
	})
	return number > 0, err
}

var contentRangeForm = regexp.MustCompile(`^bytes (\d{1,12})-(\d{1,12})/(\d{1,12})$`)

// contentRange reads which bytes of a request a piece is.
func contentRange(r *http.Request) (start, length, size int64, err error) {
	found := contentRangeForm.FindStringSubmatch(r.Header.Get("Content-Range"))
	if found == nil {
		return 0, 0, 0, problem{status: http.StatusBadRequest, code: "range-invalid", detail: "a piece needs a header such as Content-Range: bytes 0-1048575/5242880"}
	}
	var numbers [3]int64
	for i, text := range found[1:] {
		if numbers[i], err = strconv.ParseInt(text, 10, 64); err != nil {
			return 0, 0, 0, err
		}
	}
	start, size = numbers[0], numbers[2]
	length = numbers[1] - start + 1
	switch {
	case size > wire.MaxContainer:
		return 0, 0, 0, fmt.Errorf("%w: a request of %d bytes, at most %d are read; nothing was changed", wire.ErrTooLarge, size, int64(wire.MaxContainer))
	case length > maxPiece:
		return 0, 0, 0, fmt.Errorf("%w: a piece of %d bytes, at most %d are taken at once; nothing was changed", wire.ErrTooLarge, length, int64(maxPiece))
	case length < 1 || numbers[1] >= size:
		return 0, 0, 0, problem{status: http.StatusBadRequest, code: "range-invalid", detail: "the piece ends before it begins, or behind the end of the request"}
	case r.ContentLength >= 0 && r.ContentLength != length:
		return 0, 0, 0, problem{status: http.StatusBadRequest, code: "range-invalid", detail: "the piece is not as long as its range"}
	}
	return start, length, size, nil
}

// stallGuard cuts a connection that moves too little in a time: it sets its
// deadline to an instant long past.
type stallGuard struct {
	mu    sync.Mutex
	timer *time.Timer
	every time.Duration
	moved int64
}

func (d *door) guard(deadline func(time.Time) error) *stallGuard {
	return &stallGuard{every: d.patience, timer: time.AfterFunc(d.patience, func() { _ = deadline(time.Unix(1, 0)) })}
}

func (g *stallGuard) add(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.moved += int64(n); g.moved >= stallBytes {
		g.moved = 0
		g.timer.Reset(g.every)
	}
}

func (g *stallGuard) stop() { g.timer.Stop() }

// reader tells the guard what comes.
func (g *stallGuard) reader(r io.Reader) io.Reader { return io.TeeReader(r, guardedCount{g}) }

type guardedCount struct{ guard *stallGuard }

func (c guardedCount) Write(p []byte) (int, error) {
	c.guard.add(len(p))
	return len(p), nil
}

// guardedWriter tells the guard what goes.
type guardedWriter struct {
	http.ResponseWriter
	guard *stallGuard
}

func (w guardedWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.guard.add(n)
	return n, err
}
