-- +goose Up
-- What a tag means. A tag that was there before takes the type of its lots.
ALTER TABLE entitlements ADD COLUMN description TEXT NOT NULL DEFAULT '';
ALTER TABLE entitlements ADD COLUMN type TEXT NOT NULL DEFAULT 'perpetual'
  CHECK (type IN ('perpetual', 'subscription', 'evaluation'));
ALTER TABLE entitlements ADD COLUMN enforcement TEXT NOT NULL DEFAULT 'unenforced'
  CHECK (enforcement IN ('unenforced', 'enforced', 'export-controlled'));
ALTER TABLE entitlements ADD COLUMN billing TEXT NOT NULL DEFAULT 'prepaid' CHECK (billing IN ('prepaid', 'usage'));
ALTER TABLE entitlements ADD COLUMN reporting_only BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE entitlements ADD COLUMN overage BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE entitlements ADD COLUMN higher_tier_id INTEGER REFERENCES entitlements (id); -- of the same account
UPDATE entitlements SET type = 'subscription'
  WHERE EXISTS (SELECT 1 FROM lots WHERE entitlement_id = entitlements.id)
  AND NOT EXISTS (SELECT 1 FROM lots WHERE entitlement_id = entitlements.id AND type = 'perpetual');

-- Made anew, since SQLite cannot change a check.
CREATE TABLE lots_anew (
  id                 TEXT PRIMARY KEY,
  virtual_account_id INTEGER NOT NULL REFERENCES virtual_accounts (id),
  entitlement_id     INTEGER NOT NULL REFERENCES entitlements (id),
  type               TEXT NOT NULL CHECK (type IN ('perpetual', 'subscription', 'evaluation')),
  quantity           INTEGER NOT NULL CHECK (quantity > 0),
  start_at           TIMESTAMP NOT NULL,
  end_at             TIMESTAMP CHECK ((end_at IS NULL) = (type = 'perpetual')),
  order_number       TEXT NOT NULL DEFAULT '',
  subscription_id    TEXT NOT NULL DEFAULT '',
  created_at         TIMESTAMP NOT NULL
);
INSERT INTO lots_anew (id, virtual_account_id, entitlement_id, type, quantity, start_at, end_at, created_at)
  SELECT id, virtual_account_id, entitlement_id, type, quantity, start_at, end_at, created_at FROM lots;
DROP TABLE lots;
ALTER TABLE lots_anew RENAME TO lots;
CREATE INDEX lots_virtual_account ON lots (virtual_account_id);

-- Every version that was ever published; the newest holds.
CREATE TABLE agreements (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  version      TEXT NOT NULL UNIQUE,
  text         TEXT NOT NULL,
  published_at TIMESTAMP NOT NULL
);
ALTER TABLE satellites ADD COLUMN agreement_accepted TEXT NOT NULL DEFAULT ''; -- version, as last told

-- Requests of satellites to make their limited account a standard one. The
-- newest of a satellite is the one that it is answered about.
CREATE TABLE upgrades (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  satellite    INTEGER NOT NULL REFERENCES satellites (id),
  name         TEXT NOT NULL,
  domain       TEXT NOT NULL, -- as it was asked for
  email        TEXT NOT NULL,
  requested_by TEXT NOT NULL,
  requested_at TIMESTAMP NOT NULL, -- by the satellite's clock; it names the request
  status       TEXT NOT NULL CHECK (status IN ('pending', 'approved', 'declined', 'replaced')),
  reason       TEXT NOT NULL CHECK ((reason <> '') = (status = 'declined')),
  received_at  TIMESTAMP NOT NULL,
  decided_at   TIMESTAMP CHECK ((decided_at IS NULL) = (status = 'pending'))
);
CREATE INDEX upgrades_satellite ON upgrades (satellite, id);
CREATE UNIQUE INDEX upgrades_pending ON upgrades (satellite) WHERE status = 'pending';

-- +goose Down
DROP TABLE upgrades;
ALTER TABLE satellites DROP COLUMN agreement_accepted;
DROP TABLE agreements;
DELETE FROM lots WHERE type = 'evaluation';
CREATE TABLE lots_before (
  id                 TEXT PRIMARY KEY,
  virtual_account_id INTEGER NOT NULL REFERENCES virtual_accounts (id),
  entitlement_id     INTEGER NOT NULL REFERENCES entitlements (id),
  type               TEXT NOT NULL CHECK (type IN ('perpetual', 'subscription')),
  quantity           INTEGER NOT NULL CHECK (quantity > 0),
  start_at           TIMESTAMP NOT NULL,
  end_at             TIMESTAMP CHECK ((end_at IS NULL) = (type = 'perpetual')),
  created_at         TIMESTAMP NOT NULL
);
INSERT INTO lots_before (id, virtual_account_id, entitlement_id, type, quantity, start_at, end_at, created_at)
  SELECT id, virtual_account_id, entitlement_id, type, quantity, start_at, end_at, created_at FROM lots;
DROP TABLE lots;
ALTER TABLE lots_before RENAME TO lots;
CREATE INDEX lots_virtual_account ON lots (virtual_account_id);
ALTER TABLE entitlements DROP COLUMN higher_tier_id;
ALTER TABLE entitlements DROP COLUMN overage;
ALTER TABLE entitlements DROP COLUMN reporting_only;
ALTER TABLE entitlements DROP COLUMN billing;
ALTER TABLE entitlements DROP COLUMN enforcement;
ALTER TABLE entitlements DROP COLUMN type;
ALTER TABLE entitlements DROP COLUMN description;
