package upstream

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"ssm/certs"
)

var begin = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func now() time.Time { return begin }

// keeper is an upstream as far as a carrier knows one: it keeps what comes and
// answers with the request backwards.
type keeper struct {
	*httptest.Server
	issuer []byte // PEM

	mu      sync.Mutex
	got     []byte
	asked   int // how often the answer was begun
	calls   []string
	code    string
	before  func(n int, w http.ResponseWriter, r *http.Request) bool // true: it has answered
	answers func(w http.ResponseWriter, r *http.Request)             // instead of the response
}

func serverIdentity(t *testing.T, at func() time.Time, names ...string) *certs.Server {
	t.Helper()
	folder := t.TempDir()
	keys, err := certs.LoadKeyFile(filepath.Join(folder, "key"))
	if err != nil {
		t.Fatal(err)
	}
	identity, err := certs.LoadServer(folder, keys, names, at)
	if err != nil {
		t.Fatal(err)
	}
	return identity
}

func newKeeper(t *testing.T, names ...string) *keeper {
	t.Helper()
	if len(names) == 0 {
		names = []string{"127.0.0.1"}
	}
	k := &keeper{}
	identity := serverIdentity(t, now, names...)
	k.issuer = certs.EncodePEM(identity.Issuer()...)
	k.Server = httptest.NewUnstartedServer(http.HandlerFunc(k.serve))
	certificate, err := identity.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	k.TLS = certs.ServerConfig(identity)
	k.TLS.Certificates = []tls.Certificate{*certificate} // httptest would add its own
	k.Config.ErrorLog = log.New(io.Discard, "", 0)
	k.StartTLS()
	t.Cleanup(k.Close)
	return k
}

func (k *keeper) serve(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	k.calls = append(k.calls, r.Method)
	n, before := len(k.calls), k.before
	k.mu.Unlock()
	if before != nil && before(n, w, r) {
		return
	}
	k.handle(w, r)
}

func (k *keeper) handle(w http.ResponseWriter, r *http.Request) {
	piece, err := io.ReadAll(r.Body)
	k.mu.Lock()
	defer k.mu.Unlock()
	switch r.Method {
	case http.MethodHead:
		if len(k.got) == 0 {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Upload-Offset", strconv.Itoa(len(k.got)))
		w.Header().Set("Upload-Complete", map[bool]string{true: "?1", false: "?0"}[len(k.got) == len(document)])
		w.WriteHeader(http.StatusNoContent)
	case http.MethodPut:
		var start int
		_, scanErr := fmt.Sscanf(r.Header.Get("Content-Range"), "bytes %d-", &start)
		if scanErr == nil && start <= len(k.got) && start+len(piece) > len(k.got) {
			k.got = append(k.got, piece[len(k.got)-start:]...)
		}
		if err == nil {
			w.WriteHeader(http.StatusNoContent)
		}
	case http.MethodPost:
		k.asked++
		k.code = r.Header.Get("Registration-Code")
		w.WriteHeader(http.StatusAccepted)
	case http.MethodGet:
		if k.answers != nil {
			k.answers(w, r)
			return
		}
		w.Header().Set("ETag", `"1"`)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(backwards(k.got)))
	}
}

func backwards(text []byte) []byte {
	turned := bytes.Clone(text)
	for i, b := range text {
		turned[len(text)-1-i] = b
	}
	return turned
}

// document is what goes up in all tests.
var document = bytes.Repeat([]byte("0123456789abcdef"), 1000)

const digest = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"

// options do not wait, and note what they should have waited.
func options(k *keeper, waited *[]time.Duration) Options {
	return Options{URL: k.URL, CA: k.issuer, Proxy: Direct, UserAgent: "satellite-test", Now: now, Random: func() float64 { return 0.5 },
		Piece: 5000, Patience: 10 * time.Second,
		Wait: func(ctx context.Context, d time.Duration) error {
			if waited != nil {
				*waited = append(*waited, d)
			}
			return ctx.Err()
		}}
}

func exchangeWith(t *testing.T, o Options, progress ...func(Progress)) ([]byte, error) {
	t.Helper()
	client, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	file, err := os.Create(filepath.Join(t.TempDir(), "response"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	tell := func(Progress) {}
	if len(progress) > 0 {
		tell = progress[0]
	}
	size, err := client.Exchange(t.Context(), Request{Digest: digest, File: bytes.NewReader(document), Size: int64(len(document)), Code: "CODE"}, file, tell)
	if err != nil {
		return nil, err
	}
	content, readErr := os.ReadFile(file.Name())
	if readErr != nil || int64(len(content)) != size {
		t.Fatalf("the response has %d bytes, the file %d (%v)", size, len(content), readErr)
	}
	return content, nil
}
