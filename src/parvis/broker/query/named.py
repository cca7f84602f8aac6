"""Which attributes a query speaks of."""

from collections.abc import Iterator
from typing import assert_never

from parvis.broker.model.entity import Iri
from parvis.broker.query.order import find_member
from parvis.broker.query.tally import ByArea, ByWord, TallyQuery
from parvis.broker.query.tree import (
    ENTITY_TIMES,
    And,
    Compare,
    Condition,
    EntityQuery,
    Exists,
    LeadsTo,
    Linked,
    Missing,
    Or,
)


def names_of(query: EntityQuery) -> set[Iri]:
    """Those of linked entities with them."""
    named = {*query.attrs, *(term.path.name for term in query.order if find_member(term) is None)}
    if query.geo is not None:
        named.add(query.geo.geoproperty)
    return named if query.q is None else named | set(names_of_condition(query.q))


def names_of_condition(condition: Condition) -> Iterator[Iri]:
    match condition:
        case And(terms) | Or(terms):
            for term in terms:
                yield from names_of_condition(term)
        case Exists(path) | Missing(path) | Compare(path, _, _):
            if path.name not in ENTITY_TIMES:
                yield path.name
        case Linked(name, _, term):
            yield name
            yield from names_of_condition(term)
        case LeadsTo(name):
            yield name
        case _:
            assert_never(condition)


def names_of_tally(query: TallyQuery) -> set[Iri]:
    named = {stick.attribute for stick in query.yardsticks}
    named |= {stick.alarm for stick in query.yardsticks if stick.alarm is not None}
    if query.told_silent is not None:
        named.add(query.told_silent)
    match query.zones:
        case ByArea(location, _):
            named.add(location)
        case ByWord(attribute):
            named.add(attribute)
        case None:
            if query.by_place or query.place:
                named.add(query.address)
        case _:
            assert_never(query.zones)
    return named
