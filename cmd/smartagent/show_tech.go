package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"ssm/satellite/agent"
)

// showTechSupport shows all that helps to find out why a device and its
// satellite disagree. It holds no secret: no key, no token and no hash of one.
func showTechSupport(w io.Writer, s agent.State) {
	fmt.Fprint(w, "Smart Licensing Tech Support info\n\n")
	showAll(w, s)
	showIdentity(w, s)
	showContact(w, s)
	showCertificates(w, s)
	showCounters(w, s)
	showWanted(w, s)
}

// section is a heading with lines of "name: value" below it.
func section(w io.Writer, title string, lines ...[2]string) {
	fmt.Fprintln(w)
	heading(w, title)
	for _, line := range lines {
		fmt.Fprintf(w, "%s: %s\n", line[0], orNone(line[1]))
	}
}

func showIdentity(w io.Writer, s agent.State) {
	i := s.Identity
	section(w, "Identity", [2]string{"Product Instance Identifier", s.PIID}, [2]string{"Software Tag", i.SoftwareTag},
		[2]string{"Host Name", i.Hostname}, [2]string{"Version Id", i.UDIVID}, [2]string{"UUID", i.UUID}, [2]string{"MAC Address", i.MACAddress})
}

func showContact(w io.Writer, s agent.State) {
	failed := s.LastFailed
	if failed != "" {
		failed = stamp(s.LastFailedAt) + ", " + failed
	}
	section(w, "Communication", [2]string{"Last Contact", stamp(s.LastContact)}, [2]string{"Last Failure", failed},
		[2]string{"Last Reply", s.LastReply}, [2]string{"Clock Offset", (time.Duration(s.ClockOffset) * time.Millisecond).String()})
}

func showCertificates(w io.Writer, s agent.State) {
	section(w, "Certificates")
	if own, ok := s.IDCertificate(); ok {
		showCertificate(w, "ID Certificate", own)
	}
	for _, root := range s.PinnedRoots() {
		showCertificate(w, "Licensing Root", root)
	}
	for _, issuer := range s.TLSIssuers() {
		showCertificate(w, "TLS Issuer", issuer)
	}
	fmt.Fprintf(w, "Satellite Signer Serial Number: %s\n", orNone(s.SignerSerial))
}

func showCertificate(w io.Writer, title string, c agent.CertificateInfo) {
	fmt.Fprintf(w, "%s: %s\n  Serial Number: %s\n  Valid: %s to %s\n  SHA-256 Fingerprint: %s\n",
		title, c.Name, c.Serial, stamp(c.NotBefore), stamp(c.NotAfter), c.Fingerprint)
}

func showCounters(w io.Writer, s agent.State) {
	c := s.Counters
	var lines [][2]string
	for _, counter := range []struct {
		name  string
		value int64
	}{
		{"Registrations", c.Registrations}, {"Authorizations", c.Authorizations}, {"ID Certificate Renewals", c.Renewals},
		{"Deregistrations", c.Deregistrations}, {"Refusals", c.Refusals}, {"Connection Failures", c.Failures},
		{"Clock Corrections", c.ClockCorrections},
	} {
		lines = append(lines, [2]string{counter.name, fmt.Sprint(counter.value)})
	}
	section(w, "State Counters", lines...)
}

// showWanted sets what the device asks for beside what it was told last.
func showWanted(w io.Writer, s agent.State) {
	answered := "yes"
	if s.Unanswered {
		answered = "no, the next authorization is due now"
	}
	section(w, "Requests and Answers", [2]string{"Answered", answered})
	answers := map[string]agent.License{}
	for _, l := range s.Licenses() {
		answers[l.Tag] = l
	}
	tags := maps.Clone(s.Wanted)
	if tags == nil {
		tags = map[string]int64{}
	}
	width := len("Entitlement tag")
	for tag := range answers {
		tags[tag] += 0 // what is answered and not asked for is wanted 0 times
	}
	for tag := range tags {
		width = max(width, len(tag))
	}
	row := fmt.Sprintf("  %%-%ds  %%8v  %%8v  %%s\n", width)
	fmt.Fprintf(w, row, "Entitlement tag", "Wanted", "Count", "Status")
	fmt.Fprintf(w, "  %s\n", strings.Repeat("-", width+42))
	for _, tag := range slices.Sorted(maps.Keys(tags)) {
		l, ok := answers[tag]
		status := "RELEASED, NOT CONFIRMED"
		if ok {
			status = licenseStatus(l)
		}
		if l.Reason != "" {
			status += ": " + l.Reason
		}
		fmt.Fprintf(w, row, tag, tags[tag], l.Count, status)
	}
}
