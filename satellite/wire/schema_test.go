package wire_test

import (
	"archive/tar"
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"ssm/satellite/wire"
)

// schemaError validates a JSON text with docs/protocol/schemas/NAME.schema.json, or
// with a part of it: "record#/$defs/lot".
func schemaError(t *testing.T, name string, text []byte) error {
	t.Helper()
	file, part, _ := strings.Cut(name, "#")
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	compiler.AssertContent()
	schema, err := compiler.Compile(filepath.Join(protocolFolder, "schemas", file+".schema.json") + "#" + part)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(value)
}

func fits(t *testing.T, name string, text []byte) {
	t.Helper()
	if err := schemaError(t, name, text); err != nil {
		t.Errorf("%s: %v\n%s", name, err, text)
	}
}

// fitsMessage takes a request or a reply apart by the words of the prose alone
// and validates each layer.
func fitsMessage(t *testing.T, message []byte) {
	t.Helper()
	var envelope, body struct {
		Request, Response string
		Header            struct {
			RequestType string `json:"request_type"`
		}
		RequestData  string `json:"request_data"`
		ResponseData string `json:"response_data"`
	}
	decodeInto(t, message, &envelope)
	if envelope.Request != "" {
		decodeInto(t, []byte(envelope.Request), &body)
		fits(t, "request-envelope", message)
		fits(t, "request", []byte(envelope.Request))
		fits(t, "request-data#/$defs/"+body.Header.RequestType, []byte(body.RequestData))
		return
	}
	decodeInto(t, []byte(envelope.Response), &body)
	fits(t, "reply-envelope", message)
	fits(t, "reply", []byte(envelope.Response))
	fits(t, "reply-data", []byte(body.ResponseData))
	if strings.Contains(body.ResponseData, `"status":"OK"`) {
		fits(t, "reply-data#/$defs/"+body.Header.RequestType, []byte(body.ResponseData))
	}
}

func decodeInto(t *testing.T, text []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}

// fitsContainer validates the manifest and each record as they stand in the file.
func fitsContainer(t *testing.T, file []byte) {
	t.Helper()
	fits(t, "manifest", entries(t, file)["manifest.json"])
	_, lines := openVector(t, file)
	for _, line := range lines {
		fits(t, "record", []byte(line))
	}
}

func entries(t *testing.T, file []byte) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	for archive := tar.NewReader(bytes.NewReader(file)); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		found[header.Name] = made(io.ReadAll(archive))(t)
	}
}

func TestEveryLayerOfEveryVectorFitsItsSchema(t *testing.T) {
	t.Parallel()
	messages := slices.Concat(made(filepath.Glob(vectorPath("*-request.json")))(t),
		made(filepath.Glob(vectorPath("*-reply.json")))(t), made(filepath.Glob(vectorPath("*-refusal.json")))(t))
	if len(messages) != 6 {
		t.Errorf("%d messages are published: %v", len(messages), messages)
	}
	for _, path := range messages {
		fitsMessage(t, vector(t, filepath.Base(path)))
	}
	fitsContainer(t, vector(t, "registration.ssmreq"))
	fitsContainer(t, vector(t, "recovery.ssmres"))
	fitsContainer(t, vector(t, "registration.ssmres"))
	report := made(wire.ReadUsageReport(vector(t, "usage-report.json")))(t)
	fits(t, "usage-report", report.Raw)
	var outer struct{ Payload string }
	decodeInto(t, report.Raw, &outer)
	fits(t, "usage-report#/$defs/payload", []byte(outer.Payload))
}

