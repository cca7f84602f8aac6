"""History: what is settled and what still stands in the log, read in one snapshot, each instance exactly once."""

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from parvis.broker.model.entity import AttributeKey, Instance
from parvis.broker.ports.store import Bucket, EntityAggregates, EntityHistory
from parvis.broker.query.tree import Aggregation, Method, TemporalQuery, TimeProperty, TimeRelation
from parvis.broker.temporal.periods import list_periods
from parvis.kernel.time import Instant
from parvis.stores.sqlite.database import Connection
from parvis.stores.sqlite.names import REMOVED, Names
from parvis.stores.sqlite.rows import past_instance

WORTH_A_SCAN = 8
"""Reading this many rows of the log in sequence costs no more than finding one by its number."""
EARLIEST, LATEST = -(2**62), 2**62
_COLUMNS = "name, dataset, shape, value, ts, observed, extra, recorded, seq"
_WHERE = "entity = ? AND name = ? AND dataset = ? AND {column} >= ? AND {column} < ? AND shape <> ?"
_ENTITY = "SELECT id, typeset, scopes, created, modified, deleted FROM entity WHERE tenant = ? AND urn = ?"


class Series(NamedTuple):
    entity: int
    name: int
    dataset: int


class Window(NamedTuple):
    """start <= t < end, of the column that the time property stands for. `asked_from` is where the query says from."""

    column: str
    start: Instant
    end: Instant
    asked_from: Instant | None

    @classmethod
    def of(cls, query: TemporalQuery) -> "Window":
        column = "ts" if query.time_property is TimeProperty.OBSERVED_AT else "recorded"
        start, end = EARLIEST, LATEST
        asked_from = None if query.relation is TimeRelation.BEFORE else query.at
        if query.relation is TimeRelation.BEFORE and query.at is not None:
            end = query.at
        elif query.relation is TimeRelation.AFTER and query.at is not None:
            start = query.at + 1
        elif query.relation is TimeRelation.BETWEEN and query.at is not None and query.end is not None:
            start, end = query.at, query.end
        return cls(column, start, end, asked_from)


