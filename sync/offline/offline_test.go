package offline

import (
	"bytes"
	"crypto"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ssm/certs"
	"ssm/satellite/wire"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := certs.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// satelliteSigner is a signer with its chain up to the root.
func satelliteSigner(t *testing.T) (wire.Signer, string) {
	t.Helper()
	root, err := certs.NewRoot("Test Root", newKey(t), now)
	if err != nil {
		t.Fatal(err)
	}
	subKey, key := newKey(t), newKey(t)
	csr, err := certs.NewSubCARequest(subKey, "account-1", "Plant")
	if err != nil {
		t.Fatal(err)
	}
	subCA, err := root.IssueSubCA(csr, "account-1", "Plant", now)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := (&certs.Authority{Certificate: subCA, Key: subKey}).IssueSatelliteSigner("k3v9q2wd", key.Public(), now)
	if err != nil {
		t.Fatal(err)
	}
	return wire.Signer{Key: key, Chain: [][]byte{signer.Raw, subCA.Raw, root.Certificate.Raw}}, certs.Fingerprint(root.Certificate)
}

func manifest() wire.Manifest {
	return wire.Manifest{Kind: wire.SyncRequest, CreatedAt: now, SatelliteID: "k3v9q2wd", Sequence: 7,
		Account: wire.SyncAccount{ID: "account-1", Name: "Plant \x1b[2J", SmartAccount: "Example", VirtualAccount: "Satellite"},
		Request: &wire.RequestPart{Scope: wire.ScopeStandard, PrivacyOmits: []string{"hostname"}}}
}

// write puts a document with the records at path and opens it again.
func write(t *testing.T, signer wire.Signer, m wire.Manifest, values map[wire.RecordKind][]any) (*os.File, int64) {
	t.Helper()
	records, err := wire.NewRecordWriter(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer records.Close()
	for kind, list := range values {
		for i, value := range list {
			record, err := wire.NewRecord(kind, string(rune('a'+i)), value)
			if err != nil {
				t.Fatal(err)
			}
			if err := records.Add(record); err != nil {
				t.Fatal(err)
			}
		}
	}
	path := filepath.Join(t.TempDir(), FileName(m))
	if err := WriteFile(path, func(w io.Writer) error {
		_, err := records.WriteTo(w, m, signer)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	file, size, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file, size
}

func TestInspectTellsWhatLeavesAndWhoSignedIt(t *testing.T) {
	t.Parallel()
	signer, fingerprint := satelliteSigner(t)
	report := `{"payload":"{\"version\":\"2.0\",\"meta\":{\"software_version\":\"17.09.02\"},\"asset\":{\"peer\":\"10.1.2.3\"}}"}`
	file, size := write(t, signer, manifest(), map[wire.RecordKind][]any{
		wire.RecordDevice: {
			wire.DeviceRecord{PIID: "1", UDIPID: "R1", UDISerialNumber: "00:00:5e:00:53:01", Hostname: "core-1.plant.example"},
			wire.DeviceRecord{PIID: "2", UDIPID: "R1", UDISerialNumber: "[2001:db8::1]:443", MACAddress: "0000.5e00.5302", UDIVID: "V01"},
			wire.DeviceRecord{PIID: "3", UDIPID: "R1", UDISerialNumber: "FOC1", SoftwareTag: "regid.2026-01.com.example.R1,1.0_x"},
		},
		wire.RecordReport: {wire.ReportRecord{Report: []byte(report)}},
	})
	s, err := Inspect(file, size)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Privacy{HostNames: 1, IPAddresses: 2, MACAddresses: 2, Versions: 2}); s.Privacy != want {
		t.Errorf("found %+v, want %+v", s.Privacy, want)
	}
	if !s.Signature.Verified || s.Signature.RootFingerprint != fingerprint || s.Signature.Signer != "CN=k3v9q2wd" {
		t.Errorf("the signature is described as %+v", s.Signature)
	}
	if s.Records[wire.RecordDevice] != 3 || s.Records[wire.RecordReport] != 1 || s.Size != size || s.Sequence != 7 || s.Scope != wire.ScopeStandard {
		t.Errorf("the document is described as %+v", s)
	}
	var text bytes.Buffer
	if err := s.Text(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{fingerprint, "k3v9q2wd", "3 device", "Left out           hostname", "Host names         1 in the file"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, &text)
		}
	}
	if strings.ContainsRune(text.String(), '\x1b') {
		t.Error("the text carries a terminal's control character out of the file")
	}
	encoded, err := json.Marshal(s)
	if err != nil || !bytes.Contains(encoded, []byte(`"mac_addresses":2`)) {
		t.Errorf("the JSON form is %s, %v", encoded, err)
	}
}

func TestInspectShowsThatPrivacyFieldsAreAbsent(t *testing.T) {
	t.Parallel()
	signer, _ := satelliteSigner(t)
	signer.Chain = signer.Chain[:2] // a sender may leave the root out
	file, size := write(t, signer, manifest(), map[wire.RecordKind][]any{
		wire.RecordDevice: {wire.DeviceRecord{PIID: "1", UDIPID: "R1", UDISerialNumber: "1", SoftwareTag: "regid.2026-01.com.example.R1,1.0_x"}},
		wire.RecordUsage:  {wire.UsageRecord{VirtualAccount: "Default", Tag: "t", InUse: 1}},
	})
	s, err := Inspect(file, size)
	if err != nil {
		t.Fatal(err)
	}
	if s.Privacy != (Privacy{}) {
		t.Errorf("found %+v", s.Privacy)
	}
	if !s.Signature.Verified || s.Signature.RootFingerprint != "" || !strings.Contains(s.Signature.Note, "below its root") {
		t.Errorf("the signature is described as %+v", s.Signature)
	}
	var text bytes.Buffer
	if err := s.Text(&text); err != nil || strings.Count(text.String(), "none in the file") != 5 {
		t.Errorf("the text does not say that nothing private is in it: %v\n%s", err, &text)
	}
}

func TestInspectReadsARegistrationThatNobodyVouchesFor(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	m := manifest()
	m.Request.Scope = wire.ScopeRegistration
	var err error
	if m.Request.CertificateRequest, err = certs.NewSubCARequest(key, "account-1", "Plant"); err != nil {
		t.Fatal(err)
	}
	file, size := write(t, wire.Signer{Key: key}, m, nil)
	s, err := Inspect(file, size)
	if err != nil || !s.Signature.Verified || !strings.Contains(s.Signature.Signer, "account-1") || !strings.Contains(s.Signature.Note, "nobody vouches") {
		t.Errorf("the registration is described as %+v, %v", s.Signature, err)
	}
}

func TestInspectRefusesWhatWasAltered(t *testing.T) {
	t.Parallel()
	signer, _ := satelliteSigner(t)
	file, size := write(t, signer, manifest(), map[wire.RecordKind][]any{wire.RecordUsage: {wire.UsageRecord{Tag: "t"}}})
	whole := make([]byte, size)
	if _, err := file.ReadAt(whole, 0); err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(whole); at += 11 {
		altered := bytes.Clone(whole)
		altered[at] ^= 1
		if _, err := Inspect(bytes.NewReader(altered), size); err == nil {
			t.Fatalf("a document with byte %d altered was inspected", at)
		}
	}
}

func TestInspectRefusesAChainThatMayNotSpeak(t *testing.T) {
	t.Parallel()
	root, err := certs.NewRoot("Test Root", newKey(t), now)
	if err != nil {
		t.Fatal(err)
	}
	key := newKey(t)
	upstream, err := root.IssueUpstreamSigner("not a satellite", key.Public(), now)
	if err != nil {
		t.Fatal(err)
	}
	file, size := write(t, wire.Signer{Key: key, Chain: [][]byte{upstream.Raw, root.Certificate.Raw}}, manifest(), nil)
	if _, err := Inspect(file, size); !errors.Is(err, certs.ErrChain) {
		t.Errorf("a request that an upstream signed: %v", err)
	}
}

func TestWriteFileLeavesTheOldFileUntilTheNewOneIsWhole(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.ssmres")
	failed := errors.New("disk full")
	steps := []struct {
		write func(io.Writer) error
		want  string
	}{
		{func(w io.Writer) error { _, err := io.WriteString(w, "old"); return err }, "old"},
		{func(w io.Writer) error { _, _ = io.WriteString(w, "ne"); return failed }, "old"},
		{func(w io.Writer) error { _, err := io.WriteString(w, "new"); return err }, "new"},
	}
	for i, step := range steps {
		if err := WriteFile(path, step.write); (err != nil) != (i == 1) || err != nil && !errors.Is(err, failed) {
			t.Errorf("step %d: %v", i, err)
		}
		if text, err := os.ReadFile(path); err != nil || string(text) != step.want {
			t.Errorf("after step %d the file holds %q, %v", i, text, err)
		}
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
}

func TestSpoolIsBoundedAndLeavesNoName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, size, err := Spool(strings.NewReader("12345"), dir, 5)
	if err != nil || size != 5 {
		t.Fatalf("five bytes of five: %d, %v", size, err)
	}
	defer file.Close()
	text := make([]byte, 5)
	if _, err := file.ReadAt(text, 0); err != nil || string(text) != "12345" {
		t.Errorf("read %q, %v", text, err)
	}
	if _, _, err := Spool(strings.NewReader("123456"), dir, 5); !errors.Is(err, wire.ErrTooLarge) {
		t.Errorf("six bytes of five: %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
}

func TestOpenRefusesWhatIsNoFile(t *testing.T) {
	t.Parallel()
	if _, _, err := Open(t.TempDir()); err == nil {
		t.Error("a folder was opened")
	}
	path := filepath.Join(t.TempDir(), "huge")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, wire.MaxContainer+1); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Open(path); !errors.Is(err, wire.ErrTooLarge) {
		t.Errorf("a huge file: %v", err)
	}
}

func TestAFileNameFitsEveryFileSystem(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		kind             wire.SyncKind
		name, id, expect string
	}{
		{wire.SyncRequest, "Plant & Söhne / 2", "x", "plant-s-hne-2-7.ssmreq"},
		{wire.SyncResponse, "工場", "ab-12", "ab-12-7.ssmres"},
		{wire.SyncRequest, "../..", "..", "account-7.ssmreq"},
		{wire.SyncRequest, strings.Repeat("x", 100), "", strings.Repeat("x", 64) + "-7.ssmreq"},
	} {
		m := wire.Manifest{Kind: test.kind, Sequence: 7, Account: wire.SyncAccount{ID: test.id, Name: test.name}}
		if got := FileName(m); got != test.expect {
			t.Errorf("%q is called %q, want %q", test.name, got, test.expect)
		}
	}
}
