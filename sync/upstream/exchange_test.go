package upstream

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"ssm/certs"
)

func TestARequestGoesUpInPiecesAndItsResponseComesBack(t *testing.T) {
	t.Parallel()
	k := newKeeper(t)
	var seen []Progress
	got, err := exchangeWith(t, options(k, nil), func(p Progress) { seen = append(seen, p) })
	if err != nil || !bytes.Equal(got, backwards(document)) {
		t.Fatalf("it brought %d bytes (%v)", len(got), err)
	}
	if calls := strings.Join(k.calls, " "); calls != "HEAD PUT PUT PUT PUT POST GET" {
		t.Errorf("the calls were %s", calls)
	}
	if k.code != "CODE" {
		t.Errorf("the code was %q", k.code)
	}
	if seen[0] != (Progress{Sending, 0, 16000}) || seen[len(seen)-1] != (Progress{Receiving, 16000, 16000}) {
		t.Errorf("the progress was %v", seen)
	}
	// Again: all is there, nothing is sent.
	k.calls = nil
	if _, err := exchangeWith(t, options(k, nil)); err != nil {
		t.Fatal(err)
	}
	if calls := strings.Join(k.calls, " "); calls != "HEAD POST GET" {
		t.Errorf("the second time the calls were %s", calls)
	}
}

// cut breaks a connection off.
func cut() { panic(http.ErrAbortHandler) }

// partial lets a part of an answer through.
type partial struct {
	http.ResponseWriter
	left int
}

func (p *partial) Write(b []byte) (int, error) {
	n := min(p.left, len(b))
	p.left -= n
	if _, err := p.ResponseWriter.Write(b[:n]); err != nil {
		return 0, err
	}
	if p.left == 0 {
		_ = http.NewResponseController(p.ResponseWriter).Flush()
		cut()
	}
	return n, nil
}

func TestWhatBreaksOffIsResumed(t *testing.T) {
	t.Parallel()
	k := newKeeper(t)
	var waited []time.Duration
	var ranges []string
	k.before = func(n int, w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet {
			ranges = append(ranges, r.Header.Get("Range"))
		}
		switch n {
		case 1, 2: // no answer at all
			cut()
		case 4: // the first piece is kept, its answer lost
			k.handle(httptest.NewRecorder(), r)
			cut()
		case 6:
			w.WriteHeader(http.StatusBadGateway)
			return true
		case 10: // the answer was begun, and that is lost
			k.handle(httptest.NewRecorder(), r)
			cut()
		case 13:
			k.handle(&partial{w, 7000}, r)
			return true
		}
		return false
	}
	got, err := exchangeWith(t, options(k, &waited))
	if err != nil || !bytes.Equal(got, backwards(document)) {
		t.Fatalf("it brought %d bytes (%v) by %v", len(got), err, k.calls)
	}
	if want := []string{"", "bytes=7000-"}; fmt.Sprint(ranges) != fmt.Sprint(want) {
		t.Errorf("it asked for %q by %v", ranges, k.calls)
	}
	// 1, 2 and 4 s, three quarters of each, and from 1 s anew after progress.
	if len(waited) < 4 || waited[0] != 750*time.Millisecond || waited[1] != 1500*time.Millisecond || waited[2] != 3*time.Second || waited[3] != 750*time.Millisecond {
		t.Errorf("it waited %v", waited)
	}
}

