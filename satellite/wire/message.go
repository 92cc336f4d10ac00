package wire

import "time"

// MessageVersion is the version of the device messages that this package
// writes, and MessageVersions those that it reads.
const MessageVersion = "1.0"

// MessageVersions lists the versions of device messages that are spoken.
var MessageVersions = []string{MessageVersion}

// RequestType says what a device asks for.
type RequestType string

// The request types of a device.
const (
	Registration   RequestType = "REGISTRATION"
	Authorization  RequestType = "AUTHORIZATION"
	Renewal        RequestType = "ID_CERTIFICATE_RENEWAL"
	Deregistration RequestType = "DEREGISTRATION"
)

// SUDI is the identity that a device states of itself.
type SUDI struct {
	SUVI            string `json:"suvi,omitempty"`
	UUID            string `json:"uuid,omitempty"`
	HostIdentifier  string `json:"host_identifier,omitempty"`
	MACAddress      string `json:"mac_address,omitempty"`
	UDIPID          string `json:"udi_pid"`
	UDISerialNumber string `json:"udi_serial_number"`
	UDIVID          string `json:"udi_vid,omitempty"`
}

// Header opens every request.
type Header struct {
	Version                   string      `json:"version"`
	Locale                    string      `json:"locale"`
	SUDI                      SUDI        `json:"sudi"`
	Timestamp                 int64       `json:"timestamp"` // Unix milliseconds
	Nonce                     string      `json:"nonce"`     // an int64 in decimal
	RequestType               RequestType `json:"request_type"`
	AgentActions              []string    `json:"agent_actions,omitempty"`
	ConnectInfo               ConnectInfo `json:"connect_info"`
	ProductInstanceIdentifier string      `json:"product_instance_identifier,omitempty"`
	IDCertSerialNumber        string      `json:"id_cert_serial_number,omitempty"`      // hexadecimal
	SigningCertSerialNumber   string      `json:"signing_cert_serial_number,omitempty"` // of the satellite's signer, as last seen
	// LastReply is the digest of the last reply that the device accepted (see
	// ReplyDigest): two devices that work on copies of one state are told apart by it.
	LastReply string `json:"last_reply,omitempty"` // hexadecimal
	// ClockOffset is what the device added to its own clock for Timestamp, in
	// milliseconds: what it learned from the satellite says nothing about the satellite's clock.
	ClockOffset int64 `json:"clock_offset,omitempty"`
}

// ConnectInfo names the sending software.
type ConnectInfo struct {
	Name       string `json:"name,omitempty"`
	Version    string `json:"version,omitempty"`
	Production bool   `json:"production"`
}

// RequestData is the innermost layer: what each type of request carries. It
// repeats identity, time and nonce. Fields of other types stay empty.
type RequestData struct {
	SUDI      SUDI   `json:"sudi"`
	Timestamp int64  `json:"timestamp"`
	Nonce     string `json:"nonce"`

	Token              string `json:"token,omitempty"`               // registration
	CertificateRequest string `json:"certificate_request,omitempty"` // registration, renewal: base64 of a DER PKCS #10
	SoftwareTag        string `json:"software_tag,omitempty"`        // registration
	Hostname           string `json:"hostname,omitempty"`            // registration, authorization
	EquipmentModel     string `json:"equipment_model,omitempty"`     // registration
	SoftwareVersion    string `json:"software_version,omitempty"`    // registration
	HardwareVersion    string `json:"hardware_version,omitempty"`    // registration
	Force              bool   `json:"force,omitempty"`               // registration

	Entitlements     []Entitlement     `json:"entitlements,omitempty"`      // authorization
	HighAvailability *HighAvailability `json:"high_availability,omitempty"` // registration, authorization
}

// HighAvailability says that a device is one of a pair that counts once.
type HighAvailability struct {
	ApplicationID string `json:"application_id"` // the same for all members, 1..64 characters
	Role          string `json:"role"`           // "active" or "standby"
}

