"""The query tree as SQL: bound parameters only, and held equal to `broker.query.evaluate` by property tests.

What SQL cannot say exactly it says more widely, and the evaluator decides on each row that is left.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple, assert_never

import msgspec
from msgspec.structs import replace

from parvis.broker.model.geometry import Bounds
from parvis.broker.query.order import find_member
from parvis.broker.query.plenty import Span, find_span
from parvis.broker.query.reach import search_box
from parvis.broker.query.selection import typesets_of
from parvis.broker.query.tree import (
    ENTITY_TIMES,
    And,
    Compare,
    Condition,
    EntityQuery,
    Exists,
    GeoQuery,
    LeadsTo,
    Linked,
    Missing,
    Operator,
    Or,
    Path,
    Range,
    Selector,
)
from parvis.broker.query.within import choose
from parvis.stores.postgres.cells import cover
from parvis.stores.postgres.conditions import INCLUDING, LOOK_UP, NEVER, Conditions, Parameters, is_encodable
from parvis.stores.postgres.names import Names
from parvis.stores.postgres.ordering import Ordering, is_sayable
from parvis.stores.postgres.within import in_scopes, numbers_text, scopes_match

MAX_ARMS = 24
HEADER = "e.id, e.urn, e.typeset, e.scopes, e.created, e.modified, e.expires, e.due"
INSTANCE = "a.name, a.dataset, a.shape, a.number, a.text, a.observed, a.extra, a.modified, a.created"


class Statement(msgspec.Struct, frozen=True):
    """`page` gives the entities with their attributes, and one entity more where another page follows.

    Where `refined` is set SQL alone says too much: `candidates` are the headers, in order, of which those count that
    meet `refined`; it asks about the attributes `named` only. They are all there are where all are to be counted or put
    in another order, else those after the page before.
    """

    page: str
    count: str
    candidates: str
    parameters: dict[str, Any]
    refined: EntityQuery | None
    named: tuple[int, ...]


class Narrowing(NamedTuple):
    """SQL of the only entities that may match, as an index gives them: for an attribute by number, with its numbers."""

    attribute: int
    span: Span | None
    sql: str
    parameters: dict[str, Any]


class Translator:
    """Of one query. Every value becomes a parameter; the texts of SQL are all written here."""

    def __init__(self, names: Names, tenant: int, query: EntityQuery) -> None:
        self._names = names
        self._query = query
        self._parameters = Parameters()
        self._bind = self._parameters.bind
        self._conditions = Conditions(names, self._parameters, tenant)
        self._is_narrowed = False

    def translate(self, narrowed_to: Sequence[int] | None = None) -> Statement | None:
        """None: nothing can match. `narrowed_to` are the only entities that can."""
        chosen = choose(self._query.types, self._query.within, self._names.typesets.items())
        if chosen.is_nothing:
            return None
        typesets = chosen.typesets
        refined = self._refined()
        self._is_narrowed = narrowed_to is not None
        conditions = [f"e.tenant = {self._conditions.tenant}", "e.deleted IS NULL", *self._selected()]
        conditions += in_scopes(chosen, self._bind)
        if narrowed_to is not None:
            conditions.append(f"e.id = ANY ({self._bind(numbers_text(narrowed_to))}::bigint[])")
        where = " AND ".join(conditions)
        any_type = "" if typesets is None else f" AND e.typeset = ANY ({self._bind(numbers_text(typesets))}::int[])"
        to_all = f"FROM entity e WHERE {where}{any_type}".replace(LOOK_UP, "")
        header = self._header(refined)
        after = 0 if self._query.order else self._query.after or 0
        onwards = f"FROM entity e WHERE {where}{any_type} AND e.id > {self._bind(after)}"
        is_in_order = bool(self._query.order) and is_sayable(self._query)
        return Statement(
            self._in_order(where + any_type) if is_in_order else self._page(where, typesets, any_type),
            f"SELECT count(*) {to_all}",
            f"SELECT {header} {to_all if self._query.count else onwards} ORDER BY e.id",
            self._parameters.values,
            refined,
            () if refined is None else tuple(self._word(name) for name in sorted(names_in(refined))),
        )

    def narrowings(self, indexed: Collection[int]) -> Iterator[Narrowing]:
        """What indexes say of the query: on the map, and on the values of the attributes `indexed`."""
        if self._query.geo is not None and (place := self._touching(self._query.geo)) is not None:
            yield Narrowing(0, None, f"SELECT a.entity {place}", self._parameters.values)
        for number, term in ordered_terms(self._names, self._query):
            if number in indexed:
                value = self._conditions.compare(term.operator, term.operand).sql
                of = f"a.tenant = {self._conditions.tenant} AND a.name = {int(number)}"
                sql = f"SELECT a.entity FROM attribute a WHERE {of} AND {value}"
                yield Narrowing(number, find_span(term), sql, self._parameters.values)

    def _header(self, refined: EntityQuery | None) -> str:
        """With the time of the last change where the evaluator is to know it."""
        is_ordered = any(find_member(term) == "modifiedAt" for term in self._query.order)
        if not is_ordered and (refined is None or not _paths_of_times(refined)):
            return HEADER
        return HEADER.replace("e.modified", self._conditions.entity_times["modifiedAt"])

    def _page(self, where: str, typesets: list[int] | None, any_type: str) -> str:
        """An arm a type set: each is in the order of ids already, and ends where the page does."""
        query = self._query
        order = f"ORDER BY e.id LIMIT {self._bind(query.limit + 1 + query.offset)}"
        after = f"e.id > {self._bind(query.after or 0)}"
        if typesets is None or len(typesets) > MAX_ARMS:
            arms = [f"SELECT {HEADER} FROM entity e WHERE {where}{any_type} AND {after} {order}"]
        else:
            arms = [
                f"SELECT {HEADER} FROM entity e WHERE {where} AND e.typeset = {int(one)} AND {after} {order}"
                for one in typesets
            ]
        union = " UNION ALL ".join(f"({arm})" for arm in arms)
        return (
            f"WITH e AS MATERIALIZED (SELECT * FROM ({union}) arms ORDER BY id LIMIT {self._bind(query.limit + 1)}"
            f" OFFSET {self._bind(query.offset)})"
            f" SELECT {HEADER}, {INSTANCE} FROM e"
            f" LEFT JOIN attribute a ON a.tenant = {self._conditions.tenant} AND a.entity = e.id ORDER BY e.id"
        )

    def _in_order(self, where: str) -> str:
        query, ordering = self._query, Ordering(self._names, self._parameters, self._conditions, self._query)
        found = f"SELECT {HEADER}, {ordering.columns()} FROM entity e {ordering.joins()} WHERE {where}"
        order = ordering.order()
        return (
            f"WITH o AS MATERIALIZED ({found}), e AS MATERIALIZED (SELECT * FROM o e WHERE {ordering.after()}"
            f" ORDER BY {order} LIMIT {self._bind(query.limit + 1)} OFFSET {self._bind(query.offset)})"
            f" SELECT {HEADER}, {INSTANCE} FROM e"
            f" LEFT JOIN attribute a ON a.tenant = {self._conditions.tenant} AND a.entity = e.id ORDER BY {order}"
        )

    def _refined(self) -> EntityQuery | None:
        """What is left for the evaluator to decide."""
        query = self._query
        terms = tuple(term for term in _terms(query.q) if not self._conditions.translate(term).is_exact)
        patterns = any(one.id_pattern is not None for one in query.either)
        if not terms and query.geo is None and query.id_pattern is None and not patterns:
            return None
        q = And(terms) if terms else None
        return replace(query, ids=(), types=None, attrs=(), scope=None, order=(), q=q, within=None)

    def _selected(self) -> Iterator[str]:
        query = self._query
        if query.ids:
            yield self._has_id(query.ids)
        if query.id_pattern is not None:
            yield self._conditions.prefixed("e.urn", query.id_pattern)
        if query.attrs:
            numbers = self._bind(numbers_text([self._word(name) for name in query.attrs]))
            yield self._conditions.any_row(f"a.name = ANY ({numbers}::int[])")
        if query.scope is not None:
            yield scopes_match(query.scope, self._bind)
        for term in _terms(query.q):
            yield self._conditions.translate(term).sql
        if query.geo is not None:
            yield self._geo(query.geo)
        if query.either:
            yield f"({' OR '.join(self._selects(one) for one in query.either)})"

    def _selects(self, selector: Selector) -> str:
        """Whether the id fits the pattern is left for the evaluator."""
        conditions = ["true"]
        if selector.ids:
            conditions.append(self._has_id(selector.ids))
        typesets = typesets_of(selector.types, self._names.typesets.items())
        if typesets is not None:
            conditions.append(f"e.typeset = ANY ({self._bind(numbers_text(typesets))}::int[])")
        return f"({' AND '.join(conditions)})"

    def _has_id(self, ids: Sequence[str]) -> str:
        sayable = [one for one in ids if is_encodable(one) and "\0" not in one]
        return f"e.urn = ANY ({self._bind(sayable)}::text[])"

    def _geo(self, geo: GeoQuery) -> str:
        number = self._names.words.ids.get(geo.geoproperty)
        if number is None:
            return NEVER.sql
        box = search_box(geo)
        if box is None:
            return self._conditions.any_row(f"a.name = {int(number)} AND a.bounds IS NOT NULL")
        if self._is_narrowed:
            return self._conditions.any_row(f"a.name = {int(number)} AND {self._touches(box)}")
        return f"e.id IN (SELECT a.entity {self._touching(geo)})"

    def _touching(self, geo: GeoQuery) -> str | None:
        """Rows whose bounds touch what the query reaches; None where it reaches everything."""
        box, number = search_box(geo), self._names.words.ids.get(geo.geoproperty)
        if box is None or number is None:
            return None
        ranges, cells = cover(box)
        within = [f"a.cell BETWEEN {low:d} AND {high:d}" for low, high in ranges]
        return (
            f"FROM attribute a WHERE a.tenant = {self._conditions.tenant} AND a.name = {int(number)}"
            f" AND (a.cell = ANY ('{numbers_text(cells)}'::bigint[]) OR {' OR '.join(within)}) AND {self._touches(box)}"
        )

    def _touches(self, box: Bounds) -> str:
        west, south, east, north = box
        return f"a.bounds && {self._bind(f'({east!r},{north!r}),({west!r},{south!r})')}::box"

    def _word(self, name: str) -> int:
        return self._names.words.ids.get(name, -1)


def ordered_terms(names: Names, query: EntityQuery) -> list[tuple[int, Compare]]:
    """What an index on an attribute's numbers can answer, with the attribute's number."""
    found = [(names.words.ids.get(term.path.name), term) for term in _terms(query.q) if isinstance(term, Compare)]
    return [(number, term) for number, term in found if number is not None and _is_ordered(term)]


def names_in(query: EntityQuery) -> set[str]:
    """The attributes that a query speaks of."""
    place = () if query.geo is None else (query.geo.geoproperty,)
    return {*query.attrs, *place, *(path.name for path in _paths(query.q)), *names_of_order(query)}


def names_of_order(query: EntityQuery) -> set[str]:
    return {term.path.name for term in query.order if find_member(term) is None}


def _paths_of_times(query: EntityQuery) -> bool:
    return any(path.name in ENTITY_TIMES for path in _paths(query.q))


def _is_ordered(term: Compare) -> bool:
    match term:
        case Compare(Path(_, (), ()), Operator.EQUAL, Range(low, high)):
            return not isinstance(low, str) and not isinstance(high, str)
        case Compare(Path(_, (), ()), operator, int() | float() as operand):
            return operator in INCLUDING and not isinstance(operand, bool)
        case _:
            return False


def _terms(q: Condition | None) -> tuple[Condition, ...]:
    if q is None:
        return ()
    return q.terms if isinstance(q, And) else (q,)


def _paths(condition: Condition | None) -> Iterator[Path]:
    match condition:
        case None:
            return
        case And(terms) | Or(terms):
            for term in terms:
                yield from _paths(term)
        case Exists(path) | Missing(path) | Compare(path):
            yield path
        case LeadsTo(name) | Linked(name):
            yield Path(name)
        case _:
            assert_never(condition)
