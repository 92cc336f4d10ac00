package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"ssm/satellite/wire"
)

const maxResponse = wire.MaxContainer

// Request is a document on its way to the upstream.
type Request struct {
	Digest string // names it
	File   io.ReaderAt
	Size   int64
	// Code is the registration code of a registration; it goes in a header.
	Code string
}

// Response is where a response is put: a file. After an error a part of it may be there.
type Response interface {
	io.WriterAt
	Truncate(size int64) error
}

// Phase is what an exchange does at present.
type Phase string

// The phases, in their order.
const (
	Sending   Phase = "sending"
	Waiting   Phase = "waiting"
	Receiving Phase = "receiving"
)

// Progress is where an exchange stands.
type Progress struct {
	Phase Phase
	Done  int64 // bytes
	Total int64 // bytes; 0: not known
}

// Bounds of the pauses between two attempts.
const (
	firstPause  = time.Second
	longest     = time.Minute
	longestWait = 2 * time.Minute // that an upstream may ask for; beyond, it is told to who waits
	beforeLost  = 3               // attempts without any answer, until the upstream counts as unreachable
)

// Exchange sends the request and puts the response into the file; it returns
// the size of the response. Whatever breaks off is resumed where it was, and
// every step may be repeated: the upstream knows the request by its digest.
// progress is called from this goroutine. The error is an *Error, or that of
// the context.
func (c *Client) Exchange(ctx context.Context, request Request, response Response, progress func(Progress)) (int64, error) {
	bounded, cancel := context.WithTimeout(ctx, c.options.Total)
	defer cancel()
	e := &exchange{Client: c, ctx: bounded, request: request, response: response, progress: progress}
	size, err := e.run()
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	return size, err
}

// exchange is one exchange on its way.
type exchange struct {
	*Client
	ctx      context.Context
	request  Request
	response Response
	progress func(Progress)

	spoke    bool   // there was an answer
	failures int    // since something moved
	damaged  bool   // the request was sent anew from its beginning
	have     int64  // bytes of the response
	tag      string // of the response of which they are

	mostSent, mostTaken int64 // bytes
}

func (e *exchange) run() (int64, error) {
	for {
		err := e.attempt()
		if err == nil {
			return e.have, nil
		}
		if err := e.judge(err); err != nil {
			return 0, err
		}
	}
}

// attempt goes through the steps; each finds out for itself what is left to do.
func (e *exchange) attempt() error {
	offset, complete, err := e.offset()
	if err != nil {
		return err
	}
	if !complete {
		if err := e.send(offset); err != nil {
			return err
		}
	}
	header := http.Header{}
	if e.request.Code != "" {
		header.Set("Registration-Code", e.request.Code)
	}
	answer, err := e.call(e.ctx, http.MethodPost, "requests/"+e.request.Digest+"/answer", nil, header)
	if err != nil {
		return err
	}
	_ = answer.Body.Close()
	e.spoke = true
	for {
		again, err := e.receive()
		if err != nil || again == 0 {
			return err
		}
		e.progress(Progress{Phase: Waiting})
		if err := e.options.Wait(e.ctx, min(again, longest)); err != nil {
			return err
		}
	}
}

// moved notes that more bytes went one way than ever before.
func (e *exchange) moved(bytes int64, most *int64) {
	if bytes > *most {
		*most, e.failures = bytes, 0
	}
}

// judge decides whether the exchange goes on after an error, and pauses.
func (e *exchange) judge(err error) error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	if own = untrusted(err); own != nil {
		return own
	}
	var file *fileError
	if errors.As(err, &file) {
		return file.error
	}
	var answered *answerError
	pause := time.Duration(0)
	if errors.As(err, &answered) {
		e.spoke = true
		pause = answered.retryAfter
		switch {
		case answered.code == "request-damaged" && !e.damaged:
			e.damaged = true // somebody else's bytes may have been there
		case answered.final():
			return &Error{Kind: ErrRefused, Reason: answered.Error(), cause: err}
		case pause > longestWait:
			return &Error{Kind: ErrGaveUp, Reason: fmt.Sprintf("%s (to be tried again in %s)", answered.Error(), pause), cause: err}
		}
	}
	e.failures++
	kind := ErrGaveUp
	if !e.spoke {
		kind = ErrUnreachable
	}
	if e.failures >= e.options.Attempts || !e.spoke && e.failures >= min(beforeLost, e.options.Attempts) || e.ctx.Err() != nil {
		return &Error{Kind: kind, Reason: describe(err), cause: err}
	}
	if pause == 0 {
		pause = e.pause()
	}
	if waitErr := e.options.Wait(e.ctx, pause); waitErr != nil {
		return &Error{Kind: kind, Reason: describe(err), cause: errors.Join(err, waitErr)}
	}
	return nil
}

