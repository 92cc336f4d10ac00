package store

import (
	"math"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"ssm/satellite"
	"ssm/satellite/wire"
)

type instanceRow struct {
	ID                     int64  `gorm:"primaryKey"`
	PIID                   string `gorm:"column:piid"`
	AccountID              int64
	VirtualAccountID       int64
	UDIPID                 string `gorm:"column:udi_pid"`
	UDISerialNumber        string `gorm:"column:udi_serial_number"`
	SoftwareTag            string
	UDIVID                 string `gorm:"column:udi_vid"`
	SUVI                   string `gorm:"column:suvi"`
	UUID                   string `gorm:"column:uuid"`
	HostIdentifier         string
	MACAddress             string `gorm:"column:mac_address"`
	Hostname               string
	EquipmentModel         string
	SoftwareVersion        string
	HardwareVersion        string
	RegistrationState      string
	RegisteredAt           int64
	TokenHash              []byte
	PublicKeyHash          []byte
	Credential             []byte
	PreviousCredential     []byte
	CertificateSerial      string
	CertificateNotAfter    int64
	AuthorizationState     string
	AuthorizationRenewAt   int64
	AuthorizationExpiresAt int64
	LastContactAt          int64
	LastAddress            string
	ExportAllowed          bool
	LastServed             int64
	ApplicationID          string
	HARole                 string `gorm:"column:ha_role"`
	ReplyDigest            string
	OtherDigest            string
	ChangeNumber           int64
}

func (instanceRow) TableName() string { return "instances" }

var instanceColumnList = []string{
	"id", "piid", "account_id", "virtual_account_id", "udi_pid", "udi_serial_number", "software_tag", "udi_vid", "suvi", "uuid",
	"host_identifier", "mac_address", "hostname", "equipment_model", "software_version", "hardware_version", "registration_state",
	"registered_at", "token_hash", "public_key_hash", "credential", "previous_credential", "certificate_serial", "certificate_not_after",
	"authorization_state", "authorization_renew_at", "authorization_expires_at", "last_contact_at", "last_address",
	"export_allowed", "last_served", "application_id", "ha_role", "reply_digest", "other_digest", "change_number",
}

var (
	instanceColumns = strings.Join(instanceColumnList, ", ")
	insertInstance  = `INSERT INTO instances (` + strings.Join(instanceColumnList[1:], ", ") + `) VALUES (?` + strings.Repeat(", ?", len(instanceColumnList)-2) + `)`
	updateInstance  = `UPDATE instances SET ` + strings.Join(instanceColumnList[1:], " = ?, ") + ` = ? WHERE id = ?`
	instanceByPIID  = `SELECT ` + instanceColumns + ` FROM instances WHERE piid = ?`
	// The conditions that hold for every argument name the partial indexes.
	instancesOfPair = `SELECT ` + instanceColumns + ` FROM instances WHERE virtual_account_id = ? AND application_id = ? AND application_id <> '' ORDER BY id`
	quietInstances  = `SELECT ` + instanceColumns + ` FROM instances WHERE authorization_state IN ('authorized', 'out of compliance')
		AND last_served < ? AND (last_served, id) > (?, ?) AND registration_state = 'registered' ORDER BY last_served, id LIMIT ?`
	unrenewedInstances = `SELECT ` + instanceColumns + ` FROM instances WHERE registration_state = 'registered'
		AND certificate_not_after < ? AND (certificate_not_after, id) > (?, ?) ORDER BY certificate_not_after, id LIMIT ?`
	instanceByUDI = `SELECT ` + instanceColumns + ` FROM instances WHERE udi_serial_number = ? AND udi_pid = ? AND software_tag = ?`
)

func (r *instanceRow) fields() []any {
	return []any{
		&r.ID, &r.PIID, &r.AccountID, &r.VirtualAccountID, &r.UDIPID, &r.UDISerialNumber, &r.SoftwareTag, &r.UDIVID, &r.SUVI, &r.UUID,
		&r.HostIdentifier, &r.MACAddress, &r.Hostname, &r.EquipmentModel, &r.SoftwareVersion, &r.HardwareVersion, &r.RegistrationState,
		&r.RegisteredAt, &r.TokenHash, &r.PublicKeyHash, &r.Credential, &r.PreviousCredential, &r.CertificateSerial, &r.CertificateNotAfter,
		&r.AuthorizationState, &r.AuthorizationRenewAt, &r.AuthorizationExpiresAt, &r.LastContactAt, &r.LastAddress,
		&r.ExportAllowed, &r.LastServed, &r.ApplicationID, &r.HARole, &r.ReplyDigest, &r.OtherDigest, &r.ChangeNumber,
	}
}

