package agent

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"ssm/certs"
	"ssm/satellite/wire"
)

const (
	transportPath = "/SmartTransport"
	contentType   = "application/json"
	postTimeout   = 30 * time.Second // of one attempt, from dialing to the last byte
)

// transportURL is the address that messages go to: the satellite's device URL,
// as it is printed, with or without the path. ErrUsage.
func transportURL(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%w: %q is not the address of a satellite; give its device URL, as https://HOST:PORT", ErrUsage, printable(text))
	}
	if u.Scheme != "https" {
		return nil, fmt.Errorf("%w: %q does not begin with https; the token is not sent where everybody can read it", ErrUsage, printable(text))
	}
	path := strings.TrimRight(u.Path, "/")
	if !strings.HasSuffix(path, transportPath) {
		path += transportPath
	}
	u.Path, u.RawPath = path, ""
	return u, nil
}

// client carries messages to one satellite.
type client struct {
	url  string
	http *http.Client
	now  func() time.Time
	// earliest is a time that has certainly come, in Unix seconds; see learn.
	earliest atomic.Int64
}

func newClient(address *url.URL, bundle []*x509.Certificate, now func() time.Time) *client {
	c := &client{url: address.String(), now: now}
	c.http = &http.Client{
		Timeout: postTimeout,
		Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			TLSClientConfig:     certs.ClientConfig(bundle, c.time),
			TLSHandshakeTimeout: postTimeout,
		},
		// A signed question is for the address that the operator named.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

func (c *client) close() { c.http.CloseIdleConnections() }

func (c *client) time() time.Time {
	now := c.now()
	if earliest := time.Unix(c.earliest.Load(), 0); now.Before(earliest) {
		return earliest
	}
	return now
}

// learn moves the time for TLS forward to the begin of a server certificate
// that is said to lie in the future: a device with a dead clock battery starts
// in the past, and could otherwise never reach the satellite that would tell it
// the time. The certificate is then verified again, at that time; one that has
// expired is not helped by this. It reports whether the time was moved.
func (c *client) learn(err error) bool {
	var failed *tls.CertificateVerificationError
	if !errors.As(err, &failed) {
		return false
	}
	latest := c.time()
	for _, certificate := range failed.UnverifiedCertificates {
		if certificate.NotBefore.After(latest) {
			latest = certificate.NotBefore
		}
	}
	if !latest.After(c.time()) {
		return false
	}
	c.earliest.Store(latest.Unix())
	return true
}

// post sends a message and returns the body of the answer, at most
// wire.MaxMessage bytes, and the HTTP status. After an error of the connection
// it sends the very same bytes once more: the satellite knows them by their
// nonce. ErrConnection, and errNotSent as well where that is certain.
func (c *client) post(ctx context.Context, message []byte) (body []byte, status int, err error) {
	body, status, err = c.postOnce(ctx, message)
	sent := err != nil && !unsent(err)
	if err != nil && ctx.Err() == nil {
		c.learn(err)
		body, status, err = c.postOnce(ctx, message)
		sent = sent || !unsent(err)
	}
	switch {
	case err == nil:
		return body, status, nil
	case sent:
		err = fmt.Errorf("%w at %s: %w; whether it acted on the request is not known, repeating it does no harm", ErrConnection, c.url, err)
	default:
		err = fmt.Errorf("%w at %s: %w; %w: check the address, that the CA bundle is the one of this satellite, and the clock of this device", ErrConnection, c.url, err, errNotSent)
	}
	return nil, 0, err
}

// errNotSent is a message of which no byte has reached a satellite.
var errNotSent = errors.New("nothing was sent")

// unsent tells whether the connection failed before anything went over it.
func unsent(err error) bool {
	var untrusted *tls.CertificateVerificationError
	var network *net.OpError
	return errors.As(err, &untrusted) || errors.Is(err, certs.ErrChain) || errors.As(err, &network) && network.Op == "dial"
}

func (c *client) postOnce(ctx context.Context, message []byte) ([]byte, int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(message))
	if err != nil {
		return nil, 0, err
	}
	request.Header.Set("Content-Type", contentType)
	response, err := c.http.Do(request)
	if err != nil {
		// Without the address, which post names.
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return nil, 0, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, wire.MaxMessage+1))
	return body, response.StatusCode, err
}
