"""The aggregated evolution of the entities of a page (NGSI-LD 1.9.1, 4.5.19)."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import NamedTuple

from parvis.broker.model.entity import AttributeKey
from parvis.broker.ports.store import Bucket, EntityAggregates
from parvis.broker.query.tree import Aggregation, Method, TemporalQuery, TimeRelation
from parvis.broker.temporal.partials import NOTHING, TELLERS, Partials
from parvis.broker.temporal.periods import estimate_periods, list_periods
from parvis.broker.temporal.reading import Member, Period, Source, Window, list_series
from parvis.kernel.time import Instant

PERIODS_AT_ONCE = 200_000
"""Of all entities that are asked for together: some 300 bytes each."""
MOST_TOGETHER, FEW_TOGETHER = 500, 20


class _Series(NamedTuple):
    """What one entity has of one key. `extents` go with its sources; None: nothing there."""

    place: int
    sources: Sequence[Source]
    extents: Sequence[Period | None]

    @property
    def extent(self) -> Period:
        return _around(self.extents)


def list_aggregates(page: Sequence[Member], query: TemporalQuery, aggregation: Aggregation) -> list[EntityAggregates]:
    """One for each member. Where the query says from when, sources are asked the same for everyone, key by key.

    Raises:
        TooComplexQuery: too many periods.
    """
    window = Window.of(query)
    buckets: list[dict[AttributeKey, list[Bucket]]] = [{} for _ in page]
    for key, found in _find_series(page, query, window):
        together = [found] if window.asked_from is not None else [[one] for one in found]
        for group in together:
            for one, told in zip(group, _tell(group, key, window, aggregation), strict=True):
                buckets[one.place][key] = told
    return [EntityAggregates(one.head.id, one.head.types, told) for one, told in zip(page, buckets, strict=True)]


def count_together(query: TemporalQuery, aggregation: Aggregation, now: Instant) -> int:
    """How many entities to ask for in one go: the more, the less it costs, but what is told of them is held at once."""
    if query.relation is TimeRelation.BEFORE or query.at is None or Method.DISTINCT_COUNT in aggregation.methods:
        return FEW_TOGETHER
    periods = estimate_periods(query.at, now if query.end is None else query.end, aggregation.period)
    return min(MOST_TOGETHER, max(FEW_TOGETHER, int(PERIODS_AT_ONCE / max(periods, 1))))


def _find_series(
    page: Sequence[Member], query: TemporalQuery, window: Window
) -> Iterator[tuple[AttributeKey, list[_Series]]]:
    """Keys in order, and who has instances of each in the window."""
    keys = [list_series(one.sources, query) for one in page]
    for key in sorted({key for of_one in keys for key in of_one}):
        asked = [(place, page[place].sources) for place, of_one in enumerate(keys) if key in of_one]
        found = [
            _Series(place, sources, [source.extent(key, window) for source in sources]) for place, sources in asked
        ]
        present = [one for one in found if any(one.extents)]
        if present:
            yield key, present


def _tell(
    group: Sequence[_Series], key: AttributeKey, window: Window, aggregation: Aggregation
) -> Iterator[list[Bucket]]:
    """Periods count from the start asked for, or from the first instance; empty ones are left out."""
    first, last = _around(one.extent for one in group)
    first = first if window.asked_from is None else window.asked_from
    periods = list(list_periods(first, last, aggregation.period))
    within, methods = window.within(periods), frozenset(aggregation.methods)
    reached = [_reached(periods, extents) for extents in zip_longest(*(one.extents for one in group))]
    asked = [within[part] for part in reached]
    for one in group:
        sums = [NOTHING] * len(periods)
        for source, extent, part, some in zip(one.sources, one.extents, reached, asked, strict=False):
            if extent is not None:
                sums[part] = _added(sums[part], source.partials(key, window, some, methods))
        yield list(_buckets(_ending(periods, one, aggregation), sums, aggregation))


def _ending(periods: Sequence[Period], one: _Series, aggregation: Aggregation) -> Sequence[Period]:
    """A period without a length ends with the entity's own last instance."""
    return periods if any(aggregation.period) else [(periods[0][0], one.extent[1] + 1)]


def _added(sums: Sequence[Partials], found: Sequence[Partials]) -> list[Partials]:
    return [new if old is NOTHING else old.plus(new) for old, new in zip(sums, found, strict=True)]


def _buckets(periods: Sequence[Period], sums: Sequence[Partials], aggregation: Aggregation) -> Iterator[Bucket]:
    tellers = [(method, TELLERS[method]) for method in aggregation.methods]
    for (start, end), partials in zip(periods, sums, strict=True):
        if partials.instances:
            yield Bucket(start, end, {method: tell(partials) for method, tell in tellers})


def _around(extents: Iterable[Period | None]) -> Period:
    """Of at least one that is there."""
    there = [one for one in extents if one is not None]
    return min(first for first, _ in there), max(last for _, last in there)


def _reached(periods: Sequence[Period], extents: Iterable[Period | None]) -> slice:
    """The periods that the extents lie in."""
    there = [one for one in extents if one is not None]
    if not there:
        return slice(0, 0)
    (first, last), starts = _around(there), [start for start, _ in periods]
    return slice(max(0, bisect_right(starts, first) - 1), bisect_right(starts, last))
