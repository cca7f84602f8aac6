-- What earlier rounds settled: it may stand in the log still.
ALTER TABLE settling ADD COLUMN low INTEGER NOT NULL DEFAULT 0;
