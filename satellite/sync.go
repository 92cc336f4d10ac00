package satellite

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
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
	Requests []SyncRequestRow // the last ten, newest first
}

// SyncStatuses lists all accounts with their synchronization.
func (s *Service) SyncStatuses(ctx context.Context, actor Actor) (list []SyncStatus, err error) {
	if err := actor.may(ActionRead); err != nil {
		return nil, err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		list = list[:0]
		accounts, err := tx.Accounts()
		if err != nil {
			return err
		}
		for _, account := range accounts {
			state, err := tx.SyncState(account.ID)
			if err != nil {
				return err
			}
			requests, err := tx.SyncRequests(account.ID, Page{Limit: 10})
			if err != nil {
				return err
			}
			list = append(list, SyncStatus{Account: account, State: state, Requests: requests})
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

// WriteSyncRequest writes a request of an account to w: everything that changed
// since the request that the upstream last confirmed, or everything where full
// is asked for, by the caller or by the upstream. Nothing is written to w before
// the request is on record. It changes no license and no device.
func (s *Service) WriteSyncRequest(ctx context.Context, actor Actor, accountID AccountID, full bool, w io.Writer) (row SyncRequestRow, err error) {
	if err := actor.may(ActionSynchronize); err != nil {
		return row, err
	}
	defer func() { s.observer.SyncDone("request", err == nil) }()
	defer s.exchange(accountID)()
	now := s.Now()
	var account Account
	var authority Authority
	var state SyncState
	err = s.store.View(ctx, func(tx Tx) error {
		if account, err = tx.Account(accountID); err != nil {
			return err
		}
		if authority, err = tx.Authority(accountID); err != nil {
			return err
		}
		if state, err = tx.SyncState(accountID); err != nil {
			return err
		}
		row.Generation, err = tx.ChangeNumber()
		return err
	})
	if err != nil {
		return row, err
	}
	row.AccountID, row.Sequence, row.CreatedAt, row.CreatedBy = accountID, state.NextSequence, now, actor.Name
	since := int64(0)
	switch {
	case !account.Registered():
		row.Scope = wire.ScopeRegistration
	case full || state.FullRequired || state.AppliedSequence == 0:
		row.Scope = wire.ScopeFull
	default:
		row.Scope, since = wire.ScopeStandard, state.ConfirmedGeneration
	}
	manifest, signer, err := s.requestManifest(ctx, account, authority, state, row, now)
	if err != nil {
		return row, err
	}
	records, err := wire.NewRecordWriter(s.options.TemporaryFolder)
	if err != nil {
		return row, err
	}
	defer records.Close()
	packer := &packer{service: s, account: account, since: since, records: records, full: row.Scope != wire.ScopeStandard}
	if manifest.StateDigest, err = packer.pack(ctx); err != nil {
		return row, err
	}
	row.Records = packer.count
	err = s.issueRequest(ctx, actor, &row, records, manifest, signer, w, now)
	return row, err
}

// requestManifest is the signed part of a request, but for what the records add.
func (s *Service) requestManifest(ctx context.Context, account Account, authority Authority, state SyncState, row SyncRequestRow, now time.Time) (wire.Manifest, wire.Signer, error) {
	manifest := wire.Manifest{
		Kind: wire.SyncRequest, CreatedAt: now, SatelliteID: s.id, Sequence: row.Sequence,
		Account: wire.SyncAccount{
			ID: s.externalID(account.ID), Name: account.Name,
			SmartAccount: account.UpstreamAccount, VirtualAccount: account.UpstreamVirtualAccount,
		},
		Request: &wire.RequestPart{
			Scope: row.Scope, BaseSequence: state.AppliedSequence, LimitedAccount: account.Type == AccountLimited,
			RequestedBy: account.RequesterEmail, EventHeads: map[string]wire.EventHead{}, PrivacyOmits: []string{},
		},
	}
	err := s.store.View(ctx, func(tx Tx) error {
		heads, err := tx.EventHeads()
		for _, head := range heads {
			manifest.Request.EventHeads[head.Node] = wire.EventHead{Number: head.Number, Hash: fmt.Sprintf("%x", head.Hash)}
		}
		return err
	})
	if err != nil {
		return manifest, wire.Signer{}, err
	}
	pastHalf := !now.Before(authority.SubCANotBefore.Add(authority.SubCANotAfter.Sub(authority.SubCANotBefore) / 2))
	if row.Scope == wire.ScopeRegistration || pastHalf {
		if manifest.Request.CertificateRequest, err = s.issuer.AuthorityRequest(authority.Key, s.externalID(account.ID), account.Name); err != nil {
			return manifest, wire.Signer{}, fmt.Errorf("make the account's certificate request: %w", err)
		}
	}
	if row.Scope == wire.ScopeRegistration {
		key, err := s.issuer.Key(authority.Key)
		return manifest, wire.Signer{Key: key}, err
	}
	signer, err := s.issuer.Signer(authority)
	return manifest, signer, err
}

// issueRequest writes the document, puts it on record with its digest, and only then hands it out.
func (s *Service) issueRequest(ctx context.Context, actor Actor, row *SyncRequestRow, records *wire.RecordWriter, manifest wire.Manifest, signer wire.Signer, w io.Writer, now time.Time) error {
	file, err := os.CreateTemp(s.options.TemporaryFolder, "request-*"+wire.RequestExtension)
	if err != nil {
		return err
	}
	defer func() {
		_ = file.Close()
		_ = os.Remove(file.Name())
	}()
	if row.Digest, err = records.WriteTo(file, manifest, signer); err != nil {
		return err
	}
	err = s.update(ctx, actor, now, func(tx Tx, record recorder) error {
		state, err := tx.SyncState(row.AccountID)
		if err != nil {
			return err
		}
		state.NextSequence = row.Sequence + 1
		if err := tx.SaveSyncState(state); err != nil {
			return err
		}
		if err := tx.CreateSyncRequest(*row); err != nil {
			return err
		}
		return record(Event{
			Type: EventSyncRequested, AccountID: row.AccountID,
			Message: fmt.Sprintf("Sync request %d (%s) was made: %d records.", row.Sequence, row.Scope, row.Records),
		})
	})
	if err != nil {
		return err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err = io.Copy(w, file)
	return err
}

// packer turns changed rows into records, page by page, and keeps the digest of
// what was sent. Each page is one short transaction.
type packer struct {
	service *Service
	account Account
	since   int64
	full    bool
	records *wire.RecordWriter
	count   int64
	virtual map[VirtualAccountID]string
}

const packPage = 200

// change is one row on its way into the document.
type change struct {
	number int64
	record wire.Record
}

func (p *packer) pack(ctx context.Context) (map[wire.RecordKind]wire.Digest, error) {
	// Tombstones first: what was removed and made again under the same key must end as made.
	sources := []func(Tx, int64) ([]change, error){p.tombstones, p.devices, p.usages, p.tokens}
	for _, source := range sources {
		for after, more := p.since, true; more; {
			page, err := p.page(ctx, source, after)
			if err != nil {
				return nil, err
			}
			for _, c := range page {
				// What is gone need not be told to who gets everything.
				if c.record.Removed && p.full {
					continue
				}
				if err := p.records.Add(c.record); err != nil {
					return nil, err
				}
				p.count++
			}
			if more = len(page) == packPage; more {
				after = page[len(page)-1].number
			}
		}
	}
	if err := p.reports(ctx); err != nil {
		return nil, err
	}
	var state SyncState
	err := p.service.store.View(ctx, func(tx Tx) (err error) {
		state, err = tx.SyncState(p.account.ID)
		return err
	})
	return state.Digests, err
}

// page reads one page of changes and folds it into the digests.
func (p *packer) page(ctx context.Context, source func(Tx, int64) ([]change, error), after int64) (page []change, err error) {
	err = p.service.store.Update(ctx, func(tx Tx) error {
		if err := p.loadNames(tx); err != nil {
			return err
		}
		if page, err = source(tx, after); err != nil || len(page) == 0 {
			return err
		}
		state, err := tx.SyncState(p.account.ID)
		if err != nil {
			return err
		}
		for _, c := range page {
			if err := p.fold(tx, &state, c.record); err != nil {
				return err
			}
		}
		return tx.SaveSyncState(state)
	})
	return page, err
}

func (p *packer) fold(tx Tx, state *SyncState, record wire.Record) error {
	var hash wire.Digest
	if !record.Removed {
		var err error
		if hash, err = record.Hash(); err != nil {
			return err
		}
	}
	before, err := tx.SwapSent(p.account.ID, string(record.Kind), record.Key, hash)
	if err != nil {
		return err
	}
	// The zero hash stands for "not there", and adds nothing.
	state.Digests[record.Kind] = state.Digests[record.Kind].Subtract(before).Add(hash)
	return nil
}

func (p *packer) loadNames(tx Tx) error {
	list, err := tx.VirtualAccounts(p.account.ID)
	if err != nil {
		return err
	}
	p.virtual = make(map[VirtualAccountID]string, len(list))
	for _, v := range list {
		p.virtual[v.ID] = v.Name
	}
	return nil
}

func changed[T any](rows []T, err error, convert func(T) (int64, wire.Record, error)) ([]change, error) {
	if err != nil {
		return nil, err
	}
	changes := make([]change, 0, len(rows))
	for _, row := range rows {
		number, record, err := convert(row)
		if err != nil {
			return nil, err
		}
		changes = append(changes, change{number: number, record: record})
	}
	return changes, nil
}

func (p *packer) devices(tx Tx, after int64) ([]change, error) {
	rows, err := tx.ChangedInstances(p.account.ID, after, packPage)
	return changed(rows, err, func(i Instance) (int64, wire.Record, error) {
		value := wire.DeviceRecord{
			PIID: i.PIID, UDIPID: i.UDIPID, UDISerialNumber: i.UDISerialNumber, UDIVID: i.UDIVID, UUID: i.UUID, MACAddress: i.MACAddress,
			SoftwareTag: i.SoftwareTag, Hostname: i.Hostname, VirtualAccount: p.virtual[i.VirtualAccountID], RegistrationState: string(i.RegistrationState),
		}
		if i.RegistrationState == Registered {
			value.RegisteredAt, value.CertificateExpires = &i.RegisteredAt, &i.CertificateNotAfter
			value.CertificateSerial, value.PublicKeySHA256 = i.CertificateSerial, fmt.Sprintf("%x", i.PublicKeyHash)
		}
		record, err := wire.NewRecord(wire.RecordDevice, i.PIID, value)
		return i.ChangeNumber, record, err
	})
}

func (p *packer) usages(tx Tx, after int64) ([]change, error) {
	rows, err := tx.ChangedPools(p.account.ID, after, packPage)
	return changed(rows, err, func(row PoolRow) (int64, wire.Record, error) {
		record, err := wire.NewRecord(wire.RecordUsage, usageKey(row), wire.UsageRecord{VirtualAccount: row.VirtualAccount, Tag: row.License.Tag, InUse: row.InUse})
		return row.ChangeNumber, record, err
	})
}

func usageKey(row PoolRow) string { return row.VirtualAccount + "\t" + row.License.Tag }

func (p *packer) tokens(tx Tx, after int64) ([]change, error) {
	rows, err := tx.ChangedTokens(p.account.ID, after, packPage)
	return changed(rows, err, func(t Token) (int64, wire.Record, error) {
		key := fmt.Sprint(t.ID)
		record, err := wire.NewRecord(wire.RecordToken, key, wire.TokenRecord{
			ID: key, VirtualAccount: p.virtual[t.VirtualAccountID], CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt,
			MaxUses: t.MaxUses, Uses: t.Uses, Revoked: !t.RevokedAt.IsZero(),
		})
		return t.ChangeNumber, record, err
	})
}

func (p *packer) tombstones(tx Tx, after int64) ([]change, error) {
	rows, err := tx.Tombstones(p.account.ID, after, packPage)
	return changed(rows, err, func(t Tombstone) (int64, wire.Record, error) {
		return t.ChangeNumber, wire.Record{Kind: t.Kind, Key: t.Key, Removed: true}, nil
	})
}

// reports are sent until the upstream acknowledges them; they are no part of the state.
func (p *packer) reports(ctx context.Context) error {
	for page := (Page{Limit: packPage}); ; {
		var reports []Report
		err := p.service.store.View(ctx, func(tx Tx) (err error) {
			reports, err = tx.ReportsToSend(p.account.ID, page)
			return err
		})
		if err != nil {
			return err
		}
		for _, report := range reports {
			record, err := wire.NewRecord(wire.RecordReport, report.Digest, wire.ReportRecord{Report: report.Raw})
			if err != nil {
				return err
			}
			if err := p.records.Add(record); err != nil {
				return err
			}
			p.count++
			page.After = report.ID
		}
		if len(reports) < packPage {
			return nil
		}
	}
}

// sameChain compares two chains of certificates.
func sameChain(a, b [][]byte) bool {
	return bytes.Equal(bytes.Join(a, nil), bytes.Join(b, nil)) && len(a) == len(b)
}
