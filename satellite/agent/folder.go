package agent

import (
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"ssm/certs"
)

const (
	stateFile    = "state.json"
	lockFile     = "lock"
	keyFile      = "seal.key"
	stateVersion = 1
	stateLimit   = 8 << 20 // bytes
	sealPurpose  = "device key"
)

// saved is the content of the state file. Keys and certificate change together
// with the rest, so they stand in the same file: one write, all or nothing.
type saved struct {
	Version int `json:"version"`
	State
	Key        []byte `json:"sealed_key,omitempty"`         // of the certificate
	PendingKey []byte `json:"sealed_pending_key,omitempty"` // sent, not certified yet
	// ReservationKey is that of the reservation's request code.
	ReservationKey []byte `json:"sealed_reservation_key,omitempty"`
}

// Load reads the state of a folder without locking it, so that it can be shown
// while another process works on it. fs.ErrNotExist where there is none yet,
// ErrState where it is damaged.
func Load(folder string) (State, error) {
	s, err := readState(folder)
	return s.State, err
}

func readState(folder string) (saved, error) {
	path := filepath.Join(folder, stateFile)
	file, err := os.Open(path)
	if err != nil {
		return saved{}, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, stateLimit+1))
	if err != nil {
		return saved{}, fmt.Errorf("%w: %w", ErrState, err)
	}
	var s saved
	if len(text) > stateLimit {
		err = fmt.Errorf("it is longer than %d bytes", stateLimit)
	} else if err = json.Unmarshal(text, &s); err == nil {
		err = s.check()
	}
	if err != nil {
		return saved{}, fmt.Errorf("%w: %s is damaged (%v); nothing was changed: restore it from a copy, or move the folder away and register again with a token and force",
			ErrState, path, err)
	}
	return s, nil
}

// check finds a file that is JSON, but not a state.
func (s saved) check() error {
	switch {
	case s.Version > stateVersion:
		return fmt.Errorf("it has version %d, this program reads %d: update the program", s.Version, stateVersion)
	case s.Version < 1 || s.Identity.UDIPID == "" || s.Identity.UDISerialNumber == "":
		return errors.New("it names no device")
	case s.Registration == Registered && (s.PIID == "" || len(s.Key) == 0 || len(s.Certificate) == 0):
		return errors.New("it says registered, but lacks PIID, key or certificate")
	case s.Evaluation.Used < 0:
		return errors.New("its evaluation period is more than whole")
	case s.Reservation.RequestCode != "" && len(s.ReservationKey) == 0:
		return errors.New("it has a reservation, but lacks its key")
	}
	return nil
}

func writeState(folder string, s saved) error {
	s.Version = stateVersion
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return certs.WriteFile(filepath.Join(folder, stateFile), append(text, '\n'), 0o600)
}

// lock makes the folder (mode 0700) and takes it for this process, until the
// file is closed. ErrLocked where another one has it.
func lock(folder string) (*os.File, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	file, err := os.OpenFile(filepath.Join(folder, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return file, nil
	}
	_ = file.Close() // nothing was written to it
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fmt.Errorf("%w: another process works on %s; nothing was changed: wait until it has ended, and repeat", ErrLocked, folder)
	}
	return nil, fmt.Errorf("%w: lock %s: %w", ErrState, folder, err)
}

// unlock gives the folder free. It does not leave that to the end of the file:
// a child process that is just being started holds the file for a moment, too.
func unlock(file *os.File) error {
	return errors.Join(syscall.Flock(int(file.Fd()), syscall.LOCK_UN), file.Close())
}

// sealed tells whether there is something that only its key file opens.
func (s saved) sealed() bool { return len(s.Key)+len(s.PendingKey)+len(s.ReservationKey) > 0 }

// openKeyFile loads the key file; path "" is the one in the folder. It makes a
// missing one only if nothing waits to be opened: a new one would not help.
func openKeyFile(folder, path string, needed bool) (*certs.KeyFile, error) {
	if path == "" {
		path = filepath.Join(folder, keyFile)
	}
	if _, err := os.Stat(path); needed && err != nil {
		return nil, fmt.Errorf("%w: its private keys are sealed under a key file, but: %w; nothing was changed: name the key file that they were made with", ErrState, err)
	}
	key, err := certs.LoadKeyFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	return key, nil
}

func sealKey(seal *certs.KeyFile, key crypto.Signer) ([]byte, error) {
	der, err := certs.MarshalKey(key)
	if err != nil {
		return nil, err
	}
	return seal.Seal(sealPurpose, der)
}

// openKey is the reverse of sealKey; nothing sealed is no key.
func openKey(seal *certs.KeyFile, sealed []byte) (crypto.Signer, error) {
	if len(sealed) == 0 {
		return nil, nil
	}
	der, err := seal.Open(sealPurpose, sealed)
	if err != nil {
		return nil, fmt.Errorf("%w: its private key %w; nothing was changed: name the key file that it was made with", ErrState, err)
	}
	key, err := certs.ParseKey(der)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	return key, nil
}

func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
