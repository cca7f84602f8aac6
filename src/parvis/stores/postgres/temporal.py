"""History in the database, partitioned by time."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from parvis.broker.model.entity import AttributeKey, Instance, Iri, Json
from parvis.broker.query.tree import Method
from parvis.broker.temporal.partials import MOST_DISTINCT, NOTHING, Partials, too_many_distinct
from parvis.broker.temporal.reading import Head, Period, Window, numbered_patterns
from parvis.kernel.time import DAY, Instant
from parvis.stores.postgres.database import Connection
from parvis.stores.postgres.names import REMOVED, Names
from parvis.stores.postgres.rows import Form, from_columns, past_instance, removed_instance
from parvis.stores.postgres.within import numbers_text

_COLUMNS = "name, dataset, shape, number, text, ts, observed, extra, recorded, seq"
_SERIES = "tenant = %(tenant)s AND entity = %(entity)s AND name = %(name)s AND dataset = %(dataset)s"
_ONE = (
    f"SELECT {_COLUMNS} FROM history WHERE tenant = %(tenant)s AND entity = %(entity)s AND name = %(name)s"
    " AND (seq = %(seq)s OR extra LIKE %(last)s OR extra LIKE %(led)s) AND shape <> %(removed)s"
)
_HEAD = "SELECT id, typeset, scopes, created, modified, deleted FROM entity WHERE tenant = %s AND urn = %s"
_LIST_SERIES = """
WITH RECURSIVE series AS (
    (SELECT name, dataset FROM history WHERE tenant = %(tenant)s AND entity = %(entity)s
     ORDER BY name, dataset LIMIT 1)
    UNION ALL
    SELECT next.name, next.dataset FROM series CROSS JOIN LATERAL (
        SELECT h.name, h.dataset FROM history h WHERE h.tenant = %(tenant)s AND h.entity = %(entity)s
        AND (h.name, h.dataset) > (series.name, series.dataset) ORDER BY h.name, h.dataset LIMIT 1
    ) next
)
SELECT name, dataset FROM series
"""
STILL_HERE = f"""
 AND NOT EXISTS (
    SELECT 1 FROM purging WHERE purging.tenant = history.tenant AND seq <= upto
    AND ts >= day * {DAY} AND ts < (day + 1) * {DAY}
)"""
"""Rows that have left for the archive are read there."""
_SCALE = 2.0**-40
"""PostgreSQL refuses sums beyond the doubles; a power of two changes no digit."""
_IS_SQUARABLE = "abs(number) < 1e140"
_COSTLY = (
    (
        f"sum(CASE WHEN {_IS_SQUARABLE} THEN number * number ELSE 'Infinity' END) FILTER (WHERE number IS NOT NULL)",
        Method.SUMSQ,
    ),
    ("min(number)", Method.MIN),
    ("max(number)", Method.MAX),
    (
        f"CASE WHEN bool_and({_IS_SQUARABLE}) THEN count(number) * var_pop(CASE WHEN {_IS_SQUARABLE} THEN number END)"
        " WHEN count(number) > 0 THEN 'Infinity' END",
        Method.STDDEV,
    ),
)


class Series(NamedTuple):
    tenant: int
    entity: int
    name: int
    dataset: int


def find_head(connection: Connection, names: Names, tenant: int, urn: str) -> tuple[int, Head] | None:
    """The entity's number and what is told of it."""
    row = None if "\0" in urn else connection.execute(_HEAD, (tenant, urn)).fetchone()
    if row is None:
        return None
    number, typeset, scopes, *times = row
    return number, Head(urn, names.typesets.key(typeset), tuple(msgspec.json.decode(scopes)) if scopes else (), *times)


