"""Entities with those that they are linked to inside (NGSI-LD 1.9.1, 4.5.23.2)."""

from collections.abc import Mapping

import msgspec

from parvis.broker.jsonld.context import Context
from parvis.broker.jsonld.render import Form, Representation, render_entity
from parvis.broker.linked import targets
from parvis.broker.model.entity import Entity, Instance, Json, Kind
from parvis.broker.query.linking import Shown
from parvis.kernel.errors import TooManyResults

MOST_INSIDE = 10_000
"""Entities written into others in one answer: an entity stands once for each way that leads to it."""


class Inliner:
    """Of one answer. `known` are the entities that may stand inside others."""

    def __init__(self, context: Context, representation: Representation, known: Mapping[str, Entity]) -> None:
        self._context = context
        self._representation = representation
        self._known = known
        self._inside = 0

    def inlined(self, entity: Entity, levels: int, shown: Shown, above: frozenset[str] = frozenset()) -> Entity:
        """The entity with its neighbours in it; none stands inside itself. Raises TooManyResults."""
        if not levels:
            return entity
        above = above | {entity.id}
        instances = tuple(
            self._with_targets(one, levels - 1, shown.below(one.name), above) if shown.follows(one.name) else one
            for one in entity.instances
        )
        return msgspec.structs.replace(entity, instances=instances, rendered={})

    def _with_targets(self, instance: Instance, levels: int, shown: Shown, above: frozenset[str]) -> Instance:
        bodies = {
            urn: self._body(self._known[urn], levels, shown, above)
            for urn in targets(instance)
            if urn in self._known and urn not in above
        }
        if not bodies:
            return instance
        if self._representation.form is Form.SIMPLIFIED:
            return msgspec.structs.replace(instance, value=_simplified(instance, bodies))
        member = "entity" if instance.kind is Kind.RELATIONSHIP else "entityList"
        is_one = instance.kind is Kind.RELATIONSHIP and not isinstance(instance.value, list)
        inside: Json = next(iter(bodies.values())) if is_one else list(bodies.values())
        return msgspec.structs.replace(instance, extra={**(instance.extra or {}), member: inside})

    def _body(self, entity: Entity, levels: int, shown: Shown, above: frozenset[str]) -> msgspec.Raw:
        self._inside += 1
        if self._inside > MOST_INSIDE:
            raise TooManyResults(f"More than {MOST_INSIDE} entities would stand inside others: ask with join=flat.")
        inner = self.inlined(entity, levels, shown, above)
        return msgspec.Raw(render_entity(inner, self._context, linked_representation(self._representation, shown)))


def linked_representation(representation: Representation, shown: Shown) -> Representation:
    """How a linked entity is shown: as the others, but for what is named of it."""
    return Representation(
        representation.form,
        representation.sys_attrs,
        representation.lang,
        pick=shown.pick.names,
        omit=shown.omit.leaves,
    )


def _simplified(instance: Instance, bodies: Mapping[str, msgspec.Raw]) -> Json:
    if isinstance(instance.value, list):
        return [bodies.get(urn, urn) for urn in instance.value]
    return bodies[instance.value]
