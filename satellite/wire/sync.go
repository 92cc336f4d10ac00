package wire

import (
	"encoding/json"
	"fmt"
	"time"
)

// SyncFormat and SyncVersion open every manifest.
const (
	SyncFormat  = "software-license-sync"
	SyncVersion = 1
)

// SyncKind tells a request from a response.
type SyncKind string

// The two documents of an exchange.
const (
	SyncRequest  SyncKind = "request"
	SyncResponse SyncKind = "response"
)

// Scope says how much of the sender's state a request carries.
type Scope string

// The scopes of a request.
const (
	// ScopeRegistration is the first request of an account: it is signed by
	// the key of its certificate request and carries everything.
	ScopeRegistration Scope = "registration"
	// ScopeStandard carries what changed since the request that the upstream last confirmed.
	ScopeStandard Scope = "standard"
	// ScopeFull carries everything and replaces what the upstream holds.
	ScopeFull Scope = "full"
)

// Manifest is the small, signed part of a sync document. Everything else in
// the container is bound to it by size and digest.
type Manifest struct {
	Format    string    `json:"format"`
	Version   int       `json:"version"`
	Kind      SyncKind  `json:"kind"`
	CreatedAt time.Time `json:"created_at"`

	SatelliteID string      `json:"satellite_id"`
	Account     SyncAccount `json:"account"`

	// Sequence numbers the requests of one account from 1; a response carries
	// the number of the request that it answers.
	Sequence int64 `json:"sequence"`

	Request  *RequestPart  `json:"request,omitempty"`
	Response *ResponsePart `json:"response,omitempty"`

	// StateDigest is, per kind of record, the state that the request leads to,
	// or that the upstream holds after it.
	StateDigest map[RecordKind]Digest `json:"state_digest"`

	Records RecordsPart `json:"records"`
}

// SyncAccount names both ends of an exchange.
type SyncAccount struct {
	// ID is the satellite's own, for life.
	ID string `json:"id"`
	// Name is the local account's name.
	Name string `json:"name"`
	// SmartAccount and VirtualAccount are those of the upstream that this account settles with.
	SmartAccount   string `json:"smart_account"`
	VirtualAccount string `json:"virtual_account"`
}

// RequestPart is what only a request says.
type RequestPart struct {
	Scope Scope `json:"scope"`
	// BaseSequence is the sequence of the last response that was applied; 0 before the first.
	BaseSequence int64 `json:"base_sequence"`
	// BaseDigest is the digest of the request which that response answered. It tells
	// one of two copies of a satellite from the other.
	BaseDigest string `json:"base_digest,omitempty"`
	// CertificateRequest is a DER PKCS #10 for the account's sub CA, at the registration and past half of its life.
	CertificateRequest []byte `json:"certificate_request,omitempty"`
	// LimitedAccount says which type of account is asked for at the registration.
	LimitedAccount bool `json:"limited_account,omitempty"`
	// Upgrade asks for a standard account; it is repeated until it is answered.
	Upgrade *UpgradeRequest `json:"upgrade,omitempty"`
	// AgreementAccepted is the version of the agreement that was accepted last.
	AgreementAccepted string `json:"agreement_accepted,omitempty"`
	// RequestedBy is the e-mail address of the account's requester.
	RequestedBy string `json:"requested_by,omitempty"`
	// EventHeads are the heads of the event chains, by node.
	EventHeads map[string]EventHead `json:"event_heads,omitempty"`
	// PrivacyOmits names the fields that were left out of every record.
	PrivacyOmits []string `json:"privacy_omits"`
}

// EventHead is the newest link of one chain of events.
type EventHead struct {
	Number int64  `json:"number"`
	Hash   string `json:"hash"` // hexadecimal SHA-256
}

