"""Of which types the entities are that subscriptions watch, so that all others need not be read."""

from collections.abc import Iterable
from typing import assert_never

from parvis.broker.model.entity import Iri
from parvis.broker.query.tree import AllTypes, AnyType, TypeIs, TypeSelection
from parvis.broker.subscriptions.model import Subscription


def types_of_all(subscriptions: Iterable[Subscription]) -> frozenset[Iri]:
    """The types of all that is watched; empty where something of any type is."""
    types: set[Iri] = set()
    for one in subscriptions:
        if one.is_periodic:
            continue
        own = [types_of(selector.types) for selector in one.selectors]
        if not own or not all(own):
            return frozenset()
        types.update(*own)
    return frozenset(types)


def types_of(selection: TypeSelection | None) -> frozenset[Iri]:
    """Of which an entity must have one; empty: it may be of any."""
    match selection:
        case None:
            return frozenset()
        case TypeIs(iri):
            return frozenset((iri,))
        case AllTypes(terms):
            return types_of(terms[0])
        case AnyType(terms):
            each = [types_of(term) for term in terms]
            return frozenset().union(*each) if all(each) else frozenset()
        case _:
            assert_never(selection)