func TestAnExchangeIsBounded(t *testing.T) {
	t.Parallel()
	answered := func(status int, headers ...string) func(int, http.ResponseWriter, *http.Request) bool {
		return func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			for i := 0; i < len(headers); i += 2 {
				w.Header().Set(headers[i], headers[i+1])
			}
			w.WriteHeader(status)
			if headers != nil {
				_, _ = io.WriteString(w, `{"code":"refused","detail":"there is no such account; nothing was changed"}`)
			}
			return true
		}
	}
	silent := func(_ int, _ http.ResponseWriter, r *http.Request) bool {
		<-r.Context().Done()
		return true
	}
	for _, c := range []struct {
		name   string
		before func(int, http.ResponseWriter, *http.Request) bool
		change func(*Options)
		kind   error
		reason string
		calls  int
	}{
		{"one that is always broken", answered(500), nil, ErrGaveUp, "500 Internal Server Error", 8},
		{"one that has no time", answered(429, "Retry-After", "7"), nil, ErrGaveUp, "429", 8},
		{"one that has no time today", answered(429, "Retry-After", "86400"), nil, ErrGaveUp, "24h0m0s", 1},
		{"one that refuses", answered(403), nil, ErrRefused, "403 Forbidden, without a reason", 1},
		{"one that refuses with a sentence", func(n int, w http.ResponseWriter, r *http.Request) bool {
			return r.Method == http.MethodPost && answered(422, "Content-Type", "application/problem+json")(n, w, r)
		}, nil, ErrRefused, "there is no such account; nothing was changed", 6},
		{"a web server that is no upstream", answered(404), nil, ErrRefused, "404 Not Found", 2},
		{"a redirect", answered(302, "Location", "https://elsewhere.example/"), nil, ErrRefused, "not followed", 1},
		{"something that answers anything", answered(200), nil, ErrRefused, "no upstream", 1},
		{"one that cuts everything", func(int, http.ResponseWriter, *http.Request) bool { cut(); return true }, nil, ErrUnreachable, "EOF", 3},
		{"one that never answers", silent, func(o *Options) { o.Patience = 500 * time.Millisecond }, ErrUnreachable, "nothing moved", 3},
		{"one that never comes to an end", func(_ int, w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodGet {
				w.WriteHeader(http.StatusAccepted)
			}
			return r.Method == http.MethodGet
		}, func(o *Options) { o.Total, o.Wait = 3*time.Second, nil }, ErrGaveUp, "time for it was over", 0},
		{"one that forgets what came", func(_ int, w http.ResponseWriter, r *http.Request) bool {
			switch r.Method {
			case http.MethodPost:
				return answered(409)(0, w, r)
			case http.MethodHead:
				w.WriteHeader(http.StatusNotFound)
				return true
			}
			return false
		}, nil, ErrGaveUp, "409", 0},
		{"one that sends without end", func(_ int, w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodGet {
				return false
			}
			for zeros := make([]byte, 64<<10); ; {
				if _, err := w.Write(zeros); err != nil {
					return true
				}
			}
		}, func(o *Options) { o.Limit = 1 << 20 }, ErrRefused, "more than 1048576 bytes", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			k := newKeeper(t)
			k.before = c.before
			var waited []time.Duration
			o := options(k, &waited)
			if c.change != nil {
				c.change(&o)
			}
			_, err := exchangeWith(t, o)
			var own *Error
			if !errors.As(err, &own) || !errors.Is(err, c.kind) || !strings.Contains(own.Reason, c.reason) {
				t.Fatalf("it ended with %v, want %v: %s", err, c.kind, c.reason)
			}
			k.mu.Lock()
			defer k.mu.Unlock()
			if c.calls != 0 && len(k.calls) != c.calls {
				t.Errorf("there were %d calls (%v), want %d", len(k.calls), k.calls, c.calls)
			}
			if c.reason == "429" && (len(waited) != 7 || waited[3] != 7*time.Second) {
				t.Errorf("it waited %v", waited)
			}
		})
	}
}

func TestADamagedRequestIsSentAnewOnce(t *testing.T) {
	t.Parallel()
	for _, heals := range []bool{true, false} {
		k := newKeeper(t)
		k.got = bytes.Repeat([]byte("x"), len(document)) // somebody was here
		k.answers = func(w http.ResponseWriter, r *http.Request) {
			if heals && bytes.Equal(k.got, document) {
				http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(backwards(k.got)))
				return
			}
			k.got = nil
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusUnprocessableEntity)
			_, _ = io.WriteString(w, `{"code":"request-damaged","detail":"it is damaged"}`)
		}
		got, err := exchangeWith(t, options(k, nil))
		if heals != (err == nil) || heals && !bytes.Equal(got, backwards(document)) || !heals && !errors.Is(err, ErrRefused) {
			t.Errorf("heals %v: %d bytes, %v by %v", heals, len(got), err, k.calls)
		}
	}
}

func TestOnlyATrustedUpstreamHearsAnything(t *testing.T) {
	t.Parallel()
	other := newKeeper(t)
	for _, c := range []struct {
		name   string
		keeper func(t *testing.T) *keeper
		change func(*Options)
		reason string
	}{
		{"another CA", func(t *testing.T) *keeper { return newKeeper(t) }, func(o *Options) { o.CA = other.issuer }, "unknown authority"},
		{"no CA, which is the system's", func(t *testing.T) *keeper { return newKeeper(t) }, func(o *Options) { o.CA = nil }, "certificate"},
		{"another host", func(t *testing.T) *keeper { return newKeeper(t, "elsewhere.example") }, nil, "127.0.0.1"},
		{"an expired certificate", func(t *testing.T) *keeper { return newKeeper(t) }, func(o *Options) { o.Now = func() time.Time { return begin.AddDate(5, 0, 0) } }, "expired"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			k := c.keeper(t)
			var waited []time.Duration
			o := options(k, &waited)
			if c.change != nil {
				c.change(&o)
			}
			_, err := exchangeWith(t, o)
			var own *Error
			if !errors.As(err, &own) || !errors.Is(err, ErrUntrusted) || !strings.Contains(own.Reason, c.reason) {
				t.Fatalf("it ended with %v", err)
			}
			if want := certs.Fingerprint(k.shown(t)); own.Fingerprint != want || !strings.Contains(own.Issuer, "Local TLS CA") {
				t.Errorf("the fingerprint seen is %q of %q, want %q", own.Fingerprint, own.Issuer, want)
			}
			if len(k.calls) != 0 || len(waited) != 0 {
				t.Errorf("it heard %v, and was tried again after %v", k.calls, waited)
			}
		})
	}
}

