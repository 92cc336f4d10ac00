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
