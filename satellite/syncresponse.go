package satellite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"ssm/satellite/wire"
)

// SyncResult says what ApplySyncResponse did.
type SyncResult struct {
	Account         Account
	Sequence        int64
	AlreadyApplied  bool
	Registered      bool // the upstream vouches for the account since this response
	Lots            int
	Acknowledgement int
	FullRequested   bool
	Reason          string
	Deadline        time.Time
	Recovered       int // devices that came back from the upstream
	Revoked         int // devices that are here again, and were removed before
	Lineage         wire.Lineage
}

// Bounds of what one response brings.
const (
	maxLots = 100_000
	maxTag  = 1024 // bytes
)

// SyncOptions are what an administrator says about an exchange.
type SyncOptions struct {
	// AcceptTime takes the response's time for right where it is more than a day
	// ahead of the system's clock: the guarded clock moves forward to it.
	AcceptTime bool
	Full       bool   // Synchronize: everything, not only what changed
	Code       string // Synchronize: registration code, for an account that is not registered upstream yet

	online *SyncExchange // what Synchronize knows of it
}

// ApplySyncResponse verifies a response, stages what may be many in it, and
// switches over to it in one transaction; what was staged is then worked off, at
// the next start if this run is cut short.
// Applying the last applied one again changes nothing and is no error. A
// response of today, by the system's clock, confirms that clock.
//
// KindConflict for a response that is older, answers no request on record, is
// for another satellite, leads to a root that is not trusted, or is ahead of the
// system's clock (see SyncOptions); KindInvalid for a file that is altered, cut
// short, or no response. With an error nothing has changed.
func (s *Service) ApplySyncResponse(ctx context.Context, actor Actor, file io.ReaderAt, size int64, options SyncOptions) (result SyncResult, err error) {
	if err := actor.maySomewhere(ActionSynchronize, 0); err != nil {
		return result, err
	}
	defer func() { s.observer.SyncDone("response", err == nil) }()
	clock := s.guard.look()
	roots, err := s.Roots(ctx)
	if err != nil {
		return result, err
	}
	container, err := wire.OpenContainer(file, size, func(m wire.Manifest, chain [][]byte) error {
		return s.trustResponse(m, chain, roots, later(clock.Mark, m.CreatedAt))
	})
	if err != nil {
		return result, responseProblem(err)
	}
	account, err := s.responseAccount(ctx, actor, container.Manifest)
	if err != nil {
		return result, err
	}
	defer s.exchange(account.ID)()
	r := &response{service: s, manifest: container.Manifest, account: account, exchange: options.history(actor, size), entitlements: map[string]wire.EntitlementRecord{}}
	if err := r.clock(clock, options); err != nil {
		return result, err
	}
	applied, err := r.find(ctx)
	if err != nil || applied {
		return SyncResult{Account: account, Sequence: r.manifest.Sequence, AlreadyApplied: applied, Deadline: r.state.Deadline}, err
	}
	if err := s.finishSync(ctx, account.ID); err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, s.finishSync(context.WithoutCancel(ctx), account.ID)) }()
	if err := r.stage(ctx, container); err != nil {
		return result, responseProblem(err)
	}
	if err := r.prepare(roots); err != nil {
		return result, err
	}
	if r.moves != nil {
		err = s.changeClock(ctx, actor, r.moves, fmt.Sprintf("sync response %d confirmed the system's clock.", r.manifest.Sequence), r.apply)
	} else {
		err = s.update(ctx, actor, r.now, r.apply)
	}
	if err == nil {
		s.writers.Delete(account.ID)
	}
	return r.result, err
}

// clock decides by which time the response is applied, and what it means for the
// guarded clock: it confirms the system's clock where it agrees with that, and
// moves the guarded clock forward where somebody vouches for its time.
func (r *response) clock(clock Clock, options SyncOptions) error {
	created := r.manifest.CreatedAt.UTC().Truncate(time.Microsecond)
	ahead := created.Sub(clock.SystemAt)
	switch {
	case ahead > maxStepForward && !options.AcceptTime:
		return fail(KindConflict, "response-ahead", "The response was made on %s, and the clock of this system shows %s. Nothing was changed.", stamp(created), stamp(clock.SystemAt)).
			hint("Set the clock of the system. If it cannot be set, and the time of the response is right, apply it with `satellite sync apply --accept-time FILE`.")
	case ahead > maxStepForward:
		r.accepted = fmt.Sprintf(" Its time was accepted: the satellite's own time went forward to %s.", stamp(created))
		r.moves = func(c Clock) Clock { return c.forward(created) }
	case clock.Held() && ahead.Abs() <= maxStepForward:
		r.moves = Clock.confirmed
	}
	r.now = clock.Mark
	if r.moves != nil {
		r.now = r.moves(clock).Mark
	}
	r.judged = later(r.now, created)
	return nil
}

