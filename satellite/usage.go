package satellite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ssm/satellite/wire"
)

// ReportState is where a usage report is in its life.
type ReportState string

// The states of a report that this satellite holds.
const (
	ReportReceived     ReportState = "received"     // counted, not yet known upstream
	ReportAcknowledged ReportState = "acknowledged" // the upstream has it
)

// ReportKey is what makes a report the same report: two with one key and other
// bytes contradict each other.
type ReportKey struct {
	Identity
	ReportID int64 // Unix seconds
	Tag      string
}

// Report is a usage report (RUM), kept byte for byte.
type Report struct {
	ID            int64
	AccountID     AccountID
	Digest        string // SHA-256 of Raw, hexadecimal
	Raw           []byte
	Key           ReportKey
	PIID          string
	Count         int64
	MeasuredUntil time.Time
	State         ReportState
	ImportedAt    time.Time
	ImportedBy    string
}

// ImportResult says what ImportUsage did.
type ImportResult struct {
	Reports   int // in the file
	Counted   int // new ones
	Known     int // imported before: acknowledged again, counted once
	Conflicts int // the same report with other bytes: not counted
}

// ImportUsage takes a usage file into an account. Each new report is kept byte
// for byte, and the count of its newest measurement is drawn from the pool of
// the virtual account that the device is in (the default one for a device that
// is not known yet). A report that was imported before is counted once.
//
// KindInvalid or KindTooLarge for what is no usage file: then none of it is
// kept. KindForbidden for a device in a virtual account where the actor may not import. KindConflict for a device of another account: what
// stands before it in the file may be kept, and is counted once when the file comes again.
func (s *Service) ImportUsage(ctx context.Context, actor Actor, accountID AccountID, file []byte) (ImportResult, error) {
	if err := actor.maySomewhere(ActionImportUsage, accountID); err != nil {
		return ImportResult{}, err
	}
	reports, err := wire.ReadUsageFile(file)
	if errors.Is(err, wire.ErrTooLarge) {
		return ImportResult{}, fail(KindTooLarge, "usage-file-too-large", "The usage file is larger than is read: %v. Nothing was imported.", err)
	}
	if err != nil {
		return ImportResult{}, fail(KindInvalid, "usage-file-invalid", "This is no usage file: %v. Nothing was imported.", err).
			hint("Save it again on the device with `license smart save usage all file NAME`.")
	}
	now := s.Now()
	result := ImportResult{Reports: len(reports)}
	// In chunks, so that a file of many devices does not hold the writer. A
	// file that is cut off in the middle is imported again: what was counted stays counted once.
	for chunk := range slices.Chunk(reports, importChunk) {
		piids := make([]string, len(chunk))
		for i := range piids {
			piids[i] = s.randomUUID()
		}
		var done ImportResult
		err = s.update(ctx, actor, now, func(tx Tx, record recorder) error {
			done = result
			account, err := tx.Account(accountID)
			if err != nil {
				return err
			}
			for i, report := range chunk {
				if err := importReport(tx, record, actor, account, report, piids[i], &done, now); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return result, err
		}
		result = done
	}
	return result, nil
}

// importChunk is how many reports go into one transaction: about 20 ms.
const importChunk = 100

func reportKey(report wire.UsageReport) ReportKey {
	id := report.Payload.AssetIdentification
	return ReportKey{
		Identity: Identity{UDIPID: id.Instance.SUDI.UDIPID, UDISerialNumber: id.Instance.SUDI.UDISerialNumber, SoftwareTag: id.Asset.Name},
		ReportID: id.ReportID, Tag: report.Payload.Meta.EntitlementTag,
	}
}

func importReport(tx Tx, record recorder, actor Actor, account Account, report wire.UsageReport, piid string, result *ImportResult, now time.Time) error {
	key := reportKey(report)
	_, err := tx.ReportByDigest(account.ID, report.Digest())
	if err == nil {
		result.Known++
		return nil
	}
	if !isNotFound(err) {
		return err
	}
	_, err = tx.ReportByKey(account.ID, key)
	if err == nil {
		result.Conflicts++
		return record(Event{
			Type: EventUsageConflict, AccountID: account.ID,
			Message: fmt.Sprintf("Usage report %d of device %s for %s came again with other content; the first one stands.", key.ReportID, key.UDISerialNumber, key.Tag),
		})
	}
	if !isNotFound(err) {
		return err
	}
	instance, err := reporting(tx, account, key.Identity, report, piid, now)
	if err != nil {
		return err
	}
	if !actor.MayIn(ActionImportUsage, account.ID, instance.VirtualAccountID) {
		return fail(KindForbidden, "usage-elsewhere", "The report of device %s (%s) belongs into a virtual account in which you may not import. It was not imported.", key.UDISerialNumber, key.UDIPID).
			hint("Let an Account Administrator import the file.")
	}
	count, until := report.Usage()
	if until.After(now) {
		until = now // a device's clock that runs ahead must not outbid its later reports
	}
	drawn, err := unreservedUse(tx, key, count, now)
	if err != nil {
		return err
	}
	if err := drawReported(tx, record, instance, key.Tag, drawn, until, now); err != nil {
		return err
	}
	if err := settleReporting(tx, instance, now); err != nil {
		return err
	}
	_, err = tx.CreateReport(Report{
		AccountID: account.ID, Digest: report.Digest(), Raw: report.Raw, Key: key, PIID: instance.PIID,
		Count: count, MeasuredUntil: until, State: ReportReceived, ImportedAt: now, ImportedBy: actor.Name,
	})
	if err != nil {
		return err
	}
	result.Counted++
	return record(Event{
		Type: EventUsageImported, AccountID: account.ID, PIID: instance.PIID,
		Message: fmt.Sprintf("Usage report %d of device %s was imported: %d of %s, measured until %s.", key.ReportID, key.UDISerialNumber, count, key.Tag, stamp(until)),
	})
}

// reporting is the instance that a report speaks of; a device that only
// reports, and never registered, gets a record, with the given PIID, when its first report comes.
func reporting(tx Tx, account Account, identity Identity, report wire.UsageReport, piid string, now time.Time) (Instance, error) {
	instance, err := tx.InstanceByIdentity(identity)
	if err == nil && instance.AccountID != account.ID {
		return Instance{}, fail(KindConflict, "device-of-another-account", "Device %s (%s) is known in another account of this satellite. Its report was not imported.", identity.UDISerialNumber, identity.UDIPID)
	}
	if !isNotFound(err) {
		return instance, err
	}
	if reserved, err := adoptReserved(tx, account, identity); err != nil || reserved.ID != 0 {
		return reserved, err
	}
	virtual, err := findVirtualAccount(tx, account.ID, "")
	if err != nil {
		return Instance{}, err
	}
	sudi := report.Payload.AssetIdentification.Instance.SUDI
	return tx.CreateInstance(Instance{
		PIID: piid, AccountID: account.ID, VirtualAccountID: virtual.ID, Identity: identity,
		UDIVID: sudi.UDIVID, UUID: sudi.UUID, MACAddress: sudi.MACAddress, SoftwareVersion: report.Payload.Meta.SoftwareVersion,
		RegistrationState: Unregistered, AuthorizationState: NoLicensesInUse, LastContactAt: now,
	})
}

// settleReporting gives a device that only reports the state that a device with
// its licenses is in; one that registered is told its own at its next contact.
func settleReporting(tx Tx, instance Instance, now time.Time) error {
	if instance.RegistrationState != Unregistered || instance.AuthorizationState == AuthorizedReserved {
		return nil
	}
	holdings, err := tx.Holdings(instance.ID)
	if err != nil {
		return err
	}
	if err := currentHoldings(tx, holdings, now); err != nil {
		return err
	}
	instance.AuthorizationState = stateOf(holdings)
	return tx.TouchInstance(instance)
}

// drawReported draws the count of a report, unless a newer measurement is counted already.
func drawReported(tx Tx, record recorder, instance Instance, tag string, count int64, until, now time.Time) error {
	license, err := tx.LicenseByTag(instance.AccountID, tag)
	if isNotFound(err) {
		// Devices report what they run, bought or not: the row shows purchased 0.
		license, err = tx.CreateLicense(License{AccountID: instance.AccountID, Tag: tag, Name: tag, Type: LicensePerpetual, Enforcement: Unenforced, Billing: BillingPrepaid})
	}
	if err != nil {
		return err
	}
	holdings, err := tx.Holdings(instance.ID)
	if err != nil {
		return err
	}
	holding, err := newHolding(tx, instance, license.Tag)
	if err != nil {
		return err
	}
	for _, h := range holdings {
		if h.License.ID == license.ID {
			holding = h
		}
	}
	if holding.Usage.MeasuredUntil.After(until) {
		return nil
	}
	ledger := openLedger(tx, record, instance.AccountID, instance.VirtualAccountID, now)
	peers, err := pairOf(tx, instance)
	if err != nil {
		return err
	}
	// What was used was used, also of a license that would be refused to who asks first.
	holding.Usage.Wanted, holding.Usage.MeasuredUntil = count, until
	own := member{instance: instance, Holding: holding, reported: true}
	if _, err := ledger.carry(peers, &own); err != nil {
		return err
	}
	if err := ledger.save(own.Usage); err != nil {
		return err
	}
	if err := ledger.restrict(instance, holding); err != nil {
		return err
	}
	return ledger.settle()
}

// Reports lists the usage reports of an account, newest first. A role in a
// virtual account shows those of the devices that are in it now.
func (s *Service) Reports(ctx context.Context, actor Actor, accountID AccountID, page Page) (reports []Report, err error) {
	scope, err := actor.sees(accountID, 0)
	if err != nil {
		return nil, err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		reports, err = tx.Reports(accountID, scope, page.bounded())
		return err
	})
	return reports, err
}
