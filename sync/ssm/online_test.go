package ssm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"ssm/satellite/wire"
)

func TestARequestComesInPiecesAndItsAnswerGoesInParts(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	line := call(t, u)
	p := newPeer(t, c, u.keys.root, "s1", "ignored")
	file := p.request(wire.ScopeRegistration)
	digest, third := digestOf(t, file), len(file)/3
	if got := line.offset(digest); got != "none" {
		t.Errorf("before anything came: %s", got)
	}
	line.ask(digest, "x").expect(t, http.StatusNotFound, "request-unknown")
	if r := line.put(digest, file, 0, third); r.StatusCode != http.StatusNoContent || line.offset(digest) != fmt.Sprintf("%d?0", third) {
		t.Errorf("the first piece: %d, then %s", r.StatusCode, line.offset(digest))
	}
	line.ask(digest, "x").expect(t, http.StatusConflict, "request-incomplete")
	if r := line.put(digest, file, 2*third, len(file)); r.code() != "offset-wrong" || r.Header.Get("Upload-Offset") != fmt.Sprint(third) {
		t.Errorf("a gap: %d %s %s", r.StatusCode, r.body, r.Header)
	}
	// The same piece again, and one that overlaps.
	line.put(digest, file, 0, third)
	line.put(digest, file, third/2, 2*third)
	if got := line.offset(digest); got != fmt.Sprintf("%d?0", 2*third) {
		t.Errorf("after pieces that overlap: %s", got)
	}
	// One that breaks off is kept as far as it came.
	broken := io.MultiReader(bytes.NewReader(file[2*third:2*third+10]), iotest.ErrReader(io.ErrClosedPipe))
	if _, err := line.try(http.MethodPut, requestPath(digest), broken, "Content-Range", fmt.Sprintf("bytes %d-%d/%d", 2*third, len(file)-1, len(file))); err == nil {
		t.Error("a piece that broke off was answered")
	}
	line.put(digest, file, 2*third, len(file))
	if got := line.offset(digest); got != fmt.Sprintf("%d?1", len(file)) {
		t.Errorf("at the end: %s", got)
	}
	line.put(digest, file[:len(file)-1], 0, 10).expect(t, http.StatusUnprocessableEntity, "refused", "was said to have")

	r := line.ask(digest, registrationCode(t, u, "V", 0))
	if r.StatusCode != http.StatusOK || r.Header.Get("Content-Type") != wire.ResponseMediaType {
		t.Fatalf("the answer: %d %s", r.StatusCode, r.body)
	}
	if got := p.apply(r.body); got.Account.VirtualAccount != "V" {
		t.Errorf("the code's virtual account is not the answer's: %+v", got.Account)
	}
	part := line.do(http.MethodGet, "/sync/v1/responses/"+digest, nil, "Range", "bytes=100-", "If-Range", r.Header.Get("ETag"))
	if part.StatusCode != http.StatusPartialContent || !bytes.Equal(part.body, r.body[100:]) {
		t.Errorf("a part of it: %d, %d bytes", part.StatusCode, len(part.body))
	}
	if got := line.offset(digest); got != "?1" {
		t.Errorf("a request that was answered is at %s", got)
	}
	if files, err := os.ReadDir(line.portal.door.uploads.dir); err != nil || len(files) != 0 {
		t.Errorf("%d uploads are left (%v)", len(files), err)
	}
	// The very same bytes as by file.
	again, err := u.answerBytes(t.Context(), file, AnswerOptions{})
	if err != nil || !again.Repeated || !bytes.Equal(again.Body, r.body) {
		t.Errorf("by file it is another answer: %v %v", again.Repeated, err)
	}
}

