"""The outbox: what was committed, told in order to everyone who reacts, in whichever process."""

import asyncio
import contextlib
import os
import selectors
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import psycopg

from parvis.broker.bell import Bell
from parvis.broker.model.change import Event, EventKind
from parvis.broker.model.entity import AttributeKey, Instance, Iri
from parvis.broker.ports.store import Outrun, Progress
from parvis.kernel.time import Instant
from parvis.kernel.trouble import Trouble
from parvis.stores.postgres.batch import CHANNEL, bigints
from parvis.stores.postgres.database import Connection, Database, StoreUnreachable, only_row
from parvis.stores.postgres.names import REMOVED, Names
from parvis.stores.postgres.rows import past_instance

POLL_S = 1.0
"""A net below the notifications: what was committed is known after that time at the latest."""
PRUNE_EVERY_S = 30.0
PRUNE_ROWS = 20_000
NEAR_ROWS = 5_000
"""Rows of others between those of two events, up to which both are read in one go."""

_EVENTS = (
    "SELECT o.seq, o.kind, o.at, o.first, o.last, o.earliest, o.latest, o.tenant, e.urn, o.typeset"
    " FROM outbox o JOIN entity e ON e.tenant = o.tenant AND e.id = o.entity"
    " WHERE o.seq > %(after)s{filter} ORDER BY o.seq LIMIT %(limit)s"
)
_ALL_EVENTS = _EVENTS.format(filter="")
_EVENTS_OF_TYPES = _EVENTS.format(filter=" AND o.typeset = ANY (%(typesets)s::integer[])")
_ROWS = (
    "SELECT seq, name, dataset, shape, number, text, ts, observed, extra, recorded, seq FROM history"
    " WHERE seq >= %s AND seq < %s AND ts >= %s AND ts <= %s"
)
_NEWEST = "SELECT event FROM numbers"
_OLDEST = "SELECT coalesce((SELECT min(seq) FROM outbox), (SELECT event + 1 FROM numbers))"
_ADVANCE = "INSERT INTO consumer VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET seq = excluded.seq"
_BEGIN = (
    "INSERT INTO consumer AS held VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET seq = excluded.seq"
    " WHERE held.seq = 0"
)
_MOVE = "UPDATE consumer SET seq = %s WHERE name = %s AND seq = %s"
_PRUNE = """
DELETE FROM outbox
WHERE seq <= least(%s, (SELECT coalesce(min(seq), %s) FROM consumer), (SELECT event - 1 FROM numbers))
    AND seq < (SELECT min(seq) + %s FROM outbox)
"""


class _Row(NamedTuple):
    seq: int
    kind: int
    at: Instant
    first: int
    last: int
    earliest: Instant
    latest: Instant
    tenant: int
    urn: str
    typeset: int


class Listener:
    """Rings the bell for what any process commits, from a thread of its own that listens to the database.

    `on_trouble` is called in that thread when the database is lost.
    """

    def __init__(self, database: Database, bell: Bell, on_trouble: Callable[[], None]) -> None:
        self._database = database
        self._bell = bell
        self._on_trouble = on_trouble
        self._loop = asyncio.get_running_loop()
        self._stop, self._stopping = os.pipe()
        self._stopped = False
        self._trouble = Trouble("the database is not heard")
        self._thread = threading.Thread(target=self._run, name="parvis-bell", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        self._stopped = True
        os.write(self._stopping, b".")
        await asyncio.to_thread(self._thread.join)
        os.close(self._stop)
        os.close(self._stopping)

    def _run(self) -> None:
        while not self._stopped:
            try:
                with self._database.connect("parvis bell") as connection:
                    self._listen(connection)
            except (psycopg.Error, StoreUnreachable) as fault:
                if not self._stopped:
                    self._trouble.note(fault)
                    self._on_trouble()
                    self._pause()

    def _listen(self, connection: Connection) -> None:
        connection.execute(f"LISTEN {CHANNEL}")
        self._trouble.is_over()
        with selectors.DefaultSelector() as selector:
            selector.register(connection.fileno(), selectors.EVENT_READ)
            selector.register(self._stop, selectors.EVENT_READ)
            while not self._stopped:
                self._tell(read_newest(connection))
                selector.select(POLL_S)
                if not self._stopped:
                    for _ in connection.notifies(timeout=0):
                        pass

    def _tell(self, newest: int) -> None:
        if newest > self._bell.newest:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._bell.ring, newest)

    def _pause(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._stop, selectors.EVENT_READ)
            selector.select(POLL_S)