func TestFreshDocumentsFitTheirSchemas(t *testing.T) {
	t.Parallel()
	v := &vectorMaker{t: t, keys: vectorKeys(t), made: vectorCertificates(t)}
	header := wire.Header{
		Version: wire.MessageVersion, SUDI: wire.SUDI{SUVI: "s", UUID: "u", HostIdentifier: "h", MACAddress: "02:00:00:00:00:01", UDIPID: "p", UDISerialNumber: "1", UDIVID: "v"},
		Timestamp: wire.Milliseconds(vectorTime), Nonce: "-1", AgentActions: []string{"renew"}, ProductInstanceIdentifier: vectorPIID, SigningCertSerialNumber: "a1",
		LastReply: strings.Repeat("0a", 32), ClockOffset: -3_600_000,
	}
	standby := &wire.HighAvailability{ApplicationID: "pair 1", Role: wire.RoleStandby}
	for kind, data := range map[wire.RequestType]wire.RequestData{
		wire.Renewal: {CertificateRequest: "AAAA"}, wire.Deregistration: {}, wire.Authorization: {Entitlements: []wire.Entitlement{{Tag: "t", Count: 1 << 31}}, HighAvailability: standby},
		wire.Registration: {Token: "t", CertificateRequest: "AAAA", SoftwareTag: "s", HardwareVersion: "1", Force: true, HighAvailability: standby},
	} {
		header.RequestType = kind
		fitsMessage(t, made(wire.WriteRequest(v.keys["device"], v.made["device"].Raw, header, data))(t))
		answer := wire.ReplyHeader{Nonce: "0", RequestType: kind, SUDI: header.SUDI}
		refusal := wire.ReplyData{Status: wire.StatusFailed, Code: "unknown-version", Message: "No.", Versions: wire.MessageVersions}
		fitsMessage(t, made(wire.WriteUnsignedReply(answer, refusal))(t))
	}
	modes := []wire.Mode{wire.ModeWaiting, wire.ModeInCompliance, wire.ModeOutOfCompliance, wire.ModeOverage, wire.ModeReservation, wire.ModeDisabled,
		wire.ModeInvalidTag, wire.ModeEvaluation, wire.ModeEvaluationExpired, wire.ModeAuthorizationExpired}
	authorized := wire.ReplyData{Status: wire.StatusOK, Message: "Done.", ProductInstanceIdentifier: vectorPIID, AuthorizationState: "authorized",
		AuthorizationRenewAt: 1, AuthorizationExpiresAt: 2}
	for _, mode := range modes {
		authorized.Licenses = append(authorized.Licenses, wire.LicenseAnswer{Tag: "t", Count: 1, Mode: mode, Requested: 1 << 31, Reason: "Only one is there."})
	}
	fitsMessage(t, made(wire.WriteUnsignedReply(wire.ReplyHeader{Nonce: "0", RequestType: wire.Authorization, SUDI: header.SUDI}, authorized))(t))
	manifest := wire.Manifest{
		Kind: wire.SyncRequest, CreatedAt: vectorTime.Add(time.Nanosecond), SatelliteID: "s", Account: wire.SyncAccount{ID: "s-1"}, Sequence: 9,
		Request: &wire.RequestPart{Scope: wire.ScopeStandard, BaseSequence: 8, LimitedAccount: true, PrivacyOmits: []string{"hostname"}, AgreementAccepted: "2026-01",
			Upgrade: &wire.UpgradeRequest{Name: "Example", DomainIdentifier: "example.org", Email: "anna@example.com", RequestedBy: "Anna", RequestedAt: vectorTime}},
		StateDigest: map[wire.RecordKind]wire.Digest{},
	}
	removed := wire.Record{Kind: wire.RecordDevice, Key: vectorPIID, Removed: true}
	full := v.record(wire.RecordDevice, "d", wire.DeviceRecord{PIID: "d", UDIPID: "p", UDISerialNumber: "1", UDIVID: "v", UUID: "u", MACAddress: "m", SoftwareTag: "s",
		Hostname: "h", RegisteredAt: &vectorTime, CertificateSerial: "a1", CertificateExpires: &vectorTime, PublicKeySHA256: strings.Repeat("0", 64)})
	used := v.record(wire.RecordUsage, "v\tt", wire.UsageRecord{VirtualAccount: "v", Tag: "t", InUse: 1, Reserved: 2})
	file, digest := packContainer(t, manifest, wire.Signer{Key: v.keys["satellite signer"], Chain: v.chain("satellite signer", "account sub CA")}, removed, full, used)
	fitsContainer(t, file)
	manifest.Kind, manifest.Request = wire.SyncResponse, nil
	manifest.Response = &wire.ResponsePart{RequestDigest: digest, FullRequested: true, Reason: "It does not fit.", NextSequence: 10, AccountType: "limited",
		AgreementVersion: "2026-01", AgreementText: strings.Repeat("<", 1000),
		Upgrade:      &wire.UpgradeAnswer{Status: wire.UpgradeDeclined, DomainIdentifier: "example.org", RequestedAt: vectorTime, Reason: "It is not yours."},
		Certificates: v.chain("account sub CA", "licensing root")}
	file, _ = packContainer(t, manifest, wire.Signer{Key: v.keys["upstream signer"], Chain: v.chain("upstream signer", "issuing CA")},
		v.record(wire.RecordEntitlement, "t", wire.EntitlementRecord{Name: "T", Description: "d", Type: "evaluation", Enforcement: "export-controlled", Billing: "usage",
			ReportingOnly: true, Overage: true, HigherTier: "u"}),
		v.record(wire.RecordLot, "l", wire.LotRecord{Tag: "t", Type: "evaluation", End: &vectorTime, Order: "o", SubscriptionID: "s"}))
	fitsContainer(t, file)
	for _, status := range []wire.UpgradeStatus{wire.UpgradePending, wire.UpgradeApproved} {
		manifest.Response.Upgrade = &wire.UpgradeAnswer{Status: status, DomainIdentifier: "example.org", RequestedAt: vectorTime}
		file, _ = packContainer(t, manifest, wire.Signer{Key: v.keys["upstream signer"], Chain: v.chain("upstream signer", "issuing CA")})
		fitsContainer(t, file)
	}
}

