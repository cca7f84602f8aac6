"""Old observations in the order in which files hold them, and what of them is to become rows."""

from collections.abc import Iterator, Mapping, Sequence
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


Held = Mapping[SeriesOfFile, set[Instant]]


def put_in_order(
    old: OldObservations, types: Mapping[str, Types], today: Day, retention: Retention, held: Held
) -> tuple[Ordered, Brought]:
    """Without what is not to be written, which is counted. `types` are of the entities that are known, `held` the
    times of instances that are stored already."""
    typesets = sorted(set(types.values()))
    place_of = {one: place for place, one in enumerate(typesets)}
    places = (place_of[types[one.entity_id]] if one.entity_id in types else -1 for one in old.series)
    of_series = np.array([*places, -1])
    ranks, days = _ranks(old), old.times // DAY
    sorter = _Sorter(len(old))
    unknown = sorter.leave_out(of_series[old.of] < 0)
    not_over = sorter.leave_out(days >= today)
    expired = sorter.leave_out(_expired(old, of_series, days, typesets, today, retention))
    unusable = sorter.leave_out(_unusable(old.values, old.texts))
    before = sorter.leave_out(_held(old, held))
    kept = np.flatnonzero(sorter.kept)
    order = kept[np.lexsort((old.times[kept], ranks[old.of[kept]], days[kept], of_series[old.of[kept]]))]
    repeated = _repeated(ranks[old.of[order]], old.times[order])
    order = order[~repeated]
    parts = tuple(_parts(of_series[old.of[order]], days[order], typesets))
    ordered = Ordered(old, old.of[order], old.times[order], old.values[order], _taken(old.texts, order), parts)
    told = Brought(
        stored_before=before + int(repeated.sum()),
        unknown=unknown,
        not_over=not_over,
        expired=expired,
        unusable=unusable,
    )
    return ordered, told


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


def _ranks(old: OldObservations) -> NDArray[np.int64]:
    """The place of each series among all, in the order of files; the same for one that is given twice."""
    keys = [_series_of(old, place) for place in range(len(old.series))]
    rank = {key: number for number, key in enumerate(sorted(set(keys)))}
    return np.array([rank[key] for key in keys] or [0], np.int64)


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
    gone = np.zeros(len(old), np.bool_)
    if not retention.rules:
        return gone
    for place, types in enumerate(typesets):
        for day in np.unique(days[of_series[old.of] == place]).tolist():
            expiry = retention.expiry(types, today - day)
            covered = np.array([expiry.covers(one.attribute) for one in old.series])
            gone |= (of_series[old.of] == place) & (days == day) & covered[old.of]
    return gone


def _held(old: OldObservations, held: Held) -> Mask:
    found = np.zeros(len(old), np.bool_)
    for place in range(len(old.series)):
        times = held.get(_series_of(old, place))
        if times:
            found |= (old.of == place) & np.isin(old.times, np.array(sorted(times), np.int64))
    return found


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
