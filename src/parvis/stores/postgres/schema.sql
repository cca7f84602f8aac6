-- What the migrations of this folder lead to, in one go. Names, datasetIds, kinds and type sets are interned.
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
    expires bigint,  -- when it is over
    due bigint,  -- when the first part of it is, at the earliest; NULL: nothing of it ever is
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, urn)
) WITH (fillfactor = 90);
CREATE INDEX entity_by_type ON entity (tenant, typeset, id) WHERE deleted IS NULL;
CREATE INDEX gone_by_type ON entity (tenant, typeset, id) WHERE deleted IS NOT NULL;
CREATE INDEX entity_due ON entity (due) WHERE due IS NOT NULL;

-- Where a box stands, as a number that a B-tree finds: the smallest cell of a quadtree over all longitudes and latitudes
-- that holds it. What lies in a cell has numbers around the cell's own (`cells.py` says which). An index on boxes will
-- not do: row-level security lets only leakproof operators search an index, and those of boxes are not.
CREATE FUNCTION parvis_spread(index bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    index := (index | (index << 16)) & x'0000FFFF0000FFFF'::bigint;
    index := (index | (index << 8)) & x'00FF00FF00FF00FF'::bigint;
    index := (index | (index << 4)) & x'0F0F0F0F0F0F0F0F'::bigint;
    index := (index | (index << 2)) & x'3333333333333333'::bigint;
    RETURN (index | (index << 1)) & x'5555555555555555'::bigint;
END $$;
CREATE FUNCTION parvis_leaf(at point) RETURNS bigint LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN parvis_spread(least(greatest(floor((at[0] + 180) / 360 * 16777216), 0), 16777215)::bigint)
        | (parvis_spread(least(greatest(floor((at[1] + 90) / 180 * 16777216), 0), 16777215)::bigint) << 1);
END $$;
CREATE FUNCTION parvis_cell(bounds box) RETURNS bigint LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    leaf bigint := parvis_leaf(bounds[1]);
    differing bigint := leaf # parvis_leaf(bounds[0]);
    bits integer := 0;
BEGIN
    WHILE differing > 0 LOOP
        differing := differing >> 2;
        bits := bits + 2;
    END LOOP;
    RETURN ((leaf >> bits) << 1 | 1) << bits;
END $$;

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
    cell bigint GENERATED ALWAYS AS (parvis_cell(bounds)) STORED,
    PRIMARY KEY (tenant, entity, name, dataset)
) WITH (fillfactor = 80);
CREATE INDEX attribute_place ON attribute (tenant, name, cell) WHERE cell IS NOT NULL;

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
    recorded bigint NOT NULL
) PARTITION BY RANGE (ts);
CREATE INDEX history_of_entity ON history (entity, name, dataset, ts);  -- entities have numbers no other tenant's have
CREATE INDEX history_seq ON history (seq);
CREATE TABLE history_other PARTITION OF history DEFAULT;

