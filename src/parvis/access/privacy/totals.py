"""What stands for the values of a period once they are past their time."""

from collections.abc import Iterator
from datetime import tzinfo
from typing import Any

import msgspec

from parvis.access.privacy.model import Summary
from parvis.access.privacy.periods import PERIODS, period_end, period_start
from parvis.broker.model.entity import Instance, Json
from parvis.kernel.time import Instant

VOCABULARY = "https://parvis.eu/ngsi-ld/vocab#"
OVER, BY, FROM = (f"{VOCABULARY}aggregated{one}" for one in ("Over", "By", "From"))
"""Sub-attributes of a value that stands for others: the period, how, and of how many."""
MOST_AT_ONCE = 400


class Totals(msgspec.Struct, frozen=True):
    period: str
    method: Summary


class Stretch(msgspec.Struct, frozen=True):
    """Values from `start`, before `end`, give way to `instances`: `count` of them, first and last seen then."""

    start: Instant
    end: Instant
    count: int
    first: Instant
    last: Instant
    instances: tuple[Instance, ...]


class _Period:
    """Of one series, while its values are read in order."""

    def __init__(self, start: Instant, end: Instant) -> None:
        self.start, self.end = start, end
        self.raw = 0
        self.first = self.last = start
        self.kept: list[Instance] = []
        self.readings = 0
        self.sum: float = 0
        self.newest: Instance | None = None
        self.standing: Instance | None = None

    def add(self, one: Instance, totals: Totals) -> None:
        stands = _sub(one, OVER)
        if stands is None:
            self._add_raw(one)
        elif _is_of(one, totals):
            self.standing = one
        elif PERIODS.index(stands) < PERIODS.index(totals.period) and _sub(one, BY) == totals.method.value:
            self._add_raw(one)
        else:
            self.kept.append(one)

    def _add_raw(self, one: Instance) -> None:
        self.first = one.seen_at if not self.raw else self.first
        self.last = one.seen_at
        self.raw += 1
        readings = _sub(one, FROM) or 1
        if isinstance(one.value, (int, float)) and not isinstance(one.value, bool):
            self.readings += readings
            self.sum += one.value * (readings if _sub(one, BY) == Summary.MEAN.value else 1)
        self.newest = one

    def told(self, totals: Totals) -> tuple[Instance, ...]:
        made = self._made(totals)
        return (*self.kept, *(() if made is None else (made,)))

    def _made(self, totals: Totals) -> Instance | None:
        """With what stands for the period already, where values came late."""
        before, n_before = self.standing, 0 if self.standing is None else _sub(self.standing, FROM) or 0
        readings = self.readings + n_before
        match totals.method:
            case Summary.LAST:
                shown = before or self.newest
                value = None if shown is None else shown.value
                readings = self.raw + n_before
            case Summary.SUM:
                value = self.sum + (0 if before is None else before.value)
            case Summary.MEAN:
                whole = self.sum + (0 if before is None else before.value * n_before)
                value = whole / readings if readings else None
        like = self.newest or before
        if like is None or not readings or value is None:
            return None
        return Instance(
            like.name, like.kind, value, like.dataset, self.start, like.unit_code,
            {OVER: _told(totals.period), BY: _told(totals.method.value), FROM: _told(readings)},
        )  # fmt: skip


class Stretching:
    """Of one series, whose values come in order, all of whole periods. Periods in which nothing is left to do lie in no
    stretch, so that what stands for them stays as it is."""

    def __init__(self, totals: Totals, zone: tzinfo) -> None:
        self._totals = totals
        self._zone = zone
        self._period: _Period | None = None
        self._held: list[_Period] = []

    def add(self, one: Instance) -> Iterator[Stretch]:
        if self._period is None or one.seen_at >= self._period.end:
            yield from self._close()
            start = period_start(one.seen_at, self._totals.period, self._zone)
            self._period = _Period(start, period_end(start, self._totals.period, self._zone))
        self._period.add(one, self._totals)

    def end(self) -> Iterator[Stretch]:
        yield from self._close()
        yield from self._flush()

    def _close(self) -> Iterator[Stretch]:
        if self._period is None:
            return
        if not self._period.raw or len(self._held) == MOST_AT_ONCE:
            yield from self._flush()
        if self._period.raw:
            self._held.append(self._period)
        self._period = None

    def _flush(self) -> Iterator[Stretch]:
        if self._held:
            yield _stretch(self._held, self._totals)
            self._held = []


def _stretch(periods: list[_Period], totals: Totals) -> Stretch:
    told = tuple(one for period in periods for one in period.told(totals))
    count = sum(one.raw for one in periods)
    return Stretch(periods[0].start, periods[-1].end, count, periods[0].first, periods[-1].last, told)


def _is_of(one: Instance, totals: Totals) -> bool:
    return (_sub(one, OVER), _sub(one, BY)) == (totals.period, totals.method.value)


def _sub(one: Instance, name: str) -> Any:
    found = (one.extra or {}).get(name)
    return found.get("value") if isinstance(found, dict) else None


def _told(value: Json) -> dict[str, Json]:
    return {"type": "Property", "value": value}
