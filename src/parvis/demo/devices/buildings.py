"""Devices of buildings: rooms, electricity, gas and heat meters, panels on roofs."""

from collections.abc import Iterator

from parvis.demo.devices.device import Link, Target
from parvis.demo.devices.draft import Draft, Site
from parvis.demo.devices.kinds import Kind
from parvis.demo.devices.names import building_id
from parvis.demo.devices.sites import rooms

HEATED_BY_WOOD = ("hospital", "swimming_pool", "college")
"""On a heat network or a wood boiler of their own, whose heat is metered; the rest burns gas or has heat pumps."""
NO_METER = ("church",)
GAS_SHARE = 0.62
HALLS_METERED = 12


def building_devices(site: Site) -> Iterator[Draft]:
    yield from _rooms(site)
    yield from _meters(site)
    yield from _workshops(site)
    yield from _roofs(site)


def _rooms(site: Site) -> Iterator[Draft]:
    for facility, building in zip(site.territory.facilities, site.public_buildings, strict=True):
        for room, spot in rooms(facility):
            yield Draft(
                Kind.ROOM, f"{facility.name}, {room}", spot.x, spot.y, site.address_of(building), facility.commune,
                Link(Target.ROOM, f"{building}/{room}"), f"{facility.kind.value}:{room}",
                attributes={"alternateName": room}, relations={"refBuilding": building_id(building)},
            )  # fmt: skip


def _meters(site: Site) -> Iterator[Draft]:
    """`weight` is the floor area in square metres (two storeys where the plan is compact)."""
    for building in site.public_buildings:
        known = site.territory.buildings[building]
        if known.kind in NO_METER:
            continue
        x, y = site.inside(building)
        floors = 1 if known.kind in ("sports_hall", "swimming_pool", "market", "community_hall") else 2
        area_m2 = round(known.footprint.area * floors, 0)
        metered = [(Kind.ELECTRICITY, "Électricité", "")]
        if known.kind in HEATED_BY_WOOD:
            metered.append((Kind.HEAT, "Chaleur", ""))
        elif site.rng.random() < GAS_SHARE:
            metered.append((Kind.GAS, "Gaz", f"gaz-{site.territory.communes[known.commune].slug}-{building}"))
        for kind, word, identity in metered:
            yield Draft(
                kind, f"{word}, {known.name}", x, y, site.address_of(building), known.commune,
                Link(Target.BUILDING, str(building)), known.kind, area_m2, identity=identity,
                relations={"refBuilding": building_id(building)},
            )  # fmt: skip


def _workshops(site: Site) -> Iterator[Draft]:
    """Units of the agglomeration's business parks."""
    last = site.public_buildings[-1] + 1
    halls = range(last, len(site.territory.buildings))
    for building in sorted(site.rng.sample(halls, min(HALLS_METERED, len(halls)))):
        known = site.territory.buildings[building]
        x, y = site.inside(building)
        yield Draft(
            Kind.ELECTRICITY, f"Électricité, atelier relais {site.address_of(building)}", x, y,
            site.address_of(building), known.commune, Link(Target.BUILDING, str(building)), known.kind,
            round(known.footprint.area, 0), relations={"refBuilding": building_id(building)},
        )  # fmt: skip


def _roofs(site: Site) -> Iterator[Draft]:
    for roof in site.networks.power.roofs:
        yield Draft(
            Kind.PV, roof.name, roof.x, roof.y, roof.address, roof.commune, Link(Target.ROOF, roof.id),
            site.territory.buildings[roof.building].kind, roof.peak_kw,
            {"installationMode": "roof", "powerRating": roof.peak_kw},
            roof.id.lower(), {"refBuilding": building_id(roof.building)},
        )  # fmt: skip
