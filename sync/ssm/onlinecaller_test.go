package ssm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"ssm/satellite/wire"
)

// caller is a satellite's connection to the door, as far as a test needs one.
type caller struct {
	t      *testing.T
	client *http.Client
	base   string
	portal *Portal
	log    *lockedBuffer
}

// lockedBuffer is a log that several may write.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func call(t *testing.T, u *Upstream) *caller {
	t.Helper()
	c := &caller{t: t, log: &lockedBuffer{}}
	portal, err := NewPortal(t.Context(), u, slog.New(slog.NewTextHandler(c.log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(portal)
	t.Cleanup(portal.Wait)
	t.Cleanup(server.Close)
	c.client, c.base, c.portal = server.Client(), server.URL, portal
	return c
}

type reaction struct {
	*http.Response
	body []byte
}

func (r reaction) code() string {
	var p struct {
		Code string `json:"code"`
	}
	_ = json.Unmarshal(r.body, &p)
	return p.Code
}

func (c *caller) do(method, path string, body io.Reader, headers ...string) reaction {
	c.t.Helper()
	r, err := c.try(method, path, body, headers...)
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

func (c *caller) try(method, path string, body io.Reader, headers ...string) (reaction, error) {
	request, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, body)
	if err != nil {
		return reaction{}, err
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := c.client.Do(request)
	if err != nil {
		return reaction{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return reaction{response, text}, err
}

func requestPath(digest string) string { return "/sync/v1/requests/" + digest }

// put sends the bytes from start up to end.
func (c *caller) put(digest string, file []byte, start, end int) reaction {
	c.t.Helper()
	return c.do(http.MethodPut, requestPath(digest), bytes.NewReader(file[start:end]), "Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, end-1, len(file)))
}

func (c *caller) offset(digest string) string {
	c.t.Helper()
	r := c.do(http.MethodHead, requestPath(digest), nil)
	if r.StatusCode == http.StatusNotFound {
		return "none"
	}
	return r.Header.Get("Upload-Offset") + r.Header.Get("Upload-Complete")
}

// exchange sends a whole request and waits for what comes of it.
func (c *caller) exchange(file []byte, code string) reaction {
	c.t.Helper()
	digest := digestOf(c.t, file)
	if r := c.put(digest, file, 0, len(file)); r.StatusCode != http.StatusNoContent {
		return r
	}
	return c.ask(digest, code)
}

func (c *caller) ask(digest, code string) reaction {
	c.t.Helper()
	headers := []string{}
	if code != "" {
		headers = []string{codeHeader, code}
	}
	if r := c.do(http.MethodPost, requestPath(digest)+"/answer", nil, headers...); r.StatusCode != http.StatusAccepted {
		return r
	}
	c.portal.Wait()
	return c.do(http.MethodGet, "/sync/v1/responses/"+digest, nil)
}

func digestOf(t *testing.T, file []byte) string {
	t.Helper()
	container, err := wire.OpenContainer(bytes.NewReader(file), int64(len(file)), func(wire.Manifest, [][]byte) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	return container.Digest
}

func registrationCode(t *testing.T, u *Upstream, virtual string, days int) string {
	t.Helper()
	code, err := u.CreateRegistrationCode(t.Context(), "example gmbh", virtual, days)
	if err != nil {
		t.Fatal(err)
	}
	return code.Code
}

// expect judges status and code of a problem, and that it says what was left as it was.
func (r reaction) expect(t *testing.T, status int, code string, words ...string) {
	t.Helper()
	if r.StatusCode != status || r.code() != code {
		t.Errorf("got %d %q, want %d %q: %s", r.StatusCode, r.code(), status, code, r.body)
	}
	for _, word := range words {
		if !bytes.Contains(r.body, []byte(word)) {
			t.Errorf("it does not say %q: %s", word, r.body)
		}
	}
}
