-- Profiles of users, their roles in accounts, and groups of users that carry roles.

-- +goose Up
ALTER TABLE users ADD COLUMN first_name TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN last_name  TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN company    TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN address    TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN phone      TEXT NOT NULL DEFAULT '';
UPDATE users SET
    first_name = CASE WHEN instr(name, ' ') = 0 THEN name ELSE substr(name, 1, instr(name, ' ') - 1) END,
    last_name  = CASE WHEN instr(name, ' ') = 0 THEN ''   ELSE trim(substr(name, instr(name, ' ') + 1)) END;
ALTER TABLE users DROP COLUMN name;
-- Until now a System User could read everything; now he reads what his roles in
-- accounts cover, and an administrator has to give him one.

-- Whose a session is stood within it only: everybody signs in once more.
DELETE FROM sessions;
ALTER TABLE sessions ADD COLUMN user_id INTEGER NOT NULL DEFAULT 0;
CREATE INDEX sessions_user ON sessions (user_id);

CREATE TABLE user_groups (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id  INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    name        TEXT    NOT NULL,
    name_key    TEXT    NOT NULL,
    description TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    UNIQUE (account_id, name_key)
);

CREATE TABLE group_members (
    group_id INTEGER NOT NULL REFERENCES user_groups (id) ON DELETE CASCADE,
    user_id  INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY (group_id, user_id)
) WITHOUT ROWID;
CREATE INDEX group_members_user ON group_members (user_id);

-- A role that a user, or the members of a group, have in an account, or in one
-- virtual account of it: one role for each of them and each place.
CREATE TABLE grants (
    user_id            INTEGER REFERENCES users (id) ON DELETE CASCADE,
    group_id           INTEGER REFERENCES user_groups (id) ON DELETE CASCADE,
    account_id         INTEGER NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    virtual_account_id INTEGER REFERENCES virtual_accounts (id) ON DELETE CASCADE, -- null: the whole account
    role               TEXT    NOT NULL,
    granted_at         INTEGER NOT NULL,
    granted_by         TEXT    NOT NULL,
    CHECK ((user_id IS NULL) <> (group_id IS NULL))
);
CREATE UNIQUE INDEX grants_user ON grants (user_id, account_id, COALESCE(virtual_account_id, 0)) WHERE user_id IS NOT NULL;
CREATE UNIQUE INDEX grants_group ON grants (group_id, account_id, COALESCE(virtual_account_id, 0)) WHERE group_id IS NOT NULL;
CREATE INDEX grants_account ON grants (account_id);
CREATE INDEX grants_virtual_account ON grants (virtual_account_id) WHERE virtual_account_id IS NOT NULL;

-- Listings for who sees some accounts and virtual accounts only.
CREATE INDEX alerts_account_open ON alerts (account_id, id) WHERE closed_at = 0;
CREATE INDEX alerts_virtual_account ON alerts (virtual_account_id, id);
CREATE INDEX alerts_virtual_account_open ON alerts (virtual_account_id, id) WHERE closed_at = 0;
CREATE INDEX events_virtual_account ON events (account_id, virtual_account, number) WHERE virtual_account <> '';

-- +goose Down
DROP INDEX events_virtual_account;
DROP INDEX alerts_virtual_account_open;
DROP INDEX alerts_virtual_account;
DROP INDEX alerts_account_open;
DROP TABLE grants;
DROP TABLE group_members;
DROP TABLE user_groups;
DROP INDEX sessions_user;
ALTER TABLE sessions DROP COLUMN user_id;
ALTER TABLE users ADD COLUMN name TEXT NOT NULL DEFAULT '';
UPDATE users SET name = trim(first_name || ' ' || last_name);
ALTER TABLE users DROP COLUMN phone;
ALTER TABLE users DROP COLUMN address;
ALTER TABLE users DROP COLUMN company;
ALTER TABLE users DROP COLUMN last_name;
ALTER TABLE users DROP COLUMN first_name;
