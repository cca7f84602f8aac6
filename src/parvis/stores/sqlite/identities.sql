CREATE TABLE IF NOT EXISTS begun (  -- what must be finished soon, such as a sign-in without its second factor
    digest     BLOB PRIMARY KEY,
    purpose    TEXT NOT NULL,
    account    TEXT NOT NULL,
    facts      BLOB NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS begun_by_end ON begun (expires_at);

CREATE TABLE IF NOT EXISTS authenticator (
    account    TEXT PRIMARY KEY REFERENCES account (name),
    secret     BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    last_step  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS recovery_code (
    account TEXT NOT NULL REFERENCES account (name),
    digest  BLOB NOT NULL,
    PRIMARY KEY (account, digest)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS passkey (
    id           BLOB PRIMARY KEY,
    account      TEXT NOT NULL REFERENCES account (name),
    handle       BLOB NOT NULL,
    name         TEXT NOT NULL,
    credential   BLOB NOT NULL,
    sign_count   INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS passkey_of_account ON passkey (account);

CREATE TABLE IF NOT EXISTS foreign_identity (
    issuer       TEXT NOT NULL,
    subject      TEXT NOT NULL,
    account      TEXT NOT NULL REFERENCES account (name),
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER,
    PRIMARY KEY (issuer, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS foreign_identity_of_account ON foreign_identity (account);

CREATE TABLE IF NOT EXISTS device_certificate (  -- that a device has shown, or that opens no longer
    fingerprint   BLOB PRIMARY KEY,
    device        TEXT NOT NULL,
    tenant        TEXT NOT NULL,
    expires_at    INTEGER NOT NULL,
    first_used_at INTEGER,
    last_used_at  INTEGER,
    revoked_at    INTEGER
) STRICT, WITHOUT ROWID;
