"""History in the store itself: what is settled and what still stands in the log, each instance exactly once."""

from bisect import bisect_left
from collections.abc import Sequence
from functools import reduce
from typing import Any, NamedTuple

import msgspec

from parvis.broker.model.entity import AttributeKey, Instance, Iri
from parvis.broker.query.tree import Method
from parvis.broker.temporal.partials import MOST_DISTINCT, Partials, too_many_distinct
from parvis.broker.temporal.reading import Head, Period, Window, numbered_patterns
from parvis.kernel.time import DAY, Instant
from parvis.stores.sqlite.database import Connection
from parvis.stores.sqlite.names import REMOVED, Names
from parvis.stores.sqlite.rows import past_instance, removed_instance
from parvis.stores.sqlite.segments import EVERY_SEGMENT, list_segments, list_settled_series

WORTH_A_SCAN = 8
"""Reading this many rows of the log in sequence costs no more than finding one by its number."""
_COLUMNS = "name, dataset, shape, value, ts, observed, extra, recorded, seq"
_IN_LOG = "entity = ? AND name = ? AND dataset = ? AND {column} >= ? AND {column} < ? AND shape {sign} ?"
_ONE = "entity = ? AND name = ? AND (seq = ? OR extra LIKE ? OR extra LIKE ?) AND shape <> ?"
_ENTITY = "SELECT id, typeset, scopes, created, modified, deleted FROM entity WHERE tenant = ? AND urn = ?"


Mark = tuple[Instant, Instant, int]
"""From, until and up to which number rows have left for the archive."""


class Series(NamedTuple):
    entity: int
    name: int
    dataset: int


class _Span(NamedTuple):
    """From the first to the last instance that a segment has of a series."""

    first: Instant
    last: Instant
    segment: int


def find_head(connection: Connection, names: Names, tenant: str, urn: str) -> tuple[int, Head] | None:
    """The entity's number and what is told of it."""
    row = connection.execute(_ENTITY, (names.tenants.ids.get(tenant), urn)).fetchone()
    if row is None:
        return None
    number, typeset, scopes, *times = row
    return number, Head(urn, names.typesets.key(typeset), tuple(msgspec.json.decode(scopes)) if scopes else (), *times)


