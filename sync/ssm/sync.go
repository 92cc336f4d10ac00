package ssm

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"time"

	"gorm.io/gorm"

	"ssm/certs"
	"ssm/satellite/wire"
)

// Answer judges a request of size bytes, keeps what it says, and makes the
// response. Its records are verified and staged first, in short transactions;
// then one transaction switches over to them and keeps the response: after an
// error, or a crash, everything is as it was. The same request gets the same
// bytes again.
//
// It returns ErrRefused, certs.ErrChain where the signer is not trusted, and
// the errors of wire.OpenContainer and wire.Container.Records. A request that
// is genuine and cannot be used is no error: it is answered by the demand for a
// full one.
func (u *Upstream) Answer(ctx context.Context, request io.ReaderAt, size int64, options AnswerOptions) (answer Answer, err error) {
	now := u.instant()
	container, err := wire.OpenContainer(request, size, u.trust(now))
	if err != nil {
		return Answer{}, err
	}
	if o := options.Online; o != nil && o.Digest != container.Digest {
		return Answer{}, fmt.Errorf("%w: the request is %s, and was called %s; nothing was changed", wire.ErrAltered, container.Digest, o.Digest)
	}
	if err := checkNames(container.Manifest); err != nil {
		return Answer{}, err
	}
	defer func() {
		if r := container.Manifest.Request; err == nil && r.Scope != wire.ScopeStandard && len(r.PrivacyOmits) > 0 {
			u.forgetLog(ctx) // after what was staged is dropped
		}
	}()
	var wanted bool
	err = u.view(ctx, func(tx *gorm.DB) error {
		e := &exchange{Upstream: u, tx: tx, request: container, now: now, options: options}
		wanted, err = e.wanted()
		return err
	})
	if err != nil {
		return Answer{}, err
	}
	var records *staging
	if wanted {
		if records, err = u.stage(ctx, container, now); records != nil {
			defer func() { err = errors.Join(err, records.drop(context.WithoutCancel(ctx))) }()
		}
		if err != nil {
			return Answer{}, err
		}
	}
	err = u.update(ctx, func(tx *gorm.DB) error {
		e := &exchange{Upstream: u, tx: tx, request: container, now: now, options: options}
		if records != nil {
			e.staged = records.holding
		}
		answer, err = e.answer()
		return err
	})
	if err != nil {
		return Answer{}, err
	}
	return answer, nil
}

// trust accepts requests whose chain leads to our root. That the signer may
// speak for this very account is asked in the transaction.
func (u *Upstream) trust(now time.Time) wire.Trust {
	return func(m wire.Manifest, chain [][]byte) error {
		if m.Kind != wire.SyncRequest {
			return refuse("this is a sync response, and only requests are answered; nothing was changed: carry it to the satellite")
		}
		switch m.Request.Scope {
		case wire.ScopeRegistration:
			return nil
		case wire.ScopeStandard, wire.ScopeFull:
		default:
			return refuse("a request of scope %.40q is not known here; nothing was changed: update this program", m.Request.Scope)
		}
		parsed, err := parseChain(chain)
		if err != nil {
			return err
		}
		if err := certs.VerifyUsage(parsed[0], parsed[1:], []*x509.Certificate{u.keys.root}, certs.SatelliteUsage, now); err != nil {
			return fmt.Errorf("%w; nothing was changed: if the satellite's certificate has expired, let it write a registration file", err)
		}
		return nil
	}
}

func parseChain(chain [][]byte) ([]*x509.Certificate, error) {
	parsed := make([]*x509.Certificate, len(chain))
	for i, der := range chain {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("%w: certificate %d of the signature: %v", wire.ErrMalformed, i+1, err)
		}
		parsed[i] = certificate
	}
	return parsed, nil
}

// exchange is one request on its way to its response.
type exchange struct {
	*Upstream
	tx      *gorm.DB
	request *wire.Container
	staged  int64 // holding of its records; 0: none, because they are not kept
	now     time.Time
	options AnswerOptions

	satellite satelliteRow
	account   accountRow
	virtual   virtualAccountRow
	code      *registrationCodeRow // that admits a registration over the network; nil: none does
	verdict   verdict
	notices   []wire.Notice
	result    Answer
}

