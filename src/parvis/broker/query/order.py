"""The order of the entities of an answer (NGSI-LD 1.9.1, 4.23).

Where values differ in kind, numbers and instants come first, then texts, objects, arrays, booleans. Entities that have
none come last, ascending or descending. Numbers are compared as doubles, texts by code point, or as the collation has
it; objects and arrays as their JSON. Of several instances of an attribute the default one counts, else the first by
datasetId. Equal entities stand in the order of their first creation.
"""

import heapq
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import replace
from shapely.errors import GEOSException

from parvis.broker.jsonld.context import Context
from parvis.broker.model.entity import Entity, Instance, Json, Kind
from parvis.broker.ports.store import EntityPage
from parvis.broker.query.collation import Collation, find_collation
from parvis.broker.query.evaluate import Moment, targets_of
from parvis.broker.query.geography import geometry_distance_m
from parvis.broker.query.parse import parse_coordinates, parse_path
from parvis.broker.query.tree import EntityQuery, OrderTerm, Path
from parvis.kernel.errors import BadRequestData, TooComplexQuery

MOST_TERMS: Final = 8
MOST_ORDERED: Final = 100_000
"""Entities that one query puts in order."""

ENTITY_MEMBERS: Final = ("id", "type", "scope", "createdAt", "modifiedAt")
_DIRECTIONS = {"asc": (False, False), "desc": (True, False), "dist-asc": (False, True), "dist-desc": (True, True)}
_ABSENT: Final = (9, "")
_EXACT: Final = 2**53
"""The integers that a double keeps exactly."""
_INSTANTS: Final = frozenset({"observedAt", "createdAt", "modifiedAt"})

_NUMERIC = frozenset({0, 4})
_TEXTUAL = frozenset({1, 2, 3, _ABSENT[0]})

Key = tuple[tuple[int, Any], ...]


def parse_order(
    text: str, origin: str | None, geometry: str | None, collation: str | None, context: Context
) -> tuple[OrderTerm, ...]:
    """orderBy, with orderFrom and orderGeometry where it is by distance (4.23.3). Raises BadRequestData."""
    reference = None if origin is None else parse_coordinates(geometry or "Point", origin, "orderFrom")
    if collation is not None:
        find_collation(collation)
    words = text.split(",")
    if len(words) > MOST_TERMS:
        raise TooComplexQuery(f"orderBy has at most {MOST_TERMS} members, not {len(words)}.")
    return tuple(_term(word.strip(), reference, context) for word in words)


def _term(word: str, reference: dict[str, Any] | None, context: Context) -> OrderTerm:
    name, _, direction = word.partition(";")
    if (direction or "asc") not in _DIRECTIONS:
        raise BadRequestData(f"orderBy is asc, desc, dist-asc or dist-desc, not {direction!r:.40}.")
    is_descending, is_distance = _DIRECTIONS[direction or "asc"]
    path = Path(name) if name in ENTITY_MEMBERS else parse_path(name, "orderBy", context)
    if not is_distance:
        return OrderTerm(path, is_descending)
    if reference is None:
        raise BadRequestData("orderBy by distance needs the place to measure from: give orderFrom.")
    return OrderTerm(path, is_descending, reference)


def is_key(found: Key, query: EntityQuery) -> bool:
    """Whether it is a place in the order of the query."""
    return len(found) == len(query.order) and all(
        isinstance(value, str) if rank in _TEXTUAL else rank in _NUMERIC and _is_double(value) for rank, value in found
    )


def _is_double(value: object) -> bool:
    return isinstance(value, int | float) and abs(value) <= sys.float_info.max


def find_member(term: OrderTerm) -> str | None:
    """The member of the entity that it is ordered by; None for what its attributes say."""
    path = term.path
    is_member = path.name in ENTITY_MEMBERS and not path.subs and not path.members and term.reference is None
    return path.name if is_member else None


def is_plain(term: OrderTerm) -> bool:
    """By a member of the entity, by an attribute's value, its distance or one of its times: stores can say that."""
    path = term.path
    return not path.members and (not path.subs or (len(path.subs) == 1 and path.subs[0] in _INSTANTS))


def key_of(entity: Entity, query: EntityQuery) -> Key:
    """Its place in the order of the query."""
    collation = None if query.collation is None else find_collation(query.collation)
    return tuple(_part(entity, term, collation) for term in query.order)


def is_absent(part: tuple[int, Any]) -> bool:
    return part[0] == _ABSENT[0]


