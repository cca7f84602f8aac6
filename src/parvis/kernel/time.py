"""Time inside Parvis: whole microseconds since the Unix epoch, UTC."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from time import time_ns

Instant = int
Clock = Callable[[], Instant]

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
FIRST_INSTANT: Instant = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
LAST_INSTANT: Instant = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
"""Years 1 to 9999, which is what ISO 8601 can write without an agreement."""
_DURATION = re.compile(
    r"P(?:(?P<years>\d{1,9})Y)?(?:(?P<months>\d{1,9})M)?(?:(?P<weeks>\d{1,9})W)?(?:(?P<days>\d{1,9})D)?"
    r"(?:T(?:(?P<hours>\d{1,9})H)?(?:(?P<minutes>\d{1,9})M)?(?:(?P<seconds>\d{1,9}(?:\.\d{1,9})?)S)?)?"
)


def system_clock() -> Instant:
    return time_ns() // 1000


@lru_cache(maxsize=8192)
def parse_instant(text: str) -> Instant:
    """Instant of an ISO 8601 date-time with a zone ("Z" or an offset).

    Raises:
        ValueError: not ISO 8601, without a zone, or beyond the years 1 to 9999 in UTC.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"no time zone in {text!r}: end it with Z or an offset such as +01:00")
    instant = (moment - _EPOCH) // _MICROSECOND
    if not FIRST_INSTANT <= instant <= LAST_INSTANT:
        raise ValueError(f"{text!r} lies beyond the years 1 to 9999 in UTC")
    return instant


@lru_cache(maxsize=8192)
def format_instant(instant: Instant) -> str:
    """ISO 8601 in UTC, with as many decimals of the second as it takes."""
    moment = _EPOCH + timedelta(microseconds=instant)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S") if moment.year >= 1000 else moment.isoformat()[:19]
    fraction = instant % SECOND
    return f"{text}.{fraction:06d}".rstrip("0") + "Z" if fraction else text + "Z"


def to_datetime(instant: Instant) -> datetime:
    return _EPOCH + timedelta(microseconds=instant)


def from_datetime(moment: datetime) -> Instant:
    """Raises ValueError for a date-time without a zone."""
    if moment.tzinfo is None:
        raise ValueError("a date-time without a time zone is no instant")
    return (moment - _EPOCH) // _MICROSECOND


class Duration(tuple[int, int]):
    """An ISO 8601 duration: (calendar months, microseconds)."""

    __slots__ = ()

    @property
    def months(self) -> int:
        return self[0]

    @property
    def micros(self) -> int:
        return self[1]


def parse_duration(text: str) -> Duration:
    """Raises ValueError when `text` is no ISO 8601 duration."""
    found = _DURATION.fullmatch(text)
    if found is None or text in ("P", "PT") or text.endswith("T"):
        raise ValueError(f"{text!r} is no ISO 8601 duration such as PT1H or P1D")
    part = {name: float(digits or 0) for name, digits in found.groupdict().items()}
    micros = (
        part["weeks"] * 7 * DAY
        + part["days"] * DAY
        + part["hours"] * HOUR
        + part["minutes"] * MINUTE
        + part["seconds"] * SECOND
    )
    return Duration((int(part["years"] * 12 + part["months"]), round(micros)))