func TestARegistrationOnlineTakesACodeOnce(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	line := call(t, u)
	code := registrationCode(t, u, "V", 0)
	first := newPeer(t, c, u.keys.root, "s1", "V")
	file := first.request(wire.ScopeRegistration)
	line.exchange(file, "").expect(t, http.StatusUnprocessableEntity, "refused", "takes a registration code", "ssm account code")
	unknown := line.exchange(file, "AAAAA-BBBBB-CCCCC-DDDDD")
	unknown.expect(t, http.StatusUnprocessableEntity, "refused", "nothing was changed")
	before := state(t, u)
	if satellites, _ := u.Satellites(t.Context()); len(satellites) != 0 {
		t.Error("a wrong code bound a satellite")
	}
	// However it is typed.
	typed := strings.ToLower(strings.ReplaceAll(code, "-", " "))
	r := line.exchange(file, typed)
	if r.StatusCode != http.StatusOK {
		t.Fatalf("the right code: %s", r.body)
	}
	if state(t, u) == before {
		t.Error("nothing was bound")
	}
	// The answer got lost, once with the same request, once with a new one.
	if again := line.exchange(file, typed); !bytes.Equal(again.body, r.body) {
		t.Errorf("the same request again: %s", again.body)
	}
	if anew := line.exchange(first.request(wire.ScopeRegistration), code); anew.StatusCode != http.StatusOK {
		t.Errorf("the same account again: %s", anew.body)
	} else if got := first.apply(anew.body); got.Account.VirtualAccount != "V" {
		t.Errorf("it is bound to %+v", got.Account)
	}
	// Somebody else: used, expired and unknown read the same.
	second := newPeer(t, c, u.keys.root, "s2", "W")
	used := line.exchange(second.request(wire.ScopeRegistration), code)
	late := registrationCode(t, u, "W", 1)
	c.advance(day)
	expired := line.exchange(second.request(wire.ScopeRegistration), late)
	for name, r := range map[string]reaction{"used": used, "expired": expired} {
		if r.StatusCode != unknown.StatusCode || !bytes.Equal(r.body, unknown.body) {
			t.Errorf("a code that was %s reads %s", name, r.body)
		}
	}
	for _, why := range []string{"there is no such code", "it was used on", "it expired on"} {
		if !strings.Contains(line.log.String(), why) {
			t.Errorf("the log does not tell the operator: %s", why)
		}
	}
	if strings.Contains(line.log.String(), strings.ReplaceAll(code, "-", "")) || strings.Contains(line.log.String(), code) {
		t.Error("the log holds a code")
	}
	// The stolen identity of a satellite that is bound is no way in.
	thief := newPeer(t, c, u.keys.root, "s1", "V")
	thief.sequence = 50
	line.exchange(thief.request(wire.ScopeRegistration), "").expect(t, http.StatusUnprocessableEntity, "refused", "takes a registration code")
	line.exchange(thief.request(wire.ScopeRegistration), code).expect(t, http.StatusUnprocessableEntity, "refused", "not accepted")
	// Another satellite never gets the same virtual account, and its code is not lost.
	taken := registrationCode(t, u, "V", 1)
	line.exchange(second.request(wire.ScopeRegistration), taken).expect(t, http.StatusUnprocessableEntity, "refused", "two never share one")
	var open int64
	if err := u.store.reader.Model(&registrationCodeRow{}).Where("used_at IS NULL AND expires_at > ?", u.instant()).Count(&open).Error; err != nil || open != 1 {
		t.Errorf("%d codes are open (%v), want the one that could not be used", open, err)
	}
}

// exchangeOnline is one exchange over the network that must be answered.
func (p *peer) exchangeOnline(line *caller, code string, scope wire.Scope, records ...wire.Record) response {
	p.t.Helper()
	r := line.exchange(p.request(scope, records...), code)
	if r.StatusCode != http.StatusOK {
		p.t.Fatalf("a %s request was answered by %d %s", scope, r.StatusCode, r.body)
	}
	return p.apply(r.body)
}

