"""What of a registration is new."""

from msgspec import structs

from parvis.broker.model.change import Change
from parvis.broker.model.entity import Entity, Instance


def news_of(change: Change, held: Entity | None) -> Change | None:
    """What of a registration the entity does not say already; None where it says all of it."""
    if held is None:
        return change
    instances = tuple(one for one in change.instances if not _says_the_same(held.find(one.name), one))
    if not instances and set(change.types or ()) <= set(held.types):
        return None
    return structs.replace(change, instances=instances)


def _says_the_same(held: Instance | None, told: Instance) -> bool:
    return held is not None and _meaning(held) == _meaning(told)


def _meaning(instance: Instance) -> tuple[object, ...]:
    """All but what the store gives to it."""
    return (
        instance.kind,
        type(instance.value) is bool,
        instance.value,
        instance.observed_at,
        instance.unit_code,
        instance.extra or {},
    )