def page_in_order(candidates: Iterable[tuple[int, Entity]], query: EntityQuery) -> EntityPage:
    """The page of `query` out of all entities that match, each with its internal number. Raises TooComplexQuery."""
    matched = _Matched(query)
    wanted = query.offset + query.limit + 1
    best = heapq.nsmallest(wanted, matched.onwards(candidates), key=lambda one: one[:2])
    shown = best[query.offset : query.offset + query.limit]
    entities = tuple(entity for _, _, _, entity in shown)
    total = matched.total if query.count else None
    if len(best) < wanted or not shown:
        return EntityPage(entities, total)
    _, number, key, _ = shown[-1]
    return EntityPage(entities, total, number, key)


class _Matched:
    """Counts what goes through."""

    def __init__(self, query: EntityQuery) -> None:
        self.total = 0
        self._query = query
        self._collation = None if query.collation is None else find_collation(query.collation)

    def onwards(self, candidates: Iterable[tuple[int, Entity]]) -> Iterator[tuple[Any, int, Key, Entity]]:
        terms, query = self._query.order, self._query
        after = None if query.after_key is None else (_sortable(query.after_key, terms), query.after or 0)
        for number, entity in candidates:
            self.total += 1
            if self.total > MOST_ORDERED:
                raise TooComplexQuery(f"The query matches more than {MOST_ORDERED} entities: too many to be ordered.")
            key = tuple(_part(entity, term, self._collation) for term in terms)
            place = _sortable(key, terms)
            if after is None or (place, number) > after:
                yield place, number, key, entity


def _part(entity: Entity, term: OrderTerm, collation: Collation | None) -> tuple[int, Any]:
    path = term.path
    if term.reference is not None:
        return _distance(entity, path, term.reference)
    if (member := find_member(term)) is not None:
        return _ranked(_entity_member(entity, member), collation)
    instance = find_first(entity, path.name)
    if instance is None:
        return _ABSENT
    return _ranked(next(iter(targets_of(instance, path)), None), collation)


def find_first(entity: Entity, name: str) -> Instance | None:
    """Instances are in the order of their datasets, the default one first."""
    return next((one for one in entity.instances if one.name == name), None)


def _entity_member(entity: Entity, member: str) -> Json:
    match member:
        case "id":
            return entity.id
        case "type":
            return ",".join(entity.types)
        case "scope":
            return ",".join(entity.scopes) or None
        case "createdAt":
            return entity.created_at
        case _:
            return entity.modified_at


def _distance(entity: Entity, path: Path, reference: dict[str, Any]) -> tuple[int, Any]:
    instance = find_first(entity, path.name)
    if instance is None or instance.kind is not Kind.GEO_PROPERTY:
        return _ABSENT
    distance_m = find_distance_m(instance.value, reference)
    return _ABSENT if distance_m is None else (0, distance_m)


def find_distance_m(geometry: dict[str, Any], reference: dict[str, Any]) -> float | None:
    """None where there is none, as of an empty geometry."""
    try:
        distance_m = geometry_distance_m(geometry, reference)
    except GEOSException:
        return None
    return distance_m if math.isfinite(distance_m) else None


def _ranked(value: Json | Moment, collation: Collation | None) -> tuple[int, Any]:
    match value:
        case None:
            return _ABSENT
        case bool():
            return 4, int(value)
        case int() | float():
            return 0, as_double(value)
        case Moment(at):
            return 0, at
        case str():
            return 1, value if collation is None else collation(value)
        case _:
            return 2 if isinstance(value, dict) else 3, msgspec.json.encode(value).decode()


def as_double(value: float) -> float:
    """As each store can compare it: the nearest double, or the largest."""
    try:
        return value if -_EXACT <= value <= _EXACT else float(value)
    except OverflowError:
        return -sys.float_info.max if value < 0 else sys.float_info.max


class _Descending:
    __slots__ = ("_part",)

    def __init__(self, part: tuple[int, Any]) -> None:
        self._part = part

    def __lt__(self, other: "_Descending") -> bool:
        return other._part < self._part

    def __gt__(self, other: "_Descending") -> bool:
        return other._part > self._part

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Descending) and other._part == self._part

    __hash__ = None  # type: ignore[assignment]


def _sortable(key: Sequence[tuple[int, Any]], terms: Sequence[OrderTerm]) -> tuple[Any, ...]:
    """What compares as the entities are to stand."""
    return tuple(
        (part[0] == _ABSENT[0], _Descending(tuple(part)) if term.is_descending else tuple(part))
        for part, term in zip(key, terms, strict=True)
    )


def everything_of(query: EntityQuery) -> EntityQuery:
    """All that match, whatever page is asked for."""
    return replace(query, after=None, after_key=None, offset=0, limit=MOST_ORDERED + 1)
