package agent

import (
	"cmp"
	"maps"
	"slices"

	"ssm/satellite/wire"
)

// License is a license as the device was last told of it.
type License struct {
	Tag         string    `json:"tag"`
	Name        string    `json:"name"`
	Description string    `json:"description,omitempty"`
	Count       int64     `json:"count"` // what the device holds
	Mode        wire.Mode `json:"mode"`
	// Requested is what the device asked for where it holds less, and Reason
	// the satellite's sentence why.
	Requested int64  `json:"requested,omitempty"`
	Reason    string `json:"reason,omitempty"`
}

// InCompliance tells whether the license may be used as it is: covered by the
// pool, by a reservation, or by a contract that allows overage.
func (l License) InCompliance() bool {
	switch l.Mode {
	case wire.ModeInCompliance, wire.ModeOverage, wire.ModeReservation:
		return true
	default:
		return false
	}
}

// Licenses lists what the device uses, by tag: what the satellite answered, as
// waiting what it has not answered yet, and as evaluation what a device uses
// that is not registered. Ask a State that is At now.
func (s State) Licenses() []License {
	mode := wire.ModeWaiting
	switch {
	case s.Evaluating() && s.Evaluation.Remaining() > 0:
		mode = wire.ModeEvaluation
	case s.Evaluating():
		mode = wire.ModeEvaluationExpired
	}
	list := s.reserved(slices.Clone(s.Answers))
	for tag, count := range s.Wanted {
		known := slices.ContainsFunc(list, func(l License) bool { return l.Tag == tag })
		if !known && count > 0 {
			list = append(list, License{Tag: tag, Count: count, Mode: mode})
		}
	}
	slices.SortFunc(list, func(a, b License) int { return cmp.Compare(a.Tag, b.Tag) })
	return list
}

// entitlements are all wanted tags with their absolute counts, by tag: whatever
// got lost before, one accepted answer makes both sides agree again.
func (s State) entitlements() []wire.Entitlement {
	list := make([]wire.Entitlement, 0, len(s.Wanted))
	for _, tag := range slices.Sorted(maps.Keys(s.Wanted)) {
		list = append(list, wire.Entitlement{Tag: tag, Count: s.Wanted[tag]})
	}
	return list
}

// dropReleases takes out the tags that are not used any more.
func (s *State) dropReleases() {
	maps.DeleteFunc(s.Wanted, func(_ string, count int64) bool { return count == 0 })
}
