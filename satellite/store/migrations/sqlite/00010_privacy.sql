-- What is left out of everything that goes upstream.

-- +goose Up
CREATE TABLE privacy_settings (
    account_id  INTEGER PRIMARY KEY, -- 0: the default of all accounts
    hostname    TEXT NOT NULL CHECK (hostname    IN ('on', 'off', 'inherit')),
    ip_address  TEXT NOT NULL CHECK (ip_address  IN ('on', 'off', 'inherit')),
    mac_address TEXT NOT NULL CHECK (mac_address IN ('on', 'off', 'inherit')),
    version     TEXT NOT NULL CHECK (version     IN ('on', 'off', 'inherit'))
);
CREATE TABLE privacy_states (
    account_id   INTEGER PRIMARY KEY REFERENCES accounts (id),
    sent_without TEXT NOT NULL, -- what was left out of all that the upstream was sent
    key          BLOB           -- of the pseudonyms, sealed; NULL before the first
);

-- +goose Down
DROP TABLE privacy_states;
DROP TABLE privacy_settings;
