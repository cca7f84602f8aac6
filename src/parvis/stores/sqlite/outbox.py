"""The outbox: what was committed, told in order to everyone who reacts."""

import asyncio
from typing import Any

from parvis.broker.model.change import Event, EventKind
from parvis.broker.model.entity import AttributeKey, Instance
from parvis.stores.sqlite.database import Connection
from parvis.stores.sqlite.names import REMOVED, Names
from parvis.stores.sqlite.rows import past_instance

_EVENTS = (
    "SELECT o.seq, o.entity, o.kind, o.at, o.first, o.last, e.tenant, e.urn, e.typeset"
    " FROM outbox o JOIN entity e ON e.id = o.entity WHERE o.seq > ? ORDER BY o.seq LIMIT ?"
)
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


def read_events(connection: Connection, names: Names, after: int, limit: int) -> list[Event]:
    return [_event(connection, names, row) for row in connection.execute(_EVENTS, (after, limit)).fetchall()]


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
