package web_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ssm/satellite/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lines is a log that a server may write while the test reads.
type lines struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.String()
}

// running is a server over real TLS on a free port.
type running struct {
	address string
	client  *http.Client
	stop    context.CancelFunc
	ended   chan error
	log     *lines
}

func start(t *testing.T, server web.Server, handler http.HandlerFunc) *running {
	t.Helper()
	certified := httptest.NewTLSServer(nil) // for its certificate and a client that trusts it
	t.Cleanup(certified.Close)
	listener, err := server.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &running{address: listener.Addr().String(), client: certified.Client(), stop: stop, ended: make(chan error, 1), log: new(lines)}
	config := &tls.Config{Certificates: certified.TLS.Certificates, MinVersion: tls.VersionTLS12}
	r.client.Transport.(*http.Transport).ForceAttemptHTTP2 = true
	log := slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	go func() { r.ended <- server.Serve(ctx, listener, handler, config, log) }()
	t.Cleanup(func() {
		r.client.CloseIdleConnections()
		stop()
	})
	return r
}

// get returns a body and the major version of HTTP that brought it.
func (r *running) get(t *testing.T, path string) (body string, version int) {
	t.Helper()
	response, err := r.client.Get("https://" + r.address + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), response.ProtoMajor
}

func TestAServerSpeaksHTTP2AndEndsWithItsContext(t *testing.T) {
	t.Parallel()
	r := start(t, web.Server{}, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })
	if body, version := r.get(t, "/"); body != "hello" || version != 2 {
		t.Errorf("%q over HTTP/%d", body, version)
	}
	r.client.CloseIdleConnections()
	r.stop()
	if err := <-r.ended; err != nil {
		t.Errorf("a wanted end is an error: %v", err)
	}
	if conn, err := net.Dial("tcp", r.address); err == nil {
		conn.Close()
		t.Error("the port is still open")
	}
}

func TestARequestUnderWayIsFinishedAtTheShutdown(t *testing.T) {
	t.Parallel()
	entered, hold := make(chan struct{}), make(chan struct{})
	r := start(t, web.Server{}, func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-hold
		fmt.Fprint(w, "done, ", r.Context().Err())
	})
	answers := make(chan string, 1)
	go func() {
		response, err := r.client.Get("https://" + r.address)
		if err != nil {
			answers <- err.Error()
			return
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		answers <- fmt.Sprint(string(body), " ", err)
	}()
	<-entered
	r.stop()
	waitClosed(t, r.address)
	close(hold)
	if answer := <-answers; answer != "done, <nil> <nil>" {
		t.Errorf("the request under way got %q", answer)
	}
	r.client.CloseIdleConnections()
	if err := <-r.ended; err != nil {
		t.Error(err)
	}
}

// waitClosed returns once nobody listens any more.
func waitClosed(t *testing.T, address string) {
	t.Helper()
	for {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		conn.Close()
	}
}

func TestHalfOpenConnectionsAreClosedAndLeaveTheLogQuiet(t *testing.T) {
	t.Parallel()
	r := start(t, web.Server{HeaderTimeout: 200 * time.Millisecond}, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })
	silent := dial(t, r.address)
	garbage := dial(t, r.address)
	fmt.Fprint(garbage, "\x00\x01 this is no TLS at all")
	secured := tls.Client(dial(t, r.address), &tls.Config{InsecureSkipVerify: true})
	if err := secured.Handshake(); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(secured, "GET / HTTP/1.1\r\nHost: slow") // and never the rest
	for _, conn := range []net.Conn{silent, garbage, secured} {
		_, _ = io.Copy(io.Discard, conn) // ends when the server closes, orderly or not; no deadline of our own helps it
	}
	if body, _ := r.get(t, "/"); body != "hello" {
		t.Errorf("others got %q", body)
	}
	r.client.CloseIdleConnections()
	r.stop()
	if err := <-r.ended; err != nil {
		t.Error(err)
	}
	if log := r.log.String(); !strings.Contains(log, "level=DEBUG msg=\"http: TLS handshake error") || strings.Contains(log, "level=WARN") || strings.Contains(log, "level=ERROR") {
		t.Errorf("the log: %s", log)
	}
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestConnectionsOverTheLimitWaitForRoom(t *testing.T) {
	t.Parallel()
	r := start(t, web.Server{MaxConnections: 2}, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })
	first, second := r.handshake(t), r.handshake(t)
	third := tls.Client(dial(t, r.address), &tls.Config{InsecureSkipVerify: true})
	done := make(chan error, 1)
	go func() { done <- third.Handshake() }()
	// The two inside are answered while the third is waiting.
	for _, conn := range []*tls.Conn{first, second} {
		fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
	}
	select {
	case err := <-done:
		t.Fatalf("the third came in beside two: %v", err)
	default:
	}
	first.Close()
	if err := <-done; err != nil {
		t.Errorf("with room, the third: %v", err)
	}
}

func (r *running) handshake(t *testing.T) *tls.Conn {
	t.Helper()
	conn := tls.Client(dial(t, r.address), &tls.Config{InsecureSkipVerify: true})
	if err := conn.Handshake(); err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestAHugeHeaderIsRefused(t *testing.T) {
	t.Parallel()
	r := start(t, web.Server{}, func(http.ResponseWriter, *http.Request) {})
	conn := r.handshake(t)
	go fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: x\r\nX-Long: %s\r\n\r\n", strings.Repeat("a", 64<<10))
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Error(response.Status)
	}
}

type socketKey struct{}

func TestTheConnectionItselfCanBeAskedWhoIsThere(t *testing.T) {
	t.Parallel()
	kind := func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, socketKey{}, fmt.Sprintf("%T", conn))
	}
	tell := func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Context().Value(socketKey{})) }
	secured := start(t, web.Server{ConnContext: kind}, tell)
	if body, _ := secured.get(t, "/"); body != "*net.TCPConn" {
		t.Errorf("below TLS: %s", body)
	}

	path := filepath.Join(t.TempDir(), "socket")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	local := web.Server{ConnContext: kind}
	go func() {
		ended <- local.Serve(ctx, listener, http.HandlerFunc(tell), nil, slog.New(slog.DiscardHandler))
	}()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}
	response, err := (&http.Client{Transport: transport}).Get("http://local/")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil || string(body) != "*net.UnixConn" {
		t.Errorf("on a socket: %s, %v", body, err)
	}
	transport.CloseIdleConnections()
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestAnAddressThatIsTakenIsNamed(t *testing.T) {
	t.Parallel()
	var server web.Server
	listener, err := server.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if _, err := server.Listen(listener.Addr().String()); err == nil || !strings.Contains(err.Error(), listener.Addr().String()) {
		t.Errorf("listening twice: %v", err)
	}
}

func TestAListenerThatBreaksEndsTheServerWithAnError(t *testing.T) {
	t.Parallel()
	var server web.Server
	listener, err := server.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	if err := server.Serve(t.Context(), listener, http.NotFoundHandler(), nil, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("it served on nothing")
	}
}
