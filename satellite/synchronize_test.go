package satellite_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"ssm/satellite"
	"ssm/satellite/wire"
)

// lineToUpstream brings documents to the upstream of a world without a network,
// unless a story says otherwise.
type lineToUpstream struct {
	tb       testing.TB
	up       *upstream
	seen     satellite.UpstreamSettings
	codes    []string
	change   func(*wire.Manifest)                     // of the response, before it is signed
	exchange func(context.Context, int) (bool, error) // with the number of the exchange; true: it is not brought
	calls    int
}

func (l *lineToUpstream) Check(u satellite.UpstreamSettings) error {
	if strings.HasPrefix(u.URL, "https://") {
		return nil
	}
	return errors.New("the address has to begin with https")
}

func (l *lineToUpstream) Exchange(ctx context.Context, u satellite.UpstreamSettings, r satellite.UpstreamRequest, response satellite.ResponseFile, progress func(satellite.SyncProgress)) (int64, error) {
	l.seen, l.codes = u, append(l.codes, r.Code)
	l.calls++
	progress(satellite.SyncProgress{Phase: satellite.SyncSending, Total: r.Size})
	if l.exchange != nil {
		if instead, err := l.exchange(ctx, l.calls); instead || err != nil {
			return 0, err
		}
	}
	request, err := io.ReadAll(io.NewSectionReader(r.File, 0, r.Size))
	if err != nil {
		return 0, err
	}
	answer := l.up.answer(l.tb, request, l.change)
	progress(satellite.SyncProgress{Phase: satellite.SyncReceiving, Done: int64(len(answer))})
	_, err = response.WriteAt(answer, 0)
	return int64(len(answer)), err
}

// onlineWorld is a world with an upstream that is set and trusted.
func onlineWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.online.tb = t
	w.trust()
	_, err := w.service.SetUpstream(w.ctx, admin, satellite.UpstreamSettings{
		URL: "https://upstream.example", CA: []byte("the CA"), Proxy: []byte("http://clerk:proxy-secret@proxy.example:3128"), ClientCertificate: []byte("shown"), ClientKey: []byte("client-key-secret"),
	})
	w.must(err)
	return w
}

// settle synchronizes and returns the phases that it went through.
func (w *world) settle(options satellite.SyncOptions) (result satellite.SyncResult, phases []satellite.SyncPhase, err error) {
	w.Helper()
	result, err = w.service.Synchronize(w.ctx, admin, w.account.ID, options, func(p satellite.SyncProgress) {
		if len(phases) == 0 || phases[len(phases)-1] != p.Phase {
			phases = append(phases, p.Phase)
		}
	})
	return result, phases, err
}

func (w *world) history() []satellite.SyncExchange {
	w.Helper()
	list, err := w.service.SyncHistory(w.ctx, admin, w.account.ID, satellite.Page{})
	w.must(err)
	return list
}

func TestAnAccountRegistersAndSettlesOverTheNetwork(t *testing.T) {
	t.Parallel()
	w := onlineWorld(t)
	w.up.lots[w.external(w.account)] = []lot{{tag: "base", quantity: 7}}
	result, phases, err := w.settle(satellite.SyncOptions{Code: "abcde-12345"})
	if err != nil || !result.Registered || result.Lots != 1 {
		t.Fatalf("it did %+v (%v)", result, err)
	}
	if want := []satellite.SyncPhase{satellite.SyncPreparing, satellite.SyncSending, satellite.SyncReceiving, satellite.SyncApplying}; !slices.Equal(phases, want) {
		t.Errorf("it went through %v", phases)
	}
	if string(w.online.seen.ClientKey) != "client-key-secret" || string(w.online.seen.Proxy) != "http://clerk:proxy-secret@proxy.example:3128" {
		t.Errorf("the carrier got the settings %+v", w.online.seen)
	}
	// A code goes with a registration and with nothing else.
	_, _, err = w.settle(satellite.SyncOptions{Code: "abcde-12345", Full: true})
	w.must(err)
	if m := w.up.manifest; m.Request.Scope != wire.ScopeFull || !slices.Equal(w.online.codes, []string{"abcde-12345", ""}) {
		t.Errorf("the second request was %s, the codes were %q", m.Request.Scope, w.online.codes)
	}
	w.sync(w.account, false)
	history := w.history()
	if len(history) != 3 {
		t.Fatalf("the history has %d rows", len(history))
	}
	first, file := history[2], history[0]
	if first.Carrier != satellite.CarrierOnline || first.Outcome != satellite.ExchangeApplied || first.Scope != wire.ScopeRegistration || first.Sequence != 1 ||
		first.Sent == 0 || first.Received == 0 || first.By != "local:0" || first.StartedAt.IsZero() || first.EndedAt.IsZero() {
		t.Errorf("the first one is told as %+v", first)
	}
	if file.Carrier != satellite.CarrierFile || file.Sent != 0 || file.Received == 0 || file.Scope != wire.ScopeStandard || file.Sequence != 3 {
		t.Errorf("the one by file is told as %+v", file)
	}
	if dump := w.dump(); strings.Contains(dump, "secret") || strings.Contains(dump, "abcde-12345") {
		t.Error("a secret stands in the database")
	}
	w.audit()
}

