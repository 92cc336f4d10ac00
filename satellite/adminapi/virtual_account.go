package adminapi

import (
	"context"
	"fmt"
	"strings"
	"time"

	"ssm/satellite"
)

// VirtualAccount divides an account.
type VirtualAccount struct {
	Account     string    `json:"account"`
	Name        string    `json:"name"`
	Description string    `json:"description"`
	Default     bool      `json:"default" doc:"The one that is meant where none is named."`
	CreatedAt   time.Time `json:"created_at"`
}

func virtualAccountOf(account string) func(satellite.VirtualAccount) VirtualAccount {
	return func(v satellite.VirtualAccount) VirtualAccount {
		return VirtualAccount{Account: account, Name: v.Name, Description: v.Description, Default: v.Default, CreatedAt: v.CreatedAt.UTC()}
	}
}

// NewVirtualAccount is what creates a virtual account.
type NewVirtualAccount struct {
	Name        string `json:"name" minLength:"1" maxLength:"255"`
	Description string `json:"description,omitempty" maxLength:"1000"`
}

func (a *api) listVirtualAccounts(ctx context.Context, in *AccountPath) (*output[List[VirtualAccount]], error) {
	account, err := a.service.FindAccount(ctx, actor(ctx), in.Account)
	if err != nil {
		return nil, err
	}
	list, err := a.service.VirtualAccounts(ctx, actor(ctx), account.ID)
	return answer(whole(list, virtualAccountOf(account.Name)), err)
}

type newVirtualAccountInput struct {
	AccountPath
	Body NewVirtualAccount
}

func (a *api) createVirtualAccount(ctx context.Context, in *newVirtualAccountInput) (*output[VirtualAccount], error) {
	account, err := a.service.FindAccount(ctx, actor(ctx), in.Account)
	if err != nil {
		return nil, err
	}
	virtual, err := a.service.CreateVirtualAccount(ctx, actor(ctx), account.ID, in.Body.Name, in.Body.Description)
	return answer(virtualAccountOf(account.Name)(virtual), err)
}

type virtualAccountInput struct {
	AccountPath
	VirtualAccount string `path:"virtual_account" maxLength:"255" doc:"Name of the virtual account."`
}

func (a *api) deleteVirtualAccount(ctx context.Context, in *virtualAccountInput) (*struct{}, error) {
	account, err := a.service.FindAccount(ctx, actor(ctx), in.Account)
	if err != nil {
		return nil, err
	}
	return nil, a.service.DeleteVirtualAccount(ctx, actor(ctx), account.ID, in.VirtualAccount, "")
}

// placeFilter is the account and virtual account that a listing is limited to,
// 0 for all. A virtual account without an account is one of the only account.
func (a *api) placeFilter(ctx context.Context, accountName, virtualName string) (account satellite.AccountID, virtual satellite.VirtualAccountID, err error) {
	if virtualName == "" {
		account, err = a.accountFilter(ctx, accountName)
		return account, 0, err
	}
	found, err := a.service.FindAccount(ctx, actor(ctx), accountName)
	if err != nil {
		return 0, 0, err
	}
	list, err := a.service.VirtualAccounts(ctx, actor(ctx), found.ID)
	if err != nil {
		return 0, 0, err
	}
	for _, v := range list {
		if strings.EqualFold(v.Name, virtualName) {
			return found.ID, v.ID, nil
		}
	}
	return 0, 0, &satellite.Error{
		Kind: satellite.KindNotFound, Code: "virtual-account-not-found",
		Message: fmt.Sprintf("There is no virtual account %q in account %q.", virtualName, found.Name),
		Hint:    "`satellite virtual-account list` shows those that exist.",
	}
}

// directory finds the names of accounts and virtual accounts for a listing.
type directory struct {
	accounts map[satellite.AccountID]string
	virtual  map[satellite.VirtualAccountID]string
}

// directoryOf knows all accounts, and the virtual accounts of those that are named.
func (a *api) directoryOf(ctx context.Context, ids ...satellite.AccountID) (directory, error) {
	d := directory{accounts: map[satellite.AccountID]string{}, virtual: map[satellite.VirtualAccountID]string{}}
	accounts, err := a.service.Accounts(ctx, actor(ctx))
	if err != nil {
		return d, err
	}
	for _, account := range accounts {
		d.accounts[account.ID] = account.Name
	}
	seen := map[satellite.AccountID]bool{}
	for _, id := range ids {
		if seen[id] {
			continue
		}
		seen[id] = true
		list, err := a.service.VirtualAccounts(ctx, actor(ctx), id)
		if err != nil {
			return d, err
		}
		for _, v := range list {
			d.virtual[v.ID] = v.Name
		}
	}
	return d, nil
}
