"""History: what is settled and what still stands in the log, read in one snapshot, each instance exactly once."""

import math
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

EARLIEST, LATEST = -(2**62), 2**62
_COLUMNS = "name, dataset, shape, value, ts, observed, extra, recorded, seq"
_NUMERIC = "typeof(value) IN ('integer', 'real')"
_WHERE = "entity = ? AND name = ? AND dataset = ? AND {column} >= ? AND {column} < ? AND shape <> ?"
_ENTITY = "SELECT id, typeset, scopes, created, modified, deleted FROM entity WHERE tenant = ? AND urn = ?"


class Series(NamedTuple):
    entity: int
    name: int
    dataset: int


class Window(NamedTuple):
    """start <= t < end, of the column that the time property stands for."""

    column: str
    start: Instant
    end: Instant

    @classmethod
    def of(cls, query: TemporalQuery) -> "Window":
        column = "ts" if query.time_property is TimeProperty.OBSERVED_AT else "recorded"
        start, end = EARLIEST, LATEST
        if query.relation is TimeRelation.BEFORE and query.at is not None:
            end = query.at
        elif query.relation is TimeRelation.AFTER and query.at is not None:
            start = query.at + 1
        elif query.relation is TimeRelation.BETWEEN and query.at is not None and query.end is not None:
            start, end = query.at, query.end
        return cls(column, start, end)


class Archive:
    """The history of one entity in one snapshot. `unsettled` are its rows of the log, found before the snapshot."""

    def __init__(self, connection: Connection, names: Names, entity: int, unsettled: list[int]) -> None:
        self._connection = connection
        self._names = names
        self._entity = entity
        (high, cursor) = connection.execute("SELECT high, entity FROM settling").fetchone()
        self._log_rows = str([seq for seq in unsettled if seq > high] if entity <= cursor else unsettled)

    def list_series(self, query: TemporalQuery) -> list[Series]:
        in_log = "SELECT DISTINCT name, dataset FROM log WHERE seq IN (SELECT value FROM json_each(?))"
        found = set(self._settled_series())
        found.update(Series(self._entity, *row) for row in self._connection.execute(in_log, (self._log_rows,)))
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
            f"SELECT {_COLUMNS} FROM log WHERE {where} AND seq IN (SELECT value FROM json_each(?)) {order}",
            (*key, self._log_rows, limit),
        ).fetchall()
        time_of = 4 if window.column == "ts" else 7
        rows.sort(key=lambda row: (row[time_of], row[8]), reverse=last)
        del rows[limit:]
        if last:
            rows.reverse()
        return [past_instance(self._names, row) for row in rows]

    def extent(self, series: Series, window: Window) -> tuple[Instant, Instant] | None:
        """First and last instant of the series in the window."""
        times = [one for first, last in self._extents(series, window) if first is not None for one in (first, last)]
        return (min(times), max(times)) if times else None

    def sums(self, series: Series, window: Window, start: Instant, end: Instant) -> "Sums":
        total = Sums()
        for row in self._both(_SUMS, series, window.column, max(start, window.start), min(end, window.end)):
            total = total.plus(Sums(*row))
        return total

    def distinct(self, series: Series, window: Window, start: Instant, end: Instant) -> int:
        sql = "SELECT DISTINCT value"
        rows = self._both(sql, series, window.column, max(start, window.start), min(end, window.end))
        return len(set(rows))

    def _extents(self, series: Series, window: Window) -> Iterator[tuple[Any, ...]]:
        sql = f"SELECT min({window.column}), max({window.column})"
        return self._both(sql, series, window.column, window.start, window.end)

    def _both(
        self, select: str, series: Series, column: str, start: Instant, end: Instant
    ) -> Iterator[tuple[Any, ...]]:
        where = _WHERE.format(column=column)
        key = (*series, start, end, REMOVED)
        yield from self._connection.execute(f"{select} FROM history WHERE {where}", key)
        if self._log_rows != "[]":
            yield from self._connection.execute(
                f"{select} FROM log WHERE {where} AND seq IN (SELECT value FROM json_each(?))", (*key, self._log_rows)
            )

    def _settled_series(self) -> Iterator[Series]:
        """A seek a series: the rows between are not read."""
        name, dataset = -1, -1
        while row := self._connection.execute(
            "SELECT name, dataset FROM history WHERE entity = ? AND (name, dataset) > (?, ?)"
            " ORDER BY name, dataset LIMIT 1",
            (self._entity, name, dataset),
        ).fetchone():
            name, dataset = row
            yield Series(self._entity, name, dataset)

    def _asked(self, series: Series, query: TemporalQuery) -> bool:
        by_name = not query.attrs or self._names.words.key(series.name) in query.attrs
        return by_name and (not query.datasets or self._names.dataset_text(series.dataset) in query.datasets)


_SUMS = (
    f"SELECT count(*), count(CASE WHEN {_NUMERIC} THEN 1 END), sum(CASE WHEN {_NUMERIC} THEN value END),"
    f" sum(CASE WHEN {_NUMERIC} THEN value * value END),"
    f" min(CASE WHEN {_NUMERIC} THEN value END), max(CASE WHEN {_NUMERIC} THEN value END)"
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
            min(self.smallest, other.smallest),  # type: ignore[type-var]
            max(self.largest, other.largest),  # type: ignore[type-var]
        )

    def value(self, method: Method) -> float | int | None:
        return _VALUES[method](self)

    def mean(self) -> float | None:
        return None if self.total is None else self.total / self.numbers

    def deviation(self) -> float | None:
        """Of the population (4.5.19.1 leaves it open)."""
        if self.total is None or self.squares is None:
            return None
        mean = self.total / self.numbers
        return math.sqrt(max(0.0, self.squares / self.numbers - mean * mean))


_VALUES: Mapping[Method, Callable[[Sums], float | int | None]] = {
    Method.TOTAL_COUNT: lambda sums: sums.instances,
    Method.SUM: lambda sums: sums.total,
    Method.SUMSQ: lambda sums: sums.squares,
    Method.MIN: lambda sums: sums.smallest,
    Method.MAX: lambda sums: sums.largest,
    Method.AVG: Sums.mean,
    Method.STDDEV: Sums.deviation,
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
    first = window.start if window.start != EARLIEST else extent[0]
    for start, end in list_periods(first, extent[1], aggregation.period):
        sums = archive.sums(series, window, start, end)
        if sums.instances:
            yield Bucket(start, end, _values(archive, series, window, start, end, sums, aggregation.methods))


def _values(
    archive: Archive, series: Series, window: Window, start: Instant, end: Instant, sums: Sums,
    methods: Sequence[Method],
) -> dict[Method, float | int | None]:  # fmt: skip
    return {
        method: archive.distinct(series, window, start, end) if method is Method.DISTINCT_COUNT else sums.value(method)
        for method in methods
    }


def _reached(found: list[Instance], window: Window, *, last: bool) -> Instant:
    one = found[0] if last else found[-1]
    return one.modified_at if window.column == "recorded" or one.observed_at is None else one.observed_at
