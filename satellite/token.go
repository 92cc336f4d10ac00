package satellite

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// TokenID identifies a registration token.
type TokenID int64

// TokenStatus is where a token is in its life.
type TokenStatus string

// The states of a token.
const (
	TokenActive    TokenStatus = "active"
	TokenExpired   TokenStatus = "expired"
	TokenExhausted TokenStatus = "exhausted"
	TokenRevoked   TokenStatus = "revoked"
)

// Token lets devices register into a virtual account. Days or uses, whichever
// comes first, end it.
type Token struct {
	ID               TokenID
	AccountID        AccountID
	VirtualAccountID VirtualAccountID
	Description      string
	Text             []byte // sealed
	Hash             [sha256.Size]byte
	ExpiresAt        time.Time
	MaxUses          int64 // 0: unlimited
	Uses             int64
	ExportControlled bool // devices that register with it may hold export-controlled licenses
	AllowForce       bool // it may register a device again that is registered already
	CreatedAt        time.Time
	CreatedBy        string
	RevokedAt        time.Time
	ChangeNumber     int64
}

// StatusAt is the token's state at an instant.
func (t Token) StatusAt(now time.Time) TokenStatus {
	switch {
	case !t.RevokedAt.IsZero():
		return TokenRevoked
	case !now.Before(t.ExpiresAt):
		return TokenExpired
	case t.MaxUses > 0 && t.Uses >= t.MaxUses:
		return TokenExhausted
	}
	return TokenActive
}

// usable returns KindConflict with the reason where the token is not active.
func (t Token) usable(now time.Time) error {
	const next = "Ask the administrator of the satellite for another token."
	switch t.StatusAt(now) {
	case TokenRevoked:
		return fail(KindConflict, "token-revoked", "The token was revoked on %s. The device was not registered.", stamp(t.RevokedAt)).hint(next)
	case TokenExpired:
		return fail(KindConflict, "token-expired", "The token expired on %s. The device was not registered.", stamp(t.ExpiresAt)).hint(next)
	case TokenExhausted:
		return fail(KindConflict, "token-exhausted", "The token has been used %d times, which is all it allows. The device was not registered.", t.Uses).hint(next)
	}
	return nil
}

