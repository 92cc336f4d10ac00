-- +goose Up
-- A holding is what one full request has said, with the changes since. The next
-- request is staged in one of its own, so that the switch to it is short.
CREATE TABLE holdings (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  state      TEXT NOT NULL CHECK (state IN ('staged', 'held', 'dropped')),
  created_at TIMESTAMP NOT NULL
);
CREATE INDEX holdings_state ON holdings (state);
INSERT INTO holdings (id, state, created_at) SELECT id, 'held', registered_at FROM satellites;

ALTER TABLE satellites ADD COLUMN holding INTEGER NOT NULL DEFAULT 0; -- REFERENCES holdings (id)
UPDATE satellites SET holding = id;
ALTER TABLE satellites ADD COLUMN head_digest   TEXT NOT NULL DEFAULT ''; -- of the last request that was kept
ALTER TABLE satellites ADD COLUMN head_base     INTEGER NOT NULL DEFAULT 0; -- its base_sequence
ALTER TABLE satellites ADD COLUMN restored_at   TIMESTAMP; -- last sign that it was restored from an older copy
ALTER TABLE satellites ADD COLUMN duplicated_at TIMESTAMP; -- last sign that two copies of it send
ALTER TABLE satellites ADD COLUMN lapsed_at     TIMESTAMP; -- its licenses were taken back; none: it has them

ALTER TABLE records RENAME TO records_before;
CREATE TABLE records (
  holding INTEGER NOT NULL REFERENCES holdings (id),
  kind    TEXT NOT NULL,
  key     TEXT NOT NULL,
  hash    BLOB NOT NULL,
  value   TEXT NOT NULL, -- JSON
  removed BOOLEAN NOT NULL, -- a tombstone, in what is staged
  PRIMARY KEY (holding, kind, key)
) WITHOUT ROWID;
INSERT INTO records (holding, kind, key, hash, value, removed) SELECT satellite, kind, key, hash, value, FALSE FROM records_before;
DROP TABLE records_before;

-- Usage reports of a request that is not kept yet.
CREATE TABLE staged_reports (
  holding INTEGER NOT NULL REFERENCES holdings (id),
  digest  TEXT NOT NULL,
  report  BLOB NOT NULL,
  PRIMARY KEY (holding, digest)
) WITHOUT ROWID;

-- The requests that were answered, and which answer each goes on from.
CREATE TABLE lineage (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  satellite    INTEGER NOT NULL REFERENCES satellites (id),
  sequence     INTEGER NOT NULL,
  digest       TEXT NOT NULL,
  base_digest  TEXT NOT NULL,
  registration BOOLEAN NOT NULL,
  kept         BOOLEAN NOT NULL,
  forked       BOOLEAN NOT NULL, -- its sender was restored or copied
  UNIQUE (satellite, sequence, digest)
);
INSERT INTO lineage (satellite, sequence, digest, base_digest, registration, kept, forked)
  SELECT satellite, sequence, request_digest, '', FALSE, NOT full_requested, FALSE FROM answers ORDER BY id;

-- Devices that a full request lacked, to be told to the satellite.
CREATE TABLE recoveries (
  satellite INTEGER NOT NULL REFERENCES satellites (id),
  key       TEXT NOT NULL, -- PIID
  value     TEXT NOT NULL, -- JSON
  sequence  INTEGER NOT NULL, -- of the first request whose answer told it
  PRIMARY KEY (satellite, key)
) WITHOUT ROWID;

-- Devices whose removal was told. No device is ever made under the same PIID.
CREATE TABLE removed_devices (
  satellite  INTEGER NOT NULL REFERENCES satellites (id),
  key        TEXT NOT NULL, -- PIID
  removed_at TIMESTAMP NOT NULL,
  PRIMARY KEY (satellite, key)
) WITHOUT ROWID;

-- What happened to a satellite here, and why.
CREATE TABLE events (
  id        INTEGER PRIMARY KEY AUTOINCREMENT,
  at        TIMESTAMP NOT NULL,
  satellite INTEGER NOT NULL REFERENCES satellites (id),
  type      TEXT NOT NULL,
  message   TEXT NOT NULL
);

-- Licenses that went from one virtual account to another.
CREATE TABLE moves (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  from_id    INTEGER NOT NULL REFERENCES virtual_accounts (id),
  to_id      INTEGER NOT NULL REFERENCES virtual_accounts (id),
  tag        TEXT NOT NULL,
  quantity   INTEGER NOT NULL,
  moved_at   TIMESTAMP NOT NULL
);
CREATE INDEX moves_from ON moves (from_id, moved_at);

-- +goose Down
DROP TABLE moves;
DROP TABLE events;
DROP TABLE removed_devices;
DROP TABLE recoveries;
DROP TABLE lineage;
DROP TABLE staged_reports;
CREATE TABLE records_before (
  satellite INTEGER NOT NULL REFERENCES satellites (id),
  kind      TEXT NOT NULL,
  key       TEXT NOT NULL,
  hash      BLOB NOT NULL,
  value     TEXT NOT NULL, -- JSON
  PRIMARY KEY (satellite, kind, key)
) WITHOUT ROWID;
INSERT INTO records_before (satellite, kind, key, hash, value)
  SELECT s.id, r.kind, r.key, r.hash, r.value FROM satellites s JOIN records r ON r.holding = s.holding;
DROP TABLE records;
ALTER TABLE records_before RENAME TO records;
ALTER TABLE satellites DROP COLUMN lapsed_at;
ALTER TABLE satellites DROP COLUMN duplicated_at;
ALTER TABLE satellites DROP COLUMN restored_at;
ALTER TABLE satellites DROP COLUMN head_base;
ALTER TABLE satellites DROP COLUMN head_digest;
ALTER TABLE satellites DROP COLUMN holding;
DROP TABLE holdings;
