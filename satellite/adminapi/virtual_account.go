package adminapi

import (
	"context"
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

// VirtualAccountPath is the path of what belongs to a virtual account; exported like AccountPath.
type VirtualAccountPath struct {
	AccountPath
	VirtualAccount string `path:"virtual_account" maxLength:"255" doc:"Name of the virtual account."`
}

type deleteVirtualAccountInput struct {
	VirtualAccountPath
	MoveTo string `query:"move_to" maxLength:"255" doc:"Virtual account that takes devices, licenses and tokens."`
}

func (a *api) deleteVirtualAccount(ctx context.Context, in *deleteVirtualAccountInput) (*struct{}, error) {
	account, err := a.service.FindAccount(ctx, actor(ctx), in.Account)
	if err != nil {
		return nil, err
	}
	return nil, a.service.DeleteVirtualAccount(ctx, actor(ctx), account.ID, in.VirtualAccount, in.MoveTo)
}

// VirtualAccountChange is what changes of a virtual account; what is left out stays.
type VirtualAccountChange struct {
	Name        *string `json:"name,omitempty" minLength:"1" maxLength:"255"`
	Description *string `json:"description,omitempty" maxLength:"1000"`
}

type virtualAccountChangeInput struct {
	VirtualAccountPath
	Body VirtualAccountChange
}

func (a *api) changeVirtualAccount(ctx context.Context, in *virtualAccountChangeInput) (*output[VirtualAccount], error) {
	account, err := a.service.FindAccount(ctx, actor(ctx), in.Account)
	if err != nil {
		return nil, err
	}
	virtual, err := a.service.SetVirtualAccount(ctx, actor(ctx), account.ID, in.VirtualAccount, in.Body.Name, in.Body.Description)
	return answer(virtualAccountOf(account.Name)(virtual), err)
}

func (a *api) defaultVirtualAccount(ctx context.Context, in *VirtualAccountPath) (*output[VirtualAccount], error) {
	account, err := a.service.FindAccount(ctx, actor(ctx), in.Account)
	if err != nil {
		return nil, err
	}
	virtual, err := a.service.SetDefaultVirtualAccount(ctx, actor(ctx), account.ID, in.VirtualAccount)
	return answer(virtualAccountOf(account.Name)(virtual), err)
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
	virtual, err = a.findVirtualAccount(ctx, found, virtualName)
	return found.ID, virtual, err
}

// findVirtualAccount finds a virtual account that the actor sees; 0 where none is named.
func (a *api) findVirtualAccount(ctx context.Context, account satellite.Account, name string) (satellite.VirtualAccountID, error) {
	if name == "" {
		return 0, nil
	}
	found, err := a.service.FindVirtualAccount(ctx, actor(ctx), account.ID, name)
	return found.ID, err
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