class HotHistory:
    """The history of one entity in one snapshot."""

    def __init__(self, connection: Connection, names: Names, tenant: int, entity: int) -> None:
        self._connection = connection
        self._names = names
        self._tenant = tenant
        self._entity = entity
        marks = connection.execute("SELECT 1 FROM purging WHERE tenant = %s LIMIT 1", (tenant,)).fetchone()
        self._visible = STILL_HERE if marks else ""

    def list_series(self) -> list[AttributeKey]:
        """A seek a series: the rows between are not read."""
        rows = self._connection.execute(_LIST_SERIES, {"tenant": self._tenant, "entity": self._entity})
        return [(self._names.words.key(name), self._names.dataset_text(dataset)) for name, dataset in rows]

    def read(self, key: AttributeKey, window: Window, limit: int, *, last: bool) -> list[Instance]:
        bounds = self._bounds(key, window.start, window.end)
        column, direction = _column(window), "DESC" if last else "ASC"
        sql = (
            f"SELECT {_COLUMNS} FROM history WHERE {self._where(column, window)}"
            f" ORDER BY {column} {direction}, seq {direction} LIMIT %(limit)s"
        )
        rows = self._connection.execute(sql.encode(), {**bounds, "limit": limit}).fetchall()
        if last:
            rows.reverse()
        instance_of = removed_instance if window.of_removals else past_instance
        return [instance_of(self._names, row) for row in rows]

    def find(self, name: Iri, seq: int) -> Instance | None:
        attribute = self._names.words.ids.get(name)
        if attribute is None:
            return None
        last, led = numbered_patterns(seq)
        numbers = {"tenant": self._tenant, "entity": self._entity, "name": attribute, "seq": seq, "removed": REMOVED}
        wanted = {**numbers, "last": last, "led": led}
        row = self._connection.execute(f"{_ONE}{self._visible}".encode(), wanted).fetchone()
        return None if row is None else past_instance(self._names, row)

    def extent(self, key: AttributeKey, window: Window) -> Period | None:
        bounds, column = self._bounds(key, window.start, window.end), _column(window)
        sql = f"SELECT min({column}), max({column}) FROM history WHERE {self._where(column, window)}"
        first, last = self._connection.execute(sql.encode(), bounds).fetchone() or (None, None)
        return None if first is None or last is None else (first, last)

    def reach(self, key: AttributeKey, window: Window) -> Period | None:
        return self.extent(key, window)

    def partials(
        self, key: AttributeKey, window: Window, periods: Sequence[Period], methods: frozenset[Method]
    ) -> list[Partials]:
        """All periods in one statement: each instance is put into the period whose start is the last before it."""
        found = [NOTHING] * len(periods)
        if not periods:
            return found
        bounds = self._bounds(key, periods[0][0], periods[-1][1])
        asked = bounds | {"starts": numbers_text([start for start, _ in periods])}
        column = _column(window)
        place = f"width_bucket({column}, %(starts)s::bigint[])"
        wanted = ", ".join(sql if method in methods else "NULL" for sql, method in _COSTLY)
        sql = (
            f"SELECT {place}, count(*), count(number), sum(number * {_SCALE}), {wanted}"
            f" FROM history WHERE {self._where(column, window)} GROUP BY 1"
        )
        for at, instances, numbers, scaled, *more in self._connection.execute(sql.encode(), asked):
            found[at - 1] = Partials(instances, numbers, None if scaled is None else scaled / _SCALE, *more)
        if Method.DISTINCT_COUNT in methods:
            distinct = (
                f"SELECT DISTINCT {place}, shape, number, text FROM history WHERE {self._where(column, window)}"
                f" LIMIT {MOST_DISTINCT + 1}"
            )
            rows = self._connection.execute(distinct.encode(), asked).fetchall()
            if len(rows) > MOST_DISTINCT:
                raise too_many_distinct(MOST_DISTINCT)
            values: dict[int, set[Any]] = {}
            for at, shape, number, text in rows:
                values.setdefault(at, set()).add(self._as_kept(shape, number, text))
            for at, kept in values.items():
                found[at - 1] = found[at - 1]._replace(distinct=frozenset(kept))
        return found

    def _where(self, column: str, window: Window) -> str:
        bounds, sign = f"{column} >= %(start)s AND {column} < %(end)s", "=" if window.of_removals else "<>"
        return f"{_SERIES} AND {bounds} AND shape {sign} %(removed)s{self._visible}"

    def _bounds(self, key: AttributeKey, start: Instant, end: Instant) -> dict[str, Any]:
        name, dataset = key
        words = self._names.words.ids
        series = Series(self._tenant, self._entity, words.get(name, -1), words.get(dataset, -1) if dataset else 0)
        return series._asdict() | {"start": start, "end": end, "removed": REMOVED}

    def _as_kept(self, shape: int, number: float | None, text: str | None) -> Json:
        """The value; JSON as its bytes."""
        _, _, form = self._names.shapes.key(shape)
        if form is Form.JSON and text is not None:
            return text.encode()
        return from_columns(form, number, text)


def _column(window: Window) -> str:
    return "recorded" if window.by_recorded else "ts"
