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
// response, in one transaction: after an error nothing has changed. The same
// request gets the same bytes again.
//
// It returns ErrRefused, certs.ErrChain where the signer is not trusted, and
// the errors of wire.OpenContainer and wire.Container.Records. A request that
// is genuine and cannot be used is no error: it is answered by the demand for a
// full one.
func (u *Upstream) Answer(ctx context.Context, request io.ReaderAt, size int64, options AnswerOptions) (Answer, error) {
	now := u.instant()
	container, err := wire.OpenContainer(request, size, u.trust(now))
	if err != nil {
		return Answer{}, err
	}
	if err := checkNames(container.Manifest); err != nil {
		return Answer{}, err
	}
	var answer Answer
	err = u.update(ctx, func(tx *gorm.DB) error {
		e := &exchange{Upstream: u, tx: tx, request: container, now: now, options: options}
		answer, err = e.answer()
		return err
	})
	if err != nil {
		return Answer{}, err
	}
	if request := container.Manifest.Request; request.Scope != wire.ScopeStandard && len(request.PrivacyOmits) > 0 {
		u.forgetLog(ctx)
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
	now     time.Time
	options AnswerOptions

	satellite satelliteRow
	account   accountRow
	virtual   virtualAccountRow
	result    Answer
}

func (e *exchange) answer() (Answer, error) {
	m := e.request.Manifest
	var known bool
	var err error
	if e.satellite, known, err = findSatellite(e.tx, m); err != nil {
		return Answer{}, err
	}
	e.result = Answer{SatelliteID: m.SatelliteID, LocalAccount: m.Account.Name, Sequence: m.Sequence}
	if known {
		if e.account, e.virtual, err = boundTo(e.tx, e.satellite); err != nil {
			return Answer{}, err
		}
		repeated, err := e.answered()
		if err != nil || repeated {
			return e.result, err
		}
	}
	if m.Request.Scope != wire.ScopeRegistration {
		if err := e.authenticate(known); err != nil {
			return Answer{}, err
		}
	}
	if known && m.Sequence <= e.satellite.LastSequence {
		return e.respondStale()
	}
	if m.Request.Scope == wire.ScopeRegistration {
		err = e.register(known)
	} else {
		err = e.renew()
	}
	if err != nil {
		return Answer{}, err
	}
	return e.respond()
}

// respondStale answers a request that is older than the last one, or another
// one of its number: something was restored or copied, and only a full request
// tells what holds. Nothing of it is kept.
func (e *exchange) respondStale() (Answer, error) {
	sequence := e.request.Manifest.Sequence
	reason := fmt.Sprintf("request %d is older than the last one that was answered here (%d)", sequence, e.satellite.LastSequence)
	if sequence == e.satellite.LastSequence {
		reason = fmt.Sprintf("another request with the number %d was answered here before: the satellite was restored from a backup, or there is a copy of it", sequence)
	}
	h, err := newHolding(e.tx, e.satellite.ID)
	if err != nil {
		return Answer{}, err
	}
	records, err := wire.NewRecordWriter(e.dir)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = records.Close() }()
	return e.write(records, h.digests(), reason)
}

// respond keeps what the request says and answers it. If the request does not
// lead where it says, nothing of it is kept, but its number is used up.
func (e *exchange) respond() (Answer, error) {
	var mismatch *mismatchError
	reason := ""
	records, digests, err := e.apply()
	if errors.As(err, &mismatch) {
		reason = mismatch.Error()
		digests = mismatch.held
		records, err = wire.NewRecordWriter(e.dir)
	}
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = records.Close() }()
	m := e.request.Manifest
	if reason == "" {
		if err := e.keepUpgrade(); err != nil {
			return Answer{}, err
		}
		// An acceptance was given, whatever a satellite remembers of it.
		e.satellite.AgreementAccepted = cmp.Or(m.Request.AgreementAccepted, e.satellite.AgreementAccepted)
	}
	e.satellite.LocalAccount = m.Account.Name
	e.satellite.LastSequence, e.satellite.LastSyncAt, e.satellite.Deadline = m.Sequence, e.now, e.now.Add(lapse)
	if err := e.tx.Model(&e.satellite).
		Select("local_account", "public_key", "sub_ca", "last_sequence", "last_sync_at", "deadline", "registered_at", "agreement_accepted").
		Updates(&e.satellite).Error; err != nil {
		return Answer{}, err
	}
	return e.write(records, digests, reason)
}

// mismatchError says that the records of a request do not lead to the state
// that it names.
type mismatchError struct {
	kind wire.RecordKind
	held map[wire.RecordKind]wire.Digest // what was held before, and is held still
}

func (e *mismatchError) Error() string {
	return fmt.Sprintf("after this request the %s records here are not those of the satellite: one of both was restored from a backup", e.kind)
}

// apply keeps the records of the request and returns the acknowledgements. It
// runs in a savepoint: after an error nothing of the request is kept.
func (e *exchange) apply() (acknowledgements *wire.RecordWriter, digests map[wire.RecordKind]wire.Digest, err error) {
	if acknowledgements, err = wire.NewRecordWriter(e.dir); err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			_ = acknowledgements.Close()
		}
	}()
	err = e.tx.Transaction(func(tx *gorm.DB) error {
		h, err := newHolding(tx, e.satellite.ID)
		if err != nil {
			return err
		}
		before := h.digests()
		if e.request.Manifest.Request.Scope != wire.ScopeStandard {
			if err := h.clear(); err != nil {
				return err
			}
			if err := eraseOmitted(tx, e.satellite.ID, e.request.Manifest.Request.PrivacyOmits); err != nil {
				return err
			}
		}
		if err := e.request.Records(func(record wire.Record) error { return e.take(tx, h, record, acknowledgements) }); err != nil {
			return err
		}
		if err := h.finish(); err != nil {
			return err
		}
		digests = h.digests()
		for _, kind := range wire.StateKinds {
			if digests[kind] != e.request.Manifest.StateDigest[kind] {
				return &mismatchError{kind: kind, held: before}
			}
		}
		return nil
	})
	return acknowledgements, digests, err
}

// take keeps one record of the request.
func (e *exchange) take(tx *gorm.DB, h *holding, record wire.Record, acknowledgements *wire.RecordWriter) error {
	switch {
	case isState(record.Kind):
		return h.put(record)
	case record.Kind == wire.RecordReport:
		acknowledgement, err := keepReport(tx, e.satellite.ID, record, e.now)
		if err != nil {
			return err
		}
		return acknowledgements.Add(acknowledgement)
	default:
		return refuse("the request holds records of the kind %.80q, which this program does not take; nothing was changed: update the program that is older", record.Kind)
	}
}
