-- The upstream over the network, and what came of exchanges with it.

-- +goose Up
CREATE TABLE upstream (
    id                 INTEGER PRIMARY KEY CHECK (id = 1), -- there is one
    url                TEXT    NOT NULL,
    ca                 BLOB    NOT NULL, -- PEM
    proxy              BLOB    NOT NULL, -- sealed: it may hold a password
    client_certificate BLOB    NOT NULL, -- PEM
    client_key         BLOB    NOT NULL, -- sealed
    set_at             INTEGER NOT NULL,
    set_by             TEXT    NOT NULL
);

CREATE TABLE sync_exchanges (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    carrier    TEXT    NOT NULL,
    sequence   INTEGER NOT NULL, -- of the request; 0 where none was made
    scope      TEXT    NOT NULL,
    records    INTEGER NOT NULL,
    sent       INTEGER NOT NULL, -- bytes
    received   INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER NOT NULL,
    started_by TEXT    NOT NULL,
    outcome    TEXT    NOT NULL,
    reason     TEXT    NOT NULL
);
CREATE INDEX sync_exchanges_account ON sync_exchanges (account_id, id);

-- +goose Down
DROP TABLE sync_exchanges;
DROP TABLE upstream;
