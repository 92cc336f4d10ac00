package satellite

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxTokenTexts bounds how many tokens are shown with their texts, or revoked
// by them, at once.
const maxTokenTexts = 1000

// TokenWithText is a token with the text that devices register by. Whoever
// holds the text can register devices.
type TokenWithText struct {
	Token
	Text string
}

// TokenText opens the text of a token, to show it again. Whoever holds it can
// register devices, so reading it takes the right to make one.
func (s *Service) TokenText(ctx context.Context, actor Actor, id TokenID) (token Token, text string, err error) {
	if err := actor.known(); err != nil {
		return Token{}, "", err
	}
	err = s.store.View(ctx, func(tx Tx) error {
		token, err = findToken(tx, actor, strconv.FormatInt(int64(id), 10), ActionManageTokens)
		return err
	})
	if err != nil {
		return Token{}, "", err
	}
	plain, err := s.secrets.Open(purposeToken, token.Text)
	return token, string(plain), err
}

// WorkingTokens lists the tokens of a virtual account that devices can register
// with now, with their texts: those of unlimited use first, then those that live
// longest. Of more than 1000 it is the ones that live longest. Like TokenText it
// takes the right to make tokens.
//
// KindForbidden; KindNotFound for the account and the virtual account.
func (s *Service) WorkingTokens(ctx context.Context, actor Actor, account AccountID, virtualAccount string) ([]TokenWithText, error) {
	if err := actor.maySomewhere(ActionManageTokens, account); err != nil {
		return nil, err
	}
	now := s.Now()
	var tokens []Token
	err := s.store.View(ctx, func(tx Tx) error {
		virtual, err := tokensPlace(tx, actor, account, virtualAccount)
		if err != nil {
			return err
		}
		tokens, err = tx.WorkingTokens(virtual.ID, now, maxTokenTexts)
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(tokens, func(a, b Token) int {
		if unlimited := a.MaxUses == 0; unlimited != (b.MaxUses == 0) {
			return map[bool]int{true: -1, false: 1}[unlimited]
		}
		return b.ExpiresAt.Compare(a.ExpiresAt)
	})
	list := make([]TokenWithText, len(tokens))
	for i, token := range tokens {
		plain, err := s.secrets.Open(purposeToken, token.Text)
		if err != nil {
			return nil, fmt.Errorf("open token %d: %w", token.ID, err)
		}
		list[i] = TokenWithText{Token: token, Text: string(plain)}
	}
	return list, nil
}

// tokensPlace is the virtual account of that name, for who may manage its tokens.
func tokensPlace(tx Tx, actor Actor, account AccountID, name string) (VirtualAccount, error) {
	return permittedVirtualAccount(tx, actor, ActionManageTokens, account, name)
}

// RevokeTokens ends the tokens of a virtual account that have these texts, all
// or none. One that was revoked before stays as it is.
//
// KindInvalid for none or more than 1000 texts; KindNotFound for a text that no
// token of this virtual account has.
func (s *Service) RevokeTokens(ctx context.Context, actor Actor, account AccountID, virtualAccount string, texts []string) error {
	if len(texts) < 1 || len(texts) > maxTokenTexts {
		return fail(KindInvalid, "token-revocation-invalid", "From 1 to %d tokens can be revoked at once, not %d. Nothing was changed.", maxTokenTexts, len(texts))
	}
	if err := actor.maySomewhere(ActionManageTokens, account); err != nil {
		return err
	}
	now := s.Now()
	return s.update(ctx, actor, now, func(tx Tx, record recorder) error {
		virtual, err := tokensPlace(tx, actor, account, virtualAccount)
		if err != nil {
			return err
		}
		changed := false
		for i, text := range texts {
			token, err := tx.TokenByHash(sha256.Sum256([]byte(strings.TrimSpace(text))))
			if isNotFound(err) || err == nil && token.VirtualAccountID != virtual.ID {
				return numbered(fail(KindNotFound, "token-not-found", "Virtual account %q has no such token. Nothing was changed.", virtual.Name).hint("Compare the text with those that a list of its tokens shows."), "Token", i, len(texts))
			}
			if err != nil {
				return err
			}
			if !token.RevokedAt.IsZero() {
				continue
			}
			changed = true
			if err := revokeToken(tx, record, token, virtual.Name, now); err != nil {
				return err
			}
		}
		if !changed {
			return errUnchanged
		}
		return nil
	})
}

// revokeToken ends a token.
func revokeToken(tx Tx, record recorder, token Token, virtual string, now time.Time) error {
	token.RevokedAt = now
	if err := tx.SaveToken(token); err != nil {
		return err
	}
	return record(Event{Type: EventTokenRevoked, AccountID: token.AccountID, VirtualAccount: virtual, Message: fmt.Sprintf("Token %d was revoked.", token.ID)})
}
