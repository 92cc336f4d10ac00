package compatible_test

import (
	"bytes"
	"crypto/x509"
	"testing"
	"time"

	"ssm/certs"
	"ssm/satellite/wire"
)

// The licenses that the upstream sells, by tag.
const (
	networkAdvantage = "regid.2026-01.com.example.NETWORK_ADVANTAGE,1.0_6f3a1d0e-9b1c-4c57-8a37-2b5d0c9e4a11"
	campusTerm       = "regid.2026-01.com.example.CAMPUS_TERM,1.0_0c9f2b7a-52a1-4d0e-9a54-1f1a7b0d6c22"
	cloudUsage       = "regid.2026-01.com.example.CLOUD_USAGE,1.0_b7d4c1e0-3c2f-4a8b-8d11-90f6c3ab1e33"
)

// upstream answers sync requests, without rules of its own.
type upstream struct {
	t       *testing.T
	root    *certs.Authority
	issuing *certs.Authority
	signer  wire.Signer
	// certificates of each account, once it is registered.
	certificates map[string][][]byte
}

func newUpstream(t *testing.T) *upstream {
	t.Helper()
	rootKey, issuingKey, signerKey := must(certs.NewKey())(t), must(certs.NewKey())(t), must(certs.NewKey())(t)
	root := must(certs.NewRoot("Test root", rootKey, now))(t)
	issuing := must(root.IssueIssuingCA("Test issuing CA", issuingKey.Public(), now))(t)
	u := &upstream{t: t, root: root, issuing: &certs.Authority{Certificate: issuing, Key: issuingKey, Issuers: []*x509.Certificate{root.Certificate}}, certificates: map[string][][]byte{}}
	signer := must(u.issuing.IssueUpstreamSigner("Test signer", signerKey.Public(), now))(t)
	u.signer = wire.Signer{Key: signerKey, Chain: [][]byte{signer.Raw, issuing.Raw}}
	return u
}

// answer vouches for the account, and sells it some of each license.
func (u *upstream) answer(request []byte) []byte {
	u.t.Helper()
	asked, err := wire.OpenContainer(bytes.NewReader(request), int64(len(request)), func(wire.Manifest, [][]byte) error { return nil })
	if err != nil {
		u.t.Fatal(err)
	}
	m := asked.Manifest
	if csr := m.Request.CertificateRequest; len(csr) > 0 {
		subCA := must(u.issuing.IssueSubCA(csr, m.Account.ID, m.Account.Name, now))(u.t)
		u.certificates[m.Account.ID] = [][]byte{subCA.Raw, u.issuing.Certificate.Raw, u.root.Certificate.Raw}
	}
	records := must(wire.NewRecordWriter(u.t.TempDir()))(u.t)
	defer func() { _ = records.Close() }()
	end := now.AddDate(1, 0, 0)
	for _, l := range []struct {
		tag         string
		entitlement wire.EntitlementRecord
		lot         wire.LotRecord
	}{
		{networkAdvantage, wire.EntitlementRecord{Name: "Network Advantage", Type: "perpetual", Billing: "prepaid"}, wire.LotRecord{Type: "perpetual", Quantity: 10}},
		{campusTerm, wire.EntitlementRecord{Name: "Campus Term", Type: "subscription", Billing: "prepaid"}, wire.LotRecord{Type: "subscription", Quantity: 20, End: &end, SubscriptionID: "Sub100"}},
		{cloudUsage, wire.EntitlementRecord{Name: "Cloud Usage", Type: "subscription", Billing: "usage"}, wire.LotRecord{Type: "subscription", Quantity: 30, End: &end}},
	} {
		l.entitlement.Enforcement, l.lot.Tag, l.lot.Start = "unenforced", l.tag, now
		u.add(records, wire.RecordEntitlement, l.tag, l.entitlement)
		u.add(records, wire.RecordLot, "lot-"+l.entitlement.Name, l.lot)
	}
	var document bytes.Buffer
	must(records.WriteTo(&document, wire.Manifest{
		Kind: wire.SyncResponse, CreatedAt: now, SatelliteID: m.SatelliteID, Account: m.Account, Sequence: m.Sequence, StateDigest: m.StateDigest,
		Response: &wire.ResponsePart{
			RequestDigest: asked.Digest, NextSequence: m.Sequence + 1, Deadline: now.Add(90 * 24 * time.Hour),
			AccountType: "standard", DomainIdentifier: "example.com", AgreementVersion: "1", AgreementText: "Be good.", Certificates: u.certificates[m.Account.ID],
		},
	}, u.signer))(u.t)
	return document.Bytes()
}

func (u *upstream) add(records *wire.RecordWriter, kind wire.RecordKind, key string, content any) {
	u.t.Helper()
	if err := records.Add(must(wire.NewRecord(kind, key, content))(u.t)); err != nil {
		u.t.Fatal(err)
	}
}

// must is the value of a call that must not fail.
func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}
