-- Responses that are staged before they are applied, and what the upstream has
-- noticed about where a satellite comes from.

-- +goose Up
ALTER TABLE sync_states ADD COLUMN switched_sequence INTEGER NOT NULL DEFAULT 0; -- of the response whose staged records are being worked off
ALTER TABLE sync_states ADD COLUMN duplicated_at     INTEGER NOT NULL DEFAULT 0; -- last sign that two copies of this satellite send

CREATE TABLE staged_records (
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    position   INTEGER NOT NULL, -- in the response
    kind       TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    value      TEXT    NOT NULL, -- JSON
    PRIMARY KEY (account_id, position)
) WITHOUT ROWID;

-- Records say more of a device than before: by that it comes back from the upstream.
UPDATE sync_states SET full_required = 1, reason = 'This version of the program tells more of each device.'
    WHERE applied_sequence > 0 AND full_required = 0;

-- +goose Down
DROP TABLE staged_records;
ALTER TABLE sync_states DROP COLUMN duplicated_at;
ALTER TABLE sync_states DROP COLUMN switched_sequence;
