package agent

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"ssm/satellite/wire"
)

// Identity is who a device says it is. UDIPID and UDISerialNumber never change
// once they stand in a state folder; the host name may.
type Identity struct {
	UDIPID          string `json:"udi_pid"`
	UDISerialNumber string `json:"udi_serial_number"`
	UDIVID          string `json:"udi_vid,omitempty"`
	UUID            string `json:"uuid,omitempty"`
	MACAddress      string `json:"mac_address,omitempty"`
	SoftwareTag     string `json:"software_tag"`
	Hostname        string `json:"hostname,omitempty"`
}

// SUDI is the identity as it stands in messages.
func (i Identity) SUDI() wire.SUDI {
	return wire.SUDI{
		UDIPID: i.UDIPID, UDISerialNumber: i.UDISerialNumber, UDIVID: i.UDIVID,
		UUID: i.UUID, MACAddress: i.MACAddress,
	}
}

// RegistrationState says how far a device is with its registration.
type RegistrationState string

// The registration states. A device is registering from the moment that the
// token leaves it until an answer comes; it stays so if the answer got lost.
const (
	Unregistered        RegistrationState = "unregistered"
	Registering         RegistrationState = "registering"
	Registered          RegistrationState = "registered"
	RegistrationExpired RegistrationState = "registration expired"
)

// Authorization states that a device finds out by itself; the others are told
// by the satellite.
const (
	NoLicensesInUse      = "no licenses in use"
	OutOfCompliance      = "out of compliance"
	AuthorizationExpired = "authorization expired"
)

// State is what a device knows, as it stands in its folder. All times are those
// of the satellite (see ClockOffset), in UTC.
type State struct {
	Identity     Identity          `json:"identity"`
	URL          string            `json:"url,omitempty"`
	Bundle       string            `json:"ca_bundle,omitempty"`       // PEM
	Roots        string            `json:"licensing_roots,omitempty"` // PEM; what replies are checked with
	PIID         string            `json:"piid,omitempty"`
	Registration RegistrationState `json:"registration_state"`
	// Failure is why the last registration failed or ended; empty while all is well.
	Failure   string    `json:"failure,omitempty"`
	FailureAt time.Time `json:"failure_at,omitzero"`

	RegisteredAt   time.Time `json:"registered_at,omitzero"`
	SmartAccount   string    `json:"smart_account,omitempty"`
	VirtualAccount string    `json:"virtual_account,omitempty"`
	// TokenHash is the SHA-256 of the token of the last registration: the same
	// token again is a repeat, and goes out under the same key.
	TokenHash []byte `json:"token_hash,omitempty"`

	Certificate          []byte    `json:"certificate,omitempty"` // DER
	CertificateRenewedAt time.Time `json:"certificate_renewed_at,omitzero"`
	CertificateRenewAt   time.Time `json:"certificate_renew_at,omitzero"`
	CertificateExpiresAt time.Time `json:"certificate_expires_at,omitzero"`

	// Wanted is the count of each tag that the device uses. Count 0 is a
	// release that no answer has confirmed yet.
	Wanted                 map[string]int64 `json:"wanted,omitempty"`
	Answers                []License        `json:"licenses,omitempty"` // of the last authorization
	AuthorizationState     string           `json:"authorization_state,omitempty"`
	AuthorizedAt           time.Time        `json:"authorized_at,omitzero"`
	AuthorizationRenewAt   time.Time        `json:"authorization_renew_at,omitzero"`
	AuthorizationExpiresAt time.Time        `json:"authorization_expires_at,omitzero"`

	Reservation Reservation `json:"reservation,omitzero"`

	// ClockOffset is the satellite's time minus the time of this machine, in
	// milliseconds, as the satellite once told it.
	ClockOffset  int64     `json:"clock_offset,omitempty"`
	LastContact  time.Time `json:"last_contact,omitzero"` // last accepted reply
	LastFailedAt time.Time `json:"last_failed_at,omitzero"`
	LastFailed   string    `json:"last_failed,omitempty"` // why, empty after a success
	SignerSerial string    `json:"signer_serial,omitempty"`
}

// License is a license as the device was last told of it.
type License struct {
	Tag         string    `json:"tag"`
	Name        string    `json:"name"`
	Description string    `json:"description,omitempty"`
	Count       int64     `json:"count"`
	Mode        wire.Mode `json:"mode"`
}

// InCompliance tells whether the license is covered.
func (l License) InCompliance() bool { return l.Mode == wire.ModeInCompliance }

// Now is the time of the satellite when this machine's clock shows local.
func (s State) Now(local time.Time) time.Time {
	return local.Add(time.Duration(s.ClockOffset) * time.Millisecond).UTC()
}

// At is the state as it is at an instant of the satellite's time: a certificate
// or an authorization may have run out since the last contact.
func (s State) At(now time.Time) State {
	s = s.clone()
	if s.Reservation = s.Reservation.at(now); s.Reservation.Installed() {
		s.AuthorizationState = AuthorizedReserved
	}
	if s.Registration == Registered && over(s.CertificateExpiresAt, now) {
		s.Registration = RegistrationExpired
		s.Failure, s.FailureAt = "the ID certificate has expired", s.CertificateExpiresAt
	}
	if len(s.Answers) > 0 && over(s.AuthorizationExpiresAt, now) {
		s.AuthorizationState = AuthorizationExpired
		for i := range s.Answers {
			s.Answers[i].Mode = wire.ModeAuthorizationExpired
		}
	}
	return s
}

func over(deadline, now time.Time) bool { return !deadline.IsZero() && !now.Before(deadline) }

// Licenses lists what the device uses, by tag: what the satellite answered, and
// as waiting what it has not answered yet.
func (s State) Licenses() []License {
	list := s.reserved(slices.Clone(s.Answers))
	for tag, count := range s.Wanted {
		known := slices.ContainsFunc(list, func(l License) bool { return l.Tag == tag })
		if !known && count > 0 {
			list = append(list, License{Tag: tag, Count: count, Mode: wire.ModeWaiting})
		}
	}
	slices.SortFunc(list, func(a, b License) int { return cmp.Compare(a.Tag, b.Tag) })
	return list
}

func (s State) clone() State {
	s.Wanted = maps.Clone(s.Wanted)
	s.Answers = slices.Clone(s.Answers)
	return s
}

// forget ends a registration: what belongs to it goes, who the device is, whom
// it trusts and what it wants stays.
func (s *State) forget(reason string, now time.Time) {
	*s = State{
		Identity: s.Identity, URL: s.URL, Bundle: s.Bundle, Roots: s.Roots,
		Registration: Unregistered, Wanted: s.Wanted, Reservation: s.Reservation,
		ClockOffset: s.ClockOffset, LastContact: s.LastContact, SignerSerial: s.SignerSerial,
	}
	s.fail(reason, now)
}

func (s *State) fail(reason string, now time.Time) {
	if s.Failure = reason; reason == "" {
		now = time.Time{}
	}
	s.FailureAt = now
}

// entitlements are all wanted tags with their absolute counts, by tag: whatever
// got lost before, one accepted answer makes both sides agree again.
func (s State) entitlements() []wire.Entitlement {
	list := make([]wire.Entitlement, 0, len(s.Wanted))
	for _, tag := range slices.Sorted(maps.Keys(s.Wanted)) {
		list = append(list, wire.Entitlement{Tag: tag, Count: s.Wanted[tag]})
	}
	return list
}
