package agent

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"ssm/certs"
)

// What a device is called whose operator names nothing.
const (
	defaultPID  = "SMARTAGENT"
	defaultTag  = "regid.2026-01.com.example.SMARTAGENT,1.0_7be4f2a6-52bd-4d2a-9f0c-3d1b6a0e5c11"
	fieldLimit  = 200 // bytes of each field of the identity
	tokenLimit  = 8 << 10
	wantedLimit = 1000 // tags; as many as fit into one message
)

// Options say where a device lives and whom it talks to. What is left empty
// stays as it stands in the folder from an earlier call.
type Options struct {
	Folder  string // state folder; made with mode 0700
	KeyFile string // encrypts the private keys; "" = in the folder
	Now     func() time.Time

	URL    string // device URL of the satellite, with or without path
	Bundle []byte // PEM: whom to trust for TLS, and the licensing root
	Root   []byte // PEM: the licensing root, where the bundle shall not decide

	// Identity, as far as it is known. An empty product id or serial number is
	// filled in when the folder is new, and stays the same ever after.
	Identity Identity

	// Pair makes the device a member of a pair that counts once. An
	// empty field stays as it is kept; the satellite is told with the next
	// registration or authorization.
	Pair Pair
}

// Agent is a device at work on its state folder. Its methods may be called
// from several goroutines; they run one after the other.
type Agent struct {
	folder  string
	now     func() time.Time // of this machine
	lock    *os.File
	seal    *certs.KeyFile
	drawn   bool         // whether the serial number was made up by Open
	offset  atomic.Int64 // of saved, for a dial that outlives its request
	mu      sync.Mutex
	saved   saved
	key     crypto.Signer // of the certificate; nil while unregistered
	pending crypto.Signer // waits for its certificate; nil mostly
	trust   trust
	client  *client // nil until the address and the bundle are known
}

// Open takes a state folder, makes it if it is missing, and keeps the options
// in it. It asks the satellite nothing.
//
// ErrLocked while another process works on it, ErrState where it is damaged or
// sealed under another key file, ErrUsage where an option cannot be meant; in
// all cases the folder's state is as before.
func Open(o Options) (*Agent, error) {
	if o.Folder == "" || o.Now == nil {
		return nil, fmt.Errorf("%w: a state folder and a clock are needed", ErrUsage)
	}
	held, err := lock(o.Folder)
	if err != nil {
		return nil, err
	}
	a := &Agent{folder: o.Folder, now: o.Now, lock: held}
	if err := a.open(o); err != nil {
		return nil, errors.Join(err, unlock(held))
	}
	return a, nil
}

func (a *Agent) open(o Options) error {
	kept, err := readState(o.Folder)
	fresh := missing(err)
	if err != nil && !fresh {
		return err
	}
	if a.seal, err = openKeyFile(o.Folder, o.KeyFile, kept.sealed()); err != nil {
		return err
	}
	if a.key, err = openKey(a.seal, kept.Key); err != nil {
		return err
	}
	if a.pending, err = openKey(a.seal, kept.PendingKey); err != nil {
		return err
	}
	a.drawn = fresh && o.Identity.UDISerialNumber == ""
	next := kept
	if fresh {
		next.Registration = Unregistered
	}
	if err := next.merge(o, fresh); err != nil {
		return err
	}
	if err := a.connect(next.State); err != nil {
		return err
	}
	a.keep(next)
	if reflect.DeepEqual(kept, next) {
		return nil
	}
	return a.save(next)
}

// merge puts the options over what was kept.
func (s *saved) merge(o Options, fresh bool) error {
	var err error
	if s.Identity, err = mergeIdentity(s.Identity, o.Identity, fresh); err != nil {
		return err
	}
	if err := s.mergePair(o.Pair); err != nil {
		return err
	}
	if o.URL != "" {
		address, err := transportURL(o.URL)
		if err != nil {
			return err
		}
		s.URL = address.String()
	}
	if len(o.Bundle) == 0 && len(o.Root) == 0 {
		return nil
	}
	if len(o.Bundle) > 0 {
		s.Bundle = string(o.Bundle)
	}
	given, err := readTrust(s.Bundle, string(o.Root))
	if err != nil {
		return err
	}
	// A bundle that holds no root says nothing about the one that is pinned.
	if len(given.roots) > 0 {
		s.Roots = string(certs.EncodePEM(given.roots...))
	}
	return nil
}

