package satellite

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"ssm/satellite/wire"
)

// A satellite that was restored from an older copy gets back from the upstream
// what it has told it since: see law 7 of the synchronization.

// recovery is a device that comes back, with its hashes as bytes.
type recovery struct {
	wire.RecoveryRecord
	credential, publicKey [sha256.Size]byte
}

// readRecovery reads and bounds a recovery. wire.ErrMalformed.
func readRecovery(record wire.Record) (r recovery, err error) {
	if err := record.Decode(&r.RecoveryRecord); err != nil {
		return r, err
	}
	bad := fmt.Errorf("%w: recovery %s", wire.ErrMalformed, clip(record.Key))
	for _, text := range []string{r.PIID, r.UDIPID, r.UDISerialNumber, r.UUID, r.SoftwareTag, r.VirtualAccount, r.CertificateSerial} {
		if len(text) > maxTag {
			return r, bad
		}
	}
	if r.PIID != record.Key || r.UDIPID == "" || r.UDISerialNumber == "" || r.CertificateExpires.IsZero() {
		return r, bad
	}
	if serial, err := hex.DecodeString(strings.Repeat("0", len(r.CertificateSerial)%2) + r.CertificateSerial); err != nil || len(serial) == 0 {
		return r, bad
	}
	credential, err := hex.DecodeString(r.CertificateSHA256)
	if err != nil || len(credential) != sha256.Size {
		return r, bad
	}
	publicKey, err := hex.DecodeString(r.PublicKeySHA256)
	if err != nil || len(publicKey) != sha256.Size {
		return r, bad
	}
	r.credential, r.publicKey = [sha256.Size]byte(credential), [sha256.Size]byte(publicKey)
	return r, nil
}

// lineage records what the upstream has noticed about where this satellite comes
// from. It may also be told by the numbers: an upstream that has answered
// requests which this satellite does not remember.
func (r *response) lineage(record recorder) error {
	m := r.manifest.Response
	if m.Lineage != wire.LineageRestored && (m.Lineage != "" || !m.FullRequested || m.NextSequence <= r.state.NextSequence) {
		return nil
	}
	return record(Event{Type: EventSyncRestored, AccountID: r.account.ID, Message: fmt.Sprintf(
		"The upstream has heard more of this satellite than it remembers: it was restored or copied from an older state. A full synchronization heals that. The upstream says: %s.", clipRunes(m.Reason, 500))})
}

// maxNotices is how many notices of a response are taken over.
const maxNotices = 100

// notices records what the upstream has to say to the administrator.
func (r *response) notices(record recorder) error {
	for _, notice := range r.manifest.Response.Notices[:min(maxNotices, len(r.manifest.Response.Notices))] {
		if err := record(Event{Type: EventSyncNotice, AccountID: r.account.ID, Message: "The upstream says: " + clipRunes(notice.Text, 1000)}); err != nil {
			return err
		}
	}
	return nil
}

// because is what a notice says about a license, "" where none does.
func (r *response) because(tag string) string {
	for _, notice := range r.manifest.Response.Notices {
		if notice.Tag == tag {
			return clipRunes(notice.Text, 500)
		}
	}
	return ""
}

// recoverDevice takes back a device that registered, or renewed its certificate,
// after the copy was made from which this satellite was restored. What this
// satellite knows itself goes first: a device that it removed stays removed, and
// one that has registered anew since keeps that registration.
func (s *Service) recoverDevice(tx Tx, record recorder, account AccountID, r recovery) error {
	existing, err := tx.Instance(r.PIID)
	if err != nil && !isNotFound(err) {
		return err
	}
	known := err == nil
	if known && (existing.AccountID != account || !existing.CertificateNotAfter.Before(r.CertificateExpires)) {
		return nil
	}
	identity := Identity{UDIPID: r.UDIPID, UDISerialNumber: r.UDISerialNumber, SoftwareTag: r.SoftwareTag}
	if !known {
		if _, err := tx.Certificate(r.credential); err == nil || !isNotFound(err) {
			return err // it had this certificate here, and was removed
		}
		if _, err := tx.InstanceByIdentity(identity); err == nil || !isNotFound(err) {
			return err
		}
		existing = Instance{PIID: r.PIID, AccountID: account, Identity: identity, UUID: r.UUID, AuthorizationState: NoLicensesInUse, LastServed: s.Served()}
		if existing.VirtualAccountID, err = s.recoverVirtualAccount(tx, record, account, r.VirtualAccount); err != nil {
			return err
		}
	}
	existing.RegistrationState, existing.RegisteredAt = Registered, r.RegisteredAt.UTC()
	existing.PreviousCredential, existing.Credential = existing.Credential, r.credential
	existing.PublicKeyHash, existing.ExportAllowed = r.publicKey, r.ExportControlled
	existing.CertificateSerial, existing.CertificateNotAfter = r.CertificateSerial, r.CertificateExpires.UTC()
	if err := tx.SaveCertificate(Certificate{
		Fingerprint: r.credential, Serial: r.CertificateSerial, AccountID: account, PIID: r.PIID, DER: []byte{},
		NotBefore: r.RegisteredAt.UTC(), NotAfter: r.CertificateExpires.UTC(), Status: CertificateActive,
	}); err != nil {
		return err
	}
	what := "it registered after this satellite's state was copied, and needs no new token"
	if known {
		what, err = "its ID certificate is a newer one than this satellite remembers", tx.SaveInstance(existing)
	} else {
		_, err = tx.CreateInstance(existing)
	}
	if err != nil {
		return err
	}
	return record(Event{Type: EventDeviceRecovered, AccountID: account, VirtualAccount: r.VirtualAccount, PIID: r.PIID,
		Message: fmt.Sprintf("Device %s (%s, %s) came back from the upstream: %s.", existing.Name(), r.UDIPID, r.UDISerialNumber, what)})
}

// recoverVirtualAccount finds the virtual account of a device that comes back,
// or makes it again. Where that is not allowed it is the default one.
func (s *Service) recoverVirtualAccount(tx Tx, record recorder, id AccountID, name string) (VirtualAccountID, error) {
	list, err := tx.VirtualAccounts(id)
	if err != nil {
		return 0, err
	}
	home := VirtualAccountID(0)
	for _, v := range list {
		if strings.EqualFold(v.Name, name) {
			return v.ID, nil
		}
		if v.Default {
			home = v.ID
		}
	}
	account, err := tx.Account(id)
	if err != nil {
		return 0, err
	}
	allowed := account.within(limitedVirtualAccounts, len(list), "virtual accounts") == nil && checkName("virtual-account", name) == nil
	if !allowed {
		return home, nil
	}
	created, err := tx.CreateVirtualAccount(VirtualAccount{AccountID: id, Name: name, CreatedAt: s.Now()})
	if err != nil {
		return 0, err
	}
	return created.ID, record(Event{Type: EventVirtualAccountCreated, AccountID: id, VirtualAccount: name, Message: fmt.Sprintf("Virtual account %q was created again, for devices that came back from the upstream.", name)})
}

// removeAgain removes a device that was removed before this satellite was
// restored from an older copy: its certificate stays revoked.
func (s *Service) removeAgain(tx Tx, record recorder, account AccountID, piid string, revocation wire.RevocationRecord) error {
	instance, err := tx.Instance(piid)
	if isNotFound(err) || err == nil && instance.AccountID != account {
		return nil
	}
	if err != nil {
		return err
	}
	return s.remove(tx, record, instance, s.Now(), EventDeviceRemoved,
		fmt.Sprintf("was removed again: the upstream was told of its removal on %s", stamp(revocation.RevokedAt)))
}
