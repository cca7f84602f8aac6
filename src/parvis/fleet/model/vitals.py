"""What the frames of one device tell of its health as they come: counts that fade, no history.

A frame costs a few microseconds here. Counts are halved at FADE_AT, so that the last few hundred frames speak.
"""

from collections.abc import Callable, Iterable
from math import inf
from statistics import median
from typing import Any

import msgspec

from parvis.broker.model.entity import Instance, Iri
from parvis.fleet.model.uplink import NO_COUNTER, Technology, Uplink
from parvis.kernel.time import DAY, MINUTE, SECOND, Instant

FADE_AT = 256.0
WEIGHT_OF_NEWEST = 0.125
_INTERVALS = 9
_ONE_TELLING = 5 * SECOND
_LARGEST = 1e300
_LONGEST_GAP = 100
"""Frames that one gap counts for: a device that was away for weeks is heard well again."""
_STEPS_LEARNT = 16
_SPIKE = 10.0
"""A step so many times the usual one."""


class SeriesStatistics(msgspec.Struct, gc=False, omit_defaults=True, rename="camel"):
    """Of one attribute: `since` is when it took its present value, `impossible` counts those of the last day."""

    frames: float = 0.0
    spikes: float = 0.0
    impossible: float = 0.0
    impossible_at: Instant = 0
    impossible_value: float = 0.0
    since: Instant = 0
    value: Any = None
    same_frames: int = 0
    step: float = 0.0
    steps: int = 0

    def note(self, value: Any, at: Instant) -> None:
        self.frames += 1.0
        if self.frames >= FADE_AT:
            self.frames *= 0.5
            self.spikes *= 0.5
        before = self.value
        if value == before:
            self.same_frames += 1
            return
        self.value, self.since, self.same_frames = value, at, 1
        if type(value) in _NUMBERS and type(before) in _NUMBERS:
            try:
                step = abs(value - before)
            except OverflowError:
                return
            if step < inf:
                self._step(step)

    def _step(self, step: float) -> None:
        if self.steps < _STEPS_LEARNT:
            self.steps += 1
            self.step += (step - self.step) / self.steps
        elif step > _SPIKE * self.step:
            self.spikes += 1.0
            self.step *= 1.1
        else:
            self.step += (step - self.step) * WEIGHT_OF_NEWEST

    def note_impossible(self, value: float, at: Instant) -> None:
        self.impossible = 1.0 if at - self.impossible_at > DAY else self.impossible + 1.0
        self.impossible_at, self.impossible_value = at, _finite(value)

    def snapshot(self) -> "SeriesStatistics":
        value = self.value if isinstance(self.value, bool | int | float | str) else None
        return msgspec.structs.replace(self, value=value)


def _finite(value: float) -> float:
    """What JSON can hold."""
    return float(max(-_LARGEST, min(value, _LARGEST))) if value == value else 0.0


_NUMBERS = frozenset({int, float})


