"""A day's file: whole, ordered, without what was erased, made within bounds of memory."""

import random
import subprocess
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from parvis.broker.model.entity import Iri
from parvis.broker.ports.archive import ArchiveDamaged, ArchiveRow, PendingErasure, SeriesOfFile, WrittenFile
from parvis.broker.temporal.erasure import Erasure
from parvis.kernel.time import HOUR, SECOND
from parvis.stores.archive.engine import Limits
from parvis.stores.archive.rows import COLUMNS, ORDER, ROWS_OF_A_GROUP
from parvis.stores.archive.storage import FolderStorage, checksum
from parvis.stores.archive.write import BYTES_AT_ONCE, PARTITION_KEY, list_series, write_day
from tests.stores.archive.town import (
    HARBOUR,
    LEVEL,
    LIMITS,
    MARKET,
    MIDNIGHT,
    NOTE,
    every_minute,
    hourly,
    partition,
    removal,
    row,
    write,
)


def read_back(folder: FolderStorage, file: WrittenFile, columns: str = "seq") -> list[tuple[object, ...]]:
    """In the order of the file."""
    path = str(folder.root / file.path)
    with duckdb.connect() as connection:
        return connection.execute(f"SELECT {columns} FROM read_parquet(?, hive_partitioning=false)", [path]).fetchall()


def test_the_file_is_ordered_whatever_order_the_rows_come_in(folder: FolderStorage) -> None:
    rows = [*hourly(), *hourly(HARBOUR, first_seq=100), row(200, MIDNIGHT, b'{"a":1}', attribute=NOTE)]
    random.Random(1).shuffle(rows)
    made = write(folder, rows)
    found = read_back(folder, made.file, "entity, attribute, dataset, epoch_us(time), seq")
    assert found == sorted((one.entity, one.attribute, one.dataset, one.time, one.seq) for one in rows)


def test_what_is_told_of_a_file_is_what_is_in_it(folder: FolderStorage) -> None:
    rows = [row(7, MIDNIGHT + HOUR, 1, delay=9 * SECOND), row(8, MIDNIGHT, 2, HARBOUR, delay=5 * SECOND)]
    made = write(folder, rows)
    path = folder.root / made.file.path
    assert made.file == WrittenFile(
        "tenant=town/type=https%3A%2F%2Furi.example%2FWasteContainer/day=2026-05-27/g1.parquet",
        2,
        path.stat().st_size,
        checksum(iter([path.read_bytes()])),
        MIDNIGHT,
        MIDNIGHT + HOUR,
        MIDNIGHT + 5 * SECOND,
        MIDNIGHT + HOUR + 9 * SECOND,
    )
    assert made.series == (SeriesOfFile(HARBOUR, LEVEL, ""), SeriesOfFile(MARKET, LEVEL, ""))
    assert tuple(list_series(folder, LIMITS, made.file)) == made.series


def test_other_readers_see_the_documented_columns(folder: FolderStorage) -> None:
    made = write(folder, hourly())
    with duckdb.connect() as connection:
        described = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(folder.root / made.file.path)])
        columns = [(name, kind) for name, kind, *_ in described.fetchall()]
    assert columns[: len(COLUMNS)] == [(column.name, column.type) for column in COLUMNS]
    assert [name for name, _ in columns[: len(ORDER)]] == list(ORDER)


def test_a_file_carries_the_name_of_its_partition(folder: FolderStorage) -> None:
    made = write(folder, hourly())
    with duckdb.connect() as connection:
        found = connection.execute(
            "SELECT decode(value) FROM parquet_kv_metadata(?) WHERE decode(key) = ?",
            [str(folder.root / made.file.path), PARTITION_KEY],
        ).fetchall()
    assert found == [(made.file.path.rpartition("/")[0],)]