// stamp is a time as it stands in messages.
func stamp(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04 UTC") }

// TokenClaims is what the text of a token says.
type TokenClaims struct {
	ID        string // 128 random bits
	Issuer    string // id of the satellite
	ExpiresAt time.Time
}

// TokenKey is a key that signs tokens. Key is sealed in the store and plain
// towards the TokenSigner.
type TokenKey struct {
	ID        string
	Key       []byte
	CreatedAt time.Time
}

// Errors of a TokenSigner.
var (
	ErrTokenForeign = errors.New("token of another satellite")
	ErrTokenInvalid = errors.New("no token of this satellite")
)

const (
	tokenKeyLife    = 365 * day
	tokenTextLimit  = 255 // device command lines stop there
	maxTokenDays    = 365
	maxTokenUses    = 1_000_000_000
	purposeToken    = "token"
	purposeTokenKey = "token-key"
)

// RotateTokenKey makes a new signing key where the newest is over a year old,
// and hands all that can still verify a live token to the TokenSigner.
func (s *Service) RotateTokenKey(ctx context.Context, now time.Time) error {
	plain, err := s.tokens.NewKey()
	if err != nil {
		return err
	}
	sealed, err := s.secrets.Seal(purposeTokenKey, plain)
	if err != nil {
		return err
	}
	fresh := TokenKey{ID: s.randomText(4), Key: sealed, CreatedAt: now}
	var keys []TokenKey
	err = s.update(ctx, itself, now, func(tx Tx, record recorder) error {
		var err error
		if keys, err = tx.TokenKeys(); err != nil {
			return err
		}
		if len(keys) > 0 && now.Sub(keys[0].CreatedAt) < tokenKeyLife {
			return errUnchanged
		}
		keys = append([]TokenKey{fresh}, keys...)
		if err := tx.AddTokenKey(fresh); err != nil {
			return err
		}
		return record(Event{Type: EventTokenKeyRotated, Message: fmt.Sprintf("Token signing key %s was made.", fresh.ID)})
	})
	if err != nil {
		return err
	}
	opened := make([]TokenKey, 0, len(keys))
	for _, key := range keys {
		if key.Key, err = s.secrets.Open(purposeTokenKey, key.Key); err != nil {
			return fmt.Errorf("open token key %s: %w", key.ID, err)
		}
		opened = append(opened, key)
	}
	return s.tokens.Use(s.id, opened)
}

// NewToken is what CreateToken needs.
type NewToken struct {
	AccountID        AccountID
	VirtualAccount   string // "" is the default one
	Description      string
	Days             int   // 1..365; 0 is the default life
	MaxUses          int64 // 0: unlimited
	ExportControlled bool
	ForbidForce      bool
	// AcceptAgreement is the version of the agreement that the actor has just
	// been shown: making the token accepts it.
	AcceptAgreement string
}

// CreateToken makes a registration token and returns it with its text.
//
// KindInvalid for days or uses out of range; KindNotFound for the virtual account;
// KindConflict in an account that is not active, and while nobody has accepted
// the agreement in force.
func (s *Service) CreateToken(ctx context.Context, actor Actor, n NewToken) (Token, string, error) {
	if err := actor.maySomewhere(ActionManageTokens, n.AccountID); err != nil {
		return Token{}, "", err
	}
	life := s.options.TokenLife
	if n.Days != 0 {
		life = time.Duration(n.Days) * day
	}
	if n.Days < 0 || n.Days > maxTokenDays {
		return Token{}, "", fail(KindInvalid, "token-days-invalid", "A token lives 1 to %d days, not %d. Nothing was created.", maxTokenDays, n.Days)
	}
	if n.MaxUses < 0 || n.MaxUses > maxTokenUses {
		return Token{}, "", fail(KindInvalid, "token-uses-invalid", "A token allows 1 to %d uses, or 0 for unlimited, not %d. Nothing was created.", maxTokenUses, n.MaxUses)
	}
	now := s.Now()
	token := Token{
		AccountID: n.AccountID, Description: oneLine(n.Description), MaxUses: n.MaxUses,
		ExportControlled: n.ExportControlled, AllowForce: !n.ForbidForce, CreatedAt: now, CreatedBy: actor.Name, ExpiresAt: now.Add(life).Truncate(time.Second),
	}
	text, err := s.tokenText(&token)
	if err != nil {
		return Token{}, "", err
	}
	err = s.update(ctx, actor, now, func(tx Tx, record recorder) error {
		account, err := tx.Account(n.AccountID)
		if err != nil {
			return err
		}
		if err := account.active("No token was created."); err != nil {
			return err
		}
		if err := agree(tx, record, account, n.AcceptAgreement, actor, now); err != nil {
			return err
		}
		virtual, err := permittedVirtualAccount(tx, actor, ActionManageTokens, account.ID, n.VirtualAccount)
		if err != nil {
			return err
		}
		token.VirtualAccountID = virtual.ID
		if token, err = tx.CreateToken(token); err != nil {
			return err
		}
		return record(Event{
			Type: EventTokenCreated, AccountID: account.ID, VirtualAccount: virtual.Name,
			Message: fmt.Sprintf("Token %d was created: valid until %s, %s.", token.ID, stamp(token.ExpiresAt), usesText(token.MaxUses)),
		})
	})
	return token, text, err
}

// oneLine is text for a table: without control characters, and bounded.
func oneLine(text string) string {
	return clipRunes(strings.TrimSpace(strings.Join(strings.FieldsFunc(text, unicode.IsControl), " ")), 255)
}

func usesText(maximum int64) string {
	if maximum == 0 {
		return "any number of uses"
	}
	return fmt.Sprintf("at most %d uses", maximum)
}

// tokenText signs the text of a token and fills in its sealed form and its hash.
func (s *Service) tokenText(token *Token) (string, error) {
	text, err := s.tokens.Sign(TokenClaims{ID: base64.RawURLEncoding.EncodeToString(s.randomBytes(16)), Issuer: s.id, ExpiresAt: token.ExpiresAt})
	if err != nil {
		return "", fmt.Errorf("sign the token: %w", err)
	}
	if len(text) > tokenTextLimit {
		return "", fmt.Errorf("the token has %d characters, devices read %d", len(text), tokenTextLimit)
	}
	token.Hash = sha256.Sum256([]byte(text))
	token.Text, err = s.secrets.Seal(purposeToken, []byte(text))
	return text, err
}

// TokenFilter selects tokens.
type TokenFilter struct {
	AccountID        AccountID
	VirtualAccountID VirtualAccountID
	Scope            Scope
}

// Tokens lists tokens, newest first.
func (s *Service) Tokens(ctx context.Context, actor Actor, filter TokenFilter, page Page) (tokens []Token, err error) {
	if filter.Scope, err = actor.sees(filter.AccountID, filter.VirtualAccountID); err != nil {
		return nil, err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		tokens, err = tx.Tokens(filter, page.bounded())
		return err
	})
	return tokens, err
}

