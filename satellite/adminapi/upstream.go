package adminapi

import (
	"context"
	"time"

	"ssm/satellite"
)

// Root is a licensing root that is trusted.
type Root struct {
	Fingerprint string    `json:"fingerprint" doc:"SHA-256, as OpenSSL prints it."`
	Name        string    `json:"name"`
	NotAfter    time.Time `json:"not_after"`
	TrustedAt   time.Time `json:"trusted_at"`
}

func rootOf(r satellite.Root) Root {
	return Root{Fingerprint: r.Fingerprint, Name: r.Name, NotAfter: r.NotAfter.UTC(), TrustedAt: r.TrustedAt.UTC()}
}

func (a *api) listRoots(ctx context.Context, _ *struct{}) (*output[List[Root]], error) {
	roots, err := a.service.Roots(ctx)
	return answer(whole(roots, rootOf), err)
}

// maxRoots bounds a file of roots: a root has about one kilobyte.
const maxRoots = 1 << 20

func (a *api) trustRoots(ctx context.Context, in *struct{ upload }) (*output[List[Root]], error) {
	text, err := in.read(maxRoots)
	if err != nil {
		return nil, err
	}
	roots, err := a.service.TrustRoots(ctx, actor(ctx), text)
	return answer(whole(roots, rootOf), err)
}

// NewUpstream is how the upstream is to be reached.
type NewUpstream struct {
	URL               string `json:"url" minLength:"1" maxLength:"1024" doc:"Its address, over HTTPS."`
	CA                string `json:"ca,omitempty" doc:"PEM of what vouches for its TLS certificate; left out: what the system of the satellite trusts."`
	Proxy             string `json:"proxy,omitempty" maxLength:"1024" doc:"Address of an HTTP proxy, which may hold user and password; direct for none; left out: that of the satellite's environment. Kept sealed."`
	ClientCertificate string `json:"client_certificate,omitempty" doc:"PEM, for an upstream that asks for one."`
	ClientKey         string `json:"client_key,omitempty" doc:"PEM, not encrypted. Kept sealed, never shown."`
}

// Upstream is how the upstream is reached.
type Upstream struct {
	URL               string     `json:"url" doc:"Empty where none is set: exchanges go by file."`
	CA                string     `json:"ca" doc:"PEM; empty: what the system trusts."`
	Proxy             string     `json:"proxy" doc:"Without its password."`
	ClientCertificate string     `json:"client_certificate" doc:"PEM."`
	SetAt             *time.Time `json:"set_at"`
	SetBy             string     `json:"set_by"`
}

func upstreamOf(u satellite.UpstreamSettings) Upstream {
	return Upstream{
		URL: u.URL, CA: string(u.CA), Proxy: string(u.Proxy), ClientCertificate: string(u.ClientCertificate), SetAt: instant(u.SetAt), SetBy: u.SetBy,
	}
}

func (a *api) getUpstream(ctx context.Context, _ *struct{}) (*output[Upstream], error) {
	settings, err := a.service.Upstream(ctx, actor(ctx))
	return answer(upstreamOf(settings), err)
}

func (a *api) setUpstream(ctx context.Context, in *struct{ Body NewUpstream }) (*output[Upstream], error) {
	settings, err := a.service.SetUpstream(ctx, actor(ctx), satellite.UpstreamSettings{
		URL: in.Body.URL, CA: []byte(in.Body.CA), Proxy: []byte(in.Body.Proxy),
		ClientCertificate: []byte(in.Body.ClientCertificate), ClientKey: []byte(in.Body.ClientKey),
	})
	return answer(upstreamOf(settings), err)
}

func (a *api) unsetUpstream(ctx context.Context, _ *struct{}) (*struct{}, error) {
	return nil, a.service.UnsetUpstream(ctx, actor(ctx))
}
