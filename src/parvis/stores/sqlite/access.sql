CREATE TABLE IF NOT EXISTS account (
    name          TEXT PRIMARY KEY,
    password_hash TEXT NOT NULL,
    role          TEXT NOT NULL,
    tenant        TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    disabled      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS session (
    digest       BLOB PRIMARY KEY,
    account      TEXT NOT NULL REFERENCES account (name),
    created_at   INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    agent        TEXT NOT NULL DEFAULT '',
    address      TEXT NOT NULL DEFAULT '',
    method       TEXT NOT NULL DEFAULT 'password',
    hint         TEXT NOT NULL DEFAULT '',
    secret       BLOB NOT NULL DEFAULT x'',
    next_secret  BLOB,
    next_at      INTEGER NOT NULL DEFAULT 0,
    previous     BLOB,
    rotated_at   INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS session_of_account ON session (account);
CREATE INDEX IF NOT EXISTS session_by_end ON session (expires_at);

CREATE TABLE IF NOT EXISTS api_key (
    id           TEXT PRIMARY KEY,
    digest       BLOB NOT NULL UNIQUE,
    label        TEXT NOT NULL,
    role         TEXT NOT NULL,
    tenant       TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    last_used_at INTEGER,
    revoked_at   INTEGER,
    device       TEXT NOT NULL DEFAULT ''  -- the only one it may deliver for; empty: any
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS one_time_link (
    digest     BLOB PRIMARY KEY,
    role       TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS account_link (
    digest     BLOB PRIMARY KEY,
    account    TEXT NOT NULL UNIQUE REFERENCES account (name),
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS audit (
    number INTEGER PRIMARY KEY,
    record BLOB NOT NULL,
    digest BLOB NOT NULL
) STRICT;

CREATE TRIGGER IF NOT EXISTS audit_is_never_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
CREATE TRIGGER IF NOT EXISTS audit_is_never_cut BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
