package satellite

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// Event is one change of state. Events of one node form a hash chain by number:
// each carries the hash of the one before it, so that none can be altered or
// taken out unnoticed.
type Event struct {
	Node   string
	Number int64 // from 1, without gaps

	At             time.Time
	Type           EventType
	AccountID      AccountID // 0: of the satellite itself
	VirtualAccount string
	PIID           string
	Message        string
	Actor          string
	Source         string // network address, or "local"

	PreviousHash [sha256.Size]byte
	Hash         [sha256.Size]byte
}

// EventType names what happened; it is stable.
type EventType string

// The types of events.
const (
	EventSatelliteCreated       EventType = "satellite.created"
	EventUserCreated            EventType = "user.created"
	EventUserSignedIn           EventType = "user.signed-in"
	EventUserChanged            EventType = "user.changed"
	EventPasswordChanged        EventType = "user.password-changed"
	EventUserRoleChanged        EventType = "user.role-changed"
	EventUserRemoved            EventType = "user.removed"
	EventAPIClientCreated       EventType = "api-client.created"
	EventAPIClientRotated       EventType = "api-client.rotated"
	EventAPIClientRevoked       EventType = "api-client.revoked"
	EventAccessGranted          EventType = "access.granted"
	EventAccessRevoked          EventType = "access.revoked"
	EventGroupCreated           EventType = "group.created"
	EventGroupRemoved           EventType = "group.removed"
	EventGroupMemberAdded       EventType = "group.member-added"
	EventGroupMemberDropped     EventType = "group.member-dropped"
	EventAccountCreated         EventType = "account.created"
	EventAccountRegistered      EventType = "account.registered"
	EventAccountNominated       EventType = "account.approval-asked"
	EventAccountApproved        EventType = "account.approved"
	EventAccountApprovalRefused EventType = "account.approval-refused"
	EventAccountDeclined        EventType = "account.declined"
	EventAccountChanged         EventType = "account.changed"
	EventAccountDeactivated     EventType = "account.deactivated"
	EventAccountActivated       EventType = "account.activated"
	EventAccountDeleted         EventType = "account.deleted"
	EventAgreementReceived      EventType = "agreement.received"
	EventAgreementAccepted      EventType = "agreement.accepted"
	EventUpgradeRequested       EventType = "account.upgrade-requested"
	EventUpgradeAnswered        EventType = "account.upgrade-answered"
	EventCustomTagChanged       EventType = "custom-tag.changed"
	EventVirtualAccountChanged  EventType = "virtual-account.changed"
	EventVirtualAccountCreated  EventType = "virtual-account.created"
	EventVirtualAccountDeleted  EventType = "virtual-account.deleted"
	EventTokenCreated           EventType = "token.created"
	EventTokenRevoked           EventType = "token.revoked"
	EventDeviceRegistered       EventType = "device.registered"
	EventDeviceReplaced         EventType = "device.registered-again"
	EventDeviceAuthorized       EventType = "device.authorized"
	EventDeviceRenewed          EventType = "device.certificate-renewed"
	EventDeviceDeregistered     EventType = "device.deregistered"
	EventDeviceRemoved          EventType = "device.removed"
	EventDeviceReturned         EventType = "device.returned"
	EventDeviceTransferred      EventType = "device.transferred"
	EventDeviceRecovered        EventType = "device.recovered"
	EventDeviceSwitchedOver     EventType = "device.switched-over"
	EventUsageImported          EventType = "usage.imported"
	EventUsageConflict          EventType = "usage.conflict"
	EventRootTrusted            EventType = "upstream.root-trusted"
	EventUpstreamSet            EventType = "upstream.set"
	EventUpstreamUnset          EventType = "upstream.unset"
	EventSyncRequested          EventType = "sync.requested"
	EventSyncApplied            EventType = "sync.applied"
	EventSyncNotice             EventType = "sync.notice"
	EventSyncRestored           EventType = "sync.restored"
	EventPrivacyChanged         EventType = "privacy.changed"
	EventUsageKept              EventType = "usage.kept"
	EventSyncScheduleSet        EventType = "sync.schedule-set"
	EventSyncScheduleUnset      EventType = "sync.schedule-unset"
	EventTokenKeyRotated        EventType = "token-key.rotated"
	EventReservationCreated     EventType = "reservation.created"
	EventReservationUpdated     EventType = "reservation.updated"
	EventReservationConfirmed   EventType = "reservation.confirmed"
	EventReservationReturned    EventType = "reservation.returned"
	EventEventsPruned           EventType = "events.pruned"
	EventAlertOpened            EventType = "alert.opened"
	EventAlertClosed            EventType = "alert.closed"
	EventAlertRenewed           EventType = "alert.renewed"
	EventLicenseTransferred     EventType = "license.transferred"
	EventLicenseRedefined       EventType = "license.redefined"
)

// hashed is the canonical form that the hash covers. Its field order is part
// of the format: never change it.
type hashed struct {
	Node           string    `json:"node"`
	Number         int64     `json:"number"`
	At             int64     `json:"at"` // Unix microseconds
	Type           EventType `json:"type"`
	AccountID      AccountID `json:"account_id"`
	VirtualAccount string    `json:"virtual_account"`
	PIID           string    `json:"piid"`
	Message        string    `json:"message"`
	Actor          string    `json:"actor"`
	Source         string    `json:"source"`
	PreviousHash   string    `json:"previous_hash"`
}

