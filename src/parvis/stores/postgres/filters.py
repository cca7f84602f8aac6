"""The query tree as SQL: bound parameters only, and held equal to `broker.query.evaluate` by property tests.

What SQL cannot say exactly it says more widely, and the evaluator decides on each row that is left.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple, assert_never

import msgspec
from msgspec.structs import replace

from parvis.broker.model.geometry import Bounds
from parvis.broker.query.reach import search_box
from parvis.broker.query.selection import types_hold
from parvis.broker.query.tree import (
    And,
    Compare,
    Condition,
    EntityQuery,
    Exists,
    GeoQuery,
    Missing,
    OneOf,
    Operator,
    Or,
    Path,
    Range,
    ScopeQuery,
)
from parvis.kernel.time import parse_instant
from parvis.stores.postgres.cells import cover
from parvis.stores.postgres.names import Names
from parvis.stores.postgres.rows import EXACT_MAX, Form, storable

MAX_ARMS = 24
HEADER = "e.id, e.urn, e.typeset, e.scopes, e.created, e.modified"
INSTANCE = "a.name, a.dataset, a.shape, a.number, a.text, a.observed, a.extra, a.modified, a.created"
_INSTANTS = {"observedAt": "a.observed", "createdAt": "a.created", "modifiedAt": "a.modified"}
_CORE_SUBS = frozenset({*_INSTANTS, "unitCode", "datasetId"})
_LITERAL_PREFIX = re.compile(r"\^([A-Za-z0-9:/_ -]*)(?![A-Za-z0-9:/_ -])(?![*?{])")


def _with_form(form: Form) -> str:
    return f"a.shape = ANY (ARRAY(SELECT id FROM shape WHERE form = {form.value}))"


_LOOK_UP = " OFFSET 0"
"""Keeps PostgreSQL from joining all attributes there are: a page looks its entities up, and ends where it is full."""
_IS_TEXT = _with_form(Form.TEXT)
_IS_JSON = _with_form(Form.JSON)


class Clause(NamedTuple):
    """SQL that holds wherever the condition does. `is_exact`: and nowhere else."""

    sql: str
    is_exact: bool = True


_NEVER = Clause("false")


class Statement(msgspec.Struct, frozen=True):
    """`page` gives the entities with their attributes, and one entity more where another page follows.

    Where `refined` is set SQL alone says too much: `candidates` are the headers, in order, of which those count that
    meet `refined`; it asks about the attributes `named` only. They are all there are where all are to be counted, else
    those after the page before.
    """

    page: str
    count: str
    candidates: str
    parameters: dict[str, Any]
    refined: EntityQuery | None
    named: tuple[int, ...]


class Narrowing(NamedTuple):
    """SQL of the only entities that may match, as an index gives them."""

    sql: str
    parameters: dict[str, Any]


class Translator:
    """Of one query. Every value becomes a parameter; the texts of SQL are all written here."""

    def __init__(self, names: Names, tenant: int, query: EntityQuery) -> None:
        self._names = names
        self._query = query
        self._parameters: dict[str, Any] = {}
        self._tenant = self._bind(tenant)
        self._is_narrowed = False

    def translate(self, narrowed_to: Sequence[int] | None = None) -> Statement | None:
        """None: nothing can match. `narrowed_to` are the only entities that can."""
        typesets = self._typesets()
        if typesets is not None and not typesets:
            return None
        refined = self._refined()
        self._is_narrowed = narrowed_to is not None
        conditions = [f"e.tenant = {self._tenant}", "e.deleted IS NULL", *self._selected()]
        if narrowed_to is not None:
            conditions.append(f"e.id = ANY ({self._bind(numbers_text(narrowed_to))}::bigint[])")
        where = " AND ".join(conditions)
        any_type = "" if typesets is None else f" AND e.typeset = ANY ({self._bind(numbers_text(typesets))}::int[])"
        to_all = f"FROM entity e WHERE {where}{any_type}".replace(_LOOK_UP, "")
        onwards = f"FROM entity e WHERE {where}{any_type} AND e.id > {self._bind(self._query.after or 0)}"
        return Statement(
            self._page(where, typesets, any_type),
            f"SELECT count(*) {to_all}",
            f"SELECT {HEADER} {to_all if self._query.count else onwards} ORDER BY e.id",
            self._parameters,
            refined,
            () if refined is None else tuple(self._word(name) for name in sorted(names_in(refined))),
        )

    def narrowings(self, indexed: Collection[int]) -> Iterator[Narrowing]:
        """What indexes say of the query: on the map, and on the values of the attributes `indexed`."""
        if self._query.geo is not None and (place := self._touching(self._query.geo)) is not None:
            yield Narrowing(f"SELECT a.entity {place}", self._parameters)
        for number, term in ordered_terms(self._names, self._query):
            if number in indexed:
                value = self._compared(term.operator, term.operand).sql
                of = f"a.tenant = {self._tenant} AND a.name = {int(number)}"
                yield Narrowing(f"SELECT a.entity FROM attribute a WHERE {of} AND {value}", self._parameters)

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
            f" LEFT JOIN attribute a ON a.tenant = {self._tenant} AND a.entity = e.id ORDER BY e.id"
        )

    def _typesets(self) -> list[int] | None:
        selection = self._query.types
        if selection is None:
            return None
        return [number for types, number in self._names.typesets.items() if types_hold(selection, types)]

    def _refined(self) -> EntityQuery | None:
        """What is left for the evaluator to decide."""
        query = self._query
        terms = tuple(term for term in _terms(query.q) if not self._condition(term).is_exact)
        if not terms and query.geo is None and query.id_pattern is None:
            return None
        return replace(query, ids=(), types=None, attrs=(), scope=None, q=And(terms) if terms else None)

    def _selected(self) -> Iterator[str]:
        query = self._query
        if query.ids:
            sayable = [one for one in query.ids if _is_encodable(one) and "\0" not in one]
            yield f"e.urn = ANY ({self._bind(sayable)}::text[])"
        if query.id_pattern is not None:
            yield self._prefixed("e.urn", query.id_pattern)
        if query.attrs:
            numbers = self._bind(numbers_text([self._word(name) for name in query.attrs]))
            yield self._any_row(f"a.name = ANY ({numbers}::int[])")
        if query.scope is not None:
            yield self._scope(query.scope)
        for term in _terms(query.q):
            yield self._condition(term).sql
        if query.geo is not None:
            yield self._geo(query.geo)

    def _condition(self, condition: Condition) -> Clause:
        match condition:
            case And(terms):
                return _joined(" AND ", [self._condition(term) for term in terms])
            case Or(terms):
                return _joined(" OR ", [self._condition(term) for term in terms])
            case Exists(path):
                return self._any_instance(path.name, self._is_there(path))
            case Missing(path):
                return _negated(self._condition(Exists(path)))
            case Compare():
                return self._compare(condition)
            case _:
                assert_never(condition)

    def _compare(self, compare: Compare) -> Clause:
        path, operator, operand = compare.path, compare.operator, compare.operand
        opposite = _OPPOSITES.get(operator)
        if opposite is None:
            return self._any_instance(path.name, self._holds(path, operator, operand))
        there = self._condition(Exists(path))
        other = _negated(self._any_instance(path.name, self._holds(path, opposite, operand)))
        return _joined(" AND ", [there, other])

    def _any_instance(self, name: str, holds: Clause) -> Clause:
        number = self._names.words.ids.get(name)
        if number is None or holds == _NEVER:
            return _NEVER
        return Clause(self._any_row(f"a.name = {int(number)} AND {holds.sql}"), holds.is_exact)

    def _any_row(self, holds: str) -> str:
        of = f"a.tenant = {self._tenant} AND a.entity = e.id"
        return f"EXISTS (SELECT FROM attribute a WHERE {of} AND {holds}{_LOOK_UP})"

    def _is_there(self, path: Path) -> Clause:
        """Whether the path leads to any value of a row."""
        if not path.subs and not path.members:
            return Clause("true")
        if len(path.subs) == 1 and not path.members and path.subs[0] in _INSTANTS:
            return Clause(f"{_INSTANTS[path.subs[0]]} IS NOT NULL")
        if path.subs:
            if path.subs[0] in _CORE_SUBS:
                return Clause("true", is_exact=False)
            return Clause(f"strpos(a.extra, {self._bind(_key(path.subs[0]))}) > 0", is_exact=False)
        key = "" if path.members[0] == "*" else _key(path.members[0])
        return Clause(f"({_IS_JSON} AND strpos(a.text, {self._bind(key)}) > 0)", is_exact=False)

    def _holds(self, path: Path, operator: Operator, operand: Any) -> Clause:
        if not path.subs and not path.members:
            return self._compared(operator, operand)
        if len(path.subs) == 1 and not path.members and path.subs[0] in _INSTANTS:
            return self._instant(_INSTANTS[path.subs[0]], operator, operand)
        return self._is_there(path)

    def _compared(self, operator: Operator, operand: Any) -> Clause:
        """Of the row's value."""
        match operator:
            case Operator.EQUAL:
                return self._equal(operand)
            case Operator.MATCH:
                if not isinstance(operand, str):
                    return _NEVER
                return Clause(f"({_IS_TEXT} AND {self._prefixed('a.text', operand)})", is_exact=False)
            case _:
                return self._ordered(operator, operand)

    def _equal(self, operand: Any) -> Clause:
        match operand:
            case Range(low, high):
                return self._between(low, high)
            case OneOf(values):
                return _joined(" OR ", [self._equal(one) for one in values])
            case bool():
                literal = self._bind("true" if operand else "false")
                itself = Clause(f"({_IS_JSON} AND a.text = {literal})")
                return _joined(" OR ", [itself, self._element(literal, f"j.value::text = {literal}")])
            case int() | float():
                return self._equal_number(operand)
            case _:
                return self._equal_text(operand)

    def _equal_number(self, operand: float) -> Clause:
        if abs(operand) >= EXACT_MAX:
            return Clause(f"(a.number = {self._bind(float(operand))} OR ({_IS_JSON} AND a.text LIKE '[%%'))", False)
        digits = self._bind(repr(operand))
        number = "CASE WHEN json_typeof(j.value) = 'number' THEN j.value::text::numeric END"
        element = self._element(self._bind(""), f"{number} = {digits}::numeric")
        return _joined(" OR ", [Clause(f"a.number = {self._bind(float(operand))}"), element])

    def _equal_text(self, operand: str) -> Clause:
        if not _is_encodable(operand):
            return _NEVER
        itself = Clause(f"({_IS_TEXT} AND a.text = {self._bind(storable(operand))})")
        literal = self._bind(_json(operand))
        return _joined(" OR ", [itself, self._element(literal, f"j.value::text = {literal}")])

    def _element(self, literal: str, holds: str) -> Clause:
        """Whether any element of an array does; only where its JSON has the `literal` at all is it taken apart."""
        return Clause(
            f"CASE WHEN {_IS_JSON} AND a.text LIKE '[%%' AND strpos(a.text, {literal}) > 0"
            f" THEN EXISTS (SELECT FROM json_array_elements(a.text::json) j WHERE {holds}) ELSE false END"
        )

    def _between(self, low: Any, high: Any) -> Clause:
        return _joined(" AND ", [self._ordered(Operator.GREATER_EQUAL, low), self._ordered(Operator.LESS_EQUAL, high)])

    def _ordered(self, operator: Operator, operand: Any) -> Clause:
        match operand:
            case bool() | Range() | OneOf():
                return _NEVER
            case int() | float() if abs(operand) < EXACT_MAX:
                return Clause(f"a.number {operator.value} {self._bind(float(operand))}")
            case int() | float():
                return Clause(f"a.number {_INCLUDING[operator]} {self._bind(float(operand))}", is_exact=False)
            case _ if not _is_encodable(operand):
                return Clause(_IS_TEXT, is_exact=False)
            case _:
                return Clause(f"({_IS_TEXT} AND a.text {operator.value} {self._bind(storable(operand))})")

    def _instant(self, column: str, operator: Operator, operand: Any) -> Clause:
        match operand:
            case str(text):
                return self._instant_compared(column, operator, text)
            case Range(low, high) if operator is Operator.EQUAL:
                after = self._instant(column, Operator.GREATER_EQUAL, low)
                return _joined(" AND ", [after, self._instant(column, Operator.LESS_EQUAL, high)])
            case OneOf(values) if operator is Operator.EQUAL:
                return _joined(" OR ", [self._instant(column, operator, one) for one in values])
            case _:
                return _NEVER

    def _instant_compared(self, column: str, operator: Operator, text: str) -> Clause:
        sign = "=" if operator is Operator.EQUAL else operator.value
        try:
            instant = parse_instant(text)
        except ValueError:
            return _NEVER
        return _NEVER if operator is Operator.MATCH else Clause(f"{column} {sign} {self._bind(instant)}")

    def _geo(self, geo: GeoQuery) -> str:
        number = self._names.words.ids.get(geo.geoproperty)
        if number is None:
            return _NEVER.sql
        box = search_box(geo)
        if box is None:
            return self._any_row(f"a.name = {int(number)} AND a.bounds IS NOT NULL")
        if self._is_narrowed:
            return self._any_row(f"a.name = {int(number)} AND {self._touches(box)}")
        return f"e.id IN (SELECT a.entity {self._touching(geo)})"

    def _touching(self, geo: GeoQuery) -> str | None:
        """Rows whose bounds touch what the query reaches; None where it reaches everything."""
        box, number = search_box(geo), self._names.words.ids.get(geo.geoproperty)
        if box is None or number is None:
            return None
        ranges, cells = cover(box)
        within = [f"a.cell BETWEEN {low:d} AND {high:d}" for low, high in ranges]
        return (
            f"FROM attribute a WHERE a.tenant = {self._tenant} AND a.name = {int(number)}"
            f" AND (a.cell = ANY ('{numbers_text(cells)}'::bigint[]) OR {' OR '.join(within)}) AND {self._touches(box)}"
        )

    def _touches(self, box: Bounds) -> str:
        west, south, east, north = box
        return f"a.bounds && {self._bind(f'({east!r},{north!r}),({west!r},{south!r})')}::box"

    def _scope(self, query: ScopeQuery) -> str:
        alternatives = [
            " AND ".join(self._any_scope(pattern) for pattern in every) or "true" for every in query.alternatives
        ]
        return f"({' OR '.join(f'({one})' for one in alternatives) or 'false'})"

    def _any_scope(self, pattern: str) -> str:
        if not _is_encodable(pattern) or "\0" in pattern:
            return _NEVER.sql
        expression = self._bind(_scope_expression(pattern))
        return f"EXISTS (SELECT FROM json_array_elements_text(e.scopes::json) s WHERE s.value ~ {expression})"

    def _prefixed(self, column: str, pattern: str) -> str:
        """What every match of an RE2 pattern begins with, where it says so plainly."""
        found = None if "|" in pattern else _LITERAL_PREFIX.match(pattern)
        return f"starts_with({column}, {self._bind(found.group(1))})" if found and found.group(1) else "true"

    def _word(self, name: str) -> int:
        return self._names.words.ids.get(name, -1)

    def _bind(self, value: Any) -> str:
        name = f"p{len(self._parameters)}"
        self._parameters[name] = value
        return f"%({name})s"


