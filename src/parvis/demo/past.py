"""The months before the first start: what every device would have told, brought into the archive at once."""

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from parvis.broker.model.entity import Json, Kind
from parvis.broker.ports.past import Brought, OldObservations, OldSeries
from parvis.demo.nature.chance import Times
from parvis.kernel.time import SECOND

DAYS, DAYS_IN_FULL, DAYS_AT_ONCE = 90, 3, 30
"""Longer parts are told in less time, for each device has its own beginning; they take more memory."""
STEP_S = 3600.0
MOVING_STEP_S, MOVING_STEP_LONG_AGO_S = 60.0, 600.0
"""Where buses were: at their own 15 s there would be more places of 22 buses than of all else together."""
S_PER_DAY = 86_400.0


class PastSeries(NamedTuple):
    """One series at the times asked for. `term` is the attribute's name in the platform's @context.

    What was not heard is NaN, or None among texts. `extra` are sub-attributes, normalized and expanded. `times` are
    given where they are others than asked for.
    """

    entity_id: str
    term: str
    values: NDArray[Any]
    unit: str = ""
    dataset: str = ""
    extra: Mapping[str, Json] | None = None
    kind: Kind = Kind.PROPERTY
    times: Times | None = None


class Days(NamedTuple):
    """From `first` to before `last`, counted since the Unix epoch (UTC); `in_full`: every attribute of each device."""

    first: int
    last: int
    in_full: bool

    @property
    def times(self) -> Times:
        return self._every(STEP_S)

    @property
    def moving_times(self) -> Times:
        """For what moves."""
        return self._every(MOVING_STEP_S if self.in_full else MOVING_STEP_LONG_AGO_S)

    def _every(self, step_s: float) -> Times:
        return np.arange(self.first * S_PER_DAY, self.last * S_PER_DAY, step_s)


class Progress(NamedTuple):
    """`share` of the days are done; `brought` is all so far."""

    share: float
    brought: Brought


Tell = Callable[[Days], Awaitable[Sequence[OldObservations]]]
"""Begins at once, in another process; names of attributes are terms."""
Bring = Callable[[OldObservations], Awaitable[Brought]]
Expand = Callable[[str], str]


def list_days(first: int, today: int) -> list[Days]:
    """The newest first, which are looked at first; these in full."""
    in_full = max(first, today - DAYS_IN_FULL)
    parts = [Days(in_full, today, True)] if in_full < today else []
    ends = range(in_full, first, -DAYS_AT_ONCE)
    return [*parts, *(Days(max(first, last - DAYS_AT_ONCE), last, False) for last in ends)]


async def bring_days(parts: Sequence[Days], tell: Tell, expand: Expand, bring: Bring) -> AsyncIterator[Progress]:
    """While some days are brought the next are told. What is there already is left alone: it may be done again."""
    total, done, days = Brought(), 0, sum(part.last - part.first for part in parts)
    coming = [tell(part) for part in parts[:1]]
    for number, part in enumerate(parts):
        told = await coming.pop()
        coming += [tell(following) for following in parts[number + 1 : number + 2]]
        for old in told:
            total = total + await bring(expanded(old, expand))
        done += part.last - part.first
        yield Progress(done / days, total)


def expanded(old: OldObservations, expand: Expand) -> OldObservations:
    series = [one._replace(attribute=expand(one.attribute)) for one in old.series]
    return msgspec.structs.replace(old, series=series)


def columns_of(told: Iterable[PastSeries], times: Times) -> Iterator[OldObservations]:
    """One batch for each kind of numbers; texts are with the fractions, so that files are written once."""
    kinds: defaultdict[str, list[PastSeries]] = defaultdict(list)
    for one in told:
        kinds[one.values.dtype.kind.replace("O", "f")].append(one)
    for some in kinds.values():
        heard = [_is_heard(one.values) for one in some]
        values = [one.values[mask] for one, mask in zip(some, heard, strict=True)]
        yield OldObservations(
            [OldSeries(one.entity_id, one.term, one.dataset, one.kind, one.unit, one.extra) for one in some],
            np.repeat(np.arange(len(some), dtype=np.int32), [int(mask.sum()) for mask in heard]),
            np.concatenate([_instants(one, times)[mask] for one, mask in zip(some, heard, strict=True)]),
            np.concatenate([np.zeros(len(one)) if _is_text(one) else one for one in values]),
            _texts(values),
        )


def _instants(one: PastSeries, times: Times) -> NDArray[np.int64]:
    own = times if one.times is None else one.times
    return np.rint(own * SECOND).astype(np.int64)


def _is_text(values: NDArray[Any]) -> bool:
    return values.dtype.kind == "O"


def _texts(values: Sequence[NDArray[Any]]) -> NDArray[Any] | None:
    if not any(map(_is_text, values)):
        return None
    return np.concatenate([one if _is_text(one) else np.full(len(one), None) for one in values])


def _is_heard(values: NDArray[Any]) -> NDArray[np.bool_]:
    heard = np.ones(len(values), np.bool_)
    if values.dtype.kind == "f":
        heard = ~np.isnan(values)
    if _is_text(values):
        heard = np.array([one is not None for one in values], np.bool_)
    return heard