// look finds who sends the request, and asks whether he may. repeated tells that
// the same request was answered before: then the result is that answer.
func (e *exchange) look() (known, repeated bool, err error) {
	m := e.request.Manifest
	if e.satellite, known, err = findSatellite(e.tx, m); err != nil {
		return false, false, err
	}
	e.result = Answer{SatelliteID: m.SatelliteID, LocalAccount: m.Account.Name, Sequence: m.Sequence}
	if known {
		if e.account, e.virtual, err = boundTo(e.tx, e.satellite); err != nil {
			return known, false, err
		}
		if repeated, err = e.answered(); err != nil || repeated {
			return known, repeated, err
		}
	}
	switch {
	case m.Request.Scope != wire.ScopeRegistration:
		err = e.authenticate(known)
	case e.options.Online != nil:
		err = e.redeem(known)
	}
	if err != nil {
		return known, false, err
	}
	if known {
		e.verdict, err = e.place()
	}
	return known, false, err
}

// wanted tells whether the records of the request are needed: those of a
// stranger, and of a request that cannot be kept, are not even staged.
func (e *exchange) wanted() (bool, error) {
	_, repeated, err := e.look()
	return !repeated && !e.verdict.refused, err
}

func (e *exchange) answer() (Answer, error) {
	known, repeated, err := e.look()
	if err != nil || repeated {
		return e.result, err
	}
	if e.verdict.refused {
		if e.request.Manifest.Request.Scope == wire.ScopeRegistration {
			if err := e.renewOld(); err != nil {
				return Answer{}, err
			}
		}
		return e.respondRefused()
	}
	if e.staged == 0 {
		return Answer{}, refuse("the satellite's state changed while its request was read; nothing was changed: answer it again")
	}
	if e.request.Manifest.Request.Scope == wire.ScopeRegistration {
		err = e.register(known)
	} else {
		err = e.renew()
	}
	if err != nil {
		return Answer{}, err
	}
	return e.respond()
}

// respondRefused asks for a full request: nothing of this one is kept. It was
// received all the same: the satellite is there.
func (e *exchange) respondRefused() (Answer, error) {
	held, err := heldSums(e.tx, e.satellite.ID)
	if err != nil {
		return Answer{}, err
	}
	records, err := wire.NewRecordWriter(e.dir)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = records.Close() }()
	if err := e.receive(false); err != nil {
		return Answer{}, err
	}
	return e.write(records, held.digests())
}

// respond switches over to what the request says and answers it. If it does not
// lead where it says, nothing of it is kept, but its number is used up.
func (e *exchange) respond() (Answer, error) {
	after, kind, err := e.leadsTo()
	if err != nil {
		return Answer{}, err
	}
	if kind != "" {
		e.satellite.LastSequence = max(e.satellite.LastSequence, e.request.Manifest.Sequence)
		e.verdict = verdict{refused: true, lineage: wire.LineageRestored,
			reason: fmt.Sprintf("after this request the %s records here are not those of the satellite: one of both was restored or copied from an older state", kind)}
		return e.respondRefused()
	}
	if request := e.request.Manifest.Request; request.Scope != wire.ScopeStandard {
		if err := eraseOmitted(e.tx, e.satellite.ID, request.PrivacyOmits); err != nil {
			return Answer{}, err
		}
	}
	if err := e.switchOver(after); err != nil {
		return Answer{}, err
	}
	if err := e.keepUpgrade(); err != nil {
		return Answer{}, err
	}
	m := e.request.Manifest
	// An acceptance was given, whatever a satellite remembers of it.
	e.satellite.AgreementAccepted = cmp.Or(m.Request.AgreementAccepted, e.satellite.AgreementAccepted)
	e.satellite.LocalAccount = m.Account.Name
	e.satellite.LastSequence = max(e.satellite.LastSequence, m.Sequence)
	if err := e.receive(true); err != nil {
		return Answer{}, err
	}
	records, err := wire.NewRecordWriter(e.dir)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = records.Close() }()
	if err := e.addAcknowledgements(records); err != nil {
		return Answer{}, err
	}
	if err := e.addRecoveries(records); err != nil {
		return Answer{}, err
	}
	return e.write(records, after.digests())
}

