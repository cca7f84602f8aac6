"""A reach in the words of a store, which knows entities by the set of their types."""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from parvis.broker.query.selection import typesets_of
from parvis.broker.query.tree import ScopeQuery, TypeSelection
from parvis.kernel.reach import Reach


class InScopes(NamedTuple):
    """Of entities with these sets of types, those alone that lie in the scopes."""

    typesets: list[int]
    scope: ScopeQuery


class Chosen(NamedTuple):
    """Entities with these sets of types (None: any), with the sets of `scoped` as far as it says."""

    typesets: list[int] | None
    scoped: tuple[InScopes, ...] = ()

    @property
    def is_nothing(self) -> bool:
        return self.typesets == []


def choose(types: TypeSelection | None, within: Reach, known: Iterable[tuple[Collection[str], int]]) -> Chosen:
    """`known` are the sets of types that the store has numbered."""
    if within is None:
        return Chosen(typesets_of(types, known))
    items = list(known)
    selected = typesets_of(types, items)
    wanted = None if selected is None else set(selected)
    found: list[int] = []
    scoped: dict[tuple[str, ...], list[int]] = {}
    for names, number in items:
        areas = [area for area in within if area.holds_types(names)]
        if not areas or (wanted is not None and number not in wanted):
            continue
        found.append(number)
        if all(area.scopes for area in areas):
            scopes = tuple(sorted({scope for area in areas for scope in area.scopes}))
            scoped.setdefault(scopes, []).append(number)
    return Chosen(found, tuple(InScopes(numbers, scope_query(scopes)) for scopes, numbers in scoped.items()))


def scope_query(scopes: Iterable[str]) -> ScopeQuery:
    """In one of them, or below it."""
    return ScopeQuery(tuple((f"{scope}/#",) for scope in scopes))
