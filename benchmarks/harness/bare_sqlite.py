"""The bare engine: the same rows into the same kind of tables with nothing around them, one connection, one thread."""

import random
import sqlite3
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.harness.territory import ATTRIBUTES, BATCH, ENTITIES, START
from parvis.kernel.time import SECOND

_SCHEMA = """
CREATE TABLE attribute (entity INT, name INT, dataset INT, shape INT, value, observed INT, extra TEXT, modified INT,
    created INT, PRIMARY KEY (entity, name, dataset)) WITHOUT ROWID;
CREATE TABLE log (seq INTEGER PRIMARY KEY, entity INT, name INT, dataset INT, shape INT, value, ts INT, observed INT,
    extra TEXT, recorded INT);
CREATE TABLE outbox (seq INTEGER PRIMARY KEY, entity INT, kind INT, at INT, first INT, last INT);
"""
_PRESENT = (
    "INSERT INTO attribute VALUES (?, ?, 0, ?, ?, ?, NULL, ?, ?) ON CONFLICT DO UPDATE SET shape = excluded.shape,"
    " value = excluded.value, observed = excluded.observed, extra = excluded.extra, modified = excluded.modified"
)
_PAST = "INSERT INTO log (entity, name, dataset, shape, value, ts, observed, recorded) VALUES (?, ?, 0, ?, ?, ?, 1, ?)"
_TOLD = "INSERT INTO outbox (entity, kind, at, first, last) VALUES (?, 2, ?, ?, ?)"


def entities_per_second(batches: int = 100) -> float:
    """State, history and outbox of BATCH entities a durable transaction, by executemany."""
    with TemporaryDirectory(prefix="parvis-bare-") as folder:
        connection = sqlite3.connect(Path(folder) / "bare.db", isolation_level=None)
        for pragma in ("page_size = 2048", "journal_mode = WAL", "synchronous = FULL", "cache_size = -65536",
                       "wal_autocheckpoint = 32000"):  # fmt: skip
            connection.execute(f"PRAGMA {pragma}")
        connection.executescript(_SCHEMA)
        source = random.Random(2)
        for start in range(0, ENTITIES, 10 * BATCH):
            _write(connection, list(range(start, start + 10 * BATCH)), 0, source)
        chosen = [source.sample(range(ENTITIES), BATCH) for _ in range(batches)]
        began = time.perf_counter()
        for tick, entities in enumerate(chosen):
            _write(connection, entities, tick, source)
        seconds = time.perf_counter() - began
        connection.close()
        return batches * BATCH / seconds


def _write(connection: sqlite3.Connection, entities: list[int], tick: int, source: random.Random) -> None:
    at = START + tick * SECOND
    values = [(one, name, round(source.random() * 100, 2)) for one in entities for name in range(len(ATTRIBUTES))]
    connection.execute("BEGIN")
    connection.executemany(_PRESENT, [(one, name, 1, value, at, at, at) for one, name, value in values])
    connection.executemany(_PAST, [(one, name, 1, value, at, at) for one, name, value in values])
    connection.executemany(_TOLD, [(one, at, 0, 0) for one in entities])
    connection.execute("COMMIT")
