package satellite

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"ssm/satellite/wire"
)

// WriteSyncRequest writes a request of an account to w: everything that changed
// since the request that the upstream last confirmed, or everything where full
// is asked for, by the caller or by the upstream. An account whose sub CA has ended
// registers again, under the same key and with nothing lost. Nothing is written to
// w before the request is on record. It changes no license and no device.
func (s *Service) WriteSyncRequest(ctx context.Context, actor Actor, accountID AccountID, full bool, w io.Writer) (row SyncRequestRow, err error) {
	if err := actor.mayIn(ActionSynchronize, accountID, 0); err != nil {
		return row, err
	}
	defer func() { s.observer.SyncDone("request", err == nil) }()
	defer s.exchange(accountID)()
	now := s.Now()
	if err := s.finishSync(ctx, accountID); err != nil {
		return row, err
	}
	if err := s.RenewSigners(ctx, now); err != nil { // the satellite may have been off past their end
		return row, err
	}
	var account Account
	var authority Authority
	var state SyncState
	privacy, err := s.leaveOut(ctx, accountID)
	if err != nil {
		return row, err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		if account, err = tx.Account(accountID); err != nil {
			return err
		}
		if err := account.approved("No request was made."); err != nil {
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
	case !account.Registered(), authority.ended(now):
		row.Scope = wire.ScopeRegistration
	case full || state.FullRequired || state.AppliedSequence == 0 || state.ConfirmedGeneration < state.RenamedAt:
		row.Scope = wire.ScopeFull
	default:
		row.Scope, since = wire.ScopeStandard, state.ConfirmedGeneration
	}
	manifest, signer, err := s.requestManifest(ctx, account, authority, state, row, now)
	if err != nil {
		return row, err
	}
	manifest.Request.PrivacyOmits = kindNames(privacy.omits)
	records, err := wire.NewRecordWriter(s.options.TemporaryFolder)
	if err != nil {
		return row, err
	}
	defer records.Close()
	packer := &packer{service: s, account: account, since: since, records: records, privacy: privacy}
	if manifest.StateDigest, err = packer.pack(ctx); err != nil {
		return row, err
	}
	if err := s.keepReports(ctx, actor, accountID, packer.kept, now); err != nil {
		return row, err
	}
	row.Records = packer.count
	err = s.issueRequest(ctx, actor, &row, records, manifest, signer, w, now)
	return row, err
}

// ended tells that nothing can be signed any more that the upstream accepts. Then
// the account comes back by a registration under the same key. Its last day
// counts as well: the upstream judges by its own clock.
func (a Authority) ended(now time.Time) bool {
	return !a.SubCANotAfter.IsZero() && !now.Before(a.SubCANotAfter.Add(-day))
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
		if err != nil {
			return err
		}
		for _, head := range heads {
			manifest.Request.EventHeads[head.Node] = wire.EventHead{Number: head.Number, Hash: fmt.Sprintf("%x", head.Hash)}
		}
		upgrade, err := tx.Upgrade(account.ID)
		if err != nil {
			return err
		}
		manifest.Request.Upgrade = upgrade.asked()
		if state.AppliedSequence > 0 {
			applied, err := tx.SyncRequest(account.ID, state.AppliedSequence)
			if err != nil {
				return err
			}
			manifest.Request.BaseDigest = applied.Digest
		}
		acceptances, err := tx.Acceptances(account.ID)
		if len(acceptances) > 0 {
			manifest.Request.AgreementAccepted = acceptances[0].Version
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