// shown is the certificate that the keeper shows.
func (k *keeper) shown(t *testing.T) *x509.Certificate {
	t.Helper()
	conn, err := tls.Dial("tcp", k.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0]
}

func TestAProxyIsTakenAndAClientCertificateShown(t *testing.T) {
	t.Parallel()
	k := newKeeper(t)
	identity := serverIdentity(t, now, "127.0.0.1")
	var shown int
	k.TLS.ClientAuth = tls.RequireAnyClientCert
	k.before = func(_ int, _ http.ResponseWriter, r *http.Request) bool {
		shown += len(r.TLS.PeerCertificates)
		return false
	}
	var asked []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.Host+" "+r.Header.Get("Proxy-Authorization"))
		there, err := net.Dial("tcp", r.Host)
		if err != nil {
			t.Error(err)
			return
		}
		defer there.Close()
		here, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer here.Close()
		_, _ = io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(there, here) }()
		_, _ = io.Copy(here, there)
	}))
	defer proxy.Close()
	o := options(k, nil)
	o.Proxy = strings.Replace(proxy.URL, "http://", "http://user:secret@", 1)
	if _, err := exchangeWith(t, o); !errors.Is(err, ErrUnreachable) {
		t.Errorf("without a client certificate: %v", err)
	}
	certificate, err := identity.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	o.ClientCertificate, o.ClientKey = certs.EncodePEM(certificate.Leaf), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})
	if _, err := exchangeWith(t, o); err != nil {
		t.Fatal(err)
	}
	if shown == 0 || len(asked) == 0 || !strings.HasPrefix(asked[0], "CONNECT "+k.Listener.Addr().String()+" Basic ") {
		t.Errorf("%d certificates were shown; the proxy was asked %q", shown, asked)
	}
	o.Proxy = "http://127.0.0.1:1"
	if _, err := exchangeWith(t, o); !errors.Is(err, ErrUnreachable) {
		t.Errorf("with a proxy that is not there: %v", err)
	}
}

func TestOptionsThatCannotWorkAreRefused(t *testing.T) {
	t.Parallel()
	good := Options{URL: "https://upstream.example:8444/licensing/", Now: now}
	if c, err := New(good); err != nil || c.base != "https://upstream.example:8444/licensing" {
		t.Errorf("a good one: %v", err)
	}
	for name, change := range map[string]func(*Options){
		"plain HTTP":         func(o *Options) { o.URL = "http://upstream.example" },
		"no host":            func(o *Options) { o.URL = "https://" },
		"a password":         func(o *Options) { o.URL = "https://me:secret@upstream.example" },
		"a query":            func(o *Options) { o.URL = "https://upstream.example/?a=b" },
		"a CA that is none":  func(o *Options) { o.CA = []byte("hello") },
		"a proxy of SOCKS":   func(o *Options) { o.Proxy = "socks5://me:secret@proxy.example" },
		"half a certificate": func(o *Options) { o.ClientCertificate = []byte("hello") },
	} {
		o := good
		change(&o)
		if _, err := New(o); !errors.Is(err, ErrOptions) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Two gigabytes of zeros go to the disk, not into the memory.
func TestAHugeResponseTakesNoMemory(t *testing.T) {
	t.Parallel()
	k := newKeeper(t)
	const size = 2 << 30
	k.answers = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(size))
		zeros := make([]byte, 1<<20)
		for range size / len(zeros) {
			if _, err := w.Write(zeros); err != nil {
				return
			}
		}
	}
	client, err := New(options(k, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var before, during runtime.MemStats
	runtime.ReadMemStats(&before)
	sink := &forgetful{}
	got, err := client.Exchange(t.Context(), Request{Digest: digest, File: bytes.NewReader(document), Size: int64(len(document))}, sink, func(p Progress) {
		if p.Done%(256<<20) < 64<<10 {
			runtime.ReadMemStats(&during)
			if during.HeapInuse > before.HeapInuse+64<<20 {
				t.Errorf("after %d bytes %d more are in use", p.Done, during.HeapInuse-before.HeapInuse)
			}
		}
	})
	if err != nil || got != size || sink.size != size {
		t.Errorf("it brought %d bytes, kept %d (%v)", got, sink.size, err)
	}
}

// forgetful is a file that keeps nothing.
type forgetful struct{ size int64 }

func (f *forgetful) WriteAt(p []byte, at int64) (int, error) {
	f.size = max(f.size, at+int64(len(p)))
	return len(p), nil
}

func (f *forgetful) Truncate(size int64) error { f.size = size; return nil }

func TestACanceledExchangeSaysSo(t *testing.T) {
	t.Parallel()
	k := newKeeper(t)
	ctx, cancel := context.WithCancel(t.Context())
	k.before = func(n int, _ http.ResponseWriter, r *http.Request) bool {
		if n == 3 {
			cancel()
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
			return true
		}
		return false
	}
	client, err := New(options(k, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	_, err = client.Exchange(ctx, Request{Digest: digest, File: bytes.NewReader(document), Size: int64(len(document))}, &forgetful{}, func(Progress) {})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
}
