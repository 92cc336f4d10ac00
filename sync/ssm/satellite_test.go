package ssm

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"ssm/certs"
	"ssm/satellite/wire"
)

// clock is a clock that only the test moves.
type clock struct{ at time.Time }

func (c *clock) now() time.Time          { return c.at }
func (c *clock) advance(d time.Duration) { c.at = c.at.Add(d) }

const day = 24 * time.Hour

func newClock() *clock { return &clock{time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func openUpstream(t *testing.T, c *clock) *Upstream {
	t.Helper()
	u, err := Open(t.Context(), t.TempDir(), "", c.now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := u.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := u.CreateAccount(t.Context(), "Example GmbH", "anna@example.com", Standard); err != nil {
		t.Fatal(err)
	}
	return u
}

// peer is a satellite with one account, written from the protocol alone.
type peer struct {
	t         *testing.T
	clock     *clock
	id        string
	accountID string
	virtual   string
	key       crypto.Signer // of the sub CA
	signerKey crypto.Signer
	chain     []*x509.Certificate // sub CA and its issuers, from the last response
	root      *x509.Certificate   // told by hand
	sequence  int64
	base      int64
	baseOf    string // digest of the request whose response was applied last
	held      map[wire.RecordKind]map[string]wire.Record
	omits     []string
	upgrade   *wire.UpgradeRequest
	accepted  string // version of the agreement
}

func newPeer(t *testing.T, c *clock, root *x509.Certificate, id, virtual string) *peer {
	p := &peer{t: t, clock: c, id: id, accountID: "account-of-" + id, virtual: virtual, root: root,
		held: map[wire.RecordKind]map[string]wire.Record{}, key: newKey(t), signerKey: newKey(t)}
	for _, kind := range wire.StateKinds {
		p.held[kind] = map[string]wire.Record{}
	}
	return p
}

func newKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := certs.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (p *peer) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// set changes the peer's state and returns the record that says so.
func (p *peer) set(kind wire.RecordKind, key string, value any) wire.Record {
	record, err := wire.NewRecord(kind, key, value)
	p.must(err)
	p.held[kind][key] = record
	return record
}

func (p *peer) device(number int) wire.Record {
	piid := fmt.Sprintf("piid-%d", number)
	return p.set(wire.RecordDevice, piid, wire.DeviceRecord{PIID: piid, UDIPID: "R1", UDISerialNumber: fmt.Sprint(number), VirtualAccount: "Default", RegistrationState: "registered",
		Hostname: "host", RegisteredAt: &p.clock.at, CertificateSerial: fmt.Sprintf("%x", number), CertificateExpires: new(p.clock.at.Add(365 * day)),
		CertificateSHA256: fmt.Sprintf("%064x", p.clock.at.Unix()), PublicKeySHA256: fmt.Sprintf("%064x", number)})
}

func (p *peer) usage(virtual, tag string, inUse int64) wire.Record {
	return p.set(wire.RecordUsage, virtual+"\t"+tag, wire.UsageRecord{VirtualAccount: virtual, Tag: tag, InUse: inUse})
}

func (p *peer) remove(kind wire.RecordKind, key string) wire.Record {
	delete(p.held[kind], key)
	return wire.Record{Kind: kind, Key: key, Removed: true}
}

// everything is what a full request carries.
func (p *peer) everything() []wire.Record {
	var all []wire.Record
	for _, kind := range wire.StateKinds {
		for _, record := range p.held[kind] {
			all = append(all, record)
		}
	}
	return all
}

func (p *peer) digests() map[wire.RecordKind]wire.Digest {
	digests := map[wire.RecordKind]wire.Digest{}
	for _, kind := range wire.StateKinds {
		var digest wire.Digest
		for _, record := range p.held[kind] {
			hash, err := record.Hash()
			p.must(err)
			digest = digest.Add(hash)
		}
		digests[kind] = digest
	}
	return digests
}

// manifest is the next request's.
func (p *peer) manifest(scope wire.Scope) wire.Manifest {
	p.sequence++
	m := wire.Manifest{Kind: wire.SyncRequest, CreatedAt: p.clock.now(), SatelliteID: p.id, Sequence: p.sequence,
		Account:     wire.SyncAccount{ID: p.accountID, Name: "Plant", SmartAccount: "Example GmbH", VirtualAccount: p.virtual},
		StateDigest: p.digests(), Request: &wire.RequestPart{Scope: scope, BaseSequence: p.base, BaseDigest: p.baseOf, PrivacyOmits: p.omits,
			Upgrade: p.upgrade, AgreementAccepted: p.accepted}}
	if scope == wire.ScopeRegistration {
		m.Request.CertificateRequest = p.csr()
	}
	return m
}

func (p *peer) csr() []byte {
	csr, err := certs.NewSubCARequest(p.key, p.accountID, "Plant")
	p.must(err)
	return csr
}

func (p *peer) signer() wire.Signer {
	ca := &certs.Authority{Certificate: p.chain[0], Key: p.key, Issuers: p.chain[1:]}
	certificate, err := ca.IssueSatelliteSigner(p.id, p.signerKey.Public(), p.clock.now())
	p.must(err)
	return wire.Signer{Key: p.signerKey, Chain: [][]byte{certificate.Raw, p.chain[0].Raw, p.chain[1].Raw}}
}

// pack signs and writes a request.
func (p *peer) pack(m wire.Manifest, records ...wire.Record) []byte {
	p.t.Helper()
	signer := wire.Signer{Key: p.key}
	if m.Request.Scope != wire.ScopeRegistration {
		signer = p.signer()
	}
	return packAs(p.t, signer, m, records...)
}

func packAs(t *testing.T, signer wire.Signer, m wire.Manifest, records ...wire.Record) []byte {
	t.Helper()
	w, err := wire.NewRecordWriter(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, record := range records {
		if err := w.Add(record); err != nil {
			t.Fatal(err)
		}
	}
	var file bytes.Buffer
	if _, err := w.WriteTo(&file, m, signer); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// request is the next request as a file.
func (p *peer) request(scope wire.Scope, records ...wire.Record) []byte {
	p.t.Helper()
	return p.pack(p.manifest(scope), records...)
}

// response reads what the upstream answered, under the root alone.
type response struct {
	wire.Manifest
	meanings     map[string]wire.EntitlementRecord
	tags         []string // of the meanings, in their order
	lots         []wire.LotRecord
	acknowledged []string
	recoveries   map[string]wire.RecoveryRecord
	revocations  []string
}

func (p *peer) read(body []byte) response {
	p.t.Helper()
	container, err := wire.OpenContainer(bytes.NewReader(body), int64(len(body)), func(_ wire.Manifest, chain [][]byte) error {
		parsed, err := parseChain(chain)
		p.must(err)
		return certs.VerifyUsage(parsed[0], parsed[1:], []*x509.Certificate{p.root}, certs.UpstreamUsage, p.clock.now())
	})
	p.must(err)
	r := response{Manifest: container.Manifest, meanings: map[string]wire.EntitlementRecord{}, recoveries: map[string]wire.RecoveryRecord{}}
	p.must(container.Records(func(record wire.Record) error {
		switch record.Kind {
		case wire.RecordEntitlement:
			var meaning wire.EntitlementRecord
			p.must(record.Decode(&meaning))
			if _, told := r.meanings[meaning.HigherTier]; meaning.HigherTier != "" && !told || len(r.lots) > 0 {
				p.t.Errorf("what %s means comes before %q, or after %d lots", record.Key, meaning.HigherTier, len(r.lots))
			}
			r.meanings[record.Key], r.tags = meaning, append(r.tags, record.Key)
		case wire.RecordLot:
			var lot wire.LotRecord
			p.must(record.Decode(&lot))
			if _, told := r.meanings[lot.Tag]; !told {
				p.t.Errorf("a lot of %s comes, and nothing said before what that is", lot.Tag)
			}
			r.lots = append(r.lots, lot)
		case wire.RecordAcknowledgement:
			r.acknowledged = append(r.acknowledged, record.Key)
		case wire.RecordRecovery:
			var recovery wire.RecoveryRecord
			p.must(record.Decode(&recovery))
			r.recoveries[record.Key] = recovery
		case wire.RecordRevocation:
			r.revocations = append(r.revocations, record.Key)
		default:
			p.t.Fatalf("a response holds a record of the kind %s", record.Kind)
		}
		return nil
	}))
	return r
}

// apply takes a response over.
func (p *peer) apply(body []byte) response {
	p.t.Helper()
	r := p.read(body)
	chain, err := parseChain(r.Response.Certificates)
	p.must(err)
	p.must(certs.VerifyChain(chain[0], chain[1:], []*x509.Certificate{p.root}, p.clock.now()))
	p.chain, p.base, p.baseOf, p.sequence = chain, r.Sequence, r.Response.RequestDigest, max(p.sequence, r.Response.NextSequence-1)
	return r
}

func (u *Upstream) answerBytes(ctx context.Context, request []byte, options AnswerOptions) (Answer, error) {
	return u.Answer(ctx, bytes.NewReader(request), int64(len(request)), options)
}

func answer(t *testing.T, u *Upstream, request []byte) Answer {
	t.Helper()
	a, err := u.answerBytes(t.Context(), request, AnswerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// register brings a new peer to its first applied response.
func register(t *testing.T, u *Upstream, c *clock, id, virtual string) *peer {
	t.Helper()
	p := newPeer(t, c, u.keys.root, id, virtual)
	p.apply(answer(t, u, p.request(wire.ScopeRegistration)).Body)
	return p
}

func reportRecord(t *testing.T, text string) wire.Record {
	t.Helper()
	sum := sha256.Sum256([]byte(text))
	record, err := wire.NewRecord(wire.RecordReport, hex.EncodeToString(sum[:]), wire.ReportRecord{Report: []byte(text)})
	if err != nil {
		t.Fatal(err)
	}
	return record
}

// state is everything that an exchange may change, to compare before and after.
func state(t *testing.T, u *Upstream) string {
	t.Helper()
	satellites, err := u.Satellites(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range satellites { // signs, not state; and pointers
		satellites[i].RestoredAt, satellites[i].DuplicatedAt = nil, nil
	}
	accounts, err := u.Accounts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var licenses []License
	for _, account := range accounts {
		own, err := u.Licenses(t.Context(), account.Name)
		if err != nil {
			t.Fatal(err)
		}
		licenses = append(licenses, own...)
	}
	approvals, err := u.Approvals(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	agreement, err := u.Agreement(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var records []recordRow
	var definitions []entitlementRow
	var answers []int64
	db := u.store.reader
	if err := db.Order("holding, kind, key").Find(&records).Error; err != nil {
		t.Fatal(err)
	}
	if err := db.Order("id").Find(&definitions).Error; err != nil {
		t.Fatal(err)
	}
	if err := db.Model(&answerRow{}).Order("id").Pluck("id", &answers).Error; err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%+v\n%+v\n%+v\n%+v\n%+v\n%+v\n%+v\n%v", accounts, satellites, licenses, definitions, approvals, agreement.Version, records, answers)
}
