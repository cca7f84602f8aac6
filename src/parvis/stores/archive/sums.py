"""What aggregates are made of, asked of all entities of a page at once."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from parvis.broker.model.entity import AttributeKey
from parvis.broker.ports.archive import ArchivedEntity, ArchiveFile
from parvis.broker.query.tree import Method
from parvis.broker.temporal.partials import NOTHING, Partials
from parvis.broker.temporal.reading import Period, Window
from parvis.stores.archive.chosen import choose_by_period, choose_rows, time_of
from parvis.stores.archive.engine import Condition
from parvis.stores.archive.rows import stored_value

if TYPE_CHECKING:
    from parvis.stores.archive.read import ArchiveReader

_PARTS: tuple[tuple[str, frozenset[Method]], ...] = (
    ("sum(number)", frozenset({Method.SUM, Method.AVG, Method.STDDEV})),
    ("sum(number * number)", frozenset({Method.SUMSQ})),
    ("min(number)", frozenset({Method.MIN})),
    ("max(number)", frozenset({Method.MAX})),
    ("if(var_pop(number) < 0, 0, var_pop(number)) * count(number)", frozenset({Method.STDDEV})),
)


class Sums(NamedTuple):
    """What was found for so many periods of each entity, by its place: rows of (period, members of Partials)."""

    periods: int
    rows: dict[int, list[tuple[Any, ...]]]
    distinct: dict[int, dict[int, set[Any]]]

    def of(self, place: int) -> list[Partials]:
        answer = [NOTHING] * self.periods
        for period, *sums in self.rows.get(place, ()):
            answer[period] = Partials(*sums)
        for period, values in self.distinct.get(place, {}).items():
            answer[period] = answer[period]._replace(distinct=frozenset(values))
        return answer


class PageFiles:
    """The files of some entities, read in one snapshot. What was found is kept for the next one to be asked of."""

    def __init__(self, reader: "ArchiveReader", entities: Sequence[ArchivedEntity]) -> None:
        self._reader = reader
        self._entities = entities
        self._files: dict[tuple[AttributeKey, Window], Sequence[ArchiveFile]] = {}
        self._extents: dict[tuple[AttributeKey, Window], dict[int, Period]] = {}
        self._sums: tuple[tuple[Any, ...], Sums] | None = None

    def __len__(self) -> int:
        return len(self._entities)

    def extent(self, place: int, key: AttributeKey, window: Window) -> Period | None:
        if (key, window) not in self._extents:
            self._extents[key, window] = self._find_extents(key, window)
        return self._extents[key, window].get(place)

    def partials(
        self, place: int, key: AttributeKey, window: Window, periods: Sequence[Period], methods: frozenset[Method]
    ) -> list[Partials]:
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
            found = {one.file.path: one for entity in self._entities for one in entity.list_files(key, window)}
            self._files[key, window] = [found[path] for path in sorted(found)]
        return self._files[key, window]


def sum_up(
    reader: "ArchiveReader",
    entities: Sequence[ArchivedEntity],
    files: Sequence[ArchiveFile],
    key: AttributeKey,
    window: Window,
    periods: Sequence[Period],
    methods: frozenset[Method],
) -> Sums:
    answer = Sums(len(periods), {}, {})
    some = [number for number, (start, end) in enumerate(periods) if start < end]
    if not some or not files:
        return answer
    asked = [periods[number] for number in some]
    chosen = choose_by_period(entities, reader.locate(files), key, window, asked)
    for place, period, *sums in _read_sums(reader, files, chosen, methods):
        answer.rows.setdefault(place, []).append((some[period], *sums))
    if Method.DISTINCT_COUNT in methods:
        for place, period, *value in _read_distinct(reader, files, chosen):
            answer.distinct.setdefault(place, {}).setdefault(some[period], set()).add(stored_value(*value))
    return answer


def _read_sums(
    reader: "ArchiveReader", files: Sequence[ArchiveFile], chosen: Condition, methods: frozenset[Method]
) -> list[tuple[Any, ...]]:
    """(place, period, members of Partials) of the periods that have instances."""
    wanted = ", ".join(sql if methods & needed_by else "NULL" for sql, needed_by in _PARTS)
    sql = f"SELECT place, period, count(*), count(number), {wanted} {chosen.sql} GROUP BY place, period"
    with reader.hurried(files) as cursor:
        return cursor.execute(sql, chosen.parameters).fetchall()


def _read_distinct(reader: "ArchiveReader", files: Sequence[ArchiveFile], chosen: Condition) -> list[tuple[Any, ...]]:
    """(place, period, columns of a value)."""
    sql = f"SELECT DISTINCT place, period, number, whole, text, json {chosen.sql}"
    with reader.hurried(files) as cursor:
        return cursor.execute(sql, chosen.parameters).fetchall()