// instanceValues are the columns but for the id.
func instanceValues(i satellite.Instance, change int64) []any {
	return []any{
		i.PIID, int64(i.AccountID), int64(i.VirtualAccountID), i.UDIPID, i.UDISerialNumber, i.SoftwareTag, i.UDIVID, i.SUVI, i.UUID,
		i.HostIdentifier, i.MACAddress, i.Hostname, i.EquipmentModel, i.SoftwareVersion, i.HardwareVersion, string(i.RegistrationState),
		micros(i.RegisteredAt), i.TokenHash[:], i.PublicKeyHash[:], i.Credential[:], i.PreviousCredential[:], i.CertificateSerial, micros(i.CertificateNotAfter),
		string(i.AuthorizationState), micros(i.AuthorizationRenewAt), micros(i.AuthorizationExpiresAt), micros(i.LastContactAt), i.LastAddress,
		i.ExportAllowed, i.LastServed.Microseconds(), i.ApplicationID, i.HARole, i.ReplyDigest, i.OtherDigest, change,
	}
}

func (r instanceRow) domain() satellite.Instance {
	return satellite.Instance{
		ID: satellite.InstanceID(r.ID), PIID: r.PIID, AccountID: satellite.AccountID(r.AccountID), VirtualAccountID: satellite.VirtualAccountID(r.VirtualAccountID),
		Identity: satellite.Identity{UDIPID: r.UDIPID, UDISerialNumber: r.UDISerialNumber, SoftwareTag: r.SoftwareTag},
		UDIVID:   r.UDIVID, SUVI: r.SUVI, UUID: r.UUID, HostIdentifier: r.HostIdentifier, MACAddress: r.MACAddress, Hostname: r.Hostname,
		EquipmentModel: r.EquipmentModel, SoftwareVersion: r.SoftwareVersion, HardwareVersion: r.HardwareVersion,
		RegistrationState: satellite.RegistrationState(r.RegistrationState), RegisteredAt: instant(r.RegisteredAt),
		TokenHash: hash32(r.TokenHash), PublicKeyHash: hash32(r.PublicKeyHash), Credential: hash32(r.Credential), PreviousCredential: hash32(r.PreviousCredential),
		CertificateSerial: r.CertificateSerial, CertificateNotAfter: instant(r.CertificateNotAfter),
		AuthorizationState: satellite.AuthorizationState(r.AuthorizationState), AuthorizationRenewAt: instant(r.AuthorizationRenewAt),
		AuthorizationExpiresAt: instant(r.AuthorizationExpiresAt), LastContactAt: instant(r.LastContactAt), LastAddress: r.LastAddress,
		ExportAllowed: r.ExportAllowed, LastServed: time.Duration(r.LastServed) * time.Microsecond, ApplicationID: r.ApplicationID, HARole: r.HARole,
		ReplyDigest: r.ReplyDigest, OtherDigest: r.OtherDigest,
		ChangeNumber: r.ChangeNumber,
	}
}

func (t *transaction) CreateInstance(i satellite.Instance) (satellite.Instance, error) {
	i.ChangeNumber = t.nextChange()
	result, err := t.statements.exec(insertInstance, instanceValues(i, i.ChangeNumber)...)
	if err != nil {
		return i, unique(translate(t.db, err), "device", "There is a device with this identity already.")
	}
	id, err := result.LastInsertId()
	i.ID = satellite.InstanceID(id)
	return i, err
}

// translate gives an error of the driver the form that gorm gives it.
func translate(db *gorm.DB, err error) error {
	if translator, ok := db.Dialector.(gorm.ErrorTranslator); ok {
		return translator.Translate(err)
	}
	return err
}

func (t *transaction) Instance(piid string) (satellite.Instance, error) {
	var r instanceRow
	err := t.one("device", piid, r.fields(), instanceByPIID, piid)
	return r.domain(), err
}

func (t *transaction) InstanceByIdentity(id satellite.Identity) (satellite.Instance, error) {
	var r instanceRow
	err := t.one("device", id.UDISerialNumber, r.fields(), instanceByUDI, id.UDISerialNumber, id.UDIPID, id.SoftwareTag)
	if err != nil {
		return satellite.Instance{}, err
	}
	return r.domain(), nil
}

