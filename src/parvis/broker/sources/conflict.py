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
    if one.id is not None:
        return _may_be(other, one.id)
    return other.id is None or _may_be(one, other.id)


def _may_be(info: EntityInfo, entity_id: str) -> bool:
    if info.id is not None:
        return info.id == entity_id
    return info.id_pattern is None or pattern_finder(info.id_pattern)(entity_id)