// receive notes that the satellite was heard of, and what is wrong with it.
func (e *exchange) receive(kept bool) error {
	if err := e.comeBack(); err != nil {
		return err
	}
	e.satellite.LastSyncAt, e.satellite.Deadline = e.now, e.now.Add(lapseAfter)
	switch e.verdict.lineage {
	case wire.LineageDuplicated:
		e.satellite.DuplicatedAt = &e.now
	case wire.LineageRestored:
		e.satellite.RestoredAt = &e.now
	}
	if err := e.descend(kept, e.verdict.lineage); err != nil {
		return err
	}
	if e.verdict.lineage != "" {
		if err := record(e.tx, e.satellite.ID, e.now, EventType("satellite."+string(e.verdict.lineage)), e.verdict.reason); err != nil {
			return err
		}
	}
	return e.tx.Model(&e.satellite).
		Select("local_account", "public_key", "sub_ca", "last_sequence", "last_sync_at", "deadline", "registered_at", "agreement_accepted",
			"holding", "head_digest", "head_base", "restored_at", "duplicated_at", "lapsed_at").
		Updates(&e.satellite).Error
}

// leadsTo are the sums that the staged records lead to, and the first kind of
// which they are not those that the request states, "" where all are.
func (e *exchange) leadsTo() (sums, wire.RecordKind, error) {
	var base int64
	if e.request.Manifest.Request.Scope == wire.ScopeStandard {
		base = e.satellite.ID
	}
	after, err := heldSums(e.tx, base)
	if err != nil {
		return nil, "", err
	}
	if base != 0 {
		if err := after.fold(e.tx, -1, `SELECT o.kind, o.hash FROM records n JOIN records o ON o.holding = ? AND o.kind = n.kind AND o.key = n.key WHERE n.holding = ?`,
			e.satellite.Holding, e.staged); err != nil {
			return nil, "", err
		}
	}
	if err := after.fold(e.tx, 1, "SELECT kind, hash FROM records WHERE holding = ? AND NOT removed", e.staged); err != nil {
		return nil, "", err
	}
	for _, kind := range wire.StateKinds {
		if after[kind].digest != e.request.Manifest.StateDigest[kind] {
			return after, kind, nil
		}
	}
	return after, "", nil
}

// switchOver makes the staged records what is held: those of a standard request
// are merged into it, those of any other take its place.
func (e *exchange) switchOver(after sums) error {
	full := e.request.Manifest.Request.Scope != wire.ScopeStandard
	if full && e.satellite.Holding != 0 {
		if err := e.setAside(e.staged); err != nil {
			return err
		}
	}
	if err := e.settleRecoveries(e.staged); err != nil {
		return err
	}
	if err := e.tx.Exec(`INSERT INTO reports (satellite, digest, report, received_at) SELECT ?, digest, report, ? FROM staged_reports WHERE holding = ?
		ON CONFLICT (satellite, digest) DO NOTHING`, e.satellite.ID, e.now, e.staged).Error; err != nil {
		return err
	}
	var err error
	if full {
		err = e.replace()
	} else {
		err = e.merge()
	}
	if err != nil {
		return err
	}
	return after.save(e.tx, e.satellite.ID)
}

func (e *exchange) replace() error {
	if err := e.tx.Exec("DELETE FROM records WHERE holding = ? AND removed", e.staged).Error; err != nil {
		return err
	}
	if err := e.tx.Exec("UPDATE holdings SET state = iif(id = ?, 'held', 'dropped') WHERE id IN (?, ?)", e.staged, e.staged, e.satellite.Holding).Error; err != nil {
		return err
	}
	e.satellite.Holding = e.staged
	return nil
}

func (e *exchange) merge() error {
	if err := e.tx.Exec(`DELETE FROM records WHERE holding = ? AND (kind, key) IN (SELECT kind, key FROM records WHERE holding = ? AND removed)`,
		e.satellite.Holding, e.staged).Error; err != nil {
		return err
	}
	return e.tx.Exec(`INSERT INTO records (holding, kind, key, hash, value, removed)
		SELECT ?, kind, key, hash, value, FALSE FROM records WHERE holding = ? AND NOT removed
		ON CONFLICT (holding, kind, key) DO UPDATE SET hash = excluded.hash, value = excluded.value`, e.satellite.Holding, e.staged).Error
}

// addAcknowledgements tells of every report of the request when it came first.
func (e *exchange) addAcknowledgements(records *wire.RecordWriter) error {
	var row struct {
		Digest     string
		ReceivedAt time.Time
	}
	return each(e.tx, &row, func() error {
		record, err := wire.NewRecord(wire.RecordAcknowledgement, row.Digest, wire.AcknowledgementRecord{ReceivedAt: row.ReceivedAt})
		if err != nil {
			return err
		}
		return records.Add(record)
	}, `SELECT r.digest, r.received_at FROM staged_reports s JOIN reports r ON r.satellite = ? AND r.digest = s.digest
		WHERE s.holding = ? ORDER BY r.digest`, e.satellite.ID, e.staged)
}
