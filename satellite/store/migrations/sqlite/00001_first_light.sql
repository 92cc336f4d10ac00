-- Times are Unix microseconds (0: none), so that both databases keep them alike.
-- change_number grows with every write to a row that goes upstream.

-- +goose Up
CREATE TABLE satellite (
    id           INTEGER PRIMARY KEY CHECK (id = 1),
    satellite_id TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    crl_number   INTEGER NOT NULL
);

CREATE TABLE trusted_roots (
    fingerprint TEXT    PRIMARY KEY,
    name        TEXT    NOT NULL,
    der         BLOB    NOT NULL,
    not_after   INTEGER NOT NULL,
    trusted_at  INTEGER NOT NULL
);

CREATE TABLE token_keys (
    id         TEXT    PRIMARY KEY,
    key        BLOB    NOT NULL, -- sealed
    created_at INTEGER NOT NULL
);

CREATE TABLE job_runs (
    job     TEXT    PRIMARY KEY,
    ran_at  INTEGER NOT NULL,
    problem TEXT    NOT NULL
);

CREATE TABLE users (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    email         TEXT    NOT NULL,
    email_key     TEXT    NOT NULL UNIQUE,
    name          TEXT    NOT NULL,
    password_hash TEXT    NOT NULL,
    role          TEXT    NOT NULL,
    language      TEXT    NOT NULL,
    theme         TEXT    NOT NULL,
    created_at    INTEGER NOT NULL
);

CREATE TABLE sessions (
    key     TEXT    PRIMARY KEY, -- hash of the session's token
    data    BLOB    NOT NULL,
    expires INTEGER NOT NULL
);
CREATE INDEX sessions_expires ON sessions (expires);

CREATE TABLE accounts (
    id                       INTEGER PRIMARY KEY AUTOINCREMENT,
    name                     TEXT    NOT NULL,
    name_key                 TEXT    NOT NULL UNIQUE,
    type                     TEXT    NOT NULL,
    domain_identifier        TEXT    NOT NULL,
    status                   TEXT    NOT NULL,
    requester_email          TEXT    NOT NULL,
    requested_at             INTEGER NOT NULL,
    activated_at             INTEGER NOT NULL,
    upstream_account         TEXT    NOT NULL,
    upstream_virtual_account TEXT    NOT NULL,
    upstream_key             TEXT    NOT NULL UNIQUE, -- both of them: no two accounts share a pair
    upstream_registered_at   INTEGER NOT NULL
);

CREATE TABLE authorities (
    account_id         INTEGER PRIMARY KEY REFERENCES accounts (id),
    key                BLOB    NOT NULL, -- sealed
    chain              BLOB    NOT NULL, -- DER certificates, one after the other
    root               BLOB    NOT NULL,
    signer_key         BLOB    NOT NULL, -- sealed
    signer_certificate BLOB    NOT NULL,
    signer_not_after   INTEGER NOT NULL,
    sub_ca_not_before  INTEGER NOT NULL,
    sub_ca_not_after   INTEGER NOT NULL
);

CREATE TABLE virtual_accounts (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id  INTEGER NOT NULL REFERENCES accounts (id),
    name        TEXT    NOT NULL,
    name_key    TEXT    NOT NULL,
    description TEXT    NOT NULL,
    is_default  INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    UNIQUE (account_id, name_key)
);
CREATE UNIQUE INDEX virtual_accounts_default ON virtual_accounts (account_id) WHERE is_default = 1;

CREATE TABLE tokens (
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id         INTEGER NOT NULL REFERENCES accounts (id),
    virtual_account_id INTEGER NOT NULL REFERENCES virtual_accounts (id),
    description        TEXT    NOT NULL,
    text               BLOB    NOT NULL, -- sealed
    hash               BLOB    NOT NULL UNIQUE,
    expires_at         INTEGER NOT NULL,
    max_uses           INTEGER NOT NULL,
    uses               INTEGER NOT NULL,
    export_controlled  INTEGER NOT NULL,
    created_at         INTEGER NOT NULL,
    created_by         TEXT    NOT NULL,
    revoked_at         INTEGER NOT NULL,
    change_number      INTEGER NOT NULL
);
CREATE INDEX tokens_account ON tokens (account_id, id);
CREATE INDEX tokens_virtual_account ON tokens (virtual_account_id, id);
CREATE INDEX tokens_change ON tokens (account_id, change_number);

