package wire_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ssm/satellite/wire"
)

// protocolFolder is where the published description of the formats lives.
const protocolFolder = "../../docs/protocol"

// The flag may be there already, for other files of this package that can be made anew.
func init() {
	if flag.Lookup("update") == nil {
		flag.Bool("update", false, "write the files that tests compare with anew")
	}
}

func vectorPath(name string) string { return filepath.Join(protocolFolder, "vectors", name) }

// vector reads a published file.
func vector(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(vectorPath(name))
	if err != nil {
		t.Fatalf("%v; `go test ./satellite/wire -run Vector -update` makes it", err)
	}
	return content
}

// The published vectors hold what this package writes from the same input: a
// change of the wire shows here, and is meant or is a mistake. Of the containers
// the meaning is compared, since another zstd may pack otherwise. It is not
// parallel: with -update it writes what the tests after it read.
func TestVectorsAreWhatThisPackageWrites(t *testing.T) {
	fresh := makeVectors(t)
	if flag.Lookup("update").Value.String() == "true" {
		for name, content := range fresh {
			if err := os.WriteFile(vectorPath(name), content, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	published, err := filepath.Glob(vectorPath("*"))
	if err != nil {
		t.Fatal(err)
	}
	if len(published) != len(fresh) {
		t.Errorf("%d files are published, %d are made: %v", len(published), len(fresh), published)
	}
	for name, content := range fresh {
		got, want := vector(t, name), content
		if strings.HasPrefix(filepath.Ext(name), ".ssm") {
			got, want = meaning(t, got), meaning(t, want)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what is written today.\npublished: %s\ntoday:     %s", name, got, want)
		}
	}
}

// meaning is what a container says, without what depends on the compressor.
func meaning(t *testing.T, file []byte) []byte {
	t.Helper()
	container, lines := openVector(t, file)
	m := container.Manifest
	m.Records.Packed, m.Records.SHA256 = 0, ""
	if m.Response != nil {
		m.Response.RequestDigest = ""
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return []byte(string(text) + "\n" + strings.Join(lines, "\n"))
}

// openVector opens a container whose signer has to be the upstream under the
// published root, or the account's own key in a registration, and returns its lines.
func openVector(t *testing.T, file []byte) (*wire.Container, []string) {
	t.Helper()
	container, err := wire.OpenContainer(bytes.NewReader(file), int64(len(file)), func(m wire.Manifest, chain [][]byte) error {
		if m.Kind == wire.SyncRequest {
			return nil
		}
		return vectorTrust(t, parseAll(t, chain), usageUpstream)
	})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	err = container.Records(func(record wire.Record) error {
		line, err := record.Bytes()
		lines = append(lines, string(line))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return container, lines
}

func parseAll(t *testing.T, chain [][]byte) []*x509.Certificate {
	t.Helper()
	certificates := make([]*x509.Certificate, len(chain))
	for i, der := range chain {
		var err error
		if certificates[i], err = x509.ParseCertificate(der); err != nil {
			t.Fatal(err)
		}
	}
	return certificates
}

// vectorTrust judges a chain as a reader does: it leads to the published root,
// and every certificate on the way carries the usage.
func vectorTrust(t *testing.T, chain []*x509.Certificate, usage asn1.ObjectIdentifier) error {
	t.Helper()
	options := x509.VerifyOptions{
		Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: vectorTime,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	}
	root := vectorCertificates(t)["licensing root"]
	options.Roots.AddCert(root)
	for _, c := range chain[1:] {
		options.Intermediates.AddCert(c)
	}
	if _, err := chain[0].Verify(options); err != nil {
		return err
	}
	for _, c := range append(chain, root) {
		for _, want := range []asn1.ObjectIdentifier{usageLicensing, usage} {
			if !slices.ContainsFunc(c.UnknownExtKeyUsage, want.Equal) {
				return errors.New(c.Subject.CommonName + " lacks the usage " + want.String())
			}
		}
	}
	return nil
}

// vectorCertificates reads certificates.pem: each block is preceded by its name.
func vectorCertificates(t *testing.T) map[string]*x509.Certificate {
	t.Helper()
	certificates := map[string]*x509.Certificate{}
	for rest := vector(t, "certificates.pem"); ; {
		name, _, _ := bytes.Cut(rest, []byte("\n"))
		block, next := pem.Decode(rest)
		if block == nil {
			return certificates
		}
		certificates[string(name)], rest = parseAll(t, [][]byte{block.Bytes})[0], next
	}
}

func TestVectorRequestsAreReadAndTheirSignaturesHold(t *testing.T) {
	t.Parallel()
	device := vectorCertificates(t)["device"]
	registration, err := wire.ReadRequest(vector(t, "registration-request.json"))
	if err != nil {
		t.Fatal(err)
	}
	if registration.KeyHash != sha256.Sum256(device.RawSubjectPublicKeyInfo) || registration.Header.RequestType != wire.Registration {
		t.Error("the registration is not of the key that the device's certificate is for")
	}
	authorization, err := wire.ReadRequest(vector(t, "authorization-request.json"))
	if err != nil {
		t.Fatal(err)
	}
	if authorization.Credential != sha256.Sum256(device.Raw) || !device.PublicKey.(*ecdsa.PublicKey).Equal(authorization.PublicKey) {
		t.Error("the authorization was not sent under the device's certificate")
	}
	want := []wire.Entitlement{{Tag: vectorTag, Count: 3}, {Tag: vectorReleasedTag, Count: 0}}
	if !slices.Equal(authorization.Data.Entitlements, want) {
		t.Errorf("entitlements %v", authorization.Data.Entitlements)
	}
	for _, name := range []string{"registration-request.json", "authorization-request.json"} {
		altered := bytes.Replace(vector(t, name), []byte("en_US"), []byte("en_GB"), 1)
		if _, err := wire.ReadRequest(altered); !errors.Is(err, wire.ErrSignature) {
			t.Errorf("%s with another locale: %v", name, err)
		}
	}
}

func TestVectorRepliesLeadToThePublishedRoot(t *testing.T) {
	t.Parallel()
	for name, nonce := range map[string]string{
		"registration-reply.json": registrationNonce, "authorization-reply.json": authorizationNonce, "clock-refusal.json": authorizationNonce,
	} {
		reply, err := wire.ReadReply(vector(t, name))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !reply.Signed || reply.Header.Nonce != nonce {
			t.Errorf("%s: signed %v, nonce %s", name, reply.Signed, reply.Header.Nonce)
		}
		if err := vectorTrust(t, reply.Chain, usageSatellite); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := vectorTrust(t, reply.Chain, usageUpstream); err == nil {
			t.Errorf("%s: the satellite passes for the upstream", name)
		}
		altered := bytes.Replace(vector(t, name), []byte(nonce), []byte("1"), 1)
		if _, err := wire.ReadReply(altered); err == nil {
			t.Errorf("%s is read with another nonce", name)
		}
	}
	unsigned, err := wire.ReadReply(vector(t, "unsigned-refusal.json"))
	if err != nil || unsigned.Signed || unsigned.Data.Code != "account-not-registered" {
		t.Errorf("unsigned refusal: %+v, %v", unsigned, err)
	}
}

func TestVectorContainersAreOpenedAndBelongTogether(t *testing.T) {
	t.Parallel()
	request, sent := openVector(t, vector(t, "registration.ssmreq"))
	response, _ := openVector(t, vector(t, "registration.ssmres"))
	if got := response.Manifest.Response.RequestDigest; got != request.Digest {
		t.Errorf("the response answers %s, the request is %s", got, request.Digest)
	}
	if len(request.Signer) != 0 || len(response.Signer) != 3 {
		t.Errorf("chains of %d and %d certificates, want 0 and 3", len(request.Signer), len(response.Signer))
	}
	parsed, err := x509.ParseCertificateRequest(request.Manifest.Request.CertificateRequest)
	if err != nil || !vectorCertificates(t)["account sub CA"].PublicKey.(*ecdsa.PublicKey).Equal(parsed.PublicKey) {
		t.Errorf("the certificate request is not for the account's key: %v", err)
	}
	sums := map[wire.RecordKind]*big.Int{}
	for _, line := range sent {
		var record wire.Record
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256([]byte(line))
		if sums[record.Kind] == nil {
			sums[record.Kind] = new(big.Int)
		}
		sums[record.Kind].Add(sums[record.Kind], new(big.Int).SetBytes(sum[:]))
	}
	for _, kind := range wire.StateKinds {
		if got, want := request.Manifest.StateDigest[kind].String(), digestText(sums[kind]); got != want {
			t.Errorf("digest of %s: the manifest says %s, the lines add up to %s", kind, got, want)
		}
		if response.Manifest.StateDigest[kind] != request.Manifest.StateDigest[kind] {
			t.Errorf("the upstream does not hold the %s records that the request leads to", kind)
		}
	}
}

// digestText writes a sum as a digest is written: modulo 2^256, 64 digits.
func digestText(sum *big.Int) string {
	wrapped := new(big.Int).Mod(sum, new(big.Int).Lsh(big.NewInt(1), 256))
	return hex.EncodeToString(wrapped.FillBytes(make([]byte, 32)))
}

// The examples are checked with whole numbers of any size, so that the words of
// 64 bits in this package are not compared with themselves.
func TestVectorDigestsAreSumsModulo2To256(t *testing.T) {
	t.Parallel()
	var examples []digestExample
	if err := json.Unmarshal(vector(t, "digests.json"), &examples); err != nil {
		t.Fatal(err)
	}
	wrapped := false
	for _, example := range examples {
		sum, digest := new(big.Int), wire.Digest{}
		for _, r := range example.Records {
			hash := sha256.Sum256([]byte(r.Line))
			if hex.EncodeToString(hash[:]) != r.SHA256 {
				t.Errorf("%s: %s has the SHA-256 %x", example.Name, r.Line, hash)
			}
			var record wire.Record
			if err := json.Unmarshal([]byte(r.Line), &record); err != nil {
				t.Fatal(err)
			}
			if line, err := record.Bytes(); err != nil || string(line) != r.Line {
				t.Errorf("%s: %s is not in canonical form, which is %s (%v)", example.Name, r.Line, line, err)
			}
			sum.Add(sum, new(big.Int).SetBytes(hash[:]))
			digest = digest.Add(hash)
		}
		wrapped = wrapped || sum.BitLen() > 256
		if got := digestText(sum); got != example.Digest || digest.String() != got {
			t.Errorf("%s: published %s, by whole numbers %s, by this package %s", example.Name, example.Digest, got, digest)
		}
	}
	if !wrapped {
		t.Error("no example goes over 2^256")
	}
}

// What the vectors are made of. Every byte follows from what stands here, so
// that a second run changes nothing.
var (
	vectorTime = time.Date(2026, time.March, 2, 12, 0, 0, 0, time.UTC)
	vectorSUDI = wire.SUDI{UDIPID: "RT-9000", UDISerialNumber: "TEST0000001", UDIVID: "V01"}

	// Of docs/protocol/README.md; written out, so that a changed arc is noticed.
	usageLicensing = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 32473, 1, 1}
	usageUpstream  = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 32473, 1, 2}
	usageSatellite = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 32473, 1, 3}
	usageDevice    = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 32473, 1, 4}
)

const (
	vectorSatellite    = "k3v9q2wd"
	vectorPIID         = "5f0c6f3e-0d5b-4d0e-9a53-2a6f6f3b7c11"
	vectorSoftwareTag  = "regid.2026-01.com.example.RT_9000,1.0_0b0e7f5a-7f43-4b7e-8f0e-5a4f1d2c3b4a"
	vectorTag          = "regid.2026-01.com.example.ADVANTAGE,1.0_6d8f2f2b-1c52-4f5a-8e0d-9b7a6c5d4e3f"
	vectorReleasedTag  = "regid.2026-01.com.example.ESSENTIALS,1.0_3c1e5d7f-92b4-4a6e-8d10-7f6e5d4c3b2a"
	registrationNonce  = "4611686018427387904"
	authorizationNonce = "8070450532247928832"
)

// fixedSigner signs the same bytes the same way each time (RFC 6979).
type fixedSigner struct{ *ecdsa.PrivateKey }

func (s fixedSigner) Sign(_ io.Reader, digest []byte, options crypto.SignerOpts) ([]byte, error) {
	return s.PrivateKey.Sign(nil, digest, options)
}

// digestExample is one entry of digests.json.
type digestExample struct {
	Name    string       `json:"name"`
	Records []digestLine `json:"records"`
	Digest  string       `json:"digest"`
}

type digestLine struct {
	Line   string `json:"line"`
	SHA256 string `json:"sha256"`
}

// vectorMaker makes the files, each from those before it.
type vectorMaker struct {
	t      *testing.T
	keys   map[string]fixedSigner
	made   map[string]*x509.Certificate
	serial int64
	files  map[string][]byte
}

func makeVectors(t *testing.T) map[string][]byte {
	t.Helper()
	v := &vectorMaker{t: t, keys: map[string]fixedSigner{}, made: map[string]*x509.Certificate{}, files: map[string][]byte{}}
	all := []asn1.ObjectIdentifier{usageLicensing, usageUpstream, usageSatellite, usageDevice}
	v.certify("licensing root", "", pkix.Name{CommonName: "Example Licensing Root"}, 20, true, all...)
	v.certify("issuing CA", "licensing root", pkix.Name{CommonName: "Example Issuing CA"}, 10, true, all...)
	v.certify("upstream signer", "issuing CA", pkix.Name{CommonName: "Example Upstream"}, 1, false, usageLicensing, usageUpstream)
	v.certify("account sub CA", "issuing CA", pkix.Name{CommonName: vectorSatellite + "-1", Organization: []string{"Example"}}, 2, true, usageLicensing, usageSatellite, usageDevice)
	v.certify("satellite signer", "account sub CA", pkix.Name{CommonName: vectorSatellite}, 1, false, usageLicensing, usageSatellite)
	v.certify("device", "account sub CA", pkix.Name{CommonName: vectorSUDI.UDIPID, SerialNumber: vectorPIID}, 1, false, usageLicensing, usageDevice)
	v.messages()
	v.containers()
	return v.files
}

// made returns the value, or ends the test.
func made[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// certify makes the key of a name, which anybody can make again from the name,
// and its certificate.
func (v *vectorMaker) certify(name, issuer string, subject pkix.Name, years int, ca bool, usages ...asn1.ObjectIdentifier) {
	v.t.Helper()
	scalar := sha256.Sum256([]byte("TEST ONLY " + name))
	key := fixedSigner{made(ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar[:]))(v.t)}
	v.serial++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(v.serial), Subject: subject, NotBefore: vectorTime.Add(-time.Hour), NotAfter: vectorTime.AddDate(years, 0, 0),
		BasicConstraintsValid: true, IsCA: ca, KeyUsage: x509.KeyUsageDigitalSignature, UnknownExtKeyUsage: usages,
	}
	if ca {
		template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
		below := map[string]int{"licensing root": -1, "issuing CA": 1, "account sub CA": 0}[name] // authorities
		template.MaxPathLen, template.MaxPathLenZero = below, below == 0
	}
	parent, signer := template, key
	if issuer != "" {
		parent, signer = v.made[issuer], v.keys[issuer]
	}
	der := made(x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer))(v.t)
	v.keys[name], v.made[name] = key, parseAll(v.t, [][]byte{der})[0]
	v.pem("certificates.pem", name, "CERTIFICATE", der)
	v.pem("test-only-keys.pem", "TEST ONLY, published: "+name, "PRIVATE KEY", made(x509.MarshalPKCS8PrivateKey(key.PrivateKey))(v.t))
}

