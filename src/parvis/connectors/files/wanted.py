"""A proposal made anew for what somebody says the rows are, with what they had corrected of the one before."""

from collections.abc import Callable, Iterator
from typing import TypeVar

import msgspec

from parvis.connectors.files.config import Attribute, Mapping, Place, Series, Time


class Wanted(msgspec.Struct, frozen=True):
    """What is settled about a proposal; the rest is guessed. `is_series`: each row is measurements at a time."""

    is_series: bool | None = None
    type: str = ""
    time: Time | None = None
    place: Place | None = None


ANYTHING = Wanted()
Fields = Attribute | Series
Field = TypeVar("Field", Attribute, Series)


def kind_of(mapping: Mapping) -> Wanted:
    return Wanted(mapping.inventory is None, type_of(mapping))


def type_of(mapping: Mapping) -> str:
    if mapping.inventory is not None:
        return mapping.inventory.type
    return mapping.series[0].type if mapping.series else ""


def id_of(mapping: Mapping) -> str:
    if mapping.inventory is not None:
        return mapping.inventory.id
    return mapping.series[0].entity if mapping.series else ""


def proposed_anew(given: Mapping, wanted: Wanted, propose: Callable[[Wanted], Mapping]) -> Mapping:
    """Where `given` says otherwise than was proposed for its kind, somebody has corrected it: that stays."""
    old, new = propose(kind_of(given)), propose(wanted)
    entity_id = id_of(given)
    if entity_id == id_of(old):
        entity_id = id_of(new)
    else:
        entity_id = entity_id.replace(f"urn:ngsi-ld:{type_of(given)}:", f"urn:ngsi-ld:{type_of(new)}:", 1)
    if new.inventory is not None:
        return _inventory_kept(given, old, new, entity_id)
    return _series_kept(given, old, new, entity_id)


def _inventory_kept(given: Mapping, old: Mapping, new: Mapping, entity_id: str) -> Mapping:
    assert new.inventory is not None
    attributes = tuple(
        msgspec.structs.replace(one, name=name, unit_code=unit_code)
        for one, name, unit_code in _corrected(given, old, new.inventory.attributes)
    )
    place = new.inventory.place
    if given.inventory is not None and old.inventory is not None and given.inventory.place != old.inventory.place:
        place = given.inventory.place
    inventory = msgspec.structs.replace(new.inventory, id=entity_id, attributes=attributes, place=place)
    return msgspec.structs.replace(new, inventory=inventory)


def _series_kept(given: Mapping, old: Mapping, new: Mapping, entity_id: str) -> Mapping:
    series = tuple(
        msgspec.structs.replace(one, entity=entity_id, attribute=name, unit_code=unit_code)
        for one, name, unit_code in _corrected(given, old, new.series)
    )
    time = given.time if given.inventory is None and given.time != old.time else new.time
    return msgspec.structs.replace(new, series=series, time=time)


def _corrected(given: Mapping, old: Mapping, proposed: tuple[Field, ...]) -> Iterator[tuple[Field, str, str]]:
    """Without the columns that were struck out."""
    said, told = _by_column(given), _by_column(old)
    for one in proposed:
        name, unit_code = _named(one)
        before, corrected = told.get(one.column), said.get(one.column)
        if before is not None and corrected is None:
            continue
        if before is not None and corrected is not None:
            name = corrected[0] if corrected[0] != before[0] else name
            unit_code = corrected[1] if corrected[1] != before[1] else unit_code
        yield one, name, unit_code


def _by_column(mapping: Mapping) -> dict[str, tuple[str, str]]:
    fields: tuple[Fields, ...] = mapping.inventory.attributes if mapping.inventory is not None else mapping.series
    return {one.column: _named(one) for one in fields}


def _named(one: Fields) -> tuple[str, str]:
    return one.name if isinstance(one, Attribute) else one.attribute, one.unit_code
