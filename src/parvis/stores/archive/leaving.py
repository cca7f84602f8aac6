"""The past of a tenant as it leaves: a Parquet file a day, in the columns of the archive, from whichever store.

What is hot is gathered first, in files beside; each day is then made of it and of the archive's files of that day.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from parvis.backup.bundle.manifest import BundleUnusable
from parvis.broker.ports.archive import ArchiveFile, ArchiveRow, Day, PendingErasure
from parvis.broker.ports.leaving import Span
from parvis.kernel.time import DAY
from parvis.stores.archive.engine import Limits, connect, not_erased, text_literal
from parvis.stores.archive.faults import telling_faults, verify
from parvis.stores.archive.rows import COLUMNS, ORDER, columns_of, stored_value
from parvis.stores.archive.storage import Storage
from parvis.stores.archive.write import FORMAT, NAMES, TAKEN

ROWS_OF_A_PART = 100_000
BYTES_OF_A_PART = 32 << 20
ROWS_AT_ONCE = 5_000
_FROM = "FROM read_parquet(?, hive_partitioning = false)"
_DAY = f"epoch_us(time) // {DAY} - CASE WHEN epoch_us(time) % {DAY} < 0 THEN 1 ELSE 0 END"
_SPAN = f"SELECT count(*), coalesce(min(seq), 0), coalesce(max(seq), 0) {_FROM}"
_ANY = ", ".join(f"{column.name} {column.type}" for column in COLUMNS)
"""A table with a row of nothing, which is left out in a way that the engine does not foresee: else columns were written
as optional or not by what it knows of where they come from, and no two exports were alike."""
_SOMETHING = "coalesce(length(entity), 0) > 0"
_TYPES = {column.name: column.type for column in COLUMNS}
_READ = (
    "SELECT entity, attribute, dataset, epoch_us(time), seq, observed, kind, unit, number, whole, text, json, extra,"
    f" delay_us {_FROM}"
)


class DayFile(NamedTuple):
    rows: int
    numbers: Span


class Leaving:
    """Makes the files of the days. `folder` is for what is gathered; it goes with the caller's."""

    def __init__(self, storage: Storage, limits: Limits, folder: Path) -> None:
        self._storage = storage
        self._folder = folder
        one = Limits(1, limits.memory_mib, limits.spill_mib, limits.readers)
        """One thread: of several, each would write groups of rows of its own, and no two exports were alike."""
        self._engine = connect(one, folder / "spill", storage.file_system)
        self._engine.execute(f"CREATE TABLE nothing ({_ANY})")
        self._engine.execute(f"INSERT INTO nothing VALUES ({', '.join(['NULL'] * len(COLUMNS))})")
        self._parts: list[str] = []

    def close(self) -> None:
        self._engine.close()

    def gather(self, rows: Iterable[ArchiveRow]) -> Iterator[int]:
        """Tells how many it has, now and then."""
        gathered = 0
        for piece in _pieces(rows):
            part = str(self._folder / f"hot-{len(self._parts)}.parquet")
            self._engine.register("piece", columns_of(piece))
            self._engine.execute(f"COPY (SELECT {TAKEN} FROM piece ORDER BY time) TO {text_literal(part)} ({FORMAT})")
            self._engine.unregister("piece")
            self._parts.append(part)
            gathered += len(piece)
            yield gathered

    def list_days(self, files: Sequence[ArchiveFile]) -> list[Day]:
        hot = self._engine.execute(f"SELECT DISTINCT {_DAY} {_FROM}", [self._parts]).fetchall() if self._parts else []
        return sorted({int(day) for (day,) in hot} | {one.partition.day for one in files})

    def write_day(
        self, day: Day, files: Sequence[ArchiveFile], erasures: Sequence[PendingErasure], target: Path
    ) -> DayFile | None:
        """None where nothing is left of the day.

        Raises ArchiveFileGone, ArchiveDamaged, ArchiveUnreachable, EngineExhausted.
        """
        written = [one.file for one in files]
        for one in written:
            verify(self._storage, one)
        sources, parameters = [f"SELECT {NAMES} FROM nothing"], list[Any]()
        if self._parts:
            sources.append(f"SELECT {NAMES} {_FROM} WHERE time >= make_timestamptz(?) AND time < make_timestamptz(?)")
            parameters += [self._parts, day * DAY, (day + 1) * DAY]
        if written:
            sources.append(f"SELECT {NAMES} {_FROM}")
            parameters.append([self._storage.locate(one.path) for one in written])
        kept = not_erased(erasures)
        of_all = " UNION ALL ".join(sources)
        chosen = f"SELECT {NAMES} FROM ({of_all}) AS rows WHERE {_SOMETHING} AND {kept.sql} ORDER BY {', '.join(ORDER)}"
        with telling_faults(self._storage, written):
            sql = f"COPY ({chosen}) TO {text_literal(str(target))} ({FORMAT})"
            self._engine.execute(sql, [*parameters, *kept.parameters])
            found = self._engine.execute(_SPAN, [[str(target)]]).fetchone()
        assert found is not None
        rows, first, last = found
        return DayFile(rows, Span(first, last)) if rows else None


class Arriving:
    """Reads such files, which a stranger may have made."""

    def __init__(self, limits: Limits, folder: Path) -> None:
        self._engine = connect(limits, folder / "spill")

    def close(self) -> None:
        self._engine.close()

    def look(self, path: Path) -> DayFile:
        """Its rows and their numbers. Raises BundleUnusable where it has other columns."""
        import duckdb

        try:
            described = self._engine.execute(f"DESCRIBE SELECT * {_FROM}", [[str(path)]]).fetchall()
            if {name: kind for name, kind, *_ in described} != _TYPES:
                raise BundleUnusable(f"{path.name} has other columns than the past of a bundle.")
            found = self._engine.execute(_SPAN, [[str(path)]]).fetchone()
        except duckdb.Error as fault:
            raise BundleUnusable(f"{path.name} is no Parquet file that can be read.") from fault
        assert found is not None
        rows, first, last = found
        return DayFile(rows, Span(first, last))

    def read(self, path: Path) -> Iterator[list[ArchiveRow]]:
        """Raises BundleUnusable."""
        import duckdb

        try:
            found = self._engine.execute(_READ, [[str(path)]])
            while rows := found.fetchmany(ROWS_AT_ONCE):
                yield list(map(row_of, rows))
        except duckdb.Error as fault:
            raise BundleUnusable(f"{path.name} is no Parquet file that can be read.") from fault


def row_of(row: tuple[Any, ...]) -> ArchiveRow:
    entity, attribute, dataset, time, seq, observed, kind, unit, *value, extra, delay = row
    return ArchiveRow(
        entity, attribute, dataset, time, seq, observed, kind, unit, stored_value(*value) if kind else None, extra,
        time + delay,
    )  # fmt: skip


def _pieces(rows: Iterable[ArchiveRow]) -> Iterator[list[ArchiveRow]]:
    piece: list[ArchiveRow] = []
    size = 0
    for row in rows:
        piece.append(row)
        size += len(row.extra or "") + (len(row.value) if isinstance(row.value, str | bytes) else 0)
        if len(piece) == ROWS_OF_A_PART or size > BYTES_OF_A_PART:
            yield piece
            piece, size = [], 0
    if piece:
        yield piece