func (v *vectorMaker) pem(file, title, kind string, der []byte) {
	block := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	v.files[file] = append(v.files[file], title+"\n"+string(block)...)
}

func (v *vectorMaker) chain(names ...string) (chain [][]byte) {
	for _, name := range names {
		chain = append(chain, v.made[name].Raw)
	}
	return chain
}

func (v *vectorMaker) request(name string, subject pkix.Name) []byte {
	return made(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: subject}, v.keys[name]))(v.t)
}

func (v *vectorMaker) messages() {
	device := v.made["device"]
	header := wire.Header{
		Version: wire.MessageVersion, Locale: "en_US.UTF-8", SUDI: vectorSUDI, Timestamp: wire.Milliseconds(vectorTime), Nonce: registrationNonce,
		RequestType: wire.Registration, ConnectInfo: wire.ConnectInfo{Name: "smartagent", Version: "1.0", Production: true},
	}
	v.files["registration-request.json"] = made(wire.WriteRequest(v.keys["device"], nil, header, wire.RequestData{
		Token: "TEST-ONLY.not-a-token.of-any-satellite", SoftwareTag: vectorSoftwareTag, Hostname: "edge-1", EquipmentModel: "RT-9000", SoftwareVersion: "1.0",
		CertificateRequest: base64.StdEncoding.EncodeToString(v.request("device", pkix.Name{CommonName: vectorSUDI.UDIPID})),
	}))(v.t)
	header.RequestType, header.Nonce = wire.Authorization, authorizationNonce
	header.ProductInstanceIdentifier, header.IDCertSerialNumber = vectorPIID, device.SerialNumber.Text(16)
	v.files["authorization-request.json"] = made(wire.WriteRequest(v.keys["device"], device.Raw, header, wire.RequestData{
		Hostname: "edge-1", Entitlements: []wire.Entitlement{{Tag: vectorTag, Count: 3}, {Tag: vectorReleasedTag, Count: 0}},
	}))(v.t)

	writer := wire.NewReplyWriter(wire.Signer{Key: v.keys["satellite signer"], Chain: v.chain("satellite signer", "account sub CA", "issuing CA")})
	answer := wire.ReplyHeader{Timestamp: wire.Milliseconds(vectorTime), Nonce: registrationNonce, RequestType: wire.Registration, SUDI: vectorSUDI}
	v.files["unsigned-refusal.json"] = made(wire.WriteUnsignedReply(answer, wire.ReplyData{
		Status: wire.StatusFailed, Code: "account-not-registered", Message: `Account "Example" is not registered at the upstream yet. Nothing was changed.`,
	}))(v.t)
	answer.ProductInstanceIdentifier = vectorPIID
	v.files["registration-reply.json"] = made(writer.Write(answer, wire.ReplyData{
		Status: wire.StatusOK, Message: "The device is registered.", ProductInstanceIdentifier: vectorPIID, SmartAccount: "Example", VirtualAccount: "Default",
		Certificate: base64.StdEncoding.EncodeToString(device.Raw), CertificateExpiresAt: wire.Milliseconds(device.NotAfter),
		CertificateRenewAt: wire.Milliseconds(device.NotBefore.Add(device.NotAfter.Sub(device.NotBefore) / 2)),
	}))(v.t)
	answer.Nonce, answer.RequestType = authorizationNonce, wire.Authorization
	v.files["authorization-reply.json"] = made(writer.Write(answer, wire.ReplyData{
		Status: wire.StatusOK, Message: "The device is out of compliance.", ProductInstanceIdentifier: vectorPIID, AuthorizationState: "out of compliance",
		Licenses:             []wire.LicenseAnswer{{Tag: vectorTag, Name: "Advantage", Count: 3, Mode: wire.ModeOutOfCompliance}},
		AuthorizationRenewAt: wire.Milliseconds(vectorTime.AddDate(0, 0, 30)), AuthorizationExpiresAt: wire.Milliseconds(vectorTime.AddDate(0, 0, 90)),
	}))(v.t)
	v.files["clock-refusal.json"] = made(writer.Write(answer, wire.ReplyData{
		Status: wire.StatusFailed, Code: "clock-skew", Message: "The clock of the device is wrong. Nothing was changed.",
		SatelliteTime: wire.Milliseconds(vectorTime), DeviceTime: wire.Milliseconds(vectorTime.AddDate(-3, 0, 0)),
	}))(v.t)
}

