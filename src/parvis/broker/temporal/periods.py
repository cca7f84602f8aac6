"""The periods of an aggregation (NGSI-LD 1.9.1, 4.5.19)."""

from collections.abc import Iterator
from datetime import MAXYEAR, datetime

from parvis.kernel.errors import TooComplexQuery
from parvis.kernel.time import DAY, LAST_INSTANT, Duration, Instant, from_datetime, to_datetime

MAX_PERIODS = 10_000


def list_periods(first: Instant, last: Instant, period: Duration) -> Iterator[tuple[Instant, Instant]]:
    """(start, end) of every period from `first` until `last` is inside; months and years follow the calendar in UTC.

    Raises:
        TooComplexQuery: more than MAX_PERIODS.
    """
    if not any(period):
        yield (first, last + 1)
        return
    if estimate_periods(first, last, period) > MAX_PERIODS:
        raise TooComplexQuery(f"More than {MAX_PERIODS} periods: ask for a longer period or a shorter range.")
    start, count = first, 0
    while start <= last and start != LAST_INSTANT:
        count += 1
        end = _after(first, period, count)
        yield (start, end)
        start = end


def estimate_periods(first: Instant, last: Instant, period: Duration) -> float:
    """How many there are, or a few more."""
    return (last - first) / (period.months * 28 * DAY + period.micros) if any(period) else 1


def _after(first: Instant, period: Duration, count: int) -> Instant:
    moved = first if not period.months else from_datetime(_months_later(to_datetime(first), period.months * count))
    return min(moved + period.micros * count, LAST_INSTANT)


def _months_later(moment: datetime, months: int) -> datetime:
    years, month = divmod(moment.month - 1 + months, 12)
    if moment.year + years > MAXYEAR:
        return datetime.max.replace(tzinfo=moment.tzinfo)
    for day in (moment.day, 30, 29, 28):
        try:
            return moment.replace(year=moment.year + years, month=month + 1, day=day)
        except ValueError:
            continue
    raise AssertionError("every month has 28 days")
