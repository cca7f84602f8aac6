"""Linked entity retrieval (NGSI-LD 1.9.1, 4.5.23): what Relationships lead to, over as many levels as are asked for.

What entities are linked, and for which of them a condition holds, is asked for as the caller: nobody learns through a
Relationship what they may not read.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from parvis.broker.model.entity import LINKS, Entity, Instance, Iri
from parvis.broker.query.evaluate import holds
from parvis.broker.query.linking import EVERYTHING, Linking, Shown
from parvis.broker.query.selection import types_hold
from parvis.broker.query.tree import (
    And,
    Compare,
    Condition,
    EntityQuery,
    Exists,
    LeadsTo,
    Linked,
    Missing,
    Operator,
    Or,
    TypeSelection,
)
from parvis.kernel.errors import TooComplexQuery, TooManyResults

if TYPE_CHECKING:
    from parvis.broker.ports.store import EntityPage

MOST_LINKED: Final = 5_000
"""Entities that one answer has beside those asked for."""
MOST_MET: Final = 10_000
"""Entities that a condition about linked entities may hold for."""
CHUNK: Final = 1_000

Ask = Callable[[EntityQuery], Awaitable["EntityPage"]]
Elsewhere = Callable[[Mapping[str, Sequence[Iri]]], Awaitable[Iterable[Entity]]]
_OPPOSITES = {Operator.UNEQUAL: Operator.EQUAL, Operator.NOT_MATCH: Operator.MATCH}


class Neighbours(msgspec.Struct, frozen=True):
    """`known` are linked entities by id; `inward` the same in the order met, each with what is shown of it."""

    known: Mapping[str, Entity]
    inward: Sequence[tuple[Entity, Shown]]


def targets(instance: Instance) -> Sequence[str]:
    """The entities that the instance leads to."""
    if instance.kind not in LINKS:
        return ()
    return instance.value if isinstance(instance.value, list) else (instance.value,)


async def neighbours(
    ask: Ask,
    entities: Sequence[Entity],
    linking: Linking,
    shown: Shown = EVERYTHING,
    elsewhere: Elsewhere | None = None,
) -> Neighbours:
    """The entities linked from these, level by level. Raises TooManyResults.

    `elsewhere` finds those that are not held here, where a Relationship says of what type they are.
    """
    known: dict[str, Entity] = {}
    here = {one.id: one for one in entities}
    met = here.keys() | linking.contained_by
    inward: list[tuple[Entity, Shown]] = []
    seen: set[tuple[str, int, int]] = set()
    level = [(one, shown) for one in entities]
    for _ in range(linking.levels):
        wanted = [one for one in _wanted(level, seen) if one.urn not in linking.contained_by]
        unknown = [one for one in wanted if one.urn not in known and one.urn not in here]
        await _learn(ask, [one.urn for one in unknown], known)
        typed = {one.urn: one.types for one in unknown if one.types and one.urn not in known}
        if typed and elsewhere is not None:
            known.update((one.id, one) for one in await elsewhere(typed))
        level = [(found, one.shown) for one in wanted if (found := known.get(one.urn) or here.get(one.urn)) is not None]
        for entity, below in level:
            if entity.id not in met:
                met.add(entity.id)
                inward.append((entity, below))
    return Neighbours({**known, **{urn: one for urn, one in here.items() if urn not in linking.contained_by}}, inward)


class _Wanted(NamedTuple):
    urn: str
    shown: Shown
    types: Sequence[Iri]


def _wanted(level: Iterable[tuple[Entity, Shown]], seen: set[tuple[str, int, int]]) -> Iterator[_Wanted]:
    """What was not met before in the same view."""
    for entity, shown in level:
        for instance in entity.instances:
            if instance.kind in LINKS and shown.follows(instance.name):
                below = shown.below(instance.name)
                types = _object_types(instance)
                for urn in targets(instance):
                    key = (urn, id(below.pick), id(below.omit))
                    if key not in seen:
                        seen.add(key)
                        yield _Wanted(urn, below, types)


def _object_types(instance: Instance) -> Sequence[Iri]:
    types = (instance.extra or {}).get("objectType", ())
    return (types,) if isinstance(types, str) else types


async def _learn(ask: Ask, urns: Iterable[str], known: dict[str, Entity]) -> None:
    ids = tuple(dict.fromkeys(urns))
    if len(ids) + len(known) > MOST_LINKED:
        raise TooManyResults(
            f"More than {MOST_LINKED} entities are linked: ask for fewer entities, or a lower joinLevel."
        )
    for start in range(0, len(ids), CHUNK):
        chunk = ids[start : start + CHUNK]
        page = await ask(EntityQuery(ids=chunk, limit=len(chunk)))
        known.update((one.id, one) for one in page.entities)


async def resolved(condition: Condition, ask: Ask) -> Condition:
    """The same with the entities in it that its terms about linked entities hold for (4.9). Raises TooComplexQuery."""
    match condition:
        case And(terms):
            return And(tuple([await resolved(term, ask) for term in terms]))
        case Or(terms):
            return Or(tuple([await resolved(term, ask) for term in terms]))
        case Linked():
            return await _resolved_link(condition, ask)
        case _:
            return condition


def speaks_of_links(condition: Condition | None) -> bool:
    match condition:
        case And(terms) | Or(terms):
            return any(speaks_of_links(term) for term in terms)
        case _:
            return isinstance(condition, Linked)


async def holds_for(condition: Condition, entity: Entity, ask: Ask) -> bool:
    """Whether it holds for this one entity: what that is linked to is looked at, and nothing else. Raises
    TooManyResults."""
    match condition:
        case And(terms):
            return all([await holds_for(term, entity, ask) for term in terms])
        case Or(terms):
            return any([await holds_for(term, entity, ask) for term in terms])
        case Linked():
            return await _link_holds(condition, entity, ask)
        case _:
            return holds(condition, entity)


async def _link_holds(linked: Linked, entity: Entity, ask: Ask) -> bool:
    ends: Sequence[Entity] = (entity,)
    term: Exists | Missing | Compare | Linked = linked
    while isinstance(term, Linked):
        ends = await _followed(ends, term, ask)
        term = term.term
    match term:
        case Missing(path):
            return not any(holds(Exists(path), one) for one in ends)
        case Compare(path, operator, operand) if operator in _OPPOSITES:
            opposite = Compare(path, _OPPOSITES[operator], operand)
            return any(holds(term, one) for one in ends) and not any(holds(opposite, one) for one in ends)
        case _:
            return any(holds(term, one) for one in ends)


async def _followed(entities: Iterable[Entity], linked: Linked, ask: Ask) -> Sequence[Entity]:
    instances = [one for entity in entities for one in entity.instances if one.name == linked.name]
    found: dict[str, Entity] = {}
    await _learn(ask, [urn for one in instances for urn in targets(one)], found)
    types = linked.types
    return [one for one in found.values() if types is None or types_hold(types, one.types)]


async def _resolved_link(linked: Linked, ask: Ask) -> Condition:
    hops: list[tuple[Iri, TypeSelection | None]] = []
    term: Exists | Missing | Compare | Linked = linked
    while isinstance(term, Linked):
        hops.append((term.name, term.types))
        term = term.term
    match term:
        case Missing(path):
            return msgspec.structs.replace(await _leading(hops, Exists(path), ask), is_wanted=False)
        case Compare(path, operator, operand) if operator in _OPPOSITES:
            opposite = await _leading(hops, Compare(path, _OPPOSITES[operator], operand), ask)
            return And((await _leading(hops, term, ask), msgspec.structs.replace(opposite, is_wanted=False)))
        case _:
            return await _leading(hops, term, ask)


async def _leading(hops: Sequence[tuple[Iri, TypeSelection | None]], term: Condition, ask: Ask) -> LeadsTo:
    """What leads over the hops to where `term` holds; the last hop is asked about first."""
    name, types = hops[0]
    inner = term if len(hops) == 1 else await _leading(hops[1:], term, ask)
    return LeadsTo(name, await _ids(ask, EntityQuery(types=types, q=inner, limit=CHUNK)))


async def _ids(ask: Ask, query: EntityQuery) -> tuple[str, ...]:
    ids: list[str] = []
    while True:
        page = await ask(query)
        ids.extend(one.id for one in page.entities)
        if page.resume is None:
            return tuple(ids)
        if len(ids) >= MOST_MET:
            raise TooComplexQuery(f"What q asks of linked entities holds for more than {MOST_MET} of them.")
        query = msgspec.structs.replace(query, after=page.resume)
