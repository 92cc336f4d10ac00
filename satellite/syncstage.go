package satellite

import (
	"context"
	"fmt"

	"ssm/satellite/wire"
)

// What a response may bring many of (acknowledgements, recoveries, revocations)
// is staged in chunks before the response is applied, and worked off in chunks
// after it. The transaction between them decides: before it, what is staged is
// dropped; after it, it is worked off, whatever happens meanwhile.

// syncChunk is how many staged records one transaction writes or works off: at
// most about 40 ms.
const syncChunk = 200

// stage reads and checks all records, and stages those that may be many.
func (r *response) stage(ctx context.Context, container *wire.Container) error {
	r.counts = map[wire.RecordKind]int{}
	err := container.Records(func(record wire.Record) error { return r.read(ctx, record) })
	if err != nil {
		return err
	}
	return r.flush(ctx)
}

// stageOne checks a record and stages it.
func (r *response) stageOne(ctx context.Context, record wire.Record) error {
	if record.Key == "" || len(record.Key) > maxTag || record.Removed {
		return fmt.Errorf("%w: a %s whose key has %d bytes, or a tombstone of one", wire.ErrMalformed, record.Kind, len(record.Key))
	}
	if record.Kind == wire.RecordRecovery {
		if _, err := readRecovery(record); err != nil {
			return err
		}
	}
	if record.Kind == wire.RecordRevocation {
		var revocation wire.RevocationRecord
		if err := record.Decode(&revocation); err != nil {
			return err
		}
	}
	position := int64(1)
	for _, count := range r.counts {
		position += int64(count)
	}
	r.counts[record.Kind]++
	if r.staged = append(r.staged, StagedRecord{Position: position, Record: record}); len(r.staged) < syncChunk {
		return nil
	}
	return r.flush(ctx)
}

func (r *response) flush(ctx context.Context) error {
	if len(r.staged) == 0 {
		return nil
	}
	err := r.service.store.Update(ctx, func(tx Tx) error { return tx.StageRecords(r.account.ID, r.staged) })
	r.staged = r.staged[:0]
	return err
}

// finishSyncs ends the exchanges of all accounts that a crash has cut short.
func (s *Service) finishSyncs(ctx context.Context) error {
	var accounts []Account
	err := s.store.View(ctx, func(tx Tx) (err error) {
		accounts, err = tx.Accounts()
		return err
	})
	for _, account := range accounts {
		if err == nil {
			err = s.finishSync(ctx, account.ID)
		}
	}
	return err
}

// finishSync works off what is staged of a response that was switched over to,
// and drops what is staged of any other.
func (s *Service) finishSync(ctx context.Context, id AccountID) error {
	for more := true; more; {
		var staged []StagedRecord
		var state SyncState
		err := s.store.View(ctx, func(tx Tx) (err error) {
			if state, err = tx.SyncState(id); err != nil {
				return err
			}
			staged, err = tx.StagedRecords(id, syncChunk)
			return err
		})
		if err != nil {
			return err
		}
		if more = len(staged) > 0; !more && state.SwitchedSequence == 0 {
			return nil
		}
		err = s.update(ctx, itself, s.Now(), func(tx Tx, record recorder) error {
			state, err := tx.SyncState(id)
			if err != nil {
				return err
			}
			if state.SwitchedSequence != 0 {
				for _, r := range staged {
					if err := s.workOff(tx, record, state, r.Record); err != nil {
						return err
					}
				}
			}
			if _, err := tx.DropStagedRecords(id, len(staged)); err != nil || more {
				return err
			}
			state.SwitchedSequence = 0
			return tx.SaveSyncState(state)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// workOff applies one staged record. Applied twice it changes nothing the second time.
func (s *Service) workOff(tx Tx, record recorder, state SyncState, staged wire.Record) error {
	switch staged.Kind {
	case wire.RecordAcknowledgement:
		return tx.AcknowledgeReport(state.AccountID, staged.Key, state.LastSyncAt)
	case wire.RecordRecovery:
		recovery, err := readRecovery(staged)
		if err != nil {
			return err
		}
		return s.recoverDevice(tx, record, state.AccountID, recovery)
	case wire.RecordRevocation:
		var revocation wire.RevocationRecord
		if err := staged.Decode(&revocation); err != nil {
			return err
		}
		return s.removeAgain(tx, record, state.AccountID, staged.Key, revocation)
	}
	return fmt.Errorf("a %s was staged, which nobody works off", staged.Kind)
}
