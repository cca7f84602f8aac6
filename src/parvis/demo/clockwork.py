"""Time and chance as pure functions: whatever the simulation shows at an instant follows from seed and instant alone.

So a backfill and the live play meet without a seam, and a restarted demonstration goes on where it would have been.
"""

from calendar import monthrange
from datetime import UTC, datetime
from functools import lru_cache
from math import cos, floor, log, pi, sqrt

Instant = int
US_PER_S = 1_000_000
S_PER_DAY = 86_400
MASK = (1 << 64) - 1


def chance(seed: int, key: int, step: int = 0) -> float:
    """A number in 0..1 that looks random in each argument (SplitMix64's finaliser, Steele et al. 2014)."""
    x = (seed * 0x9E3779B97F4A7C15 + key * 0xD1B54A32D192ED03 + step * 0x8CB92BA72F3D8DD7 + 0x632BE5AB) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return (x ^ (x >> 31)) / 2**64


def drift(seed: int, key: int, time_s: float, scale_s: float) -> float:
    """A smooth wandering between -1 and 1 with turns about every `scale_s`."""
    position = time_s / scale_s
    step = floor(position)
    share = position - step
    share = share * share * (3 - 2 * share)
    return 2 * (chance(seed, key, step) * (1 - share) + chance(seed, key, step + 1) * share) - 1


def gauss(seed: int, key: int, step: int) -> float:
    """Standard normal (Box and Muller 1958)."""
    radius = sqrt(-2 * log(max(chance(seed, key, 2 * step), 1e-12)))
    return radius * cos(2 * pi * chance(seed, key, 2 * step + 1))


@lru_cache(maxsize=64)
def _summer_time(year: int) -> tuple[float, float]:
    """Begin and end of summer time in the European Union (directive 2000/84/EC): last Sundays, 01:00 UTC."""
    return _last_sunday_s(year, 3), _last_sunday_s(year, 10)


def _last_sunday_s(year: int, month: int) -> float:
    last_day = datetime(year, month, monthrange(year, month)[1], 1, tzinfo=UTC)
    return last_day.timestamp() - (last_day.isoweekday() % 7) * S_PER_DAY


@lru_cache(maxsize=4096)
def local_offset_s(hour_of_epoch: int) -> int:
    time_s = hour_of_epoch * 3600
    begin, end = _summer_time(datetime.fromtimestamp(time_s, UTC).year)
    return 7200 if begin <= time_s < end else 3600


def local_s(time_s: float) -> float:
    """Seconds since the epoch as a clock in Brittany would count them."""
    return time_s + local_offset_s(int(time_s // 3600))


def day_and_hour(time_s: float) -> tuple[int, float]:
    """Local day number since the epoch and hour of that day."""
    local = local_s(time_s)
    day = int(local // S_PER_DAY)
    return day, (local - day * S_PER_DAY) / 3600


def is_weekend(day: int) -> bool:
    return (day + 3) % 7 >= 5


def battery_percent(seed: int, key: int, time_s: float) -> int:
    """A cell that lasts three to six years, changed when it is nearly flat."""
    life_s = (3 + 3 * chance(seed, key, 11)) * 365 * S_PER_DAY
    return 100 - int(94 * ((time_s / life_s + chance(seed, key, 12)) % 1))
