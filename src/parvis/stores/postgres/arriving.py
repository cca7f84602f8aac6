"""A tenant that arrives with everything, in one transaction, beside whoever writes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from parvis.broker.model.entity import Entity, Instance, Iri, Kind
from parvis.broker.model.expiry import first_expiry
from parvis.broker.model.geometry import bounds
from parvis.broker.model.header import scopes_to_column
from parvis.broker.ports.archive import ArchiveRow, Day
from parvis.broker.ports.leaving import Document, Documents, Gone, Span, TenantNotEmpty
from parvis.kernel.time import DAY, Instant, system_clock
from parvis.stores.postgres.database import (
    EVERY_TENANT,
    READS_ELSEWHERE_S,
    Connection,
    Database,
    only_row,
    scoped,
)
from parvis.stores.postgres.names import REMOVED, Names
from parvis.stores.postgres.partitions import Partitions
from parvis.stores.postgres.rows import Columns, Form, extra_to_column, to_columns

_IS_TAKEN = (
    "SELECT EXISTS (SELECT FROM entity WHERE tenant = %(tenant)s)"
    " OR EXISTS (SELECT FROM subscription WHERE tenant = %(tenant)s)"
    " OR EXISTS (SELECT FROM registration WHERE tenant = %(tenant)s)"
)
_RESERVE = """
WITH before AS (SELECT log FROM numbers FOR UPDATE)
UPDATE numbers SET log = CASE WHEN %(first)s <= before.log THEN before.log + %(last)s ELSE %(last)s END
FROM before RETURNING before.log
"""
_COLUMNS = {
    "entity": "tenant, id, urn, typeset, scopes, created, modified, deleted, expires, due",
    "attribute": "tenant, entity, name, dataset, shape, number, text, observed, extra, modified, created, bounds",
    "history": "tenant, entity, name, dataset, ts, seq, shape, observed, number, text, extra, recorded",
}
_STAGE = "CREATE TEMPORARY TABLE arriving_{table} (LIKE {table}) ON COMMIT DROP"
_COPY = "COPY arriving_{table} ({columns}) FROM STDIN"
_TAKE = """
WITH came AS (DELETE FROM arriving_{table} RETURNING *) INSERT INTO {table} ({columns}) SELECT {columns} FROM came
"""
"""COPY does not work where row-level security does."""
_KNOWN = "SELECT urn, id FROM entity WHERE tenant = %s AND urn = ANY (%s)"
_NEXT = "SELECT nextval('entity_id') FROM generate_series(1, %s)"
_UNSEARCHED = "INSERT INTO unsearched (tenant, entity) SELECT %s, unnest(%s::bigint[])"
_SHELF = "INSERT INTO shelf VALUES (%s, %s, %s, %s) ON CONFLICT (tenant, box, key) DO UPDATE SET value = excluded.value"
_CONSUMER = (
    "INSERT INTO consumer VALUES (%s, (SELECT event FROM numbers)) ON CONFLICT (name) DO UPDATE SET seq = excluded.seq"
)


class _Intake:
    """TenantIntake."""

    def __init__(self, connection: Connection, names: Names, tenant: int, shift: int) -> None:
        self._connection = connection
        self._names = names
        self._tenant = tenant
        self.shift = shift
        for table in _COLUMNS:
            connection.execute(_STAGE.format(table=table).encode())

    def find_known(self, ids: Sequence[str]) -> set[str]:
        return set(self._find_numbers(ids))

    def put_entities(self, entities: Sequence[Entity]) -> None:
        self._learn([one for entity in entities for one in entity.instances])
        headers = [
            (
                one.id, one.types, scopes_to_column(one.scopes), one.created_at, one.modified_at, None, one.expires_at,
                first_expiry(one.expires_at, one.instances),
            )
            for one in entities
        ]  # fmt: skip
        numbers = self._put_headers(headers)
        rows = [
            self._present(number, one) for number, of in zip(numbers, entities, strict=True) for one in of.instances
        ]
        self._put("attribute", rows)
        self._connection.execute(_UNSEARCHED, (self._tenant, numbers))

    def put_gone(self, gone: Sequence[Gone]) -> None:
        self._put_headers(
            [
                (
                    one.id, one.types, scopes_to_column(one.scopes), one.created_at, one.modified_at, one.deleted_at,
                    None, None,
                )
                for one in gone
            ]
        )  # fmt: skip

    def put_forgotten(self, ids: Sequence[str]) -> None:
        sql = "INSERT INTO forgotten SELECT %s, unnest(%s::bigint[]) ON CONFLICT DO NOTHING"
        self._connection.execute(sql, (self._tenant, list(self._find_numbers(ids).values())))

    def put_past(self, rows: Sequence[ArchiveRow]) -> None:
        words = {row.attribute for row in rows} | {row.dataset for row in rows if row.dataset}
        valued = [(row, *_columns_of(row)) for row in rows]
        self._names.words.add(sorted(words - self._names.words.ids.keys()))
        shapes = {(Kind(row.kind), row.unit, form) for row, form, *_ in valued if row.kind != REMOVED}
        self._names.shapes.add(sorted(shapes - self._names.shapes.ids.keys()))
        numbers = self._find_numbers(sorted({row.entity for row in rows}))
        self._put("history", [self._past(numbers[row.entity], row, columns) for row, *columns in valued])

    def put_documents(self, kind: Documents, documents: Sequence[Document]) -> None:
        for one in documents:
            values: tuple[Any, ...] = (self._tenant, one.id, one.content.decode())
            names = "tenant, urn, document"
            if one.consumer:
                names, values = f"{names}, consumer", (*values, one.consumer)
            marks = ", ".join(["%s"] * len(values))
            sql = f"INSERT INTO {kind.value} ({names}) VALUES ({marks}) ON CONFLICT (tenant, urn) DO NOTHING"
            if self._connection.execute(sql.encode(), values).rowcount and one.consumer:
                self._connection.execute(_CONSUMER, (one.consumer,))

    def put_shelf(self, box: str, records: Sequence[tuple[bytes, bytes]]) -> None:
        self._connection.cursor().executemany(_SHELF, [(self._tenant, box, *record) for record in records])

    def end(self) -> None:
        for table in ("subscription_version", "source_version"):
            self._connection.execute(f"UPDATE {table} SET version = version + 1".encode())

    def _find_numbers(self, ids: Sequence[str]) -> dict[str, int]:
        return dict(self._connection.execute(_KNOWN, (self._tenant, list(ids))).fetchall())

    def _learn(self, instances: Sequence[Instance]) -> None:
        words = {one.name for one in instances} | {one.dataset for one in instances if one.dataset}
        self._names.words.add(sorted(words - self._names.words.ids.keys()))
        shapes = {(one.kind, one.unit_code, to_columns(one.value)[0]) for one in instances}
        self._names.shapes.add(sorted(shapes - self._names.shapes.ids.keys()))

    def _put_headers(self, headers: Sequence[tuple[Any, ...]]) -> list[int]:
        typesets: set[tuple[Iri, ...]] = {types for _, types, *_ in headers}
        self._names.typesets.add(sorted(typesets - self._names.typesets.ids.keys()))
        numbers = [number for (number,) in self._connection.execute(_NEXT, (len(headers),))]
        ids = self._names.typesets.ids
        rows = [
            (self._tenant, number, urn, ids[types], *rest)
            for number, (urn, types, *rest) in zip(numbers, headers, strict=True)
        ]
        self._put("entity", rows)
        return numbers

    def _present(self, number: int, one: Instance) -> tuple[Any, ...]:
        form, value, text = to_columns(one.value)
        key = (self._tenant, number, self._names.words.id(one.name), self._names.dataset(one.dataset))
        shape, extra = self._names.shapes.id((one.kind, one.unit_code, form)), extra_to_column(one.extra)
        times = (one.modified_at, one.created_at)
        return (*key, shape, value, text, one.observed_at, extra, *times, _box(one))

    def _past(self, entity: int, row: ArchiveRow, columns: Sequence[Any]) -> tuple[Any, ...]:
        form, number, text = columns
        names = self._names
        shape = REMOVED if row.kind == REMOVED else names.shapes.id((Kind(row.kind), row.unit, form))
        series = (self._tenant, entity, names.words.id(row.attribute), names.dataset(row.dataset))
        value = (number, text, row.extra)
        return (*series, row.time, row.seq + self.shift, shape, row.observed, *value, row.recorded)

    def _put(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        names = {"table": table, "columns": _COLUMNS[table]}
        with self._connection.cursor() as cursor:
            with cursor.copy(_COPY.format(**names).encode()) as copy:
                for row in rows:
                    copy.write_row(row)
            cursor.execute(_TAKE.format(**names).encode())


def _columns_of(row: ArchiveRow) -> Columns | tuple[None, None, None]:
    if row.kind == REMOVED:
        return None, None, None
    if isinstance(row.value, bytes):
        return Form.JSON, None, row.value.decode()
    return to_columns(row.value)


def _box(one: Instance) -> str | None:
    if one.kind is not Kind.GEO_PROPERTY:
        return None
    west, south, east, north = bounds(one.value)
    return f"(({east!r},{north!r}),({west!r},{south!r}))"


def _reserve(connection: Connection, numbers: Span) -> int:
    """What is added to them: nothing, unless some are given already. Durably, so that nobody is given them."""
    if not numbers.count:
        return 0
    (newest,) = only_row(connection, _RESERVE, {"first": numbers.first, "last": numbers.last})  # type: ignore[arg-type]
    return int(newest) if numbers.first <= newest else 0


def _check_empty(connection: Connection, tenant: str, number: int) -> None:
    (is_taken,) = only_row(connection, _IS_TAKEN, {"tenant": number})  # type: ignore[arg-type]
    if is_taken:
        raise TenantNotEmpty(f"The tenant {tenant!r} is not empty: name another one.")


@contextmanager
def opened_intake(url: str, tenant: str, numbers: Span, days: Sequence[Day], *, is_added: bool) -> Iterator[_Intake]:
    """Raises TenantNotEmpty, StoreUnreachable."""
    database = Database(url)
    database.prepare()
    names = Names(database)
    now: Instant = system_clock()
    with database.connect("parvis import", READS_ELSEWHERE_S) as connection:
        names.load(connection)
        number = names.tenants.id(tenant)
        with scoped(connection, EVERY_TENANT):
            if not is_added:
                _check_empty(connection, tenant, number)
            shift = _reserve(connection, numbers)
        Partitions(database).prepare((day * DAY for day in days), now)
        with scoped(connection, number):
            connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", (0x6C656176, number))
            if not is_added:
                _check_empty(connection, tenant, number)
            intake = _Intake(connection, names, number, shift)
            yield intake
            intake.end()
