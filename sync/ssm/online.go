package ssm

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"ssm/satellite/wire"
)

// The door for satellites. A request is named by its digest, and so is its
// response; every call may be repeated.
const (
	syncPath   = "/sync/v1/"
	codeHeader = "Registration-Code"
)

// Bounds of the door.
const (
	maxPiece   = 64 << 20         // bytes in one PUT
	maxCalls   = 64               // at a time
	stall      = 30 * time.Second // in which a client takes or sends stallBytes
	stallBytes = 64 << 10
	retrySoon  = "1"  // seconds until a response is asked for again
	retryLater = "30" // seconds, where there is no room now
)

// door takes requests of satellites over the network and gives them their
// responses. It runs the very same code as the exchange by file.
type door struct {
	u        *Upstream
	log      *slog.Logger
	uploads  *uploads
	failures *failures // registration codes that were not accepted
	answers  *answers
	calls    chan struct{}
	patience time.Duration
	http.Handler
}

// newDoor opens the door; answers that are being made when ctx ends are given up.
func newDoor(ctx context.Context, u *Upstream, log *slog.Logger) (*door, error) {
	d := &door{u: u, log: log, failures: newFailures(u.now), calls: make(chan struct{}, maxCalls), patience: stall}
	var err error
	if d.uploads, err = newUploads(ctx, u); err != nil {
		return nil, err
	}
	d.answers = newAnswers(ctx, d)
	routes := http.NewServeMux()
	for pattern, do := range map[string]action{
		"HEAD /sync/v1/requests/{digest}":        d.offset,
		"PUT /sync/v1/requests/{digest}":         d.upload,
		"POST /sync/v1/requests/{digest}/answer": d.answer,
		"GET /sync/v1/responses/{digest}":        d.response,
	} {
		routes.HandleFunc(pattern, d.open(do))
	}
	routes.HandleFunc(syncPath, d.open(func(http.ResponseWriter, *http.Request) error {
		return problem{status: http.StatusNotFound, code: "path-not-found", detail: "there is nothing at this address"}
	}))
	d.Handler = routes
	return d, nil
}

// problem is an error in the form of RFC 9457.
type problem struct {
	status       int
	code, detail string
	retry        string // seconds; "" for none
}

func (p problem) Error() string { return p.detail }

// open bounds a call and writes its error.
func (d *door) open(do action) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		select {
		case d.calls <- struct{}{}:
			defer func() { <-d.calls }()
		default:
			d.fail(w, r, problem{status: http.StatusServiceUnavailable, code: "busy", detail: "too many satellites speak at once; nothing was changed: try again later", retry: retryLater})
			return
		}
		if digest := r.PathValue("digest"); digest != "" && !isDigest(digest) {
			d.fail(w, r, problem{status: http.StatusBadRequest, code: "digest-invalid", detail: "a request is named by its digest: 64 hexadecimal digits in lower case"})
			return
		}
		if err := do(w, r); err != nil {
			d.fail(w, r, err)
		}
	}
}

// problemOf is what a caller is told of an error.
func (d *door) problemOf(ctx context.Context, err error) problem {
	var own problem
	var tooLarge *http.MaxBytesError
	status, code := http.StatusUnprocessableEntity, "refused"
	switch {
	case errors.As(err, &own):
		return own
	case errors.Is(err, errUploads):
		return problem{status: http.StatusTooManyRequests, code: "uploads-full", detail: "too many requests are on their way here and unfinished; nothing was changed: try again later", retry: retryLater}
	case errors.Is(err, errNoUpload):
		return problem{status: http.StatusNotFound, code: "request-unknown", detail: "nothing of this request is here, or not any more: send it again"}
	case errors.Is(err, errOffset):
		return problem{status: http.StatusConflict, code: "offset-wrong", detail: err.Error()}
	case errors.As(err, &tooLarge), errors.Is(err, wire.ErrTooLarge):
		status, code = http.StatusRequestEntityTooLarge, "too-large"
	case damaged(err):
		code = "request-damaged"
	}
	if message := told(err); message != "" {
		return problem{status: status, code: code, detail: message}
	}
	d.log.ErrorContext(ctx, "exchange with a satellite", "error", err)
	return problem{status: http.StatusInternalServerError, code: "internal", detail: "something failed inside the upstream, whose log says what; nothing was changed: try again later"}
}

// damaged tells a file that is not as it was written: sent again, it may be whole.
func damaged(err error) bool {
	return errors.Is(err, wire.ErrMalformed) || errors.Is(err, wire.ErrAltered) || errors.Is(err, wire.ErrSignature)
}

func (d *door) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := d.problemOf(r.Context(), err)
	if p.retry != "" {
		w.Header().Set("Retry-After", p.retry)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.status)
	if r.Method == http.MethodHead {
		return
	}
	// A reader that left needs no answer.
	_ = json.NewEncoder(w).Encode(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Code   string `json:"code"`
		Detail string `json:"detail"`
	}{"about:blank", http.StatusText(p.status), p.status, p.code, p.detail})
}