class HotHistory:
    """The history of one entity in one snapshot. `unsettled` are its rows of the log, found before the snapshot."""

    def __init__(self, connection: Connection, names: Names, entity: int, unsettled: list[int]) -> None:
        self._connection = connection
        self._names = names
        self._entity = entity
        (low, high, cursor) = connection.execute("SELECT low, high, entity FROM settling").fetchone()
        settled = high if entity <= cursor else low
        self._in_log, self._log_rows = _selection([seq for seq in unsettled if seq > settled])
        (tenant,) = connection.execute("SELECT tenant FROM entity WHERE id = ?", (entity,)).fetchone()
        self._marks = list_marks(connection, tenant)
        self._segments = list_segments(connection)
        self._known_spans: tuple[Series, Window, list[_Span]] | None = None
        self._fresh: tuple[AttributeKey, Window, list[tuple[Instant, Any]]] | None = None

    def list_series(self) -> set[AttributeKey]:
        in_log = f"SELECT DISTINCT name, dataset FROM log WHERE entity = ? AND {self._in_log}"
        rows = self._connection.execute(in_log, (self._entity, *self._log_rows)).fetchall() if self._log_rows else []
        settled = list_settled_series(self._connection, self._entity)
        words = self._names.words
        return {(words.key(name), self._names.dataset_text(dataset)) for name, dataset in (*rows, *settled)}

    def read(self, key: AttributeKey, window: Window, limit: int, *, last: bool) -> list[Instance]:
        series = self._series(key)
        if series is None:
            return []
        column, direction = _column(window), "DESC" if last else "ASC"
        order = f"ORDER BY {column} {direction}, seq {direction} LIMIT ?"
        rows = self._read_settled(series, window, order, limit, last=last)
        if self._log_rows:
            rows += self._connection.execute(
                f"SELECT {_COLUMNS} FROM log WHERE {_in_log(window)} AND {self._in_log} {order}",
                (*series, window.start, window.end, REMOVED, *self._log_rows, limit),
            ).fetchall()
        _trim(rows, window, limit, last=last)
        if last:
            rows.reverse()
        instance_of = removed_instance if window.of_removals else past_instance
        return [instance_of(self._names, row) for row in rows]

    def _read_settled(
        self, series: Series, window: Window, order: str, limit: int, *, last: bool
    ) -> list[tuple[Any, ...]]:
        """A segment after the other in the order asked for, until the rest cannot hold any that are wanted."""
        rows: list[tuple[Any, ...]] = []
        time_of = _time_of(window)
        for span in sorted(self._spans(series, window), key=lambda one: -one.last if last else one.first):
            if len(rows) == limit and (span.last < rows[-1][time_of] if last else span.first > rows[-1][time_of]):
                break
            where, bounds = self._where(series, span.segment, window, window.start, window.end)
            sql = f"SELECT {_COLUMNS} FROM history WHERE {where} AND shape {_sign(window)} ? {order}"
            rows += self._connection.execute(sql, (*bounds, REMOVED, limit)).fetchall()
            _trim(rows, window, limit, last=last)
        return rows

    def find(self, name: Iri, seq: int) -> Instance | None:
        attribute = self._names.words.ids.get(name)
        if attribute is None:
            return None
        gone = " AND NOT (ts >= ? AND ts < ? AND seq <= ?)" * len(self._marks)
        marks = (bound for mark in self._marks for bound in mark)
        wanted = (self._entity, attribute, seq, *numbered_patterns(seq), REMOVED)
        row = self._connection.execute(
            f"SELECT {_COLUMNS} FROM history WHERE {EVERY_SEGMENT} AND {_ONE}{gone}", (*wanted, *marks)
        ).fetchone()
        if row is None and self._log_rows:
            in_log = f"SELECT {_COLUMNS} FROM log WHERE {_ONE} AND {self._in_log}"
            row = self._connection.execute(in_log, (*wanted, *self._log_rows)).fetchone()
        return None if row is None else past_instance(self._names, row)

    def extent(self, key: AttributeKey, window: Window) -> Period | None:
        series = self._series(key)
        if series is None:
            return None
        fresh = [time for time, _ in self._unsettled(key, series, window)]
        spans = self._find_spans(series, window)
        times = fresh + [one.first for one in spans] + [one.last for one in spans]
        return (min(times), max(times)) if times else None

    def reach(self, key: AttributeKey, window: Window) -> Period | None:
        return self.extent(key, window)

    def _spans(self, series: Series, window: Window) -> list[_Span]:
        """Of the segments that are worth looking into; by when it was recorded, no two seeks would find that out."""
        if window.by_recorded or len(self._segments) == 1:
            return [_Span(window.start, window.end, segment) for segment in self._segments]
        return self._find_spans(series, window)

    def _find_spans(self, series: Series, window: Window) -> list[_Span]:
        if self._known_spans is None or self._known_spans[:2] != (series, window):
            found = (self._find_span(series, segment, window) for segment in self._segments)
            self._known_spans = series, window, [span for span in found if span is not None]
        return self._known_spans[2]

    def _find_span(self, series: Series, segment: int, window: Window) -> _Span | None:
        column = _column(window)
        where, bounds = self._where(series, segment, window, window.start, window.end)
        times = [
            row[0]
            for direction in ("ASC", "DESC")
            for row in self._connection.execute(
                f"SELECT {column} FROM history WHERE {where} AND shape {_sign(window)} ?"
                f" ORDER BY {column} {direction} LIMIT 1",
                (*bounds, REMOVED),
            )
        ]
        return _Span(times[0], times[1], segment) if times else None

    def partials(
        self, key: AttributeKey, window: Window, periods: Sequence[Period], methods: frozenset[Method]
    ) -> list[Partials]:
        series = self._series(key)
        if series is None:
            return [Partials()] * len(periods)
        fresh, spans = self._unsettled(key, series, window), self._spans(series, window)
        found, told_apart = [], 0
        for start, end in periods:
            parts = [
                self._sums(series, span.segment, window, start, end, methods)
                for span in spans
                if span.first < end and span.last >= start
            ]
            inside = fresh[bisect_left(fresh, start, key=_time) : bisect_left(fresh, end, key=_time)]
            if inside:
                parts.append(Partials.of(value for _, value in inside))
            found.append(reduce(Partials.plus, parts) if parts else Partials())
            told_apart += len(found[-1].distinct)
            if told_apart > MOST_DISTINCT and Method.DISTINCT_COUNT in methods:
                raise too_many_distinct(MOST_DISTINCT)
        return found

    def _sums(
        self, series: Series, segment: int, window: Window, start: Instant, end: Instant, methods: frozenset[Method]
    ) -> Partials:
        """Of the settled instances in one segment."""
        where, key = self._where(series, segment, window, start, end)
        wanted = ", ".join(sql if method in methods else "NULL" for sql, method in _COSTLY)
        numbers, *totals = self._connection.execute(
            f"SELECT count(value), total(value), {wanted} FROM history WHERE {where} AND value < ''", key
        ).fetchone()
        instances = numbers
        if not numbers or Method.TOTAL_COUNT in methods:
            counted = f"SELECT count(*) FROM history WHERE {where} AND shape <> ?"
            (instances,) = self._connection.execute(counted, (*key, REMOVED)).fetchone()
        found = Partials(instances, numbers, *totals) if numbers else Partials(instances)
        if Method.STDDEV in methods and found.mean is not None:
            scatter = f"SELECT total((value - ?) * (value - ?)) FROM history WHERE {where} AND value < ''"
            (squares,) = self._connection.execute(scatter, (found.mean, found.mean, *key)).fetchone()
            found = found._replace(scatter=squares)
        if Method.DISTINCT_COUNT in methods and instances:
            distinct = f"SELECT DISTINCT value FROM history WHERE {where} AND shape <> ? LIMIT {MOST_DISTINCT + 1}"
            rows = self._connection.execute(distinct, (*key, REMOVED))
            found = found._replace(distinct=frozenset(row[0] for row in rows))
        return found

    def _unsettled(self, key: AttributeKey, series: Series, window: Window) -> list[tuple[Instant, Any]]:
        """(time, value) of the instances that still stand in the log, in the order of time."""
        if not self._log_rows:
            return []
        if self._fresh is None or self._fresh[:2] != (key, window):
            column = _column(window)
            sql = f"SELECT {column}, value FROM log WHERE {_in_log(window)} AND {self._in_log}"
            rows = self._connection.execute(
                f"{sql} ORDER BY {column}", (*series, window.start, window.end, REMOVED, *self._log_rows)
            )
            self._fresh = key, window, rows.fetchall()
        return self._fresh[2]

    def _series(self, key: AttributeKey) -> Series | None:
        """None where the store knows no such name."""
        name, dataset = key
        words = self._names.words.ids
        if name not in words or (dataset and dataset not in words):
            return None
        return Series(self._entity, words[name], words[dataset] if dataset else 0)

    def _where(
        self, series: Series, segment: int, window: Window, start: Instant, end: Instant
    ) -> tuple[str, tuple[Any, ...]]:
        """Of the settled rows that are read here: those that have left for the archive are read there."""
        column, marks = _column(window), self._marks
        where = f"segment = ? AND entity = ? AND name = ? AND dataset = ? AND {column} >= ? AND {column} < ?"
        if not window.by_recorded:
            marks = [mark for mark in marks if mark[0] < end and mark[1] > start]
        gone = " AND NOT (ts >= ? AND ts < ? AND seq <= ?)" * len(marks)
        return where + gone, (segment, *series, start, end, *(bound for mark in marks for bound in mark))