// Link makes e the successor of the event with the given number and hash.
func (e Event) Link(node string, previousNumber int64, previousHash [sha256.Size]byte) (Event, error) {
	e.Node, e.Number, e.PreviousHash = node, previousNumber+1, previousHash
	hash, err := e.hash()
	e.Hash = hash
	return e, err
}

func (e Event) hash() ([sha256.Size]byte, error) {
	text, err := json.Marshal(hashed{
		Node: e.Node, Number: e.Number, At: e.At.UnixMicro(), Type: e.Type, AccountID: e.AccountID,
		VirtualAccount: e.VirtualAccount, PIID: e.PIID, Message: e.Message, Actor: e.Actor, Source: e.Source,
		PreviousHash: hex.EncodeToString(e.PreviousHash[:]),
	})
	return sha256.Sum256(text), err
}

// follows checks that e is unaltered and comes right behind the event with
// that number and hash.
func (e Event) follows(number int64, hash [sha256.Size]byte) error {
	if e.Number != number+1 {
		return fmt.Errorf("after event %d comes event %d: events are missing", number, e.Number)
	}
	if e.PreviousHash != hash {
		return fmt.Errorf("event %d does not continue event %d: one of them was replaced", e.Number, number)
	}
	own, err := e.hash()
	if err != nil {
		return err
	}
	if own != e.Hash {
		return fmt.Errorf("event %d was altered: its hash does not belong to its content", e.Number)
	}
	return nil
}

// EventFilter selects events. Zero fields select all.
type EventFilter struct {
	AccountID AccountID
	PIID      string
	Type      EventType
	Scope     Scope
}

// Events lists events, newest first. Those of the satellite itself are for who
// reads everything; a role in a virtual account shows the events that name it,
// and the whole history of each device that is in it now.
func (s *Service) Events(ctx context.Context, actor Actor, filter EventFilter, page Page) (events []Event, err error) {
	if filter.Scope, err = actor.sees(filter.AccountID, 0); err != nil {
		return nil, err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		filter := filter
		if filter.PIID != "" && !filter.Scope.All {
			instance, err := tx.Instance(filter.PIID)
			if err != nil && !isNotFound(err) {
				return err
			}
			if err == nil && filter.Scope.Sees(instance.AccountID, instance.VirtualAccountID) {
				filter.Scope = Scope{Accounts: []AccountID{instance.AccountID}}
			}
		}
		events, err = tx.Events(filter, page.bounded())
		return err
	})
	return events, err
}

// AuditResult says what VerifyEvents has seen.
type AuditResult struct {
	Events int64
	Heads  map[string]Event // the newest event of each node
	// Beginnings are where chains begin whose oldest events were pruned.
	Beginnings []EventBeginning
	// Problem is the first break of a chain, "" where all hold.
	Problem string
}

// VerifyEvents walks all chains from the first event that was not pruned, and
// compares each pool's counters with a recount of devices, lots and transfers.
// It reads in pages, so that it can run beside the work.
func (s *Service) VerifyEvents(ctx context.Context) (AuditResult, error) {
	result := AuditResult{Heads: map[string]Event{}}
	unproven, err := s.beginnings(ctx, &result)
	if err != nil {
		return result, err
	}
	for after := (EventKey{}); ; {
		var page []Event
		err := s.store.View(ctx, func(tx Tx) (err error) {
			page, err = tx.EventsAfter(after, 1000)
			return err
		})
		if err != nil {
			return result, err
		}
		for _, e := range page {
			head := result.Heads[e.Node]
			if err := e.follows(head.Number, head.Hash); err != nil {
				result.Problem = fmt.Sprintf("Node %s: %v.", e.Node, err)
				return result, nil
			}
			if e.Type == EventEventsPruned {
				delete(unproven, e.Message)
			}
			result.Heads[e.Node] = e
			result.Events++
			after = EventKey{Node: e.Node, Number: e.Number}
		}
		if len(page) < 1000 {
			break
		}
	}
	for _, node := range unproven {
		result.Problem = fmt.Sprintf("Node %s: its oldest events are missing, and no event says that they were pruned.", node)
		return result, nil
	}
	now := s.Now()
	return result, s.store.View(ctx, func(tx Tx) error {
		mismatches, err := tx.RecountPools(now)
		if len(mismatches) > 0 {
			result.Problem = "The counters differ from a recount: " + mismatches[0] + "."
		}
		return err
	})
}

// beginnings begins each chain where it was pruned to, and returns what the
// events of these prunings must say, each with its node.
func (s *Service) beginnings(ctx context.Context, result *AuditResult) (unproven map[string]string, err error) {
	unproven = map[string]string{}
	err = s.store.View(ctx, func(tx Tx) error {
		result.Beginnings, err = tx.EventBeginnings()
		return err
	})
	for _, b := range result.Beginnings {
		result.Heads[b.Node] = Event{Node: b.Node, Number: b.Number, Hash: b.Hash, At: b.At}
		unproven[b.pruned()] = b.Node
	}
	return unproven, err
}
