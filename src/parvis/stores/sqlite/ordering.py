"""The order of an answer as SQL (NGSI-LD 1.9.1, 4.23), held equal to `broker.query.order` by property tests.

A key is NULL for entities without any; else it sorts as SQLite sorts: numbers, texts, then bytes, whose first says
whether an object, an array or a boolean follows.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from parvis.broker.model.entity import Json, Kind
from parvis.broker.query.order import as_double, find_distance_m, find_member, is_absent, is_plain
from parvis.broker.query.tree import EntityQuery, OrderTerm
from parvis.stores.sqlite.names import Names
from parvis.stores.sqlite.rows import Column

TIMES_OF_ENTITY: Mapping[str, str] = {
    "createdAt": "e.created",
    "modifiedAt": "max(e.modified, coalesce((SELECT max(a.modified) FROM attribute a WHERE a.entity = e.id), 0))",
}
INSTANT_COLUMNS: Mapping[str, str] = {
    "observedAt": "a.observed",
    "createdAt": "a.created",
    "modifiedAt": "a.modified",
}
_MEMBERS: Mapping[str, str] = {
    **TIMES_OF_ENTITY,
    "id": "e.urn",
    "type": "(SELECT group_concat(j.value, ',') FROM typeset t, json_each(t.types) j WHERE t.id = e.typeset)",
    "scope": "(SELECT group_concat(j.value, ',') FROM json_each(e.scopes) j)",
}
_VALUE = (
    "CASE typeof(a.value) WHEN 'integer' THEN CAST(a.value AS REAL) WHEN 'blob' THEN place_of(a.value) ELSE a.value END"
)
_FIRST = "ORDER BY a.dataset <> 0, (SELECT w.text FROM word w WHERE w.id = a.dataset) LIMIT 1"


def is_sayable(query: EntityQuery) -> bool:
    """Whether SQL can put it in order."""
    return query.collation is None and all(is_plain(term) for term in query.order)


class Ordering:
    """Of entities `e`, with a column for each term of the order."""

    def __init__(self, names: Names, bind: Callable[[Any], str], query: EntityQuery) -> None:
        self._names = names
        self._bind = bind
        self._query = query

    def columns(self) -> Iterator[str]:
        for number, term in enumerate(self._query.order):
            yield f"{self._key(term)} AS k{number}"

    def order(self) -> str:
        terms = enumerate(self._query.order)
        return ", ".join(
            [*(f"k{at} IS NULL, k{at}{' DESC' if one.is_descending else ''}" for at, one in terms), "e.id"]
        )

    def after(self) -> str:
        """Of the entities behind the page before."""
        if self._query.after_key is None:
            return "1"
        condition = f"e.id > {self._bind(self._query.after or 0)}"
        for at, (term, part) in reversed([*enumerate(zip(self._query.order, self._query.after_key, strict=True))]):
            if is_absent(part):
                condition = f"(k{at} IS NULL AND {condition})"
                continue
            key, sign = self._bind(_column(*part)), "<" if term.is_descending else ">"
            condition = f"(k{at} IS NULL OR k{at} {sign} {key} OR (k{at} = {key} AND {condition}))"
        return condition

    def _key(self, term: OrderTerm) -> str:
        member = find_member(term)
        if member is not None:
            return _MEMBERS[member]
        name = self._bind(self._names.words.ids.get(term.path.name, -1))
        return f"(SELECT {self._value(term)} FROM attribute a WHERE a.entity = e.id AND a.name = {name} {_FIRST})"

    def _value(self, term: OrderTerm) -> str:
        if term.reference is not None:
            reference = self._bind(msgspec.json.encode(term.reference).decode())
            is_place = f"a.shape IN (SELECT id FROM shape WHERE kind = {self._bind(Kind.GEO_PROPERTY.value)})"
            return f"CASE WHEN {is_place} THEN distance_m({reference}, a.value) END"
        return INSTANT_COLUMNS[term.path.subs[0]] if term.path.subs else _VALUE


def place_of(column: bytes) -> Column | None:
    """The key of a value that is kept as JSON."""
    value: Json = msgspec.json.decode(column)
    match value:
        case None:
            return None
        case bool():
            return _column(4, int(value))
        case int() | float():
            return as_double(value)
        case _:
            return _column(2 if isinstance(value, dict) else 3, column.decode())


def distance_from(reference: dict[str, Any], column: bytes) -> float | None:
    geometry = msgspec.json.decode(column)
    return find_distance_m(geometry, reference) if isinstance(geometry, dict) else None


def _column(rank: int, value: Any) -> Column:
    return value if rank < 2 else f"{rank}{value}".encode()
