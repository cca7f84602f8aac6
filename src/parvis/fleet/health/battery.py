"""When a battery will be empty, from what it has told: the median of all slopes between two days (Theil 1950, Sen
1968), which a few wrong readings do not turn."""

from collections.abc import Sequence
from itertools import combinations
from statistics import median

from parvis.kernel.time import DAY, Instant

Point = tuple[Instant, float]
RENEWED = 0.15
"""A level that rises by so much, for good, is another battery, or this one charged."""
MOST_POINTS = 40
SHORTEST = 7 * DAY
LONGEST_FORECAST = 3650 * DAY
LEAST_FALL = 0.02


def last_day(points: Sequence[Point], empty: float) -> Instant | None:
    """When the level will be down to `empty`; None where it does not fall, or where too little is known.

    `points` are (instant, level from 0 to 1), oldest first.
    """
    days = since_renewal(daily(points))
    if len(days) < 4 or days[-1][0] - days[0][0] < SHORTEST or days[0][1] - days[-1][1] < LEAST_FALL:
        return None
    thinned = days[:: -(-len(days) // MOST_POINTS)]
    slope = median((later[1] - sooner[1]) / (later[0] - sooner[0]) for sooner, later in combinations(thinned, 2))
    if slope >= 0:
        return None
    level_at_zero = median(level - slope * at for at, level in thinned)
    emptied_at = round((empty - level_at_zero) / slope)
    return emptied_at if emptied_at <= days[-1][0] + LONGEST_FORECAST else None


def daily(points: Sequence[Point]) -> list[Point]:
    """The median level of each day (UTC), at its middle."""
    by_day: dict[int, list[float]] = {}
    for at, level in points:
        by_day.setdefault(at // DAY, []).append(level)
    return [(day * DAY + DAY // 2, median(levels)) for day, levels in sorted(by_day.items())]


def since_renewal(days: Sequence[Point]) -> list[Point]:
    start = 0
    for index in range(1, len(days)):
        before, now = days[index - 1][1], days[index][1]
        stays = all(level > before + RENEWED / 2 for _, level in days[index : index + 2])
        if now - before >= RENEWED and stays:
            start = index
    return list(days[start:])
