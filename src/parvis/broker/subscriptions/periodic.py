"""What a subscription tells that notifies by the clock."""

from functools import partial

import msgspec

from parvis.broker.broker import Broker
from parvis.broker.linked import resolved, speaks_of_links
from parvis.broker.model.entity import Entity
from parvis.broker.subscriptions.match import queries_of
from parvis.broker.subscriptions.model import Subscription
from parvis.broker.subscriptions.seeing import reader_of
from parvis.kernel.time import SECOND, Instant

MOST_ENTITIES = 10_000
ENTITIES_A_NOTIFICATION = 500
LEAST_INTERVAL = SECOND // 20


def next_due(last: Instant, interval: Instant, now: Instant) -> Instant:
    """An interval after the last time; an interval from now at most, for the clock may have gone back.

    However short an interval is asked for, LEAST_INTERVAL lies between.
    """
    interval = max(interval, LEAST_INTERVAL)
    return min(max(last + interval, now), now + interval)


async def entities_of(broker: Broker, subscription: Subscription) -> list[tuple[Entity, ...]]:
    """Those it selects and may read, each once, a notification's worth together; at most MOST_ENTITIES."""
    found: dict[str, Entity] = {}
    q, reader = subscription.q, reader_of(broker, subscription)
    if reader is None:
        return []
    if q is not None and speaks_of_links(q):
        q = await resolved(q, partial(broker.query, reader))
    for query in queries_of(subscription, q, ENTITIES_A_NOTIFICATION):
        after: int | None = None
        while len(found) < MOST_ENTITIES:
            page = await broker.query(reader, msgspec.structs.replace(query, after=after))
            found |= {entity.id: entity for entity in page.entities}
            after = page.resume
            if after is None:
                break
    entities, step = tuple(found.values()), ENTITIES_A_NOTIFICATION
    return [entities[start : start + step] for start in range(0, len(entities), step)]
