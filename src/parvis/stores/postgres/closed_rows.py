"""The rows of closed days, as they are moved into files."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any

import psycopg

from parvis.broker.ports.archive import (
    ArchiveFile,
    ArchiveRow,
    Day,
    OpenClosedRows,
    Owner,
    PendingErasure,
    SeriesOfFile,
)
from parvis.kernel.time import DAY, Instant
from parvis.stores.postgres.catalogue import list_erasures, list_files
from parvis.stores.postgres.database import EVERY_TENANT, READS_ELSEWHERE_S, Connection, Database, scoped
from parvis.stores.postgres.names import REMOVED, Names
from parvis.stores.postgres.partitions import SEEING
from parvis.stores.postgres.rows import Form, from_columns

ROWS_AT_ONCE = 20_000
_UPTO = """
SELECT least(log, (
        SELECT min(first) - 1 FROM outbox WHERE seq < event OR seq > (SELECT min(seq) FROM consumer)
    )), (SELECT coalesce(max(id), 0) FROM erasure)
FROM numbers
"""
"""The newest event stays in the outbox when everyone was told of it: its rows are not needed any more."""
_OWNER = """
SELECT identity.name, concat(system_identifier, '/', oid) FROM identity, pg_control_system(), pg_database
WHERE datname = current_database()
"""
_DAY = f"((ts - ((ts %% {DAY}) + {DAY}) %% {DAY}) / {DAY})"
_DAYS = (
    f"SELECT DISTINCT {_DAY} FROM history WHERE tenant = %s AND ts < %s AND seq <= %s"
    f" AND {_DAY} NOT IN (SELECT day FROM purging WHERE purging.tenant = history.tenant)"
)
_DAY_ROWS = (
    "SELECT e.typeset, e.urn, h.name, h.dataset, h.ts, h.seq, h.observed, h.shape, h.number, h.text, h.extra,"
    " h.recorded FROM history h JOIN entity e ON e.tenant = h.tenant AND e.id = h.entity"
    " WHERE h.tenant = %(tenant)s AND h.ts >= %(start)s AND h.ts < %(end)s AND h.seq <= %(upto)s"
    " AND NOT EXISTS (SELECT 1 FROM purging WHERE tenant = %(tenant)s AND day = %(day)s) ORDER BY e.typeset"
)
_ENTITIES = "SELECT urn, typeset FROM entity WHERE tenant = %s AND deleted IS NULL"
_HELD = """
SELECT e.urn, h.name, h.dataset, h.ts FROM entity e JOIN history h ON h.tenant = e.tenant AND h.entity = e.id
WHERE e.tenant = %s AND e.urn = ANY (%s::text[]) AND h.ts >= %s AND h.ts < %s
"""
UNKNOWN = -1


class _ClosedRows:
    """Hot rows in the snapshot that `connection` has begun, where every consumer was told of them."""

    def __init__(self, connection: Connection, names: Names) -> None:
        self._connection = connection
        self._names = names
        names.load(connection)
        self.upto: int
        self.newest_erasure: int
        self.upto, self.newest_erasure = connection.execute(_UPTO).fetchone() or (0, 0)

    @property
    def owner(self) -> Owner:
        row = self._connection.execute(_OWNER).fetchone()
        assert row is not None, "made with the schema"
        return Owner(*row)

    def list_tenants(self) -> list[str]:
        return [name for name, _ in self._names.tenants.items()]

    def list_days(self, tenant: str, before: Day) -> list[Day]:
        bounds = (self._names.tenants.ids[tenant], before * DAY, self.upto)
        return sorted(int(row[0]) for row in self._connection.execute(_DAYS.encode(), bounds))

    def list_files(self, tenant: str, day: Day | None = None) -> list[ArchiveFile]:
        return list_files(self._connection, self._names, self._names.tenants.ids[tenant], day)

    def list_erasures(self, file: ArchiveFile) -> list[PendingErasure]:
        return list_erasures(self._connection, self._names, file)

    def read_day(self, tenant: str, day: Day) -> Iterator[tuple[tuple[str, ...], Iterator[ArchiveRow]]]:
        bounds = {"start": day * DAY, "end": (day + 1) * DAY, "upto": self.upto, "day": day}
        with self._connection.cursor(name="closed") as cursor:
            cursor.itersize = ROWS_AT_ONCE
            cursor.execute(_DAY_ROWS.encode(), {**bounds, "tenant": self._names.tenants.ids[tenant]})
            for typeset, part in groupby(cursor, key=lambda row: row[0]):
                yield self._names.typesets.key(typeset), map(self._row, part)

    def list_types(self, tenant: str) -> dict[str, tuple[str, ...]]:
        number = self._names.tenants.ids.get(tenant, UNKNOWN)
        rows = self._connection.execute(_ENTITIES, (number,))
        return {urn: self._names.typesets.key(typeset) for urn, typeset in rows}

    def list_held(self, tenant: str, entities: Sequence[str], days: range) -> Iterator[tuple[SeriesOfFile, Instant]]:
        """Also those that some consumer was not told of yet."""
        number, names = self._names.tenants.ids.get(tenant, UNKNOWN), self._names
        bounds = (number, list(entities), days.start * DAY, days.stop * DAY)
        with self._connection.cursor(name="held") as cursor:
            cursor.itersize = ROWS_AT_ONCE
            for urn, name, dataset, ts in cursor.execute(_HELD, bounds):
                yield SeriesOfFile(urn, names.words.key(name), names.dataset_text(dataset)), ts

    def _row(self, row: tuple[Any, ...]) -> ArchiveRow:
        names = self._names
        _, urn, name, dataset, ts, seq, observed, shape, number, text, extra, recorded = row
        kind, unit, form = names.shapes.key(shape) if shape != REMOVED else (REMOVED, "", None)
        value = None if form is None else text.encode() if form is Form.JSON else from_columns(form, number, text)
        attribute, of_dataset = names.words.key(name), names.dataset_text(dataset)
        return ArchiveRow(urn, attribute, of_dataset, ts, seq, observed, int(kind), unit, value, extra, recorded)


class ClosedRowsOf:
    """Sent to a worker process as the database's address."""

    in_process = False

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def __call__(self) -> Iterator[_ClosedRows]:
        with self._database.connect("parvis archive", READS_ELSEWHERE_S) as connection:
            connection.isolation_level, connection.read_only = psycopg.IsolationLevel.REPEATABLE_READ, True
            with scoped(connection, EVERY_TENANT, SEEING):
                yield _ClosedRows(connection, Names(self._database))


def open_closed_rows(url: str) -> OpenClosedRows:
    return ClosedRowsOf(Database(url))
