"""How fast something grows, and when it will fill what there is: a straight line through what was measured."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from parvis.kernel.time import DAY, HOUR, Instant

LEAST_SPAN = 3 * HOUR
"""A line through less than this says nothing."""
BEGINNING = DAY
STEP = 5
"""So many times what is usual, at the beginning: what a first start plays or imports at once does not come again."""
LOOKED_BACK = 14 * DAY
FARTHEST = 3650 * DAY


class Sample(NamedTuple):
    at: Instant
    amount: float


class Forecast(NamedTuple):
    """`full_at` is None where nothing grows, or where it would take more than ten years."""

    a_day: float
    full_at: Instant | None


def forecast(samples: Sequence[Sample], free: float, now: Instant) -> Forecast | None:
    """Least squares over the last two weeks; None where too little was measured."""
    recent = [one for one in _settled(samples) if now - LOOKED_BACK <= one.at <= now]
    if len(recent) < 2 or recent[-1].at - recent[0].at < LEAST_SPAN:
        return None
    mean_at = sum(one.at for one in recent) / len(recent)
    mean = sum(one.amount for one in recent) / len(recent)
    spread = sum((one.at - mean_at) ** 2 for one in recent)
    slope = sum((one.at - mean_at) * (one.amount - mean) for one in recent) / spread
    left = free / slope if slope > 0 else float("inf")
    return Forecast(slope * DAY, now + round(left) if left <= FARTHEST else None)


def _settled(samples: Sequence[Sample]) -> Sequence[Sample]:
    grown = [(later.amount - earlier.amount) / (later.at - earlier.at) for earlier, later in pairwise(samples)]
    if not grown:
        return samples
    usual = abs(median(grown))
    until = samples[0].at + BEGINNING
    steps = [
        number
        for number, (pace, after) in enumerate(zip(grown, samples[1:], strict=True), 1)
        if after.at <= until and abs(pace) > STEP * usual
    ]
    return samples[max(steps, default=0) :]