// trustResponse judges who signed a response.
func (s *Service) trustResponse(m wire.Manifest, chain [][]byte, roots []Root, now time.Time) error {
	if m.Kind != wire.SyncResponse {
		return fail(KindInvalid, "not-a-response", "This file is a sync request, not a response. Nothing was changed.").
			hint("Let the upstream answer it with `ssm sync answer`, and apply what that gives.")
	}
	untrusted, err := s.issuer.CheckChain(chain, roots, now)
	if untrusted != nil {
		return fail(KindConflict, "root-untrusted", "The response is signed under the licensing root %q, which this satellite does not trust. Its SHA-256 fingerprint is %s. Nothing was changed.", untrusted.Name, untrusted.Fingerprint).
			hint("Compare the fingerprint with the upstream's own; if they are the same, trust it with `satellite upstream trust FILE`, where FILE comes from `ssm root --out FILE`.")
	}
	if err != nil {
		return fail(KindConflict, "signer-not-accepted", "The response is not signed by an upstream that is trusted: %v. Nothing was changed.", err).hint("Get the response from the upstream again.")
	}
	if m.SatelliteID != s.id {
		return fail(KindConflict, "response-foreign", "The response is for satellite %s, this is satellite %s. Nothing was changed.", clip(m.SatelliteID), s.id).
			hint("Carry it to the satellite that it was made for.")
	}
	return nil
}

// responseProblem gives the errors of the container a Kind.
func responseProblem(err error) error {
	var own *Error
	switch {
	case errors.As(err, &own):
		return err
	case errors.Is(err, wire.ErrTooLarge):
		return fail(KindTooLarge, "sync-file-too-large", "The file is larger than is read: %v. Nothing was changed.", err)
	case errors.Is(err, wire.ErrVersion):
		return fail(KindInvalid, "sync-file-version", "The file cannot be read here: %v. Nothing was changed.", err)
	case errors.Is(err, wire.ErrSignature), errors.Is(err, wire.ErrAltered):
		return fail(KindInvalid, "sync-file-altered", "The file is not as the upstream wrote it: %v. Nothing was changed.", err).hint("Copy it again from where it was made.")
	case errors.Is(err, wire.ErrMalformed):
		return fail(KindInvalid, "sync-file-malformed", "This is no sync response: %v. Nothing was changed.", err).hint("Choose the file that `ssm sync answer` wrote.")
	}
	return err
}

func (s *Service) responseAccount(ctx context.Context, actor Actor, m wire.Manifest) (found Account, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		accounts, err := tx.Accounts()
		for _, account := range accounts {
			if s.externalID(account.ID) == m.Account.ID {
				found = account
			}
		}
		return err
	})
	missing := fail(KindConflict, "response-foreign", "The response is for account %q, which this satellite does not have. Nothing was changed.", clip(m.Account.Name))
	switch {
	case err != nil:
		return Account{}, err
	case found.ID == 0:
		return Account{}, missing
	}
	return found, actor.mayWith(ActionSynchronize, found.ID, 0, missing)
}

// response is a response that is being applied.
type response struct {
	service      *Service
	manifest     wire.Manifest
	account      Account
	now          time.Time
	judged       time.Time                         // by which certificates are judged
	moves        func(Clock) Clock                 // what it does to the guarded clock; nil: nothing
	accepted     string                            // says so in the event, where its time was accepted
	entitlements map[string]wire.EntitlementRecord // by tag
	lots         []lotRecord
	staged       []StagedRecord          // those that are not written yet
	counts       map[wire.RecordKind]int // of all that are staged
	state        SyncState
	request      SyncRequestRow
	authority    Authority
	renewed      bool // authority is to be saved
	result       SyncResult
	exchange     SyncExchange // for the history
}

