-- Programs that use the REST APIs, and the end of access tokens of users.

-- +goose Up
CREATE TABLE api_clients (
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,
    client_id          TEXT    NOT NULL UNIQUE, -- what the program calls itself by
    name               TEXT    NOT NULL,
    name_key           TEXT    NOT NULL,
    role               TEXT    NOT NULL,
    account_id         INTEGER REFERENCES accounts (id) ON DELETE CASCADE,         -- null: the whole satellite
    virtual_account_id INTEGER REFERENCES virtual_accounts (id) ON DELETE CASCADE, -- null: the whole account
    secret_hash        BLOB    NOT NULL,
    previous_hash      BLOB    NOT NULL, -- of the secret before the last rotation
    previous_until     INTEGER NOT NULL,
    generation         INTEGER NOT NULL, -- access tokens of another one are refused
    created_at         INTEGER NOT NULL,
    created_by         TEXT    NOT NULL,
    revoked_at         INTEGER NOT NULL,
    last_used_at       INTEGER NOT NULL,
    last_source        TEXT    NOT NULL
);
CREATE UNIQUE INDEX api_clients_name ON api_clients (name_key) WHERE revoked_at = 0;
CREATE INDEX api_clients_account ON api_clients (account_id) WHERE account_id IS NOT NULL;
CREATE INDEX api_clients_virtual_account ON api_clients (virtual_account_id) WHERE virtual_account_id IS NOT NULL;

ALTER TABLE users ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;

-- Those that devices can register with, by how long they live.
CREATE INDEX tokens_working ON tokens (virtual_account_id, expires_at, id) WHERE revoked_at = 0 AND (max_uses = 0 OR uses < max_uses);

-- +goose Down
DROP INDEX tokens_working;
ALTER TABLE users DROP COLUMN generation;
DROP TABLE api_clients;
