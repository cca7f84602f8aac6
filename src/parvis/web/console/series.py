"""History of one attribute as columns for a chart, and as CSV without holding it all."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, TypeVar

import msgspec

from parvis.broker.broker import Broker
from parvis.broker.model.entity import AttributeKey, Instance
from parvis.broker.query.tree import Aggregation, Method, TemporalQuery, TimeProperty, TimeRelation
from parvis.broker.temporal.buckets import Bucket
from parvis.kernel.errors import BadRequestData
from parvis.kernel.identity import Caller
from parvis.kernel.time import DAY, HOUR, MINUTE, Duration, Instant, format_instant
from parvis.web.console.holes import list_holes
from parvis.web.console.spreadsheet import csv_text, raw_csv

RANGES: dict[str, Instant] = {"1h": HOUR, "24h": DAY, "7d": 7 * DAY, "30d": 30 * DAY, "90d": 90 * DAY}
DEFAULT_RANGE = "24h"
LONGEST_RANGE = "90d"
RAW_UP_TO = 7 * DAY
MOST_POINTS = 4_000
BUCKETS: tuple[tuple[Instant, Instant], ...] = ((DAY, 5 * MINUTE), (7 * DAY, 15 * MINUTE), (30 * DAY, HOUR))
LONGEST_BUCKET = 3 * HOUR
GAP_PERIODS = 3
CSV_PAGE = 2_000
MOST_READ = 200_000
"""Words of a chart, to find the last of each period."""
CSV_HEADER = ("entity", "attribute", "datasetId", "observedAt", "value", "unitCode")
Held = TypeVar("Held")


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
    held = _with_holes([at for at, _ in points], [value for _, value in points])
    return [at / 1e6 for at, _ in held], [value for _, value in held]


def _with_holes(times: Sequence[Instant], values: Sequence[Held]) -> list[tuple[float, Held | None]]:
    holes = set(list_holes([after - before for before, after in pairwise(times)], GAP_PERIODS))
    held: list[tuple[float, Held | None]] = []
    for place, (at, value) in enumerate(zip(times, values, strict=True)):
        if place - 1 in holes:
            held.append(((times[place - 1] + at) / 2, None))
        held.append((at, value))
    return held


async def _averaged(broker: Broker, caller: Caller, entity_id: str, attribute: str, dataset: str, span: Span) -> Series:
    bucket = bucket_for(span.length)
    aggregation = Aggregation((Method.AVG, Method.MIN, Method.MAX), Duration((0, bucket)))
    found = await broker.list_aggregates(caller, [entity_id], span.query(attribute, MOST_POINTS), aggregation)
    buckets = [one for aggregates in found for one in aggregates.buckets.get((attribute, dataset), ())]
    if not any(one.values.get(Method.AVG) is not None for one in buckets):
        return await _stepped(broker, caller, entity_id, (attribute, dataset), span)
    held = _with_holes([(one.start + one.end) // 2 for one in buckets], buckets)
    return Series(
        times=[at / 1e6 for at, _ in held],
        values=[_of(one, Method.AVG) for _, one in held],
        lows=[_of(one, Method.MIN) for _, one in held],
        highs=[_of(one, Method.MAX) for _, one in held],
        bucket=bucket,
        categories=[],
    )


def _of(bucket: Bucket | None, method: Method) -> float | None:
    return None if bucket is None else bucket.values.get(method)


async def _stepped(broker: Broker, caller: Caller, entity_id: str, key: AttributeKey, span: Span) -> Series:
    """Words have no average: the last of each period. Raises BadRequestData."""
    bucket, last, read = bucket_for(span.length), dict[Instant, Instance](), 0
    async for page in _pages(broker, caller, entity_id, key[0], span):
        last |= {one.seen_at // bucket: one for one in page if one.dataset == key[1]}
        read += len(page)
        if read > MOST_READ:
            raise BadRequestData("There are too many values in this range to draw them: choose a shorter one.")
    return replace(raw_series(list(last.values())), bucket=bucket)


def bucket_for(length: Instant) -> Instant:
    """What is longer than the ranges has longer periods, so that there are not more points than a chart can show."""
    usual = next((bucket for longest, bucket in BUCKETS if length <= longest), LONGEST_BUCKET)
    return usual if length <= usual * MOST_POINTS else -(-length // MOST_POINTS // HOUR) * HOUR


async def csv_lines(
    broker: Broker, caller: Caller, entity_id: str, attribute: str, term: str, span: Span
) -> AsyncIterator[bytes]:
    """The history as lines of CSV (RFC 4180), below CSV_HEADER, a page at a time; times in UTC."""
    async for page in _pages(broker, caller, entity_id, attribute, span):
        yield csv_text(
            (entity_id, term, one.dataset, format_instant(one.seen_at), one.value, one.unit_code) for one in page
        ).encode()


async def raw_lines(
    broker: Broker, caller: Caller, entity_id: str, attribute: str, term: str, span: Span
) -> AsyncIterator[bytes]:
    """The same for a program: text as it was told, numbers and words in columns of their own."""
    async for page in _pages(broker, caller, entity_id, attribute, span):
        yield raw_csv(
            (entity_id, term, one.dataset, format_instant(one.seen_at), *_apart(one.value), one.unit_code)
            for one in page
        ).encode()


def _apart(value: Any) -> tuple[float | None, str | None]:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value, None
    return None, value if isinstance(value, str) else msgspec.json.encode(value).decode()


async def _pages(
    broker: Broker, caller: Caller, entity_id: str, attribute: str, span: Span
) -> AsyncIterator[list[Instance]]:
    """In the order of time; none is empty."""
    start = span.start
    while start < span.end:
        history = await broker.find_history(caller, entity_id, Span(start, span.end).query(attribute, CSV_PAGE))
        if history is None:
            return
        instances = [one for series in history.instances.values() for one in series]
        reached = history.truncated_at
        if page := [one for one in instances if reached is None or one.seen_at <= reached]:
            yield sorted(page, key=lambda one: one.seen_at)
        if reached is None:
            return
        start = reached + 1
