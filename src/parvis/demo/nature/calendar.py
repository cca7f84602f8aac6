"""What day it is in Brittany: local clock, weekend, school holidays by the ministry's usual rule, bank holidays."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

import numpy as np

from parvis.demo.nature.chance import Bools, Floats, Ints, Times
from parvis.demo.nature.remembered import Remembered

S_PER_DAY = 86_400
EPOCH = date(1970, 1, 1)
SATURDAY, SUNDAY = 5, 6


@dataclass(frozen=True, slots=True)
class Moments:
    """`day` counts local days since 1970-01-01; `weekday` is 0 on Mondays; `holiday` is of schools."""

    day: Ints
    hour: Floats
    weekday: Ints
    weekend: Bools
    holiday: Bools
    bank_holiday: Bools

    @property
    def is_off(self) -> Bools:
        """Nobody works who need not."""
        found: Bools = self.weekend | self.bank_holiday
        return found


def _moments(times: Times) -> Moments:
    local = times + _offset_s(times)
    day = np.floor(local / S_PER_DAY).astype(np.int64)
    weekday = (day + 3) % 7
    days, places = np.unique(day, return_inverse=True)
    holiday = np.array([_is_school_holiday(int(one)) for one in days], np.bool_)[places]
    bank = np.array([_is_bank_holiday(int(one)) for one in days], np.bool_)[places]
    return Moments(day, (local - day * S_PER_DAY) / 3600, weekday, weekday >= SATURDAY, holiday, bank)


moments = Remembered(_moments)


def local_midnight_s(day: int) -> float:
    """When a local day begins."""
    guess = day * S_PER_DAY - 3600.0
    return day * S_PER_DAY - float(_offset_s(np.array([guess]))[0])


def _offset_s(times: Times) -> Floats:
    """Of local time from UTC (directive 2000/84/EC: summer time between last Sundays, 01:00 UTC)."""
    found = np.full(len(times), 3600.0)
    if not len(times):
        return found
    years = range(_year(float(times.min())), _year(float(times.max())) + 1)
    for begin, end in map(_summer_time, years):
        found[(times >= begin) & (times < end)] = 7200.0
    return found


def _year(time_s: float) -> int:
    return datetime.fromtimestamp(time_s, UTC).year


@lru_cache(maxsize=64)
def _summer_time(year: int) -> tuple[float, float]:
    return _last_sunday_s(year, 3), _last_sunday_s(year, 10)


def _last_sunday_s(year: int, month: int) -> float:
    last = datetime(year, month, 31, 1, tzinfo=UTC)
    return last.timestamp() - (last.isoweekday() % 7) * S_PER_DAY


@lru_cache(maxsize=4096)
def _is_school_holiday(day: int) -> bool:
    """Two weeks from a Saturday at All Saints', Christmas, in winter and spring; the summer from early July on."""
    at = EPOCH + timedelta(day)
    year = at.year
    summer = _saturday_from(date(year, 7, 3)) <= at < date(year, 9, 1)
    breaks = [(year, 10, 17), (year, 12, 19), (year - 1, 12, 19), (year, 2, 8), (year, 4, 7)]
    return summer or any(0 <= (at - _saturday_from(date(*start))).days < 16 for start in breaks)


def _saturday_from(day: date) -> date:
    return day + timedelta((SATURDAY - day.weekday()) % 7)


_FIXED = {(1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25)}
_AFTER_EASTER_DAYS = {1, 39, 50}


@lru_cache(maxsize=4096)
def _is_bank_holiday(day: int) -> bool:
    at = EPOCH + timedelta(day)
    return (at.month, at.day) in _FIXED or (at - _easter(at.year)).days in _AFTER_EASTER_DAYS


@lru_cache(maxsize=64)
def _easter(year: int) -> date:
    """Gregorian Easter Sunday (Butcher's algorithm, in Meeus, Astronomical Algorithms, chapter 8)."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    h = (19 * a + b - d - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    i, k = divmod(c, 4)
    n = (32 + 2 * e + 2 * i - h - k) % 7
    m = (a + 11 * h + 22 * n) // 451
    month, day = divmod(h + n - 7 * m + 114, 31)
    return date(year, month, day + 1)