func TestAFullRequestFollowsAtOnceWhereTheUpstreamAsksForIt(t *testing.T) {
	t.Parallel()
	w := onlineWorld(t)
	_, _, err := w.settle(satellite.SyncOptions{Code: "A"})
	w.must(err)
	asks := 1
	w.online.change = func(m *wire.Manifest) {
		if asks > 0 {
			asks--
			m.Response.FullRequested, m.Response.Reason = true, "after this request the device records here are not those of the satellite."
			m.Response.Lineage = wire.LineageDuplicated
		}
	}
	result, phases, err := w.settle(satellite.SyncOptions{})
	if err != nil || result.FullRequested || result.Sequence != 3 || result.Lineage != wire.LineageDuplicated || w.up.manifest.Request.Scope != wire.ScopeFull || len(phases) != 8 {
		t.Errorf("it ended with %+v by %v (%v)", result, phases, err)
	}
	if h := w.history(); h[1].Outcome != satellite.ExchangeFullRequested || !strings.Contains(h[1].Reason, "device records") || h[0].Outcome != satellite.ExchangeApplied {
		t.Errorf("the history is %+v", h)
	}
	// A registration that is answered by the demand for everything is one all the same.
	early := onlineWorld(t)
	early.online.change = func(m *wire.Manifest) { m.Response.FullRequested = m.Sequence == 1 }
	if result, _, err := early.settle(satellite.SyncOptions{Code: "A"}); err != nil || !result.Registered || result.FullRequested || result.Sequence != 2 {
		t.Errorf("the registration ended with %+v (%v)", result, err)
	}
	// One that asks for ever is asked no third time.
	asks, w.online.calls = 100, 0
	result, _, err = w.settle(satellite.SyncOptions{})
	if err != nil || !result.FullRequested || w.online.calls != 2 {
		t.Errorf("it ended with %+v after %d exchanges (%v)", result, w.online.calls, err)
	}
}

func TestWhatStandsInTheWayIsToldBeforeARequestIsMade(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.online.tb = t
	w.unchanged("a refused beginning", func() {
		_, _, err := w.settle(satellite.SyncOptions{Code: "A"})
		refused(t, err, satellite.KindConflict, "upstream-unset", "satellite upstream set", "No request was made")
		_, err = w.service.SetUpstream(w.ctx, admin, satellite.UpstreamSettings{URL: "http://upstream.example"})
		refused(t, err, satellite.KindInvalid, "upstream-invalid", "https")
		_, err = w.service.SetUpstream(w.ctx, admin, satellite.UpstreamSettings{URL: "https://upstream.example", CA: make([]byte, 1<<20)})
		refused(t, err, satellite.KindInvalid, "upstream-invalid", "262144")
	})
	operator := satellite.Actor{Name: "operator", Role: satellite.RoleSystemOperator}
	_, err := w.service.SetUpstream(w.ctx, operator, satellite.UpstreamSettings{URL: "https://upstream.example"})
	refused(t, err, satellite.KindForbidden, "role-insufficient")
	_, err = w.service.Upstream(w.ctx, operator)
	refused(t, err, satellite.KindForbidden, "role-insufficient")
	refused(t, w.service.UnsetUpstream(w.ctx, operator), satellite.KindForbidden, "role-insufficient")

	settings := satellite.UpstreamSettings{URL: "https://upstream.example", Proxy: []byte("http://clerk:secret@proxy.example"), ClientKey: []byte("key")}
	shown, err := w.service.SetUpstream(w.ctx, admin, settings)
	if err != nil || len(shown.ClientKey) != 0 || string(shown.Proxy) != "http://clerk:xxxxx@proxy.example" || shown.SetBy != "local:0" {
		t.Errorf("it is shown as %+v (%v)", shown, err)
	}
	if again, err := w.service.Upstream(w.ctx, admin); err != nil || again.URL != settings.URL || len(again.ClientKey) != 0 || bytes.Contains(again.Proxy, []byte("secret")) {
		t.Errorf("it is shown as %+v (%v)", again, err)
	}
	w.unchanged("a beginning without a code", func() {
		_, _, err := w.settle(satellite.SyncOptions{})
		refused(t, err, satellite.KindConflict, "registration-code-missing", "ssm account code")
		_, _, err = w.settle(satellite.SyncOptions{Code: "A\r\nHost: elsewhere"})
		refused(t, err, satellite.KindInvalid, "registration-code-invalid")
		_, err = w.service.Synchronize(w.ctx, w.viewer(), w.account.ID, satellite.SyncOptions{}, nil)
		refused(t, err, satellite.KindForbidden, "role-insufficient")
	})
	w.must(w.service.UnsetUpstream(w.ctx, admin))
	w.unchanged("unsetting what is not set", func() { w.must(w.service.UnsetUpstream(w.ctx, admin)) })
	if w.online.calls != 0 {
		t.Error("something was sent")
	}
}

