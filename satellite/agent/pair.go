package agent

import (
	"fmt"

	"ssm/satellite/wire"
)

const applicationLimit = 64 // bytes of the id that the members of a pair share

// pair is the membership as it stands in messages; nil for a device on its own.
func (s State) pair() *wire.HighAvailability {
	if s.HighAvailability == (wire.HighAvailability{}) {
		return nil
	}
	pair := s.HighAvailability
	return &pair
}

// mergePair puts a membership over the one that was kept, if one is given.
func (s *saved) mergePair(given wire.HighAvailability) error {
	if given == (wire.HighAvailability{}) {
		return nil
	}
	pair, err := merged(s.HighAvailability, given)
	if err == nil && pair != s.HighAvailability {
		s.HighAvailability, s.Unanswered = pair, s.PIID != ""
	}
	return err
}

// merged is a membership over the one that was kept; empty fields stay as they
// were. ErrUsage.
func merged(kept, given wire.HighAvailability) (wire.HighAvailability, error) {
	pair := kept
	if given.ApplicationID != "" {
		pair.ApplicationID = given.ApplicationID
	}
	if given.Role != "" {
		pair.Role = given.Role
	}
	reason := ""
	switch {
	case pair.Role != wire.RoleActive && pair.Role != wire.RoleStandby:
		reason = fmt.Sprintf("the role of a member of a high-availability pair is %q or %q", wire.RoleActive, wire.RoleStandby)
	case pair.ApplicationID == "":
		reason = "this device is no member of a high-availability pair; give the application id that its members share"
	case len(pair.ApplicationID) > applicationLimit || printable(pair.ApplicationID) != pair.ApplicationID:
		reason = fmt.Sprintf("the application id of a high-availability pair has 1 to %d printable characters", applicationLimit)
	}
	if reason != "" {
		return kept, fmt.Errorf("%w: %s", ErrUsage, reason)
	}
	return pair, nil
}
