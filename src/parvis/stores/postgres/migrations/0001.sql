-- Schema 1. Names, datasetIds, kinds and type sets are interned.
-- Instants are microseconds since the Unix epoch. Keys are led by tenant and entity.
-- A value stands in `number` or in `text`; the form of its shape says which, and how to read it.

CREATE TABLE tenant (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE
);

CREATE TABLE word (  -- attribute names and datasetIds
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    text text NOT NULL UNIQUE
);

CREATE TABLE shape (  -- what most instances of an attribute share; 0: the instance was removed
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind smallint NOT NULL,
    unit text NOT NULL,
    form smallint NOT NULL,
    UNIQUE (kind, unit, form)
);

CREATE TABLE typeset (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    types text NOT NULL UNIQUE  -- JSON array, sorted
);

CREATE TABLE numbers (  -- who locks this row commits next: numbers are given in the order of commits
    id boolean PRIMARY KEY DEFAULT true CHECK (id),
    log bigint NOT NULL,
    event bigint NOT NULL
);
INSERT INTO numbers VALUES (true, 0, 0);

CREATE SEQUENCE entity_id;

CREATE TABLE entity (
    tenant integer NOT NULL,
    id bigint NOT NULL,
    urn text COLLATE "C" NOT NULL,
    typeset integer NOT NULL,
    scopes text,  -- JSON array, or NULL for none
    created bigint NOT NULL,
    modified bigint NOT NULL,  -- of the entity's own members; its attributes carry theirs
    deleted bigint,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, urn)
) WITH (fillfactor = 90);
CREATE INDEX entity_by_type ON entity (tenant, typeset, id) WHERE deleted IS NULL;

CREATE TABLE attribute (  -- the present
    tenant integer NOT NULL,
    entity bigint NOT NULL,
    name integer NOT NULL,
    dataset integer NOT NULL,  -- 0: the default instance
    shape integer NOT NULL,
    number double precision,
    text text COLLATE "C",
    observed bigint,
    extra text,
    modified bigint NOT NULL,
    created bigint NOT NULL,
    bounds box,  -- of a geometry: longitude, latitude
    PRIMARY KEY (tenant, entity, name, dataset)
) WITH (fillfactor = 80);
CREATE INDEX attribute_place ON attribute USING gist (bounds) WHERE bounds IS NOT NULL;

CREATE TABLE history (
    tenant integer NOT NULL,
    entity bigint NOT NULL,
    name integer NOT NULL,
    dataset integer NOT NULL,
    ts bigint NOT NULL,  -- observedAt, or when it was recorded
    seq bigint NOT NULL,
    shape integer NOT NULL,
    observed boolean NOT NULL,  -- ts is observedAt
    number double precision,
    text text COLLATE "C",
    extra text,
    recorded bigint NOT NULL,
    PRIMARY KEY (tenant, entity, name, dataset, ts, seq)
) PARTITION BY RANGE (ts);
CREATE INDEX history_seq ON history USING brin (seq) WITH (pages_per_range = 16, autosummarize = on);
CREATE TABLE history_other PARTITION OF history DEFAULT;

CREATE TABLE outbox (
    seq bigint PRIMARY KEY,
    tenant integer NOT NULL,
    entity bigint NOT NULL,
    typeset integer NOT NULL,
    kind smallint NOT NULL,
    at bigint NOT NULL,
    first bigint NOT NULL,  -- its rows in history: first <= seq < last, from <= ts <= upto
    last bigint NOT NULL,
    earliest bigint NOT NULL,
    latest bigint NOT NULL
);

CREATE TABLE consumer (
    name text PRIMARY KEY,
    seq bigint NOT NULL
);

CREATE TABLE lease (  -- what only one process may do, and who does it
    name text PRIMARY KEY,
    holder text NOT NULL,
    until timestamptz NOT NULL
);

-- Rows are seen of the tenant that the transaction has set, of all where it set 0, of none where it set nothing.
CREATE FUNCTION parvis_tenant() RETURNS integer LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT nullif(current_setting('parvis.tenant', true), '')::integer $$;
ALTER TABLE entity ENABLE ROW LEVEL SECURITY;
ALTER TABLE entity FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON entity USING ((SELECT parvis_tenant()) IN (tenant, 0));
ALTER TABLE attribute ENABLE ROW LEVEL SECURITY;
ALTER TABLE attribute FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON attribute USING ((SELECT parvis_tenant()) IN (tenant, 0));
ALTER TABLE history ENABLE ROW LEVEL SECURITY;
ALTER TABLE history FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON history USING ((SELECT parvis_tenant()) IN (tenant, 0));
ALTER TABLE outbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE outbox FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON outbox USING ((SELECT parvis_tenant()) IN (tenant, 0));
