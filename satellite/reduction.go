package satellite

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"ssm/satellite/wire"
)

// reduction leaves private details out of records on their way upstream. It
// works on the record as it would be sent, whatever its kind, so that no field
// of a later kind slips through.
//
// A field that is named for such a detail is dropped. Where one stands elsewhere
// (a serial number that is the MAC address, a virtual account that is called by
// an IP address), its place takes a pseudonym, because the upstream tells things
// apart by it.
type reduction struct {
	omits []wire.PrivateKind
	key   []byte // of the pseudonyms
}

func (r *reduction) leavesOut(kind wire.PrivateKind) bool { return slices.Contains(r.omits, kind) }

// record is what is sent in place of a record.
func (r *reduction) record(record wire.Record) (wire.Record, error) {
	if len(r.omits) == 0 {
		return record, nil
	}
	bound := strings.Split(record.Key, "\t")
	parts := make([]string, len(bound))
	for i, part := range bound {
		parts[i] = r.text(part, details{})
	}
	record.Key = strings.Join(parts, "\t")
	if record.Removed {
		return record, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(record.Value))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return wire.Record{}, fmt.Errorf("leave private details out of a %s record: %w", record.Kind, err)
	}
	reduced, err := json.Marshal(r.value(value, details{bound: bound}))
	record.Value = reduced
	return record, err
}

// keeps tells whether a usage report stays here: a device signed its bytes, so
// that nothing can be taken out of them. By version privacy every
// report stays, and so does one that cannot be searched.
func (r *reduction) keeps(report []byte) (stays bool) {
	if len(r.omits) == 0 || r.leavesOut(wire.PrivateVersion) {
		return len(r.omits) > 0
	}
	err := wire.SearchJSON(report, "", func(leaf wire.Leaf) { stays = stays || r.leavesOut(leaf.Private) })
	return stays || err != nil
}

// details are those of the thing that is being reduced: they are left out
// wherever they stand in it. What its key binds is judged by its form alone: no
// device that calls itself like that may part a record from its key.
type details struct {
	hostname, mac string
	bound         []string
}

func (r *reduction) value(value any, known details) any {
	switch v := value.(type) {
	case map[string]any:
		return r.object(v, known)
	case []any:
		for i := range v {
			v[i] = r.value(v[i], known)
		}
	case string:
		return r.text(v, known)
	}
	return value
}

func (r *reduction) object(object map[string]any, known details) map[string]any {
	identified := false // by something else than its MAC address
	for name, value := range object {
		text, _ := value.(string)
		switch {
		case text == "":
		case wire.PrivateField(name) == wire.PrivateHostName && r.leavesOut(wire.PrivateHostName):
			known.hostname = text
		case wire.PrivateField(name) == wire.PrivateMACAddress && r.leavesOut(wire.PrivateMACAddress):
			known.mac = digits(text)
		case name == "udi_serial_number", name == "uuid":
			identified = true
		}
	}
	reduced := make(map[string]any, len(object))
	for name, value := range object {
		kind := wire.PrivateField(name)
		text, _ := value.(string)
		switch {
		case name == "virtual_account": // chosen by people, not by the device
			reduced[name] = r.text(text, details{})
		case !r.leavesOut(kind):
			reduced[name] = r.value(value, known)
		case kind == wire.PrivateMACAddress && text != "" && !identified:
			reduced[name] = wire.Pseudonym(r.key, kind, text)
		}
	}
	return reduced
}

// text is the text itself, or the pseudonym of what it gives away.
func (r *reduction) text(text string, known details) string {
	kind := wire.PrivateForm(text)
	switch {
	case text == "":
		return text
	case r.leavesOut(kind):
		return wire.Pseudonym(r.key, kind, text)
	case r.leavesOut(wire.PrivateMACAddress) && timeBased(text):
		return wire.Pseudonym(r.key, wire.PrivateMACAddress, text)
	case slices.Contains(known.bound, text):
		return text
	case known.hostname != "" && strings.EqualFold(text, known.hostname):
		return wire.Pseudonym(r.key, wire.PrivateHostName, text)
	case len(known.mac) >= macDigits && strings.Contains(digits(text), known.mac):
		return wire.Pseudonym(r.key, wire.PrivateMACAddress, text)
	}
	return text
}

// macDigits is how many hexadecimal digits a MAC address has.
const macDigits = 12

// digits leaves out what the spellings of a MAC address differ by.
func digits(text string) string {
	return strings.NewReplacer(":", "", "-", "", ".", "").Replace(strings.ToLower(text))
}

// timeBased tells whether a UUID is of a version that ends in the MAC address of
// the machine that made it (RFC 9562: 1, 2, and 6).
func timeBased(text string) bool {
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return false
	}
	if version := text[14]; version != '1' && version != '2' && version != '6' {
		return false
	}
	node, err := hex.DecodeString(text[24:])
	if err != nil {
		return false
	}
	// The lowest bit of the first byte marks a random node.
	return node[0]&1 == 0
}

// keepReports acknowledges the usage reports that stay here by privacy. Their
// counts went into the totals of their pools when they were imported.
func (s *Service) keepReports(ctx context.Context, actor Actor, id AccountID, digests []string, now time.Time) error {
	for chunk := range slices.Chunk(digests, importChunk) {
		err := s.update(ctx, actor, now, func(tx Tx, record recorder) error {
			for _, digest := range chunk {
				if err := tx.AcknowledgeReport(id, digest, now); err != nil {
					return err
				}
			}
			return record(Event{Type: EventUsageKept, AccountID: id,
				Message: fmt.Sprintf("%d usage reports stay at this satellite, as privacy demands, and it acknowledges them itself; their totals go upstream.", len(chunk))})
		})
		if err != nil {
			return err
		}
	}
	return nil
}
