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
	"io"
	"math/big"
	"testing"
	"time"

	"ssm/satellite/wire"
)

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
	v.reservations()
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
	writer := wire.NewReplyWriter(wire.Signer{Key: v.keys["satellite signer"], Chain: v.chain("satellite signer", "account sub CA", "issuing CA")})
	answer := wire.ReplyHeader{Timestamp: wire.Milliseconds(vectorTime), Nonce: registrationNonce, RequestType: wire.Registration, SUDI: vectorSUDI}
	v.files["unsigned-refusal.json"] = made(wire.WriteUnsignedReply(answer, wire.ReplyData{
		Status: wire.StatusFailed, Code: "account-not-registered", Message: `Account "Example" is not registered at the upstream yet. Nothing was changed.`,
	}))(v.t)
	answer.ProductInstanceIdentifier = vectorPIID
	registered := wire.ReplyData{
		Status: wire.StatusOK, Message: "The device is registered.", ProductInstanceIdentifier: vectorPIID, SmartAccount: "Example", VirtualAccount: "Default",
		Certificate: base64.StdEncoding.EncodeToString(device.Raw), CertificateExpiresAt: wire.Milliseconds(device.NotAfter),
		CertificateRenewAt: wire.Milliseconds(device.NotBefore.Add(device.NotAfter.Sub(device.NotBefore) / 2)),
	}
	v.files["registration-reply.json"] = made(writer.Write(answer, registered))(v.t)
	header.RequestType, header.Nonce = wire.Authorization, authorizationNonce
	header.ProductInstanceIdentifier, header.IDCertSerialNumber = vectorPIID, device.SerialNumber.Text(16)
	header.LastReply = made(wire.ReplyDigest(registrationNonce, registered))(v.t)
	v.files["authorization-request.json"] = made(wire.WriteRequest(v.keys["device"], device.Raw, header, wire.RequestData{
		Hostname: "edge-1", Entitlements: []wire.Entitlement{{Tag: vectorTag, Count: 3}, {Tag: vectorReleasedTag, Count: 0}},
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
	reservation := v.record(wire.RecordReservation, "1", wire.ReservationRecord{
		ID: "1", VirtualAccount: "R&D <lab>", PIID: "9c2e4a10-51d7-4f6b-8a3c-0e1f2d3c4b5a", UDIPID: "RT-9000", UDISerialNumber: "TEST0000002", Type: "specific", State: "reserved",
		Items: []wire.ReservedItem{{Tag: vectorReleasedTag, Count: 2, End: &end}}, CreatedAt: vectorTime,
	})
	transfer := v.record(wire.RecordTransfer, "lot-2\t1\t2", wire.TransferRecord{Lot: "lot-2", Tag: vectorReleasedTag, From: "Default", To: "R&D <lab>", Quantity: 5, MovedAt: vectorTime})
	v.digests(usage, device, token)

	state := map[wire.RecordKind]wire.Digest{}
	for _, record := range []wire.Record{usage, device, token, reservation, transfer} {
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
		usage, device, token, reservation, transfer, v.record(wire.RecordReport, digest, wire.ReportRecord{Report: report}))
	response := request
	response.Kind, response.CreatedAt, response.Request = wire.SyncResponse, vectorTime.Add(time.Hour), nil
	response.Response = &wire.ResponsePart{
		RequestDigest: asked, NextSequence: 2, Deadline: vectorTime.AddDate(0, 0, 90), AccountType: "standard", DomainIdentifier: "example.com",
		AgreementVersion: "1", AgreementText: "An agreement stands here.\n", Certificates: v.chain("account sub CA", "issuing CA", "licensing root"),
	}
	v.container("registration.ssmres", response, wire.Signer{Key: v.keys["upstream signer"], Chain: v.chain("upstream signer", "issuing CA", "licensing root")},
		v.record(wire.RecordEntitlement, vectorTag, wire.EntitlementRecord{Name: "Advantage", Type: "perpetual", Enforcement: "unenforced", Billing: "prepaid"}),
		v.record(wire.RecordEntitlement, vectorReleasedTag, wire.EntitlementRecord{Name: "Essentials", Description: "What every device needs.",
			Type: "subscription", Enforcement: "unenforced", Billing: "prepaid", Overage: true, HigherTier: vectorTag}),
		v.record(wire.RecordLot, "lot-1", wire.LotRecord{Tag: vectorTag, Type: "perpetual", Quantity: 2, Start: vectorTime, Order: "PO-1001"}),
		v.record(wire.RecordLot, "lot-2", wire.LotRecord{Tag: vectorReleasedTag, Type: "subscription", Quantity: 100, Start: vectorTime, End: &end,
			SubscriptionID: "SUB-2001"}),
		v.record(wire.RecordAcknowledgement, digest, wire.AcknowledgementRecord{ReceivedAt: vectorTime.Add(time.Hour)}))
	v.recovery(request)
}

// recovery is the answer to a full request of a satellite that was restored from
// an older copy: one device comes back, and one that was removed stays removed.
func (v *vectorMaker) recovery(request wire.Manifest) {
	hash := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return hex.EncodeToString(sum[:])
	}
	const removed = "8b1f6a52-7c3d-4e9f-a0b1-c2d3e4f5a6b7"
	response := request
	response.Kind, response.CreatedAt, response.Sequence, response.Request = wire.SyncResponse, vectorTime.Add(48*time.Hour), 9, nil
	response.Response = &wire.ResponsePart{
		RequestDigest: hash("a full request"), NextSequence: 10, Deadline: vectorTime.AddDate(0, 0, 92), AccountType: "standard", DomainIdentifier: "example.com",
		AgreementVersion: "1", AgreementText: "An agreement stands here.\n", Certificates: v.chain("account sub CA", "issuing CA", "licensing root"),
	}
	v.container("recovery.ssmres", response, wire.Signer{Key: v.keys["upstream signer"], Chain: v.chain("upstream signer", "issuing CA", "licensing root")},
		v.record(wire.RecordRecovery, vectorPIID, wire.RecoveryRecord{
			PIID: vectorPIID, UDIPID: vectorSUDI.UDIPID, UDISerialNumber: vectorSUDI.UDISerialNumber, SoftwareTag: vectorSoftwareTag, VirtualAccount: "R&D <lab>",
			RegisteredAt: vectorTime.Add(24 * time.Hour), CertificateSerial: "6", CertificateExpires: vectorTime.AddDate(1, 0, 0),
			CertificateSHA256: hash("an ID certificate"), PublicKeySHA256: hash("its public key"), ExportControlled: true,
		}),
		v.record(wire.RecordRevocation, removed, wire.RevocationRecord{RevokedAt: vectorTime.Add(30 * time.Hour)}))
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
