"""A file that is not what was written: a clear failure that names it."""

import contextlib
import resource
import shutil
from collections.abc import Iterator

import pytest

from parvis.broker.ports.archive import ArchiveDamaged, ArchiveFileGone, WrittenFile
from parvis.kernel.errors import Overloaded, TooComplexQuery
from parvis.stores.archive import read
from parvis.stores.archive.engine import Limits
from parvis.stores.archive.faults import verify
from parvis.stores.archive.read import ArchiveReader
from parvis.stores.archive.storage import ArchiveUnreachable, FolderStorage
from parvis.stores.archive.write import write_day
from tests.stores.archive.town import (
    ALWAYS,
    LEVEL,
    LIMITS,
    MARKET,
    Known,
    catalogued,
    damage,
    every_minute,
    hourly,
    of_entity,
    partition,
    write,
)


def tear(folder: FolderStorage, file: WrittenFile, left: int) -> None:
    path = folder.root / file.path
    path.write_bytes(path.read_bytes()[:left])


@pytest.mark.parametrize("left", [0, 3, 200, -1])
def test_a_torn_file_is_named(folder: FolderStorage, reader: ArchiveReader, left: int) -> None:
    made = write(folder, hourly())
    tear(folder, made.file, left)
    with pytest.raises(ArchiveDamaged, match=r"g1\.parquet has \d+ bytes"):
        verify(folder, made.file)
    with pytest.raises(ArchiveDamaged, match=r"g1\.parquet") as caught:
        of_entity(reader, Known(MARKET, (catalogued(made),))).read((LEVEL, ""), ALWAYS, 9, last=False)
    assert caught.value.problem()["status"] == 503
    assert caught.value.extras == {"file": made.file.path}


def test_every_changed_byte_is_found(folder: FolderStorage) -> None:
    made = write(folder, hourly())
    verify(folder, made.file)
    for at in range(0, made.file.bytes, 97):
        path = damage(folder, made.file, at)
        with pytest.raises(ArchiveDamaged, match="not what was written"):
            verify(folder, made.file)
        damage(folder, made.file, at)
    assert path.stat().st_size == made.file.bytes
    verify(folder, made.file)


@pytest.mark.parametrize("column", ["time", "seq", "number"])
def test_a_damaged_page_header_is_not_told_as_history(
    folder: FolderStorage, reader: ArchiveReader, column: str
) -> None:
    """Values carry no checksum of their own: among them only `verify` finds every damage."""
    made = write(folder, list(every_minute(entities=20, minutes=600)))
    path = folder.root / made.file.path
    sql = "SELECT coalesce(dictionary_page_offset, data_page_offset) FROM parquet_metadata(?) WHERE path_in_schema = ?"
    with reader.cursor(()) as cursor:
        [(start,)] = cursor.execute(sql, (str(path), column)).fetchall()
    whole = path.read_bytes()
    path.write_bytes(whole[:start] + bytes(64) + whole[start + 64 :])
    source = of_entity(reader, Known("urn:ngsi-ld:WasteContainer:0000", (catalogued(made),)))
    with pytest.raises(ArchiveDamaged):
        source.read((LEVEL, ""), ALWAYS, 9, last=False)


def test_the_one_damaged_file_among_many_is_named(folder: FolderStorage, reader: ArchiveReader) -> None:
    made = [write(folder, hourly(first_seq=1 + 100 * n), f"g{n}") for n in range(5)]
    tear(folder, made[3].file, 100)
    with pytest.raises(ArchiveDamaged, match=r"g3\.parquet"):
        of_entity(reader, Known(MARKET, tuple(catalogued(one) for one in made))).read(
            (LEVEL, ""), ALWAYS, 999, last=False
        )


def test_a_lost_file_is_gone_not_damaged(folder: FolderStorage, reader: ArchiveReader) -> None:
    made = write(folder, hourly())
    shutil.rmtree(folder.root / "tenant=town")
    with pytest.raises(ArchiveFileGone, match=r"g1\.parquet"):
        of_entity(reader, Known(MARKET, (catalogued(made),))).read((LEVEL, ""), ALWAYS, 9, last=False)
    with pytest.raises(ArchiveFileGone):
        verify(folder, made.file)


def test_a_damaged_old_file_is_not_replaced(folder: FolderStorage) -> None:
    made = write(folder, hourly())
    tear(folder, made.file, 300)
    with pytest.raises(ArchiveDamaged, match=r"g1\.parquet"):
        write_day(folder, LIMITS, partition(), "g2", hourly(first_seq=50), made.file)
    assert [one.path for one in folder.list()] == [made.file.path]


def test_a_question_that_takes_too_long_is_given_up(reader: ArchiveReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "LONGEST_S", 0.1)
    for _ in range(2):
        with pytest.raises(TooComplexQuery), reader.hurried(()) as cursor:
            cursor.execute("SELECT sum(sin(range)) FROM range(100_000_000_000)").fetchall()
    with reader.hurried(()) as cursor:
        assert cursor.execute("SELECT 1").fetchall() == [(1,)]


def test_the_reader_recovers_once_the_file_is_whole_again(folder: FolderStorage, reader: ArchiveReader) -> None:
    made = write(folder, hourly())
    path = folder.root / made.file.path
    whole = path.read_bytes()
    source = of_entity(reader, Known(MARKET, (catalogued(made),)))
    tear(folder, made.file, 100)
    with pytest.raises(ArchiveDamaged):
        source.read((LEVEL, ""), ALWAYS, 99, last=False)
    path.write_bytes(whole)
    assert len(source.read((LEVEL, ""), ALWAYS, 99, last=False)) == 24


@contextlib.contextmanager
def files_limited_to(size_bytes: int) -> Iterator[None]:
    """No file of this process grows beyond: what a full disk does to a writer."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_no_file(folder: FolderStorage) -> None:
    with files_limited_to(4096), pytest.raises(ArchiveUnreachable):
        write_day(folder, LIMITS, partition(), "g1", every_minute(entities=20, minutes=600))
    assert list(folder.list()) == []
    assert list((folder.root / ".scratch").iterdir()) == []


def test_what_fits_neither_memory_nor_disk_is_refused(folder: FolderStorage) -> None:
    with pytest.raises(Overloaded):
        write_day(folder, Limits(1, 10, 0), partition(), "g1", every_minute(entities=100))
    assert list(folder.list()) == []
