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

func virtualAccountOf(v satellite.VirtualAccount) virtualAccount {
	return virtualAccount{Name: v.Name, Description: v.Description, IsDefault: strconv.FormatBool(v.Default)}
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
	found, err := a.service.VirtualAccounts(ctx, c.actor, account.ID)
	if err != nil {
		return nil, err
	}
	answer := virtualAccounts{outcome: success, VirtualAccounts: []virtualAccount{}}
	for _, v := range found {
		answer.VirtualAccounts = append(answer.VirtualAccounts, virtualAccountOf(v))
	}
	return answer, nil
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
