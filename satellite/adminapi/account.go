package adminapi

import (
	"context"
	"time"

	"ssm/satellite"
)

// Account is a smart account.
type Account struct {
	Name                   string     `json:"name"`
	Type                   string     `json:"type" enum:"limited,standard"`
	DomainIdentifier       string     `json:"domain_identifier"`
	Status                 string     `json:"status" enum:"pending,active,inactive"`
	UpstreamAccount        string     `json:"upstream_account" doc:"What the account settles with upstream."`
	UpstreamVirtualAccount string     `json:"upstream_virtual_account"`
	RegisteredUpstream     bool       `json:"registered_upstream" doc:"Devices can register once the upstream vouches for the account."`
	Creator                string     `json:"creator"`
	RequesterName          string     `json:"requester_name"`
	RequesterEmail         string     `json:"requester_email"`
	CreatedAt              time.Time  `json:"created_at" doc:"When it was requested."`
	ActivatedAt            *time.Time `json:"activated_at"`
	Headquarters           string     `json:"headquarters"`
	Searchable             bool       `json:"searchable" doc:"It may be found by the e-mail address of a member."`
	Locked                 bool       `json:"locked" doc:"No new access may be granted."`
	InactiveReason         string     `json:"inactive_reason"`
}

func accountOf(a satellite.Account) Account {
	return Account{
		Name: a.Name, Type: string(a.Type), DomainIdentifier: a.DomainIdentifier, Status: string(a.Status),
		UpstreamAccount: a.UpstreamAccount, UpstreamVirtualAccount: a.UpstreamVirtualAccount,
		RegisteredUpstream: a.Registered(), Creator: a.Creator, RequesterName: a.RequesterName, RequesterEmail: a.RequesterEmail,
		CreatedAt: a.RequestedAt.UTC(), ActivatedAt: instant(a.ActivatedAt), Headquarters: a.Headquarters, Searchable: a.Searchable,
		Locked: a.Locked, InactiveReason: a.InactiveReason,
	}
}

// AccountDetails is an account with its virtual accounts, the default one first.
type AccountDetails struct {
	Account
	VirtualAccounts []VirtualAccount `json:"virtual_accounts"`
	Upgrade         Upgrade          `json:"upgrade"`
	Agreement       AgreementSummary `json:"agreement"`
}

// NewAccount is what creates an account.
type NewAccount struct {
	Name                   string `json:"name" minLength:"1" maxLength:"255"`
	Email                  string `json:"email" minLength:"1" maxLength:"254" doc:"Of the requester."`
	RequesterName          string `json:"requester_name,omitempty" maxLength:"255"`
	Headquarters           string `json:"headquarters,omitempty" maxLength:"500"`
	Limited                bool   `json:"limited,omitempty" doc:"For those whose address is at a public mail provider."`
	Nominee                string `json:"nominee,omitempty" maxLength:"254" doc:"E-mail address of who has to approve the account; it is pending until then."`
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
		RequesterName: in.Body.RequesterName, Headquarters: in.Body.Headquarters, Nominee: in.Body.Nominee,
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
	if err != nil {
		return nil, err
	}
	upgrade, err := a.service.Upgrade(ctx, actor(ctx), account.ID)
	if err != nil {
		return nil, err
	}
	agreement, err := a.service.Agreement(ctx, actor(ctx), account.ID)
	return answer(AccountDetails{
		Account: accountOf(account), VirtualAccounts: whole(list, virtualAccountOf(account.Name)).Items,
		Upgrade: upgradeOf(upgrade), Agreement: agreementSummaryOf(agreement),
	}, err)
}

// AccountChange is what changes of an account; what is left out stays.
type AccountChange struct {
	Name           *string `json:"name,omitempty" minLength:"1" maxLength:"255"`
	RequesterName  *string `json:"requester_name,omitempty" maxLength:"255"`
	RequesterEmail *string `json:"requester_email,omitempty" minLength:"1" maxLength:"254"`
	Headquarters   *string `json:"headquarters,omitempty" maxLength:"500"`
	Searchable     *bool   `json:"searchable,omitempty"`
	Locked         *bool   `json:"locked,omitempty"`
}

type accountChangeInput struct {
	AccountPath
	Body AccountChange
}

func (a *api) changeAccount(ctx context.Context, in *accountChangeInput) (*output[Account], error) {
	return a.withAccount(ctx, in.Account, func(id satellite.AccountID) (satellite.Account, error) {
		return a.service.SetAccount(ctx, actor(ctx), id, satellite.AccountChange(in.Body))
	})
}

// withAccount does something to the account of a name, and answers with what it is then.
func (a *api) withAccount(ctx context.Context, name string, do func(satellite.AccountID) (satellite.Account, error)) (*output[Account], error) {
	account, err := a.service.FindAccount(ctx, actor(ctx), name)
	if err != nil {
		return nil, err
	}
	account, err = do(account.ID)
	return answer(accountOf(account), err)
}

// Reason says why; it is mailed to the requester of the account.
type Reason struct {
	Reason string `json:"reason" minLength:"1" maxLength:"1000"`
}

type reasonInput struct {
	AccountPath
	Body Reason
}

func (a *api) deactivateAccount(ctx context.Context, in *reasonInput) (*output[Account], error) {
	return a.withAccount(ctx, in.Account, func(id satellite.AccountID) (satellite.Account, error) {
		return a.service.DeactivateAccount(ctx, actor(ctx), id, in.Body.Reason)
	})
}

func (a *api) activateAccount(ctx context.Context, in *AccountPath) (*output[Account], error) {
	return a.withAccount(ctx, in.Account, func(id satellite.AccountID) (satellite.Account, error) {
		return a.service.ActivateAccount(ctx, actor(ctx), id)
	})
}

func (a *api) deleteAccount(ctx context.Context, in *AccountPath) (*struct{}, error) {
	account, err := a.service.FindAccount(ctx, actor(ctx), in.Account)
	if err != nil {
		return nil, err
	}
	return nil, a.service.DeleteAccount(ctx, actor(ctx), account.ID)
}

// accountFilter is the account that a listing is limited to: 0, for all, where none is named.
func (a *api) accountFilter(ctx context.Context, name string) (satellite.AccountID, error) {
	if name == "" {
		return 0, nil
	}
	account, err := a.service.FindAccount(ctx, actor(ctx), name)
	return account.ID, err
}