// FindToken finds a token by its id in decimal, or by its text. KindNotFound.
func (s *Service) FindToken(ctx context.Context, actor Actor, idOrText string) (token Token, err error) {
	if err := actor.known(); err != nil {
		return Token{}, err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		token, err = findToken(tx, actor, idOrText, ActionRead)
		return err
	})
	return token, err
}

// findToken finds the token that the actor wants to act on. KindNotFound also
// for one that he may not see.
func findToken(tx Tx, actor Actor, idOrText string, action Action) (token Token, err error) {
	missing := fail(KindNotFound, "token-not-found", "There is no such token. Nothing was changed.").hint("`satellite token list` shows the ids of those that exist.")
	if id, parseErr := strconv.ParseInt(idOrText, 10, 64); parseErr == nil {
		token, err = tx.Token(TokenID(id))
	} else {
		token, err = tx.TokenByHash(sha256.Sum256([]byte(idOrText)))
	}
	if isNotFound(err) {
		return Token{}, missing
	}
	if err != nil {
		return Token{}, err
	}
	return token, actor.mayWith(action, token.AccountID, token.VirtualAccountID, missing)
}

// RevokeToken ends a token at once; revoking it again changes nothing. Devices
// that registered with it stay registered.
func (s *Service) RevokeToken(ctx context.Context, actor Actor, id TokenID) error {
	if err := actor.known(); err != nil {
		return err
	}
	now := s.Now()
	return s.update(ctx, actor, now, func(tx Tx, record recorder) error {
		token, err := findToken(tx, actor, strconv.FormatInt(int64(id), 10), ActionManageTokens)
		if err != nil {
			return err
		}
		if !token.RevokedAt.IsZero() {
			return errUnchanged
		}
		virtual, err := virtualAccountName(tx, token.AccountID, token.VirtualAccountID)
		if err != nil {
			return err
		}
		return revokeToken(tx, record, token, virtual, now)
	})
}

// tokenProblem says why the text of a token that is not on record is refused.
func (s *Service) tokenProblem(text string) error {
	claims, err := s.tokens.Verify(text)
	if errors.Is(err, ErrTokenForeign) {
		return fail(KindConflict, "token-foreign", "The token was issued by satellite %s, this is satellite %s. The device was not registered.", clip(claims.Issuer), s.id).
			hint("Use the address of that satellite, or a token of this one.")
	}
	// With a good signature it was removed since, or came with an older backup.
	return errTokenUnknown().cause(err)
}

func errTokenUnknown() *Error {
	return fail(KindConflict, "token-invalid", "This is not a token of this satellite, or a character of it was changed. The device was not registered.").
		hint("Copy the token again, whole and without line breaks.")
}
