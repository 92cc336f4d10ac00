package store

import "ssm/satellite"

type apiClientRow struct {
	ID               int64 `gorm:"primaryKey"`
	ClientID         string
	Name             string
	NameKey          string
	Role             string
	AccountID        *int64 // nil: the whole satellite
	VirtualAccountID *int64 // nil: the whole account
	SecretHash       []byte
	PreviousHash     []byte
	PreviousUntil    int64
	Generation       int64
	CreatedAt        int64 `gorm:"autoCreateTime:false"`
	CreatedBy        string
	RevokedAt        int64
	LastUsedAt       int64
	LastSource       string
}

func (apiClientRow) TableName() string { return "api_clients" }

var apiClientColumns = []string{
	"id", "client_id", "name", "name_key", "role", "account_id", "virtual_account_id", "secret_hash", "previous_hash", "previous_until",
	"generation", "created_at", "created_by", "revoked_at", "last_used_at", "last_source",
}

func apiClientToRow(c satellite.APIClient) apiClientRow {
	return apiClientRow{
		ID: int64(c.ID), ClientID: c.ClientID, Name: c.Name, NameKey: nameKey(c.Name), Role: string(c.Role),
		AccountID: orNull(c.AccountID), VirtualAccountID: orNull(c.VirtualAccountID), SecretHash: c.SecretHash[:],
		PreviousHash: c.PreviousHash[:], PreviousUntil: micros(c.PreviousUntil), Generation: c.Generation,
		CreatedAt: micros(c.CreatedAt), CreatedBy: c.CreatedBy, RevokedAt: micros(c.RevokedAt), LastUsedAt: micros(c.LastUsedAt), LastSource: c.LastSource,
	}
}

func (r apiClientRow) domain() satellite.APIClient {
	return satellite.APIClient{
		ID: satellite.APIClientID(r.ID), ClientID: r.ClientID, Name: r.Name,
		Grant: satellite.Grant{
			AccountID: orZero[satellite.AccountID](r.AccountID), VirtualAccountID: orZero[satellite.VirtualAccountID](r.VirtualAccountID), Role: satellite.Role(r.Role),
		},
		SecretHash: hash32(r.SecretHash), PreviousHash: hash32(r.PreviousHash), PreviousUntil: instant(r.PreviousUntil), Generation: r.Generation,
		CreatedAt: instant(r.CreatedAt), CreatedBy: r.CreatedBy, RevokedAt: instant(r.RevokedAt), LastUsedAt: instant(r.LastUsedAt), LastSource: r.LastSource,
	}
}

func (t *transaction) CreateAPIClient(c satellite.APIClient) (satellite.APIClient, error) {
	r := apiClientToRow(c)
	r.ID = 0 // the database gives it
	err := t.db.Create(&r).Error
	return r.domain(), unique(err, "api-client", "There is an API client of this name already.")
}

func (t *transaction) APIClient(id satellite.APIClientID) (satellite.APIClient, error) {
	var r apiClientRow
	err := t.db.Select(apiClientColumns).Where("id = ?", id).Take(&r).Error
	return r.domain(), found(err, "api-client", id)
}

func (t *transaction) APIClientByClientID(clientID string) (satellite.APIClient, error) {
	var r apiClientRow
	err := t.db.Select(apiClientColumns).Where("client_id = ?", clientID).Take(&r).Error
	return r.domain(), found(err, "api-client", clientID)
}

func (t *transaction) APIClientByName(name string) (satellite.APIClient, error) {
	var r apiClientRow
	err := t.db.Select(apiClientColumns).Where("name_key = ? AND revoked_at = 0", nameKey(name)).Take(&r).Error
	return r.domain(), found(err, "api-client", name)
}

func (t *transaction) APIClients() ([]satellite.APIClient, error) {
	var rows []apiClientRow
	err := t.db.Select(apiClientColumns).Order("revoked_at, name_key, id").Find(&rows).Error
	clients := make([]satellite.APIClient, len(rows))
	for i, r := range rows {
		clients[i] = r.domain()
	}
	return clients, err
}

func (t *transaction) SaveAPIClient(c satellite.APIClient) error {
	r := apiClientToRow(c)
	return t.db.Select(apiClientColumns[7:]).Where("id = ?", r.ID).Updates(&r).Error
}