func (t *transaction) InstancesByUDI(pid, serialNumber string) ([]satellite.Instance, error) {
	var rows []instanceRow
	err := t.db.Select(instanceColumns).Where("udi_serial_number = ? AND udi_pid = ?", serialNumber, pid).Order("software_tag").Find(&rows).Error
	return instancesOf(rows), err
}

func (t *transaction) Instances(filter satellite.InstanceFilter, page satellite.Page) ([]satellite.Instance, error) {
	query, of := t.db.Select(instanceColumns), selected(filter.AccountID, filter.VirtualAccountID, filter.Scope)
	if filter.Search == "" {
		query = of.page(query, "instances", page, false)
	} else {
		query = of.of(searched(query, filter.Search), "+").Where("id > ?", page.After).Order("id").Limit(page.Limit)
	}
	var rows []instanceRow
	err := query.Find(&rows).Error
	return instancesOf(rows), err
}

func instancesOf(rows []instanceRow) []satellite.Instance {
	list := make([]satellite.Instance, len(rows))
	for i, r := range rows {
		list[i] = r.domain()
	}
	return list
}

func (t *transaction) CountInstances(filter satellite.InstanceFilter) (count int64, err error) {
	query, of := t.db.Model(&instanceRow{}), selected(filter.AccountID, filter.VirtualAccountID, filter.Scope)
	if filter.Search == "" {
		query = of.of(query, "")
	} else {
		query = of.of(searched(query, filter.Search), "+")
	}
	err = query.Count(&count).Error
	return count, err
}

func (t *transaction) InstanceCursor(filter satellite.InstanceFilter, skip int64) (int64, error) {
	query, of := t.db.Model(&instanceRow{}), selected(filter.AccountID, filter.VirtualAccountID, filter.Scope)
	if filter.Search == "" || skip < 1 || skip > math.MaxInt32 {
		return of.cursor(query, "instances", skip, false)
	}
	return behind(of.of(searched(query, filter.Search), "+").Order("id"), skip, math.MaxInt64)
}

// searched limits a query to a search, which is three ranges on indexes; UNION
// would sort each of them, and the list drops what is in two of them anyway.
func searched(query *gorm.DB, search string) *gorm.DB {
	low, high := search, upperBound(search)
	return query.Where(`id IN (SELECT id FROM instances WHERE udi_serial_number >= ? AND udi_serial_number < ?
		UNION ALL SELECT id FROM instances WHERE hostname >= ? AND hostname < ?
		UNION ALL SELECT id FROM instances WHERE udi_pid >= ? AND udi_pid < ?)`, low, high, low, high, low, high)
}

func (t *transaction) SaveInstance(i satellite.Instance) error {
	_, err := t.statements.exec(updateInstance, append(instanceValues(i, t.nextChange()), int64(i.ID))...)
	return err
}

func (t *transaction) TouchInstance(i satellite.Instance) error {
	_, err := t.statements.exec(`UPDATE instances SET previous_credential = ?, authorization_state = ?, authorization_renew_at = ?,
		authorization_expires_at = ?, last_contact_at = ?, last_address = ?, last_served = ?, reply_digest = ?, other_digest = ? WHERE id = ?`,
		i.PreviousCredential[:], string(i.AuthorizationState), micros(i.AuthorizationRenewAt),
		micros(i.AuthorizationExpiresAt), micros(i.LastContactAt), i.LastAddress, i.LastServed.Microseconds(), i.ReplyDigest, i.OtherDigest, int64(i.ID))
	return err
}

func (t *transaction) DeleteInstance(i satellite.Instance) error {
	if _, err := t.statements.exec(`DELETE FROM usages WHERE instance_id = ?`, int64(i.ID)); err != nil {
		return err
	}
	if _, err := t.statements.exec(`DELETE FROM instances WHERE id = ?`, int64(i.ID)); err != nil {
		return err
	}
	return t.bury(i.AccountID, wire.RecordDevice, i.PIID)
}

// instancesBy reads the rows of a query on the device path or of a job.
func (t *transaction) instancesBy(query string, args ...any) (list []satellite.Instance, err error) {
	rows, err := t.statements.query(query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var r instanceRow
		if err := rows.Scan(r.fields()...); err != nil {
			return nil, err
		}
		list = append(list, r.domain())
	}
	return list, rows.Err()
}

