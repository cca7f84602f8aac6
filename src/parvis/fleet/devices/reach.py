"""Which devices lie within somebody's reach: those that do themselves, and those that serve what does."""

from collections.abc import Collection, Mapping, Sequence

from parvis.broker.model.entity import Iri
from parvis.fleet.devices.device import Device
from parvis.kernel.reach import Area, Reach, reaches

Place = tuple[Collection[Iri], Collection[str]]
"""Types and scopes of an entity."""


def asked_about(reach: Sequence[Area], devices: Sequence[Device], device_type: Iri) -> list[str]:
    """The entities whose places decide: of a device itself only where an area may hold such."""
    ids = [one.asset_id for one in devices if one.asset_id]
    if any(area.holds_types((device_type,)) for area in reach):
        ids += [one.entity_id for one in devices]
    return list(dict.fromkeys(ids))


def within(reach: Reach, devices: Sequence[Device], places: Mapping[str, Place]) -> list[Device]:
    """In their order. What a device will serve and is not there yet is of the types that it was registered for."""
    return [
        one
        for one in devices
        if reaches(reach, *places.get(one.asset_id, (one.asset_types, ())))
        or (one.entity_id in places and reaches(reach, *places[one.entity_id]))
    ]
