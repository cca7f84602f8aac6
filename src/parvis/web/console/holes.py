"""Where values are missing in a curve, and where they only come more rarely."""

from collections.abc import Sequence
from statistics import median

NEIGHBOURS = 2
FEWEST_STEPS = 2


def list_holes(steps: Sequence[float], usual_steps: float) -> list[int]:
    """The places of steps that are longer than so many usual ones: of all, and of those around it. Where there is one
    value a day beside hourly ones, as totals are, nothing is missing between two days."""
    if len(steps) < FEWEST_STEPS:
        return []
    longest = usual_steps * median(steps)
    return [place for place, step in enumerate(steps) if step > longest and step > usual_steps * _around(steps, place)]


def _around(steps: Sequence[float], place: int) -> float:
    return median([*steps[max(0, place - NEIGHBOURS) : place], *steps[place + 1 : place + 1 + NEIGHBOURS]])
