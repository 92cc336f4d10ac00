-- The life of an account: its properties, who approves it, the agreement, the
-- upgrade, and the tags that a company gives its own.

-- +goose Up
ALTER TABLE accounts ADD COLUMN creator         TEXT    NOT NULL DEFAULT '';
ALTER TABLE accounts ADD COLUMN requester_name  TEXT    NOT NULL DEFAULT '';
ALTER TABLE accounts ADD COLUMN headquarters    TEXT    NOT NULL DEFAULT '';
ALTER TABLE accounts ADD COLUMN searchable      INTEGER NOT NULL DEFAULT 1; -- by the e-mail address of a member
ALTER TABLE accounts ADD COLUMN locked          INTEGER NOT NULL DEFAULT 0; -- no new access may be granted
ALTER TABLE accounts ADD COLUMN inactive_reason TEXT    NOT NULL DEFAULT '';

-- Who was asked to approve an account that waits.
CREATE TABLE nominations (
    account_id INTEGER PRIMARY KEY REFERENCES accounts (id),
    email      TEXT    NOT NULL,
    code_hash  BLOB    NOT NULL,
    tries      INTEGER NOT NULL, -- wrong codes since the last mail
    sent_at    INTEGER NOT NULL
);

CREATE TABLE agreements (
    account_id  INTEGER NOT NULL REFERENCES accounts (id),
    version     TEXT    NOT NULL,
    text        TEXT    NOT NULL,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, version)
) WITHOUT ROWID;

CREATE TABLE agreement_acceptances (
    account_id  INTEGER NOT NULL REFERENCES accounts (id),
    version     TEXT    NOT NULL,
    accepted_at INTEGER NOT NULL,
    accepted_by TEXT    NOT NULL,
    PRIMARY KEY (account_id, version)
) WITHOUT ROWID;

-- The newest upgrade of each account.
CREATE TABLE upgrades (
    account_id        INTEGER PRIMARY KEY REFERENCES accounts (id),
    name              TEXT    NOT NULL,
    domain_identifier TEXT    NOT NULL,
    email             TEXT    NOT NULL,
    requested_by      TEXT    NOT NULL,
    requested_at      INTEGER NOT NULL,
    status            TEXT    NOT NULL,
    reason            TEXT    NOT NULL,
    answered_at       INTEGER NOT NULL
);

-- Of a virtual account or of a license; the other one is NULL.
CREATE TABLE custom_tags (
    account_id         INTEGER NOT NULL REFERENCES accounts (id),
    virtual_account_id INTEGER REFERENCES virtual_accounts (id),
    license_id         INTEGER REFERENCES licenses (id),
    key                TEXT    NOT NULL,
    tag_values         TEXT    NOT NULL, -- JSON: a list
    UNIQUE (virtual_account_id, key),
    UNIQUE (license_id, key)
);
CREATE INDEX custom_tags_account ON custom_tags (account_id);

-- What waits to be mailed, or was.
CREATE TABLE mails (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    recipient  TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    body       BLOB    NOT NULL, -- sealed: it may hold a code
    created_at INTEGER NOT NULL,
    sent_at    INTEGER NOT NULL
);

-- Names that stand in many records changed at this change number: the next
-- request is a full one until the upstream has confirmed it.
ALTER TABLE sync_states ADD COLUMN renamed_at INTEGER NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE sync_states DROP COLUMN renamed_at;
DROP TABLE mails;
DROP TABLE custom_tags;
DROP TABLE upgrades;
DROP TABLE agreement_acceptances;
DROP TABLE agreements;
DROP TABLE nominations;
ALTER TABLE accounts DROP COLUMN inactive_reason;
ALTER TABLE accounts DROP COLUMN locked;
ALTER TABLE accounts DROP COLUMN searchable;
ALTER TABLE accounts DROP COLUMN headquarters;
ALTER TABLE accounts DROP COLUMN requester_name;
ALTER TABLE accounts DROP COLUMN creator;