// ResponsePart is what only a response says.
type ResponsePart struct {
	// RequestDigest is the digest of the request that is answered.
	RequestDigest string `json:"request_digest"`
	// FullRequested asks for a full request next; nothing of the answered one was kept.
	FullRequested bool `json:"full_requested"`
	// Reason says in a sentence why a full request is asked for.
	Reason string `json:"reason,omitempty"`
	// Lineage says what is wrong with where the answered request comes from; "" is nothing.
	Lineage Lineage `json:"lineage,omitempty"`
	// NextSequence is the number that the next request must carry.
	NextSequence int64 `json:"next_sequence"`
	// Deadline is when the upstream takes the licenses back unless it hears again.
	Deadline time.Time `json:"deadline"`

	AccountType      string `json:"account_type"` // "limited" or "standard"
	DomainIdentifier string `json:"domain_identifier"`
	AgreementVersion string `json:"agreement_version"`
	AgreementText    string `json:"agreement_text"` // at most 256 KiB

	// Upgrade answers the account's request for an upgrade; absent where none is known.
	Upgrade *UpgradeAnswer `json:"upgrade,omitempty"`

	// Notices are what the administrator of the satellite has to know; at most 100.
	Notices []Notice `json:"notices,omitempty"`

	// Certificates is the account's sub CA with its issuers up to and with the
	// root, as DER, own first.
	Certificates [][]byte `json:"certificates"`
}

// Lineage is what the upstream has noticed about where a request comes from.
type Lineage string

// What may be wrong with a request that is genuine.
const (
	// LineageRestored is a request that does not go on from the newest answer that
	// its sender has applied: the sender was restored from an older copy, or the
	// upstream was.
	LineageRestored Lineage = "restored"
	// LineageDuplicated is a request that goes on from another branch of the past
	// than the request before it: the satellite and a copy of it both send.
	LineageDuplicated Lineage = "duplicated"
)

// Notice says something to the administrator of the satellite.
type Notice struct {
	Tag  string `json:"tag,omitempty"` // of the license that it is about
	Text string `json:"text"`          // a sentence of at most 1,024 bytes
}

// UpgradeRequest asks to make a limited account a standard one.
type UpgradeRequest struct {
	Name             string    `json:"name"`              // of the account, as confirmed
	DomainIdentifier string    `json:"domain_identifier"` // as confirmed
	Email            string    `json:"email"`             // of the profile, in a domain of the company
	RequestedBy      string    `json:"requested_by"`
	RequestedAt      time.Time `json:"requested_at"`
}

// UpgradeAnswer is what the upstream has decided about an upgrade.
type UpgradeAnswer struct {
	Status           UpgradeStatus `json:"status"`
	DomainIdentifier string        `json:"domain_identifier"` // that was asked for
	RequestedAt      time.Time     `json:"requested_at"`      // of the request that is answered
	Reason           string        `json:"reason,omitempty"`  // of a decline
}

// UpgradeStatus is where an upgrade stands upstream.
type UpgradeStatus string

// The states of an upgrade upstream.
const (
	UpgradePending  UpgradeStatus = "pending"
	UpgradeApproved UpgradeStatus = "approved"
	UpgradeDeclined UpgradeStatus = "declined"
)

// RecordsPart binds the stream of records to the manifest.
type RecordsPart struct {
	Count     int64                `json:"count"`
	Counts    map[RecordKind]int64 `json:"counts"`
	Size      int64                `json:"size"`       // bytes, uncompressed
	Packed    int64                `json:"packed"`     // bytes, compressed
	SHA256    string               `json:"sha256"`     // of the compressed bytes, hexadecimal
	MediaType string               `json:"media_type"` // RecordsMediaType
}

// RecordKind says what a record is about.
type RecordKind string

// The kinds of records, and who sends them.
const (
	RecordDevice          RecordKind = "device"          // satellite: a product instance
	RecordUsage           RecordKind = "usage"           // satellite: in use, per local virtual account and tag
	RecordToken           RecordKind = "token"           // satellite: a token and how often it was used
	RecordReservation     RecordKind = "reservation"     // satellite: what a device that never talks may use, also after its return
	RecordTransfer        RecordKind = "transfer"        // satellite: what was moved of a lot between its virtual accounts
	RecordReport          RecordKind = "report"          // satellite: a usage report that is not yet acknowledged
	RecordEntitlement     RecordKind = "entitlement"     // upstream: what a tag means
	RecordLot             RecordKind = "lot"             // upstream: one lot of an entitlement
	RecordAcknowledgement RecordKind = "acknowledgement" // upstream: a usage report that it has
	RecordRecovery        RecordKind = "recovery"        // upstream: a device that it knows and a full request lacks
	RecordRevocation      RecordKind = "revocation"      // upstream: a device that was removed before, and is there again
)

