-- What the migrations of this folder lead to, in one go. Integer ids inside; names, datasetIds, kinds and type sets are interned.
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
    expires INTEGER,  -- when it is over
    due INTEGER,  -- when the first part of it is, at the earliest; NULL: nothing of it ever is
    UNIQUE (tenant, urn)
);
CREATE INDEX entity_by_type ON entity (tenant, typeset, id) WHERE deleted IS NULL;
CREATE INDEX gone_by_type ON entity (tenant, typeset, id) WHERE deleted IS NOT NULL;
CREATE INDEX entity_due ON entity (due) WHERE due IS NOT NULL;

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

CREATE TABLE segment (  -- parts of `history`; rows settle into the newest one
    id INTEGER PRIMARY KEY,
    settled INTEGER NOT NULL  -- rows that ever came into it
);
INSERT INTO segment VALUES (1, 0);

CREATE TABLE history (  -- settled, clustered by series and time in each segment
    segment INTEGER NOT NULL,
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
    PRIMARY KEY (segment, entity, name, dataset, ts, seq)
) WITHOUT ROWID;

CREATE TABLE settling (  -- the log from `low` up to `high` is being settled; entities up to `entity` are done
    id INTEGER PRIMARY KEY CHECK (id = 1),
    high INTEGER NOT NULL,
    entity INTEGER NOT NULL,
    low INTEGER NOT NULL DEFAULT 0  -- what earlier rounds settled: it may stand in the log still
);
INSERT INTO settling VALUES (1, 0, 0, 0);

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

CREATE TABLE reserved (  -- numbers of instances up to this one are given: those of a loaded past stand in files only
    upto INTEGER NOT NULL
);
INSERT INTO reserved VALUES (0);

CREATE TABLE identity (  -- of this database: the mark in its archive names it
    name TEXT NOT NULL
);
INSERT INTO identity VALUES (lower(hex(randomblob(16))));

