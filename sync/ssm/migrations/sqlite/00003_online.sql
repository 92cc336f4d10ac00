-- +goose Up
-- One-time codes for a registration online. Only their hash is kept.
CREATE TABLE registration_codes (
  id                 INTEGER PRIMARY KEY AUTOINCREMENT,
  hash               BLOB NOT NULL UNIQUE, -- SHA-256
  virtual_account_id INTEGER NOT NULL REFERENCES virtual_accounts (id),
  created_at         TIMESTAMP NOT NULL,
  expires_at         TIMESTAMP NOT NULL,
  used_at            TIMESTAMP
);

-- Requests on their way here. What has come of each lies in the folder "uploads".
CREATE TABLE uploads (
  digest     TEXT PRIMARY KEY, -- of the request
  size       INTEGER NOT NULL, -- of the whole file
  address    TEXT NOT NULL,    -- where its first piece came from
  created_at TIMESTAMP NOT NULL,
  touched_at TIMESTAMP NOT NULL
) WITHOUT ROWID;
CREATE INDEX uploads_address ON uploads (address, touched_at);

CREATE INDEX answers_request ON answers (request_digest);

-- +goose Down
DROP INDEX answers_request;
DROP TABLE uploads;
DROP TABLE registration_codes;
