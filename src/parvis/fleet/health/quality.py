"""How good a series is, from 0 to 100, and by which of its four parts it is not better. Pure.

- completeness: of what was due, by the interval and by the frame counter, so much came;
- timeliness: so much came before two intervals had passed, and the last one is not old;
- validity: so much was possible;
- stability: so much was no spike, and it is not stuck.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from parvis.fleet.model.vitals import SeriesStatistics, Statistics
from parvis.kernel.time import DAY, SECOND, Instant

WEIGHTS = {"completeness": 0.4, "timeliness": 0.2, "validity": 0.25, "stability": 0.15}
FEWEST_FRAMES = 5
OLD_INTERVALS = 3.0
POINTS_THAT_MATTER = 5


class Quality(msgspec.Struct, frozen=True):
    """Each from 0 to 100."""

    score: int
    completeness: int
    timeliness: int
    validity: int
    stability: int


def rate(
    statistics: Statistics, series: SeriesStatistics, now: Instant, interval_s: float, varies_within: Instant = 0
) -> Quality | None:
    """None while too few frames came to tell."""
    if series.frames < FEWEST_FRAMES or statistics.frames < FEWEST_FRAMES:
        return None
    overdue = max(0.0, (now - statistics.last_at) / SECOND / interval_s - 1.0) if interval_s else 0.0
    in_time = statistics.frames / (statistics.due + overdue) if interval_s and statistics.due else 1.0
    parts = {
        "completeness": min(in_time, 1.0 - statistics.loss),
        "timeliness": (1.0 - statistics.late / statistics.frames) * (0.5 if overdue > OLD_INTERVALS else 1.0),
        "validity": 1.0 - (series.impossible / series.frames if now - series.impossible_at < DAY else 0.0),
        "stability": 0.0 if _is_stuck(statistics, series, varies_within) else 1.0 - series.spikes / series.frames,
    }
    marks = {name: round(100 * min(1.0, max(0.0, part))) for name, part in parts.items()}
    return Quality(score=round(sum(WEIGHTS[name] * mark for name, mark in marks.items())), **marks)


def _is_stuck(statistics: Statistics, series: SeriesStatistics, varies_within: Instant) -> bool:
    return bool(varies_within) and series.same_frames >= 3 and statistics.last_at - series.since >= varies_within


def differs(now: Mapping[str, Quality], before: Mapping[str, Quality]) -> bool:
    """By some points, in any mark."""
    return now.keys() != before.keys() or any(
        abs(getattr(now[name], mark) - getattr(before[name], mark)) >= POINTS_THAT_MATTER
        for name in now
        for mark in Quality.__struct_fields__
    )


def read_qualities(value: Any) -> Mapping[str, Quality]:
    """The qualities by attribute that a Device entity's `dataQuality` holds; those that can be read."""
    if not isinstance(value, dict):
        return {}
    found = {}
    for name, one in value.items():
        try:
            found[name] = msgspec.convert(one, Quality)
        except msgspec.ValidationError:
            continue
    return found