// vectorReport is a usage report in the form that devices write.
func vectorReport(t *testing.T) []byte {
	t.Helper()
	payload := `{"version":"2.0","asset_identification":{"report_id":1772409600,"asset":{"name":"` + vectorSoftwareTag + `"},` +
		`"instance":{"sudi":{"udi_pid":"RT-9000","udi_serial_number":"TEST0000001"}}},"meta":{"entitlement_tag":"` + vectorTag + `","utility_enabled":false,` +
		`"software_version":"1.0"},"measurements":[{"log_time":1772452800,"metric_name":"ENTITLEMENT","start_time":1772409600,"end_time":1772452800,` +
		`"sample_interval":43200,"num_samples":48,"value":{"type":"COUNT","value":"3"}}]}`
	return made(json.Marshal(map[string]any{"payload": payload, "signature": map[string]any{
		"sudi": vectorSUDI, "signing_type": "builtin", "key": vectorSoftwareTag, "value": "VEVTVCBPTkxZ",
	}}))(t)
}

func (v *vectorMaker) containers() {
	report := vectorReport(v.t)
	v.files["usage-report.json"] = report
	sum := sha256.Sum256(report)
	digest := hex.EncodeToString(sum[:])
	end := vectorTime.AddDate(1, 0, 0)
	// The ampersand and the angle brackets show how the canonical form escapes them.
	usage := v.record(wire.RecordUsage, "R&D <lab>\t"+vectorTag, wire.UsageRecord{VirtualAccount: "R&D <lab>", Tag: vectorTag, InUse: 3})
	device := v.record(wire.RecordDevice, vectorPIID, wire.DeviceRecord{
		PIID: vectorPIID, UDIPID: vectorSUDI.UDIPID, UDISerialNumber: vectorSUDI.UDISerialNumber, SoftwareTag: vectorSoftwareTag,
		Hostname: "edge-1", VirtualAccount: "R&D <lab>", RegistrationState: "unregistered",
	})
	token := v.record(wire.RecordToken, "1", wire.TokenRecord{ID: "1", VirtualAccount: "R&D <lab>", CreatedAt: vectorTime, ExpiresAt: end, MaxUses: 10})
	v.digests(usage, device, token)

	state := map[wire.RecordKind]wire.Digest{}
	for _, record := range []wire.Record{usage, device, token} {
		state[record.Kind] = made(record.Hash())(v.t)
	}
	request := wire.Manifest{
		Kind: wire.SyncRequest, CreatedAt: vectorTime, SatelliteID: vectorSatellite, Sequence: 1, StateDigest: state,
		Account: wire.SyncAccount{ID: vectorSatellite + "-1", Name: "Example", SmartAccount: "Example", VirtualAccount: "Satellite"},
		Request: &wire.RequestPart{
			Scope: wire.ScopeRegistration, RequestedBy: "licenses@example.com", PrivacyOmits: []string{}, EventHeads: map[string]wire.EventHead{"1": {Number: 7, Hash: digest}},
			CertificateRequest: v.request("account sub CA", v.made["account sub CA"].Subject),
		},
	}
	asked := v.container("registration.ssmreq", request, wire.Signer{Key: v.keys["account sub CA"]},
		usage, device, token, v.record(wire.RecordReport, digest, wire.ReportRecord{Report: report}))
	response := request
	response.Kind, response.CreatedAt, response.Request = wire.SyncResponse, vectorTime.Add(time.Hour), nil
	response.Response = &wire.ResponsePart{
		RequestDigest: asked, NextSequence: 2, Deadline: vectorTime.AddDate(0, 0, 90), AccountType: "standard", DomainIdentifier: "example.com",
		AgreementVersion: "1.0", Certificates: v.chain("account sub CA", "issuing CA", "licensing root"),
	}
	v.container("registration.ssmres", response, wire.Signer{Key: v.keys["upstream signer"], Chain: v.chain("upstream signer", "issuing CA", "licensing root")},
		v.record(wire.RecordLot, "lot-1", wire.LotRecord{Tag: vectorTag, Name: "Advantage", Type: "perpetual", Quantity: 2, Start: vectorTime}),
		v.record(wire.RecordLot, "lot-2", wire.LotRecord{Tag: vectorReleasedTag, Name: "Essentials", Type: "subscription", Quantity: 100, Start: vectorTime, End: &end}),
		v.record(wire.RecordAcknowledgement, digest, wire.AcknowledgementRecord{ReceivedAt: vectorTime.Add(time.Hour)}))
}

