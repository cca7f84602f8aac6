"""How far somebody's rights go: over which entities, and which of their attributes stay out of their sight."""

import re
from collections.abc import Collection, Iterable
from enum import IntEnum
from functools import lru_cache

import msgspec


class PrivacyClass(IntEnum):
    """Of an attribute; a role says up to which class its holder reads."""

    PUBLIC = 0
    INTERNAL = 1
    PERSONAL = 2
    SENSITIVE = 3


class Area(msgspec.Struct, frozen=True):
    """Entities with one of `types` and none of `besides`, in one of `scopes` or below it. What is empty says nothing.

    `types` are expanded, `besides` are local names; a scope is a path as /north/school (NGSI-LD 1.9.1, 4.18), without
    wildcards.
    """

    types: frozenset[str] = frozenset()
    scopes: tuple[str, ...] = ()
    besides: frozenset[str] = frozenset()

    def holds_types(self, types: Collection[str]) -> bool:
        return (not self.types or not self.types.isdisjoint(types)) and (
            not self.besides or self.besides.isdisjoint(map(local_name, types))
        )

    def holds(self, types: Collection[str], scopes: Iterable[str]) -> bool:
        return self.holds_types(types) and (
            not self.scopes or any(is_below(scope, one) for scope in scopes for one in self.scopes)
        )


Reach = tuple[Area, ...] | None
"""Everything (None), or what lies in any of the areas: without one, nothing."""
NOWHERE: tuple[Area, ...] = ()


def is_below(scope: str, above: str) -> bool:
    return scope == above or scope.startswith(f"{above}/")


def reaches(reach: Reach, types: Collection[str], scopes: Collection[str]) -> bool:
    return reach is None or any(area.holds(types, scopes) for area in reach)


def is_scoped(reach: Reach) -> bool:
    """Whether types alone do not decide."""
    return reach is not None and any(area.scopes for area in reach)


def both(one: Reach, other: Reach) -> Reach:
    """What lies in both: of a role and of a mandate. Never more, and of what has several types or scopes at times
    less."""
    if one is None or other is None:
        return other if one is None else one
    shared = (_shared(left, right) for left in one for right in other)
    return tuple(dict.fromkeys(area for area in shared if area is not None))


def either(one: Reach, other: Reach) -> Reach:
    return None if one is None or other is None else tuple(dict.fromkeys(one + other))


def without(reach: Reach, types: frozenset[str]) -> Reach:
    """Less the entities of these types."""
    if not types:
        return reach
    areas = (Area(),) if reach is None else reach
    return tuple(msgspec.structs.replace(area, besides=area.besides | types) for area in areas)


def _shared(one: Area, other: Area) -> Area | None:
    types = one.types & other.types if one.types and other.types else one.types | other.types
    if one.types and other.types and not types:
        return None
    scopes = one.scopes or other.scopes
    if one.scopes and other.scopes:
        lower = [mine for mine in one.scopes for theirs in other.scopes if is_below(mine, theirs)]
        lower += [theirs for mine in one.scopes for theirs in other.scopes if is_below(theirs, mine)]
        scopes = tuple(dict.fromkeys(lower))
        if not scopes:
            return None
    return Area(types, scopes, one.besides | other.besides)


class Hidden(msgspec.Struct, frozen=True):
    """Attributes that somebody may not read: of every entity, and of those of certain types alone.

    Names of attributes and types are local: an e-mail address is one whatever vocabulary it was written with.
    `anywhere` are all names together, worked out here: most entities and changes have none of them.
    """

    names: frozenset[str] = frozenset()
    of_types: tuple[tuple[str, frozenset[str]], ...] = ()
    anywhere: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        every = self.names.union(*(names for _, names in self.of_types))
        msgspec.structs.force_setattr(self, "anywhere", every)

    def __bool__(self) -> bool:
        return bool(self.names or self.of_types)

    def of(self, types: Collection[str]) -> frozenset[str]:
        """What is hidden of an entity of these types."""
        if not self.of_types:
            return self.names
        local = {local_name(iri) for iri in types}
        return self.names.union(*(names for one, names in self.of_types if one in local))

    def types_of(self, name: str) -> frozenset[str]:
        """Of which types it is hidden, where it is not of all."""
        return frozenset(one for one, names in self.of_types if name in names)


def hidden_by_either(one: Hidden | None, other: Hidden | None) -> Hidden | None:
    if not one or not other:
        return one or other or None
    types = dict(one.of_types)
    for type_, names in other.of_types:
        types[type_] = types.get(type_, frozenset()) | names
    return Hidden(one.names | other.names, tuple(sorted(types.items())))


@lru_cache(maxsize=16_384)
def local_name(iri: str) -> str:
    """What is left of an IRI without its vocabulary."""
    return re.split(r"[/#:]", iri)[-1]
