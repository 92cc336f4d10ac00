package store

import (
	"time"

	"ssm/satellite"
)

type tokenRow struct {
	ID               int64 `gorm:"primaryKey"`
	AccountID        int64
	VirtualAccountID int64
	Description      string
	Text             []byte
	Hash             []byte
	ExpiresAt        int64
	MaxUses          int64
	Uses             int64
	ExportControlled bool
	AllowForce       bool
	CreatedAt        int64 `gorm:"autoCreateTime:false"`
	CreatedBy        string
	RevokedAt        int64
	ChangeNumber     int64
}

func (tokenRow) TableName() string { return "tokens" }

const tokenColumns = `id, account_id, virtual_account_id, description, text, hash, expires_at, max_uses, uses, export_controlled, allow_force, created_at, created_by, revoked_at, change_number`

func (r *tokenRow) fields() []any {
	return []any{
		&r.ID, &r.AccountID, &r.VirtualAccountID, &r.Description, &r.Text, &r.Hash, &r.ExpiresAt, &r.MaxUses, &r.Uses,
		&r.ExportControlled, &r.AllowForce, &r.CreatedAt, &r.CreatedBy, &r.RevokedAt, &r.ChangeNumber,
	}
}

func (r tokenRow) domain() satellite.Token {
	return satellite.Token{
		ID: satellite.TokenID(r.ID), AccountID: satellite.AccountID(r.AccountID), VirtualAccountID: satellite.VirtualAccountID(r.VirtualAccountID),
		Description: r.Description, Text: r.Text, Hash: hash32(r.Hash), ExpiresAt: instant(r.ExpiresAt), MaxUses: r.MaxUses, Uses: r.Uses,
		ExportControlled: r.ExportControlled, AllowForce: r.AllowForce, CreatedAt: instant(r.CreatedAt), CreatedBy: r.CreatedBy, RevokedAt: instant(r.RevokedAt),
		ChangeNumber: r.ChangeNumber,
	}
}

func (t *transaction) CreateToken(token satellite.Token) (satellite.Token, error) {
	r := tokenRow{
		AccountID: int64(token.AccountID), VirtualAccountID: int64(token.VirtualAccountID), Description: token.Description,
		Text: token.Text, Hash: token.Hash[:], ExpiresAt: micros(token.ExpiresAt), MaxUses: token.MaxUses, Uses: token.Uses,
		ExportControlled: token.ExportControlled, AllowForce: token.AllowForce, CreatedAt: micros(token.CreatedAt), CreatedBy: token.CreatedBy,
		RevokedAt: micros(token.RevokedAt), ChangeNumber: t.nextChange(),
	}
	err := t.db.Create(&r).Error
	return r.domain(), unique(err, "token", "There is such a token already.")
}

func (t *transaction) Token(id satellite.TokenID) (satellite.Token, error) {
	var r tokenRow
	err := t.one("token", id, r.fields(), `SELECT `+tokenColumns+` FROM tokens WHERE id = ?`, id)
	return r.domain(), err
}

func (t *transaction) TokenByHash(hash [32]byte) (satellite.Token, error) {
	var r tokenRow
	err := t.one("token", "of this text", r.fields(), `SELECT `+tokenColumns+` FROM tokens WHERE hash = ?`, hash[:])
	return r.domain(), err
}

func (t *transaction) Tokens(filter satellite.TokenFilter, page satellite.Page) ([]satellite.Token, error) {
	of := selected(filter.AccountID, filter.VirtualAccountID, filter.Scope)
	var rows []tokenRow
	err := of.page(t.db.Select(tokenColumns), "tokens", page, true).Find(&rows).Error
	return tokensOf(rows), err
}

func (t *transaction) WorkingTokens(virtual satellite.VirtualAccountID, now time.Time, limit int) ([]satellite.Token, error) {
	var rows []tokenRow
	// The conditions on revocation and uses are those of the index, word for word.
	err := t.db.Select(tokenColumns).Where("virtual_account_id = ? AND expires_at > ? AND revoked_at = 0 AND (max_uses = 0 OR uses < max_uses)", virtual, micros(now)).
		Order("expires_at DESC, id DESC").Limit(limit).Find(&rows).Error
	return tokensOf(rows), err
}

func tokensOf(rows []tokenRow) []satellite.Token {
	tokens := make([]satellite.Token, len(rows))
	for i, r := range rows {
		tokens[i] = r.domain()
	}
	return tokens
}

func (t *transaction) SaveToken(token satellite.Token) error {
	_, err := t.statements.exec(`UPDATE tokens SET uses = ?, revoked_at = ?, change_number = ? WHERE id = ?`,
		token.Uses, micros(token.RevokedAt), t.nextChange(), int64(token.ID))
	return err
}

func (t *transaction) ChangedTokens(account satellite.AccountID, after int64, limit int) ([]satellite.Token, error) {
	var rows []tokenRow
	err := t.db.Select(tokenColumns).Where("account_id = ? AND change_number > ?", account, after).Order("change_number").Limit(limit).Find(&rows).Error
	return tokensOf(rows), err
}