class Archive:
    """The history of one entity in one snapshot. `unsettled` are its rows of the log, found before the snapshot."""

    def __init__(self, connection: Connection, names: Names, entity: int, unsettled: list[int]) -> None:
        self._connection = connection
        self._names = names
        self._entity = entity
        (low, high, cursor) = connection.execute("SELECT low, high, entity FROM settling").fetchone()
        settled = high if entity <= cursor else low
        self._in_log, self._log_rows = _selection([seq for seq in unsettled if seq > settled])

    def list_series(self, query: TemporalQuery) -> list[Series]:
        in_log = f"SELECT DISTINCT name, dataset FROM log WHERE entity = ? AND {self._in_log}"
        found = set(self._settled_series())
        rows = self._connection.execute(in_log, (self._entity, *self._log_rows))
        found.update(Series(self._entity, *row) for row in rows)
        return sorted(series for series in found if self._asked(series, query))

    def read(self, series: Series, window: Window, limit: int, *, last: bool) -> list[Instance]:
        """At most `limit` instances, the first or the last ones, in the order of time."""
        direction = "DESC" if last else "ASC"
        where = _WHERE.format(column=window.column)
        order = f"ORDER BY {window.column} {direction}, seq {direction} LIMIT ?"
        key = (*series, window.start, window.end, REMOVED)
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM history WHERE {where} {order}", (*key, limit)
        ).fetchall()
        rows += self._connection.execute(
            f"SELECT {_COLUMNS} FROM log WHERE {where} AND {self._in_log} {order}",
            (*key, *self._log_rows, limit),
        ).fetchall()
        time_of = 4 if window.column == "ts" else 7
        rows.sort(key=lambda row: (row[time_of], row[8]), reverse=last)
        del rows[limit:]
        if last:
            rows.reverse()
        return [past_instance(self._names, row) for row in rows]

    def extent(self, series: Series, window: Window) -> tuple[Instant, Instant] | None:
        """First and last instant of the series in the window."""
        column, where = window.column, _WHERE.format(column=window.column)
        times = [time for time, _ in self.unsettled(series, window)]
        for direction in ("ASC", "DESC"):
            sql = f"SELECT {column} FROM history WHERE {where} ORDER BY {column} {direction} LIMIT 1"
            times += [row[0] for row in self._connection.execute(sql, (*series, window.start, window.end, REMOVED))]
        return (min(times), max(times)) if times else None

    def sums(self, series: Series, column: str, start: Instant, end: Instant, methods: frozenset[Method]) -> "Sums":
        """Of the settled instances; only what `methods` need is worked out."""
        key = (*series, start, end)
        where = f"entity = ? AND name = ? AND dataset = ? AND {column} >= ? AND {column} < ?"
        wanted = ", ".join(sql if methods & needed_by else "NULL" for sql, needed_by in _COSTLY)
        numbers, *totals = self._connection.execute(
            f"SELECT count(value), total(value), {wanted} FROM history WHERE {where} AND value < ''", key
        ).fetchone()
        instances = numbers
        if not numbers or Method.TOTAL_COUNT in methods:
            counted = f"SELECT count(*) FROM history WHERE {where} AND shape <> ?"
            (instances,) = self._connection.execute(counted, (*key, REMOVED)).fetchone()
        return Sums(instances, numbers, *totals) if numbers else Sums(instances)

    def deviation(
        self, series: Series, column: str, start: Instant, end: Instant, sums: "Sums", fresh: Sequence[Any]
    ) -> float | None:
        """Of the population (4.5.19.1 leaves it open), settled and `fresh` instances; two passes (Chan et al. 1983)."""
        mean = sums.mean()
        if mean is None:
            return None
        where = f"entity = ? AND name = ? AND dataset = ? AND {column} >= ? AND {column} < ? AND value < ''"
        (squares,) = self._connection.execute(
            f"SELECT total((value - ?) * (value - ?)) FROM history WHERE {where}", (mean, mean, *series, start, end)
        ).fetchone()
        squares += sum((value - mean) ** 2 for value in fresh if isinstance(value, int | float))
        return math.sqrt(squares / sums.numbers)

    def distinct(self, series: Series, column: str, start: Instant, end: Instant) -> set[object]:
        where = _WHERE.format(column=column)
        rows = self._connection.execute(
            f"SELECT DISTINCT value FROM history WHERE {where}", (*series, start, end, REMOVED)
        )
        return {row[0] for row in rows}

    def unsettled(self, series: Series, window: Window) -> list[tuple[Instant, Any]]:
        """(time, value) of the instances that still stand in the log, in the order of time."""
        if not self._log_rows:
            return []
        where = _WHERE.format(column=window.column)
        return self._connection.execute(
            f"SELECT {window.column}, value FROM log WHERE {where} AND {self._in_log} ORDER BY {window.column}",
            (*series, window.start, window.end, REMOVED, *self._log_rows),
        ).fetchall()

    def _settled_series(self) -> Iterator[Series]:
        """A seek or two a series: the rows between are not read (a row-value comparison would read them)."""
        name, dataset = -1, -1
        while (
            row := self._seek("name = ? AND dataset > ?", name, dataset) or self._seek("name > ?", name)
        ) is not None:
            name, dataset = row
            yield Series(self._entity, name, dataset)

    def _seek(self, beyond: str, *key: int) -> tuple[int, int] | None:
        sql = f"SELECT name, dataset FROM history WHERE entity = ? AND {beyond} ORDER BY name, dataset LIMIT 1"
        found: tuple[int, int] | None = self._connection.execute(sql, (self._entity, *key)).fetchone()
        return found

    def _asked(self, series: Series, query: TemporalQuery) -> bool:
        by_name = not query.attrs or self._names.words.key(series.name) in query.attrs
        return by_name and (not query.datasets or self._names.dataset_text(series.dataset) in query.datasets)


def _selection(rows: list[int]) -> tuple[str, tuple[int | str, ...]]:
    """SQL and parameters for these rows of the log: as a range where they stand close together, else one by one."""
    if not rows:
        return "0", ()
    if rows[-1] - rows[0] < WORTH_A_SCAN * len(rows):
        return "seq BETWEEN ? AND ?", (rows[0], rows[-1])
    return "seq IN (SELECT value FROM json_each(?))", (str(rows),)


_COSTLY = (
    ("total(value * value)", frozenset({Method.SUMSQ})),
    ("min(value)", frozenset({Method.MIN})),
    ("max(value)", frozenset({Method.MAX})),
)


class Sums(NamedTuple):
    """What adds up over parts of a period."""

    instances: int = 0
    numbers: int = 0
    total: float | None = None
    squares: float | None = None
    smallest: float | None = None
    largest: float | None = None

    def plus(self, other: "Sums") -> "Sums":
        if not other.numbers:
            return self._replace(instances=self.instances + other.instances)
        if not self.numbers:
            return other._replace(instances=self.instances + other.instances)
        return Sums(
            self.instances + other.instances,
            self.numbers + other.numbers,
            (self.total or 0) + (other.total or 0),
            (self.squares or 0) + (other.squares or 0),
            min((one for one in (self.smallest, other.smallest) if one is not None), default=None),
            max((one for one in (self.largest, other.largest) if one is not None), default=None),
        )

    @classmethod
    def of(cls, values: Sequence[Any]) -> "Sums":
        numbers = [value for value in values if isinstance(value, int | float)]
        if not numbers:
            return cls(len(values))
        squares = float(sum(value * value for value in numbers))
        return cls(len(values), len(numbers), float(sum(numbers)), squares, min(numbers), max(numbers))

    def value(self, method: Method) -> float | int | None:
        return _VALUES[method](self)

    def mean(self) -> float | None:
        return None if self.total is None else self.total / self.numbers


