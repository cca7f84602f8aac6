"""The heavy half of a move, in a process of its own: hot rows become files. What it made is told, not recorded."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import msgspec

from parvis.broker.model.entity import Iri
from parvis.broker.ports.archive import (
    ArchiveDamaged,
    ArchiveFile,
    ArchiveFileGone,
    ArchiveRow,
    ClosedRows,
    Day,
    Move,
    OpenClosedRows,
    Partition,
    Replacement,
    SeriesOfFile,
)
from parvis.broker.temporal.retention import Expiry, Retention
from parvis.stores.archive.engine import Limits
from parvis.stores.archive.faults import EngineExhausted
from parvis.stores.archive.storage import Storage, open_storage
from parvis.stores.archive.write import list_series, write_day

SERIES_AT_ONCE = 2_000


class Task(msgspec.Struct, frozen=True):
    """Days before `before` are closed. `today` is what ages count from. `url`: where the archive lies."""

    open_rows: OpenClosedRows
    url: str
    data_dir: Path
    limits: Limits
    retention: Retention
    before: Day
    today: Day


class Begun(msgspec.Struct, frozen=True):
    """So many days are to be looked at."""

    days: int


class SeriesMade(msgspec.Struct, frozen=True):
    partition: Partition
    series: tuple[SeriesOfFile, ...]


class Moved(msgspec.Struct, frozen=True):
    """A day was dealt with; without a move there was nothing to do."""

    tenant: str
    day: Day
    move: Move | None


class Stumbled(msgspec.Struct, frozen=True):
    """A day stays as it is: one of its files cannot be read, or it is too large for the engine."""

    tenant: str
    day: Day
    reason: str


Message = Begun | SeriesMade | Moved | Stumbled


def work(task: Task, tell: Callable[[Message], None]) -> None:
    """Each day in a snapshot of its own, so that none is held for long."""
    storage = open_storage(task.url, task.data_dir)
    days = list(_list_days(task))
    tell(Begun(len(days)))
    for tenant, day in days:
        with task.open_rows() as rows:
            try:
                move = _Mover(task, storage, rows, tell).move(tenant, day)
            except (ArchiveDamaged, ArchiveFileGone, EngineExhausted) as fault:
                tell(Stumbled(tenant, day, fault.detail))
            else:
                tell(Moved(tenant, day, move))


def _list_days(task: Task) -> Iterator[tuple[str, Day]]:
    """Oldest first: days with hot rows, and days whose files are to lose something."""
    with task.open_rows() as rows:
        for tenant in rows.list_tenants():
            stale = {file.partition.day for file in rows.list_files(tenant) if _is_stale(task, rows, file)}
            for day in sorted({*rows.list_days(tenant, task.before), *stale}):
                yield tenant, day


def _expiry(task: Task, types: Sequence[Iri], day: Day) -> Expiry:
    return task.retention.expiry(types, task.today - day)


def _is_stale(task: Task, rows: ClosedRows, file: ArchiveFile) -> bool:
    expiry = _expiry(task, file.partition.types, file.partition.day)
    return not file.expired.includes(expiry) or bool(rows.list_erasures(file))


class _Mover:
    def __init__(self, task: Task, storage: Storage, rows: ClosedRows, tell: Callable[[Message], None]) -> None:
        self._task = task
        self._storage = storage
        self._rows = rows
        self._tell = tell
        self._met_rows = False

    def move(self, tenant: str, day: Day) -> Move | None:
        files = {file.partition.types: file for file in self._rows.list_files(tenant, day)}
        replacements: list[Replacement | None] = []
        if day < self._task.before:
            for types, fresh in self._rows.read_day(tenant, day):
                replacements.append(self._replace(Partition(tenant, types, day), fresh, files.pop(types, None)))
        replacements.extend(self._replace(file.partition, iter(()), file) for file in files.values())
        made = tuple(one for one in replacements if one is not None)
        if not made and not self._met_rows:
            return None
        return Move(tenant, day, self._rows.upto if self._met_rows else 0, self._rows.newest_erasure, made)

    def _replace(
        self, partition: Partition, fresh: Iterator[ArchiveRow], old: ArchiveFile | None
    ) -> Replacement | None:
        """None where the partition's file, or its absence, is right as it is."""
        expiry = _expiry(self._task, partition.types, partition.day)
        fresh = self._kept(fresh, expiry)
        first = next(fresh, None)
        if first is None and (old is None or not _is_stale(self._task, self._rows, old)):
            return None
        made = None
        if not expiry.of_everything:
            made = write_day(
                self._storage,
                self._task.limits,
                partition,
                secrets.token_hex(8),
                fresh if first is None else chain((first,), fresh),
                old.file if old is not None else None,
                self._rows.list_erasures(old) if old is not None else (),
                self._expired(old, expiry),
            )
        for start in range(0, len(made.series) if made else 0, SERIES_AT_ONCE):
            assert made is not None
            self._tell(SeriesMade(partition, made.series[start : start + SERIES_AT_ONCE]))
        if made is None and old is None:
            return None
        old_path = old.file.path if old is not None else None
        return Replacement(partition, old_path, made.file if made else None, expiry)

    def _expired(self, old: ArchiveFile | None, expiry: Expiry) -> list[Iri]:
        """Attributes that the old file may hold and the new one does not."""
        if old is None or not expiry.attributes:
            return []
        held = {one.attribute for one in list_series(self._storage, self._task.limits, old.file)}
        return sorted(attribute for attribute in held if expiry.covers(attribute))

    def _kept(self, fresh: Iterator[ArchiveRow], expiry: Expiry) -> Iterator[ArchiveRow]:
        for row in fresh:
            self._met_rows = True
            if not expiry.covers(row.attribute):
                yield row
