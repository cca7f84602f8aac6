CREATE TABLE IF NOT EXISTS member (
    tenant   TEXT PRIMARY KEY,
    document BLOB NOT NULL,
    outline  BLOB  -- GeoJSON: large, and not asked for at every request
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS mandate (
    id         TEXT PRIMARY KEY,
    member     TEXT NOT NULL REFERENCES member (tenant),
    granted_at INTEGER NOT NULL,
    document   BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS mandate_of_member ON mandate (member, granted_at);

CREATE TABLE IF NOT EXISTS member_usage (
    month    TEXT NOT NULL,
    tenant   TEXT NOT NULL,
    document BLOB NOT NULL,
    PRIMARY KEY (month, tenant)
) STRICT, WITHOUT ROWID;