def ordered_terms(names: Names, query: EntityQuery) -> list[tuple[int, Compare]]:
    """What an index on an attribute's numbers can answer, with the attribute's number."""
    found = [(names.words.ids.get(term.path.name), term) for term in _terms(query.q) if isinstance(term, Compare)]
    return [(number, term) for number, term in found if number is not None and _is_ordered(term)]


def names_in(query: EntityQuery) -> set[str]:
    """The attributes that a query speaks of."""
    place = () if query.geo is None else (query.geo.geoproperty,)
    return {*query.attrs, *place, *(path.name for path in _paths(query.q))}


def numbers_text(numbers: Sequence[int]) -> str:
    """As PostgreSQL reads an array: thousands of parameters would be slower by far."""
    return f"{{{','.join(map(str, numbers))}}}"


def _is_ordered(term: Compare) -> bool:
    match term:
        case Compare(Path(_, (), ()), Operator.EQUAL, Range(low, high)):
            return not isinstance(low, str) and not isinstance(high, str)
        case Compare(Path(_, (), ()), operator, int() | float() as operand):
            return operator in _INCLUDING and not isinstance(operand, bool)
        case _:
            return False


_OPPOSITES = {Operator.UNEQUAL: Operator.EQUAL, Operator.NOT_MATCH: Operator.MATCH}
_INCLUDING = {
    Operator.GREATER: ">=",
    Operator.GREATER_EQUAL: ">=",
    Operator.LESS: "<=",
    Operator.LESS_EQUAL: "<=",
}


