-- Schema 1. Integer ids inside; names, datasetIds, kinds and type sets are interned.
-- A value column holds a number or a text as itself, and any other JSON value as a blob of its UTF-8 bytes.
-- Instants are microseconds since the Unix epoch.

CREATE TABLE tenant (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);

CREATE TABLE word (  -- attribute names and datasetIds
    id INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE
);

CREATE TABLE shape (  -- what most instances of an attribute share
    id INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    unit TEXT NOT NULL,
    UNIQUE (kind, unit)
);

CREATE TABLE typeset (
    id INTEGER PRIMARY KEY,
    types TEXT NOT NULL UNIQUE  -- JSON array, sorted
);

CREATE TABLE entity (
    id INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL REFERENCES tenant (id),
    urn TEXT NOT NULL,
    typeset INTEGER NOT NULL REFERENCES typeset (id),
    scopes TEXT,  -- JSON array, or NULL for none
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,  -- of the entity's own members; its attributes carry theirs
    deleted INTEGER,
    UNIQUE (tenant, urn)
);
CREATE INDEX entity_by_type ON entity (tenant, typeset, id) WHERE deleted IS NULL;

CREATE TABLE attribute (  -- the present
    entity INTEGER NOT NULL,
    name INTEGER NOT NULL,
    dataset INTEGER NOT NULL,  -- 0: the default instance
    shape INTEGER NOT NULL,
    value,
    observed INTEGER,
    extra TEXT,
    modified INTEGER NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (entity, name, dataset)
) WITHOUT ROWID;

CREATE TABLE log (  -- instances as they came in, until they are settled into history and told to all consumers
    seq INTEGER PRIMARY KEY,
    entity INTEGER NOT NULL,
    name INTEGER NOT NULL,
    dataset INTEGER NOT NULL,
    shape INTEGER NOT NULL,  -- 0: the instance was removed
    value,
    ts INTEGER NOT NULL,  -- observedAt, or when it was recorded
    observed INTEGER NOT NULL,  -- 1: ts is observedAt
    extra TEXT,
    recorded INTEGER NOT NULL
);

CREATE TABLE history (  -- settled, clustered by series and time
    entity INTEGER NOT NULL,
    name INTEGER NOT NULL,
    dataset INTEGER NOT NULL,
    ts INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    shape INTEGER NOT NULL,
    value,
    observed INTEGER NOT NULL,
    extra TEXT,
    recorded INTEGER NOT NULL,
    PRIMARY KEY (entity, name, dataset, ts, seq)
) WITHOUT ROWID;

CREATE TABLE settling (  -- the log up to `high` is being settled; entities up to `entity` are done
    id INTEGER PRIMARY KEY CHECK (id = 1),
    high INTEGER NOT NULL,
    entity INTEGER NOT NULL
);
INSERT INTO settling VALUES (1, 0, 0);

CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY,
    entity INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    at INTEGER NOT NULL,
    first INTEGER NOT NULL,  -- its rows in the log: first <= seq < last
    last INTEGER NOT NULL
);

CREATE TABLE consumer (
    name TEXT PRIMARY KEY,
    seq INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE geometry (  -- the ids of `place`
    id INTEGER PRIMARY KEY,
    entity INTEGER NOT NULL,
    name INTEGER NOT NULL,
    dataset INTEGER NOT NULL,
    UNIQUE (entity, name, dataset)
);
CREATE VIRTUAL TABLE place USING rtree (id, min_lon, max_lon, min_lat, max_lat);
