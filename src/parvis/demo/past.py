"""The months before the first start: what every device would have told, brought into the archive at once."""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from parvis.broker.model.entity import Json
from parvis.broker.ports.past import Brought, OldObservations, OldSeries
from parvis.demo.nature.chance import Times
from parvis.kernel.time import DAY, SECOND, Instant

DAYS = 90
DAYS_AT_ONCE = 10
STEP_S = 3600.0


class PastSeries(NamedTuple):
    """One series at the times asked for. `term` is the attribute's name in the platform's @context.

    What was not heard is NaN, or None among texts.

    `extra` are sub-attributes, normalized and expanded.
    """

    entity_id: str
    term: str
    values: NDArray[Any]
    unit: str = ""
    dataset: str = ""
    extra: Mapping[str, Json] | None = None


PastReadings = Callable[[Times], Iterable[PastSeries]]
Expand = Callable[[str], str]


class BringPast(Protocol):
    async def __call__(self, old: OldObservations) -> Brought: ...


class Progress(NamedTuple):
    """`share` of the days are done; `brought` is all so far."""

    share: float
    brought: Brought


async def bring_days(
    readings: PastReadings, expand: Expand, bring: BringPast, now: Instant, days: int = DAYS
) -> AsyncIterator[Progress]:
    """Hourly readings of the days before today (UTC), the newest first: those are looked at first.

    What is there already is left alone, so it may be called again after a stop.
    """
    today, total = now // DAY, Brought()
    for last in range(today, today - days, -DAYS_AT_ONCE):
        first = max(last - DAYS_AT_ONCE, today - days)
        times = np.arange(first * DAY / SECOND, last * DAY / SECOND, STEP_S)
        for old in columns_of(readings(times), times, expand):
            total = total + await bring(old)
        yield Progress((today - first) / days, total)


def columns_of(told: Iterable[PastSeries], times: Times, expand: Expand) -> Iterator[OldObservations]:
    """One batch for each kind of values."""
    kinds: defaultdict[str, list[PastSeries]] = defaultdict(list)
    for one in told:
        kinds[one.values.dtype.kind].append(one)
    instants = np.rint(times * SECOND).astype(np.int64)
    for some in kinds.values():
        heard = [_is_heard(one.values) for one in some]
        yield OldObservations(
            [OldSeries(one.entity_id, expand(one.term), one.dataset, unit=one.unit, extra=one.extra) for one in some],
            np.repeat(np.arange(len(some), dtype=np.int32), [int(mask.sum()) for mask in heard]),
            np.concatenate([instants[mask] for mask in heard]),
            np.concatenate([one.values[mask] for one, mask in zip(some, heard, strict=True)]),
        )


def _is_heard(values: NDArray[Any]) -> NDArray[np.bool_]:
    heard = np.ones(len(values), np.bool_)
    if values.dtype.kind == "f":
        heard = ~np.isnan(values)
    if values.dtype.kind == "O":
        heard = np.array([one is not None for one in values], np.bool_)
    return heard