func (t *transaction) Peers(i satellite.Instance) ([]satellite.Instance, error) {
	if i.ApplicationID == "" {
		return nil, nil
	}
	members, err := t.instancesBy(instancesOfPair, int64(i.VirtualAccountID), i.ApplicationID)
	return slices.DeleteFunc(members, func(member satellite.Instance) bool { return member.ID == i.ID }), err
}

func (t *transaction) QuietInstances(before time.Duration, after satellite.Instance, limit int) ([]satellite.Instance, error) {
	last := after.LastServed.Microseconds()
	if after.ID == 0 {
		last = math.MinInt64
	}
	return t.instancesBy(quietInstances, before.Microseconds(), last, int64(after.ID), limit)
}

func (t *transaction) UnrenewedInstances(before time.Time, after satellite.Instance, limit int) ([]satellite.Instance, error) {
	last := micros(after.CertificateNotAfter)
	if after.ID == 0 {
		last = math.MinInt64
	}
	return t.instancesBy(unrenewedInstances, micros(before), last, int64(after.ID), limit)
}

func (t *transaction) ChangedInstances(account satellite.AccountID, after int64, limit int) ([]satellite.Instance, error) {
	var rows []instanceRow
	err := t.db.Select(instanceColumns).Where("account_id = ? AND change_number > ?", account, after).Order("change_number").Limit(limit).Find(&rows).Error
	return instancesOf(rows), err
}

func (t *transaction) SaveCertificate(c satellite.Certificate) error {
	_, err := t.statements.exec(`INSERT INTO certificates (fingerprint, serial, account_id, piid, der, not_before, not_after, status, revoked_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (fingerprint) DO UPDATE SET status = excluded.status, revoked_at = excluded.revoked_at`,
		c.Fingerprint[:], c.Serial, int64(c.AccountID), c.PIID, c.DER, micros(c.NotBefore), micros(c.NotAfter), string(c.Status), micros(c.RevokedAt))
	return err
}

type certificateRow struct {
	Fingerprint []byte
	Serial      string
	AccountID   int64
	PIID        string `gorm:"column:piid"`
	DER         []byte `gorm:"column:der"`
	NotBefore   int64
	NotAfter    int64
	Status      string
	RevokedAt   int64
}

func (certificateRow) TableName() string { return "certificates" }

const certificateColumns = `fingerprint, serial, account_id, piid, der, not_before, not_after, status, revoked_at`

func (r certificateRow) domain() satellite.Certificate {
	return satellite.Certificate{
		Fingerprint: hash32(r.Fingerprint), Serial: r.Serial, AccountID: satellite.AccountID(r.AccountID), PIID: r.PIID, DER: r.DER,
		NotBefore: instant(r.NotBefore), NotAfter: instant(r.NotAfter), Status: satellite.CertificateStatus(r.Status), RevokedAt: instant(r.RevokedAt),
	}
}

func (t *transaction) Certificate(fingerprint [32]byte) (satellite.Certificate, error) {
	var r certificateRow
	err := t.one("certificate", "of this fingerprint", []any{&r.Fingerprint, &r.Serial, &r.AccountID, &r.PIID, &r.DER, &r.NotBefore, &r.NotAfter, &r.Status, &r.RevokedAt},
		`SELECT `+certificateColumns+` FROM certificates WHERE fingerprint = ?`, fingerprint[:])
	return r.domain(), err
}

func (t *transaction) RevokedCertificates(account satellite.AccountID) ([]satellite.Certificate, error) {
	var rows []certificateRow
	err := t.db.Select(certificateColumns).Where("account_id = ? AND status = 'revoked'", account).Order("revoked_at, serial").Find(&rows).Error
	list := make([]satellite.Certificate, len(rows))
	for i, r := range rows {
		list[i] = r.domain()
	}
	return list, err
}

func (t *transaction) Reply(requester, nonce string) (reply []byte, err error) {
	err = t.one("reply", nonce, []any{&reply}, `SELECT reply FROM replies WHERE requester = ? AND nonce = ?`, requester, nonce)
	return reply, err
}

func (t *transaction) SaveReply(requester, nonce string, reply []byte, at time.Time) error {
	_, err := t.statements.exec(`INSERT INTO replies (requester, nonce, reply, at) VALUES (?, ?, ?, ?)`, requester, nonce, reply, micros(at))
	return err
}

func (t *transaction) DeleteRepliesBefore(at time.Time, limit int) (int64, error) {
	result, err := t.statements.exec(`DELETE FROM replies WHERE rowid IN (SELECT rowid FROM replies WHERE at < ? ORDER BY at LIMIT ?)`, micros(at), limit)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}
