"""A tenant that arrives with everything, in one transaction. Nothing else writes meanwhile."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from parvis.broker.model.entity import Entity, Instance, Iri, Kind
from parvis.broker.model.expiry import first_expiry
from parvis.broker.model.geometry import bounds
from parvis.broker.model.header import scopes_to_column
from parvis.broker.ports.archive import ArchiveRow, Day
from parvis.broker.ports.leaving import Document, Documents, Gone, Span, TenantNotEmpty
from parvis.kernel.time import Instant
from parvis.stores.sqlite.batch import write_place
from parvis.stores.sqlite.database import Connection, Database
from parvis.stores.sqlite.names import REMOVED, Names
from parvis.stores.sqlite.rows import extra_to_column, to_column
from parvis.stores.sqlite.segments import SEGMENT_ROWS, note_settled
from parvis.stores.sqlite.tail import ALL_DONE

_NEWEST = (
    "SELECT max((SELECT ifnull(max(seq), 0) FROM log), (SELECT high FROM settling), (SELECT upto FROM reserved),"
    " (SELECT ifnull(max(last) - 1, 0) FROM outbox), (SELECT ifnull(max(upto), 0) FROM erasure))"
)
_IS_TAKEN = (
    "SELECT EXISTS (SELECT 1 FROM entity WHERE tenant = ?1) OR EXISTS (SELECT 1 FROM subscription WHERE tenant = ?1)"
    " OR EXISTS (SELECT 1 FROM registration WHERE tenant = ?1)"
)
_KNOWN = "SELECT urn, id FROM entity WHERE tenant = ? AND urn IN (SELECT value FROM json_each(?))"
_ENTITY = "INSERT INTO entity VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_ATTRIBUTE = "INSERT INTO attribute VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_PAST = (
    "INSERT INTO history (segment, entity, name, dataset, ts, seq, shape, value, observed, extra, recorded)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_NEWEST_EVENT = "SELECT max((SELECT ifnull(max(seq), 0) FROM outbox), (SELECT ifnull(max(seq), 0) FROM consumer))"
_SETTLE = f"""
UPDATE settling SET low = ?1, high = ?1, entity = {ALL_DONE}
WHERE high < ?1 AND (high = 0 OR entity = {ALL_DONE}) AND NOT EXISTS (SELECT 1 FROM log WHERE seq > high)
"""
"""What arrived is settled, as far as nothing waits to be: so it can be moved into the archive."""


class _Intake:
    """TenantIntake."""

    def __init__(self, connection: Connection, tenant: str, numbers: Span, *, is_added: bool) -> None:
        self._connection = connection
        self._names = Names(connection)
        self._tenant = self._names.tenants.id(tenant)
        (is_taken,) = connection.execute(_IS_TAKEN, (self._tenant,)).fetchone()
        if is_taken and not is_added:
            raise TenantNotEmpty(f"The tenant {tenant!r} is not empty: name another one.")
        (newest,) = connection.execute(_NEWEST).fetchone()
        self.shift = newest if numbers.count and numbers.first <= newest else 0
        self._last = max(newest, numbers.last + self.shift)
        (self._next_entity,) = connection.execute("SELECT ifnull(max(id), 0) + 1 FROM entity").fetchone()
        (self._next_segment,) = connection.execute("SELECT max(id) + 1 FROM segment").fetchone()
        self._segment, self._room = 0, 0

    def find_known(self, ids: Sequence[str]) -> set[str]:
        return set(self._find_numbers(ids))

    def put_entities(self, entities: Sequence[Entity]) -> None:
        for one in entities:
            due = first_expiry(one.expires_at, one.instances)
            scopes = scopes_to_column(one.scopes)
            number = self._put_header(
                one.id, one.types, scopes, one.created_at, one.modified_at, None, one.expires_at, due
            )
            self._put_present(number, one.instances)
            self._connection.execute("INSERT INTO unsearched (entity) VALUES (?)", (number,))

    def put_gone(self, gone: Sequence[Gone]) -> None:
        for one in gone:
            scopes = scopes_to_column(one.scopes)
            self._put_header(one.id, one.types, scopes, one.created_at, one.modified_at, one.deleted_at)

    def put_forgotten(self, ids: Sequence[str]) -> None:
        rows = [(number,) for number in self._find_numbers(ids).values()]
        self._connection.executemany("INSERT OR IGNORE INTO forgotten VALUES (?)", rows)

    def put_past(self, rows: Sequence[ArchiveRow]) -> None:
        numbers = self._find_numbers(sorted({row.entity for row in rows}))
        if self._room < len(rows):
            self._open_segment()
        self._connection.executemany(_PAST, [self._past(numbers[row.entity], row) for row in rows])
        note_settled(self._connection, self._segment, len(rows))
        self._room -= len(rows)

    def put_documents(self, kind: Documents, documents: Sequence[Document]) -> None:
        for one in documents:
            names = "tenant, urn, document"
            values: tuple[object, ...] = (self._tenant, one.id, one.content)
            if one.consumer:
                names, values = f"{names}, consumer", (*values, one.consumer)
            marks = ", ".join("?" * len(values))
            put = self._connection.execute(f"INSERT OR IGNORE INTO {kind.value} ({names}) VALUES ({marks})", values)
            if one.consumer and put.rowcount:
                sql = f"INSERT OR REPLACE INTO consumer VALUES (?, ({_NEWEST_EVENT}))"
                self._connection.execute(sql, (one.consumer,))

    def put_shelf(self, box: str, records: Sequence[tuple[bytes, bytes]]) -> None:
        rows = [(self._tenant, box, key, value) for key, value in records]
        self._connection.executemany("INSERT OR REPLACE INTO shelf VALUES (?, ?, ?, ?)", rows)

    def end(self) -> None:
        self._names.save(self._connection)
        self._connection.execute("UPDATE reserved SET upto = max(upto, ?)", (self._last,))
        self._connection.execute(_SETTLE, (self._last,))
        for table in ("subscription_version", "source_version"):
            self._connection.execute(f"UPDATE {table} SET version = version + 1")

    def _find_numbers(self, ids: Sequence[str]) -> dict[str, int]:
        return dict(self._connection.execute(_KNOWN, (self._tenant, msgspec.json.encode(ids).decode())))

    def _put_header(
        self, urn: str, types: tuple[Iri, ...], scopes: str | None, created: Instant, modified: Instant,
        deleted: Instant | None, expires: Instant | None = None, due: Instant | None = None,
    ) -> int:  # fmt: skip
        number: int = self._next_entity
        self._next_entity = number + 1
        typeset = self._names.typesets.id(types)
        row = (number, self._tenant, urn, typeset, scopes, created, modified, deleted, expires, due)
        self._connection.execute(_ENTITY, row)
        return number

    def _put_present(self, number: int, instances: Sequence[Instance]) -> None:
        rows = []
        for one in instances:
            name, dataset = self._names.words.id(one.name), self._names.dataset(one.dataset)
            shape, extra = self._names.shapes.id((one.kind, one.unit_code)), extra_to_column(one.extra)
            value, times = to_column(one.value), (one.modified_at, one.created_at)
            rows.append((number, name, dataset, shape, value, one.observed_at, extra, *times))
            if one.kind is Kind.GEO_PROPERTY:
                write_place(self._connection, (number, name, dataset), bounds(one.value))
        self._connection.executemany(_ATTRIBUTE, rows)

    def _past(self, entity: int, row: ArchiveRow) -> tuple[object, ...]:
        names = self._names
        shape = REMOVED if row.kind == REMOVED else names.shapes.id((Kind(row.kind), row.unit))
        series = (entity, names.words.id(row.attribute), names.dataset(row.dataset))
        value = None if row.kind == REMOVED else to_column(row.value) if type(row.value) is int else row.value
        seq = row.seq + self.shift
        return (self._segment, *series, row.time, seq, shape, value, int(row.observed), row.extra, row.recorded)

    def _open_segment(self) -> None:
        self._segment, self._room = self._next_segment, SEGMENT_ROWS
        self._next_segment += 1
        self._connection.execute("INSERT INTO segment VALUES (?, 0)", (self._segment,))


@contextmanager
def opened_intake(path: Path, tenant: str, numbers: Span, _days: Sequence[Day], *, is_added: bool) -> Iterator[_Intake]:
    """Raises TenantNotEmpty."""
    with closing(Database(path).connect_writer()) as connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            intake = _Intake(connection, tenant, numbers, is_added=is_added)
            yield intake
            intake.end()
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
