package satellite

import (
	"bytes"
	"context"
	"fmt"

	"ssm/satellite/wire"
)

// packer turns changed rows into records, page by page, and keeps the digest of
// what was sent. Each page is one short transaction.
type packer struct {
	service *Service
	account Account
	since   int64
	records *wire.RecordWriter
	count   int64
	virtual map[VirtualAccountID]string
	privacy *reduction
	kept    []string // digests of the usage reports that privacy keeps here
}

const packPage = 200

// change is one row on its way into the document.
type change struct {
	number int64
	record wire.Record
}

func (p *packer) pack(ctx context.Context) (map[wire.RecordKind]wire.Digest, error) {
	// Tombstones first: what was removed and made again under the same key must end as made.
	// They stand in a full request, too, so that what was removed is not taken for forgotten.
	sources := []func(Tx, int64) ([]change, error){p.tombstones, p.devices, p.usages, p.tokens, p.reservations, p.transfers}
	for _, source := range sources {
		for after, more := p.since, true; more; {
			page, err := p.page(ctx, source, after)
			if err != nil {
				return nil, err
			}
			for _, c := range page {
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
		for i, c := range page {
			if c.record, err = p.privacy.record(c.record); err != nil {
				return err
			}
			page[i] = c
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
			value.LicensesReturned = i.AuthorizationState == AuthorizationExpired
			value.CertificateSHA256, value.ExportControlled = fmt.Sprintf("%x", i.Credential), i.ExportAllowed
		}
		record, err := wire.NewRecord(wire.RecordDevice, i.PIID, value)
		return i.ChangeNumber, record, err
	})
}

func (p *packer) usages(tx Tx, after int64) ([]change, error) {
	rows, err := tx.ChangedPools(p.account.ID, after, packPage)
	return changed(rows, err, func(row PoolRow) (int64, wire.Record, error) {
		record, err := wire.NewRecord(wire.RecordUsage, poolKey(row.VirtualAccount, row.License.Tag), wire.UsageRecord{
			VirtualAccount: row.VirtualAccount, Tag: row.License.Tag, InUse: row.InUse, Reserved: row.Reserved,
		})
		return row.ChangeNumber, record, err
	})
}

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

func (p *packer) reservations(tx Tx, after int64) ([]change, error) {
	rows, err := tx.ChangedReservations(p.account.ID, after, packPage)
	return changed(rows, err, func(r ChangedReservation) (int64, wire.Record, error) {
		key := fmt.Sprint(r.ID)
		value := wire.ReservationRecord{
			ID: key, VirtualAccount: p.virtual[r.VirtualAccountID], PIID: r.PIID, UDIPID: r.UDIPID, UDISerialNumber: r.UDISerialNumber,
			Type: string(r.Type), State: string(r.State), Items: itemRecords(r.Authorization), Update: itemRecords(r.Update), CreatedAt: r.CreatedAt,
		}
		if !r.ReturnedAt.IsZero() {
			value.ReturnedAt = &r.ReturnedAt
		}
		record, err := wire.NewRecord(wire.RecordReservation, key, value)
		return r.ChangeNumber, record, err
	})
}

func itemRecords(a ReservationAuthorization) (items []wire.ReservedItem) {
	for _, i := range a.Items {
		item := wire.ReservedItem{Tag: i.Tag, Count: i.Count}
		if !i.End.IsZero() {
			item.End = &i.End
		}
		items = append(items, item)
	}
	return items
}

func (p *packer) transfers(tx Tx, after int64) ([]change, error) {
	rows, err := tx.ChangedTransfers(p.account.ID, after, packPage)
	return changed(rows, err, func(t ChangedTransfer) (int64, wire.Record, error) {
		record, err := wire.NewRecord(wire.RecordTransfer, t.RecordKey(), wire.TransferRecord{
			Lot: t.Lot.UpstreamID, Tag: t.Tag, From: p.virtual[t.From], To: p.virtual[t.To], Quantity: t.Quantity, MovedAt: t.At,
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
			page.After = report.ID
			if p.privacy.keeps(report.Raw) {
				p.kept = append(p.kept, report.Digest)
				continue
			}
			record, err := wire.NewRecord(wire.RecordReport, report.Digest, wire.ReportRecord{Report: report.Raw})
			if err != nil {
				return err
			}
			if err := p.records.Add(record); err != nil {
				return err
			}
			p.count++
		}
		if len(reports) < packPage {
			return nil
		}
	}
}

// poolKey names a pool in sync records.
func poolKey(virtual, tag string) string { return virtual + "\t" + tag }

// sameChain compares two chains of certificates.
func sameChain(a, b [][]byte) bool {
	return bytes.Equal(bytes.Join(a, nil), bytes.Join(b, nil)) && len(a) == len(b)
}
