"""What bars may stand for besides communes: types whose entities have areas, and what objects are related to."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from parvis.broker.model.entity import Entity, Instance, Kind
from parvis.broker.query.areas import AREAS
from parvis.broker.query.tree import EntityQuery, TypeIs
from parvis.kernel.identity import Caller
from parvis.web.site import Site
from parvis.web.zones import MOST_ZONES, ZONE

LOOKED_AT = 3
"""Entities of a type, to know how they are made."""
MOST_TYPES = 100
SERVED = "areaServed"
"""Smart Data Models: the area in words."""


@dataclass(frozen=True, slots=True)
class Zonings:
    """`words` by type: attributes, most of them relationships."""

    area_types: Sequence[str]
    words: Mapping[str, Sequence[str]]


async def list_zonings(site: Site, caller: Caller, counts: Mapping[str, int]) -> Zonings:
    """By looking at some entities of each type; kept zones first, then the types with the most areas."""
    names = sorted((name for name in counts if counts[name]), key=lambda name: -counts[name])[:MOST_TYPES]
    some = dict(zip(names, await asyncio.gather(*(_some(site, caller, name) for name in names)), strict=True))
    areas = [name for name in names if counts[name] <= MOST_ZONES and any(_is_area(site, one) for one in some[name])]
    areas.sort(key=lambda name: name != ZONE)
    return Zonings(areas, {name: found for name in names if (found := _words(site, some[name]))})


async def _some(site: Site, caller: Caller, type_name: str) -> Sequence[Entity]:
    query = EntityQuery(types=TypeIs(site.reader.expand(type_name)), limit=LOOKED_AT)
    return (await site.platform.broker.query(caller, query)).entities


def _is_area(site: Site, entity: Entity) -> bool:
    place = entity.find(site.reader.expand("location"))
    return place is not None and isinstance(place.value, dict) and place.value.get("type") in AREAS


def _words(site: Site, entities: Sequence[Entity]) -> list[str]:
    found = (site.reader.compact(one.name) for entity in entities for one in entity.instances if _groups(site, one))
    return list(dict.fromkeys(found))


def _groups(site: Site, instance: Instance) -> bool:
    return instance.kind is Kind.RELATIONSHIP or instance.name == site.reader.expand(SERVED)
