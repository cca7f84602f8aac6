"""The query tree as SQL: numbered parameters only, and held equal to `broker.query.evaluate` by property tests."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple, assert_never

import msgspec

from parvis.broker.model.entity import LINKS, Kind
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
    OneOf,
    Operator,
    Or,
    Range,
    Selector,
)
from parvis.broker.query.within import choose
from parvis.kernel.time import parse_instant
from parvis.stores.sqlite.names import Names
from parvis.stores.sqlite.ordering import INSTANT_COLUMNS, TIMES_OF_ENTITY, Ordering
from parvis.stores.sqlite.rows import INTEGER_MAX, INTEGER_MIN
from parvis.stores.sqlite.within import in_scopes

MAX_ARMS = 24
_COLUMNS = "e.id, e.typeset, e.scopes, e.created, e.modified, e.deleted, e.expires, e.due, e.urn"
_NEVER, _ALWAYS = "0", "1"
_LINK_SHAPES = f"(SELECT id FROM shape WHERE kind IN ({', '.join(str(kind.value) for kind in sorted(LINKS))}))"
_IS_LINK = f"a.shape IN {_LINK_SHAPES}"
_IS_NO_LINK = f"a.shape NOT IN {_LINK_SHAPES}"
_INSTANCE = "a.name, a.dataset, a.shape, a.value, a.observed, a.extra, a.modified, a.created"


class Statement(msgspec.Struct, frozen=True):
    """A page's SQL, which gives one row more where another page follows, and its count's, which takes fewer."""

    page: str
    parameters: list[Any]
    count: str
    counted: list[Any]


class Narrowing(NamedTuple):
    """SQL of the entities that an index on the value of `attribute` gives, and its parameters so far."""

    attribute: int
    span: Span | None
    sql: str
    parameters: list[Any]


class Translator:
    """Of one query. Every value becomes a parameter; the texts of SQL are all written here."""

    def __init__(self, names: Names, tenant: int, query: EntityQuery) -> None:
        self._names = names
        self._query = query
        self._parameters: list[Any] = []
        self._tenant = self._bind(tenant)

    def narrowings(self, indexed: Collection[int]) -> Iterator[Narrowing]:
        """What of the query the indexes on values can answer. Call it first."""
        for number, term in ordered_terms(self._names, self._query):
            if number in indexed:
                rows = f"SELECT a.entity FROM attribute a WHERE a.name = {int(number)} AND"
                sql = f"{rows} {self._value_in_order(term)}"
                yield Narrowing(number, find_span(term), sql, list(self._parameters))

    def translate(self, narrowed_to: str | None = None) -> Statement | None:
        """None: nothing can match. `narrowed_to` selects the only entities that can."""
        chosen = choose(self._query.types, self._query.within, self._names.typesets.items())
        if chosen.is_nothing:
            return None
        is_led = narrowed_to is not None or self._is_on_the_map()
        free = "+" if is_led else ""  # of indexes: what is narrowed to a list, or to a place, is looked up by that
        where = [f"{free}e.tenant = {self._tenant}", "e.deleted IS NULL", *self._conditions()]
        where += in_scopes(chosen, self._bind)
        if narrowed_to is not None:
            where.append(f"e.id IN ({narrowed_to})")
        is_ordered = bool(self._query.order)
        arms = self._arms(chosen.typesets, " AND ".join(where), in_one=is_led or is_ordered)
        count, counted = " + ".join(f"(SELECT count(*) {arm})" for arm in arms), list(self._parameters)
        page = self._in_order(arms[0]) if is_ordered else self._first_known(arms, free)
        limit = f"LIMIT {self._bind(self._query.limit + 1)} OFFSET {self._bind(self._query.offset)}"
        return Statement(f"{page} {limit}", self._parameters, f"SELECT {count}", counted)

    def _first_known(self, arms: list[str], free: str) -> str:
        after = self._bind(self._query.after or 0)
        page = " UNION ALL ".join(f"SELECT {_COLUMNS} {arm} AND {free}e.id > {after}" for arm in arms)
        return f"{page} ORDER BY 1"

    def _in_order(self, arm: str) -> str:
        ordering = Ordering(self._names, self._bind, self._query)
        found = f"SELECT {_COLUMNS}, {', '.join(ordering.columns())} {arm}"
        page = f"SELECT {_COLUMNS} FROM e WHERE {ordering.after()} ORDER BY {ordering.order()}"
        return f"WITH e AS MATERIALIZED ({found}) {page}"

    def _value_in_order(self, compare: Compare) -> str:
        if isinstance(compare.operand, Range):
            return self._equals(compare.operand)
        return self._ordered(compare.operator, compare.operand)

    def _is_on_the_map(self) -> bool:
        return self._query.geo is not None and search_box(self._query.geo) is not None

    def _arms(self, typesets: list[int] | None, where: str, *, in_one: bool) -> list[str]:
        """An arm a type set: each is in the order of ids already, so that SQLite merges them without a sort."""
        source = f"FROM entity e WHERE {where}"
        if typesets is None:
            return [source]
        if in_one or len(typesets) > MAX_ARMS:
            return [f"{source} AND +e.typeset IN (SELECT value FROM json_each({self._bind(str(typesets))}))"]
        return [f"{source} AND e.typeset = {self._bind(one)}" for one in typesets]

    def _conditions(self) -> list[str]:
        query = self._query
        conditions: list[str] = []
        if query.ids:
            conditions.append(f"e.urn IN (SELECT value FROM json_each({self._bind(_json(query.ids))}))")
        if query.id_pattern is not None:
            conditions.append(f"matches({self._bind(query.id_pattern)}, e.urn)")
        if query.attrs:
            numbers = [self._word(name) for name in query.attrs]
            conditions.append(
                "EXISTS (SELECT 1 FROM attribute a WHERE a.entity = e.id AND a.name IN"
                f" (SELECT value FROM json_each({self._bind(str(numbers))})))"
            )
        if query.scope is not None:
            pattern = self._bind(_json(query.scope))
            conditions.append(f"scopes_match({pattern}, e.scopes)")
        if query.q is not None:
            conditions.append(self._condition(query.q))
        if query.geo is not None:
            conditions.append(self._geo(query.geo))
        if query.either:
            conditions.append(f"({' OR '.join(self._selects(one) for one in query.either)})")
        return conditions

    def _selects(self, selector: Selector) -> str:
        conditions = [_ALWAYS]
        if selector.ids:
            conditions.append(f"e.urn IN (SELECT value FROM json_each({self._bind(_json(selector.ids))}))")
        if selector.id_pattern is not None:
            conditions.append(f"matches({self._bind(selector.id_pattern)}, e.urn)")
        typesets = typesets_of(selector.types, self._names.typesets.items())
        if typesets is not None:
            conditions.append(f"e.typeset IN (SELECT value FROM json_each({self._bind(str(typesets))}))")
        return f"({' AND '.join(conditions)})"

    def _condition(self, condition: Condition) -> str:
        match condition:
            case Exists(path) | Missing(path) | Compare(path) if path.name in ENTITY_TIMES:
                return self._entity_time(condition, TIMES_OF_ENTITY[path.name])
            case Exists(path) | Compare(path) if path.name not in self._names.words.ids:
                return _NEVER
            case And(terms):
                return f"({' AND '.join(self._condition(term) for term in terms)})"
            case Or(terms):
                return f"({' OR '.join(self._condition(term) for term in terms)})"
            case Exists(path):
                if not path.subs and not path.members:
                    return self._any_instance(path.name, "1")
                return self._any_instance(path.name, self._by_oracle(condition))
            case Missing(path):
                return f"NOT {self._condition(Exists(path))}"
            case Compare():
                return self._compare(condition)
            case LeadsTo() | Linked():
                return self._leads_to(condition)
            case _:
                assert_never(condition)

    def _entity_time(self, condition: Exists | Missing | Compare, column: str) -> str:
        """Each entity has its times."""
        if not isinstance(condition, Compare):
            return _NEVER if isinstance(condition, Missing) else _ALWAYS
        opposite = _OPPOSITES.get(condition.operator)
        if opposite is None:
            return f"({self._instant_holds(column, condition)})"
        return f"NOT ({self._instant_holds(column, Compare(condition.path, opposite, condition.operand))})"

    def _compare(self, compare: Compare) -> str:
        name = compare.path.name
        opposite = _OPPOSITES.get(compare.operator)
        if opposite is None:
            return self._any_instance(name, self._holds(compare))
        there = self._is_there(compare)
        other = Compare(compare.path, opposite, compare.operand)
        return f"({there} AND NOT {self._any_instance(name, self._holds(other))})"

    def _is_there(self, compare: Compare) -> str:
        """Where no instance is of the opposite, what leads to other entities is not there for a pattern."""
        path = compare.path
        if compare.operator is not Operator.NOT_MATCH:
            return self._condition(Exists(path))
        is_plain = not path.subs and not path.members
        return self._any_instance(path.name, _IS_NO_LINK if is_plain else self._by_oracle(compare))

    def _leads_to(self, condition: LeadsTo | Linked) -> str:
        if isinstance(condition, Linked):
            return _NEVER
        ids = f"(SELECT value FROM json_each({self._bind(_json(condition.ids))}))"
        listed = (
            "(typeof(a.value) = 'blob' AND EXISTS (SELECT 1 FROM json_each(CAST(a.value AS TEXT)) j"
            f" WHERE j.value IN {ids}))"
        )
        found = self._any_instance(condition.name, f"{_IS_LINK} AND (a.value IN {ids} OR {listed})")
        return found if condition.is_wanted else f"NOT {found}"

    def _any_instance(self, name: str, holds: str) -> str:
        number = self._bind(self._word(name))
        return f"EXISTS (SELECT 1 FROM attribute a WHERE a.entity = e.id AND a.name = {number} AND {holds})"

    def _holds(self, compare: Compare) -> str:
        path = compare.path
        if not path.subs and not path.members:
            return self._value_holds(compare.operator, compare.operand)
        if len(path.subs) == 1 and not path.members and path.subs[0] in INSTANT_COLUMNS:
            return self._instant_holds(INSTANT_COLUMNS[path.subs[0]], compare)
        return self._by_oracle(compare)

    def _value_holds(self, operator: Operator, operand: Any) -> str:
        match operator:
            case Operator.EQUAL:
                return self._equals(operand)
            case Operator.MATCH:
                if not isinstance(operand, str):
                    return _NEVER
                return f"(typeof(a.value) = 'text' AND {_IS_NO_LINK} AND matches({self._bind(operand)}, a.value))"
            case _:
                return self._ordered(operator, operand)

    def _equals(self, operand: Any) -> str:
        match operand:
            case Range(low, high):
                return self._between(low, high)
            case OneOf(values):
                return f"({' OR '.join(self._equals(one) for one in values)})"
            case bool():
                literal = self._bind(b"true" if operand else b"false")
                element = f"j.type = '{'true' if operand else 'false'}'"
            case int() | float():
                literal = self._bind(_number(operand))
                element = f"j.value = {literal} AND j.type IN ('integer', 'real')"
            case _:
                literal = self._bind(operand)
                element = f"j.value = {literal} AND j.type = 'text'"
        return (
            f"(a.value = {literal} OR (typeof(a.value) = 'blob' AND json_type(CAST(a.value AS TEXT)) = 'array'"
            f" AND EXISTS (SELECT 1 FROM json_each(CAST(a.value AS TEXT)) j WHERE {element})))"
        )

    def _between(self, low: Any, high: Any) -> str:
        if isinstance(low, bool) or isinstance(high, bool) or isinstance(low, str) is not isinstance(high, str):
            return _NEVER
        return f"(a.value >= {self._operand(low)} AND a.value <= {self._operand(high)})"

    def _ordered(self, operator: Operator, operand: Any) -> str:
        """Numbers sort before texts, texts before blobs: each class is bounded by where the next begins.

        Of two bounds on one side SQLite takes one to its index, and not always the nearer: there is one.
        """
        if isinstance(operand, bool):
            return _NEVER
        compared = f"a.value {operator.value} {self._operand(operand)}"
        if isinstance(operand, str):
            compared = f"{compared} AND {_IS_NO_LINK}"
        if operator in (Operator.LESS, Operator.LESS_EQUAL):
            return f"(a.value >= '' AND {compared})" if isinstance(operand, str) else compared
        return f"({compared} AND a.value < {_NEXT[type(operand)]})"

    def _operand(self, operand: float | str) -> str:
        return self._bind(operand if isinstance(operand, str) else _number(operand))

    def _instant_holds(self, column: str, compare: Compare) -> str:
        match compare.operand:
            case str(text):
                return self._instant_compares(column, compare.operator, text)
            case Range(str(low), str(high)):
                after = self._instant_compares(column, Operator.GREATER_EQUAL, low)
                return f"({after} AND {self._instant_compares(column, Operator.LESS_EQUAL, high)})"
            case OneOf(values):
                return f"({' OR '.join(self._instant_holds(column, _with(compare, one)) for one in values)})"
            case _:
                return _NEVER

    def _instant_compares(self, column: str, operator: Operator, text: str) -> str:
        try:
            instant = parse_instant(text)
        except ValueError:
            return _NEVER
        if operator in (Operator.MATCH, Operator.NOT_MATCH):
            return _NEVER
        return f"{column} {operator.value} {self._bind(instant)}"

    def _by_oracle(self, condition: Condition) -> str:
        return f"oracle({self._bind(_json(condition))}, {_INSTANCE})"

    def _geo(self, geo: GeoQuery) -> str:
        number = self._names.words.ids.get(geo.geoproperty)
        if number is None:
            return _NEVER
        is_place = f"a.shape IN (SELECT id FROM shape WHERE kind = {self._bind(Kind.GEO_PROPERTY.value)})"
        exact = self._any_instance(geo.geoproperty, f"{is_place} AND geo_holds({self._bind(_json(geo))}, a.value)")
        box = search_box(geo)
        if box is None:
            return exact
        west, south, east, north = (self._bind(edge) for edge in box)
        return (
            "e.id IN (SELECT g.entity FROM place p JOIN geometry g ON g.id = p.id"
            f" WHERE p.min_lon <= {east} AND p.max_lon >= {west} AND p.min_lat <= {north} AND p.max_lat >= {south}"
            f" AND g.name = {self._bind(number)}) AND {exact}"
        )

    def _word(self, name: str) -> int:
        return self._names.words.ids.get(name, -1)

    def _bind(self, value: Any) -> str:
        self._parameters.append(value)
        return f"?{len(self._parameters)}"


def ordered_terms(names: Names, query: EntityQuery) -> Iterator[tuple[int, Compare]]:
    """What an index on an attribute's values can answer, with the attribute's number."""
    for term in query.q.terms if isinstance(query.q, And) else (query.q,):
        if isinstance(term, Compare) and _is_ordered(term) and (number := names.words.ids.get(term.path.name)):
            yield number, term


def _is_ordered(term: Compare) -> bool:
    if term.path.subs or term.path.members:
        return False
    in_order = term.operator in _IN_ORDER and isinstance(term.operand, int | float | str)
    return in_order or (term.operator is Operator.EQUAL and isinstance(term.operand, Range))


_IN_ORDER = (Operator.GREATER, Operator.GREATER_EQUAL, Operator.LESS, Operator.LESS_EQUAL)
_NEXT: Mapping[type, str] = {int: "''", float: "''", str: "x''"}
"""Where the next class begins."""
_OPPOSITES = {Operator.UNEQUAL: Operator.EQUAL, Operator.NOT_MATCH: Operator.MATCH}


def _number(operand: float) -> float:
    """As SQLite takes it: whole numbers have 64 bits."""
    return operand if INTEGER_MIN <= operand <= INTEGER_MAX else float(operand)


def _with(compare: Compare, operand: Any) -> Compare:
    return Compare(compare.path, compare.operator, operand)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