def read_events(
    connection: Connection,
    names: Names,
    after: int,
    limit: int,
    types: frozenset[Iri] = frozenset(),
    attributes: frozenset[Iri] = frozenset(),
) -> list[Event]:
    """Which attributes an event is about is known once its rows are read: to search partitions would cost more."""
    if not attributes:
        return _read_events(connection, names, after, limit, types)
    found: list[Event] = []
    while True:
        events = _read_events(connection, names, after, limit, types)
        found += [one for one in events if _is_about(one, attributes)]
        if len(events) < limit or len(found) >= limit:
            return found[:limit]
        after = events[-1].seq


def _is_about(event: Event, attributes: frozenset[Iri]) -> bool:
    told = {one.name for one in event.instances} | {name for name, _ in event.removed}
    return event.kind is EventKind.DELETED or not told.isdisjoint(attributes)


def _read_events(connection: Connection, names: Names, after: int, limit: int, types: frozenset[Iri]) -> list[Event]:
    wanted: dict[str, object] = {"after": after, "limit": limit}
    if types:
        names.typesets.load(connection)
        numbers = [number for typeset, number in names.typesets.items() if not types.isdisjoint(typeset)]
        wanted["typesets"] = bigints(numbers)
    found = connection.execute(_EVENTS_OF_TYPES if types else _ALL_EVENTS, wanted)
    rows = [_Row(*row) for row in found]
    return [event for near in _neighbours(rows) for event in _events(connection, names, near)]


def read_newest(connection: Connection) -> int:
    return int(only_row(connection, _NEWEST)[0])


def read_oldest(connection: Connection) -> int:
    return int(only_row(connection, _OLDEST)[0])


def read_position(connection: Connection, consumer: str) -> int:
    row = connection.execute("SELECT seq FROM consumer WHERE name = %s", (consumer,)).fetchone()
    return row[0] if row else 0


def advance(connection: Connection, positions: Mapping[str, int]) -> None:
    connection.cursor().executemany(_ADVANCE, sorted(positions.items()))


def retire(connection: Connection, consumer: str) -> None:
    connection.execute("DELETE FROM consumer WHERE name = %s", (consumer,))


def move_consumer(connection: Connection, progress: Progress) -> None:
    """A part of the writer's transaction. Raises Outrun."""
    if progress.before == 0:
        moved = connection.execute(_BEGIN, (progress.consumer, progress.after))
    else:
        moved = connection.execute(_MOVE, (progress.after, progress.consumer, progress.before))
    if moved.rowcount == 0:
        raise Outrun(f"{progress.consumer} is not at {progress.before}.")


def prune(connection: Connection, upto: int) -> bool:
    """Delete events up to `upto` that every consumer has been told of; True while there may be more.

    The newest event stays, so that `oldest` says something to those who read without being a consumer.
    """
    return connection.execute(_PRUNE, (upto, upto, PRUNE_ROWS)).rowcount > 0


def _neighbours(rows: Sequence[_Row]) -> Iterator[list[_Row]]:
    """Events whose rows lie so near to each other that they are read in one go."""
    near: list[_Row] = []
    for row in rows:
        if near and row.first - near[-1].last > NEAR_ROWS:
            yield near
            near = []
        near.append(row)
    if near:
        yield near


def _events(connection: Connection, names: Names, near: Sequence[_Row]) -> Iterator[Event]:
    first, last = near[0].first, near[-1].last
    earliest, latest = min(row.earliest for row in near), max(row.latest for row in near)
    found = connection.execute(_ROWS, (first, last, earliest, latest)) if last > first else ()
    columns = {seq: rest for seq, *rest in found}
    for row in near:
        put: list[Instance] = []
        removed: list[AttributeKey] = []
        for one in (columns[seq] for seq in range(row.first, row.last) if seq in columns):
            if one[2] == REMOVED:
                removed.append((names.words.key(one[0]), names.dataset_text(one[1])))
            else:
                put.append(past_instance(names, tuple(one)))
        tenant, types = names.tenants.key(row.tenant), names.typesets.key(row.typeset)
        yield Event(row.seq, tenant, row.at, row.urn, types, EventKind(row.kind), tuple(put), tuple(removed))
