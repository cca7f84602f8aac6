"""The order of an answer as SQL (NGSI-LD 1.9.1, 4.23), held equal to `broker.query.order` by property tests.

The key of a term is three columns: a rank, NULL for entities without any, and a number or a text.
"""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from parvis.broker.query.order import find_member, is_absent, is_plain
from parvis.broker.query.tree import EntityQuery, OrderTerm
from parvis.stores.postgres.conditions import INSTANTS, IS_TEXT, Conditions, Parameters, is_encodable
from parvis.stores.postgres.names import Names
from parvis.stores.postgres.rows import storable

_TEXTS: Mapping[str, str] = {
    "id": "e.urn",
    "type": (
        "(SELECT string_agg(j.value, ',' ORDER BY j.place) FROM typeset t,"
        " json_array_elements_text(t.types::json) WITH ORDINALITY j (value, place) WHERE t.id = e.typeset)"
    ),
    "scope": (
        "(SELECT string_agg(j.value, ',' ORDER BY j.place)"
        " FROM json_array_elements_text(e.scopes::json) WITH ORDINALITY j (value, place))"
    ),
}
_FIRST = 'ORDER BY a.dataset <> 0, (SELECT w.text FROM word w WHERE w.id = a.dataset) COLLATE "C" LIMIT 1'
_RANK = (
    f"CASE WHEN a.number IS NOT NULL THEN 0 WHEN {IS_TEXT} THEN 1 ELSE"
    " CASE left(a.text, 1) WHEN '{' THEN 2 WHEN '[' THEN 3 WHEN 't' THEN 4 WHEN 'f' THEN 4 WHEN 'n' THEN NULL"
    " ELSE 0 END END"
)
_LARGEST = repr(sys.float_info.max)
_BEYOND = f"CASE left(found.text, 1) WHEN '-' THEN -{_LARGEST}::float8 ELSE {_LARGEST}::float8 END"
"""Of integers that no double reaches: they are kept as text alone."""


def is_sayable(query: EntityQuery) -> bool:
    """Whether SQL can put it in order: it knows neither the collation nor the distance."""
    parts = query.after_key or ()
    return (
        query.collation is None
        and all(is_plain(term) and term.reference is None for term in query.order)
        and all(is_encodable(value) for _, value in parts if isinstance(value, str))
    )


class Ordering:
    """Of entities `e`, with columns for each term of the order."""

    def __init__(self, names: Names, parameters: Parameters, conditions: Conditions, query: EntityQuery) -> None:
        self._names = names
        self._bind = parameters.bind
        self._conditions = conditions
        self._query = query

    def columns(self) -> str:
        return ", ".join(f"k{at}.rank AS r{at}, k{at}.number AS n{at}, k{at}.text AS t{at}" for at, _ in self._terms())

    def joins(self) -> str:
        return " ".join(f"LEFT JOIN LATERAL ({self._key(term)}) k{at} ON true" for at, term in self._terms())

    def order(self) -> str:
        return ", ".join([*self._sorted(), "e.id"])

    def _sorted(self) -> Iterator[str]:
        for at, term in self._terms():
            way = " DESC" if term.is_descending else ""
            yield f"e.r{at} IS NULL, e.r{at}{way}, e.n{at}{way}, e.t{at}{way}"

    def after(self) -> str:
        """Of the entities behind the page before."""
        if self._query.after_key is None:
            return "true"
        condition = f"e.id > {self._bind(self._query.after or 0)}"
        for at, (term, part) in reversed([*enumerate(zip(self._query.order, self._query.after_key, strict=True))]):
            if is_absent(part):
                condition = f"(e.r{at} IS NULL AND {condition})"
                continue
            rank, column, value = int(part[0]), *self._value(*part)
            sign, here = "<" if term.is_descending else ">", f"e.{column}{at}"
            behind = f"e.r{at} IS NULL OR e.r{at} {sign} {rank} OR (e.r{at} = {rank} AND {here} {sign} {value})"
            condition = f"({behind} OR (e.r{at} = {rank} AND {here} = {value} AND {condition}))"
        return condition

    def _value(self, rank: int, value: Any) -> tuple[str, str]:
        if rank == 0:
            return "n", f"{self._bind(float(value))}::float8"
        text = ("true" if value else "false") if rank == 4 else storable(value) if rank == 1 else value
        return "t", f"{self._bind(text)}::text"

    def _terms(self) -> Iterator[tuple[int, OrderTerm]]:
        return enumerate(self._query.order)

    def _key(self, term: OrderTerm) -> str:
        member = find_member(term)
        if member is None:
            return self._attribute(term)
        if (text := _TEXTS.get(member)) is not None:
            shown = f"nullif({text}, '')"
            return _column(f"CASE WHEN {shown} IS NOT NULL THEN 1 END", text=shown)
        return _column("0", number=self._conditions.entity_times[member])

    def _attribute(self, term: OrderTerm) -> str:
        name = self._names.words.ids.get(term.path.name, -1)
        rows = f"FROM attribute a WHERE a.tenant = {self._conditions.tenant} AND a.entity = e.id AND a.name = {name:d}"
        if term.path.subs:
            at = INSTANTS[term.path.subs[0]]
            return f"{_column(f'CASE WHEN {at} IS NOT NULL THEN 0 END', number=at)} {rows} {_FIRST}"
        found = f"SELECT {_RANK} AS rank, a.number, a.text {rows} {_FIRST}"
        number = f"CASE WHEN found.rank = 0 THEN coalesce(found.number, {_BEYOND}) END"
        text = "CASE WHEN found.rank > 0 THEN found.text END"
        return f"{_column('found.rank', number=number, text=text)} FROM ({found}) found"


def _column(rank: str, number: str = "NULL", text: str = "NULL") -> str:
    return f'SELECT {rank} AS rank, ({number})::float8 AS number, ({text})::text COLLATE "C" AS text'
