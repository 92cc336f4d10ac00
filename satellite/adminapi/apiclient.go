package adminapi

import (
	"context"
	"time"

	"ssm/satellite"
)

// APIClient is a program that may use the APIs, without its secret.
type APIClient struct {
	ClientID            string     `json:"client_id"`
	Name                string     `json:"name"`
	Status              string     `json:"status" enum:"active,revoked"`
	Role                string     `json:"role"`
	Account             string     `json:"account" doc:"Empty: the role is on the whole satellite."`
	VirtualAccount      string     `json:"virtual_account" doc:"Empty: the role is in the whole account."`
	CreatedAt           time.Time  `json:"created_at"`
	CreatedBy           string     `json:"created_by"`
	LastUsedAt          *time.Time `json:"last_used_at" doc:"To the minute."`
	LastSource          string     `json:"last_source" doc:"Network address of the last use."`
	PreviousSecretUntil *time.Time `json:"previous_secret_until" doc:"Until when the secret before the last rotation is accepted, too."`
	RevokedAt           *time.Time `json:"revoked_at"`
}

// APIClientWithSecret is a client as who made it, or its secret, sees it once.
type APIClientWithSecret struct {
	APIClient
	ClientSecret string `json:"client_secret" doc:"Shown this one time; only its hash is kept."`
}

// NewAPIClient is what creates a client.
type NewAPIClient struct {
	Name           string `json:"name" maxLength:"255"`
	Role           string `json:"role,omitempty" maxLength:"64" doc:"A system role, or with an account, a role there. Nothing is system-admin, and with an account account-admin or virtual-account-admin."`
	Account        string `json:"account,omitempty" maxLength:"255" doc:"The whole satellite where none is named."`
	VirtualAccount string `json:"virtual_account,omitempty" maxLength:"255" doc:"The whole account where none is named."`
}

// Rotation is how a client gets another secret.
type Rotation struct {
	OverlapHours *int `json:"overlap_hours,omitempty" minimum:"0" maximum:"720" doc:"How long the secret before is accepted, too; 24 where nothing is said. 0 ends it at once, and all access tokens of the client."`
}

func (a *api) apiClientOf(d directory) func(satellite.APIClient) APIClient {
	now := a.service.Now()
	return func(c satellite.APIClient) APIClient {
		client := APIClient{
			ClientID: c.ClientID, Name: c.Name, Status: "active", Role: string(c.Role), Account: d.accounts[c.AccountID], VirtualAccount: d.virtual[c.VirtualAccountID],
			CreatedAt: c.CreatedAt.UTC(), CreatedBy: c.CreatedBy, LastUsedAt: instant(c.LastUsedAt), LastSource: c.LastSource, RevokedAt: instant(c.RevokedAt),
		}
		if !c.RevokedAt.IsZero() {
			client.Status = "revoked"
		} else if now.Before(c.PreviousUntil) {
			client.PreviousSecretUntil = instant(c.PreviousUntil)
		}
		return client
	}
}

func (a *api) listAPIClients(ctx context.Context, _ *struct{}) (*output[List[APIClient]], error) {
	clients, err := a.service.APIClients(ctx, actor(ctx))
	if err != nil {
		return nil, err
	}
	ids := make([]satellite.AccountID, 0, len(clients))
	for _, c := range clients {
		if c.AccountID != 0 {
			ids = append(ids, c.AccountID)
		}
	}
	d, err := a.directoryOf(ctx, ids...)
	return answer(whole(clients, a.apiClientOf(d)), err)
}

func (a *api) createAPIClient(ctx context.Context, in *struct{ Body NewAPIClient }) (*output[APIClientWithSecret], error) {
	place, role := satellite.Grant{}, satellite.RoleSystemAdmin
	switch {
	case in.Body.VirtualAccount != "":
		role = satellite.RoleVirtualAccountAdmin
	case in.Body.Account != "":
		role = satellite.RoleAccountAdmin
	}
	if in.Body.Role != "" {
		role = satellite.Role(in.Body.Role)
	}
	if in.Body.Account != "" || in.Body.VirtualAccount != "" {
		account, err := a.service.FindAccount(ctx, actor(ctx), in.Body.Account)
		if err != nil {
			return nil, err
		}
		place.AccountID = account.ID
		if place.VirtualAccountID, err = a.findVirtualAccount(ctx, account, in.Body.VirtualAccount); err != nil {
			return nil, err
		}
	}
	place.Role = role
	client, secret, err := a.service.CreateAPIClient(ctx, actor(ctx), in.Body.Name, place)
	return a.apiClientWithSecret(ctx, client, secret, err)
}

func (a *api) apiClientWithSecret(ctx context.Context, client satellite.APIClient, secret string, err error) (*output[APIClientWithSecret], error) {
	shown, err := a.apiClient(ctx, client, err)
	return answer(APIClientWithSecret{APIClient: shown, ClientSecret: secret}, err)
}

func (a *api) apiClient(ctx context.Context, client satellite.APIClient, err error) (APIClient, error) {
	if err != nil {
		return APIClient{}, err
	}
	var d directory
	if client.AccountID != 0 {
		d, err = a.directoryOf(ctx, client.AccountID)
	}
	return a.apiClientOf(d)(client), err
}

type apiClientPath struct {
	APIClient string `path:"api_client" maxLength:"255" doc:"Client id, or name of one that is not revoked."`
}

func (a *api) getAPIClient(ctx context.Context, in *apiClientPath) (*output[APIClient], error) {
	client, err := a.service.FindAPIClient(ctx, actor(ctx), in.APIClient)
	return answer(a.apiClient(ctx, client, err))
}

func (a *api) rotateAPIClient(ctx context.Context, in *struct {
	APIClient string `path:"api_client" maxLength:"255" doc:"Client id, or name of one that is not revoked."`
	Body      Rotation
},
) (*output[APIClientWithSecret], error) {
	overlap := satellite.DefaultSecretOverlap
	if in.Body.OverlapHours != nil {
		overlap = time.Duration(*in.Body.OverlapHours) * time.Hour
	}
	client, secret, err := a.service.RotateAPIClient(ctx, actor(ctx), in.APIClient, overlap)
	return a.apiClientWithSecret(ctx, client, secret, err)
}

func (a *api) revokeAPIClient(ctx context.Context, in *apiClientPath) (*output[APIClient], error) {
	client, err := a.service.RevokeAPIClient(ctx, actor(ctx), in.APIClient)
	return answer(a.apiClient(ctx, client, err))
}
