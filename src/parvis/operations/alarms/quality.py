"""How good the alarms of a room are: the figures of ANSI/ISA-18.2-2016, clause 16, and EEMUA 191.

All of them over occurrences that began in a window; nothing here reads or waits.
"""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from statistics import median

import msgspec

from parvis.kernel.time import DAY, MINUTE, SECOND, Instant
from parvis.operations.alarms.model import Priority

PERIOD = 10 * MINUTE
FLOOD_BEGINS = 10
"""More of them than this begin within 10 minutes (ISA-18.2, 3.1)."""
CHATTERING_COUNT = 3
CHATTERING_SPAN = 60 * SECOND
STANDING_AFTER = DAY
MOST_BAD_ACTORS = 10
TARGET_SHARES = {Priority.LOW: 0.80, Priority.MEDIUM: 0.15, Priority.HIGH: 0.05, Priority.CRITICAL: 0.0}
"""The share of high holds critical as well."""


class Occurrence(msgspec.Struct, frozen=True):
    """That an alarm was raised once. None: not yet."""

    alarm_id: str
    priority: Priority
    began_at: Instant
    ended_at: Instant | None = None
    acknowledged_at: Instant | None = None


class BadActor(msgspec.Struct, frozen=True):
    alarm_id: str
    occurrences: int
    share: float


class Quality(msgspec.Struct, frozen=True):
    """`rate_per_10_min` is the mean; `flood_share` the part of the 10-minute periods with more than FLOOD_BEGINS."""

    occurrences: int
    rate_per_10_min: float
    peak_per_10_min: int
    flood_share: float
    bad_actors: tuple[BadActor, ...]
    standing: tuple[str, ...]
    chattering: tuple[str, ...]
    shares: dict[Priority, float]
    median_to_acknowledge_s: float | None


def quality_of(occurrences: Iterable[Occurrence], after: Instant, before: Instant) -> Quality:
    """Of those that began within [after, before), `before` being now or earlier. Standing are those that stand at
    `before` and began, at any time, more than a day earlier."""
    known = [one for one in occurrences if one.began_at < before]
    begun = sorted((one for one in known if one.began_at >= after), key=lambda one: one.began_at)
    periods = _per_period(begun, after, before)
    return Quality(
        occurrences=len(begun),
        rate_per_10_min=sum(periods) * PERIOD / max(before - after, 1),
        peak_per_10_min=peak([one.began_at for one in begun]),
        flood_share=sum(one > FLOOD_BEGINS for one in periods) / max(len(periods), 1),
        bad_actors=_bad_actors(begun),
        standing=tuple(sorted({one.alarm_id for one in known if _stands(one, before)})),
        chattering=chattering(begun),
        shares=_shares(begun),
        median_to_acknowledge_s=_median_to_acknowledge_s(begun),
    )


def peak(began_at: Sequence[Instant]) -> int:
    """The most that begin within any 10 minutes, whenever these begin; the instants in order."""
    return max((bisect_left(began_at, at + PERIOD) - number for number, at in enumerate(began_at)), default=0)


def chattering(begun: Iterable[Occurrence]) -> tuple[str, ...]:
    """Alarms that were raised CHATTERING_COUNT times within CHATTERING_SPAN."""
    instants: dict[str, list[Instant]] = defaultdict(list)
    for one in begun:
        instants[one.alarm_id].append(one.began_at)
    return tuple(sorted(name for name, told in instants.items() if _chatters(sorted(told))))


def _chatters(instants: Sequence[Instant]) -> bool:
    within = (bisect_right(instants, at + CHATTERING_SPAN) - number for number, at in enumerate(instants))
    return any(one >= CHATTERING_COUNT for one in within)


def _per_period(begun: Sequence[Occurrence], after: Instant, before: Instant) -> list[int]:
    periods = [0] * -(-(before - after) // PERIOD)
    for one in begun:
        periods[(one.began_at - after) // PERIOD] += 1
    return periods


def _bad_actors(begun: Sequence[Occurrence]) -> tuple[BadActor, ...]:
    counts = Counter(one.alarm_id for one in begun)
    worst = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MOST_BAD_ACTORS]
    return tuple(BadActor(name, count, count / len(begun)) for name, count in worst)


def _stands(one: Occurrence, now: Instant) -> bool:
    return (one.ended_at is None or one.ended_at > now) and now - one.began_at > STANDING_AFTER


def _shares(begun: Sequence[Occurrence]) -> dict[Priority, float]:
    counts = Counter(one.priority for one in begun)
    return {priority: counts[priority] / max(len(begun), 1) for priority in Priority}


def _median_to_acknowledge_s(begun: Sequence[Occurrence]) -> float | None:
    waits = [one.acknowledged_at - one.began_at for one in begun if one.acknowledged_at is not None]
    return median(waits) / SECOND if waits else None