func (v *vectorMaker) record(kind wire.RecordKind, key string, value any) wire.Record {
	return made(wire.NewRecord(kind, key, value))(v.t)
}

func (v *vectorMaker) container(name string, manifest wire.Manifest, signer wire.Signer, records ...wire.Record) (digest string) {
	file, digest := packContainer(v.t, manifest, signer, records...)
	v.files[name] = file
	return digest
}

func packContainer(t *testing.T, manifest wire.Manifest, signer wire.Signer, records ...wire.Record) (file []byte, digest string) {
	t.Helper()
	writer := made(wire.NewRecordWriter(t.TempDir()))(t)
	defer writer.Close()
	for _, record := range records {
		if err := writer.Add(record); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	digest = made(writer.WriteTo(&out, manifest, signer))(t)
	return out.Bytes(), digest
}

func (v *vectorMaker) digests(records ...wire.Record) {
	examples := []digestExample{{Name: "no record", Records: []digestLine{}, Digest: wire.Digest{}.String()}}
	for _, length := range []int{1, 2, 3} {
		example, sum := digestExample{Name: []string{"one record", "two records", "three records"}[length-1]}, wire.Digest{}
		for _, record := range records[:length] {
			hash := made(record.Hash())(v.t)
			example.Records = append(example.Records, digestLine{Line: string(made(record.Bytes())(v.t)), SHA256: hash.String()})
			sum = sum.Add(hash)
		}
		example.Digest = sum.String()
		examples = append(examples, example)
	}
	v.files["digests.json"] = append(made(json.MarshalIndent(examples, "", "  "))(v.t), '\n')
}
