package agent

import (
	"fmt"

	"ssm/satellite/wire"
)

const applicationLimit = 64 // bytes of the id that the members of a pair share

// The roles of a member of a pair.
const (
	RoleActive  = wire.RoleActive
	RoleStandby = wire.RoleStandby
)

// Pair is the membership of a device in a high-availability pair, whose members
// count once. It is empty for a device on its own.
type Pair struct {
	ApplicationID string `json:"application_id"` // the same for all members, 1 to 64 characters
	Role          string `json:"role"`           // RoleActive or RoleStandby
}

// message is the membership as it stands in messages; nil for a device on its own.
func (p Pair) message() *wire.HighAvailability {
	if p == (Pair{}) {
		return nil
	}
	return &wire.HighAvailability{ApplicationID: p.ApplicationID, Role: p.Role}
}

// mergePair puts a membership over the one that was kept, if one is given.
func (s *saved) mergePair(given Pair) error {
	if given == (Pair{}) {
		return nil
	}
	pair, err := merged(s.Pair, given)
	if err == nil && pair != s.Pair {
		s.Pair, s.Unanswered = pair, s.PIID != ""
	}
	return err
}

// merged is a membership over the one that was kept; empty fields stay as they
// were. ErrUsage.
func merged(kept, given Pair) (Pair, error) {
	pair := kept
	if given.ApplicationID != "" {
		pair.ApplicationID = given.ApplicationID
	}
	if given.Role != "" {
		pair.Role = given.Role
	}
	reason := ""
	switch {
	case pair.Role != RoleActive && pair.Role != RoleStandby:
		reason = fmt.Sprintf("the role of a member of a high-availability pair is %q or %q", RoleActive, RoleStandby)
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
