package auth

import (
	"fmt"
	"sync/atomic"

	"github.com/alexedwards/argon2id"

	"ssm/satellite"
)

// passwordParams is the second recommendation of RFC 9106, section 4: 64 MiB,
// three passes, four lanes.
var passwordParams = &argon2id.Params{Memory: 64 << 10, Iterations: 3, Parallelism: 4, SaltLength: 16, KeyLength: 32}

// Bounds of what a stored hash may ask for, so that a damaged one is an error
// and not a panic or a machine without memory.
const (
	maxHashMemory     = 1 << 20 // KiB
	maxHashIterations = 64
	maxHashText       = 1024
)

// waitersPerHash is how many sign-ins may wait for each that is being hashed:
// at a fraction of a second each, nobody waits longer than some seconds.
const waitersPerHash = 16

// Passwords hashes with Argon2id. Each hash takes 64 MiB, so only a few run at a
// time and a bounded number waits; over that, it answers KindUnavailable.
type Passwords struct {
	slots   chan struct{}
	waiting atomic.Int64
}

// NewPasswords runs at most parallel hashes at a time, at least one.
func NewPasswords(parallel int) *Passwords {
	return &Passwords{slots: make(chan struct{}, max(parallel, 1))}
}

// Hash returns the hash in the PHC string format, with its parameters and a fresh salt.
func (p *Passwords) Hash(password string) (hash string, err error) {
	err = p.run(func() error {
		hash, err = argon2id.CreateHash(password, passwordParams)
		return err
	})
	return hash, err
}

// Matches compares in constant time. An error where hash is no hash of ours.
func (p *Passwords) Matches(password, hash string) (matches bool, err error) {
	if err := checkHash(hash); err != nil {
		return false, err
	}
	err = p.run(func() error {
		matches, err = argon2id.ComparePasswordAndHash(password, hash)
		return err
	})
	return matches, err
}

func checkHash(hash string) error {
	if len(hash) > maxHashText {
		return fmt.Errorf("a password hash of %d bytes", len(hash))
	}
	params, _, key, err := argon2id.DecodeHash(hash)
	if err != nil {
		return fmt.Errorf("read a password hash: %w", err)
	}
	if params.Memory > maxHashMemory || params.Iterations < 1 || params.Iterations > maxHashIterations || params.Parallelism < 1 || len(key) < 16 {
		return fmt.Errorf("a password hash with m=%d, t=%d, p=%d and a key of %d bytes", params.Memory, params.Iterations, params.Parallelism, len(key))
	}
	return nil
}

func (p *Passwords) run(f func() error) error {
	if p.waiting.Add(1) > int64((waitersPerHash+1)*cap(p.slots)) {
		p.waiting.Add(-1)
		return &satellite.Error{
			Kind: satellite.KindUnavailable, Code: "sign-in-busy",
			Message: "Too many passwords are being checked just now. Nothing was changed.", Hint: "Try again in a few seconds.",
		}
	}
	defer p.waiting.Add(-1)
	p.slots <- struct{}{}
	defer func() { <-p.slots }()
	return f()
}