CREATE TABLE instances (
    id                       INTEGER PRIMARY KEY AUTOINCREMENT,
    piid                     TEXT    NOT NULL UNIQUE,
    account_id               INTEGER NOT NULL REFERENCES accounts (id),
    virtual_account_id       INTEGER NOT NULL REFERENCES virtual_accounts (id),
    udi_pid                  TEXT    NOT NULL,
    udi_serial_number        TEXT    NOT NULL,
    software_tag             TEXT    NOT NULL,
    udi_vid                  TEXT    NOT NULL,
    suvi                     TEXT    NOT NULL,
    uuid                     TEXT    NOT NULL,
    host_identifier          TEXT    NOT NULL,
    mac_address              TEXT    NOT NULL,
    hostname                 TEXT    NOT NULL,
    equipment_model          TEXT    NOT NULL,
    software_version         TEXT    NOT NULL,
    hardware_version         TEXT    NOT NULL,
    registration_state       TEXT    NOT NULL,
    registered_at            INTEGER NOT NULL,
    token_hash               BLOB    NOT NULL,
    public_key_hash          BLOB    NOT NULL,
    credential               BLOB    NOT NULL,
    previous_credential      BLOB    NOT NULL,
    certificate_serial       TEXT    NOT NULL,
    certificate_not_after    INTEGER NOT NULL,
    authorization_state      TEXT    NOT NULL,
    authorization_renew_at   INTEGER NOT NULL,
    authorization_expires_at INTEGER NOT NULL,
    last_contact_at          INTEGER NOT NULL,
    last_address             TEXT    NOT NULL,
    change_number            INTEGER NOT NULL,
    UNIQUE (udi_serial_number, udi_pid, software_tag)
);
CREATE INDEX instances_account ON instances (account_id, id);
CREATE INDEX instances_virtual_account ON instances (virtual_account_id, id);
CREATE INDEX instances_change ON instances (account_id, change_number);
CREATE INDEX instances_hostname ON instances (hostname);
CREATE INDEX instances_udi_pid ON instances (udi_pid);

CREATE TABLE certificates (
    fingerprint BLOB    NOT NULL UNIQUE,
    serial      TEXT    NOT NULL,
    account_id  INTEGER NOT NULL REFERENCES accounts (id),
    piid        TEXT    NOT NULL,
    der         BLOB    NOT NULL,
    not_before  INTEGER NOT NULL,
    not_after   INTEGER NOT NULL,
    status      TEXT    NOT NULL,
    revoked_at  INTEGER NOT NULL
);
CREATE INDEX certificates_revoked ON certificates (account_id, revoked_at, serial) WHERE status = 'revoked';

-- What devices were answered, for a repeat of the same message.
CREATE TABLE replies (
    requester TEXT    NOT NULL,
    nonce     TEXT    NOT NULL,
    reply     BLOB    NOT NULL,
    at        INTEGER NOT NULL,
    UNIQUE (requester, nonce)
);
CREATE INDEX replies_at ON replies (at);

CREATE TABLE licenses (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id  INTEGER NOT NULL REFERENCES accounts (id),
    tag         TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    description TEXT    NOT NULL,
    type        TEXT    NOT NULL,
    UNIQUE (account_id, tag)
);

CREATE TABLE lots (
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id         INTEGER NOT NULL REFERENCES accounts (id),
    upstream_id        TEXT    NOT NULL,
    virtual_account_id INTEGER NOT NULL REFERENCES virtual_accounts (id),
    license_id         INTEGER NOT NULL REFERENCES licenses (id),
    type               TEXT    NOT NULL,
    quantity           INTEGER NOT NULL,
    start_at           INTEGER NOT NULL,
    end_at             INTEGER NOT NULL,
    UNIQUE (account_id, upstream_id)
);
CREATE INDEX lots_license ON lots (virtual_account_id, license_id);

CREATE TABLE pools (
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id         INTEGER NOT NULL REFERENCES accounts (id),
    virtual_account_id INTEGER NOT NULL REFERENCES virtual_accounts (id),
    license_id         INTEGER NOT NULL REFERENCES licenses (id),
    purchased          INTEGER NOT NULL,
    purchased_until    INTEGER NOT NULL,
    in_use             INTEGER NOT NULL,
    reserved           INTEGER NOT NULL,
    transferred_in     INTEGER NOT NULL,
    transferred_out    INTEGER NOT NULL,
    change_number      INTEGER NOT NULL,
    UNIQUE (virtual_account_id, license_id)
);
CREATE INDEX pools_change ON pools (account_id, change_number);