type lotRecord struct {
	id string
	wire.LotRecord
}

// read takes one record in; nothing is kept before all have been read.
func (r *response) read(ctx context.Context, record wire.Record) error {
	switch record.Kind {
	case wire.RecordEntitlement:
		var entitlement wire.EntitlementRecord
		if err := record.Decode(&entitlement); err != nil {
			return err
		}
		if record.Key == "" || len(record.Key) > maxTag || len(r.entitlements) >= maxLots {
			return fmt.Errorf("%w: an entitlement without a tag, or more than %d of them", wire.ErrMalformed, maxLots)
		}
		if err := checkEntitlement(entitlement); err != nil {
			return err
		}
		r.entitlements[record.Key] = entitlement
	case wire.RecordLot:
		lot := lotRecord{id: record.Key}
		if err := record.Decode(&lot.LotRecord); err != nil {
			return err
		}
		if lot.Tag == "" || len(lot.Tag) > maxTag || !knownType(lot.Type) || lot.Quantity < 0 || lot.Quantity > 1<<40 || record.Key == "" {
			return fmt.Errorf("%w: lot %s has no tag, an unknown type, or a quantity out of range", wire.ErrMalformed, clip(record.Key))
		}
		if r.lots = append(r.lots, lot); len(r.lots) > maxLots {
			return fmt.Errorf("%w: more than %d lots", wire.ErrTooLarge, maxLots)
		}
	case wire.RecordAcknowledgement, wire.RecordRecovery, wire.RecordRevocation:
		return r.stageOne(ctx, record)
	default:
		return fail(KindInvalid, "record-kind-unknown", "The response holds records of the kind %q, which this satellite does not know. Nothing was changed.", clip(string(record.Kind))).
			hint("Update the satellite, then apply the same file again.")
	}
	return nil
}

// find judges the sequence of the response.
func (r *response) find(ctx context.Context) (alreadyApplied bool, err error) {
	err = r.service.store.View(ctx, func(tx Tx) error {
		if alreadyApplied, err = r.judge(tx); err != nil {
			return err
		}
		r.authority, err = tx.Authority(r.account.ID)
		return err
	})
	return alreadyApplied, err
}

// prepare makes the keys that the response calls for.
func (r *response) prepare(roots []Root) (err error) {
	s, m := r.service, r.manifest
	if err := checkAgreement(m.Response.AgreementVersion, m.Response.AgreementText); err != nil {
		return err
	}
	certificates := m.Response.Certificates
	if len(certificates) < 2 {
		return fail(KindInvalid, "sync-file-malformed", "The response carries no certificates of the account. Nothing was changed.")
	}
	chain, root := certificates[:len(certificates)-1], certificates[len(certificates)-1]
	if sameChain(chain, r.authority.Chain) && len(r.authority.SignerCertificate) > 0 {
		return nil
	}
	a := &r.authority
	a.SubCANotBefore, a.SubCANotAfter, err = s.issuer.CheckAuthority(a.Key, certificates, roots, r.judged)
	if err != nil {
		return fail(KindConflict, "authority-not-accepted", "The upstream's certificate for account %q cannot be used: %v. Nothing was changed.", r.account.Name, err)
	}
	a.Chain, a.Root, r.renewed = chain, root, true
	a.SignerKey, a.SignerCertificate, a.SignerNotAfter, err = s.issuer.IssueSigner(*a, s.id, r.judged)
	return err
}

// judge checks that the response answers a request on record that is newer
// than the last applied one.
func (r *response) judge(tx Tx) (alreadyApplied bool, err error) {
	m := r.manifest
	if r.state, err = tx.SyncState(r.account.ID); err != nil {
		return false, err
	}
	r.request, err = tx.SyncRequest(r.account.ID, m.Sequence)
	if isNotFound(err) || err == nil && r.request.Digest != m.Response.RequestDigest {
		return false, fail(KindConflict, "response-unasked", "The response answers request %d with digest %s…, which this satellite has not made. Nothing was changed.", m.Sequence, first(m.Response.RequestDigest, 12)).
			hint("If this satellite was restored from a backup, make a new request and let the upstream answer that.")
	}
	if err != nil {
		return false, err
	}
	if m.Sequence == r.state.AppliedSequence {
		return true, nil
	}
	if m.Sequence < r.state.AppliedSequence {
		return false, fail(KindConflict, "response-old", "The response answers request %d, and the one to request %d has been applied already. Nothing was changed.", m.Sequence, r.state.AppliedSequence).
			hint("Use the newest response file.")
	}
	return false, nil
}

