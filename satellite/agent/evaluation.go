package agent

import "time"

// EvaluationPeriod is how long a device may use licenses without being
// registered, all such times together.
const EvaluationPeriod = 90 * 24 * time.Hour

// Evaluation is how much of the evaluation period a device has used. It runs
// while the device uses licenses and is not a product instance: never
// registered, deregistered, or removed by an administrator. It pauses
// otherwise, goes on where it stopped, and nothing sets it back. A clock that is
// turned back takes nothing away that was counted before.
type Evaluation struct {
	Used         time.Duration `json:"used,omitempty"`         // nanoseconds, up to RunningSince
	RunningSince time.Time     `json:"running_since,omitzero"` // zero while it is paused
}

// Running tells whether the period is being used up.
func (e Evaluation) Running() bool { return !e.RunningSince.IsZero() }

// Remaining is what is left of the period; never below zero.
func (e Evaluation) Remaining() time.Duration { return max(0, EvaluationPeriod-e.Used) }

// At is the evaluation with all that has been used up to now.
func (e Evaluation) At(now time.Time) Evaluation {
	if e.Running() {
		// Bounded, so that no clock can make a sum that overflows.
		e.Used = min(e.Used+max(0, now.Sub(e.RunningSince)), 2*EvaluationPeriod)
		e.RunningSince = now
	}
	return e
}

// set lets it run from now on, or pause.
func (e Evaluation) set(running bool, now time.Time) Evaluation {
	if e.RunningSince = (time.Time{}); running {
		e.RunningSince = now
	}
	return e
}

// Evaluating tells whether the device uses licenses without being a product
// instance. One whose certificate has expired or was revoked still is one; one
// with a reservation has its licenses from there.
func (s State) Evaluating() bool {
	if s.PIID != "" || s.Reservation.Installed() {
		return false
	}
	for _, count := range s.Wanted {
		if count > 0 {
			return true
		}
	}
	return false
}
