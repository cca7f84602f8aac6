"""A tenant in one snapshot, to be carried elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from parvis.broker.model.entity import Entity
from parvis.broker.model.header import Header, scopes_from_column
from parvis.broker.ports.archive import ArchiveFile, ArchiveRow, PendingErasure, day_of
from parvis.broker.ports.leaving import Document, Documents, Gone
from parvis.broker.ports.records import Record, Records
from parvis.kernel.errors import NonexistentTenant
from parvis.stores.postgres.apply import entity_of
from parvis.stores.postgres.batch import bigints
from parvis.stores.postgres.catalogue import list_erasures, list_files
from parvis.stores.postgres.database import EVERY_TENANT, READS_ELSEWHERE_S, Connection, Database, enter, scoped
from parvis.stores.postgres.names import REMOVED, Names
from parvis.stores.postgres.partitions import SEEING
from parvis.stores.postgres.records import list_records
from parvis.stores.postgres.rows import Form, from_columns

ENTITIES_AT_ONCE = 500
ROWS_AT_ONCE = 20_000
_HEADERS = (
    "SELECT urn, id, typeset, scopes, created, modified, deleted, expires, due FROM entity"
    " WHERE tenant = %s AND deleted IS {}NULL {} ORDER BY urn"
)
_ALIVE = _HEADERS.format("", "")
_GONE = _HEADERS.format(
    "NOT ", "AND NOT EXISTS (SELECT FROM forgotten f WHERE f.tenant = entity.tenant AND f.entity = entity.id)"
)
_FORGOTTEN = (
    "SELECT urn FROM entity e JOIN forgotten f ON f.tenant = e.tenant AND f.entity = e.id"
    " WHERE e.tenant = %s AND deleted IS NULL ORDER BY urn"
)
_PRESENT = (
    "SELECT entity, name, dataset, shape, number, text, observed, extra, modified, created FROM attribute"
    " WHERE tenant = %s AND entity = ANY (%s::bigint[])"
)
_HOT = (
    "SELECT e.urn, h.name, h.dataset, h.ts, h.seq, h.observed, h.shape, h.number, h.text, h.extra, h.recorded"
    " FROM history h JOIN entity e ON e.tenant = h.tenant AND e.id = h.entity WHERE h.tenant = %s"
)


class _Snapshot:
    """TenantSnapshot, of the transaction that `connection` has begun."""

    def __init__(self, connection: Connection, names: Names, tenant: str) -> None:
        number = enter(connection, tenant)
        if number is None:
            raise NonexistentTenant(f"There is no tenant {tenant!r}.")
        self._connection = connection
        self._names = names
        self._tenant = tenant
        self._number = number
        names.load(connection)

    def list_entities(self) -> Iterator[Entity]:
        with self._connection.cursor(name="entities") as cursor:
            cursor.execute(_ALIVE.encode(), (self._number,))
            while page := cursor.fetchmany(ENTITIES_AT_ONCE):
                yield from self._entities([(urn, Header(*columns)) for urn, *columns in page])

    def list_gone(self) -> Iterator[Gone]:
        with self._connection.cursor(name="gone") as cursor:
            for urn, *columns in cursor.execute(_GONE.encode(), (self._number,)):
                one = Header(*columns)
                assert one.deleted is not None, "asked for"
                types, scopes = self._names.typesets.key(one.typeset), scopes_from_column(one.scopes)
                yield Gone(urn, types, scopes, one.created, one.modified, one.deleted)

    def list_forgotten(self) -> Iterator[str]:
        return (urn for (urn,) in self._connection.execute(_FORGOTTEN.encode(), (self._number,)))

    def list_hot(self) -> Iterator[ArchiveRow]:
        sql = "SELECT day, upto FROM purging WHERE tenant = %s"
        purged: dict[int, int] = dict(self._connection.execute(sql, (self._number,)).fetchall())
        with self._connection.cursor(name="hot") as cursor:
            cursor.itersize = ROWS_AT_ONCE
            for row in map(self._row, cursor.execute(_HOT.encode(), (self._number,))):
                if row.seq > purged.get(day_of(row.time), -1):
                    yield row

    def list_files(self) -> list[ArchiveFile]:
        return list_files(self._connection, self._names, self._number)

    def list_erasures(self, file: ArchiveFile) -> list[PendingErasure]:
        return list_erasures(self._connection, self._names, file)

    def list_documents(self, kind: Documents) -> Iterator[Document]:
        sql = f"SELECT urn, document FROM {kind.value} WHERE tenant = %s ORDER BY urn"
        rows = self._connection.execute(sql.encode(), (self._number,))
        return (Document(urn, document.encode()) for urn, document in rows)

    def list_shelf(self, box: str) -> Iterator[tuple[bytes, bytes]]:
        sql = "SELECT key, value FROM shelf WHERE tenant = %s AND box = %s ORDER BY key"
        return ((bytes(key), bytes(value)) for key, value in self._connection.execute(sql, (self._number, box)))

    def list_records(self, kind: Records) -> Iterator[Record]:
        return list_records(self._connection, self._number, kind)

    def _entities(self, page: list[tuple[str, Header]]) -> Iterator[Entity]:
        present: dict[int, list[tuple[Any, ...]]] = {header.id: [] for _, header in page}
        for entity, *columns in self._connection.execute(_PRESENT, (self._number, bigints(present))):
            present[entity].append(tuple(columns))
        for urn, header in page:
            yield entity_of(self._names, urn, header, present[header.id])

    def _row(self, row: tuple[Any, ...]) -> ArchiveRow:
        urn, name, dataset, ts, seq, observed, shape, number, text, extra, recorded = row
        names = self._names
        kind, unit, form = names.shapes.key(shape) if shape != REMOVED else (REMOVED, "", None)
        value = None if form is None else text.encode() if form is Form.JSON else from_columns(form, number, text)
        attribute, of_dataset = names.words.key(name), names.dataset_text(dataset)
        return ArchiveRow(urn, attribute, of_dataset, ts, seq, observed, int(kind), unit, value, extra, recorded)


@contextmanager
def opened_snapshot(url: str, tenant: str) -> Iterator[_Snapshot]:
    """Raises NonexistentTenant, StoreUnreachable."""
    database = Database(url)
    with database.connect("parvis export", READS_ELSEWHERE_S) as connection:
        connection.isolation_level, connection.read_only = psycopg.IsolationLevel.REPEATABLE_READ, True
        with scoped(connection, EVERY_TENANT, SEEING):
            yield _Snapshot(connection, Names(database), tenant)
