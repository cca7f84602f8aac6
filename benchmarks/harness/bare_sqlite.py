"""The bare engine: the same rows in the same kind of tables with nothing around them, one connection, one thread."""

import contextlib
import random
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
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
Rows = Mapping[str, list[tuple[float, ...]]]
"""Parameters by statement."""


def entities_per_second(batches: int = 100) -> float:
    """State, history and outbox of BATCH entities a durable transaction, by executemany."""
    with _opened(ENTITIES) as connection:
        source = random.Random(2)
        chosen = [source.sample(range(ENTITIES), BATCH) for _ in range(batches)]
        prepared = [_rows(entities, tick, source) for tick, entities in enumerate(chosen)]
        began = time.perf_counter()
        for rows in prepared:
            _write(connection, rows)
        return batches * BATCH / (time.perf_counter() - began)


def patches_per_second(entities: int, together: int, patches: int = 20_000) -> float:
    """State, history and outbox of one attribute a patch, `together` patches a durable transaction."""
    with _opened(entities) as connection:
        source = random.Random(4)
        began = time.perf_counter()
        for tick in range(patches):
            one, at, value = source.randrange(entities), START + tick * SECOND, round(source.random() * 40, 2)
            if tick % together == 0:
                connection.execute("BEGIN")
            connection.execute(_PRESENT, (one, 0, 1, value, at, at, at))
            connection.execute(_PAST, (one, 0, 1, value, at, at))
            connection.execute(_TOLD, (one, at, 0, 0))
            if (tick + 1) % together == 0:
                connection.execute("COMMIT")
        return patches / (time.perf_counter() - began)


def queries_per_second(thresholds: list[float]) -> float:
    """The first 20 entities above a threshold, in order, and their attributes."""
    with _opened(ENTITIES) as connection:
        began = time.perf_counter()
        for threshold in thresholds:
            found = connection.execute(
                "SELECT entity FROM attribute WHERE name = 0 AND value > ? ORDER BY entity LIMIT 20", (threshold,)
            ).fetchall()
            for key in found:
                connection.execute("SELECT * FROM attribute WHERE entity = ?", key).fetchall()
        return len(thresholds) / (time.perf_counter() - began)


def aggregate_ms(instances: int, a_day: int) -> float:
    """Average, minimum and maximum of each day over one clustered series; the 95th percentile of 100."""
    with _opened(0) as connection:
        connection.execute("CREATE TABLE history (entity INT, ts INT, value, PRIMARY KEY (entity, ts)) WITHOUT ROWID")
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO history VALUES (1, ?, ?)", ((number, number % 37 / 2) for number in range(instances))
        )
        connection.execute("COMMIT")
        taken = []
        for _ in range(100):
            began = time.perf_counter()
            for start in range(0, instances, a_day):
                connection.execute(
                    "SELECT avg(value), min(value), max(value) FROM history WHERE entity = 1 AND ts >= ? AND ts < ?",
                    (start, start + a_day),
                ).fetchone()
            taken.append(time.perf_counter() - began)
        return sorted(taken)[94] * 1000


@contextlib.contextmanager
def _opened(entities: int) -> Iterator[sqlite3.Connection]:
    with TemporaryDirectory(prefix="parvis-bare-") as folder:
        connection = sqlite3.connect(Path(folder) / "bare.db", isolation_level=None)
        for pragma in ("page_size = 1024", "journal_mode = WAL", "synchronous = FULL", "cache_size = -65536",
                       "wal_autocheckpoint = 64000"):  # fmt: skip
            connection.execute(f"PRAGMA {pragma}")
        connection.executescript(_SCHEMA)
        source = random.Random(2)
        for start in range(0, entities, 10 * BATCH):
            _write(connection, _rows(range(start, min(entities, start + 10 * BATCH)), 0, source))
        yield connection
        connection.close()


def _rows(entities: Sequence[int], tick: int, source: random.Random) -> Rows:
    at = START + tick * SECOND
    values = [(one, name, round(source.random() * 100, 2)) for one in entities for name in range(len(ATTRIBUTES))]
    return {
        _PRESENT: [(one, name, 1, value, at, at, at) for one, name, value in values],
        _PAST: [(one, name, 1, value, at, at) for one, name, value in values],
        _TOLD: [(one, at, 0, 0) for one in entities],
    }


def _write(connection: sqlite3.Connection, rows: Rows) -> None:
    connection.execute("BEGIN")
    for statement, parameters in rows.items():
        connection.executemany(statement, parameters)
    connection.execute("COMMIT")
