"""A backup of 200 000 entities and 50 million values while writes go on: what they wait, how long it takes, what it
takes of the disk, and whether all of it comes back.

The history is laid into the store's own segments by SQL, as settling leaves them; four attributes of each entity.
Writes come one by one at a steady rate and count from when they were due. Beside it, in the same run and under the same
writes, the bare engine: SQLite's backup API in one step, and VACUUM INTO. What came back is compared by digests of
every row of the history and of the present; the writes in it are all up to one of them, none later, none missing.

    .venv/bin/python -m benchmarks.backup --values 2000000 --entities 20000   # a small one
"""

import argparse
import hashlib
import marshal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import msgspec

from benchmarks.harness.http_load import request
from benchmarks.harness.platform import serving
from benchmarks.harness.report import Figure, tell
from benchmarks.harness.steady import Steady, sending
from benchmarks.harness.territory import ATTRIBUTES, ENTITIES, START, entity_id, load
from parvis.kernel.time import MINUTE, SECOND, format_instant
from parvis.stores.sqlite.segments import SEGMENT_ROWS

VALUES = 50_000_000
WRITES_PER_S = 100
QUIET_S = 25.0
"""Before the backup, and after it."""
WRITTEN_ENTITIES = 1_000
WRITTEN = "temperature"
FIRST = 100_000_000
"""The numbers of what is laid begin here."""
ROWS_AT_ONCE = 20_000
COMPARED_ROWS = "entity, name, dataset, ts, seq, shape, value, observed, extra, recorded"


class Span(NamedTuple):
    since_s: float
    until_s: float

    @property
    def seconds(self) -> float:
        return self.until_s - self.since_s


class Measured(NamedTuple):
    quiet: tuple[Span, ...]
    backup: Span
    second: Span
    bare_copy: Span
    bare_vacuum: Span
    restore_s: float
    bytes_kept: int
    bytes_added_by_second: int
    bytes_of_store: int
    bytes_of_vacuum: int
    writes: Steady


def main(values: int = VALUES, entities: int = ENTITIES, folder: Path | None = None) -> list[Figure]:
    with TemporaryDirectory(prefix="parvis-bench-", dir=folder) as parent:
        data_dir = Path(parent, "data")
        _lay(data_dir, values, entities)
        measured = _measure(data_dir, Path(parent), entities)
    return list(_figures(measured))


def _lay(data_dir: Path, values: int, entities: int) -> None:
    data_dir.mkdir()
    (data_dir / "territory.toml").write_text("[history]\narchive_after_days = 0\n")
    with serving(data_dir) as served:
        load(served.port, entities)
        served.wait_until_quiet()
    began = time.perf_counter()
    laid = lay_history(data_dir / "parvis.db", values)
    print(f"{laid:,} values laid in {time.perf_counter() - began:.0f} s", flush=True)


