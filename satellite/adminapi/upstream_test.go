package adminapi_test

import (
	"bytes"
	"crypto/x509"
	"testing"
	"time"

	"ssm/certs"
	"ssm/satellite/wire"
)

// upstream answers sync requests, without rules of its own.
type upstream struct {
	t       *testing.T
	root    *certs.Authority
	issuing *certs.Authority
	signer  wire.Signer
	// certificates of the account, once it is registered.
	certificates [][]byte
}

func newUpstream(t *testing.T, now time.Time) *upstream {
	t.Helper()
	rootKey, issuingKey, signerKey := must(certs.NewKey())(t), must(certs.NewKey())(t), must(certs.NewKey())(t)
	root := must(certs.NewRoot("Test root", rootKey, now))(t)
	issuing := must(root.IssueIssuingCA("Test issuing CA", issuingKey.Public(), now))(t)
	u := &upstream{t: t, root: root, issuing: &certs.Authority{Certificate: issuing, Key: issuingKey, Issuers: []*x509.Certificate{root.Certificate}}}
	signer := must(u.issuing.IssueUpstreamSigner("Test signer", signerKey.Public(), now))(t)
	u.signer = wire.Signer{Key: signerKey, Chain: [][]byte{signer.Raw, issuing.Raw}}
	return u
}

func (u *upstream) rootPEM() []byte { return certs.EncodePEM(u.root.Certificate) }

// answer vouches for the account, and sells it ten of a license.
func (u *upstream) answer(request []byte, tag string, now time.Time) []byte {
	u.t.Helper()
	asked, err := wire.OpenContainer(bytes.NewReader(request), int64(len(request)), func(wire.Manifest, [][]byte) error { return nil })
	if err != nil {
		u.t.Fatal(err)
	}
	m := asked.Manifest
	if csr := m.Request.CertificateRequest; len(csr) > 0 {
		subCA := must(u.issuing.IssueSubCA(csr, m.Account.ID, m.Account.Name, now))(u.t)
		u.certificates = [][]byte{subCA.Raw, u.issuing.Certificate.Raw, u.root.Certificate.Raw}
	}
	records := must(wire.NewRecordWriter(u.t.TempDir()))(u.t)
	defer func() { _ = records.Close() }()
	entitlement := wire.EntitlementRecord{Name: "Network Advantage", Type: "perpetual", Enforcement: "unenforced", Billing: "prepaid"}
	if err := records.Add(must(wire.NewRecord(wire.RecordEntitlement, tag, entitlement))(u.t)); err != nil {
		u.t.Fatal(err)
	}
	lot := wire.LotRecord{Tag: tag, Type: "perpetual", Quantity: 10, Start: now}
	if err := records.Add(must(wire.NewRecord(wire.RecordLot, "lot-1", lot))(u.t)); err != nil {
		u.t.Fatal(err)
	}
	var document bytes.Buffer
	must(records.WriteTo(&document, wire.Manifest{
		Kind: wire.SyncResponse, CreatedAt: now, SatelliteID: m.SatelliteID, Account: m.Account, Sequence: m.Sequence, StateDigest: m.StateDigest,
		Response: &wire.ResponsePart{
			RequestDigest: asked.Digest, NextSequence: m.Sequence + 1, Deadline: now.AddDate(0, 0, 90),
			AccountType: "standard", DomainIdentifier: "example.com", AgreementVersion: "1", AgreementText: "Be good.", Certificates: u.certificates,
		},
	}, u.signer))(u.t)
	return document.Bytes()
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
