"""The rows of closed days, as they are moved into files."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

from parvis.broker.ports.archive import (
    ArchiveFile,
    ArchiveRow,
    Day,
    OpenClosedRows,
    Owner,
    PendingErasure,
    SeriesOfFile,
    day_of,
)
from parvis.kernel.time import DAY, Instant
from parvis.stores.sqlite.catalogue import list_erasures, list_files
from parvis.stores.sqlite.database import Connection, Database
from parvis.stores.sqlite.names import REMOVED, Names
from parvis.stores.sqlite.segments import EVERY_SEGMENT, list_settled_series
from parvis.stores.sqlite.tail import ALL_DONE
from parvis.stores.sqlite.temporal import list_marks

OF_A_DAY = f"{EVERY_SEGMENT} AND entity = ? AND name = ? AND dataset = ? AND ts >= ? AND ts < ? AND seq <= ?"
_DAY_ROWS = f"SELECT ts, seq, shape, value, observed, extra, recorded FROM history WHERE {OF_A_DAY} ORDER BY ts, seq"
_ENTITIES = "SELECT urn, typeset FROM entity WHERE tenant = ? AND deleted IS NULL"
_NUMBER = "SELECT id FROM entity WHERE tenant = ? AND urn = ?"
_NEXT_TIME = (
    "SELECT min((SELECT ts FROM history WHERE segment = s.id AND entity = ? AND name = ? AND dataset = ? AND ts >= ?"
    " ORDER BY ts LIMIT 1)) FROM segment s"
)
_SETTLED = f"SELECT CASE entity WHEN {ALL_DONE} THEN high ELSE low END FROM settling"


class _ClosedRows:
    """Hot rows in the snapshot that `connection` has begun."""

    def __init__(self, connection: Connection, path: Path | None) -> None:
        self._connection = connection
        (name,) = connection.execute("SELECT name FROM identity").fetchone()
        self.owner = Owner(name, str(path.resolve()) if path else "")
        (self.upto,) = connection.execute(_SETTLED).fetchone()
        (self.newest_erasure,) = connection.execute("SELECT ifnull(max(id), 0) FROM erasure").fetchone()
        self._names = Names(connection)

    def list_tenants(self) -> list[str]:
        return [name for name, _ in self._names.tenants.items()]

    def list_days(self, tenant: str, before: Day) -> list[Day]:
        found: set[Day] = set()
        number = self._names.tenants.ids[tenant]
        entities = self._connection.execute("SELECT id FROM entity WHERE tenant = ?", (number,)).fetchall()
        for (entity,) in entities:
            for series in list_settled_series(self._connection, entity):
                found.update(self._days((entity, *series), before))
        being_purged = {day_of(start) for start, _, _ in list_marks(self._connection, number)}
        return sorted(found - being_purged)

    def list_files(self, tenant: str, day: Day | None = None) -> list[ArchiveFile]:
        return list_files(self._connection, self._names, tenant, day)

    def list_erasures(self, file: ArchiveFile) -> list[PendingErasure]:
        return list_erasures(self._connection, self._names, file)

    def read_day(self, tenant: str, day: Day) -> Iterator[tuple[tuple[str, ...], Iterator[ArchiveRow]]]:
        marks = list_marks(self._connection, self._names.tenants.ids[tenant])
        if day * DAY in [start for start, _, _ in marks]:
            return
        entities = self._connection.execute(
            "SELECT typeset, id, urn FROM entity WHERE tenant = ? ORDER BY typeset, urn",
            (self._names.tenants.ids[tenant],),
        )
        for typeset, part in groupby(entities, key=lambda row: row[0]):
            yield self._names.typesets.key(typeset), self._rows(part, day)

    def list_types(self, tenant: str) -> dict[str, tuple[str, ...]]:
        number = self._names.tenants.ids.get(tenant)
        rows = self._connection.execute(_ENTITIES, (number,))
        return {urn: self._names.typesets.key(typeset) for urn, typeset in rows}

    def list_held(self, tenant: str, entities: Sequence[str], days: range) -> Iterator[tuple[SeriesOfFile, Instant]]:
        number, names = self._names.tenants.ids.get(tenant), self._names
        for urn in entities:
            row = self._connection.execute(_NUMBER, (number, urn)).fetchone()
            for name, dataset in list_settled_series(self._connection, row[0]) if row else ():
                series = SeriesOfFile(urn, names.words.key(name), names.dataset_text(dataset))
                bounds = (row[0], name, dataset, days.start * DAY, days.stop * DAY, self.upto)
                for ts, *_ in self._connection.execute(_DAY_ROWS, bounds):
                    yield series, ts

    def _days(self, series: tuple[int, int, int], before: Day) -> Iterator[Day]:
        since = -(2**62)
        while (found := self._connection.execute(_NEXT_TIME, (*series, since)).fetchone()[0]) is not None:
            day = day_of(found)
            if day >= before:
                return
            yield day
            since = (day + 1) * DAY

    def _rows(self, entities: Iterator[tuple[int, int, str]], day: Day) -> Iterator[ArchiveRow]:
        names = self._names
        for _, entity, urn in entities:
            keys = list_settled_series(self._connection, entity)
            series = sorted((names.words.key(name), names.dataset_text(ds), name, ds) for name, ds in keys)
            for attribute, dataset, *numbers in series:
                bounds = (entity, *numbers, day * DAY, (day + 1) * DAY, self.upto)
                for ts, seq, shape, value, observed, extra, recorded in self._connection.execute(_DAY_ROWS, bounds):
                    kind, unit = names.shapes.key(shape) if shape != REMOVED else (REMOVED, "")
                    yield ArchiveRow(
                        urn, attribute, dataset, ts, seq, bool(observed), int(kind), unit, value, extra, recorded
                    )


class ClosedRowsOf:
    """Of a file: sent to a worker process as its path. Of a database in memory: used in this process."""

    def __init__(self, database: Database) -> None:
        self._path = database.path
        self._database = database if database.path is None else None

    @property
    def in_process(self) -> bool:
        return self._path is None

    @contextmanager
    def __call__(self) -> Iterator[_ClosedRows]:
        database = self._database or Database(self._path or Path())
        connection = database.connect_reader()
        try:
            connection.execute("BEGIN")
            yield _ClosedRows(connection, self._path)
        finally:
            connection.close()


def open_closed_rows(path: Path) -> OpenClosedRows:
    return ClosedRowsOf(Database(path))