def _terms(q: Condition | None) -> tuple[Condition, ...]:
    if q is None:
        return ()
    return q.terms if isinstance(q, And) else (q,)


def _joined(word: str, clauses: list[Clause]) -> Clause:
    return Clause(f"({word.join(one.sql for one in clauses)})", all(one.is_exact for one in clauses))


def _negated(clause: Clause) -> Clause:
    return Clause(f"NOT {clause.sql}") if clause.is_exact else Clause("true", is_exact=False)


def _paths(condition: Condition | None) -> Iterator[Path]:
    match condition:
        case None:
            return
        case And(terms) | Or(terms):
            for term in terms:
                yield from _paths(term)
        case Exists(path) | Missing(path) | Compare(path):
            yield path
        case _:
            assert_never(condition)


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _scope_expression(pattern: str) -> str:
    """As `broker.query.selection.scope_expression`, in PostgreSQL's words."""
    levels = pattern.strip("/").split("/")
    below = levels[-1] == "#"
    parts = ("[^/]+" if level == "+" else _escaped(level) for level in (levels[:-1] if below else levels))
    return "^" + "".join(f"/{part}" for part in parts) + ("(/.*)?" if below else "") + "$"


def _escaped(text: str) -> str:
    return "".join(sign if sign.isalnum() or sign == "_" or not sign.isascii() else f"\\{sign}" for sign in text)


def _key(member: str) -> str:
    return f"{_json(member)}:"


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
