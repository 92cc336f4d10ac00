package compatible

import (
	"context"
	"strings"

	"ssm/satellite"
)

// foundAccount is an account as a search shows it.
type foundAccount struct {
	Domain string              `json:"domain"`
	Name   string              `json:"name"`
	ID     satellite.AccountID `json:"id"`
	Type   string              `json:"type"`   // always CUSTOMER
	Status string              `json:"status"` // ACTIVE, PENDING, INACTIVE
}

type foundAccounts struct {
	counted
	Accounts []foundAccount `json:"accounts"`
}

// searchAccounts lists what who asks sees, with what he knows of the domain and
// the name in it. There are no accounts of another type than CUSTOMER.
func (a *api) searchAccounts(ctx context.Context, c *call) (any, error) {
	w, domain, name, kind := c.in.window(), strings.ToLower(c.in.text("domain")), strings.ToLower(c.in.text("name")), c.in.text("type")
	if err := c.in.err(); err != nil {
		return nil, err
	}
	found, err := a.service.Accounts(ctx, c.actor)
	if err != nil {
		return nil, err
	}
	list := []foundAccount{}
	for _, one := range found {
		if kind != "" && !strings.EqualFold(kind, "CUSTOMER") || !strings.Contains(strings.ToLower(domainOf(one)), domain) || !strings.Contains(strings.ToLower(one.Name), name) {
			continue
		}
		list = append(list, foundAccount{
			Domain: domainOf(one), Name: one.Name, ID: one.ID, Type: "CUSTOMER", Status: strings.ToUpper(statusNames[one.Status]),
		})
	}
	return foundAccounts{counted{success, int64(len(list))}, cut(w, list)}, nil
}