CREATE TABLE usages (
    instance_id        INTEGER NOT NULL REFERENCES instances (id),
    license_id         INTEGER NOT NULL REFERENCES licenses (id),
    virtual_account_id INTEGER NOT NULL REFERENCES virtual_accounts (id),
    count              INTEGER NOT NULL CHECK (count >= 0), -- 0 where a report measured that
    measured_until     INTEGER NOT NULL,
    PRIMARY KEY (instance_id, license_id)
) WITHOUT ROWID;
CREATE INDEX usages_license ON usages (virtual_account_id, license_id, instance_id);

CREATE TABLE usage_reports (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id        INTEGER NOT NULL REFERENCES accounts (id),
    digest            TEXT    NOT NULL,
    raw               BLOB    NOT NULL, -- byte for byte
    udi_pid           TEXT    NOT NULL,
    udi_serial_number TEXT    NOT NULL,
    software_tag      TEXT    NOT NULL,
    report_id         INTEGER NOT NULL,
    tag               TEXT    NOT NULL,
    piid              TEXT    NOT NULL,
    count             INTEGER NOT NULL,
    measured_until    INTEGER NOT NULL,
    state             TEXT    NOT NULL,
    imported_at       INTEGER NOT NULL,
    imported_by       TEXT    NOT NULL,
    acknowledged_at   INTEGER NOT NULL,
    UNIQUE (account_id, digest),
    UNIQUE (account_id, udi_serial_number, udi_pid, software_tag, report_id, tag)
);
CREATE INDEX usage_reports_account ON usage_reports (account_id, id);
CREATE INDEX usage_reports_received ON usage_reports (account_id, id) WHERE state = 'received';

CREATE TABLE events (
    node            TEXT    NOT NULL,
    number          INTEGER NOT NULL,
    at              INTEGER NOT NULL,
    type            TEXT    NOT NULL,
    account_id      INTEGER NOT NULL,
    virtual_account TEXT    NOT NULL,
    piid            TEXT    NOT NULL,
    message         TEXT    NOT NULL,
    actor           TEXT    NOT NULL,
    source          TEXT    NOT NULL,
    previous_hash   BLOB    NOT NULL,
    hash            BLOB    NOT NULL,
    PRIMARY KEY (node, number)
) WITHOUT ROWID;
CREATE INDEX events_account ON events (account_id, number);
CREATE INDEX events_piid ON events (piid, number) WHERE piid <> '';
CREATE INDEX events_type ON events (type, number);

CREATE TABLE sync_states (
    account_id           INTEGER PRIMARY KEY REFERENCES accounts (id),
    next_sequence        INTEGER NOT NULL,
    applied_sequence     INTEGER NOT NULL,
    confirmed_generation INTEGER NOT NULL,
    full_required        INTEGER NOT NULL,
    reason               TEXT    NOT NULL,
    deadline             INTEGER NOT NULL,
    last_sync_at         INTEGER NOT NULL,
    agreement_version    TEXT    NOT NULL,
    digests              TEXT    NOT NULL -- JSON: kind to hexadecimal digest
);

CREATE TABLE sync_requests (
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    sequence   INTEGER NOT NULL,
    digest     TEXT    NOT NULL,
    scope      TEXT    NOT NULL,
    generation INTEGER NOT NULL,
    records    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT    NOT NULL,
    applied_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, sequence)
);

CREATE TABLE tombstones (
    account_id    INTEGER NOT NULL REFERENCES accounts (id),
    change_number INTEGER NOT NULL,
    kind          TEXT    NOT NULL,
    key           TEXT    NOT NULL,
    PRIMARY KEY (account_id, change_number)
) WITHOUT ROWID;

-- The hash of every record as it was last sent upstream.
CREATE TABLE sent_records (
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    kind       TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    hash       BLOB    NOT NULL,
    PRIMARY KEY (account_id, kind, key)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE sent_records;
DROP TABLE tombstones;
DROP TABLE sync_requests;
DROP TABLE sync_states;
DROP TABLE events;
DROP TABLE usage_reports;
DROP TABLE usages;
DROP TABLE pools;
DROP TABLE lots;
DROP TABLE licenses;
DROP TABLE replies;
DROP TABLE certificates;
DROP TABLE instances;
DROP TABLE tokens;
DROP TABLE virtual_accounts;
DROP TABLE authorities;
DROP TABLE accounts;
DROP TABLE sessions;
DROP TABLE users;
DROP TABLE job_runs;
DROP TABLE token_keys;
DROP TABLE trusted_roots;
DROP TABLE satellite;
