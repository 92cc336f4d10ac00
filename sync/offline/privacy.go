package offline

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"ssm/satellite/wire"
)

// Privacy counts the private values in a document, wherever they stand: a field
// by its name, an address also by its form, so that one in a place where nobody
// expects it is found as well. 0 means that there is none.
type Privacy struct {
	HostNames    int64 `json:"host_names"`
	IPAddresses  int64 `json:"ip_addresses"`
	MACAddresses int64 `json:"mac_addresses"`
	// Versions are those of software and hardware. The version inside a software
	// tag is not one of them: it belongs to the name of the license.
	Versions int64 `json:"versions"`
}

type privacyField struct {
	name   string
	number int64
}

func (p Privacy) fields() []privacyField {
	return []privacyField{
		{"Host names", p.HostNames}, {"IP addresses", p.IPAddresses},
		{"MAC addresses", p.MACAddresses}, {"Versions", p.Versions},
	}
}

// look counts what is private in a record.
func (p *Privacy) look(record wire.Record) error {
	if record.Kind == wire.RecordReport && !record.Removed {
		var report wire.ReportRecord
		if err := record.Decode(&report); err != nil {
			return err
		}
		return p.lookInto(report.Report, record)
	}
	if len(record.Value) == 0 {
		return nil
	}
	return p.lookInto(record.Value, record)
}

func (p *Privacy) lookInto(text []byte, record wire.Record) error {
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		return fmt.Errorf("%w: %s %.80q is not JSON", wire.ErrMalformed, record.Kind, record.Key)
	}
	p.walk("", value, 0)
	return nil
}

// maxNesting is how many JSON texts may stand in one another as strings: a
// report's payload is one in the report.
const maxNesting = 2

func (p *Privacy) walk(name string, value any, nesting int) {
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			p.walk(key, inner, nesting)
		}
	case []any:
		for _, inner := range v {
			p.walk(name, inner, nesting)
		}
	case string:
		p.text(name, v, nesting)
	}
}

func (p *Privacy) text(name, text string, nesting int) {
	if text == "" {
		return
	}
	if nesting < maxNesting && strings.HasPrefix(strings.TrimSpace(text), "{") {
		var inner any
		if json.Unmarshal([]byte(text), &inner) == nil {
			p.walk("", inner, nesting+1)
			return
		}
	}
	switch strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(name)) {
	case "hostname":
		p.HostNames++
	case "ipaddress":
		p.IPAddresses++
	case "macaddress":
		p.MACAddresses++
	case "softwareversion", "hardwareversion", "firmwareversion", "productversion", "udivid":
		p.Versions++
	case "version", "agreementversion": // of the form of a document
	default:
		p.byForm(text)
	}
}

// byForm recognizes an address in any field.
func (p *Privacy) byForm(text string) {
	text = strings.TrimSpace(text)
	if _, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		p.IPAddresses++
		return
	}
	if _, err := netip.ParseAddrPort(text); err == nil {
		p.IPAddresses++
		return
	}
	if mac, err := net.ParseMAC(text); err == nil && len(mac) == 6 {
		p.MACAddresses++
	}
}
