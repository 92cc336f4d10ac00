package adminapi

import (
	"context"
	"strconv"
	"time"

	"ssm/satellite"
)

// Token is a registration token without its text.
type Token struct {
	ID               int64     `json:"id"`
	Account          string    `json:"account"`
	VirtualAccount   string    `json:"virtual_account"`
	Description      string    `json:"description"`
	Status           string    `json:"status" enum:"active,expired,exhausted,revoked"`
	ExpiresAt        time.Time `json:"expires_at"`
	MaxUses          int64     `json:"max_uses" doc:"0 is any number."`
	Uses             int64     `json:"uses"`
	ExportControlled bool      `json:"export_controlled"`
	AllowForce       bool      `json:"allow_force" doc:"Whether it may register a device again that is registered already."`
	CreatedAt        time.Time `json:"created_at"`
	CreatedBy        string    `json:"created_by"`
}

// TokenWithText is a token as one that may make tokens sees it.
type TokenWithText struct {
	Token
	Text string `json:"token" doc:"What a device registers with. Whoever knows it can register devices."`
}

// NewToken is what creates a token.
type NewToken struct {
	Account          string `json:"account,omitempty" maxLength:"255" doc:"May be left out where there is only one."`
	VirtualAccount   string `json:"virtual_account,omitempty" maxLength:"255" doc:"The default one where none is named."`
	Days             int    `json:"days,omitempty" doc:"1 to 365; 0 is the satellite's default."`
	MaxUses          int64  `json:"max_uses,omitempty" doc:"0 is any number."`
	ExportControlled bool   `json:"export_controlled,omitempty"`
	AllowForce       *bool  `json:"allow_force,omitempty" doc:"Whether it may register a device again that is registered already; true where nothing is said."`
	Description      string `json:"description,omitempty" maxLength:"255"`
	AcceptAgreement  string `json:"accept_agreement,omitempty" maxLength:"64" doc:"Version of the licensing agreement that is accepted by this; needed while the one in force is not accepted."`
}

// TokenReference names a token by its text or its id.
type TokenReference struct {
	Token string `json:"token" minLength:"1" maxLength:"1024"`
}

func (a *api) tokenOf(d directory) func(satellite.Token) Token {
	now := a.service.Now()
	return func(t satellite.Token) Token {
		return Token{
			ID: int64(t.ID), Account: d.accounts[t.AccountID], VirtualAccount: d.virtual[t.VirtualAccountID], Description: t.Description,
			Status: string(t.StatusAt(now)), ExpiresAt: t.ExpiresAt.UTC(), MaxUses: t.MaxUses, Uses: t.Uses,
			ExportControlled: t.ExportControlled, AllowForce: t.AllowForce, CreatedAt: t.CreatedAt.UTC(), CreatedBy: t.CreatedBy,
		}
	}
}

type listTokensInput struct {
	Paging
	Account        string `query:"account" maxLength:"255" doc:"Only of this account."`
	VirtualAccount string `query:"virtual_account" maxLength:"255" doc:"Only of this virtual account."`
}

func (a *api) listTokens(ctx context.Context, in *listTokensInput) (*output[List[Token]], error) {
	page, err := in.page()
	if err != nil {
		return nil, err
	}
	account, virtual, err := a.placeFilter(ctx, in.Account, in.VirtualAccount)
	if err != nil {
		return nil, err
	}
	tokens, err := a.service.Tokens(ctx, actor(ctx), satellite.TokenFilter{AccountID: account, VirtualAccountID: virtual}, page)
	if err != nil {
		return nil, err
	}
	ids := make([]satellite.AccountID, len(tokens))
	for i, token := range tokens {
		ids[i] = token.AccountID
	}
	d, err := a.directoryOf(ctx, ids...)
	return answer(paged(tokens, in.Limit, a.tokenOf(d), func(t satellite.Token) int64 { return int64(t.ID) }), err)
}

func (a *api) createToken(ctx context.Context, in *struct{ Body NewToken }) (*output[TokenWithText], error) {
	account, err := a.service.FindAccount(ctx, actor(ctx), in.Body.Account)
	if err != nil {
		return nil, err
	}
	token, text, err := a.service.CreateToken(ctx, actor(ctx), satellite.NewToken{
		AccountID: account.ID, VirtualAccount: in.Body.VirtualAccount, Description: in.Body.Description,
		Days: in.Body.Days, MaxUses: in.Body.MaxUses, ExportControlled: in.Body.ExportControlled,
		ForbidForce: in.Body.AllowForce != nil && !*in.Body.AllowForce, AcceptAgreement: in.Body.AcceptAgreement,
	})
	return a.tokenWithText(ctx, token, text, err)
}

type tokenInput struct {
	ID int64 `path:"id" minimum:"1" doc:"Id of the token."`
}

func (a *api) getToken(ctx context.Context, in *tokenInput) (*output[TokenWithText], error) {
	token, text, err := a.service.TokenText(ctx, actor(ctx), satellite.TokenID(in.ID))
	return a.tokenWithText(ctx, token, text, err)
}

func (a *api) tokenWithText(ctx context.Context, token satellite.Token, text string, err error) (*output[TokenWithText], error) {
	if err != nil {
		return nil, err
	}
	d, err := a.directoryOf(ctx, token.AccountID)
	return answer(TokenWithText{Token: a.tokenOf(d)(token), Text: text}, err)
}

func (a *api) revokeToken(ctx context.Context, in *tokenInput) (*output[Token], error) {
	return a.revoke(ctx, strconv.FormatInt(in.ID, 10))
}

// revokeTokenByText keeps the text out of the path, which is logged.
func (a *api) revokeTokenByText(ctx context.Context, in *struct{ Body TokenReference }) (*output[Token], error) {
	return a.revoke(ctx, in.Body.Token)
}

func (a *api) revoke(ctx context.Context, idOrText string) (*output[Token], error) {
	token, err := a.service.FindToken(ctx, actor(ctx), idOrText)
	if err != nil {
		return nil, err
	}
	if err := a.service.RevokeToken(ctx, actor(ctx), token.ID); err != nil {
		return nil, err
	}
	// Again, for the state that it has now.
	if token, err = a.service.FindToken(ctx, actor(ctx), strconv.FormatInt(int64(token.ID), 10)); err != nil {
		return nil, err
	}
	d, err := a.directoryOf(ctx, token.AccountID)
	return answer(a.tokenOf(d)(token), err)
}
