"""The file of a closed day: made anew of the file before, without what was erased, and of the rows that came since."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from parvis.broker.model.entity import Iri
from parvis.broker.ports.archive import ArchiveDamaged, ArchiveRow, Partition, PendingErasure, SeriesOfFile, WrittenFile
from parvis.stores.archive.engine import Condition, Limits, connect, not_erased, text_literal
from parvis.stores.archive.faults import telling_faults, verify
from parvis.stores.archive.layout import file_path, partition_name
from parvis.stores.archive.rows import COLUMNS, ORDER, PAGE_BYTES, ROWS_OF_A_GROUP, Columns, columns_of
from parvis.stores.archive.storage import Storage, checksum, read_file

if TYPE_CHECKING:
    from parvis.stores.archive.engine import Connection

ROWS_AT_ONCE = 20_480
BYTES_AT_ONCE = 16 << 20
"""Of values that are no numbers; the row that exceeds it is the last of its piece."""
FORMAT = (
    "FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd, COMPRESSION_LEVEL 5, WRITE_BLOOM_FILTER false,"
    f" ROW_GROUP_SIZE {ROWS_OF_A_GROUP}, DATA_PAGE_SIZE_LIMIT {PAGE_BYTES}"
)
PARTITION_KEY = "parvis_partition"
NAMES = ", ".join(column.name for column in COLUMNS)
TAKEN = NAMES.replace("time,", "make_timestamptz(time) AS time,")
_FRESH = ", ".join(f"{column.name} {column.type}" for column in COLUMNS)
_EXTENT = (
    "SELECT count(*), epoch_us(min(time)), epoch_us(max(time)), min(epoch_us(time) + delay_us),"
    " max(epoch_us(time) + delay_us) FROM read_parquet(?, hive_partitioning = false)"
)
_SERIES = (
    "SELECT DISTINCT entity, attribute, dataset FROM read_parquet(?, hive_partitioning = false)"
    " ORDER BY entity, attribute, dataset"
)


class Made(msgspec.Struct, frozen=True):
    """A file and the series it holds, in order. `upto` is the greatest number of its instances."""

    file: WrittenFile
    series: tuple[SeriesOfFile, ...]


def write_day(
    storage: Storage,
    limits: Limits,
    partition: Partition,
    generation: str,
    rows: Iterable[ArchiveRow],
    old: WrittenFile | None = None,
    erasures: Sequence[PendingErasure] = (),
    expired: Sequence[Iri] = (),
) -> Made | None:
    """The file at `file_path(partition, generation)`; None where no row is left. `rows` may come in any order.

    What `erasures` cover is left out, and everything of the `expired` attributes.

    Memory stays within `limits`, whatever the number of rows. The file appears whole, on disk, or not at all.

    Raises:
        ArchiveDamaged: the old file is not what was written: the new one would hide that.
        ArchiveFileGone: the old file is not there.
        ArchiveUnreachable: the storage cannot be written or read.
        EngineExhausted: it does not fit into `limits`.
    """
    pieces = map(columns_of, _pieces(rows))
    return write_columns(storage, limits, partition, generation, pieces, old, erasures, expired)


def write_columns(
    storage: Storage,
    limits: Limits,
    partition: Partition,
    generation: str,
    pieces: Iterable[Columns],
    old: WrittenFile | None = None,
    erasures: Sequence[PendingErasure] = (),
    expired: Sequence[Iri] = (),
) -> Made | None:
    """As write_day, of rows that are columns already."""
    path = file_path(partition, generation)
    olds = [old] if old is not None else []
    for one in olds:
        verify(storage, one)
    with storage.scratch() as folder, telling_faults(storage, olds):
        connection = connect(limits, folder / "spill", storage.file_system)
        try:
            connection.execute(f"CREATE TABLE fresh ({_FRESH})")
            for piece in pieces:
                _take(connection, piece)
            made = folder / "made.parquet"
            chosen = _choose([storage.locate(one.path) for one in olds], erasures, expired)
            copied = _copy(connection, chosen, made, partition)
            told = _describe(connection, made, path) if copied else None
        finally:
            connection.close()
        if told is not None:
            if told.file.rows != copied:
                raise ArchiveDamaged(f"{path}: {copied} rows were written, {told.file.rows} are read.")
            storage.publish(made, path)
        return told


def _pieces(rows: Iterable[ArchiveRow]) -> Iterator[list[ArchiveRow]]:
    piece: list[ArchiveRow] = []
    size = 0
    for row in rows:
        piece.append(row)
        size += _bytes_of(row)
        if len(piece) == ROWS_AT_ONCE or size > BYTES_AT_ONCE:
            yield piece
            piece, size = [], 0
    if piece:
        yield piece


def _bytes_of(row: ArchiveRow) -> int:
    """About, of its long members."""
    value = len(row.value) if isinstance(row.value, str | bytes) else 0
    return value if row.extra is None else value + len(row.extra)


def _take(connection: "Connection", piece: Columns) -> None:
    connection.register("piece", piece)
    connection.execute(f"INSERT INTO fresh SELECT {TAKEN} FROM piece")
    connection.unregister("piece")


def _choose(olds: list[str], erasures: Sequence[PendingErasure], expired: Sequence[Iri]) -> Condition:
    kept, sources = not_erased(erasures), f"SELECT {NAMES} FROM fresh"
    if olds:
        sources += f" UNION ALL SELECT {NAMES} FROM read_parquet(?, hive_partitioning = false)"
    return Condition(
        f"SELECT {NAMES} FROM ({sources}) AS rows WHERE {kept.sql} AND NOT list_contains(?, attribute)"
        f" ORDER BY {', '.join(ORDER)}",
        (*([olds] if olds else []), *kept.parameters, list(expired)),
    )


def _copy(connection: "Connection", chosen: Condition, made: Path, partition: Partition) -> int:
    """How many rows were written."""
    about = f"KV_METADATA {{{PARTITION_KEY}: {text_literal(partition_name(partition))}}}"
    copied = connection.execute(
        f"COPY ({chosen.sql}) TO {text_literal(str(made))} ({FORMAT}, {about})", chosen.parameters
    ).fetchone()
    return int(copied[0]) if copied else 0


def _describe(connection: "Connection", made: Path, path: str) -> Made:
    """As it is read back."""
    found = connection.execute(_EXTENT, [[str(made)]]).fetchone()
    assert found is not None
    rows, *extent = found
    series = tuple(SeriesOfFile(*key) for key in connection.execute(_SERIES, [[str(made)]]).fetchall())
    return Made(WrittenFile(path, rows, made.stat().st_size, checksum(read_file(made)), *extent), series)


def list_series(storage: Storage, limits: Limits, file: WrittenFile) -> Iterator[SeriesOfFile]:
    """Of a file that was written before, in order."""
    with storage.scratch() as folder, telling_faults(storage, [file]):
        connection = connect(limits, folder, storage.file_system)
        try:
            found = connection.execute(_SERIES, [[storage.locate(file.path)]])
            while keys := found.fetchmany(ROWS_AT_ONCE):
                yield from (SeriesOfFile(*key) for key in keys)
        finally:
            connection.close()