// Law 9, over the network: no one is needed at the upstream for an account whose
// certificate has ended, and its name alone opens nothing.
func TestLaw9AnAccountWhoseCertificateHasEndedComesBackOnlineWithoutACode(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	line := call(t, u)
	code := registrationCode(t, u, "V", 0)
	p := newPeer(t, c, u.keys.root, "s1", "V")
	fresh := p.copied()
	p.exchangeOnline(line, code, wire.ScopeRegistration)
	p.exchangeOnline(line, "", wire.ScopeStandard, p.device(1), p.device(2))
	ended := p.request(wire.ScopeStandard)
	c.advance(3 * 365 * day)
	line.exchange(ended, "").expect(t, http.StatusUnprocessableEntity, "refused", "registration file")

	spare := registrationCode(t, u, "W", 0)
	before := state(t, u)
	stranger := newPeer(t, c, u.keys.root, "s1", "V")
	for _, number := range []int64{0, 50} {
		stranger.sequence = number
		file := stranger.request(wire.ScopeRegistration, stranger.device(9))
		line.exchange(file, "").expect(t, http.StatusUnprocessableEntity, "refused", "takes a registration code")
		line.exchange(file, code).expect(t, http.StatusUnprocessableEntity, "refused", "not accepted")
		line.exchange(file, spare).expect(t, http.StatusUnprocessableEntity, "refused", "stays there", "a registration code that is made for them")
	}
	if state(t, u) != before {
		t.Error("a stranger changed something")
	}

	r := p.exchangeOnline(line, "", wire.ScopeRegistration, p.everything()...)
	if r.Response.FullRequested || r.Account.VirtualAccount != "V" || r.StateDigest[wire.RecordDevice] != p.digests()[wire.RecordDevice] || len(r.recoveries) != 0 {
		t.Errorf("it came back to %+v, %+v", r.Account, r.Response)
	}
	p.exchangeOnline(line, "", wire.ScopeStandard, p.device(3))
	// Also from before its registration, with a low number and whatever code.
	r = fresh.exchangeOnline(line, "guess", wire.ScopeRegistration)
	if !r.Response.FullRequested || r.Response.Lineage != wire.LineageRestored {
		t.Errorf("from before its registration it was answered by %+v", r.Response)
	}
	if r = fresh.exchangeOnline(line, "", wire.ScopeFull); len(r.recoveries) != 3 {
		t.Errorf("recovered were %v", r.recoveries)
	}
	// Set up anew it takes a code: any other key is a stranger's.
	anew := newPeer(t, c, u.keys.root, "s1", "V")
	r = anew.exchangeOnline(line, registrationCode(t, u, "V", 0), wire.ScopeRegistration)
	if r.Sequence != 1 || r.Response.FullRequested || len(r.recoveries) != 3 {
		t.Errorf("set up anew it was answered by %+v", r.Response)
	}
	line.exchange(fresh.request(wire.ScopeRegistration), "").expect(t, http.StatusUnprocessableEntity, "refused", "takes a registration code")
	var open int64
	if err := u.store.reader.Model(&registrationCodeRow{}).Where("used_at IS NULL").Count(&open).Error; err != nil || open != 1 {
		t.Errorf("%d codes are open (%v), want the one that could not be used", open, err)
	}
}

// Whichever carrier comes first, a request has one answer.
func TestByFileAndOnlineComeTheSameBytes(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	line := call(t, u)
	p := newPeer(t, c, u.keys.root, "s1", "V")
	for i, scope := range []wire.Scope{wire.ScopeRegistration, wire.ScopeStandard, wire.ScopeFull, wire.ScopeFull} {
		var records []wire.Record
		switch i {
		case 1:
			records = []wire.Record{p.device(1), p.device(2), reportRecord(t, "{}")}
		case 2:
			records = p.everything()
		} // 3: a restored one, which is told what it lacks
		request := p.request(scope, records...)
		byFile := answer(t, u, request)
		c.advance(time.Hour)
		if online := line.exchange(request, ""); online.StatusCode != http.StatusOK || !bytes.Equal(online.body, byFile.Body) {
			t.Errorf("%d (%s): by file first, then online: %d %s", i, scope, online.StatusCode, online.code())
		}
		p.apply(byFile.Body)
		request = p.request(wire.ScopeStandard, p.usage("Default", "t", int64(i)))
		online := line.exchange(request, "")
		c.advance(time.Hour)
		if byFile := answer(t, u, request); !byFile.Repeated || online.StatusCode != http.StatusOK || !bytes.Equal(online.body, byFile.Body) {
			t.Errorf("%d: online first (%d), then by file: other bytes", i, online.StatusCode)
		}
		p.apply(online.body)
	}
}

func TestWrongCodesAreCountedByAddress(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	line := call(t, u)
	file := newPeer(t, c, u.keys.root, "s1", "V").request(wire.ScopeRegistration)
	for range maxFailures {
		line.exchange(file, "guess").expect(t, http.StatusUnprocessableEntity, "refused")
	}
	right := registrationCode(t, u, "V", 0)
	r := line.exchange(file, right)
	r.expect(t, http.StatusTooManyRequests, "too-many-codes", "quarter of an hour")
	if r.Header.Get("Retry-After") != "900" {
		t.Errorf("it says nothing of when: %v", r.Header)
	}
	c.advance(failureWindow + time.Second)
	if r := line.exchange(file, right); r.StatusCode != http.StatusOK {
		t.Errorf("later: %s", r.body)
	}
}

