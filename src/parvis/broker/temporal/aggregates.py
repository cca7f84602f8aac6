"""The aggregated evolution of the entities of a page (NGSI-LD 1.9.1, 4.5.19)."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from parvis.broker.model.entity import AttributeKey
from parvis.broker.ports.store import EntityAggregates
from parvis.broker.query.tree import Aggregation, Method, TemporalQuery, TimeRelation
from parvis.broker.temporal.buckets import Buckets, Periods
from parvis.broker.temporal.periods import MAX_PERIODS, estimate_periods, list_periods
from parvis.broker.temporal.reading import Member, Period, Source, Window, list_series, read_instances
from parvis.broker.temporal.sums import tell
from parvis.kernel.time import Instant

NUMBERS_AT_ONCE = 1_000_000
"""Of all entities that are asked for together, a number for each of their periods and methods: while they are added up
and told, some 100 bytes each."""
MOST_TOGETHER, FEW_TOGETHER = 1_000, 20


class _Series(NamedTuple):
    """What one entity has of one key. `extents` go with its sources; None: nothing there."""

    place: int
    sources: Sequence[Source]
    extents: Sequence[Period | None]

    @property
    def extent(self) -> Period:
        return _around(self.extents)


class _Asked:
    """The periods that a source is asked for: who is asked for the same ones is given the same list."""

    def __init__(self, spans: Sequence[Period], window: Window) -> None:
        self._starts = [start for start, _ in spans]
        self._within = window.within(spans)
        self._parts: dict[tuple[int, int], Sequence[Period]] = {}

    def reached(self, extent: Period) -> tuple[int, Sequence[Period]]:
        """Those that the extent lies in, and the place of the first."""
        first, last = extent
        part = max(0, bisect_right(self._starts, first) - 1), bisect_right(self._starts, last)
        if part not in self._parts:
            self._parts[part] = self._within[slice(*part)]
        return part[0], self._parts[part]


def list_aggregates(page: Sequence[Member], query: TemporalQuery, aggregation: Aggregation) -> list[EntityAggregates]:
    """One for each member. Where the query says from when, sources are asked the same for everyone, key by key.

    Raises:
        TooComplexQuery: too many periods.
    """
    window = Window.of(query)
    buckets: list[dict[AttributeKey, Buckets]] = [{} for _ in page]
    for key, found in _find_series(page, query, window, aggregation):
        together = [found] if window.asked_from is not None else [[one] for one in found]
        for group in together:
            for one, told in zip(group, _tell(group, key, window, aggregation), strict=True):
                if told:
                    buckets[one.place][key] = told
    heads = [one.head for one in page]
    return [EntityAggregates(one.id, one.types, told, one.scopes) for one, told in zip(heads, buckets, strict=True)]


def count_together(query: TemporalQuery, aggregation: Aggregation, now: Instant) -> int:
    """How many entities to ask for in one go: the more, the less it costs, but what is told of them is held at once."""
    if query.relation is TimeRelation.BEFORE or query.at is None or Method.DISTINCT_COUNT in aggregation.methods:
        return FEW_TOGETHER
    periods = estimate_periods(query.at, now if query.end is None else query.end, aggregation.period)
    numbers = max(periods, 1) * max(len(aggregation.methods), 1)
    return min(MOST_TOGETHER, max(FEW_TOGETHER, int(NUMBERS_AT_ONCE / numbers)))


def _find_series(
    page: Sequence[Member], query: TemporalQuery, window: Window, aggregation: Aggregation
) -> Iterator[tuple[AttributeKey, list[_Series]]]:
    """Keys in order, and who may have instances of each in the window.

    How far they reach is enough to know, unless periods begin or end with instances, or might be too many.
    """
    keys = [list_series(one, query) for one in page]
    exactly = window.asked_from is None or not any(aggregation.period)
    for key in sorted({key for of_one in keys for key in of_one}):
        asked = [(place, page[place].sources) for place, of_one in enumerate(keys) if key in of_one]
        present = _present(asked, key, window, exactly=exactly)
        if not exactly and _may_be_too_many(present, window, aggregation):
            present = _present(asked, key, window, exactly=True)
        if present:
            yield key, present


def _present(
    asked: Sequence[tuple[int, Sequence[Source]]], key: AttributeKey, window: Window, *, exactly: bool
) -> list[_Series]:
    found = (
        _Series(
            place,
            sources,
            [source.extent(key, window) if exactly else source.reach(key, window) for source in sources],
        )
        for place, sources in asked
    )
    return [one for one in found if any(one.extents)]


def _may_be_too_many(present: Sequence[_Series], window: Window, aggregation: Aggregation) -> bool:
    if not present or window.asked_from is None:
        return False
    last = max(one.extent[1] for one in present)
    return estimate_periods(window.asked_from, last, aggregation.period) > MAX_PERIODS


def _tell(group: Sequence[_Series], key: AttributeKey, window: Window, aggregation: Aggregation) -> Iterator[Buckets]:
    """Periods count from the start asked for, or from the first instance; empty ones are left out."""
    first, last = _around(one.extent for one in group)
    periods = Periods(
        list(list_periods(first if window.asked_from is None else window.asked_from, last, aggregation.period))
    )
    asked, methods = _Asked(periods.spans, window), frozenset(aggregation.methods)
    for one in group:
        parts = []
        for source, extent in zip(one.sources, one.extents, strict=True):
            if extent is not None:
                place, some = asked.reached(extent)
                parts.append((place, source.partials(key, window, some, methods)))
        told = tell(_ending(periods, one, aggregation), parts, aggregation.methods)
        yield _with_others(told, one, key, window) if aggregation.of_others else told


def _with_others(told: Buckets, one: _Series, key: AttributeKey, window: Window) -> Buckets:
    """Where there are no numbers, what the methods make of other values."""
    from parvis.broker.temporal.measures import MOST_MEASURED, is_without_numbers, measured

    if not told or not is_without_numbers(told):
        return told
    instances = read_instances(one.sources, key, window, MOST_MEASURED + 1, last=False)
    return told if len(instances) > MOST_MEASURED else measured(told, instances, window.time)


def _ending(periods: Periods, one: _Series, aggregation: Aggregation) -> Periods:
    """A period without a length ends with the entity's own last instance."""
    return periods if any(aggregation.period) else Periods([(periods.spans[0][0], one.extent[1] + 1)])


def _around(extents: Iterable[Period | None]) -> Period:
    """Of at least one that is there."""
    there = [one for one in extents if one is not None]
    return min(first for first, _ in there), max(last for _, last in there)
