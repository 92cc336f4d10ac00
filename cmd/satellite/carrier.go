package main

import (
	"context"
	"errors"
	"time"

	"ssm/satellite"
	"ssm/sync/upstream"
)

// carrier lets the domain use the carrier by network.
type carrier struct {
	now    func() time.Time
	random func() float64
	change func(*upstream.Options) // of a test; nil
}

var _ satellite.Upstream = carrier{}

func (c carrier) client(u satellite.UpstreamSettings) (*upstream.Client, error) {
	options := upstream.Options{
		URL: u.URL, CA: u.CA, Proxy: string(u.Proxy), ClientCertificate: u.ClientCertificate, ClientKey: u.ClientKey,
		UserAgent: "satellite/" + version, Now: c.now, Random: c.random,
	}
	if c.change != nil {
		c.change(&options)
	}
	return upstream.New(options)
}

// Check implements satellite.Upstream.
func (c carrier) Check(u satellite.UpstreamSettings) error {
	client, err := c.client(u)
	if err == nil {
		client.Close()
	}
	return err
}

// failures are the words of the domain for the errors of the carrier.
var failures = map[error]satellite.UpstreamFailure{
	upstream.ErrUnreachable: satellite.UpstreamUnreachable, upstream.ErrUntrusted: satellite.UpstreamUntrusted,
	upstream.ErrRefused: satellite.UpstreamRefused, upstream.ErrGaveUp: satellite.UpstreamGaveUp,
}

// Exchange implements satellite.Upstream. Each exchange has connections of its
// own, so that new settings hold from the next one on.
func (c carrier) Exchange(ctx context.Context, u satellite.UpstreamSettings, r satellite.UpstreamRequest, response satellite.ResponseFile, progress func(satellite.SyncProgress)) (int64, error) {
	client, err := c.client(u)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	request := upstream.Request{Digest: r.Digest, File: r.File, Size: r.Size, Code: r.Code}
	size, err := client.Exchange(ctx, request, response, func(p upstream.Progress) {
		progress(satellite.SyncProgress{Phase: satellite.SyncPhase(p.Phase), Done: p.Done, Total: p.Total})
	})
	var failed *upstream.Error
	if errors.As(err, &failed) {
		return 0, &satellite.UpstreamError{Failure: failures[failed.Kind], Reason: failed.Reason, Fingerprint: failed.Fingerprint, Issuer: failed.Issuer}
	}
	return size, err
}
