"""Old observations in the order in which files hold them, and what of them is to become rows."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import groupby, islice
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from parvis.broker.model.entity import Iri
from parvis.broker.ports.archive import Day, SeriesOfFile
from parvis.broker.ports.past import Brought, OldObservations
from parvis.broker.temporal.retention import Retention
from parvis.kernel.time import DAY, Instant

Types = tuple[Iri, ...]
Mask = NDArray[np.bool_]
Numbers = NDArray[np.int64]
HELD_AT_ONCE = 100_000
"""Times of stored instances that are in memory together, however many there are."""


class Part(NamedTuple):
    """What one file takes: so many rows of the observations in order, from `start` on."""

    types: Types
    day: Day
    start: int
    end: int


class Ordered(msgspec.Struct, frozen=True):
    """Rows by file, then as a file holds them: by series and time. `of` are places in `old.series`."""

    old: OldObservations
    of: NDArray[np.int32]
    times: NDArray[np.int64]
    values: NDArray[Any]
    texts: NDArray[Any] | None
    parts: tuple[Part, ...]

    def __len__(self) -> int:
        return len(self.of)

    @property
    def series(self) -> dict[SeriesOfFile, Types]:
        """Those that there are rows of."""
        types = {
            (part.types, place) for part in self.parts for place in np.unique(self.of[part.start : part.end]).tolist()
        }
        return {_series_of(self.old, place): of_types for of_types, place in types}


ListHeld = Callable[[Sequence[str], range], Iterable[tuple[SeriesOfFile, Instant]]]
"""The instances of entities, of some days, that are stored already."""


def put_in_order(
    old: OldObservations, types: Mapping[str, Types], today: Day, retention: Retention, list_held: ListHeld
) -> tuple[Ordered, Brought]:
    """Without what is not to be written, which is counted. `types` are of the entities that are known."""
    typesets = sorted(set(types.values()))
    place_of = {one: place for place, one in enumerate(typesets)}
    places = (place_of[types[one.entity_id]] if one.entity_id in types else -1 for one in old.series)
    of_series = np.array([*places, -1])
    rank_of = _rank(old)
    ranks = np.array([rank_of[_series_of(old, place)] for place in range(len(old.series))] or [0], np.int64)
    days = old.times // DAY
    sorter = _Sorter(len(old))
    unknown = sorter.leave_out(of_series[old.of] < 0)
    not_over = sorter.leave_out(days >= today)
    expired = sorter.leave_out(_expired(old, of_series, days, typesets, today, retention))
    unusable = sorter.leave_out(_unusable(old.values, old.texts))
    kept = np.flatnonzero(sorter.kept)
    of = old.of[kept]
    order = kept[_sort(of_series[of], days[kept], ranks[of], old.times[kept])]
    order = order[~_repeated(ranks[old.of[order]], old.times[order])]
    order = order[~_find_held(old, rank_of, ranks[old.of[order]], order, list_held)]
    parts = tuple(_parts(of_series[old.of[order]], days[order], typesets))
    ordered = Ordered(old, old.of[order], old.times[order], old.values[order], _taken(old.texts, order), parts)
    told = Brought(
        stored_before=len(kept) - len(order),
        unknown=unknown,
        not_over=not_over,
        expired=expired,
        unusable=unusable,
    )
    return ordered, told


def _sort(types: Numbers, days: Numbers, ranks: Numbers, times: Numbers) -> Numbers:
    """By file, series and time: file and series as one number, for each key of a sort costs as much again."""
    if not len(times):
        return np.zeros(0, np.int64)
    first, width = days.min(), days.max() - days.min() + 1
    files_and_series = (types * width + (days - first)) * (ranks.max() + 1) + ranks
    return np.lexsort((times, files_and_series))


class _Sorter:
    """Each row is left out for the first reason there is."""

    def __init__(self, rows: int) -> None:
        self.kept = np.ones(rows, np.bool_)

    def leave_out(self, concerned: Mask) -> int:
        gone = self.kept & concerned
        self.kept &= ~concerned
        return int(gone.sum())


def _series_of(old: OldObservations, place: int) -> SeriesOfFile:
    one = old.series[place]
    return SeriesOfFile(one.entity_id, one.attribute, one.dataset)


def _rank(old: OldObservations) -> dict[SeriesOfFile, int]:
    """The place of each series among all, in the order of files; one that is given twice has one."""
    keys = {_series_of(old, place) for place in range(len(old.series))}
    return {key: number for number, key in enumerate(sorted(keys))}


def _taken(texts: NDArray[Any] | None, order: NDArray[np.int64]) -> NDArray[Any] | None:
    return None if texts is None else texts[order]


def _unusable(values: NDArray[Any], texts: NDArray[Any] | None) -> Mask:
    """What no JSON can tell."""
    found = _no_json(values)
    if texts is not None:
        said = texts != np.array(None)
        found[said] = _no_json(texts[said])
    return found


def _no_json(values: NDArray[Any]) -> Mask:
    unusable = np.zeros(len(values), np.bool_)
    if values.dtype.kind == "f":
        unusable = ~np.isfinite(values)
    if values.dtype.kind == "O":
        unusable = np.array([not isinstance(one, str) for one in values], np.bool_)
    return unusable


def _expired(
    old: OldObservations, of_series: NDArray[Any], days: NDArray[np.int64], typesets: Sequence[Types], today: Day,
    retention: Retention,
) -> Mask:  # fmt: skip
    if not retention.rules or not len(old):
        return np.zeros(len(old), np.bool_)
    first = int(days.min())
    width = int(days.max()) - first + 1
    pairs, pair_of = np.unique(old.of.astype(np.int64) * width + (days - first), return_inverse=True)
    expiry = lru_cache(None)(lambda place, day: retention.expiry(typesets[place], today - day))

    def is_gone(of: int, day: int) -> bool:
        place = int(of_series[of])
        return place >= 0 and expiry(place, first + day).covers(old.series[of].attribute)

    gone = np.array([is_gone(*divmod(pair, width)) for pair in pairs.tolist()], np.bool_)
    return gone[pair_of]


def _find_held(
    old: OldObservations, rank_of: Mapping[SeriesOfFile, int], ranks: Numbers, order: Numbers, list_held: ListHeld
) -> Mask:
    """Of rows of these ranks, at these places, of which none is of the same series and time as another. Each is
    looked for by one number made of both."""
    found = np.zeros(len(order), np.bool_)
    held = (pair for entities, days in _where(old, order) for pair in list_held(entities, days))
    known = ((rank_of[series], time) for series, time in held if series in rank_of)
    some = list(islice(known, HELD_AT_ONCE)) if len(order) else []
    if not some:
        return found
    times, time_of = np.unique(old.times[order], return_inverse=True)
    keys = ranks * len(times) + time_of
    by_key = np.argsort(keys)
    keys = keys[by_key]
    while some:
        of, at = np.array(some, np.int64).T
        there, place = _look_up(times, at)
        there, place = _look_up(keys, of[there] * len(times) + place)
        found[by_key[place]] = True
        some = list(islice(known, HELD_AT_ONCE))
    return found


def _look_up(among: Numbers, wanted: Numbers) -> tuple[Mask, Numbers]:
    """Which are among these sorted ones, and where."""
    place = np.minimum(np.searchsorted(among, wanted), len(among) - 1)
    there = among[place] == wanted
    return there, place[there]


def _where(old: OldObservations, order: Numbers) -> Iterator[tuple[list[str], range]]:
    """The days that there are rows of, neighbours together, and whose rows they are: nothing else is worth a look."""
    names = sorted({one.entity_id for one in old.series})
    number_of = {name: number for number, name in enumerate(names)}
    entity_of = np.array([number_of[one.entity_id] for one in old.series], np.int64)
    days, day_of = np.unique(old.times[order] // DAY, return_inverse=True)
    gaps = np.flatnonzero(np.diff(days) > 1)
    firsts, lasts = days[np.append(0, gaps + 1)], days[np.append(gaps, len(days) - 1)]
    run_of_day = np.searchsorted(firsts, days, "right") - 1
    pairs = np.unique(run_of_day[day_of] * len(names) + entity_of[old.of[order]])
    for run, some in groupby(pairs.tolist(), key=lambda pair: pair // len(names)):
        yield [names[pair % len(names)] for pair in some], range(int(firsts[run]), int(lasts[run]) + 1)


def _repeated(ranks: NDArray[np.int64], times: NDArray[np.int64]) -> Mask:
    """Rows in order that are of the same series and time as the one before."""
    again = np.zeros(len(times), np.bool_)
    again[1:] = (ranks[1:] == ranks[:-1]) & (times[1:] == times[:-1])
    return again


def _parts(of_types: NDArray[Any], days: NDArray[np.int64], typesets: Sequence[Types]) -> Iterator[Part]:
    if not len(days):
        return
    starts = [0, *(np.flatnonzero((np.diff(of_types) != 0) | (np.diff(days) != 0)) + 1).tolist()]
    for start, end in zip(starts, [*starts[1:], len(days)], strict=True):
        yield Part(typesets[int(of_types[start])], int(days[start]), start, end)
