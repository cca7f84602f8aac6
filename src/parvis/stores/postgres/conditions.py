"""Conditions about attributes as SQL about rows of `attribute`."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple, assert_never

import msgspec

from parvis.broker.model.entity import LINKS
from parvis.broker.query.tree import (
    ENTITY_TIMES,
    And,
    Compare,
    Condition,
    Exists,
    LeadsTo,
    Linked,
    Missing,
    OneOf,
    Operator,
    Or,
    Path,
    Range,
)
from parvis.kernel.time import parse_instant
from parvis.stores.postgres.names import Names
from parvis.stores.postgres.rows import EXACT_MAX, Form, storable

INSTANTS = {"observedAt": "a.observed", "createdAt": "a.created", "modifiedAt": "a.modified"}
_CORE_SUBS = frozenset({*INSTANTS, "unitCode", "datasetId"})
_LITERAL_PREFIX = re.compile(r"\^([A-Za-z0-9:/_ -]*)(?![A-Za-z0-9:/_ -])(?![*?{])")


def _with_form(form: Form) -> str:
    return f"a.shape = ANY (ARRAY(SELECT id FROM shape WHERE form = {form.value}))"


LOOK_UP = " OFFSET 0"
"""Keeps PostgreSQL from joining all attributes there are: a page looks its entities up, and ends where it is full."""
IS_TEXT = _with_form(Form.TEXT)
_IS_JSON = _with_form(Form.JSON)
_LINK_KINDS = ", ".join(str(kind.value) for kind in sorted(LINKS))
_IS_LINK = f"a.shape = ANY (ARRAY(SELECT id FROM shape WHERE kind IN ({_LINK_KINDS})))"


class Clause(NamedTuple):
    """SQL that holds wherever the condition does. `is_exact`: and nowhere else."""

    sql: str
    is_exact: bool = True


NEVER = Clause("false")
_NO_LINK = Clause(f"NOT {_IS_LINK}")


class Parameters:
    """The values of one query: they become parameters, whatever they are."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def bind(self, value: Any) -> str:
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"%({name})s"