func TestAFailedExchangeChangesNoLicenseAndStandsInTheHistory(t *testing.T) {
	t.Parallel()
	w := onlineWorld(t)
	w.up.lots[w.external(w.account)] = []lot{{tag: "base", quantity: 7}}
	_, _, err := w.settle(satellite.SyncOptions{Code: "A"})
	w.must(err)
	w.up.lots[w.external(w.account)] = []lot{{tag: "base", quantity: 9}}
	var failure error
	w.online.exchange = func(context.Context, int) (bool, error) { return true, failure }
	for _, c := range []struct {
		failure satellite.UpstreamError
		kind    satellite.Kind
		code    string
		words   []string
	}{
		{satellite.UpstreamError{Failure: satellite.UpstreamUnreachable, Reason: "connection refused"}, satellite.KindUnavailable, "upstream-unreachable", []string{"connection refused", "satellite upstream show"}},
		{satellite.UpstreamError{Failure: satellite.UpstreamUntrusted, Reason: "unknown authority", Fingerprint: "AA:BB", Issuer: "CN=Somebody"}, satellite.KindConflict, "upstream-untrusted", []string{"AA:BB", "CN=Somebody", "Nothing was sent"}},
		{satellite.UpstreamError{Failure: satellite.UpstreamRefused, Reason: "there is no such account; nothing was changed"}, satellite.KindConflict, "upstream-refused", []string{"request 4", "there is no such account; nothing was changed."}},
		{satellite.UpstreamError{Failure: satellite.UpstreamGaveUp, Reason: "it answered 500"}, satellite.KindUnavailable, "upstream-gave-up", []string{"it answered 500", "Try again"}},
	} {
		failure = &c.failure
		_, _, err := w.settle(satellite.SyncOptions{})
		refused(t, err, c.kind, c.code, c.words...)
		if h := w.history()[0]; h.Outcome != satellite.ExchangeFailed || h.Reason == "" || !strings.Contains(err.Error(), h.Reason) || h.Sent == 0 {
			t.Errorf("%s stands in the history as %+v", c.code, h)
		}
	}
	// A response that is none.
	w.online.exchange = nil
	w.online.change = func(m *wire.Manifest) { m.SatelliteID = "elsewhere" }
	_, _, err = w.settle(satellite.SyncOptions{})
	refused(t, err, satellite.KindConflict, "response-foreign")
	// Who goes away interrupts it.
	ctx, cancel := context.WithCancel(w.ctx)
	w.online.exchange = func(ctx context.Context, _ int) (bool, error) { cancel(); return true, ctx.Err() }
	if _, err := w.service.Synchronize(ctx, admin, w.account.ID, satellite.SyncOptions{}, func(satellite.SyncProgress) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted, it ended with %v", err)
	}
	if h := w.history()[0]; h.Outcome != satellite.ExchangeFailed || !strings.Contains(h.Reason, "interrupted") {
		t.Errorf("it stands in the history as %+v", h)
	}
	if p := w.pool("base"); p.Purchased != 7 {
		t.Errorf("there are %d licenses", p.Purchased)
	}
	w.online.exchange, w.online.change = nil, nil
	_, _, err = w.settle(satellite.SyncOptions{})
	w.must(err)
	if p := w.pool("base"); p.Purchased != 9 {
		t.Errorf("after the next one there are %d licenses", p.Purchased)
	}
	w.audit()
}

func TestAnAccountIsSynchronizedOnceAtATime(t *testing.T) {
	t.Parallel()
	w := onlineWorld(t)
	other := w.newAccount(satellite.NewAccount{Name: "Other", Email: "admin@other.example"})
	began, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan error)
	w.online.exchange = func(_ context.Context, n int) (bool, error) {
		if n == 1 {
			close(began)
			<-goOn
		}
		return false, nil
	}
	go func() {
		_, err := w.service.Synchronize(w.ctx, admin, w.account.ID, satellite.SyncOptions{Code: "A"}, func(satellite.SyncProgress) {})
		ended <- err
	}()
	<-began
	w.unchanged("a second one", func() {
		_, _, err := w.settle(satellite.SyncOptions{Code: "A"})
		refused(t, err, satellite.KindConflict, "sync-running", "Nothing was begun")
	})
	// Another account does not wait, nor does a file.
	_, err := w.service.Synchronize(w.ctx, admin, other.ID, satellite.SyncOptions{Code: "A"}, func(satellite.SyncProgress) {})
	w.must(err)
	w.request(w.account, false)
	close(goOn)
	w.must(<-ended)
	_, _, err = w.settle(satellite.SyncOptions{})
	w.must(err)
}