// pause doubles from attempt to attempt; half of it is left to chance, so that
// many satellites do not come back at once.
func (e *exchange) pause() time.Duration {
	pause := min(firstPause<<min(e.failures-1, 10), longest)
	return pause/2 + time.Duration(e.options.Random()*float64(pause/2))
}

// offset asks how much of the request is there.
func (e *exchange) offset() (offset int64, complete bool, err error) {
	answer, err := e.call(e.ctx, http.MethodHead, "requests/"+e.request.Digest, nil, nil)
	var answered *answerError
	if errors.As(err, &answered) && answered.status == http.StatusNotFound {
		e.spoke = true
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	_ = answer.Body.Close()
	e.spoke = true
	if answer.Header.Get("Upload-Complete") == "?1" {
		return e.request.Size, true, nil
	}
	offset, err = strconv.ParseInt(answer.Header.Get("Upload-Offset"), 10, 64)
	if err != nil || offset < 0 || offset >= e.request.Size {
		return 0, false, &Error{Kind: ErrRefused, Reason: "there is something at this address that is no upstream, or one of another version"}
	}
	e.moved(offset, &e.mostSent) // what was taken although its answer got lost
	return offset, false, nil
}

// send sends the pieces from offset on.
func (e *exchange) send(offset int64) error {
	for offset < e.request.Size {
		e.progress(Progress{Phase: Sending, Done: offset, Total: e.request.Size})
		piece := make([]byte, min(e.options.Piece, e.request.Size-offset))
		if _, err := e.request.File.ReadAt(piece, offset); err != nil {
			return &fileError{fmt.Errorf("read the request: %w", err)}
		}
		end := offset + int64(len(piece))
		header := http.Header{}
		header.Set("Content-Type", wire.RequestMediaType)
		header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", offset, end-1, e.request.Size))
		answer, err := e.call(e.ctx, http.MethodPut, "requests/"+e.request.Digest, piece, header)
		if err != nil {
			return err
		}
		_ = answer.Body.Close()
		e.spoke = true
		e.moved(end, &e.mostSent)
		offset = end
	}
	e.progress(Progress{Phase: Sending, Done: offset, Total: e.request.Size})
	return nil
}

// fileError is an error of the machine's own files, which no second try heals.
type fileError struct{ error }

// receive takes the response, or what is missing of it. It returns when to ask
// again where the response is still being made.
func (e *exchange) receive() (again time.Duration, err error) {
	header := http.Header{}
	if e.have > 0 && e.tag != "" {
		header.Set("Range", fmt.Sprintf("bytes=%d-", e.have))
		header.Set("If-Range", e.tag)
	}
	answer, err := e.call(e.ctx, http.MethodGet, "responses/"+e.request.Digest, nil, header)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, closed(answer.Body)) }()
	e.spoke = true
	total := answer.ContentLength
	switch answer.StatusCode {
	case http.StatusAccepted:
		return max(retryAfter(answer.Header, e.options.Now()), firstPause), nil
	case http.StatusPartialContent:
		if !strings.HasPrefix(answer.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", e.have)) {
			e.have = 0
			return 0, errors.New("the upstream sent another part of the response than it was asked for")
		}
		total += e.have
	case http.StatusOK:
		e.have, e.tag = 0, answer.Header.Get("ETag")
		if err := e.response.Truncate(0); err != nil {
			return 0, &fileError{err}
		}
	default:
		return 0, &answerError{status: answer.StatusCode, detail: fmt.Sprintf("it answered %s, which no upstream does", answer.Status)}
	}
	return 0, e.take(answer.Body, total)
}

// closed ignores what closing says: all that was wanted has been read.
func closed(body io.Closer) error {
	_ = body.Close()
	return nil
}

// take puts the body behind what is there. total is -1 where the upstream does
// not say it.
func (e *exchange) take(body io.Reader, total int64) error {
	buffer := make([]byte, 64<<10)
	for {
		n, readErr := body.Read(buffer)
		if e.have+int64(n) > e.options.Limit {
			return &Error{Kind: ErrRefused, Reason: fmt.Sprintf("it sends a response of more than %d bytes, which no response has", e.options.Limit)}
		}
		if n > 0 {
			if _, err := e.response.WriteAt(buffer[:n], e.have); err != nil {
				return &fileError{fmt.Errorf("keep the response: %w", err)}
			}
			e.have += int64(n)
			e.moved(e.have, &e.mostTaken)
			e.progress(Progress{Phase: Receiving, Done: e.have, Total: max(total, 0)})
		}
		switch {
		case errors.Is(readErr, io.EOF) && (total < 0 || e.have == total):
			return nil
		case errors.Is(readErr, io.EOF):
			return io.ErrUnexpectedEOF
		case readErr != nil:
			return readErr
		}
	}
}
