-- When accounts synchronize by themselves, and how the last such run went.

-- +goose Up
CREATE TABLE sync_schedules (
    account_id INTEGER PRIMARY KEY, -- of accounts; 0 is the default
    schedule   TEXT    NOT NULL,    -- empty: the default counts
    jitter     INTEGER NOT NULL,    -- seconds
    set_at     INTEGER NOT NULL,
    set_by     TEXT    NOT NULL,
    started_at INTEGER NOT NULL,    -- the last run; 0: none
    ended_at   INTEGER NOT NULL,
    outcome    TEXT    NOT NULL,
    reason     TEXT    NOT NULL,
    retries    INTEGER NOT NULL
);

-- +goose Down
DROP TABLE sync_schedules;