class Conditions:
    """Of one tenant, about entities `e`."""

    def __init__(self, names: Names, parameters: Parameters, tenant: int) -> None:
        self._names = names
        self._bind = parameters.bind
        self.tenant = parameters.bind(tenant)

    def translate(self, condition: Condition) -> Clause:
        match condition:
            case And(terms):
                return _joined(" AND ", [self.translate(term) for term in terms])
            case Or(terms):
                return _joined(" OR ", [self.translate(term) for term in terms])
            case Exists(path) | Missing(path) | Compare(path) if path.name in ENTITY_TIMES:
                return self._entity_time(condition, self.entity_times[path.name])
            case Exists(path):
                return self._any_instance(path.name, self._is_there(path))
            case Missing(path):
                return _negated(self.translate(Exists(path)))
            case Compare():
                return self._compare(condition)
            case LeadsTo():
                return self._leads_to(condition)
            case Linked():
                return NEVER
            case _:
                assert_never(condition)

    @property
    def entity_times(self) -> Mapping[str, str]:
        """SQL of the times of entities: one is changed with each of its attributes."""
        newest = f"SELECT max(a.modified) FROM attribute a WHERE a.tenant = {self.tenant} AND a.entity = e.id"
        return {"createdAt": "e.created", "modifiedAt": f"greatest(e.modified, ({newest}))"}

    def _entity_time(self, condition: Exists | Missing | Compare, column: str) -> Clause:
        if not isinstance(condition, Compare):
            return NEVER if isinstance(condition, Missing) else Clause("true")
        opposite = _OPPOSITES.get(condition.operator)
        if opposite is None:
            return self._instant(column, condition.operator, condition.operand)
        return _negated(self._instant(column, opposite, condition.operand))

    def _compare(self, compare: Compare) -> Clause:
        path, operator, operand = compare.path, compare.operator, compare.operand
        opposite = _OPPOSITES.get(operator)
        if opposite is None:
            return self._any_instance(path.name, self._holds(path, operator, operand))
        there = self.translate(Exists(path))
        other = _negated(self._any_instance(path.name, self._holds(path, opposite, operand)))
        return _joined(" AND ", [there, other])

    def _leads_to(self, condition: LeadsTo) -> Clause:
        ids = f"{self._bind([storable(one) for one in condition.ids if is_encodable(one)])}::text[]"
        listed = f"EXISTS (SELECT FROM json_array_elements_text(a.text::json) j WHERE j.value = ANY ({ids}))"
        held = f"CASE WHEN {_IS_JSON} THEN a.text LIKE '[%%' AND {listed} ELSE a.text = ANY ({ids}) END"
        found = self._any_instance(condition.name, Clause(f"{_IS_LINK} AND {held}"))
        return found if condition.is_wanted else _negated(found)

    def _any_instance(self, name: str, holds: Clause) -> Clause:
        number = self._names.words.ids.get(name)
        if number is None or holds == NEVER:
            return NEVER
        return Clause(self.any_row(f"a.name = {int(number)} AND {holds.sql}"), holds.is_exact)

    def any_row(self, holds: str) -> str:
        of = f"a.tenant = {self.tenant} AND a.entity = e.id"
        return f"EXISTS (SELECT FROM attribute a WHERE {of} AND {holds}{LOOK_UP})"

    def _is_there(self, path: Path) -> Clause:
        """Whether the path leads to any value of a row."""
        if not path.subs and not path.members:
            return Clause("true")
        if len(path.subs) == 1 and not path.members and path.subs[0] in INSTANTS:
            return Clause(f"{INSTANTS[path.subs[0]]} IS NOT NULL")
        if path.subs:
            if path.subs[0] in _CORE_SUBS:
                return Clause("true", is_exact=False)
            return Clause(f"strpos(a.extra, {self._bind(_key(path.subs[0]))}) > 0", is_exact=False)
        key = "" if path.members[0] == "*" else _key(path.members[0])
        return Clause(f"({_IS_JSON} AND strpos(a.text, {self._bind(key)}) > 0)", is_exact=False)

    def _holds(self, path: Path, operator: Operator, operand: Any) -> Clause:
        if not path.subs and not path.members:
            return self.compare(operator, operand)
        if len(path.subs) == 1 and not path.members and path.subs[0] in INSTANTS:
            return self._instant(INSTANTS[path.subs[0]], operator, operand)
        return self._is_there(path)

    def compare(self, operator: Operator, operand: Any) -> Clause:
        """Of the row's value."""
        match operator:
            case Operator.EQUAL:
                return self._equal(operand)
            case Operator.MATCH:
                if not isinstance(operand, str):
                    return NEVER
                return Clause(f"({IS_TEXT} AND {self.prefixed('a.text', operand)})", is_exact=False)
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
        if not is_encodable(operand):
            return NEVER
        itself = Clause(f"({IS_TEXT} AND a.text = {self._bind(storable(operand))})")
        literal = self._bind(_json(operand))
        return _joined(" OR ", [itself, self._element(literal, f"j.value::text = {literal}")])

    def _element(self, literal: str, holds: str) -> Clause:
        """Whether any element of an array does; only where its JSON has the `literal` at all is it taken apart."""
        return Clause(
            f"CASE WHEN {_IS_JSON} AND a.text LIKE '[%%' AND strpos(a.text, {literal}) > 0"
            f" THEN EXISTS (SELECT FROM json_array_elements(a.text::json) j WHERE {holds}) ELSE false END"
        )

    def _between(self, low: Any, high: Any) -> Clause:
        return _joined(" AND ", [self._bound(Operator.GREATER_EQUAL, low), self._bound(Operator.LESS_EQUAL, high)])

    def _ordered(self, operator: Operator, operand: Any) -> Clause:
        bound = self._bound(operator, operand)
        return _joined(" AND ", [bound, _NO_LINK]) if isinstance(operand, str) else bound

    def _bound(self, operator: Operator, operand: Any) -> Clause:
        """For both ends of a range too, which is compared as EQUAL is."""
        match operand:
            case bool() | Range() | OneOf():
                return NEVER
            case int() | float() if abs(operand) < EXACT_MAX:
                return Clause(f"a.number {operator.value} {self._bind(float(operand))}")
            case int() | float():
                return Clause(f"a.number {INCLUDING[operator]} {self._bind(float(operand))}", is_exact=False)
            case _ if not is_encodable(operand):
                return Clause(IS_TEXT, is_exact=False)
            case _:
                return Clause(f"({IS_TEXT} AND a.text {operator.value} {self._bind(storable(operand))})")

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
                return NEVER

    def _instant_compared(self, column: str, operator: Operator, text: str) -> Clause:
        sign = "=" if operator is Operator.EQUAL else operator.value
        try:
            instant = parse_instant(text)
        except ValueError:
            return NEVER
        return NEVER if operator is Operator.MATCH else Clause(f"{column} {sign} {self._bind(instant)}")

    def prefixed(self, column: str, pattern: str) -> str:
        """What every match of an RE2 pattern begins with, where it says so plainly."""
        found = None if "|" in pattern else _LITERAL_PREFIX.match(pattern)
        return f"starts_with({column}, {self._bind(found.group(1))})" if found and found.group(1) else "true"


_OPPOSITES = {Operator.UNEQUAL: Operator.EQUAL, Operator.NOT_MATCH: Operator.MATCH}
INCLUDING = {
    Operator.GREATER: ">=",
    Operator.GREATER_EQUAL: ">=",
    Operator.LESS: "<=",
    Operator.LESS_EQUAL: "<=",
}


def _joined(word: str, clauses: list[Clause]) -> Clause:
    return Clause(f"({word.join(one.sql for one in clauses)})", all(one.is_exact for one in clauses))


def _negated(clause: Clause) -> Clause:
    return Clause(f"NOT {clause.sql}") if clause.is_exact else Clause("true", is_exact=False)


def is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _key(member: str) -> str:
    return f"{_json(member)}:"


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
