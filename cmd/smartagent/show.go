package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ssm/satellite/agent"
)

// view is one way to look at the state of a device.
type view struct {
	name, short string
	write       func(io.Writer, agent.State)
}

// The views by the names that they have under "show license".
var views = []view{
	{"all", "Registration, authorization, licenses and identity", showAll},
	{"summary", "The same, short", showSummary},
	{"status", "Registration and authorization", showStatus},
	{"usage", "The licenses in use", showUsage},
	{"udi", "The identity of this device", showUDI},
}

func (p *program) showLicense() *cobra.Command {
	var commands []*cobra.Command
	for _, v := range views {
		commands = append(commands, p.show(v))
	}
	commands = append(commands, group("tech", "What support asks for",
		p.show(view{"support", "All that is known, without a secret", showTechSupport})))
	return group("license", "Show licenses and registration", commands...)
}

func (p *program) show(v view) *cobra.Command {
	return &cobra.Command{
		Use: v.name, Short: v.short, Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			state, err := p.load()
			if err != nil {
				return failure{err}
			}
			if p.json {
				return p.printJSON(newDocument(state))
			}
			var b strings.Builder
			v.write(&b, state)
			_, err = io.WriteString(p.out, b.String())
			return err
		},
	}
}

// load reads the state without taking the folder, so that it can be watched
// while another process works on it. Where there is none yet, or an option
// shall be kept, the folder is opened.
func (p *program) load() (agent.State, error) {
	given := p.url + p.ca + p.root + p.pid + p.serial + p.hostname + p.application + p.role
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

func showAll(w io.Writer, s agent.State) {
	showStatus(w, s)
	fmt.Fprintln(w)
	showUsage(w, s)
	fmt.Fprintln(w)
	heading(w, "Product Information")
	showUDI(w, s)
	fmt.Fprintln(w)
	showPair(w, s)
	fmt.Fprintln(w)
	heading(w, "Agent Version")
	fmt.Fprintf(w, "Smart Agent for Licensing: %s\n", agent.Version)
}

func showStatus(w io.Writer, s agent.State) {
	heading(w, "Smart Licensing Status")
	fmt.Fprint(w, "Smart Licensing is ENABLED\n\n")
	showReservation(w, s)
	showRegistration(w, s)
	showRegistrationTimes(w, s)
	fmt.Fprintln(w)
	showAuthorization(w, s)
	// This agent keeps no export key of its own, meters no utility, and leaves
	// nothing out: privacy is a matter of what the satellite sends on.
	fmt.Fprint(w, "\nExport Authorization Key:\n  Features Authorized:\n    <none>\n")
	fmt.Fprintln(w)
	showEvaluation(w, s)
	fmt.Fprint(w, "\nUtility:\n  Status: DISABLED\n")
	fmt.Fprint(w, "\nData Privacy:\n  Sending Hostname: yes\n    Callhome hostname privacy: DISABLED\n"+
		"    Smart Licensing hostname privacy: DISABLED\n  Version privacy: DISABLED\n")
	fmt.Fprintf(w, "\nTransport:\n  Type: Smart\n  URL: %s\n", orNone(s.URL))
}

func showRegistrationTimes(w io.Writer, s agent.State) {
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
}

func showAuthorization(w io.Writer, s agent.State) {
	fmt.Fprintln(w, "License Authorization:")
	status := shout(authorizationState(s))
	switch {
	case s.AuthorizationState == agent.AuthorizationExpired:
		status += " on " + stamp(s.AuthorizationExpiresAt)
	case !s.AuthorizedAt.IsZero():
		status += " on " + stamp(s.AuthorizedAt)
	}
	fmt.Fprintf(w, "  Status: %s\n", status)
	showCommunication(w, s)
	if !s.AuthorizationRenewAt.IsZero() {
		fmt.Fprintf(w, "  Next Communication Attempt: %s\n", stamp(s.AuthorizationRenewAt))
		fmt.Fprintf(w, "  Communication Deadline: %s\n", stamp(s.AuthorizationExpiresAt))
	}
}

func showEvaluation(w io.Writer, s agent.State) {
	mode := "NOT IN USE"
	switch {
	case s.Evaluation.Remaining() == 0:
		mode = "EXPIRED"
	case s.Evaluating():
		mode = "IN USE"
	}
	fmt.Fprintf(w, "Evaluation Period:\n  Evaluation Mode: %s\n  Evaluation Period Remaining: %s\n", mode, period(s.Evaluation.Remaining()))
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
		fmt.Fprintf(w, "  Count: %d\n", l.Count)
		if l.Requested > l.Count {
			fmt.Fprintf(w, "  Requested: %d\n", l.Requested)
		}
		fmt.Fprintf(w, "  Status: %s\n", licenseStatus(l))
		if l.Reason != "" {
			fmt.Fprintf(w, "  Reason: %s\n", l.Reason)
		}
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
	fmt.Fprintln(w)
	showEvaluation(w, s)
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

// showPair lists the members of the pair that this device knows: itself.
func showPair(w io.Writer, s agent.State) {
	role := "Active"
	if s.Pair.Role == agent.RoleStandby {
		role = "Standby"
	}
	fmt.Fprintf(w, "HA UDI List:\n    %s:PID:%s,SN:%s\n", role, s.Identity.UDIPID, s.Identity.UDISerialNumber)
	if s.Pair.ApplicationID != "" {
		fmt.Fprintf(w, "    Application: %s\n", s.Pair.ApplicationID)
	}
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

// licenseStatus names the mode as devices do.
func licenseStatus(l agent.License) string {
	switch l.Mode {
	case "in-compliance":
		return "AUTHORIZED"
	case "overage":
		return "AUTHORIZED - OVERAGE"
	case "reservation-in-compliance":
		return "AUTHORIZED - RESERVED"
	default:
		return shout(strings.ReplaceAll(string(l.Mode), "-", " "))
	}
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

func orNone(text string) string {
	if text == "" {
		return "None"
	}
	return text
}

// period is a length of time as devices print it.
func period(d time.Duration) string {
	return fmt.Sprintf("%d days, %d hours, %d minutes, %d seconds",
		d/(24*time.Hour), d/time.Hour%24, d/time.Minute%60, d/time.Second%60)
}
