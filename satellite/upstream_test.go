package satellite_test

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/x509"
	"fmt"
	"slices"
	"testing"
	"time"

	"ssm/certs"
	"ssm/satellite/wire"
)

// upstream answers sync requests under a root of its own. It has none of the
// satellite's rules: it keeps the records as they come.
type upstream struct {
	clock   *clock
	root    *certs.Authority
	issuing *certs.Authority
	signer  wire.Signer
	subCA   map[string]*x509.Certificate
	lots    map[string][]lot
	// entitlements say what tags mean, where that is not the usual.
	entitlements map[string]wire.EntitlementRecord
	// state is what each account's records say, by kind and key.
	state map[string]map[wire.RecordKind]map[string]wire.Record
	// reports are the raw usage reports that arrived, by digest.
	reports map[string][]byte
	// manifest is that of the last request.
	manifest wire.Manifest
}

type lot struct {
	id, tag  string
	quantity int64
	start    time.Time // zero: long ago
	end      time.Time // zero: never
}

func newKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := certs.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newUpstream(t testing.TB, name string, clock *clock) *upstream {
	t.Helper()
	u := &upstream{
		clock: clock, subCA: map[string]*x509.Certificate{}, lots: map[string][]lot{},
		state: map[string]map[wire.RecordKind]map[string]wire.Record{}, reports: map[string][]byte{},
	}
	var err error
	if u.root, err = certs.NewRoot(name, newKey(t), clock.Now()); err != nil {
		t.Fatal(err)
	}
	key := newKey(t)
	issuing, err := u.root.IssueIssuingCA(name+" Issuing CA", key.Public(), clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	u.issuing = &certs.Authority{Certificate: issuing, Key: key, Issuers: []*x509.Certificate{u.root.Certificate}}
	u.renewSigner(t)
	return u
}

func (u *upstream) renewSigner(t testing.TB) {
	t.Helper()
	key := newKey(t)
	certificate, err := u.issuing.IssueUpstreamSigner("Test Upstream", key.Public(), u.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	u.signer = wire.Signer{Key: key, Chain: [][]byte{certificate.Raw, u.issuing.Certificate.Raw, u.root.Certificate.Raw}}
}

// take reads a request and keeps its records; it checks that they lead to the
// digest that the request states.
func (u *upstream) take(t testing.TB, request []byte) *wire.Container {
	t.Helper()
	c, err := wire.OpenContainer(bytes.NewReader(request), int64(len(request)), func(m wire.Manifest, chain [][]byte) error {
		if m.Request.Scope == wire.ScopeRegistration {
			return nil
		}
		certificates, err := x509.ParseCertificates(bytes.Join(chain, nil))
		if err != nil {
			return err
		}
		return certs.VerifyUsage(certificates[0], certificates[1:], []*x509.Certificate{u.root.Certificate}, certs.SatelliteUsage, u.clock.Now())
	})
	if err != nil {
		t.Fatal(err)
	}
	u.manifest = c.Manifest
	account := c.Manifest.Account.ID
	if csr := c.Manifest.Request.CertificateRequest; csr != nil {
		if u.subCA[account], err = u.issuing.IssueSubCA(csr, account, c.Manifest.Account.Name, u.clock.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if u.state[account] == nil || c.Manifest.Request.Scope != wire.ScopeStandard {
		u.state[account] = map[wire.RecordKind]map[string]wire.Record{}
	}
	err = c.Records(func(r wire.Record) error {
		if r.Kind == wire.RecordReport {
			var report wire.ReportRecord
			if err := r.Decode(&report); err != nil {
				return err
			}
			u.reports[r.Key] = report.Report
			return nil
		}
		kind := u.state[account][r.Kind]
		if kind == nil {
			kind = map[string]wire.Record{}
			u.state[account][r.Kind] = kind
		}
		if r.Removed {
			delete(kind, r.Key)
		} else {
			kind[r.Key] = r
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for kind, digest := range u.digests(t, account) {
		if digest != c.Manifest.StateDigest[kind] {
			t.Errorf("request %d (%s): the records of kind %s have the digest %s, the request states %s", c.Manifest.Sequence, c.Manifest.Request.Scope, kind, digest, c.Manifest.StateDigest[kind])
		}
	}
	return c
}

func (u *upstream) digests(t testing.TB, account string) map[wire.RecordKind]wire.Digest {
	t.Helper()
	digests := map[wire.RecordKind]wire.Digest{}
	for _, kind := range wire.StateKinds {
		var sum wire.Digest
		for _, r := range u.state[account][kind] {
			hash, err := r.Hash()
			if err != nil {
				t.Fatal(err)
			}
			sum = sum.Add(hash)
		}
		digests[kind] = sum
	}
	return digests
}

// respond makes the manifest of an answer.
func (u *upstream) respond(t testing.TB, c *wire.Container) wire.Manifest {
	t.Helper()
	m := c.Manifest
	var certificates [][]byte
	if subCA := u.subCA[m.Account.ID]; subCA != nil {
		certificates = [][]byte{subCA.Raw, u.issuing.Certificate.Raw, u.root.Certificate.Raw}
	}
	return wire.Manifest{
		Kind: wire.SyncResponse, CreatedAt: u.clock.Now(), SatelliteID: m.SatelliteID, Account: m.Account, Sequence: m.Sequence,
		StateDigest: u.digests(t, m.Account.ID),
		Response: &wire.ResponsePart{
			RequestDigest: c.Digest, NextSequence: m.Sequence + 1, Deadline: u.clock.Now().Add(90 * day), AccountType: "standard",
			DomainIdentifier: "plant.example", AgreementVersion: "1", Certificates: certificates,
		},
	}
}

// answer takes a request and makes the response, with all lots and an
// acknowledgement of every report. change may alter it before it is signed.
func (u *upstream) answer(t testing.TB, request []byte, change func(*wire.Manifest)) []byte {
	t.Helper()
	manifest := u.respond(t, u.take(t, request))
	if change != nil {
		change(&manifest)
	}
	return u.write(t, manifest, u.records(t, manifest.Account.ID), u.signer)
}

func (u *upstream) records(t testing.TB, account string) (records []wire.Record) {
	t.Helper()
	add := func(kind wire.RecordKind, key string, value any) {
		record, err := wire.NewRecord(kind, key, value)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, record)
	}
	for i, l := range u.lots[account] {
		if !slices.ContainsFunc(records, func(r wire.Record) bool { return r.Kind == wire.RecordEntitlement && r.Key == l.tag }) {
			entitlement := u.entitlements[l.tag]
			entitlement.Name = cmp.Or(entitlement.Name, "License "+l.tag)
			entitlement.Type, entitlement.Billing = cmp.Or(entitlement.Type, "perpetual"), cmp.Or(entitlement.Billing, "prepaid")
			entitlement.Enforcement = cmp.Or(entitlement.Enforcement, "unenforced")
			add(wire.RecordEntitlement, l.tag, entitlement)
		}
		value := wire.LotRecord{Tag: l.tag, Type: "perpetual", Quantity: l.quantity, Start: l.start}
		if !l.end.IsZero() {
			value.Type, value.End = "subscription", &l.end
		}
		if l.id == "" {
			l.id = fmt.Sprint("lot-", i)
		}
		add(wire.RecordLot, l.id, value)
	}
	for digest := range u.reports {
		add(wire.RecordAcknowledgement, digest, wire.AcknowledgementRecord{ReceivedAt: u.clock.Now()})
	}
	return records
}

func (u *upstream) write(t testing.TB, manifest wire.Manifest, records []wire.Record, signer wire.Signer) []byte {
	t.Helper()
	writer, err := wire.NewRecordWriter(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = writer.Close() }()
	for _, r := range records {
		if err := writer.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	var file bytes.Buffer
	if _, err := writer.WriteTo(&file, manifest, signer); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}
