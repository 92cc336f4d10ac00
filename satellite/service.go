package satellite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"ssm/satellite/wire"
)

// Options are the numbers of the domain. Zero fields take the defaults.
type Options struct {
	TokenLife            time.Duration // default life of a token: 365 days
	CertificateLife      time.Duration // of a device ID certificate: 365 days
	AuthorizationRenewal time.Duration // how often a device asks again: 30 days
	AuthorizationLife    time.Duration // how long an authorization holds: 90 days
	DeviceClockSkew      time.Duration // allowed between device and satellite; negative: not checked
	EventRetention       time.Duration // how long events are kept; 0: for ever
	Node                 string        // name of this node's chain of events
	TemporaryFolder      string        // where sync documents are packed; "" is the system's
}

const day = 24 * time.Hour

// Defaults returns the options with every zero field filled.
func (o Options) Defaults() Options {
	defaults := []struct {
		field *time.Duration
		value time.Duration
	}{
		{&o.TokenLife, 365 * day}, {&o.CertificateLife, 365 * day}, {&o.AuthorizationRenewal, 30 * day},
		{&o.AuthorizationLife, 90 * day}, {&o.DeviceClockSkew, time.Hour},
	}
	for _, d := range defaults {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if o.Node == "" {
		o.Node = "1"
	}
	return o
}

// Ports are what the service needs from outside.
type Ports struct {
	Store     Store
	Issuer    Issuer
	Tokens    TokenSigner
	Passwords Passwords
	Secrets   Secrets
	Observer  Observer
	Upstream  Upstream         // nil where the program never goes online
	Timetable Timetable        // nil where it knows no schedules
	Now       func() time.Time // the system's clock
	// Monotonic is the time since the start of the process, which no change of
	// the clock moves; nil takes the progress of Now.
	Monotonic func() time.Duration
	Random    io.Reader // crypto/rand.Reader; fixed in tests
}

// Service holds the use cases. It is safe for concurrent use.
type Service struct {
	store     Store
	issuer    Issuer
	tokens    TokenSigner
	passwords Passwords
	secrets   Secrets
	observer  Observer
	upstream  Upstream
	timetable Timetable
	guard     *guard
	random    io.Reader
	options   Options

	id string // of the satellite, eight characters

	randomMutex sync.Mutex
	writers     sync.Map // AccountID -> *accountWriter
	syncs       sync.Map // AccountID -> *sync.Mutex: one document at a time
	online      sync.Map // AccountID -> true: an exchange with the upstream goes on
	keys        sync.Map // who and Idempotency-Key -> struct{}: the request is under way
	setup       setupCode
	clockLock   sync.Mutex // one change of the clock's row at a time
}

// accountWriter signs replies of one account. It is read anew after a minute,
// so that a renewed signer comes into use without a restart.
type accountWriter struct {
	*wire.ReplyWriter
	until time.Time
}

// New prepares the service: it gives a new satellite its identity and token key,
// rotates the token key where it is over a year old, and ends a synchronization
// that was cut short.
func New(ctx context.Context, ports Ports, options Options) (*Service, error) {
	s := &Service{
		store: ports.Store, issuer: ports.Issuer, tokens: ports.Tokens, passwords: ports.Passwords,
		secrets: ports.Secrets, observer: ports.Observer, upstream: ports.Upstream, timetable: ports.Timetable, guard: newGuard(ports.Now, ports.Monotonic), random: ports.Random, options: options.Defaults(),
	}
	if s.timetable == nil {
		s.timetable = s.timetable.none
	}
	if err := s.loadClock(ctx); err != nil {
		return nil, fmt.Errorf("read the clock of the last run: %w", err)
	}
	if err := s.ensureIdentity(ctx); err != nil {
		return nil, fmt.Errorf("prepare the satellite's identity: %w", err)
	}
	if err := s.RotateTokenKey(ctx, s.Now()); err != nil {
		return nil, fmt.Errorf("prepare the token key: %w", err)
	}
	if err := s.finishSyncs(ctx); err != nil {
		return nil, fmt.Errorf("finish the last synchronization: %w", err)
	}
	return s, nil
}

// NewReader is a service that only reads: for checks of a data folder beside, or
// without, the satellite that runs on it. It needs a store and a clock.
func NewReader(ports Ports) *Service {
	return &Service{store: ports.Store, guard: newGuard(ports.Now, ports.Monotonic), random: ports.Random}
}

// ID is the satellite's eight-character id, as it stands in its tokens.
func (s *Service) ID() string { return s.id }

// Options returns the numbers in force.
func (s *Service) Options() Options { return s.options }

// Satellite is what the store keeps about this installation.
type Satellite struct {
	ID        string
	CreatedAt time.Time
	CRLNumber int64 // of the last revocation list
}

const satelliteIDLength = 8

func (s *Service) ensureIdentity(ctx context.Context) error {
	now := s.Now()
	fresh := s.randomText(satelliteIDLength)
	err := s.update(ctx, itself, now, func(tx Tx, record recorder) error {
		existing, err := tx.Satellite()
		if err == nil {
			s.id = existing.ID
			return errUnchanged
		}
		if !isNotFound(err) {
			return err
		}
		s.id = fresh
		if err := tx.SaveSatellite(Satellite{ID: fresh, CreatedAt: now}); err != nil {
			return err
		}
		return record(Event{Type: EventSatelliteCreated, Message: fmt.Sprintf("Satellite %s was created.", fresh)})
	})
	return err
}

// recorder records the event of a use case in its transaction.
type recorder func(Event) error

// update is Store.Update with the recorder of one actor at one instant.
// errUnchanged rolls back and is no error. The first change of a request with an
// Idempotency-Key carries its claim.
func (s *Service) update(ctx context.Context, actor Actor, now time.Time, f func(Tx, recorder) error) error {
	claim := claimOf(ctx, actor)
	err := s.store.Update(ctx, func(tx Tx) error {
		err := f(tx, func(e Event) error {
			e.At, e.Actor, e.Source = now, actor.Name, actor.Source
			return tx.Record(e)
		})
		if err != nil {
			return err
		}
		return claim.take(tx, now)
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	if err == nil && claim != nil {
		claim.taken.Store(true)
	}
	return err
}

// alphabet has 32 characters that are hard to mistake for one another.
const alphabet = "abcdefghijkmnpqrstuvwxyz23456789"

func (s *Service) randomBytes(n int) []byte {
	s.randomMutex.Lock()
	defer s.randomMutex.Unlock()
	b := make([]byte, n)
	if _, err := io.ReadFull(s.random, b); err != nil {
		panic("the system gives no randomness: " + err.Error())
	}
	return b
}

// randomText is n characters of alphabet, 5 bits each.
func (s *Service) randomText(n int) string {
	b := s.randomBytes(n)
	for i := range b {
		b[i] = alphabet[b[i]%32]
	}
	return string(b)
}

// randomUUID is a version 4 UUID.
func (s *Service) randomUUID() string {
	b := s.randomBytes(16)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
