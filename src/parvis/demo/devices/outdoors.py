"""Devices under the open sky: air, weather, noise, people; buses on their lines, pedestals on pontoons."""

from collections.abc import Iterator

import numpy as np
from shapely.geometry.base import BaseGeometry

from parvis.demo.devices.device import Link, Target
from parvis.demo.devices.draft import Draft, Site
from parvis.demo.devices.kinds import Kind
from parvis.demo.devices.names import route_id
from parvis.demo.land.communes import Character
from parvis.demo.land.facilities import FacilityKind
from parvis.demo.land.roads import RoadClass
from parvis.demo.land.venues import VenueKind
from parvis.demo.networks.buses import Vehicle

WALKERS_SHARE = {
    VenueKind.MARKET: 0.06, VenueKind.OLD_TOWN: 0.6, VenueKind.QUAY: 0.3, VenueKind.BEACH: 0.06,
    VenueKind.FESTIVAL: 0.0015, VenueKind.STATION: 0.4, VenueKind.SHOPPING: 0.25, VenueKind.VIEWPOINT: 0.15,
}  # fmt: skip
"""Who passes in a mean hour, of those who make the place crowded."""
HEARD_AT = {
    VenueKind.FESTIVAL: "festival", VenueKind.QUAY: "port", VenueKind.STATION: "road", VenueKind.CAMPSITE: "village",
    VenueKind.OLD_TOWN: "town",
}  # fmt: skip
WEATHER_IN = ("trevalan", "port-trevalan", "penhervan", "locvelan", "lanzuhel", "guervalon", "saint-gwenvred")
PEDESTALS = {Character.PORT: 5, Character.RESORT: 4}


def outdoor_devices(site: Site) -> Iterator[Draft]:
    yield from _air(site)
    yield from _weather(site)
    yield from _noise(site)
    yield from _people(site)
    yield from _buses(site)
    yield from _pedestals(site)


def _air(site: Site) -> Iterator[Draft]:
    """One a commune, at its town hall, and beside the colleges; `place` says what the air there is like."""
    character = {Character.OLD_TOWN: "town", Character.PORT: "port", Character.SUBURB: "road"}
    for facility in site.territory.facilities:
        if facility.kind not in (FacilityKind.TOWN_HALL, FacilityKind.COLLEGE):
            continue
        x, y = facility.grounds.representative_point().coords[0]
        commune = site.territory.communes[facility.commune]
        yield Draft(
            Kind.AIR, f"Station de l’air, {facility.name}", float(x), float(y), site.gazetteer.near(float(x), float(y)),
            facility.commune, Link(Target.SKY, commune.slug), character.get(commune.character, "village"),
        )  # fmt: skip


def _weather(site: Site) -> Iterator[Draft]:
    """On open ground a few hundred metres from the bourg, by the sea on the mole."""
    for slug in WEATHER_IN:
        index = site.territory.commune_index(slug)
        commune = site.territory.communes[index]
        mole = [road for road in site.territory.roads if road.kind is RoadClass.PIER and road.commune == index]
        if mole:
            x, y = mole[1].line.coords[-1]
            name, place = f"Station météo du port de {commune.name}", "coast"
        else:
            ground = next((each for each in site.territory.fields if _is_near(each.area, commune.x, commune.y)), None)
            at = site.territory.towns[index].urban.representative_point() if ground is None else ground.area.centroid
            x, y = at.x, at.y
            name, place = f"Station météo de {commune.name}", "inland"
        yield Draft(
            Kind.WEATHER, name, x, y, site.gazetteer.near(x, y), index, Link(Target.SKY, slug), place,
            identity=f"meteo-{slug}",
        )  # fmt: skip


def _is_near(area: BaseGeometry, x: float, y: float) -> bool:
    at = area.centroid
    return 500 < float(np.hypot(at.x - x, at.y - y)) < 1400


def _noise(site: Site) -> Iterator[Draft]:
    """Where noise is a quarrel: festival, bars on the quay, night streets, the expressway's neighbours."""
    old_town = [venue for venue in site.venues if venue.kind is VenueKind.OLD_TOWN]
    heard = [venue for venue in site.venues if venue.kind in HEARD_AT and venue not in old_town[2:]]
    for venue in heard:
        yield Draft(
            Kind.NOISE, f"Sonomètre {venue.name}", venue.x + 5, venue.y + 4, venue.address, venue.commune,
            Link(Target.VENUE, venue.id), HEARD_AT[venue.kind], identity=f"bruit-{venue.id.lower()}",
        )  # fmt: skip


def _people(site: Site) -> Iterator[Draft]:
    for venue in site.venues:
        if venue.kind in WALKERS_SHARE:
            walkers_per_h = round(venue.capacity * WALKERS_SHARE[venue.kind], 1)
            yield Draft(
                Kind.PEOPLE, f"Compteur piétons {venue.name}", venue.x, venue.y, venue.address, venue.commune,
                Link(Target.VENUE, venue.id), venue.kind.value, walkers_per_h, identity=venue.id.lower(),
            )  # fmt: skip


def _buses(site: Site) -> Iterator[Draft]:
    """Registered at the depot, from where they leave."""
    buses = site.networks.buses
    x, y = buses.depot
    for vehicle in buses.vehicles:
        yield Draft(
            Kind.BUS, vehicle.name, x, y, "Dépôt de bus, Parc d’activités de Kerdrouz", 0,
            Link(Target.VEHICLE, vehicle.id), buses.lines[vehicle.line].id, float(vehicle.capacity),
            _bus_attributes(vehicle), f"bus-{vehicle.id}",
            {"hasRoute": route_id(buses.lines[vehicle.line])},
        )  # fmt: skip


def _bus_attributes(vehicle: Vehicle) -> dict[str, object]:
    return {
        "vehicleType": "bus",
        "vehicleSubType": "electric" if vehicle.is_electric else "diesel",
        "vehiclePlateIdentifier": f"TV-{vehicle.id}-AG",
        "capacity": vehicle.capacity,
    }


def _pedestals(site: Site) -> Iterator[Draft]:
    """Water and electricity for the boats, along the pontoons."""
    for index, commune in enumerate(site.territory.communes):
        wanted = PEDESTALS.get(commune.character, 0)
        piers = [road for road in site.territory.roads if road.kind is RoadClass.PIER and road.commune == index]
        for letter, pontoon in zip("ABCDE", piers[2:] if wanted else [], strict=False):
            for number in range(wanted):
                at = pontoon.line.interpolate(0.35 + 0.62 * (number + 0.5) / wanted, normalized=True)
                berth = f"{commune.slug}/{letter}{number + 1}"
                yield Draft(
                    Kind.BERTH, f"Borne ponton {letter}{number + 1}, {commune.name}", at.x, at.y, f"Ponton {letter}",
                    index, Link(Target.BERTH, berth), "marina", round(site.rng.uniform(6, 13), 1),
                    identity=f"ponton-{berth.replace('/', '-').lower()}",
                )  # fmt: skip