// vectorKeys reads the published test keys.
func vectorKeys(t *testing.T) map[string]fixedSigner {
	t.Helper()
	keys := map[string]fixedSigner{}
	for rest := vector(t, "test-only-keys.pem"); ; {
		title, _, _ := bytes.Cut(rest, []byte("\n"))
		block, next := pem.Decode(rest)
		if block == nil {
			return keys
		}
		name, marked := strings.CutPrefix(string(title), "TEST ONLY, published: ")
		if !marked {
			t.Errorf("the key %q is not marked as one for tests", title)
		}
		keys[name], rest = fixedSigner{made(x509.ParsePKCS8PrivateKey(block.Bytes))(t).(*ecdsa.PrivateKey)}, next
	}
}

// A document made after the prose alone, with nothing of this package, is read;
// and what its manifest may lack or have is the same for schema and reader,
// except that a reader overlooks what it does not know or need.
func TestManifestWithAFieldTooManyOrTooFewFailsWhereItMust(t *testing.T) {
	t.Parallel()
	const fine, refused = true, false
	for _, c := range []struct {
		name   string
		change func(map[string]any)
		schema bool
		want   error
	}{
		{"untouched", func(map[string]any) {}, fine, nil},
		{"one more field", func(m map[string]any) { m["comment"] = "hello" }, refused, nil},
		{"one more field of the account", func(m map[string]any) { m["account"].(map[string]any)["city"] = "Bern" }, refused, nil},
		{"one more count", func(m map[string]any) { m["records"].(map[string]any)["counts"].(map[string]any)["lot"] = 1 }, fine, wire.ErrAltered},
		{"no format", without("format"), refused, wire.ErrMalformed},
		{"no version", without("version"), refused, wire.ErrVersion},
		{"version 2", func(m map[string]any) { m["version"] = 2 }, refused, wire.ErrVersion},
		{"no kind", without("kind"), refused, wire.ErrMalformed},
		{"no time", without("created_at"), refused, nil},
		{"no satellite", without("satellite_id"), refused, wire.ErrMalformed},
		{"no account", without("account"), refused, wire.ErrMalformed},
		{"no sequence", without("sequence"), refused, wire.ErrMalformed},
		{"a sequence in words", func(m map[string]any) { m["sequence"] = "one" }, refused, wire.ErrMalformed},
		{"no request", without("request"), refused, wire.ErrMalformed},
		{"a response beside the request", func(m map[string]any) { m["response"] = map[string]any{} }, refused, wire.ErrMalformed},
		{"no certificate request", func(m map[string]any) { delete(m["request"].(map[string]any), "certificate_request") }, refused, wire.ErrMalformed},
		{"no state", without("state_digest"), refused, nil},
		{"a state of 63 digits", func(m map[string]any) { m["state_digest"] = map[string]any{"device": strings.Repeat("0", 63)} }, refused, wire.ErrMalformed},
		{"no records", without("records"), refused, wire.ErrAltered},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			published := entries(t, vector(t, "registration.ssmreq"))
			var manifest map[string]any
			decodeInto(t, published["manifest.json"], &manifest)
			c.change(manifest)
			text := made(json.Marshal(manifest))(t)
			if err := schemaError(t, "manifest", text); (err == nil) != c.schema {
				t.Errorf("by the schema: %v", err)
			}
			file := handMade(t, vectorKeys(t)["account sub CA"].PrivateKey, text, published["records.ndjson.zst"])
			container, err := wire.OpenContainer(bytes.NewReader(file), int64(len(file)), func(wire.Manifest, [][]byte) error { return nil })
			if err == nil {
				err = container.Records(func(wire.Record) error { return nil })
			}
			if !errors.Is(err, c.want) {
				t.Errorf("by the reader: %v, want %v", err, c.want)
			}
		})
	}
}

