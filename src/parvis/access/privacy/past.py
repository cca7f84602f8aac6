"""What history has of one attribute before an instant: counted, and read period by period."""

from collections.abc import AsyncIterator, Sequence
from datetime import tzinfo

import msgspec

from parvis.access.privacy.totals import Stretch, Stretching, Totals
from parvis.broker.model.entity import Instance, Iri
from parvis.broker.ports.store import Store
from parvis.broker.query.tree import Aggregation, Method, TemporalQuery, TimeRelation
from parvis.broker.temporal.reading import Period
from parvis.kernel.errors import Overloaded
from parvis.kernel.time import Duration, Instant

PAGE = 5_000
MOST_AT_AN_INSTANT = 200_000
_COUNT = Aggregation((Method.TOTAL_COUNT,), Duration((0, 0)))


class Counted(msgspec.Struct, frozen=True):
    """An entity, and how many values of it there are; `first` and `last` where there are some."""

    id: str
    types: tuple[Iri, ...]
    scopes: tuple[str, ...]
    count: int
    first: Instant = 0
    last: Instant = 0


async def count_before(
    store: Store, tenant: str, entity_ids: Sequence[str], attribute: Iri, before: Instant
) -> list[Counted]:
    query = TemporalQuery(TimeRelation.BEFORE, before, attrs=(attribute,))
    return [
        Counted(
            one.id,
            one.types,
            one.scopes,
            sum(int(bucket.values[Method.TOTAL_COUNT] or 0) for found in one.buckets.values() for bucket in found),
            min((bucket.start for found in one.buckets.values() for bucket in found), default=0),
            max((bucket.end - 1 for found in one.buckets.values() for bucket in found), default=0),
        )
        for one in await store.list_aggregates(tenant, entity_ids, query, _COUNT)
    ]


async def list_stretches_in(
    store: Store, tenant: str, entity_id: str, attribute: Iri, window: Period, totals: Totals, zone: tzinfo
) -> list[tuple[str, Stretch]]:
    """With their datasetId, each series in order."""
    series: dict[str, Stretching] = {}
    found: list[tuple[str, Stretch]] = []
    async for one in _read(store, tenant, entity_id, attribute, window):
        stretching = series.setdefault(one.dataset, Stretching(totals, zone))
        found += [(one.dataset, stretch) for stretch in stretching.add(one)]
    return found + [(dataset, stretch) for dataset, one in series.items() for stretch in one.end()]


async def _read(store: Store, tenant: str, entity_id: str, attribute: Iri, window: Period) -> AsyncIterator[Instance]:
    """In pages. One that the limit cut short may lack values of its last instant: the next one begins with that, and is
    longer where an instant has more values than a page holds. Raises Overloaded where that has no end."""
    (start, before), limit = window, PAGE
    while True:
        query = TemporalQuery(TimeRelation.BETWEEN, start, before, attrs=(attribute,), limit=limit)
        history = await store.history(tenant, entity_id, query)
        found = [] if history is None else [one for of_key in history.instances.values() for one in of_key]
        if history is None or history.truncated_at is None:
            break
        whole = [one for one in found if one.seen_at < history.truncated_at]
        if not whole and limit >= MOST_AT_AN_INSTANT:
            raise Overloaded(f"{entity_id} has more than {limit} values of one instant: nothing of them is erased.")
        start, limit = (history.truncated_at, PAGE) if whole else (start, min(2 * limit, MOST_AT_AN_INSTANT))
        for one in whole:
            yield one
    for one in found:
        yield one