func mergeIdentity(kept, given Identity, fresh bool) (Identity, error) {
	fields := []struct {
		name        string
		kept, given *string
		mutable     bool
	}{
		{"product id", &kept.UDIPID, &given.UDIPID, false},
		{"serial number", &kept.UDISerialNumber, &given.UDISerialNumber, false},
		{"version id", &kept.UDIVID, &given.UDIVID, false},
		{"UUID", &kept.UUID, &given.UUID, false},
		{"MAC address", &kept.MACAddress, &given.MACAddress, false},
		{"software tag", &kept.SoftwareTag, &given.SoftwareTag, false},
		{"host name", &kept.Hostname, &given.Hostname, true},
	}
	before := kept
	for _, f := range fields {
		switch {
		case *f.given == "":
			continue
		case len(*f.given) > fieldLimit || printable(*f.given) != *f.given:
			return before, fmt.Errorf("%w: the %s has to be 1 to %d printable characters", ErrUsage, f.name, fieldLimit)
		case !fresh && !f.mutable && *f.kept != *f.given:
			return before, fmt.Errorf("%w: this state folder belongs to the device PID:%s,SN:%s, and the %s of a device never changes; take another folder for another device",
				ErrUsage, before.UDIPID, before.UDISerialNumber, f.name)
		}
		*f.kept = *f.given
	}
	if !fresh {
		return kept, nil
	}
	if kept.UDIPID == "" {
		kept.UDIPID = defaultPID
	}
	if kept.SoftwareTag == "" {
		kept.SoftwareTag = defaultTag
	}
	if kept.UDISerialNumber == "" {
		kept.UDISerialNumber = rand.Text()[:11] // 55 random bits
	}
	return kept, nil
}

// connect prepares whom to talk to and whom to believe.
func (a *Agent) connect(s State) error {
	var err error
	if a.trust, err = readTrust(s.Bundle, s.Roots); err != nil {
		return fmt.Errorf("%w: %w", ErrState, err)
	}
	if s.URL == "" || s.Bundle == "" {
		return nil
	}
	address, err := transportURL(s.URL)
	if err != nil {
		return err
	}
	a.client = newClient(address, a.trust.bundle, a.time)
	return nil
}

// Close gives the folder free.
func (a *Agent) Close() error {
	if a.client != nil {
		a.client.close()
	}
	return unlock(a.lock)
}

// State is what the device knows, as it is now.
func (a *Agent) State() State {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.saved.At(a.time())
}

// SerialDrawn tells whether Open made up the serial number, because the folder
// was new and none was given.
func (a *Agent) SerialDrawn() bool { return a.drawn }

// Certificate is the ID certificate, nil while there is none.
func (a *Agent) Certificate() *x509.Certificate {
	a.mu.Lock()
	defer a.mu.Unlock()
	certificate, err := x509.ParseCertificate(a.saved.Certificate)
	if err != nil {
		return nil
	}
	return certificate
}

// time is the satellite's time, as far as the device knows it.
func (a *Agent) time() time.Time { return State{ClockOffset: a.offset.Load()}.Now(a.now()) }

// update changes the state, in the folder first: what is not on disk is not so.
// The evaluation is counted up to the change by the clock before it, and runs on
// by the clock after it: a corrected clock is no time that has passed.
func (a *Agent) update(change func(*saved)) error {
	local := a.now()
	next := a.saved
	next.State = next.clone()
	next.Evaluation = next.Evaluation.At(next.Now(local))
	change(&next)
	next.Evaluation = next.Evaluation.set(next.Evaluating(), next.Now(local))
	return a.save(next)
}

func (a *Agent) save(next saved) error {
	if err := writeState(a.folder, next); err != nil {
		return fmt.Errorf("%w: %w", ErrState, err)
	}
	a.keep(next)
	return nil
}

func (a *Agent) keep(s saved) {
	a.saved = s
	a.offset.Store(s.ClockOffset)
}