func without(field string) func(map[string]any) {
	return func(m map[string]any) { delete(m, field) }
}

// handMade is a registration file as sync.md describes it.
func handMade(t *testing.T, key *ecdsa.PrivateKey, manifest, records []byte) []byte {
	t.Helper()
	encode := base64.RawURLEncoding.EncodeToString
	protected := encode([]byte(`{"alg":"ES256","typ":"software-license-sync+jws"}`))
	sum := sha256.Sum256([]byte(protected + "." + encode(manifest)))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	jws := protected + ".." + encode(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
	var file bytes.Buffer
	for _, entry := range []struct {
		name string
		body []byte
	}{{"manifest.json", manifest}, {"manifest.jws", []byte(jws)}, {"records.ndjson.zst", records}} {
		header := make([]byte, 512)
		copy(header, entry.name)
		copy(header[100:], fmt.Sprintf("0000644\x000000000\x000000000\x00%011o\x0000000000000\x00        0", len(entry.body)))
		copy(header[257:], "ustar\x0000")
		copy(header[329:], "0000000\x000000000\x00")
		total := 0
		for _, b := range header {
			total += int(b)
		}
		copy(header[148:], fmt.Sprintf("%06o\x00 ", total))
		file.Write(header)
		file.Write(entry.body)
		file.Write(make([]byte, (512-len(entry.body)%512)%512))
	}
	file.Write(make([]byte, 1024))
	return file.Bytes()
}

// An implementation in another language, which shares nothing with this one.
func TestVectorContainersAreVerifiedByNode(t *testing.T) {
	t.Parallel()
	node, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("docs/protocol/verify.mjs needs node 18 or later: apt-get install nodejs")
		}
		t.Log("node is not installed, so docs/protocol/verify.mjs was only looked at; to run it: apt-get install nodejs")
	}
	script := filepath.Join(protocolFolder, "verify.mjs")
	source, err := os.ReadFile(script)
	if lines := bytes.Count(source, []byte("\n")); err != nil || lines > 30 {
		t.Errorf("verify.mjs has %d lines, at most 30 are read with pleasure (%v)", lines, err)
	}
	if node == "" {
		return
	}
	verify := func(file string) (string, error) {
		output, err := exec.CommandContext(t.Context(), node, script, file).CombinedOutput()
		return string(output), err
	}
	for _, name := range []string{"registration.ssmreq", "registration.ssmres", "recovery.ssmres"} {
		file := vector(t, name)
		container, _ := openVector(t, file)
		if output, err := verify(vectorPath(name)); err != nil || !strings.Contains(output, container.Digest) {
			t.Errorf("%s: %v\n%s", name, err, output)
		}
		// A digit and a quote of the manifest, the records, a header, a padding, the end.
		year := bytes.Index(file, []byte(`:"2026`)) + 2
		for _, at := range []int{year, year - 1, len(file) - 1024 - 512, 110, 511, len(file) - 1} {
			altered := bytes.Clone(file)
			altered[at] ^= 1
			path := filepath.Join(t.TempDir(), name)
			if err := os.WriteFile(path, altered, 0o600); err != nil {
				t.Fatal(err)
			}
			if output, err := verify(path); err == nil || !strings.Contains(output, "refused") {
				t.Errorf("%s with byte %d altered: %v\n%s", name, at, err, output)
			}
		}
	}
}
