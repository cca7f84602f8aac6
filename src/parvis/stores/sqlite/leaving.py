"""A tenant in one snapshot, to be carried elsewhere."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from parvis.broker.model.entity import Entity
from parvis.broker.model.header import Header, scopes_from_column
from parvis.broker.ports.archive import ArchiveFile, ArchiveRow, PendingErasure, day_of
from parvis.broker.ports.leaving import Document, Documents, Gone
from parvis.broker.ports.records import Record, Records
from parvis.kernel.errors import NonexistentTenant
from parvis.stores.sqlite.apply import PRESENT, entity_of
from parvis.stores.sqlite.catalogue import list_erasures, list_files
from parvis.stores.sqlite.database import Connection, Database
from parvis.stores.sqlite.names import REMOVED, Names
from parvis.stores.sqlite.records import list_records
from parvis.stores.sqlite.segments import list_segments

_HEADERS = (
    "SELECT urn, id, typeset, scopes, created, modified, deleted, expires, due FROM entity"
    " WHERE tenant = ? AND deleted IS {}NULL {} ORDER BY urn"
)
_ALIVE = _HEADERS.format("", "")
_GONE = _HEADERS.format("NOT ", "AND id NOT IN (SELECT entity FROM forgotten)")
_FORGOTTEN = (
    "SELECT urn FROM entity JOIN forgotten ON forgotten.entity = entity.id WHERE tenant = ? AND deleted IS NULL"
    " ORDER BY urn"
)
_ROW = "e.urn, r.name, r.dataset, r.ts, r.seq, r.shape, r.value, r.observed, r.extra, r.recorded"
_SETTLED = f"SELECT {_ROW} FROM history r CROSS JOIN entity e ON e.id = r.entity WHERE r.segment = ? AND e.tenant = ?"
_UNSETTLED = (
    f"SELECT {_ROW} FROM settling s CROSS JOIN log r CROSS JOIN entity e ON e.id = r.entity"
    " WHERE e.tenant = ? AND r.seq > CASE WHEN r.entity <= s.entity THEN s.high ELSE s.low END"
)


class _Snapshot:
    """TenantSnapshot, of the transaction that `connection` has begun."""

    def __init__(self, connection: Connection, tenant: str) -> None:
        self._connection = connection
        self._names = Names(connection)
        self._tenant = tenant
        number = self._names.tenants.ids.get(tenant)
        if number is None:
            raise NonexistentTenant(f"There is no tenant {tenant!r}.")
        self._number = number

    def list_entities(self) -> Iterator[Entity]:
        for urn, *columns in self._connection.execute(_ALIVE, (self._number,)):
            header = Header(*columns)
            rows = self._connection.execute(PRESENT, (header.id,)).fetchall()
            yield entity_of(self._names, urn, header, rows)

    def list_gone(self) -> Iterator[Gone]:
        for urn, *columns in self._connection.execute(_GONE, (self._number,)):
            one = Header(*columns)
            assert one.deleted is not None, "asked for"
            types, scopes = self._names.typesets.key(one.typeset), scopes_from_column(one.scopes)
            yield Gone(urn, types, scopes, one.created, one.modified, one.deleted)

    def list_forgotten(self) -> Iterator[str]:
        return (urn for (urn,) in self._connection.execute(_FORGOTTEN, (self._number,)))

    def list_hot(self) -> Iterator[ArchiveRow]:
        purged = dict(self._connection.execute("SELECT day, upto FROM purging WHERE tenant = ?", (self._number,)))
        for segment in list_segments(self._connection):
            for row in map(self._row, self._connection.execute(_SETTLED, (segment, self._number))):
                if row.seq > purged.get(day_of(row.time), -1):
                    yield row
        yield from map(self._row, self._connection.execute(_UNSETTLED, (self._number,)))

    def list_files(self) -> list[ArchiveFile]:
        return list_files(self._connection, self._names, self._tenant)

    def list_erasures(self, file: ArchiveFile) -> list[PendingErasure]:
        return list_erasures(self._connection, self._names, file)

    def list_documents(self, kind: Documents) -> Iterator[Document]:
        sql = f"SELECT urn, document FROM {kind.value} WHERE tenant = ? ORDER BY urn"
        return (Document(*row) for row in self._connection.execute(sql, (self._number,)))

    def list_shelf(self, box: str) -> Iterator[tuple[bytes, bytes]]:
        sql = "SELECT key, value FROM shelf WHERE tenant = ? AND box = ? ORDER BY key"
        return iter(self._connection.execute(sql, (self._number, box)))

    def list_records(self, kind: Records) -> Iterator[Record]:
        return list_records(self._connection, self._number, kind)

    def _row(self, row: tuple[Any, ...]) -> ArchiveRow:
        urn, name, dataset, ts, seq, shape, value, observed, extra, recorded = row
        names = self._names
        kind, unit = names.shapes.key(shape) if shape != REMOVED else (REMOVED, "")
        attribute, of_dataset = names.words.key(name), names.dataset_text(dataset)
        return ArchiveRow(
            urn, attribute, of_dataset, ts, seq, bool(observed), int(kind), unit, value, extra, recorded
        )  # fmt: skip


@contextmanager
def opened_snapshot(path: Path, tenant: str) -> Iterator[_Snapshot]:
    """Raises NonexistentTenant."""
    with closing(Database(path).connect_reader()) as connection:
        connection.execute("BEGIN")
        yield _Snapshot(connection, tenant)