CREATE TABLE outbox (
    seq bigint PRIMARY KEY,
    tenant integer NOT NULL,
    entity bigint NOT NULL,
    typeset integer NOT NULL,
    kind smallint NOT NULL,
    at bigint NOT NULL,
    first bigint NOT NULL,  -- its rows in history: first <= seq < last, earliest <= ts <= latest
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
ALTER TABLE history_other ENABLE ROW LEVEL SECURITY;
ALTER TABLE history_other FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON history_other USING ((SELECT parvis_tenant()) IN (tenant, 0));
ALTER TABLE outbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE outbox FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON outbox USING ((SELECT parvis_tenant()) IN (tenant, 0));

-- Access: who may come in. Asked before the tenant is known, so no row of it is hidden by tenant; only hashes are kept.
CREATE TABLE account (
    name text COLLATE "C" PRIMARY KEY,
    password_hash text NOT NULL,
    role text NOT NULL,
    tenant text NOT NULL,
    created_at bigint NOT NULL,
    disabled boolean NOT NULL
);

CREATE TABLE session (
    digest bytea PRIMARY KEY,
    account text COLLATE "C" NOT NULL REFERENCES account (name),
    created_at bigint NOT NULL,
    last_seen_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    agent text NOT NULL DEFAULT '',
    address text NOT NULL DEFAULT '',
    method text NOT NULL DEFAULT 'password',
    hint text NOT NULL DEFAULT '',
    secret bytea NOT NULL DEFAULT '',
    next_secret bytea,
    next_at bigint NOT NULL DEFAULT 0,
    previous bytea,
    rotated_at bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 80);
CREATE INDEX session_of_account ON session (account);
CREATE INDEX session_by_end ON session (expires_at);

CREATE TABLE api_key (
    id text COLLATE "C" PRIMARY KEY,
    digest bytea NOT NULL UNIQUE,
    label text NOT NULL,
    role text NOT NULL,
    tenant text NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint,
    last_used_at bigint,
    revoked_at bigint,
    device text NOT NULL DEFAULT ''  -- the only one it may deliver for; empty: any
) WITH (fillfactor = 80);

CREATE TABLE device_certificate (  -- that a device has shown, or that opens no longer
    fingerprint bytea PRIMARY KEY,
    device text NOT NULL,
    tenant text NOT NULL,
    expires_at bigint NOT NULL,
    first_used_at bigint,
    last_used_at bigint,
    revoked_at bigint
);

CREATE TABLE one_time_link (
    digest bytea PRIMARY KEY,
    role text NOT NULL,
    expires_at bigint NOT NULL,
    used_at bigint
);

CREATE TABLE account_link (
    digest bytea PRIMARY KEY,
    account text COLLATE "C" NOT NULL UNIQUE REFERENCES account (name),
    expires_at bigint NOT NULL
);

CREATE TABLE begun (  -- what must be finished soon, such as a sign-in without its second factor
    digest bytea PRIMARY KEY,
    purpose text NOT NULL,
    account text COLLATE "C" NOT NULL,
    facts bytea NOT NULL,
    expires_at bigint NOT NULL
);
CREATE INDEX begun_by_end ON begun (expires_at);

CREATE TABLE authenticator (
    account text COLLATE "C" PRIMARY KEY REFERENCES account (name),
    secret bytea NOT NULL,
    created_at bigint NOT NULL,
    last_step bigint NOT NULL
);

CREATE TABLE recovery_code (
    account text COLLATE "C" NOT NULL REFERENCES account (name),
    digest bytea NOT NULL,
    PRIMARY KEY (account, digest)
);

CREATE TABLE passkey (
    id bytea PRIMARY KEY,
    account text COLLATE "C" NOT NULL REFERENCES account (name),
    handle bytea NOT NULL,
    name text NOT NULL,
    credential bytea NOT NULL,
    sign_count bigint NOT NULL,
    created_at bigint NOT NULL,
    last_used_at bigint
);
CREATE INDEX passkey_of_account ON passkey (account);

CREATE TABLE foreign_identity (
    issuer text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    account text COLLATE "C" NOT NULL REFERENCES account (name),
    created_at bigint NOT NULL,
    last_used_at bigint,
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX foreign_identity_of_account ON foreign_identity (account);

CREATE TABLE member (
    tenant text COLLATE "C" PRIMARY KEY,
    document bytea NOT NULL,
    outline bytea  -- GeoJSON: large, and not asked for at every request
);

CREATE TABLE mandate (  -- what a member lets the people of its pool do
    id text COLLATE "C" PRIMARY KEY,
    member text COLLATE "C" NOT NULL REFERENCES member (tenant),
    granted_at bigint NOT NULL,
    document bytea NOT NULL
);
CREATE INDEX mandate_of_member ON mandate (member, granted_at);

CREATE TABLE member_usage (
    month text COLLATE "C" NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    document bytea NOT NULL,
    PRIMARY KEY (month, tenant)
);

CREATE TABLE role (  -- of a tenant's own, or given another content there
    tenant text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    document bytea NOT NULL,
    PRIMARY KEY (tenant, name)
);

CREATE TABLE privacy_class (
    tenant text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,  -- empty: of entities of any
    attribute text COLLATE "C" NOT NULL,
    class text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant, type, attribute)
);

CREATE TABLE assignment (  -- of a further role to an account or a key
    id text COLLATE "C" PRIMARY KEY,
    subject text COLLATE "C" NOT NULL,
    document bytea NOT NULL
);
CREATE INDEX assignment_of_subject ON assignment (subject);

CREATE TABLE purpose (  -- of a tenant's own, or given another content there
    tenant text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    document bytea NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE TABLE privacy_policy (
    tenant text COLLATE "C" PRIMARY KEY,
    document bytea NOT NULL
);

CREATE TABLE privacy_ledger (  -- what was erased or aggregated
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,  -- nothing is told twice
    at bigint NOT NULL,
    document bytea NOT NULL,
    UNIQUE (tenant, key)
);
CREATE FUNCTION parvis_ledger_stays() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$;
CREATE TRIGGER privacy_ledger_is_never_changed BEFORE UPDATE OR DELETE ON privacy_ledger
    FOR EACH ROW EXECUTE FUNCTION parvis_ledger_stays();
CREATE TRIGGER privacy_ledger_is_never_cut BEFORE TRUNCATE ON privacy_ledger
    FOR EACH STATEMENT EXECUTE FUNCTION parvis_ledger_stays();

CREATE TABLE privacy_step (  -- what is being done just now
    tenant text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    document bytea NOT NULL,
    PRIMARY KEY (tenant, key)
);

CREATE UNLOGGED TABLE attempt (  -- to sign in; the oldest go
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject bytea NOT NULL,
    at bigint NOT NULL
);
CREATE INDEX attempt_of_subject ON attempt (subject, at);
CREATE INDEX attempt_by_time ON attempt (at);

CREATE TABLE audit (
    number bigint PRIMARY KEY,
    record bytea NOT NULL,
    digest bytea NOT NULL
);
CREATE FUNCTION parvis_audit_stays() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'the audit trail is append-only'; END $$;
CREATE TRIGGER audit_is_never_changed BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION parvis_audit_stays();
CREATE TRIGGER audit_is_never_emptied BEFORE TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION parvis_audit_stays();

CREATE TABLE job (  -- what runs later, and what ran
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant integer NOT NULL,
    kind text NOT NULL,
    key text,  -- of one tenant, kind and key there is one job
    arguments text NOT NULL,  -- JSON
    state smallint NOT NULL,  -- 0 waiting, 1 running, 2 done, 3 failed, 4 cancelled
    due bigint NOT NULL,
    attempt integer NOT NULL,
    allowed integer NOT NULL,  -- the last attempt that may be made
    progress double precision NOT NULL,
    message text NOT NULL,
    result text,  -- JSON
    error text NOT NULL,
    creator text NOT NULL,
    created bigint NOT NULL,
    started bigint,
    ended bigint,
    holder text NOT NULL,
    until bigint,  -- whoever runs it must say before that it still does
    cancelling boolean NOT NULL
);
CREATE UNIQUE INDEX job_key ON job (tenant, kind, key) WHERE key IS NOT NULL;
CREATE INDEX job_of_tenant ON job (tenant, id);
CREATE INDEX job_waiting ON job (tenant, kind, due) WHERE state = 0;
CREATE INDEX job_running ON job (tenant, kind, until) WHERE state = 1;
CREATE INDEX job_started ON job (tenant, started);
CREATE INDEX job_kind_started ON job (tenant, kind, started, state);
CREATE INDEX job_ended ON job (ended) WHERE ended IS NOT NULL;
CREATE INDEX job_failed ON job (id) WHERE state = 3;
ALTER TABLE job ENABLE ROW LEVEL SECURITY;
ALTER TABLE job FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON job USING ((SELECT parvis_tenant()) IN (tenant, 0));

CREATE TABLE job_attempt (
    tenant integer NOT NULL,
    job bigint NOT NULL,
    number integer NOT NULL,
    holder text NOT NULL,
    started bigint NOT NULL,
    ended bigint,
    outcome smallint NOT NULL,  -- 0 running, 1 done, 2 failed, 3 cancelled, 4 given back, 5 lost
    error text NOT NULL,
    PRIMARY KEY (job, number)
);
ALTER TABLE job_attempt ENABLE ROW LEVEL SECURITY;
ALTER TABLE job_attempt FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON job_attempt USING ((SELECT parvis_tenant()) IN (tenant, 0));

CREATE TABLE job_schedule (
    name text PRIMARY KEY,
    due bigint NOT NULL  -- up to then its jobs have been added
);

CREATE TABLE subscription (
    tenant integer NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    urn text COLLATE "C" NOT NULL,
    consumer text NOT NULL,  -- its name in `consumer`
    document text NOT NULL,  -- JSON, names expanded
    sent bigint NOT NULL DEFAULT 0,
    failed bigint NOT NULL DEFAULT 0,
    last_notification bigint,
    last_success bigint,
    last_failure bigint,
    last_reason text,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, urn)
) WITH (fillfactor = 70);
ALTER TABLE subscription ENABLE ROW LEVEL SECURITY;
ALTER TABLE subscription FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON subscription USING ((SELECT parvis_tenant()) IN (tenant, 0));

CREATE TABLE subscription_version (  -- goes up with every change of a subscription
    id boolean PRIMARY KEY DEFAULT true CHECK (id),
    version bigint NOT NULL
);
INSERT INTO subscription_version VALUES (true, 1);

CREATE TABLE registration (  -- of context sources
    tenant integer NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    urn text COLLATE "C" NOT NULL,
    document text NOT NULL,  -- JSON, names expanded
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, urn)
);
ALTER TABLE registration ENABLE ROW LEVEL SECURITY;
ALTER TABLE registration FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON registration USING ((SELECT parvis_tenant()) IN (tenant, 0));

