"""What aggregates are made of, asked of all entities of a page at once."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from parvis.broker.model.entity import AttributeKey
from parvis.broker.ports.archive import ArchivedEntity, ArchiveFile
from parvis.broker.query.tree import Method
from parvis.broker.temporal.partials import MOST_DISTINCT, too_many_distinct
from parvis.broker.temporal.reading import Period, Window
from parvis.broker.temporal.sums import NO_NUMBERS, Sums
from parvis.stores.archive.chosen import choose_by_period, choose_rows, time_of
from parvis.stores.archive.engine import Condition
from parvis.stores.archive.lasts import PageLasts
from parvis.stores.archive.read import ArchiveReader
from parvis.stores.archive.rows import stored_value

_PARTS: tuple[tuple[str, str, frozenset[Method]], ...] = (
    ("total", "sum(number)", frozenset({Method.SUM, Method.AVG, Method.STDDEV})),
    ("squares", "sum(number * number)", frozenset({Method.SUMSQ})),
    ("smallest", "min(number)", frozenset({Method.MIN})),
    ("largest", "max(number)", frozenset({Method.MAX})),
    ("scatter", "if(var_pop(number) < 0, 0, var_pop(number)) * count(number)", frozenset({Method.STDDEV})),
)


class PageSums(NamedTuple):
    """Of some entities by place: for each member of Sums a row of all periods for each entity."""

    columns: Mapping[str, NDArray[Any]]
    distinct: Mapping[int, Mapping[int, frozenset[Any]]]

    def of(self, place: int) -> Sums:
        members = {member: column[place] for member, column in self.columns.items()}
        return Sums(**members, distinct=self.distinct.get(place, {}))


class PageFiles:
    """The files of some entities, read in one snapshot. What was found is kept for the next one to be asked of."""

    def __init__(self, reader: ArchiveReader, entities: Sequence[ArchivedEntity]) -> None:
        self._reader = reader
        self._entities = entities
        self._files: dict[tuple[AttributeKey, Window], Sequence[ArchiveFile]] = {}
        self._extents: dict[tuple[AttributeKey, Window], dict[int, Period]] = {}
        self.lasts = PageLasts(reader, entities)
        self._sums: tuple[tuple[Any, ...], PageSums] | None = None

    def __len__(self) -> int:
        return len(self._entities)

    def extent(self, place: int, key: AttributeKey, window: Window) -> Period | None:
        if (key, window) not in self._extents:
            self._extents[key, window] = self._find_extents(key, window)
        return self._extents[key, window].get(place)

    def reach(self, key: AttributeKey, window: Window) -> Period | None:
        """As the catalogue knows it, of all of them together."""
        files = [one.file for one in self._list_files(key, window)]
        if not files:
            return None
        if window.by_recorded:
            first, last = min(one.first_recorded for one in files), max(one.last_recorded for one in files)
        else:
            first, last = min(one.first for one in files), max(one.last for one in files)
        first, last = max(first, window.start), min(last, window.end - 1)
        return (first, last) if first <= last else None

    def partials(
        self, place: int, key: AttributeKey, window: Window, periods: Sequence[Period], methods: frozenset[Method]
    ) -> Sums:
        question = (key, window, methods, periods)
        if self._sums is None or self._sums[0] != question:
            files = self._list_files(key, window)
            self._sums = question, sum_up(self._reader, self._entities, files, key, window, periods, methods)
        return self._sums[1].of(place)

    def _find_extents(self, key: AttributeKey, window: Window) -> dict[int, Period]:
        files = self._list_files(key, window)
        if not files:
            return {}
        rows, time = choose_rows(self._entities, self._reader.locate(files), key, window), time_of(window)
        sql = f"SELECT place, min({time}), max({time}) {rows.sql} GROUP BY place"
        with self._reader.hurried(files) as cursor:
            found = cursor.execute(sql, rows.parameters).fetchall()
        return {place: (first, last) for place, first, last in found}

    def _list_files(self, key: AttributeKey, window: Window) -> Sequence[ArchiveFile]:
        if (key, window) not in self._files:
            lists = {id(some): some for some in [entity.list_files(key, window) for entity in self._entities]}
            found = {one.file.path: one for some in lists.values() for one in some}
            self._files[key, window] = [found[path] for path in sorted(found)]
        return self._files[key, window]


def sum_up(
    reader: ArchiveReader,
    entities: Sequence[ArchivedEntity],
    files: Sequence[ArchiveFile],
    key: AttributeKey,
    window: Window,
    periods: Sequence[Period],
    methods: frozenset[Method],
) -> PageSums:
    parts = [(member, sql) for member, sql, needed_by in _PARTS if methods & needed_by]
    shape = (len(entities), len(periods))
    columns: dict[str, NDArray[Any]] = {member: np.zeros(shape, np.int64) for member in ("instances", "numbers")}
    columns |= {member: np.full(shape, NO_NUMBERS[member]) for member, _ in parts}
    some = np.array([number for number, (start, end) in enumerate(periods) if start < end], np.int64)
    if not len(some) or not files:
        return PageSums(columns, {})
    chosen = choose_by_period(entities, reader.locate(files), key, window, [periods[number] for number in some])
    found = _read_sums(reader, files, chosen, len(some), [sql for _, sql in parts])
    place, period = np.divmod(found.pop("slot"), len(some))
    for (member, column), values in zip(columns.items(), found.values(), strict=True):
        column[place, some[period]] = np.ma.filled(values, NO_NUMBERS.get(member, 0))
    distinct = _read_distinct(reader, files, chosen, some) if Method.DISTINCT_COUNT in methods else {}
    return PageSums(columns, distinct)


def _read_sums(
    reader: ArchiveReader, files: Sequence[ArchiveFile], chosen: Condition, periods: int, wanted: Sequence[str]
) -> dict[str, NDArray[Any]]:
    """Of the periods that have instances: their number counted on from entity to entity, counts and what is wanted."""
    columns = ", ".join(("count(*)", "count(number)", *wanted))
    sql = f"SELECT place * {periods} + period AS slot, {columns} {chosen.sql} GROUP BY slot"
    with reader.hurried(files) as cursor:
        return cursor.execute(sql, chosen.parameters).fetchnumpy()


def _read_distinct(
    reader: ArchiveReader, files: Sequence[ArchiveFile], chosen: Condition, some: NDArray[np.int64]
) -> Mapping[int, Mapping[int, frozenset[Any]]]:
    """Raises TooComplexQuery."""
    sql = f"SELECT DISTINCT place, period, number, whole, text, json {chosen.sql} LIMIT {MOST_DISTINCT + 1}"
    with reader.hurried(files) as cursor:
        rows = cursor.execute(sql, chosen.parameters).fetchall()
    if len(rows) > MOST_DISTINCT:
        raise too_many_distinct(MOST_DISTINCT)
    values: dict[int, dict[int, set[Any]]] = {}
    for place, period, *value in rows:
        values.setdefault(place, {}).setdefault(int(some[period]), set()).add(stored_value(*value))
    return {place: {at: frozenset(kept) for at, kept in told.items()} for place, told in values.items()}
