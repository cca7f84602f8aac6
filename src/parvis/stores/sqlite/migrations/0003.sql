-- Reactions that survive: who holds them.
CREATE TABLE lease (  -- what only one process may do, and who does it
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    until REAL NOT NULL  -- seconds since the Unix epoch
) WITHOUT ROWID;
