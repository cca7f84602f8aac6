CREATE TABLE IF NOT EXISTS purpose (  -- of a tenant's own, or given another content there
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    document BLOB NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS privacy_policy (
    tenant TEXT PRIMARY KEY,
    document BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS privacy_ledger (  -- what was erased or aggregated
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant TEXT NOT NULL,
    key TEXT NOT NULL,  -- nothing is told twice
    at INTEGER NOT NULL,
    document BLOB NOT NULL,
    UNIQUE (tenant, key)
) STRICT;

CREATE TRIGGER IF NOT EXISTS privacy_ledger_is_never_changed BEFORE UPDATE ON privacy_ledger
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER IF NOT EXISTS privacy_ledger_is_never_cut BEFORE DELETE ON privacy_ledger
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

CREATE TABLE IF NOT EXISTS privacy_step (  -- what is being done just now
    tenant TEXT NOT NULL,
    key TEXT NOT NULL,
    document BLOB NOT NULL,
    PRIMARY KEY (tenant, key)
) STRICT, WITHOUT ROWID;
