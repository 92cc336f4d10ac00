package adminapi

import (
	"context"
	"time"

	"ssm/satellite"
)

// Account is a smart account.
type Account struct {
	Name                   string    `json:"name"`
	Type                   string    `json:"type" enum:"limited,standard"`
	DomainIdentifier       string    `json:"domain_identifier"`
	Status                 string    `json:"status" enum:"pending,active,inactive"`
	UpstreamAccount        string    `json:"upstream_account" doc:"What the account settles with upstream."`
	UpstreamVirtualAccount string    `json:"upstream_virtual_account"`
	RegisteredUpstream     bool      `json:"registered_upstream" doc:"Devices can register once the upstream vouches for the account."`
	RequesterEmail         string    `json:"requester_email"`
	CreatedAt              time.Time `json:"created_at"`
}

func accountOf(a satellite.Account) Account {
	return Account{
		Name: a.Name, Type: string(a.Type), DomainIdentifier: a.DomainIdentifier, Status: string(a.Status),
		UpstreamAccount: a.UpstreamAccount, UpstreamVirtualAccount: a.UpstreamVirtualAccount,
		RegisteredUpstream: a.Registered(), RequesterEmail: a.RequesterEmail, CreatedAt: a.RequestedAt.UTC(),
	}
}

// AccountDetails is an account with its virtual accounts, the default one first.
type AccountDetails struct {
	Account
	VirtualAccounts []VirtualAccount `json:"virtual_accounts"`
}

// NewAccount is what creates an account.
type NewAccount struct {
	Name                   string `json:"name" minLength:"1" maxLength:"255"`
	Email                  string `json:"email" minLength:"1" maxLength:"254" doc:"Of the requester."`
	Limited                bool   `json:"limited,omitempty"`
	UpstreamAccount        string `json:"upstream_account,omitempty" maxLength:"255" doc:"The account's own name by default."`
	UpstreamVirtualAccount string `json:"upstream_virtual_account,omitempty" maxLength:"255" doc:"Satellite by default."`
}

// AccountPath is the path of what belongs to an account. It is exported because
// huma sees only exported fields, embedded ones as well.
type AccountPath struct {
	Account string `path:"account" maxLength:"255" doc:"Name of the account."`
}

func (a *api) listAccounts(ctx context.Context, _ *struct{}) (*output[List[Account]], error) {
	accounts, err := a.service.Accounts(ctx, actor(ctx))
	return answer(whole(accounts, accountOf), err)
}

func (a *api) createAccount(ctx context.Context, in *struct{ Body NewAccount }) (*output[Account], error) {
	account, err := a.service.CreateAccount(ctx, actor(ctx), satellite.NewAccount{
		Name: in.Body.Name, Email: in.Body.Email, Limited: in.Body.Limited,
		UpstreamAccount: in.Body.UpstreamAccount, UpstreamVirtualAccount: in.Body.UpstreamVirtualAccount,
	})
	return answer(accountOf(account), err)
}

func (a *api) getAccount(ctx context.Context, in *AccountPath) (*output[AccountDetails], error) {
	account, err := a.service.FindAccount(ctx, actor(ctx), in.Account)
	if err != nil {
		return nil, err
	}
	list, err := a.service.VirtualAccounts(ctx, actor(ctx), account.ID)
	return answer(AccountDetails{Account: accountOf(account), VirtualAccounts: whole(list, virtualAccountOf(account.Name)).Items}, err)
}

// accountFilter is the account that a listing is limited to: 0, for all, where none is named.
func (a *api) accountFilter(ctx context.Context, name string) (satellite.AccountID, error) {
	if name == "" {
		return 0, nil
	}
	account, err := a.service.FindAccount(ctx, actor(ctx), name)
	return account.ID, err
}
