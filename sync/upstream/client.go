// Package upstream is the carrier by network: it brings a sync request to the
// upstream and its response back, over HTTPS, with resumption and retry. What
// the documents say and who may sign them is not its business: the response is
// judged like one that was carried as a file.
package upstream

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"ssm/certs"
)

// Options say how the upstream is reached. Zero durations and counts take the
// defaults.
type Options struct {
	URL string // https://HOST[:PORT][/PATH]; "/sync/v1" is appended
	CA  []byte // PEM of what vouches for the upstream's TLS; nil takes the system's roots
	// Proxy is the URL of an HTTP proxy, "" the environment's, Direct none.
	Proxy string
	// ClientCertificate and ClientKey are PEM, for an upstream that asks for them.
	ClientCertificate, ClientKey []byte
	UserAgent                    string

	Now    func() time.Time // judges certificates
	Random func() float64   // 0 <= x < 1: the jitter
	// Wait waits, or returns the error of the context that ended; nil waits by the system's timer.
	Wait func(context.Context, time.Duration) error

	Total    time.Duration // of one exchange: 1 hour
	Patience time.Duration // without a byte in a call: 1 minute
	Attempts int           // one after the other without progress: 8
	Piece    int64         // bytes sent at once: 4 MiB
	Limit    int64         // bytes of a response: that of a document
}

// Direct is the Proxy of who wants none, whatever the environment says.
const Direct = "direct"

// path of the upstream's door, below its URL.
const path = "/sync/v1/"

// Client speaks to one upstream. It is safe for concurrent use.
type Client struct {
	options Options
	base    string
	http    *http.Client
}

// New prepares a client; it does not connect. The error says which of the
// options cannot work.
func New(o Options) (*Client, error) {
	base, err := checkURL(o.URL)
	if err != nil {
		return nil, err
	}
	config, err := tlsConfig(o)
	if err != nil {
		return nil, err
	}
	proxy, err := proxyOf(o.Proxy)
	if err != nil {
		return nil, err
	}
	o = o.defaults()
	transport := &http.Transport{
		Proxy: proxy, TLSClientConfig: config, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: o.Patience, MaxResponseHeaderBytes: 64 << 10, IdleConnTimeout: o.Patience,
		DisableCompression: true, // a compressed answer could be a bomb
	}
	return &Client{options: o, base: base, http: &http.Client{
		Transport: transport,
		// A redirect would carry a registration code to somebody else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Close closes the connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

func (o Options) defaults() Options {
	o.Total = cmp.Or(o.Total, time.Hour)
	o.Patience = cmp.Or(o.Patience, time.Minute)
	o.Attempts = cmp.Or(o.Attempts, 8)
	o.Piece = cmp.Or(o.Piece, 4<<20)
	o.Limit = cmp.Or(o.Limit, maxResponse)
	if o.Wait == nil {
		o.Wait = wait
	}
	return o
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func checkURL(text string) (string, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https":
		return "", fmt.Errorf("%w: the upstream's address has to be like https://HOST:PORT", ErrOptions)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || len(text) > 1024:
		return "", fmt.Errorf("%w: the upstream's address has a user, a query, a fragment, or more than 1,024 bytes", ErrOptions)
	}
	return strings.TrimSuffix(u.String(), "/"), nil
}

func proxyOf(text string) (func(*http.Request) (*url.URL, error), error) {
	switch text {
	case "":
		return http.ProxyFromEnvironment, nil
	case Direct:
		return nil, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || len(text) > 1024 {
		// Without the address: it may hold a password.
		return nil, fmt.Errorf("%w: the proxy's address has to be like http://HOST:PORT", ErrOptions)
	}
	return http.ProxyURL(u), nil
}

func tlsConfig(o Options) (*tls.Config, error) {
	var bundle []*x509.Certificate
	var err error
	if len(o.CA) > 0 {
		if bundle, err = certs.DecodePEM(o.CA); err != nil {
			return nil, fmt.Errorf("%w: the file of the CA: %v", ErrOptions, err)
		}
	}
	config := certs.ClientConfig(bundle, o.Now)
	if len(bundle) == 0 {
		config.RootCAs = nil // the system's
	}
	if len(o.ClientCertificate) == 0 && len(o.ClientKey) == 0 {
		return config, nil
	}
	pair, err := tls.X509KeyPair(o.ClientCertificate, o.ClientKey)
	if err != nil {
		return nil, fmt.Errorf("%w: the client certificate and its key: %v", ErrOptions, err)
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}

// call is one request to the upstream. Its context ends when nothing moves for
// the patience, or when the body is closed. A response that is no success is an
// *answerError.
func (c *Client) call(ctx context.Context, method, name string, body []byte, header http.Header) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	guard := time.AfterFunc(c.options.Patience, func() { cancel(errStalled) })
	alive := func() { guard.Reset(c.options.Patience) }
	end := func() { guard.Stop(); cancel(nil) }
	var reader io.Reader
	if body != nil {
		reader = watched{bytes.NewReader(body), alive}
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base+path+name, reader)
	if err != nil {
		end()
		return nil, err
	}
	request.ContentLength = int64(len(body))
	for key, values := range header {
		request.Header[key] = values
	}
	request.Header.Set("User-Agent", c.options.UserAgent)
	response, err := c.http.Do(request)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		end()
		return nil, err
	}
	response.Body = &watchedBody{watched: watched{response.Body, alive}, body: response.Body, end: end, ctx: ctx}
	if response.StatusCode >= 200 && response.StatusCode < 300 {
		return response, nil
	}
	defer func() { _ = response.Body.Close() }()
	return nil, readProblem(response, c.options.Now())
}

var errStalled = errors.New("nothing moved for too long")

// watched tells when something moves.
type watched struct {
	io.Reader
	alive func()
}

func (w watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if n > 0 {
		w.alive()
	}
	return n, err
}

// watchedBody ends the call when it is closed.
type watchedBody struct {
	watched
	body io.Closer
	end  func()
	ctx  context.Context
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.watched.Read(p)
	if err != nil && !errors.Is(err, io.EOF) && context.Cause(b.ctx) != nil {
		err = context.Cause(b.ctx)
	}
	return n, err
}

func (b *watchedBody) Close() error {
	err := b.body.Close()
	b.end()
	return err
}
