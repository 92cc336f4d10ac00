package satellite

import (
	"context"
	"fmt"
	"strings"

	"ssm/satellite/wire"
)

// PrivacySwitch says whether details of one kind are left out of everything
// that goes upstream.
type PrivacySwitch string

// The positions of a switch.
const (
	PrivacyOn      PrivacySwitch = "on"      // left out
	PrivacyOff     PrivacySwitch = "off"     // sent
	PrivacyInherit PrivacySwitch = "inherit" // as the default of all accounts is; in that: sent
)

// PrivacySettings are the four switches of an account, or of the default of all accounts.
type PrivacySettings struct {
	Hostname, IPAddress, MACAddress, Version PrivacySwitch
}

// InheritedPrivacy is that of an account in which nobody has set anything.
func InheritedPrivacy() PrivacySettings {
	return PrivacySettings{PrivacyInherit, PrivacyInherit, PrivacyInherit, PrivacyInherit}
}

// switches are the settings in the order of wire.PrivateKinds.
func (p *PrivacySettings) switches() []*PrivacySwitch {
	return []*PrivacySwitch{&p.Hostname, &p.IPAddress, &p.MACAddress, &p.Version}
}

// over is what holds where p is set over a default: none inherits any more.
func (p PrivacySettings) over(standard PrivacySettings) PrivacySettings {
	below := standard.switches()
	for i, own := range p.switches() {
		if *own == PrivacyInherit {
			*own = *below[i]
		}
		if *own == PrivacyInherit {
			*own = PrivacyOff
		}
	}
	return p
}

// changed is p with those switches that the change names. KindInvalid for a
// position that there is not.
func (p PrivacySettings) changed(change PrivacySettings) (PrivacySettings, error) {
	after := p.switches()
	for i, to := range change.switches() {
		switch *to {
		case "":
		case PrivacyOn, PrivacyOff, PrivacyInherit:
			*after[i] = *to
		default:
			return p, fail(KindInvalid, "privacy-switch-invalid", "Privacy is on, off or inherit, not %q. Nothing was changed.", clip(string(*to)))
		}
	}
	return p, nil
}

// omits names what is left out.
func (p PrivacySettings) omits() []wire.PrivateKind {
	omits := []wire.PrivateKind{}
	for i, own := range p.switches() {
		if *own == PrivacyOn {
			omits = append(omits, wire.PrivateKinds[i])
		}
	}
	return omits
}

func (p PrivacySettings) String() string {
	words := make([]string, len(wire.PrivateKinds))
	for i, own := range p.switches() {
		words[i] = fmt.Sprintf("%s %s", wire.PrivateKinds[i], *own)
	}
	return strings.Join(words, ", ")
}

// Privacy is what is left out of everything that goes upstream for an account.
type Privacy struct {
	Own       PrivacySettings // of the account; of account 0 the default
	Effective PrivacySettings // on or off
}

// PrivacyState is what was left out of all that the upstream has of an account.
type PrivacyState struct {
	SentWithout string // kinds, joined by commas
	Key         []byte // of the pseudonyms; sealed; nil before the first
}

func privacyOf(tx Tx, id AccountID) (p Privacy, err error) {
	standard, err := tx.PrivacySettings(0)
	if err != nil {
		return p, err
	}
	if p.Own = standard; id != 0 {
		if p.Own, err = tx.PrivacySettings(id); err != nil {
			return p, err
		}
	}
	p.Effective = p.Own.over(standard)
	return p, nil
}

// Privacy tells what is left out for an account; for account 0, by default.
func (s *Service) Privacy(ctx context.Context, actor Actor, id AccountID) (p Privacy, err error) {
	if id == 0 {
		err = actor.may(ActionRead)
	} else {
		err = actor.mayIn(ActionRead, id, 0)
	}
	if err != nil {
		return p, err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		p, err = privacyOf(tx, id)
		return err
	})
	return p, err
}

// SetPrivacy changes what is left out for an account, for account 0 by default;
// "" leaves a switch as it is. The next request of every account for which
// something else holds by that is a full one, after which the upstream holds
// nothing of what is left out.
//
// KindForbidden unless the actor may manage the account, for the default all of
// the satellite's privacy; KindInvalid for a position that there is not.
func (s *Service) SetPrivacy(ctx context.Context, actor Actor, id AccountID, change PrivacySettings) (p Privacy, err error) {
	if id == 0 {
		err = actor.may(ActionManagePrivacy)
	} else {
		err = actor.mayIn(ActionManageAccount, id, 0)
	}
	if err != nil {
		return p, err
	}
	err = s.update(ctx, actor, s.Now(), func(tx Tx, record recorder) error {
		called := "by default"
		if id != 0 {
			account, err := tx.Account(id)
			if err != nil {
				return err
			}
			called = fmt.Sprintf("of account %q", account.Name)
		}
		if p, err = privacyOf(tx, id); err != nil {
			return err
		}
		after, err := p.Own.changed(change)
		if err != nil {
			return err
		}
		if after == p.Own {
			return errUnchanged
		}
		before := p.Own
		if err := tx.SavePrivacySettings(id, after); err != nil {
			return err
		}
		if p, err = privacyOf(tx, id); err != nil {
			return err
		}
		return record(Event{Type: EventPrivacyChanged, AccountID: id,
			Message: fmt.Sprintf("Privacy %s is now: %s; before: %s. What is on is left out of everything that goes upstream.", called, after, before)})
	})
	return p, err
}

// privacyPurpose seals the keys of pseudonyms.
const privacyPurpose = "privacy"

// leaveOut prepares what a request of the account leaves out. Where that is not
// what was left out before, the account starts over: its next request is full.
func (s *Service) leaveOut(ctx context.Context, id AccountID) (*reduction, error) {
	fresh := s.randomBytes(32)
	sealed, err := s.secrets.Seal(privacyPurpose, fresh)
	if err != nil {
		return nil, fmt.Errorf("seal the key of pseudonyms: %w", err)
	}
	var state PrivacyState
	var omits []wire.PrivateKind
	err = s.store.Update(ctx, func(tx Tx) error {
		privacy, err := privacyOf(tx, id)
		if err != nil {
			return err
		}
		if state, err = tx.PrivacyState(id); err != nil {
			return err
		}
		omits = privacy.Effective.omits()
		without := strings.Join(kindNames(omits), ",")
		if without == state.SentWithout {
			return nil
		}
		if state.SentWithout = without; state.Key == nil {
			state.Key = sealed
		}
		if err := tx.SavePrivacyState(id, state); err != nil {
			return err
		}
		return tx.ForgetSent(id)
	})
	if err != nil || len(omits) == 0 {
		return &reduction{omits: omits}, err
	}
	key, err := s.secrets.Open(privacyPurpose, state.Key)
	if err != nil {
		return nil, fmt.Errorf("open the key of pseudonyms: %w", err)
	}
	return &reduction{omits: omits, key: key}, nil
}

// kindNames are the kinds as a request says them.
func kindNames(kinds []wire.PrivateKind) []string {
	names := make([]string, len(kinds))
	for i, kind := range kinds {
		names[i] = string(kind)
	}
	return names
}