// StateKinds are the kinds of which the upstream keeps the state: they are part
// of the state digest. The others are messages, sent until they are answered.
var StateKinds = []RecordKind{RecordDevice, RecordUsage, RecordToken, RecordReservation, RecordTransfer}

// Record is one line of the stream. Values are absolute, never increments;
// Removed is a tombstone.
type Record struct {
	Kind    RecordKind      `json:"kind"`
	Key     string          `json:"key"`
	Removed bool            `json:"removed,omitempty"`
	Value   json.RawMessage `json:"value,omitempty"`
}

// NewRecord encodes value as the record of key.
func NewRecord(kind RecordKind, key string, value any) (Record, error) {
	encoded, err := json.Marshal(value)
	if err != nil {
		return Record{}, fmt.Errorf("encode %s %s: %w", kind, key, err)
	}
	return Record{Kind: kind, Key: key, Value: encoded}, nil
}

// Bytes is the canonical form of a record: what is sent, and what the digest covers.
func (r Record) Bytes() ([]byte, error) { return json.Marshal(r) }

// Decode reads the value of the record. ErrMalformed.
func (r Record) Decode(into any) error {
	if err := json.Unmarshal(r.Value, into); err != nil {
		return fmt.Errorf("%w: record %s %s: %v", ErrMalformed, r.Kind, clip(r.Key), err)
	}
	return nil
}

// DeviceRecord is a product instance; its key is the PIID.
type DeviceRecord struct {
	PIID               string     `json:"piid"`
	UDIPID             string     `json:"udi_pid"`
	UDISerialNumber    string     `json:"udi_serial_number"`
	UDIVID             string     `json:"udi_vid,omitempty"`
	UUID               string     `json:"uuid,omitempty"`
	MACAddress         string     `json:"mac_address,omitempty"`
	SoftwareTag        string     `json:"software_tag,omitempty"`
	Hostname           string     `json:"hostname,omitempty"`
	VirtualAccount     string     `json:"virtual_account"`
	RegistrationState  string     `json:"registration_state"`
	RegisteredAt       *time.Time `json:"registered_at,omitempty"`
	CertificateSerial  string     `json:"certificate_serial,omitempty"` // hexadecimal
	CertificateExpires *time.Time `json:"certificate_expires,omitempty"`
	CertificateSHA256  string     `json:"certificate_sha256,omitempty"` // of the DER certificate
	PublicKeySHA256    string     `json:"public_key_sha256,omitempty"`
	// ExportControlled tells that its token allows export-controlled licenses.
	ExportControlled bool `json:"export_controlled,omitempty"`
	// LicensesReturned tells that it was silent for 90 days, and has not spoken since.
	LicensesReturned bool `json:"licenses_returned,omitempty"`
}

// ReservationRecord is what a device that never talks may use; its key is its id.
type ReservationRecord struct {
	ID              string `json:"id"`
	VirtualAccount  string `json:"virtual_account"`
	PIID            string `json:"piid"`
	UDIPID          string `json:"udi_pid"`
	UDISerialNumber string `json:"udi_serial_number"`
	Type            string `json:"type"`  // "specific", "universal" or "factory"
	State           string `json:"state"` // "reserved", "update pending" or "returned"
	// Items is what the device holds, and Update what an update that it has not
	// confirmed makes of that; a universal one has none.
	Items      []ReservedItem `json:"items,omitempty"`
	Update     []ReservedItem `json:"update,omitempty"`
	CreatedAt  time.Time      `json:"created_at"`
	ReturnedAt *time.Time     `json:"returned_at,omitempty"`
}

// ReservedItem is a number of licenses with one term.
type ReservedItem struct {
	Tag   string     `json:"tag"`
	Count int64      `json:"count"`
	End   *time.Time `json:"end,omitempty"` // none for perpetual
}

