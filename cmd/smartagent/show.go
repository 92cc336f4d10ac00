package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ssm/satellite/agent"
)

func (p *program) showLicense() *cobra.Command {
	views := []struct {
		name, short string
		write       func(io.Writer, agent.State)
	}{
		{"all", "Registration, authorization, licenses and identity", showAll},
		{"summary", "The same, short", showSummary},
		{"status", "Registration and authorization", showStatus},
		{"usage", "The licenses in use", showUsage},
		{"udi", "The identity of this device", showUDI},
	}
	var commands []*cobra.Command
	for _, view := range views {
		commands = append(commands, &cobra.Command{
			Use: view.name, Short: view.short, Args: cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error {
				state, err := p.load()
				if err != nil {
					return failure{err}
				}
				if p.json {
					return p.printJSON(newDocument(state))
				}
				var b strings.Builder
				view.write(&b, state)
				_, err = io.WriteString(p.out, b.String())
				return err
			},
		})
	}
	return group("license", "Show licenses and registration", commands...)
}

// load reads the state without taking the folder, so that it can be watched
// while another process works on it. Where there is none yet, or an option
// shall be kept, the folder is opened.
func (p *program) load() (agent.State, error) {
	given := p.url + p.ca + p.root + p.pid + p.serial + p.hostname
	if given == "" {
		state, err := agent.Load(p.state)
		if !errors.Is(err, fs.ErrNotExist) {
			return state.At(state.Now(p.now())), err
		}
	}
	device, err := p.open()
	if err != nil {
		return agent.State{}, err
	}
	return device.State(), device.Close()
}

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
	LastContact            time.Time       `json:"last_contact,omitzero"`
	LastFailed             string          `json:"last_failed,omitempty"`
	URL                    string          `json:"url"`

	Reservation *agent.Reservation `json:"reservation,omitempty"`
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
		Licenses: s.Licenses(), LastContact: s.LastContact, LastFailed: s.LastFailed, URL: s.URL,
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

func showAll(w io.Writer, s agent.State) {
	showStatus(w, s)
	fmt.Fprintln(w)
	showUsage(w, s)
	fmt.Fprintln(w)
	heading(w, "Product Information")
	showUDI(w, s)
	fmt.Fprintln(w)
	heading(w, "Agent Version")
	fmt.Fprintf(w, "Smart Agent for Licensing: %s\n", agent.Version)
}

func showStatus(w io.Writer, s agent.State) {
	heading(w, "Smart Licensing Status")
	fmt.Fprint(w, "Smart Licensing is ENABLED\n\n")
	showReservation(w, s)
	showRegistration(w, s)
	switch {
	case s.Registration == agent.Registering:
		fmt.Fprintln(w, "  Initial Registration: IN PROGRESS; repeat it with the same token")
	case !s.RegisteredAt.IsZero():
		fmt.Fprintf(w, "  Initial Registration: SUCCEEDED on %s\n", stamp(s.RegisteredAt))
	case s.Failure != "":
		fmt.Fprintf(w, "  Initial Registration: FAILED on %s\n", stamp(s.FailureAt))
	}
	if s.Failure != "" {
		fmt.Fprintf(w, "  Failure reason: %s\n", s.Failure)
	}
	if !s.RegisteredAt.IsZero() {
		fmt.Fprintf(w, "  Last Renewal Attempt: %s\n", attempt(s.CertificateRenewedAt))
		fmt.Fprintf(w, "  Next Renewal Attempt: %s\n", stamp(s.CertificateRenewAt))
		fmt.Fprintf(w, "  Registration Expires: %s\n", stamp(s.CertificateExpiresAt))
	}
	fmt.Fprintln(w, "\nLicense Authorization:")
	status := shout(authorizationState(s))
	if !s.AuthorizedAt.IsZero() {
		status += " on " + stamp(s.AuthorizedAt)
	}
	fmt.Fprintf(w, "  Status: %s\n", status)
	showCommunication(w, s)
	if !s.AuthorizationRenewAt.IsZero() {
		fmt.Fprintf(w, "  Next Communication Attempt: %s\n", stamp(s.AuthorizationRenewAt))
		fmt.Fprintf(w, "  Communication Deadline: %s\n", stamp(s.AuthorizationExpiresAt))
	}
}

