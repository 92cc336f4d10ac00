package agent

import (
	"context"
	"errors"
	"fmt"

	"ssm/satellite/wire"
)

// Request sets the absolute count of a tag, 0 to 2^31; 0 releases it. All tags
// that the device uses are sent, so each answer makes both sides agree. Being
// out of compliance, or refused a license, is no error: State tells it.
//
// A device that is not registered keeps the count, which goes out when it is;
// nothing is sent, and its use counts as evaluation.
//
// If the answer gets lost the count is kept, and goes out with the next request
// or RenewAuthorization. A signed refusal leaves the counts as they were.
//
// ErrUsage, ErrNotRegistered where a registration has expired, *Refused,
// ErrConnection, ErrUntrusted.
func (a *Agent) Request(ctx context.Context, tag string, count int64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if tag == "" || len(tag) > fieldLimit || printable(tag) != tag || count < 0 || count > 1<<31 {
		return fmt.Errorf("%w: a tag has 1 to %d printable characters, a count is 0 to 2147483648", ErrUsage, fieldLimit)
	}
	if _, known := a.saved.Wanted[tag]; !known && len(a.saved.Wanted) >= wantedLimit {
		return fmt.Errorf("%w: a device can use %d tags at most; release one first", ErrUsage, wantedLimit)
	}
	return a.apply(ctx, func(s *saved) {
		if s.Wanted == nil {
			s.Wanted = map[string]int64{}
		}
		s.Wanted[tag] = count
	})
}

// SwitchRole makes a member of a high-availability pair the active or the
// standby one, and tells the satellite at once. Where the device is not
// registered the role goes out when it is. A lost answer and a refusal are as
// for Request.
//
// ErrUsage where the device is no member of a pair, ErrNotRegistered where a
// registration has expired, *Refused, ErrConnection, ErrUntrusted.
func (a *Agent) SwitchRole(ctx context.Context, role string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	pair, err := merged(a.saved.Pair, Pair{Role: role})
	if err != nil {
		return err
	}
	return a.apply(ctx, func(s *saved) { s.Pair = pair })
}

// apply changes what the device asks for, and asks for it, if it is registered.
func (a *Agent) apply(ctx context.Context, change func(*saved)) error {
	before := a.saved.State
	instance := before.PIID != ""
	if instance {
		if err := a.registered(); err != nil {
			return err
		}
	}
	err := a.update(func(s *saved) {
		if change(s); !instance {
			s.dropReleases() // nobody has to be told
		}
		s.Unanswered = instance
	})
	if err != nil || !instance {
		return err
	}
	err = a.authorize(ctx)
	var refused *Refused
	if errors.As(err, &refused) || errors.Is(err, ErrUntrusted) {
		return errors.Join(err, a.update(func(s *saved) {
			s.Wanted, s.Pair, s.Unanswered = before.Wanted, before.Pair, before.Unanswered
		}))
	}
	return err
}

// RenewAuthorization asks again for all that the device uses.
//
// ErrNotRegistered, *Refused, ErrConnection, ErrUntrusted.
func (a *Agent) RenewAuthorization(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.registered(); err != nil {
		return err
	}
	return a.authorize(ctx)
}

func (a *Agent) authorize(ctx context.Context) error {
	reply, err := a.ask(ctx, question{
		kind: wire.Authorization, key: a.key, certificate: a.saved.Certificate,
		data: wire.RequestData{
			Entitlements: a.saved.entitlements(), Hostname: a.saved.Identity.Hostname, HighAvailability: a.saved.Pair.message(),
		},
	})
	if err != nil {
		return err
	}
	now := a.time()
	return a.update(func(s *saved) {
		s.contact(reply, now)
		s.dropReleases()
	})
}
