package agent

import (
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

// Authorization states that mean something to the device; it finds out all but
// the second by itself. The satellite tells others, too.
const (
	NoLicensesInUse      = "no licenses in use"
	OutOfCompliance      = "out of compliance"
	AuthorizationExpired = "authorization expired"
	InEvaluation         = "evaluation"
	EvaluationExpired    = "evaluation expired"
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
	Wanted map[string]int64 `json:"wanted,omitempty"`
	// Unanswered tells that the satellite has not answered to the present
	// counts, or to the present role, yet: the next authorization is due now.
	Unanswered             bool      `json:"unanswered,omitempty"`
	Answers                []License `json:"licenses,omitempty"` // of the last authorization
	AuthorizationState     string    `json:"authorization_state,omitempty"`
	AuthorizedAt           time.Time `json:"authorized_at,omitzero"`
	AuthorizationRenewAt   time.Time `json:"authorization_renew_at,omitzero"`
	AuthorizationExpiresAt time.Time `json:"authorization_expires_at,omitzero"`

	Evaluation Evaluation `json:"evaluation,omitzero"`
	Pair       Pair       `json:"pair,omitzero"`

	Reservation Reservation `json:"reservation,omitzero"`

	// ClockOffset is the satellite's time minus the time of this machine, in
	// milliseconds, as the satellite once told it.
	ClockOffset  int64     `json:"clock_offset,omitempty"`
	LastContact  time.Time `json:"last_contact,omitzero"` // last accepted reply
	LastFailedAt time.Time `json:"last_failed_at,omitzero"`
	LastFailed   string    `json:"last_failed,omitempty"` // why, empty after a success
	SignerSerial string    `json:"signer_serial,omitempty"`
	// LastReply is the digest of the last reply with status OK, which the next
	// message names.
	LastReply string   `json:"last_reply,omitempty"`
	Counters  Counters `json:"counters,omitzero"`
}

// Counters are how often things happened in the life of a state folder.
type Counters struct {
	Registrations    int64 `json:"registrations"`
	Authorizations   int64 `json:"authorizations"`
	Renewals         int64 `json:"renewals"` // of the ID certificate
	Deregistrations  int64 `json:"deregistrations"`
	Refusals         int64 `json:"refusals"` // signed ones
	Failures         int64 `json:"failures"` // no answer
	ClockCorrections int64 `json:"clock_corrections"`
}

// count counts an accepted reply.
func (c *Counters) count(kind wire.RequestType) {
	switch kind {
	case wire.Registration:
		c.Registrations++
	case wire.Authorization:
		c.Authorizations++
	case wire.Renewal:
		c.Renewals++
	case wire.Deregistration:
		c.Deregistrations++
	}
}

// Now is the time of the satellite when this machine's clock shows local.
func (s State) Now(local time.Time) time.Time {
	return local.Add(time.Duration(s.ClockOffset) * time.Millisecond).UTC()
}

// At is the state as it is at an instant of the satellite's time: a certificate,
// an authorization or the evaluation may have run out since the last contact.
func (s State) At(now time.Time) State {
	s = s.clone()
	s.Evaluation = s.Evaluation.At(now)
	if s.Reservation = s.Reservation.at(now); s.Reservation.Installed() {
		s.AuthorizationState = AuthorizedReserved
	}
	if s.Registration == Registered && over(s.CertificateExpiresAt, now) {
		s.Registration = RegistrationExpired
		s.Failure, s.FailureAt = "the ID certificate has expired", s.CertificateExpiresAt
	}
	switch {
	case s.Evaluating() && s.Evaluation.Remaining() > 0:
		s.AuthorizationState = InEvaluation
	case s.Evaluating():
		s.AuthorizationState = EvaluationExpired
	case over(s.AuthorizationExpiresAt, now):
		s.expireAuthorization()
	}
	return s
}

// expireAuthorization ends all that the satellite has to confirm again; a
// reservation holds without it.
func (s *State) expireAuthorization() {
	for i := range s.Answers {
		if s.Answers[i].Mode != wire.ModeReservation {
			s.Answers[i].Mode, s.AuthorizationState = wire.ModeAuthorizationExpired, AuthorizationExpired
		}
	}
}

func over(deadline, now time.Time) bool { return !deadline.IsZero() && !now.Before(deadline) }

func (s State) clone() State {
	s.Wanted = maps.Clone(s.Wanted)
	s.Answers = slices.Clone(s.Answers)
	return s
}

// forget ends a registration: what belongs to it goes; who the device is, whom
// it trusts, what it uses and what it has used of the evaluation stay.
func (s *State) forget(reason string, now time.Time) {
	*s = State{
		Identity: s.Identity, URL: s.URL, Bundle: s.Bundle, Roots: s.Roots,
		Registration: Unregistered, Wanted: s.Wanted, Evaluation: s.Evaluation, Pair: s.Pair, Reservation: s.Reservation,
		ClockOffset: s.ClockOffset, LastContact: s.LastContact, SignerSerial: s.SignerSerial,
		LastReply: s.LastReply, Counters: s.Counters,
	}
	s.dropReleases()
	s.fail(reason, now)
}

func (s *State) fail(reason string, now time.Time) {
	if s.Failure = reason; reason == "" {
		now = time.Time{}
	}
	s.FailureAt = now
}
