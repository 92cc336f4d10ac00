package compatible

import (
	"context"
	"strconv"

	"ssm/satellite"
)

// virtualAccount is one virtual account. That it is the default one is a text:
// clients compare it with "true".
type virtualAccount struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	IsDefault   string `json:"isDefault"`
}

// virtualAccounts are those of an account that the actor sees, the default one first.
func (a *api) virtualAccounts(ctx context.Context, actor satellite.Actor, id satellite.AccountID) ([]virtualAccount, error) {
	found, err := a.service.VirtualAccounts(ctx, actor, id)
	list := []virtualAccount{}
	for _, v := range found {
		list = append(list, virtualAccount{Name: v.Name, Description: v.Description, IsDefault: strconv.FormatBool(v.Default)})
	}
	return list, err
}

type virtualAccounts struct {
	outcome
	VirtualAccounts []virtualAccount `json:"virtualAccounts"`
}

func (a *api) listVirtualAccounts(ctx context.Context, c *call) (any, error) {
	account, err := a.account(ctx, c)
	if err != nil {
		return nil, err
	}
	list, err := a.virtualAccounts(ctx, c.actor, account.ID)
	if err != nil {
		return nil, err
	}
	return virtualAccounts{outcome: success, VirtualAccounts: list}, nil
}

func (a *api) createVirtualAccount(ctx context.Context, c *call) (any, error) {
	name, description := c.in.required("name"), c.in.text("description")
	if err := c.in.err(); err != nil {
		return nil, err
	}
	account, err := a.account(ctx, c)
	if err != nil {
		return nil, err
	}
	if _, err := a.service.CreateVirtualAccount(ctx, c.actor, account.ID, name, description); err != nil {
		return nil, err
	}
	return success, nil
}

func (a *api) deleteVirtualAccount(ctx context.Context, c *call) (any, error) {
	account, virtual, err := a.virtualAccount(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := a.service.DeleteVirtualAccount(ctx, c.actor, account.ID, virtual.Name, ""); err != nil {
		return nil, err
	}
	return success, nil
}
