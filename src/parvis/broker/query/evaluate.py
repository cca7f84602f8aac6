"""The meaning of the query tree, in plain Python: the oracle that every SQL translation is held equal to.

Which instances. A condition about `name` holds for an entity where it holds for any instance of that attribute,
whatever its datasetId. UNEQUAL and NOT_MATCH hold where the path is there and no instance is EQUAL or does MATCH.

Which value. A path without subs and members is the instance's value: for a Relationship its URI or array of URIs, for
a VocabProperty its expanded IRI(s), for a LanguageProperty the object of its languages, for a ListProperty an array.
Subs step into sub-attributes; the core members observedAt, createdAt, modifiedAt, unitCode and datasetId end the way,
and are not there when empty. Members then step into objects by key (never into arrays); the member `*` stands for each
key. A path is there when it leads to any value, JSON null included.

Which comparison. EQUAL: numbers by value (20 equals 20.0), texts exactly, booleans with booleans only, never one class
with another; objects equal nothing; an array equals an operand when any of its elements (not arrays or objects in it)
does; OneOf when any of its values is EQUAL. A Range holds for a value from low to high, both included, and never for
an array. GREATER, GREATER_EQUAL, LESS, LESS_EQUAL: numbers with numbers, texts with texts by code point; false for
booleans, arrays, objects and null. MATCH: an RE2 pattern found anywhere in a text; false for all else. What
Relationships and ListRelationships lead to is EQUAL or UNEQUAL only, and to other operators as if it were not there.
Against an instant (observedAt, createdAt, modifiedAt) a text operand is read as a date-time with a zone and compared
as an instant; operands that are none, and MATCH, are false.

Geography is told in `geography`.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, assert_never

import msgspec

from parvis.broker.model.entity import LINKS, VALUE_MEMBERS, Entity, Instance, Json, Kind
from parvis.broker.query.geography import geometry_holds
from parvis.broker.query.pattern import pattern_finder
from parvis.broker.query.selection import scopes_hold, types_hold
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
    Path,
    Range,
    Selector,
)
from parvis.kernel.reach import reaches
from parvis.kernel.time import Instant, parse_instant

_OPPOSITES: Mapping[Operator, Operator] = {Operator.UNEQUAL: Operator.EQUAL, Operator.NOT_MATCH: Operator.MATCH}
_VALUE_MEMBERS = frozenset(VALUE_MEMBERS.values())


class Moment(msgspec.Struct, frozen=True):
    """An instant that a path leads to, to be told from a number."""

    at: Instant


def matches(entity: Entity, query: EntityQuery) -> bool:
    """Whether the entity is one that the query asks for, paging aside."""
    return (
        (not query.ids or entity.id in query.ids)
        and (query.id_pattern is None or pattern_finder(query.id_pattern)(entity.id))
        and (query.types is None or types_hold(query.types, entity.types))
        and (not query.attrs or any(one.name in query.attrs for one in entity.instances))
        and (query.scope is None or scopes_hold(query.scope, entity.scopes))
        and (query.q is None or holds(query.q, entity))
        and (query.geo is None or geo_holds(query.geo, entity))
        and (not query.either or any(_selects(one, entity) for one in query.either))
        and reaches(query.within, entity.types, entity.scopes)
    )


def _selects(selector: Selector, entity: Entity) -> bool:
    return (
        (not selector.ids or entity.id in selector.ids)
        and (selector.id_pattern is None or pattern_finder(selector.id_pattern)(entity.id))
        and (selector.types is None or types_hold(selector.types, entity.types))
    )


def holds(condition: Condition, entity: Entity) -> bool:
    match condition:
        case And(terms):
            return all(holds(term, entity) for term in terms)
        case Or(terms):
            return any(holds(term, entity) for term in terms)
        case Exists(path):
            return _is_there(path, entity)
        case Missing(path):
            return not _is_there(path, entity)
        case Compare(path, operator, operand):
            opposite = _OPPOSITES.get(operator)
            if opposite is None:
                return _any_compares(path, operator, operand, entity)
            return _is_there(path, entity, operator) and not _any_compares(path, opposite, operand, entity)
        case LeadsTo(name, ids, is_wanted):
            return is_wanted is any(not _leads(one).isdisjoint(ids) for one in entity.instances if one.name == name)
        case Linked():
            return False
        case _:
            assert_never(condition)


def prepared(condition: Condition) -> Callable[[Entity], bool]:
    """What `holds` says of this condition, for one that is asked of many entities: two to five times as fast."""
    match condition:
        case And(terms):
            every = [prepared(term) for term in terms]
            return lambda entity: all(holds_for(entity) for holds_for in every)
        case Or(terms):
            some = [prepared(term) for term in terms]
            return lambda entity: any(holds_for(entity) for holds_for in some)
        case Exists() | Missing() | LeadsTo() | Linked():
            return lambda entity: holds(condition, entity)
        case Compare(path, operator, operand):
            opposite = _OPPOSITES.get(operator)
            if opposite is None:
                return _prepared_comparison(path, operator, operand)
            is_opposite = _prepared_comparison(path, opposite, operand)
            return lambda entity: _is_there(path, entity, operator) and not is_opposite(entity)
        case _:
            assert_never(condition)


def geo_holds(geo: GeoQuery, entity: Entity) -> bool:
    return any(
        geometry_holds(geo, one.value)
        for one in entity.instances
        if one.name == geo.geoproperty and one.kind is Kind.GEO_PROPERTY
    )


def _prepared_comparison(path: Path, operator: Operator, operand: Any) -> Callable[[Entity], bool]:
    if path.subs or path.members or path.name in ENTITY_TIMES:
        return lambda entity: _any_compares(path, operator, operand, entity)
    name, compares, links = path.name, _prepared_test(operator, operand), _links_left_out(operator)

    def any_compares(entity: Entity) -> bool:
        for one in entity.instances:  # noqa: SIM110 - twice as fast as any()
            if one.name == name and compares(one.value) and one.kind not in links:
                return True
        return False

    return any_compares


def _prepared_test(operator: Operator, operand: Any) -> Callable[[Any], bool]:
    """For the values of instances themselves, which are never instants."""
    if isinstance(operand, OneOf | Range):
        return lambda value: _compares(value, operator, operand)
    if operator is Operator.MATCH:
        finds = pattern_finder(operand) if isinstance(operand, str) else None
        return lambda value: finds is not None and type(value) is str and finds(value)
    kind = _class_of(operand)
    if operator is Operator.EQUAL:

        def is_equal(value: Any) -> bool:
            if type(value) is list:
                return any(_is_equal(one, operand) for one in value)
            return _class_of(value) is kind and bool(value == operand)

        return is_equal
    if kind is not float and kind is not str:
        return lambda _: False
    in_order = _ORDER[operator]
    return lambda value: _class_of(value) is kind and in_order(value, operand)


def _is_there(path: Path, entity: Entity, operator: Operator = Operator.EQUAL) -> bool:
    return any(True for _ in _targets(path, entity, operator))


def _any_compares(path: Path, operator: Operator, operand: Any, entity: Entity) -> bool:
    return any(_compares(target, operator, operand) for target in _targets(path, entity, operator))


def _targets(path: Path, entity: Entity, operator: Operator = Operator.EQUAL) -> Iterator[Any]:
    if path.name in ENTITY_TIMES:
        yield Moment(entity.created_at if path.name == "createdAt" else entity.modified_at)
        return
    links = _links_left_out(operator)
    for instance in entity.instances:
        if instance.name == path.name:
            yield from targets_of(instance, path, links)


def targets_of(instance: Instance, path: Path, links: Collection[Kind] = ()) -> Iterator[Any]:
    """What the path leads to within one instance; `links` are kinds that it does not lead to."""
    for value in _below(instance, path.subs, links):
        yield from _within(value, path.members)


def _links_left_out(operator: Operator) -> Collection[Kind]:
    return () if operator in (Operator.EQUAL, Operator.UNEQUAL) else LINKS


def _leads(instance: Instance) -> frozenset[str]:
    if instance.kind not in LINKS:
        return frozenset()
    return frozenset(instance.value if isinstance(instance.value, list) else (instance.value,))


def _below(instance: Instance, subs: tuple[str, ...], links: Collection[Kind]) -> Iterable[Any]:
    if not subs:
        return () if instance.kind in links else (instance.value,)
    core = _CORE_MEMBERS.get(subs[0])
    if core is not None:
        value = core(instance) if len(subs) == 1 else None
        return () if value is None else (value,)
    members = _VALUE_MEMBERS - {VALUE_MEMBERS[kind] for kind in links}
    return _below_json((instance.extra or {}).get(subs[0]), subs[1:], members)


def _below_json(sub: Json, subs: tuple[str, ...], members: frozenset[str]) -> Iterator[Any]:
    """As `_below`, in the normalized JSON of sub-attributes."""
    for one in sub if isinstance(sub, list) else (sub,):
        if not isinstance(one, dict):
            continue
        if not subs:
            yield from (one[member] for member in members & one.keys())
        elif subs[0] in _CORE_MEMBERS:
            value = _core_member_of(one, subs[0]) if len(subs) == 1 else None
            if value is not None:
                yield value
        else:
            yield from _below_json(one.get(subs[0]), subs[1:], members)


def _core_member_of(sub: dict[str, Any], member: str) -> Any:
    value = sub.get(member)
    return Moment(parse_instant(value)) if member == "observedAt" and value is not None else value


_CORE_MEMBERS: Mapping[str, Callable[[Instance], Any]] = {
    "observedAt": lambda one: None if one.observed_at is None else Moment(one.observed_at),
    "createdAt": lambda one: Moment(one.created_at),
    "modifiedAt": lambda one: Moment(one.modified_at),
    "unitCode": lambda one: one.unit_code or None,
    "datasetId": lambda one: one.dataset or None,
}


def _within(value: Any, members: tuple[str, ...]) -> Iterator[Any]:
    if not members:
        yield value
    elif isinstance(value, dict):
        if members[0] == "*":
            for part in value.values():
                yield from _within(part, members[1:])
        elif members[0] in value:
            yield from _within(value[members[0]], members[1:])


def _compares(target: Any, operator: Operator, operand: Any) -> bool:
    if isinstance(operand, OneOf):
        return operator is Operator.EQUAL and any(_compares(target, operator, one) for one in operand.values)
    if isinstance(operand, Range):
        is_from_low = operator is Operator.EQUAL and _compares(target, Operator.GREATER_EQUAL, operand.low)
        return is_from_low and _compares(target, Operator.LESS_EQUAL, operand.high)
    if isinstance(target, Moment):
        return _compares_instant(target.at, operator, operand)
    if operator is Operator.MATCH:
        return isinstance(target, str) and isinstance(operand, str) and pattern_finder(operand)(target)
    if operator is Operator.EQUAL:
        return any(_is_equal(one, operand) for one in (target if isinstance(target, list) else (target,)))
    return _class_of(target) is _class_of(operand) in (float, str) and _ORDER[operator](target, operand)


def _compares_instant(at: Instant, operator: Operator, operand: Any) -> bool:
    if not isinstance(operand, str) or operator is Operator.MATCH:
        return False
    try:
        other = parse_instant(operand)
    except ValueError:
        return False
    return at == other if operator is Operator.EQUAL else _ORDER[operator](at, other)


def _is_equal(target: Any, operand: Any) -> bool:
    kind = _class_of(target)
    return kind is not None and kind is _class_of(operand) and bool(target == operand)


def _class_of(value: Any) -> type | None:
    """What a value compares with: float for all numbers; None for what compares with nothing."""
    kind = type(value)
    if kind is int or kind is float:
        return float
    return kind if kind is str or kind is bool else None


_ORDER: Mapping[Operator, Callable[[Any, Any], bool]] = {
    Operator.GREATER: lambda one, other: bool(one > other),
    Operator.GREATER_EQUAL: lambda one, other: bool(one >= other),
    Operator.LESS: lambda one, other: bool(one < other),
    Operator.LESS_EQUAL: lambda one, other: bool(one <= other),
}
