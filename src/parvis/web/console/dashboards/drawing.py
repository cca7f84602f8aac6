"""Lines, arcs and squares as SVG: what a page shows before any script runs, and on paper."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import cos, pi, sin

from parvis.web.console.holes import list_holes

Point = tuple[float, float]
Column = Sequence[float | None]
SPARK = (160.0, 36.0)
FEWEST = 3
GAP_STEPS = 3


@dataclass(frozen=True, slots=True)
class Scale:
    """`ticks` are round numbers between `low` and `high`."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def share(self, value: float) -> float:
        return (value - self.low) / (self.high - self.low)


def scale_of(columns: Sequence[Column], *, is_share: bool = False) -> Scale:
    values = [value for column in columns for value in column if value is not None]
    low, high = min(values, default=0.0), max(values, default=1.0)
    if is_share:
        low, high = 0.0, max(1.0, high)
    elif 0 <= low <= high * 0.6:
        low = 0.0
    step = _round_step((high - low) or abs(high) or 1.0)
    first, last = int(low // step), int(-(-high // step))
    last = max(last, first + 1)
    ticks = tuple(round(number * step, 10) for number in range(first, last + 1))
    return Scale(ticks[0], ticks[-1], ticks)


def _round_step(span: float) -> float:
    """About four of them make the span: 1, 2 or 5 times a power of ten."""
    rough = span / 4
    power = 10.0 ** _floor_log10(rough)
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)


def _floor_log10(value: float) -> int:
    power = 0
    while value >= 10:
        value, power = value / 10, power + 1
    while value < 1:
        value, power = value * 10, power - 1
    return power


def line(column: Column, scale: Scale, size: Point) -> str:
    """The path of a series at equal steps; a gap interrupts it."""
    width, height = size
    step = width / max(1, len(column) - 1)
    parts, is_down = [], False
    for number, value in enumerate(column):
        if value is None:
            is_down = False
            continue
        parts.append(f"{'L' if is_down else 'M'}{number * step:.1f} {height * (1 - scale.share(value)):.1f}")
        is_down = True
    return "".join(parts)


def bridged(column: Column) -> list[float | None]:
    """Steps without a value are on the straight line between their neighbours where values come as rarely as that."""
    known = [number for number, value in enumerate(column) if value is not None]
    filled = list(column)
    if len(known) < FEWEST:
        return filled
    steps = [after - before for before, after in pairwise(known)]
    holes = set(list_holes(steps, GAP_STEPS))
    for place, (before, after) in enumerate(pairwise(known)):
        if after - before > 1 and place not in holes:
            first, last = float(column[before] or 0), float(column[after] or 0)
            for number in range(before + 1, after):
                filled[number] = first + (last - first) * (number - before) / (after - before)
    return filled


def arc(start: float, end: float, radius: float = 80, centre: Point = (100, 96)) -> str:
    """A part of the upper half circle, from left (0) to right (1)."""
    (x0, y0), (x1, y1) = (_on_circle(share, radius, centre) for share in (start, end))
    return f"M{x0:.2f} {y0:.2f}A{radius} {radius} 0 0 1 {x1:.2f} {y1:.2f}"


def _on_circle(share: float, radius: float, centre: Point) -> Point:
    angle = pi * (1 - min(1.0, max(0.0, share)))
    return centre[0] + radius * cos(angle), centre[1] - radius * sin(angle)


def steps_of(values: Column, steps: int = 5) -> list[int | None]:
    """Which of some equal steps, 1 the lowest, each value is in."""
    known = [value for value in values if value is not None]
    if not known:
        return [None] * len(values)
    low, span = min(known), max(known) - min(known)
    if not span:
        return [None if value is None else 1 for value in values]
    return [None if value is None else min(steps, int((value - low) / span * steps) + 1) for value in values]
