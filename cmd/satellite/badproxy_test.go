package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"time"

	"ssm/certs"
	"ssm/sync/ssm"
)

// badProxy stands before the upstream and drops, delays, repeats and cuts what
// goes through, at points that its seed decides.
type badProxy struct {
	server *httptest.Server
	issuer []byte // PEM
	client *http.Client
	base   string

	mu     sync.Mutex
	random *mathrand.Rand
	bad    bool
	faults map[string]int
	onCall func(n int) // with the number of the call since it was set
	calls  int
	zeros  int // bytes that come instead of a response
}

func (w *onlineWorld) newBadProxy(to ssm.Ready, seed uint64) *badProxy {
	w.Helper()
	trusted, err := os.ReadFile(to.CAFile)
	w.must(err)
	bundle, err := certs.DecodePEM(trusted)
	w.must(err)
	p := &badProxy{base: to.URL, random: mathrand.New(mathrand.NewPCG(seed, 2)), faults: map[string]int{}}
	p.client = &http.Client{Transport: &http.Transport{TLSClientConfig: certs.ClientConfig(bundle, w.clock.now)}}
	identity, err := certs.LoadServer(w.TempDir(), w.keys, []string{"127.0.0.1"}, w.clock.now)
	w.must(err)
	certificate, err := identity.GetCertificate(nil)
	w.must(err)
	p.issuer = certs.EncodePEM(identity.Issuer()...)
	p.server = httptest.NewUnstartedServer(p)
	p.server.TLS = certs.ServerConfig(identity)
	p.server.TLS.Certificates = []tls.Certificate{*certificate}
	p.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	p.server.StartTLS()
	w.Cleanup(func() {
		p.server.Close()
		p.client.CloseIdleConnections()
	})
	return p
}

// set makes it good or bad.
func (p *badProxy) set(bad bool, onCall func(int)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bad, p.onCall, p.calls = bad, onCall, 0
}

// fault draws what happens to a call, and where.
func (p *badProxy) fault() (name string, at float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls++
	if p.onCall != nil {
		p.onCall(p.calls)
	}
	if !p.bad || p.random.IntN(100) < 55 {
		return "", 0
	}
	names := []string{"drop", "lose", "delay", "twice", "cut the request", "cut the response", "fail", "throttle"}
	name = names[p.random.IntN(len(names))]
	p.faults[name]++
	return name, p.random.Float64()
}

func (p *badProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	fault, at := p.fault()
	switch fault {
	case "drop":
		panic(http.ErrAbortHandler)
	case "lose":
		_, _ = p.forward(r, body, len(body))
		panic(http.ErrAbortHandler)
	case "delay":
		<-time.After(time.Duration(at * float64(20*time.Millisecond)))
	case "twice":
		_, _ = p.forward(r, body, len(body))
	case "cut the request":
		_, _ = p.forward(r, body, int(at*float64(len(body))))
		panic(http.ErrAbortHandler)
	case "fail":
		w.WriteHeader(http.StatusBadGateway)
		return
	case "throttle":
		w.Header().Set("Retry-After", "3")
		w.WriteHeader(http.StatusTooManyRequests)
		return
	}
	answered, err := p.forward(r, body, len(body))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if r.Method == http.MethodGet && p.zeros > 0 {
		_, _ = w.Write(make([]byte, p.zeros))
		return
	}
	for name, values := range answered.header {
		w.Header()[name] = values
	}
	w.WriteHeader(answered.status)
	if fault == "cut the response" {
		_, _ = w.Write(answered.content[:int(at*float64(len(answered.content)))])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(answered.content)
}

// forwarded is an answer of the upstream that was read to its end.
type forwarded struct {
	status  int
	header  http.Header
	content []byte
}

// forward sends the first n bytes of a body that was announced as a whole.
func (p *badProxy) forward(r *http.Request, body []byte, n int) (forwarded, error) {
	request, err := http.NewRequestWithContext(context.WithoutCancel(r.Context()), r.Method, p.base+r.URL.Path, bytes.NewReader(body[:n]))
	if err != nil {
		return forwarded{}, err
	}
	request.Header, request.ContentLength = r.Header.Clone(), int64(len(body))
	if len(body) == 0 {
		request.Body = nil
	}
	response, err := p.client.Do(request)
	if err != nil {
		return forwarded{}, err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	return forwarded{response.StatusCode, response.Header, content}, err
}