CREATE TABLE source_subscription (  -- who is told of registrations
    tenant integer NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    urn text COLLATE "C" NOT NULL,
    document text NOT NULL,  -- JSON, names expanded
    standing text,  -- JSON: what was told; NULL: nothing yet
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, urn)
) WITH (fillfactor = 70);
ALTER TABLE source_subscription ENABLE ROW LEVEL SECURITY;
ALTER TABLE source_subscription FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON source_subscription USING ((SELECT parvis_tenant()) IN (tenant, 0));

CREATE TABLE source_copy (  -- subscriptions to entities as context sources have them
    tenant integer NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    subscription text COLLATE "C" NOT NULL,
    registration text COLLATE "C" NOT NULL,
    token text COLLATE "C" NOT NULL UNIQUE,  -- where its notifications come to
    document text NOT NULL,  -- JSON, names expanded
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, subscription, registration)
);
ALTER TABLE source_copy ENABLE ROW LEVEL SECURITY;
ALTER TABLE source_copy FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON source_copy USING ((SELECT parvis_tenant()) IN (tenant, 0));

CREATE TABLE source_version (  -- goes up with every change of a registration, or of a subscription to them
    id boolean PRIMARY KEY DEFAULT true CHECK (id),
    version bigint NOT NULL,
    mark text NOT NULL  -- by which this installation knows its own calls
);
INSERT INTO source_version VALUES (true, 1, replace(gen_random_uuid()::text, '-', ''));

