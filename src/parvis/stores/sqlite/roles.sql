CREATE TABLE IF NOT EXISTS role (
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    document BLOB NOT NULL,
    PRIMARY KEY (tenant, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS privacy_class (
    tenant TEXT NOT NULL,
    type TEXT NOT NULL,  -- empty: of entities of any
    attribute TEXT NOT NULL,
    class TEXT NOT NULL,
    PRIMARY KEY (tenant, type, attribute)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS assignment (
    id TEXT PRIMARY KEY,
    subject TEXT NOT NULL,
    document BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS assignment_of_subject ON assignment (subject);