func TestADamagedRequestIsRefusedInTheWordsOfTheFileAndMayComeAgain(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	line := call(t, u)
	p := register(t, u, c, "s1", "V")
	file := p.request(wire.ScopeFull)
	digest := digestOf(t, file)
	before := state(t, u)
	damagedFile := bytes.Clone(file)
	damagedFile[len(file)/2] ^= 1
	line.put(digest, damagedFile, 0, len(file))
	r := line.ask(digest, "")
	_, err := u.answerBytes(t.Context(), damagedFile, AnswerOptions{})
	var told struct{ Detail string }
	if jsonErr := json.Unmarshal(r.body, &told); jsonErr != nil || err == nil || told.Detail != err.Error() {
		t.Errorf("online it reads %q (%v), by file %q", told.Detail, jsonErr, err)
	}
	r.expect(t, http.StatusUnprocessableEntity, "request-damaged")
	// A genuine request under the name of another one.
	other := strings.Repeat("ab", 32)
	line.put(other, file, 0, len(file))
	line.ask(other, "").expect(t, http.StatusUnprocessableEntity, "request-damaged", digest)
	// One that differs in its signature alone has the same name.
	stranger := openUpstream(t, c)
	line.exchange(register(t, stranger, c, "s1", "V").request(wire.ScopeFull), "").expect(t, http.StatusUnprocessableEntity, "refused")
	if state(t, u) != before {
		t.Error("something was changed")
	}
	if got := line.offset(digest); got != "none" {
		t.Errorf("the damaged upload is still there: %s", got)
	}
	if r := line.exchange(file, ""); r.StatusCode != http.StatusOK {
		t.Errorf("sent again: %s", r.body)
	}
}

func TestUploadsAreBounded(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	line := call(t, u)
	limits := &line.portal.door.uploads.limits
	limits.perAddress, limits.inAll, limits.bytes = 2, 3, 1000
	name := func(n int) string { return fmt.Sprintf("%064x", n) }
	file := make([]byte, 100)
	put := func(n int) reaction { return line.put(name(n), file, 0, 50) }
	put(1)
	put(2)
	full := put(3)
	full.expect(t, http.StatusTooManyRequests, "uploads-full")
	if full.Header.Get("Retry-After") == "" {
		t.Error("it says nothing of when")
	}
	put(2) // goes on
	c.advance(limits.idle / 2)
	put(1)
	c.advance(limits.idle/2 + time.Second)
	// The one that lies idle makes room, the other does not.
	if r := put(3); r.StatusCode != http.StatusNoContent {
		t.Errorf("one lies idle: %s", r.body)
	}
	if line.offset(name(1)) != "50?0" || line.offset(name(2)) != "none" {
		t.Errorf("1 is at %s, 2 at %s", line.offset(name(1)), line.offset(name(2)))
	}
	limits.perAddress = 10
	for _, foreign := range []int{4, 5} {
		if err := line.portal.door.uploads.begin(t.Context(), name(foreign), 1, "192.0.2.1"); foreign == 5 && err == nil {
			t.Error("more uploads than in all")
		}
	}
	limits.inAll = 10
	line.put(name(6), make([]byte, 900), 0, 1).expect(t, http.StatusTooManyRequests, "uploads-full")
	// What a restart finds: old ones are gone, and files that belong to nothing.
	if err := os.WriteFile(line.portal.door.uploads.path(name(9)), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c.advance(limits.life - limits.idle)
	again := call(t, u)
	if line.offset(name(1)) != "none" || line.offset(name(3)) != "50?0" {
		t.Errorf("after a day: %s, %s", again.offset(name(1)), again.offset(name(3)))
	}
	if files, _ := os.ReadDir(again.portal.door.uploads.dir); len(files) != 1 {
		t.Errorf("%d files are left", len(files))
	}
}

func TestWhatIsNoPieceIsRefused(t *testing.T) {
	t.Parallel()
	u := openUpstream(t, newClock())
	line := call(t, u)
	good := strings.Repeat("0f", 32)
	for _, c := range []struct {
		name, method, path, contentRange, code string
		status                                 int
	}{
		{"no range", "PUT", requestPath(good), "", "range-invalid", 400},
		{"a backward range", "PUT", requestPath(good), "bytes 5-4/10", "range-invalid", 400},
		{"one behind the end", "PUT", requestPath(good), "bytes 0-3/3", "range-invalid", 400},
		{"another length", "PUT", requestPath(good), "bytes 0-1/10", "range-invalid", 400},
		{"a huge number", "PUT", requestPath(good), "bytes 0-3/99999999999999999999", "range-invalid", 400},
		{"a huge file", "PUT", requestPath(good), fmt.Sprintf("bytes 0-3/%d", int64(wire.MaxContainer)+1), "too-large", 413},
		{"a huge piece", "PUT", requestPath(good), fmt.Sprintf("bytes 0-%d/%d", maxPiece, maxPiece+1), "too-large", 413},
		{"a path", "PUT", "/sync/v1/requests/..%2f..%2fkey", "bytes 0-3/4", "digest-invalid", 400},
		{"an upper-case digest", "PUT", requestPath(strings.ToUpper(good)), "bytes 0-3/4", "digest-invalid", 400},
		{"a short digest", "PUT", requestPath("00"), "bytes 0-3/4", "digest-invalid", 400},
		{"another path", "GET", "/sync/v1/secrets", "", "path-not-found", 404},
		{"no response", "GET", "/sync/v1/responses/" + good, "", "response-unknown", 404},
	} {
		r := line.do(c.method, c.path, strings.NewReader("data"), "Content-Range", c.contentRange)
		if r.StatusCode != c.status || r.code() != c.code || r.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s", c.name, r.StatusCode, r.body)
		}
	}
	if files, _ := os.ReadDir(line.portal.door.uploads.dir); len(files) != 0 {
		t.Errorf("%d files were made", len(files))
	}
}

