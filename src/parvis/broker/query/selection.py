"""Type selection (NGSI-LD 1.9.1, 4.17) and scope patterns (4.19)."""

import re
from collections.abc import Collection, Iterable
from typing import assert_never

from parvis.broker.query.tree import AllTypes, AnyType, ScopeQuery, TypeIs, TypeSelection


def types_hold(selection: TypeSelection, types: Collection[str]) -> bool:
    match selection:
        case TypeIs(iri):
            return iri in types
        case AllTypes(terms):
            return all(types_hold(term, types) for term in terms)
        case AnyType(terms):
            return any(types_hold(term, types) for term in terms)
        case _:
            assert_never(selection)


def typesets_of(selection: TypeSelection | None, known: Iterable[tuple[Collection[str], int]]) -> list[int] | None:
    """The numbers of the sets that are selected, None where all are."""
    if selection is None:
        return None
    return [number for types, number in known if types_hold(selection, types)]


def scopes_hold(query: ScopeQuery, scopes: Collection[str]) -> bool:
    """True where, of one alternative, each pattern fits a scope of the entity."""
    return any(
        all(any(re.fullmatch(scope_expression(pattern), scope) for scope in scopes) for pattern in every)
        for every in query.alternatives
    )


def scope_expression(pattern: str) -> str:
    """A regular expression for a scope pattern: `+` stands for one level, a last `/#` for any levels, or none."""
    levels = pattern.strip("/").split("/")
    below = levels[-1] == "#"
    parts = ("[^/]+" if level == "+" else re.escape(level) for level in (levels[:-1] if below else levels))
    return "".join(f"/{part}" for part in parts) + ("(/.*)?" if below else "")
