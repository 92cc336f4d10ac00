package ssm

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"net/mail"
	"time"

	"github.com/alexedwards/argon2id"
	"gorm.io/gorm"
)

// Bounds of a password, in characters. Argon2 takes any length, but its time
// should not be a stranger's to choose.
const (
	minPassword = 12
	maxPassword = 256
)

// parallelHashes bounds the memory: each hash takes 64 MiB.
const parallelHashes = 2

type administratorRow struct {
	Email        string `gorm:"primaryKey"`
	PasswordHash string
	CreatedAt    time.Time
}

func (administratorRow) TableName() string { return "administrators" }

// gate lets people into the portal: by the set-up link while there is no
// administrator, then by e-mail and password.
type gate struct {
	u       *Upstream
	code    string // of the set-up link; "" when there was an administrator at the start
	nobody  string // a hash that no password has: an unknown address takes as long as a known one
	hashing chan struct{}
}

func newGate(ctx context.Context, u *Upstream) (*gate, error) {
	g := &gate{u: u, hashing: make(chan struct{}, parallelHashes)}
	var err error
	if g.nobody, err = argon2id.CreateHash(rand.Text(), argon2id.DefaultParams); err != nil {
		return nil, err
	}
	return g, u.view(ctx, func(tx *gorm.DB) error {
		administrators, err := countAdministrators(tx)
		if err == nil && administrators == 0 {
			g.code = rand.Text()
		}
		return err
	})
}

func countAdministrators(tx *gorm.DB) (number int64, err error) {
	err = tx.Model(&administratorRow{}).Count(&number).Error
	return number, err
}

// mayHash waits for its turn, or until the caller has gone.
func (g *gate) mayHash(ctx context.Context) (release func(), err error) {
	select {
	case g.hashing <- struct{}{}:
		return func() { <-g.hashing }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (g *gate) rightCode(code string) bool {
	return g.code != "" && subtle.ConstantTimeCompare([]byte(code), []byte(g.code)) == 1
}

// setUp makes the first administrator. ErrRefused where there is one already,
// and for a wrong code, address or password.
func (g *gate) setUp(ctx context.Context, code, email, password string) error {
	address, err := mail.ParseAddress(email)
	switch length := len([]rune(password)); {
	case !g.rightCode(code):
		return refuse("this set-up link is not valid any more; nothing was changed: take the newest one, which `ssm serve` prints when it starts")
	case err != nil || address.Address != email || len(email) > maxName:
		return refuse("this is no e-mail address such as anna@example.com; nothing was changed")
	case length < minPassword || length > maxPassword:
		return refuse("a password has %d to %d characters; nothing was changed", minPassword, maxPassword)
	}
	release, err := g.mayHash(ctx)
	if err != nil {
		return err
	}
	hash, err := argon2id.CreateHash(password, argon2id.DefaultParams)
	release()
	if err != nil {
		return err
	}
	return g.u.update(ctx, func(tx *gorm.DB) error {
		administrators, err := countAdministrators(tx)
		if err != nil {
			return err
		}
		if administrators > 0 {
			return refuse("there is an administrator already; nothing was changed: sign in")
		}
		return tx.Create(&administratorRow{Email: email, PasswordHash: hash, CreatedAt: g.u.instant()}).Error
	})
}

// signIn says whether the password is the administrator's.
func (g *gate) signIn(ctx context.Context, email, password string) (bool, error) {
	row := administratorRow{PasswordHash: g.nobody}
	err := g.u.view(ctx, func(tx *gorm.DB) error { return tx.Where("email = ?", email).Take(&row).Error })
	known := err == nil
	if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		return false, err
	}
	if len([]rune(password)) > maxPassword {
		return false, nil
	}
	release, err := g.mayHash(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	if !known {
		row.PasswordHash = g.nobody
	}
	same, err := argon2id.ComparePasswordAndHash(password, row.PasswordHash)
	return same && known, err
}
