package satellite

import (
	"context"
	"fmt"
	"sync"
	"time"

	"ssm/satellite/wire"
)

// Root is a licensing root that an administrator has told the satellite to trust.
type Root struct {
	Fingerprint string // SHA-256, upper-case hexadecimal with colons
	Name        string
	DER         []byte
	NotAfter    time.Time
	TrustedAt   time.Time
}

// SyncState is where an account stands with its upstream.
type SyncState struct {
	AccountID           AccountID
	NextSequence        int64 // of the next request, from 1
	AppliedSequence     int64 // of the last response that was applied
	ConfirmedGeneration int64 // change number up to which the upstream knows everything
	FullRequired        bool  // the upstream asked for everything
	Reason              string
	Deadline            time.Time // when the upstream takes the licenses back
	LastSyncAt          time.Time
	AgreementVersion    string
	// RenamedAt is the change number at which names changed that stand in many
	// records: until the upstream has confirmed a later state, requests are full.
	RenamedAt int64
	// SwitchedSequence is the number of the response whose staged records are
	// being worked off; 0: none.
	SwitchedSequence int64
	DuplicatedAt     time.Time // last sign that this satellite and a copy of it both send
	// Digests is, per kind, the digest of all records as they were last sent.
	Digests map[wire.RecordKind]wire.Digest
}

// SyncRequestRow is a request on record.
type SyncRequestRow struct {
	AccountID  AccountID
	Sequence   int64
	Digest     string
	Scope      wire.Scope
	Generation int64 // the newest change number when it was begun
	Records    int64
	CreatedAt  time.Time
	CreatedBy  string
	AppliedAt  time.Time // when its response was applied; zero before
}

// Tombstone says that a row that went upstream was removed.
type Tombstone struct {
	AccountID    AccountID
	Kind         wire.RecordKind
	Key          string
	ChangeNumber int64
}

// ChangedReservation is a reservation with the number of its last change.
type ChangedReservation struct {
	Reservation
	ChangeNumber int64
}

// ChangedTransfer is a transfer with the number of its last change, and the tag
// that it is of; of its lot it has the account and the upstream's id.
type ChangedTransfer struct {
	LotTransfer
	Tag          string
	ChangeNumber int64
}

// RecordKey names the transfer in sync records. It holds no name that may change.
func (t LotTransfer) RecordKey() string {
	return fmt.Sprintf("%s\t%d\t%d", t.Lot.UpstreamID, t.From, t.To)
}

// StagedRecord is a record of a response that is being applied.
type StagedRecord struct {
	Position int64 // in the response, from 1
	wire.Record
}

// TrustRoots trusts the licensing roots of a PEM file. KindInvalid where it holds none.
func (s *Service) TrustRoots(ctx context.Context, actor Actor, pem []byte) ([]Root, error) {
	if err := actor.may(ActionManageTrust); err != nil {
		return nil, err
	}
	roots, err := s.issuer.ParseRoots(pem)
	if err != nil {
		return nil, fail(KindInvalid, "root-invalid", "The file holds no licensing root: %v. Nothing is trusted that was not before.", err).
			hint("Export it on the upstream with `ssm root --out FILE`.")
	}
	now := s.Now()
	err = s.update(ctx, actor, now, func(tx Tx, record recorder) error {
		known, err := tx.Roots()
		if err != nil {
			return err
		}
		for i := range roots {
			roots[i].TrustedAt = now
			if knows(known, roots[i]) {
				continue
			}
			if err := tx.AddRoot(roots[i]); err != nil {
				return err
			}
			if err := record(Event{Type: EventRootTrusted, Message: fmt.Sprintf("Licensing root %q is trusted: %s.", roots[i].Name, roots[i].Fingerprint)}); err != nil {
				return err
			}
		}
		return nil
	})
	return roots, err
}

func knows(roots []Root, root Root) bool {
	for _, known := range roots {
		if known.Fingerprint == root.Fingerprint {
			return true
		}
	}
	return false
}

// Roots lists the trusted licensing roots.
func (s *Service) Roots(ctx context.Context) (roots []Root, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		roots, err = tx.Roots()
		return err
	})
	return roots, err
}

// SyncStatus is where an account stands with its upstream, for people.
type SyncStatus struct {
	Account  Account
	State    SyncState
	Schedule ScheduledSync
	Requests []SyncRequestRow // the last ten, newest first
}

// SyncStatuses lists the accounts with their synchronization: it is about an
// account as a whole, so a role in one of its virtual accounts does not show it.
func (s *Service) SyncStatuses(ctx context.Context, actor Actor) (list []SyncStatus, err error) {
	scope, err := actor.sees(0, 0)
	if err != nil {
		return nil, err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		list = list[:0]
		accounts, err := tx.Accounts()
		if err != nil {
			return err
		}
		for _, account := range accounts {
			if !scope.Whole(account.ID) {
				continue
			}
			state, err := tx.SyncState(account.ID)
			if err != nil {
				return err
			}
			requests, err := tx.SyncRequests(account.ID, Page{Limit: 10})
			if err != nil {
				return err
			}
			plan, err := s.scheduledSync(tx, account.ID, s.SystemNow())
			if err != nil {
				return err
			}
			list = append(list, SyncStatus{Account: account, State: state, Schedule: plan, Requests: requests})
		}
		return nil
	})
	return list, err
}

// exchange locks the synchronization of one account.
func (s *Service) exchange(id AccountID) (unlock func()) {
	lock, _ := s.syncs.LoadOrStore(id, &sync.Mutex{})
	lock.(*sync.Mutex).Lock()
	return lock.(*sync.Mutex).Unlock
}

// externalID is the account's name in certificates and sync documents.
func (s *Service) externalID(id AccountID) string { return fmt.Sprintf("%s-%d", s.id, id) }