def test_late_rows_join_the_old_file(folder: FolderStorage) -> None:
    first = write(folder, hourly())
    second = write(folder, [row(99, MIDNIGHT + HOUR // 2)], "g2", old=first.file)
    assert [seq for (seq,) in read_back(folder, second.file)] == [1, 99, *range(2, 25)]
    assert folder.find_size(first.file.path) == first.file.bytes


@pytest.mark.parametrize(
    ("erasure", "left"),
    [
        (Erasure(MARKET), {10, 11}),
        (Erasure(MARKET, LEVEL), {3, 10, 11}),
        (Erasure(MARKET, LEVEL, ""), {2, 3, 10, 11}),
        (Erasure(MARKET, LEVEL, "urn:d"), {1, 3, 4, 10, 11}),
        (Erasure(MARKET, seq=3), {1, 2, 4, 10, 11}),
        (Erasure(MARKET, before=MIDNIGHT + HOUR), {4, 10, 11}),
        (Erasure("urn:ngsi-ld:WasteContainer:none"), {1, 2, 3, 4, 10, 11}),
    ],
)
def test_what_is_erased_is_in_no_new_file(folder: FolderStorage, erasure: Erasure, left: set[int]) -> None:
    rows = [
        row(1, MIDNIGHT),
        row(2, MIDNIGHT, dataset="urn:d"),
        row(3, MIDNIGHT, "full", attribute=NOTE),
        row(4, MIDNIGHT + HOUR),
        row(10, MIDNIGHT, entity=HARBOUR),
    ]
    first = write(folder, rows)
    pending = PendingErasure(1, erasure, upto=10)
    second = write(folder, [row(11, MIDNIGHT)], "g2", old=first.file, erasures=[pending])
    assert {seq for (seq,) in read_back(folder, second.file)} == left


@pytest.mark.parametrize("at", [0.02, 0.2, 0.4, 0.6, 0.8, 0.98])
def test_an_old_file_that_changed_is_not_passed_on(folder: FolderStorage, at: float) -> None:
    made = write(folder, [row(number, MIDNIGHT + number, number / 7) for number in range(1, 2_000)])
    path = folder.root / made.file.path
    content = bytearray(path.read_bytes())
    content[int(at * len(content))] ^= 1
    path.write_bytes(content)

    with pytest.raises(ArchiveDamaged, match="not what was written"):
        write(folder, [row(3_000, MIDNIGHT)], "g2", old=made.file)

    assert [one.path for one in folder.list()] == [made.file.path]


def test_many_erasures_are_worked_in_together(folder: FolderStorage) -> None:
    first = write(folder, list(every_minute(entities=40, minutes=60)))
    gone = [PendingErasure(n, Erasure(f"urn:ngsi-ld:WasteContainer:{n:04d}"), 10_000) for n in range(1, 40)]
    gone += [
        PendingErasure(100 + n, Erasure("urn:ngsi-ld:WasteContainer:0000", seq=1 + 40 * n), 10_000) for n in range(9)
    ]
    second = write(folder, [], "g2", old=first.file, erasures=gone)
    assert [seq for (seq,) in read_back(folder, second.file)] == [1 + 40 * n for n in range(9, 60)]


def test_expired_attributes_are_left_out(folder: FolderStorage) -> None:
    expired: list[Iri] = [LEVEL]
    made = write_day(
        folder, LIMITS, partition(), "g1", [*hourly(), row(30, MIDNIGHT, "x", attribute=NOTE)], expired=expired
    )
    assert made is not None
    assert made.series == (SeriesOfFile(MARKET, NOTE, ""),)


def test_no_file_is_made_of_nothing(folder: FolderStorage) -> None:
    first = write(folder, hourly())
    everything = [PendingErasure(1, Erasure(MARKET), 100)]
    assert write_day(folder, LIMITS, partition(), "g2", [], first.file, everything) is None
    assert [one.path for one in folder.list()] == [first.file.path]


def test_removals_stay_in_the_file(folder: FolderStorage) -> None:
    made = write(folder, [row(1, MIDNIGHT, 1), removal(2, MIDNIGHT + HOUR)])
    assert read_back(folder, made.file, "seq, kind, number, delay_us") == [(1, 1, 1.0, SECOND), (2, 0, None, 0)]


def test_nothing_is_left_in_scratch(folder: FolderStorage) -> None:
    write(folder, hourly())
    assert list((folder.root / ".scratch").iterdir()) == []


def test_a_file_has_groups_of_rows_that_a_short_read_can_pass_over(folder: FolderStorage) -> None:
    made = write(folder, list(every_minute(entities=60, minutes=60 * 20)))
    with duckdb.connect() as connection:
        groups = connection.execute(
            "SELECT DISTINCT row_group_id, row_group_num_rows FROM parquet_metadata(?) ORDER BY 1",
            [str(folder.root / made.file.path)],
        ).fetchall()
    assert groups == [(0, ROWS_OF_A_GROUP), (1, 60 * 60 * 20 - ROWS_OF_A_GROUP)]


def test_large_values_are_not_gathered_by_the_thousand(folder: FolderStorage) -> None:
    alive: weakref.WeakSet[Large] = weakref.WeakSet()
    most = 0

    def rows() -> Iterator[ArchiveRow]:
        nonlocal most
        for number in range(200):
            value = Large(f"{number:06}" * 50_000)
            alive.add(value)
            most = max(most, len(alive))
            yield row(number + 1, MIDNIGHT + number, value, attribute=NOTE)

    made = write_day(folder, Limits(threads=1, memory_mib=256), partition(), "g1", rows())

    assert made is not None
    assert made.file.rows == 200
    assert most * 300_000 < 3 * BYTES_AT_ONCE, "one piece is taken while the next is gathered"


class Large(str):
    """One that can be watched."""

    __slots__ = ("__weakref__",)


BOUNDED = """
import resource, sys
from pathlib import Path
from parvis.stores.archive.storage import FolderStorage
from tests.stores.archive.town import LIMITS, every_minute, partition
from parvis.stores.archive.write import write_day
folder = FolderStorage(Path(sys.argv[1]))
write_day(folder, LIMITS, partition(), "small", every_minute(2, 60))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
made = write_day(folder, LIMITS, partition(), "large", every_minute(int(sys.argv[2])))
print(made.file.rows, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.slow
def test_a_large_day_takes_no_more_memory_than_the_engine_may(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[3]
    run = subprocess.run(
        [sys.executable, "-c", BOUNDED, str(tmp_path), "500"], cwd=root, capture_output=True, text=True, check=True
    )
    rows, more_mib = map(int, run.stdout.split())
    assert run.stderr == ""
    assert rows == 500 * 24 * 60
    assert more_mib < 2 * LIMITS.memory_mib + 64
