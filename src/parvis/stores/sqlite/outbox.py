"""The outbox: what was committed, told in order to everyone who reacts."""

import asyncio
import json
from typing import Any

from parvis.broker.model.change import Event, EventKind
from parvis.broker.model.entity import AttributeKey, Instance, Iri
from parvis.broker.ports.store import Outrun, Progress
from parvis.stores.sqlite.database import Connection
from parvis.stores.sqlite.names import REMOVED, Names
from parvis.stores.sqlite.rows import past_instance

_EVENTS = (
    "SELECT o.seq, o.entity, o.kind, o.at, o.first, o.last, e.tenant, e.urn, e.typeset"
    " FROM outbox o JOIN entity e ON e.id = o.entity WHERE o.seq > ?{filter} ORDER BY o.seq LIMIT ?"
)
_OF_TYPES = " AND e.typeset IN (SELECT value FROM json_each(?))"
_ALL_EVENTS = _EVENTS.format(filter="")
_EVENTS_OF_TYPES = _EVENTS.format(filter=_OF_TYPES)
ADVANCE = "INSERT INTO consumer VALUES (?, ?) ON CONFLICT DO UPDATE SET seq = excluded.seq"
_ROWS = "SELECT name, dataset, shape, value, ts, observed, extra, recorded, seq FROM log WHERE seq >= ? AND seq < ?"


class Bell:
    """Wakes those who wait for an event beyond the one they know. Lives on the event loop."""

    def __init__(self, newest: int) -> None:
        self.newest = newest
        self._event = asyncio.Event()

    def ring(self, newest: int) -> None:
        self.newest = newest
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, after: int) -> None:
        while self.newest <= after:
            await self._event.wait()


def read_events(
    connection: Connection, names: Names, after: int, limit: int, types: frozenset[Iri] = frozenset()
) -> list[Event]:
    if types:
        numbers = [number for typeset, number in names.typesets.items() if not types.isdisjoint(typeset)]
        rows = connection.execute(_EVENTS_OF_TYPES, (after, json.dumps(numbers), limit)).fetchall()
    else:
        rows = connection.execute(_ALL_EVENTS, (after, limit)).fetchall()
    return [_event(connection, names, row) for row in rows]


def read_oldest(connection: Connection) -> int | None:
    row = connection.execute("SELECT min(seq) FROM outbox").fetchone()
    oldest: int | None = row[0]
    return oldest


def move_consumer(connection: Connection, progress: Progress) -> None:
    """A part of the writer's transaction. Raises Outrun."""
    row = connection.execute("SELECT seq FROM consumer WHERE name = ?", (progress.consumer,)).fetchone()
    if (row[0] if row else 0) != progress.before:
        raise Outrun(f"{progress.consumer} is at {row[0] if row else 0}, not at {progress.before}.")
    connection.execute(ADVANCE, (progress.consumer, progress.after))


def _event(connection: Connection, names: Names, row: tuple[Any, ...]) -> Event:
    seq, _entity, kind, at, first, last, tenant, urn, typeset = row
    put: list[Instance] = []
    removed: list[AttributeKey] = []
    for columns in connection.execute(_ROWS, (first, last)):
        if columns[2] == REMOVED:
            removed.append((names.words.key(columns[0]), names.dataset_text(columns[1])))
        else:
            put.append(past_instance(names, columns))
    types = names.typesets.key(typeset)
    return Event(seq, names.tenants.key(tenant), at, urn, types, EventKind(kind), tuple(put), tuple(removed))