func showRegistration(w io.Writer, s agent.State) {
	fmt.Fprintf(w, "Registration:\n  Status: %s\n", shout(string(s.Registration)))
	if s.SmartAccount != "" {
		fmt.Fprintf(w, "  Smart Account: %s\n  Virtual Account: %s\n", s.SmartAccount, s.VirtualAccount)
	}
}

func showCommunication(w io.Writer, s agent.State) {
	switch {
	case s.LastFailed != "":
		fmt.Fprintf(w, "  Last Communication Attempt: FAILED on %s\n  Failure reason: %s\n", stamp(s.LastFailedAt), s.LastFailed)
	default:
		fmt.Fprintf(w, "  Last Communication Attempt: %s\n", attempt(s.LastContact))
	}
}

func showUsage(w io.Writer, s agent.State) {
	heading(w, "License Usage")
	licenses := s.Licenses()
	if len(licenses) == 0 {
		fmt.Fprintln(w, inUse(s))
	}
	for i, l := range licenses {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%s (%s):\n", nameOf(l), l.Tag)
		if l.Description != "" {
			fmt.Fprintf(w, "  Description: %s\n", l.Description)
		}
		fmt.Fprintf(w, "  Count: %d\n  Status: %s\n", l.Count, licenseStatus(l))
	}
}

func showSummary(w io.Writer, s agent.State) {
	fmt.Fprint(w, "Smart Licensing is ENABLED\n\n")
	showReservation(w, s)
	showRegistration(w, s)
	if !s.RegisteredAt.IsZero() {
		fmt.Fprintf(w, "  Last Renewal Attempt: %s\n", attempt(s.CertificateRenewedAt))
		fmt.Fprintf(w, "  Next Renewal Attempt: %s\n", stamp(s.CertificateRenewAt))
	}
	fmt.Fprintf(w, "\nLicense Authorization:\n  Status: %s\n", shout(authorizationState(s)))
	showCommunication(w, s)
	fmt.Fprintln(w, "\nLicense Usage:")
	licenses := s.Licenses()
	if len(licenses) == 0 {
		fmt.Fprintln(w, "  "+inUse(s))
		return
	}
	name, tag := len("License"), len("(Entitlement tag)")
	for _, l := range licenses {
		name, tag = max(name, len(nameOf(l))), max(tag, len(l.Tag)+2)
	}
	row := fmt.Sprintf("  %%-%ds  %%-%ds  %%6v  %%s\n", name, tag)
	fmt.Fprintf(w, row, "License", "Entitlement tag", "Count", "Status")
	fmt.Fprintf(w, "  %s\n", strings.Repeat("-", name+tag+30))
	for _, l := range licenses {
		fmt.Fprintf(w, row, nameOf(l), "("+l.Tag+")", l.Count, licenseStatus(l))
	}
}

func showUDI(w io.Writer, s agent.State) {
	fmt.Fprintf(w, "UDI: PID:%s,SN:%s\n", s.Identity.UDIPID, s.Identity.UDISerialNumber)
}

func heading(w io.Writer, text string) {
	fmt.Fprintf(w, "%s\n%s\n\n", text, strings.Repeat("=", len(text)))
}

func nameOf(l agent.License) string {
	if l.Name == "" {
		return l.Tag
	}
	return l.Name
}

func authorizationState(s agent.State) string {
	if s.AuthorizationState == "" {
		return agent.NoLicensesInUse
	}
	return s.AuthorizationState
}

func licenseStatus(l agent.License) string {
	if l.InCompliance() {
		return "AUTHORIZED"
	}
	return shout(strings.ReplaceAll(string(l.Mode), "-", " "))
}

func shout(text string) string { return strings.ToUpper(text) }

func stamp(t time.Time) string {
	if t.IsZero() {
		return "None"
	}
	return t.UTC().Format("Jan 02 15:04:05 2006 MST")
}

func attempt(t time.Time) string {
	if t.IsZero() {
		return "None"
	}
	return "SUCCEEDED on " + stamp(t)
}