class Statistics(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """`lost` by gaps in the frame counter; `due` by the time that passed, where that tells more than the counter;
    `late` arrived later than two intervals.

    `foreign` counts what only a second radio with the same key explains, `clock_offset_s` is positive where the device
    is behind.
    """

    technology: str = ""
    way: str = ""
    last_at: Instant = 0
    frames: float = 0.0
    lost: float = 0.0
    due: float = 0.0
    late: float = 0.0
    interval_s: float = 0.0
    rssi_dbm: float | None = None
    snr_db: float | None = None
    gateways: float = 0.0
    spreading_factor: int = 0
    foreign: float = 0.0
    foreign_at: Instant = 0
    clock_offset_s: float | None = None
    is_clock_unset: bool = False
    series: dict[str, SeriesStatistics] = {}

    @property
    def loss(self) -> float:
        """Share of the numbered frames that never came."""
        sent = self.frames + self.lost
        return self.lost / sent if sent else 0.0


_NOTHING_YET = Statistics()


class Vitals:
    __slots__ = (
        "_counter",
        "_due",
        "_foreign",
        "_foreign_at",
        "_frames",
        "_gateways",
        "_interval",
        "_intervals",
        "_last_at",
        "_late",
        "_lost",
        "_previous_session",
        "_rssi_dbm",
        "_session",
        "_snr_db",
        "_spreading_factor",
        "_technology",
        "_told_at",
        "_way",
        "has_news",
        "series",
    )  # fmt: skip

    def __init__(self, before: Statistics | None = None, expand: Callable[[str], Iri] = str) -> None:
        known = before or _NOTHING_YET
        self._technology = Technology(known.technology or Technology.UNKNOWN.value)
        self._way = known.way
        self._last_at = self._told_at = known.last_at
        self._frames, self._lost, self._due, self._late = known.frames, known.lost, known.due, known.late
        self._rssi_dbm, self._snr_db, self._gateways = known.rssi_dbm, known.snr_db, known.gateways
        self._spreading_factor = known.spreading_factor
        self._foreign, self._foreign_at = known.foreign, known.foreign_at
        self._session = self._previous_session = ""
        self._counter = NO_COUNTER
        self._interval = round(known.interval_s * SECOND)
        self._intervals = [self._interval] if self._interval else []
        self.has_news = False
        self.series = {expand(term): one for term, one in known.series.items()}

    def note(
        self, uplink: Uplink, at: Instant, arrived_at: Instant, expected: Instant, elsewhere_until: Instant = 0
    ) -> bool:
        """Whether it is the newest one so far; `expected` is the interval that the profile states, or 0.

        Another process may have heard frames up to `elsewhere_until`: what is missing here until then tells nothing.
        """
        self.has_news = True
        was_alone = self._last_at >= elsewhere_until
        is_newest = at > self._last_at
        self._frames += 1.0
        if self._interval and arrived_at - at > 2 * self._interval:
            self._late += 1.0
        if uplink.f_cnt != NO_COUNTER:
            self._count(uplink, at, is_newest=is_newest, was_alone=was_alone)
        if is_newest:
            self._pass_time(at, expected, was_alone=was_alone)
            self._hear(uplink)
        if self._frames >= FADE_AT:
            self._fade()
        return is_newest

    def note_values(self, instances: Iterable[Instance]) -> None:
        """Of one frame, or of its records in the order of time."""
        known = self.series
        for one in instances:
            series = known.get(one.name)
            if series is None:
                series = known[one.name] = SeriesStatistics()
            series.note(one.value, one.observed_at or 0)

    def note_impossible(self, instance: Instance) -> None:
        self.series.setdefault(instance.name, SeriesStatistics()).note_impossible(instance.value, instance.seen_at)

    def _count(self, uplink: Uplink, at: Instant, *, is_newest: bool, was_alone: bool) -> None:
        if uplink.session != self._session:
            if is_newest:
                self._change_session(uplink, at)
            return
        ahead = uplink.f_cnt - self._counter
        if self._counter == NO_COUNTER:
            self._counter = uplink.f_cnt
        elif ahead > 0:
            if was_alone:
                self._lost += min(ahead - 1, _LONGEST_GAP)
            self._counter = uplink.f_cnt
        elif is_newest and ahead < 0:
            self._note_foreign(at)
            self._counter = uplink.f_cnt
        else:
            self._lost = max(0.0, self._lost - 1.0)

    def _change_session(self, uplink: Uplink, at: Instant) -> None:
        """A device that joins anew never goes back to the session it had: a second one with the same key does."""
        if self._session and uplink.session == self._previous_session:
            self._note_foreign(at)
        self._previous_session, self._session = self._session, uplink.session
        self._counter = uplink.f_cnt

    def _note_foreign(self, at: Instant) -> None:
        self._foreign = 1.0 if at - self._foreign_at > DAY else self._foreign + 1.0
        self._foreign_at = at

    def _pass_time(self, at: Instant, expected: Instant, *, was_alone: bool) -> None:
        last, self._last_at = self._last_at, at
        if not last:
            self._due += 1.0
            self._told_at = at
            return
        gap = at - last
        self._learn_interval(at)
        interval = expected or (self._interval if self._counter == NO_COUNTER else 0)
        self._due += max(1, round(gap / interval)) if interval and was_alone else 1

    def _learn_interval(self, at: Instant) -> None:
        """By the median; a few seconds apart is one telling, and the first gap is believed only where it is long."""
        gap = at - self._told_at
        if gap < _ONE_TELLING:
            return
        self._told_at = at
        self._intervals.append(gap)
        if (not self._interval and gap >= MINUTE) or len(self._intervals) > _INTERVALS:
            self._interval = round(median(self._intervals))
            del self._intervals[:-1]

    def _hear(self, uplink: Uplink) -> None:
        self._technology, self._way = uplink.technology, uplink.way
        self._spreading_factor = uplink.spreading_factor
        if uplink.rssi_dbm is not None:
            self._rssi_dbm = _smooth(self._rssi_dbm, uplink.rssi_dbm)
        if uplink.snr_db is not None:
            self._snr_db = _smooth(self._snr_db, uplink.snr_db)
        self._gateways = _smooth(self._gateways or None, uplink.gateways)

    def _fade(self) -> None:
        self._frames *= 0.5
        self._lost *= 0.5
        self._due *= 0.5
        self._late *= 0.5

    def statistics(
        self, compact: Callable[[Iri], str], clock_offset: Instant | None = None, *, is_clock_unset: bool = False
    ) -> Statistics:
        return Statistics(
            technology=self._technology.value,
            way=self._way,
            last_at=self._last_at,
            frames=round(self._frames, 1),
            lost=round(self._lost, 1),
            due=round(self._due, 1),
            late=round(self._late, 1),
            interval_s=self._interval / SECOND,
            rssi_dbm=_rounded(self._rssi_dbm),
            snr_db=_rounded(self._snr_db),
            gateways=round(self._gateways, 1),
            spreading_factor=self._spreading_factor,
            foreign=self._foreign,
            foreign_at=self._foreign_at,
            clock_offset_s=None if clock_offset is None else clock_offset / SECOND,
            is_clock_unset=is_clock_unset,
            series={compact(name): one.snapshot() for name, one in self.series.items()},
        )


def _smooth(before: float | None, value: float) -> float:
    return value if before is None else before + (value - before) * WEIGHT_OF_NEWEST


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
