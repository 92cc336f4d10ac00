package satellite

import (
	"context"
	"fmt"
	"net/url"
	"time"
)

// UpstreamSettings are how the upstream is reached over the network.
type UpstreamSettings struct {
	URL               string
	CA                []byte // PEM of what vouches for its TLS certificate; empty: what the system trusts
	Proxy             []byte // URL, which may hold a password; empty: the environment's. Sealed in the store
	ClientCertificate []byte // PEM; empty for none
	ClientKey         []byte // PEM. Sealed in the store
	SetAt             time.Time
	SetBy             string
}

// Bounds of settings.
const (
	maxUpstreamURL = 1024      // bytes
	maxUpstreamPEM = 256 << 10 // bytes of each
)

// upstreamSecrets is the purpose under which proxy and key are sealed.
const upstreamSecrets = "upstream connection"

// SetUpstream says how the upstream is reached, in place of what was set before.
// It does not connect: the next synchronization does. Nothing is trusted by it
// but the TLS of the connection: responses are judged by the licensing roots.
// KindInvalid for settings that cannot work.
func (s *Service) SetUpstream(ctx context.Context, actor Actor, settings UpstreamSettings) (UpstreamSettings, error) {
	if err := actor.may(ActionManageTrust); err != nil {
		return UpstreamSettings{}, err
	}
	if len(settings.URL) > maxUpstreamURL || len(settings.Proxy) > maxUpstreamURL ||
		max(len(settings.CA), len(settings.ClientCertificate), len(settings.ClientKey)) > maxUpstreamPEM {
		return UpstreamSettings{}, fail(KindInvalid, "upstream-invalid", "An address has at most %d bytes, and a file of certificates %d. Nothing was changed.", maxUpstreamURL, maxUpstreamPEM)
	}
	if s.upstream == nil {
		return UpstreamSettings{}, errOffline()
	}
	if err := s.upstream.Check(settings); err != nil {
		return UpstreamSettings{}, fail(KindInvalid, "upstream-invalid", "%v. Nothing was changed.", err).
			hint("An upstream is set by its address, such as `satellite upstream set --url https://upstream.example:8444 --ca FILE`.")
	}
	now := s.Now()
	settings.SetAt, settings.SetBy = now, actor.Name
	sealed := settings
	for _, secret := range []*[]byte{&sealed.Proxy, &sealed.ClientKey} {
		if len(*secret) == 0 {
			continue
		}
		text, err := s.secrets.Seal(upstreamSecrets, *secret)
		if err != nil {
			return UpstreamSettings{}, fmt.Errorf("seal the settings of the upstream: %w", err)
		}
		*secret = text
	}
	err := s.update(ctx, actor, now, func(tx Tx, record recorder) error {
		if err := tx.SaveUpstream(sealed); err != nil {
			return err
		}
		return record(Event{Type: EventUpstreamSet, Message: fmt.Sprintf("The upstream is reached at %s.", settings.URL)})
	})
	return settings.shown(), err
}

// shown is what may be shown of the settings.
func (u UpstreamSettings) shown() UpstreamSettings {
	u.ClientKey = nil
	if parsed, err := url.Parse(string(u.Proxy)); err == nil {
		u.Proxy = []byte(parsed.Redacted())
	} else {
		u.Proxy = nil
	}
	return u
}

// Upstream tells how the upstream is reached, without the secrets; the zero
// settings where none is set.
func (s *Service) Upstream(ctx context.Context, actor Actor) (UpstreamSettings, error) {
	if err := actor.may(ActionManageTrust); err != nil {
		return UpstreamSettings{}, err
	}
	settings, err := s.upstreamSettings(ctx)
	if isNotFound(err) {
		return UpstreamSettings{}, nil
	}
	return settings.shown(), err
}

// upstreamSettings are the settings with their secrets. KindNotFound where none is set.
func (s *Service) upstreamSettings(ctx context.Context) (settings UpstreamSettings, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		settings, err = tx.Upstream()
		return err
	})
	if err != nil {
		return UpstreamSettings{}, err
	}
	for _, secret := range []*[]byte{&settings.Proxy, &settings.ClientKey} {
		if len(*secret) == 0 {
			continue
		}
		if *secret, err = s.secrets.Open(upstreamSecrets, *secret); err != nil {
			return UpstreamSettings{}, fmt.Errorf("open the settings of the upstream: %w", err)
		}
	}
	return settings, nil
}

// UnsetUpstream forgets how the upstream is reached: exchanges go by file then.
// Where none is set nothing changes.
func (s *Service) UnsetUpstream(ctx context.Context, actor Actor) error {
	if err := actor.may(ActionManageTrust); err != nil {
		return err
	}
	return s.update(ctx, actor, s.Now(), func(tx Tx, record recorder) error {
		settings, err := tx.Upstream()
		if isNotFound(err) {
			return errUnchanged
		}
		if err != nil {
			return err
		}
		if err := tx.DeleteUpstream(); err != nil {
			return err
		}
		return record(Event{Type: EventUpstreamUnset, Message: fmt.Sprintf("The upstream at %s is not used any more: exchanges go by file.", settings.URL)})
	})
}

// errOffline says that there is no upstream to go to.
func errOffline() error {
	return fail(KindConflict, "upstream-unset", "No upstream is set that could be reached over the network. No request was made.").
		hint("Set it with `satellite upstream set --url URL --ca FILE`, or exchange files with `satellite sync request` and `satellite sync apply`.")
}