_VALUES: Mapping[Method, Callable[[Sums], float | int | None]] = {
    Method.TOTAL_COUNT: lambda sums: sums.instances,
    Method.SUM: lambda sums: sums.total,
    Method.SUMSQ: lambda sums: sums.squares,
    Method.MIN: lambda sums: sums.smallest,
    Method.MAX: lambda sums: sums.largest,
    Method.AVG: Sums.mean,
}


def read_history(
    connection: Connection, names: Names, tenant: str, urn: str, query: TemporalQuery, unsettled: list[int]
) -> EntityHistory | None:
    row = connection.execute(_ENTITY, (names.tenants.ids.get(tenant), urn)).fetchone()
    if row is None:
        return None
    number, typeset, scopes, created, modified, deleted = row
    archive, window = Archive(connection, names, number, unsettled), Window.of(query)
    instances: dict[AttributeKey, list[Instance]] = {}
    truncated: list[Instant] = []
    wanted = query.limit if query.last_n is None else min(query.limit, query.last_n)
    for series in archive.list_series(query):
        found = archive.read(series, window, wanted + 1, last=query.last_n is not None)
        if len(found) > wanted:
            found = found[1:] if query.last_n is not None else found[:wanted]
            if query.last_n is None or query.last_n > query.limit:
                truncated.append(_reached(found, window, last=query.last_n is not None))
        if found:
            instances[found[0].key] = found
    return EntityHistory(
        urn,
        names.typesets.key(typeset),
        tuple(msgspec.json.decode(scopes)) if scopes else (),
        created,
        max([modified, *(one[-1].modified_at for one in instances.values())]),
        deleted,
        instances,
        (max(truncated) if query.last_n is not None else min(truncated)) if truncated else None,
    )


def read_aggregates(
    connection: Connection, names: Names, tenant: str, urn: str, query: TemporalQuery, aggregation: Aggregation,
    unsettled: list[int],
) -> EntityAggregates | None:  # fmt: skip
    row = connection.execute(_ENTITY, (names.tenants.ids.get(tenant), urn)).fetchone()
    if row is None:
        return None
    archive, window = Archive(connection, names, row[0], unsettled), Window.of(query)
    buckets: dict[AttributeKey, list[Bucket]] = {}
    for series in archive.list_series(query):
        extent = archive.extent(series, window)
        if extent is not None:
            key = (names.words.key(series.name), names.dataset_text(series.dataset))
            buckets[key] = list(_buckets(archive, series, window, extent, aggregation))
    return EntityAggregates(urn, names.typesets.key(row[1]), buckets)


def _buckets(
    archive: Archive, series: Series, window: Window, extent: tuple[Instant, Instant], aggregation: Aggregation
) -> Iterator[Bucket]:
    """Periods count from the start asked for, or from the first instance; empty ones are left out."""
    methods = frozenset(aggregation.methods)
    unsettled = archive.unsettled(series, window)
    first = extent[0] if window.asked_from is None else window.asked_from
    for start, end in list_periods(first, extent[1], aggregation.period):
        lower, upper = max(start, window.start), min(end, window.end)
        fresh = unsettled[bisect_left(unsettled, lower, key=_time) : bisect_left(unsettled, upper, key=_time)]
        fresh_values = [value for _, value in fresh]
        sums = archive.sums(series, window.column, lower, upper, methods).plus(Sums.of(fresh_values))
        if sums.instances:
            values = {method: sums.value(method) for method in aggregation.methods if method in _VALUES}
            if Method.STDDEV in methods:
                values[Method.STDDEV] = archive.deviation(series, window.column, lower, upper, sums, fresh_values)
            if Method.DISTINCT_COUNT in methods:
                settled = archive.distinct(series, window.column, lower, upper)
                values[Method.DISTINCT_COUNT] = len(settled.union(fresh_values))
            yield Bucket(start, end, values)


def _time(row: tuple[Instant, Any]) -> Instant:
    return row[0]


def _reached(found: list[Instance], window: Window, *, last: bool) -> Instant:
    one = found[0] if last else found[-1]
    return one.modified_at if window.column == "recorded" else one.seen_at