def lay_history(path: Path, values: int) -> int:
    """In whole segments, each of one attribute of all entities; how many."""
    with closing(sqlite3.connect(path, isolation_level=None)) as store:
        for pragma in ("journal_mode = DELETE", "journal_mode = OFF", "synchronous = OFF", "cache_size = -262144"):
            store.execute(f"PRAGMA {pragma}")
        names = [
            store.execute("SELECT id FROM word WHERE text LIKE ?", (f"%{name}",)).fetchone()[0]
            for name, _ in ATTRIBUTES
        ]
        (entities,) = store.execute("SELECT count(*) FROM entity").fetchone()
        (segment,) = store.execute("SELECT max(id) FROM segment").fetchone()
        ticks, seq = max(1, min(values // len(names), SEGMENT_ROWS) // entities), FIRST
        store.execute(
            f"CREATE TEMP TABLE tick AS WITH RECURSIVE n (i) AS"
            f" (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {ticks - 1}) SELECT i FROM n"
        )
        while seq - FIRST < values:
            segment += 1
            start = START - (segment + 1) * ticks * MINUTE
            store.execute("INSERT INTO segment VALUES (?, ?)", (segment, SEGMENT_ROWS))
            store.execute(
                _LAY,
                {"segment": segment, "name": names[segment % len(names)], "start": start, "seq": seq, "ticks": ticks},
            )
            seq += ticks * entities
        store.execute("UPDATE reserved SET upto = ?", (seq,))
        store.execute("PRAGMA journal_mode = WAL")
        return seq - FIRST


_LAY = f"""
INSERT INTO history
SELECT :segment, entity.id, :name, 0, :start + tick.i * {MINUTE}, :seq + (entity.id - 1) * :ticks + tick.i,
    (SELECT shape FROM attribute WHERE entity = entity.id AND name = :name LIMIT 1),
    abs(random()) % 10000 / 100.0, 1, NULL, :start + tick.i * {MINUTE} + 50000
FROM entity CROSS JOIN tick ORDER BY entity.id, tick.i
"""


def _measure(data_dir: Path, parent: Path, entities: int) -> Measured:
    store, repository, restored = data_dir / "parvis.db", parent / "backups", parent / "restored"
    with ExitStack() as stack:
        served = stack.enter_context(serving(data_dir))
        served.wait_until_quiet()
        writes = stack.enter_context(sending(served.port, WRITES_PER_S, _write))
        time.sleep(3)
        before = _during(lambda: time.sleep(QUIET_S))
        acknowledged = len(writes.answered)
        backup = _during(lambda: _parvis("backup", "take", repository, "--data", data_dir))
        sent = writes.sent
        time.sleep(3)
        quiet = (before, _during(lambda: time.sleep(QUIET_S)))
        kept = _bytes_below(repository)
        second = _during(lambda: _parvis("backup", "take", repository, "--data", data_dir))
        added = _bytes_below(repository) - kept
        bare_copy = _during(lambda: _in_process(bare_backup, store, parent / "bare.db"))
        size = (parent / "bare.db").stat().st_size
        (parent / "bare.db").unlink()
        bare_vacuum = _during(lambda: _in_process(bare_vacuum_into, store, parent / "bare.db"))
        vacuumed = (parent / "bare.db").stat().st_size
        (parent / "bare.db").unlink()
    first = min(path.name for path in (repository / "backups").iterdir())
    restoring = _during(lambda: _parvis("restore", repository, first, "--data", restored))
    check_restored(store, restored / "parvis.db", acknowledged, sent)
    return Measured(
        quiet, backup, second, bare_copy, bare_vacuum, restoring.seconds, kept, added, size, vacuumed, writes
    )  # fmt: skip


def _during(act: Callable[[], object]) -> Span:
    began = time.perf_counter()
    act()
    return Span(began, time.perf_counter())


def _parvis(*arguments: object) -> None:
    subprocess.run([sys.executable, "-m", "parvis", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def _in_process(act: Callable[[Path, Path], None], store: Path, target: Path) -> None:
    with ProcessPoolExecutor(1) as pool:
        pool.submit(act, store, target).result()


def bare_backup(store: Path, target: Path) -> None:
    with closing(sqlite3.connect(store)) as there, closing(sqlite3.connect(target)) as here:
        there.backup(here)


def bare_vacuum_into(store: Path, target: Path) -> None:
    with closing(sqlite3.connect(store)) as there:
        there.execute("VACUUM INTO ?", (str(target),))


def _write(number: int) -> bytes:
    """The value is its number."""
    body = {
        "type": "Property", "value": number, "unitCode": "CEL",
        "observedAt": format_instant(START + number * SECOND),
    }  # fmt: skip
    path = f"/ngsi-ld/v1/entities/{entity_id(number % WRITTEN_ENTITIES)}/attrs/{WRITTEN}"
    return request("PATCH", path, msgspec.json.encode(body))


def check_restored(store: Path, restored: Path, acknowledged: int, sent: int) -> None:
    """Raises RuntimeError."""
    with ProcessPoolExecutor(2) as pool:
        here, there = pool.map(digest_of, (store, restored))
    if here != there:
        raise RuntimeError("what came back is another history, or another present, than was there")
    with closing(sqlite3.connect(restored)) as back:
        written = [value for (value,) in back.execute(_WRITTEN_VALUES)]
        if written != list(range(1, len(written) + 1)) or not acknowledged <= len(written) <= sent:
            raise RuntimeError(f"{len(written)} writes came back of {acknowledged} acknowledged before and {sent} sent")
        newest: dict[int, int] = {value % WRITTEN_ENTITIES: value for value in written}
        present = {value for (value,) in back.execute(_PRESENT_OF_WRITTEN)}
        if present != set(newest.values()):
            raise RuntimeError("the present that came back is of another moment than the history")


_OF_WRITTEN = f"""
name = (SELECT id FROM word WHERE text LIKE '%{WRITTEN}') AND entity IN
(SELECT id FROM entity WHERE urn BETWEEN '{entity_id(0)}' AND '{entity_id(WRITTEN_ENTITIES - 1)}')
"""
_WRITTEN_VALUES = f"""
SELECT DISTINCT value FROM (
    SELECT seq, value FROM log WHERE {_OF_WRITTEN} AND ts > {START}
    UNION ALL SELECT seq, value FROM history WHERE {_OF_WRITTEN} AND ts > {START}
) ORDER BY value
"""
_PRESENT_OF_WRITTEN = f"SELECT value FROM attribute WHERE {_OF_WRITTEN} AND observed > {START}"
_COMPARED = (
    f"SELECT {COMPARED_ROWS} FROM history WHERE seq >= {FIRST} AND ts < {START}",
    "SELECT id, tenant, urn, typeset, scopes, created, deleted FROM entity ORDER BY id",
    f"SELECT * FROM attribute WHERE NOT ({_OF_WRITTEN}) ORDER BY entity, name, dataset",
)


def digest_of(database: Path) -> str:
    """Of all that was laid, and of the present of all that was not written to."""
    digest = hashlib.sha256()
    with closing(sqlite3.connect(database)) as connection:
        for sql in _COMPARED:
            for rows in _chunks(connection.execute(sql)):
                digest.update(marshal.dumps(rows, 2))
    return digest.hexdigest()


def _chunks(cursor: sqlite3.Cursor) -> Iterator[list[Any]]:
    while rows := cursor.fetchmany(ROWS_AT_ONCE):
        yield rows


def _bytes_below(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _figures(told: Measured) -> Iterator[Figure]:
    quiet = _percentiles(told.writes, *told.quiet)
    during, bare = (_percentiles(told.writes, span) for span in (told.backup, told.bare_copy))
    apart = " and ".join(str(_percentiles(told.writes, span)) for span in told.quiet)
    print(
        f"{len(told.writes.answered):,} writes; without: {apart} ms; during the first backup: {during} ms;"
        f" during the next: {_percentiles(told.writes, told.second)} ms;"
        f" during VACUUM INTO: {_percentiles(told.writes, told.bare_vacuum)} ms (p50, p99, most)",
        flush=True,
    )
    beside, mib = "SQLite's backup API in one step", 1 << 20
    yield Figure(
        "p50 of a write while a backup is taken", during[0], "ms", None, quiet[0], "without", smaller_is_better=True
    )
    yield Figure(
        "p99 of a write while a backup is taken",
        during[1],
        "ms",
        3 * quiet[1],
        quiet[1],
        "without",
        smaller_is_better=True,
    )
    yield Figure("the longest that one waited", during[2], "ms", None, bare[2], beside, smaller_is_better=True)
    yield Figure(
        "a first backup", told.backup.seconds, "s", None, told.bare_copy.seconds, beside, smaller_is_better=True
    )
    yield Figure(
        "what it takes of the disk",
        told.bytes_kept / mib,
        "MiB",
        None,
        told.bytes_of_vacuum / mib,
        "VACUUM INTO",
        smaller_is_better=True,
    )
    yield Figure(
        "the next backup", told.second.seconds, "s", None, told.bare_copy.seconds, beside, smaller_is_better=True
    )
    yield Figure(
        "what that adds",
        told.bytes_added_by_second / mib,
        "MiB",
        None,
        told.bytes_of_store / mib,
        "another copy",
        smaller_is_better=True,
    )
    yield Figure(
        "bringing it back, all compared",
        told.restore_s,
        "s",
        None,
        told.bare_copy.seconds,
        beside,
        smaller_is_better=True,
    )


def _percentiles(writes: Steady, *spans: Span) -> tuple[float, float, float]:
    ordered = sorted(one for span in spans for one in writes.latencies_ms(*span))
    p50, p99 = (ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in (0.5, 0.99))
    return round(p50, 2), round(p99, 2), round(ordered[-1], 2)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--values", type=int, default=VALUES)
    parser.add_argument("--entities", type=int, default=ENTITIES)
    parser.add_argument("--folder", type=Path, help="where to work: about five times the store's size are needed")
    arguments = parser.parse_args()
    tell(*main(arguments.values, arguments.entities, arguments.folder))
