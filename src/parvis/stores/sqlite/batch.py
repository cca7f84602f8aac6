"""One transaction's rows: gathered as flat parameter lists, written many rows a statement.

A statement hands the GIL back each time it is stepped, so a row a statement lets the event loop and the writer thread
wait for each other at every row (measured: 62 us a row under contention, 7 us with 256 rows a statement).
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from parvis.broker.model.change import EventKind
from parvis.broker.model.entity import Instance, Kind
from parvis.broker.model.expiry import earlier, find_expiry
from parvis.broker.model.geometry import Bounds, bounds
from parvis.kernel.time import Instant
from parvis.stores.sqlite.database import Connection
from parvis.stores.sqlite.names import REMOVED, Names
from parvis.stores.sqlite.rows import INTEGER_MAX, INTEGER_MIN, extra_to_column, from_column, to_column

ROWS_A_STATEMENT = 256

_OVERWRITE = (
    " ON CONFLICT DO UPDATE SET shape = excluded.shape, value = excluded.value, observed = excluded.observed,"
    " extra = excluded.extra, modified = excluded.modified"
)
_KEEP_NEWEST = _OVERWRITE + " WHERE excluded.observed IS NULL OR observed IS NULL OR excluded.observed >= observed"
_ENTITY = (
    " ON CONFLICT (id) DO UPDATE SET typeset = excluded.typeset, scopes = excluded.scopes, created = excluded.created,"
    " modified = excluded.modified, deleted = excluded.deleted, expires = excluded.expires, due = excluded.due"
)
_CHANGED_WORDS = (
    "INSERT INTO unsearched (entity) SELECT DISTINCT column1 FROM (VALUES {rows}) WHERE NOT EXISTS"
    " (SELECT 1 FROM attribute WHERE entity = column1 AND name = column2 AND dataset = column3 AND shape = column4"
    " AND value IS column5)"
)
_STORED_GEOMETRY = (
    "SELECT value FROM attribute JOIN shape ON shape.id = shape AND kind = ?"
    " WHERE entity = ? AND name = ? AND dataset = ?"
)
Place = tuple[int, int, int, Bounds | None]
"""Entity, name, dataset, and the bounds of the geometry; None where what is stored may be newer than what came."""


class Batch:
    """What one transaction is going to write. `next_seq` numbers the log's rows."""

    def __init__(self, names: Names, next_seq: int, next_event: int) -> None:
        self._names = names
        self.next_seq = next_seq
        self.next_event = next_event
        self.log_entities: list[int] = []
        self._entities: list[Any] = []
        self._attributes: list[Any] = []
        self._late: list[Any] = []
        self._log: list[Any] = []
        self._outbox: list[Any] = []
        self._places: list[Place] = []
        self._searched: list[Any] = []
        self._unsearched: list[int] = []
        self.unwritten: set[int] = set()
        """Entities with rows that are not flushed yet: flush before reading one."""
        self.unwritten_late: set[int] = set()
        """Those with rows that give way to newer ones, which are written last: flush before overwriting one."""

    def put_entity(
        self, number: int, tenant: int, urn: str, typeset: int, scopes: str | None, created: Instant,
        modified: Instant, deleted: Instant | None, expires: Instant | None, due: Instant | None,
    ) -> None:  # fmt: skip
        self._entities += (number, tenant, urn, typeset, scopes, created, modified, deleted, expires, due)

    def put_instances(
        self, entity: int, instances: tuple[Instance, ...], now: Instant, *, keep_newest: bool, is_past: bool = False
    ) -> Instant | None:
        """When the first of them is over. `is_past`: the present stays as it is."""
        due: Instant | None = None
        words, shapes = self._names.words.ids, self._names.shapes.ids
        log, seq = self._log, self.next_seq
        attributes: list[Any] = [] if is_past else self._late if keep_newest else self._attributes
        for one in instances:
            value = one.value
            known = type(value)
            if not (known is float or known is str or (known is int and INTEGER_MIN <= value <= INTEGER_MAX)):
                value = to_column(value)
            name = words.get(one.name) or self._names.words.id(one.name)
            dataset = self._names.dataset(one.dataset) if one.dataset else 0
            shape = shapes.get((one.kind, one.unit_code)) or self._names.shapes.id((one.kind, one.unit_code))
            extra = None
            if one.extra is not None:
                extra = extra_to_column(one.extra)
                due = earlier(due, find_expiry(one))
            observed = one.observed_at
            attributes += (entity, name, dataset, shape, value, observed, extra, now, now)
            if observed is None:
                log += (seq, entity, name, dataset, shape, value, now, 0, extra, now)
            else:
                log += (seq, entity, name, dataset, shape, value, observed, 1, extra, now)
            seq += 1
            if one.kind is Kind.GEO_PROPERTY and not is_past:
                self._places.append((entity, name, dataset, None if keep_newest else bounds(one.value)))
        self.log_entities += [entity] * (seq - self.next_seq)
        self.next_seq = seq
        self.unwritten.add(entity)
        if keep_newest:
            self.unwritten_late.add(entity)
        return due

    def put_removals(self, entity: int, keys: list[tuple[int, int]], now: Instant) -> None:
        for name, dataset in keys:
            self._log += (self.next_seq, entity, name, dataset, REMOVED, None, now, 0, None, now)
            self.next_seq += 1
        self.log_entities += [entity] * len(keys)

    def put_event(self, entity: int, kind: EventKind, now: Instant, first: int) -> None:
        self._outbox += (self.next_event, entity, kind.value, now, first, self.next_seq)
        self.next_event += 1

    def put_unsearched(self, entity: int) -> None:
        """The index of words is to look at it."""
        self._unsearched.append(entity)

    def put_searched(self, entity: int, instances: Iterable[Instance]) -> None:
        """The index of words is to look at it if one of these is other than what is stored; they are put as well."""
        for one in instances:
            name, shape = self._names.words.id(one.name), self._names.shapes.id((one.kind, one.unit_code))
            self._searched += (entity, name, self._names.dataset(one.dataset), shape, to_column(one.value))

    def flush(self, connection: Connection) -> None:
        """Write what was gathered; more may be put afterwards."""
        self._names.save(connection)
        _in_parts(connection, _CHANGED_WORDS, 5, self._searched)
        _insert(connection, "entity", 10, _ENTITY, self._entities)
        _insert(connection, "attribute", 9, _OVERWRITE, self._attributes)
        _insert(connection, "attribute", 9, _KEEP_NEWEST, self._late)
        _insert(connection, "log", 10, "", self._log)
        _insert(connection, "outbox", 6, "", self._outbox)
        _insert(connection, "unsearched (entity)", 1, "", self._unsearched)
        _place(connection, self._places)
        self._entities, self._attributes, self._late, self._log, self._outbox = [], [], [], [], []
        self._places, self._searched, self._unsearched = [], [], []
        self.unwritten.clear()
        self.unwritten_late.clear()