// The roles of a member of a high-availability pair.
const (
	RoleActive  = "active"
	RoleStandby = "standby"
)

// Entitlement is the new absolute count of a tag; 0 releases it. Tags that an
// authorization does not name stay as they are.
type Entitlement struct {
	Tag   string `json:"tag"`
	Count int64  `json:"count"`
}

// Status of a reply.
type Status string

// The statuses of a reply. A device that is out of compliance is told so under OK.
const (
	StatusOK     Status = "OK"
	StatusFailed Status = "FAILED"
)

// ReplyHeader opens every reply and echoes the request.
type ReplyHeader struct {
	Version                   string      `json:"version"`
	Timestamp                 int64       `json:"timestamp"` // Unix milliseconds, the satellite's time
	Nonce                     string      `json:"nonce"`
	RequestType               RequestType `json:"request_type"`
	SUDI                      SUDI        `json:"sudi"`
	ProductInstanceIdentifier string      `json:"product_instance_identifier,omitempty"`
}

// ReplyData is what the satellite answers. Code and Message are for the person
// at the device; Code is stable.
type ReplyData struct {
	Status   Status   `json:"status"`
	Code     string   `json:"code,omitempty"`
	Message  string   `json:"message"`
	Versions []string `json:"versions,omitempty"` // with code "unknown-version"

	ProductInstanceIdentifier string `json:"product_instance_identifier,omitempty"`
	SmartAccount              string `json:"smart_account,omitempty"`
	VirtualAccount            string `json:"virtual_account,omitempty"`
	Certificate               string `json:"certificate,omitempty"` // base64 of the DER ID certificate
	CertificateRenewAt        int64  `json:"certificate_renew_at,omitempty"`
	CertificateExpiresAt      int64  `json:"certificate_expires_at,omitempty"`

	AuthorizationState     string          `json:"authorization_state,omitempty"`
	Licenses               []LicenseAnswer `json:"licenses,omitempty"`
	AuthorizationRenewAt   int64           `json:"authorization_renew_at,omitempty"` // Unix milliseconds, like all times here
	AuthorizationExpiresAt int64           `json:"authorization_expires_at,omitempty"`

	// A refusal for the clock carries both values, so that a device with a
	// dead clock battery can correct itself and try once more.
	SatelliteTime int64 `json:"satellite_time,omitempty"`
	DeviceTime    int64 `json:"device_time,omitempty"`
}

// LicenseAnswer is the state of one license that the device uses.
type LicenseAnswer struct {
	Tag         string `json:"tag"`
	Name        string `json:"name,omitempty"`
	Description string `json:"description,omitempty"`
	Count       int64  `json:"count"` // what the device holds
	Mode        Mode   `json:"mode"`
	// Requested is what the device asked for, where it holds less than that;
	// Reason says why, for the person at the device.
	Requested int64  `json:"requested,omitempty"`
	Reason    string `json:"reason,omitempty"`
}

// Mode is the per-license state that the device is told.
type Mode string

// The modes of a license on a device.
const (
	ModeWaiting              Mode = "waiting"
	ModeInCompliance         Mode = "in-compliance"
	ModeOutOfCompliance      Mode = "out-of-compliance"
	ModeOverage              Mode = "overage" // short, where the contract allows that
	ModeReservation          Mode = "reservation-in-compliance"
	ModeDisabled             Mode = "disabled" // refused: an enforced license that is not available
	ModeInvalidTag           Mode = "invalid-tag"
	ModeEvaluation           Mode = "evaluation"
	ModeEvaluationExpired    Mode = "evaluation-expired"
	ModeAuthorizationExpired Mode = "authorization-expired"
)

// Milliseconds is t on the wire; the zero time is 0.
func Milliseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// Time is the reverse of Milliseconds.
func Time(milliseconds int64) time.Time {
	if milliseconds == 0 {
		return time.Time{}
	}
	return time.UnixMilli(milliseconds).UTC()
}