func TestAClientThatStallsIsCutOff(t *testing.T) {
	t.Parallel()
	u := openUpstream(t, newClock())
	line := call(t, u)
	line.portal.door.patience = 500 * time.Millisecond
	reader, writer := net.Pipe()
	defer writer.Close()
	go func() { _, _ = writer.Write([]byte("slow")) }()
	digest := strings.Repeat("0f", 32)
	r, err := line.try(http.MethodPut, requestPath(digest), reader, "Content-Range", "bytes 0-99/100")
	if err == nil && r.code() != "piece-incomplete" {
		t.Errorf("it was answered %d %s", r.StatusCode, r.body)
	}
	if got := line.offset(digest); got != "4?0" {
		t.Errorf("what came is %s", got)
	}
}

func TestAnAnswerThatIsBeingMadeIsWaitedForAndMadeOnce(t *testing.T) {
	t.Parallel()
	c := newClock()
	u := openUpstream(t, c)
	line := call(t, u)
	p := register(t, u, c, "s1", "V")
	file := p.request(wire.ScopeFull, p.device(1))
	digest := digestOf(t, file)
	line.put(digest, file, 0, len(file))
	// While one answer is made, others wait for their turn.
	line.portal.door.answers.turn <- struct{}{}
	if r := line.do(http.MethodPost, requestPath(digest)+"/answer", nil); r.StatusCode != http.StatusAccepted || r.Header.Get("Location") != "/sync/v1/responses/"+digest {
		t.Errorf("it was begun: %d %s", r.StatusCode, r.body)
	}
	for range 3 {
		if r := line.do(http.MethodGet, "/sync/v1/responses/"+digest, nil); r.StatusCode != http.StatusAccepted || r.Header.Get("Retry-After") == "" {
			t.Errorf("while it is made: %d %s", r.StatusCode, r.body)
		}
		if r := line.do(http.MethodPost, requestPath(digest)+"/answer", nil); r.StatusCode != http.StatusAccepted {
			t.Errorf("once more: %d %s", r.StatusCode, r.body)
		}
	}
	<-line.portal.door.answers.turn
	line.portal.Wait()
	r := line.do(http.MethodGet, "/sync/v1/responses/"+digest, nil)
	if r.StatusCode != http.StatusOK || p.apply(r.body).Response.FullRequested {
		t.Errorf("then: %d %s", r.StatusCode, r.body)
	}
	satellites, err := u.Satellites(t.Context())
	if err != nil || satellites[0].Sequence != p.base || satellites[0].Devices != 1 || satellites[0].KeySHA256 == "" {
		t.Errorf("the satellite is %+v (%v)", satellites, err)
	}
}
