"""Time inside Parvis: whole microseconds since the Unix epoch, UTC."""

import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from time import monotonic, time_ns
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

Instant = int
Clock = Callable[[], Instant]

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

MOST_BEHIND: Instant = HOUR
_SAY_EVERY_S = 60.0
_log = logging.getLogger(__name__)
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


def find_zone(name: str) -> ZoneInfo | None:
    """Of any text: a name may be no path, or too long for a file."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


class SteadyClock:
    """A clock that does not go back: while the machine's is behind, it stands still, and says so once a minute.

    A clock that is behind by more than MOST_BEHIND was wrong before: its present is followed, with a warning.
    """

    def __init__(self, clock: Clock, newest: Instant = 0) -> None:
        """`newest` was told before, by a process that has ended."""
        self._clock = clock
        self._newest = newest
        self._said_at_s = float("-inf")

    def __call__(self) -> Instant:
        now = self._clock()
        behind = self._newest - now
        if behind > SECOND:
            self._say(behind)
        if behind <= 0 or behind > MOST_BEHIND:
            self._newest = now
        return self._newest

    def _say(self, behind: Instant) -> None:
        if behind > MOST_BEHIND:
            _log.warning("the clock was wrong: stamps go back with it", extra={"behind_s": behind // SECOND})
        elif monotonic() - self._said_at_s >= _SAY_EVERY_S:
            self._said_at_s = monotonic()
            _log.warning("the clock went back: stamps wait for it", extra={"behind_s": behind // SECOND})


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


def format_instant(instant: Instant) -> str:
    """ISO 8601 in UTC, with as many decimals of the second as it takes."""
    seconds, fraction = divmod(instant, SECOND)
    text = _format_seconds(seconds)
    return f"{text}.{fraction:06d}".rstrip("0") + "Z" if fraction else text + "Z"


@lru_cache(maxsize=8192)
def _format_seconds(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).isoformat()[:19]


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

    @property
    def span(self) -> int:
        """In microseconds, where no calendar is at hand: a month counts 30 days."""
        return self.months * 30 * DAY + self.micros


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
