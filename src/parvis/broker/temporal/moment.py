"""A territory at an instant of its past: what each entity showed last before it."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from parvis.broker.model.entity import AttributeKey, Entity, Instance, Kind
from parvis.broker.model.merge import NULL
from parvis.broker.ports.store import EntityHistory, TemporalStore
from parvis.broker.temporal.selection import as_entity
from parvis.kernel.time import DAY, Instant

LOOK_BACK = 7 * DAY
"""What was measured longer before the moment is not looked for: the question stays bounded, however long the past."""
LOOK_FAR = 400 * DAY
"""But for what was stored only after the moment: whether it was silent or not there yet, its own past alone tells."""
MOST_GONE = 100
"""Entities deleted since the moment that are told; each is read by itself."""

Wanted = Mapping[str, Sequence[AttributeKey]]
"""Of each entity (by id) the series to look at."""
KeysOf = Callable[[Entity], Iterable[AttributeKey]]


class Moment(NamedTuple):
    """`entities` as they were; `later` are those, as they are now, that were not there yet."""

    entities: Sequence[Entity]
    later: Sequence[Entity]


class Lasts:
    """The last instance of each series, from the forms in which history lies; a removal counts as one."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, AttributeKey], Instance] = {}

    def add(self, entity_id: str, instances: Iterable[Instance]) -> None:
        for one in instances:
            known = self._found.get((entity_id, one.key))
            if known is None or (known.seen_at, known.seq) < (one.seen_at, one.seq):
                self._found[entity_id, one.key] = one

    def told(self) -> dict[str, list[Instance]]:
        """Of what was not taken away."""
        told: dict[str, list[Instance]] = {}
        for (entity_id, _), one in self._found.items():
            if one.value != NULL:
                told.setdefault(entity_id, []).append(one)
        return told


def as_it_was(entity: Entity, asked: Sequence[AttributeKey], found: Sequence[Instance], at: Instant) -> Entity | None:
    """The entity that is, with what it showed then; None where it was not there yet.

    What was not asked for (its name, say) is told as it is now, and so is a place that nobody measured.
    """
    if not found and entity.created_at > at:
        return None
    told, keys = {one.key: one for one in found}, frozenset(asked)
    kept = (one for one in entity.instances if one.key not in keys or one.kind is Kind.GEO_PROPERTY)
    instances = {one.key: one for one in kept} | told
    return replace(entity, instances=tuple(instances[key] for key in sorted(instances)), rendered={})


async def list_then(store: TemporalStore, tenant: str, there: Sequence[Entity], keys_of: KeysOf, at: Instant) -> Moment:
    """Of the entities that are `there` now."""
    wanted = await asyncio.to_thread(lambda: {one.id: tuple(keys_of(one)) for one in there})
    found = await store.list_last(tenant, wanted, at - LOOK_BACK, at + 1)
    stored_since = {one.id: wanted[one.id] for one in there if one.created_at > at and one.id not in found}
    if stored_since:
        found |= await store.list_last(tenant, stored_since, at - LOOK_FAR, at - LOOK_BACK)
    return await asyncio.to_thread(as_they_were, there, wanted, found, at)


def as_they_were(
    entities: Iterable[Entity], wanted: Wanted, found: Mapping[str, Sequence[Instance]], at: Instant
) -> Moment:
    then = [(one, as_it_was(one, wanted[one.id], found.get(one.id, ()), at)) for one in entities]
    return Moment([was for _, was in then if was is not None], [one for one, was in then if was is None])


def as_it_ended(history: EntityHistory) -> Entity | None:
    """An entity that is no more, from its last instances before the moment; None where there are none."""
    return as_entity(history) if any(history.instances.values()) else None
