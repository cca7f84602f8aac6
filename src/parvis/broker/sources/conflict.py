"""Where two sources would both be the only one (NGSI-LD 1.9.1, 4.3.6.3 and 5.9.2.4)."""

from collections.abc import Iterable

from parvis.broker.query.pattern import pattern_finder
from parvis.broker.sources.discovery import attributes_match
from parvis.broker.sources.model import EntityInfo, Registration, RegistrationInfo, RegistrationMode
from parvis.kernel.errors import Conflict
from parvis.kernel.time import Instant


def check_conflict(registration: Registration, others: Iterable[Registration], now: Instant) -> None:
    """What is exclusive has no other exclusive or redirect registration beside it. Raises Conflict."""
    if not registration.mode.is_proxied:
        return
    for other in others:
        if other.id != registration.id and other.is_in_force(now) and _exclude(registration, other):
            raise Conflict(
                f"The registration {other.id} covers entities and attributes of this one, and one is exclusive."
            )


def _exclude(one: Registration, other: Registration) -> bool:
    modes = {one.mode, other.mode}
    if RegistrationMode.EXCLUSIVE not in modes or not all(mode.is_proxied for mode in modes):
        return False
    return any(_overlap(mine, theirs) for mine in one.information for theirs in other.information)


def _overlap(one: RegistrationInfo, other: RegistrationInfo) -> bool:
    if not attributes_match(one.attributes, other.attributes):
        return False
    if not one.entities or not other.entities:
        return True
    return any(_meet(mine, theirs) for mine in one.entities for theirs in other.entities)


def _meet(one: EntityInfo, other: EntityInfo) -> bool:
    """Two that name the same entity meet whatever its types; what covers many covers those of its types only."""
    if one.id is not None and other.id is not None:
        return one.id == other.id
    return not set(one.types).isdisjoint(other.types) and _may_name(one, other.id) and _may_name(other, one.id)


def _may_name(info: EntityInfo, entity_id: str | None) -> bool:
    """Two patterns are taken to meet."""
    if entity_id is None or info.id_pattern is None:
        return True
    return pattern_finder(info.id_pattern)(entity_id)