CREATE TABLE notifying (  -- how endpoints do, as the process that notifies told last
    id boolean PRIMARY KEY DEFAULT true CHECK (id),
    told bytea NOT NULL
);

CREATE TABLE dead_letter (  -- notifications that were given up
    tenant integer NOT NULL,
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subscription bigint NOT NULL,
    at bigint NOT NULL,
    entity text NOT NULL,
    event bigint NOT NULL,
    uri text NOT NULL,
    reason text NOT NULL,
    attempts integer NOT NULL,
    body bytea NOT NULL,
    headers text NOT NULL,
    FOREIGN KEY (tenant, subscription) REFERENCES subscription (tenant, id) ON DELETE CASCADE
);
CREATE INDEX dead_letter_by_subscription ON dead_letter (tenant, subscription, number);
ALTER TABLE dead_letter ENABLE ROW LEVEL SECURITY;
ALTER TABLE dead_letter FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON dead_letter USING ((SELECT parvis_tenant()) IN (tenant, 0));

CREATE TABLE refusal (  -- frames of devices that were not stored; those of unknown devices wait to be adopted
    tenant integer NOT NULL,
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    reason text NOT NULL,
    device text NOT NULL,
    at bigint NOT NULL,
    claimed_until timestamptz NOT NULL DEFAULT '-infinity',  -- somebody tries it again
    document bytea NOT NULL  -- JSON
);
CREATE INDEX refusal_by_device ON refusal (tenant, device, number);
CREATE INDEX refusal_waiting ON refusal (tenant, device, number, at) WHERE reason = 'UNKNOWN_DEVICE';
ALTER TABLE refusal ENABLE ROW LEVEL SECURITY;
ALTER TABLE refusal FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON refusal USING ((SELECT parvis_tenant()) IN (tenant, 0));