def list_marks(connection: Connection, tenant: int) -> list[Mark]:
    rows = connection.execute("SELECT day, upto FROM purging WHERE tenant = ?", (tenant,))
    return [(day * DAY, (day + 1) * DAY, upto) for day, upto in rows]


def _selection(rows: list[int]) -> tuple[str, tuple[int | str, ...]]:
    """SQL and parameters for these rows of the log: as a range where they stand close together, else one by one."""
    if not rows:
        return "0", ()
    if rows[-1] - rows[0] < WORTH_A_SCAN * len(rows):
        return "seq BETWEEN ? AND ?", (rows[0], rows[-1])
    return "seq IN (SELECT value FROM json_each(?))", (str(rows),)


_COSTLY = (
    ("total(value * value)", Method.SUMSQ),
    ("min(value)", Method.MIN),
    ("max(value)", Method.MAX),
)


def _column(window: Window) -> str:
    return "recorded" if window.by_recorded else "ts"


def _in_log(window: Window) -> str:
    return _IN_LOG.format(column=_column(window), sign=_sign(window))


def _sign(window: Window) -> str:
    """How a row's shape stands to REMOVED."""
    return "=" if window.of_removals else "<>"


def _time_of(window: Window) -> int:
    """The place in a row of `_COLUMNS`."""
    return 7 if window.by_recorded else 4


def _trim(rows: list[tuple[Any, ...]], window: Window, limit: int, *, last: bool) -> None:
    """The first or last ones, sorted that way."""
    time_of = _time_of(window)
    rows.sort(key=lambda row: (row[time_of], row[8]), reverse=last)
    del rows[limit:]


def _time(row: tuple[Instant, Any]) -> Instant:
    return row[0]
