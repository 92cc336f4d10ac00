-- Reservations of devices that never talk. Returned ones are kept.

-- +goose Up
CREATE TABLE reservations (
    id                   INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id           INTEGER NOT NULL REFERENCES accounts (id),
    virtual_account_id   INTEGER NOT NULL, -- a returned one may outlive it, and its device
    instance_id          INTEGER NOT NULL,
    piid                 TEXT    NOT NULL,
    udi_pid              TEXT    NOT NULL,
    udi_serial_number    TEXT    NOT NULL,
    type                 TEXT    NOT NULL,
    state                TEXT    NOT NULL,
    device_key           TEXT    NOT NULL, -- public
    authorization_key    TEXT    NOT NULL, -- public, of the satellite
    authorization_secret BLOB    NOT NULL, -- sealed
    authorization_text   TEXT    NOT NULL,
    authorization_at     INTEGER NOT NULL,
    update_key           TEXT    NOT NULL, -- the same of an update that is not confirmed yet
    update_secret        BLOB    NOT NULL,
    update_text          TEXT    NOT NULL,
    update_at            INTEGER NOT NULL,
    created_at           INTEGER NOT NULL,
    created_by           TEXT    NOT NULL,
    confirmed_at         INTEGER NOT NULL,
    returned_at          INTEGER NOT NULL
);
CREATE UNIQUE INDEX reservations_device ON reservations (udi_serial_number, udi_pid) WHERE state <> 'returned';
CREATE INDEX reservations_account ON reservations (account_id, id);
CREATE INDEX reservations_virtual_account ON reservations (virtual_account_id, id);

CREATE TABLE reservation_items (
    reservation_id     INTEGER NOT NULL REFERENCES reservations (id),
    is_update          INTEGER NOT NULL, -- of an update that is not confirmed yet
    position           INTEGER NOT NULL,
    virtual_account_id INTEGER NOT NULL,
    license_id         INTEGER NOT NULL REFERENCES licenses (id),
    tag                TEXT    NOT NULL,
    name               TEXT    NOT NULL,
    description        TEXT    NOT NULL,
    type               TEXT    NOT NULL,
    count              INTEGER NOT NULL CHECK (count > 0),
    start_at           INTEGER NOT NULL,
    end_at             INTEGER NOT NULL,
    subscription_id    TEXT    NOT NULL,
    standing           INTEGER NOT NULL, -- the reservation is not returned
    PRIMARY KEY (reservation_id, is_update, position)
) WITHOUT ROWID;
CREATE INDEX reservation_items_license ON reservation_items (virtual_account_id, license_id) WHERE standing = 1;
CREATE INDEX reservation_items_virtual_account ON reservation_items (virtual_account_id);
CREATE INDEX reservation_items_end ON reservation_items (end_at) WHERE standing = 1 AND end_at <> 0;

-- +goose Down
DROP TABLE reservation_items;
DROP TABLE reservations;