CREATE TABLE archive_fault (  -- files of the archive that were found to be damaged or lost, until they are whole again
    path TEXT PRIMARY KEY,
    words TEXT NOT NULL,
    found INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE archive_file (  -- a file is a part of the archive while it stands here
    tenant INTEGER NOT NULL,
    typeset INTEGER NOT NULL,
    day INTEGER NOT NULL,  -- days since the Unix epoch
    path TEXT NOT NULL,
    rows INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    checksum TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    first_recorded INTEGER NOT NULL,
    last_recorded INTEGER NOT NULL,
    erased INTEGER NOT NULL,  -- erasures up to this one are worked in
    expired TEXT NOT NULL,  -- JSON: what retention has taken out
    PRIMARY KEY (tenant, typeset, day)
) WITHOUT ROWID;

CREATE TABLE archived (  -- days of which a series has rows in files; a day too many does no harm
    entity INTEGER NOT NULL,
    name INTEGER NOT NULL,
    dataset INTEGER NOT NULL,
    typeset INTEGER NOT NULL,
    block INTEGER NOT NULL,  -- 60 days each
    days INTEGER NOT NULL,  -- bit n: day 60 * block + n
    PRIMARY KEY (entity, name, dataset, typeset, block)
) WITHOUT ROWID;

CREATE TABLE purging (  -- rows of `history` of this day up to `upto` are in files: nobody reads them here, and they go
    tenant INTEGER NOT NULL,
    day INTEGER NOT NULL,
    upto INTEGER NOT NULL,
    PRIMARY KEY (tenant, day)
) WITHOUT ROWID;

CREATE TABLE erasure (  -- instances up to `upto` that files may still hold and nobody reads
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    entity INTEGER NOT NULL,
    name INTEGER,  -- NULL here and below: whatever it is
    dataset INTEGER,
    seq INTEGER,
    before INTEGER,
    since INTEGER,
    upto INTEGER NOT NULL
);
CREATE INDEX erasure_by_entity ON erasure (entity);

CREATE TABLE forgotten (  -- entities whose whole past was erased: they are told of again once there is something to tell
    entity INTEGER PRIMARY KEY
);

CREATE TABLE geometry (  -- the ids of `place`
    id INTEGER PRIMARY KEY,
    entity INTEGER NOT NULL,
    name INTEGER NOT NULL,
    dataset INTEGER NOT NULL,
    UNIQUE (entity, name, dataset)
);
CREATE VIRTUAL TABLE place USING rtree (id, min_lon, max_lon, min_lat, max_lat);

CREATE TABLE job (  -- what runs later, and what ran
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant INTEGER NOT NULL REFERENCES tenant (id),
    kind TEXT NOT NULL,
    key TEXT,  -- of one tenant, kind and key there is one job
    arguments TEXT NOT NULL,  -- JSON
    state INTEGER NOT NULL,  -- 0 waiting, 1 running, 2 done, 3 failed, 4 cancelled
    due INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    allowed INTEGER NOT NULL,  -- the last attempt that may be made
    progress REAL NOT NULL,
    message TEXT NOT NULL,
    result TEXT,  -- JSON
    error TEXT NOT NULL,
    creator TEXT NOT NULL,
    created INTEGER NOT NULL,
    started INTEGER,
    ended INTEGER,
    holder TEXT NOT NULL,
    until INTEGER,  -- whoever runs it must say before that it still does
    cancelling INTEGER NOT NULL
);
CREATE UNIQUE INDEX job_key ON job (tenant, kind, key) WHERE key IS NOT NULL;
CREATE INDEX job_of_tenant ON job (tenant, id);
CREATE INDEX job_waiting ON job (tenant, kind, due) WHERE state = 0;
CREATE INDEX job_running ON job (tenant, kind, until) WHERE state = 1;
CREATE INDEX job_started ON job (tenant, started);
CREATE INDEX job_kind_started ON job (tenant, kind, started, state);
CREATE INDEX job_ended ON job (ended) WHERE ended IS NOT NULL;
CREATE INDEX job_failed ON job (id) WHERE state = 3;

CREATE TABLE job_attempt (
    job INTEGER NOT NULL,
    number INTEGER NOT NULL,
    holder TEXT NOT NULL,
    started INTEGER NOT NULL,
    ended INTEGER,
    outcome INTEGER NOT NULL,  -- 0 running, 1 done, 2 failed, 3 cancelled, 4 given back, 5 lost
    error TEXT NOT NULL,
    PRIMARY KEY (job, number)
) WITHOUT ROWID;

CREATE TABLE job_schedule (
    name TEXT PRIMARY KEY,
    due INTEGER NOT NULL  -- up to then its jobs have been added
) WITHOUT ROWID;

CREATE TABLE subscription (
    id INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL,
    urn TEXT NOT NULL,
    consumer TEXT NOT NULL,  -- its name in `consumer`
    document BLOB NOT NULL,  -- JSON, names expanded
    sent INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    last_notification INTEGER,
    last_success INTEGER,
    last_failure INTEGER,
    last_reason TEXT,
    UNIQUE (tenant, urn)
);

CREATE TABLE subscription_version (  -- goes up with every change of a subscription
    id INTEGER PRIMARY KEY CHECK (id = 1),
    version INTEGER NOT NULL
);
INSERT INTO subscription_version VALUES (1, 1);

CREATE TABLE dead_letter (  -- notifications that were given up
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    subscription INTEGER NOT NULL,
    at INTEGER NOT NULL,
    entity TEXT NOT NULL,
    event INTEGER NOT NULL,
    uri TEXT NOT NULL,
    reason TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    body BLOB NOT NULL,
    headers TEXT NOT NULL
);
CREATE INDEX dead_letter_by_subscription ON dead_letter (subscription, number);

CREATE TABLE registration (  -- of context sources
    id INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL,
    urn TEXT NOT NULL,
    document BLOB NOT NULL,  -- JSON, names expanded
    UNIQUE (tenant, urn)
);

CREATE TABLE source_subscription (  -- who is told of registrations
    id INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL,
    urn TEXT NOT NULL,
    document BLOB NOT NULL,  -- JSON, names expanded
    standing BLOB,  -- JSON: what was told; NULL: nothing yet
    UNIQUE (tenant, urn)
);

CREATE TABLE source_copy (  -- subscriptions to entities as context sources have them
    id INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL,
    subscription TEXT NOT NULL,
    registration TEXT NOT NULL,
    token TEXT NOT NULL UNIQUE,  -- where its notifications come to
    document BLOB NOT NULL,  -- JSON, names expanded
    UNIQUE (tenant, subscription, registration)
);

CREATE TABLE source_version (  -- goes up with every change of a registration, or of a subscription to them
    id INTEGER PRIMARY KEY CHECK (id = 1),
    version INTEGER NOT NULL,
    mark TEXT NOT NULL  -- by which this installation knows its own calls
);
INSERT INTO source_version VALUES (1, 1, lower(hex(randomblob(8))));

CREATE TABLE shelf (  -- small records of parts of the platform, such as MQTT sessions
    tenant INTEGER NOT NULL,
    box TEXT NOT NULL,
    key BLOB NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (tenant, box, key)
) WITHOUT ROWID;

CREATE TABLE command (  -- what devices were asked to do
    tenant INTEGER NOT NULL,
    id TEXT NOT NULL,
    device TEXT NOT NULL,  -- how it names itself
    key TEXT NOT NULL,  -- the asker's own
    version INTEGER NOT NULL,
    created INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    due INTEGER,  -- NULL: nothing is left to do
    document BLOB NOT NULL,  -- JSON
    PRIMARY KEY (tenant, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX command_by_key ON command (tenant, device, key);
CREATE INDEX command_of_device ON command (tenant, device, created);
CREATE INDEX command_open ON command (tenant, device) WHERE due IS NOT NULL;
CREATE INDEX command_due ON command (due) WHERE due IS NOT NULL;
CREATE INDEX command_over ON command (changed) WHERE due IS NULL;

CREATE TABLE refusal (  -- frames of devices that were not stored; those of unknown devices wait to be adopted
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant INTEGER NOT NULL,
    reason TEXT NOT NULL,
    device TEXT NOT NULL,
    at INTEGER NOT NULL,
    document BLOB NOT NULL  -- JSON
);
CREATE INDEX refusal_by_device ON refusal (tenant, device, number);
CREATE INDEX refusal_waiting ON refusal (tenant, device, number, at) WHERE reason = 'UNKNOWN_DEVICE';

CREATE TABLE frame (  -- the last frames of each device
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant INTEGER NOT NULL,
    device TEXT NOT NULL,
    document BLOB NOT NULL  -- JSON
);
CREATE INDEX frame_by_device ON frame (tenant, device, number);

CREATE TABLE taken (  -- what each tenant brought in a month (UTC), for who shares the cost
    tenant INTEGER NOT NULL,
    month TEXT NOT NULL,
    changes INTEGER NOT NULL,
    "values" INTEGER NOT NULL,
    PRIMARY KEY (tenant, month)
) WITHOUT ROWID;

CREATE TABLE unsearched (  -- entities that may have other words than the index knows
    id INTEGER PRIMARY KEY,
    entity INTEGER NOT NULL
);

CREATE TABLE searched (  -- the words of each entity that the index holds
    entity INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL,
    text TEXT NOT NULL
);

CREATE TABLE searched_word (  -- rank 0: it names the entity, 1: it tells of it
    tenant INTEGER NOT NULL,
    rank INTEGER NOT NULL,
    word TEXT NOT NULL,
    entity INTEGER NOT NULL,
    PRIMARY KEY (tenant, rank, word, entity)
) WITHOUT ROWID;
