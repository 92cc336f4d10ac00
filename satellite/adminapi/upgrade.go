package adminapi

import (
	"context"
	"time"

	"ssm/satellite"
)

// Upgrade is the newest request to make a limited account a standard one.
type Upgrade struct {
	Status           string     `json:"status" enum:",requested,pending,approved,declined" doc:"Empty where none was requested; requested and pending ones wait for the upstream."`
	Name             string     `json:"name"`
	DomainIdentifier string     `json:"domain_identifier"`
	Email            string     `json:"email"`
	RequestedBy      string     `json:"requested_by"`
	RequestedAt      *time.Time `json:"requested_at"`
	Reason           string     `json:"reason" doc:"Of a decline."`
	AnsweredAt       *time.Time `json:"answered_at"`
}

func upgradeOf(u satellite.Upgrade) Upgrade {
	return Upgrade{
		Status: string(u.Status), Name: u.Name, DomainIdentifier: u.DomainIdentifier, Email: u.Email, RequestedBy: u.RequestedBy,
		RequestedAt: instant(u.RequestedAt), Reason: u.Reason, AnsweredAt: instant(u.AnsweredAt),
	}
}

// NewUpgrade asks for an upgrade; what is left out is taken from the account.
type NewUpgrade struct {
	Name             string `json:"name,omitempty" maxLength:"255"`
	DomainIdentifier string `json:"domain_identifier,omitempty" maxLength:"253" doc:"The domain of the e-mail address by default; another one has to be approved upstream."`
	Email            string `json:"email,omitempty" maxLength:"254" doc:"Becomes the requester's address; it has to be in a domain of the company."`
}

type newUpgradeInput struct {
	AccountPath
	Body NewUpgrade
}

func (a *api) upgradeAccount(ctx context.Context, in *newUpgradeInput) (*output[Upgrade], error) {
	account, err := a.service.FindAccount(ctx, actor(ctx), in.Account)
	if err != nil {
		return nil, err
	}
	upgrade, err := a.service.RequestUpgrade(ctx, actor(ctx), account.ID, satellite.NewUpgrade(in.Body))
	return answer(upgradeOf(upgrade), err)
}
