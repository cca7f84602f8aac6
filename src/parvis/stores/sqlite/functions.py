"""SQL functions for what SQL has no word for; each decodes its query once and then works row by row."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any
from weakref import WeakValueDictionary

import msgspec

from parvis.broker.model.entity import Entity
from parvis.broker.query.areas import AreaIndex
from parvis.broker.query.evaluate import holds
from parvis.broker.query.geography import geometry_holds
from parvis.broker.query.pattern import pattern_finder
from parvis.broker.query.selection import scopes_hold
from parvis.broker.query.tree import Condition, GeoQuery, ScopeQuery
from parvis.stores.sqlite.database import Connection
from parvis.stores.sqlite.names import Names
from parvis.stores.sqlite.ordering import distance_from, place_of
from parvis.stores.sqlite.rows import from_column, present_instance

Function = Callable[..., Any]
AREAS: WeakValueDictionary[int, AreaIndex] = WeakValueDictionary()
"""By a number that a statement says in place of the areas themselves, for as long as somebody asks."""


def install(connection: Connection, names: Names, watched: Callable[[Function], Function] | None = None) -> None:
    """`watched` wraps each function, where somebody wants to know of its calls."""
    for name, arguments, function in (
        ("matches", 2, _matches),
        ("scopes_match", 2, _scopes_match),
        ("geo_holds", 2, _geo_holds),
        ("areas_at", 2, _areas_at),
        ("oracle", 9, _oracle(names)),
        ("place_of", 1, place_of),
        ("distance_m", 2, _distance_m),
    ):
        called = function if watched is None else watched(function)
        connection.create_function(name, arguments, called, deterministic=True)


def _matches(pattern: str, text: str | None) -> bool:
    return text is not None and pattern_finder(pattern)(text)


def _scopes_match(query: str, scopes: str | None) -> bool:
    return scopes_hold(_scope_query(query), msgspec.json.decode(scopes) if scopes else ())


def _geo_holds(query: str, value: Any) -> bool:
    geometry = from_column(value)
    return isinstance(geometry, dict) and geometry_holds(_geo_query(query), geometry)


def _areas_at(number: int, value: Any) -> str | None:
    """A JSON array of their ids."""
    geometry = from_column(value)
    return msgspec.json.encode(AREAS[number].list_at(geometry)).decode() if isinstance(geometry, dict) else None


def _distance_m(reference: str, value: bytes) -> float | None:
    return distance_from(_reference(reference), value)


def _oracle(names: Names) -> Callable[..., bool]:
    def oracle(condition: str, *row: Any) -> bool:
        instance = present_instance(names, row)
        return bool(holds(_condition(condition), Entity("urn:ngsi-ld:Any:one", (), (instance,))))

    return oracle


@lru_cache(maxsize=256)
def _condition(text: str) -> Condition:
    return msgspec.json.decode(text, type=Condition)  # type: ignore[no-any-return]


@lru_cache(maxsize=256)
def _reference(text: str) -> dict[str, Any]:
    return msgspec.json.decode(text, type=dict[str, Any])


@lru_cache(maxsize=256)
def _geo_query(text: str) -> GeoQuery:
    return msgspec.json.decode(text, type=GeoQuery)


@lru_cache(maxsize=256)
def _scope_query(text: str) -> ScopeQuery:
    return msgspec.json.decode(text, type=ScopeQuery)
