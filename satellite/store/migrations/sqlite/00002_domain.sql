-- What licenses mean, hierarchy, transfers, alerts, the guarded clock, and what
-- a device's silence, pair and copies are told by.

-- +goose Up
ALTER TABLE licenses ADD COLUMN enforcement    TEXT    NOT NULL DEFAULT 'unenforced';
ALTER TABLE licenses ADD COLUMN billing        TEXT    NOT NULL DEFAULT 'prepaid';
ALTER TABLE licenses ADD COLUMN reporting_only INTEGER NOT NULL DEFAULT 0;
ALTER TABLE licenses ADD COLUMN overage        INTEGER NOT NULL DEFAULT 0;
ALTER TABLE licenses ADD COLUMN higher_tier    TEXT    NOT NULL DEFAULT '';
ALTER TABLE licenses ADD COLUMN family         INTEGER NOT NULL DEFAULT 0; -- id of the topmost license of its hierarchy
CREATE INDEX licenses_family ON licenses (family) WHERE family <> 0;

ALTER TABLE lots ADD COLUMN order_number    TEXT NOT NULL DEFAULT '';
ALTER TABLE lots ADD COLUMN subscription_id TEXT NOT NULL DEFAULT '';
CREATE INDEX lots_end ON lots (end_at) WHERE end_at <> 0;

ALTER TABLE pools ADD COLUMN insufficient INTEGER NOT NULL DEFAULT 0; -- an alert says that it is short
CREATE INDEX pools_due ON pools (purchased_until) WHERE purchased_until <> 0;

-- What was moved of a lot between two virtual accounts, summed up.
CREATE TABLE transfers (
    account_id              INTEGER NOT NULL REFERENCES accounts (id),
    license_id              INTEGER NOT NULL REFERENCES licenses (id),
    lot                     TEXT    NOT NULL, -- its upstream_id
    from_virtual_account_id INTEGER NOT NULL REFERENCES virtual_accounts (id),
    to_virtual_account_id   INTEGER NOT NULL REFERENCES virtual_accounts (id),
    quantity                INTEGER NOT NULL CHECK (quantity > 0),
    at                      INTEGER NOT NULL, -- of the last one
    PRIMARY KEY (license_id, lot, from_virtual_account_id, to_virtual_account_id)
) WITHOUT ROWID;
CREATE INDEX transfers_from ON transfers (from_virtual_account_id, license_id);
CREATE INDEX transfers_to ON transfers (to_virtual_account_id, license_id);

ALTER TABLE usages ADD COLUMN wanted INTEGER NOT NULL DEFAULT 0; -- what the device asked for; count is what it holds
UPDATE usages SET wanted = count;

ALTER TABLE tokens ADD COLUMN allow_force INTEGER NOT NULL DEFAULT 1;

ALTER TABLE instances ADD COLUMN export_allowed INTEGER NOT NULL DEFAULT 0; -- by the token that registered it
ALTER TABLE instances ADD COLUMN last_served    INTEGER NOT NULL DEFAULT 0; -- served time at the last contact, microseconds
ALTER TABLE instances ADD COLUMN application_id TEXT    NOT NULL DEFAULT ''; -- of a high-availability pair
ALTER TABLE instances ADD COLUMN ha_role        TEXT    NOT NULL DEFAULT '';
ALTER TABLE instances ADD COLUMN reply_digest   TEXT    NOT NULL DEFAULT ''; -- of the last reply
ALTER TABLE instances ADD COLUMN other_digest   TEXT    NOT NULL DEFAULT ''; -- of the reply that another copy of the device may have got
UPDATE instances SET export_allowed = COALESCE((SELECT t.export_controlled FROM tokens t WHERE t.hash = instances.token_hash), 0);
CREATE INDEX instances_silent ON instances (last_served) WHERE registration_state = 'registered' AND authorization_state IN ('authorized', 'out of compliance');
CREATE INDEX instances_application ON instances (virtual_account_id, application_id) WHERE application_id <> '';
CREATE INDEX instances_certificate ON instances (certificate_not_after) WHERE registration_state = 'registered';

CREATE TABLE clock (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    system_at  INTEGER NOT NULL, -- the system's clock at the last tick
    mark       INTEGER NOT NULL, -- the guarded clock at the last tick
    served     INTEGER NOT NULL, -- microseconds in which the satellite was serving
    held_since INTEGER NOT NULL, -- when a step of the system's clock was noticed; 0: it is believed
    step       INTEGER NOT NULL  -- microseconds of that step
);

CREATE TABLE alerts (
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id         INTEGER NOT NULL, -- 0: of the satellite itself
    virtual_account_id INTEGER NOT NULL, -- 0: of the whole account
    piid               TEXT    NOT NULL,
    type               TEXT    NOT NULL,
    severity           TEXT    NOT NULL,
    key                TEXT    NOT NULL, -- what it is about, once while it is open
    source             TEXT    NOT NULL,
    message            TEXT    NOT NULL,
    action_due         INTEGER NOT NULL,
    opened_at          INTEGER NOT NULL,
    closed_at          INTEGER NOT NULL
);
CREATE UNIQUE INDEX alerts_open ON alerts (account_id, type, key) WHERE closed_at = 0;
CREATE INDEX alerts_account ON alerts (account_id, id);
CREATE INDEX alerts_type ON alerts (type, id) WHERE closed_at = 0;
CREATE INDEX alerts_piid ON alerts (piid, id) WHERE piid <> '';

-- Where the chain of a node begins after its oldest events were pruned.
CREATE TABLE event_beginnings (
    node      TEXT    PRIMARY KEY,
    number    INTEGER NOT NULL, -- of the last event that was pruned
    hash      BLOB    NOT NULL,
    at        INTEGER NOT NULL, -- of that event
    pruned_at INTEGER NOT NULL
);

-- +goose Down
DROP TABLE event_beginnings;
DROP TABLE alerts;
DROP TABLE clock;
DROP INDEX instances_certificate;
DROP INDEX instances_application;
DROP INDEX instances_silent;
ALTER TABLE instances DROP COLUMN other_digest;
ALTER TABLE instances DROP COLUMN reply_digest;
ALTER TABLE instances DROP COLUMN ha_role;
ALTER TABLE instances DROP COLUMN application_id;
ALTER TABLE instances DROP COLUMN last_served;
ALTER TABLE instances DROP COLUMN export_allowed;
ALTER TABLE tokens DROP COLUMN allow_force;
ALTER TABLE usages DROP COLUMN wanted;
DROP TABLE transfers;
DROP INDEX pools_due;
ALTER TABLE pools DROP COLUMN insufficient;
DROP INDEX lots_end;
ALTER TABLE lots DROP COLUMN subscription_id;
ALTER TABLE lots DROP COLUMN order_number;
DROP INDEX licenses_family;
ALTER TABLE licenses DROP COLUMN family;
ALTER TABLE licenses DROP COLUMN higher_tier;
ALTER TABLE licenses DROP COLUMN overage;
ALTER TABLE licenses DROP COLUMN reporting_only;
ALTER TABLE licenses DROP COLUMN billing;
ALTER TABLE licenses DROP COLUMN enforcement;
