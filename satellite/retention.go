package satellite

import (
	"context"
	"fmt"
	"time"
)

// EventBeginning is where the chain of a node begins after its oldest events
// were pruned: behind the event of that number and hash.
type EventBeginning struct {
	Node     string
	Number   int64
	Hash     [32]byte
	At       time.Time // of that event
	PrunedAt time.Time
}

// pruneChunk is how many events go in one transaction: about 20 ms.
const pruneChunk = 1000

// pruned is what the event of a pruning says. It stands in the chain, so that a
// beginning that nobody pruned to is found.
func (b EventBeginning) pruned() string {
	return fmt.Sprintf("The events of node %s up to number %d, of %s, were pruned; the chain goes on from the hash %x.", b.Node, b.Number, stamp(b.At), b.Hash)
}

// PruneEvents drops the events of this node that are older than an instant, and
// returns how many. The chain stays verifiable: it begins behind the last event
// that was dropped, whose hash is kept, and which an event in the chain names.
// The newest event always stays.
func (s *Service) PruneEvents(ctx context.Context, actor Actor, before time.Time) (dropped int64, err error) {
	if err := actor.may(ActionManageEvents); err != nil {
		return 0, err
	}
	now := s.Now()
	if before.After(now) {
		return 0, fail(KindInvalid, "prune-future", "Events are pruned up to an instant in the past. Nothing was pruned.")
	}
	return s.prune(ctx, actor, before, now)
}

func (s *Service) prune(ctx context.Context, actor Actor, before, now time.Time) (dropped int64, err error) {
	for {
		var chunk int64
		err := s.update(ctx, actor, now, func(tx Tx, record recorder) error {
			beginning, err := s.beginning(tx)
			if err != nil {
				return err
			}
			events, err := tx.EventsAfter(EventKey{Node: beginning.Node, Number: beginning.Number}, pruneChunk+1)
			if err != nil {
				return err
			}
			chunk = 0
			for i, e := range events {
				if e.Node != beginning.Node || !e.At.Before(before) || i == len(events)-1 {
					break
				}
				beginning.Number, beginning.Hash, beginning.At, beginning.PrunedAt = e.Number, e.Hash, e.At, now
				chunk++
			}
			if chunk == 0 {
				return errUnchanged
			}
			if err := tx.PruneEvents(beginning); err != nil {
				return err
			}
			return record(Event{Type: EventEventsPruned, Message: beginning.pruned()})
		})
		if err != nil {
			return dropped, err
		}
		dropped += chunk
		if chunk < pruneChunk {
			return dropped, nil
		}
	}
}

// beginning is where this node's chain begins; number 0 where nothing was pruned.
func (s *Service) beginning(tx Tx) (EventBeginning, error) {
	beginnings, err := tx.EventBeginnings()
	for _, b := range beginnings {
		if b.Node == s.options.Node {
			return b, err
		}
	}
	return EventBeginning{Node: s.options.Node}, err
}

// ForgetEvents prunes what is older than the retention; a retention of 0 keeps everything.
func (s *Service) ForgetEvents(ctx context.Context, now time.Time) error {
	if s.options.EventRetention == 0 {
		return nil
	}
	_, err := s.prune(ctx, itself, now.Add(-s.options.EventRetention), now)
	return err
}
