-- +goose Up
CREATE TABLE accounts (
  id         INTEGER PRIMARY KEY,
  name       TEXT NOT NULL COLLATE NOCASE UNIQUE,
  type       TEXT NOT NULL CHECK (type IN ('limited', 'standard')),
  domain     TEXT NOT NULL,
  email      TEXT NOT NULL,
  status     TEXT NOT NULL CHECK (status IN ('active')),
  created_at TIMESTAMP NOT NULL
);
-- The domain of a limited account is drawn here, and is its alone.
CREATE UNIQUE INDEX accounts_limited_domain ON accounts (domain) WHERE type = 'limited';

CREATE TABLE virtual_accounts (
  id         INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL REFERENCES accounts (id),
  name       TEXT NOT NULL COLLATE NOCASE,
  created_at TIMESTAMP NOT NULL,
  UNIQUE (account_id, name)
);

CREATE TABLE entitlements (
  id         INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL REFERENCES accounts (id),
  tag        TEXT NOT NULL,
  name       TEXT NOT NULL,
  UNIQUE (account_id, tag)
);

CREATE TABLE lots (
  id                 TEXT PRIMARY KEY,
  virtual_account_id INTEGER NOT NULL REFERENCES virtual_accounts (id),
  entitlement_id     INTEGER NOT NULL REFERENCES entitlements (id),
  type               TEXT NOT NULL CHECK (type IN ('perpetual', 'subscription')),
  quantity           INTEGER NOT NULL CHECK (quantity > 0),
  start_at           TIMESTAMP NOT NULL,
  end_at             TIMESTAMP CHECK ((end_at IS NULL) = (type = 'perpetual')),
  created_at         TIMESTAMP NOT NULL
);
CREATE INDEX lots_virtual_account ON lots (virtual_account_id);

-- One row per account of a satellite. Each has a virtual account to itself.
CREATE TABLE satellites (
  id                 INTEGER PRIMARY KEY,
  satellite_id       TEXT NOT NULL,
  local_account_id   TEXT NOT NULL,
  local_account      TEXT NOT NULL,
  virtual_account_id INTEGER NOT NULL UNIQUE REFERENCES virtual_accounts (id),
  public_key         BLOB NOT NULL, -- of the sub CA, PKIX DER
  sub_ca             BLOB NOT NULL, -- DER
  last_sequence      INTEGER NOT NULL,
  last_sync_at       TIMESTAMP NOT NULL,
  deadline           TIMESTAMP NOT NULL,
  registered_at      TIMESTAMP NOT NULL,
  UNIQUE (satellite_id, local_account_id)
);

-- What is held of a satellite, as it was sent.
CREATE TABLE records (
  satellite INTEGER NOT NULL REFERENCES satellites (id),
  kind      TEXT NOT NULL,
  key       TEXT NOT NULL,
  hash      BLOB NOT NULL,
  value     TEXT NOT NULL, -- JSON
  PRIMARY KEY (satellite, kind, key)
) WITHOUT ROWID;

-- The digest and number of the records above, per kind.
CREATE TABLE states (
  satellite INTEGER NOT NULL REFERENCES satellites (id),
  kind      TEXT NOT NULL,
  digest    BLOB NOT NULL,
  count     INTEGER NOT NULL CHECK (count >= 0),
  PRIMARY KEY (satellite, kind)
) WITHOUT ROWID;

-- Usage reports, byte for byte, each once.
CREATE TABLE reports (
  satellite   INTEGER NOT NULL REFERENCES satellites (id),
  digest      TEXT NOT NULL,
  report      BLOB NOT NULL,
  received_at TIMESTAMP NOT NULL,
  PRIMARY KEY (satellite, digest)
);

-- The newest answers: the same request gets the same bytes again.
CREATE TABLE answers (
  id             INTEGER PRIMARY KEY AUTOINCREMENT,
  satellite      INTEGER NOT NULL REFERENCES satellites (id),
  sequence       INTEGER NOT NULL,
  request_digest TEXT NOT NULL,
  full_requested BOOLEAN NOT NULL,
  reason         TEXT NOT NULL,
  body           BLOB NOT NULL,
  created_at     TIMESTAMP NOT NULL,
  UNIQUE (satellite, sequence, request_digest)
);

CREATE TABLE administrators (
  email         TEXT PRIMARY KEY COLLATE NOCASE,
  password_hash TEXT NOT NULL,
  created_at    TIMESTAMP NOT NULL
);

-- +goose Down
DROP TABLE administrators;
DROP TABLE answers;
DROP TABLE reports;
DROP TABLE states;
DROP TABLE records;
DROP TABLE satellites;
DROP TABLE lots;
DROP TABLE entitlements;
DROP TABLE virtual_accounts;
DROP TABLE accounts;
