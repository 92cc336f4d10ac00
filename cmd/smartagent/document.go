package main

import (
	"encoding/json"
	"time"

	"ssm/satellite/agent"
)

// document is the state for programs; the same for every view.
type document struct {
	PIID                   string          `json:"piid"`
	UDIPID                 string          `json:"udi_pid"`
	UDISerialNumber        string          `json:"udi_serial_number"`
	UDIVID                 string          `json:"udi_vid,omitempty"`
	UUID                   string          `json:"uuid,omitempty"`
	SoftwareTag            string          `json:"software_tag"`
	Hostname               string          `json:"hostname"`
	SmartAccount           string          `json:"smart_account"`
	VirtualAccount         string          `json:"virtual_account"`
	RegistrationState      string          `json:"registration_state"`
	Failure                string          `json:"failure,omitempty"`
	RegisteredAt           time.Time       `json:"registered_at,omitzero"`
	CertificateRenewAt     time.Time       `json:"certificate_renew_at,omitzero"`
	CertificateExpiresAt   time.Time       `json:"certificate_expires_at,omitzero"`
	AuthorizationState     string          `json:"authorization_state"`
	AuthorizedAt           time.Time       `json:"authorized_at,omitzero"`
	AuthorizationRenewAt   time.Time       `json:"authorization_renew_at,omitzero"`
	AuthorizationExpiresAt time.Time       `json:"authorization_expires_at,omitzero"`
	Licenses               []agent.License `json:"licenses"`
	Unanswered             bool            `json:"unanswered"` // a count or role that no answer has confirmed yet
	Evaluation             evaluation      `json:"evaluation"`
	Pair                   *agent.Pair     `json:"high_availability,omitempty"`
	LastContact            time.Time       `json:"last_contact,omitzero"`
	LastFailedAt           time.Time       `json:"last_failed_at,omitzero"`
	LastFailed             string          `json:"last_failed,omitempty"`
	ClockOffset            int64           `json:"clock_offset"` // milliseconds
	LastReply              string          `json:"last_reply,omitempty"`
	Counters               agent.Counters  `json:"counters"`
	URL                    string          `json:"url"`

	IDCertificate  *agent.CertificateInfo  `json:"id_certificate,omitempty"`
	LicensingRoots []agent.CertificateInfo `json:"licensing_roots"`

	Reservation *agent.Reservation `json:"reservation,omitempty"`
}

type evaluation struct {
	InUse            bool  `json:"in_use"`
	Expired          bool  `json:"expired"`
	UsedSeconds      int64 `json:"used_seconds"`
	RemainingSeconds int64 `json:"remaining_seconds"`
}

func newDocument(s agent.State) document {
	d := document{
		PIID: s.PIID, UDIPID: s.Identity.UDIPID, UDISerialNumber: s.Identity.UDISerialNumber, UDIVID: s.Identity.UDIVID,
		UUID: s.Identity.UUID, SoftwareTag: s.Identity.SoftwareTag, Hostname: s.Identity.Hostname,
		SmartAccount: s.SmartAccount, VirtualAccount: s.VirtualAccount,
		RegistrationState: string(s.Registration), Failure: s.Failure, RegisteredAt: s.RegisteredAt,
		CertificateRenewAt: s.CertificateRenewAt, CertificateExpiresAt: s.CertificateExpiresAt,
		AuthorizationState: authorizationState(s), AuthorizedAt: s.AuthorizedAt,
		AuthorizationRenewAt: s.AuthorizationRenewAt, AuthorizationExpiresAt: s.AuthorizationExpiresAt,
		Licenses: s.Licenses(), Unanswered: s.Unanswered,
		Evaluation: evaluation{
			InUse: s.Evaluating(), Expired: s.Evaluation.Remaining() == 0,
			UsedSeconds: int64(s.Evaluation.Used / time.Second), RemainingSeconds: int64(s.Evaluation.Remaining() / time.Second),
		},
		LastContact: s.LastContact, LastFailedAt: s.LastFailedAt, LastFailed: s.LastFailed,
		ClockOffset: s.ClockOffset, LastReply: s.LastReply, Counters: s.Counters, URL: s.URL,
		LicensingRoots: s.PinnedRoots(),
	}
	if s.Pair != (agent.Pair{}) {
		d.Pair = &s.Pair
	}
	if certificate, ok := s.IDCertificate(); ok {
		d.IDCertificate = &certificate
	}
	if s.Reservation.RequestCode+s.Reservation.ReturnCode != "" {
		d.Reservation = &s.Reservation
	}
	if d.Licenses == nil {
		d.Licenses = []agent.License{}
	}
	return d
}

func (p *program) printJSON(document any) error {
	encoder := json.NewEncoder(p.out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(document)
}