CREATE TABLE frame (  -- the last frames of each device
    tenant integer NOT NULL,
    number bigint GENERATED ALWAYS AS IDENTITY,
    device text NOT NULL,
    document bytea NOT NULL,  -- JSON
    PRIMARY KEY (tenant, device, number)
);
ALTER TABLE frame ENABLE ROW LEVEL SECURITY;
ALTER TABLE frame FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON frame USING ((SELECT parvis_tenant()) IN (tenant, 0));

CREATE TABLE bus_letter (  -- news between processes too large for a notification; kept for a minute
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    body bytea NOT NULL
);

CREATE TABLE identity (  -- of this database: the mark in its archive names it
    name text NOT NULL
);
INSERT INTO identity VALUES (gen_random_uuid()::text);

CREATE TABLE archive_fault (  -- files of the archive that were found to be damaged or lost, until they are whole again
    path text PRIMARY KEY,
    words text NOT NULL,
    found bigint NOT NULL
);

CREATE TABLE archive_file (  -- a file is a part of the archive while it stands here
    tenant integer NOT NULL,
    typeset integer NOT NULL,
    day integer NOT NULL,  -- days since the Unix epoch
    path text NOT NULL,
    rows bigint NOT NULL,
    bytes bigint NOT NULL,
    checksum text NOT NULL,
    first bigint NOT NULL,
    last bigint NOT NULL,
    first_recorded bigint NOT NULL,
    last_recorded bigint NOT NULL,
    erased bigint NOT NULL,  -- erasures up to this one are worked in
    expired text NOT NULL,  -- JSON: what retention has taken out
    PRIMARY KEY (tenant, typeset, day)
);

CREATE TABLE archived (  -- days of which a series has rows in files; a day too many does no harm
    tenant integer NOT NULL,
    entity bigint NOT NULL,
    name integer NOT NULL,
    dataset integer NOT NULL,
    typeset integer NOT NULL,
    block integer NOT NULL,  -- 60 days each
    days bigint NOT NULL,  -- bit n: day 60 * block + n
    PRIMARY KEY (tenant, entity, name, dataset, typeset, block)
);

CREATE TABLE purging (  -- rows of `history` of this day up to `upto` are in files: nobody reads them here, and they go
    tenant integer NOT NULL,
    day integer NOT NULL,
    upto bigint NOT NULL,
    PRIMARY KEY (tenant, day)
);

CREATE TABLE erasure (  -- instances up to `upto` that files may still hold and nobody reads
    tenant integer NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    entity bigint NOT NULL,
    name integer,  -- NULL here and below: whatever it is
    dataset integer,
    seq bigint,
    before bigint,
    since bigint,
    upto bigint NOT NULL,
    PRIMARY KEY (tenant, entity, id)
);

