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

-- Reservations and transfers go upstream.
ALTER TABLE reservations ADD COLUMN change_number INTEGER NOT NULL DEFAULT 0;
ALTER TABLE transfers ADD COLUMN change_number INTEGER NOT NULL DEFAULT 0;
-- Those that are there need a number above 0 of their own: the next request is a full one.
UPDATE reservations SET change_number = id;
UPDATE transfers SET change_number = (SELECT COUNT(*) FROM transfers b
    WHERE (b.license_id, b.lot, b.from_virtual_account_id, b.to_virtual_account_id)
        <= (transfers.license_id, transfers.lot, transfers.from_virtual_account_id, transfers.to_virtual_account_id));
CREATE INDEX reservations_change ON reservations (account_id, change_number);
CREATE INDEX transfers_change ON transfers (account_id, change_number);

-- Records say more of a device than before: by that it comes back from the upstream.
UPDATE sync_states SET full_required = 1, reason = 'This version of the program tells more of each device.'
    WHERE applied_sequence > 0 AND full_required = 0;

-- +goose Down
DROP INDEX transfers_change;
DROP INDEX reservations_change;
ALTER TABLE transfers DROP COLUMN change_number;
ALTER TABLE reservations DROP COLUMN change_number;
DROP TABLE staged_records;
ALTER TABLE sync_states DROP COLUMN duplicated_at;
ALTER TABLE sync_states DROP COLUMN switched_sequence;