// TransferRecord is what was moved of a lot from one virtual account of the
// satellite to another; its key is "lot<TAB>from<TAB>to", with the ids that the
// satellite has for both.
type TransferRecord struct {
	Lot      string    `json:"lot"`
	Tag      string    `json:"tag"`
	From     string    `json:"from"` // name of the virtual account
	To       string    `json:"to"`
	Quantity int64     `json:"quantity"`
	MovedAt  time.Time `json:"moved_at"` // the last movement
}

// RecoveryRecord is a registered device that the upstream knows from an earlier
// request, and of which a full one says nothing, or names an older certificate;
// its key is the PIID. It says what the satellite needs to answer the device
// again, and nothing that privacy settings leave out.
type RecoveryRecord struct {
	PIID               string    `json:"piid"`
	UDIPID             string    `json:"udi_pid"`
	UDISerialNumber    string    `json:"udi_serial_number"`
	UUID               string    `json:"uuid,omitempty"`
	SoftwareTag        string    `json:"software_tag,omitempty"`
	VirtualAccount     string    `json:"virtual_account"`
	RegisteredAt       time.Time `json:"registered_at"`
	CertificateSerial  string    `json:"certificate_serial"`
	CertificateExpires time.Time `json:"certificate_expires"`
	CertificateSHA256  string    `json:"certificate_sha256"`
	PublicKeySHA256    string    `json:"public_key_sha256"`
	ExportControlled   bool      `json:"export_controlled,omitempty"`
}

// RevocationRecord says that the satellite has told the removal of a device
// before; its key is the PIID, of which no other device is ever made.
type RevocationRecord struct {
	RevokedAt time.Time `json:"revoked_at"`
}

// UsageRecord is what a local virtual account uses of a tag; its key is
// "virtual account<TAB>tag".
type UsageRecord struct {
	VirtualAccount string `json:"virtual_account"`
	Tag            string `json:"tag"`
	InUse          int64  `json:"in_use"`
	Reserved       int64  `json:"reserved,omitempty"`
}

// TokenRecord is a registration token without its text; its key is the token's id.
type TokenRecord struct {
	ID             string    `json:"id"`
	VirtualAccount string    `json:"virtual_account"`
	CreatedAt      time.Time `json:"created_at"`
	ExpiresAt      time.Time `json:"expires_at"`
	MaxUses        int64     `json:"max_uses"`
	Uses           int64     `json:"uses"`
	Revoked        bool      `json:"revoked"`
}

// ReportRecord is a usage report, byte for byte; its key is its digest.
type ReportRecord struct {
	Report []byte `json:"report"`
}

// EntitlementRecord says what a tag means; its key is the tag. A response
// carries one for every tag that its lots name and for all that the hierarchy
// leads to from there, before the lots, and each after its higher tier.
type EntitlementRecord struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	// Type is "perpetual", "subscription" or "evaluation".
	Type string `json:"type"`
	// Enforcement is "unenforced", "enforced" or "export-controlled". The last
	// two are refused where they are not available, not overdrawn.
	Enforcement string `json:"enforcement"`
	// Billing is "prepaid" or "usage".
	Billing string `json:"billing"`
	// ReportingOnly licenses are counted, and never short.
	ReportingOnly bool `json:"reporting_only,omitempty"`
	// Overage tells that the contract allows more to be used than was bought.
	Overage bool `json:"overage,omitempty"`
	// HigherTier is the tag whose surplus covers a shortage of this one.
	HigherTier string `json:"higher_tier,omitempty"`
}

// LotRecord is one lot of an entitlement; its key is the upstream's id of the lot.
type LotRecord struct {
	Tag            string     `json:"tag"`
	Type           string     `json:"type"` // "perpetual", "subscription" or "evaluation"
	Quantity       int64      `json:"quantity"`
	Start          time.Time  `json:"start"`
	End            *time.Time `json:"end,omitempty"` // none for perpetual
	Order          string     `json:"order,omitempty"`
	SubscriptionID string     `json:"subscription_id,omitempty"`
}

// AcknowledgementRecord says that the upstream has a report; its key is the report's digest.
type AcknowledgementRecord struct {
	ReceivedAt time.Time `json:"received_at"`
}
