package offline

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
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
	// Pseudonyms stand for details that were left out.
	Pseudonyms int64 `json:"pseudonyms"`
}

type privacyField struct {
	kind   wire.PrivateKind
	name   string
	number int64
}

func (p Privacy) fields() []privacyField {
	return []privacyField{
		{wire.PrivateHostName, "Host names", p.HostNames}, {wire.PrivateIPAddress, "IP addresses", p.IPAddresses},
		{wire.PrivateMACAddress, "MAC addresses", p.MACAddresses}, {wire.PrivateVersion, "Versions", p.Versions},
	}
}

// Bounds of what is told about fields, which a hostile file may name as it likes.
const (
	maxKinds      = 32
	maxFields     = 200 // of one kind
	maxFieldRunes = 120
)

// search is what was found so far.
type search struct {
	privacy Privacy
	fields  map[wire.RecordKind]map[string]bool
	cut     bool // not all fields are told
}

func (s *search) record(record wire.Record) error {
	if record.Removed { // with a value, its key stands in that as well
		for part := range strings.SplitSeq(record.Key, "\t") {
			s.leaf(wire.Leaf{Text: part, Private: wire.PrivateForm(part)})
		}
	}
	seen := s.fields[record.Kind]
	if seen == nil {
		if len(s.fields) == maxKinds {
			s.cut = true
		} else {
			seen = map[string]bool{}
			s.fields[record.Kind] = seen
		}
	}
	return wire.Search(record, func(leaf wire.Leaf) {
		s.leaf(leaf)
		name := clipped(leaf.Path)
		switch {
		case seen[name]:
		case seen == nil || len(seen) == maxFields:
			s.cut = true
		default:
			seen[name] = true
		}
	})
}

// manifest searches the signed part, too.
func (s *search) manifest(m wire.Manifest) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return wire.SearchJSON(text, "manifest", s.leaf)
}

func (s *search) leaf(leaf wire.Leaf) {
	switch leaf.Private {
	case wire.PrivateHostName:
		s.privacy.HostNames++
	case wire.PrivateIPAddress:
		s.privacy.IPAddresses++
	case wire.PrivateMACAddress:
		s.privacy.MACAddresses++
	case wire.PrivateVersion:
		s.privacy.Versions++
	default:
		if wire.IsPseudonym(leaf.Text) {
			s.privacy.Pseudonyms++
		}
	}
}

// names are the fields that occur, by kind, in order.
func (s *search) names() map[wire.RecordKind][]string {
	names := make(map[wire.RecordKind][]string, len(s.fields))
	for kind, seen := range s.fields {
		names[kind] = slices.AppendSeq([]string{}, maps.Keys(seen))
		slices.Sort(names[kind])
	}
	return names
}

func clipped(text string) string {
	if runes := []rune(text); len(runes) > maxFieldRunes {
		return string(runes[:maxFieldRunes]) + "…"
	}
	return text
}

// Contradictions are the kinds that the sender says to have left out, and that
// are in the file all the same.
func (s Summary) Contradictions() (found []string) {
	for _, field := range s.Privacy.fields() {
		if field.number > 0 && slices.Contains(s.PrivacyOmits, string(field.kind)) {
			found = append(found, fmt.Sprintf("%s (%d)", field.kind, field.number))
		}
	}
	return found
}
