"""What widgets show of the past: averages over equal steps, of a few objects in one question."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from statistics import fmean
from typing import Any

import msgspec

from parvis.broker.query.tree import Aggregation, EntityQuery, Method, TemporalQuery, TimeProperty, TimeRelation
from parvis.broker.temporal.buckets import Bucket
from parvis.kernel.identity import Caller
from parvis.kernel.time import DAY, HOUR, Duration, Instant, from_datetime
from parvis.web.console.dashboards.cached import Cached
from parvis.web.console.dashboards.drawing import SPARK, Point, Scale, bridged, line, scale_of, steps_of
from parvis.web.console.dashboards.layout import Period, Widget
from parvis.web.console.dashboards.present import Figure, Present
from parvis.web.console.dashboards.subjects import headline_of
from parvis.web.headline import Headline, State
from parvis.web.site import Site
from parvis.web.units import SHARES_OF_ONE
from parvis.web.wording import Wording

MOST_ROWS = 60
HOURS = 24
NARROW = 2
Column = list[float | None]


@dataclass(frozen=True, slots=True)
class Line:
    label: str
    values: Column
    path: str
    before: Column
    before_path: str


@dataclass(frozen=True, slots=True)
class Series:
    """`times` in seconds, one a step; `columns` is all of it for the chart, as JSON."""

    times: Sequence[float]
    lines: Sequence[Line]
    unit: str
    size: Point
    scale: Scale
    ticks: Sequence[tuple[float, str]]
    marks: Sequence[tuple[str, float]]
    times_told: Sequence[tuple[float, str]]
    rows: Sequence[tuple[Instant, Sequence[str]]]
    columns: dict[str, Any]
    step: Instant

    @property
    def is_empty(self) -> bool:
        return all(value is None for one in self.lines for value in (*one.values, *one.before))


@dataclass(frozen=True, slots=True)
class Hour:
    step: int | None
    text: str


@dataclass(frozen=True, slots=True)
class DayRow:
    day: date
    hours: Sequence[Hour]
    low: str
    high: str


@dataclass(frozen=True, slots=True)
class Days:
    rows: Sequence[DayRow]
    low: str
    high: str

    @property
    def is_empty(self) -> bool:
        return all(hour.step is None for row in self.rows for hour in row.hours)


class Past:
    def __init__(self, site: Site, cached: Cached, caller: Caller, t: Wording) -> None:
        self._site = site
        self._broker = site.platform.broker
        self._reader = site.reader
        self._cached = cached
        self._caller = caller
        self._t = t
        self._now = site.now
        self._present = Present(site, cached, caller, t)

    async def figure(self, widget: Widget) -> Figure | None:
        """Of one object, with the last day as a line and what has changed since the day before."""
        one = await self._present.one(widget)
        if one is None:
            return None
        headline, value, unit_code, at, state = one
        number, unit = self._t.split_quantity(value, unit_code, headline.attribute)
        end = self._now - self._now % HOUR + HOUR
        columns = await self._columns([widget.entity], headline.attribute, end - 2 * DAY, end, HOUR)
        column = columns.get(widget.entity, [None] * 48)
        before = column[23] if len(column) > 23 else None
        trend, direction = self._trend(value, before, unit_code, headline.attribute)
        last_day = column[HOURS:]
        spark = (
            line(bridged(last_day), scale_of([last_day]), SPARK) if sum(one is not None for one in last_day) > 1 else ""
        )
        is_judged = headline.period or headline.warn or state is not State.GOOD
        return Figure(number, unit, state if is_judged else None, at, trend, direction, spark)

    def _trend(self, value: Any, before: float | None, unit_code: str, attribute: str) -> tuple[str, int]:
        if before is None or isinstance(value, bool) or not isinstance(value, int | float):
            return "", 0
        change = value - before
        is_same = abs(change) < 0.005 * max(abs(value), abs(before), 1e-9)
        if is_same:
            return self._t("board.trend_same"), 0
        told = self._t.quantity(abs(change), unit_code, attribute)
        return self._t("board.trend_up" if change > 0 else "board.trend_down", change=told), 1 if change > 0 else -1

    async def series(self, widget: Widget) -> Series | None:
        """None where every object is gone."""
        views = await self._present.views(widget.entities)
        if not views:
            return None
        step, length = widget.period.step, widget.period.length
        end = self._now - self._now % step + step
        reach = 2 * length if widget.compare else length
        ids = [view.id for view in views]
        columns = await self._columns(ids, widget.attribute, end - reach, end, step)
        scale_by = 100.0 if widget.attribute in SHARES_OF_ONE else 1.0
        halves = {
            one: _halves([None if v is None else v * scale_by for v in column], length // step)
            for one, column in columns.items()
        }
        headline = headline_of(views[0].type, widget.attribute) or Headline(widget.attribute)
        nothing: tuple[Column, Column] = ([], [])
        drawn = [(view.name, *halves.get(view.id, nothing)) for view in views]
        unit = await self._unit(views[0].id, widget.attribute)
        return self._series(drawn, unit, headline, scale_by, end - length, step, size_of(widget))

    def _series(
        self,
        drawn: Sequence[tuple[str, Column, Column]],
        unit: str,
        headline: Headline,
        scale_by: float,
        start: Instant,
        step: Instant,
        size: Point,
    ) -> Series:
        limits = [(name, limit * scale_by) for name, limit in (("warn", headline.warn), ("bad", headline.bad)) if limit]
        seen = [value for _, before, now in drawn for value in (*before, *now) if value is not None]
        limits = [(name, limit) for name, limit in limits if seen and limit <= 1.5 * max(seen)]
        scale = scale_of([*(column for one in drawn for column in one[1:]), [limit for _, limit in limits]])
        count = max((len(now) for _, _, now in drawn), default=0)
        times = [(start + (number + 0.5) * step) / 1e6 for number in range(count)]
        lines = [
            Line(name, now, line(bridged(now), scale, size), before, line(bridged(before), scale, size))
            for name, before, now in drawn
        ]
        return Series(
            times,
            lines,
            unit,
            size,
            scale,
            ticks=[(scale.share(one), self._t.number(one)) for one in scale.ticks],
            marks=[(name, scale.share(limit)) for name, limit in limits],
            times_told=self._times_told(start, count * step),
            rows=self._rows(lines, start, step),
            columns={
                "t": times,
                "unit": unit,
                "low": scale.low,
                "high": scale.high,
                "limits": dict(limits),
                "series": [
                    {"label": one.label, "v": bridged(one.values), "before": bridged(one.before)} for one in lines
                ],
            },
            step=step,
        )

    def _times_told(self, start: Instant, length: Instant) -> list[tuple[float, str]]:
        """A few moments along the axis: hours of a day, else days."""
        parts = 6 if length <= DAY else 7
        told = []
        for number in range(1, parts):
            local = self._t.local(start + length * number // parts)
            text = f"{local:%H:%M}" if length <= DAY else f"{local:%d/%m}"
            told.append((number / parts, text))
        return told

    def _rows(self, lines: Sequence[Line], start: Instant, step: Instant) -> list[tuple[Instant, list[str]]]:
        rows: list[tuple[Instant, list[str]]] = []
        for number in range(len(lines[0].values) - 1, -1, -1):
            values = [one.values[number] if number < len(one.values) else None for one in lines]
            if any(value is not None for value in values) and len(rows) < MOST_ROWS:
                told = ["–" if value is None else self._t.number(value) for value in values]
                rows.append((start + number * step, told))
        return rows

    async def days(self, widget: Widget) -> Days | None:
        """Hour by hour: a row a day, the territory's own days."""
        if not await self._present.views(widget.entities[:1]):
            return None
        count = {Period.DAY: 1, Period.WEEK: 7, Period.MONTH: 30, Period.QUARTER: 30}[widget.period]
        now = self._t.local(self._now)
        midnights = midnights_until(now, count)
        columns = await self._columns([widget.entity], widget.attribute, midnights[0], midnights[-1], HOUR)
        column = columns.get(widget.entity) or [None] * ((midnights[-1] - midnights[0]) // HOUR)
        unit_code = await self._unit_code(widget.entity, widget.attribute)

        def told(value: float | None) -> str:
            return self._t.quantity(value, unit_code, widget.attribute)

        by_day = by_local_hour(column, midnights, self._t.local)
        steps = iter(steps_of([value for values in by_day for value in values]))
        known = [value for value in column if value is not None]
        rows = []
        for midnight, values in zip(midnights, by_day, strict=False):
            of_day = [value for value in values if value is not None]
            hours = [Hour(next(steps), told(value)) for value in values]
            day = self._t.local(midnight).date()
            rows.append(DayRow(day, hours, told(min(of_day, default=None)), told(max(of_day, default=None))))
        return Days(rows, told(min(known, default=None)), told(max(known, default=None)))

    async def _unit(self, entity_id: str, attribute: str) -> str:
        return self._t.split_quantity(1.0, await self._unit_code(entity_id, attribute), attribute)[1]

    async def _unit_code(self, entity_id: str, attribute: str) -> str:
        page = await self._present.page(EntityQuery(ids=(entity_id,), limit=1))
        found = page.entities[0].find(self._reader.expand(attribute)) if page.entities else None
        return "" if found is None else str(found.unit_code)

    async def _columns(
        self, ids: Sequence[str], attribute: str, start: Instant, end: Instant, step: Instant
    ) -> Mapping[str, Column]:
        name = self._reader.expand(attribute)
        query = TemporalQuery(TimeRelation.BETWEEN, start, end, TimeProperty.OBSERVED_AT, attrs=(name,))
        aggregation = Aggregation((Method.AVG,), Duration((0, step)))
        question = ("past", tuple(ids), msgspec.json.encode(query), step)
        found = await self._cached.ask(
            self._caller, question, lambda: self._broker.list_aggregates(self._caller, ids, query, aggregation)
        )
        count = (end - start) // step
        return {one.id: _column(one.buckets.get((name, ""), ()), start, step, count) for one in found}


def _column(buckets: Sequence[Bucket], start: Instant, step: Instant, count: int) -> Column:
    column: Column = [None] * count
    for one in buckets:
        place = (one.start - start) // step
        value = one.values.get(Method.AVG)
        if 0 <= place < count and value is not None:
            column[place] = float(value)
    return column


def midnights_until(now: datetime, days: int) -> list[Instant]:
    """Where the last of so many days begin, and where today ends: twice a year a day has not 24 hours."""
    first = now.date() - timedelta(days=days - 1)
    return [from_datetime(datetime.combine(first + timedelta(days=one), time(), now.tzinfo)) for one in range(days + 1)]


def by_local_hour(column: Column, midnights: Sequence[Instant], local: Callable[[Instant], datetime]) -> list[Column]:
    """24 values a day: none of the hour that is left out, one of the two that have the same name."""
    by_day = []
    for begin, end in pairwise(midnights):
        named: dict[int, list[float]] = {}
        for place in range((begin - midnights[0]) // HOUR, (end - midnights[0]) // HOUR):
            if (value := column[place]) is not None:
                named.setdefault(local(midnights[0] + place * HOUR).hour, []).append(value)
        by_day.append([fmean(named[hour]) if hour in named else None for hour in range(HOURS)])
    return by_day


def _halves(column: Column, count: int) -> tuple[Column, Column]:
    """What was before the period, and the period itself."""
    return column[:-count], column[-count:]


def size_of(widget: Widget) -> Point:
    """Of the drawing's inside: as it will roughly stand, so that its words can be read."""
    return (400.0 if widget.width <= NARROW else 860.0, 150.0 + 170.0 * (widget.height - 1))
