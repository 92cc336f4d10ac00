// Package ssm is the reference upstream: smart accounts, their licenses, and
// the satellites that settle with them by signed requests and responses.
//
// It shares the wire with the satellite and none of its rules, so that the two
// check each other. It keeps everything in one data folder: a SQLite database
// and the sealed keys of the licensing root, the issuing CA and the signer.
// Several processes may have the folder open at once.
package ssm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// ErrRefused is a demand that is understood and not done; nothing was changed,
// and the message says what to do instead.
var ErrRefused = errors.New("refused")

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrRefused, fmt.Sprintf(format, args...))
}

// Upstream is an open data folder. It is safe for concurrent use.
type Upstream struct {
	dir   string
	store *store
	keys  *keys
	now   func() time.Time
}

// Open opens the data folder dir, and makes it with its keys and its database
// when it is new. keyFile is the file that the private keys are sealed under;
// "" is the file "key" in the folder. A folder of which a part is missing is
// an error, never a reason to make a new root.
func Open(ctx context.Context, dir, keyFile string, now func() time.Time) (*Upstream, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if keyFile == "" {
		keyFile = filepath.Join(dir, "key")
	}
	unlock, err := lock(filepath.Join(dir, "setup.lock"))
	if err != nil {
		return nil, err
	}
	defer unlock()
	u := &Upstream{dir: dir, now: now}
	// The database is made last: where it is, the keys have been made.
	database := filepath.Join(dir, "ssm.db")
	_, err = os.Stat(database)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if u.keys, err = loadKeys(dir, keyFile, err != nil, u.instant()); err != nil {
		return nil, err
	}
	if u.store, err = openStore(ctx, database); err != nil {
		return nil, err
	}
	if err := u.ensureAgreement(ctx); err != nil {
		return nil, errors.Join(err, u.Close())
	}
	return u, nil
}

// Close closes the database.
func (u *Upstream) Close() error { return u.store.close() }

// instant is the one time of a use case, in the precision of certificates.
func (u *Upstream) instant() time.Time { return u.now().UTC().Truncate(time.Second) }

// lock waits until no other process sets up the folder: two that start at once
// would otherwise make two roots.
func lock(path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { _ = file.Close() }, nil // closing unlocks
}
