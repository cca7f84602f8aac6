"""History of one attribute as columns for a chart, and as CSV without holding it all."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from typing import Any

from parvis.broker.broker import Broker
from parvis.broker.model.entity import Instance
from parvis.broker.query.tree import Aggregation, Method, TemporalQuery, TimeProperty, TimeRelation
from parvis.kernel.identity import Caller
from parvis.kernel.time import DAY, HOUR, MINUTE, Duration, Instant, format_instant
from parvis.web.console.spreadsheet import csv_text

RANGES: dict[str, Instant] = {"1h": HOUR, "24h": DAY, "7d": 7 * DAY, "30d": 30 * DAY, "90d": 90 * DAY}
DEFAULT_RANGE = "24h"
LONGEST_RANGE = "90d"
RAW_UP_TO = 7 * DAY
MOST_POINTS = 4_000
BUCKETS: tuple[tuple[Instant, Instant], ...] = ((DAY, 5 * MINUTE), (7 * DAY, 15 * MINUTE), (30 * DAY, HOUR))
LONGEST_BUCKET = 3 * HOUR
GAP_PERIODS = 3
CSV_PAGE = 2_000
CSV_HEADER = ("entity", "attribute", "datasetId", "observedAt", "value", "unitCode")


@dataclass(frozen=True, slots=True)
class Span:
    """Start inclusive, end exclusive."""

    start: Instant
    end: Instant

    @property
    def length(self) -> Instant:
        return self.end - self.start

    def before(self, shift: Instant) -> "Span":
        return Span(self.start - shift, self.end - shift)

    def query(self, attribute: str, limit: int) -> TemporalQuery:
        return TemporalQuery(
            relation=TimeRelation.BETWEEN,
            at=self.start,
            end=self.end,
            time_property=TimeProperty.OBSERVED_AT,
            attrs=(attribute,),
            limit=limit,
        )


@dataclass(frozen=True, slots=True)
class Series:
    """`times` in seconds; a None in `values` is a gap. `bucket` is the period averaged over; 0: values as measured."""

    times: list[float]
    values: list[float | None]
    lows: list[float | None]
    highs: list[float | None]
    bucket: Instant
    categories: list[str]

    def later(self, shift: Instant) -> "Series":
        """As if it had been measured later."""
        return replace(self, times=[at + shift / 1e6 for at in self.times]) if shift else self


async def range_with_data(
    broker: Broker, caller: Caller, entity_id: str, attribute: str, dataset: str, now: Instant
) -> str:
    """A day where it holds more than an hour, else the shortest range that holds anything."""
    oldest_query = Span(now - DAY, now).query(attribute, 1)
    oldest = await _find_time(broker, caller, entity_id, dataset, oldest_query)
    if oldest is not None and now - oldest >= HOUR:
        return DEFAULT_RANGE
    newest_query = TemporalQuery(attrs=(attribute,), last_n=1, limit=1)
    newest = await _find_time(broker, caller, entity_id, dataset, newest_query)
    if newest is None:
        return DEFAULT_RANGE
    return next((name for name, length in RANGES.items() if now - newest < length), LONGEST_RANGE)


async def _find_time(
    broker: Broker, caller: Caller, entity_id: str, dataset: str, query: TemporalQuery
) -> Instant | None:
    instances = await _list_instances(broker, caller, entity_id, dataset, query)
    return next((one.observed_at for one in instances if one.observed_at is not None), None)


async def _list_instances(
    broker: Broker, caller: Caller, entity_id: str, dataset: str, query: TemporalQuery
) -> Sequence[Instance]:
    """None of an entity whose past was erased."""
    history = await broker.find_history(caller, entity_id, query)
    return () if history is None else history.instances.get((query.attrs[0], dataset), ())


async def read_series(
    broker: Broker, caller: Caller, entity_id: str, attribute: str, dataset: str, span: Span
) -> Series:
    """Values as measured while they are few, averages, lows and highs of equal periods otherwise."""
    if span.length <= RAW_UP_TO:
        query = span.query(attribute, MOST_POINTS + 1)
        instances = await _list_instances(broker, caller, entity_id, dataset, query)
        if len(instances) <= MOST_POINTS:
            return raw_series(instances)
    return await _averaged(broker, caller, entity_id, attribute, dataset, span)


def raw_series(instances: Sequence[Instance]) -> Series:
    """Words become categories, numbered in the order of their first appearance sorted by name."""
    points = [(one.observed_at, one.value) for one in instances if one.observed_at is not None]
    categories = sorted({value for _, value in points if isinstance(value, str)})
    numbers = {word: float(number) for number, word in enumerate(categories)}
    measured = [(at, number) for at, value in points if (number := _number(value, numbers)) is not None]
    times, values = with_gaps(measured)
    return Series(times, values, [], [], 0, categories)


def _number(value: Any, numbers: dict[str, float]) -> float | None:
    if isinstance(value, bool | int | float):
        return float(value)
    return numbers.get(value) if isinstance(value, str) else None


def with_gaps(points: Sequence[tuple[Instant, float]]) -> tuple[list[float], list[float | None]]:
    """Columns, with a hole wherever a value is missing for more than three of the usual steps."""
    if len(points) < GAP_PERIODS:
        return [at / 1e6 for at, _ in points], [value for _, value in points]
    longest = GAP_PERIODS * median(after[0] - before[0] for before, after in pairwise(points))
    times: list[float] = []
    values: list[float | None] = []
    last = points[0][0]
    for at, value in points:
        if at - last > longest:
            times.append((last + at) / 2e6)
            values.append(None)
        times.append(at / 1e6)
        values.append(value)
        last = at
    return times, values


async def _averaged(broker: Broker, caller: Caller, entity_id: str, attribute: str, dataset: str, span: Span) -> Series:
    bucket = bucket_for(span.length)
    aggregation = Aggregation((Method.AVG, Method.MIN, Method.MAX), Duration((0, bucket)))
    found = await broker.list_aggregates(caller, [entity_id], span.query(attribute, MOST_POINTS), aggregation)
    buckets = [one for aggregates in found for one in aggregates.buckets.get((attribute, dataset), ())]
    return Series(
        times=[(one.start + one.end) / 2e6 for one in buckets],
        values=[one.values.get(Method.AVG) for one in buckets],
        lows=[one.values.get(Method.MIN) for one in buckets],
        highs=[one.values.get(Method.MAX) for one in buckets],
        bucket=bucket,
        categories=[],
    )


def bucket_for(length: Instant) -> Instant:
    return next((bucket for longest, bucket in BUCKETS if length <= longest), LONGEST_BUCKET)


async def csv_lines(
    broker: Broker, caller: Caller, entity_id: str, attribute: str, term: str, span: Span
) -> AsyncIterator[bytes]:
    """The history as lines of CSV (RFC 4180), below CSV_HEADER, a page at a time; times in UTC."""
    start = span.start
    while start < span.end:
        history = await broker.find_history(caller, entity_id, Span(start, span.end).query(attribute, CSV_PAGE))
        if history is None:
            return
        instances = [one for series in history.instances.values() for one in series]
        reached = history.truncated_at
        page = [one for one in instances if reached is None or one.seen_at <= reached]
        if page:
            yield csv_text(_row(entity_id, term, one) for one in sorted(page, key=lambda one: one.seen_at)).encode()
        if reached is None:
            return
        start = reached + 1


def _row(entity_id: str, term: str, one: Instance) -> tuple[Any, ...]:
    return (entity_id, term, one.dataset, format_instant(one.seen_at), one.value, one.unit_code)
