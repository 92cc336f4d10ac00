package satellite

import (
	"strings"
	"testing"

	"ssm/satellite/wire"
)

func TestARecordLosesWhatIsLeftOutAndKeepsItsKey(t *testing.T) {
	t.Parallel()
	all := &reduction{omits: wire.PrivateKinds, key: []byte("of the account")}
	mac := func(text string) string { return wire.Pseudonym(all.key, wire.PrivateMACAddress, text) }
	host := func(text string) string { return wire.Pseudonym(all.key, wire.PrivateHostName, text) }
	ip := wire.Pseudonym(all.key, wire.PrivateIPAddress, "10.0.0.1")
	for _, c := range []struct{ name, key, value, wantKey, want string }{
		{"fields by name", "1", `{"hostname":"h","ip_address":"x","mac_address":"m","udi_serial_number":"s","udi_vid":"v"}`, "1", `{"udi_serial_number":"s"}`},
		{"a MAC address that is the identity", "1", `{"mac_address":"00:11:22:33:44:55"}`, "1", `{"mac_address":"` + mac("0011.2233.4455") + `"}`},
		{"a serial number that is the MAC address", "1", `{"mac_address":"00:11:22:33:44:55","udi_serial_number":"001122334455"}`, "1", `{"udi_serial_number":"` + mac("001122334455") + `"}`},
		{"a serial number that is the host name", "1", `{"hostname":"h","udi_serial_number":"H"}`, "1", `{"udi_serial_number":"` + host("h") + `"}`},
		{"a name in the key", "10.0.0.1\tt", `{"virtual_account":"10.0.0.1","tag":"t"}`, ip + "\tt", `{"tag":"t","virtual_account":"` + ip + `"}`},
		{"a later kind, nested", "1", `{"members":[{"hostname":"h"},"10.0.0.1",12345678901234567890]}`, "1", `{"members":[{},"` + ip + `",12345678901234567890]}`},
		{"a host name that is the key", "p", `{"hostname":"p","piid":"p"}`, "p", `{"piid":"p"}`},
		{"a host name that is the virtual account", "p", `{"hostname":"Lab","virtual_account":"Lab"}`, "p", `{"virtual_account":"Lab"}`},
		{"a MAC address that is none", "p", `{"mac_address":"-","udi_serial_number":"s"}`, "p", `{"udi_serial_number":"s"}`},
	} {
		got, err := all.record(wire.Record{Kind: wire.RecordDevice, Key: c.key, Value: []byte(c.value)})
		if err != nil || got.Key != c.wantKey || string(got.Value) != c.want {
			t.Errorf("%s: %q %s (%v), want %q %s", c.name, got.Key, got.Value, err, c.wantKey, c.want)
		}
	}
	removed, err := all.record(wire.Record{Kind: wire.RecordUsage, Key: "10.0.0.1\tt", Removed: true})
	if err != nil || removed.Key != ip+"\tt" || !removed.Removed {
		t.Errorf("a tombstone: %+v (%v)", removed, err)
	}
	other := &reduction{omits: wire.PrivateKinds, key: []byte("of another account")}
	if again, _ := other.record(removed); strings.Contains(again.Key, "10.0.0.1") || wire.Pseudonym(other.key, wire.PrivateIPAddress, "10.0.0.1") == ip {
		t.Error("two accounts have the same pseudonym")
	}
}
