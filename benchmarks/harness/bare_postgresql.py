"""The bare server: the same rows in the same kind of tables with nothing around them, one connection."""

import random
import struct
import time
from collections.abc import Sequence

import psycopg

from benchmarks.harness.territory import ATTRIBUTES, BATCH, ENTITIES, START
from parvis.kernel.time import SECOND

_SCHEMA = """
CREATE SCHEMA bare;
SET search_path = bare;
CREATE TABLE attribute (entity bigint, name int, dataset int, shape int, value float8, observed bigint, extra text,
    modified bigint, created bigint, PRIMARY KEY (entity, name, dataset)) WITH (fillfactor = 80);
CREATE TABLE history (entity bigint, name int, dataset int, ts bigint, seq bigint, shape int, value float8,
    observed bool, extra text, recorded bigint, PRIMARY KEY (entity, name, dataset, ts, seq));
CREATE TABLE outbox (seq bigint PRIMARY KEY, entity bigint, kind int, at bigint, first bigint, last bigint);
CREATE TEMPORARY TABLE staged (seq bigint, entity bigint, name int, value float8, ts bigint) ON COMMIT DELETE ROWS;
"""
_PRESENT = """
INSERT INTO attribute SELECT entity, name, 0, 1, value, ts, NULL, ts, ts FROM staged
ON CONFLICT (entity, name, dataset) DO UPDATE SET shape = excluded.shape, value = excluded.value,
    observed = excluded.observed, extra = excluded.extra, modified = excluded.modified
"""
_PAST = "INSERT INTO history SELECT entity, name, 0, ts, seq, 1, value, true, NULL, ts FROM staged"
_TOLD = """
INSERT INTO outbox SELECT min(seq), entity, 2, min(ts), min(seq), max(seq) + 1 FROM staged GROUP BY entity
"""
_ROW = struct.Struct("!hiqiqiiidiq")
_HEAD, _END = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"


def entities_per_second(url: str, batches: int = 60) -> float:
    """State, history and outbox of BATCH entities a durable transaction, by COPY and INSERT SELECT."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_SCHEMA)
        source = random.Random(2)
        for start in range(0, ENTITIES, 10 * BATCH):
            entities = range(start, min(ENTITIES, start + 10 * BATCH))
            _write(connection, _rows(entities, 0, start * len(ATTRIBUTES), source))
        connection.execute("VACUUM ANALYZE attribute")
        seq = ENTITIES * len(ATTRIBUTES)
        prepared = [
            _rows(source.sample(range(ENTITIES), BATCH), tick, seq + tick * BATCH * len(ATTRIBUTES), source)
            for tick in range(1, batches + 1)
        ]
        began = time.perf_counter()
        for rows in prepared:
            _write(connection, rows)
        taken = time.perf_counter() - began
        connection.execute("DROP SCHEMA bare CASCADE")
        return batches * BATCH / taken


def _rows(entities: Sequence[int], tick: int, seq: int, source: random.Random) -> bytes:
    at = START + tick * SECOND
    rows = [
        _ROW.pack(
            5, 8, seq + place * len(ATTRIBUTES) + name, 8, one, 4, name, 8, round(source.random() * 100, 2), 8, at
        )
        for place, one in enumerate(entities)
        for name in range(len(ATTRIBUTES))
    ]
    return b"".join((_HEAD, *rows, _END))


def _write(connection: "psycopg.Connection[psycopg.rows.TupleRow]", rows: bytes) -> None:
    with connection.transaction():
        with connection.cursor().copy("COPY staged FROM STDIN (FORMAT binary)") as copy:
            copy.write(rows)
        for statement in (_PRESENT, _PAST, _TOLD):
            connection.execute(statement)