func first(text string, n int) string { return text[:min(n, len(text))] }

// apply is the transaction.
func (r *response) apply(tx Tx, record recorder) error {
	if applied, err := r.judge(tx); err != nil || applied {
		return err
	}
	m := r.manifest.Response
	account, err := tx.Account(r.account.ID)
	if err != nil {
		return err
	}
	registered := !account.Registered()
	if registered {
		account.UpstreamRegisteredAt = r.now
	}
	if m.AccountType == string(AccountLimited) || m.AccountType == string(AccountStandard) {
		account.Type, account.DomainIdentifier = AccountType(m.AccountType), m.DomainIdentifier
	}
	if account, err = applyUpgrade(tx, record, account, m.Upgrade, r.now); err != nil {
		return err
	}
	if err := receiveAgreement(tx, record, account, m.AgreementVersion, m.AgreementText, r.now); err != nil {
		return err
	}
	if err := tx.SaveAccount(account); err != nil {
		return err
	}
	if r.renewed {
		if err := tx.SaveAuthority(r.authority); err != nil {
			return err
		}
	}
	if err := r.applyLots(tx, record); err != nil {
		return err
	}
	if err := r.lineage(record); err != nil {
		return err
	}
	if err := r.notices(record); err != nil {
		return err
	}
	if err := r.confirm(tx); err != nil {
		return err
	}
	if err := tx.AddSyncExchange(r.exchange.applied(r), keptExchanges); err != nil {
		return err
	}
	if err := watchDeadlines(tx, record, account, r.now); err != nil {
		return err
	}
	r.result = SyncResult{
		Account: account, Sequence: r.manifest.Sequence, Registered: registered, Lots: len(r.lots), Acknowledgement: r.counts[wire.RecordAcknowledgement],
		FullRequested: m.FullRequested, Reason: m.Reason, Deadline: m.Deadline, Lineage: m.Lineage,
		Recovered: r.counts[wire.RecordRecovery], Revoked: r.counts[wire.RecordRevocation],
	}
	if registered {
		if err := record(Event{Type: EventAccountRegistered, AccountID: account.ID, Message: fmt.Sprintf("Account %q is registered upstream with %q, virtual account %q.", account.Name, r.manifest.Account.SmartAccount, r.manifest.Account.VirtualAccount)}); err != nil {
			return err
		}
	}
	message := fmt.Sprintf("Sync response %d was applied: %d lots, %d acknowledgements; the next synchronization is due by %s.", r.manifest.Sequence, len(r.lots), r.counts[wire.RecordAcknowledgement], stamp(m.Deadline))
	if m.FullRequested {
		message = fmt.Sprintf("Sync response %d was applied: the upstream asks for a full request. %s", r.manifest.Sequence, m.Reason)
	}
	return record(Event{Type: EventSyncApplied, AccountID: account.ID, Message: message + r.accepted})
}

// confirm notes what the upstream now knows.
func (r *response) confirm(tx Tx) error {
	m := r.manifest.Response
	r.state.AppliedSequence = r.manifest.Sequence
	if len(r.counts) > 0 {
		r.state.SwitchedSequence = r.manifest.Sequence
	}
	if m.Lineage == wire.LineageDuplicated {
		r.state.DuplicatedAt = r.now
	}
	r.state.NextSequence = max(r.state.NextSequence, m.NextSequence)
	r.state.FullRequired, r.state.Reason = m.FullRequested, m.Reason
	r.state.Deadline, r.state.LastSyncAt, r.state.AgreementVersion = m.Deadline, r.now, m.AgreementVersion
	if !m.FullRequested {
		r.state.ConfirmedGeneration = r.request.Generation
		if err := tx.DeleteTombstones(r.account.ID, r.request.Generation); err != nil {
			return err
		}
	}
	r.request.AppliedAt = r.now
	if err := tx.SaveSyncRequest(r.request); err != nil {
		return err
	}
	return tx.SaveSyncState(r.state)
}