def _insert(connection: Connection, table: str, width: int, conflict: str, parameters: list[Any]) -> None:
    _in_parts(connection, f"INSERT INTO {table} VALUES {{rows}}{conflict}", width, parameters)


def _in_parts(connection: Connection, template: str, width: int, parameters: list[Any]) -> None:
    start, left = 0, len(parameters) // width
    rows = ROWS_A_STATEMENT
    while left:
        while rows > left:
            rows >>= 1
        end = start + rows * width
        connection.execute(_statement(template, width, rows), parameters[start:end])
        start, left = end, left - rows


@lru_cache(maxsize=80)
def _statement(template: str, width: int, rows: int) -> str:
    row = f"({', '.join('?' * width)})"
    return template.format(rows=", ".join([row] * rows))


def _place(connection: Connection, places: list[Place]) -> None:
    for entity, name, dataset, given in places:
        key = (entity, name, dataset)
        box = given or _stored_bounds(connection, key)
        if box is not None:
            write_place(connection, key, box)


def write_place(connection: Connection, key: tuple[int, int, int], box: Bounds) -> None:
    """Where the geometry of (entity, name, dataset) is found."""
    west, south, east, north = box
    connection.execute("INSERT INTO geometry (entity, name, dataset) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", key)
    connection.execute(
        "INSERT OR REPLACE INTO place SELECT id, ?, ?, ?, ? FROM geometry"
        " WHERE entity = ? AND name = ? AND dataset = ?",
        (west, east, south, north, *key),
    )


def _stored_bounds(connection: Connection, key: tuple[int, int, int]) -> Bounds | None:
    row = connection.execute(_STORED_GEOMETRY, (Kind.GEO_PROPERTY.value, *key)).fetchone()
    return bounds(from_column(row[0])) if row else None


def unplace(connection: Connection, entity: int, keys: list[tuple[int, int]]) -> None:
    rows = [(entity, name, dataset) for name, dataset in keys]
    key = "entity = ? AND name = ? AND dataset = ?"
    connection.executemany(f"DELETE FROM place WHERE id = (SELECT id FROM geometry WHERE {key})", rows)
    connection.executemany(f"DELETE FROM geometry WHERE {key}", rows)