CREATE TABLE forgotten (  -- entities whose whole past was erased: they are told of again once there is something to tell
    tenant integer NOT NULL,
    entity bigint NOT NULL,
    PRIMARY KEY (tenant, entity)
);
ALTER TABLE archive_file ENABLE ROW LEVEL SECURITY;
ALTER TABLE archive_file FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON archive_file USING ((SELECT parvis_tenant()) IN (tenant, 0));
ALTER TABLE archived ENABLE ROW LEVEL SECURITY;
ALTER TABLE archived FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON archived USING ((SELECT parvis_tenant()) IN (tenant, 0));
ALTER TABLE purging ENABLE ROW LEVEL SECURITY;
ALTER TABLE purging FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON purging USING ((SELECT parvis_tenant()) IN (tenant, 0));
ALTER TABLE erasure ENABLE ROW LEVEL SECURITY;
ALTER TABLE erasure FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON erasure USING ((SELECT parvis_tenant()) IN (tenant, 0));
ALTER TABLE forgotten ENABLE ROW LEVEL SECURITY;
ALTER TABLE forgotten FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON forgotten USING ((SELECT parvis_tenant()) IN (tenant, 0));

CREATE TABLE shelf (  -- small records of parts of the platform, such as MQTT sessions
    tenant integer NOT NULL,
    box text NOT NULL,
    key bytea NOT NULL,
    value bytea NOT NULL,
    PRIMARY KEY (tenant, box, key)
);
ALTER TABLE shelf ENABLE ROW LEVEL SECURITY;
ALTER TABLE shelf FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON shelf USING ((SELECT parvis_tenant()) IN (tenant, 0));

CREATE TABLE command (  -- what devices were asked to do
    tenant integer NOT NULL,
    id text NOT NULL,
    device text NOT NULL,  -- how it names itself
    key text NOT NULL,  -- the asker's own
    version integer NOT NULL,
    created bigint NOT NULL,
    changed bigint NOT NULL,
    due bigint,  -- NULL: nothing is left to do
    document bytea NOT NULL,  -- JSON
    PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX command_by_key ON command (tenant, device, key);
CREATE INDEX command_of_device ON command (tenant, device, created);
CREATE INDEX command_open ON command (tenant, device) WHERE due IS NOT NULL;
CREATE INDEX command_due ON command (due) WHERE due IS NOT NULL;
CREATE INDEX command_over ON command (changed) WHERE due IS NULL;
ALTER TABLE command ENABLE ROW LEVEL SECURITY;
ALTER TABLE command FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON command USING ((SELECT parvis_tenant()) IN (tenant, 0));

CREATE TABLE unsearched (  -- entities that may have other words than the index knows
    tenant integer NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entity bigint NOT NULL
);
ALTER TABLE unsearched ENABLE ROW LEVEL SECURITY;
ALTER TABLE unsearched FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON unsearched USING ((SELECT parvis_tenant()) IN (tenant, 0));

CREATE TABLE searched (  -- the words of each entity that the index holds
    tenant integer NOT NULL,
    entity bigint NOT NULL,
    text text NOT NULL,
    PRIMARY KEY (tenant, entity)
) WITH (fillfactor = 90);
ALTER TABLE searched ENABLE ROW LEVEL SECURITY;
ALTER TABLE searched FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON searched USING ((SELECT parvis_tenant()) IN (tenant, 0));

CREATE TABLE taken (  -- what each tenant brought in a month (UTC), for who shares the cost
    tenant integer NOT NULL,
    month text COLLATE "C" NOT NULL,
    changes bigint NOT NULL,
    "values" bigint NOT NULL,
    PRIMARY KEY (tenant, month)
) WITH (fillfactor = 50);
ALTER TABLE taken ENABLE ROW LEVEL SECURITY;
ALTER TABLE taken FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON taken USING ((SELECT parvis_tenant()) IN (tenant, 0));

CREATE TABLE searched_word (  -- rank 0: it names the entity, 1: it tells of it. Row-level security rules out a text index
    tenant integer NOT NULL,
    rank smallint NOT NULL,
    word text COLLATE "C" NOT NULL,
    entity bigint NOT NULL,
    PRIMARY KEY (tenant, rank, word, entity)
);
ALTER TABLE searched_word ENABLE ROW LEVEL SECURITY;
ALTER TABLE searched_word FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON searched_word USING ((SELECT parvis_tenant()) IN (tenant, 0));
