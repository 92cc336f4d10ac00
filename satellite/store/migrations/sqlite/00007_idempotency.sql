-- Requests that carried a key and were carried out. Kept for a day.

-- +goose Up
CREATE TABLE idempotency_claims (
    actor       TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    request     TEXT    NOT NULL, -- which of the requests with this key it is
    fingerprint BLOB    NOT NULL, -- sealed
    answer      BLOB,             -- sealed; NULL where it was not kept
    at          INTEGER NOT NULL,
    PRIMARY KEY (actor, key)
);
CREATE INDEX idempotency_claims_at ON idempotency_claims (at);

-- +goose Down
DROP TABLE idempotency_claims;
