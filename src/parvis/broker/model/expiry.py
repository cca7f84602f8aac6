"""Entities and attribute instances that are kept for a time only (NGSI-LD 1.9.1, 4.22)."""

from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from parvis.broker.model.entity import Entity, Instance
from parvis.kernel.time import Instant, parse_instant

EXPIRES_AT: Final = "expiresAt"
"""The member of `Instance.extra`."""


def find_expiry(instance: Instance) -> Instant | None:
    """When the instance is over; None: it stays."""
    told = None if instance.extra is None else instance.extra.get(EXPIRES_AT)
    if not isinstance(told, str):
        return None
    try:
        return parse_instant(told)
    except ValueError:  # "urn:ngsi-ld:null", which a patch takes it away by
        return None


def is_over(instance: Instance, now: Instant) -> bool:
    expiry = find_expiry(instance)
    return expiry is not None and expiry <= now


def first_expiry(expires_at: Instant | None, instances: Iterable[Instance]) -> Instant | None:
    """When the first part of an entity is over that itself is over at `expires_at`."""
    first = expires_at
    for one in instances:
        if one.extra is not None:
            first = earlier(first, find_expiry(one))
    return first


def earlier(first: Instant | None, other: Instant | None) -> Instant | None:
    if first is None or other is None:
        return other if first is None else first
    return min(first, other)


def what_stays(entity: Entity, now: Instant) -> Entity | None:
    """The entity without what is over; None where it is over itself."""
    if entity.due is None or entity.due > now:
        return entity
    if entity.expires_at is not None and entity.expires_at <= now:
        return None
    instances = tuple(one for one in entity.instances if not is_over(one, now))
    return replace(entity, instances=instances, due=first_expiry(entity.expires_at, instances), rendered={})