// offset tells how much of a request is here; one that was answered is whole.
func (d *door) offset(w http.ResponseWriter, r *http.Request) error {
	digest := r.PathValue("digest")
	made, err := d.u.hasAnswered(r.Context(), digest)
	if err != nil {
		return err
	}
	if made {
		w.Header().Set("Upload-Complete", "?1")
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	offset, size, err := d.uploads.find(r.Context(), digest)
	if err != nil {
		return err
	}
	tellOffset(w, offset, size)
	return nil
}

func tellOffset(w http.ResponseWriter, offset, size int64) {
	complete := "?0"
	if offset == size {
		complete = "?1"
	}
	w.Header().Set("Upload-Offset", strconv.FormatInt(offset, 10))
	w.Header().Set("Upload-Complete", complete)
	w.WriteHeader(http.StatusNoContent)
}

// upload takes a piece of a request.
func (d *door) upload(w http.ResponseWriter, r *http.Request) error {
	start, length, size, err := contentRange(r)
	if err != nil {
		return err
	}
	digest := r.PathValue("digest")
	if err := d.uploads.begin(r.Context(), digest, size, address(r)); err != nil {
		return err
	}
	guard := d.guard(http.NewResponseController(w).SetReadDeadline)
	defer guard.stop()
	// One byte more than was announced would be an error of the server's reader.
	piece := guard.reader(http.MaxBytesReader(w, r.Body, length))
	offset, err := d.uploads.put(digest, start, piece)
	if errors.Is(err, errOffset) {
		w.Header().Set("Upload-Offset", strconv.FormatInt(offset, 10))
	}
	if err != nil && told(err) == "" && !errors.Is(err, errOffset) {
		// The connection broke off, or was too slow: what came is kept.
		return problem{status: http.StatusBadRequest, code: "piece-incomplete", detail: "the piece broke off; what came of it is kept: go on behind it"}
	}
	if err != nil {
		return err
	}
	tellOffset(w, offset, size)
	return nil
}

// answer starts to answer a request that is here as a whole, unless that was done.
func (d *door) answer(w http.ResponseWriter, r *http.Request) error {
	digest, code := r.PathValue("digest"), r.Header.Get(codeHeader)
	made, err := d.u.hasAnswered(r.Context(), digest)
	if err != nil {
		return err
	}
	if !made {
		if code != "" && !d.failures.mayTry(address(r)) {
			return problem{status: http.StatusTooManyRequests, code: "too-many-codes", retry: strconv.Itoa(int(failureWindow.Seconds())),
				detail: "too many registration codes that are not accepted came from your address; nothing was changed: try again in a quarter of an hour"}
		}
		offset, size, err := d.uploads.find(r.Context(), digest)
		if err != nil {
			return err
		}
		if offset != size {
			return problem{status: http.StatusConflict, code: "request-incomplete", detail: "only a part of the request is here: send the rest of it first"}
		}
		if err := d.answers.start(digest, size, code, address(r)); err != nil {
			return err
		}
	}
	w.Header().Set("Location", syncPath+"responses/"+digest)
	w.WriteHeader(http.StatusAccepted)
	return nil
}

// response gives the response, once it is made.
func (d *door) response(w http.ResponseWriter, r *http.Request) error {
	digest := r.PathValue("digest")
	running, err := d.answers.outcome(digest)
	if err != nil {
		return err
	}
	if running {
		w.Header().Set("Retry-After", retrySoon)
		w.WriteHeader(http.StatusAccepted)
		return nil
	}
	return d.serveAnswer(w, r, digest)
}

// answers are those that are being made, and the errors of those that could not be.
type answers struct {
	d      *door
	ctx    context.Context
	turn   chan struct{} // one is made at a time: there is one writer to the database
	wait   sync.WaitGroup
	mu     sync.Mutex
	byName map[string]*making
}

// making is one answer on its way.
type making struct {
	running bool
	err     error
}

// Bounds of answers: those that wait for their turn, and outcomes that are remembered.
const (
	maxMaking   = 64
	maxOutcomes = 1000
)

func newAnswers(ctx context.Context, d *door) *answers {
	return &answers{d: d, ctx: ctx, turn: make(chan struct{}, 1), byName: map[string]*making{}}
}

// start makes the answer to an upload in the background, unless somebody does.
// One that failed is tried again: what was in its way may be gone.
func (a *answers) start(digest string, size int64, code, from string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if m := a.byName[digest]; m != nil && m.running {
		return nil
	}
	running := 0
	for name, m := range a.byName {
		if m.running {
			running++
		} else if len(a.byName) >= maxOutcomes {
			delete(a.byName, name) // it is asked for again
		}
	}
	if running >= maxMaking {
		return problem{status: http.StatusServiceUnavailable, code: "busy", detail: "too many requests wait for their answer; nothing was changed: try again later", retry: retryLater}
	}
	m := &making{running: true}
	a.byName[digest] = m
	a.wait.Go(func() {
		err := a.make(digest, size, code, from)
		a.mu.Lock()
		defer a.mu.Unlock()
		if m.running, m.err = false, err; err == nil {
			delete(a.byName, digest) // the database has it
		}
	})
	return nil
}

// outcome tells whether an answer is being made, or why it could not be.
func (a *answers) outcome(digest string) (running bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	m := a.byName[digest]
	if m == nil {
		return false, nil
	}
	return m.running, m.err
}

func (a *answers) make(digest string, size int64, code, from string) error {
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-a.ctx.Done():
		return a.ctx.Err()
	}
	d := a.d
	err := d.answerUpload(a.ctx, digest, size, code)
	var refused *errCode
	if errors.As(err, &refused) {
		d.failures.add(from)
		d.log.WarnContext(a.ctx, "a registration code was not accepted", "why", refused.why, "address", from, "request", digest)
	}
	if err == nil || told(err) != "" {
		// What is refused has to be sent anew: the bytes may be those of somebody
		// who only knew the name.
		return errors.Join(err, d.uploads.drop(a.ctx, digest))
	}
	return err
}
