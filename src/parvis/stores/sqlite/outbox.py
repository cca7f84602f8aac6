"""The outbox: what was committed, told in order to everyone who reacts."""

import json
from itertools import groupby
from operator import itemgetter
from typing import Any

from parvis.broker.model.change import Event, EventKind
from parvis.broker.model.entity import AttributeKey, Instance, Iri
from parvis.broker.ports.store import Outrun, Progress
from parvis.stores.sqlite.database import Connection
from parvis.stores.sqlite.names import REMOVED, Names
from parvis.stores.sqlite.rows import past_instance

_EVENTS = """
SELECT o.seq, o.kind, o.at, o.tenant, o.urn, o.typeset,
    l.name, l.dataset, l.shape, l.value, l.ts, l.observed, l.extra, l.recorded, l.seq
FROM (
    SELECT o.seq, o.kind, o.at, o.first, o.last, e.tenant, e.urn, e.typeset
    FROM outbox o JOIN entity e ON e.id = o.entity WHERE o.seq > :after{filter} ORDER BY o.seq LIMIT :limit
) o LEFT JOIN log l ON l.seq >= o.first AND l.seq < o.last
ORDER BY o.seq, l.seq
"""
"""One statement for events and their rows: whoever steps through one gives the interpreter to the writer's thread at
each step, and waits to get it back."""
_OF_TYPES = " AND e.typeset IN (SELECT value FROM json_each(:typesets))"
_OF_NAMES = f""" AND (o.kind = {EventKind.DELETED.value} OR EXISTS (
    SELECT 1 FROM log l WHERE l.seq >= o.first AND l.seq < o.last AND l.name IN (SELECT value FROM json_each(:names))
))"""
_OF_EVENT = 6
"""So many columns of a row are the event's; the rest are of one of its rows in the log, or NULL where it has none."""
ADVANCE = "INSERT INTO consumer VALUES (?, ?) ON CONFLICT DO UPDATE SET seq = excluded.seq"


def read_events(
    connection: Connection,
    names: Names,
    after: int,
    limit: int,
    types: frozenset[Iri] = frozenset(),
    attributes: frozenset[Iri] = frozenset(),
) -> list[Event]:
    wanted: dict[str, object] = {"after": after, "limit": limit}
    if types:
        numbers = [number for typeset, number in names.typesets.items() if not types.isdisjoint(typeset)]
        wanted["typesets"] = json.dumps(numbers)
    if attributes:
        wanted["names"] = json.dumps([number for name, number in names.words.items() if name in attributes])
    sql = _EVENTS.format(filter=(_OF_TYPES if types else "") + (_OF_NAMES if attributes else ""))
    rows = connection.execute(sql, wanted).fetchall()
    events = groupby(rows, key=itemgetter(slice(_OF_EVENT)))
    return [_event(names, event, list(of_event)) for event, of_event in events]


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


def _event(names: Names, event: tuple[Any, ...], rows: list[tuple[Any, ...]]) -> Event:
    seq, kind, at, tenant, urn, typeset = event
    put: list[Instance] = []
    removed: list[AttributeKey] = []
    for columns in (row[_OF_EVENT:] for row in rows):
        if columns[2] == REMOVED:
            removed.append((names.words.key(columns[0]), names.dataset_text(columns[1])))
        elif columns[2] is not None:
            put.append(past_instance(names, columns))
    types = names.typesets.key(typeset)
    return Event(seq, names.tenants.key(tenant), at, urn, types, EventKind(kind), tuple(put), tuple(removed))
