"""Durations and periods as people count them: in days of the territory, not in seconds."""

from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from types import MappingProxyType
from typing import Final

from parvis.kernel.time import DAY, FIRST_INSTANT, Duration, Instant, from_datetime, to_datetime

_Turn = Callable[[datetime], datetime]


def cutoff(now: Instant, keep: Duration, zone: tzinfo) -> Instant:
    """What was seen before it is past its time: `keep` before the day that `now` is in; where `keep` is no whole number
    of days, before `now` itself."""
    local = to_datetime(now).astimezone(zone)
    if keep.micros % DAY == 0:
        local = _midnight(local)
    try:
        back = _months_before(local.replace(tzinfo=None), keep.months) - timedelta(microseconds=keep.micros)
    except (OverflowError, ValueError):
        return FIRST_INSTANT
    return from_datetime(back.replace(tzinfo=zone))


def period_start(at: Instant, period: str, zone: tzinfo) -> Instant:
    return from_datetime(_STARTS[period](to_datetime(at).astimezone(zone)))


def period_end(start: Instant, period: str, zone: tzinfo) -> Instant:
    """Of the period that begins then."""
    inside = start + _LONGER_THAN_ONE[period]
    return period_start(inside, period, zone)


def _midnight(local: datetime) -> datetime:
    return local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)


def _hour(local: datetime) -> datetime:
    return local.replace(minute=0, second=0, microsecond=0)


def _monday(local: datetime) -> datetime:
    return _midnight(local) - timedelta(days=local.weekday())


def _first(local: datetime) -> datetime:
    return _midnight(local).replace(day=1)


def _months_before(moment: datetime, months: int) -> datetime:
    years, month = divmod(moment.year * 12 + moment.month - 1 - months, 12)
    for day in (moment.day, 30, 29, 28):
        try:
            return moment.replace(year=years, month=month + 1, day=day)
        except ValueError:
            continue
    raise ValueError("before the year 1")


_STARTS: Final = MappingProxyType[str, _Turn]({"PT1H": _hour, "P1D": _midnight, "P1W": _monday, "P1M": _first})
PERIODS: Final = tuple(_STARTS)
_LONGER_THAN_ONE: Final = MappingProxyType(
    {"PT1H": DAY // 16, "P1D": DAY + DAY // 4, "P1W": 7 * DAY + DAY // 4, "P1M": 31 * DAY + DAY // 4}
)
"""So long that from the start of a period it leads into the next one, and not beyond it, whatever the clocks do."""
