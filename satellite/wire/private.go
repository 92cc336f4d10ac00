package wire

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"regexp"
	"strings"
)

// PrivateKind is a sort of details that a satellite can leave out of everything
// that it sends upstream. Its text is what privacy_omits of a request holds.
type PrivateKind string

// The kinds of private details.
const (
	PrivateHostName   PrivateKind = "hostname"
	PrivateIPAddress  PrivateKind = "ip_address"
	PrivateMACAddress PrivateKind = "mac_address"
	// PrivateVersion is a version of software or hardware. The one inside a
	// software tag is none: it belongs to the name of the license.
	PrivateVersion PrivateKind = "version"
)

// PrivateKinds are all of them, in the order in which they are shown.
var PrivateKinds = []PrivateKind{PrivateHostName, PrivateIPAddress, PrivateMACAddress, PrivateVersion}

// PrivateField is what a field holds by its name; "" where that tells nothing.
func PrivateField(name string) PrivateKind {
	switch strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(name)) {
	case "hostname", "hostidentifier", "fqdn":
		return PrivateHostName
	case "ip", "ipaddress", "ipv4address", "ipv6address":
		return PrivateIPAddress
	case "mac", "macaddress":
		return PrivateMACAddress
	case "softwareversion", "hardwareversion", "firmwareversion", "productversion", "udivid":
		return PrivateVersion
	}
	return ""
}

// PrivateForm is what a text is by its form, wherever it stands: an address can
// be told by that, a name cannot.
func PrivateForm(text string) PrivateKind {
	text = strings.TrimSpace(text)
	if len(text) < 2 || len(text) > 64 {
		return ""
	}
	if _, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return PrivateIPAddress
	}
	if _, err := netip.ParseAddrPort(text); err == nil {
		return PrivateIPAddress
	}
	if _, err := netip.ParsePrefix(text); err == nil {
		return PrivateIPAddress
	}
	if mac, err := net.ParseMAC(text); err == nil && len(mac) == 6 {
		return PrivateMACAddress
	}
	return ""
}

// Pseudonym stands for a private detail that something is told apart by: the
// same for the same text under the same key, and nobody without the key gets
// back to the text. A MAC address is the same in each of its spellings.
func Pseudonym(key []byte, kind PrivateKind, text string) string {
	text = strings.ToLower(strings.TrimSpace(text))
	if mac, err := net.ParseMAC(text); err == nil {
		text = hex.EncodeToString(mac)
	}
	sum := hmac.New(sha256.New, key)
	_, _ = io.WriteString(sum, string(kind)+"\x00"+text)
	return string(kind) + "-" + hex.EncodeToString(sum.Sum(nil)[:16])
}

var pseudonym = regexp.MustCompile(`^(hostname|ip_address|mac_address|version)-[0-9a-f]{32}$`)

// IsPseudonym tells whether the text has the form of one.
func IsPseudonym(text string) bool { return pseudonym.MatchString(text) }

// Leaf is one value in a document, as a search meets it.
type Leaf struct {
	Path string // names of the fields that lead to it, joined by dots
	Text string // "" of what is no string
	// Private is what the value is, by the name of its field or by its form; ""
	// where neither tells, it is empty, or it is a pseudonym.
	Private PrivateKind
}

// Bounds of a search.
const (
	maxSearchDepth = 64
	maxTexts       = 2 // JSON texts that stand in one another as strings: a report's payload is one in the report
)

// Search shows every value of a record to visit, in the order of the text, with
// those of a usage report inside it and of JSON that stands in a string. A field
// that stands twice is shown twice. ErrMalformed where it is not JSON.
func Search(record Record, visit func(Leaf)) error {
	if record.Removed || len(record.Value) == 0 {
		return nil
	}
	text, path := []byte(record.Value), ""
	if record.Kind == RecordReport {
		var report ReportRecord
		if err := record.Decode(&report); err != nil {
			return err
		}
		text, path = report.Report, "report"
	}
	if err := SearchJSON(text, path, visit); err != nil {
		return fmt.Errorf("%w: %s %.80q is not JSON", ErrMalformed, record.Kind, record.Key)
	}
	return nil
}

// SearchJSON is Search in a JSON text; the paths begin with path.
func SearchJSON(text []byte, path string, visit func(Leaf)) error {
	return searchText(text, path, "", 0, visit)
}

func searchText(text []byte, path, name string, texts int, visit func(Leaf)) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	s := searcher{decoder: decoder, texts: texts, visit: visit}
	if err := s.value(path, name, 0); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: something follows the JSON text", ErrMalformed)
	}
	return nil
}

type searcher struct {
	decoder *json.Decoder
	texts   int
	visit   func(Leaf)
}

func (s searcher) value(path, name string, depth int) error {
	if depth > maxSearchDepth {
		return fmt.Errorf("%w: nested deeper than %d", ErrMalformed, maxSearchDepth)
	}
	token, err := s.decoder.Token()
	if err != nil {
		return err
	}
	switch t := token.(type) {
	case json.Delim:
		for s.decoder.More() {
			inner, innerName := path, name
			if t == '{' {
				key, err := s.decoder.Token()
				if err != nil {
					return err
				}
				innerName, _ = key.(string)
				if inner = innerName; path != "" {
					inner = path + "." + innerName
				}
				if kind := PrivateForm(innerName); kind != "" {
					s.visit(Leaf{Path: inner, Text: innerName, Private: kind})
				}
			}
			if err := s.value(inner, innerName, depth+1); err != nil {
				return err
			}
		}
		_, err = s.decoder.Token()
		return err
	case string:
		s.text(path, name, t)
	case json.Number:
		s.visit(Leaf{Path: path, Private: PrivateField(name)})
	default:
		s.visit(Leaf{Path: path})
	}
	return nil
}

func (s searcher) text(path, name, text string) {
	if s.texts < maxTexts && strings.HasPrefix(strings.TrimSpace(text), "{") && json.Valid([]byte(text)) &&
		searchText([]byte(text), path, name, s.texts+1, s.visit) == nil {
		return
	}
	leaf := Leaf{Path: path, Text: text}
	if text != "" && !IsPseudonym(text) {
		if leaf.Private = PrivateField(name); leaf.Private == "" {
			leaf.Private = PrivateForm(text)
		}
	}
	s.visit(leaf)
}
