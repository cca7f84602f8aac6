"""How high rivers and the sea stand, in words: against the station's own marks, and whether they rise."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from parvis.broker.query.tree import TemporalQuery, TimeProperty, TimeRelation
from parvis.kernel.identity import Caller
from parvis.kernel.time import DAY, HOUR, MINUTE, Instant
from parvis.web.console.dashboards.cached import Cached
from parvis.web.console.dashboards.drawing import SPARK, Scale, bridged, line
from parvis.web.headline import State
from parvis.web.portal.today import Gatherer, Measure, Seen
from parvis.web.site import Site
from parvis.web.views import natural

HEIGHT = "height"
STEP = 30 * MINUTE
HELD_S = 60.0
MOST_READ = 2000
NEAR_AN_HOUR = 20 * MINUTE
STEADY_M = 0.01
METRE, CENTIMETRE = "MTR", "CMT"
MARKS = (("dangerLevel", "flood"), ("alertLevel", "high"))
"""Attributes of the Smart Data Models' FloodMonitoring, the higher first, and the word for what stands above."""
NORMAL = "normal"
Reading = tuple[Instant, float]


@dataclass(frozen=True, slots=True)
class WaterLevel:
    """`level` is empty where the station has no marks, `change` (an hour) None where nobody can tell. `spark` is the
    path of the last day."""

    name: str
    height: Measure
    at: Instant
    is_silent: bool
    level: str
    change: float | None
    spark: str

    @property
    def way(self) -> str:
        """Empty where nobody can tell."""
        if self.change is None:
            return ""
        return "steady" if abs(self.change) < STEADY_M else "rising" if self.change > 0 else "falling"

    @property
    def moved(self) -> Measure:
        """In centimetres what is told in metres."""
        change = abs(self.change or 0.0)
        if self.height.unit_code == METRE:
            return Measure(round(100 * change), CENTIMETRE, HEIGHT)
        return Measure(round(change, 2), self.height.unit_code, HEIGHT)


class Levels:
    """Of many residents who look, one reads the past."""

    def __init__(self) -> None:
        self._cached = Cached(HELD_S)

    async def list_of(self, site: Site, caller: Caller, seen: Sequence[Seen]) -> list[WaterLevel]:
        gatherer = Gatherer(site.reader)
        told = sorted(gatherer.heights(seen), key=lambda found: _order(found[0]))
        pasts = await asyncio.gather(*(self._past(site, caller, one.entity.id) for one, _ in told))
        return [_level(gatherer, one, height, past, site.now) for (one, height), past in zip(told, pasts, strict=True)]

    async def _past(self, site: Site, caller: Caller, entity_id: str) -> list[Reading]:
        async def read() -> list[Reading]:
            return await _read(site, caller, entity_id)

        return await self._cached.ask(caller, entity_id, read)


def _order(one: Seen) -> tuple[object, ...]:
    """What says nothing just now comes last."""
    return one.view.state is State.STALE, natural(one.view.name)


async def _read(site: Site, caller: Caller, entity_id: str) -> list[Reading]:
    name = site.reader.expand(HEIGHT)
    query = TemporalQuery(
        relation=TimeRelation.BETWEEN,
        at=site.now - DAY,
        end=site.now + MINUTE,
        time_property=TimeProperty.OBSERVED_AT,
        attrs=(name,),
        limit=MOST_READ,
    )
    history = await site.platform.broker.find_history(caller, entity_id, query)
    found = () if history is None else history.instances.get((name, ""), ())
    return sorted(
        (one.observed_at, float(one.value))
        for one in found
        if one.observed_at is not None and isinstance(one.value, int | float)
    )


def _level(gatherer: Gatherer, one: Seen, height: Measure, past: Sequence[Reading], now: Instant) -> WaterLevel:
    at = one.view.observed_at or 0
    is_silent = one.view.state is State.STALE
    return WaterLevel(
        name=one.view.name,
        height=height,
        at=at,
        is_silent=is_silent,
        level=word_of(height.value, [(gatherer.number(one.entity, mark), word) for mark, word in MARKS]),
        change=None if is_silent else change_of([*past, (at, height.value)]),
        spark=draw(past, now),
    )


def word_of(height: float, marks: Sequence[tuple[float | None, str]]) -> str:
    """Of the first mark that it stands at or above."""
    known = [(mark, word) for mark, word in marks if mark is not None]
    return next((word for mark, word in known if height >= mark), NORMAL if known else "")


def change_of(readings: Sequence[Reading]) -> float | None:
    """Since about an hour before the newest."""
    newest_at, newest = max(readings)
    at, before = min(readings, key=lambda one: abs(newest_at - HOUR - one[0]))
    return newest - before if abs(newest_at - HOUR - at) <= NEAR_AN_HOUR else None


def draw(past: Sequence[Reading], now: Instant) -> str:
    """The means of half hours; empty where there are not two."""
    begins = now - DAY
    sums: dict[int, list[float]] = {}
    for at, value in past:
        sums.setdefault(min((at - begins) // STEP, DAY // STEP - 1), []).append(value)
    column = [sum(some) / len(some) if (some := sums.get(number)) else None for number in range(DAY // STEP)]
    return line(bridged(column), _scale(column), SPARK) if len(sums) > 1 else ""


def _scale(column: Sequence[float | None]) -> Scale:
    """At least ten centimetres high: ripples are no flood."""
    low, high = (pick(value for value in column if value is not None) for pick in (min, max))
    middle, half = (low + high) / 2, max(high - low, 0.1) / 2
    return Scale(middle - half, middle + half, ())
