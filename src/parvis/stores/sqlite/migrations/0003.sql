-- Reactions that survive: who holds them.
CREATE TABLE lease (  -- what only one process may do, and who does it
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    until REAL NOT NULL  -- seconds since the Unix epoch
) WITHOUT ROWID;

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
CREATE INDEX job_waiting ON job (tenant, kind, due) WHERE state = 0;
CREATE INDEX job_running ON job (until) WHERE state = 1;
CREATE INDEX job_started ON job (tenant, started);
CREATE INDEX job_kind_started ON job (tenant, kind, started);
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
